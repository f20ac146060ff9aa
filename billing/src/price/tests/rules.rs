//! What holds when: steps, idle time, reservations, energy and power levels, lowest and highest prices. Examples with a
//! name are OCPI 2.2.1's (mod_tariffs, mod_cdrs), with their sums done by hand.

use super::*;

const MORNING: &str = "2026-03-02T09:00:00Z";

fn at(text: &str) -> String {
    format!("2026-03-02T{text}:00Z")
}

/// On a Monday in Berlin, times as UTC `HH:MM`.
fn monday(from: &str, to: &str, wh: i64) -> Charge {
    charge(&at(from), &at(to), 0, wh)
}

#[test]
fn energy_is_rounded_up_once_with_the_last_step() {
    // mod_cdrs, "step_size": 4.3 kWh before 17:00 at 0.20 and 1.1 kWh after at 0.27, both in blocks of 500 Wh: 5.4
    // become 5.5 kWh, and 1.2 kWh are after 17:00. 0.86 + 0.324.
    let tariff = tariff(
        r#""elements": [
            {"components": [{"kind": "energy", "price": "0.20", "step_size": 500}], "restrictions": {"time_to": "17:00"}},
            {"components": [{"kind": "energy", "price": "0.27", "step_size": 500}]}
        ]"#,
    );
    let charge = Charge {
        samples: vec![register(&at("16:00"), 4_300)],
        ..monday("15:00", "17:00", 5_400)
    };
    let priced = priced(&tariff, &charge);
    assert_eq!(
        said(&priced),
        ["energy 4.3 x 0.20 = 0.86", "energy 1.2 x 0.27 = 0.32"]
    );
    assert_eq!(priced.lines[1].rounded_up, dec("0.1"));
    assert_eq!(
        priced.energy_kwh,
        dec("5.4"),
        "what was charged is what was charged"
    );
}

#[test]
fn time_is_rounded_up_once_with_the_last_step() {
    // mod_cdrs, "step_size": 6 minutes before 17:00 at 5 an hour and 22 after at 7, in blocks of 10 minutes: 28 become
    // 30, 24 of them after 17:00. 0.50 + 2.80.
    let tariff = tariff(
        r#""elements": [
            {"components": [{"kind": "time", "price": "5", "step_size": 600, "while_charging": true}], "restrictions": {"time_to": "17:00"}},
            {"components": [{"kind": "time", "price": "7", "step_size": 600, "while_charging": true}]}
        ]"#,
    );
    let priced = priced(&tariff, &monday("15:54", "16:22", 0));
    assert_eq!(
        said(&priced),
        ["time 0.1 x 5 = 0.50", "time 0.4 x 7 = 2.80"]
    );
}

#[test]
fn charging_time_is_not_rounded_up_before_idle_time() {
    // mod_cdrs, "step_size": 21 minutes of charging at 1 an hour, then 16 idle at 2, in blocks of 10 minutes: the idle
    // time becomes 20 minutes. 0.35 + 0.67.
    let tariff = tariff(
        r#""elements": [{"components": [
            {"kind": "time", "price": "1", "step_size": 600, "while_charging": true},
            {"kind": "idle", "price": "2", "step_size": 600}
        ]}]"#,
    );
    let charge = Charge {
        idle_from: Some(utc(&at("09:21"))),
        ..monday("09:00", "09:37", 0)
    };
    let priced = priced(&tariff, &charge);
    assert_eq!(
        said(&priced),
        ["time 0.35 x 1 = 0.35", "idle 0.333333 x 2 = 0.67"]
    );
}

#[test]
fn time_goes_on_while_idle_unless_it_is_for_charging() {
    let tariff = tariff(
        r#""elements": [{"components": [
            {"kind": "time", "price": "3"}, {"kind": "idle", "price": "6", "grace_minutes": 15}
        ]}]"#,
    );
    // An hour, half of it idle, of which a quarter is free.
    let charge = Charge {
        idle_from: Some(utc(&at("09:30"))),
        ..monday("09:00", "10:00", 5_000)
    };
    assert_eq!(
        said(&priced(&tariff, &charge)),
        ["time 1 x 3 = 3.00", "idle 0.25 x 6 = 1.50"]
    );
    let quick = Charge {
        ended_at: Some(utc(&at("09:45"))),
        ..charge
    };
    assert_eq!(
        said(&priced(&tariff, &quick)),
        ["time 0.75 x 3 = 2.25"],
        "the grace is enough"
    );
}

