//! The messages of the profile FirmwareManagement, and their signed and logged kin of the security whitepaper.

use alloc::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::words::words;

words! {
    /// FirmwareStatus, of both FirmwareStatusNotification (the plain ones) and SignedFirmwareStatusNotification.
    FirmwareStatus {
        /// Nothing is under way.
        Idle = "Idle",
        /// Being fetched.
        Downloading = "Downloading",
        /// Fetched.
        Downloaded = "Downloaded",
        /// Could not be fetched.
        DownloadFailed = "DownloadFailed",
        /// Will be fetched later (signed only).
        DownloadScheduled = "DownloadScheduled",
        /// Being written.
        Installing = "Installing",
        /// Runs.
        Installed = "Installed",
        /// Does not run; the old one does.
        InstallationFailed = "InstallationFailed",
        /// Written, about to reboot (signed only).
        InstallRebooting = "InstallRebooting",
        /// Will be written later (signed only).
        InstallScheduled = "InstallScheduled",
        /// Not signed by whom it should be (signed only).
        InvalidSignature = "InvalidSignature",
        /// Signed as it should be (signed only).
        SignatureVerified = "SignatureVerified",
    }
}

words! {
    /// DiagnosticsStatus and UploadLogStatus, as far as they agree.
    UploadStatus {
        /// Nothing is under way.
        Idle = "Idle",
        /// Being sent.
        Uploading = "Uploading",
        /// Sent.
        Uploaded = "Uploaded",
        /// Could not be sent (of a log: `UploadFailure`).
        Failed = "UploadFailed",
    }
}

/// UpdateFirmware.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpdateFirmware<'a> {
    /// Where it is.
    #[serde(borrow)]
    pub location: Cow<'a, str>,
    /// When to fetch it.
    #[serde(borrow)]
    pub retrieve_date: Cow<'a, str>,
    /// How often to try again.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Seconds between attempts.
    #[serde(default)]
    pub retry_interval: Option<u32>,
}

/// SignedUpdateFirmware.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SignedUpdateFirmware<'a> {
    /// How often to try again.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Seconds between attempts.
    #[serde(default)]
    pub retry_interval: Option<u32>,
    /// The server's number of it.
    pub request_id: i64,
    /// What to fetch.
    #[serde(borrow)]
    pub firmware: Firmware<'a>,
}

/// FirmwareType
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Firmware<'a> {
    /// Where it is.
    #[serde(borrow)]
    pub location: Cow<'a, str>,
    /// When to fetch it.
    #[serde(borrow)]
    pub retrieve_date_time: Cow<'a, str>,
    /// When to install it.
    #[serde(borrow, default)]
    pub install_date_time: Option<Cow<'a, str>>,
    /// Who signed it, PEM.
    #[serde(borrow)]
    pub signing_certificate: Cow<'a, str>,
    /// Its signature, base64.
    #[serde(borrow)]
    pub signature: Cow<'a, str>,
}

/// FirmwareStatusNotification.req and SignedFirmwareStatusNotification.req
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FirmwareStatusNotification {
    /// How far it is.
    pub status: &'static str,
    /// Of which request; of signed updates.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<i64>,
}

/// GetDiagnostics.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetDiagnostics<'a> {
    /// Where to.
    #[serde(borrow)]
    pub location: Cow<'a, str>,
    /// From when on.
    #[serde(borrow, default)]
    pub start_time: Option<Cow<'a, str>>,
    /// Until when.
    #[serde(borrow, default)]
    pub stop_time: Option<Cow<'a, str>>,
    /// How often to try again.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Seconds between attempts.
    #[serde(default)]
    pub retry_interval: Option<u32>,
}

/// GetDiagnostics.conf
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetDiagnosticsConf<'a> {
    /// The file that will come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_name: Option<&'a str>,
}

words! {
    /// LogType, and the diagnostics of GetDiagnostics, which are the first of the two.
    LogKind {
        /// What the charge point did.
        Diagnostics = "DiagnosticsLog",
        /// Who tampered with it.
        Security = "SecurityLog",
    }
}

/// GetLog.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetLog<'a> {
    /// Which log.
    pub log_type: LogKind,
    /// The server's number of it.
    pub request_id: i64,
    /// How often to try again.
    #[serde(default)]
    pub retries: Option<u32>,
    /// Seconds between attempts.
    #[serde(default)]
    pub retry_interval: Option<u32>,
    /// What of it, and where to.
    #[serde(borrow)]
    pub log: LogParameters<'a>,
}

/// LogParametersType
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LogParameters<'a> {
    /// Where to.
    #[serde(borrow)]
    pub remote_location: Cow<'a, str>,
    /// From when on.
    #[serde(borrow, default)]
    pub oldest_timestamp: Option<Cow<'a, str>>,
    /// Until when.
    #[serde(borrow, default)]
    pub latest_timestamp: Option<Cow<'a, str>>,
}

/// GetLog.conf
#[derive(Debug, Serialize)]
pub struct GetLogConf<'a> {
    /// Accepted, AcceptedCanceled or Rejected.
    pub status: &'static str,
    /// The file that will come.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filename: Option<&'a str>,
}
