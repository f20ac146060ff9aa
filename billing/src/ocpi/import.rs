//! From OCPI's tariff to ours.

use chrono::{DateTime, NaiveDate, NaiveDateTime};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use store::money::Currency;

use super::wire;
use crate::tariff::{
    Component, Element, Kind, Limit, Price, Problem, Restrictions, Tariff, TimeOfDay, Weekday,
};

/// Fields that are no price, as they are kept in [`Tariff::extra`].
pub(super) const KEPT: [&str; 10] = [
    "country_code",
    "party_id",
    "id",
    "type",
    "tariff_alt_text",
    "tariff_alt_url",
    "start_date_time",
    "end_date_time",
    "energy_mix",
    "last_updated",
];

/// Reads an OCPI 2.2.1 Tariff object. Its prices are without tax and its times those of the location, as ours are those
/// of the site. When it is valid (`start_date_time`, `end_date_time`) is kept in `extra` and decides nothing by itself.
pub fn import(json: &str) -> Result<Tariff, Vec<Problem>> {
    let mut from = serde_json::Deserializer::from_str(json);
    let object: wire::Tariff = serde_path_to_error::deserialize(&mut from)
        .map_err(|error| vec![Problem::unreadable(&error)])?;
    from.end()
        .map_err(|error| vec![Problem::trailing(&error)])?;
    let mut problems = Vec::new();
    let extra = kept(json, &object, &mut problems);
    let currency = match object.currency.parse::<Currency>() {
        Ok(currency) => Some(currency),
        Err(error) => {
            problems.push(Problem::new(
                "/currency",
                &object.currency,
                error.to_string(),
            ));
            None
        }
    };
    let elements = object.elements.iter().enumerate();
    let elements: Vec<_> = elements
        .map(|(index, element)| read(&format!("/elements/{index}"), element, &mut problems))
        .collect();
    let Some(currency) = currency.filter(|_| problems.is_empty()) else {
        return Err(problems);
    };
    let tariff = Tariff {
        currency,
        prices_include_tax: false,
        tax_rate: Decimal::ZERO,
        elements,
        min_price: object.min_price.map(limit),
        max_price: object.max_price.map(limit),
        extra,
    };
    let problems: Vec<_> = tariff.check().into_iter().map(in_their_words).collect();
    if problems.is_empty() {
        Ok(tariff)
    } else {
        Err(problems)
    }
}

fn kept(json: &str, object: &wire::Tariff, problems: &mut Vec<Problem>) -> Map<String, Value> {
    let lengths = [
        ("/country_code", &object.country_code, 2),
        ("/party_id", &object.party_id, 3),
        ("/id", &object.id, 36),
    ];
    for (at, text, most) in lengths {
        if text.is_empty() || text.chars().count() > most {
            problems.push(Problem::new(at, text, format!("1 to {most} characters")));
        }
    }
    let instants = [
        ("/last_updated", Some(&object.last_updated)),
        ("/start_date_time", object.start_date_time.as_ref()),
        ("/end_date_time", object.end_date_time.as_ref()),
    ];
    for (at, text) in instants {
        if let Some(text) = text.filter(|text| !is_instant(text)) {
            problems.push(Problem::new(
                at,
                text,
                "an instant such as 2026-06-30T22:00:00Z",
            ));
        }
    }
    // It has just been read as an object, and is read again for the fields as they stand.
    let mut all: Map<String, Value> = serde_json::from_str(json).unwrap_or_default();
    all.retain(|field, value| KEPT.contains(&field.as_str()) && !value.is_null());
    all
}

/// OCPI's DateTime: RFC 3339, in UTC if it does not say.
fn is_instant(text: &str) -> bool {
    DateTime::parse_from_rfc3339(text).is_ok() || text.parse::<NaiveDateTime>().is_ok()
}

fn limit(price: wire::Price) -> Limit {
    Limit {
        net: Some(price.excl_vat.0),
        total: price.incl_vat.map(|number| number.0),
    }
}

fn read(at: &str, element: &wire::Element, problems: &mut Vec<Problem>) -> Element {
    let when = element.restrictions.clone().unwrap_or_default();
    let components = element.price_components.iter().enumerate();
    Element {
        components: components
            .filter_map(|(index, component)| {
                let at = format!("{at}/price_components/{index}");
                let kind = kind(&at, component.dimension, when.reservation, problems)?;
                Some(Component {
                    price: Price::Fixed(component.price.0),
                    tax_rate: component.vat.map(|vat| vat.0),
                    step_size: component.step_size,
                    while_charging: kind == Kind::Time,
                    ..Component::fixed(kind, component.price.0)
                })
            })
            .collect(),
        restrictions: restrictions(&format!("{at}/restrictions"), &when, problems),
    }
}

