//! `/billing-events`: what was put down for Lago, and what became of it; and the same as Lago would take it, for
//! installations that have none.

use axum::{Json, extract::State};
use serde_json::{Value, json};
use store::lago::events::{self, Event, Filter, Status};

use super::{
    input::Params,
    shape::{Stamp, verbatim},
};
use crate::{AppState, Result, auth::Viewer};

/// Events of one answer, at most.
const MOST: i64 = 1_000;

fn filter(params: &mut Params) -> Filter {
    Filter {
        from: params.time("start"),
        to: params.time("end"),
        status: params.read(
            "status",
            "one of pending, sent, duplicate, rejected",
            Status::parse,
        ),
    }
}

/// The events, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<Value>> {
    let filter = filter(&mut params);
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let found = events::list(&mut db, &filter, MOST).await?;
    let items: Vec<Value> = found.iter().map(shown).collect();
    Ok(Json(json!({ "items": items })))
}

/// The same as the body of Lago's `POST /events/batch`.
pub(crate) async fn export(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<Value>> {
    let filter = filter(&mut params);
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let found = events::list(&mut db, &filter, MOST).await?;
    let events: Vec<Value> = found
        .into_iter()
        .map(|event| {
            json!({
                "transaction_id": event.event_id, "external_subscription_id": event.lago_subscription,
                "code": event.code, "timestamp": event.at.timestamp(), "properties": verbatim(event.properties),
            })
        })
        .collect();
    Ok(Json(json!({ "events": events })))
}

fn shown(event: &Event) -> Value {
    json!({
        "lago_event_id": event.event_id, "session_id": event.session_id, "transaction_id": event.number,
        "id_token": event.id_token, "station": event.station, "lago_customer": event.lago_customer,
        "lago_subscription": event.lago_subscription, "code": event.code, "at": Stamp(event.at),
        "meter_from_wh": event.from_wh, "meter_to_wh": event.to_wh, "kwh": event.kwh.to_string(),
        "is_final": event.is_final, "status": event.status, "reason": event.reason,
        "created_at": Stamp(event.created_at), "synced_at": event.sent_at.map(Stamp),
    })
}
