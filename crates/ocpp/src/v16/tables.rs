//! What each payload of OCPP 1.6 must look like, as tables for [`crate::check::check`].
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.

use super::enums::*;
use crate::schema::{Field, Kind};

pub const AUTHORIZATION_DATA: &[Field] = &[
    Field::required("idTag", Kind::Text { max: Some(20) }),
    Field::optional("idTagInfo", Kind::Object(ID_TAG_INFO)),
];

pub const CERTIFICATE_HASH_DATA: &[Field] = &[
    Field::required("hashAlgorithm", Kind::Choice(HashAlgorithm::NAMES)),
    Field::required("issuerNameHash", Kind::Text { max: Some(128) }),
    Field::required("issuerKeyHash", Kind::Text { max: Some(128) }),
    Field::required("serialNumber", Kind::Text { max: Some(40) }),
];

pub const CHARGING_PROFILE: &[Field] = &[
    Field::required("chargingProfileId", Kind::Integer),
    Field::optional("transactionId", Kind::Integer),
    Field::required("stackLevel", Kind::Integer),
    Field::required(
        "chargingProfilePurpose",
        Kind::Choice(ChargingProfilePurpose::NAMES),
    ),
    Field::required(
        "chargingProfileKind",
        Kind::Choice(ChargingProfileKind::NAMES),
    ),
    Field::optional("recurrencyKind", Kind::Choice(RecurrencyKind::NAMES)),
    Field::optional("validFrom", Kind::DateTime),
    Field::optional("validTo", Kind::DateTime),
    Field::required("chargingSchedule", Kind::Object(CHARGING_SCHEDULE)),
];

pub const CHARGING_SCHEDULE: &[Field] = &[
    Field::optional("duration", Kind::Integer),
    Field::optional("startSchedule", Kind::DateTime),
    Field::required("chargingRateUnit", Kind::Choice(ChargingRateUnit::NAMES)),
    Field::required(
        "chargingSchedulePeriod",
        Kind::List {
            of: &Kind::Object(CHARGING_SCHEDULE_PERIOD),
            min: 0,
        },
    ),
    Field::optional("minChargingRate", Kind::Decimal { places: Some(1) }),
];

pub const CHARGING_SCHEDULE_PERIOD: &[Field] = &[
    Field::required("startPeriod", Kind::Integer),
    Field::required("limit", Kind::Decimal { places: Some(1) }),
    Field::optional("numberPhases", Kind::Integer),
];

pub const FIRMWARE: &[Field] = &[
    Field::required("location", Kind::Text { max: Some(512) }),
    Field::required("retrieveDateTime", Kind::DateTime),
    Field::optional("installDateTime", Kind::DateTime),
    Field::required("signingCertificate", Kind::Text { max: Some(5500) }),
    Field::required("signature", Kind::Text { max: Some(800) }),
];

pub const ID_TAG_INFO: &[Field] = &[
    Field::optional("expiryDate", Kind::DateTime),
    Field::optional("parentIdTag", Kind::Text { max: Some(20) }),
    Field::required("status", Kind::Choice(AuthorizationStatus::NAMES)),
];

pub const KEY_VALUE: &[Field] = &[
    Field::required("key", Kind::Text { max: Some(50) }),
    Field::required("readonly", Kind::Boolean),
    Field::optional("value", Kind::Text { max: Some(500) }),
];

pub const LOG_PARAMETERS: &[Field] = &[
    Field::required("remoteLocation", Kind::Text { max: Some(512) }),
    Field::optional("oldestTimestamp", Kind::DateTime),
    Field::optional("latestTimestamp", Kind::DateTime),
];

pub const METER_VALUE: &[Field] = &[
    Field::required("timestamp", Kind::DateTime),
    Field::required(
        "sampledValue",
        Kind::List {
            of: &Kind::Object(SAMPLED_VALUE),
            min: 1,
        },
    ),
];

