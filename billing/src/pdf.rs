//! Lays a document out on A4 and makes its PDF. The same paper always gives the same bytes: the only time in the file is
//! that of its issue. Another engine could take this file's place; nothing outside knows how it is done.

mod paint;
mod table;
mod words;

use krilla::image::Image;
use store::invoices::Kind;

use crate::{
    country,
    invoice::{Party, paper::Paper},
};
use paint::{About, HEIGHT, Ink, Mark, Measure, Type, WIDTH, bold, grey, plain};

/// Left edge of what is printed.
const LEFT: f32 = 56.0;
/// Right edge of what is printed.
const RIGHT: f32 = WIDTH - 52.0;
/// Base line of the first line on later pages.
const TOP: f32 = 64.0;
/// Nothing but the footer stands below.
const BOTTOM: f32 = HEIGHT - 78.0;

/// The PDF of a document.
///
/// # Errors
/// In words, what the PDF library finds wrong; that would be a defect of ours.
pub fn render(paper: &Paper) -> Result<Vec<u8>, String> {
    let mut sheet = Sheet::new();
    head(&mut sheet, paper);
    table::sessions(&mut sheet, paper);
    table::totals(&mut sheet, paper);
    pay(&mut sheet, paper);
    let mut pages = sheet.pages;
    let count = pages.len();
    for (n, page) in pages.iter_mut().enumerate() {
        footer(page, &sheet.measure, paper, n + 1, count);
    }
    let about = About {
        title: format!("{} {}", words::title(paper), paper.number),
        author: paper.seller.name.clone(),
        at: paper.issued_at,
        number: paper.number.clone(),
    };
    paint::file(pages, about)
}

/// Pages as they fill up.
struct Sheet {
    measure: Measure,
    pages: Vec<Vec<Mark>>,
    /// Where the next thing goes, on the last page.
    y: f32,
}

impl Sheet {
    fn new() -> Self {
        Sheet {
            measure: Measure::new(),
            pages: vec![Vec::new()],
            y: TOP,
        }
    }

    fn put(&mut self, mark: Mark) {
        self.pages.last_mut().expect("there is a page").push(mark);
    }

    fn left(&mut self, x: f32, face: Type, text: &str) {
        let text = printable(text);
        self.put(Mark::Text {
            x,
            y: self.y,
            face,
            text,
        });
    }

    fn right(&mut self, x: f32, face: Type, text: &str) {
        let text = printable(text);
        let x = x - self.measure.width(&text, face);
        self.put(Mark::Text {
            x,
            y: self.y,
            face,
            text,
        });
    }

    fn rule(&mut self, x: f32, w: f32, y: f32, ink: Ink) {
        self.put(Mark::Box {
            x,
            y,
            w,
            h: 0.6,
            ink,
        });
    }

    fn next_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Whether so much more fits on the page.
    fn has_room(&self, height: f32) -> bool {
        self.y + height <= BOTTOM
    }
}

/// What a font has no picture of, or what would break a line, is left out.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).collect()
}

/// Logo or name, both parties, and the facts.
fn head(sheet: &mut Sheet, paper: &Paper) {
    let logo = paper
        .logo
        .clone()
        .and_then(|png| Image::from_png(png.into(), true).ok());
    if let Some(image) = logo {
        let (w, h) = image.size();
        let (w, h) = (w.max(1) as f32, h.max(1) as f32);
        let scale = (190.0 / w).min(52.0 / h);
        sheet.put(Mark::Picture {
            x: LEFT,
            y: 40.0,
            w: w * scale,
            h: h * scale,
            image,
        });
    } else {
        sheet.y = 66.0;
        let face = Type {
            ink: Ink::Teal,
            ..bold(17.0)
        };
        let face = sheet.measure.shrunk(&paper.seller.name, face, 270.0, 9.0);
        let name = sheet.measure.fit(&paper.seller.name, face, 270.0);
        sheet.left(LEFT, face, &name);
    }
    sheet.y = 52.0;
    for line in sender(&paper.seller) {
        let line = sheet.measure.fit(&line, grey(8.0), 200.0);
        sheet.right(RIGHT, grey(8.0), &line);
        sheet.y += 11.5;
    }
    sheet.y = 146.0;
    let back = one_line(&paper.seller);
    let face = sheet.measure.shrunk(&back, grey(6.5), 230.0, 5.0);
    let back = sheet.measure.fit(&back, face, 230.0);
    sheet.left(LEFT, face, &back);
    sheet.rule(LEFT, 230.0, 149.5, Ink::Hairline);
    sheet.y = 166.0;
    let (leading, lines) = addressed(&sheet.measure, &paper.buyer);
    for (face, line) in lines {
        sheet.left(LEFT, face, &line);
        sheet.y += leading;
    }
    facts(sheet, paper);
    sheet.y = 292.0;
    sheet.left(LEFT, bold(19.0), &words::title(paper));
    sheet.y += 19.0;
    for line in sheet
        .measure
        .wrap(&words::introduction(paper), grey(9.0), RIGHT - LEFT)
    {
        sheet.left(LEFT, grey(9.0), &line);
        sheet.y += 13.0;
    }
    sheet.y += 12.0;
}

