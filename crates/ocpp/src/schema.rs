//! What a message must look like, as tables, and the check of a payload against them.
//!
//! The types of [`crate::v16`] read whatever a charger sends; this says what was wrong with it. One table serves three
//! ends: the findings shown to an operator, the refusal of a malformed command, and the command forms of the portal.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::net::Ipv6Addr;

use chrono::DateTime;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::salvage::{self, Text};
use crate::{CallError, ErrorCode, Version, v16};

/// One field of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// As written on the wire.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
}

impl Field {
    /// A field that must be there.
    pub const fn required(name: &'static str, kind: Kind) -> Self {
        Field {
            name,
            kind,
            required: true,
        }
    }

    /// A field that may be left out.
    pub const fn optional(name: &'static str, kind: Kind) -> Self {
        Field {
            name,
            kind,
            required: false,
        }
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// A number, with at most so many decimal places.
    Decimal {
        /// `None`: any number of them.
        places: Option<u32>,
    },
    /// `true` or `false`.
    Boolean,
    /// A text of at most so many characters.
    Text {
        /// `None`: no limit.
        max: Option<usize>,
    },
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A date and time of RFC 3339.
    DateTime,
    /// A URI.
    Uri,
    /// An object with these fields and no others.
    Object(&'static [Field]),
    /// An array.
    List {
        /// What each item is.
        of: &'static Kind,
        /// The fewest items.
        min: usize,
    },
}

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The charging station.
    Station,
    /// The CSMS.
    Csms,
    /// Either of them.
    Either,
}

/// One action with what its payloads must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// As written in a CALL.
    pub action: &'static str,
    /// Who asks.
    pub sender: Sender,
    /// The fields of the CALL.
    pub request: &'static [Field],
    /// The fields of the CALLRESULT.
    pub response: &'static [Field],
}

/// Every message of a version, by name. 2.0.1 has none yet.
pub fn messages(version: Version) -> &'static [Message] {
    match version {
        Version::V16 => &v16::MESSAGES,
        Version::V201 => &[],
    }
}

/// What the CSMS may ask a station: the commands of the API and of the portal's forms.
pub fn commands(version: Version) -> impl Iterator<Item = &'static Message> {
    messages(version)
        .iter()
        .filter(|message| message.sender != Sender::Station)
}

/// Checks a request by the name of its action.
///
/// # Errors
/// The version has no such action.
pub fn check_request(
    version: Version,
    action: &str,
    payload: &str,
) -> Result<Vec<Finding>, UnknownAction> {
    message(version, action).map(|message| check(message.request, payload))
}

/// Checks a response by the name of its action.
///
/// # Errors
/// The version has no such action.
pub fn check_response(
    version: Version,
    action: &str,
    payload: &str,
) -> Result<Vec<Finding>, UnknownAction> {
    message(version, action).map(|message| check(message.response, payload))
}

/// The message of an action.
///
/// # Errors
/// The version has no such action.
pub fn message(version: Version, action: &str) -> Result<&'static Message, UnknownAction> {
    let messages = messages(version);
    match messages.binary_search_by_key(&action, |message| message.action) {
        Ok(at) => Ok(&messages[at]),
        Err(_) => Err(UnknownAction {
            version,
            action: action.to_owned(),
        }),
    }
}

/// An action that a version does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownAction {
    /// The version asked for.
    pub version: Version,
    /// The name given.
    pub action: String,
}

impl fmt::Display for UnknownAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OCPP {} has no action {:?}", self.version, self.action)
    }
}

impl std::error::Error for UnknownAction {}

/// Which rule a payload broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Rule {
    /// The payload is not JSON.
    Syntax,
    /// A required field is missing.
    Required,
    /// The standard has no such field.
    Unknown,
    /// A field is there twice.
    Repeated,
    /// The wrong JSON type.
    Type,
    /// Not one of the listed values.
    Choice,
    /// A text is too long.
    Length,
    /// An array has too few items.
    Count,
    /// Not the form it should have: a date, a URI, a number of decimal places.
    Format,
}

/// One thing that is wrong with a payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// JSON pointer (RFC 6901) to the field; empty for the payload itself.
    pub pointer: String,
    /// What it breaks.
    pub rule: Rule,
    /// The value as JSON text, shortened; empty if missing.
    pub value: String,
    /// What was expected, in words.
    pub expected: Cow<'static, str>,
}

