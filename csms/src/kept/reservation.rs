//! Reservations that a station accepted, refused or gave up.

use ocpp::decode;
use ocpp::v16::{CancelReservationRequest, ReserveNowRequest};
use store::commands::Outcome;
use store::reservations::{self, Said};

use super::Answer;

/// ReserveNow.
pub(super) async fn reserve(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let (Some(said), Outcome::Answered(_)) = (said(answer.ended.payload), answer.ended.outcome)
    else {
        return Ok(());
    };
    let (station, command) = (answer.ended.station_id, answer.ended.id);
    let verdict = answer.verdict.unwrap_or("without a status");
    reservations::answered(db, station, command, &said, verdict, answer.now).await
}

/// CancelReservation. What the station rejects stays as it is.
pub(super) async fn cancel(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let asked = decode::<CancelReservationRequest>(answer.ended.payload).ok();
    let number = asked.and_then(|asked| i32::try_from(asked.reservation_id).ok());
    match number {
        Some(number) if answer.is_agreed() => {
            reservations::cancelled(db, answer.ended.station_id, number, answer.now).await
        }
        _ => Ok(()),
    }
}

fn said(payload: &str) -> Option<Said> {
    let asked: ReserveNowRequest = decode(payload).ok()?;
    Some(Said {
        number: i32::try_from(asked.reservation_id).ok()?,
        connector: i32::try_from(asked.connector_id).ok()?,
        id_token: asked.id_tag,
        parent: asked.parent_id_tag,
        expires_at: asked.expiry_date.stated()?,
    })
}
