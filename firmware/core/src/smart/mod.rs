//! Smart charging: profiles with a stack, the schedule composed of them, and the limit that connectors obey.

mod profiles;
mod schedule;

use alloc::{vec, vec::Vec};

pub(crate) use profiles::Installed;
pub use schedule::Offer;

use crate::{
    config::Key,
    io::{Output, Outputs},
    ocpp::smart::{
        ChargingProfile, ChargingSchedule, ClearChargingProfile, GetCompositeSchedule,
        GetCompositeScheduleConf, Period, Purpose, RateUnit, SetChargingProfile,
    },
    point::ChargePoint,
    reply::{Answer, Refusal, read, status},
    time::{Millis, Utc},
    wire::json,
};
use schedule::{Limit, Mains};

/// A composite schedule reaches at most so far, seconds: a week.
const HORIZON_S: u32 = 7 * 86_400;

impl ChargePoint {
    /// Answers the requests of this profile.
    pub(crate) fn smart_call(&mut self, action: &str, payload: &str, now: Millis) -> Answer {
        self.must_have("SmartCharging")?;
        match action {
            "SetChargingProfile" => {
                let request: SetChargingProfile = read(payload)?;
                let accepted = self.set_profile(request, now);
                Ok(status(if accepted { "Accepted" } else { "Rejected" }))
            }
            "ClearChargingProfile" => {
                let request: ClearChargingProfile = read(payload)?;
                Ok(status(self.clear_profiles(&request)))
            }
            "GetCompositeSchedule" => self.composite(&read(payload)?, now),
            _ => Err(Refusal::not_implemented(action)),
        }
    }

    fn set_profile(&mut self, request: SetChargingProfile, now: Millis) -> bool {
        let (connector, profile) = (request.connector_id, request.cs_charging_profiles);
        let known = connector == 0 || self.at(connector).is_some();
        let placed = match profile.charging_profile_purpose {
            Purpose::ChargePointMax => connector == 0,
            Purpose::TxDefault => known,
            Purpose::Tx => known && self.runs(connector, profile.transaction_id),
        };
        placed && self.install(connector, profile, now)
    }

    /// Whether a transaction runs at the connector: the one of this number, if one is given.
    fn runs(&self, connector: u32, transaction_id: Option<i64>) -> bool {
        let Some(index) = self.at(connector) else {
            return false;
        };
        self.connectors[index]
            .transaction
            .as_ref()
            .is_some_and(|t| transaction_id.is_none_or(|id| self.server_id(t.local) == id))
    }

    /// Keeps a profile in the place of the one of its number, or of its level and purpose.
    pub(crate) fn install(
        &mut self,
        connector: u32,
        profile: ChargingProfile,
        now: Millis,
    ) -> bool {
        if !self.bearable(&profile) {
            return false;
        }
        let place = |p: &Installed| {
            (
                p.connector,
                p.profile.stack_level,
                p.profile.charging_profile_purpose,
            )
        };
        let at = self.clock.utc(now);
        let new = Installed {
            connector,
            profile,
            at,
        };
        let mut kept = self.profiles.clone();
        kept.retain(|p| {
            p.profile.charging_profile_id != new.profile.charging_profile_id
                && place(p) != place(&new)
        });
        if kept.len() as u64 >= self.config.number(Key::MaxChargingProfilesInstalled) {
            return false;
        }
        kept.push(new);
        self.profiles = kept;
        self.dirty = true;
        true
    }

    /// Whether a profile is within what this charge point can hold, and makes sense.
    pub(crate) fn bearable(&self, profile: &ChargingProfile) -> bool {
        let periods = profile.charging_schedule.charging_schedule_period.len() as u64;
        u64::from(profile.stack_level) <= self.config.number(Key::ChargeProfileMaxStackLevel)
            && periods <= self.config.number(Key::ChargingScheduleMaxPeriods)
            && profiles::makes_sense(profile)
    }

