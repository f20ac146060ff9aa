//! What the samples of a charging session come to, summed while they pass by. A session whose samples were all seen is
//! closed by this, without reading any of them again; `transactions::close_sessions` says the same in SQL.

use chrono::{DateTime, TimeDelta, Utc};

use super::MeterRow;

/// A first state of charge of 0 is not believed where the next is above this (per mille).
const NOT_EMPTY: i16 = 15;
/// Samples that come so long after the stop, by the charger's clock, still count.
const AFTER: TimeDelta = TimeDelta::hours(1);

/// The sums of samples of one transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Figures {
    started_at: DateTime<Utc>,
    meter_start_wh: i64,
    first_at: Option<DateTime<Utc>>,
    last_at: Option<DateTime<Utc>>,
    last_register: Option<(DateTime<Utc>, i64)>,
    lowest_wh: Option<i64>,
    highest_wh: Option<i64>,
    max_power_w: Option<i32>,
    first_soc: Option<i16>,
    first_charged_soc: Option<i16>,
    last_soc: Option<i16>,
}

impl Figures {
    /// Of a transaction that has no sample yet.
    pub fn new(started_at: DateTime<Utc>, meter_start_wh: i64) -> Self {
        Figures {
            started_at,
            meter_start_wh,
            first_at: None,
            last_at: None,
            last_register: None,
            lowest_wh: None,
            highest_wh: None,
            max_power_w: None,
            first_soc: None,
            first_charged_soc: None,
            last_soc: None,
        }
    }

    /// With one more sample, which must be later than all others.
    pub fn and(mut self, row: &MeterRow) -> Self {
        self.first_at = self.first_at.or(Some(row.at));
        self.last_at = Some(row.at);
        if let Some(register) = row.energy_wh {
            self.last_register = Some((row.at, register));
            self.lowest_wh = Some(self.lowest_wh.map_or(register, |low| low.min(register)));
            self.highest_wh = self.highest_wh.max(Some(register));
        }
        self.max_power_w = self.max_power_w.max(row.power_w);
        self.first_soc = self.first_soc.or(row.soc_pm);
        let charged = row.soc_pm.filter(|soc| *soc > 0);
        self.first_charged_soc = self.first_charged_soc.or(charged);
        self.last_soc = row.soc_pm.or(self.last_soc);
        self
    }

    /// The latest register, Wh, and when it was read: that of the start if no sample had one.
    pub fn register(&self) -> (DateTime<Utc>, i64) {
        self.last_register
            .unwrap_or((self.started_at, self.meter_start_wh))
    }

    /// Whether every sample lies in the time of its transaction: others do not count.
    pub fn are_within(&self, stopped_at: DateTime<Utc>) -> bool {
        self.first_at.is_none_or(|first| first >= self.started_at)
            && self.last_at.is_none_or(|last| last <= stopped_at + AFTER)
    }

    /// The registers' difference where it is not negative, else the range of the samples' registers, else unknown.
    pub(super) fn energy_wh(&self, meter_stop_wh: i64) -> Option<i64> {
        if meter_stop_wh >= self.meter_start_wh {
            Some(meter_stop_wh - self.meter_start_wh)
        } else {
            Some(self.highest_wh? - self.lowest_wh?)
        }
    }

    pub(super) fn max_power_w(&self) -> Option<i32> {
        self.max_power_w
    }

    pub(super) fn soc_start(&self) -> Option<i16> {
        let not_believed =
            self.first_soc == Some(0) && self.first_charged_soc.is_some_and(|soc| soc > NOT_EMPTY);
        if not_believed {
            self.first_charged_soc
        } else {
            self.first_soc
        }
    }

    pub(super) fn soc_end(&self) -> Option<i16> {
        self.last_soc
    }
}
