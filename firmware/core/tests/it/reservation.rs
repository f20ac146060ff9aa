//! Reservations: who may use them, and how they end.

use evse_core::{Input, Utc, ocpp::msg16::ErrorCode};
use serde_json::{Value, json};

use crate::bench::{Bench, EPOCH, seconds};

fn until(bench: &Bench, ahead_s: i64) -> String {
    Utc(EPOCH + bench.now.cast_signed() + ahead_s * 1_000).to_string()
}

fn reserve(bench: &mut Bench, id: i64, connector: u32, tag: &str) -> Value {
    let expiry = until(bench, 600);
    let request = json!({ "connectorId": connector, "expiryDate": expiry, "idTag": tag, "reservationId": id });
    bench.call("ReserveNow", request)["status"].clone()
}

fn last_status(bench: &Bench, connector: u32) -> Value {
    let of = bench.of("StatusNotification");
    let last = of.iter().rfind(|r| r.payload["connectorId"] == connector);
    last.expect("a status").payload["status"].clone()
}

#[test]
fn a_reserved_connector_serves_its_tag_and_the_start_names_the_reservation() {
    let mut bench = Bench::booted();
    assert_eq!(reserve(&mut bench, 5, 1, "R1"), "Accepted");
    assert_eq!(last_status(&bench, 1), "Reserved");
    bench.give(Input::Plug(1));
    bench.swipe(1, "X9");
    assert!(bench.of("StartTransaction").is_empty(), "kept for R1");
    bench.swipe(1, "R1");
    let start = &bench.of("StartTransaction")[0].payload;
    assert_eq!(
        (&start["reservationId"], &start["idTag"]),
        (&json!(5), &json!("R1"))
    );
    bench.give(Input::Unplug(1));
    assert_eq!(last_status(&bench, 1), "Available", "used up");
}

#[test]
fn a_tag_of_the_group_may_use_it() {
    let mut bench = Bench::booted();
    let expiry = until(&bench, 600);
    let request = json!({ "connectorId": 2, "expiryDate": expiry, "idTag": "R1", "parentIdTag": "G", "reservationId": 6 });
    bench.call("ReserveNow", request);
    bench.scripted = vec![(
        "Authorize".to_owned(),
        r#"{"idTagInfo":{"status":"Accepted","parentIdTag":"G"}}"#.to_owned(),
    )];
    bench.give(Input::Plug(2));
    bench.swipe(2, "OTHER");
    assert_eq!(bench.of("StartTransaction")[0].payload["reservationId"], 6);
}

#[test]
fn it_ends_by_expiry_by_cancelling_and_by_a_fault() {
    let mut bench = Bench::booted();
    reserve(&mut bench, 1, 1, "R1");
    bench.advance(seconds(599));
    assert_eq!(last_status(&bench, 1), "Reserved");
    bench.advance(seconds(2));
    assert_eq!(last_status(&bench, 1), "Available");

    reserve(&mut bench, 2, 1, "R1");
    let cancel = |bench: &mut Bench, id| {
        bench.call("CancelReservation", json!({ "reservationId": id }))["status"].clone()
    };
    assert_eq!(cancel(&mut bench, 9), "Rejected");
    assert_eq!(last_status(&bench, 1), "Reserved");
    assert_eq!(cancel(&mut bench, 2), "Accepted");
    assert_eq!(last_status(&bench, 1), "Available");

    reserve(&mut bench, 3, 1, "R1");
    bench.give(Input::Fault(1, ErrorCode::GroundFailure));
    bench.give(Input::Fault(1, ErrorCode::NoError));
    assert_eq!(last_status(&bench, 1), "Available");
    assert_eq!(cancel(&mut bench, 3), "Rejected");
}

#[test]
fn what_cannot_be_reserved_says_why() {
    let mut bench = Bench::booted();
    bench.give(Input::Plug(1));
    assert_eq!(reserve(&mut bench, 1, 1, "R1"), "Occupied");
    bench.give(Input::Unplug(1));
    bench.give(Input::Fault(1, ErrorCode::GroundFailure));
    assert_eq!(reserve(&mut bench, 1, 1, "R1"), "Faulted");
    bench.give(Input::Fault(1, ErrorCode::NoError));
    bench.call(
        "ChangeAvailability",
        json!({ "connectorId": 1, "type": "Inoperative" }),
    );
    assert_eq!(reserve(&mut bench, 1, 1, "R1"), "Unavailable");
    assert_eq!(reserve(&mut bench, 1, 9, "R1"), "Rejected");
    let past = json!({ "connectorId": 2, "expiryDate": until(&bench, -1), "idTag": "R", "reservationId": 1 });
    assert_eq!(bench.call("ReserveNow", past)["status"], "Rejected");
    let nonsense =
        json!({ "connectorId": 2, "expiryDate": "soon", "idTag": "R", "reservationId": 1 });
    assert_eq!(
        bench.call("ReserveNow", nonsense),
        json!("PropertyConstraintViolation")
    );
}

#[test]
fn connector_0_keeps_one_free_for_its_tag() {
    let mut bench = Bench::booted();
    assert_eq!(reserve(&mut bench, 1, 0, "R1"), "Accepted");
    assert_eq!(reserve(&mut bench, 2, 0, "R2"), "Accepted");
    assert_eq!(
        reserve(&mut bench, 3, 0, "R3"),
        "Occupied",
        "two connectors"
    );
    bench.call("CancelReservation", json!({ "reservationId": 2 }));
    bench.give(Input::Plug(1));
    bench.swipe(1, "X1");
    assert_eq!(bench.of("StartTransaction").len(), 1, "one stays free");
    bench.give(Input::Plug(2));
    bench.swipe(2, "X2");
    assert_eq!(bench.of("StartTransaction").len(), 1, "the last is R1's");
    bench.swipe(2, "R1");
    assert_eq!(bench.of("StartTransaction")[1].payload["reservationId"], 1);
}

#[test]
fn it_survives_a_power_cut() {
    let mut bench = Bench::booted();
    reserve(&mut bench, 1, 2, "R1");
    bench.received.clear();
    bench.power_cut();
    bench.advance(seconds(5));
    assert_eq!(last_status(&bench, 2), "Reserved");
}
