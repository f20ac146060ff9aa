//! `/reservations`: connectors that are kept for somebody, and what became of it.

use std::time::Duration;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use store::reservations;
use uuid::Uuid;

use super::{
    input::{self, Fields, Params, Segment, printable},
    shape::{self, List, Stamp},
};
use crate::{
    AppState, Error, Result, answers,
    auth::Viewer,
    kept::{self, LONGEST_TOKEN, Wish},
};

/// A reservation.
#[derive(Debug, Serialize)]
pub(crate) struct Reservation {
    id: Uuid,
    station: String,
    /// The reservationId.
    number: i32,
    /// 0: the charge point as a whole.
    connector: i32,
    id_token: String,
    parent_id_token: Option<String>,
    expires_at: Stamp,
    /// requested, accepted, refused, unknown, used, cancelled, expired or replaced.
    status: String,
    /// The station's word.
    answer: Option<String>,
    command: Option<Uuid>,
    created_at: Stamp,
    accepted_at: Option<Stamp>,
    ended_at: Option<Stamp>,
    /// The one that used it; of a cancelled one, that which another token was given it for.
    session: Option<Uuid>,
    /// That session's token.
    used_by: Option<String>,
}

impl From<reservations::Reservation> for Reservation {
    fn from(row: reservations::Reservation) -> Self {
        Reservation {
            id: row.id,
            station: row.station,
            number: row.number,
            connector: row.connector,
            id_token: row.id_token,
            parent_id_token: row.parent,
            expires_at: Stamp(row.expires_at),
            status: row.status,
            answer: row.answer,
            command: row.command_id,
            created_at: Stamp(row.created_at),
            accepted_at: row.accepted_at.map(Stamp),
            ended_at: row.ended_at.map(Stamp),
            session: row.transaction_id,
            used_by: row.used_by,
        }
    }
}

/// The reservations, newest first; `?station=` those of one.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<Reservation>>> {
    let identity = params.text("station");
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = match identity {
        Some(identity) => Some(kept::station(&mut db, &identity).await?.id),
        None => None,
    };
    let rows = reservations::list(&mut db, station, after, app.clock.now(), limit + 1).await?;
    Ok(shape::list(rows, limit, shape::cursor, Reservation::from))
}

/// The reservations of a station, newest first.
pub(crate) async fn of_station(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut params: Params,
) -> Result<Json<List<Reservation>>> {
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    let now = app.clock.now();
    let rows = reservations::list(&mut db, Some(station.id), after, now, limit + 1).await?;
    Ok(shape::list(rows, limit, shape::cursor, Reservation::from))
}

/// One reservation.
pub(crate) async fn get(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<Json<Reservation>> {
    Ok(Json(find(&app, &viewer, &id).await?.into()))
}

async fn find(app: &AppState, viewer: &Viewer, id: &str) -> Result<reservations::Reservation> {
    let nothing = || Error::NotFound(format!("there is no reservation {id:?}"));
    let known = id.parse().map_err(|_| nothing())?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let found = reservations::get(&mut db, known, app.clock.now()).await?;
    found.ok_or_else(nothing)
}

/// How long the caller waits for the station.
fn patience(params: &mut Params) -> Option<u64> {
    params.read("wait", "a number of seconds from 0 to 60", |text| {
        text.parse()
            .ok()
            .filter(|seconds| (0..=60).contains(seconds))
    })
}

/// The reservation after its command ended, or as it is when patience does.
async fn after(
    app: &AppState,
    viewer: &Viewer,
    (id, command): (Uuid, Uuid),
    patience: Option<u64>,
) -> Result<(StatusCode, Json<Reservation>)> {
    let patience = Duration::from_secs(patience.unwrap_or(0));
    let ended = answers::wait(app, &viewer.scope, command, patience).await?;
    let status = match ended.filter(answers::has_ended) {
        Some(_) => StatusCode::OK,
        None => StatusCode::ACCEPTED,
    };
    let row = find(app, viewer, &id.to_string()).await?;
    Ok((status, Json(row.into())))
}

/// Asks a station to keep a connector (202), and with `?wait=N` waits for its word (200).
pub(crate) async fn post(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut params: Params,
    fields: Fields,
) -> Result<(StatusCode, Json<Reservation>)> {
    let patience = patience(&mut params);
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    let now = app.clock.now();
    let wish = wish(fields, now)?;
    let made = kept::reserve(&mut db, &viewer, &station, &wish, now).await?;
    db.commit().await?;
    after(&app, &viewer, made, patience).await
}

fn wish(mut fields: Fields, now: chrono::DateTime<chrono::Utc>) -> Result<Wish> {
    let expected = "a connector's number, or 0 for the charge point as a whole";
    let connector = fields.read("connector", expected, |value| {
        i32::try_from(value.as_i64()?)
            .ok()
            .filter(|id| (0..=1000).contains(id))
    });
    let token = "a text of 1 to 20 printable characters";
    let id_token = fields.read("id_token", token, |value| {
        let text = value
            .as_str()
            .filter(|text| printable(text, LONGEST_TOKEN))?;
        Some(text.to_owned())
    });
    let time = "an RFC 3339 time";
    let expires_at = fields.read("expires_at", time, |value| {
        value.as_str().and_then(input::time)
    });
    for (name, expected) in [
        ("connector", expected),
        ("id_token", token),
        ("expires_at", time),
    ] {
        if !fields.has(name) {
            fields.complain(name, format!("missing: expected {expected}"));
        }
    }
    if let Some(wrong) = expires_at.and_then(|at| kept::wrong_expiry(at, now)) {
        fields.complain("expires_at", wrong);
    }
    fields.finish()?;
    match (connector, id_token, expires_at) {
        (Some(connector), Some(id_token), Some(expires_at)) => Ok(Wish {
            connector,
            id_token,
            expires_at,
        }),
        _ => Err(Error::Broken(
            "a wish without complaints lacks a field".to_owned(),
        )),
    }
}

/// Asks the station to give it up (202), and with `?wait=N` waits for its word (200).
pub(crate) async fn cancel(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
    mut params: Params,
) -> Result<(StatusCode, Json<Reservation>)> {
    let patience = patience(&mut params);
    params.finish()?;
    let row = find(&app, &viewer, &id).await?;
    viewer.must_control(row.site_id)?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let command = kept::cancel_reservation(&mut db, &viewer, &row, app.clock.now()).await?;
    db.commit().await?;
    after(&app, &viewer, (row.id, command), patience).await
}
