//! `/configuration-templates`: named sets of what keys should be. They belong to no site: only readers of all may see them.

use std::collections::BTreeMap;

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use serde_json::{Value, json};
use store::{
    Scoped, audit,
    configuration::is_secret,
    configuration_templates::{self as templates, Fields as NewFields, Template},
    sites, stations_read,
};
use uuid::Uuid;

use super::input::{Fields, Params, Segment, printable};
use crate::{AppState, Error, Result, auth::Viewer};

/// As long as OCPP allows a key, and a value.
const LONGEST: (usize, usize) = (50, 500);
/// A name is not longer.
const LONGEST_NAME: usize = 100;

/// A template.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: Uuid,
    name: String,
    keys: BTreeMap<String, String>,
    stations: Vec<String>,
    sites: Vec<String>,
    models: Vec<String>,
}

impl From<Template> for Shown {
    fn from(template: Template) -> Self {
        Shown {
            id: template.id,
            name: template.name,
            keys: template.keys.into_iter().collect(),
            stations: template.stations,
            sites: template.sites,
            models: template.models,
        }
    }
}

/// All of them; there are few.
#[derive(Debug, Serialize)]
pub(crate) struct All {
    items: Vec<Shown>,
    next: Option<String>,
}

/// Every template, by name.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    params: Params,
) -> Result<Json<All>> {
    params.finish()?;
    let all = templates::list(&mut *viewer.scope.begin(&app.pool).await?).await?;
    let items = all.into_iter().map(Shown::from).collect();
    Ok(Json(All { items, next: None }))
}

/// Makes one (201).
pub(crate) async fn post(
    State(app): State<AppState>,
    viewer: Viewer,
    fields: Fields,
) -> Result<(StatusCode, Json<Shown>)> {
    let shown = write(&app, &viewer, None, fields).await?;
    Ok((StatusCode::CREATED, Json(shown)))
}

/// Makes one be as given.
pub(crate) async fn put(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
    fields: Fields,
) -> Result<Json<Shown>> {
    let nothing = || Error::NotFound(format!("there is no configuration template {id:?}"));
    let known: Uuid = id.parse().map_err(|_| nothing())?;
    let all = templates::list(&mut *viewer.scope.begin(&app.pool).await?).await?;
    let before = all.into_iter().find(|template| template.id == known);
    let before = before.ok_or_else(nothing)?;
    Ok(Json(write(&app, &viewer, Some(before), fields).await?))
}

/// Takes one away.
pub(crate) async fn delete(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<StatusCode> {
    let nothing = || Error::NotFound(format!("there is no configuration template {id:?}"));
    let known: Uuid = id.parse().map_err(|_| nothing())?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    if !templates::delete(&mut db, known).await? {
        return Err(nothing());
    }
    let entity = format!("configuration_template/{known}");
    let entry = viewer.did(
        app.clock.now(),
        "configuration_template.delete",
        entity,
        json!({}),
    );
    audit::record(&mut db, &entry).await?;
    db.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn write(
    app: &AppState,
    viewer: &Viewer,
    before: Option<Template>,
    fields: Fields,
) -> Result<Shown> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let wanted = read(&mut db, fields, before.as_ref()).await?;
    let new = NewFields {
        name: &wanted.name,
        keys: &wanted.keys,
        stations: &wanted.stations,
        sites: &wanted.sites,
        models: &wanted.models,
    };
    let id = templates::put(&mut db, before.map(|before| before.id), &new, now).await;
    let id = id.map_err(|error| {
        if error.is_conflict("configuration_templates_name_key") {
            return Error::Conflict(format!("there is a template {:?} already", wanted.name));
        }
        error.into()
    })?;
    let detail = json!({"name": wanted.name, "keys": wanted.keys.len()});
    let entity = format!("configuration_template/{id}");
    audit::record(
        &mut db,
        &viewer.did(now, "configuration_template.put", entity, detail),
    )
    .await?;
    let all = templates::list(&mut db).await?;
    db.commit().await?;
    let written = all.into_iter().find(|template| template.id == id);
    written
        .map(Shown::from)
        .ok_or_else(|| Error::Broken(format!("the template {id} is gone")))
}

/// What a template is to be, with every name resolved.
struct Wanted {
    name: String,
    keys: Vec<(String, String)>,
    stations: Vec<Uuid>,
    sites: Vec<Uuid>,
    models: Vec<String>,
}

async fn read(
    db: &mut Scoped<'_>,
    mut fields: Fields,
    before: Option<&Template>,
) -> Result<Wanted> {
    let name = fields.text("name", LONGEST_NAME);
    if name.is_none() && before.is_none() {
        fields.complain(
            "name",
            format!("missing: expected a text of 1 to {LONGEST_NAME} characters"),
        );
    }
    let keys = fields.read(
        "keys",
        "an object of keys of 1 to 50 and values of at most 500 printable characters, none of them a secret",
        pairs,
    );
    let list = "a list of texts";
    let stations = fields.read("stations", list, texts);
    let sites = fields.read("sites", list, texts);
    let models = fields.read("models", list, texts);
    let old = before.cloned().unwrap_or_default();
    let mut station_ids = Vec::new();
    for identity in stations.unwrap_or(old.stations) {
        match stations_read::get(db, &identity).await? {
            Some(station) => station_ids.push(station.id),
            None => fields.complain(
                "stations",
                format!("{identity:?}: expected a station's identity"),
            ),
        }
    }
    let mut site_ids = Vec::new();
    for site in sites.unwrap_or(old.sites) {
        match sites::find(db, &site).await? {
            Some(id) => site_ids.push(id),
            None => fields.complain(
                "sites",
                format!("{site:?}: expected the name or id of a site"),
            ),
        }
    }
    fields.finish()?;
    Ok(Wanted {
        name: name.unwrap_or(old.name),
        keys: keys.unwrap_or(old.keys),
        stations: station_ids,
        sites: site_ids,
        models: models.unwrap_or(old.models),
    })
}

fn pairs(value: &Value) -> Option<Vec<(String, String)>> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (key, value) in value.as_object()? {
        let value = value
            .as_str()
            .filter(|value| value.is_empty() || printable(value, LONGEST.1))?;
        let is_new = !pairs
            .iter()
            .any(|(known, _)| known.eq_ignore_ascii_case(key));
        if !printable(key, LONGEST.0) || is_secret(key) || !is_new {
            return None;
        }
        pairs.push((key.clone(), value.to_owned()));
    }
    Some(pairs)
}

fn texts(value: &Value) -> Option<Vec<String>> {
    let texts = value.as_array()?.iter();
    texts
        .map(|text| {
            text.as_str()
                .filter(|text| printable(text, 255))
                .map(str::to_owned)
        })
        .collect()
}
