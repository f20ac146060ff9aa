//! The messages of the OCPP 1.6 profiles Core and RemoteTrigger, from the charge point's side:
//! requests it sends, the answers it reads, and the requests it answers. Absent optional fields are not written.

use alloc::{borrow::Cow, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use super::{smart::ChargingProfile, words::words};
use crate::time::Utc;

words! {
    /// RegistrationStatus: whether the server serves this charge point.
    Registration {
        /// Served.
        Accepted = "Accepted",
        /// Wait; the server may call meanwhile.
        Pending = "Pending",
        /// Not served; ask again after the interval.
        Rejected = "Rejected",
    }
}

words! {
    /// AuthorizationStatus of an id tag.
    TagStatus {
        /// May charge.
        Accepted = "Accepted",
        /// Is blocked.
        Blocked = "Blocked",
        /// Was valid once.
        Expired = "Expired",
        /// Unknown.
        Invalid = "Invalid",
        /// Is charging elsewhere already.
        ConcurrentTx = "ConcurrentTx",
    }
}

words! {
    /// ChargePointStatus of a connector.
    Status {
        /// Free.
        Available = "Available",
        /// In use, not charging yet.
        Preparing = "Preparing",
        /// Energy flows.
        Charging = "Charging",
        /// The charge point withholds energy.
        SuspendedEvse = "SuspendedEVSE",
        /// The vehicle takes none.
        SuspendedEv = "SuspendedEV",
        /// The transaction is over, the plug still in.
        Finishing = "Finishing",
        /// Kept for someone.
        Reserved = "Reserved",
        /// Switched off by the operator.
        Unavailable = "Unavailable",
        /// Broken.
        Faulted = "Faulted",
    }
}

words! {
    /// ChargePointErrorCode.
    ErrorCode {
        /// Plug lock failed.
        ConnectorLockFailure = "ConnectorLockFailure",
        /// Pilot communication failed.
        EvCommunicationError = "EVCommunicationError",
        /// Residual current.
        GroundFailure = "GroundFailure",
        /// Too hot.
        HighTemperature = "HighTemperature",
        /// Internal.
        InternalError = "InternalError",
        /// None.
        NoError = "NoError",
        /// Other, see the vendor's code.
        OtherError = "OtherError",
        /// Over-current.
        OverCurrentFailure = "OverCurrentFailure",
        /// Over-voltage.
        OverVoltage = "OverVoltage",
        /// Meter failed.
        PowerMeterFailure = "PowerMeterFailure",
        /// Contactor failed.
        PowerSwitchFailure = "PowerSwitchFailure",
        /// Card reader failed.
        ReaderFailure = "ReaderFailure",
        /// Reset did not work.
        ResetFailure = "ResetFailure",
        /// Under-voltage.
        UnderVoltage = "UnderVoltage",
        /// Weak radio.
        WeakSignal = "WeakSignal",
    }
}

words! {
    /// Reason of a StopTransaction.
    Reason {
        /// The server refused the tag.
        DeAuthorized = "DeAuthorized",
        /// Emergency button.
        EmergencyStop = "EmergencyStop",
        /// Cable removed at the vehicle.
        EvDisconnected = "EVDisconnected",
        /// Hard reset.
        HardReset = "HardReset",
        /// At the charge point, by its user.
        Local = "Local",
        /// Other.
        Other = "Other",
        /// Power was lost.
        PowerLoss = "PowerLoss",
        /// Rebooted by itself.
        Reboot = "Reboot",
        /// By the server.
        Remote = "Remote",
        /// Soft reset.
        SoftReset = "SoftReset",
        /// UnlockConnector.
        UnlockCommand = "UnlockCommand",
    }
}

words! {
    /// ReadingContext of a sampled value.
    Context {
        /// Taken at an interval of the transaction.
        Periodic = "Sample.Periodic",
        /// Taken at a clock-aligned moment.
        Clock = "Sample.Clock",
        /// Asked for.
        Trigger = "Trigger",
        /// The first of a transaction.
        Begin = "Transaction.Begin",
        /// The last of a transaction.
        End = "Transaction.End",
    }
}

words! {
    /// Measurands this charge point has.
    Measurand {
        /// Energy register, Wh.
        Energy = "Energy.Active.Import.Register",
        /// Power, W.
        Power = "Power.Active.Import",
        /// Current, A.
        Current = "Current.Import",
        /// Voltage, V.
        Voltage = "Voltage",
        /// State of charge, percent.
        Soc = "SoC",
        /// Power the charge point offers, W.
        Offered = "Power.Offered",
        /// Current the charge point offers, A.
        CurrentOffered = "Current.Offered",
    }
}

words! {
    /// Unit of a sampled value.
    Unit {
        /// Watt-hours.
        Wh = "Wh",
        /// Watts.
        W = "W",
        /// Amperes.
        A = "A",
        /// Volts.
        V = "V",
        /// Percent.
        Percent = "Percent",
    }
}

// Requests of the charge point.

/// BootNotification.req
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct BootNotification<'a> {
    /// Vendor, at most 20 characters.
    pub charge_point_vendor: &'a str,
    /// Model, at most 20 characters.
    pub charge_point_model: &'a str,
    /// Serial number, at most 25 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge_point_serial_number: Option<&'a str>,
    /// Firmware version, at most 50 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub firmware_version: Option<&'a str>,
}