impl Finding {
    /// The CALLERROR code for it.
    pub fn code(&self) -> ErrorCode {
        match self.rule {
            Rule::Syntax => ErrorCode::FormatViolation,
            Rule::Required | Rule::Unknown | Rule::Repeated | Rule::Count => {
                ErrorCode::OccurrenceConstraintViolation
            }
            Rule::Type => ErrorCode::TypeConstraintViolation,
            Rule::Choice | Rule::Length | Rule::Format => ErrorCode::PropertyConstraintViolation,
        }
    }
}

impl From<&Finding> for CallError {
    fn from(finding: &Finding) -> Self {
        CallError::new(finding.code(), finding.to_string())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pointer = if self.pointer.is_empty() {
            "the payload"
        } else {
            &self.pointer
        };
        match self.value.as_str() {
            "" => write!(f, "{pointer} is missing: expected {}", self.expected),
            value => write!(f, "{pointer} is {value}: expected {}", self.expected),
        }
    }
}

/// Everything wrong with `payload`, in the order of its fields; empty if it conforms.
pub fn check(fields: &'static [Field], payload: &str) -> Vec<Finding> {
    let mut check = Check {
        pointer: String::new(),
        findings: Vec::new(),
    };
    match serde_json::from_str::<&RawValue>(payload) {
        Ok(raw) => check.value(Kind::Object(fields), raw.get()),
        Err(error) => check.find(Rule::Syntax, payload, format!("JSON ({error})")),
    }
    check.findings
}

/// Nobody reads more, and a hostile payload has thousands.
const MAX_FINDINGS: usize = 50;

struct Check {
    /// Of the value being looked at.
    pointer: String,
    findings: Vec<Finding>,
}

impl Check {
    fn find(&mut self, rule: Rule, value: &str, expected: impl Into<Cow<'static, str>>) {
        if self.findings.len() == MAX_FINDINGS {
            return;
        }
        let pointer = self.pointer.clone();
        self.findings.push(Finding {
            pointer,
            rule,
            value: excerpt(value),
            expected: expected.into(),
        });
    }

    /// Looks at a member of the current value.
    fn within(&mut self, step: impl fmt::Display, look: impl FnOnce(&mut Self)) {
        let here = self.pointer.len();
        self.pointer.push('/');
        self.pointer
            .push_str(&step.to_string().replace('~', "~0").replace('/', "~1"));
        look(self);
        self.pointer.truncate(here);
    }

    fn value(&mut self, kind: Kind, json: &str) {
        match kind {
            Kind::Integer => self.integer(json),
            Kind::Decimal { places } => self.decimal(json, places),
            Kind::Boolean if matches!(json, "true" | "false") => {}
            Kind::Boolean => self.find(Rule::Type, json, "true or false"),
            Kind::Text { max } => self.text(json, "a text", |text| too_long(text, max)),
            Kind::Choice(names) => self.text(json, "a text", |text| not_listed(text, names)),
            Kind::DateTime => self.text(json, "a date and time", not_a_time),
            Kind::Uri => self.text(json, "a URI", not_a_uri),
            Kind::Object(fields) => self.object(fields, json),
            Kind::List { of, min } => self.list(*of, min, json),
        }
    }

