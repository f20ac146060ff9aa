//! The clock of a site over one session: when it shows what, and when it is put forward or back. All in microseconds
//! since 1970, UTC, and pure arithmetic once the offsets are known.

use std::collections::BTreeSet;

use chrono::{DateTime, Datelike, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

use crate::tariff::{Holidays, MonthDay, Restrictions, TimeOfDay};

const SECOND: i64 = 1_000_000;
const DAY: i64 = 24 * 3600 * SECOND;
/// No zone has changed its offset twice within so long since there are computers.
const STEP: i64 = 6 * 3600 * SECOND;

/// The offsets of a zone between two instants.
pub(super) struct Clock {
    /// (from when on, offset): the first from the beginning.
    offsets: Vec<(i64, i64)>,
}

impl Clock {
    /// Between two instants.
    pub(super) fn new(zone: Tz, from: i64, to: i64) -> Self {
        let mut offsets = vec![(from, offset(zone, from))];
        let mut known = from;
        while known < to {
            let next = known.saturating_add(STEP).min(to);
            let after = offset(zone, next);
            if offsets.last().is_some_and(|&(_, before)| before != after) {
                offsets.push((change(zone, known, next), after));
            }
            known = next;
        }
        Self { offsets }
    }

    /// When one of these times of day comes, or the clock jumps, between `from` and `to`; in order.
    pub(super) fn cuts(&self, times: &BTreeSet<i64>, from: i64, to: i64, cuts: &mut Vec<i64>) {
        for (index, &(since, offset)) in self.offsets.iter().enumerate() {
            let until = self.offsets.get(index + 1).map_or(i64::MAX, |next| next.0);
            let (first, last) = (since.max(from), until.min(to));
            if since > from && since < to {
                cuts.push(since);
            }
            if first >= last {
                continue;
            }
            for day in (first + offset).div_euclid(DAY)..=(last + offset).div_euclid(DAY) {
                let at_day = times.iter().map(|time| day * DAY + time - offset);
                cuts.extend(at_day.filter(|cut| *cut > first && *cut < last));
            }
        }
    }

    /// What it shows at an instant.
    pub(super) fn shows(&self, at: i64) -> Shown {
        let after = self.offsets.partition_point(|&(since, _)| since <= at);
        let local = at + self.offsets[after.saturating_sub(1)].1;
        Shown {
            day: local.div_euclid(DAY),
            time: local.rem_euclid(DAY),
        }
    }
}

fn offset(zone: Tz, at: i64) -> i64 {
    // What is beyond the calendar has no summer time.
    DateTime::from_timestamp_micros(at).map_or(0, |at| {
        let offset = zone.offset_from_utc_datetime(&at.naive_utc());
        i64::from(offset.fix().local_minus_utc()) * SECOND
    })
}

/// The first instant with another offset, to the second: zones change at whole ones.
fn change(zone: Tz, mut same: i64, mut other: i64) -> i64 {
    let before = offset(zone, same);
    while other - same > 1 {
        let middle = same + (other - same) / 2;
        if offset(zone, middle) == before {
            same = middle;
        } else {
            other = middle;
        }
    }
    other
}

/// A time of day as microseconds.
pub(super) fn micros(time: TimeOfDay) -> i64 {
    i64::from(time.minutes()) * 60 * SECOND
}

/// What a clock and a calendar show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shown {
    /// Days since 1970-01-01.
    day: i64,
    /// Microseconds since midnight on the clock's face.
    time: i64,
}

impl Shown {
    /// Does clock and calendar satisfy the restrictions?
    pub(super) fn satisfies(self, when: &Restrictions, holidays: &BTreeSet<NaiveDate>) -> bool {
        self.is_in_window(when)
            && (when.weekdays.is_empty()
                || when
                    .weekdays
                    .iter()
                    .any(|day| *day as i64 == self.weekday()))
            && (!has_dates(when) || self.is_on_dates(when, holidays))
    }

    fn is_in_window(self, when: &Restrictions) -> bool {
        if when.time_from.is_none() && when.time_to.is_none() {
            return true;
        }
        let from = micros(when.time_from.unwrap_or(TimeOfDay::MIDNIGHT));
        let to = micros(when.time_to.unwrap_or(TimeOfDay::END));
        if from < to {
            from <= self.time && self.time < to
        } else {
            from <= self.time || self.time < to
        }
    }

    /// Monday is 0, and 1970 began on a Thursday.
    fn weekday(self) -> i64 {
        (self.day + 3).rem_euclid(7)
    }

    fn is_on_dates(self, when: &Restrictions, holidays: &BTreeSet<NaiveDate>) -> bool {
        const UNIX_EPOCH_FROM_CE: i64 = 719_163;
        let date = i32::try_from(self.day + UNIX_EPOCH_FROM_CE)
            .ok()
            .and_then(NaiveDate::from_num_days_from_ce_opt);
        let Some(date) = date else {
            return false;
        };
        let is_holiday = || holidays.contains(&date);
        when.date_from.is_none_or(|from| from <= date)
            && when.date_to.is_none_or(|to| date <= to)
            && when
                .season_from
                .zip(when.season_to)
                .is_none_or(|(from, to)| is_in_season(date, from, to))
            && match when.holidays {
                None => true,
                Some(Holidays::Only) => is_holiday(),
                Some(Holidays::Never) => !is_holiday(),
            }
    }
}

fn is_in_season(date: NaiveDate, from: MonthDay, to: MonthDay) -> bool {
    let day = (date.month(), date.day());
    let from = (from.month().into(), from.day().into());
    let to = (to.month().into(), to.day().into());
    if from <= to {
        from <= day && day <= to
    } else {
        from <= day || day <= to
    }
}

/// Do the restrictions ask for the date?
fn has_dates(when: &Restrictions) -> bool {
    when.date_from.is_some()
        || when.date_to.is_some()
        || when.season_from.is_some()
        || when.holidays.is_some()
}

/// The times of day at which the answer to the restrictions can change.
pub(super) fn times_asked(when: &Restrictions, times: &mut BTreeSet<i64>) {
    let window = [when.time_from, when.time_to].into_iter().flatten();
    times.extend(window.map(|time| micros(time) % DAY));
    let from_midnight = when.time_to.is_some() && when.time_from.is_none();
    let to_midnight = when.time_from.is_some() && when.time_to.is_none();
    if !when.weekdays.is_empty() || has_dates(when) || from_midnight || to_midnight {
        times.insert(0);
    }
}
