//! The server's requests, read with rust-ocpp's types and answered with its default answers.

use rust_ocpp::v1_6::messages::{
    cancel_reservation::{CancelReservationRequest, CancelReservationResponse},
    change_availability::{ChangeAvailabilityRequest, ChangeAvailabilityResponse},
    change_configuration::{ChangeConfigurationRequest, ChangeConfigurationResponse},
    clear_cache::{ClearCacheRequest, ClearCacheResponse},
    clear_charging_profile::{ClearChargingProfileRequest, ClearChargingProfileResponse},
    data_transfer::{DataTransferRequest, DataTransferResponse},
    get_composite_schedule::{GetCompositeScheduleRequest, GetCompositeScheduleResponse},
    get_configuration::{GetConfigurationRequest, GetConfigurationResponse},
    get_diagnostics::{GetDiagnosticsRequest, GetDiagnosticsResponse},
    get_local_list_version::{GetLocalListVersionRequest, GetLocalListVersionResponse},
    remote_start_transaction::{RemoteStartTransactionRequest, RemoteStartTransactionResponse},
    remote_stop_transaction::{RemoteStopTransactionRequest, RemoteStopTransactionResponse},
    reserve_now::{ReserveNowRequest, ReserveNowResponse},
    reset::{ResetRequest, ResetResponse},
    send_local_list::{SendLocalListRequest, SendLocalListResponse},
    set_charging_profile::{SetChargingProfileRequest, SetChargingProfileResponse},
    trigger_message::{TriggerMessageRequest, TriggerMessageResponse},
    unlock_connector::{UnlockConnectorRequest, UnlockConnectorResponse},
    update_firmware::{UpdateFirmwareRequest, UpdateFirmwareResponse},
};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Error, Value};

/// The answer to a request; `None` if rust-ocpp does not know the action, an error if it cannot read the payload.
pub fn answer(action: &str, payload: &Value) -> Result<Option<Value>, Error> {
    let answer = match action {
        "CancelReservation" => by::<CancelReservationRequest, CancelReservationResponse>(payload),
        "ChangeAvailability" => {
            by::<ChangeAvailabilityRequest, ChangeAvailabilityResponse>(payload)
        }
        "ChangeConfiguration" => {
            by::<ChangeConfigurationRequest, ChangeConfigurationResponse>(payload)
        }
        "ClearCache" => by::<ClearCacheRequest, ClearCacheResponse>(payload),
        "ClearChargingProfile" => {
            by::<ClearChargingProfileRequest, ClearChargingProfileResponse>(payload)
        }
        "DataTransfer" => by::<DataTransferRequest, DataTransferResponse>(payload),
        "GetCompositeSchedule" => {
            by::<GetCompositeScheduleRequest, GetCompositeScheduleResponse>(payload)
        }
        "GetConfiguration" => by::<GetConfigurationRequest, GetConfigurationResponse>(payload),
        "GetDiagnostics" => by::<GetDiagnosticsRequest, GetDiagnosticsResponse>(payload),
        "GetLocalListVersion" => {
            by::<GetLocalListVersionRequest, GetLocalListVersionResponse>(payload)
        }
        "RemoteStartTransaction" => {
            by::<RemoteStartTransactionRequest, RemoteStartTransactionResponse>(payload)
        }
        "RemoteStopTransaction" => {
            by::<RemoteStopTransactionRequest, RemoteStopTransactionResponse>(payload)
        }
        "ReserveNow" => by::<ReserveNowRequest, ReserveNowResponse>(payload),
        "Reset" => by::<ResetRequest, ResetResponse>(payload),
        "SendLocalList" => by::<SendLocalListRequest, SendLocalListResponse>(payload),
        "SetChargingProfile" => {
            by::<SetChargingProfileRequest, SetChargingProfileResponse>(payload)
        }
        "TriggerMessage" => by::<TriggerMessageRequest, TriggerMessageResponse>(payload),
        "UnlockConnector" => by::<UnlockConnectorRequest, UnlockConnectorResponse>(payload),
        "UpdateFirmware" => by::<UpdateFirmwareRequest, UpdateFirmwareResponse>(payload),
        _ => return Ok(None),
    };
    answer.map(Some)
}

fn by<Request: DeserializeOwned, Response: Serialize + Default>(
    payload: &Value,
) -> Result<Value, Error> {
    let _: Request = serde_json::from_value(payload.clone())?;
    serde_json::to_value(Response::default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn reads_answers_and_rejects() {
        assert_eq!(
            answer("Reset", &json!({ "type": "Soft" })).ok(),
            Some(Some(json!({ "status": "Accepted" })))
        );
        assert!(answer("Reset", &json!({ "type": "Warm" })).is_err());
        assert!(matches!(
            answer("ExtendedTriggerMessage", &json!({})),
            Ok(None)
        ));
    }

    /// The rows of the README's table that concern what a server sends: they stay true for this version.
    #[test]
    fn the_readme_tells_the_truth() {
        let large = json!({ "connectorId": 1, "csChargingProfiles": {
            "chargingProfileId": 3_000_000_000u64, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative", "chargingSchedule": {
                "chargingRateUnit": "A", "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": 16.0 }] } } });
        assert!(answer("SetChargingProfile", &large).is_err());
        assert!(
            answer(
                "RemoteStopTransaction",
                &json!({ "transactionId": 3_000_000_000u64 })
            )
            .is_err()
        );
        let zoneless = json!({ "location": "ftp://h/f", "retrieveDate": "2026-05-04T08:00:00" });
        assert!(answer("UpdateFirmware", &zoneless).is_err());
    }
}