    fn integer(&mut self, json: &str) {
        let digits = json.strip_prefix('-').unwrap_or(json);
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            self.find(Rule::Type, json, "a whole number");
        }
    }

    fn decimal(&mut self, json: &str, places: Option<u32>) {
        if !json.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
            return self.find(Rule::Type, json, "a number");
        }
        let Some(places) = places else { return };
        let fits =
            salvage::read_decimal(json).is_some_and(|number| number.normalize().scale() <= places);
        if !fits {
            self.find(
                Rule::Format,
                json,
                format!("a number with at most {places} decimal places"),
            );
        }
    }

    fn text(
        &mut self,
        json: &str,
        what: &'static str,
        fault: impl FnOnce(&str) -> Option<(Rule, String)>,
    ) {
        if !json.starts_with('"') {
            return self.find(Rule::Type, json, what);
        }
        let Ok(Text(text)) = serde_json::from_str(json) else {
            return self.find(Rule::Format, json, "a text of valid characters");
        };
        if let Some((rule, expected)) = fault(&text) {
            self.find(rule, json, expected);
        }
    }

    fn object(&mut self, fields: &'static [Field], json: &str) {
        let Ok(Members(members)) = serde_json::from_str(json) else {
            return self.find(Rule::Type, json, "an object");
        };
        let mut seen = HashSet::new();
        for (name, value) in &members {
            let field = fields.iter().find(|field| field.name == name);
            self.within(name, |check| match field {
                _ if !seen.insert(name) => {
                    check.find(Rule::Repeated, value.get(), "a field only once")
                }
                Some(field) => check.value(field.kind, value.get()),
                None => check.find(Rule::Unknown, value.get(), "no field of this name"),
            });
        }
        for field in fields.iter().filter(|field| field.required) {
            if !members.iter().any(|(name, _)| name == field.name) {
                self.within(field.name, |check| {
                    check.find(Rule::Required, "", field.kind.to_string())
                });
            }
        }
    }

    fn list(&mut self, of: Kind, min: usize, json: &str) {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) else {
            return self.find(Rule::Type, json, "an array");
        };
        if items.len() < min {
            self.find(Rule::Count, json, format!("an array of at least {min}"));
        }
        for (at, item) in items.iter().enumerate() {
            self.within(at, |check| check.value(of, item.get()));
        }
    }
}

fn too_long(text: &str, max: Option<usize>) -> Option<(Rule, String)> {
    let max = max.filter(|max| text.len() > *max && text.chars().count() > *max)?;
    Some((Rule::Length, format!("at most {max} characters")))
}

fn not_listed(text: &str, names: &[&str]) -> Option<(Rule, String)> {
    (!names.contains(&text)).then(|| (Rule::Choice, Kind::one_of(names)))
}

fn not_a_time(text: &str) -> Option<(Rule, String)> {
    let is_time = DateTime::parse_from_rfc3339(text).is_ok();
    (!is_time).then(|| {
        (
            Rule::Format,
            "a date and time such as 2024-04-26T14:35:02Z".to_owned(),
        )
    })
}

/// The form of RFC 3986 as far as it tells a URI from a typing error: a scheme, and only characters that may stand in one.
fn not_a_uri(text: &str) -> Option<(Rule, String)> {
    let is_scheme = |scheme: &str| {
        scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
    };
    let is_plain = |text: &str| {
        text.bytes()
            .all(|b| b.is_ascii_graphic() && !b"\"<>[\\]^`{|}".contains(&b))
    };
    // Brackets stand around an IPv6 address and nowhere else.
    let is_rest = |rest: &str| match rest.split_once('[') {
        None => is_plain(rest),
        Some((before, after)) => after.split_once(']').is_some_and(|(host, path)| {
            before.starts_with("//")
                && is_plain(before)
                && host.parse::<Ipv6Addr>().is_ok()
                && is_plain(path)
        }),
    };
    let is_uri = text
        .split_once(':')
        .is_some_and(|(scheme, rest)| is_scheme(scheme) && is_rest(rest));
    (!is_uri).then(|| (Rule::Format, "a URI such as ftp://host/path".to_owned()))
}

impl Kind {
    fn one_of(names: &[&str]) -> String {
        format!("one of {}", names.join(", "))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Integer => f.write_str("a whole number"),
            Kind::Decimal {
                places: Some(places),
            } => write!(f, "a number with at most {places} decimal places"),
            Kind::Decimal { places: None } => f.write_str("a number"),
            Kind::Boolean => f.write_str("true or false"),
            Kind::Text { max: Some(max) } => write!(f, "a text of at most {max} characters"),
            Kind::Text { max: None } => f.write_str("a text"),
            Kind::Choice(names) => f.write_str(&Kind::one_of(names)),
            Kind::DateTime => f.write_str("a date and time"),
            Kind::Uri => f.write_str("a URI"),
            Kind::Object(_) => f.write_str("an object"),
            Kind::List { .. } => f.write_str("an array"),
        }
    }
}

/// Enough of a value to recognise it by.
fn excerpt(json: &str) -> String {
    const MAX: usize = 60;
    match json.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &json[..end]),
        None => json.to_owned(),
    }
}

/// The fields of an object in the order they came, equal keys included.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MembersVisitor;

        impl<'de> Visitor<'de> for MembersVisitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    members.push((name, value));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(MembersVisitor)
    }
}
