//! `/refusals`: chargers that could not connect, and why. They belong to no site.

use axum::{Json, extract::State};
use chrono::DateTime;
use serde::Serialize;
use store::refusals::{self, Listed, Place};

use super::{
    input::Params,
    shape::{self, List, Stamp},
};
use crate::{AppState, Result};

/// One identity and one reason, however often.
#[derive(Debug, Serialize)]
pub(crate) struct Refusal {
    identity: String,
    reason: String,
    detail: String,
    address: String,
    attempts: i64,
    first_at: Stamp,
    last_at: Stamp,
}

impl From<Listed> for Refusal {
    fn from(refusal: Listed) -> Self {
        Refusal {
            identity: refusal.identity,
            reason: refusal.reason,
            detail: refusal.detail,
            address: refusal.address,
            attempts: refusal.attempts,
            first_at: Stamp(refusal.first_at),
            last_at: Stamp(refusal.last_at),
        }
    }
}

/// The refusals, last first.
pub(crate) async fn list(
    State(app): State<AppState>,
    mut params: Params,
) -> Result<Json<List<Refusal>>> {
    let after = params.after(read_place);
    let limit = params.limit();
    params.finish()?;
    let mut db = app.connection().await?;
    let rows = refusals::list(&mut db, after.as_ref(), limit + 1).await?;
    Ok(shape::list(rows, limit, place, Refusal::from))
}

fn place(refusal: &Listed) -> String {
    let micros = refusal.last_at.timestamp_micros();
    // A reason is a word of ours and has no dot; an identity may have any.
    format!("{micros}.{}.{}", refusal.reason, refusal.identity)
}

fn read_place(text: &str) -> Option<Place> {
    let (micros, rest) = text.split_once('.')?;
    let (reason, identity) = rest.split_once('.')?;
    let at = DateTime::from_timestamp_micros(micros.parse().ok()?)?;
    Some((at, identity.to_owned(), reason.to_owned()))
}
