//! Smart charging: what is accepted, what is composed of it, and that the charge point obeys.

use evse_core::{Input, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::bench::{Bench, EPOCH, seconds};

fn profile(id: i64, level: u32, purpose: &str, unit: &str, periods: &[(u32, f64)]) -> Value {
    let periods: Vec<_> = periods
        .iter()
        .map(|(start, limit)| json!({ "startPeriod": start, "limit": limit }))
        .collect();
    json!({
        "chargingProfileId": id, "stackLevel": level, "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": { "chargingRateUnit": unit, "chargingSchedulePeriod": periods,
                              "startSchedule": Utc(EPOCH).to_string() },
    })
}

fn set(bench: &mut Bench, connector: u32, profile: Value) -> Value {
    let request = json!({ "connectorId": connector, "csChargingProfiles": profile });
    bench.call("SetChargingProfile", request)["status"].clone()
}

fn offered(bench: &Bench, connector: u32) -> (u32, u32) {
    let last = bench.offers.iter().rfind(|(of, _)| *of == connector);
    last.map(|(_, offer)| (offer.current_da, offer.power_w))
        .expect("an offer")
}

fn composite(bench: &mut Bench, connector: u32, duration: u32, unit: &str) -> Vec<(u64, f64)> {
    let request =
        json!({ "connectorId": connector, "duration": duration, "chargingRateUnit": unit });
    let answer = bench.call("GetCompositeSchedule", request);
    assert_eq!(answer["status"], "Accepted");
    let periods = answer["chargingSchedule"]["chargingSchedulePeriod"].as_array();
    periods
        .expect("periods")
        .iter()
        .map(|p| {
            (
                p["startPeriod"].as_u64().expect("s"),
                p["limit"].as_f64().expect("limit"),
            )
        })
        .collect()
}

#[test]
fn the_offer_follows_the_schedule() {
    let mut bench = Bench::charging();
    assert_eq!(offered(&bench, 1), (320, 22_080));
    let ahead = (bench.now / 1_000) as u32;
    let default = profile(
        1,
        0,
        "TxDefaultProfile",
        "A",
        &[(0, 16.0), (ahead + 600, 10.5)],
    );
    assert_eq!(set(&mut bench, 0, default), "Accepted");
    assert_eq!(offered(&bench, 1), (160, 11_040));
    bench.advance(seconds(601));
    assert_eq!(offered(&bench, 1), (105, 7_245));
    bench.meter(1, 60_000);
    bench.call(
        "TriggerMessage",
        json!({ "requestedMessage": "MeterValues", "connectorId": 1 }),
    );
    let samples =
        bench.of("MeterValues").last().expect("one").payload["meterValue"][0]["sampledValue"]
            .to_string();
    assert!(samples.contains(r#""value":"7245""#), "{samples}");
}

#[test]
fn the_highest_level_wins_and_a_transactions_own_profile_above_all() {
    let mut bench = Bench::charging();
    set(
        &mut bench,
        0,
        profile(1, 0, "TxDefaultProfile", "A", &[(0, 20.0)]),
    );
    set(
        &mut bench,
        1,
        profile(2, 1, "TxDefaultProfile", "A", &[(0, 13.0)]),
    );
    assert_eq!(offered(&bench, 1).0, 130);
    assert_eq!(offered(&bench, 2).0, 200);
    let mut tx = profile(3, 0, "TxProfile", "W", &[(0, 5000.0)]);
    tx["transactionId"] = json!(999);
    assert_eq!(
        set(&mut bench, 1, tx.clone()),
        "Rejected",
        "no such transaction"
    );
    tx["transactionId"] = json!(1001);
    assert_eq!(set(&mut bench, 1, tx.clone()), "Accepted");
    assert_eq!(offered(&bench, 1), (72, 5_000));
    assert_eq!(set(&mut bench, 2, tx), "Rejected", "nothing runs there");
    bench.give(Input::Unplug(1));
    bench.give(Input::Plug(1));
    bench.swipe(1, "A1");
    assert_eq!(offered(&bench, 1).0, 130, "its profile ended with it");
}

#[test]
fn the_charge_points_limit_is_shared_and_too_little_pauses() {
    let mut bench = Bench::charging();
    set(
        &mut bench,
        0,
        profile(1, 0, "ChargePointMaxProfile", "W", &[(0, 8000.0)]),
    );
    assert_eq!(offered(&bench, 1).1, 8_000);
    assert!(bench.cp.energized(1));
    bench.give(Input::Plug(2));
    bench.swipe(2, "B2");
    bench.advance(seconds(1));
    // 4 kW each over three phases is 5.8 A: less than a vehicle can be offered.
    assert_eq!((offered(&bench, 1).1, offered(&bench, 2).1), (0, 0));
    assert!(!bench.cp.energized(1));
    let last = bench.of("StatusNotification").last().expect("one").payload["status"].clone();
    assert_eq!(last, "SuspendedEVSE");
    let clear = json!({ "chargingProfilePurpose": "ChargePointMaxProfile" });
    assert_eq!(
        bench.call("ClearChargingProfile", clear.clone())["status"],
        "Accepted"
    );
    assert!(bench.cp.energized(1) && bench.cp.energized(2));
    assert_eq!(
        bench.call("ClearChargingProfile", clear)["status"],
        "Unknown"
    );
}

#[test]
fn a_remote_start_brings_its_profile() {
    let mut bench = Bench::booted();
    let tx = profile(9, 2, "TxProfile", "A", &[(0, 8.0)]);
    let answer = bench.call(
        "RemoteStartTransaction",
        json!({ "idTag": "R1", "connectorId": 1, "chargingProfile": tx }),
    );
    assert_eq!(answer["status"], "Accepted");
    assert_eq!(offered(&bench, 1).0, 320);
    bench.give(Input::Plug(1));
    bench.advance(1);
    assert_eq!(offered(&bench, 1).0, 80);
    let wrong = profile(9, 2, "TxDefaultProfile", "A", &[(0, 8.0)]);
    let answer = bench.call(
        "RemoteStartTransaction",
        json!({ "idTag": "R1", "connectorId": 2, "chargingProfile": wrong }),
    );
    assert_eq!(answer["status"], "Rejected");
}

#[test]
fn the_composite_schedule_is_the_least_of_all_that_holds() {
    let mut bench = Bench::charging();
    let ahead = (bench.now / 1_000) as u32;
    set(
        &mut bench,
        0,
        profile(
            1,
            0,
            "TxDefaultProfile",
            "A",
            &[(0, 16.0), (ahead + 100, 24.0), (ahead + 200, 8.0)],
        ),
    );
    set(
        &mut bench,
        0,
        profile(2, 0, "ChargePointMaxProfile", "A", &[(0, 20.0)]),
    );
    let periods = composite(&mut bench, 1, 300, "A");
    assert_eq!(
        periods.iter().map(|p| p.1).collect::<Vec<_>>(),
        [16.0, 20.0, 8.0]
    );
    assert_eq!(composite(&mut bench, 0, 300, "W"), [(0, 13_800.0)]);
    let answer = bench.call(
        "GetCompositeSchedule",
        json!({ "connectorId": 7, "duration": 60 }),
    );
    assert_eq!(answer, json!({ "status": "Rejected" }));
}

#[test]
fn a_daily_schedule_comes_again_and_outlives_a_power_cut() {
    let mut bench = Bench::booted();
    let mut daily = profile(1, 0, "TxDefaultProfile", "A", &[(0, 10.0), (3_600, 30.0)]);
    daily["chargingProfileKind"] = json!("Recurring");
    assert_eq!(
        set(&mut bench, 0, daily.clone()),
        "Rejected",
        "how does it recur?"
    );
    daily["recurrencyKind"] = json!("Daily");
    assert_eq!(set(&mut bench, 0, daily), "Accepted");
    bench.power_cut();
    for _ in 0..3 {
        bench.advance(seconds(1_800));
        assert_eq!(offered(&bench, 1).0, 100);
        bench.advance(seconds(3_600));
        assert_eq!(offered(&bench, 1).0, 300);
        bench.advance(seconds(86_400 - 5_400));
    }
}

#[test]
fn what_makes_no_sense_is_rejected() {
    let mut bench = Bench::charging();
    let good = profile(1, 0, "TxDefaultProfile", "A", &[(0, 16.0)]);
    let bad = |change: &dyn Fn(&mut Value)| {
        let mut copy = good.clone();
        change(&mut copy);
        copy
    };
    let many: Vec<_> = (0..49).map(|n| (n * 60, 16.0)).collect();
    for (connector, request) in [
        (9, good.clone()),
        (1, profile(1, 0, "ChargePointMaxProfile", "A", &[(0, 16.0)])),
        (1, profile(1, 99, "TxDefaultProfile", "A", &[(0, 16.0)])),
        (1, profile(1, 0, "TxDefaultProfile", "A", &[(60, 16.0)])),
        (
            1,
            profile(1, 0, "TxDefaultProfile", "A", &[(0, 16.0), (0, 8.0)]),
        ),
        (1, profile(1, 0, "TxDefaultProfile", "A", &[(0, -1.0)])),
        (1, profile(1, 0, "TxDefaultProfile", "A", &[])),
        (1, profile(1, 0, "TxDefaultProfile", "A", &many)),
        (
            1,
            bad(&|p| {
                p["validFrom"] = json!("2030-01-01T00:00:00Z");
                p["validTo"] = json!("2029-01-01T00:00:00Z");
            }),
        ),
    ] {
        assert_eq!(
            set(&mut bench, connector, request.clone()),
            "Rejected",
            "{request}"
        );
    }
    for n in 0..24 {
        let level = n % 10;
        let connector = n / 10;
        assert_eq!(
            set(
                &mut bench,
                connector,
                profile(i64::from(n), level, "TxDefaultProfile", "A", &[(0, 16.0)])
            ),
            "Accepted"
        );
    }
    assert_eq!(
        set(
            &mut bench,
            2,
            profile(77, 9, "TxDefaultProfile", "A", &[(0, 16.0)])
        ),
        "Rejected",
        "full"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// At every moment the offer is what the composite schedule said before, and never above any limit set.
    #[test]
    fn what_is_offered_is_what_was_foretold(
        default in prop::collection::vec((1u32..40, 60i64..320), 1..5),
        whole in prop::collection::vec((1u32..40, 60i64..320), 1..5),
    ) {
        let mut bench = Bench::charging();
        let schedule = |parts: &[(u32, i64)]| {
            let mut at = 0;
            parts.iter().map(|(minutes, tenths)| {
                let period = (at, *tenths as f64 / 10.0);
                at += minutes * 60;
                period
            }).collect::<Vec<_>>()
        };
        let (default, whole) = (schedule(&default), schedule(&whole));
        prop_assert_eq!(set(&mut bench, 1, profile(1, 0, "TxDefaultProfile", "A", &default)), "Accepted");
        prop_assert_eq!(set(&mut bench, 0, profile(2, 0, "ChargePointMaxProfile", "A", &whole)), "Accepted");
        let periods = composite(&mut bench, 1, 14_400, "A");
        let mut at = 0;
        for (start, limit) in periods {
            bench.advance(seconds(start - at));
            at = start;
            prop_assert_eq!(f64::from(offered(&bench, 1).0) / 10.0, limit);
        }
    }
}
