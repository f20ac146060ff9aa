//! `/tariffs/{id}`: what a tariff says, its versions, where it holds, and what was done to it.

use std::collections::HashMap;

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};
use billing::tariff::{Kind, Tariff};
use chrono::{DateTime, Utc};
use store::{
    Scoped,
    audit::{self, Actor},
    connectors, driver_groups, people, sites,
    tariffs::{self, Version},
};
use uuid::Uuid;

use super::{PATH, entity, holds, in_force, no_such_tariff, numbers, places, said, seen, state};
use crate::{
    AppState, Error, Result,
    pages::{asked::Id, form::Form, frame::Frame, html},
    view::{
        Chip, Moment, number,
        tariff::{self as words, Rule},
        week::Week,
    },
};

/// Lines of what was done to a tariff.
const HISTORY: i64 = 20;

#[derive(Template)]
#[template(path = "tariff.html")]
pub(super) struct Page {
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

/// The page of a tariff; `number` none is the version that holds now, or else the newest.
pub(super) async fn load(
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

fn version_chip(version: &Version, versions: &[Version], now: DateTime<Utc>) -> Chip {
    Chip::tariff(if version.valid_from > now {
        "later"
    } else if in_force(versions, now).is_some_and(|current| current.id == version.id) {
        "in force"
    } else {
        "past"
    })
}

/// Until when a version holds: the next one that begins no earlier and is newer, or later, ends it.
fn ends(version: &Version, versions: &[Version]) -> Option<DateTime<Utc>> {
    versions
        .iter()
        .filter(|other| (other.valid_from, other.version) > (version.valid_from, version.version))
        .map(|other| other.valid_from)
        .min()
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
