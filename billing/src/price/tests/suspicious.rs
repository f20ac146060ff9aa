//! Sessions that a person must look at, and what breaks a price: nothing may, and none is ever below zero.

use super::*;

fn energy() -> Tariff {
    tariff(
        r#""elements": [{"components": [{"kind": "start", "price": "1"}, {"kind": "energy", "price": "0.50"}]}]"#,
    )
}

fn hour(start: i64, stop: i64, samples: &[(i64, i64)]) -> Charge {
    let from = "2026-03-02T09:00:00Z";
    let samples = samples.iter().map(|&(minute, wh)| Sample {
        at: utc(from) + TimeDelta::minutes(minute),
        energy_wh: Some(wh),
        power_w: None,
        source: None,
    });
    Charge {
        samples: samples.collect(),
        ..charge(from, "2026-03-02T10:00:00Z", start, stop)
    }
}

/// Its reasons, and its total, which is never below zero.
fn held(charge: &Charge) -> (Vec<String>, Decimal) {
    let priced = price(&energy(), charge, &berlin());
    assert!(
        priced.total >= Decimal::ZERO && priced.lines.iter().all(|line| line.net >= Decimal::ZERO),
        "{priced:?}"
    );
    (priced.reasons, priced.total)
}

#[test]
fn suspicious_sessions_are_held_and_nothing_is_made_up() {
    let charging = hour(1_000, 11_000, &[(30, 6_000)]);
    let missing = |start: Option<i64>, stop: Option<i64>, samples: Vec<Sample>| Charge {
        register_start_wh: start,
        register_stop_wh: stop,
        samples,
        ..charging.clone()
    };
    let flagged = |flag: &str| Charge {
        flags: vec![flag.to_owned()],
        ..charging.clone()
    };
    let power = |w: i64| {
        let minutes = (0..=60).map(|minute| Sample {
            at: charging.started_at + TimeDelta::minutes(minute),
            energy_wh: None,
            power_w: Some(w),
            source: None,
        });
        minutes.collect::<Vec<_>>()
    };
    // (why, charge, reasons, total)
    let table: Vec<(&str, Charge, &[&str], &str)> = vec![
        ("all is well", charging.clone(), &[], "6.00"),
        (
            "the register went back",
            hour(11_000, 1_000, &[]),
            &["meter-ran-backwards"],
            "1.00",
        ),
        (
            "it went back in between",
            hour(1_000, 11_000, &[(10, 5_000), (20, 4_000)]),
            &["meter-ran-backwards"],
            "6.00",
        ),
        (
            "before the start register",
            hour(1_000, 11_000, &[(10, 999)]),
            &["meter-ran-backwards"],
            "6.00",
        ),
        (
            "the stop is below the last sample",
            hour(1_000, 11_000, &[(50, 12_000)]),
            &["stop-below-sample"],
            "6.00",
        ),
        (
            "4 MW and more",
            hour(1_000, 6_000_000, &[]),
            &["over-registered"],
            "3000.50",
        ),
        (
            "more than the connector can",
            Charge {
                max_power_w: Some(7_400),
                ..charging.clone()
            },
            &["over-registered"],
            "6.00",
        ),
        (
            "as much as the connector can",
            Charge {
                max_power_w: Some(10_000),
                ..charging.clone()
            },
            &[],
            "6.00",
        ),
        (
            "a leap between two samples",
            Charge {
                max_power_w: Some(22_000),
                ..hour(0, 20_000, &[(10, 1_000), (11, 19_000)])
            },
            &["over-registered"],
            "11.00",
        ),
        (
            "ten times what the power was",
            Charge {
                samples: power(1_000),
                ..charging.clone()
            },
            &["over-registered"],
            "6.00",
        ),
        (
            "as the power was",
            Charge {
                samples: power(10_000),
                ..charging.clone()
            },
            &[],
            "6.00",
        ),
        (
            "no start register",
            missing(
                None,
                Some(11_000),
                vec![register("2026-03-02T09:30:00Z", 6_000)],
            ),
            &["no-start-register"],
            "3.50",
        ),
        (
            "no stop register",
            missing(
                Some(1_000),
                None,
                vec![register("2026-03-02T09:30:00Z", 6_000)],
            ),
            &["no-stop-register"],
            "3.50",
        ),
        (
            "no register at all",
            missing(None, None, vec![]),
            &["no-energy"],
            "1.00",
        ),
        (
            "only a start",
            missing(Some(1_000), None, vec![]),
            &["no-stop-register"],
            "1.00",
        ),
        (
            "only power",
            missing(None, None, power(10_000)),
            &[],
            "6.00",
        ),
        (
            "only power, with a hole",
            missing(None, None, power(10_000).into_iter().step_by(5).collect()),
            &["gap"],
            "1.00",
        ),
        (
            "power that begins late",
            missing(None, None, power(10_000).split_off(5)),
            &["gap"],
            "5.58",
        ),
        (
            "the clock",
            Charge {
                ended_at: Some(utc("2026-03-02T08:00:00Z")),
                ..hour(0, 0, &[])
            },
            &["ended-before-started"],
            "1.00",
        ),
        (
            "longer than a year",
            Charge {
                started_at: utc("1970-01-01T00:00:00Z"),
                ..hour(0, 0, &[])
            },
            &["too-long"],
            "1.00",
        ),
        (
            "a register that no meter has",
            hour(-1, i64::MAX, &[]),
            &["no-energy", "register-out-of-range"],
            "1.00",
        ),
        (
            "signed values",
            flagged("signed-value-invalid"),
            &["signed-value-invalid"],
            "6.00",
        ),
        (
            "an end that was concluded",
            flagged("superseded"),
            &["superseded"],
            "6.00",
        ),
        (
            "more than any connector delivers",
            flagged("meter-jumped"),
            &["meter-jumped"],
            "6.00",
        ),
        ("a flag of no matter", flagged("token-unknown"), &[], "6.00"),
    ];
    for (why, charge, reasons, total) in table {
        assert_eq!(
            held(&charge),
            (
                reasons.iter().map(|&reason| reason.to_owned()).collect(),
                dec(total)
            ),
            "{why}"
        );
    }
}

