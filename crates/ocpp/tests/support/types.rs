//! Every payload type by the name of its action, read and written again.

use ocpp::v16::*;
use ocpp::{CallError, decode, encode};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Reads a payload into its type and writes it again.
fn reread<T: DeserializeOwned + Serialize>(payload: &str) -> Result<String, CallError> {
    decode::<T>(payload).map(|value| encode(&value))
}

macro_rules! types {
    ($($action:ident: $request:ident, $response:ident;)*) => {
        /// Reads a request into its type and writes it again.
        pub fn reread_request(action: Action, payload: &str) -> Result<String, CallError> {
            match action {
                $(Action::$action => reread::<$request>(payload),)*
            }
        }

        /// Reads a response into its type and writes it again.
        pub fn reread_response(action: Action, payload: &str) -> Result<String, CallError> {
            match action {
                $(Action::$action => reread::<$response>(payload),)*
            }
        }
    };
}

types! {
    Authorize: AuthorizeRequest, AuthorizeResponse;
    BootNotification: BootNotificationRequest, BootNotificationResponse;
    CancelReservation: CancelReservationRequest, CancelReservationResponse;
    CertificateSigned: CertificateSignedRequest, CertificateSignedResponse;
    ChangeAvailability: ChangeAvailabilityRequest, ChangeAvailabilityResponse;
    ChangeConfiguration: ChangeConfigurationRequest, ChangeConfigurationResponse;
    ClearCache: ClearCacheRequest, ClearCacheResponse;
    ClearChargingProfile: ClearChargingProfileRequest, ClearChargingProfileResponse;
    DataTransfer: DataTransferRequest, DataTransferResponse;
    DeleteCertificate: DeleteCertificateRequest, DeleteCertificateResponse;
    DiagnosticsStatusNotification: DiagnosticsStatusNotificationRequest, DiagnosticsStatusNotificationResponse;
    ExtendedTriggerMessage: ExtendedTriggerMessageRequest, ExtendedTriggerMessageResponse;
    FirmwareStatusNotification: FirmwareStatusNotificationRequest, FirmwareStatusNotificationResponse;
    GetCompositeSchedule: GetCompositeScheduleRequest, GetCompositeScheduleResponse;
    GetConfiguration: GetConfigurationRequest, GetConfigurationResponse;
    GetDiagnostics: GetDiagnosticsRequest, GetDiagnosticsResponse;
    GetInstalledCertificateIds: GetInstalledCertificateIdsRequest, GetInstalledCertificateIdsResponse;
    GetLocalListVersion: GetLocalListVersionRequest, GetLocalListVersionResponse;
    GetLog: GetLogRequest, GetLogResponse;
    Heartbeat: HeartbeatRequest, HeartbeatResponse;
    InstallCertificate: InstallCertificateRequest, InstallCertificateResponse;
    LogStatusNotification: LogStatusNotificationRequest, LogStatusNotificationResponse;
    MeterValues: MeterValuesRequest, MeterValuesResponse;
    RemoteStartTransaction: RemoteStartTransactionRequest, RemoteStartTransactionResponse;
    RemoteStopTransaction: RemoteStopTransactionRequest, RemoteStopTransactionResponse;
    ReserveNow: ReserveNowRequest, ReserveNowResponse;
    Reset: ResetRequest, ResetResponse;
    SecurityEventNotification: SecurityEventNotificationRequest, SecurityEventNotificationResponse;
    SendLocalList: SendLocalListRequest, SendLocalListResponse;
    SetChargingProfile: SetChargingProfileRequest, SetChargingProfileResponse;
    SignCertificate: SignCertificateRequest, SignCertificateResponse;
    SignedFirmwareStatusNotification: SignedFirmwareStatusNotificationRequest, SignedFirmwareStatusNotificationResponse;
    SignedUpdateFirmware: SignedUpdateFirmwareRequest, SignedUpdateFirmwareResponse;
    StartTransaction: StartTransactionRequest, StartTransactionResponse;
    StatusNotification: StatusNotificationRequest, StatusNotificationResponse;
    StopTransaction: StopTransactionRequest, StopTransactionResponse;
    TriggerMessage: TriggerMessageRequest, TriggerMessageResponse;
    UnlockConnector: UnlockConnectorRequest, UnlockConnectorResponse;
    UpdateFirmware: UpdateFirmwareRequest, UpdateFirmwareResponse;
}
