//! Tariffs as files: what a version says as JSON of ours.

use axum::{
    extract::{Path, State},
    http::header,
    response::{IntoResponse, Response},
};

use super::{edit::pretty, numbers, said, seen_version};
use crate::{AppState, Result, pages::frame::Frame};

/// `GET /tariffs/{id}/versions/{version}/json`.
pub async fn json(
    State(app): State<AppState>,
    frame: Frame,
    Path((id, version)): Path<(String, String)>,
) -> Result<Response> {
    let (id, number) = numbers(&id, &version)?;
    let mut db = frame.scope.begin(&app.pool).await?;
    let version = seen_version(&mut db, &frame.scope, id, number).await?;
    let text = pretty(&said(&version)?)?;
    let name = format!("tariff_{id}_v{number}.json");
    Ok(attached("application/json", &name, text))
}

/// A file to be kept.
fn attached(media: &str, name: &str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media.to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    (headers, body).into_response()
}
