//! The local list and the cache: whom the charge point lets in without asking.

use evse_core::{Input, Key};
use serde_json::{Value, json};

use crate::bench::{Bench, Mode, seconds};

fn list(version: i64, kind: &str, tags: Value) -> Value {
    json!({ "listVersion": version, "updateType": kind, "localAuthorizationList": tags })
}

fn accepted(tag: &str) -> Value {
    json!({ "idTag": tag, "idTagInfo": { "status": "Accepted", "expiryDate": "2030-01-01T00:00:00Z" } })
}

fn starts_offline(bench: &mut Bench, tag: &str) -> bool {
    bench.network = false;
    bench.break_link();
    bench.give(Input::Plug(1));
    bench.swipe(1, tag);
    let charging = bench.cp.energized(1);
    bench.give(Input::Unplug(1));
    bench.network = true;
    bench.advance(seconds(300));
    charging
}

#[test]
fn versions_are_kept_over_a_reboot() {
    let mut bench = Bench::booted();
    let version =
        |bench: &mut Bench| bench.call("GetLocalListVersion", json!({}))["listVersion"].clone();
    assert_eq!(version(&mut bench), 0);
    let answer = bench.call("SendLocalList", list(3, "Full", json!([accepted("L1")])));
    assert_eq!(answer["status"], "Accepted");
    let answer = bench.call("SendLocalList", list(3, "Differential", json!([])));
    assert_eq!(answer["status"], "VersionMismatch");
    bench.power_cut();
    bench.advance(seconds(5));
    assert_eq!(version(&mut bench), 3);
}

#[test]
fn a_listed_tag_charges_offline_and_an_unlisted_one_does_not() {
    let mut bench = Bench::booted();
    let tags = json!([accepted("L1"), { "idTag": "L2", "idTagInfo": { "status": "Blocked" } }]);
    bench.call("SendLocalList", list(1, "Full", tags));
    assert!(starts_offline(&mut bench, "L1"));
    assert!(!starts_offline(&mut bench, "L2"));
    assert!(!starts_offline(&mut bench, "X"));
    let change = json!([{ "idTag": "L1" }]);
    bench.call("ClearCache", json!({}));
    bench.call("SendLocalList", list(2, "Differential", change));
    assert!(!starts_offline(&mut bench, "L1"), "taken off the list");
}

#[test]
fn with_pre_authorization_a_listed_tag_is_not_asked_for() {
    let mut bench = Bench::booted();
    bench
        .cp
        .configure(Key::LocalPreAuthorize, "true".to_owned());
    bench.call("SendLocalList", list(1, "Full", json!([accepted("L1")])));
    bench.received.clear();
    bench.give(Input::Plug(1));
    bench.swipe(1, "L1");
    assert!(bench.of("Authorize").is_empty());
    assert_eq!(bench.of("StartTransaction").len(), 1);
}

#[test]
fn a_cleared_cache_knows_nobody_and_a_kept_one_survives_the_power_cut() {
    let mut bench = Bench::booted();
    bench.give(Input::Plug(1));
    bench.swipe(1, "C1");
    bench.give(Input::Unplug(1));
    bench.power_cut();
    bench.advance(seconds(5));
    assert!(starts_offline(&mut bench, "C1"));
    assert_eq!(bench.call("ClearCache", json!({}))["status"], "Accepted");
    assert!(!starts_offline(&mut bench, "C1"));
    bench
        .cp
        .configure(Key::AuthorizationCacheEnabled, "false".to_owned());
    assert_eq!(bench.call("ClearCache", json!({}))["status"], "Rejected");
}

#[test]
fn without_the_profile_there_is_no_list() {
    let mut bench = Bench::booted();
    bench
        .cp
        .configure(Key::SupportedFeatureProfiles, "Core".to_owned());
    assert_eq!(
        bench.call("GetLocalListVersion", json!({}))["listVersion"],
        -1
    );
    let answer = bench.call("SendLocalList", list(1, "Full", json!([])));
    assert_eq!(answer["status"], "NotSupported");
    let answer = bench.call("CancelReservation", json!({ "reservationId": 1 }));
    assert_eq!(answer, json!("NotSupported"));
}

#[test]
fn a_long_refused_tag_gets_the_energy_that_is_allowed_and_no_more() {
    let mut bench = Bench::booted();
    bench
        .cp
        .configure(Key::StopTransactionOnInvalidId, "false".to_owned());
    bench
        .cp
        .configure(Key::MaxEnergyOnInvalidId, "500".to_owned());
    bench
        .cp
        .configure(Key::LocalPreAuthorize, "true".to_owned());
    bench.call("SendLocalList", list(1, "Full", json!([accepted("L1")])));
    bench.tag_status = "Invalid";
    bench.meter(1, 1_000);
    bench.give(Input::Plug(1));
    bench.swipe(1, "L1");
    assert!(bench.cp.energized(1));
    bench.meter(1, 1_500);
    bench.advance(seconds(1));
    assert!(!bench.cp.energized(1));
    assert!(bench.of("StopTransaction").is_empty());
    assert_eq!(bench.mode, Mode::Answers);
}
