//! Messages of the Smart Charging profile.
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.

use serde::{Deserialize, Serialize};

use super::{
    ChargingProfile, ChargingProfilePurpose, ChargingProfileStatus, ChargingRateUnit,
    ChargingSchedule, ClearChargingProfileStatus, GetCompositeScheduleStatus,
};
use crate::Timestamp;
use crate::salvage::{object, required, scalar};

/// `ClearChargingProfile.req`: we ask.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClearChargingProfileRequest {
    /// `id`: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub id: Option<i64>,
    /// `connectorId`: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub connector_id: Option<i64>,
    /// `chargingProfilePurpose`: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub charging_profile_purpose: Option<ChargingProfilePurpose>,
    /// `stackLevel`: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub stack_level: Option<i64>,
}

/// `ClearChargingProfile.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClearChargingProfileResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<ClearChargingProfileStatus>,
}

/// `GetCompositeSchedule.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetCompositeScheduleRequest {
    /// `connectorId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub connector_id: i64,
    /// `duration`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub duration: i64,
    /// `chargingRateUnit`: one of a list.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub charging_rate_unit: Option<ChargingRateUnit>,
}

/// `GetCompositeSchedule.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GetCompositeScheduleResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<GetCompositeScheduleStatus>,
    /// `connectorId`: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub connector_id: Option<i64>,
    /// `scheduleStart`: a date and time.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub schedule_start: Option<Timestamp>,
    /// `chargingSchedule`: an object.
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub charging_schedule: Option<ChargingSchedule>,
}

/// `SetChargingProfile.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SetChargingProfileRequest {
    /// `connectorId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub connector_id: i64,
    /// `csChargingProfiles`, required: an object.
    pub cs_charging_profiles: ChargingProfile,
}

/// `SetChargingProfile.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetChargingProfileResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<ChargingProfileStatus>,
}