#[test]
fn a_start_fee_is_what_it_is_when_the_session_starts() {
    let tariff = tariff(
        r#""elements": [
            {"components": [{"kind": "start", "price": "2"}], "restrictions": {"time_from": "08:00", "time_to": "20:00"}},
            {"components": [{"kind": "start", "price": "1"}]}
        ]"#,
    );
    // 08:00 in Berlin is 07:00 UTC in March.
    for (from, to, fee) in [
        ("06:59", "09:00", "1"),
        ("07:00", "09:00", "2"),
        ("18:59", "19:30", "2"),
        ("19:00", "19:30", "1"),
    ] {
        assert_eq!(
            priced(&tariff, &monday(from, to, 0)).total,
            dec(fee),
            "{from}"
        );
    }
    let empty = price(&tariff, &monday("09:00", "09:00", 0), &berlin());
    assert_eq!(
        (empty.total, empty.is_held()),
        (dec("2"), false),
        "a session of no length has started too"
    );
}

#[test]
fn energy_has_steps_that_are_met_at_the_wh() {
    let tariff = tariff(
        r#""elements": [
            {"components": [{"kind": "energy", "price": "0"}], "restrictions": {"energy_to_wh": 1000}},
            {"components": [{"kind": "energy", "price": "0.20"}, {"kind": "time", "price": "6"}], "restrictions": {"energy_to_wh": 7000}},
            {"components": [{"kind": "energy", "price": "0.50"}]}
        ]"#,
    );
    // 10 kWh in an hour: the seventh is full after 42 minutes. The first element has no time, so the second's counts
    // from the start.
    let priced = priced(&tariff, &monday("09:00", "10:00", 10_000));
    assert_eq!(
        said(&priced),
        [
            "energy 1 x 0 = 0.00",
            "energy 6 x 0.20 = 1.20",
            "energy 3 x 0.50 = 1.50",
            "time 0.7 x 6 = 4.20"
        ]
    );
}

#[test]
fn power_levels_are_those_between_two_readings() {
    // mod_tariffs, "Tariff with max_power Tariff Restrictions": 1 kWh at 6 kW, 40 kWh at 48 kW, 0.5 kWh at 4 kW at 0.20
    // below 16 kW, 0.35 below 32 kW, else 0.50. 0.20 + 20.00 + 0.10 = 20.30.
    let tariff = tariff(
        r#""elements": [
            {"components": [{"kind": "energy", "price": "0.20"}], "restrictions": {"power_to_w": 16000}},
            {"components": [{"kind": "energy", "price": "0.35"}], "restrictions": {"power_from_w": 16000, "power_to_w": 32000}},
            {"components": [{"kind": "energy", "price": "0.50"}]}
        ]"#,
    );
    let charge = Charge {
        samples: vec![
            register(&at("09:10"), 1_000),
            register(&at("10:00"), 41_000),
        ],
        ..charge(MORNING, "2026-03-02T10:07:30Z", 0, 41_500)
    };
    let priced = priced(&tariff, &charge);
    assert_eq!(
        said(&priced),
        ["energy 1.5 x 0.20 = 0.30", "energy 40 x 0.50 = 20.00"]
    );
    assert_eq!(priced.total, dec("20.30"));
}

