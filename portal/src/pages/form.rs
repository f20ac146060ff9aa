//! A form that a person sends: fields of text, read one by one. What cannot be read is complained of beside its field,
//! and the page is shown again with everything as it was typed. The same value fills a form to be edited. What programs
//! send is another matter: [`crate::api`] reads JSON.
//!
//! The way of every form (`pages/customers.rs` is a short one):
//!
//! 1. `GET` shows it: [`Form::filled`] of what is there, or [`Form::default`], in a template that calls the macros of
//!    `form.html` with the form and the name of each field.
//! 2. `POST` takes a `Form`, reads it into a plain value, and if it is not [`Form::is_clean`] shows the page again
//!    with `super::again` (422). Whatever the database refuses by name becomes a complaint too.
//! 3. What was done is written with [`crate::auth::Viewer::did`] in the same transaction, and the answer is
//!    [`super::flash::Flash::to`]: 303, and the next page says what happened.
//!
//! Requests of other origins never get here: the router's CSRF layer refuses them.

use std::{
    hash::{DefaultHasher, Hash, Hasher},
    ops::RangeInclusive,
};

use axum::{
    body::Bytes,
    extract::{FromRequest, Multipart, RawForm, Request},
    http::{StatusCode, header},
};
use rust_decimal::Decimal;
use serde_json::{Map, Value, json};
use store::Currency;

use crate::{Error, Result};

/// The hidden field that says what the form looked like when it was filled.
const SEEN: &str = "_seen";

/// The fields of a form, and what is wrong with them.
#[derive(Debug, Clone, Default)]
pub struct Form {
    fields: Vec<(String, String)>,
    files: Vec<(String, Bytes)>,
    complaints: Vec<Complaint>,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complaint {
    /// The field's name; empty if it is the form as a whole.
    pub field: String,
    /// The value and what was expected.
    pub detail: String,
}

impl Complaint {
    /// The field in words, for the list above the form: `tax_id` as `Tax id`.
    pub fn label(&self) -> String {
        let words = self.field.replace(['_', '-'], " ");
        let mut letters = words.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_uppercase().chain(letters).collect()
        })
    }
}

impl<S: Send + Sync> FromRequest<S> for Form {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let media = request
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|media| media.to_str().ok())
            .unwrap_or_default();
        if media.starts_with("multipart/form-data") {
            return Form::of_parts(request, state).await;
        }
        // A button alone sends no body and some clients then no type.
        let RawForm(body) = RawForm::from_request(request, state)
            .await
            .map_err(|error| Error::Refused(error.status(), error.body_text()))?;
        let fields: Vec<(String, String)> = form_urlencoded::parse(&body).into_owned().collect();
        Ok(Form::given(fields))
    }
}

impl Form {
    async fn of_parts<S: Send + Sync>(request: Request, state: &S) -> Result<Self> {
        let refuse = |error: axum::extract::multipart::MultipartError| {
            Error::Refused(error.status(), error.body_text())
        };
        let mut parts = Multipart::from_request(request, state)
            .await
            .map_err(|error| Error::Refused(error.status(), error.body_text()))?;
        let (mut fields, mut files) = (Vec::new(), Vec::new());
        while let Some(part) = parts.next_field().await.map_err(refuse)? {
            let name = part.name().unwrap_or_default().to_owned();
            if part.file_name().is_some() {
                let bytes = part.bytes().await.map_err(refuse)?;
                files.push((name, bytes));
            } else {
                fields.push((name, part.text().await.map_err(refuse)?));
            }
        }
        Ok(Form {
            files,
            ..Form::given(fields)
        })
    }

    /// What was typed: the ends trimmed, line ends as one character, NUL (which the database cannot keep) as its sign.
    fn given(fields: Vec<(String, String)>) -> Self {
        let fields = fields
            .into_iter()
            .map(|(name, value)| {
                let value = value.replace("\r\n", "\n").replace('\0', "\u{2400}");
                (name, value.trim().to_owned())
            })
            .collect();
        Form {
            fields,
            ..Form::default()
        }
    }

    /// A form that shows what is there.
    pub fn filled<N: Into<String>>(fields: impl IntoIterator<Item = (N, String)>) -> Self {
        Form {
            fields: fields
                .into_iter()
                .map(|(name, value)| (name.into(), value))
                .collect(),
            ..Form::default()
        }
    }

