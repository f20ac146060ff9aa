//! What is odd about a session. What makes its price doubtful holds it until a person has looked; the rest is noted.
//! Nothing is mended here: no value is made up for one that is missing or wrong, it only does not count.

use super::{
    Charge, HOLDING_FLAGS,
    curve::{Curve, WATT_MICROS_PER_WH},
    readings::{self, Reading, Span},
};

/// What the largest charger of all could deliver, if nobody says what this one can.
const MOST_W: i64 = 4_000_000;
/// What clocks and registers that count in coarse steps may hide.
const SLACK_WH: i128 = 100;
const SLACK_BETWEEN_WH: i128 = 1000;

/// More energy than connector or power allow.
pub(crate) const OVER_REGISTERED: &str = "over-registered";

/// What was noticed.
#[derive(Debug, Default)]
pub(super) struct Noted {
    pub(super) reasons: Vec<String>,
    pub(super) flags: Vec<String>,
}

impl Noted {
    /// A person must look.
    pub(super) fn hold(&mut self, why: &str) {
        note(&mut self.reasons, why);
    }

    /// A person may want to know.
    pub(super) fn flag(&mut self, what: &str) {
        note(&mut self.flags, what);
    }

    pub(super) fn has_flag(&self, what: &str) -> bool {
        self.flags.iter().any(|flag| flag == what)
    }

    /// What the csms noted.
    pub(super) fn of_csms(&mut self, flags: &[String]) {
        for flag in flags {
            if HOLDING_FLAGS.contains(&flag.as_str()) || flag.starts_with("signed-") {
                self.hold(flag);
            }
        }
    }
}

fn note(list: &mut Vec<String>, what: &str) {
    if !list.iter().any(|known| known == what) {
        list.push(what.to_owned());
    }
}

/// The register readings that the energy is counted from, (when, Wh), rising. Empty: there is no register.
pub(super) fn registers(
    charge: &Charge,
    span: Span,
    readings: &[Reading],
    noted: &mut Noted,
) -> Vec<(i64, i64)> {
    let mut at_ends = |wh: Option<i64>| wh.and_then(|wh| readings::register(wh, noted));
    let start = at_ends(charge.register_start_wh);
    let stop = at_ends(
        charge
            .register_stop_wh
            .filter(|_| charge.ended_at.is_some()),
    );
    let has_ended = charge.ended_at.is_some();
    let between = readings
        .iter()
        .filter_map(|reading| Some((reading.at, reading.wh?)))
        .filter(|&(at, _)| start.is_none() || at > span.from)
        .filter(|&(at, _)| stop.is_none() || at < span.to);
    let mut kept: Vec<(i64, i64)> = Vec::with_capacity(readings.len() + 2);
    kept.extend(start.map(|wh| (span.from, wh)));
    for (at, wh) in between {
        if kept.last().is_some_and(|&(_, before)| wh < before) {
            noted.hold("meter-ran-backwards");
        } else if stop.is_some_and(|stop| wh > stop) {
            noted.hold("stop-below-sample");
        } else {
            kept.push((at, wh));
        }
    }
    if let Some(stop) = stop {
        if kept.last().is_some_and(|&(_, before)| stop < before) {
            noted.hold("meter-ran-backwards");
        } else {
            kept.push((span.to, stop));
        }
    }
    let has_power = readings.iter().any(|reading| reading.w.is_some());
    if kept.is_empty() && !has_power {
        if has_ended {
            noted.hold("no-energy");
        }
    } else if !kept.is_empty() {
        if start.is_none() {
            noted.hold("no-start-register");
        }
        if has_ended && stop.is_none() {
            noted.hold("no-stop-register");
        }
    }
    kept
}

/// More energy than connector or power allow.
pub(super) fn over_registered(
    charge: &Charge,
    span: Span,
    readings: &[Reading],
    curve: &Curve,
    noted: &mut Noted,
) {
    let most_w = charge.max_power_w.filter(|w| *w > 0).unwrap_or(MOST_W);
    // A tenth more: connectors are rated, not limited.
    let could = |micros: i64, slack: i128| {
        i128::from(most_w) * i128::from(micros) * 11 / 10 / WATT_MICROS_PER_WH + slack
    };
    let total = curve.total().ceil().unwrap_or(i128::MAX);
    let in_one_go = registers_of(readings).any(|((from, before), (to, after))| {
        i128::from(after) - i128::from(before) > could(to - from, SLACK_BETWEEN_WH)
    });
    let by_power = most_by_power(span, readings).is_some_and(|most| total > most);
    if total > could(span.to - span.from, SLACK_WH) || in_one_go || by_power {
        noted.hold(OVER_REGISTERED);
    }
}

fn registers_of(readings: &[Reading]) -> impl Iterator<Item = ((i64, i64), (i64, i64))> {
    let mut before = None;
    readings.iter().filter_map(move |reading| {
        let after = (reading.at, reading.wh?);
        before.replace(after).map(|before| (before, after))
    })
}

/// What the sampled power allows, Wh, if it was sampled from beginning to end without a gap: half as much again as the
/// higher one of each two samples gives.
fn most_by_power(span: Span, readings: &[Reading]) -> Option<i128> {
    const FEWEST: usize = 3;
    let mut powers = readings
        .iter()
        .filter_map(|reading| Some((reading.at, reading.w?)));
    let first = powers.next()?;
    let (mut before, mut count) = (first, 1);
    let mut sum = i128::from(first.1) * i128::from(first.0 - span.from);
    let mut longest = first.0 - span.from;
    for after in powers {
        sum += i128::from(before.1.max(after.1)) * i128::from(after.0 - before.0);
        longest = longest.max(after.0 - before.0);
        (before, count) = (after, count + 1);
    }
    sum += i128::from(before.1) * i128::from(span.to - before.0);
    longest = longest.max(span.to - before.0);
    let sampled = count >= FEWEST && longest <= span.gap;
    sampled.then(|| sum * 3 / 2 / WATT_MICROS_PER_WH + 5 * SLACK_WH)
}
