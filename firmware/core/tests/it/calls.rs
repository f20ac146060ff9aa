//! What the server asks, and what it is told.

use evse_core::{Input, RebootKind};
use serde_json::{Value, json};

use crate::bench::{Bench, seconds};

fn status(word: &str) -> Value {
    json!({ "status": word })
}

#[test]
fn requests_are_answered_with_the_right_word() {
    let mut bench = Bench::booted();
    for (action, payload, expected) in [
        (
            "RemoteStopTransaction",
            json!({ "transactionId": 9 }),
            status("Rejected"),
        ),
        (
            "RemoteStartTransaction",
            json!({ "idTag": "A", "connectorId": 9 }),
            status("Rejected"),
        ),
        (
            "UnlockConnector",
            json!({ "connectorId": 9 }),
            status("NotSupported"),
        ),
        (
            "UnlockConnector",
            json!({ "connectorId": 1 }),
            status("Unlocked"),
        ),
        (
            "TriggerMessage",
            json!({ "requestedMessage": "Heartbeat" }),
            status("Accepted"),
        ),
        (
            "TriggerMessage",
            json!({ "requestedMessage": "FirmwareStatusNotification" }),
            status("Accepted"),
        ),
        (
            "TriggerMessage",
            json!({ "requestedMessage": "MeterValues", "connectorId": 9 }),
            status("Rejected"),
        ),
        (
            "ChangeConfiguration",
            json!({ "key": "HeartbeatInterval", "value": "60" }),
            status("Accepted"),
        ),
        (
            "ChangeConfiguration",
            json!({ "key": "Nonsense", "value": "60" }),
            status("NotSupported"),
        ),
        (
            "ChangeAvailability",
            json!({ "connectorId": 9, "type": "Operative" }),
            status("Rejected"),
        ),
        ("ClearCache", json!({}), status("Accepted")),
        (
            "DataTransfer",
            json!({ "vendorId": "x" }),
            status("UnknownVendorId"),
        ),
        (
            "SetChargingProfile",
            json!({}),
            json!("OccurenceConstraintViolation"),
        ),
        ("Dance", json!({}), json!("NotImplemented")),
        (
            "UnlockConnector",
            json!({}),
            json!("OccurenceConstraintViolation"),
        ),
        (
            "UnlockConnector",
            json!({ "connectorId": "one" }),
            json!("TypeConstraintViolation"),
        ),
        (
            "Reset",
            json!({ "type": "Warm" }),
            json!("PropertyConstraintViolation"),
        ),
    ] {
        assert_eq!(
            bench.call(action, payload.clone()),
            expected,
            "{action} {payload}"
        );
    }
}

#[test]
fn configuration_is_reported_whole_or_by_key() {
    let mut bench = Bench::booted();
    let all = bench.call("GetConfiguration", json!({}));
    let keys = all["configurationKey"].as_array().expect("a list");
    assert!(keys.len() >= 40);
    let answer = bench.call(
        "GetConfiguration",
        json!({ "key": ["NumberOfConnectors", "Colour"] }),
    );
    assert_eq!(
        answer,
        json!({ "configurationKey": [{ "key": "NumberOfConnectors", "readonly": true, "value": "2" }], "unknownKey": ["Colour"] })
    );
}

#[test]
fn a_remote_start_waits_for_the_plug() {
    let mut bench = Bench::booted();
    assert_eq!(
        bench.call(
            "RemoteStartTransaction",
            json!({ "idTag": "R1", "connectorId": 2 })
        ),
        status("Accepted")
    );
    assert!(bench.of("StartTransaction").is_empty());
    bench.give(Input::Plug(2));
    let start = &bench.of("StartTransaction")[0].payload;
    assert_eq!(
        (&start["idTag"], &start["connectorId"]),
        (&json!("R1"), &json!(2))
    );
}

#[test]
fn a_remote_start_without_a_connector_takes_the_plugged_one() {
    let mut bench = Bench::booted();
    bench.give(Input::Plug(2));
    bench.call("RemoteStartTransaction", json!({ "idTag": "R1" }));
    assert_eq!(bench.of("StartTransaction")[0].payload["connectorId"], 2);
}

#[test]
fn availability_waits_for_the_end_of_a_transaction_and_survives_a_reboot() {
    let mut bench = Bench::charging();
    let answer = bench.call(
        "ChangeAvailability",
        json!({ "connectorId": 0, "type": "Inoperative" }),
    );
    assert_eq!(answer, status("Scheduled"));
    bench.give(Input::Unplug(1));
    bench.received.clear();
    bench.power_cut();
    bench.advance(seconds(5));
    let statuses: Vec<_> = bench
        .of("StatusNotification")
        .iter()
        .map(|r| r.payload["status"].clone())
        .collect();
    assert_eq!(statuses, ["Unavailable", "Unavailable", "Unavailable"]);
    bench.call(
        "ChangeAvailability",
        json!({ "connectorId": 1, "type": "Operative" }),
    );
    assert_eq!(
        bench.received.last().expect("a status").payload["status"],
        "Available"
    );
}

#[test]
fn a_reset_is_answered_before_the_reboot_and_followed_by_a_boot() {
    for (kind, expected) in [("Soft", RebootKind::Soft), ("Hard", RebootKind::Hard)] {
        let mut bench = Bench::charging();
        assert_eq!(
            bench.call("Reset", json!({ "type": kind })),
            status("Accepted")
        );
        bench.advance(seconds(5));
        assert_eq!(bench.rebooted, Some(expected));
        assert!(bench.actions().contains(&"BootNotification"), "{kind}");
        assert_eq!(bench.of("StopTransaction").len(), 1, "{kind}");
    }
}

#[test]
fn triggered_meter_values_carry_their_context() {
    let mut bench = Bench::charging();
    bench.call(
        "TriggerMessage",
        json!({ "requestedMessage": "MeterValues", "connectorId": 1 }),
    );
    let sample = &bench.of("MeterValues")[0].payload["meterValue"][0]["sampledValue"][0];
    assert_eq!(sample["context"], "Trigger");
}

#[test]
fn clock_aligned_values_come_at_round_times() {
    let mut bench = Bench::charging();
    bench.call(
        "ChangeConfiguration",
        json!({ "key": "ClockAlignedDataInterval", "value": "900" }),
    );
    bench.call(
        "ChangeConfiguration",
        json!({ "key": "MeterValueSampleInterval", "value": "0" }),
    );
    bench.advance(seconds(1_900));
    let times: Vec<_> = bench
        .of("MeterValues")
        .iter()
        .filter(|r| r.payload["connectorId"] == 1)
        .map(|r| {
            r.payload["meterValue"][0]["timestamp"]
                .as_str()
                .expect("text")
                .to_owned()
        })
        .collect();
    assert!(
        times.contains(&"2025-11-20T14:00:00.000Z".to_owned()),
        "{times:?}"
    );
    assert!(
        times.contains(&"2025-11-20T14:15:00.000Z".to_owned()),
        "{times:?}"
    );
}
