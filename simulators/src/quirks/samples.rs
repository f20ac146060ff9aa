//! Changes to meter values: registers, units, numbers, phases and contexts.

use serde_json::{Value, json};

use super::{
    Fields, Memory,
    changes::{moments, set},
};

/// Every sample.
fn each_sample(payload: &mut Fields, mut change: impl FnMut(&mut Fields)) {
    for moment in moments(payload) {
        let samples = moment.get_mut("sampledValue").and_then(Value::as_array_mut);
        let samples = samples.into_iter().flatten();
        samples
            .filter_map(Value::as_object_mut)
            .for_each(&mut change);
    }
}

fn is_energy(sample: &Fields) -> bool {
    let measurand = sample.get("measurand").and_then(Value::as_str);
    measurand.is_none_or(|name| name.starts_with("Energy."))
}

/// The value of every energy sample, as text.
pub(super) fn each_energy(payload: &mut Fields, mut change: impl FnMut(f64) -> String) {
    each_sample(payload, |sample| {
        let number = sample["value"].as_str().and_then(|text| text.parse().ok());
        if let (true, Some(number)) = (is_energy(sample), number) {
            sample.insert("value".into(), json!(change(number)));
        }
    });
}

/// Every register: meterStart, meterStop and energy samples.
fn each_register(payload: &mut Fields, mut change: impl FnMut(i64) -> i64) {
    for name in ["meterStart", "meterStop"] {
        if let Some(wh) = payload.get(name).and_then(Value::as_i64) {
            payload.insert(name.into(), json!(change(wh)));
        }
    }
    each_energy(payload, |wh| change(wh as i64).to_string());
}

pub(super) fn no_meter_timestamps(_: &str, payload: &mut Fields, _: &mut Memory) {
    for moment in moments(payload) {
        moment.remove("timestamp");
    }
}

pub(super) fn no_tx_id(action: &str, payload: &mut Fields, _: &mut Memory) {
    if action == "MeterValues" {
        payload.remove("transactionId");
    }
}

pub(super) fn zero_tx_id(action: &str, payload: &mut Fields, _: &mut Memory) {
    if payload.contains_key("transactionId") {
        set(payload, action, "MeterValues", "transactionId", json!(0));
    }
}

/// The register falls to zero after so many Wh more.
const ROLLOVER_WH: i64 = 1_000;

pub(super) fn meter_rollover(_: &str, payload: &mut Fields, memory: &mut Memory) {
    each_register(payload, |wh| {
        let first = *memory.first_wh.get_or_insert(wh);
        wh % (first + ROLLOVER_WH)
    });
}

pub(super) fn meter_reset(action: &str, payload: &mut Fields, memory: &mut Memory) {
    each_register(payload, |wh| {
        let first = *memory.first_wh.get_or_insert(wh);
        if action == "StartTransaction" {
            wh
        } else {
            wh - first
        }
    });
}

pub(super) fn meter_start_zero(action: &str, payload: &mut Fields, _: &mut Memory) {
    set(payload, action, "StartTransaction", "meterStart", json!(0));
}

pub(super) fn no_begin_sample(_: &str, payload: &mut Fields, _: &mut Memory) {
    for moment in moments(payload) {
        if let Some(samples) = moment.get_mut("sampledValue").and_then(Value::as_array_mut) {
            samples.retain(|sample| sample["context"] != "Transaction.Begin");
        }
    }
}

pub(super) fn wh_as_kwh_string(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_sample(payload, |sample| {
        if is_energy(sample) {
            sample.insert("unit".into(), json!("kWh"));
        }
    });
    each_energy(payload, |wh| format!("{:.3}", wh / 1000.0));
}

pub(super) fn kwh_unlabelled(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_sample(payload, |sample| {
        if is_energy(sample) {
            sample.remove("unit");
        }
    });
    each_energy(payload, |wh| format!("{:.3}", wh / 1000.0));
}

pub(super) fn apparent_units(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_sample(payload, |sample| {
        if is_energy(sample) {
            sample.insert("unit".into(), json!("VAh"));
        }
    });
}

pub(super) fn empty_units(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_sample(payload, |sample| {
        sample.insert("unit".into(), json!(""));
    });
}

pub(super) fn comma_decimals(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_sample(payload, |sample| {
        if let Some(text) = sample["value"].as_str().map(|text| text.replace('.', ",")) {
            sample.insert("value".into(), json!(text));
        }
    });
}

pub(super) fn numeric_values(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_sample(payload, |sample| {
        let number = sample["value"]
            .as_str()
            .and_then(|text| text.parse::<f64>().ok());
        if let Some(number) = number {
            sample.insert("value".into(), json!(number));
        }
    });
}

pub(super) fn nan_values(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_sample(payload, |sample| {
        if !is_energy(sample) {
            sample.insert("value".into(), json!("nan"));
        }
    });
}

pub(super) fn empty_meter_values(_: &str, payload: &mut Fields, _: &mut Memory) {
    for moment in moments(payload) {
        moment.insert("sampledValue".into(), json!([]));
    }
}

pub(super) fn phase_l1_n(_: &str, payload: &mut Fields, _: &mut Memory) {
    each_sample(payload, |sample| {
        if sample["measurand"] == "Current.Import" {
            sample.insert("phase".into(), json!("L1-N"));
        }
    });
}

pub(super) fn per_phase_only(_: &str, payload: &mut Fields, _: &mut Memory) {
    for moment in moments(payload) {
        let Some(samples) = moment.get_mut("sampledValue").and_then(Value::as_array_mut) else {
            continue;
        };
        *samples = samples.drain(..).flat_map(by_phase).collect();
    }
}

/// A current or voltage as one sample a phase; a power as a third of it on each.
fn by_phase(sample: Value) -> Vec<Value> {
    let part = match sample["measurand"].as_str() {
        Some("Current.Import" | "Voltage") => 1.0,
        Some("Power.Active.Import") => 1.0 / 3.0,
        _ => return vec![sample],
    };
    let number = sample["value"]
        .as_str()
        .and_then(|text| text.parse::<f64>().ok());
    let value = number.map_or_else(String::new, |number| format!("{:.1}", number * part));
    ["L1", "L2", "L3"]
        .into_iter()
        .map(|phase| {
            let mut copy = sample.clone();
            copy["phase"] = json!(phase);
            copy["value"] = json!(value);
            copy
        })
        .collect()
}

pub(super) fn clock_and_periodic(_: &str, payload: &mut Fields, _: &mut Memory) {
    for (_, value) in payload.iter_mut().filter(|(name, _)| *name == "meterValue") {
        let Some(moments) = value.as_array_mut() else {
            continue;
        };
        let clock = moments.iter().cloned().map(|mut moment| {
            for sample in moment["sampledValue"].as_array_mut().into_iter().flatten() {
                sample["context"] = json!("Sample.Clock");
            }
            moment
        });
        let mixed: Vec<Value> = clock.chain(moments.iter().cloned()).collect();
        *moments = mixed;
    }
}
