//! `/health`: the portal answers, and so does its database. For whoever watches from outside; what the process says of
//! itself in full is on a port of its own (`service::health`).

use axum::{Json, extract::State};
use serde::Serialize;

use super::shape::Stamp;
use crate::{AppState, Result};

/// It works.
#[derive(Debug, Serialize)]
pub(crate) struct Health {
    status: &'static str,
    timestamp: Stamp,
}

/// 200 if it works, 503 if the database does not answer.
pub(crate) async fn get(State(app): State<AppState>) -> Result<Json<Health>> {
    store::pool::is_there(&mut *app.connection().await?).await?;
    Ok(Json(Health {
        status: "ok",
        timestamp: Stamp(app.clock.now()),
    }))
}
