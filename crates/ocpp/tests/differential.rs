//! The generated tables against the OCA's own schemas: payloads derived from each schema, whole and broken in every way
//! we could think of, are given to both. Needs the schemas: `scripts/setup`.
//!
//! `check()` must find something in whatever the schema rejects. Where it is stricter or looser, [`differs_by_design`] says so.

#[path = "../src/bin/ocpp-gen/locate.rs"]
mod locate;
#[path = "support/types.rs"]
mod types;

use ocpp::v16::{Action, MESSAGES};
use ocpp::{check, schema};
use serde_json::{Map, Value, json};

#[test]
fn check_finds_what_the_schemas_reject() {
    let folder = locate::schemas()
        .unwrap_or_else(|error| panic!("{error}"))
        .join("v16/schemas");
    let (mut tried, mut rejected) = (0, 0);
    for message in &MESSAGES {
        for (file, fields, is_request) in [
            (message.action.to_owned(), message.request, true),
            (
                format!("{}Response", message.action),
                message.response,
                false,
            ),
        ] {
            let path = folder.join(format!("{file}.json"));
            let text = std::fs::read_to_string(&path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let root: Value = serde_json::from_str(&text).unwrap();
            let validator = jsonschema::options()
                .should_validate_formats(true)
                .build(&root)
                .unwrap();
            let schema = Part {
                root: &root,
                schema: &root,
            };
            for payload in std::iter::once(schema.minimal()).chain(broken(schema, &schema.full())) {
                let text = payload.to_string();
                let findings = check::check(fields, &text);
                let is_valid = validator.is_valid(&payload);
                tried += 1;
                rejected += usize::from(!is_valid);
                if findings.is_empty() != is_valid && !differs_by_design(&file, &payload, is_valid)
                {
                    panic!("{file}: the schema says valid={is_valid}, we say {findings:?}: {text}");
                }
                if payload.is_object() {
                    salvages(message.action, is_request, &text, is_valid);
                }
            }
        }
    }
    assert!(
        tried > 5_000 && rejected > 3_000,
        "only {tried} payloads, {rejected} of them invalid"
    );
}

/// What is valid is read without loss; what a station sends is read even if it is not.
fn salvages(action: &str, is_request: bool, payload: &str, is_valid: bool) {
    let action = Action::from_name(action).unwrap();
    let is_sent_by_us = match action.message().sender {
        schema::Sender::Station => !is_request,
        schema::Sender::Csms => is_request,
        schema::Sender::Either => false,
    };
    let read = if is_request {
        types::reread_request(action, payload)
    } else {
        types::reread_response(action, payload)
    };
    match read {
        Ok(written) if is_valid => {
            let written: Value = serde_json::from_str(&written).unwrap();
            let expected: Value = serde_json::from_str(payload).unwrap();
            assert_eq!(comparable(written), comparable(expected), "{action:?}");
        }
        Ok(_) => {}
        Err(error) => assert!(is_sent_by_us && !is_valid, "{action:?}: {error}: {payload}"),
    }
}

/// Times are rewritten, empty optional lists left out, numbers written as decimals: equal in meaning.
fn comparable(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let is_empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
            fields
                .into_iter()
                .filter(|(_, value)| !is_empty(value))
                .map(|(name, value)| (name, comparable(value)))
                .collect()
        }
        Value::Array(items) => items.into_iter().map(comparable).collect(),
        Value::Number(number) => json!(number.as_f64()),
        Value::String(text) if text.starts_with("20") => {
            json!(ocpp::Timestamp::read(&text).to_string())
        }
        other => other,
    }
}

