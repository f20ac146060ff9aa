//! Timestamps as chargers write them (quirks 19 and 33). Reading never fails: it yields a time, a flaw, or both.

use std::fmt;

use chrono::{
    DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, SecondsFormat, TimeDelta,
    Utc,
};
use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, Serializer};

use crate::salvage::{self, FromScalar, Scalar};

/// No charger of OCPP 1.6 or later was on the road before this year: an earlier time means a clock that was never set.
const FIRST_YEAR: i32 = 2015;
const LAST_YEAR: i32 = 2099;

/// What was wrong with a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeFlaw {
    /// No zone was given; UTC is assumed.
    ZoneAssumed,
    /// Not RFC 3339, but clear: `+02`, `+0200`, no seconds, 24:00, a blank for the T.
    Mended,
    /// A valid time that cannot be now: before 2015 or after 2099.
    Absurd,
    /// Not a time at all.
    Unreadable,
}

impl TimeFlaw {
    /// A short word for flags and logs.
    pub const fn flag(self) -> &'static str {
        match self {
            TimeFlaw::ZoneAssumed => "time-zone-assumed",
            TimeFlaw::Mended => "time-mended",
            TimeFlaw::Absurd => "time-absurd",
            TimeFlaw::Unreadable => "time-unreadable",
        }
    }
}

/// A point in time as a peer stated it. Written as RFC 3339 in UTC with milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timestamp {
    at: Option<DateTime<Utc>>,
    flaw: Option<TimeFlaw>,
}

impl Timestamp {
    /// The stated time, absurd or not: it identifies a message that comes twice. `None` if unreadable.
    pub fn stated(self) -> Option<DateTime<Utc>> {
        self.at
    }

    /// The stated time if it can be true. `None` means: use the time of receipt.
    pub fn credible(self) -> Option<DateTime<Utc>> {
        self.at.filter(|_| self.flaw != Some(TimeFlaw::Absurd))
    }

    /// What was wrong with it.
    pub fn flaw(self) -> Option<TimeFlaw> {
        self.flaw
    }

