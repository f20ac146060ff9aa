//! `/stations/{identity}/credentials/rotate`: a new password, brought to the station.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use store::stations_read;
use uuid::Uuid;

use super::{
    input::{FieldsIfAny, Segment},
    shape::Stamp,
    stations::no_station,
};
use crate::{AppState, Result, auth::Viewer, credentials};

/// A new password on its way.
#[derive(Debug, Serialize)]
pub(crate) struct Rotated {
    /// The command that brings it; `GET /api/v1/commands/{id}` says how that went.
    command: Uuid,
    /// In hexadecimal, and never again. `null` if it was given.
    password: Option<String>,
    /// When the station must have come.
    expires_at: Stamp,
}

/// Makes a password, or takes the one of the field `password`, and queues it (202).
pub(crate) async fn rotate(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    FieldsIfAny(mut fields): FieldsIfAny,
) -> Result<(StatusCode, Json<Rotated>)> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(|| no_station(&identity))?;
    viewer.must_control(station.site_id)?;
    let is_key = |text: &str| credentials::key(text).is_some();
    let given = fields.secret("password", credentials::KEY, is_key);
    fields.finish()?;
    let given = given.as_deref().and_then(credentials::key);
    let now = app.clock.now();
    let rotated = credentials::rotate(&mut db, &viewer, &station, given, now).await?;
    db.commit().await?;
    let answer = Rotated {
        command: rotated.command,
        password: rotated.made,
        expires_at: Stamp(rotated.expires_at),
    };
    Ok((StatusCode::ACCEPTED, Json(answer)))
}
