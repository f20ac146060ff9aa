//! What the schemas do not say: who sends a message, which profile it belongs to, and good names for its parts.

/// How to generate one version.
pub struct Plan {
    /// `1.6`
    pub number: &'static str,
    /// Of the schemas in the Python package, and of the output in `src`.
    pub folder: &'static str,
    /// What the file name of a request ends in; that of a response ends in `Response`.
    pub request_suffix: &'static str,
    /// Profiles or functional blocks.
    pub blocks: &'static [Block],
    /// Names of types by the tail of their path; the longest match wins.
    pub names: &'static [(&'static str, &'static str)],
    /// Fields whose text is kept digit by digit when a charger writes a number.
    pub verbatim: &'static [&'static str],
}

/// A profile or functional block: module name, title, messages.
pub type Block = (
    &'static str,
    &'static str,
    &'static [(&'static str, Sender)],
);

/// Who sends the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    Station,
    Csms,
    Either,
}

use Sender::{Csms, Either, Station};

pub const PLANS: &[Plan] = &[V16];

const V16: Plan = Plan {
    number: "1.6",
    folder: "v16",
    request_suffix: "",
    blocks: &[
        (
            "core",
            "the Core profile",
            &[
                ("Authorize", Station),
                ("BootNotification", Station),
                ("ChangeAvailability", Csms),
                ("ChangeConfiguration", Csms),
                ("ClearCache", Csms),
                ("DataTransfer", Either),
                ("GetConfiguration", Csms),
                ("Heartbeat", Station),
                ("MeterValues", Station),
                ("RemoteStartTransaction", Csms),
                ("RemoteStopTransaction", Csms),
                ("Reset", Csms),
                ("StartTransaction", Station),
                ("StatusNotification", Station),
                ("StopTransaction", Station),
                ("UnlockConnector", Csms),
            ],
        ),
        (
            "firmware",
            "the Firmware Management profile",
            &[
                ("DiagnosticsStatusNotification", Station),
                ("FirmwareStatusNotification", Station),
                ("GetDiagnostics", Csms),
                ("UpdateFirmware", Csms),
            ],
        ),
        (
            "local_list",
            "the Local Auth List Management profile",
            &[("GetLocalListVersion", Csms), ("SendLocalList", Csms)],
        ),
        (
            "remote_trigger",
            "the Remote Trigger profile",
            &[("TriggerMessage", Csms)],
        ),
        (
            "reservation",
            "the Reservation profile",
            &[("CancelReservation", Csms), ("ReserveNow", Csms)],
        ),
        (
            "security",
            "the security extension (OCA whitepaper, edition 3)",
            &[
                ("CertificateSigned", Csms),
                ("DeleteCertificate", Csms),
                ("ExtendedTriggerMessage", Csms),
                ("GetInstalledCertificateIds", Csms),
                ("GetLog", Csms),
                ("InstallCertificate", Csms),
                ("LogStatusNotification", Station),
                ("SecurityEventNotification", Station),
                ("SignCertificate", Station),
                ("SignedFirmwareStatusNotification", Station),
                ("SignedUpdateFirmware", Csms),
            ],
        ),
        (
            "smart_charging",
            "the Smart Charging profile",
            &[
                ("ClearChargingProfile", Csms),
                ("GetCompositeSchedule", Csms),
                ("SetChargingProfile", Csms),
            ],
        ),
    ],
    names: &[
        ("BootNotificationResponse.status", "RegistrationStatus"),
        ("ChangeAvailability.type", "AvailabilityType"),
        ("ChangeAvailabilityResponse.status", "AvailabilityStatus"),
        ("ChangeConfigurationResponse.status", "ConfigurationStatus"),
        ("DiagnosticsStatusNotification.status", "DiagnosticsStatus"),
        (
            "ExtendedTriggerMessage.requestedMessage",
            "ExtendedMessageTrigger",
        ),
        ("FirmwareStatusNotification.status", "FirmwareStatus"),
        ("GetLog.logType", "LogType"),
        (
            "RemoteStartTransactionResponse.status",
            "RemoteStartStopStatus",
        ),
        (
            "RemoteStopTransactionResponse.status",
            "RemoteStartStopStatus",
        ),
        ("ReserveNowResponse.status", "ReservationStatus"),
        ("Reset.type", "ResetType"),
        ("SendLocalListResponse.status", "UpdateStatus"),
        ("SetChargingProfileResponse.status", "ChargingProfileStatus"),
        (
            "SignedFirmwareStatusNotification.status",
            "SignedFirmwareStatus",
        ),
        ("StatusNotification.errorCode", "ChargePointErrorCode"),
        ("StatusNotification.status", "ChargePointStatus"),
        ("TriggerMessage.requestedMessage", "MessageTrigger"),
        ("UnlockConnectorResponse.status", "UnlockStatus"),
        ("chargingSchedulePeriod", "ChargingSchedulePeriod"),
        ("configurationKey", "KeyValue"),
        ("context", "ReadingContext"),
        ("csChargingProfiles", "ChargingProfile"),
        ("format", "ValueFormat"),
        ("idTagInfo.status", "AuthorizationStatus"),
        ("localAuthorizationList", "AuthorizationData"),
        ("transactionData", "MeterValue"),
        ("unit", "UnitOfMeasure"),
    ],
    verbatim: &["SampledValue.value"],
};
