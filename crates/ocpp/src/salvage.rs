//! How the fields of generated types are read: whatever a charger wrote becomes the value if it can, else nothing.
//!
//! Reading an object never fails over one field, so no transaction message is lost to an odd `vendorId`. What was odd
//! is the business of [`crate::check::check`]. Serde's `untagged` and `serde_json::Value` are not used: the first breaks on
//! raw text, the second loses digits and keeps the last of two equal keys.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use rust_decimal::Decimal;
use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer,
    MapAccess, SeqAccess, Visitor,
};
use serde::ser::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::{CallError, ErrorCode};

/// Reads a payload into its type. Only text that is no JSON object, or that holds a key twice, is refused.
///
/// # Errors
/// `FormatViolation` with what the parser found where.
pub fn decode<T: DeserializeOwned>(payload: &str) -> Result<T, CallError> {
    serde_json::from_str(payload)
        .or_else(|error| match mend(payload) {
            Some(mended) => serde_json::from_str(&mended),
            None => Err(error),
        })
        .map_err(|error| {
            CallError::new(
                ErrorCode::FormatViolation,
                format!("expected a JSON object of this message: {error}"),
            )
        })
}

/// Writes a payload as JSON text, for [`crate::Link::answer`] and [`crate::Link::call`].
pub fn encode<T: Serialize>(payload: &T) -> String {
    serde_json::to_string(payload)
        .expect("generated types have text keys and finite numbers, so they are always JSON")
}

/// A payload without what is JSON by its grammar but more than a program can hold. `None` if there is nothing of the kind.
fn mend(payload: &str) -> Option<String> {
    let texts = mend_escapes(payload);
    mend_numbers(texts.as_deref().unwrap_or(payload)).or(texts)
}

/// Beyond what any field holds, and within what every program reads.
const BEYOND: &str = "9e18";

/// A number beyond every float (`1e400`) becomes one that is absurd still, of the same sign: what it stands for is judged
/// like any other absurd number, and the rest of the message is not lost. `None` if there is none.
fn mend_numbers(json: &str) -> Option<String> {
    let mut out = String::with_capacity(json.len());
    let (mut rest, mut mended) = (json, false);
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = if rest.starts_with('"') {
            end_of_text(rest)
        } else {
            let ends = |c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E');
            rest.find(ends).unwrap_or(rest.len())
        };
        let (token, after) = rest.split_at(end);
        rest = after;
        if !token.starts_with('"') && token.parse().is_ok_and(f64::is_infinite) {
            out.push_str(if token.starts_with('-') { "-" } else { "" });
            out.push_str(BEYOND);
            mended = true;
        } else {
            out.push_str(token);
        }
    }
    out.push_str(rest);
    mended.then_some(out)
}

/// Where the string at the head of `json` ends, its quotes included.
fn end_of_text(json: &str) -> usize {
    let mut bytes = json.bytes().enumerate().skip(1);
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return at + 1,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    json.len()
}

/// Half a surrogate pair is no text; each becomes U+FFFD. `None` if there is none.
fn mend_escapes(json: &str) -> Option<String> {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        out.push_str(before);
        let taken = match (code_unit(escape), escape.get(6..).and_then(code_unit)) {
            (Some(0xd800..=0xdbff), Some(0xdc00..=0xdfff)) => 12,
            (Some(0xd800..=0xdfff), _) => {
                out.push_str("\\ufffd");
                rest = &escape[6..];
                continue;
            }
            (Some(_), _) => 6,
            (None, _) => 1 + escape[1..].chars().next().map_or(0, char::len_utf8),
        };
        out.push_str(&escape[..taken]);
        rest = &escape[taken..];
    }
    out.push_str(rest);
    (out != json).then_some(out)
}

fn code_unit(escape: &str) -> Option<u16> {
    u16::from_str_radix(escape.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

/// A JSON value of a field that should hold a single value.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// `null`: as if the field were absent.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number without fraction.
    Integer(i64),
    /// Any other number.
    Float(f64),
    /// A string.
    Text(Cow<'a, str>),
    /// An object or array, where neither belongs.
    Structure,
}

/// A value that can be made of whatever a charger wrote.
pub trait FromScalar: Sized {
    /// `None` if nothing can be made of it.
    fn from_scalar(scalar: Scalar<'_>) -> Option<Self>;
}

impl FromScalar for i64 {
    fn from_scalar(scalar: Scalar<'_>) -> Option<Self> {
        match scalar {
            Scalar::Integer(value) => Some(value),
            // `as` saturates, and 1234.7 Wh is worth more than nothing.
            Scalar::Float(value) if value.is_finite() => Some(value.round() as i64),
            Scalar::Text(text) => whole_number(&text),
            _ => None,
        }
    }
}

fn whole_number(text: &str) -> Option<i64> {
    let text = text.trim();
    let rounded = || read_decimal(text)?.round().try_into().ok();
    text.parse().ok().or_else(rounded)
}

impl FromScalar for bool {
    fn from_scalar(scalar: Scalar<'_>) -> Option<Self> {
        match scalar {
            Scalar::Bool(value) => Some(value),
            Scalar::Integer(number @ (0 | 1)) => Some(number == 1),
            Scalar::Text(text) if text.trim().eq_ignore_ascii_case("true") => Some(true),
            Scalar::Text(text) if text.trim().eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }
}

impl FromScalar for String {
    fn from_scalar(scalar: Scalar<'_>) -> Option<Self> {
        match scalar {
            Scalar::Bool(value) => Some(value.to_string()),
            Scalar::Integer(value) => Some(value.to_string()),
            Scalar::Float(value) => Some(value.to_string()),
            Scalar::Text(text) => Some(storable(&text).into_owned()),
            Scalar::Null | Scalar::Structure => None,
        }
    }
}

/// A text that a database takes: every NUL becomes U+FFFD.
pub fn storable(text: &str) -> Cow<'_, str> {
    if text.contains('\0') {
        text.replace('\0', "\u{fffd}").into()
    } else {
        text.into()
    }
}

/// Reads a decimal with a point or a comma, with or without an exponent.
pub fn read_decimal(text: &str) -> Option<Decimal> {
    let text = text.trim().replace(',', ".");
    text.parse()
        .ok()
        .or_else(|| Decimal::from_scientific(&text).ok())
}

/// Field reader: a single value.
///
/// # Errors
/// Only if the text is not JSON.
pub fn scalar<'de, D: Deserializer<'de>, T: FromScalar>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    let scalar = deserializer.deserialize_any(ScalarVisitor)?;
    Ok(T::from_scalar(scalar))
}

/// Field reader: a number that must be there, in a message of ours that a peer reads.
///
/// # Errors
/// If nothing can be made of it.
pub fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    scalar(deserializer)?.ok_or_else(|| D::Error::custom("expected a whole number"))
}

/// Field reader: a text whose digits matter, so that a number in its place is kept as written.
///
/// # Errors
/// Only if the text is not JSON.
pub fn verbatim<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let raw = <&RawValue>::deserialize(deserializer)?.get();
    match raw.as_bytes().first() {
        Some(b'"') => {
            let text = text_of(raw)
                .ok_or_else(|| D::Error::custom("expected a text of valid characters"))?;
            Ok(String::from_scalar(Scalar::Text(text)))
        }
        Some(b'{' | b'[' | b'n') => Ok(None),
        _ => Ok(Some(raw.to_owned())),
    }
}

