//! Writes a model as Rust: one file per profile, and one each for enumerations, objects, tables and actions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::model::{Kind, Message, Model, Property};
use crate::plan::{Plan, Sender};

const NOTICE: &str = "Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.";

/// The files of one version by name, not yet formatted.
pub fn files(plan: &Plan, model: &Model) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    files.insert("mod.rs".into(), module(plan));
    files.insert("action.rs".into(), actions(plan, model));
    files.insert("enums.rs".into(), enums(plan, model));
    files.insert("objects.rs".into(), objects(plan, model));
    files.insert("tables.rs".into(), tables(plan, model));
    for (block, title, _) in plan.blocks {
        files.insert(format!("{block}.rs"), messages(plan, model, block, title));
    }
    files
}

/// Passes source through rustfmt, so that the output is as `cargo fmt` leaves it.
pub fn formatted(source: &str) -> Result<String, String> {
    let mut rustfmt = Command::new("rustfmt")
        .args(["--edition", "2024"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("rustfmt: {error}; run `rustup component add rustfmt`"))?;
    let mut input = rustfmt.stdin.take().expect("stdin was asked for");
    input
        .write_all(source.as_bytes())
        .map_err(|error| format!("rustfmt: {error}"))?;
    drop(input);
    let output = rustfmt
        .wait_with_output()
        .map_err(|error| format!("rustfmt: {error}"))?;
    if !output.status.success() {
        return Err(format!("rustfmt refused the output:\n{source}"));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("rustfmt: {error}"))
}

fn module(plan: &Plan) -> String {
    let number = plan.number;
    let mut out = format!(
        "//! OCPP {number}: the payload types, their tables and the list of actions.\n//!\n\
         //! {NOTICE}\n//!\n\
         //! What a station sends can be relied on for nothing: in those types every field is an `Option`, and one that\n\
         //! makes no sense is `None` ([`crate::salvage`]); [`crate::check::check`] says what was wrong. In the types that the\n\
         //! CSMS sends, a field that the standard requires is a plain value.\n\n"
    );
    let mut modules: Vec<&str> = vec!["action", "enums", "objects", "tables"];
    modules.extend(plan.blocks.iter().map(|(block, ..)| *block));
    modules.sort_unstable();
    for module in &modules {
        let visibility = if *module == "tables" {
            "pub(crate) "
        } else {
            ""
        };
        _ = writeln!(out, "{visibility}mod {module};");
    }
    out.push('\n');
    for module in modules.iter().filter(|module| **module != "tables") {
        _ = writeln!(out, "pub use {module}::*;");
    }
    out
}

fn actions(plan: &Plan, model: &Model) -> String {
    let number = plan.number;
    let mut sorted: Vec<&Message> = model.messages.iter().collect();
    sorted.sort_by_key(|message| message.action);
    let mut out = format!(
        "//! Every action of OCPP {number}: its name, who sends it, and the tables of its payloads.\n//! {NOTICE}\n\n\
         use super::tables;\nuse crate::schema::{{Message, Sender}};\n\n\
         /// An action of OCPP {number}.\n#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]\npub enum Action {{\n"
    );
    for Message { action, .. } in &sorted {
        _ = writeln!(out, "/// `{action}`\n{action},");
    }
    out.push_str(
        "}\n\nimpl Action {\n/// As it is written in a CALL.\npub fn name(self) -> &'static str {\nself.message().action\n}\n\n\
         /// Who sends it, and what its payloads must look like.\npub fn message(self) -> &'static Message {\n&MESSAGES[self as usize]\n}\n\n\
         /// The action of a CALL, if this version has it.\npub fn from_name(name: &str) -> Option<Self> {\nmatch name {\n",
    );
    for Message { action, .. } in &sorted {
        _ = writeln!(out, "\"{action}\" => Some(Self::{action}),");
    }
    _ = writeln!(
        out,
        "_ => None,\n}}\n}}\n}}\n\n/// The messages in the order of [`Action`].\npub static MESSAGES: [Message; {}] = [",
        sorted.len()
    );
    for Message { action, sender, .. } in &sorted {
        let table = constant(action);
        _ = writeln!(
            out,
            "Message {{ action: \"{action}\", sender: Sender::{sender:?}, request: tables::{table}_REQUEST, response: tables::{table}_RESPONSE }},"
        );
    }
    out.push_str("];\n");
    out
}

fn enums(plan: &Plan, model: &Model) -> String {
    let mut out = format!(
        "//! The enumerations of OCPP {}. Each keeps a value it does not list.\n//! {NOTICE}\n\nuse crate::open_enum::open_enum;\n",
        plan.number
    );
    for (name, choices) in &model.enums {
        _ = writeln!(
            out,
            "\nopen_enum! {{\n    /// {}.\n    {name} {{",
            words(name)
        );
        for choice in choices {
            _ = writeln!(out, "        {} = \"{choice}\",", variant(choice));
        }
        out.push_str("    }\n}\n");
    }
    out
}

fn objects(plan: &Plan, model: &Model) -> String {
    let mut body = String::new();
    for (name, properties) in &model.objects {
        let is_received = model.received.contains(name);
        body.push_str(&structure(
            plan,
            name,
            &format!("{}.", words(name)),
            properties,
            is_received,
        ));
    }
    let title = format!("The objects within messages of OCPP {}", plan.number);
    with_imports(&title, "super::enums", &body)
}

fn messages(plan: &Plan, model: &Model, block: &str, title: &str) -> String {
    let mut body = String::new();
    for message in model
        .messages
        .iter()
        .filter(|message| message.block == block)
    {
        let Message {
            action,
            sender,
            request,
            response,
            ..
        } = message;
        let (asks, answers) = match sender {
            Sender::Station => ("a station asks", "we answer"),
            Sender::Csms => ("we ask", "a station answers"),
            Sender::Either => ("either side asks", "either side answers"),
        };
        let name = format!("{action}Request");
        body.push_str(&structure(
            plan,
            &name,
            &format!("`{action}.req`: {asks}."),
            request,
            *sender != Sender::Csms,
        ));
        let name = format!("{action}Response");
        body.push_str(&structure(
            plan,
            &name,
            &format!("`{action}.conf`: {answers}."),
            response,
            *sender != Sender::Station,
        ));
    }
    with_imports(&format!("Messages of {title}"), "super", &body)
}

/// Imports only what the body names.
fn with_imports(title: &str, types: &str, body: &str) -> String {
    let mut out = format!("//! {title}.\n//! {NOTICE}\n\n");
    if body.contains("Decimal") {
        out.push_str("use rust_decimal::Decimal;\n");
    }
    out.push_str("use serde::{Deserialize, Serialize};\n\n");
    let names = named_types(body);
    if !names.is_empty() {
        _ = writeln!(out, "use {types}::{{{}}};", names.join(", "));
    }
    if body.contains("Timestamp") {
        out.push_str("use crate::Timestamp;\n");
    }
    let readers = [
        "decimal",
        "object",
        "objects",
        "required",
        "scalar",
        "scalars",
        "verbatim",
        "write_decimal",
    ];
    let used: Vec<&str> = readers
        .into_iter()
        .filter(|reader| body.contains(&format!("_with = \"{reader}\"")))
        .collect();
    if !used.is_empty() {
        _ = writeln!(out, "use crate::salvage::{{{}}};", used.join(", "));
    }
    out + body
}

/// Types that fields name and the body does not declare.
fn named_types(body: &str) -> Vec<&str> {
    const BUILT_IN: [&str; 6] = ["Option", "Vec", "String", "Decimal", "Timestamp", "Self"];
    let mut names: Vec<&str> = body
        .lines()
        .filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "))
        .flat_map(|(_, kind)| kind.split(|c: char| !c.is_alphanumeric()))
        .filter(|name| name.starts_with(char::is_uppercase) && !BUILT_IN.contains(name))
        .filter(|name| !body.contains(&format!("pub struct {name} ")))
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn structure(
    plan: &Plan,
    name: &str,
    doc: &str,
    properties: &[Property],
    is_received: bool,
) -> String {
    let is_plain = |property: &Property| property.is_required && !is_received;
    let has_default = !properties
        .iter()
        .any(|property| is_plain(property) && !matches!(property.kind, Kind::List { .. }));
    let derives = if has_default {
        "Debug, Clone, Default, PartialEq"
    } else {
        "Debug, Clone, PartialEq"
    };
    // Where the whole has a default, its fields need not say so.
    let default = if has_default { "default, " } else { "" };
    let mut out = format!(
        "\n/// {doc}\n#[derive({derives}, Serialize, Deserialize)]\n#[serde({default}rename_all = \"camelCase\")]\npub struct {name} {{\n"
    );
    for property in properties {
        let is_verbatim = plan
            .verbatim
            .contains(&format!("{name}.{}", property.name).as_str());
        out.push_str(&field(
            property,
            is_plain(property),
            is_verbatim,
            has_default,
        ));
    }
    out.push_str("}\n");
    out
}

fn field(property: &Property, is_plain: bool, is_verbatim: bool, has_default: bool) -> String {
    let Property {
        name,
        kind,
        is_required,
    } = property;
    let required = if *is_required { ", required" } else { "" };
    let mut out = format!("/// `{name}`{required}: {}.\n", described(kind));
    let mut attributes = Vec::new();
    let field = rust_name(name);
    if camel(&field) != *name {
        attributes.push(format!("rename = \"{name}\""));
    }
    let reader = match kind {
        Kind::Decimal { .. } => Some("decimal"),
        Kind::Object(_) => Some("object"),
        Kind::List { of, .. } if matches!(**of, Kind::Object(_)) => Some("objects"),
        Kind::List { .. } => Some("scalars"),
        _ if is_verbatim => Some("verbatim"),
        _ => Some("scalar"),
    };
    let is_list = matches!(kind, Kind::List { .. });
    if let Some(reader) = reader.filter(|_| !is_plain || is_list) {
        if !has_default {
            attributes.push("default".into());
        }
        attributes.push(format!("deserialize_with = \"{reader}\""));
    }
    if is_plain && *kind == Kind::Integer {
        attributes.push("deserialize_with = \"required\"".into());
    }
    if *kind == (Kind::Decimal { places: Some(1) }) || *kind == (Kind::Decimal { places: None }) {
        attributes.push("serialize_with = \"write_decimal\"".into());
    }
    match (is_list, *is_required) {
        (true, false) => attributes.push("skip_serializing_if = \"Vec::is_empty\"".into()),
        (false, _) if !is_plain => {
            attributes.push("skip_serializing_if = \"Option::is_none\"".into())
        }
        _ => {}
    }
    if !attributes.is_empty() {
        _ = writeln!(out, "#[serde({})]", attributes.join(", "));
    }
    let rust = rust_type(kind);
    let rust = if is_plain || is_list {
        rust
    } else {
        format!("Option<{rust}>")
    };
    _ = writeln!(out, "pub {field}: {rust},");
    out
}

fn tables(plan: &Plan, model: &Model) -> String {
    let mut out = format!(
        "//! What each payload of OCPP {} must look like, as tables for [`crate::check::check`].\n//! {NOTICE}\n\n\
         use super::enums::*;\nuse crate::schema::{{Field, Kind}};\n",
        plan.number
    );
    for (name, properties) in &model.objects {
        table(&mut out, &constant(name), properties);
    }
    for message in &model.messages {
        table(
            &mut out,
            &format!("{}_REQUEST", constant(message.action)),
            &message.request,
        );
        table(
            &mut out,
            &format!("{}_RESPONSE", constant(message.action)),
            &message.response,
        );
    }
    out
}

fn table(out: &mut String, name: &str, properties: &[Property]) {
    _ = writeln!(out, "\npub const {name}: &[Field] = &[");
    for Property {
        name,
        kind,
        is_required,
    } in properties
    {
        let make = if *is_required { "required" } else { "optional" };
        _ = writeln!(out, "Field::{make}(\"{name}\", {}),", table_kind(kind));
    }
    out.push_str("];\n");
}

fn table_kind(kind: &Kind) -> String {
    match kind {
        Kind::Integer => "Kind::Integer".into(),
        Kind::Decimal { places } => format!("Kind::Decimal {{ places: {places:?} }}"),
        Kind::Boolean => "Kind::Boolean".into(),
        Kind::Text { max } => format!("Kind::Text {{ max: {max:?} }}"),
        Kind::Choice(name) => format!("Kind::Choice({name}::NAMES)"),
        Kind::DateTime => "Kind::DateTime".into(),
        Kind::Uri => "Kind::Uri".into(),
        Kind::Object(name) => format!("Kind::Object({})", constant(name)),
        Kind::List { of, min } => format!("Kind::List {{ of: &{}, min: {min} }}", table_kind(of)),
    }
}

fn rust_type(kind: &Kind) -> String {
    match kind {
        Kind::Integer => "i64".into(),
        Kind::Decimal { .. } => "Decimal".into(),
        Kind::Boolean => "bool".into(),
        Kind::Text { .. } | Kind::Uri => "String".into(),
        Kind::DateTime => "Timestamp".into(),
        Kind::Choice(name) | Kind::Object(name) => name.clone(),
        Kind::List { of, .. } => format!("Vec<{}>", rust_type(of)),
    }
}

fn described(kind: &Kind) -> String {
    match kind {
        Kind::Integer => "a whole number".into(),
        Kind::Decimal {
            places: Some(places),
        } => format!("a number with at most {places} decimal place"),
        Kind::Decimal { places: None } => "a number".into(),
        Kind::Boolean => "true or false".into(),
        Kind::Text { max: Some(max) } => format!("a text of at most {max} characters"),
        Kind::Text { max: None } => "a text".into(),
        Kind::DateTime => "a date and time".into(),
        Kind::Uri => "a URI".into(),
        Kind::Choice(_) => "one of a list".into(),
        Kind::Object(_) => "an object".into(),
        Kind::List { min: 0, .. } => "a list".into(),
        Kind::List { min, .. } => format!("a list of at least {min}"),
    }
}

/// `type` is a word of Rust; the field is named for what it is.
fn rust_name(name: &str) -> String {
    if name == "type" {
        "kind".into()
    } else {
        snake(name)
    }
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for c in name.chars() {
        if c.is_uppercase() {
            out.push('_');
        }
        out.extend(c.to_lowercase());
    }
    out.trim_start_matches('_').to_owned()
}

fn camel(name: &str) -> String {
    let mut parts = name.split('_');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| out + &capitalized(part))
}

fn constant(name: &str) -> String {
    snake(name).to_uppercase()
}

fn words(name: &str) -> String {
    let words = snake(name).replace('_', " ");
    capitalized(&words)
}

fn variant(choice: &str) -> String {
    choice
        .split(['.', '-', ' ', '_'])
        .map(capitalized)
        .collect()
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}
