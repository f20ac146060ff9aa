//! A tariff as a form: prices at all times, a week of other prices, and special rules that come first. A tariff that
//! the form cannot say is edited as JSON instead. Neither query nor HTTP is here.

mod fill;

use billing::tariff::{
    Component, Dynamic, Element, Holidays, Kind, Limit, MonthDay, Price, Restrictions, Source,
    Tariff, TimeOfDay, Weekday,
};
use chrono::NaiveDate;
use rust_decimal::{Decimal, prelude::ToPrimitive};
use store::Currency;

use crate::pages::form::{Form, decimal};

pub use fill::fill;

/// Rules of one sort that a form may have: more is no tariff that a person could understand.
const MOST: usize = 60;
/// What a price is written like.
const PRICE: &str = "a price such as 0.45, with at most 6 decimals";

/// The two sorts of rules, by the letter that their fields begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Days and hours of the week.
    Window,
    /// Any condition; asked before the windows.
    Special,
}

impl Sort {
    fn letter(self) -> char {
        match self {
            Sort::Window => 'w',
            Sort::Special => 's',
        }
    }
}

/// What the fields of a rule begin with, for templates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule(pub String);

impl Rule {
    /// The name of one of its fields.
    pub fn field(&self, name: &str) -> String {
        format!("{}-{name}", self.0)
    }
}

/// The rules of a sort that are in the form: what their fields begin with, in order.
pub fn rules(form: &Form, sort: Sort) -> Vec<String> {
    (0..MOST)
        .map(|number| format!("{}{number}", sort.letter()))
        .filter(|rule| form.checked(&format!("{rule}-row")))
        .collect()
}

/// Adds an empty rule; false if there are too many.
pub fn add(form: &mut Form, sort: Sort) -> bool {
    let last = rules(form, sort)
        .last()
        .and_then(|rule| rule[1..].parse::<usize>().ok());
    let next = last.map_or(0, |last| last + 1);
    if next >= MOST {
        return false;
    }
    form.set(&format!("{}{next}-row", sort.letter()), "yes");
    true
}

/// Takes a rule out.
pub fn remove(form: &mut Form, rule: &str) {
    for field in FIELDS {
        form.remove(&format!("{rule}-{field}"));
    }
}

/// Every field that a rule may have.
const FIELDS: [&str; 24] = [
    "row",
    "days",
    "from",
    "to",
    "energy",
    "time",
    "start",
    "idle",
    "grace",
    "reservation",
    "reservation_fee",
    "while",
    "season_from",
    "season_to",
    "date_from",
    "date_to",
    "holidays",
    "source",
    "kwh_from",
    "kwh_to",
    "kw_from",
    "kw_to",
    "min_from",
    "min_to",
];

/// A day as it stands in JSON: `monday`.
pub fn key(day: Weekday) -> String {
    day.name().to_lowercase()
}

/// A day as it stands on a button: `Mo`.
pub fn short(day: Weekday) -> &'static str {
    &day.name()[..2]
}

/// What the form says; what is wrong with it is complained of beside its field.
pub fn read(form: &mut Form, currency: Currency) -> Option<Tariff> {
    let mut places = Vec::new();
    let mut elements = Vec::new();
    for sort in [Sort::Special, Sort::Window] {
        for rule in rules(form, sort) {
            if is_blank(form, &rule) {
                continue;
            }
            let element = element(form, &format!("{rule}-"), sort);
            if element.components.is_empty() && form.is_clean() {
                let detail = "is missing; expected at least one price in this rule";
                form.complain(&format!("{rule}-energy"), detail);
            }
            elements.push(element);
            places.push(format!("{rule}-"));
        }
    }
    let always = prices(form, "", &Kind::ALL);
    if !always.is_empty() {
        elements.push(Element {
            components: always,
            restrictions: Restrictions::default(),
        });
        places.push(String::new());
    }
    if elements.is_empty() && form.is_clean() {
        form.complain(
            "energy",
            "is missing; expected at least one price of anything",
        );
    }
    let tax_rate = form.optional("tax_rate", "a per cent such as 19", |text| {
        decimal(text).filter(|rate| !rate.is_sign_negative())
    });
    let mut limit = |name: &str| {
        let mut side = |side: &str| {
            form.optional(
                &format!("{name}_{side}"),
                "an amount such as 2.50",
                |text| decimal(text).filter(|amount| !amount.is_sign_negative()),
            )
        };
        let limit = Limit {
            net: side("net"),
            total: side("total"),
        };
        (limit != Limit::default()).then_some(limit)
    };
    let (min_price, max_price) = (limit("min"), limit("max"));
    let tariff = Tariff {
        currency,
        prices_include_tax: form.checked("includes_tax"),
        tax_rate: tax_rate.unwrap_or_default(),
        elements,
        min_price,
        max_price,
        extra: serde_json::Map::new(),
    };
    if form.is_clean() {
        for problem in tariff.check() {
            let field = field(&problem.pointer, &tariff, &places);
            let detail = format!("“{}”: expected {}", problem.value, problem.expected);
            form.complain(&field, detail);
        }
    }
    form.is_clean().then_some(tariff)
}

