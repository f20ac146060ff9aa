//! When regular work is due, in the words of cron. Times are UTC.

use std::str::FromStr;

use chrono::{DateTime, Utc};
use croner::Cron;

/// A pattern of cron with five fields.
#[derive(Debug, Clone)]
pub struct Schedule {
    pattern: String,
    cron: Cron,
}

/// A pattern that cannot be read, or that never comes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no pattern of cron with five fields, such as */15 * * * *")]
pub struct NoSchedule(String);

impl Schedule {
    /// Every fifteen minutes.
    pub fn every_quarter() -> Self {
        "*/15 * * * *".parse().expect("the pattern is right")
    }

    /// When it is due next after `now`; `None`: never again.
    pub fn after(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.cron.find_next_occurrence(&now, false).ok()
    }
}

impl FromStr for Schedule {
    type Err = NoSchedule;

    fn from_str(pattern: &str) -> Result<Self, NoSchedule> {
        let refused = || NoSchedule(pattern.to_owned());
        let cron = Cron::from_str(pattern).map_err(|_| refused())?;
        let schedule = Self {
            pattern: pattern.to_owned(),
            cron,
        };
        // The 30th of February is read without complaint and never comes.
        match schedule.after(DateTime::UNIX_EPOCH) {
            Some(_) => Ok(schedule),
            None => Err(refused()),
        }
    }
}

impl std::fmt::Display for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.pattern)
    }
}

impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        self.pattern == other.pattern
    }
}

impl Eq for Schedule {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_time_is_after_now() {
        let next = |pattern: &str, now: &str| {
            let schedule: Schedule = pattern.parse().unwrap();
            schedule.after(now.parse().unwrap()).unwrap().to_rfc3339()
        };
        assert_eq!(
            next("*/15 * * * *", "2026-11-20T12:00:00Z"),
            "2026-11-20T12:15:00+00:00"
        );
        assert_eq!(
            next("*/15 * * * *", "2026-11-20T12:14:59.5Z"),
            "2026-11-20T12:15:00+00:00"
        );
        // No hour is skipped or doubled when people change their clocks: it is UTC.
        assert_eq!(
            next("30 1 * * *", "2026-03-29T01:00:00Z"),
            "2026-03-29T01:30:00+00:00"
        );
        assert_eq!(
            next("0 3 29 2 *", "2026-11-20T12:00:00Z"),
            "2028-02-29T03:00:00+00:00"
        );
    }

    #[test]
    fn nonsense_is_refused() {
        for pattern in ["", "* * * *", "61 * * * *", "now", "0 0 30 2 *"] {
            assert!(pattern.parse::<Schedule>().is_err(), "{pattern}");
        }
    }
}
