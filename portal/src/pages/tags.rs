//! `/tags`: id tags, who may charge, filtered by the query; and those that were tried at a reader and that nobody
//! registered. They belong to no site: readers of all sites alone see them.

mod edit;
mod file;

use askama::Template;
use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use store::{
    authorize_attempts::{self, Unknown},
    id_tokens::{self, Filter, Listed},
};
use uuid::Uuid;

use super::{
    asked::{Parameters, query},
    frame::Frame,
    html,
};
use crate::{
    Access, AppState, Result, Route,
    view::{Chip, Moment, number},
};

/// Tags on one page.
const PAGE: i64 = 50;
/// Unknown tags shown.
const UNKNOWN: i64 = 50;
/// Stations named of an unknown tag.
const STATIONS: usize = 3;
/// As `store` knows them.
const STATUSES: [&str; 4] = ["accepted", "blocked", "expired", "invalid"];

/// The routes.
pub(super) fn routes() -> Vec<Route> {
    let (read, write) = (Access::ReadAll, Access::ControlAll);
    vec![
        Route::get("/tags", read, list),
        Route::get("/tags.csv", read, file::csv),
        Route::post("/tags", write, edit::create),
        Route::post("/tags/import", write, file::import),
        Route::get("/tags/new", write, edit::new),
        Route::get("/tags/{token}", read, edit::page),
        Route::post("/tags/{token}", write, edit::change),
        Route::post("/tags/{token}/delete", write, edit::delete),
        Route::post("/tags/{token}/add", write, edit::add),
        Route::post("/tags/{token}/forget", write, edit::forget),
    ]
}

/// What the list was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Asked {
    filter: Filter,
    after: Option<String>,
}

impl Asked {
    fn read(parameters: &Parameters) -> Result<Self> {
        let short = |name| {
            parameters.read(name, "at most 100 characters", |text| {
                (text.chars().count() <= 100).then(|| text.to_owned())
            })
        };
        let expected = format!("one of {}", STATUSES.join(", "));
        let status = parameters.read("status", &expected, |text| {
            STATUSES.into_iter().find(|status| *status == text)
        })?;
        Ok(Asked {
            filter: Filter {
                token: None,
                text: short("q")?,
                status: status.map(str::to_owned),
                parent: short("parent")?,
            },
            after: short("after")?,
        })
    }

    fn any(&self) -> bool {
        self.filter != Filter::default()
    }

    fn text(&self) -> &str {
        self.filter.text.as_deref().unwrap_or_default()
    }

    fn parent(&self) -> &str {
        self.filter.parent.as_deref().unwrap_or_default()
    }

    fn is_status(&self, status: &str) -> bool {
        self.filter.status.as_deref() == Some(status)
    }

    fn link(&self, after: Option<&str>) -> String {
        let filter = &self.filter;
        let mut pairs = Vec::new();
        pairs.extend(filter.text.clone().map(|text| ("q", text)));
        pairs.extend(filter.status.clone().map(|status| ("status", status)));
        pairs.extend(filter.parent.clone().map(|parent| ("parent", parent)));
        pairs.extend(after.map(|after| ("after", after.to_owned())));
        format!("/tags{}", query(&pairs))
    }
}

#[derive(Template)]
#[template(path = "tags.html")]
struct Tags {
    frame: Frame,
    asked: Asked,
    statuses: Vec<(&'static str, Chip)>,
    rows: Vec<Row>,
    total: String,
    first_link: String,
    next_link: Option<String>,
    file_link: String,
    unknown: Vec<UnknownRow>,
}

struct Row {
    id: Uuid,
    token: String,
    kind: String,
    chip: Chip,
    owner: String,
    parent: String,
    group: Option<(Uuid, String)>,
    expires: Option<Moment>,
    limit: String,
    open: i64,
}

struct UnknownRow {
    token: String,
    attempts: String,
    stations: Vec<String>,
    more: usize,
    first: Moment,
    last: Moment,
    age: String,
}

/// `GET /tags`.
async fn list(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    let asked = Asked::read(&parameters)?;
    let now = app.clock.now();
    let mut db = frame.scope.begin(&app.pool).await?;
    let mut found =
        id_tokens::search(&mut db, &asked.filter, asked.after.as_deref(), PAGE + 1).await?;
    let page = usize::try_from(PAGE).unwrap_or(usize::MAX);
    let more = found.len() > page;
    found.truncate(page);
    let last = found.last().map(|last| last.token.token.clone());
    let unknown =
        authorize_attempts::unknown(&mut db, asked.filter.text.as_deref(), UNKNOWN).await?;
    html(&Tags {
        statuses: STATUSES
            .map(|status| (status, Chip::tag(status, false)))
            .to_vec(),
        total: number::count(id_tokens::count(&mut db, &asked.filter).await?),
        rows: found.into_iter().map(|tag| row(tag, now)).collect(),
        file_link: asked.link(None).replacen("/tags", "/tags.csv", 1),
        first_link: asked.link(None),
        next_link: last.filter(|_| more).map(|last| asked.link(Some(&last))),
        unknown: unknown
            .into_iter()
            .map(|unknown| unknown_row(unknown, now))
            .collect(),
        asked,
        frame,
    })
}

fn row(tag: Listed, now: DateTime<Utc>) -> Row {
    let token = tag.token;
    Row {
        id: tag.id,
        chip: Chip::tag(
            &token.status,
            token.expires_at.is_some_and(|expires| expires <= now),
        ),
        token: token.token,
        kind: token.kind,
        owner: token.owner,
        parent: token.parent.unwrap_or_default(),
        group: tag.group,
        expires: token.expires_at.map(|expires| Moment::new(expires, None)),
        limit: token
            .max_active
            .map_or_else(String::new, |most| most.to_string()),
        open: tag.open,
    }
}

fn unknown_row(unknown: Unknown, now: DateTime<Utc>) -> UnknownRow {
    let mut stations: Vec<String> = Vec::new();
    for station in unknown.stations {
        if !stations.contains(&station) {
            stations.push(station);
        }
    }
    let more = stations.len().saturating_sub(STATIONS);
    stations.truncate(STATIONS);
    UnknownRow {
        token: unknown.token,
        attempts: number::count(unknown.attempts),
        stations,
        more,
        first: Moment::new(unknown.first_at, None),
        last: Moment::new(unknown.last_at, None),
        age: number::age_by_the_minute(now - unknown.last_at),
    }
}
