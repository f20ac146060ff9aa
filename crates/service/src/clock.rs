//! The one place that asks the operating system for the time of day. Decisions take `now` as an argument; whoever
//! calls them holds a [`Clock`].

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, SubsecRound, Utc};

/// Digits after the second: what Postgres stores, so that a time read back equals the time written.
const DIGITS: u16 = 6;

/// Tells the time: the real one, or in tests one that is moved by hand.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    fixed: Option<Arc<Mutex<DateTime<Utc>>>>,
}

impl Clock {
    /// The operating system's clock.
    pub fn system() -> Self {
        Self::default()
    }

    /// A clock that stands at `at` until it is moved. Clones move together.
    pub fn fixed(at: DateTime<Utc>) -> Self {
        Self {
            fixed: Some(Arc::new(Mutex::new(at.trunc_subsecs(DIGITS)))),
        }
    }

    /// The time in UTC, to the microsecond.
    pub fn now(&self) -> DateTime<Utc> {
        match &self.fixed {
            Some(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
            None => system_now().trunc_subsecs(DIGITS),
        }
    }

    /// Moves a fixed clock forward.
    ///
    /// # Panics
    /// On the system clock: only tests move time.
    pub fn advance(&self, by: Duration) {
        *self.by_hand() += by;
    }

    /// Sets a fixed clock to any time, as an operator or a time server does to a real one.
    ///
    /// # Panics
    /// On the system clock: only tests move time.
    pub fn set(&self, to: DateTime<Utc>) {
        *self.by_hand() = to.trunc_subsecs(DIGITS);
    }

    fn by_hand(&self) -> MutexGuard<'_, DateTime<Utc>> {
        self.fixed
            .as_ref()
            .expect("only a fixed clock can be moved")
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "every other reader of the time goes through here"
)]
fn system_now() -> DateTime<Utc> {
    Utc::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fixed_clock_moves_only_by_hand_and_with_its_clones() {
        let start = "2026-03-29T01:30:00.123456789Z".parse().unwrap();
        let clock = Clock::fixed(start);
        let other = clock.clone();
        assert_eq!(clock.now().to_rfc3339(), "2026-03-29T01:30:00.123456+00:00");
        other.advance(Duration::from_secs(90));
        assert_eq!(
            clock.now() - start.trunc_subsecs(6),
            chrono::TimeDelta::seconds(90)
        );
        clock.set(start);
        assert_eq!(other.now(), start.trunc_subsecs(6));
    }
}
