//! Every action of OCPP 1.6: its name, who sends it, and the tables of its payloads.
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.

use super::tables;
use crate::schema::{Message, Sender};

/// An action of OCPP 1.6.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// `Authorize`
    Authorize,
    /// `BootNotification`
    BootNotification,
    /// `CancelReservation`
    CancelReservation,
    /// `CertificateSigned`
    CertificateSigned,
    /// `ChangeAvailability`
    ChangeAvailability,
    /// `ChangeConfiguration`
    ChangeConfiguration,
    /// `ClearCache`
    ClearCache,
    /// `ClearChargingProfile`
    ClearChargingProfile,
    /// `DataTransfer`
    DataTransfer,
    /// `DeleteCertificate`
    DeleteCertificate,
    /// `DiagnosticsStatusNotification`
    DiagnosticsStatusNotification,
    /// `ExtendedTriggerMessage`
    ExtendedTriggerMessage,
    /// `FirmwareStatusNotification`
    FirmwareStatusNotification,
    /// `GetCompositeSchedule`
    GetCompositeSchedule,
    /// `GetConfiguration`
    GetConfiguration,
    /// `GetDiagnostics`
    GetDiagnostics,
    /// `GetInstalledCertificateIds`
    GetInstalledCertificateIds,
    /// `GetLocalListVersion`
    GetLocalListVersion,
    /// `GetLog`
    GetLog,
    /// `Heartbeat`
    Heartbeat,
    /// `InstallCertificate`
    InstallCertificate,
    /// `LogStatusNotification`
    LogStatusNotification,
    /// `MeterValues`
    MeterValues,
    /// `RemoteStartTransaction`
    RemoteStartTransaction,
    /// `RemoteStopTransaction`
    RemoteStopTransaction,
    /// `ReserveNow`
    ReserveNow,
    /// `Reset`
    Reset,
    /// `SecurityEventNotification`
    SecurityEventNotification,
    /// `SendLocalList`
    SendLocalList,
    /// `SetChargingProfile`
    SetChargingProfile,
    /// `SignCertificate`
    SignCertificate,
    /// `SignedFirmwareStatusNotification`
    SignedFirmwareStatusNotification,
    /// `SignedUpdateFirmware`
    SignedUpdateFirmware,
    /// `StartTransaction`
    StartTransaction,
    /// `StatusNotification`
    StatusNotification,
    /// `StopTransaction`
    StopTransaction,
    /// `TriggerMessage`
    TriggerMessage,
    /// `UnlockConnector`
    UnlockConnector,
    /// `UpdateFirmware`
    UpdateFirmware,
}

impl Action {
    /// As it is written in a CALL.
    pub fn name(self) -> &'static str {
        self.message().action
    }

    /// Who sends it, and what its payloads must look like.
    pub fn message(self) -> &'static Message {
        &MESSAGES[self as usize]
    }

    /// The action of a CALL, if this version has it.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "Authorize" => Some(Self::Authorize),
            "BootNotification" => Some(Self::BootNotification),
            "CancelReservation" => Some(Self::CancelReservation),
            "CertificateSigned" => Some(Self::CertificateSigned),
            "ChangeAvailability" => Some(Self::ChangeAvailability),
            "ChangeConfiguration" => Some(Self::ChangeConfiguration),
            "ClearCache" => Some(Self::ClearCache),
            "ClearChargingProfile" => Some(Self::ClearChargingProfile),
            "DataTransfer" => Some(Self::DataTransfer),
            "DeleteCertificate" => Some(Self::DeleteCertificate),
            "DiagnosticsStatusNotification" => Some(Self::DiagnosticsStatusNotification),
            "ExtendedTriggerMessage" => Some(Self::ExtendedTriggerMessage),
            "FirmwareStatusNotification" => Some(Self::FirmwareStatusNotification),
            "GetCompositeSchedule" => Some(Self::GetCompositeSchedule),
            "GetConfiguration" => Some(Self::GetConfiguration),
            "GetDiagnostics" => Some(Self::GetDiagnostics),
            "GetInstalledCertificateIds" => Some(Self::GetInstalledCertificateIds),
            "GetLocalListVersion" => Some(Self::GetLocalListVersion),
            "GetLog" => Some(Self::GetLog),
            "Heartbeat" => Some(Self::Heartbeat),
            "InstallCertificate" => Some(Self::InstallCertificate),
            "LogStatusNotification" => Some(Self::LogStatusNotification),
            "MeterValues" => Some(Self::MeterValues),
            "RemoteStartTransaction" => Some(Self::RemoteStartTransaction),
            "RemoteStopTransaction" => Some(Self::RemoteStopTransaction),
            "ReserveNow" => Some(Self::ReserveNow),
            "Reset" => Some(Self::Reset),
            "SecurityEventNotification" => Some(Self::SecurityEventNotification),
            "SendLocalList" => Some(Self::SendLocalList),
            "SetChargingProfile" => Some(Self::SetChargingProfile),
            "SignCertificate" => Some(Self::SignCertificate),
            "SignedFirmwareStatusNotification" => Some(Self::SignedFirmwareStatusNotification),
            "SignedUpdateFirmware" => Some(Self::SignedUpdateFirmware),
            "StartTransaction" => Some(Self::StartTransaction),
            "StatusNotification" => Some(Self::StatusNotification),
            "StopTransaction" => Some(Self::StopTransaction),
            "TriggerMessage" => Some(Self::TriggerMessage),
            "UnlockConnector" => Some(Self::UnlockConnector),
            "UpdateFirmware" => Some(Self::UpdateFirmware),
            _ => None,
        }
    }
}

