//! The tab Settings of a station: what an operator sets, for whoever may change it.

use askama::Template;
use axum::{extract::State, http::StatusCode, response::Response};
use store::{
    Scoped, audit, sites,
    stations::{self, Options, StationChange},
    stations_read::{self, Station},
};
use uuid::Uuid;

use super::{Head, no_such_station};
use crate::{
    Access, AppState, Error, Result, Route,
    api::input::Segment,
    auth::Viewer,
    pages::{again, flash::Flash, form::Form, frame::Frame, html},
};

/// Of a station's name.
const LONGEST: usize = 100;

#[derive(Template)]
#[template(path = "station_settings.html")]
struct Settings {
    frame: Frame,
    head: Head,
    form: Form,
    sites: Vec<(String, String)>,
}

pub(super) fn routes() -> Vec<Route> {
    let path = "/stations/{identity}/settings";
    vec![
        Route::get(path, Access::Control, page),
        Route::post(path, Access::Control, change),
    ]
}

/// Whoever may change the station.
pub(super) fn sees(viewer: &Viewer, station: &Station) -> bool {
    viewer.may_control(station.site_id)
}

async fn page(
    State(app): State<AppState>,
    mut frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, "settings").await?;
    html(&Settings {
        sites: choices(&mut db, &frame.viewer).await?,
        form: filled(&head.station)?,
        head,
        frame,
    })
}

async fn change(
    State(app): State<AppState>,
    mut frame: Frame,
    viewer: Viewer,
    Segment(identity): Segment,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(no_such_station)?;
    viewer.must_control(station.site_id)?;
    let before = filled(&station)?;
    let sites = choices(&mut db, &viewer).await?;
    let name = form.line("name", 0..=LONGEST);
    let site = site(&mut form, &sites);
    let mut status = StatusCode::UNPROCESSABLE_ENTITY;
    if form.is_clean() {
        status = form.against(&before).unwrap_or(status);
    }
    if !form.is_clean() {
        drop(db);
        let (_, head) = Head::open(&app, &mut frame, &identity, "settings").await?;
        let page = Settings {
            frame,
            head,
            form,
            sites,
        };
        return again(status, &page);
    }
    let mut options = switches(&station)?;
    options.assume_16 = form.checked("assume_16");
    options.log_heartbeats = form.checked("log_heartbeats");
    options.strict = form.checked("strict");
    let change = StationChange {
        name: Some(&name),
        site_id: Some(site),
        options: Some(&options),
        ..StationChange::default()
    };
    stations::change(&mut db, &identity, &change).await?;
    let after = stations_read::get(&mut db, &identity).await?;
    let after = filled(after.as_ref().unwrap_or(&station))?;
    let entity = format!("station/{}", station.id);
    let done = viewer.did(now, "station.change", entity, after.changes(&before));
    audit::record(&mut db, &done).await?;
    db.commit().await?;
    let path =
        askama::filters::urlencode_strict(&station.identity).expect("percent-encoding cannot fail");
    let said = Flash::new(format!("{} was saved.", station.identity));
    Ok(said.to(&app, &format!("/stations/{path}/settings")))
}

/// The sites where the reader may put it; none, for readers of all sites.
async fn choices(db: &mut Scoped<'_>, viewer: &Viewer) -> Result<Vec<(String, String)>> {
    let mut choices = Vec::new();
    if viewer.may_control(None) {
        choices.push((String::new(), "No site".to_owned()));
    }
    choices.extend(
        sites::list(db)
            .await?
            .into_iter()
            .filter(|site| viewer.may_control(Some(site.id)))
            .map(|site| (site.id.to_string(), site.name)),
    );
    Ok(choices)
}

/// The site that was chosen, of those that were offered.
fn site(form: &mut Form, offered: &[(String, String)]) -> Option<Uuid> {
    let chosen = form.value("site").to_owned();
    if !offered.iter().any(|site| site.0 == chosen) {
        form.complain(
            "site",
            "is none of the sites that you run; expected one of them",
        );
    }
    chosen.parse().ok()
}

fn switches(station: &Station) -> Result<Options> {
    serde_json::from_value(station.options.clone())
        .map_err(|error| Error::Broken(format!("the switches of {}: {error}", station.identity)))
}

/// What people can set, as the form has it.
fn filled(station: &Station) -> Result<Form> {
    let options = switches(station)?;
    let tick = |on: bool| if on { "yes".to_owned() } else { String::new() };
    Ok(Form::filled([
        ("name", station.name.clone()),
        (
            "site",
            station
                .site_id
                .map_or_else(String::new, |site| site.to_string()),
        ),
        ("assume_16", tick(options.assume_16)),
        ("log_heartbeats", tick(options.log_heartbeats)),
        ("strict", tick(options.strict)),
    ]))
}
