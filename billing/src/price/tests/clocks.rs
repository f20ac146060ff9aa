//! Fault plan R22: windows on days of 23, 24½ and 25 hours, in zones that put their clocks forward and back in different
//! ways. Every session draws 1 kW exactly, so that its energy is its time and both must be split alike.

use super::*;

/// Night from 01:00 to 03:00 and the rest, as energy (1 per kWh) and as time (1 per hour).
const NIGHT: &str = r#""elements": [
    {"components": [{"kind": "energy", "price": "1"}, {"kind": "time", "price": "1"}],
     "restrictions": {"time_from": "01:00", "time_to": "03:00"}},
    {"components": [{"kind": "energy", "price": "1"}, {"kind": "time", "price": "1"}]}
]"#;

/// Hours in the first element's windows and outside of them, by energy, which must be the same by time.
fn hours(tariff: &Tariff, zone: Tz, from: &str, to: &str) -> (String, String) {
    let (start, end) = (utc(from), utc(to));
    let wh = (end - start).num_seconds() * 1000 / 3600;
    let charge = charge(from, to, 0, wh);
    let priced = price(tariff, &charge, &Context { zone, ..berlin() });
    assert!(!priced.is_held(), "{priced:?}");
    let of = |kind: LineKind, element: usize| {
        let mut lines = priced.lines.iter();
        let line = lines.find(|line| line.kind == kind && line.element == Some(element));
        line.map_or(Decimal::ZERO, |line| line.quantity).to_string()
    };
    let by_energy = (of(LineKind::Energy, 0), of(LineKind::Energy, 1));
    let by_time = (of(LineKind::Time, 0), of(LineKind::Time, 1));
    assert_eq!(by_energy, by_time, "{zone} {from} {to}");
    assert_eq!(
        dec(&by_time.0) + dec(&by_time.1),
        Decimal::from((end - start).num_seconds()) / dec("3600"),
        "nothing is lost and nothing twice"
    );
    by_energy
}

#[test]
fn a_night_is_as_long_as_the_clock_says() {
    let night = tariff(NIGHT);
    // (zone, local day's beginning, its end, hours in 01:00-03:00, the others)
    let table = [
        (
            Tz::Europe__Berlin,
            "2026-03-27T23:00:00Z",
            "2026-03-28T23:00:00Z",
            "2",
            "22",
            "a common day",
        ),
        (
            Tz::Europe__Berlin,
            "2026-03-28T23:00:00Z",
            "2026-03-29T22:00:00Z",
            "1",
            "22",
            "23 hours: 02:00 is 03:00",
        ),
        (
            Tz::Europe__Berlin,
            "2026-10-24T22:00:00Z",
            "2026-10-25T23:00:00Z",
            "3",
            "22",
            "25 hours: 02:00 comes twice",
        ),
        (
            Tz::America__Anchorage,
            "2026-03-08T09:00:00Z",
            "2026-03-09T08:00:00Z",
            "1",
            "22",
            "23 hours",
        ),
        (
            Tz::America__Anchorage,
            "2026-11-01T08:00:00Z",
            "2026-11-02T09:00:00Z",
            "3",
            "22",
            "25 hours: 01:00 comes twice",
        ),
        (
            Tz::Australia__Lord_Howe,
            "2026-10-03T13:30:00Z",
            "2026-10-04T13:00:00Z",
            "1.5",
            "22",
            "02:00 is 02:30",
        ),
        (
            Tz::Australia__Lord_Howe,
            "2026-04-04T13:00:00Z",
            "2026-04-05T13:30:00Z",
            "2.5",
            "22",
            "01:30 comes twice",
        ),
        (
            Tz::UTC,
            "2026-03-29T00:00:00Z",
            "2026-03-30T00:00:00Z",
            "2",
            "22",
            "no clock is put anywhere",
        ),
    ];
    for (zone, from, to, inside, outside, why) in table {
        assert_eq!(
            hours(&night, zone, from, to),
            (inside.into(), outside.into()),
            "{zone}: {why}"
        );
    }
}

#[test]
fn sessions_across_the_change_are_split_at_the_instant() {
    let night = tariff(NIGHT);
    let berlin = |from, to| hours(&night, Tz::Europe__Berlin, from, to);
    // 00:30 to 03:30 on the clock are two hours in March and four in October.
    assert_eq!(
        berlin("2026-03-28T23:30:00Z", "2026-03-29T01:30:00Z"),
        ("1".into(), "1".into())
    );
    assert_eq!(
        berlin("2026-10-24T22:30:00Z", "2026-10-25T02:30:00Z"),
        ("3".into(), "1".into())
    );
    // Wholly within the hour that comes twice, first and second time.
    assert_eq!(
        berlin("2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"),
        ("1".into(), "0".into())
    );
    assert_eq!(
        berlin("2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"),
        ("1".into(), "0".into())
    );
}

