//! `/security-events`: what stations say of their own security, and what the server saw of it.

use axum::{Json, extract::State};
use serde::Serialize;
use store::security_events::{self, Filter};
use uuid::Uuid;

use super::{
    input::Params,
    shape::{self, List, Stamp},
};
use crate::{AppState, Result, auth::Viewer};

/// One event.
#[derive(Debug, Serialize)]
pub(crate) struct SecurityEvent {
    id: Uuid,
    station: String,
    r#type: String,
    tech_info: Option<String>,
    /// The station's own time; null if it cannot be believed.
    at: Option<Stamp>,
    received_at: Stamp,
    critical: bool,
    source: String,
}

impl From<security_events::SecurityEvent> for SecurityEvent {
    fn from(event: security_events::SecurityEvent) -> Self {
        SecurityEvent {
            id: event.id,
            station: event.station,
            r#type: event.kind,
            tech_info: event.tech_info,
            at: event.at.map(Stamp),
            received_at: Stamp(event.received_at),
            critical: event.critical,
            source: event.source,
        }
    }
}

/// The events of a station, or of all, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<SecurityEvent>>> {
    let filter = Filter {
        station: params.text("station"),
        kind: params.text("type"),
        critical: params.read("critical", "true or false", |text| text.parse().ok()),
        from: params.time("from"),
        to: params.time("to"),
    };
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let rows = security_events::list(&mut db, &filter, after, limit + 1).await?;
    Ok(shape::list(rows, limit, shape::cursor, SecurityEvent::from))
}
