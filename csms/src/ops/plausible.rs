//! Whether registers can be true: what no connector can deliver, nobody took (attack T08). Nothing is refused for it; the
//! session is flagged, and billing holds its price until a person has looked.

use chrono::{DateTime, Utc};
use store::ingest::{Effect, Oddity};
use store::lookup::Transaction;

/// More was counted than any connector can deliver in the time.
const JUMPED: &str = "meter-jumped";
/// What the strongest connector delivers, AC or DC. Stations do not say what theirs can.
const MOST_W: i128 = 400_000;
/// A tenth more: connectors are rated, not limited.
const MARGIN: (i128, i128) = (11, 10);
/// What registers that count in whole kWh, and times of whole seconds, may hide.
const SLACK_WH: i128 = 1000;
const MICROS_PER_HOUR: i128 = 3_600_000_000;

/// A register, Wh, and when the charger read it.
type Register = (DateTime<Utc>, i64);

/// Flags `transaction`, as it was before this message, if the message's registers jump. Each is measured against the one
/// before it, and against the start: many small steps too much are too much. Samples whose time cannot be true do not count.
pub(crate) fn judge(effect: &mut Effect, transaction: &Transaction) {
    let is_its_own = |id| id == transaction.id;
    let samples = effect.meter.iter().filter_map(|row| {
        let counts = !row.odd && row.transaction_id.is_some_and(is_its_own);
        Some((row.at, row.energy_wh.filter(|_| counts)?))
    });
    let stops = effect.stops.iter();
    let stops = stops.filter(|stop| is_its_own(stop.transaction_id));
    let mut said: Vec<Register> = samples
        .chain(stops.map(|stop| (stop.stopped_at, stop.meter_stop_wh)))
        .collect();
    said.sort_by_key(|(at, _)| *at);
    let start = (transaction.started_at, transaction.meter_start_wh);
    let last = transaction
        .figures
        .map_or(start, |figures| figures.register());
    if is_jump_among(start, last, &said) {
        effect.oddities.push(Oddity {
            transaction_id: transaction.id,
            flag: JUMPED,
        });
    }
}

fn is_jump_among(start: Register, mut last: Register, said: &[Register]) -> bool {
    said.iter().any(|register| {
        let before = std::mem::replace(&mut last, *register);
        is_jump(before, *register) || is_jump(start, *register)
    })
}

/// Of a time that does not pass nothing is concluded: then a clock was set.
fn is_jump((from_at, from_wh): Register, (to_at, to_wh): Register) -> bool {
    let micros = i128::from(to_at.timestamp_micros()) - i128::from(from_at.timestamp_micros());
    let could = MOST_W * micros * MARGIN.0 / MARGIN.1 / MICROS_PER_HOUR + SLACK_WH;
    micros >= 0 && i128::from(to_wh) - i128::from(from_wh) > could
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-20T{text}Z").parse().unwrap()
    }

    #[track_caller]
    fn check(registers: &[(&str, i64)], jumps: bool) {
        let registers: Vec<Register> = registers.iter().map(|(t, wh)| (at(t), *wh)).collect();
        let found = is_jump_among(registers[0], registers[0], &registers[1..]);
        assert_eq!(found, jumps, "{registers:?}");
    }

    #[test]
    fn a_register_jumps_where_no_connector_delivers_so_much() {
        // 400 kW and a tenth, for an hour.
        check(&[("10:00:00", 5000), ("11:00:00", 446_000)], false);
        check(&[("10:00:00", 5000), ("11:00:00", 446_001)], true);
        check(&[("10:00:00", 5000), ("11:00:00", 999_999_999)], true);
        check(&[("10:00:00", 0), ("11:00:00", i64::MAX)], true);
        check(&[("10:00:00", i64::MIN), ("11:00:00", i64::MAX)], true);
    }

    #[test]
    fn coarse_registers_and_short_times_are_no_jump() {
        check(&[("10:00:00", 5000), ("10:00:00", 6000)], false);
        check(&[("10:00:00", 5000), ("10:00:00", 6001)], true);
    }

    #[test]
    fn a_jump_shows_between_samples_that_the_whole_session_would_hide() {
        check(
            &[
                ("10:00:00", 0),
                ("15:00:00", 10_000),
                ("15:00:30", 200_000),
                ("15:01:00", 200_100),
            ],
            true,
        );
    }

    #[test]
    fn small_steps_that_are_too_much_together_jump() {
        let times = ["10:00:01", "10:00:02", "10:00:03", "10:00:04"];
        let steps = times
            .iter()
            .zip((1..).map(|n| n * 900))
            .map(|(t, wh)| (*t, wh));
        let all: Vec<(&str, i64)> = std::iter::once(("10:00:00", 0)).chain(steps).collect();
        check(&all[..2], false);
        check(&all, true);
    }

    #[test]
    fn a_register_that_falls_or_rolls_over_and_a_clock_set_back_are_no_jump() {
        check(&[("10:00:00", 5900), ("11:00:00", 4000)], false);
        check(
            &[
                ("10:00:00", 4_294_967_000),
                ("10:30:00", 4_294_967_200),
                ("11:00:00", 300),
            ],
            false,
        );
        check(&[("10:00:00", 5000), ("09:00:00", 500_000)], false);
    }
}