pub const SAMPLED_VALUE: &[Field] = &[
    Field::required("value", Kind::Text { max: None }),
    Field::optional("context", Kind::Choice(ReadingContext::NAMES)),
    Field::optional("format", Kind::Choice(ValueFormat::NAMES)),
    Field::optional("measurand", Kind::Choice(Measurand::NAMES)),
    Field::optional("phase", Kind::Choice(Phase::NAMES)),
    Field::optional("location", Kind::Choice(Location::NAMES)),
    Field::optional("unit", Kind::Choice(UnitOfMeasure::NAMES)),
];

pub const AUTHORIZE_REQUEST: &[Field] = &[Field::required("idTag", Kind::Text { max: Some(20) })];

pub const AUTHORIZE_RESPONSE: &[Field] = &[Field::required("idTagInfo", Kind::Object(ID_TAG_INFO))];

pub const BOOT_NOTIFICATION_REQUEST: &[Field] = &[
    Field::required("chargePointVendor", Kind::Text { max: Some(20) }),
    Field::required("chargePointModel", Kind::Text { max: Some(20) }),
    Field::optional("chargePointSerialNumber", Kind::Text { max: Some(25) }),
    Field::optional("chargeBoxSerialNumber", Kind::Text { max: Some(25) }),
    Field::optional("firmwareVersion", Kind::Text { max: Some(50) }),
    Field::optional("iccid", Kind::Text { max: Some(20) }),
    Field::optional("imsi", Kind::Text { max: Some(20) }),
    Field::optional("meterType", Kind::Text { max: Some(25) }),
    Field::optional("meterSerialNumber", Kind::Text { max: Some(25) }),
];

pub const BOOT_NOTIFICATION_RESPONSE: &[Field] = &[
    Field::required("status", Kind::Choice(RegistrationStatus::NAMES)),
    Field::required("currentTime", Kind::DateTime),
    Field::required("interval", Kind::Integer),
];

pub const CHANGE_AVAILABILITY_REQUEST: &[Field] = &[
    Field::required("connectorId", Kind::Integer),
    Field::required("type", Kind::Choice(AvailabilityType::NAMES)),
];

pub const CHANGE_AVAILABILITY_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(AvailabilityStatus::NAMES),
)];

pub const CHANGE_CONFIGURATION_REQUEST: &[Field] = &[
    Field::required("key", Kind::Text { max: Some(50) }),
    Field::required("value", Kind::Text { max: Some(500) }),
];

pub const CHANGE_CONFIGURATION_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(ConfigurationStatus::NAMES),
)];

pub const CLEAR_CACHE_REQUEST: &[Field] = &[];

pub const CLEAR_CACHE_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(ClearCacheStatus::NAMES),
)];

pub const DATA_TRANSFER_REQUEST: &[Field] = &[
    Field::required("vendorId", Kind::Text { max: Some(255) }),
    Field::optional("messageId", Kind::Text { max: Some(50) }),
    Field::optional("data", Kind::Text { max: None }),
];

pub const DATA_TRANSFER_RESPONSE: &[Field] = &[
    Field::required("status", Kind::Choice(DataTransferStatus::NAMES)),
    Field::optional("data", Kind::Text { max: None }),
];

pub const GET_CONFIGURATION_REQUEST: &[Field] = &[Field::optional(
    "key",
    Kind::List {
        of: &Kind::Text { max: Some(50) },
        min: 0,
    },
)];

pub const GET_CONFIGURATION_RESPONSE: &[Field] = &[
    Field::optional(
        "configurationKey",
        Kind::List {
            of: &Kind::Object(KEY_VALUE),
            min: 0,
        },
    ),
    Field::optional(
        "unknownKey",
        Kind::List {
            of: &Kind::Text { max: Some(50) },
            min: 0,
        },
    ),
];

pub const HEARTBEAT_REQUEST: &[Field] = &[];

pub const HEARTBEAT_RESPONSE: &[Field] = &[Field::required("currentTime", Kind::DateTime)];

pub const METER_VALUES_REQUEST: &[Field] = &[
    Field::required("connectorId", Kind::Integer),
    Field::optional("transactionId", Kind::Integer),
    Field::required(
        "meterValue",
        Kind::List {
            of: &Kind::Object(METER_VALUE),
            min: 1,
        },
    ),
];

