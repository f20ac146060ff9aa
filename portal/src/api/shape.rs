//! The shapes that all answers share: times, lists, JSON that is passed on to the letter.

use axum::Json;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use store::Cursor;

/// RFC 3339, UTC, milliseconds and Z.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stamp(pub DateTime<Utc>);

impl Serialize for Stamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

/// A page of a list: `next` is the `after` of the next page, null on the last.
#[derive(Debug, Serialize)]
pub(crate) struct List<T> {
    items: Vec<T>,
    next: Option<String>,
}

/// A page of at most `limit` of `rows`, of which one more than that was asked for.
pub(crate) fn list<R, T>(
    mut rows: Vec<R>,
    limit: i64,
    place: impl Fn(&R) -> String,
    item: impl FnMut(R) -> T,
) -> Json<List<T>> {
    let limit = usize::try_from(limit).expect("a limit is from 1 to 500");
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(place);
    Json(List {
        items: rows.into_iter().map(item).collect(),
        next,
    })
}

/// The place of a row in a list by time.
pub(crate) fn cursor<R>(row: &R) -> String
where
    for<'r> Cursor: From<&'r R>,
{
    Cursor::from(row).to_string()
}

/// Stored JSON text as JSON, to the letter; as a JSON string should it be none, or none that every reader takes (nested
/// a thousand deep, a number beyond any float): one such message must not make a whole list unreadable.
pub(crate) fn verbatim(text: String) -> Box<RawValue> {
    let is_plain = serde_json::from_str::<serde_json::Value>(&text).is_ok();
    let raw = is_plain.then(|| RawValue::from_string(text.clone()).ok());
    raw.flatten()
        .unwrap_or_else(|| serde_json::value::to_raw_value(&text).expect("a string is always JSON"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_json_stays_to_the_letter_and_what_is_none_becomes_a_string() {
        for (text, shown) in [
            (r#"{"b":1.50, "a":1}"#, r#"{"b":1.50, "a":1}"#),
            (r#"[9,"x"]"#, r#"[9,"x"]"#),
            ("BOOT?", r#""BOOT?""#),
            ("", r#""""#),
            (r#"{"meterStart":1e999}"#, r#""{\"meterStart\":1e999}""#),
        ] {
            assert_eq!(verbatim(text.to_owned()).get(), shown);
        }
        let deep = format!("{}{}", "[".repeat(1000), "]".repeat(1000));
        assert_eq!(verbatim(deep.clone()).get(), format!("\"{deep}\""));
    }
}