    /// What a field says; empty if it is not there.
    pub fn value(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|field| field.0 == name)
            .map_or("", |field| field.1.as_str())
    }

    /// The names of all fields, as often as they are there.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|field| field.0.as_str())
    }

    /// Every value of a name, without the empty ones.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.fields
            .iter()
            .filter(|field| field.0 == name && !field.1.is_empty())
            .map(|field| field.1.as_str())
            .collect()
    }

    /// Whether one of a name's values is this one: boxes and choices ask.
    pub fn has(&self, name: &str, value: &str) -> bool {
        self.fields
            .iter()
            .any(|field| field.0 == name && field.1 == value)
    }

    /// Whether a box is ticked.
    pub fn checked(&self, name: &str) -> bool {
        !self.value(name).is_empty()
    }

    /// A file that was chosen; none if it is empty.
    pub fn file(&self, name: &str) -> Option<&Bytes> {
        self.files
            .iter()
            .find(|file| file.0 == name && !file.1.is_empty())
            .map(|file| &file.1)
    }

    /// Sets a field, for the page that is shown again.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.fields.retain(|field| field.0 != name);
        self.fields.push((name.to_owned(), value.into()));
    }

    /// Adds a value to a name that may have several.
    pub fn push(&mut self, name: &str, value: impl Into<String>) {
        self.fields.push((name.to_owned(), value.into()));
    }

    /// Forgets a field.
    pub fn remove(&mut self, name: &str) {
        self.fields.retain(|field| field.0 != name);
    }

    /// What is wrong with a field.
    pub fn complaint(&self, name: &str) -> Option<&str> {
        self.complaints
            .iter()
            .find(|complaint| complaint.field == name)
            .map(|complaint| complaint.detail.as_str())
    }

    /// Everything that is wrong.
    pub fn complaints(&self) -> &[Complaint] {
        &self.complaints
    }

    /// Whether nothing is wrong so far.
    pub fn is_clean(&self) -> bool {
        self.complaints.is_empty()
    }

    /// Something is wrong with a field, or with the form as a whole if `field` is empty.
    pub fn complain(&mut self, field: &str, detail: impl Into<String>) {
        self.complaints.push(Complaint {
            field: field.to_owned(),
            detail: detail.into(),
        });
    }

    /// The value of a field is not what was expected.
    pub fn expected(&mut self, field: &str, expected: &str) {
        let value = self.value(field);
        let detail = if value.is_empty() {
            format!("is missing; expected {expected}")
        } else {
            format!("“{}” is not {expected}", shortened(value))
        };
        self.complain(field, detail);
    }

    /// A field that must be there, as `read` understands it.
    pub fn read<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = Some(self.value(name)).filter(|value| !value.is_empty());
        let read = value.and_then(read);
        if read.is_none() {
            self.expected(name, expected);
        }
        read
    }

    /// A field that may be empty, as `read` understands it.
    pub fn optional<T>(
        &mut self,
        name: &str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if self.value(name).is_empty() {
            return None;
        }
        self.read(name, expected, read)
    }

    /// A line of so many characters; where none will do, it may be empty.
    pub fn line(&mut self, name: &str, length: RangeInclusive<usize>) -> String {
        let value = self.value(name).to_owned();
        if !length.contains(&value.chars().count()) || value.chars().any(char::is_control) {
            let expected = format!("a line of {} characters", spelt(&length));
            self.expected(name, &expected);
        }
        value
    }

    /// Several lines, together of so many characters.
    pub fn lines(&mut self, name: &str, length: RangeInclusive<usize>) -> String {
        let value = self.value(name).to_owned();
        let stray = |c: char| c.is_control() && c != '\n' && c != '\t';
        if !length.contains(&value.chars().count()) || value.chars().any(stray) {
            let expected = format!("a text of {} characters", spelt(&length));
            self.expected(name, &expected);
        }
        value
    }

    /// An address of mail; may be empty.
    pub fn email(&mut self, name: &str) -> String {
        let expected = "an address such as name@example.org";
        self.optional(name, expected, |text| {
            crate::auth::email(text).map(|_| text.to_owned())
        })
        .unwrap_or_default()
    }

    /// A country's two letters; `None` if it is empty or none.
    pub fn country(&mut self, name: &str) -> Option<String> {
        self.optional(name, "two letters of ISO 3166 such as NL", |text| {
            let letters = text.to_ascii_uppercase();
            let known = letters.len() == 2 && billing::country::name(&letters) != letters;
            known.then_some(letters)
        })
    }

    /// A currency's three letters.
    pub fn currency(&mut self, name: &str) -> Option<Currency> {
        self.read(name, "a currency of ISO 4217 such as EUR", |text| {
            text.to_ascii_uppercase().parse().ok()
        })
    }

    /// One of the words of `choices`, which are what the page offered.
    pub fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|choice| choice.0).collect();
        let expected = format!("one of {}", words.join(", "));
        self.read(name, &expected, |value| {
            choices
                .iter()
                .find(|choice| choice.0 == value)
                .map(|choice| choice.1)
        })
    }

    /// Sets it against what is there now: if that has changed since the form was filled, every field that differs is
    /// complained of, and the answer is 409.
    pub fn against(&mut self, now: &Form) -> Option<StatusCode> {
        if self.value(SEEN) == now.seen() {
            return None;
        }
        self.complain(
            "",
            "somebody else changed this meanwhile; look at what differs, then save again",
        );
        for (name, value) in &now.fields {
            if self.value(name) != value {
                let detail = format!("meanwhile it was set to “{}”", shortened(value));
                self.complain(name, detail);
            }
        }
        // What the person has now been shown.
        self.set(SEEN, now.seen());
        Some(StatusCode::CONFLICT)
    }

    /// The value of the hidden field `_seen`: what this form looked like when it was filled.
    pub fn seen(&self) -> String {
        if let Some(seen) = Some(self.value(SEEN)).filter(|seen| !seen.is_empty()) {
            return seen.to_owned();
        }
        let mut hasher = DefaultHasher::new();
        self.fields.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// What this form changes of `before`, field by field, for the audit log.
    pub fn changes(&self, before: &Form) -> Value {
        let changed: Map<String, Value> = before
            .fields
            .iter()
            .filter(|(name, value)| self.value(name) != value)
            .map(|(name, value)| {
                let pair = json!({"before": value, "after": self.value(name)});
                (name.clone(), pair)
            })
            .collect();
        Value::Object(changed)
    }
}

