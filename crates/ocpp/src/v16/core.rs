//! Messages of the Core profile.
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.

use serde::{Deserialize, Serialize};

use super::{
    AvailabilityStatus, AvailabilityType, ChargePointErrorCode, ChargePointStatus, ChargingProfile,
    ClearCacheStatus, ConfigurationStatus, DataTransferStatus, IdTagInfo, KeyValue, MeterValue,
    Reason, RegistrationStatus, RemoteStartStopStatus, ResetStatus, ResetType, UnlockStatus,
};
use crate::Timestamp;
use crate::salvage::{object, objects, required, scalar, scalars};

/// `Authorize.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct AuthorizeRequest {
    /// `idTag`, required: a text of at most 20 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub id_tag: Option<String>,
}

/// `Authorize.conf`: we answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizeResponse {
    /// `idTagInfo`, required: an object.
    pub id_tag_info: IdTagInfo,
}

/// `BootNotification.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct BootNotificationRequest {
    /// `chargePointVendor`, required: a text of at most 20 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub charge_point_vendor: Option<String>,
    /// `chargePointModel`, required: a text of at most 20 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub charge_point_model: Option<String>,
    /// `chargePointSerialNumber`: a text of at most 25 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub charge_point_serial_number: Option<String>,
    /// `chargeBoxSerialNumber`: a text of at most 25 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub charge_box_serial_number: Option<String>,
    /// `firmwareVersion`: a text of at most 50 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub firmware_version: Option<String>,
    /// `iccid`: a text of at most 20 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub iccid: Option<String>,
    /// `imsi`: a text of at most 20 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub imsi: Option<String>,
    /// `meterType`: a text of at most 25 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub meter_type: Option<String>,
    /// `meterSerialNumber`: a text of at most 25 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub meter_serial_number: Option<String>,
}

/// `BootNotification.conf`: we answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootNotificationResponse {
    /// `status`, required: one of a list.
    pub status: RegistrationStatus,
    /// `currentTime`, required: a date and time.
    pub current_time: Timestamp,
    /// `interval`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub interval: i64,
}

/// `ChangeAvailability.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeAvailabilityRequest {
    /// `connectorId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub connector_id: i64,
    /// `type`, required: one of a list.
    #[serde(rename = "type")]
    pub kind: AvailabilityType,
}

/// `ChangeAvailability.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChangeAvailabilityResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<AvailabilityStatus>,
}

/// `ChangeConfiguration.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeConfigurationRequest {
    /// `key`, required: a text of at most 50 characters.
    pub key: String,
    /// `value`, required: a text of at most 500 characters.
    pub value: String,
}

/// `ChangeConfiguration.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChangeConfigurationResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<ConfigurationStatus>,
}

/// `ClearCache.req`: we ask.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClearCacheRequest {}

/// `ClearCache.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ClearCacheResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<ClearCacheStatus>,
}

/// `DataTransfer.req`: either side asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DataTransferRequest {
    /// `vendorId`, required: a text of at most 255 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub vendor_id: Option<String>,
    /// `messageId`: a text of at most 50 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub message_id: Option<String>,
    /// `data`: a text.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// `DataTransfer.conf`: either side answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DataTransferResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<DataTransferStatus>,
    /// `data`: a text.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
}

/// `GetConfiguration.req`: we ask.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GetConfigurationRequest {
    /// `key`: a list.
    #[serde(deserialize_with = "scalars", skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
}

/// `GetConfiguration.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GetConfigurationResponse {
    /// `configurationKey`: a list.
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub configuration_key: Vec<KeyValue>,
    /// `unknownKey`: a list.
    #[serde(deserialize_with = "scalars", skip_serializing_if = "Vec::is_empty")]
    pub unknown_key: Vec<String>,
}

/// `Heartbeat.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HeartbeatRequest {}

/// `Heartbeat.conf`: we answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatResponse {
    /// `currentTime`, required: a date and time.
    pub current_time: Timestamp,
}

/// `MeterValues.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MeterValuesRequest {
    /// `connectorId`, required: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub connector_id: Option<i64>,
    /// `transactionId`: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<i64>,
    /// `meterValue`, required: a list of at least 1.
    #[serde(deserialize_with = "objects")]
    pub meter_value: Vec<MeterValue>,
}

/// `MeterValues.conf`: we answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct MeterValuesResponse {}

/// `RemoteStartTransaction.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteStartTransactionRequest {
    /// `connectorId`: a whole number.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub connector_id: Option<i64>,
    /// `idTag`, required: a text of at most 20 characters.
    pub id_tag: String,
    /// `chargingProfile`: an object.
    #[serde(
        default,
        deserialize_with = "object",
        skip_serializing_if = "Option::is_none"
    )]
    pub charging_profile: Option<ChargingProfile>,
}

/// `RemoteStartTransaction.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RemoteStartTransactionResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<RemoteStartStopStatus>,
}

/// `RemoteStopTransaction.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteStopTransactionRequest {
    /// `transactionId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub transaction_id: i64,
}

/// `RemoteStopTransaction.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RemoteStopTransactionResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<RemoteStartStopStatus>,
}

/// `Reset.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ResetRequest {
    /// `type`, required: one of a list.
    #[serde(rename = "type")]
    pub kind: ResetType,
}

/// `Reset.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ResetResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<ResetStatus>,
}

/// `StartTransaction.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StartTransactionRequest {
    /// `connectorId`, required: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub connector_id: Option<i64>,
    /// `idTag`, required: a text of at most 20 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub id_tag: Option<String>,
    /// `meterStart`, required: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub meter_start: Option<i64>,
    /// `reservationId`: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<i64>,
    /// `timestamp`, required: a date and time.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
}

/// `StartTransaction.conf`: we answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartTransactionResponse {
    /// `idTagInfo`, required: an object.
    pub id_tag_info: IdTagInfo,
    /// `transactionId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub transaction_id: i64,
}

/// `StatusNotification.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StatusNotificationRequest {
    /// `connectorId`, required: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub connector_id: Option<i64>,
    /// `errorCode`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub error_code: Option<ChargePointErrorCode>,
    /// `info`: a text of at most 50 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<ChargePointStatus>,
    /// `timestamp`: a date and time.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// `vendorId`: a text of at most 255 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub vendor_id: Option<String>,
    /// `vendorErrorCode`: a text of at most 50 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub vendor_error_code: Option<String>,
}

/// `StatusNotification.conf`: we answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StatusNotificationResponse {}

/// `StopTransaction.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StopTransactionRequest {
    /// `idTag`: a text of at most 20 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub id_tag: Option<String>,
    /// `meterStop`, required: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub meter_stop: Option<i64>,
    /// `timestamp`, required: a date and time.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// `transactionId`, required: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<i64>,
    /// `reason`: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// `transactionData`: a list.
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub transaction_data: Vec<MeterValue>,
}

/// `StopTransaction.conf`: we answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct StopTransactionResponse {
    /// `idTagInfo`: an object.
    #[serde(deserialize_with = "object", skip_serializing_if = "Option::is_none")]
    pub id_tag_info: Option<IdTagInfo>,
}

/// `UnlockConnector.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnlockConnectorRequest {
    /// `connectorId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub connector_id: i64,
}

/// `UnlockConnector.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct UnlockConnectorResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<UnlockStatus>,
}
