//! A charge: starting, sampling, stopping; and the transaction messages' way through outages.

use evse_core::{
    Event, Input, Key,
    ocpp::msg16::{ErrorCode, Reason},
};
use serde_json::json;

use crate::bench::{Bench, Mode, seconds};

#[test]
fn a_charge_from_plug_to_unplug() {
    let mut bench = Bench::booted();
    bench.meter(1, 50_000);
    bench.give(Input::Plug(1));
    bench.swipe(1, "A1");
    assert!(bench.cp.energized(1));
    bench.meter(1, 51_000);
    bench.advance(seconds(60));
    bench.swipe(1, "A1");
    assert!(!bench.cp.energized(1));
    bench.give(Input::Unplug(1));
    assert_eq!(
        bench.actions(),
        [
            "StatusNotification",
            "Authorize",
            "StartTransaction",
            "StatusNotification",
            "MeterValues",
            "StopTransaction",
            "StatusNotification",
            "StatusNotification",
        ]
    );
    let statuses: Vec<_> = bench
        .of("StatusNotification")
        .iter()
        .map(|r| r.payload["status"].clone())
        .collect();
    assert_eq!(
        statuses,
        ["Preparing", "Charging", "Finishing", "Available"]
    );
    assert_eq!(
        bench.of("StartTransaction")[0].payload["meterStart"],
        50_000
    );
    let meter = &bench.of("MeterValues")[0].payload;
    assert_eq!(meter["transactionId"], 1001);
    assert_eq!(meter["meterValue"][0]["sampledValue"][0]["value"], "51000");
    let stop = &bench.of("StopTransaction")[0].payload;
    assert_eq!(
        (&stop["meterStop"], &stop["transactionId"], &stop["reason"]),
        (&json!(51_000), &json!(1001), &json!("Local"))
    );
}

#[test]
fn the_order_of_card_and_plug_does_not_matter_but_a_right_expires() {
    let mut bench = Bench::booted();
    bench.swipe(1, "A1");
    bench.advance(seconds(30));
    bench.give(Input::Plug(1));
    assert_eq!(bench.of("StartTransaction").len(), 1);
    let mut bench = Bench::booted();
    bench.swipe(1, "A1");
    bench.advance(seconds(61));
    bench.give(Input::Plug(1));
    assert!(
        bench.of("StartTransaction").is_empty(),
        "ConnectionTimeOut is 60 s"
    );
}

#[test]
fn what_ends_a_transaction_is_its_reason() {
    type End = fn(&mut Bench);
    let ends: [(End, Reason); 7] = [
        (|b| b.give(Input::Unplug(1)), Reason::EvDisconnected),
        (|b| b.give(Input::StopButton(1)), Reason::Local),
        (
            |b| b.give(Input::Fault(1, ErrorCode::GroundFailure)),
            Reason::Other,
        ),
        (
            |b| {
                b.call("RemoteStopTransaction", json!({ "transactionId": 1001 }));
            },
            Reason::Remote,
        ),
        (
            |b| {
                b.call("UnlockConnector", json!({ "connectorId": 1 }));
            },
            Reason::UnlockCommand,
        ),
        (
            |b| {
                b.call("Reset", json!({ "type": "Soft" }));
            },
            Reason::SoftReset,
        ),
        (
            |b| {
                b.call("Reset", json!({ "type": "Hard" }));
            },
            Reason::HardReset,
        ),
    ];
    for (end, reason) in ends {
        let mut bench = Bench::charging();
        end(&mut bench);
        bench.advance(seconds(1));
        let stops = bench.of("StopTransaction");
        assert_eq!(stops.len(), 1, "{reason:?}");
        assert_eq!(stops[0].payload["reason"], reason.as_str());
        assert!(!bench.cp.energized(1));
    }
}

#[test]
fn another_card_of_the_same_group_may_stop() {
    let mut bench = Bench::charging();
    bench.swipe(1, "STRANGER");
    assert_eq!(bench.actions(), ["Authorize"]);
    assert!(bench.cp.energized(1), "no common parent");
}

#[test]
fn a_tag_that_the_server_refuses_at_the_start_ends_the_charge() {
    let mut bench = Bench::booted();
    bench.give(Input::Plug(1));
    bench
        .cp
        .configure(Key::AuthorizeRemoteTxRequests, "false".to_owned());
    bench.tag_status = "Blocked";
    bench.call(
        "RemoteStartTransaction",
        json!({ "idTag": "A1", "connectorId": 1 }),
    );
    assert_eq!(
        bench.of("StopTransaction")[0].payload["reason"],
        "DeAuthorized"
    );
    let mut bench = Bench::booted();
    bench.give(Input::Plug(1));
    bench.call(
        "ChangeConfiguration",
        json!({ "key": "StopTransactionOnInvalidId", "value": "false" }),
    );
    bench.tag_status = "Blocked";
    bench.call(
        "RemoteStartTransaction",
        json!({ "idTag": "A1", "connectorId": 1 }),
    );
    assert!(bench.of("StopTransaction").is_empty() && !bench.cp.energized(1));
    assert_eq!(
        bench.of("StatusNotification").last().expect("one").payload["status"],
        "SuspendedEVSE"
    );
}

