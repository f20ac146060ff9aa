//! Changes to what the station says: payloads of its CALLs, CALLs beside them, ids and texts.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};

use super::{Beside, Fields, Memory, Wire, samples::each_energy};

/// Every object of `meterValue` and `transactionData`.
pub(super) fn moments<'a>(payload: &'a mut Fields) -> impl Iterator<Item = &'a mut Fields> + 'a {
    payload
        .iter_mut()
        .filter(|(name, _)| matches!(name.as_str(), "meterValue" | "transactionData"))
        .filter_map(|(_, value)| value.as_array_mut())
        .flatten()
        .filter_map(Value::as_object_mut)
}

/// Every timestamp.
fn each_time(payload: &mut Fields, mut change: impl FnMut(&str) -> String) {
    let mut one = |fields: &mut Fields| {
        if let Some(text) = fields.get("timestamp").and_then(Value::as_str) {
            let changed = change(text);
            fields.insert("timestamp".into(), json!(changed));
        }
    };
    one(payload);
    moments(payload).for_each(one);
}

fn moved(text: &str, by: TimeDelta) -> String {
    match text.parse::<DateTime<Utc>>() {
        Ok(at) => (at + by).to_rfc3339_opts(SecondsFormat::Millis, true),
        Err(_) => text.to_owned(),
    }
}

pub(super) fn set(payload: &mut Fields, action: &str, of: &str, name: &str, value: Value) {
    if action == of {
        payload.insert(name.into(), value);
    }
}

pub(super) fn local_time(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_time(payload, |text| moved(text, TimeDelta::hours(2)));
}

pub(super) fn no_zone(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_time(payload, |text| text.trim_end_matches('Z').to_owned());
}

pub(super) fn no_millis(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_time(payload, |text| match text.split_once('.') {
        Some((seconds, _)) => format!("{seconds}Z"),
        None => text.to_owned(),
    });
}

pub(super) fn clock_1970(_: &str, payload: &mut Fields, memory: &mut Memory) {
    each_time(payload, |text| {
        let Ok(at) = text.parse::<DateTime<Utc>>() else {
            return text.to_owned();
        };
        let first = *memory.first_ms.get_or_insert(at.timestamp_millis() - 9_000);
        moved(text, TimeDelta::milliseconds(-first))
    });
}

pub(super) fn february_29(action: &str, payload: &mut Fields, _: &mut Memory) {
    let never = json!("2022-02-29T10:00:00Z");
    set(payload, action, "StopTransaction", "timestamp", never);
}

pub(super) fn stop_tx_zero(action: &str, payload: &mut Fields, _: &mut Memory) {
    set(
        payload,
        action,
        "StopTransaction",
        "transactionId",
        json!(0),
    );
}

pub(super) fn stop_tx_minus_one(action: &str, payload: &mut Fields, _: &mut Memory) {
    set(
        payload,
        action,
        "StopTransaction",
        "transactionId",
        json!(-1),
    );
}

pub(super) fn stop_without_tag(action: &str, payload: &mut Fields, _: &mut Memory) {
    if action == "StopTransaction" {
        payload.remove("idTag");
    }
}

pub(super) fn stop_foreign_tag(action: &str, payload: &mut Fields, _: &mut Memory) {
    let tag = json!("NOBODYS-TAG");
    set(payload, action, "StopTransaction", "idTag", tag);
}

pub(super) fn long_serial(action: &str, payload: &mut Fields, _: &mut Memory) {
    let serial = json!("EVB1A22P2RI3N182341200100350795E5");
    set(
        payload,
        action,
        "BootNotification",
        "chargePointSerialNumber",
        serial,
    );
}

pub(super) fn tag_garbage(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_tag(payload, |tag| format!("{tag}\u{0}\u{1}"));
}

pub(super) fn tag_suffix(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_tag(payload, |tag| format!("{tag}_12345"));
}

pub(super) fn tag_lower_case(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_tag(payload, str::to_lowercase);
}

pub(super) fn tag_separators(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_tag(payload, |tag| {
        let pairs: Vec<String> = tag
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).into_owned())
            .collect();
        pairs.join(":")
    });
}

fn each_tag(payload: &mut Fields, change: impl Fn(&str) -> String) {
    if let Some(tag) = payload.get("idTag").and_then(Value::as_str).map(change) {
        payload.insert("idTag".into(), json!(tag));
    }
}

pub(super) fn own_error_code(action: &str, payload: &mut Fields, _: &mut Memory) {
    let error = payload
        .get("errorCode")
        .is_some_and(|code| code != "NoError");
    if error {
        set(
            payload,
            action,
            "StatusNotification",
            "errorCode",
            json!("Error"),
        );
    }
}

pub(super) fn extra_fields(action: &str, payload: &mut Fields, _: &mut Memory) {
    set(payload, action, "Authorize", "connectorId", json!(1));
    payload.insert("vendorExtra".into(), json!({ "deep": [1] }));
}

pub(super) fn connector_0_only(action: &str, payload: &mut Fields, _: &mut Memory) {
    set(
        payload,
        action,
        "StatusNotification",
        "connectorId",
        json!(0),
    );
}

pub(super) fn version_as_vendor(action: &str, payload: &mut Fields, _: &mut Memory) {
    set(
        payload,
        action,
        "BootNotification",
        "chargePointVendor",
        json!("1.12.1"),
    );
    set(
        payload,
        action,
        "BootNotification",
        "chargePointModel",
        json!(""),
    );
    set(
        payload,
        action,
        "BootNotification",
        "chargePointSerialNumber",
        json!(""),
    );
}

pub(super) fn reservation_zero(action: &str, payload: &mut Fields, _: &mut Memory) {
    set(
        payload,
        action,
        "StartTransaction",
        "reservationId",
        json!(0),
    );
}