/// A number with a point or a comma, no exponent, no thousands.
pub fn decimal(text: &str) -> Option<Decimal> {
    let fits = text.len() <= 24
        && text.starts_with(|c: char| c.is_ascii_digit() || c == '-')
        && text
            .bytes()
            .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b',' | b'-'));
    if !fits || text.matches(['.', ',']).count() > 1 {
        return None;
    }
    text.replace(',', ".").parse().ok()
}

fn shortened(value: &str) -> String {
    let mut short: String = value.chars().take(80).collect();
    if value.chars().count() > 80 {
        short.push('…');
    }
    short
}

fn spelt(length: &RangeInclusive<usize>) -> String {
    if *length.start() == 0 {
        format!("at most {}", length.end())
    } else {
        format!("{} to {}", length.start(), length.end())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> Form {
        Form::given(
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        )
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_value() {
        let mut form = form(&[("price", "cheap"), ("name", " Mara\0 "), ("note", "a\r\nb")]);
        assert_eq!(
            form.read("price", "a price such as 0.45", decimal),
            None,
            "no number"
        );
        assert_eq!(form.read("tax", "a per cent", decimal), None);
        assert_eq!(form.optional("start", "a price", decimal), None);
        assert_eq!(form.line("name", 1..=20), "Mara\u{2400}");
        assert_eq!(form.lines("note", 0..=20), "a\nb");
        assert_eq!(form.line("note", 0..=20), "a\nb");
        assert_eq!(
            form.complaint("price"),
            Some("“cheap” is not a price such as 0.45")
        );
        assert_eq!(
            form.complaint("tax"),
            Some("is missing; expected a per cent")
        );
        assert_eq!(form.complaint("start"), None);
        assert_eq!(
            form.complaint("note"),
            Some("“a\nb” is not a line of at most 20 characters")
        );
        assert_eq!(form.value("price"), "cheap", "as it was typed");
        assert_eq!(form.complaints()[0].label(), "Price");
    }

    #[test]
    fn a_number_may_have_a_comma() {
        for (text, number) in [
            ("0,45", Some("0.45")),
            ("12", Some("12")),
            ("-3.5", Some("-3.5")),
            ("1,000.5", None),
            ("1e3", None),
            (".5", None),
            ("NaN", None),
            ("999999999999999999999999999999", None),
        ] {
            assert_eq!(decimal(text).map(|n| n.to_string()).as_deref(), number);
        }
    }

    #[test]
    fn a_form_that_was_overtaken_says_so_and_shows_both() {
        let shown = Form::filled([("name", "A".to_owned()), ("email", "a@x".to_owned())]);
        let seen = shown.seen();
        let mut sent = form(&[("name", "B"), ("email", "a@x"), ("_seen", &seen)]);
        assert_eq!(sent.against(&shown), None);
        assert_eq!(
            sent.changes(&shown),
            json!({"name": {"before": "A", "after": "B"}})
        );
        let now = Form::filled([("name", "C".to_owned()), ("email", "a@x".to_owned())]);
        assert_eq!(sent.against(&now), Some(StatusCode::CONFLICT));
        assert_eq!(sent.complaint("name"), Some("meanwhile it was set to “C”"));
        assert_eq!(sent.complaint("email"), None);
        // Sent once more, now that the person knows.
        let again = sent.value("_seen").to_owned();
        let mut sent = form(&[("name", "B"), ("email", "a@x"), ("_seen", &again)]);
        assert_eq!(sent.against(&now), None);
    }
}
