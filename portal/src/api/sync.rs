//! `/sync` and `/sync-state`: the runs that send usage to Lago, asked for and looked at. They belong to no site.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use store::lago::{
    events, link, reconciliations,
    runs::{self, Run},
    state,
};

use super::{
    input::{FieldsIfAny, Params},
    shape::Stamp,
};
use crate::{AppState, Error, Result, auth::Viewer};

/// Runs of a status.
const RUNS: i64 = 10;

/// A run.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: i64,
    cause: String,
    replay_of: Option<i64>,
    started_at: Stamp,
    completed_at: Option<Stamp>,
    status: String,
    transactions_processed: i32,
    unmapped: i32,
    held: i32,
    events_created: i32,
    events_sent: i32,
    duplicates: i32,
    rejected: i32,
    errors: Vec<String>,
}

impl From<Run> for Shown {
    fn from(run: Run) -> Self {
        Shown {
            id: run.id,
            cause: run.cause,
            replay_of: run.replay_of,
            started_at: Stamp(run.started_at),
            completed_at: run.completed_at.map(Stamp),
            status: run.status,
            transactions_processed: run.sessions,
            unmapped: run.unmapped,
            held: run.held,
            events_created: run.events_created,
            events_sent: run.events_sent,
            duplicates: run.duplicates,
            rejected: run.rejected,
            errors: run.errors,
        }
    }
}

/// Asks for a run, or with `replay_of` for another run again, and answers at once.
pub(crate) async fn request(
    State(app): State<AppState>,
    viewer: Viewer,
    FieldsIfAny(mut fields): FieldsIfAny,
) -> Result<(StatusCode, Json<Value>)> {
    let replay_of = fields.read("replay_of", "the number of a run", Value::as_i64);
    fields.finish()?;
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    if let Some(run) = replay_of {
        runs::get(&mut db, run)
            .await?
            .ok_or_else(|| Error::NotFound(format!("there is no run {run}")))?;
    }
    let id = runs::request(&mut db, "api", replay_of, now).await?;
    let detail = json!({ "replay_of": replay_of });
    let entry = viewer.did(now, "sync.request", format!("sync_request/{id}"), detail);
    store::audit::record(&mut db, &entry).await?;
    db.commit().await?;
    let said = json!({ "success": true, "message": "a run was asked for" });
    Ok((StatusCode::ACCEPTED, Json(said)))
}

/// The last runs, and how it stands between us and Lago.
pub(crate) async fn status(
    State(app): State<AppState>,
    viewer: Viewer,
    params: Params,
) -> Result<Json<Value>> {
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let link = link::load(&mut db).await?;
    let recent = runs::recent(&mut db, RUNS).await?;
    let wrong = reconciliations::recent(&mut db, true, 1).await?;
    let counts: serde_json::Map<String, Value> = events::counts(&mut db)
        .await?
        .into_iter()
        .map(|(status, count)| (status, count.into()))
        .collect();
    Ok(Json(json!({
        "configured": app.lago.client.is_some(),
        "runs": recent.into_iter().map(Shown::from).collect::<Vec<_>>(),
        "events": counts,
        "circuit": {
            "state": link.circuit, "failures": link.failures, "last_error": link.last_error,
            "next_try_at": link.next_try_at.map(Stamp), "last_success_at": link.last_success_at.map(Stamp),
        },
        "metric": {
            "ok": link.metric_ok, "detail": link.metric_detail, "checked_at": link.metric_checked_at.map(Stamp),
        },
        "books_differ": !wrong.is_empty(),
    })))
}

/// How far sessions are billed, the last moved first.
pub(crate) async fn states(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<Value>> {
    let flagged = params
        .read("flagged", "true or false", |text| text.parse().ok())
        .unwrap_or(false);
    let limit = params.limit();
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let items: Vec<Value> = state::list(&mut db, flagged, limit)
        .await?
        .into_iter()
        .map(|state| {
            json!({
                "session_id": state.session_id, "id_token": state.id_token,
                "last_synced_meter_value": state.billed_wh, "total_wh_billed": state.total_wh,
                "is_finalized": state.finalised, "flags": state.flags, "last_sync_run_id": state.last_run_id,
                "updated_at": Stamp(state.updated_at),
            })
        })
        .collect();
    Ok(Json(json!({ "items": items })))
}
