//! What programs send, read strictly: every complaint at once, each with its place, the value and what was expected.

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
};
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::{Error, Result, error::Complaint};

/// The most items of one list.
const MOST: i64 = 500;
/// The items of a list when nobody says how many.
const USUAL: i64 = 100;

/// The query of a request. What a handler does not ask for is a mistake of the sender.
#[derive(Debug)]
pub(crate) struct Params {
    given: Vec<(String, String)>,
    known: Vec<&'static str>,
    complaints: Vec<Complaint>,
}

impl<S: Send + Sync> FromRequestParts<S> for Params {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let Query(given) = Query::<Vec<(String, String)>>::from_request_parts(parts, state)
            .await
            .map_err(|error| Error::Refused(StatusCode::BAD_REQUEST, error.body_text()))?;
        Ok(Params {
            given,
            known: Vec::new(),
            complaints: Vec::new(),
        })
    }
}

impl Params {
    /// The value as it is.
    pub fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let mut values = self.given.iter().filter(|(given, _)| given == name);
        let value = values.next().map(|(_, value)| value.clone());
        if values.next().is_some() {
            let twice = "is there twice: expected once".to_owned();
            self.complaints.push(Complaint::about(name, twice));
        }
        // The database cannot even be asked for NUL.
        if let Some(value) = value.as_ref().filter(|value| value.contains('\0')) {
            let detail = format!("{value:?}: expected a text without NUL");
            self.complaints.push(Complaint::about(name, detail));
            return None;
        }
        value
    }

    /// The value read by `parse`; `expected` completes "expected …".
    pub fn read<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.text(name)?;
        let parsed = parse(&value);
        if parsed.is_none() {
            let detail = format!("{value:?}: expected {expected}");
            self.complaints.push(Complaint::about(name, detail));
        }
        parsed
    }

    /// An instant.
    pub fn time(&mut self, name: &'static str) -> Option<DateTime<Utc>> {
        self.read(name, "an RFC 3339 time such as 2026-11-20T12:00:00Z", time)
    }

    /// A switch, off unless it is named.
    pub fn flag(&mut self, name: &'static str) -> bool {
        let read = |text: &str| match text {
            "1" | "true" => Some(true),
            "0" | "false" => Some(false),
            _ => None,
        };
        self.read(name, "1 or 0", read).unwrap_or(false)
    }

    /// How many items a list may have.
    pub fn limit(&mut self) -> i64 {
        let whole = |text: &str| text.parse().ok().filter(|limit| (1..=MOST).contains(limit));
        self.read("limit", "a whole number from 1 to 500", whole)
            .unwrap_or(USUAL)
    }

    /// Where a list goes on.
    pub fn after<T>(&mut self, parse: impl FnOnce(&str) -> Option<T>) -> Option<T> {
        self.read("after", "the `next` of the page before", parse)
    }

    /// Complains about something that the database had to be asked for.
    pub fn complain(&mut self, name: &'static str, detail: String) {
        self.complaints.push(Complaint::about(name, detail));
    }

    /// # Errors
    /// Every complaint, and every parameter that nobody asked for.
    pub fn finish(mut self) -> Result<()> {
        for (name, _) in &self.given {
            if !self.known.contains(&name.as_str()) {
                let detail = format!("is not known here: expected {}", self.known.join(", "));
                self.complaints.push(Complaint::about(name, detail));
            }
        }
        finish(self.complaints)
    }
}

/// The JSON object of a request. What a handler does not ask for is a mistake of the sender.
#[derive(Debug)]
pub(crate) struct Fields {
    given: Map<String, Value>,
    known: Vec<&'static str>,
    complaints: Vec<Complaint>,
}

impl<S: Send + Sync> FromRequest<S> for Fields {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        Fields::of(&body(request, state).await?)
    }
}

/// The same of a request that needs no body: none at all is an empty object.
#[derive(Debug)]
pub(crate) struct FieldsIfAny(pub Fields);

impl<S: Send + Sync> FromRequest<S> for FieldsIfAny {
    type Rejection = Error;

    async fn from_request(request: Request, state: &S) -> Result<Self> {
        let is_json = is_json(request.headers());
        let body = all(request, state).await?;
        match (body.is_empty(), is_json) {
            (true, _) => Fields::of(b"{}"),
            (false, true) => Fields::of(&body),
            (false, false) => Err(no_media()),
        }
        .map(FieldsIfAny)
    }
}

impl Fields {
    fn of(body: &[u8]) -> Result<Self> {
        let given = match serde_json::from_slice(body) {
            Ok(Value::Object(given)) => given,
            Ok(other) => {
                return Err(not_json(&format!(
                    "{}: expected a JSON object",
                    short(&other)
                )));
            }
            Err(error) => return Err(not_json(&format!("expected a JSON object ({error})"))),
        };
        Ok(Fields {
            given,
            known: Vec::new(),
            complaints: Vec::new(),
        })
    }
}

