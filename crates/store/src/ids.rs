//! Identifiers. Every row that people see has a UUIDv7: it sorts by its making.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Utc};
use uuid::{ClockSequence, Timestamp, Uuid};

/// A new id that sorts by `now`; of two that this process makes for the same millisecond, the later one sorts later.
pub fn new_id(now: DateTime<Utc>) -> Uuid {
    let seconds = now.timestamp().max(0).unsigned_abs();
    Uuid::new_v7(Timestamp::from_unix(
        &COUNTER,
        seconds,
        now.timestamp_subsec_nanos(),
    ))
}

static COUNTER: Counter = Counter(Mutex::new((0, 0)));

/// The bits behind the time (RFC 9562, section 6.2, method 1): by chance for every new millisecond, counted within
/// it. `uuid`'s own context would rather move a time that lies before the last one; here `now` is what counts.
struct Counter(Mutex<(u64, u64)>);

/// How many bits count. The topmost starts as zero, so that no millisecond runs over.
const BITS: usize = 42;

impl ClockSequence for Counter {
    type Output = u64;

    fn generate_sequence(&self, seconds: u64, subsec_nanos: u32) -> u64 {
        let millis = seconds * 1000 + u64::from(subsec_nanos / 1_000_000);
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        last.1 = match *last {
            (before, count) if before == millis => count + 1,
            _ => Uuid::new_v4().as_u64_pair().1 & ((1 << (BITS - 1)) - 1),
        };
        last.0 = millis;
        last.1
    }

    fn usable_bits(&self) -> usize {
        BITS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_their_time_and_then_by_their_making() {
        let at = |ms| DateTime::from_timestamp_millis(ms).unwrap();
        let made: Vec<Uuid> = (0..2000).map(|_| new_id(at(1_800_000_000_000))).collect();
        assert!(made.is_sorted() && made[0] < made[1999]);
        let earlier = new_id(at(1_700_000_000_123));
        assert!(earlier < made[0], "an earlier time stays one");
        let (seconds, nanos) = earlier.get_timestamp().unwrap().to_unix();
        assert_eq!((seconds, nanos), (1_700_000_000, 123_000_000));
        assert!(made[1999] < new_id(at(1_800_000_000_001)));
    }
}