pub const METER_VALUES_RESPONSE: &[Field] = &[];

pub const REMOTE_START_TRANSACTION_REQUEST: &[Field] = &[
    Field::optional("connectorId", Kind::Integer),
    Field::required("idTag", Kind::Text { max: Some(20) }),
    Field::optional("chargingProfile", Kind::Object(CHARGING_PROFILE)),
];

pub const REMOTE_START_TRANSACTION_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(RemoteStartStopStatus::NAMES),
)];

pub const REMOTE_STOP_TRANSACTION_REQUEST: &[Field] =
    &[Field::required("transactionId", Kind::Integer)];

pub const REMOTE_STOP_TRANSACTION_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(RemoteStartStopStatus::NAMES),
)];

pub const RESET_REQUEST: &[Field] = &[Field::required("type", Kind::Choice(ResetType::NAMES))];

pub const RESET_RESPONSE: &[Field] = &[Field::required("status", Kind::Choice(ResetStatus::NAMES))];

pub const START_TRANSACTION_REQUEST: &[Field] = &[
    Field::required("connectorId", Kind::Integer),
    Field::required("idTag", Kind::Text { max: Some(20) }),
    Field::required("meterStart", Kind::Integer),
    Field::optional("reservationId", Kind::Integer),
    Field::required("timestamp", Kind::DateTime),
];

pub const START_TRANSACTION_RESPONSE: &[Field] = &[
    Field::required("idTagInfo", Kind::Object(ID_TAG_INFO)),
    Field::required("transactionId", Kind::Integer),
];

pub const STATUS_NOTIFICATION_REQUEST: &[Field] = &[
    Field::required("connectorId", Kind::Integer),
    Field::required("errorCode", Kind::Choice(ChargePointErrorCode::NAMES)),
    Field::optional("info", Kind::Text { max: Some(50) }),
    Field::required("status", Kind::Choice(ChargePointStatus::NAMES)),
    Field::optional("timestamp", Kind::DateTime),
    Field::optional("vendorId", Kind::Text { max: Some(255) }),
    Field::optional("vendorErrorCode", Kind::Text { max: Some(50) }),
];

pub const STATUS_NOTIFICATION_RESPONSE: &[Field] = &[];

pub const STOP_TRANSACTION_REQUEST: &[Field] = &[
    Field::optional("idTag", Kind::Text { max: Some(20) }),
    Field::required("meterStop", Kind::Integer),
    Field::required("timestamp", Kind::DateTime),
    Field::required("transactionId", Kind::Integer),
    Field::optional("reason", Kind::Choice(Reason::NAMES)),
    Field::optional(
        "transactionData",
        Kind::List {
            of: &Kind::Object(METER_VALUE),
            min: 0,
        },
    ),
];

pub const STOP_TRANSACTION_RESPONSE: &[Field] =
    &[Field::optional("idTagInfo", Kind::Object(ID_TAG_INFO))];

pub const UNLOCK_CONNECTOR_REQUEST: &[Field] = &[Field::required("connectorId", Kind::Integer)];

pub const UNLOCK_CONNECTOR_RESPONSE: &[Field] =
    &[Field::required("status", Kind::Choice(UnlockStatus::NAMES))];

pub const DIAGNOSTICS_STATUS_NOTIFICATION_REQUEST: &[Field] = &[Field::required(
    "status",
    Kind::Choice(DiagnosticsStatus::NAMES),
)];

pub const DIAGNOSTICS_STATUS_NOTIFICATION_RESPONSE: &[Field] = &[];

pub const FIRMWARE_STATUS_NOTIFICATION_REQUEST: &[Field] = &[Field::required(
    "status",
    Kind::Choice(FirmwareStatus::NAMES),
)];

pub const FIRMWARE_STATUS_NOTIFICATION_RESPONSE: &[Field] = &[];

pub const GET_DIAGNOSTICS_REQUEST: &[Field] = &[
    Field::required("location", Kind::Uri),
    Field::optional("retries", Kind::Integer),
    Field::optional("retryInterval", Kind::Integer),
    Field::optional("startTime", Kind::DateTime),
    Field::optional("stopTime", Kind::DateTime),
];