/// Authorize.req
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Authorize<'a> {
    /// The tag, at most 20 characters.
    pub id_tag: &'a str,
}

/// StartTransaction.req
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StartTransaction<'a> {
    /// Connector, from 1.
    pub connector_id: u32,
    /// The tag that started it.
    pub id_tag: &'a str,
    /// Energy register at the start, Wh.
    pub meter_start: u64,
    /// The reservation that it uses up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reservation_id: Option<i64>,
    /// When it started.
    pub timestamp: Utc,
}

/// MeterValues.req
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct MeterValues<'a> {
    /// Connector, from 1.
    pub connector_id: u32,
    /// Transaction, when one runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction_id: Option<i64>,
    /// The samples, one moment each.
    pub meter_value: &'a [MeterValue],
}

/// One moment's samples.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct MeterValue {
    /// When they were taken.
    pub timestamp: Utc,
    /// The samples.
    pub sampled_value: Vec<SampledValue>,
}

/// One measurand's value.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SampledValue {
    /// Decimal number as text.
    pub value: String,
    /// Why it was taken.
    pub context: Context,
    /// What it is.
    pub measurand: Measurand,
    /// Its unit.
    pub unit: Unit,
}

/// StatusNotification.req
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StatusNotification {
    /// Connector, 0 for the charge point.
    pub connector_id: u32,
    /// Error, or NoError.
    pub error_code: ErrorCode,
    /// Status.
    pub status: Status,
    /// Since when.
    pub timestamp: Utc,
}

/// StopTransaction.req
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StopTransaction<'a> {
    /// The tag that stopped it, if one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id_tag: Option<&'a str>,
    /// Energy register at the end, Wh.
    pub meter_stop: u64,
    /// When it ended.
    pub timestamp: Utc,
    /// The server's id of it.
    pub transaction_id: i64,
    /// Why it ended.
    pub reason: Reason,
    /// Samples of the whole transaction, where they are configured.
    #[serde(skip_serializing_if = "<[MeterValue]>::is_empty")]
    pub transaction_data: &'a [MeterValue],
}

/// DataTransfer.req, either way
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DataTransfer<'a> {
    /// Whose extension this is.
    #[serde(borrow)]
    pub vendor_id: Cow<'a, str>,
    /// Which message of it.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub message_id: Option<Cow<'a, str>>,
    /// Its text.
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Cow<'a, str>>,
}

// Answers of the server.

