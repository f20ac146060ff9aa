//! The profile FirmwareManagement, as 1.6 has it: what a station says of firmware and diagnostics, without naming a job.

use ocpp::decode;
use ocpp::v16::{
    DiagnosticsStatusNotificationRequest, DiagnosticsStatusNotificationResponse,
    FirmwareStatusNotificationRequest, FirmwareStatusNotificationResponse,
};

use super::{Call, Decided};
use crate::ops::Refusal;
use crate::ops::station_job::{self, About};

pub(super) fn firmware_status(call: &Call) -> Result<Decided, Refusal> {
    let request: FirmwareStatusNotificationRequest = decode(&call.payload)?;
    let state = super::said(request.status.map(|status| status.as_str().to_owned()));
    let station = &call.seated.station;
    let effect = station_job::decide(station, About::Firmware, state, None, call.now);
    Ok(Decided::new(&FirmwareStatusNotificationResponse {}, effect))
}

pub(super) fn diagnostics_status(call: &Call) -> Result<Decided, Refusal> {
    let request: DiagnosticsStatusNotificationRequest = decode(&call.payload)?;
    let state = super::said(request.status.map(|status| status.as_str().to_owned()));
    let station = &call.seated.station;
    let effect = station_job::decide(station, About::Diagnostics, state, None, call.now);
    Ok(Decided::new(
        &DiagnosticsStatusNotificationResponse {},
        effect,
    ))
}
