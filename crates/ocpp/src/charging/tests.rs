//! Worked stacks, and what must be true of every stack.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

const NOON: &str = "2026-11-20T12:00:00Z";

/// Noon, an hour, watts, at connector 1, where transaction 7 began at half past eleven.
fn question() -> Question {
    Question {
        connector: 1,
        from: time(NOON),
        seconds: 3600,
        watts: true,
        supply: Supply::default(),
        transaction: Some((7, time("2026-11-20T11:30:00Z"))),
    }
}

fn profile(
    purpose: &str,
    stack: i64,
    unit: &str,
    periods: &[(i64, i64)],
    more: Value,
) -> ChargingProfile {
    let periods: Vec<Value> = periods
        .iter()
        .map(|(start, limit)| json!({"startPeriod": start, "limit": limit}))
        .collect();
    let mut text = json!({
        "chargingProfileId": 1, "stackLevel": stack, "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": unit, "chargingSchedulePeriod": periods,
                             "startSchedule": "2026-11-20T00:00:00Z"},
    });
    for (name, value) in more.as_object().unwrap() {
        match name.as_str() {
            "duration" | "startSchedule" => text["chargingSchedule"][name] = value.clone(),
            _ => text[name] = value.clone(),
        }
    }
    serde_json::from_str(&text.to_string()).unwrap()
}

fn steps(held: &[(i64, ChargingProfile)], question: &Question) -> Vec<(i64, Option<String>)> {
    let held: Vec<Held<'_>> = held
        .iter()
        .map(|(connector, profile)| Held {
            connector: *connector,
            profile,
            set_at: time("2026-11-20T11:45:00Z"),
        })
        .collect();
    composite(&held, question)
        .into_iter()
        .map(|step| (step.start, step.limit.map(|limit| limit.to_string())))
        .collect()
}

fn limit(start: i64, limit: &str) -> (i64, Option<String>) {
    (start, Some(limit.to_owned()))
}

#[test]
fn nothing_limits_without_profiles() {
    assert_eq!(steps(&[], &question()), [(0, None)]);
}

#[test]
fn the_highest_stack_leads_and_the_lower_one_takes_over_when_it_ends() {
    let low = profile("TxDefaultProfile", 0, "W", &[(0, 5000)], json!({}));
    let high = profile(
        "TxDefaultProfile",
        3,
        "W",
        &[(0, 7000), (600, 3000)],
        json!({"startSchedule": NOON, "duration": 1800}),
    );
    assert_eq!(
        steps(&[(1, low), (1, high)], &question()),
        [limit(0, "7000"), limit(600, "3000"), limit(1800, "5000")]
    );
}

#[test]
fn a_tx_profile_stands_over_the_default_and_the_station_caps_both() {
    let default = profile("TxDefaultProfile", 9, "W", &[(0, 3000)], json!({}));
    let own = profile(
        "TxProfile",
        0,
        "W",
        &[(0, 11_000)],
        json!({"transactionId": 7}),
    );
    let others = profile("TxProfile", 5, "W", &[(0, 1)], json!({"transactionId": 8}));
    let cap = profile(
        "ChargePointMaxProfile",
        0,
        "W",
        &[(0, 20_000), (43_800, 9000)],
        json!({}),
    );
    let held = [(1, default), (1, own), (1, others), (0, cap)];
    assert_eq!(
        steps(&held, &question()),
        [limit(0, "11000"), limit(600, "9000")]
    );
    let idle = Question {
        transaction: None,
        ..question()
    };
    assert_eq!(
        steps(&held, &idle),
        [limit(0, "3000")],
        "no transaction, no TxProfile"
    );
    let whole = Question {
        connector: 0,
        ..question()
    };
    assert_eq!(
        steps(&held, &whole),
        [limit(0, "20000"), limit(600, "9000")]
    );
}

#[test]
fn of_equal_defaults_the_connectors_own_leads() {
    let all = profile("TxDefaultProfile", 1, "W", &[(0, 5000)], json!({}));
    let own = profile("TxDefaultProfile", 1, "W", &[(0, 8000)], json!({}));
    assert_eq!(
        steps(&[(0, all.clone()), (1, own.clone())], &question()),
        [limit(0, "8000")]
    );
    assert_eq!(
        steps(&[(0, all), (2, own)], &question()),
        [limit(0, "5000")]
    );
}

#[test]
fn kinds_begin_where_they_say() {
    let relative = profile(
        "TxProfile",
        0,
        "W",
        &[(0, 1000), (2400, 2000)],
        json!({"chargingProfileKind": "Relative"}),
    );
    assert_eq!(
        steps(&[(1, relative)], &question()),
        [limit(0, "1000"), limit(600, "2000")],
        "from the transaction's start, half an hour ago"
    );
    let daily = profile(
        "TxDefaultProfile",
        0,
        "W",
        &[(0, 4000), (1800, 6000)],
        json!({"chargingProfileKind": "Recurring", "recurrencyKind": "Daily",
               "startSchedule": "2026-11-01T11:45:00Z", "duration": 3600}),
    );
    assert_eq!(
        steps(&[(1, daily.clone())], &question()),
        [limit(0, "4000"), limit(900, "6000"), (2700, None)]
    );
    let long = Question {
        seconds: 25 * 3600,
        ..question()
    };
    assert_eq!(
        steps(&[(1, daily)], &long)[3..],
        [limit(85_500, "4000"), limit(87_300, "6000"), (89_100, None)],
        "and again the next day"
    );
    let since_set = profile(
        "TxDefaultProfile",
        0,
        "W",
        &[(0, 1), (1800, 2)],
        json!({"startSchedule": null}),
    );
    assert_eq!(
        steps(&[(1, since_set)], &question()),
        [limit(0, "1"), limit(900, "2")]
    );
}

