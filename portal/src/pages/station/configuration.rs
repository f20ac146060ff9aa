//! The tab Configuration of a station: its keys as they were read, what they should be, and what sets them right.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use store::{
    Scoped,
    configuration::{drift, is_secret},
};

use super::Head;
use crate::{
    Access, AppState, Result, Route,
    api::input::Segment,
    auth::Viewer,
    kept,
    live::Part,
    pages::{again, flash::Flash, form::Form, frame::Frame, html},
    view::{Chip, Moment},
};

const SLUG: &str = "configuration";

#[derive(Template)]
#[template(path = "station_configuration.html", blocks = ["standing", "keys"])]
struct Page {
    frame: Frame,
    head: Head,
    form: Form,
    rows: Vec<Row>,
    drift: usize,
    /// How many of them can be set.
    settable: usize,
    /// When anything was read last.
    read: Option<Moment>,
}

struct Row {
    key: String,
    value: Option<String>,
    secret: bool,
    readonly: bool,
    expected: Option<drift::Expected>,
    chip: Option<Chip>,
    /// What was asked for last, where the value does not say it.
    note: Option<String>,
}

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::get("/stations/{identity}/configuration", Access::Read, page),
        Route::post("/stations/{identity}/configuration", Access::Control, set),
        Route::post(
            "/stations/{identity}/configuration/read",
            Access::Control,
            read,
        ),
        Route::post(
            "/stations/{identity}/configuration/apply",
            Access::Control,
            apply,
        ),
    ]
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    html(&load(&mut db, frame, head, Form::default()).await?)
}

/// What of it changes by itself.
pub(super) async fn parts(db: &mut Scoped<'_>, frame: Frame, head: Head) -> Result<Vec<Part>> {
    let page = load(db, frame, head, Form::default()).await?;
    Ok(vec![
        Part::render("standing", &page.as_standing())?,
        Part::render("keys", &page.as_keys())?,
    ])
}

async fn load(db: &mut Scoped<'_>, frame: Frame, head: Head, form: Form) -> Result<Page> {
    let found = kept::configuration(db, head.station.id).await?;
    let read = found.iter().filter_map(|row| row.key.read_at).max();
    Ok(Page {
        drift: found.iter().filter(|row| row.standing.is_drift()).count(),
        settable: found.iter().filter(|row| row.standing.can_be_set()).count(),
        read: read.map(|at| Moment::new(at, head.zone())),
        rows: found.into_iter().map(row).collect(),
        frame,
        head,
        form,
    })
}

fn row(row: drift::Row) -> Row {
    let key = &row.key;
    let note = match (&key.set_value, &key.set_answer) {
        (Some(set), Some(_)) if row.was_changed_by_station() => {
            Some(format!("set to {set}, and the station made this of it"))
        }
        (Some(set), Some(answer)) if answer != "Accepted" => Some(format!("{set}: {answer}")),
        (Some(set), Some(_)) if key.set_at > key.read_at => {
            Some(format!("set to {set}, not read back yet"))
        }
        _ => None,
    };
    Row {
        note,
        chip: Chip::standing(row.standing),
        secret: is_secret(&key.key),
        readonly: key.readonly == Some(true),
        value: row.key.value,
        key: row.key.key,
        expected: row.expected,
    }
}

/// Where the tab is.
fn path(station: &store::stations_read::Station) -> String {
    super::path(&station.identity, SLUG)
}

async fn read(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    kept::read_configuration(&mut db, &viewer, &station, &[], app.clock.now()).await?;
    db.commit().await?;
    let asked = Flash::new("The station was asked for its configuration.");
    Ok(asked.to(&app, &path(&station)))
}

async fn apply(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
) -> Result<Response> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = kept::station(&mut db, &identity).await?;
    viewer.must_control(station.site_id)?;
    let queued = kept::apply_templates(&mut db, &viewer, &station, app.clock.now()).await?;
    db.commit().await?;
    let said = match queued.len() {
        0 => "There was nothing to set.".to_owned(),
        1 => "One key is being set.".to_owned(),
        many => format!("{many} keys are being set."),
    };
    Ok(Flash::new(said).to(&app, &path(&station)))
}

async fn set(
    State(app): State<AppState>,
    viewer: Viewer,
    mut frame: Frame,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    viewer.must_control(head.station.site_id)?;
    let key = form.line("key", 1..=50);
    let value = form.line("value", 0..=500);
    if is_secret(&key) {
        form.complain(
            "key",
            "is a secret: expected another key; passwords are set in the tab Security",
        );
    }
    if !form.is_clean() {
        let page = load(&mut db, frame, head, form).await?;
        return again(StatusCode::UNPROCESSABLE_ENTITY, &page);
    }
    let (pair, now) = ((key.as_str(), value.as_str()), app.clock.now());
    kept::set_key(&mut db, &viewer, &head.station, pair, now).await?;
    db.commit().await?;
    let said = Flash::new(format!("{key} is being set to “{value}”."));
    Ok(said.to(&app, &head.below(SLUG)))
}
