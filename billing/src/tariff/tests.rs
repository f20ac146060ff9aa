//! What a tariff looks like in JSON, and what is wrong with wrong ones.

use serde_json::{Value, json};

use super::*;

const EVERYTHING: &str = r#"{
    "currency": "EUR",
    "prices_include_tax": true,
    "tax_rate": "19",
    "elements": [
        {
            "components": [
                {"kind": "start", "price": "1.00"},
                {"kind": "energy", "price": {"feed": "day-ahead", "factor": "1.1", "surcharge": "0.12"}, "step_size": 100},
                {"kind": "time", "price": "3.00", "tax_rate": "7", "step_size": 60, "while_charging": true},
                {"kind": "idle", "price": "6.00", "grace_minutes": 15}
            ],
            "restrictions": {
                "weekdays": ["friday", "saturday"],
                "time_from": "22:00",
                "time_to": "06:00",
                "season_from": "11-01",
                "season_to": "02-29",
                "date_from": "2026-01-01",
                "date_to": "2026-12-31",
                "holidays": "never",
                "power_from_w": 11000,
                "power_to_w": 50000,
                "energy_to_wh": 20000,
                "duration_to_s": 7200,
                "source": "solar"
            }
        },
        {
            "components": [
                {"kind": "reservation_fee", "price": "2.00"},
                {"kind": "reservation", "price": "5.00"}
            ],
            "restrictions": {"reservation_expired": true}
        },
        {"components": [{"kind": "energy", "price": "0.45"}]}
    ],
    "min_price": {"net": "0.50", "total": "0.60"},
    "max_price": {"total": "80.00"}
}"#;

/// Finds what is wrong with [`EVERYTHING`] when one field of it is another.
fn problems(pointer: &str, value: Value) -> Vec<String> {
    let mut tariff: Value = serde_json::from_str(EVERYTHING).unwrap();
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    match tariff.pointer_mut(parent).unwrap() {
        Value::Object(object) => {
            object.insert(field.to_owned(), value);
        }
        Value::Array(array) => array[field.parse::<usize>().unwrap()] = value,
        other => panic!("{other} has no fields"),
    }
    let problems = Tariff::parse(&tariff.to_string()).expect_err(pointer);
    problems.iter().map(ToString::to_string).collect()
}

#[test]
fn a_tariff_says_everything_and_says_it_again() {
    let tariff = Tariff::parse(EVERYTHING).unwrap();
    let written = serde_json::to_value(&tariff).unwrap();
    assert_eq!(written, serde_json::from_str::<Value>(EVERYTHING).unwrap());
    assert_eq!(Tariff::parse(&written.to_string()).unwrap(), tariff);
}

#[test]
fn what_is_left_out_is_left_out_again() {
    let least =
        r#"{"currency":"JPY","elements":[{"components":[{"kind":"energy","price":"30"}]}]}"#;
    let written = serde_json::to_value(Tariff::parse(least).unwrap()).unwrap();
    let expected = json!({
        "currency": "JPY", "prices_include_tax": false, "tax_rate": "0",
        "elements": [{"components": [{"kind": "energy", "price": "30"}]}],
    });
    assert_eq!(written, expected);
}

#[test]
fn what_cannot_be_read_is_named() {
    let cases = [
        ("/currency", json!("EURO"), "\"EURO\" is no currency"),
        ("/tax_rate", json!(19), "expected a string"),
        (
            "/elements/0/components/0/price",
            json!(0.1),
            "a price is a string such as",
        ),
        (
            "/elements/0/components/0/price",
            json!("1,5"),
            "a price such as \"0.45\" is expected",
        ),
        (
            "/elements/0/components/1/price",
            json!({"feed": "x", "plus": 1}),
            "unknown field `plus`",
        ),
        (
            "/elements/0/components/0/kind",
            json!("wind"),
            "unknown variant `wind`",
        ),
        (
            "/elements/0/components/0/step",
            json!(1),
            "unknown field `step`",
        ),
        (
            "/elements/0/restrictions/time_from",
            json!("25:00"),
            "a time of day such as 22:00",
        ),
        (
            "/elements/0/restrictions/time_from",
            json!("2:00"),
            "a time of day such as 22:00",
        ),
        (
            "/elements/0/restrictions/time_to",
            json!("24:01"),
            "a time of day such as 22:00",
        ),
        (
            "/elements/0/restrictions/season_to",
            json!("02-30"),
            "a month and a day",
        ),
        (
            "/elements/0/restrictions/date_to",
            json!("2026-02-29"),
            "out of range",
        ),
        (
            "/elements/0/restrictions/weekdays/1",
            json!("Sat"),
            "unknown variant",
        ),
        (
            "/elements/0/restrictions/energy_to_wh",
            json!(-1),
            "expected u64",
        ),
    ];
    for (pointer, value, expected) in cases {
        let problems = problems(pointer, value.clone());
        assert_eq!(problems.len(), 1, "{pointer} {value}: {problems:?}");
        let field = pointer.trim_end_matches("/step");
        assert!(
            problems[0].starts_with(field) && problems[0].contains(expected),
            "{pointer} {value}: {problems:?}"
        );
    }
    let trailing = Tariff::parse(&format!("{EVERYTHING} x")).unwrap_err();
    assert!(trailing[0].to_string().contains("trailing"), "{trailing:?}");
}

