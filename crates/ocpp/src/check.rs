//! The check of a payload against its table.
//!
//! The types of [`crate::v16`] read whatever a charger sends; this says what was wrong with it: as findings shown to an
//! operator, or as the refusal of a malformed command.

use std::borrow::Cow;
use std::fmt;
use std::net::Ipv6Addr;

use chrono::DateTime;
use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::salvage::{self, Text};
use crate::schema::{Field, Kind};
use crate::{CallError, ErrorCode};

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
    /// Well-formed, and not what the action can do with ([`crate::limits`]).
    Range,
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
            Rule::Choice | Rule::Length | Rule::Format | Rule::Range => {
                ErrorCode::PropertyConstraintViolation
            }
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
    let mut json = serde_json::Deserializer::from_str(payload);
    let look = Look {
        check: &mut check,
        kind: Kind::Object(fields),
    };
    if let Err(error) = look.deserialize(&mut json).and_then(|()| json.end()) {
        check.pointer.clear();
        check.find(Rule::Syntax, payload, format!("JSON ({error})"));
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

    /// Goes down to a member of the current value; returns the way back for [`Check::leave`].
    fn enter(&mut self, step: &str) -> usize {
        let here = self.pointer.len();
        self.pointer.push('/');
        if step.contains(['~', '/']) {
            self.pointer += &step.replace('~', "~0").replace('/', "~1");
        } else {
            self.pointer += step;
        }
        here
    }

    fn leave(&mut self, here: usize) {
        self.pointer.truncate(here);
    }

    /// Looks at a single value.
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
            // Look goes through these itself.
            Kind::Object(_) | Kind::List { .. } => {}
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
        let Some(text) = salvage::text_of(json) else {
            return self.find(Rule::Format, json, "a text of valid characters");
        };
        if let Some((rule, expected)) = fault(&text) {
            self.find(rule, json, expected);
        }
    }
}

/// Goes through a payload once, without building anything of it.
struct Look<'c> {
    check: &'c mut Check,
    kind: Kind,
}

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.kind {
            Kind::Object(_) | Kind::List { .. } => deserializer.deserialize_any(self),
            single => {
                let json = <&RawValue>::deserialize(deserializer)?;
                self.check.value(single, json.get());
                Ok(())
            }
        }
    }
}

impl Look<'_> {
    fn wrong_type<E>(self, value: &str) -> Result<(), E> {
        let expected = self.kind.to_string();
        self.check.find(Rule::Type, value, expected);
        Ok(())
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.kind)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Kind::Object(fields) = self.kind else {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return self.wrong_type("{…}");
        };
        let check = self.check;
        let mut seen = vec![false; fields.len()];
        while let Some(Text(name)) = map.next_key()? {
            let here = check.enter(&name);
            match fields.iter().position(|field| field.name == name) {
                Some(at) if !seen[at] => {
                    seen[at] = true;
                    map.next_value_seed(Look {
                        check,
                        kind: fields[at].kind,
                    })?;
                }
                Some(_) => check.find(
                    Rule::Repeated,
                    map.next_value::<&RawValue>()?.get(),
                    "a field only once",
                ),
                None => check.find(
                    Rule::Unknown,
                    map.next_value::<&RawValue>()?.get(),
                    "no field of this name",
                ),
            }
            check.leave(here);
        }
        for (field, _) in fields
            .iter()
            .zip(seen)
            .filter(|(field, seen)| field.required && !seen)
        {
            let here = check.enter(field.name);
            check.find(Rule::Required, "", field.kind.to_string());
            check.leave(here);
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Kind::List { of, min } = self.kind else {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            return self.wrong_type("[…]");
        };
        let check = self.check;
        for at in 0.. {
            let here = check.enter(&at.to_string());
            let item = seq.next_element_seed(Look { check, kind: *of })?;
            check.leave(here);
            if item.is_none() {
                if at < min {
                    check.find(Rule::Count, "[…]", format!("an array of at least {min}"));
                }
                break;
            }
        }
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.wrong_type(&format!("{value:?}"))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.wrong_type(&value.to_string())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.wrong_type(&value.to_string())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.wrong_type(&value.to_string())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.wrong_type(&value.to_string())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.wrong_type("null")
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

/// Enough of a value to recognise it by.
pub(crate) fn excerpt(json: &str) -> String {
    const MAX: usize = 60;
    match json.char_indices().nth(MAX) {
        Some((end, _)) => format!("{}…", &json[..end]),
        None => json.to_owned(),
    }
}
