//! `/stations/{identity}/configuration`: what a station said of its keys, beside what they should be.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;
use store::configuration::{drift::Row, is_secret};
use uuid::Uuid;

use super::{
    input::{Fields, Params, Segment, printable},
    shape::Stamp,
};
use crate::{AppState, Result, auth::Viewer, kept};

/// The most keys of one question: stations choke on more (quirk 40).
const MOST_KEYS: usize = 50;
/// As long as OCPP allows.
const LONGEST_KEY: usize = 50;

/// A key.
#[derive(Debug, Serialize)]
pub(crate) struct Key {
    key: String,
    /// To the letter.
    value: Option<String>,
    /// The value is never stored.
    secret: bool,
    readonly: Option<bool>,
    known: bool,
    read_at: Option<Stamp>,
    set_value: Option<String>,
    set_answer: Option<String>,
    set_at: Option<Stamp>,
    expected: Option<String>,
    template: Option<String>,
    /// free, same, differs, awaited, fixed, unknown or unread.
    standing: &'static str,
    /// The station took a value and has another now.
    changed_by_station: bool,
}

impl From<Row> for Key {
    fn from(row: Row) -> Self {
        let changed_by_station = row.was_changed_by_station();
        let (expected, template) = row.expected.map_or((None, None), |expected| {
            (Some(expected.value), Some(expected.template))
        });
        Key {
            secret: is_secret(&row.key.key),
            standing: row.standing.as_str(),
            changed_by_station,
            key: row.key.key,
            value: row.key.value,
            readonly: row.key.readonly,
            known: row.key.known,
            read_at: row.key.read_at.map(Stamp),
            set_value: row.key.set_value,
            set_answer: row.key.set_answer,
            set_at: row.key.set_at.map(Stamp),
            expected,
            template,
        }
    }
}

/// Every key of a station.
#[derive(Debug, Serialize)]
pub(crate) struct Configuration {
    items: Vec<Key>,
    /// How many keys are not as they should be.
    drift: usize,
}

/// The commands that were queued.
#[derive(Debug, Serialize)]
pub(crate) struct Queued {
    pub(super) commands: Vec<Uuid>,
}

/// Every key that the station named, or that it should have; `?drift=1`: those that are not as they should be.
pub(crate) async fn get(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut params: Params,
) -> Result<Json<Configuration>> {
    let only_drift = params.read("drift", "1 or 0", |text| match text {
        "1" => Some(true),
        "0" => Some(false),
        _ => None,
    });
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    let mut rows = kept::configuration(&mut db, station.id).await?;
    let drift = rows.iter().filter(|row| row.standing.is_drift()).count();
    if only_drift == Some(true) {
        rows.retain(|row| row.standing.is_drift());
    }
    let items = rows.into_iter().map(Key::from).collect();
    Ok(Json(Configuration { items, drift }))
}

/// Asks the station for all of its keys, or for some (202).
pub(crate) async fn read(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut fields: Fields,
) -> Result<(StatusCode, Json<Queued>)> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    let expected = format!("at most {MOST_KEYS} keys of 1 to {LONGEST_KEY} printable characters");
    let keys = fields.read("keys", &expected, |value| {
        let keys = value.as_array().filter(|keys| keys.len() <= MOST_KEYS)?;
        keys.iter()
            .map(|key| {
                let key = key.as_str().filter(|key| printable(key, LONGEST_KEY))?;
                Some(key.to_owned())
            })
            .collect::<Option<Vec<String>>>()
    });
    fields.finish()?;
    let now = app.clock.now();
    let keys = keys.unwrap_or_default();
    let command = kept::read_configuration(&mut db, &viewer, &station, &keys, now).await?;
    db.commit().await?;
    let commands = vec![command];
    Ok((StatusCode::ACCEPTED, Json(Queued { commands })))
}

/// Sets every key that differs from its template and can be set (202).
pub(crate) async fn apply(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    fields: Fields,
) -> Result<(StatusCode, Json<Queued>)> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    fields.finish()?;
    let commands = kept::apply_templates(&mut db, &viewer, &station, app.clock.now()).await?;
    db.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(Queued { commands })))
}
