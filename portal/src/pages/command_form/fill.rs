//! From what was typed to a payload. What does not fit its kind goes in as text, and the check says so at its place.

use ocpp::schema::{Field, Kind, Message};
use serde_json::{Map, Value};

use crate::{
    pages::form::{Form, decimal},
    view::time::parse_utc,
};

/// Rows of one list, at most.
const MOST: usize = 500;

/// The payload of a message.
pub(super) fn payload(message: &Message, form: &Form) -> Value {
    Value::Object(object(message.request, "", form))
}

/// How many rows a list is shown with: those that the form has, one at least, and one more if it was asked for.
pub(super) fn rows(form: &Form, name: &str) -> usize {
    given(form, name).max(1) + usize::from(form.value("_more") == name)
}

/// The rows that the form has.
fn given(form: &Form, name: &str) -> usize {
    let prefix = format!("{name}.");
    form.names()
        .filter_map(|field| field.strip_prefix(&prefix)?.split('.').next()?.parse().ok())
        .filter(|row: &usize| *row < MOST)
        .max()
        .map_or(0, |last| last + 1)
}

fn object(fields: &[Field], path: &str, form: &Form) -> Map<String, Value> {
    let mut found = Map::new();
    for field in fields {
        if let Some(value) = value(field, &format!("{path}{}", field.name), form) {
            found.insert(field.name.to_owned(), value);
        }
    }
    found
}

/// A field's value; `None` if it is left out.
fn value(field: &Field, name: &str, form: &Form) -> Option<Value> {
    match field.kind {
        Kind::Object(inner) => {
            // What it must hold in turn is no reason to send it: somebody must have typed something.
            let below = format!("{name}.");
            let is_sent = field.required || is_typed(form, &below);
            is_sent.then(|| Value::Object(object(inner, &below, form)))
        }
        Kind::List {
            of: Kind::Object(inner),
            ..
        } => {
            let mut rows: Vec<Map<String, Value>> = (0..given(form, name))
                .map(|row| object(inner, &format!("{name}.{row}."), form))
                .collect();
            // An empty row between others keeps its place, or a complaint would stand at the wrong one.
            while rows.last().is_some_and(Map::is_empty) {
                rows.pop();
            }
            let rows: Vec<Value> = rows.into_iter().map(Value::Object).collect();
            (field.required || !rows.is_empty()).then_some(Value::Array(rows))
        }
        Kind::List { of, .. } => {
            let lines = form.value(name).lines().map(str::trim);
            let items: Vec<Value> = lines
                .filter(|line| !line.is_empty())
                .map(|line| scalar(*of, line))
                .collect();
            (field.required || !items.is_empty()).then_some(Value::Array(items))
        }
        kind => {
            let text = form.value(name);
            // Of a configuration key an empty value is one.
            let may_be_empty = field.required && field.name == "value";
            (!text.is_empty() || may_be_empty).then(|| scalar(kind, text))
        }
    }
}

/// Whether anything was typed below a path that ends with a dot.
fn is_typed(form: &Form, below: &str) -> bool {
    form.names()
        .any(|name| name.starts_with(below) && !form.value(name).is_empty())
}

fn scalar(kind: Kind, text: &str) -> Value {
    let read = match kind {
        Kind::Integer => text.parse::<i64>().ok().map(Value::from),
        Kind::Decimal { .. } => {
            decimal(text).and_then(|number| serde_json::from_str(&number.to_string()).ok())
        }
        Kind::Boolean => text.parse::<bool>().ok().map(Value::from),
        Kind::DateTime => parse_utc(text, false).map(|at| {
            at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
                .into()
        }),
        _ => None,
    };
    read.unwrap_or_else(|| Value::from(text))
}