/// Whether a rule was added and nothing was typed into it.
fn is_blank(form: &Form, rule: &str) -> bool {
    FIELDS
        .iter()
        .filter(|field| !matches!(**field, "row" | "days"))
        .all(|field| form.value(&format!("{rule}-{field}")).is_empty())
}

/// Whether what has two ends goes up, in the units that were typed.
fn complain_of_ends(form: &mut Form, rule: &str) {
    for unit in ["kwh", "kw", "min"] {
        let (from, to) = (format!("{rule}{unit}_from"), format!("{rule}{unit}_to"));
        let from = decimal(form.value(&from)).unwrap_or_default();
        if decimal(form.value(&to)).is_some_and(|to| to <= from) {
            form.expected(&to, &format!("more than {from}"));
        }
    }
}

fn element(form: &mut Form, rule: &str, sort: Sort) -> Element {
    complain_of_ends(form, rule);
    let kinds: &[Kind] = match sort {
        Sort::Window => &[Kind::Energy, Kind::Time],
        Sort::Special => &Kind::ALL,
    };
    Element {
        components: prices(form, rule, kinds),
        restrictions: restrictions(form, rule),
    }
}

fn prices(form: &mut Form, rule: &str, kinds: &[Kind]) -> Vec<Component> {
    let mut components = Vec::new();
    for kind in kinds {
        let price = form.optional(&format!("{rule}{}", kind.as_str()), PRICE, |text| {
            decimal(text)
                .filter(|price| !price.is_sign_negative() && price.normalize().scale() <= 6)
        });
        let price = match (price, *kind) {
            (Some(price), _) => Some(Price::Fixed(price)),
            (None, Kind::Energy) => feed(form, rule),
            (None, _) => None,
        };
        components.extend(price.map(|price| Component {
            price,
            ..Component::fixed(*kind, Decimal::ZERO)
        }));
    }
    let grace = form.optional(
        &format!("{rule}grace"),
        "a whole number of minutes",
        |text| text.parse().ok(),
    );
    for component in &mut components {
        match component.kind {
            Kind::Idle => component.grace_minutes = grace.unwrap_or(0),
            Kind::Time => component.while_charging = form.checked(&format!("{rule}while")),
            _ => {}
        }
    }
    if grace.is_some_and(|grace| grace > 0)
        && !components
            .iter()
            .any(|component| component.kind == Kind::Idle)
    {
        let detail = "is missing; free minutes take a price of the time after them";
        form.complain(&format!("{rule}idle"), detail);
    }
    components
}

/// The price of a feed, if one is named.
fn feed(form: &mut Form, rule: &str) -> Option<Price> {
    let feed = form.value(&format!("{rule}feed")).to_owned();
    let factor = form.optional(&format!("{rule}factor"), "a number such as 1.05", decimal);
    let surcharge = form.optional(&format!("{rule}surcharge"), PRICE, decimal);
    (!feed.is_empty()).then(|| {
        Price::Dynamic(Dynamic {
            feed,
            factor: factor.unwrap_or(Decimal::ONE),
            surcharge: surcharge.unwrap_or_default(),
        })
    })
}