#[test]
fn an_hour_that_comes_twice_has_the_price_of_its_clock_each_time() {
    // 02:30-03:00 on the clock comes twice in October and never in March.
    let half = tariff(&NIGHT.replace("01:00", "02:30"));
    let berlin = |from, to| hours(&half, Tz::Europe__Berlin, from, to);
    assert_eq!(
        berlin("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
        ("1".into(), "24".into())
    );
    assert_eq!(
        berlin("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"),
        ("0".into(), "23".into())
    );
    // Lord Howe: from 02:30 to 03:00 once, though the clock jumps from 02:00 to 02:30.
    let lord_howe = |from, to| hours(&half, Tz::Australia__Lord_Howe, from, to);
    assert_eq!(
        lord_howe("2026-10-03T13:30:00Z", "2026-10-04T13:00:00Z"),
        ("0.5".into(), "23".into())
    );
}

#[test]
fn windows_go_across_midnight_and_days_are_those_of_the_instant() {
    let friday = tariff(
        r#""elements": [
            {"components": [{"kind": "energy", "price": "1"}, {"kind": "time", "price": "1"}],
             "restrictions": {"weekdays": ["friday"], "time_from": "22:00", "time_to": "06:00"}},
            {"components": [{"kind": "energy", "price": "1"}, {"kind": "time", "price": "1"}]}
        ]"#,
    );
    // 2026-03-06 is a Friday. From Thursday 20:00 to Saturday 08:00 local: Friday 00-06 and 22-24.
    let split = hours(
        &friday,
        Tz::Europe__Berlin,
        "2026-03-05T19:00:00Z",
        "2026-03-07T07:00:00Z",
    );
    assert_eq!(split, ("8".into(), "28".into()));
}

#[test]
fn seasons_dates_and_holidays_begin_and_end_at_local_midnight() {
    let rest =
        r#"{"components": [{"kind": "energy", "price": "1"}, {"kind": "time", "price": "1"}]}"#;
    let split = |restrictions: &str, from: &str, to: &str| {
        let first = rest.replace("}]}", &format!(r#"}}], "restrictions": {restrictions}}}"#));
        hours(
            &tariff(&format!(r#""elements": [{first}, {rest}]"#)),
            Tz::Europe__Berlin,
            from,
            to,
        )
    };
    let winter = r#"{"season_from": "11-01", "season_to": "02-28"}"#;
    // In the leap year 2028 the 29th is no winter. Local midnight is 23:00 UTC.
    assert_eq!(
        split(winter, "2028-02-28T21:00:00Z", "2028-02-29T01:00:00Z"),
        ("2".into(), "2".into())
    );
    assert_eq!(
        split(winter, "2026-12-31T21:00:00Z", "2027-01-01T01:00:00Z"),
        ("4".into(), "0".into())
    );
    let days = r#"{"date_from": "2026-05-01", "date_to": "2026-05-02"}"#;
    assert_eq!(
        split(days, "2026-04-30T12:00:00Z", "2026-05-03T12:00:00Z"),
        ("48".into(), "24".into())
    );
    for (holidays, inside, outside) in [("only", "24", "0"), ("never", "0", "24")] {
        let tariff = tariff(&format!(
            r#""elements": [
                {{"components": [{{"kind": "time", "price": "1"}}], "restrictions": {{"holidays": "{holidays}"}}}},
                {{"components": [{{"kind": "time", "price": "0"}}]}}
            ]"#
        ));
        let context = Context {
            holidays: BTreeSet::from(["2026-05-01".parse().unwrap()]),
            ..berlin()
        };
        let priced = price(
            &tariff,
            &charge("2026-04-30T22:00:00Z", "2026-05-01T22:00:00Z", 0, 0),
            &context,
        );
        let of = |element| {
            let line = priced
                .lines
                .iter()
                .find(|line| line.element == Some(element));
            line.map_or("0".to_owned(), |line| line.quantity.to_string())
        };
        assert_eq!(
            (of(0), of(1)),
            (inside.into(), outside.into()),
            "{holidays}"
        );
    }
}

#[test]
fn hours_of_a_feed_are_utc_and_none_is_made_up() {
    let tariff = tariff(
        r#""elements": [{"components": [{"kind": "energy",
            "price": {"feed": "spot", "factor": "1.5", "surcharge": "0.10"}}]}]"#,
    );
    let hours = [
        ("2026-10-25T00:00:00Z", "0.10"),
        ("2026-10-25T01:00:00Z", "0.20"),
        ("2026-10-25T02:00:00Z", "-0.30"),
    ];
    let feed = Feed(
        hours
            .iter()
            .map(|(hour, price)| (utc(hour), dec(price)))
            .collect(),
    );
    let context = Context {
        feeds: BTreeMap::from([("spot".to_owned(), feed)]),
        ..berlin()
    };
    // 02:00-04:00 on the clock, which are three hours: each at its own price, and none below zero.
    let charge = charge("2026-10-25T00:30:00Z", "2026-10-25T02:30:00Z", 0, 4_000);
    let priced = price(&tariff, &charge, &context);
    assert_eq!(
        said(&priced),
        [
            "energy 1 x 0.250 = 0.25",
            "energy 2 x 0.400 = 0.80",
            "energy 1 x 0 = 0.00"
        ]
    );
    assert!(!priced.is_held());
    assert!(priced.flags.contains(&"price-below-zero".to_owned()));

    let late = Charge {
        ended_at: Some(utc("2026-10-25T03:30:00Z")),
        ..charge
    };
    let held = price(&tariff, &late, &context);
    assert_eq!(held.reasons, ["no-price"]);
    let nothing = price(&tariff, &late, &berlin());
    assert_eq!(
        (nothing.reasons.as_slice(), nothing.total),
        (&["no-price".to_owned()][..], Decimal::ZERO)
    );
}