#[test]
fn samples_outside_and_of_no_use_change_nothing() {
    let plain = hour(1_000, 11_000, &[(30, 6_000)]);
    let mut noisy = plain.clone();
    let start = plain.started_at;
    let odd = |minutes: i64, energy_wh: Option<i64>, power_w: Option<i64>| Sample {
        at: start + TimeDelta::minutes(minutes),
        energy_wh,
        power_w,
        source: None,
    };
    noisy.samples.extend([
        odd(-5, Some(900), Some(7_000)),
        odd(65, Some(99_000), None),
        odd(15, None, None),
        odd(30, Some(6_000), Some(i64::MAX)),
        odd(0, Some(1_001), None),
        odd(60, Some(10_999), None),
    ]);
    let priced = price(&energy(), &noisy, &berlin());
    assert_eq!(priced.lines, price(&energy(), &plain, &berlin()).lines);
    assert_eq!(priced.reasons, Vec::<String>::new());
    assert_eq!(
        priced.flags,
        [
            "power-out-of-range",
            "sample-after-end",
            "sample-before-start",
        ]
    );
}

#[test]
fn two_readings_of_an_instant_count_once_whatever_their_order() {
    let mut charge = hour(1_000, 11_000, &[(30, 6_000), (30, 6_010), (40, 8_000)]);
    let first = price(&energy(), &charge, &berlin());
    charge.samples.reverse();
    let second = price(&energy(), &charge, &berlin());
    assert_eq!(first, second);
    assert_eq!(
        (first.total, first.flags.as_slice()),
        (dec("6.00"), &["contradictory-samples".to_owned()][..])
    );
}

