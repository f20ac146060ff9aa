//! `/firmware`: the images that stations can be given. They come in by the form here or by the API, and belong to no site.

use askama::Template;
use axum::{
    extract::{FromRequest, Multipart, Path, Request, State, multipart::Field},
    http::StatusCode,
    response::Response,
};
use futures_util::stream;
use store::files::{self, File};

use crate::{
    AppState, Error, Result,
    auth::Viewer,
    files::{LARGEST, LONGEST_NAME, receive_image},
    pages::{again, flash::Flash, form::Form, frame::Frame, html},
    view::{Moment, number},
};

const PATH: &str = "/firmware";

#[derive(Template)]
#[template(path = "firmware.html")]
struct Page {
    frame: Frame,
    form: Form,
    images: Vec<Row>,
    largest: String,
}

struct Row {
    id: String,
    name: String,
    version: String,
    size: String,
    sha256: String,
    at: Moment,
}

impl Row {
    fn of(file: File) -> Self {
        Row {
            id: file.id.to_string(),
            name: file.name,
            version: file.version,
            size: number::count(file.size),
            sha256: file.sha256,
            at: Moment::new(file.created_at, None),
        }
    }
}

/// `GET /firmware`.
pub async fn page(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    html(&load(&app, frame, Form::default()).await?)
}

async fn load(app: &AppState, frame: Frame, form: Form) -> Result<Page> {
    let mut db = frame.scope.begin(&app.pool).await?;
    let images = files::images(&mut db).await?;
    Ok(Page {
        images: images.into_iter().map(Row::of).collect(),
        largest: format!("{} MiB", LARGEST / 1024 / 1024),
        frame,
        form,
    })
}

/// `POST /firmware`: name, version and then the file, which is never held as a whole.
pub async fn upload(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    request: Request,
) -> Result<Response> {
    let mut parts = Multipart::from_request(request, &app)
        .await
        .map_err(|error| Error::Refused(error.status(), error.body_text()))?;
    let mut typed = Vec::new();
    while let Some(part) = parts.next_field().await.map_err(refuse)? {
        let name = part.name().unwrap_or_default().to_owned();
        if part.file_name().is_none() {
            typed.push((name, part.text().await.map_err(refuse)?));
            continue;
        }
        let mut form = Form::filled(typed);
        let chosen = part.file_name().is_some_and(|name| !name.is_empty());
        let name = form.line("name", 1..=LONGEST_NAME);
        let version = form.line("version", 0..=LONGEST_NAME);
        if !chosen {
            form.complain("file", "is missing; expected an image");
        }
        if !form.is_clean() {
            let page = load(&app, frame, form).await?;
            return again(StatusCode::UNPROCESSABLE_ENTITY, &page);
        }
        let file = receive_image(&app, &viewer, &name, &version, pieces(part)).await?;
        let said = format!("“{}” is here: SHA-256 {}.", file.name, file.sha256);
        return Ok(Flash::new(said).to(&app, PATH));
    }
    let mut form = Form::filled(typed);
    form.complain("file", "is missing; expected an image");
    let page = load(&app, frame, form).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// The file as it comes in.
fn pieces<'a>(
    part: Field<'a>,
) -> impl futures_util::Stream<
    Item = std::result::Result<axum::body::Bytes, axum::extract::multipart::MultipartError>,
> + Send
+ 'a {
    stream::try_unfold(part, |mut part| async move {
        Ok(part.chunk().await?.map(|bytes| (bytes, part)))
    })
}

fn refuse(error: axum::extract::multipart::MultipartError) -> Error {
    Error::Refused(error.status(), error.body_text())
}

/// `POST /firmware/{id}/remove`.
pub async fn remove(
    State(app): State<AppState>,
    viewer: Viewer,
    Path(id): Path<String>,
) -> Result<Response> {
    crate::api::files::remove(&app, &viewer, &id).await?;
    Ok(Flash::new("The image was removed.").to(&app, PATH))
}