#[test]
fn long_sessions_can_have_other_prices() {
    // mod_tariffs, "Tariff with max_duration Tariff Restrictions": free for 30 minutes, then 0.25, after an hour 0.40;
    // 5 kWh in the first 30 minutes and 1.2 kWh in the next 10. 0.30.
    let tariff = tariff(
        r#""elements": [
            {"components": [{"kind": "energy", "price": "0"}], "restrictions": {"duration_to_s": 1800}},
            {"components": [{"kind": "energy", "price": "0.25"}], "restrictions": {"duration_from_s": 1800, "duration_to_s": 3600}},
            {"components": [{"kind": "energy", "price": "0.40"}], "restrictions": {"duration_from_s": 3600}}
        ]"#,
    );
    let charge = Charge {
        samples: vec![register(&at("09:30"), 5_000)],
        ..monday("09:00", "09:40", 6_200)
    };
    assert_eq!(
        said(&priced(&tariff, &charge)),
        ["energy 5 x 0 = 0.00", "energy 1.2 x 0.25 = 0.30"]
    );
}

#[test]
fn the_lowest_price_is_reached_and_the_highest_not_passed() {
    // mod_tariffs, "0.25 euro per kWh + minimum price": 0.50 without and 0.55 with 10 % VAT.
    let least = tariff(
        r#""tax_rate": "10", "elements": [{"components": [{"kind": "energy", "price": "0.25", "step_size": 1}]}],
           "min_price": {"net": "0.50", "total": "0.55"}"#,
    );
    let amounts = |tariff: &Tariff, wh: i64| {
        let priced = priced(tariff, &monday("09:00", "11:00", wh));
        let lines = &priced.lines;
        assert_eq!(priced.net, lines.iter().map(|line| line.net).sum());
        assert_eq!(priced.tax, lines.iter().map(|line| line.tax).sum());
        assert_eq!(priced.total, priced.net + priced.tax);
        (priced.net.to_string(), priced.total.to_string())
    };
    let pair = |net: &str, total: &str| (net.to_owned(), total.to_owned());
    assert_eq!(amounts(&least, 20_000), pair("5.00", "5.50"));
    assert_eq!(amounts(&least, 1_999), pair("0.50", "0.55"));
    assert_eq!(amounts(&least, 1_000), pair("0.50", "0.55"));
    assert_eq!(
        amounts(&least, 0),
        pair("0.50", "0.55"),
        "with the tax of what it would have been"
    );

    // mod_tariffs, "0.25 euro per kWh + start fee + max price": 10 without and 11 with VAT, start fee 0.50 + 20 %.
    let most = tariff(
        r#""tax_rate": "10", "elements": [{"components": [
            {"kind": "start", "price": "0.50", "tax_rate": "20"}, {"kind": "energy", "price": "0.25"}]}],
           "max_price": {"net": "10", "total": "11"}"#,
    );
    assert_eq!(amounts(&most, 50_000), pair("10.00", "11.00"));
    assert_eq!(amounts(&most, 30_000), pair("8.00", "8.85"));

    let gross = tariff(
        r#""tax_rate": "19", "prices_include_tax": true, "elements": [{"components": [{"kind": "energy", "price": "0.50"}]}],
           "min_price": {"total": "1"}, "max_price": {"total": "5"}"#,
    );
    assert_eq!(amounts(&gross, 1_000), pair("0.84", "1.00"));
    assert_eq!(amounts(&gross, 100_000), pair("4.20", "5.00"));
    assert_eq!(amounts(&gross, 4_000), pair("1.68", "2.00"));
}

