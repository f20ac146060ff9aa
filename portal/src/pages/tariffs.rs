//! `/tariffs`: what charging costs. A list, and a page for each tariff: what it says, its versions, and where it holds.
//! Making versions is in [`edit`], trying them out in [`simulate`], files of them in [`files`].

pub mod draft;
pub mod edit;
pub mod files;
pub mod places;
pub mod simulate;

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
    response::Response,
};
use billing::tariff::{Kind, Price, Tariff};
use chrono::{DateTime, Utc};
use serde_json::json;
use store::{
    Scope, Scoped,
    audit::{self, Actor},
    connectors, driver_groups, people, sites,
    tariff_assignments::{self as assignments, Assignment},
    tariffs::{self, Version},
};
use uuid::Uuid;

use super::{
    again,
    asked::{Id, Parameters},
    flash::Flash,
    form::Form,
    frame::Frame,
    html,
};
use crate::{
    Access, AppState, Error, Result, Route,
    auth::Viewer,
    view::{
        Chip, Moment, number,
        tariff::{self as words, Rule},
        week::{self, Week},
    },
};

/// Where the list is.
const PATH: &str = "/tariffs";
/// Lines of what was done to a tariff.
const HISTORY: i64 = 20;

/// The routes of all tariff pages.
pub fn routes() -> Vec<Route> {
    let (read, write) = (Access::Read, Access::ControlAll);
    vec![
        Route::get("/tariffs", read, list),
        Route::post("/tariffs", write, edit::create),
        Route::get("/tariffs/new", write, edit::new),
        Route::get("/tariffs/import", write, files::ask),
        Route::post("/tariffs/import", write, files::import),
        Route::get("/tariffs/{id}", read, page),
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
        Route::get("/tariffs/{id}/versions/{version}", read, version_page),
        Route::get("/tariffs/{id}/versions/{version}/json", read, files::json),
        Route::get("/tariffs/{id}/versions/{version}/ocpi", read, files::ocpi),
        Route::get("/tariffs/{id}/simulate", read, simulate::page),
    ]
}

#[derive(Template)]
#[template(path = "tariffs.html")]
struct List {
    frame: Frame,
    archived: bool,
    rows: Vec<Row>,
}

struct Row {
    id: Uuid,
    name: String,
    currency: String,
    energy: String,
    besides: String,
    places: String,
    version: String,
    chip: Chip,
}

#[derive(Template)]
#[template(path = "tariff.html")]
struct Page {
    frame: Frame,
    form: Form,
    id: Uuid,
    name: String,
    currency: String,
    chip: Chip,
    may_edit: bool,
    shown: Option<Shown>,
    versions: Vec<Line>,
    places: Vec<places::Place>,
    sites: Vec<(String, String)>,
    stations: Vec<String>,
    groups: Vec<(String, String)>,
    archive_says: String,
    archive_path: String,
    history: Vec<Done>,
}

/// The version that the page shows.
struct Shown {
    number: i32,
    chip: Chip,
    from: Moment,
    until: Option<Moment>,
    includes_tax: bool,
    tax_rate: String,
    energy_week: Option<Week>,
    per_kwh: String,
    rules: Vec<Rule>,
    limits: Vec<String>,
    json: String,
}

struct Line {
    number: i32,
    from: Moment,
    made: Moment,
    chip: Chip,
}

struct Done {
    what: String,
    who: String,
    at: Moment,
}

/// `GET /tariffs`.
pub async fn list(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let archived = parameters.first("archived").is_some();
    let now = app.clock.now();
    let mut db = frame.scope.begin(&app.pool).await?;
    let places = assignments::list(&mut db, None).await?;
    let mut current: HashMap<Uuid, Version> = tariffs::versions_at(&mut db, now)
        .await?
        .into_iter()
        .map(|version| (version.tariff_id, version))
        .collect();
    let rows = tariffs::list(&mut db, archived)
        .await?
        .into_iter()
        .filter(|tariff| tariff.archived_at.is_some() == archived)
        .filter(|tariff| is_seen(&frame.scope, tariff.id, &places))
        .map(|tariff| {
            let version = current.remove(&tariff.id);
            let said = version.as_ref().and_then(|version| said(version).ok());
            let holds: Vec<&Assignment> = places
                .iter()
                .filter(|place| place.tariff_id == tariff.id && holds(place, now))
                .collect();
            Row {
                chip: state(tariff.archived_at, version.is_some(), !holds.is_empty()),
                energy: said.as_ref().map_or_else(String::new, energy),
                besides: said.as_ref().map_or_else(String::new, besides),
                places: some_of(&holds),
                version: version.map_or_else(String::new, |version| version.version.to_string()),
                id: tariff.id,
                name: tariff.name,
                currency: tariff.currency,
            }
        })
        .collect();
    html(&List {
        frame,
        archived,
        rows,
    })
}

