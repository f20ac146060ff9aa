//! Tariffs as files: what a version says as JSON of ours and as OCPI 2.2.1, and tariffs of OCPI 2.2.1 read in.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use billing::{
    ocpi::{self, Identity},
    tariff::Tariff,
};
use chrono::SecondsFormat;
use serde_json::json;
use store::{audit, legal_entities, tariffs};

use super::{
    PATH, complain_of_name,
    edit::{add_version, pretty},
    entity, numbers, said, seen_version,
};
use crate::{
    AppState, Error, Result,
    auth::Viewer,
    pages::{again, flash::Flash, form::Form, frame::Frame, html},
};

/// OCPI wants three letters of whoever owns a tariff, and we know none.
const PARTY: &str = "FCT";
/// Where no legal entity says otherwise: OCPI wants a country.
const COUNTRY: &str = "NL";

#[derive(Template)]
#[template(path = "tariff_import.html")]
struct Import {
    frame: Frame,
    form: Form,
}

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
    Ok(attached(&format!("tariff_{id}_v{number}.json"), text))
}

/// `GET /tariffs/{id}/versions/{version}/ocpi`: a Tariff object of OCPI 2.2.1.
pub async fn ocpi(
    State(app): State<AppState>,
    frame: Frame,
    Path((id, version)): Path<(String, String)>,
) -> Result<Response> {
    let (id, number) = numbers(&id, &version)?;
    let mut db = frame.scope.begin(&app.pool).await?;
    let version = seen_version(&mut db, &frame.scope, id, number).await?;
    let entities = legal_entities::list(&mut db).await?;
    let country = entities
        .first()
        .map_or(COUNTRY, |entity| entity.fields.country.as_str());
    let identity = Identity {
        country_code: country.to_owned(),
        party_id: PARTY.to_owned(),
        id: id.to_string(),
        last_updated: version
            .created_at
            .to_rfc3339_opts(SecondsFormat::Secs, true),
    };
    let text = ocpi::export(&said(&version)?, &identity).map_err(|problems| {
        let what: Vec<String> = problems.iter().map(ToString::to_string).collect();
        Error::Conflict(format!(
            "OCPI 2.2.1 cannot say all of this tariff: {}",
            what.join("; ")
        ))
    })?;
    Ok(attached(&format!("tariff_{id}_v{number}.ocpi.json"), text))
}

/// `GET /tariffs/import`.
pub async fn ask(frame: Frame) -> Result<Response> {
    html(&Import {
        frame,
        form: Form::default(),
    })
}

/// `POST /tariffs/import`: a new tariff of what was pasted or chosen.
pub async fn import(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let name = form.line("name", 1..=100);
    let content = read(&mut form);
    if let (true, Some(content)) = (form.is_clean(), content) {
        let mut db = viewer.scope.begin(&app.pool).await?;
        match tariffs::create(&mut db, &name, content.currency.code(), now).await {
            Ok(id) => {
                let detail = json!({"name": name, "from": "OCPI 2.2.1"});
                let entry = viewer.did(now, "tariff.create", entity(id), detail);
                audit::record(&mut db, &entry).await?;
                add_version(&mut db, &viewer, id, now, &content, now).await?;
                db.commit().await?;
                let said =
                    format!("“{name}” was imported. Say where it holds, or simulate it first.");
                return Ok(Flash::new(said).to(&app, &format!("{PATH}/{id}")));
            }
            Err(error) => complain_of_name(&mut form, error)?,
        }
    }
    again(StatusCode::UNPROCESSABLE_ENTITY, &Import { frame, form })
}

/// The tariff in the file or, without one, in the text; what is wrong with it is complained of by its place.
fn read(form: &mut Form) -> Option<Tariff> {
    if let Some(file) = form.file("file") {
        match String::from_utf8(file.to_vec()) {
            Ok(text) => form.set("ocpi", text),
            Err(_) => {
                form.complain("file", "is no text; expected the JSON of a Tariff object");
                return None;
            }
        }
    }
    if form.value("ocpi").is_empty() {
        form.expected("ocpi", "a Tariff object of OCPI 2.2.1, pasted or as a file");
        return None;
    }
    match ocpi::import(form.value("ocpi")) {
        Ok(tariff) => Some(tariff),
        Err(problems) => {
            for problem in problems {
                form.complain("ocpi", problem.to_string());
            }
            None
        }
    }
}

/// A file to be kept.
fn attached(name: &str, body: String) -> Response {
    let headers = [
        (header::CONTENT_TYPE, "application/json".to_owned()),
        (
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        ),
    ];
    (headers, body).into_response()
}
