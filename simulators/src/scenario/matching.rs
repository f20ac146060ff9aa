//! Whether JSON is what a scenario expects. An object must have the members that are named, and may have others; an array
//! must have as many items. Texts and tables that begin with `$` ask for more than equality. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Map, Value};

use crate::fault::duration;

/// What the operators are, for messages and for `evsim check`.
pub(super) const OPERATORS: &[&str] = &[
    "$contains",
    "$exactly",
    "$ge",
    "$gt",
    "$has",
    "$in",
    "$le",
    "$len",
    "$lt",
    "$none",
    "$not",
    "$time",
];
/// The words that stand alone.
pub(super) const WORDS: &[&str] = &["$absent", "$any", "$time"];
/// How far a time may be from now if nothing is said.
const NOW: Duration = Duration::from_secs(60);

/// Everything in which `actual` is not what is expected, each with its path; empty if it matches.
pub(super) fn mismatches(expected: &Value, actual: &Value, now: DateTime<Utc>) -> Vec<String> {
    let mut found = Vec::new();
    Look {
        now,
        found: &mut found,
    }
    .value("$", expected, Some(actual));
    found
}

/// Whether it matches.
pub(super) fn matches(expected: &Value, actual: &Value, now: DateTime<Utc>) -> bool {
    mismatches(expected, actual, now).is_empty()
}

/// What is wrong with a pattern: an operator that is none.
pub(super) fn unknown_operators(expected: &Value) -> Vec<String> {
    match expected {
        Value::String(word) if word.starts_with('$') && !word.starts_with("${") => {
            let known = WORDS.contains(&word.as_str());
            if known {
                Vec::new()
            } else {
                vec![format!(
                    "`{word}` is no word of a match: expected {}",
                    WORDS.join(", ")
                )]
            }
        }
        Value::Array(items) => items.iter().flat_map(unknown_operators).collect(),
        Value::Object(members) => {
            let unknown = members
                .keys()
                .filter(|name| name.starts_with('$') && !OPERATORS.contains(&name.as_str()));
            unknown
                .map(|name| {
                    format!(
                        "`{name}` is no operator of a match: expected one of {}",
                        OPERATORS.join(", ")
                    )
                })
                .chain(members.values().flat_map(unknown_operators))
                .collect()
        }
        _ => Vec::new(),
    }
}

struct Look<'f> {
    now: DateTime<Utc>,
    found: &'f mut Vec<String>,
}