/// The bytes of a JSON body.
pub(crate) async fn body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes> {
    if !is_json(request.headers()) {
        return Err(no_media());
    }
    all(request, state).await
}

fn no_media() -> Error {
    Error::Refused(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "expected a body of Content-Type: application/json".to_owned(),
    )
}

async fn all<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes> {
    Bytes::from_request(request, state)
        .await
        .map_err(|error| Error::Refused(error.status(), error.body_text()))
}

fn is_json(headers: &HeaderMap) -> bool {
    headers
        .get(header::CONTENT_TYPE)
        .and_then(|media| media.to_str().ok())
        .and_then(|media| media.split(';').next())
        .is_some_and(|media| media.trim().eq_ignore_ascii_case("application/json"))
}

/// The body as a whole is not what it should be.
pub(crate) fn not_json(detail: &str) -> Error {
    Error::Invalid(vec![Complaint::at("", detail)])
}

impl Fields {
    /// Whether a field is there.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// A field read by `parse`; `expected` completes "expected …".
    pub fn read<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        self.known.push(name);
        let value = self.given.get(name)?;
        let parsed = parse(value);
        if parsed.is_none() {
            let detail = format!("{}: expected {expected}", short(value));
            self.complaints.push(Complaint::at(pointer(name), detail));
        }
        parsed
    }

    /// Like [`Self::read`] for what null takes away: `Some(None)`.
    pub fn nullable<T>(
        &mut self,
        name: &'static str,
        expected: &str,
        parse: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<Option<T>> {
        self.read(name, &format!("{expected}, or null"), |value| {
            if value.is_null() {
                return Some(None);
            }
            parse(value).map(Some)
        })
    }

    /// A text of at most `most` characters, none of them a control character: the database cannot keep NUL.
    pub fn text(&mut self, name: &'static str, most: usize) -> Option<String> {
        let expected = format!("a text of 1 to {most} printable characters");
        self.read(name, &expected, |value| {
            let text = value.as_str()?;
            printable(text, most).then(|| text.to_owned())
        })
    }

    /// Like [`Self::text`] for a secret, which is never repeated.
    pub fn secret(
        &mut self,
        name: &'static str,
        expected: &str,
        fits: impl FnOnce(&str) -> bool,
    ) -> Option<String> {
        self.known.push(name);
        let value = self.given.get(name)?;
        let text = value.as_str().filter(|text| fits(text));
        if text.is_none() {
            let detail = format!("expected {expected}");
            self.complaints.push(Complaint::at(pointer(name), detail));
        }
        text.map(str::to_owned)
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, name: &'static str, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let expected = format!("one of {}", words.join(", "));
        self.read(name, &expected, |value| {
            let word = value.as_str()?;
            choices
                .iter()
                .find(|(choice, _)| *choice == word)
                .map(|choice| choice.1)
        })
    }

    /// Complains about a field.
    pub fn complain(&mut self, name: &'static str, detail: impl Into<String>) {
        self.complaints.push(Complaint::at(pointer(name), detail));
    }

    /// # Errors
    /// Every complaint, and every field that nobody asked for.
    pub fn finish(mut self) -> Result<()> {
        for name in self.given.keys() {
            if !self.known.contains(&name.as_str()) {
                let detail = format!("is not known here: expected {}", self.known.join(", "));
                self.complaints.push(Complaint::at(pointer(name), detail));
            }
        }
        finish(self.complaints)
    }
}

fn finish(complaints: Vec<Complaint>) -> Result<()> {
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(complaints))
    }
}

/// A part of the path.
#[derive(Debug)]
pub(crate) struct Segment(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Segment {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self> {
        let path = parts.uri.path().to_owned();
        match Path::<String>::from_request_parts(parts, state).await {
            // The database knows no NUL, so it knows nothing of that name.
            Ok(Path(segment)) if !segment.contains('\0') => Ok(Segment(segment)),
            _ => Err(Error::NotFound(format!("there is nothing at {path}"))),
        }
    }
}

/// 1 to `most` characters, none of them a control character.
pub(crate) fn printable(text: &str, most: usize) -> bool {
    !text.is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
}

/// An RFC 3339 time of the years that everything here can hold.
pub(crate) fn time(text: &str) -> Option<DateTime<Utc>> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let first = DateTime::UNIX_EPOCH;
    let last = first + chrono::TimeDelta::days(365 * 1000);
    (first..last).contains(&at).then_some(at)
}

/// The JSON pointer of a field of the body (RFC 6901).
fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1"))
}

/// A value as it is repeated in a complaint.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        None => text,
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}
