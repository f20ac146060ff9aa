//! Profiles as they are installed: which one is on top at a moment, and when that may change.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::schedule::{Limit, Mains};
use crate::{
    ocpp::smart::{ChargingProfile, ClearChargingProfile, Kind, Period, Purpose, Recurrency},
    time::Utc,
};

/// A profile, where it was set and when.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Installed {
    pub(crate) connector: u32,
    pub(crate) profile: ChargingProfile,
    pub(crate) at: Utc,
}

/// Whether a profile contradicts itself in nothing.
pub(super) fn makes_sense(profile: &ChargingProfile) -> bool {
    let schedule = &profile.charging_schedule;
    let periods = &schedule.charging_schedule_period;
    let kind = match profile.charging_profile_kind {
        Kind::Recurring => profile.recurrency_kind.is_some() && schedule.start_schedule.is_some(),
        Kind::Absolute => true,
        // A charge point as a whole has no start to count from.
        Kind::Relative => profile.charging_profile_purpose != Purpose::ChargePointMax,
    };
    kind && periods.first().is_some_and(|p| p.start_period == 0)
        && periods.is_sorted_by(|a, b| a.start_period < b.start_period)
        && periods.iter().all(|p| p.limit.0 >= 0)
        && !matches!((profile.valid_from, profile.valid_to), (Some(from), Some(to)) if from >= to)
}

/// The limit of the highest profile of a purpose that counts for a connector at a moment.
/// Of equal levels the connector's own is above the one for all.
pub(super) fn top(
    profiles: &[Installed],
    purpose: Purpose,
    connector: u32,
    at: Utc,
    began: Option<Utc>,
    mains: Mains,
) -> Option<Limit> {
    profiles
        .iter()
        .filter(|p| p.profile.charging_profile_purpose == purpose)
        .filter(|p| p.connector == connector || (p.connector == 0 && purpose != Purpose::Tx))
        .filter_map(|p| Some((p, p.period(at, began)?)))
        .max_by_key(|(p, _)| (p.profile.stack_level, p.connector))
        .map(|(p, period)| mains.limit(period, p.profile.charging_schedule.charging_rate_unit))
}

impl Installed {
    /// The moment that the schedule counts from, as of `at`.
    fn anchor(&self, at: Utc, began: Option<Utc>) -> Utc {
        let start = self.profile.charging_schedule.start_schedule;
        match self.profile.charging_profile_kind {
            Kind::Absolute => start.or(began).unwrap_or(self.at),
            // Before a transaction the schedule is shown as if one started now.
            Kind::Relative => began.unwrap_or(at),
            Kind::Recurring => {
                let start = start.unwrap_or(self.at);
                let cycle = self.cycle_ms();
                Utc(start.0 + (at.0 - start.0).div_euclid(cycle) * cycle)
            }
        }
    }

    fn cycle_ms(&self) -> i64 {
        match self.profile.recurrency_kind {
            Some(Recurrency::Weekly) => 7 * 86_400_000,
            _ => 86_400_000,
        }
    }

    /// The period that holds at a moment, if the profile says anything of it.
    fn period(&self, at: Utc, began: Option<Utc>) -> Option<&Period> {
        let profile = &self.profile;
        let valid = profile.valid_from.is_none_or(|from| from <= at)
            && profile.valid_to.is_none_or(|to| at < to);
        let elapsed = at.0 - self.anchor(at, began).0;
        let over = profile
            .charging_schedule
            .duration
            .is_some_and(|duration| elapsed >= i64::from(duration) * 1000);
        if !valid || elapsed < 0 || over {
            return None;
        }
        profile
            .charging_schedule
            .charging_schedule_period
            .iter()
            .rfind(|p| i64::from(p.start_period) * 1000 <= elapsed)
    }

    /// Adds the moments between two at which this profile's limit may change.
    pub(super) fn turns(&self, start: Utc, end: Utc, began: Option<Utc>, moments: &mut Vec<Utc>) {
        let schedule = &self.profile.charging_schedule;
        let mut add = |at: Utc| {
            if start < at && at < end {
                moments.push(at);
            }
        };
        self.profile.valid_from.into_iter().for_each(&mut add);
        self.profile.valid_to.into_iter().for_each(&mut add);
        let recurring = self.profile.charging_profile_kind == Kind::Recurring;
        let mut anchor = self.anchor(start, began);
        loop {
            add(anchor);
            for period in &schedule.charging_schedule_period {
                add(Utc(anchor.0 + i64::from(period.start_period) * 1000));
            }
            if let Some(duration) = schedule.duration {
                add(Utc(anchor.0 + i64::from(duration) * 1000));
            }
            anchor.0 += self.cycle_ms();
            if !recurring || anchor >= end {
                break;
            }
        }
    }

    /// Whether all that a ClearChargingProfile names holds for this profile.
    pub(super) fn fits(&self, request: &ClearChargingProfile) -> bool {
        let profile = &self.profile;
        if let Some(id) = request.id {
            return profile.charging_profile_id == id;
        }
        request.connector_id.is_none_or(|of| of == self.connector)
            && request
                .charging_profile_purpose
                .is_none_or(|of| of == profile.charging_profile_purpose)
            && request
                .stack_level
                .is_none_or(|of| of == profile.stack_level)
    }
}