/// BootNotification.conf
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BootNotificationConf<'a> {
    /// Whether we are served.
    pub status: Registration,
    /// The server's time.
    #[serde(borrow)]
    pub current_time: Cow<'a, str>,
    /// Heartbeat interval if accepted, else the minimum wait, seconds.
    pub interval: i64,
}

/// Heartbeat.conf
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HeartbeatConf<'a> {
    /// The server's time.
    #[serde(borrow)]
    pub current_time: Cow<'a, str>,
}

/// IdTagInfo
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IdTagInfo {
    /// What the tag may do.
    pub status: TagStatus,
    /// Its group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id_tag: Option<String>,
    /// Until when a cache may keep it, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_date: Option<String>,
}

/// Authorize.conf
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuthorizeConf {
    /// What the tag may do.
    pub id_tag_info: IdTagInfo,
}

/// StartTransaction.conf
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StartTransactionConf {
    /// The server's id of the transaction.
    pub transaction_id: i64,
    /// What the tag may do.
    pub id_tag_info: IdTagInfo,
}

/// StopTransaction.conf
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StopTransactionConf {
    /// What the tag may do, if one was given.
    #[serde(default)]
    pub id_tag_info: Option<IdTagInfo>,
}

// Requests of the server.

/// RemoteStartTransaction.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteStartTransaction<'a> {
    /// On which connector, or any.
    #[serde(default)]
    pub connector_id: Option<u32>,
    /// For which tag.
    #[serde(borrow)]
    pub id_tag: Cow<'a, str>,
    /// The limits of the transaction to come.
    #[serde(default)]
    pub charging_profile: Option<ChargingProfile>,
}

/// RemoteStopTransaction.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemoteStopTransaction {
    /// The server's id of the transaction.
    pub transaction_id: i64,
}

words! {
    /// ResetType.
    ResetType {
        /// At once.
        Hard = "Hard",
        /// After ending transactions.
        Soft = "Soft",
    }
}

/// Reset.req
#[derive(Debug, Deserialize)]
pub struct Reset {
    /// Which kind.
    #[serde(rename = "type")]
    pub kind: ResetType,
}

/// UnlockConnector.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnlockConnector {
    /// Connector, from 1.
    pub connector_id: u32,
}

/// TriggerMessage.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerMessage<'a> {
    /// Name of the message asked for.
    #[serde(borrow)]
    pub requested_message: Cow<'a, str>,
    /// Of which connector, or of all.
    #[serde(default)]
    pub connector_id: Option<u32>,
}

/// ChangeConfiguration.req
#[derive(Debug, Deserialize)]
pub struct ChangeConfiguration<'a> {
    /// Which key.
    #[serde(borrow)]
    pub key: Cow<'a, str>,
    /// Its new value.
    #[serde(borrow)]
    pub value: Cow<'a, str>,
}

/// GetConfiguration.req
#[derive(Debug, Deserialize)]
pub struct GetConfiguration {
    /// Which keys; all if absent or empty.
    #[serde(default)]
    pub key: Option<Vec<String>>,
}

words! {
    /// AvailabilityType.
    Availability {
        /// Out of use.
        Inoperative = "Inoperative",
        /// In use.
        Operative = "Operative",
    }
}

/// ChangeAvailability.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ChangeAvailability {
    /// Connector, 0 for all.
    pub connector_id: u32,
    /// To what.
    #[serde(rename = "type")]
    pub kind: Availability,
}

// Answers of the charge point.

/// An answer that is one status word.
#[derive(Debug, Serialize)]
pub struct StatusConf {
    /// The word.
    pub status: &'static str,
}

/// GetConfiguration.conf
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct GetConfigurationConf<'a> {
    /// The keys we know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub configuration_key: Vec<KeyValue<'a>>,
    /// The ones we do not.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_key: Vec<String>,
}

/// One configuration key.
#[derive(Debug, Serialize)]
pub struct KeyValue<'a> {
    /// Its name.
    pub key: &'a str,
    /// Whether the server may not change it.
    pub readonly: bool,
    /// Its value; one that may only be written is not shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<&'a str>,
}
