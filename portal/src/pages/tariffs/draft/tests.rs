//! What the form says and what the tariff says are the same.

use super::*;

fn euro() -> Currency {
    "EUR".parse().unwrap()
}

fn form(fields: &[(&str, &str)]) -> Form {
    Form::filled(
        fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned())),
    )
}

#[test]
fn what_the_form_can_say_comes_back_as_it_was() {
    let json = r#"{"currency": "EUR", "prices_include_tax": true, "tax_rate": "19",
        "min_price": {"total": "1.50"}, "elements": [
        {"components": [{"kind": "energy", "price": "0.10"}, {"kind": "idle", "price": "6", "grace_minutes": 10}],
         "restrictions": {"source": "solar", "season_from": "04-01", "season_to": "09-30", "holidays": "never",
                          "energy_from_wh": 1500, "duration_to_s": 3600, "power_to_w": 22000}},
        {"components": [{"kind": "energy", "price": "0.25"}, {"kind": "time", "price": "1.20"}],
         "restrictions": {"weekdays": ["saturday", "sunday"], "time_from": "22:00", "time_to": "06:00"}},
        {"components": [{"kind": "start", "price": "1"}, {"kind": "energy", "price": "0.4500"}]}]}"#;
    let tariff = Tariff::parse(json).unwrap();
    let mut form = fill(&tariff).unwrap();
    assert_eq!(rules(&form, Sort::Window), ["w0"]);
    assert_eq!(rules(&form, Sort::Special), ["s0"]);
    assert_eq!(form.value("s0-kwh_from"), "1.5");
    assert_eq!(read(&mut form, euro()), Some(tariff));
    for beyond in [
        // A block of energy, a rule after the one that always holds, an expired reservation.
        r#"[{"components": [{"kind": "energy", "price": "0.1", "step_size": 1000}]}]"#,
        r#"[{"components": [{"kind": "energy", "price": "0.1"}]},
            {"components": [{"kind": "time", "price": "1"}], "restrictions": {"weekdays": ["monday"]}}]"#,
        r#"[{"components": [{"kind": "reservation", "price": "1"}], "restrictions": {"reservation_expired": true}}]"#,
        r#"[{"components": [{"kind": "energy", "price": "1"}], "restrictions": {"duration_from_s": 90}}]"#,
    ] {
        let tariff = format!(r#"{{"currency": "EUR", "elements": {beyond}}}"#);
        assert_eq!(
            fill(&Tariff::parse(&tariff).unwrap()).map(|_| ()),
            None,
            "{beyond}"
        );
    }
}

#[test]
fn a_price_of_a_feed_is_one_too() {
    let feed = r#"{"currency": "EUR", "elements": [{"components": [{"kind": "energy",
        "price": {"feed": "day-ahead", "factor": "1.1", "surcharge": "0.12"}}]}]}"#;
    let tariff = Tariff::parse(feed).unwrap();
    let mut form = fill(&tariff).unwrap();
    assert_eq!(read(&mut form, euro()), Some(tariff));
}

#[test]
fn every_wrong_field_is_named() {
    for (fields, field, says) in [
        (&[][..], "energy", "expected at least one price of anything"),
        (
            &[("energy", "cheap")][..],
            "energy",
            "“cheap” is not a price",
        ),
        (&[("energy", "-1")], "energy", "“-1” is not a price"),
        (&[("energy", "0.1234567")], "energy", "is not a price"),
        (
            &[("energy", "1"), ("tax_rate", "190")],
            "tax_rate",
            "“190”: expected a number from 0 to 100",
        ),
        (
            &[("energy", "1"), ("grace", "10")],
            "idle",
            "free minutes take a price",
        ),
        (
            &[("energy", "1"), ("min_total", "2.505")],
            "min_total",
            "at most 2 decimals",
        ),
        (
            &[("w0-row", "yes"), ("w0-from", "22:00")],
            "w0-energy",
            "at least one price in this rule",
        ),
        (
            &[("w0-row", "yes"), ("w0-from", "25:00"), ("w0-energy", "1")],
            "w0-from",
            "“25:00” is not a time",
        ),
        (
            &[
                ("w0-row", "yes"),
                ("w0-from", "22:00"),
                ("w0-to", "22:00"),
                ("w0-energy", "1"),
            ],
            "w0-to",
            "expected another time",
        ),
        (
            &[
                ("s0-row", "yes"),
                ("s0-season_from", "04-01"),
                ("s0-energy", "1"),
            ],
            "s0-season_to",
            "expected a day too",
        ),
        (
            &[("s0-row", "yes"), ("s0-source", "wind"), ("s0-energy", "1")],
            "s0-source",
            "“wind” is not one of",
        ),
        (
            &[
                ("s0-row", "yes"),
                ("s0-kwh_from", "9"),
                ("s0-kwh_to", "3"),
                ("s0-energy", "1"),
            ],
            "s0-kwh_to",
            "“3” is not more than 9",
        ),
    ] {
        let mut form = form(fields);
        assert_eq!(read(&mut form, euro()), None, "{fields:?}");
        let told = form
            .complaint(field)
            .unwrap_or_else(|| panic!("{:?}", form.complaints()));
        assert!(told.contains(says), "{told}");
    }
}

#[test]
fn rules_are_added_removed_and_ignored_while_blank() {
    let mut form = form(&[("energy", "0.45")]);
    assert!(add(&mut form, Sort::Window) && add(&mut form, Sort::Window));
    form.set("w1-energy", "0.25");
    form.set("w1-from", "7");
    let tariff = read(&mut form, euro()).unwrap();
    assert_eq!(tariff.elements.len(), 2);
    let from = tariff.elements[0].restrictions.time_from.unwrap();
    assert_eq!(from.to_string(), "07:00");
    remove(&mut form, "w0");
    assert_eq!(rules(&form, Sort::Window), ["w1"]);
    assert!(
        (0..MOST).any(|_| !add(&mut form, Sort::Window)),
        "there is an end"
    );
}