#[test]
fn reservations_end_with_a_session_or_without() {
    // mod_tariffs, "reservation price and expire fee": 4.00 when it expires, 2.00 an hour in blocks of 10 minutes, start
    // 0.50, energy 0.25 + 10 %; the others + 20 %.
    let tariff = tariff(
        r#""tax_rate": "20", "elements": [
            {"components": [{"kind": "reservation_fee", "price": "4"}], "restrictions": {"reservation_expired": true}},
            {"components": [{"kind": "reservation", "price": "2", "step_size": 600}]},
            {"components": [{"kind": "start", "price": "0.50"}, {"kind": "energy", "price": "0.25", "tax_rate": "10"}]}
        ]"#,
    );
    // Started 22 minutes after the reservation, 20 kWh: 1.00 + 0.50 + 5.00 = 6.50, with VAT 7.30.
    let used = Charge {
        reservation: Some(Reservation {
            from: utc(&at("08:38")),
            to: utc(&at("09:00")),
            expired: false,
        }),
        ..monday("09:00", "11:00", 20_000)
    };
    let priced_used = priced(&tariff, &used);
    assert_eq!(
        (priced_used.net, priced_used.total),
        (dec("6.50"), dec("7.30"))
    );
    // Expired after an hour: 4.00 + 2.00 = 6.00, with VAT 7.20; nothing started.
    let expired = Charge {
        reservation: Some(Reservation {
            from: utc(&at("08:00")),
            to: utc(&at("09:00")),
            expired: true,
        }),
        ended_at: None,
        ..monday("09:00", "09:00", 0)
    };
    let priced_expired = priced(&tariff, &expired);
    assert_eq!(
        (priced_expired.net, priced_expired.total),
        (dec("6.00"), dec("7.20"))
    );
    // mod_tariffs, "reservation time and expire time": 3 an hour, 6 when it expires; 1.5 h are 9.00, with VAT 10.80.
    let dearer = r#""tax_rate": "20", "elements": [
        {"components": [{"kind": "reservation", "price": "3"}]},
        {"components": [{"kind": "reservation", "price": "6"}], "restrictions": {"reservation_expired": true}}
    ]"#;
    let longer = Charge {
        reservation: Some(Reservation {
            from: utc(&at("07:30")),
            to: utc(&at("09:00")),
            expired: true,
        }),
        ..expired
    };
    let priced_longer = priced(&super::tariff(dearer), &longer);
    assert_eq!(
        (priced_longer.net, priced_longer.total),
        (dec("9.00"), dec("10.80")),
        "it is asked first, wherever it stands"
    );
    // One that goes on into the session is over when that starts.
    let over = Charge {
        reservation: Some(Reservation {
            from: utc(&at("08:00")),
            to: utc(&at("23:00")),
            expired: false,
        }),
        ..monday("09:00", "11:00", 0)
    };
    assert_eq!(priced(&super::tariff(dearer), &over).net, dec("3.00"));
}

#[test]
fn an_active_session_costs_what_it_would_if_it_ended_now() {
    let tariff = tariff(
        r#""elements": [{"components": [
            {"kind": "start", "price": "1"}, {"kind": "energy", "price": "0.50"}, {"kind": "time", "price": "6"}]}]"#,
    );
    let active = Charge {
        ended_at: None,
        register_stop_wh: None,
        samples: vec![register(&at("09:20"), 4_000), register(&at("09:10"), 2_000)],
        ..monday("09:00", "11:00", 0)
    };
    assert_eq!(
        priced(&tariff, &active).total,
        dec("5.00"),
        "until its last sample: 1 + 2 + 2"
    );
    let now = Charge {
        now: Some(utc(&at("09:30"))),
        ..active.clone()
    };
    assert_eq!(
        priced(&tariff, &now).total,
        dec("6.00"),
        "until now: what is not measured yet costs its time"
    );
    let earlier = Charge {
        now: Some(utc(&at("09:15"))),
        ..active.clone()
    };
    assert_eq!(priced(&tariff, &earlier).total, dec("3.50"), "1 + 1 + 1.5");
    let power_only = Charge {
        samples: vec![
            power(&at("09:00"), 6_000, None),
            power(&at("09:01"), 6_000, None),
            power(&at("09:02"), 0, None),
        ],
        ..active.clone()
    };
    // 100 Wh and 50 Wh; 0.075 and 0.20 for two minutes.
    assert_eq!(priced(&tariff, &power_only).total, dec("1.28"));
    let nothing = Charge {
        samples: Vec::new(),
        ..active
    };
    assert_eq!(priced(&tariff, &nothing).total, dec("1.00"));
}

#[test]
fn what_no_element_holds_for_costs_nothing() {
    let tariff = tariff(
        r#""elements": [{"components": [{"kind": "energy", "price": "1"}], "restrictions": {"weekdays": ["sunday"]}}]"#,
    );
    let priced = priced(&tariff, &monday("09:00", "10:00", 9_000));
    assert_eq!((priced.lines.len(), priced.total), (0, Decimal::ZERO));
}
