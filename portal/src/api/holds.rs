//! `/holds` and what is decided of a held session: `/sessions/{id}/release` and `/sessions/{id}/correction`.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use store::{
    Scoped,
    holds::{self, Held},
    sessions::{self, Session, State as SessionState},
};
use uuid::Uuid;

use super::{
    input::{Fields, Params, Segment},
    shape::{self, List, Stamp},
};
use crate::{AppState, Error, Result, auth::Viewer};

/// The longest reason.
const REASON: usize = 200;

/// A session that waits for a person.
#[derive(Debug, Serialize)]
pub(crate) struct Item {
    session_id: Uuid,
    station: Option<String>,
    site: Option<String>,
    connector: i32,
    id_token: String,
    started_at: Stamp,
    ended_at: Option<Stamp>,
    energy_wh: Option<i64>,
    reasons: Vec<String>,
    /// What it would cost as it stands; null where no tariff held and only usage waits.
    total: Option<String>,
    currency: Option<String>,
    usage_waits: bool,
    since: Stamp,
}

impl From<Held> for Item {
    fn from(held: Held) -> Self {
        Item {
            session_id: held.session_id,
            station: held.station,
            site: held.site,
            connector: held.connector,
            id_token: held.id_token,
            started_at: Stamp(held.started_at),
            ended_at: held.ended_at.map(Stamp),
            energy_wh: held.energy_wh,
            reasons: held.reasons,
            total: held.total.map(|total| total.to_string()),
            currency: held.currency,
            usage_waits: held.usage,
            since: Stamp(held.since),
        }
    }
}

/// The sessions that wait, the newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<Item>>> {
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let rows = holds::list(&mut db, None, after, limit + 1).await?;
    Ok(shape::list(rows, limit, shape::cursor, Item::from))
}

/// Lets a session go on as it stands.
pub(crate) async fn release(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
    mut fields: Fields,
) -> Result<Json<Value>> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let session = controlled(&mut db, &viewer, &id).await?;
    let reason = needed(&mut fields, "reason", |fields| {
        fields.text("reason", REASON)
    });
    fields.finish()?;
    let reason = reason.unwrap_or_default();
    if !holds::release(&mut db, session.id, viewer.actor, &reason, now).await? {
        return Err(Error::Refused(
            StatusCode::CONFLICT,
            format!("nothing of the session {id} waits"),
        ));
    }
    db.commit().await?;
    Ok(Json(json!({ "session_id": session.id, "released": true })))
}

/// Says what a session charged.
pub(crate) async fn correct(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
    mut fields: Fields,
) -> Result<Json<Value>> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let session = controlled(&mut db, &viewer, &id).await?;
    let energy_wh = needed(&mut fields, "energy_wh", |fields| {
        let expected = format!("whole watt-hours from 0 to {}", holds::MOST_WH);
        fields.read("energy_wh", &expected, |value| {
            value
                .as_i64()
                .filter(|wh| (0..=holds::MOST_WH).contains(wh))
        })
    });
    let reason = needed(&mut fields, "reason", |fields| {
        fields.text("reason", REASON)
    });
    fields.finish()?;
    if session.state == SessionState::Active {
        return Err(Error::Refused(
            StatusCode::CONFLICT,
            format!("the session {id} still goes on"),
        ));
    }
    let (energy_wh, reason) = (energy_wh.unwrap_or_default(), reason.unwrap_or_default());
    let revision = holds::correct(&mut db, &session, energy_wh, viewer.actor, &reason, now).await?;
    db.commit().await?;
    store::events::ring(&mut *app.connection().await?).await?;
    Ok(Json(
        json!({ "session_id": session.id, "correction": revision }),
    ))
}

/// A field that must be there.
fn needed<T>(
    fields: &mut Fields,
    name: &'static str,
    read: impl FnOnce(&mut Fields) -> Option<T>,
) -> Option<T> {
    let was_there = fields.has(name);
    let found = read(fields);
    if !was_there {
        fields.complain(name, "is missing: expected a value");
    }
    found
}

async fn controlled(db: &mut Scoped<'_>, viewer: &Viewer, id: &str) -> Result<Session> {
    let nothing = || Error::NotFound(format!("there is no session {id:?}"));
    let session_id = id.parse().map_err(|_| nothing())?;
    let session = sessions::get(db, session_id).await?.ok_or_else(nothing)?;
    viewer.must_control(session.site_id)?;
    Ok(session)
}
