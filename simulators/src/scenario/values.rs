//! What a scenario remembers: `${name}` in texts, and paths such as `$.items[0].id` into JSON. Pure.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value};

use crate::fault::duration;

/// Names with what they stand for.
#[derive(Clone, Debug, Default)]
pub(super) struct Values {
    named: BTreeMap<String, Value>,
}

/// The only name that is more than a word: the time, perhaps shifted, as in `now-4h`.
const NOW: &str = "now";

impl Values {
    pub(super) fn set(&mut self, name: &str, value: Value) {
        self.named.insert(name.to_owned(), value);
    }

    /// The value of a name as text; empty if nobody set it.
    pub(super) fn text(&self, name: &str) -> String {
        self.named.get(name).map(as_text).unwrap_or_default()
    }

    /// `value` with every `${name}` replaced. A text that is one name and nothing else becomes that value, with its type.
    pub(super) fn fill(&self, value: &Value, now: DateTime<Utc>) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => self.fill_text(text, now)?,
            Value::Array(items) => {
                let filled: Result<_, _> = items.iter().map(|item| self.fill(item, now)).collect();
                Value::Array(filled?)
            }
            Value::Object(members) => {
                let mut filled = Map::new();
                for (name, member) in members {
                    filled.insert(name.clone(), self.fill(member, now)?);
                }
                Value::Object(filled)
            }
            other => other.clone(),
        })
    }

    /// As [`Values::fill`], for what must be a text.
    pub(super) fn fill_string(&self, text: &str, now: DateTime<Utc>) -> Result<String, String> {
        self.fill_text(text, now).map(|value| as_text(&value))
    }

    fn fill_text(&self, text: &str, now: DateTime<Utc>) -> Result<Value, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after
                .split_once('}')
                .ok_or_else(|| format!("`{text}`: a `${{` without its `}}`"))?;
            let value = self.look_up(name, now)?;
            if before.is_empty() && after.is_empty() && filled.is_empty() {
                return Ok(value);
            }
            filled += before;
            filled += &as_text(&value);
            rest = after;
        }
        filled += rest;
        Ok(Value::String(filled))
    }

    fn look_up(&self, name: &str, now: DateTime<Utc>) -> Result<Value, String> {
        if let Some(value) = self.named.get(name) {
            return Ok(value.clone());
        }
        if let Some(shift) = name.strip_prefix(NOW) {
            let at = now + shifted(shift)?;
            return Ok(at.to_rfc3339_opts(SecondsFormat::Millis, true).into());
        }
        let known: Vec<_> = self.named.keys().map(String::as_str).collect();
        Err(format!(
            "`${{{name}}}` is not known here: expected now, now+10m, now-4h or one of {}",
            known.join(", ")
        ))
    }
}

/// `-4h`, `+10m`, `-3d` or nothing.
fn shifted(text: &str) -> Result<TimeDelta, String> {
    if text.is_empty() {
        return Ok(TimeDelta::zero());
    }
    let expected = || format!("`now{text}`: expected e.g. now-4h, now+10m or now-3d");
    let (sign, length) = text.split_at_checked(1).ok_or_else(expected)?;
    let length = match length.strip_suffix('d') {
        Some(days) => days
            .parse()
            .map(|days: u32| Duration::from_secs(u64::from(days) * 86_400))
            .map_err(|_| expected())?,
        None => duration(length).map_err(|_| expected())?,
    };
    let length = TimeDelta::from_std(length).map_err(|_| expected())?;
    match sign {
        "+" => Ok(length),
        "-" => Ok(-length),
        _ => Err(expected()),
    }
}

/// A value within a text: texts as they are, anything else as JSON.
pub(super) fn as_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The names that stand in `${…}` anywhere in `value`.
pub(super) fn names_in(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => text
            .split("${")
            .skip(1)
            .filter_map(|after| after.split_once('}').map(|(name, _)| name))
            .collect(),
        Value::Array(items) => items.iter().flat_map(names_in).collect(),
        Value::Object(members) => members.values().flat_map(names_in).collect(),
        _ => Vec::new(),
    }
}

/// Whether a name is a time and needs no setting.
pub(super) fn is_time(name: &str) -> bool {
    name.strip_prefix(NOW)
        .is_some_and(|shift| shifted(shift).is_ok())
}

