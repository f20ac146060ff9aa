//! From a message's table to the parts of a form.

use ocpp::schema::{Field, Kind, Message};

use super::{fill::rows, words};
use crate::pages::form::Form;

/// A part of a form, in the order in which it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// One field.
    Field(Input),
    /// A box begins: an object, or a row of a list.
    Open {
        /// What it is.
        legend: String,
        /// Whether it may be left empty.
        optional: bool,
    },
    /// The box ends.
    Close,
    /// A button that adds a row to a list.
    More {
        /// The list's path.
        path: String,
        /// What it says.
        label: String,
    },
}

/// A field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its path in the payload.
    pub name: String,
    /// For people.
    pub label: String,
    /// What it may hold, and what it does.
    pub hint: String,
    /// Number, text, lines or time.
    pub kind: Look,
    /// What may be chosen; empty where anything may be typed.
    pub options: Vec<(String, String)>,
}

/// How a field looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// One line.
    Text,
    /// Several lines: long texts, or one item each.
    Lines,
    /// A number.
    Number,
    /// A day and time in UTC.
    Time,
    /// One of a few.
    Choice,
}

impl Item {
    /// The field, if it is one.
    pub fn field(&self) -> Option<&Input> {
        match self {
            Item::Field(input) => Some(input),
            _ => None,
        }
    }

    /// What the box is called that begins here, and whether it may be left empty.
    pub fn opens(&self) -> Option<(&str, &bool)> {
        match self {
            Item::Open { legend, optional } => Some((legend, optional)),
            _ => None,
        }
    }

    /// The list that a row is added to, and what the button says.
    pub fn more(&self) -> Option<(&str, &str)> {
        match self {
            Item::More { path, label } => Some((path, label)),
            _ => None,
        }
    }
}

impl Input {
    /// One of a few is chosen.
    pub fn is_choice(&self) -> bool {
        self.kind == Look::Choice
    }

    /// It holds a number.
    pub fn is_number(&self) -> bool {
        self.kind == Look::Number
    }

    /// It holds several lines.
    pub fn is_lines(&self) -> bool {
        self.kind == Look::Lines
    }

    /// The `type` of an `<input>`.
    pub fn html_kind(&self) -> &'static str {
        if self.kind == Look::Time {
            "datetime-local"
        } else {
            "text"
        }
    }
}

/// A text that is longer gets room for several lines.
const LONG: usize = 255;

/// The parts of a message's form. A list has as many rows as `form` fills, and one at least.
pub(super) fn items(message: &Message, form: &Form) -> Vec<Item> {
    let mut items = Vec::new();
    object(message.request, "", form, &mut items);
    items
}

/// The names of all fields.
pub(super) fn names(message: &Message, form: &Form) -> Vec<String> {
    items(message, form)
        .into_iter()
        .filter_map(|item| match item {
            Item::Field(input) => Some(input.name),
            _ => None,
        })
        .collect()
}

fn object(fields: &[Field], path: &str, form: &Form, items: &mut Vec<Item>) {
    for field in fields {
        let name = format!("{path}{}", field.name);
        match field.kind {
            Kind::Object(inner) => {
                items.push(Item::Open {
                    legend: words::label(field.name),
                    optional: !field.required,
                });
                object(inner, &format!("{name}."), form, items);
                items.push(Item::Close);
            }
            Kind::List {
                of: Kind::Object(inner),
                ..
            } => list(inner, field, &name, form, items),
            kind => items.push(Item::Field(input(field, name, kind))),
        }
    }
}

fn list(inner: &[Field], field: &Field, name: &str, form: &Form, items: &mut Vec<Item>) {
    let one = words::label(field.name);
    for row in 0..rows(form, name) {
        items.push(Item::Open {
            legend: format!("{one} {}", row + 1),
            optional: !field.required || row > 0,
        });
        object(inner, &format!("{name}.{row}."), form, items);
        items.push(Item::Close);
    }
    items.push(Item::More {
        path: name.to_owned(),
        label: format!("Add to {}", one.to_lowercase()),
    });
}

fn input(field: &Field, name: String, kind: Kind) -> Input {
    let (look, options) = match kind {
        Kind::Integer | Kind::Decimal { .. } => (Look::Number, Vec::new()),
        Kind::DateTime => (Look::Time, Vec::new()),
        Kind::Boolean => (Look::Choice, choices(&["true", "false"], field.required)),
        Kind::Choice(names) => (Look::Choice, choices(names, field.required)),
        Kind::List { .. } => (Look::Lines, Vec::new()),
        Kind::Text { max: Some(max) } if max > LONG => (Look::Lines, Vec::new()),
        Kind::Text { .. } | Kind::Uri | Kind::Object(_) => (Look::Text, Vec::new()),
    };
    Input {
        label: words::label(field.name),
        hint: words::hint(field, kind),
        name,
        kind: look,
        options,
    }
}

fn choices(names: &[&str], required: bool) -> Vec<(String, String)> {
    let none = if required { "choose" } else { "not given" };
    let none = (String::new(), none.to_owned());
    let named = names
        .iter()
        .map(|name| ((*name).to_owned(), (*name).to_owned()));
    std::iter::once(none).chain(named).collect()
}