#[test]
fn nothing_panics_at_the_ends_of_numbers_and_time() {
    let tariff = tariff(
        r#""tax_rate": "19", "prices_include_tax": true, "elements": [
            {"components": [{"kind": "start", "price": "1000000000"}, {"kind": "energy", "price": "1000000000"},
                            {"kind": "time", "price": "1000000000", "step_size": 1000000},
                            {"kind": "idle", "price": "0.000001", "grace_minutes": 10080}],
             "restrictions": {"weekdays": ["monday", "sunday"], "time_from": "23:59", "time_to": "00:01", "power_to_w": 1000000000,
                              "energy_to_wh": 1000000000000, "duration_to_s": 34560000, "source": "grid",
                              "season_from": "02-29", "season_to": "02-29"}},
            {"components": [{"kind": "energy", "price": "999999999.999999"}, {"kind": "time", "price": "1000000000"}]}
        ]"#,
    );
    let instants = [
        DateTime::<Utc>::MIN_UTC,
        DateTime::<Utc>::MAX_UTC,
        DateTime::UNIX_EPOCH,
        utc("2026-03-29T01:00:00Z"),
    ];
    let numbers = [i64::MIN, -1, 0, 1, 1_000_000_000_000_000, i64::MAX];
    let zones = [
        Tz::Europe__Berlin,
        Tz::Australia__Lord_Howe,
        Tz::Pacific__Apia,
    ];
    for zone in zones {
        let context = Context {
            zone,
            sample_interval: TimeDelta::MAX,
            ..berlin()
        };
        for from in instants {
            for to in instants {
                for wh in numbers {
                    let sample = |at, source| Sample {
                        at,
                        energy_wh: Some(wh),
                        power_w: Some(wh),
                        source,
                    };
                    let charge = Charge {
                        started_at: from,
                        ended_at: Some(to),
                        register_start_wh: Some(0),
                        register_stop_wh: Some(wh),
                        samples: vec![sample(from, Some(Source::Solar)), sample(to, None)],
                        idle_from: Some(from),
                        reservation: Some(Reservation {
                            from: to,
                            to: from,
                            expired: false,
                        }),
                        max_power_w: Some(wh),
                        ..charge("2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z", 0, 0)
                    };
                    let priced = price(&tariff, &charge, &context);
                    assert!(priced.total >= Decimal::ZERO);
                    assert_eq!(
                        priced.total,
                        priced.lines.iter().map(|line| line.total).sum()
                    );
                    charge.charging_ended();
                }
            }
        }
    }
}

#[test]
fn a_year_under_a_tariff_of_many_windows_is_priced() {
    let windows = (0..96).map(|quarter| {
        let time = |quarter: u16| crate::tariff::TimeOfDay::from_minutes(quarter * 15).unwrap();
        format!(
            r#"{{"components": [{{"kind": "energy", "price": "0.{quarter:02}"}}],
                "restrictions": {{"time_from": "{}", "time_to": "{}"}}}}"#,
            time(quarter),
            time(quarter + 1),
        )
    });
    let tariff = tariff(&format!(
        r#""elements": [{}]"#,
        windows.collect::<Vec<_>>().join(",")
    ));
    let charge = charge("2026-03-01T00:00:00Z", "2026-03-31T00:00:00Z", 0, 720_000);
    let priced = price(&tariff, &charge, &berlin());
    assert_eq!(priced.lines.len(), 96);
    assert!(!priced.is_held());
    let quantity: Decimal = priced.lines.iter().map(|line| line.quantity).sum();
    assert_eq!(quantity, dec("720"));
}

#[test]
fn a_tariff_that_was_never_checked_holds() {
    let mut tariff = energy();
    tariff.elements[0].components[1].price = crate::tariff::Price::Fixed(Decimal::NEGATIVE_ONE);
    let priced = price(&tariff, &hour(0, 1_000, &[]), &berlin());
    assert_eq!(
        (priced.reasons.as_slice(), priced.total),
        (&["tariff-unusable".to_owned()][..], Decimal::ZERO)
    );
}

#[test]
fn the_end_of_charging_is_the_last_rise() {
    let ended = |start, stop, samples: &[(i64, i64)]| {
        let mut charge = hour(start, stop, samples);
        charge.samples.reverse();
        charge
            .charging_ended()
            .map(|at| (at - charge.started_at).num_minutes())
    };
    assert_eq!(ended(0, 500, &[(10, 200), (20, 500), (40, 500)]), Some(20));
    assert_eq!(ended(0, 500, &[(10, 200)]), None, "it rose to the end");
    assert_eq!(ended(7, 7, &[(10, 7)]), None, "it never rose");

    let powers = |powers: &[(i64, i64)]| {
        let samples = powers.iter().map(|&(minute, w)| Sample {
            at: utc("2026-03-02T09:00:00Z") + TimeDelta::minutes(minute),
            energy_wh: None,
            power_w: Some(w),
            source: None,
        });
        let charge = Charge {
            register_start_wh: None,
            register_stop_wh: None,
            samples: samples.collect(),
            ..hour(0, 0, &[])
        };
        charge
            .charging_ended()
            .map(|at| (at - charge.started_at).num_minutes())
    };
    assert_eq!(powers(&[(1, 7000), (10, 7000), (20, 0), (40, 0)]), Some(20));
    assert_eq!(powers(&[(1, 7000), (20, 7000)]), None);
    assert_eq!(powers(&[]), None);
}