    /// Reads any text.
    pub fn read(text: &str) -> Self {
        let text = text.trim();
        let (at, flaw) = match DateTime::parse_from_rfc3339(text) {
            Ok(at) => (at.to_utc(), None),
            Err(_) => match mend(text) {
                Some((at, flaw)) => (at, Some(flaw)),
                None => {
                    return Timestamp {
                        at: None,
                        flaw: Some(TimeFlaw::Unreadable),
                    };
                }
            },
        };
        let is_absurd = !(FIRST_YEAR..=LAST_YEAR).contains(&at.year());
        Timestamp {
            at: Some(at),
            flaw: if is_absurd {
                Some(TimeFlaw::Absurd)
            } else {
                flaw
            },
        }
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Timestamp {
            at: Some(at),
            flaw: None,
        }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.at {
            Some(at) => f.write_str(&at.to_rfc3339_opts(SecondsFormat::Millis, true)),
            None => f.write_str("unreadable"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.at {
            Some(_) => serializer.collect_str(self),
            None => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = salvage::scalar(deserializer)?;
        read.ok_or_else(|| serde::de::Error::custom("expected a timestamp, found null"))
    }
}

impl FromScalar for Timestamp {
    fn from_scalar(scalar: Scalar<'_>) -> Option<Self> {
        match scalar {
            Scalar::Null => None,
            Scalar::Text(text) => Some(Timestamp::read(&text)),
            _ => Some(Timestamp {
                at: None,
                flaw: Some(TimeFlaw::Unreadable),
            }),
        }
    }
}

/// `YYYY-MM-DD`, T or blank, `hh:mm[:ss[.fraction]]`, then no zone, `Z`, `+hh`, `+hhmm` or `+hh:mm`.
fn mend(text: &str) -> Option<(DateTime<Utc>, TimeFlaw)> {
    let date: NaiveDate = text.get(..10)?.parse().ok()?;
    let rest = text.get(10..)?.strip_prefix(['T', 't', ' '])?.trim();
    let zone_at = rest.find(['Z', 'z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone_at);
    let local = local_time(date, clock.trim())?;
    let (offset, flaw) = match zone {
        "" => (0, TimeFlaw::ZoneAssumed),
        "Z" | "z" => (0, TimeFlaw::Mended),
        _ => (offset_seconds(zone)?, TimeFlaw::Mended),
    };
    let at = local
        .and_local_timezone(FixedOffset::east_opt(offset)?)
        .single()?;
    Some((at.to_utc(), flaw))
}

fn local_time(date: NaiveDate, clock: &str) -> Option<NaiveDateTime> {
    if let Some(rest) = clock.strip_prefix("24:00") {
        let is_midnight = rest.chars().all(|c| matches!(c, ':' | '.' | '0'));
        return is_midnight.then_some(date.succ_opt()?.and_time(NaiveTime::MIN));
    }
    let clock = clock.replace(',', ".");
    let time = NaiveTime::parse_from_str(&clock, "%H:%M:%S%.f")
        .or_else(|_| NaiveTime::parse_from_str(&clock, "%H:%M"));
    Some(date.and_time(time.ok()?))
}

fn offset_seconds(zone: &str) -> Option<i32> {
    let digits: String = zone[1..].chars().filter(|c| *c != ':').collect();
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (hours, minutes) = match digits.len() {
        2 => (digits.as_str(), "0"),
        4 => digits.split_at(2),
        _ => return None,
    };
    let offset = TimeDelta::hours(hours.parse::<u8>().ok()?.into())
        + TimeDelta::minutes(minutes.parse::<u8>().ok()?.into());
    let seconds = i32::try_from(offset.num_seconds()).ok()?;
    Some(if zone.starts_with('-') {
        -seconds
    } else {
        seconds
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Quirk 19, and the timestamps of the real-world payloads.
    #[test]
    fn timestamps_of_real_chargers_are_read() {
        use TimeFlaw::{Absurd, Mended, Unreadable, ZoneAssumed};
        for (text, expected, flaw) in [
            ("2024-04-26T14:35:02Z", "2024-04-26T14:35:02.000Z", None),
            (
                "2024-04-26T14:35:02.123456+02:00",
                "2024-04-26T12:35:02.123Z",
                None,
            ),
            (
                "2023-10-19T15:28:07",
                "2023-10-19T15:28:07.000Z",
                Some(ZoneAssumed),
            ),
            (
                "2023-10-19 15:28:07.5",
                "2023-10-19T15:28:07.500Z",
                Some(ZoneAssumed),
            ),
            (
                "2024-04-26T14:35:02+02",
                "2024-04-26T12:35:02.000Z",
                Some(Mended),
            ),
            (
                "2024-04-26T14:35:02-0230",
                "2024-04-26T17:05:02.000Z",
                Some(Mended),
            ),
            (
                "2024-04-26T14:35Z",
                "2024-04-26T14:35:00.000Z",
                Some(Mended),
            ),
            (
                "2024-04-26T14:35:02,25Z",
                "2024-04-26T14:35:02.250Z",
                Some(Mended),
            ),
            (
                "2024-02-29T24:00:00Z",
                "2024-03-01T00:00:00.000Z",
                Some(Mended),
            ),
            (
                "1970-01-01T00:00:07Z",
                "1970-01-01T00:00:07.000Z",
                Some(Absurd),
            ),
            (
                "2135-01-01T00:00:00Z",
                "2135-01-01T00:00:00.000Z",
                Some(Absurd),
            ),
            ("2022-02-29T10:00:00Z", "unreadable", Some(Unreadable)),
            ("2024-04-26T24:01:00Z", "unreadable", Some(Unreadable)),
            ("2024-04-26T14:35:02+99999", "unreadable", Some(Unreadable)),
            ("2024-04-26T14:35:02+é", "unreadable", Some(Unreadable)),
            ("2024-04-26T14:35:02+𐀀", "unreadable", Some(Unreadable)),
            ("2024-04-26é14:35:02", "unreadable", Some(Unreadable)),
            ("", "unreadable", Some(Unreadable)),
            ("yesterday", "unreadable", Some(Unreadable)),
        ] {
            let read = Timestamp::read(text);
            assert_eq!(
                (read.to_string().as_str(), read.flaw()),
                (expected, flaw),
                "{text}"
            );
        }
    }

    #[test]
    fn an_absurd_time_identifies_but_is_not_believed() {
        let read = Timestamp::read("1970-01-01T00:00:07Z");
        assert!(read.stated().is_some() && read.credible().is_none());
    }
}