    fn clear_profiles(&mut self, request: &ClearChargingProfile) -> &'static str {
        let before = self.profiles.len();
        self.profiles.retain(|p| !p.fits(request));
        let found = self.profiles.len() < before;
        self.dirty |= found;
        if found { "Accepted" } else { "Unknown" }
    }

    /// Profiles of a transaction end with it.
    pub(crate) fn drop_tx_profiles(&mut self, connector: u32) {
        self.profiles.retain(|p| {
            p.connector != connector || p.profile.charging_profile_purpose != Purpose::Tx
        });
    }

    fn mains(&self) -> Mains {
        Mains {
            voltage_v: i64::from(self.settings.voltage_v),
            phases: i64::from(self.settings.phases),
        }
    }

    /// The limit of one connector at a moment: the profiles' and the hardware's.
    fn connector_limit(&self, connector: u32, at: Utc, share: i64) -> Limit {
        let hardware = self.mains().most(self.settings.max_current_da);
        let began = self.at(connector).and_then(|index| {
            let transaction = self.connectors[index].transaction.as_ref()?;
            Some(transaction.began)
        });
        let top =
            |purpose| profiles::top(&self.profiles, purpose, connector, at, began, self.mains());
        let own = began
            .and_then(|_| top(Purpose::Tx))
            .or_else(|| top(Purpose::TxDefault));
        let whole = top(Purpose::ChargePointMax).map(|limit| limit.shared(share));
        [own, whole]
            .into_iter()
            .flatten()
            .fold(hardware, Limit::lower)
    }

    /// The limit of the charge point as a whole.
    fn station_limit(&self, at: Utc) -> Limit {
        let connectors = i64::from(self.settings.connectors);
        let hardware = self
            .mains()
            .most(self.settings.max_current_da)
            .times(connectors);
        let set = profiles::top(
            &self.profiles,
            Purpose::ChargePointMax,
            0,
            at,
            None,
            self.mains(),
        );
        set.map_or(hardware, |limit| hardware.lower(limit))
    }

    fn composite(&self, request: &GetCompositeSchedule, now: Millis) -> Answer {
        let connector = request.connector_id;
        if connector != 0 && self.at(connector).is_none() {
            return Ok(status("Rejected"));
        }
        let start = self.clock.utc(now);
        let duration = request.duration.min(HORIZON_S);
        let unit = request.charging_rate_unit.unwrap_or(RateUnit::A);
        let mut periods: Vec<Period> = Vec::new();
        for moment in self.turns(start, duration) {
            let limit = match connector {
                0 => self.station_limit(moment),
                _ => self.connector_limit(connector, moment, 1),
            };
            let seconds = (moment.0 - start.0 + 999) / 1000;
            let period = limit.period(u32::try_from(seconds).unwrap_or(0), unit, self.mains());
            let same = |last: &Period| {
                (last.limit, last.number_phases) == (period.limit, period.number_phases)
            };
            if !periods.last().is_some_and(same) {
                periods.push(period);
            }
        }
        Ok(json(&GetCompositeScheduleConf {
            status: "Accepted",
            connector_id: connector,
            schedule_start: start,
            charging_schedule: ChargingSchedule {
                duration: Some(duration),
                start_schedule: Some(start),
                charging_rate_unit: unit,
                charging_schedule_period: periods,
                min_charging_rate: None,
            },
        }))
    }

    /// The moments from `start` on at which a limit may change, `start` first.
    fn turns(&self, start: Utc, seconds: u32) -> Vec<Utc> {
        let end = Utc(start.0 + i64::from(seconds) * 1000);
        let mut moments = vec![start];
        for installed in &self.profiles {
            let began = self.at(installed.connector).and_then(|index| {
                let transaction = self.connectors[index].transaction.as_ref()?;
                Some(transaction.began)
            });
            installed.turns(start, end, began, &mut moments);
        }
        moments.sort_unstable();
        moments.dedup();
        moments
    }

    /// Tells the host what each connector may give now, and holds back those that may give too little.
    pub(crate) fn obey(&mut self, index: usize, now: Millis, out: &mut Outputs) {
        let at = self.clock.utc(now);
        let charging = self
            .connectors
            .iter()
            .filter(|c| c.transaction.is_some())
            .count();
        let share = i64::try_from(charging.max(1)).unwrap_or(1);
        let limit = self.connector_limit(self.connectors[index].id, at, share);
        let offer = limit.offer(self.mains(), self.settings.min_current_da);
        let connector = &mut self.connectors[index];
        connector.paused = offer.power_w == 0;
        if connector.offer != Some(offer) {
            connector.offer = Some(offer);
            out.todo.push(Output::Offer(connector.id, offer));
        }
    }

    /// When a limit may change next.
    pub(crate) fn next_turn(&self, now: Millis) -> Option<Millis> {
        if self.profiles.is_empty() {
            return None;
        }
        let start = self.clock.utc(now);
        let next = self.turns(start, 86_400).into_iter().nth(1);
        Some(next.map_or_else(|| now.after(86_400_000), |at| self.when(at, now)))
    }
}
