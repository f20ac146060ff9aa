//! `/tariffs`: what charging costs. The routes, what is done to a tariff as a whole, and what its pages share: the
//! [`list`], and of each tariff its [`page`], making versions ([`edit`]), where they hold ([`places`]), trying them out
//! ([`simulate`]) and files of them ([`files`]).

pub mod draft;
pub mod edit;
pub mod files;
pub mod list;
pub mod page;
pub mod places;
pub mod simulate;

use axum::{extract::State, http::StatusCode, response::Response};
use billing::tariff::Tariff;
use chrono::{DateTime, Utc};
use serde_json::json;
use store::{
    Scope, Scoped, audit,
    tariff_assignments::{self as assignments, Assignment},
    tariffs::{self, Version},
};
use uuid::Uuid;

use super::{again, asked::Id, flash::Flash, form::Form};
use crate::{
    Access, AppState, Error, Result, Route, auth::Viewer, pages::frame::Frame, view::Chip,
};
use page::load;

/// Where the list is.
const PATH: &str = "/tariffs";

/// The routes of all tariff pages.
pub fn routes() -> Vec<Route> {
    let (read, write) = (Access::Read, Access::ControlAll);
    vec![
        Route::get("/tariffs", read, list::list),
        Route::post("/tariffs", write, edit::create),
        Route::get("/tariffs/new", write, edit::new),
        Route::get("/tariffs/import", write, files::ask),
        Route::post("/tariffs/import", write, files::import),
        Route::get("/tariffs/{id}", read, page::page),
        Route::post("/tariffs/{id}/name", write, rename),
        Route::post("/tariffs/{id}/archive", write, archive),
        Route::post("/tariffs/{id}/restore", write, restore),
        Route::post("/tariffs/{id}/assignments", write, places::assign),
        Route::post(
            "/tariffs/{id}/assignments/{assignment}/end",
            write,
            places::end,
        ),
        Route::get("/tariffs/{id}/versions/new", write, edit::new_version),
        Route::post("/tariffs/{id}/versions", write, edit::create_version),
        Route::get("/tariffs/{id}/versions/{version}", read, page::version_page),
        Route::get("/tariffs/{id}/versions/{version}/json", read, files::json),
        Route::get("/tariffs/{id}/versions/{version}/ocpi", read, files::ocpi),
        Route::get("/tariffs/{id}/simulate", read, simulate::page),
    ]
}