impl Look<'_> {
    fn find(&mut self, path: &str, expected: impl std::fmt::Display, actual: Option<&Value>) {
        let actual = actual.map_or("missing".to_owned(), |actual| {
            shortened(&actual.to_string())
        });
        self.found
            .push(format!("{path} is {actual}: expected {expected}"));
    }

    /// `actual` is none where a member is missing.
    fn value(&mut self, path: &str, expected: &Value, actual: Option<&Value>) {
        let present = actual.filter(|actual| !actual.is_null());
        match (expected, present) {
            (Value::String(word), _) if word == "$absent" => {
                if present.is_some() {
                    self.find(path, "nothing", actual);
                }
            }
            (Value::String(word), None) if word == "$any" || word == "$time" => {
                self.find(path, "something", actual);
            }
            (Value::String(word), Some(_)) if word == "$any" => {}
            (Value::String(word), Some(_)) if word == "$time" => self.time(path, NOW, actual),
            (Value::Object(members), _) if members.keys().any(|name| name.starts_with('$')) => {
                self.operators(path, members, actual);
            }
            (Value::Object(members), Some(Value::Object(others))) => {
                for (name, member) in members {
                    self.value(&format!("{path}.{name}"), member, others.get(name));
                }
            }
            (Value::Array(items), Some(Value::Array(others))) if items.len() == others.len() => {
                for (at, (item, other)) in items.iter().zip(others).enumerate() {
                    self.value(&format!("{path}[{at}]"), item, Some(other));
                }
            }
            (Value::Null, None) => {}
            (expected, Some(actual)) if equal(expected, actual) => {}
            (expected, _) => self.find(path, expected, actual),
        }
    }

    fn operators(&mut self, path: &str, operators: &Map<String, Value>, actual: Option<&Value>) {
        for (operator, operand) in operators {
            let fits = match (operator.as_str(), actual) {
                ("$time", _) => {
                    let tolerance = operand.as_str().and_then(|text| duration(text).ok());
                    self.time(path, tolerance.unwrap_or(NOW), actual);
                    true
                }
                ("$not", Some(actual)) => !matches(operand, actual, self.now),
                ("$not", None) => true,
                (_, None) => false,
                (compare @ ("$gt" | "$ge" | "$lt" | "$le"), Some(actual)) => order(actual, operand)
                    .is_some_and(|order| match compare {
                        "$gt" => order.is_gt(),
                        "$ge" => order.is_ge(),
                        "$lt" => order.is_lt(),
                        _ => order.is_le(),
                    }),
                ("$in", Some(actual)) => operand
                    .as_array()
                    .is_some_and(|items| items.iter().any(|item| matches(item, actual, self.now))),
                ("$has", Some(actual)) => self.one_matches(operand, actual),
                ("$none", Some(actual)) => actual.is_array() && !self.one_matches(operand, actual),
                ("$len", Some(actual)) => actual
                    .as_array()
                    .is_some_and(|items| matches(operand, &items.len().into(), self.now)),
                ("$contains", Some(actual)) => match (actual, operand) {
                    (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
                    _ => false,
                },
                ("$exactly", Some(actual)) => equal(operand, actual),
                _ => false,
            };
            if !fits {
                self.find(path, format!("{operator} {operand}"), actual);
            }
        }
    }

    fn one_matches(&self, pattern: &Value, actual: &Value) -> bool {
        actual
            .as_array()
            .is_some_and(|items| items.iter().any(|item| matches(pattern, item, self.now)))
    }

    fn time(&mut self, path: &str, tolerance: Duration, actual: Option<&Value>) {
        let at = actual
            .and_then(Value::as_str)
            .and_then(|text| DateTime::parse_from_rfc3339(text).ok());
        let tolerance = TimeDelta::from_std(tolerance).unwrap_or(TimeDelta::MAX);
        if at.is_none_or(|at| (at.to_utc() - self.now).abs() > tolerance) {
            let expected = format!("a time within {}s of {}", tolerance.num_seconds(), self.now);
            self.find(path, expected, actual);
        }
    }
}

/// Numbers by value, however they are written; anything else as it is.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(a), Value::Number(b)) => a == b || a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter()
                    .all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => one == other,
    }
}

/// Numbers by value, times by the moment, other texts by their letters.
fn order(one: &Value, other: &Value) -> Option<std::cmp::Ordering> {
    if let (Some(a), Some(b)) = (one.as_f64(), other.as_f64()) {
        return a.partial_cmp(&b);
    }
    let (a, b) = (one.as_str()?, other.as_str()?);
    match (
        DateTime::parse_from_rfc3339(a),
        DateTime::parse_from_rfc3339(b),
    ) {
        (Ok(a), Ok(b)) => Some(a.cmp(&b)),
        _ => Some(a.cmp(b)),
    }
}

/// A value in a message is shown up to here.
const SHOWN: usize = 600;

