//! The messages of the profile SmartCharging.

use alloc::vec::Vec;
use core::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::words::words;
use crate::time::Utc;

words! {
    /// ChargingProfilePurpose.
    Purpose {
        /// The whole charge point.
        ChargePointMax = "ChargePointMaxProfile",
        /// Every transaction without a profile of its own.
        TxDefault = "TxDefaultProfile",
        /// One transaction.
        Tx = "TxProfile",
    }
}

words! {
    /// ChargingProfileKind: what a schedule counts from.
    Kind {
        /// A moment.
        Absolute = "Absolute",
        /// A moment, again each day or week.
        Recurring = "Recurring",
        /// The transaction's start.
        Relative = "Relative",
    }
}

words! {
    /// RecurrencyKind.
    Recurrency {
        /// Each day.
        Daily = "Daily",
        /// Each week.
        Weekly = "Weekly",
    }
}

words! {
    /// ChargingRateUnit.
    RateUnit {
        /// Amperes per phase.
        A = "A",
        /// Watts over all phases.
        W = "W",
    }
}

/// A number with one decimal place, as charging rates are: tenths, because small chips have no floating point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tenths(pub i64);

impl Serialize for Tenths {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 % 10 == 0 {
            serializer.serialize_i64(self.0 / 10)
        } else {
            serializer.serialize_f64(self.0 as f64 / 10.0)
        }
    }
}

impl<'de> Deserialize<'de> for Tenths {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Number;
        impl de::Visitor<'_> for Number {
            type Value = Tenths;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Tenths, E> {
                Ok(Tenths(value.saturating_mul(10)))
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Tenths, E> {
                let value = i64::try_from(value).unwrap_or(i64::MAX);
                Ok(Tenths(value.saturating_mul(10)))
            }
            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Tenths, E> {
                // Down, never up: what is offered never exceeds what was allowed. The hundredth of a
                // tenth is for numbers such as 16.1, which binary fractions miss from below.
                Ok(Tenths((value * 10.0 + 0.01) as i64))
            }
        }
        deserializer.deserialize_any(Number)
    }
}

/// ChargingProfile
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChargingProfile {
    /// The server's number of it.
    pub charging_profile_id: i64,
    /// The transaction of a TxProfile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<i64>,
    /// The higher one wins.
    pub stack_level: u32,
    /// What it limits.
    pub charging_profile_purpose: Purpose,
    /// What its schedule counts from.
    pub charging_profile_kind: Kind,
    /// How a recurring one recurs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recurrency_kind: Option<Recurrency>,
    /// From when on it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Utc>,
    /// Until when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_to: Option<Utc>,
    /// The limits.
    pub charging_schedule: ChargingSchedule,
}

/// ChargingSchedule
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChargingSchedule {
    /// How long it holds, seconds; absent: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<u32>,
    /// What an absolute or recurring schedule counts from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_schedule: Option<Utc>,
    /// Unit of the limits.
    pub charging_rate_unit: RateUnit,
    /// The limits, in the order of their starts.
    pub charging_schedule_period: Vec<Period>,
    /// Below this a vehicle charges badly; a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_charging_rate: Option<Tenths>,
}

/// ChargingSchedulePeriod
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Period {
    /// Seconds after the schedule's start.
    pub start_period: u32,
    /// The limit.
    pub limit: Tenths,
    /// Phases that may be used; 3 if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number_phases: Option<u32>,
}

/// SetChargingProfile.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetChargingProfile {
    /// Connector, 0 for the charge point or for all.
    pub connector_id: u32,
    /// The profile.
    pub cs_charging_profiles: ChargingProfile,
}

/// ClearChargingProfile.req: all criteria given must hold.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClearChargingProfile {
    /// This one.
    #[serde(default)]
    pub id: Option<i64>,
    /// Those of this connector.
    #[serde(default)]
    pub connector_id: Option<u32>,
    /// Those of this purpose.
    #[serde(default)]
    pub charging_profile_purpose: Option<Purpose>,
    /// Those of this level.
    #[serde(default)]
    pub stack_level: Option<u32>,
}

/// GetCompositeSchedule.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetCompositeSchedule {
    /// Connector, 0 for the charge point.
    pub connector_id: u32,
    /// How far ahead, seconds.
    pub duration: u32,
    /// In which unit.
    #[serde(default)]
    pub charging_rate_unit: Option<RateUnit>,
}

/// GetCompositeSchedule.conf
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetCompositeScheduleConf {
    /// Accepted.
    pub status: &'static str,
    /// As asked.
    pub connector_id: u32,
    /// Now.
    pub schedule_start: Utc,
    /// The limits.
    pub charging_schedule: ChargingSchedule,
}
