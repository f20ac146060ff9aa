//! How often it is worth looking: every tick while something happens, once an hour when not, once a week after a day
//! without anything. It slows down only after two quiet looks, and speeds up at once. Pure.

use chrono::{DateTime, TimeDelta, Utc};

/// How often a tick of the schedule is a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tier {
    /// Every tick.
    Active,
    /// Once an hour.
    Idle,
    /// Once a week.
    Dormant,
}

/// Quiet looks before it slows down.
const HYSTERESIS: i32 = 2;
/// Quiet looks at one an hour before it sleeps.
const A_DAY: i32 = 24;

impl Tier {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Tier::Active => "active",
            Tier::Idle => "idle",
            Tier::Dormant => "dormant",
        }
    }

    /// The reverse; an unknown word is the most watchful.
    pub fn parse(text: &str) -> Self {
        match text {
            "idle" => Tier::Idle,
            "dormant" => Tier::Dormant,
            _ => Tier::Active,
        }
    }

    /// Whether a tick at `now` is a run, the last one having begun at `last`.
    pub fn is_due(self, last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
        let pause = match self {
            Tier::Active => TimeDelta::zero(),
            Tier::Idle => TimeDelta::hours(1),
            Tier::Dormant => TimeDelta::weeks(1),
        };
        // A tick comes a moment early or late.
        last.is_none_or(|last| now - last >= pause - TimeDelta::minutes(1))
    }
}

/// The tier and the number of quiet looks after a look.
pub fn look(tier: Tier, quiet: i32, busy: bool) -> (Tier, i32) {
    if busy {
        return (Tier::Active, 0);
    }
    let quiet = quiet.saturating_add(1);
    match tier {
        Tier::Active if quiet >= HYSTERESIS => (Tier::Idle, 0),
        Tier::Idle if quiet >= A_DAY => (Tier::Dormant, 0),
        tier => (tier, quiet),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_slows_after_two_quiet_looks_and_wakes_at_once() {
        let mut state = (Tier::Active, 0);
        let mut tiers = Vec::new();
        for busy in [false, true, false, false] {
            state = look(state.0, state.1, busy);
            tiers.push(state.0);
        }
        assert_eq!(
            tiers,
            [Tier::Active, Tier::Active, Tier::Active, Tier::Idle]
        );
        for _ in 0..A_DAY {
            assert_eq!(state.0, Tier::Idle);
            state = look(state.0, state.1, false);
        }
        assert_eq!(state.0, Tier::Dormant);
        assert_eq!(look(state.0, state.1, true), (Tier::Active, 0));
    }

    #[test]
    fn a_tick_is_due_by_tier() {
        let last: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let due = |tier: Tier, minutes| tier.is_due(Some(last), last + TimeDelta::minutes(minutes));
        assert!(due(Tier::Active, 0));
        assert!(!due(Tier::Idle, 45) && due(Tier::Idle, 60));
        assert!(!due(Tier::Dormant, 6 * 1440) && due(Tier::Dormant, 7 * 1440));
        assert!(Tier::Dormant.is_due(None, last));
        for tier in [Tier::Active, Tier::Idle, Tier::Dormant] {
            assert_eq!(Tier::parse(tier.as_str()), tier);
        }
    }
}