pub const GET_DIAGNOSTICS_RESPONSE: &[Field] =
    &[Field::optional("fileName", Kind::Text { max: Some(255) })];

pub const UPDATE_FIRMWARE_REQUEST: &[Field] = &[
    Field::required("location", Kind::Uri),
    Field::optional("retries", Kind::Integer),
    Field::required("retrieveDate", Kind::DateTime),
    Field::optional("retryInterval", Kind::Integer),
];

pub const UPDATE_FIRMWARE_RESPONSE: &[Field] = &[];

pub const GET_LOCAL_LIST_VERSION_REQUEST: &[Field] = &[];

pub const GET_LOCAL_LIST_VERSION_RESPONSE: &[Field] =
    &[Field::required("listVersion", Kind::Integer)];

pub const SEND_LOCAL_LIST_REQUEST: &[Field] = &[
    Field::required("listVersion", Kind::Integer),
    Field::optional(
        "localAuthorizationList",
        Kind::List {
            of: &Kind::Object(AUTHORIZATION_DATA),
            min: 0,
        },
    ),
    Field::required("updateType", Kind::Choice(UpdateType::NAMES)),
];

pub const SEND_LOCAL_LIST_RESPONSE: &[Field] =
    &[Field::required("status", Kind::Choice(UpdateStatus::NAMES))];

pub const TRIGGER_MESSAGE_REQUEST: &[Field] = &[
    Field::required("requestedMessage", Kind::Choice(MessageTrigger::NAMES)),
    Field::optional("connectorId", Kind::Integer),
];

pub const TRIGGER_MESSAGE_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(TriggerMessageStatus::NAMES),
)];

pub const CANCEL_RESERVATION_REQUEST: &[Field] = &[Field::required("reservationId", Kind::Integer)];

pub const CANCEL_RESERVATION_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(CancelReservationStatus::NAMES),
)];

pub const RESERVE_NOW_REQUEST: &[Field] = &[
    Field::required("connectorId", Kind::Integer),
    Field::required("expiryDate", Kind::DateTime),
    Field::required("idTag", Kind::Text { max: Some(20) }),
    Field::optional("parentIdTag", Kind::Text { max: Some(20) }),
    Field::required("reservationId", Kind::Integer),
];

pub const RESERVE_NOW_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(ReservationStatus::NAMES),
)];

pub const CERTIFICATE_SIGNED_REQUEST: &[Field] = &[Field::required(
    "certificateChain",
    Kind::Text { max: Some(10000) },
)];

pub const CERTIFICATE_SIGNED_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(CertificateSignedStatus::NAMES),
)];

pub const DELETE_CERTIFICATE_REQUEST: &[Field] = &[Field::required(
    "certificateHashData",
    Kind::Object(CERTIFICATE_HASH_DATA),
)];

pub const DELETE_CERTIFICATE_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(DeleteCertificateStatus::NAMES),
)];

pub const EXTENDED_TRIGGER_MESSAGE_REQUEST: &[Field] = &[
    Field::required(
        "requestedMessage",
        Kind::Choice(ExtendedMessageTrigger::NAMES),
    ),
    Field::optional("connectorId", Kind::Integer),
];

pub const EXTENDED_TRIGGER_MESSAGE_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(TriggerMessageStatus::NAMES),
)];

pub const GET_INSTALLED_CERTIFICATE_IDS_REQUEST: &[Field] = &[Field::required(
    "certificateType",
    Kind::Choice(CertificateUse::NAMES),
)];

pub const GET_INSTALLED_CERTIFICATE_IDS_RESPONSE: &[Field] = &[
    Field::optional(
        "certificateHashData",
        Kind::List {
            of: &Kind::Object(CERTIFICATE_HASH_DATA),
            min: 1,
        },
    ),
    Field::required("status", Kind::Choice(GetInstalledCertificateStatus::NAMES)),
];

pub const GET_LOG_REQUEST: &[Field] = &[
    Field::required("log", Kind::Object(LOG_PARAMETERS)),
    Field::required("logType", Kind::Choice(LogType::NAMES)),
    Field::required("requestId", Kind::Integer),
    Field::optional("retries", Kind::Integer),
    Field::optional("retryInterval", Kind::Integer),
];

