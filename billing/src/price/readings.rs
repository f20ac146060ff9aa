//! What was read during a session, in order: one reading an instant, whatever the order of arrival.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Charge, suspect::Noted};
use crate::tariff::Source;

/// No meter has counted more, and no charger delivers more.
const MOST_WH: i64 = 1_000_000_000_000_000;
const MOST_W: i64 = 100_000_000;
/// A session or a reservation: more than a year is no charge but a broken clock.
pub(super) const LONGEST: i64 = 400 * 24 * 3600 * 1_000_000;

/// A session's time, in microseconds since 1970.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
    /// Between two samples, more than this is a gap.
    pub(super) gap: i64,
}

impl Span {
    /// From the session's start to its end, or as far as an active one is known.
    pub(super) fn new(charge: &Charge, sample_interval: TimeDelta, noted: &mut Noted) -> Self {
        let from = charge.started_at.timestamp_micros();
        let last = || charge.samples.iter().map(|sample| sample.at).max();
        let to = charge.ended_at.or(charge.now).or_else(last);
        let mut to = to.map_or(from, |to| to.timestamp_micros());
        if to < from {
            if charge.ended_at.is_some() {
                noted.hold("ended-before-started");
            }
            to = from;
        }
        if to.saturating_sub(from) > LONGEST {
            noted.hold("too-long");
            to = from;
        }
        let interval = sample_interval.num_microseconds().unwrap_or(0);
        let gap = interval.clamp(1_000_000, LONGEST).saturating_mul(3);
        Self { from, to, gap }
    }
}

/// What was read at an instant of the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Reading {
    pub(super) at: i64,
    pub(super) wh: Option<i64>,
    pub(super) w: Option<i64>,
    pub(super) source: Option<Source>,
}

/// The readings within a span, by time, one an instant. Where two of an instant differ, the larger register and power
/// and the dearer source count, whichever came first.
pub(super) fn read(charge: &Charge, span: Span, noted: &mut Noted) -> Vec<Reading> {
    let mut readings = Vec::with_capacity(charge.samples.len());
    for sample in &charge.samples {
        let reading = Reading {
            at: sample.at.timestamp_micros(),
            wh: sample.energy_wh.and_then(|wh| register(wh, noted)),
            w: sample.power_w.and_then(|w| power(w, noted)),
            source: sample.source,
        };
        if reading.at < span.from {
            noted.flag("sample-before-start");
        } else if reading.at > span.to {
            if charge.ended_at.is_some() {
                noted.flag("sample-after-end");
            }
        } else {
            readings.push(reading);
        }
    }
    if !readings.is_sorted() {
        readings.sort_unstable();
    }
    readings.dedup_by(|second, first| {
        let same = second.at == first.at;
        if same {
            let differs = |a: Option<i64>, b: Option<i64>| a.zip(b).is_some_and(|(a, b)| a != b);
            if differs(first.wh, second.wh) || differs(first.w, second.w) {
                noted.flag("contradictory-samples");
            }
            first.wh = first.wh.max(second.wh);
            first.w = first.w.max(second.w);
            first.source = first.source.max(second.source);
        }
        same
    });
    readings
}

/// A register that a meter can show.
pub(super) fn register(wh: i64, noted: &mut Noted) -> Option<i64> {
    let right = (0..=MOST_WH).contains(&wh);
    if !right {
        noted.hold("register-out-of-range");
    }
    right.then_some(wh)
}

/// A power that a charger can deliver; what it takes back from a car is none.
fn power(w: i64, noted: &mut Noted) -> Option<i64> {
    if !(-MOST_W..=MOST_W).contains(&w) {
        noted.flag("power-out-of-range");
        return None;
    }
    if w < 0 {
        noted.flag("power-negative");
    }
    Some(w.max(0))
}

/// An instant again.
pub(super) fn instant(micros: i64) -> DateTime<Utc> {
    // They all come from a DateTime or lie between two, so that none is out of range.
    DateTime::from_timestamp_micros(micros).unwrap_or_default()
}