fn shortened(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(expected: &Value, actual: &Value, wrong: &[&str]) {
        let now = DateTime::parse_from_rfc3339("2026-05-04T12:00:00Z").unwrap();
        let found = mismatches(expected, actual, now.into());
        assert_eq!(found, wrong, "{expected} against {actual}");
    }

    #[test]
    fn objects_may_have_more_and_arrays_may_not() {
        check(&json!({ "a": 1 }), &json!({ "a": 1, "b": 2 }), &[]);
        check(&json!({ "a": 1 }), &json!({ "a": 1.0 }), &[]);
        check(&json!({}), &json!({ "a": 1 }), &[]);
        check(&json!({}), &json!([]), &["$ is []: expected {}"]);
        check(
            &json!({ "a": { "b": 1 }, "c": 2 }),
            &json!({ "a": { "b": 2 } }),
            &["$.a.b is 2: expected 1", "$.c is missing: expected 2"],
        );
        check(&json!([{ "a": 1 }]), &json!([{ "a": 1, "b": 1 }]), &[]);
        check(&json!([1]), &json!([1, 2]), &["$ is [1,2]: expected [1]"]);
        check(
            &json!(["x", 1]),
            &json!(["x", 2]),
            &["$[1] is 2: expected 1"],
        );
    }

    #[test]
    fn words_ask_whether_something_is_there() {
        check(&json!({ "a": "$any" }), &json!({ "a": false }), &[]);
        check(
            &json!({ "a": "$any", "b": "$any" }),
            &json!({ "b": null }),
            &[
                "$.a is missing: expected something",
                "$.b is null: expected something",
            ],
        );
        check(
            &json!({ "a": "$absent", "b": "$absent" }),
            &json!({ "b": null }),
            &[],
        );
        check(
            &json!({ "a": "$absent" }),
            &json!({ "a": 0 }),
            &["$.a is 0: expected nothing"],
        );
        check(&json!({ "a": null }), &json!({}), &[]);
    }

    #[test]
    fn operators_compare() {
        check(&json!({ "$gt": 0, "$le": 5 }), &json!(5), &[]);
        check(&json!({ "$gt": 5 }), &json!(5), &["$ is 5: expected $gt 5"]);
        check(
            &json!({ "$gt": 5 }),
            &json!("6"),
            &["$ is \"6\": expected $gt 5"],
        );
        check(
            &json!({ "$lt": "2026-05-04T12:00:00Z" }),
            &json!("2026-05-04T13:59:59+02:00"),
            &[],
        );
        check(&json!({ "$in": ["A", "B"] }), &json!("B"), &[]);
        check(
            &json!({ "$in": ["A"] }),
            &json!("B"),
            &["$ is \"B\": expected $in [\"A\"]"],
        );
        check(&json!({ "$not": "A" }), &json!("B"), &[]);
        check(&json!({ "a": { "$not": "A" } }), &json!({}), &[]);
        check(
            &json!({ "$not": "A" }),
            &json!("A"),
            &["$ is \"A\": expected $not \"A\""],
        );
        check(
            &json!({ "$has": { "a": 1 } }),
            &json!([{ "a": 2 }, { "a": 1, "b": 2 }]),
            &[],
        );
        check(&json!({ "$none": { "a": 1 } }), &json!([{ "a": 2 }]), &[]);
        check(
            &json!({ "$none": { "a": 1 } }),
            &json!([{ "a": 1 }]),
            &["$ is [{\"a\":1}]: expected $none {\"a\":1}"],
        );
        check(&json!({ "$len": 2 }), &json!([1, 2]), &[]);
        check(
            &json!({ "$len": { "$ge": 3 } }),
            &json!([1]),
            &["$ is [1]: expected $len {\"$ge\":3}"],
        );
        check(&json!({ "$contains": "ert" }), &json!("certificate"), &[]);
        check(
            &json!({ "$exactly": { "a": 1 } }),
            &json!({ "a": 1, "b": 2 }),
            &["$ is {\"a\":1,\"b\":2}: expected $exactly {\"a\":1}"],
        );
        check(
            &json!({ "a": { "$gt": 1 } }),
            &json!({}),
            &["$.a is missing: expected $gt 1"],
        );
    }

    #[test]
    fn a_time_is_near_now() {
        check(&json!("$time"), &json!("2026-05-04T14:00:30+02:00"), &[]);
        check(
            &json!({ "$time": "5h" }),
            &json!("2026-05-04T08:00:00Z"),
            &[],
        );
        check(
            &json!("$time"),
            &json!("2026-05-04T08:00:00Z"),
            &[
                "$ is \"2026-05-04T08:00:00Z\": expected a time within 60s of 2026-05-04 12:00:00 UTC",
            ],
        );
        check(
            &json!({ "a": "$time" }),
            &json!({}),
            &["$.a is missing: expected something"],
        );
    }

    #[test]
    fn operators_that_are_none_are_found() {
        assert_eq!(
            unknown_operators(&json!({ "a": [{ "$ge": 1 }], "b": "${tx}", "c": "$any" })),
            [""; 0]
        );
        assert_eq!(
            unknown_operators(&json!({ "a": [{ "$gte": 1 }], "b": "$sometimes" })).len(),
            2
        );
    }
}