/// What stands at a path such as `$.items[0].id`; a negative number counts from the end.
pub(super) fn at_path<'v>(value: &'v Value, path: &str) -> Result<&'v Value, String> {
    let nothing = || format!("there is nothing at {path} in {value}");
    let mut found = value;
    for step in steps(path)? {
        found = match step {
            Step::Member(name) => found.get(name).ok_or_else(nothing)?,
            Step::Item(number) => {
                let items = found.as_array().ok_or_else(nothing)?;
                let at = if number < 0 {
                    items.len().checked_add_signed(number)
                } else {
                    usize::try_from(number).ok()
                };
                at.and_then(|at| items.get(at)).ok_or_else(nothing)?
            }
        };
    }
    Ok(found)
}

enum Step<'p> {
    Member(&'p str),
    Item(isize),
}

fn steps(path: &str) -> Result<Vec<Step<'_>>, String> {
    let wrong = || format!("`{path}`: expected a path such as $.items[0].id");
    let mut rest = path.strip_prefix('$').ok_or_else(wrong)?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(after) = rest.strip_prefix('.') {
            let end = after.find(['.', '[']).unwrap_or(after.len());
            let (name, after) = after.split_at(end);
            if name.is_empty() {
                return Err(wrong());
            }
            steps.push(Step::Member(name));
            rest = after;
        } else {
            let after = rest.strip_prefix('[').ok_or_else(wrong)?;
            let (number, after) = after.split_once(']').ok_or_else(wrong)?;
            steps.push(Step::Item(number.parse().map_err(|_| wrong())?));
            rest = after;
        }
    }
    Ok(steps)
}

/// Whether a text is a path that [`at_path`] can follow.
pub(super) fn is_path(path: &str) -> Result<(), String> {
    steps(path).map(|_| ())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn noon() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-05-04T12:00:00Z")
            .unwrap()
            .into()
    }

    #[test]
    fn names_become_values_with_their_type_or_parts_of_a_text() {
        let mut values = Values::default();
        values.set("tx", json!(17));
        values.set("tag", json!("A1"));
        let filled = values.fill(
            &json!({ "id": "${tx}", "path": ["/t/${tx}?tag=${tag}"], "at": "${now-4h}", "n": 1 }),
            noon(),
        );
        assert_eq!(
            filled,
            Ok(
                json!({ "id": 17, "path": ["/t/17?tag=A1"], "at": "2026-05-04T08:00:00.000Z", "n": 1 })
            )
        );
        let problem = values.fill(&json!("${tagg}"), noon()).unwrap_err();
        assert!(problem.contains("`${tagg}`") && problem.contains("tag, tx"));
        assert!(values.fill(&json!("${tag"), noon()).is_err());
    }

    #[test]
    fn times_are_shifted() {
        for (text, expected) in [
            ("now", "2026-05-04T12:00:00.000Z"),
            ("now+10m", "2026-05-04T12:10:00.000Z"),
            ("now-3d", "2026-05-01T12:00:00.000Z"),
            ("now+500ms", "2026-05-04T12:00:00.500Z"),
        ] {
            assert_eq!(
                Values::default().look_up(text, noon()),
                Ok(json!(expected)),
                "{text}"
            );
            assert!(is_time(text));
        }
        for text in ["now4h", "now-", "now-4", "nowhere", "now-é"] {
            assert!(Values::default().look_up(text, noon()).is_err(), "{text}");
            assert!(!is_time(text), "{text}");
        }
    }

    #[test]
    fn paths_lead_somewhere_or_say_that_they_do_not() {
        let value = json!({ "items": [{ "id": 5 }, { "id": 6 }] });
        assert_eq!(at_path(&value, "$"), Ok(&value));
        assert_eq!(at_path(&value, "$.items[0].id"), Ok(&json!(5)));
        assert_eq!(at_path(&value, "$.items[-1].id"), Ok(&json!(6)));
        for path in [
            "$.items[2]",
            "$.items[-3]",
            "$.x",
            "items",
            "$items",
            "$.items[a]",
            "$..x",
        ] {
            assert!(at_path(&value, path).is_err(), "{path}");
        }
    }
}
