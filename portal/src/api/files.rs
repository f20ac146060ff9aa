//! `/firmware-images` and the logs of a station: the files behind firmware and log jobs.

use axum::{
    Json,
    extract::{Path, Request, State},
    http::StatusCode,
    response::Response,
};
use serde::Serialize;
use serde_json::json;
use store::{audit, files, people::Role};
use uuid::Uuid;

use super::{
    input::{Params, Segment, printable},
    shape::{List, Stamp, list as page},
};
use crate::{
    AppState, Error, Result,
    auth::Viewer,
    files::{LONGEST_NAME, attachment, receive_image},
};

/// A firmware image.
#[derive(Debug, Serialize)]
pub(crate) struct Image {
    id: Uuid,
    name: String,
    version: String,
    size: i64,
    sha256: String,
    created_at: Stamp,
}

impl From<files::File> for Image {
    fn from(file: files::File) -> Self {
        Image {
            id: file.id,
            name: file.name,
            version: file.version,
            size: file.size,
            sha256: file.sha256,
            created_at: Stamp(file.created_at),
        }
    }
}

/// Every image, newest first.
pub(crate) async fn images(
    State(app): State<AppState>,
    viewer: Viewer,
    params: Params,
) -> Result<Json<List<Image>>> {
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let rows = files::images(&mut db).await?;
    let all = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    Ok(page(rows, all, |_| String::new(), Image::from))
}

/// Takes an image: its bytes are the body, `?name=` and `?version=` say what it is.
pub(crate) async fn post_image(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
    request: Request,
) -> Result<(StatusCode, Json<Image>)> {
    let expected = format!("a text of 1 to {LONGEST_NAME} printable characters");
    let fits = |text: &str| printable(text, LONGEST_NAME).then(|| text.to_owned());
    let name = params.read("name", &expected, fits);
    let version = params.read("version", &expected, fits);
    if name.is_none() {
        params.complain("name", format!("expected {expected}"));
    }
    params.finish()?;
    let (name, version) = (name.unwrap_or_default(), version.unwrap_or_default());
    let bytes = request.into_body().into_data_stream();
    let file = receive_image(&app, &viewer, &name, &version, bytes).await?;
    Ok((StatusCode::CREATED, Json(file.into())))
}

/// Takes an image away, unless a station may still come for it.
pub(crate) async fn delete_image(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<StatusCode> {
    remove(&app, &viewer, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The same for pages.
pub(crate) async fn remove(app: &AppState, viewer: &Viewer, id: &str) -> Result<()> {
    let nothing = || Error::NotFound(format!("there is no image {id:?}"));
    let image = id.parse().map_err(|_| nothing())?;
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    if files::is_wanted(&mut db, image, now).await? {
        let told = "a firmware job that has not ended names this image".to_owned();
        return Err(Error::Conflict(told));
    }
    if !files::remove_image(&mut db, image).await? {
        return Err(nothing());
    }
    let entry = viewer.did(now, "image.remove", format!("image/{image}"), json!({}));
    audit::record(&mut db, &entry).await?;
    Ok(db.commit().await?)
}

/// A log that a station sent, as a download.
pub(crate) async fn log(
    State(app): State<AppState>,
    viewer: Viewer,
    Path((identity, id)): Path<(String, String)>,
) -> Result<Response> {
    let nothing = || Error::NotFound(format!("station {identity:?} sent no log {id:?}"));
    let log = id.parse().map_err(|_| nothing())?;
    if viewer.role == Some(Role::Partner) {
        return Err(Error::Forbidden(
            "your role does not see the logs of stations".to_owned(),
        ));
    }
    // The database knows no NUL, so it knows nothing of that name.
    if identity.contains('\0') {
        return Err(nothing());
    }
    let mut db = viewer.scope.begin(&app.pool).await?;
    let file = files::log(&mut db, &identity, log)
        .await?
        .ok_or_else(nothing)?;
    drop(db);
    Ok(attachment(&app, &viewer.scope, &file))
}
