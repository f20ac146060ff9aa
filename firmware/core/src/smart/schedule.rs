//! Limits as numbers: tenths of a watt over all phases, and what is offered to a vehicle of them.

use crate::ocpp::smart::{Period, RateUnit, Tenths};

/// What a connector offers to a vehicle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offer {
    /// Current per phase, tenths of an ampere; 0: charging is held back.
    pub current_da: u32,
    /// Power over all phases, W.
    pub power_w: u32,
    /// Phases that may be used.
    pub phases: u32,
}

/// What amperes and watts mean to each other here.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mains {
    pub(super) voltage_v: i64,
    pub(super) phases: i64,
}

impl Mains {
    /// The most that a connector can give.
    pub(super) fn most(self, current_da: u32) -> Limit {
        Limit {
            deciwatts: i64::from(current_da) * self.voltage_v * self.phases,
            phases: self.phases,
        }
    }

    /// A schedule's limit. Phases that are not here cannot be used.
    pub(super) fn limit(self, period: &Period, unit: RateUnit) -> Limit {
        let asked = period.number_phases.map_or(3, i64::from).max(1);
        let phases = asked.min(self.phases);
        let deciwatts = match unit {
            RateUnit::W => period.limit.0,
            RateUnit::A => period.limit.0.saturating_mul(self.voltage_v * phases),
        };
        Limit { deciwatts, phases }
    }
}

/// A limit of power, and of the phases it is meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    deciwatts: i64,
    phases: i64,
}

impl Limit {
    pub(super) fn lower(self, other: Self) -> Self {
        Self {
            deciwatts: self.deciwatts.min(other.deciwatts),
            phases: self.phases.min(other.phases),
        }
    }

    pub(super) fn times(self, count: i64) -> Self {
        let deciwatts = self.deciwatts.saturating_mul(count);
        Self { deciwatts, ..self }
    }

    /// An equal part of a limit that several connectors share.
    pub(super) fn shared(self, count: i64) -> Self {
        let deciwatts = self.deciwatts / count.max(1);
        Self { deciwatts, ..self }
    }

    fn current_da(self, mains: Mains) -> i64 {
        self.deciwatts / (mains.voltage_v * self.phases).max(1)
    }

    /// What is offered: nothing where the vehicle would get less than the least current there is.
    pub(super) fn offer(self, mains: Mains, least_da: u32) -> Offer {
        let current_da = u32::try_from(self.current_da(mains)).unwrap_or(0);
        if current_da < least_da || self.deciwatts < 10 {
            return Offer::default();
        }
        Offer {
            current_da,
            power_w: u32::try_from(self.deciwatts / 10).unwrap_or(u32::MAX),
            phases: u32::try_from(self.phases).unwrap_or(3),
        }
    }

    /// The limit as a period of a composite schedule.
    pub(super) fn period(self, start_period: u32, unit: RateUnit, mains: Mains) -> Period {
        let limit = match unit {
            RateUnit::W => Tenths(self.deciwatts),
            RateUnit::A => Tenths(self.current_da(mains)),
        };
        Period {
            start_period,
            limit,
            number_phases: u32::try_from(self.phases).ok(),
        }
    }
}