fn kind(
    at: &str,
    dimension: wire::Dimension,
    reservation: Option<wire::Reservation>,
    problems: &mut Vec<Problem>,
) -> Option<Kind> {
    use wire::Dimension::{Energy, Flat, ParkingTime, Time};
    match (dimension, reservation.is_some()) {
        (Flat, false) => Some(Kind::Start),
        (Energy, false) => Some(Kind::Energy),
        (Time, false) => Some(Kind::Time),
        (ParkingTime, false) => Some(Kind::Idle),
        (Flat, true) => Some(Kind::ReservationFee),
        (Time, true) => Some(Kind::Reservation),
        (Energy | ParkingTime, true) => {
            let expected = "FLAT or TIME: nothing else is due for a reservation";
            let value = if dimension == Energy {
                "ENERGY"
            } else {
                "PARKING_TIME"
            };
            problems.push(Problem::new(format!("{at}/type"), value, expected));
            None
        }
    }
}

fn restrictions(at: &str, when: &wire::Restrictions, problems: &mut Vec<Problem>) -> Restrictions {
    for (name, current) in [
        ("min_current", when.min_current),
        ("max_current", when.max_current),
    ] {
        if let Some(current) = current {
            let expected = "min_power or max_power: the current is not known between two readings of the register";
            problems.push(Problem::new(format!("{at}/{name}"), current.0, expected));
        }
    }
    let mut thousandths = |name: &str, number: Option<wire::Number>| {
        let number = number?.0;
        let whole = number
            .checked_mul(Decimal::ONE_THOUSAND)
            .map(|number| number.normalize());
        let whole = whole
            .filter(|whole| whole.scale() == 0)
            .and_then(|whole| u64::try_from(whole).ok());
        if whole.is_none() {
            let expected = "a number from 0 with at most three decimals";
            problems.push(Problem::new(format!("{at}/{name}"), number, expected));
        }
        whole
    };
    let (energy_from_wh, energy_to_wh) = (
        thousandths("min_kwh", when.min_kwh),
        thousandths("max_kwh", when.max_kwh),
    );
    let (power_from_w, power_to_w) = (
        thousandths("min_power", when.min_power),
        thousandths("max_power", when.max_power),
    );
    let mut time = |name: &str, text: &Option<String>| {
        let text = text.as_ref()?;
        let time = text.parse().ok().filter(|time| *time < TimeOfDay::END);
        if time.is_none() {
            let expected = "a time such as 13:30";
            problems.push(Problem::new(format!("{at}/{name}"), text, expected));
        }
        time
    };
    let time_from = time("start_time", &when.start_time);
    // Midnight as an end is the day's end.
    let time_to = time("end_time", &when.end_time).map(|to| {
        let is_end = to == TimeOfDay::MIDNIGHT && time_from != Some(to);
        if is_end { TimeOfDay::END } else { to }
    });
    let date_to = when.end_date.and_then(|end| end.pred_opt());
    Restrictions {
        weekdays: when.day_of_week.iter().map(|day| weekday(*day)).collect(),
        time_from,
        time_to,
        date_from: when.start_date,
        date_to: date_to.or(when.end_date.map(|_| NaiveDate::MIN)),
        energy_from_wh,
        energy_to_wh,
        power_from_w,
        power_to_w,
        duration_from_s: when.min_duration,
        duration_to_s: when.max_duration,
        reservation_expired: when.reservation == Some(wire::Reservation::ReservationExpires),
        ..Restrictions::default()
    }
}

fn weekday(day: wire::Day) -> Weekday {
    Weekday::ALL[day as usize]
}

/// A problem with our tariff, with the names that its author knows.
fn in_their_words(problem: Problem) -> Problem {
    const NAMES: [(&str, &str); 14] = [
        ("components", "price_components"),
        ("kind", "type"),
        ("tax_rate", "vat"),
        ("net", "excl_vat"),
        ("total", "incl_vat"),
        ("weekdays", "day_of_week"),
        ("time_from", "start_time"),
        ("time_to", "end_time"),
        ("date_from", "start_date"),
        ("date_to", "end_date"),
        ("energy_from_wh", "min_kwh"),
        ("energy_to_wh", "max_kwh"),
        ("power_from_w", "min_power"),
        ("power_to_w", "max_power"),
    ];
    let theirs = |name: &str| match name {
        "duration_from_s" => "min_duration".to_owned(),
        "duration_to_s" => "max_duration".to_owned(),
        "reservation_expired" => "reservation".to_owned(),
        _ => {
            let known = NAMES.iter().find(|(ours, _)| *ours == name);
            known.map_or(name, |(_, theirs)| theirs).to_owned()
        }
    };
    let pointer: Vec<_> = problem.pointer.split('/').map(theirs).collect();
    Problem {
        pointer: pointer.join("/"),
        ..problem
    }
}
