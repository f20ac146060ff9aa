//! How a limited station answers what it is asked.

use serde_json::{Value, json};

use super::{Answer, Fields};

fn status(word: &str) -> Option<Answer> {
    Some(Answer::Result(json!({ "status": word })))
}

/// A list of all keys is too much for it; so is more than a few at once.
pub(super) fn short_key_lists(action: &str, payload: &mut Fields) -> Option<Answer> {
    let keys = payload
        .get("key")
        .and_then(Value::as_array)
        .map_or(0, Vec::len);
    (action == "GetConfiguration" && !(1..=5).contains(&keys))
        .then_some(Answer::Error("InternalError"))
}

pub(super) fn no_connector_0_profiles(action: &str, payload: &mut Fields) -> Option<Answer> {
    let zero = payload.get("connectorId").and_then(Value::as_i64) == Some(0);
    (action == "SetChargingProfile" && zero).then(|| status("Rejected"))?
}

fn rate_unit(payload: &Fields) -> Option<&str> {
    payload.get("csChargingProfiles")?["chargingSchedule"]["chargingRateUnit"].as_str()
}

pub(super) fn only_amps(action: &str, payload: &mut Fields) -> Option<Answer> {
    (action == "SetChargingProfile" && rate_unit(payload) == Some("W"))
        .then(|| status("Rejected"))?
}

pub(super) fn only_watts(action: &str, payload: &mut Fields) -> Option<Answer> {
    (action == "SetChargingProfile" && rate_unit(payload) == Some("A"))
        .then(|| status("Rejected"))?
}

pub(super) fn no_soft_reset(action: &str, payload: &mut Fields) -> Option<Answer> {
    let soft = payload.get("type").and_then(Value::as_str) == Some("Soft");
    (action == "Reset" && soft).then(|| status("Rejected"))?
}

pub(super) fn fixed_cable(action: &str, _: &mut Fields) -> Option<Answer> {
    (action == "UnlockConnector").then(|| status("NotSupported"))?
}

pub(super) fn no_availability(action: &str, _: &mut Fields) -> Option<Answer> {
    (action == "ChangeAvailability").then_some(Answer::Error("NotImplemented"))
}

pub(super) fn no_trigger(action: &str, _: &mut Fields) -> Option<Answer> {
    (action == "TriggerMessage").then_some(Answer::Error("NotSupported"))
}

pub(super) fn remote_start_needs_connector(action: &str, payload: &mut Fields) -> Option<Answer> {
    let named = payload.contains_key("connectorId");
    (action == "RemoteStartTransaction" && !named).then(|| status("Rejected"))?
}

/// Accepts a short interval, and keeps to a minute.
pub(super) fn minute_samples(action: &str, payload: &mut Fields) -> Option<Answer> {
    let sampling = payload.get("key").and_then(Value::as_str) == Some("MeterValueSampleInterval");
    let value = payload.get("value").and_then(Value::as_str);
    let short = value
        .and_then(|text| text.parse::<u64>().ok())
        .is_some_and(|s| s < 60);
    if action == "ChangeConfiguration" && sampling && short {
        payload.insert("value".into(), json!("60"));
    }
    None
}

/// Values of configuration keys as JSON's own numbers and booleans, and lists with blanks.
pub(super) fn typed_configuration(action: &str, payload: &mut Fields) {
    if action != "GetConfiguration" {
        return;
    }
    let keys = payload
        .get_mut("configurationKey")
        .and_then(Value::as_array_mut);
    for key in keys.into_iter().flatten() {
        let typed = match key["value"].as_str() {
            Some("true") => json!(true),
            Some("false") => json!(false),
            Some(text) => match text.parse::<i64>() {
                Ok(number) => json!(number),
                Err(_) => json!(text.replace(',', " , ")),
            },
            None => continue,
        };
        key["value"] = typed;
    }
}