fn facts(sheet: &mut Sheet, paper: &Paper) {
    let credit = paper.kind == Kind::CreditNote;
    let mut facts = vec![
        (
            if credit {
                "Credit note no."
            } else {
                "Invoice no."
            },
            paper.number.clone(),
        ),
        ("Date", words::day(paper.issued_on)),
    ];
    if let Some(number) = &paper.corrects {
        facts.push(("For invoice", number.clone()));
    }
    if let Some(number) = &paper.replaces {
        facts.push(("Instead of", number.clone()));
    }
    if let Some(month) = paper.month {
        facts.push(("Charged in", words::month(month)));
    }
    if !credit {
        facts.push(("Due", words::day(paper.due_on)));
    }
    if !paper.buyer.tax_id.is_empty() {
        facts.push(("Your tax id", paper.buyer.tax_id.clone()));
    }
    sheet.y = 166.0;
    for (name, value) in facts {
        let value = sheet.measure.fit(&value, plain(9.5), 130.0);
        sheet.left(350.0, grey(9.5), name);
        sheet.right(RIGHT, plain(9.5), &value);
        sheet.y += 15.0;
    }
}

fn street_lines(party: &Party) -> Vec<String> {
    let lines = party.address.lines();
    lines
        .map(|line| line.trim().to_owned())
        .filter(|line| !line.is_empty())
        .collect()
}

fn address_lines(party: &Party) -> Vec<String> {
    let mut lines = street_lines(party);
    if !party.country.is_empty() {
        lines.push(country::name(&party.country).to_owned());
    }
    lines
}

fn sender(seller: &Party) -> Vec<String> {
    let mut lines = vec![seller.name.clone()];
    lines.extend(address_lines(seller).into_iter().take(5));
    lines.extend(Some(seller.email.clone()).filter(|email| !email.is_empty()));
    lines
}

/// What the post needs to bring it back; where it is posted it needs no country.
fn one_line(seller: &Party) -> String {
    let mut parts = vec![seller.name.clone()];
    parts.extend(street_lines(seller));
    parts.join(" · ")
}

/// How high the address may be: seven gaps of ordinary lines, and the title stays clear of it.
const ADDRESS: f32 = 7.0 * 14.0 + 4.0;

/// The lines of the address, whole, and how far apart: the longer they are, the smaller.
fn addressed(measure: &Measure, buyer: &Party) -> (f32, Vec<(Type, String)>) {
    let set = |size: f32| -> Vec<(Type, String)> {
        let lines = recipient(buyer).into_iter().enumerate();
        lines
            .flat_map(|(n, line)| {
                let face = if n == 0 { bold(size) } else { plain(size) };
                let parts = measure.wrap(&printable(&line), face, 250.0);
                parts.into_iter().map(move |part| (face, part))
            })
            .collect()
    };
    let sizes = [10.0, 9.0, 8.0, 7.0, 6.0];
    let leading = |size: f32| size * 1.4;
    let most = |size: f32| (ADDRESS / leading(size)) as usize + 1;
    let fits = |size: &f32| set(*size).len() <= most(*size);
    let size = sizes.into_iter().find(fits).unwrap_or(5.0);
    let mut lines = set(size);
    lines.truncate(most(size));
    (leading(size), lines)
}

fn recipient(buyer: &Party) -> Vec<String> {
    let name = if buyer.name.is_empty() {
        "Walk-in customer".to_owned()
    } else {
        buyer.name.clone()
    };
    let mut lines = vec![name];
    lines.extend(address_lines(buyer));
    lines
}

/// How and by when it is to be paid.
fn pay(sheet: &mut Sheet, paper: &Paper) {
    let total = words::money(paper.total.abs(), paper.currency);
    let sentence = if paper.kind == Kind::CreditNote {
        format!(
            "{total} is set off against what is open of invoice {}, or paid back.",
            paper.corrects.as_deref().unwrap_or_default()
        )
    } else if paper.total.is_zero() {
        "Nothing is to be paid.".to_owned()
    } else {
        format!(
            "Please pay {total} by {}, quoting {}.",
            words::day(paper.due_on),
            paper.number
        )
    };
    let details = if paper.kind == Kind::CreditNote || paper.total.is_zero() {
        Vec::new()
    } else {
        sheet.measure.wrap(
            &paper.seller.payment_details,
            plain(9.0),
            RIGHT - LEFT - 24.0,
        )
    };
    let height = details.iter().fold(34.0, |sum, _| sum + 13.0);
    if !sheet.has_room(height + 18.0) {
        sheet.next_page();
    }
    sheet.y += 18.0;
    sheet.put(Mark::Box {
        x: LEFT,
        y: sheet.y,
        w: RIGHT - LEFT,
        h: height,
        ink: Ink::Tint,
    });
    sheet.put(Mark::Box {
        x: LEFT,
        y: sheet.y,
        w: 2.5,
        h: height,
        ink: Ink::Teal,
    });
    sheet.y += 21.0;
    sheet.left(LEFT + 14.0, bold(9.5), &sentence);
    for line in details {
        sheet.y += 13.0;
        sheet.left(LEFT + 14.0, plain(9.0), &line);
    }
    sheet.y += 22.0;
}

/// Who sells, and which page this is.
fn footer(page: &mut Vec<Mark>, measure: &Measure, paper: &Paper, n: usize, of: usize) {
    let face = grey(7.5);
    let y = HEIGHT - 44.0;
    page.push(Mark::Box {
        x: LEFT,
        y: y - 14.0,
        w: RIGHT - LEFT,
        h: 0.6,
        ink: Ink::Hairline,
    });
    let seller = &paper.seller;
    let mut parts = vec![seller.name.clone()];
    parts.extend(
        Some(&seller.tax_id)
            .filter(|id| !id.is_empty())
            .map(|id| format!("Tax id {id}")),
    );
    parts.extend(Some(seller.email.clone()).filter(|email| !email.is_empty()));
    let text = measure.fit(&printable(&parts.join(" · ")), face, RIGHT - LEFT - 140.0);
    page.push(Mark::Text {
        x: LEFT,
        y,
        face,
        text,
    });
    let text = format!("{} · page {n} of {of}", paper.number);
    page.push(Mark::Text {
        x: RIGHT - measure.width(&text, face),
        y,
        face,
        text,
    });
}
