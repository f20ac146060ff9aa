//! OCPI 2.2.1's own examples (mod_tariffs, "Examples"), written down anew from their descriptions, with their sums done
//! by hand; and what is refused.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use super::*;
use crate::{
    price::{Charge, Context, Priced, Reservation, Sample, price},
    tariff::{Kind, Problem, Source, Tariff},
};

fn object(rest: Value) -> Value {
    let mut object = json!({
        "country_code": "DE", "party_id": "FOR", "id": "12", "currency": "EUR", "last_updated": "2026-01-05T10:00:00Z",
    });
    let fields = rest.as_object().unwrap().clone();
    object.as_object_mut().unwrap().extend(fields);
    object
}

fn read(rest: Value) -> Tariff {
    let text = object(rest).to_string();
    import(&text).unwrap_or_else(|problems| panic!("{text}: {problems:?}"))
}

fn nobody() -> Identity {
    Identity {
        country_code: "NL".into(),
        party_id: "NIX".into(),
        id: "none".into(),
        last_updated: "2026-11-01T00:00:00Z".into(),
    }
}

fn utc(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Amsterdam's Monday or Saturday, charging evenly from a local time for so many minutes and parked for more.
struct Stay {
    from: &'static str,
    charging: i64,
    parked: i64,
    wh: i64,
    reserved: Option<(i64, bool)>,
}

const MONDAY_AT_HALF_PAST_NINE: &str = "2026-03-02T08:30:00Z";
const SATURDAY_AT_HALF_PAST_ONE: &str = "2026-03-07T12:30:00Z";

impl Default for Stay {
    fn default() -> Self {
        Self {
            from: MONDAY_AT_HALF_PAST_NINE,
            charging: 120,
            parked: 0,
            wh: 20_000,
            reserved: None,
        }
    }
}

fn cost(tariff: &Tariff, stay: &Stay) -> Priced {
    let from = utc(stay.from);
    let idle_from = from + TimeDelta::minutes(stay.charging);
    let charge = Charge {
        started_at: from,
        ended_at: Some(idle_from + TimeDelta::minutes(stay.parked)),
        now: None,
        register_start_wh: Some(0),
        register_stop_wh: Some(stay.wh),
        samples: vec![Sample {
            at: idle_from,
            energy_wh: Some(stay.wh),
            power_w: None,
            source: None,
        }],
        idle_from: (stay.parked > 0).then_some(idle_from),
        reservation: stay.reserved.map(|(minutes, expired)| Reservation {
            from: from - TimeDelta::minutes(minutes),
            to: from,
            expired,
        }),
        max_power_w: None,
        flags: Vec::new(),
    };
    let context = Context {
        zone: chrono_tz::Tz::Europe__Amsterdam,
        holidays: Default::default(),
        rounding: store::money::Rounding::HalfUp,
        feeds: Default::default(),
        sample_interval: TimeDelta::minutes(1),
    };
    let priced = price(tariff, &charge, &context);
    assert!(!priced.is_held(), "{priced:?}");
    priced
}

/// Imports, prices, exports and imports again.
fn sums(rest: Value, stay: Stay) -> (String, String) {
    let tariff = read(rest.clone());
    let written: Value = serde_json::from_str(&export(&tariff, &nobody()).unwrap()).unwrap();
    assert_eq!(import(&written.to_string()).unwrap(), tariff);
    for (field, value) in object(rest).as_object().unwrap() {
        if !["elements", "min_price", "max_price"].contains(&field.as_str()) {
            assert_eq!(&written[field], value, "{field}");
        }
    }
    let priced = cost(&tariff, &stay);
    (priced.net.to_string(), priced.total.to_string())
}

fn component(kind: &str, price: &str, vat: Option<i64>, step_size: i64) -> Value {
    let mut component = json!({"type": kind, "step_size": step_size});
    component["price"] = serde_json::from_str(price).unwrap();
    if let Some(vat) = vat {
        component["vat"] = vat.into();
    }
    component
}

fn always(components: &[Value]) -> Value {
    json!({"price_components": components})
}

fn only(restrictions: Value, components: &[Value]) -> Value {
    json!({"price_components": components, "restrictions": restrictions})
}

fn both(net: &str, total: &str) -> (String, String) {
    (net.to_owned(), total.to_owned())
}

#[test]
fn simple_tariffs() {
    let energy = || component("ENERGY", "0.25", Some(10), 1);
    let start = || component("FLAT", "0.50", Some(20), 1);
    // "0.25 euro per kWh", 20 kWh: 5.00, with 10 % 5.50.
    assert_eq!(
        sums(json!({"elements": [always(&[energy()])]}), Stay::default()),
        both("5.00", "5.50")
    );
    // "+ start fee" 0.50 + 20 %: 5.50 and 6.10.
    let rest = json!({"elements": [always(&[start(), energy()])]});
    assert_eq!(sums(rest, Stay::default()), both("5.50", "6.10"));
    // "+ parking fee" 2.00 + 20 % in blocks of 15 minutes, 40 minutes become 45: 0.50 + 5.00 + 1.50 and 0.60 + 5.50 + 1.80.
    let rest = json!({"elements": [always(&[start(), energy(), component("PARKING_TIME", "2.00", Some(20), 900)])]});
    assert_eq!(
        sums(
            rest,
            Stay {
                parked: 40,
                ..Stay::default()
            }
        ),
        both("7.00", "7.90")
    );
    // "2 euro per hour", charging time only, 2.5 hours: 5.00 and 5.50; parking is free.
    let rest = json!({"elements": [always(&[component("TIME", "2.00", Some(10), 60)])]});
    assert_eq!(
        sums(
            rest,
            Stay {
                charging: 150,
                parked: 60,
                ..Stay::default()
            }
        ),
        both("5.00", "5.50")
    );
    // "3 euro per hour, 5 euro per hour parking": 2.5 hours and 42 minutes, which become 45: 7.50 + 3.75, 8.25 + 4.50.
    let rest = json!({"elements": [always(&[
        component("TIME", "3.00", Some(10), 60), component("PARKING_TIME", "5.00", Some(20), 300),
    ])]});
    assert_eq!(
        sums(
            rest,
            Stay {
                charging: 150,
                parked: 42,
                ..Stay::default()
            }
        ),
        both("11.25", "12.75")
    );
    // "with alternative URL": 20.45 kWh in blocks of 100 Wh are 20.5 kWh: 5.125, rounded once to 5.13, and 0.51 tax.
    let rest = json!({
        "type": "PROFILE_CHEAP", "tariff_alt_url": "https://company.example/tariffs/16",
        "elements": [always(&[component("ENERGY", "0.25", Some(10), 100)])],
    });
    assert_eq!(
        sums(
            rest,
            Stay {
                wh: 20_450,
                ..Stay::default()
            }
        ),
        both("5.13", "5.64")
    );
    // "Free of Charge".
    assert_eq!(
        sums(
            json!({"elements": [always(&[component("FLAT", "0.00", None, 1)])]}),
            Stay::default()
        ),
        both("0.00", "0.00")
    );
}

#[test]
fn lowest_and_highest_prices() {
    let energy = || component("ENERGY", "0.25", Some(10), 1);
    // "minimum price": 0.50 and 0.55 up to 2 kWh.
    let rest = json!({"min_price": {"excl_vat": 0.5, "incl_vat": 0.55}, "elements": [always(&[energy()])]});
    assert_eq!(
        sums(
            rest,
            Stay {
                wh: 1_200,
                ..Stay::default()
            }
        ),
        both("0.50", "0.55")
    );
    // "start fee + max price + tariff end date": 50 kWh would be 13.00 and 14.35.
    let rest = json!({
        "max_price": {"excl_vat": 10, "incl_vat": 11}, "end_date_time": "2027-06-30T23:59:59Z",
        "elements": [always(&[component("FLAT", "0.50", Some(20), 1), energy()])],
    });
    assert_eq!(
        sums(
            rest,
            Stay {
                wh: 50_000,
                ..Stay::default()
            }
        ),
        both("10.00", "11.00")
    );
}

#[test]
fn the_complex_tariff() {
    // "Complex Tariff example", with its limit of 32 A said as 22 kW: currents are refused, see below.
    let weekdays = json!(["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY"]);
    let time = |price| component("TIME", price, Some(20), 600);
    let parking = |price| component("PARKING_TIME", price, Some(10), 300);
    let rest = json!({"type": "REGULAR", "elements": [
        always(&[component("FLAT", "2.50", Some(15), 1)]),
        only(json!({"max_power": 22}), &[component("TIME", "1.00", Some(20), 900)]),
        only(json!({"min_power": 22, "day_of_week": weekdays}), &[time("2.00")]),
        only(json!({"min_power": 22, "day_of_week": ["SATURDAY", "SUNDAY"]}), &[time("1.25")]),
        only(json!({"start_time": "09:00", "end_time": "18:00", "day_of_week": weekdays}), &[parking("5.00")]),
        only(json!({"start_time": "10:00", "end_time": "17:00", "day_of_week": ["SATURDAY"]}), &[parking("6.00")]),
    ]});
    // Monday 09:30, 147 minutes at 8 kW and 42 parked. 2.50 + 2.45 (charging time is not rounded up before parking: mod_cdrs,
    // "step_size"; the example rounds it and says 8.75) + 45 minutes at 5: 3.75. Tax 0.38 + 0.49 + 0.38.
    let monday = Stay {
        charging: 147,
        parked: 42,
        ..Stay::default()
    };
    assert_eq!(sums(rest.clone(), monday), both("8.70", "9.95"));
    // Saturday 13:30, 114 minutes at 31 kW and 71 parked, to 16:35. 2.50 + 114 minutes at 1.25: 2.375, rounded to 2.38
    // + 75 minutes at 6: 7.50. Tax 0.38 + 0.48 + 0.75.
    let saturday = Stay {
        from: SATURDAY_AT_HALF_PAST_ONE,
        charging: 114,
        parked: 71,
        wh: 60_000,
        reserved: None,
    };
    assert_eq!(sums(rest, saturday), both("12.38", "13.99"));
}

#[test]
fn steps_of_energy_and_duration() {
    // "First hour free energy": parking by the session's duration, the first kWh free. Charged for an hour and parked for
    // 2.75: two hours at 2 and 45 minutes at 3: 4.00 + 2.25, and 19 kWh at 0.20: 3.80.
    let parking = |price| component("PARKING_TIME", price, None, 60);
    let energy = |price| component("ENERGY", price, None, 1);
    let rest = json!({"elements": [
        only(json!({"max_duration": 3600}), &[parking("0.0")]),
        only(json!({"min_duration": 3600, "max_duration": 10800}), &[parking("2.0")]),
        only(json!({"min_duration": 10800}), &[parking("3.0")]),
        only(json!({"max_kwh": 1.0}), &[energy("0.0")]),
        only(json!({"min_kwh": 1.0}), &[energy("0.2")]),
    ]});
    let stay = Stay {
        charging: 60,
        parked: 165,
        ..Stay::default()
    };
    assert_eq!(sums(rest, stay), both("10.05", "10.05"));
}

#[test]
fn reservations() {
    let of_session = || {
        always(&[
            component("FLAT", "0.50", Some(20), 1),
            component("ENERGY", "0.25", Some(10), 1),
        ])
    };
    let reserved =
        |kind: &str, components: &[Value]| only(json!({"reservation": kind}), components);
    let time = |price, step| component("TIME", price, Some(20), step);
    let stay = |minutes, expired| Stay {
        reserved: Some((minutes, expired)),
        ..Stay::default()
    };
    // "reservation price": 15 minutes at 5: 1.25 + 0.50 + 5.00, with VAT 1.50 + 0.60 + 5.50.
    let rest = json!({"elements": [reserved("RESERVATION", &[time("5.00", 60)]), of_session()]});
    assert_eq!(sums(rest, stay(15, false)), both("6.75", "7.60"));
    // "reservation price and fee": 2.00, 13 minutes become 15.
    let fee = component("FLAT", "2.00", Some(20), 1);
    let rest =
        json!({"elements": [reserved("RESERVATION", &[fee, time("5.00", 300)]), of_session()]});
    assert_eq!(sums(rest, stay(13, false)), both("8.75", "10.00"));
    // "reservation price and expire fee": used after 22 minutes, which become 30; or never, after an hour.
    let rest = json!({"elements": [
        reserved("RESERVATION_EXPIRES", &[component("FLAT", "4.00", Some(20), 1)]),
        reserved("RESERVATION", &[time("2.00", 600)]), of_session(),
    ]});
    assert_eq!(sums(rest.clone(), stay(22, false)), both("6.50", "7.30"));
    assert_eq!(sums(rest, stay(60, true)), both("6.00", "7.20"));
    // "reservation time and expire time": 1.5 hours that nobody used cost 6 an hour.
    let rest = json!({"elements": [
        reserved("RESERVATION", &[time("3.00", 600)]), reserved("RESERVATION_EXPIRES", &[time("6.00", 600)]), of_session(),
    ]});
    assert_eq!(sums(rest.clone(), stay(22, false)), both("7.00", "7.90"));
    assert_eq!(sums(rest, stay(90, true)), both("9.00", "10.80"));
}

#[test]
fn every_field_comes_back() {
    let rest = json!({
        "type": "AD_HOC_PAYMENT",
        "tariff_alt_text": [{"language": "en", "text": "2.00 an hour"}, {"language": "nl", "text": "2.00 p/uur"}],
        "tariff_alt_url": "https://company.example/tariffs/1",
        "start_date_time": "2026-01-01T00:00:00Z", "end_date_time": "2027-01-01T00:00:00",
        "min_price": {"excl_vat": 1}, "max_price": {"excl_vat": 99, "incl_vat": 119},
        "energy_mix": {"is_green_energy": true, "energy_sources": [{"source": "WATER", "percentage": 100}]},
        "elements": [only(json!({
            "start_time": "22:00", "end_time": "06:00", "start_date": "2026-02-28", "end_date": "2026-03-01",
            "min_kwh": 1, "max_kwh": 20, "min_power": 4, "max_power": 11,
            "min_duration": 60, "max_duration": 3600, "day_of_week": ["MONDAY", "SUNDAY"],
        }), &[component("ENERGY", "1", Some(19), 5), component("TIME", "2", None, 60), component("PARKING_TIME", "3", Some(0), 1)])],
    });
    let tariff = read(rest.clone());
    let written: Value = serde_json::from_str(&export(&tariff, &nobody()).unwrap()).unwrap();
    assert_eq!(written, object(rest));
    assert_eq!(
        tariff.elements[0].restrictions.date_to,
        Some("2026-02-28".parse().unwrap()),
        "their end is ours and a day"
    );
    // Ours are kept as JSON in between.
    assert_eq!(
        Tariff::parse(&serde_json::to_string(&tariff).unwrap()).unwrap(),
        tariff
    );
}

#[test]
fn numbers_are_read_and_written_to_the_digit() {
    let text =
        object(json!({"elements": [always(&[component("ENERGY", "1", None, 1)])]})).to_string();
    for (digits, price) in [
        ("0.1", "0.1"),
        ("0.2950", "0.2950"),
        ("3e-1", "0.3"),
        ("0.1234", "0.1234"),
    ] {
        let tariff = import(&text.replace("\"price\":1", &format!("\"price\":{digits}"))).unwrap();
        let component = tariff.elements[0].component(Kind::Energy).unwrap();
        assert_eq!(
            serde_json::to_value(&component.price).unwrap(),
            json!(price)
        );
        let written = export(&tariff, &nobody()).unwrap();
        assert!(
            written.contains(&format!("\"price\": {price}")),
            "{written}"
        );
    }
}

#[test]
fn what_has_no_place_is_refused_by_name() {
    let good = || json!({"elements": [only(json!({}), &[component("ENERGY", "1", None, 1)])]});
    let cases = [
        (
            "/elements/0/restrictions/min_current",
            json!(32),
            "min_power or max_power",
        ),
        (
            "/elements/0/restrictions/max_current",
            json!(32),
            "min_power or max_power",
        ),
        (
            "/elements/0/restrictions/reservation",
            json!("RESERVATION"),
            "FLAT or TIME",
        ),
        (
            "/elements/0/restrictions/reservation",
            json!("MAYBE"),
            "unknown variant",
        ),
        (
            "/elements/0/restrictions/min_kwh",
            json!(-1),
            "from 0 with at most three decimals",
        ),
        ("/elements/0/restrictions/max_kwh", json!(0), "more than"),
        (
            "/elements/0/restrictions/start_time",
            json!("24:00"),
            "a time such as 13:30",
        ),
        (
            "/elements/0/restrictions/day_of_week",
            json!(["MONDAY", "MONDAY"]),
            "each day once",
        ),
        (
            "/elements/0/restrictions/weather",
            json!("RAIN"),
            "unknown field `weather`",
        ),
        (
            "/elements/0/price_components/0/price",
            json!("1"),
            "where a number is expected",
        ),
        (
            "/elements/0/price_components/0/price",
            json!(-1),
            "a number from 0",
        ),
        (
            "/elements/0/price_components/0/vat",
            json!(101),
            "from 0 to 100",
        ),
        (
            "/elements/0/price_components/0/type",
            json!("WEIGHT"),
            "unknown variant",
        ),
        (
            "/elements/0/price_components/0/step_size",
            json!(-1),
            "expected u32",
        ),
        ("/elements", json!([]), "1 to 500 elements"),
        ("/currency", json!("EURO"), "ISO 4217"),
        ("/country_code", json!("DEU"), "1 to 2 characters"),
        ("/last_updated", json!("yesterday"), "an instant"),
        (
            "/start_date_time",
            json!("2026-13-01T00:00:00Z"),
            "an instant",
        ),
        ("/type", json!("CHEAP"), "unknown variant"),
        (
            "/min_price",
            json!({"incl_vat": 1}),
            "missing field `excl_vat`",
        ),
        ("/tax_included", json!("NO"), "unknown field `tax_included`"),
    ];
    for (pointer, value, expected) in cases {
        let mut wrong = object(good());
        let (parent, field) = pointer.rsplit_once('/').unwrap();
        wrong.pointer_mut(parent).unwrap()[field] = value.clone();
        let problems = import(&wrong.to_string()).expect_err(pointer);
        let told: Vec<_> = problems.iter().map(Problem::to_string).collect();
        let parent_only = expected.starts_with("unknown field")
            || expected.starts_with("missing")
            || expected == "FLAT or TIME";
        assert!(
            told.iter().any(|told| told.contains(expected)),
            "{pointer}: {told:?}"
        );
        assert!(
            parent_only || told.iter().all(|told| told.starts_with(pointer)),
            "{pointer}: {told:?}"
        );
    }
    assert!(import("[]").is_err() && import("").is_err() && import("{} {}").is_err());
}

#[test]
fn what_ocpi_has_no_words_for_is_refused_by_name() {
    let ours = |json: &str| Tariff::parse(&format!(r#"{{"currency": "EUR", {json}}}"#)).unwrap();
    let with = |restriction: &str| {
        ours(&format!(
            r#""elements": [{{"components": [{{"kind": "energy", "price": "1"}}], "restrictions": {{{restriction}}}}}]"#
        ))
    };
    let cases = [
        (
            ours(
                r#""prices_include_tax": true, "elements": [{"components": [{"kind": "energy", "price": "1"}]}]"#,
            ),
            "/prices_include_tax",
        ),
        (
            ours(
                r#""elements": [{"components": [{"kind": "energy", "price": {"feed": "spot"}}]}]"#,
            ),
            "/elements/0/components/0/price",
        ),
        (
            ours(r#""elements": [{"components": [{"kind": "energy", "price": "0.00001"}]}]"#),
            "/elements/0/components/0/price",
        ),
        (
            ours(
                r#""elements": [{"components": [{"kind": "idle", "price": "1", "grace_minutes": 5}]}]"#,
            ),
            "/elements/0/components/0/grace_minutes",
        ),
        (
            ours(
                r#""elements": [{"components": [{"kind": "time", "price": "1"}, {"kind": "idle", "price": "1"}]}]"#,
            ),
            "/elements/0/components/0/while_charging",
        ),
        (
            ours(
                r#""elements": [{"components": [{"kind": "time", "price": "1"}]}], "min_price": {"total": "1"}"#,
            ),
            "/min_price/net",
        ),
        (
            ours(
                r#""elements": [{"components": [{"kind": "time", "price": "1"}]}], "extra": {"note": 1}"#,
            ),
            "/extra/note",
        ),
        (
            with(r#""season_from": "01-01", "season_to": "02-01""#),
            "/elements/0/restrictions/season_from",
        ),
        (
            with(r#""holidays": "only""#),
            "/elements/0/restrictions/holidays",
        ),
        (
            with(r#""source": "solar""#),
            "/elements/0/restrictions/source",
        ),
    ];
    for (tariff, pointer) in cases {
        let problems = export(&tariff, &nobody()).expect_err(pointer);
        assert_eq!(problems.len(), 1, "{problems:?}");
        assert_eq!(problems[0].pointer, pointer);
    }
    assert_eq!(
        with(r#""source": "solar""#).elements[0].restrictions.source,
        Some(Source::Solar)
    );
}

#[test]
fn the_time_of_the_whole_session_is_charging_and_parking() {
    let ours = Tariff::parse(
        r#"{"currency": "EUR", "tax_rate": "19", "elements": [{"components": [
            {"kind": "time", "price": "3"}, {"kind": "reservation", "price": "1"}]}]}"#,
    )
    .unwrap();
    let theirs = import(&export(&ours, &nobody()).unwrap()).unwrap();
    assert_eq!(
        theirs.elements.len(),
        2,
        "reservations have an element of their own"
    );
    let stay = Stay {
        charging: 60,
        parked: 30,
        reserved: Some((30, false)),
        ..Stay::default()
    };
    // Said by the second: 90 minutes at 3 and half an hour at 1.
    assert_eq!(cost(&ours, &stay).net.to_string(), "5.00");
    assert_eq!(cost(&theirs, &stay).net.to_string(), "5.00");
    assert_eq!(cost(&theirs, &stay).total, cost(&ours, &stay).total);
    assert_eq!(theirs.extra["party_id"], "NIX");
}
