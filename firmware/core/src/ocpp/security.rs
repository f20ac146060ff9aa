//! The messages of the security whitepaper about certificates and events.

use alloc::{borrow::Cow, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::words::words;
use crate::time::Utc;

/// SecurityEventNotification.req
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecurityEventNotification<'a> {
    /// Which event.
    #[serde(rename = "type")]
    pub kind: &'a str,
    /// When.
    pub timestamp: Utc,
    /// More of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tech_info: Option<&'a str>,
}

words! {
    /// The events that this charge point can tell of.
    SecurityEvent {
        /// New firmware runs.
        FirmwareUpdated = "FirmwareUpdated",
        /// It was switched on.
        Startup = "StartupOfTheDevice",
        /// It was asked to reboot.
        Reset = "ResetOrReboot",
        /// A key, certificate or security profile is another.
        Reconfiguration = "ReconfigurationOfSecurityParameters",
        /// Firmware was not signed by whom it should be.
        InvalidFirmwareSignature = "InvalidFirmwareSignature",
        /// The signer is nobody to trust.
        InvalidFirmwareSigningCertificate = "InvalidFirmwareSigningCertificate",
        /// A root that cannot be used.
        InvalidCentralSystemCertificate = "InvalidCentralSystemCertificate",
        /// A certificate of ours that cannot be used.
        InvalidChargePointCertificate = "InvalidChargePointCertificate",
        /// Somebody opened the housing.
        Tamper = "TamperDetectionActivated",
        /// Frames that are none.
        InvalidMessages = "InvalidMessages",
    }
}

/// SignCertificate.req
#[derive(Debug, Serialize)]
pub struct SignCertificate<'a> {
    /// The request, PEM.
    pub csr: &'a str,
}

/// CertificateSigned.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateSigned<'a> {
    /// Leaf first, PEM.
    #[serde(borrow)]
    pub certificate_chain: Cow<'a, str>,
}

words! {
    /// CertificateUse.
    CertificateUse {
        /// Whom to trust as a server.
        CentralSystemRoot = "CentralSystemRootCertificate",
        /// Whom to trust as a maker of firmware.
        ManufacturerRoot = "ManufacturerRootCertificate",
    }
}

/// InstallCertificate.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InstallCertificate<'a> {
    /// What for.
    pub certificate_type: CertificateUse,
    /// PEM.
    #[serde(borrow)]
    pub certificate: Cow<'a, str>,
}

/// GetInstalledCertificateIds.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GetInstalledCertificateIds {
    /// Of which use.
    pub certificate_type: CertificateUse,
}

/// GetInstalledCertificateIds.conf
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetInstalledCertificateIdsConf<'a> {
    /// Accepted or NotFound.
    pub status: &'static str,
    /// Which.
    #[serde(skip_serializing_if = "<[CertificateHash]>::is_empty")]
    pub certificate_hash_data: &'a [CertificateHash],
}

/// CertificateHashDataType: how a certificate is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateHash {
    /// SHA256, SHA384 or SHA512.
    pub hash_algorithm: String,
    /// Of the issuer's name, hex.
    pub issuer_name_hash: String,
    /// Of the issuer's key, hex.
    pub issuer_key_hash: String,
    /// Hex.
    pub serial_number: String,
}

/// DeleteCertificate.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeleteCertificate {
    /// Which.
    pub certificate_hash_data: CertificateHash,
}

/// The names of a list of certificates.
pub type CertificateHashes = Vec<CertificateHash>;
