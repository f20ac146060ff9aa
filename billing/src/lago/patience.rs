//! How long to wait for Lago, and when to leave it alone. Pure: what chance adds is an argument.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use store::lago::link::Link;

/// How patient the sync is; tests are less so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// The first pause between tries of a batch; each next one is twice as long.
    pub first: Duration,
    /// The longest pause between tries. Who is asked to wait longer gives the run up.
    pub most: Duration,
    /// Tries of a batch in one run.
    pub tries: u32,
    /// How long an answer may take.
    pub answer: Duration,
    /// The first pause after the circuit opened; each next one is twice as long.
    pub probe_first: Duration,
    /// The longest such pause: nothing is later than this after Lago is back.
    pub probe_most: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Patience {
            first: Duration::from_secs(1),
            most: Duration::from_secs(30),
            tries: 3,
            answer: Duration::from_secs(30),
            probe_first: Duration::from_secs(30),
            probe_most: Duration::from_secs(600),
        }
    }
}

/// Failures in a row (each a batch that was given up) that open the circuit.
const OPENS: i32 = 1;

impl Patience {
    /// How long to wait after the `tried`th try, if it is worth another one in this run. `chance` is anything.
    pub fn pause(&self, tried: u32, asked: Option<Duration>, chance: u32) -> Option<Duration> {
        if tried >= self.tries || asked.is_some_and(|asked| asked > self.most) {
            return None;
        }
        let own = doubled(self.first, tried.saturating_sub(1)).min(self.most);
        Some(with_jitter(own.max(asked.unwrap_or_default()), chance))
    }

    /// The link after a batch was given up.
    pub fn failed(
        &self,
        link: &Link,
        why: &str,
        asked: Option<Duration>,
        chance: u32,
        now: DateTime<Utc>,
    ) -> Link {
        let failures = link.failures.saturating_add(1);
        let doublings = u32::try_from(failures - OPENS).unwrap_or(0);
        let pause = doubled(self.probe_first, doublings)
            .max(asked.unwrap_or_default())
            .min(self.probe_most);
        let pause = with_jitter(pause, chance).min(self.probe_most);
        let opened = failures >= OPENS;
        Link {
            circuit: if opened { "open" } else { "closed" }.to_owned(),
            failures,
            opened_at: link.opened_at.or(opened.then_some(now)),
            next_try_at: opened
                .then(|| now + TimeDelta::from_std(pause).unwrap_or(TimeDelta::minutes(10))),
            last_error: Some(why.to_owned()),
            ..link.clone()
        }
    }

    /// The link after Lago took something.
    pub fn succeeded(link: &Link, now: DateTime<Utc>) -> Link {
        Link {
            circuit: "closed".to_owned(),
            failures: 0,
            opened_at: None,
            next_try_at: None,
            last_success_at: Some(now),
            ..link.clone()
        }
    }

    /// Whether anything may be sent: the link as it is from now on, half-open if this is a probe.
    pub fn admit(link: &Link, now: DateTime<Utc>) -> Option<Link> {
        if link.circuit == "closed" {
            return Some(link.clone());
        }
        let due = link.next_try_at.is_none_or(|at| at <= now);
        due.then(|| Link {
            circuit: "half-open".to_owned(),
            ..link.clone()
        })
    }
}

fn doubled(first: Duration, times: u32) -> Duration {
    first.saturating_mul(1_u32.checked_shl(times.min(16)).unwrap_or(u32::MAX))
}

/// Up to a quarter more, so that many workers do not come back at once.
fn with_jitter(pause: Duration, chance: u32) -> Duration {
    pause + pause / 1_000 * (chance % 251)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience = Patience {
        first: Duration::from_secs(1),
        most: Duration::from_secs(30),
        tries: 9,
        answer: Duration::from_secs(30),
        probe_first: Duration::from_secs(30),
        probe_most: Duration::from_secs(600),
    };

    fn link() -> Link {
        Link {
            circuit: "closed".to_owned(),
            failures: 0,
            opened_at: None,
            next_try_at: None,
            last_error: None,
            last_success_at: None,
            metric_ok: None,
            metric_detail: String::new(),
            metric_checked_at: None,
            cadence: "active".to_owned(),
            quiet_looks: 0,
            seen_at: None,
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest_and_chance_adds_a_quarter_at_most() {
        let pause = |tried| PATIENCE.pause(tried, None, 0).map(|p| p.as_secs());
        assert_eq!(
            [1, 2, 3, 4, 5, 6, 7, 8, 9].map(pause),
            [
                Some(1),
                Some(2),
                Some(4),
                Some(8),
                Some(16),
                Some(30),
                Some(30),
                Some(30),
                None
            ]
        );
        for chance in [0, 1, 250, 251, u32::MAX] {
            let pause = PATIENCE.pause(3, None, chance).unwrap();
            assert!((4_000..=5_000).contains(&pause.as_millis()), "{pause:?}");
        }
    }

    #[test]
    fn who_asks_for_time_gets_it_and_who_asks_for_more_ends_the_run() {
        let asked = |seconds| PATIENCE.pause(1, Some(Duration::from_secs(seconds)), 0);
        assert_eq!(asked(7), Some(Duration::from_secs(7)));
        assert_eq!(asked(0), Some(Duration::from_secs(1)));
        assert_eq!(asked(31), None);
    }

    #[test]
    fn the_circuit_opens_waits_ever_longer_and_closes_on_success() {
        let now: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let mut link = link();
        let mut pauses = Vec::new();
        for _ in 0..7 {
            link = PATIENCE.failed(&link, "down", None, 250, now);
            pauses.push((link.next_try_at.unwrap() - now).num_seconds());
        }
        assert_eq!(pauses, [37, 75, 150, 300, 600, 600, 600]);
        assert_eq!((link.circuit.as_str(), link.opened_at), ("open", Some(now)));
        assert_eq!(Patience::admit(&link, now), None);
        let later = now + TimeDelta::seconds(600);
        let probing = Patience::admit(&link, later).unwrap();
        assert_eq!(probing.circuit, "half-open");
        let closed = Patience::succeeded(&probing, later);
        assert_eq!(
            (closed.circuit.as_str(), closed.failures, closed.next_try_at),
            ("closed", 0, None)
        );
        let patient = PATIENCE.failed(&closed, "429", Some(Duration::from_secs(90)), 0, now);
        assert_eq!((patient.next_try_at.unwrap() - now).num_seconds(), 90);
    }
}
