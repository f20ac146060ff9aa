//! Paper, ink and type: marks at places, and how they become a PDF. Lengths are points (1/72 inch) from the top left; they
//! are the only floats of this crate, and no amount is ever one.

use krilla::{
    Document,
    color::rgb,
    geom::{PathBuilder, Point, Rect, Size, Transform},
    image::Image,
    metadata::{DateTime as PdfTime, Metadata},
    num::NormalizedF32,
    page::PageSettings,
    paint::Fill,
    surface::Surface,
    text::{Font, TextDirection},
};

use chrono::{DateTime, Datelike, Timelike, Utc};
use rustybuzz::{Face, UnicodeBuffer};

/// DejaVu Sans: free, and it has Latin, Greek and Cyrillic.
const REGULAR: &[u8] = include_bytes!("../../assets/DejaVuSans.ttf");
const BOLD: &[u8] = include_bytes!("../../assets/DejaVuSans-Bold.ttf");

/// A4.
pub const WIDTH: f32 = 595.0;
/// A4.
pub const HEIGHT: f32 = 842.0;

/// The colours of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ink {
    /// Text.
    Black,
    /// What is less important.
    Grey,
    /// Rules.
    Hairline,
    /// Behind the head of a table.
    Tint,
    /// The house's colour, sparingly.
    Teal,
}

impl Ink {
    fn rgb(self) -> (u8, u8, u8) {
        match self {
            Ink::Black => (0x14, 0x18, 0x1f),
            Ink::Grey => (0x5b, 0x64, 0x72),
            Ink::Hairline => (0xd9, 0xde, 0xe5),
            Ink::Tint => (0xee, 0xf1, 0xf5),
            Ink::Teal => (0x0b, 0x6e, 0x6e),
        }
    }
}

/// A weight and a size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Type {
    /// Points.
    pub size: f32,
    /// Or regular.
    pub bold: bool,
    /// Its colour.
    pub ink: Ink,
}

/// Regular black of a size.
pub const fn plain(size: f32) -> Type {
    Type {
        size,
        bold: false,
        ink: Ink::Black,
    }
}

/// Bold black of a size.
pub const fn bold(size: f32) -> Type {
    Type {
        size,
        bold: true,
        ink: Ink::Black,
    }
}

/// Regular grey of a size.
pub const fn grey(size: f32) -> Type {
    Type {
        size,
        bold: false,
        ink: Ink::Grey,
    }
}

/// One thing on a page.
#[derive(Debug, Clone)]
pub enum Mark {
    /// A line of text whose left end is at `x`, on the base line `y`.
    Text {
        /// Left end.
        x: f32,
        /// Base line.
        y: f32,
        /// How.
        face: Type,
        /// What.
        text: String,
    },
    /// A filled rectangle; thin ones are rules.
    Box {
        /// Left.
        x: f32,
        /// Top.
        y: f32,
        /// Width.
        w: f32,
        /// Height.
        h: f32,
        /// With what.
        ink: Ink,
    },
    /// A picture.
    Picture {
        /// Left.
        x: f32,
        /// Top.
        y: f32,
        /// Width.
        w: f32,
        /// Height.
        h: f32,
        /// What.
        image: Image,
    },
}

/// Measures text as it will be set.
pub struct Measure {
    regular: Face<'static>,
    bold: Face<'static>,
}

impl Measure {
    /// With the document's fonts.
    pub fn new() -> Self {
        let face = |data| Face::from_slice(data, 0).expect("the embedded fonts are fonts");
        Measure {
            regular: face(REGULAR),
            bold: face(BOLD),
        }
    }

    /// How wide a line of text is.
    pub fn width(&self, text: &str, of: Type) -> f32 {
        let face = if of.bold { &self.bold } else { &self.regular };
        let mut buffer = UnicodeBuffer::new();
        buffer.push_str(text);
        buffer.guess_segment_properties();
        let advance: i32 = rustybuzz::shape(face, &[], buffer)
            .glyph_positions()
            .iter()
            .map(|glyph| glyph.x_advance)
            .sum();
        advance as f32 / face.units_per_em() as f32 * of.size
    }

    /// The type in which the text is no wider than `most`: as it is, or smaller, but not below `least`.
    pub fn shrunk(&self, text: &str, of: Type, most: f32, least: f32) -> Type {
        let width = self.width(text, of);
        if width <= most {
            return of;
        }
        // A hair less, because widths are rounded.
        let size = (of.size * most / width - 0.05).max(least);
        Type { size, ..of }
    }

