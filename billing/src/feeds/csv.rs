//! Hourly prices as CSV: a header line, then a row per hour. Times are instants (with an offset or `Z`), or local times of
//! the feed's zone; there, an hour that comes twice stands there twice, and one that is left out not at all. All of it is
//! read, or nothing.

use std::collections::BTreeMap;

use chrono::{DateTime, LocalResult, NaiveDateTime, TimeZone, Timelike, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use store::price_feeds::{Hour, NewFeed};

/// No hour of electricity costs more, or pays more, per kWh.
const HIGHEST: Decimal = Decimal::from_parts(1_000_000, 0, 0, false, 0);

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, {column}: {value:?}; expected {expected}")]
pub struct Flaw {
    /// From 1; the header is line 1.
    pub line: u64,
    /// The column's name.
    pub column: String,
    /// What stands there.
    pub value: String,
    /// What should.
    pub expected: String,
}

/// The hours, in order, each once.
///
/// # Errors
/// The first thing that is wrong.
pub fn parse(text: &str, feed: &NewFeed) -> Result<Vec<Hour>, Flaw> {
    let zone: Tz = feed.time_zone.parse().map_err(|_| Flaw {
        line: 1,
        column: "time zone".to_owned(),
        value: feed.time_zone.clone(),
        expected: "an IANA time zone such as Europe/Berlin".to_owned(),
    })?;
    // A byte order mark is no part of the first name.
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(feed.separator.bytes().next().unwrap_or(b','))
        .flexible(true)
        .trim(::csv::Trim::All)
        .from_reader(text.as_bytes());
    let header = reader
        .headers()
        .map_err(|error| unreadable(&error))?
        .clone();
    let column = |name: &str| {
        let place = header
            .iter()
            .position(|known| known.eq_ignore_ascii_case(name));
        place.ok_or_else(|| Flaw {
            line: 1,
            column: name.to_owned(),
            value: header.iter().collect::<Vec<_>>().join(&feed.separator),
            expected: format!("a header line with a column of the name {name:?}"),
        })
    };
    let (time, price) = (column(&feed.time_column)?, column(&feed.price_column)?);
    let mut hours = BTreeMap::new();
    let mut last = None;
    for record in reader.records() {
        let record = record.map_err(|error| unreadable(&error))?;
        let line = record.position().map_or(0, |position| line(text, position));
        let flaw = |column: &str, value: &str, expected: String| Flaw {
            line,
            column: column.to_owned(),
            value: value.to_owned(),
            expected,
        };
        let said = record.get(time).unwrap_or_default();
        let start = hour(said, zone, last, |at| hours.contains_key(&at))
            .map_err(|expected| flaw(&feed.time_column, said, expected))?;
        let value = record.get(price).unwrap_or_default();
        let amount = amount(value, &feed.separator).ok_or_else(|| {
            let example = if feed.separator == "," {
                "0.2134"
            } else {
                "0.2134 or 0,2134"
            };
            flaw(
                &feed.price_column,
                value,
                format!(
                    "a price in {} per {} such as {example}",
                    feed.currency, feed.unit
                ),
            )
        })?;
        let per_kwh = if feed.unit == "MWh" {
            (amount / Decimal::ONE_THOUSAND).normalize()
        } else {
            amount
        };
        if hours.insert(start, per_kwh).is_some() {
            return Err(flaw(&feed.time_column, said, "each hour once".to_owned()));
        }
        last = Some(start);
    }
    if hours.is_empty() {
        return Err(Flaw {
            line: 2,
            column: feed.time_column.clone(),
            value: String::new(),
            expected: "at least one hour".to_owned(),
        });
    }
    Ok(hours
        .into_iter()
        .map(|(start, price)| Hour { start, price })
        .collect())
}

/// The line that a record stands on: the reader says where the empty lines before it begin.
fn line(text: &str, position: &::csv::Position) -> u64 {
    let start = usize::try_from(position.byte()).unwrap_or(usize::MAX);
    let before = text.get(start..).unwrap_or_default();
    let empty = before
        .bytes()
        .take_while(|byte| matches!(byte, b'\n' | b'\r'));
    let skipped = empty.filter(|byte| *byte == b'\n').count();
    position.line() + u64::try_from(skipped).unwrap_or(0)
}

fn unreadable(error: &::csv::Error) -> Flaw {
    Flaw {
        line: error.position().map_or(1, ::csv::Position::line),
        column: "the whole line".to_owned(),
        value: error.to_string(),
        expected: "a line of CSV".to_owned(),
    }
}

/// The beginning of an hour, or what was expected instead. Of an hour that comes twice the first to stand there is the
/// first in time, unless the file runs backwards.
fn hour(
    said: &str,
    zone: Tz,
    last: Option<DateTime<Utc>>,
    known: impl Fn(DateTime<Utc>) -> bool,
) -> Result<DateTime<Utc>, String> {
    let text = said.replacen(' ', "T", 1);
    let with_offset = text.replace(['Z', 'z'], "+00:00");
    let instant = ["%Y-%m-%dT%H:%M%:z", "%Y-%m-%dT%H:%M:%S%.f%:z"]
        .into_iter()
        .find_map(|format| DateTime::parse_from_str(&with_offset, format).ok());
    let start = if let Some(instant) = instant {
        instant.to_utc()
    } else {
        let local = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
            .into_iter()
            .find_map(|format| NaiveDateTime::parse_from_str(&text, format).ok())
            .ok_or("a time such as 2026-11-20T13:00:00Z or 2026-11-20 13:00")?;
        match zone.from_local_datetime(&local) {
            LocalResult::Single(at) => at.to_utc(),
            LocalResult::Ambiguous(first, second) => {
                let (first, second) = (first.to_utc(), second.to_utc());
                let backwards = last.is_some_and(|last| last > first && last != second)
                    || last.is_some_and(|last| last == second && known(second));
                let (one, other) = if backwards {
                    (second, first)
                } else {
                    (first, second)
                };
                if known(one) { other } else { one }
            }
            LocalResult::None => return Err(format!("a time that there is in {zone}")),
        }
    };
    let local = start.with_timezone(&zone);
    if local.minute() != 0 || local.second() != 0 || local.nanosecond() != 0 {
        return Err("the beginning of an hour".to_owned());
    }
    Ok(start)
}

fn amount(value: &str, separator: &str) -> Option<Decimal> {
    let comma = separator != "," && !value.contains('.') && value.matches(',').count() == 1;
    let text = if comma {
        value.replace(',', ".")
    } else {
        value.to_owned()
    };
    let amount: Decimal = text.parse().ok()?;
    (amount.abs() <= HIGHEST).then_some(amount)
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::price_feeds::Kind;

    fn feed(zone: &str, unit: &str, separator: &str) -> NewFeed {
        NewFeed {
            name: "day-ahead".to_owned(),
            kind: Kind::Csv,
            location: String::new(),
            time_zone: zone.to_owned(),
            currency: "EUR".to_owned(),
            unit: unit.to_owned(),
            time_column: "Hour".to_owned(),
            price_column: "Price".to_owned(),
            separator: separator.to_owned(),
        }
    }

    #[track_caller]
    fn read(text: &str, feed: &NewFeed) -> Vec<String> {
        parse(text, feed)
            .unwrap()
            .iter()
            .map(|hour| format!("{} {}", hour.start.format("%dT%H:%M"), hour.price))
            .collect()
    }

    #[test]
    fn instants_and_local_times() {
        let berlin = feed("Europe/Berlin", "kWh", ",");
        let text =
            "\u{feff}note, hour ,price\nx,2026-11-20T13:00:00Z,0.21\ny,2026-11-20 15:00,-0.003\n";
        assert_eq!(read(text, &berlin), ["20T13:00 0.21", "20T14:00 -0.003"]);
        let exchange = feed("Europe/Berlin", "MWh", ";");
        let text = "Hour;Price\n2026-11-20T00:00+01:00;87,5\n2026-11-20T01:00+01:00;100\n";
        assert_eq!(read(text, &exchange), ["19T23:00 0.0875", "20T00:00 0.1"]);
        // Half an hour off: the hours of Kolkata begin at half past.
        let text = "Hour,Price\n2026-11-20 05:00,1\n";
        assert_eq!(
            read(text, &feed("Asia/Kolkata", "kWh", ",")),
            ["19T23:30 1"]
        );
    }

    #[test]
    fn days_of_23_and_25_hours() {
        let local_day = |day: &str, hours: &[u32]| {
            let rows: Vec<String> = hours
                .iter()
                .enumerate()
                .map(|(n, hour)| format!("{day} {hour:02}:00,{n}"))
                .collect();
            rows
        };
        let csv = |rows: &[String]| format!("Hour,Price\n{}\n", rows.join("\n"));
        // Zone, day, the hour that comes twice or not at all.
        let berlin = feed("Europe/Berlin", "kWh", ",");
        let short: Vec<u32> = (0..24).filter(|hour| *hour != 2).collect();
        let spring = parse(&csv(&local_day("2026-03-29", &short)), &berlin).unwrap();
        assert_eq!(spring.len(), 23);
        let mut long: Vec<u32> = (0..24).collect();
        long.insert(3, 2);
        let rows = local_day("2026-10-25", &long);
        let autumn = parse(&csv(&rows), &berlin).unwrap();
        assert_eq!(autumn.len(), 25);
        let backwards: Vec<String> = rows.iter().rev().cloned().collect();
        assert_eq!(parse(&csv(&backwards), &berlin).unwrap(), autumn);
        for day in [spring, autumn] {
            for pair in day.windows(2) {
                assert_eq!((pair[1].start - pair[0].start).num_hours(), 1);
                assert_eq!(pair[1].price - pair[0].price, Decimal::ONE);
            }
        }
        let gone = parse("Hour,Price\n2026-03-29 02:00,1\n", &berlin).unwrap_err();
        assert_eq!(
            gone.to_string(),
            "line 2, Hour: \"2026-03-29 02:00\"; expected a time that there is in Europe/Berlin"
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let utc = feed("UTC", "kWh", ",");
        for (text, expected) in [
            (
                "",
                "line 1, Hour: \"\"; expected a header line with a column of the name \"Hour\"",
            ),
            (
                "Hour,Cost\n",
                "line 1, Price: \"Hour,Cost\"; expected a header line with a column of the name \"Price\"",
            ),
            (
                "Hour,Price\n",
                "line 2, Hour: \"\"; expected at least one hour",
            ),
            (
                "Hour,Price\n2026-11-20 00:00,1\nnoon,1\n",
                "line 3, Hour: \"noon\"; expected a time such as",
            ),
            (
                "Hour,Price\n2026-11-20 00:15,1\n",
                "line 2, Hour: \"2026-11-20 00:15\"; expected the beginning of an hour",
            ),
            (
                "Hour,Price\n2026-11-20 00:00,dear\n",
                "line 2, Price: \"dear\"; expected a price in EUR per kWh such as 0.2134",
            ),
            (
                "Hour,Price\n2026-11-20 00:00\n",
                "line 2, Price: \"\"; expected a price",
            ),
            (
                "Hour,Price\n2026-11-20 00:00,NaN\n",
                "line 2, Price: \"NaN\"; expected a price",
            ),
            (
                "Hour,Price\n2026-11-20 00:00,1e9\n",
                "line 2, Price: \"1e9\"; expected a price",
            ),
            (
                "Hour,Price\n2026-11-20 00:00,1\n\n2026-11-20T00:00Z,2\n",
                "line 4, Hour: \"2026-11-20T00:00Z\"; expected each hour once",
            ),
        ] {
            let flaw = parse(text, &utc).unwrap_err().to_string();
            assert!(flaw.starts_with(expected), "{text:?}: {flaw}");
        }
    }
}
