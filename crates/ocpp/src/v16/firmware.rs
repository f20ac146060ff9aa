//! Messages of the Firmware Management profile.
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.

use serde::{Deserialize, Serialize};

use super::{DiagnosticsStatus, FirmwareStatus};
use crate::Timestamp;
use crate::salvage::scalar;

/// `DiagnosticsStatusNotification.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DiagnosticsStatusNotificationRequest {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<DiagnosticsStatus>,
}

/// `DiagnosticsStatusNotification.conf`: we answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DiagnosticsStatusNotificationResponse {}

/// `FirmwareStatusNotification.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FirmwareStatusNotificationRequest {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<FirmwareStatus>,
}

/// `FirmwareStatusNotification.conf`: we answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct FirmwareStatusNotificationResponse {}

/// `GetDiagnostics.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetDiagnosticsRequest {
    /// `location`, required: a URI.
    pub location: String,
    /// `retries`: a whole number.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub retries: Option<i64>,
    /// `retryInterval`: a whole number.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub retry_interval: Option<i64>,
    /// `startTime`: a date and time.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub start_time: Option<Timestamp>,
    /// `stopTime`: a date and time.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub stop_time: Option<Timestamp>,
}

/// `GetDiagnostics.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GetDiagnosticsResponse {
    /// `fileName`: a text of at most 255 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
}

/// `UpdateFirmware.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateFirmwareRequest {
    /// `location`, required: a URI.
    pub location: String,
    /// `retries`: a whole number.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub retries: Option<i64>,
    /// `retrieveDate`, required: a date and time.
    pub retrieve_date: Timestamp,
    /// `retryInterval`: a whole number.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub retry_interval: Option<i64>,
}

/// `UpdateFirmware.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct UpdateFirmwareResponse {}
