//! A whole visit of a vehicle as a small state machine in virtual time.

use evse_core::Millis;

use crate::physics::Vehicle;

/// When a driver has enough.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Until {
    /// At this state of charge, percent.
    Soc(f64),
    /// After this many minutes.
    Minutes(f64),
}

/// A whole visit: plug, swipe, charge, swipe, unplug.
#[derive(Clone, Debug)]
pub struct Session {
    /// Where.
    pub connector: u32,
    /// Who comes.
    pub vehicle: Vehicle,
    /// With this state of charge, percent.
    pub soc: f64,
    /// With this tag.
    pub id_tag: String,
    /// How long.
    pub until: Until,
    /// Minutes between the end of charging and unplugging.
    pub linger_minutes: f64,
}

/// From plugging in to the card.
pub(super) const SWIPE_AFTER_MS: u64 = 4_000;
/// A driver who has not been let in by then leaves.
const PATIENCE_MS: u64 = 300_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stage {
    Plugged { swipe_at: Millis },
    Waiting { leave_at: Millis },
    Charging { since: Millis },
    Stopping,
    Leaving { at: Millis },
}

/// What the driver at the connector does now.
#[derive(Debug, PartialEq)]
pub(super) enum Act {
    Swipe,
    Unplug,
    /// The vehicle wants energy, or does not any more.
    Ready(bool),
}

#[derive(Clone, Debug)]
pub(super) struct Visit {
    pub(super) session: Session,
    pub(super) stage: Stage,
    pub(super) energy_wh: Option<u64>,
}

impl Visit {
    pub(super) fn new(session: Session, now: Millis) -> Self {
        let stage = Stage::Plugged {
            swipe_at: now.after(SWIPE_AFTER_MS),
        };
        Self {
            session,
            stage,
            energy_wh: None,
        }
    }

    /// The charge point started, ended or refused; the visit follows.
    pub(super) fn started(&mut self, now: Millis) {
        self.stage = Stage::Charging { since: now };
    }

    pub(super) fn stopped(&mut self, energy_wh: u64, now: Millis) {
        self.energy_wh = Some(energy_wh);
        self.stage = Stage::Leaving {
            at: now.after(minutes(self.session.linger_minutes)),
        };
    }

    pub(super) fn refused(&mut self, now: Millis) {
        self.stage = Stage::Leaving { at: now };
    }

    /// What happens at this moment, if anything.
    pub(super) fn act(&mut self, now: Millis, soc: f64) -> Option<Act> {
        match self.stage {
            Stage::Plugged { swipe_at } if swipe_at <= now => {
                self.stage = Stage::Waiting {
                    leave_at: now.after(PATIENCE_MS),
                };
                Some(Act::Swipe)
            }
            Stage::Waiting { leave_at } if leave_at <= now => {
                self.refused(now);
                Some(Act::Unplug)
            }
            Stage::Charging { since } if self.enough(since, now, soc) => {
                self.stage = Stage::Stopping;
                Some(Act::Swipe)
            }
            Stage::Leaving { at } if at <= now => Some(Act::Unplug),
            _ => None,
        }
    }

    fn enough(&self, since: Millis, now: Millis, soc: f64) -> bool {
        match self.session.until {
            Until::Soc(target) => soc >= target.min(100.0),
            Until::Minutes(count) => since.after(minutes(count)) <= now,
        }
    }

    /// When it wants to be looked at again, apart from meter ticks.
    pub(super) fn deadline(&self) -> Option<Millis> {
        match self.stage {
            Stage::Plugged { swipe_at: at }
            | Stage::Waiting { leave_at: at }
            | Stage::Leaving { at } => Some(at),
            Stage::Charging { since } => match self.session.until {
                Until::Minutes(count) => Some(since.after(minutes(count))),
                Until::Soc(_) => None,
            },
            Stage::Stopping => None,
        }
    }
}

fn minutes(count: f64) -> u64 {
    (count * 60_000.0) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::physics::vehicle;

    fn visit(until: Until) -> Visit {
        let vehicle = vehicle("leaf").expect("known").clone();
        let session = Session {
            connector: 1,
            vehicle,
            soc: 20.0,
            id_tag: "A".to_owned(),
            until,
            linger_minutes: 1.0,
        };
        Visit::new(session, Millis(0))
    }

    #[test]
    fn a_visit_goes_from_card_to_card_to_unplugging() {
        let mut visit = visit(Until::Soc(80.0));
        assert_eq!(visit.act(Millis(3_999), 20.0), None);
        assert_eq!(visit.act(Millis(4_000), 20.0), Some(Act::Swipe));
        visit.started(Millis(5_000));
        assert_eq!(visit.act(Millis(9_000_000), 79.9), None);
        assert_eq!(visit.act(Millis(9_000_001), 80.0), Some(Act::Swipe));
        assert_eq!(
            visit.act(Millis(9_000_002), 80.0),
            None,
            "one card is enough"
        );
        visit.stopped(23_000, Millis(9_000_500));
        assert_eq!(visit.deadline(), Some(Millis(9_060_500)));
        assert_eq!(visit.act(Millis(9_060_500), 80.0), Some(Act::Unplug));
    }

    #[test]
    fn a_driver_who_is_not_let_in_leaves() {
        let mut visit = visit(Until::Minutes(30.0));
        visit.act(Millis(4_000), 20.0);
        assert_eq!(visit.act(Millis(304_000), 20.0), Some(Act::Unplug));
        assert_eq!(visit.energy_wh, None);
    }
}