#[test]
fn validity_is_from_inclusive_to_exclusive() {
    let bounded = profile(
        "TxDefaultProfile",
        0,
        "W",
        &[(0, 4000)],
        json!({"validFrom": "2026-11-20T12:10:00Z", "validTo": "2026-11-20T12:20:00Z"}),
    );
    assert_eq!(
        steps(&[(1, bounded)], &question()),
        [(0, None), limit(600, "4000"), (1200, None)]
    );
}

#[test]
fn watts_and_amperes_are_turned_by_voltage_and_phases_and_never_up() {
    let amperes = profile("TxDefaultProfile", 0, "A", &[(0, 16)], json!({}));
    assert_eq!(
        steps(&[(1, amperes.clone())], &question()),
        [limit(0, "11040")]
    );
    let mut one_phase = amperes;
    one_phase.charging_schedule.charging_schedule_period[0].number_phases = Some(1);
    assert_eq!(steps(&[(1, one_phase)], &question()), [limit(0, "3680")]);
    let watts = profile("TxDefaultProfile", 0, "W", &[(0, 7000)], json!({}));
    let asked = Question {
        watts: false,
        ..question()
    };
    assert_eq!(
        steps(&[(1, watts)], &asked),
        [limit(0, "10.1")],
        "10.14 rounded down"
    );
}

fn any_profile() -> impl Strategy<Value = (i64, ChargingProfile)> {
    let purpose = prop_oneof![
        Just("ChargePointMaxProfile"),
        Just("TxDefaultProfile"),
        Just("TxProfile")
    ];
    let kind = prop_oneof![Just("Absolute"), Just("Relative"), Just("Recurring")];
    let unit = prop_oneof![Just("A"), Just("W")];
    let periods = prop::collection::vec((0i64..5000, 0i64..30_000), 1..4);
    let start = 0i64..172_800;
    let optional = |range: std::ops::Range<i64>| prop::option::of(range);
    (
        (purpose, kind, unit, 0i64..4, 0i64..3),
        (
            periods,
            start,
            optional(1..5000),
            optional(-4000..4000),
            optional(-4000..8000),
        ),
    )
        .prop_map(
            |(
                (purpose, kind, unit, stack, connector),
                (mut periods, start, duration, from, to),
            )| {
                periods.sort_unstable();
                let at =
                    |second: i64| crate::Timestamp::from(time(NOON) + TimeDelta::seconds(second));
                let mut profile = profile(
                    purpose,
                    stack,
                    unit,
                    &periods,
                    json!({"chargingProfileKind": kind, "recurrencyKind": "Daily"}),
                );
                profile.charging_schedule.start_schedule = Some(at(start - 172_800));
                profile.charging_schedule.duration = duration;
                profile.valid_from = from.map(at);
                profile.valid_to = to.map(at);
                let connector = if purpose == "ChargePointMaxProfile" {
                    0
                } else {
                    connector
                };
                (connector, profile)
            },
        )
}

proptest! {
    #[test]
    fn the_steps_say_at_every_second_what_holds_then(
        held in prop::collection::vec(any_profile(), 0..6),
        second in 0i64..3600,
        watts in any::<bool>(),
    ) {
        let held: Vec<Held<'_>> = held
            .iter()
            .map(|(connector, profile)| Held { connector: *connector, profile, set_at: time(NOON) })
            .collect();
        let question = Question { watts, ..question() };
        let steps = composite(&held, &question);
        prop_assert_eq!(steps[0].start, 0);
        let step = steps.iter().rfind(|step| step.start <= second).unwrap();
        let at = question.from + TimeDelta::seconds(second);
        prop_assert_eq!(step.limit, limit_at(&held, &question, at));
    }

    #[test]
    fn no_limit_is_above_the_leading_one_of_any_purpose_that_applies(
        held in prop::collection::vec(any_profile(), 1..6),
        second in 0i64..3600,
    ) {
        let held: Vec<Held<'_>> = held
            .iter()
            .map(|(connector, profile)| Held { connector: *connector, profile, set_at: time(NOON) })
            .collect();
        let question = question();
        let at = question.from + TimeDelta::seconds(second);
        let limit = limit_at(&held, &question, at);
        let of = |purpose: ChargingProfilePurpose| {
            let speak = held.iter().filter(|held| {
                held.profile.charging_profile_purpose == purpose
                    && applies(held, &question)
                    && period_at(held, &question, at).is_some()
            });
            let top = speak.clone().map(|held| held.profile.stack_level).max();
            let top = speak.filter(|held| Some(held.profile.stack_level) == top);
            let limits: Vec<Decimal> = top
                .filter_map(|held| in_unit(held, period_at(held, &question, at)?, &question))
                .collect();
            limits
        };
        let caps = of(ChargingProfilePurpose::ChargePointMaxProfile);
        let own = of(ChargingProfilePurpose::TxProfile);
        let defaults = of(ChargingProfilePurpose::TxDefaultProfile);
        if let Some(cap) = caps.iter().max() {
            prop_assert!(limit.is_some_and(|limit| limit <= *cap), "above the station's own limit");
        }
        let leads = if own.is_empty() { &defaults } else { &own };
        match leads.iter().max() {
            Some(lead) => prop_assert!(limit.is_some_and(|limit| limit <= *lead)),
            None => prop_assert_eq!(limit.is_none(), caps.is_empty()),
        }
        if let Some(limit) = limit {
            prop_assert!(caps.contains(&limit) || leads.contains(&limit), "invented");
        }
    }
}