#[test]
fn an_offline_charge_is_replayed_with_its_own_times_and_the_servers_id() {
    let mut bench = Bench::booted();
    bench.give(Input::Plug(1));
    bench.swipe(1, "A1");
    bench.give(Input::Unplug(1));
    bench.advance(seconds(20));
    bench.received.clear();
    bench.network = false;
    bench.break_link();
    bench.give(Input::Plug(1));
    bench.swipe(1, "A1");
    let started = bench.now;
    bench.meter(1, 3_000);
    bench.advance(seconds(150));
    bench.meter(1, 4_000);
    bench.give(Input::Unplug(1));
    assert!(bench.received.is_empty());
    bench.network = true;
    bench.advance(seconds(300));
    let transaction: Vec<_> = bench
        .received
        .iter()
        .filter(|r| !matches!(r.action.as_str(), "StatusNotification" | "Heartbeat"))
        .collect();
    let names: Vec<_> = transaction.iter().map(|r| r.action.as_str()).collect();
    assert_eq!(
        names,
        [
            "StartTransaction",
            "MeterValues",
            "MeterValues",
            "StopTransaction"
        ]
    );
    let expected = evse_core::Utc(crate::bench::EPOCH + started.cast_signed()).to_string();
    assert_eq!(transaction[0].payload["timestamp"], expected);
    assert_eq!(transaction[1].payload["transactionId"], 1002);
    assert_eq!(transaction[3].payload["transactionId"], 1002);
    assert_eq!(transaction[3].payload["meterStop"], 4_000);
}

#[test]
fn offline_an_unknown_tag_does_not_charge_unless_allowed() {
    for (allowed, charges) in [("false", false), ("true", true)] {
        let mut bench = Bench::booted();
        bench
            .cp
            .configure(Key::AllowOfflineTxForUnknownId, allowed.to_owned());
        bench.network = false;
        bench.break_link();
        bench.give(Input::Plug(1));
        bench.swipe(1, "NEW");
        assert_eq!(bench.cp.energized(1), charges);
    }
}

#[test]
fn an_unanswered_message_is_sent_again_under_its_id() {
    let mut bench = Bench::charging();
    bench.mode = Mode::AnswersAreLost;
    bench.give(Input::Unplug(1));
    bench.restore(Mode::Answers);
    bench.advance(seconds(60));
    let stops = bench.of("StopTransaction");
    assert_eq!(stops.len(), 2);
    assert_eq!(stops[0].id, stops[1].id);
    assert_eq!(stops[0].payload, stops[1].payload);
}

#[test]
fn a_refused_message_is_tried_by_the_rule_of_1_6_and_then_set_aside() {
    let mut bench = Bench::booted();
    bench.mode = Mode::Refuses;
    bench.give(Input::Plug(1));
    bench.swipe(1, "A1");
    bench.advance(seconds(179));
    bench.give(Input::Unplug(1));
    bench.mode = Mode::Answers;
    bench.received.retain(|r| r.action == "StartTransaction");
    let times: Vec<u64> = bench.received.iter().map(|r| r.at / 1_000).collect();
    assert_eq!(
        times,
        [0, 60],
        "after 60 s; the third is due after 120 s more"
    );
    assert_ne!(
        bench.received[0].id, bench.received[1].id,
        "a refused message gets a new id"
    );
    bench.mode = Mode::Refuses;
    bench.advance(seconds(10));
    assert!(bench.events.contains(&Event::GaveUp("StartTransaction")));
    bench.mode = Mode::Answers;
    bench.advance(seconds(300));
    let stop = &bench.of("StopTransaction").last().expect("a stop").payload;
    assert_eq!(
        stop["transactionId"], -1,
        "errata 3.18: a stop without a known start"
    );
}

#[test]
fn after_a_power_cut_the_transaction_is_ended_at_its_last_reading() {
    let mut bench = Bench::charging();
    bench.meter(1, 52_345);
    bench.advance(seconds(60));
    let sampled = bench.now;
    bench.advance(seconds(20));
    bench.received.clear();
    bench.power_cut();
    bench.advance(seconds(10));
    assert_eq!(bench.actions()[0], "BootNotification");
    let stop = &bench.of("StopTransaction")[0].payload;
    assert_eq!(
        (&stop["reason"], &stop["meterStop"], &stop["transactionId"]),
        (&json!("PowerLoss"), &json!(52_345), &json!(1001))
    );
    assert_eq!(
        stop["timestamp"],
        evse_core::Utc(crate::bench::EPOCH + sampled.cast_signed()).to_string()
    );
}

#[test]
fn a_message_that_was_open_at_the_power_cut_keeps_its_id() {
    let mut bench = Bench::charging();
    bench.mode = Mode::AnswersAreLost;
    bench.give(Input::Unplug(1));
    bench.mode = Mode::Answers;
    bench.power_cut();
    bench.advance(seconds(10));
    let stops = bench.of("StopTransaction");
    assert_eq!(stops.len(), 2);
    assert_eq!(stops[0].id, stops[1].id);
}

#[test]
fn before_the_first_boot_times_are_settled_once_the_clock_is_known() {
    let mut bench = Bench::new();
    bench.network = false;
    bench
        .cp
        .configure(Key::AllowOfflineTxForUnknownId, "true".to_owned());
    bench.advance(seconds(100));
    bench.give(Input::Plug(1));
    bench.swipe(1, "A1");
    bench.advance(seconds(50));
    bench.network = true;
    bench.advance(seconds(300));
    let expected = evse_core::Utc(crate::bench::EPOCH + 100_000).to_string();
    assert_eq!(
        bench.of("StartTransaction")[0].payload["timestamp"],
        expected
    );
}