/// The messages in the order of [`Action`].
pub static MESSAGES: [Message; 39] = [
    Message {
        action: "Authorize",
        sender: Sender::Station,
        request: tables::AUTHORIZE_REQUEST,
        response: tables::AUTHORIZE_RESPONSE,
    },
    Message {
        action: "BootNotification",
        sender: Sender::Station,
        request: tables::BOOT_NOTIFICATION_REQUEST,
        response: tables::BOOT_NOTIFICATION_RESPONSE,
    },
    Message {
        action: "CancelReservation",
        sender: Sender::Csms,
        request: tables::CANCEL_RESERVATION_REQUEST,
        response: tables::CANCEL_RESERVATION_RESPONSE,
    },
    Message {
        action: "CertificateSigned",
        sender: Sender::Csms,
        request: tables::CERTIFICATE_SIGNED_REQUEST,
        response: tables::CERTIFICATE_SIGNED_RESPONSE,
    },
    Message {
        action: "ChangeAvailability",
        sender: Sender::Csms,
        request: tables::CHANGE_AVAILABILITY_REQUEST,
        response: tables::CHANGE_AVAILABILITY_RESPONSE,
    },
    Message {
        action: "ChangeConfiguration",
        sender: Sender::Csms,
        request: tables::CHANGE_CONFIGURATION_REQUEST,
        response: tables::CHANGE_CONFIGURATION_RESPONSE,
    },
    Message {
        action: "ClearCache",
        sender: Sender::Csms,
        request: tables::CLEAR_CACHE_REQUEST,
        response: tables::CLEAR_CACHE_RESPONSE,
    },
    Message {
        action: "ClearChargingProfile",
        sender: Sender::Csms,
        request: tables::CLEAR_CHARGING_PROFILE_REQUEST,
        response: tables::CLEAR_CHARGING_PROFILE_RESPONSE,
    },
    Message {
        action: "DataTransfer",
        sender: Sender::Either,
        request: tables::DATA_TRANSFER_REQUEST,
        response: tables::DATA_TRANSFER_RESPONSE,
    },
    Message {
        action: "DeleteCertificate",
        sender: Sender::Csms,
        request: tables::DELETE_CERTIFICATE_REQUEST,
        response: tables::DELETE_CERTIFICATE_RESPONSE,
    },
    Message {
        action: "DiagnosticsStatusNotification",
        sender: Sender::Station,
        request: tables::DIAGNOSTICS_STATUS_NOTIFICATION_REQUEST,
        response: tables::DIAGNOSTICS_STATUS_NOTIFICATION_RESPONSE,
    },
    Message {
        action: "ExtendedTriggerMessage",
        sender: Sender::Csms,
        request: tables::EXTENDED_TRIGGER_MESSAGE_REQUEST,
        response: tables::EXTENDED_TRIGGER_MESSAGE_RESPONSE,
    },
    Message {
        action: "FirmwareStatusNotification",
        sender: Sender::Station,
        request: tables::FIRMWARE_STATUS_NOTIFICATION_REQUEST,
        response: tables::FIRMWARE_STATUS_NOTIFICATION_RESPONSE,
    },
    Message {
        action: "GetCompositeSchedule",
        sender: Sender::Csms,
        request: tables::GET_COMPOSITE_SCHEDULE_REQUEST,
        response: tables::GET_COMPOSITE_SCHEDULE_RESPONSE,
    },
    Message {
        action: "GetConfiguration",
        sender: Sender::Csms,
        request: tables::GET_CONFIGURATION_REQUEST,
        response: tables::GET_CONFIGURATION_RESPONSE,
    },
    Message {
        action: "GetDiagnostics",
        sender: Sender::Csms,
        request: tables::GET_DIAGNOSTICS_REQUEST,
        response: tables::GET_DIAGNOSTICS_RESPONSE,
    },
    Message {
        action: "GetInstalledCertificateIds",
        sender: Sender::Csms,
        request: tables::GET_INSTALLED_CERTIFICATE_IDS_REQUEST,
        response: tables::GET_INSTALLED_CERTIFICATE_IDS_RESPONSE,
    },
    Message {
        action: "GetLocalListVersion",
        sender: Sender::Csms,
        request: tables::GET_LOCAL_LIST_VERSION_REQUEST,
        response: tables::GET_LOCAL_LIST_VERSION_RESPONSE,
    },
    Message {
        action: "GetLog",
        sender: Sender::Csms,
        request: tables::GET_LOG_REQUEST,
        response: tables::GET_LOG_RESPONSE,
    },
    Message {
        action: "Heartbeat",
        sender: Sender::Station,
        request: tables::HEARTBEAT_REQUEST,
        response: tables::HEARTBEAT_RESPONSE,
    },
    Message {
        action: "InstallCertificate",
        sender: Sender::Csms,
        request: tables::INSTALL_CERTIFICATE_REQUEST,
        response: tables::INSTALL_CERTIFICATE_RESPONSE,
    },
    Message {
        action: "LogStatusNotification",
        sender: Sender::Station,
        request: tables::LOG_STATUS_NOTIFICATION_REQUEST,
        response: tables::LOG_STATUS_NOTIFICATION_RESPONSE,
    },
    Message {
        action: "MeterValues",
        sender: Sender::Station,
        request: tables::METER_VALUES_REQUEST,
        response: tables::METER_VALUES_RESPONSE,
    },
    Message {
        action: "RemoteStartTransaction",
        sender: Sender::Csms,
        request: tables::REMOTE_START_TRANSACTION_REQUEST,
        response: tables::REMOTE_START_TRANSACTION_RESPONSE,
    },
    Message {
        action: "RemoteStopTransaction",
        sender: Sender::Csms,
        request: tables::REMOTE_STOP_TRANSACTION_REQUEST,
        response: tables::REMOTE_STOP_TRANSACTION_RESPONSE,
    },
    Message {
        action: "ReserveNow",
        sender: Sender::Csms,
        request: tables::RESERVE_NOW_REQUEST,
        response: tables::RESERVE_NOW_RESPONSE,
    },
    Message {
        action: "Reset",
        sender: Sender::Csms,
        request: tables::RESET_REQUEST,
        response: tables::RESET_RESPONSE,
    },
    Message {
        action: "SecurityEventNotification",
        sender: Sender::Station,
        request: tables::SECURITY_EVENT_NOTIFICATION_REQUEST,
        response: tables::SECURITY_EVENT_NOTIFICATION_RESPONSE,
    },
    Message {
        action: "SendLocalList",
        sender: Sender::Csms,
        request: tables::SEND_LOCAL_LIST_REQUEST,
        response: tables::SEND_LOCAL_LIST_RESPONSE,
    },
    Message {
        action: "SetChargingProfile",
        sender: Sender::Csms,
        request: tables::SET_CHARGING_PROFILE_REQUEST,
        response: tables::SET_CHARGING_PROFILE_RESPONSE,
    },
    Message {
        action: "SignCertificate",
        sender: Sender::Station,
        request: tables::SIGN_CERTIFICATE_REQUEST,
        response: tables::SIGN_CERTIFICATE_RESPONSE,
    },
    Message {
        action: "SignedFirmwareStatusNotification",
        sender: Sender::Station,
        request: tables::SIGNED_FIRMWARE_STATUS_NOTIFICATION_REQUEST,
        response: tables::SIGNED_FIRMWARE_STATUS_NOTIFICATION_RESPONSE,
    },
    Message {
        action: "SignedUpdateFirmware",
        sender: Sender::Csms,
        request: tables::SIGNED_UPDATE_FIRMWARE_REQUEST,
        response: tables::SIGNED_UPDATE_FIRMWARE_RESPONSE,
    },
    Message {
        action: "StartTransaction",
        sender: Sender::Station,
        request: tables::START_TRANSACTION_REQUEST,
        response: tables::START_TRANSACTION_RESPONSE,
    },
    Message {
        action: "StatusNotification",
        sender: Sender::Station,
        request: tables::STATUS_NOTIFICATION_REQUEST,
        response: tables::STATUS_NOTIFICATION_RESPONSE,
    },
    Message {
        action: "StopTransaction",
        sender: Sender::Station,
        request: tables::STOP_TRANSACTION_REQUEST,
        response: tables::STOP_TRANSACTION_RESPONSE,
    },
    Message {
        action: "TriggerMessage",
        sender: Sender::Csms,
        request: tables::TRIGGER_MESSAGE_REQUEST,
        response: tables::TRIGGER_MESSAGE_RESPONSE,
    },
    Message {
        action: "UnlockConnector",
        sender: Sender::Csms,
        request: tables::UNLOCK_CONNECTOR_REQUEST,
        response: tables::UNLOCK_CONNECTOR_RESPONSE,
    },
    Message {
        action: "UpdateFirmware",
        sender: Sender::Csms,
        request: tables::UPDATE_FIRMWARE_REQUEST,
        response: tables::UPDATE_FIRMWARE_RESPONSE,
    },
];
