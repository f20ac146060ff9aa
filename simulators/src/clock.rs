//! A virtual clock: real time, a multiple of it, or as fast as things can happen.

use std::{
    str::FromStr,
    time::{Duration, Instant},
};

use evse_core::Millis;

/// The time of day of the machine that simulates: what a charger's own clock would show.
#[must_use]
#[expect(
    clippy::disallowed_methods,
    reason = "the simulators' one reading of the real time of day, at their edge"
)]
pub fn utc_now() -> evse_core::Utc {
    evse_core::Utc(chrono::Utc::now().timestamp_millis())
}

/// How fast virtual time runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Speed {
    /// Virtual seconds per real second.
    Times(f64),
    /// From one thing to do to the next.
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.trim_end_matches('x').parse::<f64>() {
            Ok(times) if times.is_finite() && times > 0.0 => Ok(Self::Times(times)),
            _ => Err(format!(
                "`{text}` is no speed: expected a number such as 60, or max"
            )),
        }
    }
}

/// Maps real time to virtual milliseconds. While an answer of the server is awaited it runs at real pace.
#[derive(Debug)]
pub struct Clock {
    speed: Speed,
    anchor: (Instant, f64),
    pace: f64,
}

impl Clock {
    /// A clock that shows 0 at this moment.
    #[must_use]
    pub fn new(speed: Speed, real: Instant) -> Self {
        Self {
            speed,
            anchor: (real, 0.0),
            pace: 1.0,
        }
    }

    fn exact(&self, real: Instant) -> f64 {
        self.anchor.1 + (real - self.anchor.0).as_secs_f64() * 1000.0 * self.pace
    }

    /// Virtual milliseconds at a real moment.
    #[must_use]
    pub fn now(&self, real: Instant) -> Millis {
        Millis(self.exact(real) as u64)
    }

    /// Lets time run fast (true) or at real pace (false).
    pub fn run_fast(&mut self, real: Instant, fast: bool) {
        let pace = match self.speed {
            Speed::Times(times) if fast => times,
            _ => 1.0,
        };
        if pace.to_bits() != self.pace.to_bits() {
            self.anchor = (real, self.exact(real));
            self.pace = pace;
        }
    }

    /// Puts the clock forward; never back.
    pub fn jump(&mut self, real: Instant, to: Millis) {
        self.anchor = (real, self.exact(real).max(to.0 as f64));
    }

    /// How long to wait in real time until virtual `at`. At full speed the clock jumps there instead.
    pub fn until(&mut self, real: Instant, at: Millis, fast: bool) -> Duration {
        let wait = (at.0 as f64 - self.exact(real)).max(0.0);
        if self.speed == Speed::Max && fast {
            self.anchor = (real, self.exact(real) + wait);
            return Duration::ZERO;
        }
        Duration::from_secs_f64(wait / self.pace / 1000.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speeds_are_read_or_explained() {
        assert_eq!("60".parse(), Ok(Speed::Times(60.0)));
        assert_eq!("60x".parse(), Ok(Speed::Times(60.0)));
        assert_eq!("max".parse(), Ok(Speed::Max));
        for text in ["0", "-1", "fast", "inf", ""] {
            assert!(
                text.parse::<Speed>().is_err_and(|e| e.contains("max")),
                "{text}"
            );
        }
    }

    #[test]
    fn it_runs_at_its_speed_and_jumps_at_max() {
        let begun = Instant::now();
        let mut clock = Clock::new(Speed::Times(60.0), begun);
        clock.run_fast(begun, true);
        let later = begun + Duration::from_secs(2);
        assert_eq!(clock.now(later), Millis(120_000));
        assert_eq!(
            clock.until(later, Millis(180_000), true),
            Duration::from_secs(1)
        );
        clock.run_fast(later, false);
        assert_eq!(clock.now(later + Duration::from_secs(3)), Millis(123_000));
        let mut clock = Clock::new(Speed::Max, begun);
        assert_eq!(clock.until(begun, Millis(3_600_000), true), Duration::ZERO);
        assert_eq!(clock.now(begun), Millis(3_600_000));
        assert_eq!(
            clock.until(begun, Millis(3_601_000), false),
            Duration::from_secs(1)
        );
    }
}
