//! A tariff as the form shows it; none if the form cannot say it.

use billing::tariff::{Element, Holidays, Kind, Price, Restrictions, Source, Tariff, Weekday};
use rust_decimal::{Decimal, prelude::ToPrimitive};

use super::{key, read};
use crate::pages::form::Form;

/// The form of a tariff; none if the form cannot say all that it says.
pub fn fill(tariff: &Tariff) -> Option<Form> {
    let mut fields = vec![
        ("currency".to_owned(), tariff.currency.code().to_owned()),
        ("tax_rate".to_owned(), number(tariff.tax_rate)),
    ];
    if tariff.prices_include_tax {
        fields.push(("includes_tax".to_owned(), "yes".to_owned()));
    }
    for (name, limit) in [("min", tariff.min_price), ("max", tariff.max_price)] {
        let limit = limit.unwrap_or_default();
        for (side, amount) in [("net", limit.net), ("total", limit.total)] {
            fields.extend(amount.map(|amount| (format!("{name}_{side}"), number(amount))));
        }
    }
    let (mut specials, mut windows) = (0, 0);
    for element in &tariff.elements {
        let when = &element.restrictions;
        if *when == Restrictions::default() {
            fill_prices(&mut fields, "", element);
            continue;
        }
        let is_window = crate::view::week::is_of_the_clock(when)
            && element
                .components
                .iter()
                .all(|component| matches!(component.kind, Kind::Energy | Kind::Time))
            && !element
                .components
                .iter()
                .any(|component| component.while_charging);
        let rule = if is_window {
            windows += 1;
            format!("w{}-", windows - 1)
        } else {
            specials += 1;
            format!("s{}-", specials - 1)
        };
        fields.push((format!("{rule}row"), "yes".to_owned()));
        fill_prices(&mut fields, &rule, element);
        fill_restrictions(&mut fields, &rule, when);
    }
    let form = Form::filled(fields);
    // What the form cannot say would be lost: reading it again tells.
    let read = read(&mut form.clone(), tariff.currency)?;
    (normal(read) == normal(tariff.clone())).then_some(form)
}

fn fill_prices(fields: &mut Vec<(String, String)>, rule: &str, element: &Element) {
    for component in &element.components {
        let kind = component.kind.as_str();
        match &component.price {
            Price::Fixed(price) => fields.push((format!("{rule}{kind}"), number(*price))),
            Price::Dynamic(dynamic) => fields.extend([
                (format!("{rule}feed"), dynamic.feed.clone()),
                (format!("{rule}factor"), number(dynamic.factor)),
                (format!("{rule}surcharge"), number(dynamic.surcharge)),
            ]),
        }
        if component.grace_minutes > 0 {
            fields.push((format!("{rule}grace"), component.grace_minutes.to_string()));
        }
        if component.while_charging {
            fields.push((format!("{rule}while"), "yes".to_owned()));
        }
    }
}

fn fill_restrictions(fields: &mut Vec<(String, String)>, rule: &str, when: &Restrictions) {
    let days = if when.weekdays.is_empty() {
        &Weekday::ALL[..]
    } else {
        &when.weekdays
    };
    fields.extend(days.iter().map(|day| (format!("{rule}days"), key(*day))));
    let thousandths = |value: u64| number(Decimal::new(value.to_i64().unwrap_or(i64::MAX), 3));
    let minutes = |seconds: u64| number(Decimal::from(seconds) / Decimal::from(60));
    let holidays = when.holidays.map(|holidays| match holidays {
        Holidays::Only => "only".to_owned(),
        Holidays::Never => "never".to_owned(),
    });
    let source = when.source.map(|source| match source {
        Source::Solar => "solar".to_owned(),
        Source::Grid => "grid".to_owned(),
    });
    for (name, value) in [
        ("from", when.time_from.map(|time| time.to_string())),
        ("to", when.time_to.map(|time| time.to_string())),
        ("season_from", when.season_from.map(|day| day.to_string())),
        ("season_to", when.season_to.map(|day| day.to_string())),
        ("date_from", when.date_from.map(|day| day.to_string())),
        ("date_to", when.date_to.map(|day| day.to_string())),
        ("holidays", holidays),
        ("source", source),
        ("kwh_from", when.energy_from_wh.map(thousandths)),
        ("kwh_to", when.energy_to_wh.map(thousandths)),
        ("kw_from", when.power_from_w.map(thousandths)),
        ("kw_to", when.power_to_w.map(thousandths)),
        ("min_from", when.duration_from_s.map(minutes)),
        ("min_to", when.duration_to_s.map(minutes)),
    ] {
        fields.extend(value.map(|value| (format!("{rule}{name}"), value)));
    }
}

/// The same tariff in the one order that the form knows.
fn normal(mut tariff: Tariff) -> Tariff {
    for element in &mut tariff.elements {
        let days = &mut element.restrictions.weekdays;
        days.sort_unstable();
        if days.len() == Weekday::ALL.len() {
            days.clear();
        }
        element.components.sort_by_key(|component| component.kind);
    }
    tariff.extra.clear();
    tariff
}

/// As short as it can be written.
fn number(value: Decimal) -> String {
    value.normalize().to_string()
}
