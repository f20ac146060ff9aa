//! Numbers, times and names as a document shows them. Exact: nothing is a float here.

use chrono::{DateTime, NaiveDate, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use store::{
    Currency,
    invoices::{Kind, LineOf},
};

use crate::{
    invoice::paper::Paper,
    price::{LineKind, words},
};

/// With as many decimals as the currency has, and thousands apart: `12,345.60`.
pub fn amount(amount: Decimal, currency: Currency) -> String {
    grouped(amount, currency.exponent())
}

/// With the currency: `EUR 12,345.60`.
pub fn money(value: Decimal, currency: Currency) -> String {
    format!("{currency} {}", amount(value, currency))
}

/// A unit price with all its decimals, and at least those of the currency.
pub fn unit_price(price: Decimal, currency: Currency) -> String {
    let price = price.normalize();
    grouped(price, price.scale().max(currency.exponent()))
}

/// kWh of a register in Wh: `1,284.037`.
pub fn kwh(wh: i64) -> String {
    grouped(Decimal::new(wh, 3), 3)
}

/// A rate in percent: `19 %`, `7.5 %`.
pub fn rate(rate: Decimal) -> String {
    format!("{} %", rate.normalize())
}

/// With its unit: `12.500 kWh`, `1.250 h`, `1`.
pub fn quantity(line: &LineOf) -> String {
    match LineKind::parse(&line.kind).map_or("", LineKind::unit) {
        "" => line
            .quantity
            .normalize()
            .to_string()
            .replace('-', "\u{2212}"),
        unit => format!("{} {unit}", grouped(line.quantity, 3)),
    }
}

fn grouped(value: Decimal, decimals: u32) -> String {
    let mut value = value.round_dp_with_strategy(
        decimals,
        rust_decimal::RoundingStrategy::MidpointAwayFromZero,
    );
    value.rescale(decimals);
    let text = value.abs().to_string();
    let (whole, rest) = text
        .split_once('.')
        .map_or((text.as_str(), ""), |(whole, rest)| (whole, rest));
    let mut shown = String::new();
    for (n, digit) in whole.chars().enumerate() {
        if n > 0 && (whole.len() - n).is_multiple_of(3) {
            shown.push(',');
        }
        shown.push(digit);
    }
    let sign = if value.is_sign_negative() && !value.is_zero() {
        "\u{2212}"
    } else {
        ""
    };
    if rest.is_empty() {
        format!("{sign}{shown}")
    } else {
        format!("{sign}{shown}.{rest}")
    }
}

/// `3 October 2026`.
pub fn day(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

/// `October 2026`.
pub fn month(month: NaiveDate) -> String {
    month.format("%B %Y").to_string()
}

/// From start to end in the site's zone, with its name; the day twice only if it is another.
pub fn period(from: DateTime<Utc>, to: DateTime<Utc>, zone: &str) -> String {
    let zone: Tz = zone.parse().unwrap_or(Tz::UTC);
    let (from, to) = (from.with_timezone(&zone), to.with_timezone(&zone));
    let begin = from.format("%-d %b %Y %H:%M");
    // When the clocks change in between, both names are needed.
    let (first, last) = (from.format("%Z").to_string(), to.format("%Z").to_string());
    let first = if first == last {
        String::new()
    } else {
        format!(" {first}")
    };
    if from.date_naive() == to.date_naive() {
        format!("{begin}{first} – {} {last}", to.format("%H:%M"))
    } else {
        format!("{begin}{first} – {} {last}", to.format("%-d %b %Y %H:%M"))
    }
}

/// What a line is for.
pub fn line(line: &LineOf) -> String {
    words::stored(&line.kind, line.source.as_deref())
}

/// What the document is called.
pub fn title(paper: &Paper) -> String {
    match (paper.kind, paper.month) {
        (Kind::CreditNote, _) => "Credit note".to_owned(),
        (Kind::Receipt, _) => "Invoice".to_owned(),
        (_, Some(of)) => format!("Invoice for {}", month(of)),
        _ => "Invoice".to_owned(),
    }
}

/// The sentence below the title.
pub fn introduction(paper: &Paper) -> String {
    let because = if paper.reason.is_empty() || paper.reason.starts_with("Replace") {
        String::new()
    } else {
        format!(" {}.", paper.reason.trim_end_matches('.'))
    };
    if let Some(corrected) = &paper.corrects {
        return format!("Takes back what is listed below of invoice {corrected}.{because}");
    }
    if let Some(replaced) = &paper.replaces {
        return format!("Takes the place of what was credited of invoice {replaced}.{because}");
    }
    match paper.sessions.len() {
        1 => "For one charging session.".to_owned(),
        many => format!("For {many} charging sessions."),
    }
}

/// The first bytes of each sha256: enough to find the signed values again.
pub fn signed(hashes: &[String]) -> String {
    let short: Vec<&str> = hashes
        .iter()
        .map(|hash| hash.get(..12).unwrap_or(hash))
        .collect();
    short.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dec(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_have_the_currencys_decimals() {
        let (eur, jpy, kwd) = (
            "EUR".parse().unwrap(),
            "JPY".parse().unwrap(),
            "KWD".parse().unwrap(),
        );
        assert_eq!(money(dec("1234567.5"), eur), "EUR 1,234,567.50");
        assert_eq!(amount(dec("120"), jpy), "120");
        assert_eq!(amount(dec("-1000.5"), kwd), "\u{2212}1,000.500");
        assert_eq!(amount(dec("-0.00"), eur), "0.00");
        assert_eq!(unit_price(dec("0.385000"), eur), "0.385");
        assert_eq!(unit_price(dec("50"), eur), "50.00");
        assert_eq!(
            (kwh(1_284_037), kwh(5)),
            ("1,284.037".to_owned(), "0.005".to_owned())
        );
    }

    #[test]
    fn a_period_names_its_zone_and_both_when_the_clocks_change() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(
            period(
                at("2026-10-03T06:15:00Z"),
                at("2026-10-03T07:40:00Z"),
                "Europe/Berlin"
            ),
            "3 Oct 2026 08:15 – 09:40 CEST"
        );
        assert_eq!(
            period(
                at("2026-10-25T00:30:00Z"),
                at("2026-10-25T01:30:00Z"),
                "Europe/Berlin"
            ),
            "25 Oct 2026 02:30 CEST – 02:30 CET"
        );
        assert_eq!(
            period(
                at("2026-10-03T21:30:00Z"),
                at("2026-10-03T23:30:00Z"),
                "Europe/Berlin"
            ),
            "3 Oct 2026 23:30 – 4 Oct 2026 01:30 CEST"
        );
    }
}
