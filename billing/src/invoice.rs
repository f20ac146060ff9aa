//! Invoices: what they say is reckoned here and in `reckon` from what was loaded; `issue` writes them, `paper` is what is
//! printed. Prices are made elsewhere ([`crate::price`]) and only added up here.

pub mod issue;
pub mod overdue;
pub mod paper;
pub mod pay;
pub mod reckon;
pub mod send;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// Seller or buyer, as printed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// The first line.
    pub name: String,
    /// The lines below it.
    #[serde(default)]
    pub address: String,
    /// ISO 3166-1 alpha-2, or empty.
    #[serde(default)]
    pub country: String,
    /// VAT number or the like, or empty.
    #[serde(default)]
    pub tax_id: String,
    /// Or empty.
    #[serde(default)]
    pub email: String,
    /// Of a seller: what is printed as "pay to".
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub payment_details: String,
}

impl Party {
    /// As kept with a document.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("strings are always JSON")
    }

    /// The reverse of [`Party::to_json`]; a text that is none becomes the name, so that a page still shows it.
    pub fn from_json(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_else(|_| Party {
            name: text.to_owned(),
            ..Party::default()
        })
    }
}

/// Why something was not done; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// In words for people.
    #[error("{0}")]
    Because(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Refused {
    /// A refusal in words.
    pub fn because(words: impl Into<String>) -> Self {
        Self::Because(words.into())
    }
}

/// The instant at which a local day begins: the first one that has its date, where midnight is skipped or comes twice.
pub fn day_begins(day: NaiveDate, zone: Tz) -> DateTime<Utc> {
    let midnight = day.and_time(NaiveTime::MIN);
    (0..=12)
        .find_map(|quarters| {
            zone.from_local_datetime(&(midnight + TimeDelta::minutes(15 * quarters)))
                .earliest()
        })
        .map_or_else(|| midnight.and_utc(), |at| at.to_utc())
}

/// The first days of the month that `day` is in, and of the next one.
pub fn month_of(day: NaiveDate) -> (NaiveDate, NaiveDate) {
    let first = day.with_day(1).unwrap_or(day);
    // The 1st and 31 days is always in the next month.
    let next = first + Days::new(31);
    (first, next.with_day(1).unwrap_or(next))
}

/// The instants between which a month lies in a zone.
pub fn month_in(month: NaiveDate, zone: Tz) -> (DateTime<Utc>, DateTime<Utc>) {
    let (first, next) = month_of(month);
    (day_begins(first, zone), day_begins(next, zone))
}

/// `2026-10` as the first day of that month.
pub fn parse_month(text: &str) -> Option<NaiveDate> {
    let (year, month) = text.split_once('-')?;
    if year.len() != 4 || month.len() != 2 {
        return None;
    }
    NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono_tz::{America, Europe};

    #[test]
    fn months_begin_and_end_with_local_days() {
        let month = parse_month("2026-10").unwrap();
        let (from, to) = month_in(month, Europe::Berlin);
        assert_eq!(from.to_string(), "2026-09-30 22:00:00 UTC");
        assert_eq!(
            to.to_string(),
            "2026-10-31 23:00:00 UTC",
            "summer time ended"
        );
        let december = month_in(parse_month("2026-12").unwrap(), Europe::Berlin);
        assert_eq!(december.1.to_string(), "2026-12-31 23:00:00 UTC");
        for wrong in ["2026", "2026-13", "26-10", "2026-1", "2026-10-01", "x"] {
            assert_eq!(parse_month(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_without_midnight_begins_later() {
        // São Paulo put the clocks forward at midnight.
        let day = NaiveDate::from_ymd_opt(2018, 11, 4).unwrap();
        let begins = day_begins(day, America::Sao_Paulo);
        assert_eq!(begins.to_string(), "2018-11-04 03:00:00 UTC");
    }

    #[test]
    fn a_party_is_read_as_it_was_written() {
        let party = Party {
            name: "Ärzte & Söhne \"KG\"".to_owned(),
            address: "Straße 1\n20457 Hamburg".to_owned(),
            ..Party::default()
        };
        assert_eq!(Party::from_json(&party.to_json()), party);
        assert_eq!(Party::from_json("no JSON").name, "no JSON");
    }
}
