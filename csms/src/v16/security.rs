//! The security whitepaper's messages from a station: events, and how signed firmware and logs fare.

use ocpp::decode;
use ocpp::v16::{
    LogStatusNotificationRequest, LogStatusNotificationResponse, SecurityEventNotificationRequest,
    SecurityEventNotificationResponse, SignedFirmwareStatusNotificationRequest,
    SignedFirmwareStatusNotificationResponse,
};

use super::core::credible;
use super::{Call, Decided};
use crate::ops::station_job::{self, About};
use crate::ops::{Refusal, security_event};

pub(super) fn security_event(call: &Call) -> Result<Decided, Refusal> {
    let request: SecurityEventNotificationRequest = decode(&call.payload)?;
    let effect = security_event::decide(
        &call.seated.station,
        request.kind,
        request.tech_info,
        credible(request.timestamp, call.now),
        call.now,
    );
    Ok(Decided::new(&SecurityEventNotificationResponse {}, effect))
}

pub(super) fn signed_firmware_status(call: &Call) -> Result<Decided, Refusal> {
    let request: SignedFirmwareStatusNotificationRequest = decode(&call.payload)?;
    let state = super::said(request.status.map(|status| status.as_str().to_owned()));
    let (station, id) = (&call.seated.station, request.request_id);
    let effect = station_job::decide(station, About::SignedFirmware, state, id, call.now);
    Ok(Decided::new(
        &SignedFirmwareStatusNotificationResponse {},
        effect,
    ))
}

pub(super) fn log_status(call: &Call) -> Result<Decided, Refusal> {
    let request: LogStatusNotificationRequest = decode(&call.payload)?;
    let state = super::said(request.status.map(|status| status.as_str().to_owned()));
    let (station, id) = (&call.seated.station, request.request_id);
    let effect = station_job::decide(station, About::Log, state, id, call.now);
    Ok(Decided::new(&LogStatusNotificationResponse {}, effect))
}