pub(super) fn repeated_start(action: &str, payload: &Fields, _: &mut Memory) -> Beside {
    repeated("StartTransaction", action, payload)
}

pub(super) fn repeated_stop(action: &str, payload: &Fields, _: &mut Memory) -> Beside {
    repeated("StopTransaction", action, payload)
}

pub(super) fn repeated_status(action: &str, payload: &Fields, _: &mut Memory) -> Beside {
    repeated("StatusNotification", action, payload)
}

fn repeated(of: &'static str, action: &str, payload: &Fields) -> Beside {
    let mut beside = Beside::default();
    if action == of {
        beside.after.push((of, Value::Object(payload.clone())));
    }
    beside
}

pub(super) fn second_start(action: &str, payload: &Fields, _: &mut Memory) -> Beside {
    let mut beside = Beside::default();
    if action == "StartTransaction" {
        // The first one was wrong: the charger thinks again a moment later.
        let mut first = payload.clone();
        let wh = payload
            .get("meterStart")
            .and_then(Value::as_i64)
            .unwrap_or(0);
        first.insert("meterStart".into(), json!((wh - 7).max(0)));
        each_time(&mut first, |text| moved(text, TimeDelta::seconds(-2)));
        beside
            .before
            .push(("StartTransaction", Value::Object(first)));
    }
    beside
}

pub(super) fn stop_before_start(action: &str, payload: &Fields, _: &mut Memory) -> Beside {
    let mut beside = Beside::default();
    if action == "StartTransaction" {
        // The end of a session that nobody heard the start of.
        let stop = json!({ "transactionId": 987_654_321, "reason": "Local",
            "meterStop": payload.get("meterStart"), "timestamp": payload.get("timestamp") });
        beside.before.push(("StopTransaction", stop));
    }
    beside
}

pub(super) fn meter_after_stop(action: &str, payload: &Fields, memory: &mut Memory) -> Beside {
    let mut beside = Beside::default();
    if action == "StopTransaction"
        && let Some(Value::Object(mut meter)) = memory.last_meter.clone()
    {
        let stopped = payload
            .get("timestamp")
            .and_then(Value::as_str)
            .unwrap_or_default();
        each_time(&mut meter, |_| moved(stopped, TimeDelta::seconds(20)));
        let wh = payload
            .get("meterStop")
            .and_then(Value::as_i64)
            .unwrap_or(0);
        each_energy(&mut meter, |_| wh.to_string());
        beside.after.push(("MeterValues", Value::Object(meter)));
    }
    beside
}

pub(super) fn status_before_boot(action: &str, _: &Fields, _: &mut Memory) -> Beside {
    let mut beside = Beside::default();
    if action == "BootNotification" {
        let status = json!({ "connectorId": 1, "errorCode": "NoError", "status": "Available" });
        beside.before.push(("StatusNotification", status));
    }
    beside
}

pub(super) fn idle_statuses(action: &str, _: &Fields, _: &mut Memory) -> Beside {
    let mut beside = Beside::default();
    if action == "BootNotification" {
        let idle = json!({ "status": "Idle" });
        beside
            .after
            .push(("FirmwareStatusNotification", idle.clone()));
        beside.after.push(("DiagnosticsStatusNotification", idle));
    }
    beside
}

pub(super) fn private_tunnel(action: &str, _: &Fields, _: &mut Memory) -> Beside {
    let mut beside = Beside::default();
    if action == "BootNotification" {
        let data = r#"{"certificateType":"V2G","exiRequest":"gJgC"}"#;
        let tunnel =
            json!({ "vendorId": "iso15118", "messageId": "Get15118EVCertificate", "data": data });
        beside.after.push(("DataTransfer", tunnel));
    }
    beside
}

pub(super) fn no_start(_: &mut Memory) -> Value {
    json!({ "transactionId": 0, "idTagInfo": { "status": "Accepted" } })
}

pub(super) fn nothing(_: &mut Memory) -> Value {
    json!({})
}

pub(super) fn number_id(memory: &mut Memory) -> Value {
    json!(1_000 + memory.next())
}

pub(super) fn same_id(_: &mut Memory) -> Value {
    json!("1")
}

pub(super) fn long_id(memory: &mut Memory) -> Value {
    json!(format!("{:0>60}", memory.next()))
}

pub(super) fn empty_first(text: &str) -> Vec<Wire> {
    vec![Wire::Text(String::new()), Wire::Text(text.to_owned())]
}

pub(super) fn binary(text: &str) -> Vec<Wire> {
    vec![Wire::Binary(text.as_bytes().to_vec())]
}

pub(super) fn bom_and_nul(text: &str) -> Vec<Wire> {
    vec![Wire::Text(format!("\u{feff}{text}\u{0}"))]
}

pub(super) fn leading_commas(text: &str) -> Vec<Wire> {
    vec![Wire::Text(text.replacen('[', "[,", 1))]
}

/// A Heartbeat's payload `{}` as something else.
fn heartbeat(text: &str, instead: &str) -> Vec<Wire> {
    let changed = text
        .contains("\"Heartbeat\"")
        .then(|| text.replace(",{}]", instead));
    vec![Wire::Text(changed.unwrap_or_else(|| text.to_owned()))]
}

pub(super) fn null_payload(text: &str) -> Vec<Wire> {
    heartbeat(text, ",null]")
}

pub(super) fn no_payload(text: &str) -> Vec<Wire> {
    heartbeat(text, "]")
}

pub(super) fn doubled_answers(text: &str) -> Vec<Wire> {
    let times = if text.starts_with("[3,") { 2 } else { 1 };
    vec![Wire::Text(text.to_owned()); times]
}
