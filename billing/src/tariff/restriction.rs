//! When an element of a tariff holds, as it is written. Whether it holds at an instant is asked in `price`.

use std::{fmt, str::FromStr};

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use crate::serial;

/// All that is given must hold at the instant in question, by the clock and the calendar of the site. Ranges include
/// their `from` and not their `to`; those of days include both.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Restrictions {
    /// On these days of the week; none means any. The day is that of the instant: of a window from 22:00 to 06:00 on
    /// Fridays, the hours after midnight are Friday's first and not Saturday's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub weekdays: Vec<Weekday>,
    /// From this time of day. Where the clock is put back, an hour that comes twice counts twice.
    #[serde(with = "serial::option", skip_serializing_if = "Option::is_none")]
    pub time_from: Option<TimeOfDay>,
    /// Until this time of day; before `time_from`, the window goes across midnight.
    #[serde(with = "serial::option", skip_serializing_if = "Option::is_none")]
    pub time_to: Option<TimeOfDay>,
    /// From this day of each year.
    #[serde(with = "serial::option", skip_serializing_if = "Option::is_none")]
    pub season_from: Option<MonthDay>,
    /// To this day of each year, and all of it; before `season_from`, the season goes across New Year.
    #[serde(with = "serial::option", skip_serializing_if = "Option::is_none")]
    pub season_to: Option<MonthDay>,
    /// From this day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_from: Option<NaiveDate>,
    /// To this day, and all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date_to: Option<NaiveDate>,
    /// On holidays of the site's calendar only, or never on them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub holidays: Option<Holidays>,
    /// From so many Wh of the session on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_from_wh: Option<u64>,
    /// Until so many Wh of the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub energy_to_wh: Option<u64>,
    /// At this mean power between two readings, or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_from_w: Option<u64>,
    /// Below this mean power between two readings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub power_to_w: Option<u64>,
    /// From so many seconds after the session's start on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_from_s: Option<u64>,
    /// Until so many seconds after the session's start.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_to_s: Option<u64>,
    /// While the energy comes from there. Where nobody says from where, it is the grid's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Only for a reservation that ended without a session; such elements are asked before all others then.
    #[serde(skip_serializing_if = "serial::is_default")]
    pub reservation_expired: bool,
}

/// Where energy comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The roof.
    Solar,
    /// The grid.
    Grid,
}

/// What a restriction wants of holidays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Holidays {
    /// Holds on them alone.
    Only,
    /// Holds on all other days.
    Never,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// The first of ISO 8601.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The seventh.
    Sunday,
}

impl Weekday {
    /// From Monday to Sunday.
    pub const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];

    /// In English.
    pub fn name(self) -> &'static str {
        match self {
            Self::Monday => "Monday",
            Self::Tuesday => "Tuesday",
            Self::Wednesday => "Wednesday",
            Self::Thursday => "Thursday",
            Self::Friday => "Friday",
            Self::Saturday => "Saturday",
            Self::Sunday => "Sunday",
        }
    }
}

/// Hours and minutes on the site's clock, `00:00` to `24:00`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay(u16);

impl TimeOfDay {
    /// The beginning of the day.
    pub const MIDNIGHT: Self = Self(0);
    /// The end of the day.
    pub const END: Self = Self(24 * 60);

    /// Minutes since midnight, if no more than a day has.
    pub fn from_minutes(minutes: u16) -> Option<Self> {
        (minutes <= Self::END.0).then_some(Self(minutes))
    }

    /// Minutes since midnight.
    pub fn minutes(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

impl FromStr for TimeOfDay {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        two_and_two(text, ':')
            .filter(|&(_, minutes)| minutes < 60)
            .and_then(|(hours, minutes)| Self::from_minutes(hours * 60 + minutes))
            .ok_or("a time of day such as 22:00 is expected, up to 24:00")
    }
}

/// A day of any year, `MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonthDay {
    month: u8,
    day: u8,
}

impl MonthDay {
    /// The day, if a leap year has it.
    pub fn new(month: u8, day: u8) -> Option<Self> {
        NaiveDate::from_ymd_opt(2000, month.into(), day.into()).map(|_| Self { month, day })
    }

    /// 1 to 12.
    pub fn month(self) -> u8 {
        self.month
    }

    /// 1 to 31.
    pub fn day(self) -> u8 {
        self.day
    }
}

impl fmt::Display for MonthDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl FromStr for MonthDay {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        two_and_two(text, '-')
            .and_then(|(month, day)| Self::new(month.try_into().ok()?, day.try_into().ok()?))
            .ok_or("a month and a day of it such as 04-01 are expected")
    }
}

fn two_and_two(text: &str, between: char) -> Option<(u16, u16)> {
    let two = |text: &str| {
        (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse().ok())
            .flatten()
    };
    let (first, second) = text.split_once(between)?;
    Some((two(first)?, two(second)?))
}