fn restrictions(form: &mut Form, rule: &str) -> Restrictions {
    let field = |name: &str| format!("{rule}{name}");
    let days: Vec<Weekday> = Weekday::ALL
        .into_iter()
        .filter(|day| form.has(&field("days"), &key(*day)))
        .collect();
    let thousandths = |text: &str| {
        let value = decimal(text)?.checked_mul(Decimal::from(1000))?;
        value.is_integer().then(|| value.to_u64()).flatten()
    };
    let minutes = |text: &str| text.parse::<u64>().ok()?.checked_mul(60);
    let month_day = |text: &str| text.parse::<MonthDay>().ok();
    let mut time = |name: &str| {
        form.optional(
            &field(name),
            "a time of day such as 22:00, up to 24:00",
            time_of_day,
        )
    };
    let (time_from, time_to) = (time("from"), time("to"));
    let season = "a day of the year such as 04-01";
    let day = "a day such as 2026-12-31";
    let date = |text: &str| text.parse::<NaiveDate>().ok();
    Restrictions {
        weekdays: if days.len() == Weekday::ALL.len() {
            Vec::new()
        } else {
            days
        },
        time_from,
        time_to,
        season_from: form.optional(&field("season_from"), season, month_day),
        season_to: form.optional(&field("season_to"), season, month_day),
        date_from: form.optional(&field("date_from"), day, date),
        date_to: form.optional(&field("date_to"), day, date),
        holidays: form.optional(
            &field("holidays"),
            "one of only, never",
            |text| match text {
                "only" => Some(Holidays::Only),
                "never" => Some(Holidays::Never),
                _ => None,
            },
        ),
        energy_from_wh: form.optional(&field("kwh_from"), "kWh such as 10", thousandths),
        energy_to_wh: form.optional(&field("kwh_to"), "kWh such as 10", thousandths),
        power_from_w: form.optional(&field("kw_from"), "kW such as 22", thousandths),
        power_to_w: form.optional(&field("kw_to"), "kW such as 22", thousandths),
        duration_from_s: form.optional(&field("min_from"), "whole minutes such as 60", minutes),
        duration_to_s: form.optional(&field("min_to"), "whole minutes such as 60", minutes),
        source: form.optional(&field("source"), "one of solar, grid", |text| match text {
            "solar" => Some(Source::Solar),
            "grid" => Some(Source::Grid),
            _ => None,
        }),
        reservation_expired: false,
    }
}

/// `22:00`; an hour of one digit is meant well.
fn time_of_day(text: &str) -> Option<TimeOfDay> {
    let padded = match text.split_once(':') {
        Some((hours, _)) if hours.len() == 1 => format!("0{text}"),
        Some(_) => text.to_owned(),
        None => format!("{text:0>2}:00"),
    };
    padded.parse().ok()
}

/// The form's field for a place in the tariff.
fn field(pointer: &str, tariff: &Tariff, places: &[String]) -> String {
    let parts: Vec<&str> = pointer.split('/').skip(1).collect();
    let at = |text: &str| text.parse::<usize>().ok();
    match parts.as_slice() {
        ["elements", element, "components", component, rest @ ..] => {
            let element = at(element).unwrap_or(usize::MAX);
            let kind = tariff
                .elements
                .get(element)
                .zip(at(component))
                .and_then(|(element, component)| element.components.get(component))
                .map_or("energy", |component| component.kind.as_str());
            let name = match rest {
                ["grace_minutes"] => "grace",
                ["while_charging"] => "while",
                ["price", name @ ("feed" | "factor" | "surcharge")] => name,
                _ => kind,
            };
            format!("{}{name}", places.get(element).map_or("", String::as_str))
        }
        ["elements", element, "restrictions", name, ..] => {
            let place = at(element).and_then(|element| places.get(element));
            let name = match *name {
                "time_from" => "from",
                "time_to" => "to",
                "weekdays" => "days",
                "energy_from_wh" => "kwh_from",
                "energy_to_wh" => "kwh_to",
                "power_from_w" => "kw_from",
                "power_to_w" => "kw_to",
                "duration_from_s" => "min_from",
                "duration_to_s" => "min_to",
                other => other,
            };
            format!("{}{name}", place.map_or("", String::as_str))
        }
        ["min_price", side] => format!("min_{side}"),
        ["max_price", side] => format!("max_{side}"),
        ["tax_rate"] => "tax_rate".to_owned(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests;