/// The text of a JSON string token. `None`: it holds half a surrogate pair.
pub(crate) fn text_of(token: &str) -> Option<Cow<'_, str>> {
    match token
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    {
        Some(text) if !text.contains('\\') => Some(text.into()),
        _ => serde_json::from_str(token).ok().map(|Text(text)| text),
    }
}

/// A string borrowed where it can be; serde alone would always copy it.
#[derive(Deserialize)]
pub(crate) struct Text<'a>(#[serde(borrow)] pub Cow<'a, str>);

/// Field reader: a decimal, digit by digit from its text.
///
/// # Errors
/// Only if the text is not JSON.
pub fn decimal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Decimal>, D::Error> {
    Ok(verbatim(deserializer)?.as_deref().and_then(read_decimal))
}

/// Field writer: a decimal as a JSON number with all its digits.
///
/// # Errors
/// None of its own.
pub fn write_decimal<S: Serializer>(
    value: &Option<Decimal>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let number = value
        .map(|value| RawValue::from_string(value.to_string()).expect("a decimal is a JSON number"));
    number.serialize(serializer)
}

/// Field reader: an object.
///
/// # Errors
/// If the object holds a key twice, or the text is not JSON.
pub fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    AnObject(PhantomData).deserialize(deserializer)
}

/// Field reader: objects. One alone is a list of one; what is no object is left out.
///
/// # Errors
/// If an object holds a key twice, or the text is not JSON.
pub fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(OneOrMany(|| AnObject(PhantomData)))
}

/// Field reader: single values. One alone is a list of one; what is none is left out.
///
/// # Errors
/// Only if the text is not JSON.
pub fn scalars<'de, D: Deserializer<'de>, T: FromScalar>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    deserializer.deserialize_any(OneOrMany(|| AScalar(PhantomData)))
}

struct AScalar<T>(PhantomData<T>);

impl<'de, T: FromScalar> DeserializeSeed<'de> for AScalar<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        scalar(deserializer)
    }
}

struct AnObject<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for AnObject<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Ignores what is no object.
impl<'de, T: Deserialize<'de>> Visitor<'de> for AnObject<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(Some)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }
}

/// Reads items with the seeds that a function makes.
struct OneOrMany<F>(F);

impl<'de, T, S, F> Visitor<'de> for OneOrMany<F>
where
    S: DeserializeSeed<'de, Value = Option<T>>,
    F: Fn() -> S,
{
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one or many")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::with_capacity(seq.size_hint().unwrap_or(0).min(64));
        while let Some(item) = seq.next_element_seed((self.0)())? {
            items.extend(item);
        }
        Ok(items)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        let item = (self.0)().deserialize(MapAccessDeserializer::new(map))?;
        Ok(item.into_iter().collect())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        let item = (self.0)().deserialize(value.into_deserializer())?;
        Ok(item.into_iter().collect())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        let item = (self.0)().deserialize(value.into_deserializer())?;
        Ok(item.into_iter().collect())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        let item = (self.0)().deserialize(value.into_deserializer())?;
        Ok(item.into_iter().collect())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        let item = (self.0)().deserialize(value.into_deserializer())?;
        Ok(item.into_iter().collect())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        let item = (self.0)().deserialize(value.into_deserializer())?;
        Ok(item.into_iter().collect())
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }
}

struct ScalarVisitor;

impl<'de> Visitor<'de> for ScalarVisitor {
    type Value = Scalar<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a single value")
    }

    fn visit_borrowed_str<E: Error>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(value.into()))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Scalar::Text(value.to_owned().into()))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Scalar::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Scalar::Integer(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok(i64::try_from(value).map_or(Scalar::Float(value as f64), Scalar::Integer))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Scalar::Float(value))
    }

    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(Scalar::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Scalar::Structure)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Scalar::Structure)
    }
}