/// The exceptions, with the reason for each.
fn differs_by_design(file: &str, payload: &Value, is_valid: bool) -> bool {
    let text = payload.to_string();
    let is_stop = file == "StopTransaction";
    if is_valid {
        // The schemas of the security extension are of a draft that takes 1.0 for an integer, those of 1.6 are not.
        // One table serves MeterValues, which forbids an empty `sampledValue`, and StopTransaction, which does not.
        text.contains(":1.0") || (is_stop && text.contains(r#""sampledValue":[]"#))
    } else {
        // The package added `Hertz` to the units of MeterValues alone; one enumeration serves both.
        is_stop && text.contains(r#""unit":"Hertz""#)
    }
}

/// A part of a schema, with the whole for its references.
#[derive(Clone, Copy)]
struct Part<'a> {
    root: &'a Value,
    schema: &'a Value,
}

impl<'a> Part<'a> {
    fn part(self, schema: &'a Value) -> Part<'a> {
        let target = schema["$ref"]
            .as_str()
            .map_or(schema, |name| self.root.pointer(&name[1..]).unwrap());
        Part {
            schema: target,
            ..self
        }
    }

    fn properties(self) -> impl Iterator<Item = (&'a String, Part<'a>, bool)> {
        let is_required = move |name: &str| {
            self.schema["required"]
                .as_array()
                .is_some_and(|names| names.iter().any(|n| n == name))
        };
        let properties = self.schema["properties"].as_object().into_iter().flatten();
        properties.map(move |(name, schema)| (name, self.part(schema), is_required(name)))
    }

    fn full(self) -> Value {
        self.sample(true)
    }

    fn minimal(self) -> Value {
        self.sample(false)
    }

    fn sample(self, is_full: bool) -> Value {
        if let Some(choices) = self.schema["enum"].as_array() {
            return choices[0].clone();
        }
        match (
            self.schema["type"].as_str().unwrap(),
            self.schema["format"].as_str(),
        ) {
            ("object", _) => {
                let wanted = self
                    .properties()
                    .filter(|(.., is_required)| is_full || *is_required);
                Value::Object(
                    wanted
                        .map(|(name, part, _)| (name.clone(), part.sample(is_full)))
                        .collect(),
                )
            }
            ("array", _) => json!([self.part(&self.schema["items"]).sample(is_full)]),
            ("integer", _) => json!(7),
            ("number", _) => json!(7.5),
            ("boolean", _) => json!(true),
            (_, Some("date-time")) => json!("2024-04-26T14:35:02.125+02:00"),
            (_, Some("uri")) => json!("ftp://host/path"),
            _ => json!("text"),
        }
    }
}

/// The payload as it is, and with every value in it replaced in every way.
fn broken(schema: Part<'_>, whole: &Value) -> Vec<Value> {
    let mut payloads = vec![whole.clone()];
    for part in replacements(schema) {
        payloads.push(part);
    }
    let Value::Object(fields) = whole else {
        if let Some(item) = whole.get(0) {
            payloads.extend(
                broken(schema.part(&schema.schema["items"]), item)
                    .into_iter()
                    .map(|item| json!([item])),
            );
        }
        return payloads;
    };
    payloads.push(with(fields, "noSuchField", json!(1)));
    for (name, part, _) in schema.properties() {
        let mut without = fields.clone();
        without.remove(name);
        payloads.push(Value::Object(without));
        payloads.extend(
            broken(part, &fields[name])
                .into_iter()
                .map(|value| with(fields, name, value)),
        );
    }
    payloads
}

fn with(fields: &Map<String, Value>, name: &str, value: Value) -> Value {
    let mut fields = fields.clone();
    fields.insert(name.to_owned(), value);
    Value::Object(fields)
}

fn replacements(part: Part<'_>) -> Vec<Value> {
    let mut values = vec![
        json!(null),
        json!(true),
        json!(-1),
        json!(1.5),
        json!(3_000_000_000_u64),
        json!(7.25),
        json!(1.0),
    ];
    values.extend([
        json!(""),
        json!("1"),
        json!("Nope"),
        json!([]),
        json!({}),
        json!([[]]),
        json!("2024-04-26T14:35:02Z"),
    ]);
    values.extend(
        [
            "2024-04-26T14:35:02",
            "2024-02-30T14:35:02Z",
            "no uri at all",
            "http://[",
            "a:b",
            "ftp://[::1]/x",
        ]
        .map(|text| json!(text)),
    );
    values.extend(
        part.schema["enum"]
            .as_array()
            .into_iter()
            .flatten()
            .cloned(),
    );
    if let Some(max) = part.schema["maxLength"].as_u64() {
        values.extend([max, max + 1].map(|length| json!("é".repeat(length.try_into().unwrap()))));
    }
    values
}
