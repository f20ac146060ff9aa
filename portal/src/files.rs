//! Files between people and the database, piece by piece: firmware images come in, images and logs go out as attachments.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use futures_util::{Stream, StreamExt, stream};
use sha2::{Digest, Sha256};
use store::{
    Scope, audit,
    files::{self, CHUNK, File, Whole},
};
use uuid::Uuid;

use crate::{AppState, Error, Result, auth::Viewer};

/// The largest firmware image, in bytes.
pub const LARGEST: usize = 256 * 1024 * 1024;
/// The longest name of an image, and of its version.
pub const LONGEST_NAME: usize = 100;
/// How long a sender may stall.
const PATIENCE: Duration = Duration::from_secs(30);

/// Stores an image that a person sends; nobody sees it before it is whole.
///
/// # Errors
/// What is too large, too slow, empty, or ends early.
pub async fn receive_image<E>(
    app: &AppState,
    viewer: &Viewer,
    name: &str,
    version: &str,
    bytes: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
) -> Result<File> {
    let file = files::begin_image(
        &mut *app.connection().await?,
        name,
        version,
        app.clock.now(),
    )
    .await?;
    match take(app, viewer, file, bytes).await {
        Ok(file) => Ok(file),
        Err(error) => {
            files::abandon(&mut *app.connection().await?, file).await?;
            Err(error)
        }
    }
}

async fn take<E>(
    app: &AppState,
    viewer: &Viewer,
    file: Uuid,
    bytes: impl Stream<Item = std::result::Result<Bytes, E>> + Send,
) -> Result<File> {
    let mut bytes = std::pin::pin!(bytes);
    let (mut digest, mut size, mut n) = (Sha256::new(), 0, 0);
    let mut piece = Vec::with_capacity(CHUNK);
    loop {
        let data = match tokio::time::timeout(PATIENCE, bytes.next()).await {
            Ok(Some(Ok(data))) => data,
            Ok(Some(Err(_))) => {
                return Err(refused(StatusCode::BAD_REQUEST, "the file ended early"));
            }
            Ok(None) => break,
            Err(_) => {
                return Err(refused(
                    StatusCode::REQUEST_TIMEOUT,
                    "the file came too slowly",
                ));
            }
        };
        size += data.len();
        if size > LARGEST {
            let told = format!("expected an image of at most {} MiB", LARGEST / 1024 / 1024);
            return Err(refused(StatusCode::PAYLOAD_TOO_LARGE, &told));
        }
        digest.update(&data);
        let mut data = &data[..];
        while piece.len() + data.len() >= CHUNK {
            let (full, rest) = data.split_at(CHUNK - piece.len());
            piece.extend_from_slice(full);
            files::add_chunk(&mut *app.connection().await?, file, n, &piece).await?;
            (data, n) = (rest, n + 1);
            piece.clear();
        }
        piece.extend_from_slice(data);
    }
    if size == 0 {
        return Err(refused(StatusCode::BAD_REQUEST, "the file is empty"));
    }
    let mut db = Scope::All.begin(&app.pool).await?;
    if !piece.is_empty() {
        files::add_chunk(&mut db, file, n, &piece).await?;
    }
    let whole = Whole {
        size: i64::try_from(size).unwrap_or(i64::MAX),
        sha256: digest.finalize().into(),
    };
    let now = app.clock.now();
    files::complete(&mut db, file, &whole, now).await?;
    let stored = files::image(&mut db, file)
        .await?
        .ok_or_else(|| Error::Broken(format!("the image {file} is gone")))?;
    let detail = serde_json::json!({"name": stored.name, "version": stored.version, "size": stored.size,
                                    "sha256": stored.sha256});
    let entry = viewer.did(now, "image.upload", format!("image/{file}"), detail);
    audit::record(&mut db, &entry).await?;
    db.commit().await?;
    Ok(stored)
}

fn refused(status: StatusCode, told: &str) -> Error {
    Error::Refused(status, told.to_owned())
}

/// A file as a download: never shown in the browser, whatever is in it.
pub fn attachment(app: &AppState, scope: &Scope, file: &File) -> Response {
    let (app, scope, id) = (app.clone(), scope.clone(), file.id);
    let pieces = stream::try_unfold(0, move |n| {
        let (app, scope) = (app.clone(), scope.clone());
        async move {
            let mut db = scope.begin(&app.pool).await?;
            let piece = files::chunk(&mut db, id, n).await?;
            Ok::<_, store::Error>(piece.map(|piece| (Bytes::from(piece), n + 1)))
        }
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let name = format!("attachment; filename=\"{}\"", plain(&file.name));
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/octet-stream"),
    );
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    headers.insert(header::CONTENT_LENGTH, file.size.into());
    response
}

/// A name that every file system takes.
fn plain(name: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let name: String = name
        .chars()
        .map(|c| if fits(c) { c } else { '_' })
        .collect();
    name.trim_start_matches('.').to_owned()
}