pub const GET_LOG_RESPONSE: &[Field] = &[
    Field::required("status", Kind::Choice(LogStatus::NAMES)),
    Field::optional("filename", Kind::Text { max: Some(255) }),
];

pub const INSTALL_CERTIFICATE_REQUEST: &[Field] = &[
    Field::required("certificateType", Kind::Choice(CertificateUse::NAMES)),
    Field::required("certificate", Kind::Text { max: Some(5500) }),
];

pub const INSTALL_CERTIFICATE_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(InstallCertificateStatus::NAMES),
)];

pub const LOG_STATUS_NOTIFICATION_REQUEST: &[Field] = &[
    Field::required("status", Kind::Choice(UploadLogStatus::NAMES)),
    Field::optional("requestId", Kind::Integer),
];

pub const LOG_STATUS_NOTIFICATION_RESPONSE: &[Field] = &[];

pub const SECURITY_EVENT_NOTIFICATION_REQUEST: &[Field] = &[
    Field::required("type", Kind::Text { max: Some(50) }),
    Field::required("timestamp", Kind::DateTime),
    Field::optional("techInfo", Kind::Text { max: Some(255) }),
];

pub const SECURITY_EVENT_NOTIFICATION_RESPONSE: &[Field] = &[];

pub const SIGN_CERTIFICATE_REQUEST: &[Field] =
    &[Field::required("csr", Kind::Text { max: Some(5500) })];

pub const SIGN_CERTIFICATE_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(GenericStatus::NAMES),
)];

pub const SIGNED_FIRMWARE_STATUS_NOTIFICATION_REQUEST: &[Field] = &[
    Field::required("status", Kind::Choice(SignedFirmwareStatus::NAMES)),
    Field::optional("requestId", Kind::Integer),
];

pub const SIGNED_FIRMWARE_STATUS_NOTIFICATION_RESPONSE: &[Field] = &[];

pub const SIGNED_UPDATE_FIRMWARE_REQUEST: &[Field] = &[
    Field::optional("retries", Kind::Integer),
    Field::optional("retryInterval", Kind::Integer),
    Field::required("requestId", Kind::Integer),
    Field::required("firmware", Kind::Object(FIRMWARE)),
];

pub const SIGNED_UPDATE_FIRMWARE_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(UpdateFirmwareStatus::NAMES),
)];

pub const CLEAR_CHARGING_PROFILE_REQUEST: &[Field] = &[
    Field::optional("id", Kind::Integer),
    Field::optional("connectorId", Kind::Integer),
    Field::optional(
        "chargingProfilePurpose",
        Kind::Choice(ChargingProfilePurpose::NAMES),
    ),
    Field::optional("stackLevel", Kind::Integer),
];

pub const CLEAR_CHARGING_PROFILE_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(ClearChargingProfileStatus::NAMES),
)];

pub const GET_COMPOSITE_SCHEDULE_REQUEST: &[Field] = &[
    Field::required("connectorId", Kind::Integer),
    Field::required("duration", Kind::Integer),
    Field::optional("chargingRateUnit", Kind::Choice(ChargingRateUnit::NAMES)),
];

pub const GET_COMPOSITE_SCHEDULE_RESPONSE: &[Field] = &[
    Field::required("status", Kind::Choice(GetCompositeScheduleStatus::NAMES)),
    Field::optional("connectorId", Kind::Integer),
    Field::optional("scheduleStart", Kind::DateTime),
    Field::optional("chargingSchedule", Kind::Object(CHARGING_SCHEDULE)),
];

pub const SET_CHARGING_PROFILE_REQUEST: &[Field] = &[
    Field::required("connectorId", Kind::Integer),
    Field::required("csChargingProfiles", Kind::Object(CHARGING_PROFILE)),
];

pub const SET_CHARGING_PROFILE_RESPONSE: &[Field] = &[Field::required(
    "status",
    Kind::Choice(ChargingProfileStatus::NAMES),
)];
