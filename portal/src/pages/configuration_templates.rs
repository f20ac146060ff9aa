//! `/configuration-templates`: what keys of stations should be, and where.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use serde_json::json;
use store::{
    Scoped, audit,
    configuration::is_secret,
    configuration_templates::{self as templates, Fields, Template as Known},
    sites, stations_read,
};
use uuid::Uuid;

use super::{again, asked::Id, flash::Flash, form::Form, frame::Frame, html};
use crate::{AppState, Error, Result, auth::Viewer};

/// Where the list is.
const PATH: &str = "/configuration-templates";

#[derive(Template)]
#[template(path = "configuration_templates.html")]
struct List {
    frame: Frame,
    form: Form,
    rows: Vec<Known>,
}

#[derive(Template)]
#[template(path = "configuration_template.html")]
struct Page {
    frame: Frame,
    form: Form,
    template: Known,
}

/// `GET /configuration-templates`.
pub async fn list(State(app): State<AppState>, frame: Frame) -> Result<Response> {
    let rows = templates::list(&mut *frame.scope.begin(&app.pool).await?).await?;
    html(&List {
        frame,
        form: Form::default(),
        rows,
    })
}

/// `POST /configuration-templates`.
pub async fn create(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    mut form: Form,
) -> Result<Response> {
    if let Some((id, name)) = write(&app, &viewer, None, &mut form).await? {
        let made = Flash::new(format!("The template “{name}” was added."));
        return Ok(made.to(&app, &format!("{PATH}/{id}")));
    }
    let rows = templates::list(&mut *viewer.scope.begin(&app.pool).await?).await?;
    again(
        StatusCode::UNPROCESSABLE_ENTITY,
        &List { frame, form, rows },
    )
}

/// `GET /configuration-templates/{id}`.
pub async fn page(State(app): State<AppState>, frame: Frame, Id(id): Id) -> Result<Response> {
    let template = find(&mut *frame.scope.begin(&app.pool).await?, id).await?;
    let keys = template
        .keys
        .iter()
        .map(|(key, value)| format!("{key} = {value}"));
    let form = Form::filled([
        ("name", template.name.clone()),
        ("keys", keys.collect::<Vec<_>>().join("\n")),
        ("stations", template.stations.join("\n")),
        ("sites", template.sites.join("\n")),
        ("models", template.models.join("\n")),
    ]);
    html(&Page {
        frame,
        form,
        template,
    })
}

/// `POST /configuration-templates/{id}`.
pub async fn change(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let template = find(&mut *viewer.scope.begin(&app.pool).await?, id).await?;
    if let Some((id, name)) = write(&app, &viewer, Some(id), &mut form).await? {
        let saved = Flash::new(format!("The template “{name}” was saved."));
        return Ok(saved.to(&app, &format!("{PATH}/{id}")));
    }
    let page = Page {
        frame,
        form,
        template,
    };
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /configuration-templates/{id}/delete`.
pub async fn delete(State(app): State<AppState>, viewer: Viewer, Id(id): Id) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let name = find(&mut db, id).await?.name;
    templates::delete(&mut db, id).await?;
    let entity = format!("configuration_template/{id}");
    let entry = viewer.did(
        app.clock.now(),
        "configuration_template.delete",
        entity,
        json!({"name": name}),
    );
    audit::record(&mut db, &entry).await?;
    db.commit().await?;
    Ok(Flash::new(format!(
        "The template “{name}” is gone; stations keep what they are set to."
    ))
    .to(&app, PATH))
}

async fn find(db: &mut store::Connection, id: Uuid) -> Result<Known> {
    let all = templates::list(db).await?;
    all.into_iter()
        .find(|template| template.id == id)
        .ok_or_else(|| Error::NotFound("there is no such template".to_owned()))
}

/// Writes what the form wants; nothing, and complaints beside the fields, if it cannot be.
async fn write(
    app: &AppState,
    viewer: &Viewer,
    id: Option<Uuid>,
    form: &mut Form,
) -> Result<Option<(Uuid, String)>> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let name = form.line("name", 1..=100);
    let keys = keys(form);
    let stations = stations(&mut db, form).await?;
    let sites = places(&mut db, form).await?;
    let models = lines(form.value("models"));
    if !form.is_clean() {
        return Ok(None);
    }
    let fields = Fields {
        name: &name,
        keys: &keys,
        stations: &stations,
        sites: &sites,
        models: &models,
    };
    match templates::put(&mut db, id, &fields, now).await {
        Ok(id) => {
            let entity = format!("configuration_template/{id}");
            let detail = json!({"name": name, "keys": keys.len()});
            let entry = viewer.did(now, "configuration_template.put", entity, detail);
            audit::record(&mut db, &entry).await?;
            db.commit().await?;
            Ok(Some((id, name)))
        }
        Err(error) if error.is_conflict("configuration_templates_name_key") => {
            form.complain(
                "name",
                "is the name of another template; expected one of its own",
            );
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.map(|line| line.chars().take(255).collect()).collect()
}

/// A key and its value a line: `HeartbeatInterval = 300`.
fn keys(form: &mut Form) -> Vec<(String, String)> {
    let mut keys: Vec<(String, String)> = Vec::new();
    for line in lines(form.value("keys")) {
        let Some((key, value)) = line.split_once('=') else {
            form.complain("keys", format!("“{line}”: expected a key, = and its value"));
            continue;
        };
        let (key, value) = (key.trim(), value.trim());
        if is_secret(key) {
            form.complain(
                "keys",
                format!("{key} is a secret: expected keys that may be shown"),
            );
        } else if key.is_empty() || key.chars().count() > 50 || value.chars().count() > 500 {
            form.complain(
                "keys",
                format!(
                    "“{line}”: expected a key of 1 to 50 and a value of at most 500 characters"
                ),
            );
        } else if keys
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(key))
        {
            form.complain(
                "keys",
                format!("{key} is there twice: expected each key once"),
            );
        }
        keys.push((key.to_owned(), value.to_owned()));
    }
    keys
}

async fn stations(db: &mut Scoped<'_>, form: &mut Form) -> Result<Vec<Uuid>> {
    let mut ids = Vec::new();
    for identity in lines(form.value("stations")) {
        match stations_read::get(db, &identity).await? {
            Some(station) => ids.push(station.id),
            None => form.complain(
                "stations",
                format!("“{identity}” is not registered; expected identities of stations"),
            ),
        }
    }
    Ok(ids)
}

async fn places(db: &mut Scoped<'_>, form: &mut Form) -> Result<Vec<Uuid>> {
    let mut ids = Vec::new();
    for name in lines(form.value("sites")) {
        match sites::find(db, &name).await? {
            Some(id) => ids.push(id),
            None => form.complain(
                "sites",
                format!("“{name}” is no site; expected names of sites"),
            ),
        }
    }
    Ok(ids)
}
