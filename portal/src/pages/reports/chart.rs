//! The report's charts: totals over time, each currency's own, as bars that the template draws.

use chrono::NaiveDate;
use rust_decimal::Decimal;
use store::reports::{self, By, Row};

use super::{Asked, PAGE, shown};
use crate::view::number;

/// A chart of totals over time, of one currency.
pub(super) struct Chart {
    pub(super) currency: String,
    pub(super) bars: Vec<Bar>,
    pub(super) top: String,
    pub(super) first: String,
    pub(super) last: String,
}

pub(super) struct Bar {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) title: String,
}

/// The drawing area: a margin for the words left and below.
const LEFT: u32 = 60;
const WIDTH: u32 = 880;
const TOP: u32 = 10;
const HEIGHT: u32 = 120;
/// More bars than this are no picture.
const MOST_BARS: usize = 400;

/// Totals over time, of each currency; days and months without a session are there too, and empty.
pub(super) fn charts(asked: &Asked, found: &reports::Page) -> Vec<Chart> {
    let names = match asked.by {
        By::Day => span(asked.filter.from, asked.filter.to, "%Y-%m-%d"),
        By::Month => span(asked.filter.from, asked.filter.to, "%Y-%m"),
        By::Site | By::Station => Vec::new(),
    };
    if !(2..=MOST_BARS).contains(&names.len()) || found.of > PAGE {
        return Vec::new();
    }
    let mut currencies: Vec<&str> = found.rows.iter().map(|row| row.currency.as_str()).collect();
    currencies.sort_unstable();
    currencies.dedup();
    currencies
        .into_iter()
        .filter(|currency| !currency.is_empty())
        .map(|currency| chart(&names, currency, &found.rows))
        .collect()
}

/// Every day, or month, of a period once.
fn span(from: NaiveDate, to: NaiveDate, format: &str) -> Vec<String> {
    let mut names: Vec<String> = from
        .iter_days()
        .take_while(|day| *day <= to)
        .map(|day| day.format(format).to_string())
        .collect();
    names.dedup();
    names
}

fn chart(names: &[String], currency: &str, rows: &[Row]) -> Chart {
    let total = |name: &String| {
        rows.iter()
            .find(|row| row.currency == currency && row.name == *name)
            .map_or(Decimal::ZERO, |row| row.total)
    };
    let top = names.iter().map(total).max().unwrap_or_default();
    let count = u32::try_from(names.len()).unwrap_or(1).max(1);
    let bars = (0..).zip(names).map(|(place, name)| {
        let amount = total(name);
        let height = (amount * Decimal::from(HEIGHT))
            .checked_div(top)
            .and_then(|height| u32::try_from(height.round()).ok())
            .unwrap_or(0);
        let x = LEFT + place * WIDTH / count;
        let next = LEFT + (place + 1) * WIDTH / count;
        Bar {
            x,
            y: TOP + HEIGHT - height,
            width: (next - x)
                .saturating_sub(if count > 120 { 0 } else { 2 })
                .clamp(1, 36),
            height,
            title: format!(
                "{}: {} {currency}",
                shown(name),
                number::money(amount, currency)
            ),
        }
    });
    Chart {
        bars: bars.collect(),
        top: number::money(top, currency),
        first: names.first().map_or_else(String::new, |name| shown(name)),
        last: names.last().map_or_else(String::new, |name| shown(name)),
        currency: currency.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_without_a_session_have_a_bar_of_nothing() {
        let names = span(
            "2026-10-30".parse().unwrap(),
            "2026-11-02".parse().unwrap(),
            "%Y-%m",
        );
        assert_eq!(names, ["2026-10", "2026-11"]);
        let chart = chart(&names, "EUR", &[]);
        assert_eq!((chart.bars.len(), chart.bars[0].height), (2, 0));
        assert_eq!(chart.first, "October 2026");
    }
}