/// `POST /tariffs/{id}/name`.
pub async fn rename(
    State(app): State<AppState>,
    frame: Frame,
    viewer: Viewer,
    Id(id): Id,
    mut form: Form,
) -> Result<Response> {
    let now = app.clock.now();
    let name = form.line("name", 1..=100);
    let mut db = viewer.scope.begin(&app.pool).await?;
    let before = tariffs::get(&mut db, id)
        .await?
        .ok_or_else(no_such_tariff)?;
    if form.is_clean() {
        match tariffs::rename(&mut db, id, &name).await {
            Ok(_) => {
                let detail = json!({"name": {"before": before.name, "after": name}});
                let entry = viewer.did(now, "tariff.rename", entity(id), detail);
                audit::record(&mut db, &entry).await?;
                db.commit().await?;
                let said = Flash::new(format!("The tariff is called “{name}” now."));
                return Ok(said.to(&app, &format!("{PATH}/{id}")));
            }
            Err(error) => complain_of_name(&mut form, error)?,
        }
    }
    drop(db);
    let page = load(&app, frame, id, None, form).await?;
    again(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// `POST /tariffs/{id}/archive`.
pub async fn archive(State(app): State<AppState>, viewer: Viewer, Id(id): Id) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let tariff = tariffs::get(&mut db, id)
        .await?
        .ok_or_else(no_such_tariff)?;
    if tariffs::archive(&mut db, id, now).await? {
        let entry = viewer.did(now, "tariff.archive", entity(id), json!({}));
        audit::record(&mut db, &entry).await?;
        db.commit().await?;
    }
    let said = Flash::new(format!("“{}” was archived: it holds nowhere.", tariff.name))
        .with_undo(format!("{PATH}/{id}/restore"));
    Ok(said.to(&app, PATH))
}

/// `POST /tariffs/{id}/restore`.
pub async fn restore(State(app): State<AppState>, viewer: Viewer, Id(id): Id) -> Result<Response> {
    let now = app.clock.now();
    let mut db = viewer.scope.begin(&app.pool).await?;
    let tariff = tariffs::get(&mut db, id)
        .await?
        .ok_or_else(no_such_tariff)?;
    match tariffs::restore(&mut db, id).await {
        Ok(_) => {}
        Err(error) if error.is_conflict("tariffs_name_key") => {
            return Err(Error::Conflict(format!(
                "another tariff is called “{}” now: give that one another name first",
                tariff.name
            )));
        }
        Err(error) => return Err(error.into()),
    }
    let entry = viewer.did(now, "tariff.restore", entity(id), json!({}));
    audit::record(&mut db, &entry).await?;
    db.commit().await?;
    let said = Flash::new(format!(
        "“{}” is back, and holds where it is assigned.",
        tariff.name
    ));
    Ok(said.to(&app, &format!("{PATH}/{id}")))
}

/// A tariff that the scope may see, and where it holds as far as the scope sees that. A reader of some sites sees the
/// tariffs that are assigned there; the others do not exist for them.
async fn seen(
    db: &mut Scoped<'_>,
    scope: &Scope,
    id: Uuid,
) -> Result<(tariffs::Tariff, Vec<Assignment>)> {
    let tariff = tariffs::get(db, id).await?.ok_or_else(no_such_tariff)?;
    let places = assignments::list(db, Some(id)).await?;
    if !is_seen(scope, id, &places) {
        return Err(no_such_tariff());
    }
    Ok((tariff, places))
}

fn is_seen(scope: &Scope, id: Uuid, places: &[Assignment]) -> bool {
    *scope == Scope::All || places.iter().any(|place| place.tariff_id == id)
}

/// A version of a tariff that the scope may see.
async fn seen_version(
    db: &mut Scoped<'_>,
    scope: &Scope,
    id: Uuid,
    number: i32,
) -> Result<Version> {
    seen(db, scope, id).await?;
    tariffs::versions(db, id)
        .await?
        .into_iter()
        .find(|version| version.version == number)
        .ok_or_else(no_such_tariff)
}

/// What a version says.
fn said(version: &Version) -> Result<Tariff> {
    serde_json::from_value(version.content.clone()).map_err(|error| {
        Error::Broken(format!(
            "the content of tariff version {}: {error}",
            version.id
        ))
    })
}

/// The version of which it holds at an instant what it says.
fn in_force(versions: &[Version], at: DateTime<Utc>) -> Option<&Version> {
    versions
        .iter()
        .filter(|version| version.valid_from <= at)
        .max_by_key(|version| (version.valid_from, version.version))
}

/// Whether an assignment holds at an instant.
fn holds(place: &Assignment, at: DateTime<Utc>) -> bool {
    place.valid_from <= at && place.valid_to.is_none_or(|to| to > at)
}

fn state(archived_at: Option<DateTime<Utc>>, says: bool, holds: bool) -> Chip {
    match (archived_at, says, holds) {
        (Some(_), ..) => Chip::tariff("archived"),
        (None, true, true) => Chip::tariff("in force"),
        (None, false, _) => Chip::tariff("later"),
        (None, true, false) => Chip::tariff("unassigned"),
    }
}

fn entity(id: Uuid) -> String {
    format!("tariff/{id}")
}

/// The id and the number in a path; what is none names nothing.
fn numbers(id: &str, version: &str) -> Result<(Uuid, i32)> {
    id.parse()
        .ok()
        .zip(version.parse().ok())
        .ok_or_else(no_such_tariff)
}

/// What the database refused by name is something to be corrected.
fn complain_of_name(form: &mut Form, error: store::Error) -> Result<()> {
    if error.is_conflict("tariffs_name_key") {
        form.complain(
            "name",
            "is the name of another tariff; expected one of its own",
        );
        return Ok(());
    }
    Err(error.into())
}

fn no_such_tariff() -> Error {
    Error::NotFound("there is no such tariff".to_owned())
}
