//! A price in words, line by line, and what it would have been otherwise: for people who try a tariff.

use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::money::{Currency, Money};

use super::{Charge, Context, Line, LineKind, Priced, price};
use crate::tariff::{Kind, Tariff};

/// A price and what there is to say about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Simulated {
    /// The price.
    pub priced: Priced,
    /// For each of its lines, why it is there.
    pub explained: Vec<String>,
    /// What the charge would have cost more with all of its energy from the grid; none if the tariff does not care, or
    /// if that is not sure.
    pub savings: Option<Decimal>,
}

/// Prices a charge under a tariff that need not be the one it was charged under.
pub fn simulate(tariff: &Tariff, charge: &Charge, context: &Context) -> Simulated {
    let priced = price(tariff, charge, context);
    let explain = |line| explain(tariff, line, context.zone);
    Simulated {
        explained: priced.lines.iter().map(explain).collect(),
        savings: savings(tariff, charge, context, &priced),
        priced,
    }
}

fn savings(
    tariff: &Tariff,
    charge: &Charge,
    context: &Context,
    priced: &Priced,
) -> Option<Decimal> {
    let mut elements = tariff.elements.iter();
    let cares = elements.any(|element| {
        element.restrictions.source.is_some() && element.component(Kind::Energy).is_some()
    });
    if !cares || priced.is_held() {
        return None;
    }
    let all_grid = price(tariff, &charge.all_grid(), context);
    (!all_grid.is_held()).then(|| all_grid.total - priced.total)
}

/// Why a line is there: how much of what at which price, which element says so and when that holds, and the time it
/// took by the site's clock.
pub fn explain(tariff: &Tariff, line: &Line, zone: Tz) -> String {
    let money = |amount| said(amount, tariff.currency);
    let unit_price = line.unit_price.normalize();
    let currency = tariff.currency;
    let quantity = line.quantity;
    let name = line.kind.name();
    let what = match line.kind {
        LineKind::Start | LineKind::ReservationFee | LineKind::Minimum | LineKind::Maximum => {
            name.to_owned()
        }
        LineKind::Energy => {
            let source = line
                .source
                .map_or(String::new(), |source| format!("{} ", source.name()));
            format!("{quantity} kWh of {source}energy at {unit_price} {currency} each")
        }
        LineKind::Time | LineKind::Idle | LineKind::Reservation => {
            format!("{name}: {quantity} h at {unit_price} {currency} an hour")
        }
    };
    let mut text = format!(
        "{what}: {}",
        money(if tariff.prices_include_tax {
            line.total
        } else {
            line.net
        })
    );
    if !line.tax.is_zero() {
        let (rate, tax) = (line.tax_rate.normalize(), money(line.tax));
        let how = if tariff.prices_include_tax {
            "including"
        } else {
            "plus"
        };
        text += &format!(", {how} {rate} % tax of {tax}");
    }
    if !line.rounded_up.is_zero() {
        let unit = line.kind.unit();
        text += &format!("; {} {unit} of it make the last step full", line.rounded_up);
    }
    if let Some((index, element)) = line
        .element
        .and_then(|index| Some((index, tariff.elements.get(index)?)))
    {
        text += &format!(
            ". Element {}: {}",
            index + 1,
            element.restrictions.in_words()
        );
    }
    let local =
        |at: chrono::DateTime<chrono::Utc>| at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S %Z");
    if line.element.is_some() && line.from < line.to {
        text += &format!(". Between {} and {}", local(line.from), local(line.to));
    }
    text + "."
}

fn said(amount: Decimal, currency: Currency) -> Money {
    Money { amount, currency }
}