/// `GET /tariffs/{id}`: its version that holds now, or else its newest.
pub async fn page(State(app): State<AppState>, frame: Frame, Id(id): Id) -> Result<Response> {
    html(&load(&app, frame, id, None, Form::default()).await?)
}

/// `GET /tariffs/{id}/versions/{version}`.
pub async fn version_page(
    State(app): State<AppState>,
    frame: Frame,
    Path((id, version)): Path<(String, String)>,
) -> Result<Response> {
    let (id, version) = numbers(&id, &version)?;
    html(&load(&app, frame, id, Some(version), Form::default()).await?)
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

/// The page of a tariff; `number` none is the version that holds now, or else the newest.
async fn load(
    app: &AppState,
    frame: Frame,
    id: Uuid,
    number: Option<i32>,
    form: Form,
) -> Result<Page> {
    let now = app.clock.now();
    let mut db = frame.scope.begin(&app.pool).await?;
    let (tariff, assigned) = seen(&mut db, &frame.scope, id).await?;
    let versions = tariffs::versions(&mut db, id).await?;
    let current = in_force(&versions, now);
    let shown = match number {
        Some(number) => {
            let version = versions.iter().find(|version| version.version == number);
            Some(version.ok_or_else(no_such_tariff)?)
        }
        None => current.or(versions.first()),
    };
    let holding = assigned.iter().filter(|place| holds(place, now)).count();
    let is_archived = tariff.archived_at.is_some();
    let named = |empty: &str| vec![(String::new(), empty.to_owned())];
    let (mut sites_named, mut groups) = (named("Any site"), named("Everybody"));
    let (mut stations, mut history) = (Vec::new(), Vec::new());
    if frame.controls_all {
        let all = sites::list(&mut db).await?;
        sites_named.extend(all.into_iter().map(|site| (site.id.to_string(), site.name)));
        let all = driver_groups::list(&mut db).await?;
        groups.extend(
            all.into_iter()
                .map(|group| (group.id.to_string(), group.name)),
        );
        stations = connectors::identities(&mut db).await?;
        history = done(&mut db, id).await?;
    }
    Ok(Page {
        chip: state(tariff.archived_at, current.is_some(), holding > 0),
        may_edit: frame.controls_all && !is_archived,
        shown: shown
            .map(|version| show(version, &versions, now))
            .transpose()?,
        versions: versions
            .iter()
            .map(|version| Line {
                number: version.version,
                from: Moment::new(version.valid_from, None),
                made: Moment::new(version.created_at, None),
                chip: version_chip(version, &versions, now),
            })
            .collect(),
        places: assigned
            .iter()
            .map(|place| places::Place::of(place, is_archived, now))
            .collect(),
        sites: sites_named,
        stations,
        groups,
        archive_says: archive_says(holding),
        archive_path: format!("{PATH}/{id}/archive"),
        history,
        id,
        name: tariff.name,
        currency: tariff.currency,
        form,
        frame,
    })
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

/// Until when a version holds: the next one that begins no earlier and is newer, or later, ends it.
fn ends(version: &Version, versions: &[Version]) -> Option<DateTime<Utc>> {
    versions
        .iter()
        .filter(|other| (other.valid_from, other.version) > (version.valid_from, version.version))
        .map(|other| other.valid_from)
        .min()
}

fn show(version: &Version, versions: &[Version], now: DateTime<Utc>) -> Result<Shown> {
    let tariff = said(version)?;
    Ok(Shown {
        number: version.version,
        chip: version_chip(version, versions, now),
        from: Moment::new(version.valid_from, None),
        until: ends(version, versions).map(|at| Moment::new(at, None)),
        includes_tax: tariff.prices_include_tax,
        tax_rate: tariff.tax_rate.normalize().to_string(),
        energy_week: Week::of(&tariff, Kind::Energy),
        per_kwh: format!("{}/kWh", tariff.currency),
        rules: words::rules(&tariff),
        limits: limits(&tariff),
        json: serde_json::to_string_pretty(&tariff)
            .map_err(|error| Error::Broken(format!("a tariff as JSON: {error}")))?,
    })
}

fn limits(tariff: &Tariff) -> Vec<String> {
    let code = tariff.currency.code();
    let mut words = Vec::new();
    for (what, limit) in [
        ("A session costs no less than", tariff.min_price),
        ("A session costs no more than", tariff.max_price),
    ] {
        let limit = limit.unwrap_or_default();
        for (side, amount) in [("without tax", limit.net), ("with tax", limit.total)] {
            words.extend(
                amount
                    .map(|amount| format!("{what} {} {code} {side}", number::money(amount, code))),
            );
        }
    }
    words
}

/// The prices per kWh, from the lowest to the highest.
fn energy(tariff: &Tariff) -> String {
    let mut fixed = Vec::new();
    let mut feeds = Vec::new();
    for component in components(tariff, Kind::Energy) {
        match &component.price {
            Price::Fixed(price) => fixed.push(*price),
            Price::Dynamic(_) => feeds.push(week::price(&component.price)),
        }
    }
    fixed.sort_unstable();
    let mut words = match (fixed.first(), fixed.last()) {
        (Some(low), Some(high)) if low == high => vec![week::decimals(*low)],
        (Some(low), Some(high)) => {
            vec![format!(
                "{} – {}",
                week::decimals(*low),
                week::decimals(*high)
            )]
        }
        _ => Vec::new(),
    };
    words.append(&mut feeds);
    words.join(", ")
}

/// The other kinds that have a price.
fn besides(tariff: &Tariff) -> String {
    Kind::ALL
        .into_iter()
        .filter(|kind| *kind != Kind::Energy && components(tariff, *kind).next().is_some())
        .map(words::kind)
        .collect::<Vec<_>>()
        .join(", ")
}

fn components(tariff: &Tariff, kind: Kind) -> impl Iterator<Item = &billing::tariff::Component> {
    tariff
        .elements
        .iter()
        .filter_map(move |element| element.component(kind))
}

fn some_of(places: &[&Assignment]) -> String {
    let shown: Vec<String> = places
        .iter()
        .take(3)
        .map(|place| places::name(place))
        .collect();
    let more = places.len().saturating_sub(shown.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    format!("{}{more}", shown.join(", "))
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

fn version_chip(version: &Version, versions: &[Version], now: DateTime<Utc>) -> Chip {
    Chip::tariff(if version.valid_from > now {
        "later"
    } else if in_force(versions, now).is_some_and(|current| current.id == version.id) {
        "in force"
    } else {
        "past"
    })
}

fn archive_says(holding: usize) -> String {
    match holding {
        0 => "It holds nowhere now. What it priced keeps its prices.".to_owned(),
        1 => "It holds at 1 place: sessions that start there from now on are priced by what else holds there, or by nothing.".to_owned(),
        several => format!("It holds at {several} places: sessions that start there from now on are priced by what else holds there, or by nothing."),
    }
}

/// What was done to a tariff, the last first.
async fn done(db: &mut Scoped<'_>, id: Uuid) -> Result<Vec<Done>> {
    let entries = audit::of(db, &entity(id), HISTORY).await?;
    let mut names: HashMap<Uuid, String> = HashMap::new();
    let mut lines = Vec::new();
    for entry in entries {
        let who = match entry.actor {
            Actor::User(user) => match names.get(&user) {
                Some(name) => name.clone(),
                None => {
                    let email = people::email(db, user).await?.unwrap_or_default();
                    names.insert(user, email.clone());
                    email
                }
            },
            Actor::ApiKey(_) => "an API key".to_owned(),
            Actor::Cli => "the command line".to_owned(),
            Actor::System => "the product".to_owned(),
        };
        lines.push(Done {
            what: told(&entry.action, &entry.detail),
            who,
            at: Moment::new(entry.at, None),
        });
    }
    Ok(lines)
}

fn told(action: &str, detail: &serde_json::Value) -> String {
    let text = |name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    match action {
        "tariff.create" => "Made".to_owned(),
        "tariff.version" => format!("Version {} made", detail["version"]),
        "tariff.rename" => format!(
            "Renamed from “{}”",
            detail["name"]["before"].as_str().unwrap_or_default()
        ),
        "tariff.archive" => "Archived".to_owned(),
        "tariff.restore" => "Restored".to_owned(),
        "tariff.assign" => format!("Assigned to {}", text("place")),
        "tariff.end" => format!("Ended at {}", text("place")),
        other => other.to_owned(),
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
