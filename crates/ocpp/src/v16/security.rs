//! Messages of the security extension (OCA whitepaper, edition 3).
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.

use serde::{Deserialize, Serialize};

use super::{
    CertificateHashData, CertificateSignedStatus, CertificateUse, DeleteCertificateStatus,
    ExtendedMessageTrigger, Firmware, GenericStatus, GetInstalledCertificateStatus,
    InstallCertificateStatus, LogParameters, LogStatus, LogType, SignedFirmwareStatus,
    TriggerMessageStatus, UpdateFirmwareStatus, UploadLogStatus,
};
use crate::Timestamp;
use crate::salvage::{objects, required, scalar};

/// `CertificateSigned.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSignedRequest {
    /// `certificateChain`, required: a text of at most 10000 characters.
    pub certificate_chain: String,
}

/// `CertificateSigned.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CertificateSignedResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<CertificateSignedStatus>,
}

/// `DeleteCertificate.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteCertificateRequest {
    /// `certificateHashData`, required: an object.
    pub certificate_hash_data: CertificateHashData,
}

/// `DeleteCertificate.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct DeleteCertificateResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<DeleteCertificateStatus>,
}

/// `ExtendedTriggerMessage.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ExtendedTriggerMessageRequest {
    /// `requestedMessage`, required: one of a list.
    pub requested_message: ExtendedMessageTrigger,
    /// `connectorId`: a whole number.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub connector_id: Option<i64>,
}

/// `ExtendedTriggerMessage.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ExtendedTriggerMessageResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<TriggerMessageStatus>,
}

/// `GetInstalledCertificateIds.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetInstalledCertificateIdsRequest {
    /// `certificateType`, required: one of a list.
    pub certificate_type: CertificateUse,
}

/// `GetInstalledCertificateIds.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GetInstalledCertificateIdsResponse {
    /// `certificateHashData`: a list of at least 1.
    #[serde(deserialize_with = "objects", skip_serializing_if = "Vec::is_empty")]
    pub certificate_hash_data: Vec<CertificateHashData>,
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<GetInstalledCertificateStatus>,
}

/// `GetLog.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetLogRequest {
    /// `log`, required: an object.
    pub log: LogParameters,
    /// `logType`, required: one of a list.
    pub log_type: LogType,
    /// `requestId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub request_id: i64,
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
}

/// `GetLog.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GetLogResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<LogStatus>,
    /// `filename`: a text of at most 255 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub filename: Option<String>,
}

/// `InstallCertificate.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstallCertificateRequest {
    /// `certificateType`, required: one of a list.
    pub certificate_type: CertificateUse,
    /// `certificate`, required: a text of at most 5500 characters.
    pub certificate: String,
}

/// `InstallCertificate.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InstallCertificateResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<InstallCertificateStatus>,
}

/// `LogStatusNotification.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LogStatusNotificationRequest {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<UploadLogStatus>,
    /// `requestId`: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<i64>,
}

/// `LogStatusNotification.conf`: we answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct LogStatusNotificationResponse {}

/// `SecurityEventNotification.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityEventNotificationRequest {
    /// `type`, required: a text of at most 50 characters.
    #[serde(
        rename = "type",
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub kind: Option<String>,
    /// `timestamp`, required: a date and time.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// `techInfo`: a text of at most 255 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub tech_info: Option<String>,
}

/// `SecurityEventNotification.conf`: we answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SecurityEventNotificationResponse {}

/// `SignCertificate.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SignCertificateRequest {
    /// `csr`, required: a text of at most 5500 characters.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub csr: Option<String>,
}

/// `SignCertificate.conf`: we answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignCertificateResponse {
    /// `status`, required: one of a list.
    pub status: GenericStatus,
}

/// `SignedFirmwareStatusNotification.req`: a station asks.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SignedFirmwareStatusNotificationRequest {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<SignedFirmwareStatus>,
    /// `requestId`: a whole number.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub request_id: Option<i64>,
}

/// `SignedFirmwareStatusNotification.conf`: we answer.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SignedFirmwareStatusNotificationResponse {}

/// `SignedUpdateFirmware.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedUpdateFirmwareRequest {
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
    /// `requestId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub request_id: i64,
    /// `firmware`, required: an object.
    pub firmware: Firmware,
}

/// `SignedUpdateFirmware.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SignedUpdateFirmwareResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<UpdateFirmwareStatus>,
}
