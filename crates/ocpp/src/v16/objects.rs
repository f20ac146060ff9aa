//! The objects within messages of OCPP 1.6.
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::enums::{
    AuthorizationStatus, ChargingProfileKind, ChargingProfilePurpose, ChargingRateUnit,
    HashAlgorithm, Location, Measurand, Phase, ReadingContext, RecurrencyKind, UnitOfMeasure,
    ValueFormat,
};
use crate::Timestamp;
use crate::salvage::{decimal, object, objects, required, scalar, verbatim, write_decimal};

/// Authorization data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizationData {
    /// `idTag`, required: a text of at most 20 characters.
    pub id_tag: String,
    /// `idTagInfo`: an object.
    #[serde(
        default,
        deserialize_with = "object",
        skip_serializing_if = "Option::is_none"
    )]
    pub id_tag_info: Option<IdTagInfo>,
}

/// Certificate hash data.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CertificateHashData {
    /// `hashAlgorithm`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub hash_algorithm: Option<HashAlgorithm>,
    /// `issuerNameHash`, required: a text of at most 128 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub issuer_name_hash: Option<String>,
    /// `issuerKeyHash`, required: a text of at most 128 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub issuer_key_hash: Option<String>,
    /// `serialNumber`, required: a text of at most 40 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub serial_number: Option<String>,
}

/// Charging profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChargingProfile {
    /// `chargingProfileId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub charging_profile_id: i64,
    /// `transactionId`: a whole number.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub transaction_id: Option<i64>,
    /// `stackLevel`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub stack_level: i64,
    /// `chargingProfilePurpose`, required: one of a list.
    pub charging_profile_purpose: ChargingProfilePurpose,
    /// `chargingProfileKind`, required: one of a list.
    pub charging_profile_kind: ChargingProfileKind,
    /// `recurrencyKind`: one of a list.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub recurrency_kind: Option<RecurrencyKind>,
    /// `validFrom`: a date and time.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub valid_from: Option<Timestamp>,
    /// `validTo`: a date and time.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub valid_to: Option<Timestamp>,
    /// `chargingSchedule`, required: an object.
    pub charging_schedule: ChargingSchedule,
}

/// Charging schedule.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChargingSchedule {
    /// `duration`: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub duration: Option<i64>,
    /// `startSchedule`: a date and time.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub start_schedule: Option<Timestamp>,
    /// `chargingRateUnit`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub charging_rate_unit: Option<ChargingRateUnit>,
    /// `chargingSchedulePeriod`, required: a list.
    #[serde(deserialize_with = "objects")]
    pub charging_schedule_period: Vec<ChargingSchedulePeriod>,
    /// `minChargingRate`: a number with at most 1 decimal place.
    #[serde(
        deserialize_with = "decimal",
        serialize_with = "write_decimal",
        skip_serializing_if = "Option::is_none"
    )]
    pub min_charging_rate: Option<Decimal>,
}

/// Charging schedule period.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChargingSchedulePeriod {
    /// `startPeriod`, required: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub start_period: Option<i64>,
    /// `limit`, required: a number with at most 1 decimal place.
    #[serde(
        deserialize_with = "decimal",
        serialize_with = "write_decimal",
        skip_serializing_if = "Option::is_none"
    )]
    pub limit: Option<Decimal>,
    /// `numberPhases`: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub number_phases: Option<i64>,
}

/// Firmware.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Firmware {
    /// `location`, required: a text of at most 512 characters.
    pub location: String,
    /// `retrieveDateTime`, required: a date and time.
    pub retrieve_date_time: Timestamp,
    /// `installDateTime`: a date and time.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub install_date_time: Option<Timestamp>,
    /// `signingCertificate`, required: a text of at most 5500 characters.
    pub signing_certificate: String,
    /// `signature`, required: a text of at most 800 characters.
    pub signature: String,
}

/// Id tag info.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdTagInfo {
    /// `expiryDate`: a date and time.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub expiry_date: Option<Timestamp>,
    /// `parentIdTag`: a text of at most 20 characters.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub parent_id_tag: Option<String>,
    /// `status`, required: one of a list.
    pub status: AuthorizationStatus,
}

/// Key value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct KeyValue {
    /// `key`, required: a text of at most 50 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// `readonly`, required: true or false.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub readonly: Option<bool>,
    /// `value`: a text of at most 500 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// Log parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogParameters {
    /// `remoteLocation`, required: a text of at most 512 characters.
    pub remote_location: String,
    /// `oldestTimestamp`: a date and time.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub oldest_timestamp: Option<Timestamp>,
    /// `latestTimestamp`: a date and time.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub latest_timestamp: Option<Timestamp>,
}

/// Meter value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MeterValue {
    /// `timestamp`, required: a date and time.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// `sampledValue`, required: a list of at least 1.
    #[serde(deserialize_with = "objects")]
    pub sampled_value: Vec<SampledValue>,
}

/// Sampled value.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SampledValue {
    /// `value`, required: a text.
    #[serde(deserialize_with = "verbatim", skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `context`: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub context: Option<ReadingContext>,
    /// `format`: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub format: Option<ValueFormat>,
    /// `measurand`: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub measurand: Option<Measurand>,
    /// `phase`: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// `location`: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// `unit`: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub unit: Option<UnitOfMeasure>,
}