    /// The text, cut with an ellipsis if it is wider than `most`.
    pub fn fit(&self, text: &str, of: Type, most: f32) -> String {
        if self.width(text, of) <= most {
            return text.to_owned();
        }
        let mut kept: Vec<char> = text.chars().collect();
        while kept.pop().is_some() {
            let cut = format!("{}…", kept.iter().collect::<String>().trim_end());
            if self.width(&cut, of) <= most {
                return cut;
            }
        }
        String::new()
    }

    /// The text in lines no wider than `most`; a single word that is wider goes on in the next line.
    pub fn wrap(&self, text: &str, of: Type, most: f32) -> Vec<String> {
        let mut lines = Vec::new();
        for paragraph in text.lines() {
            let mut line = String::new();
            let words = paragraph.split_whitespace();
            for word in words.flat_map(|word| self.parts(word, of, most)) {
                let longer = if line.is_empty() {
                    word.clone()
                } else {
                    format!("{line} {word}")
                };
                if line.is_empty() || self.width(&longer, of) <= most {
                    line = longer;
                } else {
                    lines.push(std::mem::replace(&mut line, word));
                }
            }
            if !line.is_empty() {
                lines.push(line);
            }
        }
        lines
    }

    /// A word, in parts where it is wider than `most`.
    fn parts(&self, word: &str, of: Type, most: f32) -> Vec<String> {
        let mut parts = vec![String::new()];
        for letter in word.chars() {
            let part = parts.last_mut().expect("there is one");
            part.push(letter);
            if part.chars().nth(1).is_some() && self.width(part, of) > most {
                part.pop();
                parts.push(letter.to_string());
            }
        }
        parts
    }
}

/// What a file says of itself.
pub struct About {
    /// Its title.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// When; nothing else in it knows the time.
    pub at: DateTime<Utc>,
    /// Makes its id.
    pub number: String,
}

/// The file with these pages.
///
/// # Errors
/// What the PDF library finds wrong.
pub fn file(pages: Vec<Vec<Mark>>, about: About) -> Result<Vec<u8>, String> {
    let font = |data: &'static [u8]| {
        Font::new(data.to_vec().into(), 0).ok_or_else(|| "an embedded font is broken".to_owned())
    };
    let fonts = (font(REGULAR)?, font(BOLD)?);
    let mut document = Document::new();
    for marks in pages {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).expect("A4 has a size");
        let mut page = document.start_page_with(settings);
        let mut surface = page.surface();
        for mark in marks {
            paint(&mut surface, mark, &fonts);
        }
        surface.finish();
        page.finish();
    }
    document.set_metadata(metadata(about));
    document.finish().map_err(|error| format!("{error:?}"))
}

fn metadata(about: About) -> Metadata {
    let small = |value: u32| u8::try_from(value).unwrap_or(0);
    let at = about.at;
    let time = PdfTime::new(u16::try_from(at.year()).unwrap_or(0))
        .month(small(at.month()))
        .day(small(at.day()))
        .hour(small(at.hour()))
        .minute(small(at.minute()))
        .second(small(at.second()))
        .utc_offset_hour(0)
        .utc_offset_minute(0);
    Metadata::new()
        .title(about.title)
        .authors(vec![about.author])
        .creator("Forecourt".to_owned())
        .language("en".to_owned())
        .document_id(about.number)
        .creation_date(time)
}

fn paint(surface: &mut Surface<'_>, mark: Mark, (regular, bold): &(Font, Font)) {
    match mark {
        Mark::Text { x, y, face, text } => {
            surface.set_fill(Some(fill(face.ink)));
            let font = if face.bold { bold } else { regular };
            surface.draw_text(
                Point::from_xy(x, y),
                font.clone(),
                face.size,
                &text,
                false,
                TextDirection::Auto,
            );
        }
        Mark::Box { x, y, w, h, ink } => {
            let Some(rect) = Rect::from_xywh(x, y, w, h) else {
                return;
            };
            surface.set_fill(Some(fill(ink)));
            let mut path = PathBuilder::new();
            path.push_rect(rect);
            if let Some(path) = path.finish() {
                surface.draw_path(&path);
            }
        }
        Mark::Picture { x, y, w, h, image } => {
            if let Some(size) = Size::from_wh(w, h) {
                surface.push_transform(&Transform::from_translate(x, y));
                surface.draw_image(image, size);
                surface.pop();
            }
        }
    }
}

fn fill(ink: Ink) -> Fill {
    let (red, green, blue) = ink.rgb();
    Fill {
        paint: rgb::Color::new(red, green, blue).into(),
        opacity: NormalizedF32::ONE,
        rule: Default::default(),
    }
}