#[test]
fn what_makes_no_sense_is_named() {
    let at = |field: &str| format!("/elements/0/{field}");
    let cases = [
        ("/elements".into(), json!([]), "1 to 500 elements"),
        ("/tax_rate".into(), json!("100.5"), "from 0 to 100"),
        ("/tax_rate".into(), json!("-1"), "from 0 to 100"),
        (at("components"), json!([]), "at least one component"),
        (
            at("components/0/kind"),
            json!("energy"),
            "at most one component of each kind",
        ),
        (at("components/0/price"), json!("-0.01"), "from 0 to"),
        (
            at("components/0/price"),
            json!("0.0000001"),
            "at most 6 decimals",
        ),
        (
            at("components/0/price"),
            json!({"feed": "day-ahead"}),
            "start has no feed",
        ),
        (
            at("components/1/price"),
            json!({"feed": " "}),
            "the name of a feed",
        ),
        (
            at("components/1/price"),
            json!({"feed": "a", "factor": "-1"}),
            "from 0 to",
        ),
        (
            at("components/1/step_size"),
            json!(1_000_001),
            "at most 1000000",
        ),
        (
            at("components/1/grace_minutes"),
            json!(5),
            "only idle time has a grace",
        ),
        (
            at("components/0/while_charging"),
            json!(true),
            "only time can end with charging",
        ),
        (
            at("restrictions/weekdays"),
            json!(["monday", "monday"]),
            "each day once",
        ),
        (
            at("restrictions/time_to"),
            json!("22:00"),
            "another time than time_from",
        ),
        (
            at("restrictions/time_from"),
            json!("24:00"),
            "a time before 24:00",
        ),
        (at("restrictions/season_to"), json!(null), "a day too"),
        (at("restrictions/season_from"), json!(null), "a day too"),
        (
            at("restrictions/date_to"),
            json!("2025-12-31"),
            "2026-01-01 or later",
        ),
        (
            at("restrictions/energy_to_wh"),
            json!(0),
            "more than energy_from_wh",
        ),
        (
            at("restrictions/power_to_w"),
            json!(11000),
            "more than power_from_w (11000)",
        ),
        (
            at("restrictions/duration_to_s"),
            json!(34_560_001),
            "at most 34560000",
        ),
        (
            at("restrictions/duration_from_s"),
            json!(60),
            "a start fee is decided when",
        ),
        (
            at("restrictions/reservation_expired"),
            json!(true),
            "prices reservations only",
        ),
        (
            "/elements/1/restrictions/source".into(),
            json!("grid"),
            "clock and calendar only",
        ),
        ("/min_price".into(), json!({}), "an amount before tax"),
        (
            "/min_price/net".into(),
            json!("0.61"),
            "no more than with tax",
        ),
        (
            "/max_price/total".into(),
            json!("0.59"),
            "no more than the most that a session costs, 0.59",
        ),
        (
            "/max_price/total".into(),
            json!("80.001"),
            "at most 2 decimals",
        ),
    ];
    for (pointer, value, expected) in cases {
        let problems = problems(&pointer, value.clone());
        assert_eq!(problems.len(), 1, "{pointer} {value}: {problems:?}");
        assert!(
            problems[0].contains(expected),
            "{pointer} {value}: {problems:?}"
        );
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let mut tariff = Tariff::parse(EVERYTHING).unwrap();
    tariff.tax_rate = Decimal::NEGATIVE_ONE;
    tariff.elements[0].components[0].price = Price::Fixed(Decimal::NEGATIVE_ONE);
    tariff.elements[2].components.clear();
    let problems = tariff.check();
    let pointers: Vec<_> = problems
        .iter()
        .map(|problem| problem.pointer.as_str())
        .collect();
    assert_eq!(
        pointers,
        [
            "/tax_rate",
            "/elements/0/components/0/price",
            "/elements/2/components"
        ]
    );
    assert_eq!(
        problems[0].to_string(),
        "/tax_rate: -1 stands there; expected is a number from 0 to 100 with at most 4 decimals"
    );
}
