//! Time as numbers: monotonic milliseconds for timers, UTC milliseconds for what OCPP says.
//! No clock is read here; the proleptic Gregorian arithmetic is the well-known days-from-civil one.

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Monotonic milliseconds since an arbitrary start (the host's boot).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(pub u64);

impl Millis {
    /// This moment plus `ms` milliseconds.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// Milliseconds since 1970-01-01T00:00:00Z; on the wire RFC 3339 with milliseconds and `Z`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Utc(pub i64);

impl Utc {
    /// Reads an ISO 8601 date and time; a missing zone is taken as UTC. `None` if it is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.trim().split_once(['T', 't', ' '])?;
        let mut parts = date.splitn(3, '-');
        let year: i64 = parts.next()?.parse().ok()?;
        let month: i64 = parts.next()?.parse().ok()?;
        let day: i64 = parts.next()?.parse().ok()?;
        if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
            return None;
        }
        let zone_at = time.find(['Z', 'z', '+', '-']).unwrap_or(time.len());
        let (clock, zone) = time.split_at(zone_at);
        let mut parts = clock.splitn(3, ':');
        let hour: i64 = parts.next()?.parse().ok()?;
        let minute: i64 = parts.next()?.parse().ok()?;
        let (seconds, fraction) = match parts.next().unwrap_or("0").split_once('.') {
            Some((seconds, fraction)) => (seconds.parse::<i64>().ok()?, fraction),
            None => (parts_seconds(clock)?, ""),
        };
        if !(0..=24).contains(&hour) || !(0..=59).contains(&minute) || !(0..=60).contains(&seconds)
        {
            return None;
        }
        let seconds_of_day = hour * 3600 + minute * 60 + seconds - zone_offset(zone)?;
        Some(Self(
            (days_from_civil(year, month, day) * 86_400 + seconds_of_day) * 1000
                + millis(fraction)?,
        ))
    }
}

/// The seconds field of `hh:mm:ss` (0 if it is left out).
fn parts_seconds(clock: &str) -> Option<i64> {
    clock
        .splitn(3, ':')
        .nth(2)
        .map_or(Some(0), |s| s.parse().ok())
}

/// The first three digits of a fraction, as milliseconds.
fn millis(fraction: &str) -> Option<i64> {
    let mut value = 0;
    for place in 0..3 {
        let digit = match fraction.as_bytes().get(place) {
            Some(byte) => i64::from(char::from(*byte).to_digit(10)?),
            None => 0,
        };
        value = value * 10 + digit;
    }
    Some(value)
}

/// Seconds east of UTC of `Z`, `+hh:mm`, `+hhmm`, `+hh` or nothing.
fn zone_offset(zone: &str) -> Option<i64> {
    let (sign, rest) = match zone.as_bytes().first() {
        None | Some(b'Z' | b'z') => return Some(0),
        Some(b'-') => (-1, &zone[1..]),
        Some(_) => (1, &zone[1..]),
    };
    let hours: i64 = rest.get(0..2)?.parse().ok()?;
    let minutes: i64 = match rest[2..].trim_start_matches(':') {
        "" => 0,
        text => text.parse().ok()?,
    };
    Some(sign * (hours * 3600 + minutes * 60))
}

fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.div_euclid(1000);
        let (year, month, day) = civil_from_days(seconds.div_euclid(86_400));
        let second = seconds.rem_euclid(86_400);
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
            second / 3600,
            second / 60 % 60,
            second % 60,
            self.0.rem_euclid(1000)
        )
    }
}

impl Serialize for Utc {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Utc {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not an ISO 8601 date and time"))
    }
}

/// A time that may still be a guess, because nobody has told the charge point the time since it booted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) utc: Utc,
    /// True until the clock is set: [`Stamp::settle`] then moves it by the error found.
    pub(crate) guessed: bool,
}

impl Stamp {
    pub(crate) fn settle(&mut self, error_ms: i64) {
        if self.guessed {
            self.utc.0 += error_ms;
            self.guessed = false;
        }
    }
}

/// Wall time as an offset to the monotonic one. Unset, it counts from 1970, as a device without a battery does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    offset_ms: i64,
    set: bool,
    /// A host with a clock of its own (or a virtual one) does not let the server move it.
    own: bool,
}

impl Clock {
    pub(crate) fn new(now: Millis, own: Option<Utc>) -> Self {
        let offset_ms = own.map_or(0, |utc| utc.0 - now.0.cast_signed());
        Self {
            offset_ms,
            set: own.is_some(),
            own: own.is_some(),
        }
    }

    pub(crate) fn utc(&self, now: Millis) -> Utc {
        Utc(self.offset_ms + now.0.cast_signed())
    }

    pub(crate) fn stamp(&self, now: Millis) -> Stamp {
        Stamp {
            utc: self.utc(now),
            guessed: !self.set,
        }
    }

    /// Follows the server's time and returns by how much the clock moved, or `None` if it did not.
    /// Inside a transaction the clock never steps back, or a sample could lie before its transaction.
    pub(crate) fn follow(&mut self, now: Millis, server: Utc, charging: bool) -> Option<i64> {
        if self.own {
            return None;
        }
        let offset_ms = server.0 - now.0.cast_signed();
        let moved = offset_ms - self.offset_ms;
        if self.set && (moved == 0 || (moved < 0 && charging)) {
            return None;
        }
        self.offset_ms = offset_ms;
        self.set = true;
        Some(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;
    use proptest::prelude::*;

    #[test]
    fn reads_what_servers_send() {
        let expected = Some(Utc(1_763_646_500_120));
        for text in [
            "2025-11-20T13:48:20.120Z",
            "2025-11-20T13:48:20.12",
            "2025-11-20T14:48:20.1200000+01:00",
            "2025-11-20T08:18:20.120-0530",
        ] {
            assert_eq!(Utc::parse(text), expected, "{text}");
        }
        assert_eq!(
            Utc::parse("2025-11-20T13:48:20Z"),
            Some(Utc(1_763_646_500_000))
        );
        for text in [
            "",
            "yesterday",
            "2025-13-01T00:00:00Z",
            "2025-11-20",
            "2025-11-20T25:00:00Z",
        ] {
            assert_eq!(Utc::parse(text), None, "{text}");
        }
    }

    #[test]
    fn the_clock_never_steps_back_inside_a_transaction() {
        let mut clock = Clock::new(Millis(0), None);
        assert!(clock.stamp(Millis(5)).guessed);
        assert_eq!(
            clock.follow(Millis(10), Utc(1_000_010), false),
            Some(1_000_000)
        );
        assert_eq!(clock.follow(Millis(20), Utc(1_000_000), true), None);
        assert_eq!(clock.utc(Millis(20)), Utc(1_000_020));
    }

    proptest! {
        #[test]
        fn text_and_number_agree(ms in -62_000_000_000_000i64..250_000_000_000_000) {
            prop_assert_eq!(Utc::parse(&Utc(ms).to_string()), Some(Utc(ms)));
        }
    }
}
