//! How far a station's clock is from ours, by the times of what it says (quirk 19). What waited in a station's queue comes
//! late, and nothing comes early: so the messages whose time is furthest ahead are the live ones. Decided here, kept in
//! `store::skew`.

use std::collections::VecDeque;

use chrono::{DateTime, TimeDelta, Utc};
use ocpp::Timestamp;
use store::skew::Measured;
use uuid::Uuid;

/// Moments that an estimate is made of.
const KEPT: usize = 8;
/// With fewer nothing is said.
const FEWEST: usize = 3;
/// Messages within this time are of one moment: a queue empties itself in a burst.
const MOMENT: TimeDelta = TimeDelta::seconds(10);
/// An estimate that moved by less is the one that is known.
const STEP_S: i64 = 5;

/// What was measured of a station's clock on a connection.
#[derive(Debug, Default)]
pub(crate) struct Skew {
    /// Of each moment: when it was, by our clock, and the furthest that the station's was ahead then, in seconds.
    moments: VecDeque<(DateTime<Utc>, i64)>,
    /// The estimate that is known.
    told: Option<i64>,
}

impl Skew {
    /// Notes the time that a message states; yields the estimate if it has to be told.
    pub(crate) fn note(&mut self, stated: DateTime<Utc>, now: DateTime<Utc>) -> Option<i64> {
        let ahead = (stated - now).num_seconds();
        match self.moments.back_mut() {
            Some((at, most)) if (TimeDelta::zero()..MOMENT).contains(&(now - *at)) => {
                *most = ahead.max(*most);
            }
            _ => self.moments.push_back((now, ahead)),
        }
        if self.moments.len() > KEPT {
            self.moments.pop_front();
        }
        let found = estimate(self.moments.iter().map(|(_, ahead)| *ahead))?;
        if self.told.is_some_and(|told| (found - told).abs() < STEP_S) {
            return None;
        }
        self.told = Some(found);
        Some(found)
    }
}

/// The second furthest ahead: the furthest may be a slip.
fn estimate(aheads: impl Iterator<Item = i64>) -> Option<i64> {
    let mut aheads: Vec<i64> = aheads.collect();
    aheads.sort_unstable();
    (aheads.len() >= FEWEST).then(|| aheads[aheads.len() - 2])
}

/// The latest of the times that a message states, if it is to be measured by them.
pub(crate) fn latest(stated: impl IntoIterator<Item = Option<Timestamp>>) -> Option<DateTime<Utc>> {
    stated
        .into_iter()
        .flatten()
        .filter_map(Timestamp::stated)
        .max()
}

/// As a row; a clock that is off by more than a lifetime is off by one.
pub(crate) fn measured(station_id: Uuid, skew_s: i64, at: DateTime<Utc>) -> Measured {
    let bound = i64::from(i32::MAX);
    Measured {
        station_id,
        skew_s: i32::try_from(skew_s.clamp(-bound, bound)).expect("it is bounded"),
        at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Messages as (seconds at which we receive them, seconds by which the station's time is ahead); what is told.
    #[track_caller]
    fn check(messages: &[(i64, i64)], expected: &[i64]) {
        let start: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().unwrap();
        let mut skew = Skew::default();
        let told: Vec<i64> = messages
            .iter()
            .filter_map(|(second, ahead)| {
                let now = start + TimeDelta::seconds(*second);
                skew.note(now + TimeDelta::seconds(*ahead), now)
            })
            .collect();
        assert_eq!(told, expected, "{messages:?}");
    }

    #[test]
    fn an_estimate_takes_three_moments_and_is_told_when_it_moves() {
        check(&[(0, 400), (60, 401)], &[]);
        check(&[(0, 400), (60, 401), (120, 399), (180, 403)], &[400]);
        check(&[(0, -2), (60, 0), (120, -1), (180, -1)], &[-1]);
    }

    #[test]
    fn what_waited_in_a_queue_says_nothing_of_the_clock() {
        let queue = (0..50).map(|n| (100, n - 7200));
        let live = [(0, 2), (60, 1)].into_iter();
        let all: Vec<(i64, i64)> = live.chain(queue).chain([(160, 2), (220, 1)]).collect();
        check(&all, &[1]);
        // Statuses that are repeated after a reconnect are of one moment.
        check(&[(0, -9000), (1, -8000), (2, -7000), (3, -6000)], &[]);
    }

    #[test]
    fn one_slip_moves_nothing() {
        let all: Vec<(i64, i64)> = [(0, 1), (60, 1), (120, 86_400), (180, 1), (240, 1)].into();
        check(&all, &[1]);
    }

    #[test]
    fn a_clock_that_was_set_is_seen_within_a_few_moments() {
        let off = (0..3).map(|n| (n * 60, 3600));
        let set = (3..12).map(|n| (n * 60, 0));
        check(&off.chain(set).collect::<Vec<_>>(), &[3600, 0]);
        check(
            &[
                (0, -1_700_000_000),
                (60, -1_700_000_000),
                (120, -1_700_000_000),
            ],
            &[-1_700_000_000],
        );
    }
}
