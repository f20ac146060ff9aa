//! `/tasks`: one action for many stations, and how far it is.

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{
    Scoped, sites,
    stations_read::Targets,
    tasks::{self as rows, Progress},
};
use uuid::Uuid;

use super::{
    commands::expires_in,
    input::{self, Params, Segment, not_json, printable},
    shape::{self, List, Stamp, verbatim},
};
use crate::{AppState, Error, Result, auth::Viewer, error::Complaint, orders::Order, tasks};

/// A task.
#[derive(Debug, Serialize)]
pub(crate) struct Task {
    id: Uuid,
    action: String,
    payload: Box<RawValue>,
    /// Of how many stations the end is known.
    done: i64,
    stations: i64,
    queued: i64,
    sent: i64,
    /// Answered as was wished.
    agreed: i64,
    refused: i64,
    failed: i64,
    expired: i64,
    cancelled: i64,
    effect_seen: i64,
    actor: Actor,
    created_at: Stamp,
    expires_at: Stamp,
    cancelled_at: Option<Stamp>,
}

#[derive(Debug, Serialize)]
struct Actor {
    kind: String,
    name: Option<String>,
}

impl From<rows::Task> for Task {
    fn from(task: rows::Task) -> Self {
        let progress = task.progress;
        let Progress {
            stations,
            queued,
            sent,
            agreed,
            refused,
            failed,
            expired,
            cancelled,
            seen,
        } = progress;
        Task {
            id: task.id,
            action: task.action,
            payload: verbatim(task.payload),
            done: progress.done(),
            stations,
            queued,
            sent,
            agreed,
            refused,
            failed,
            expired,
            cancelled,
            effect_seen: seen,
            actor: Actor {
                kind: task.actor_kind,
                name: task.actor,
            },
            created_at: Stamp(task.created_at),
            expires_at: Stamp(task.expires_at),
            cancelled_at: task.cancelled_at.map(Stamp),
        }
    }
}

/// What is asked for, and of whom: `stations` by name, or all of `site` and `filter`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    action: String,
    #[serde(borrow)]
    payload: &'a RawValue,
    expires_in: Option<serde_json::Value>,
    stations: Option<Vec<String>>,
    site: Option<String>,
    filter: Option<Filter>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    vendor: Option<String>,
    model: Option<String>,
    firmware: Option<String>,
    connected: Option<bool>,
}

/// Queues a task (202). If one station of it may not be commanded, nothing is queued.
pub(crate) async fn post(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
    request: Request,
) -> Result<(StatusCode, Json<Task>)> {
    let raw = params.flag("raw");
    params.finish()?;
    let body = input::body(request, &()).await?;
    let asked: Asked<'_> = serde_json::from_slice(&body).map_err(|error| {
        not_json(&format!(
            "{error}: expected {{\"action\": …, \"payload\": {{…}}, \"stations\": […]}}"
        ))
    })?;
    let order = Order {
        raw,
        expires_in: expires_in(asked.expires_in.clone())?,
        ..Order::new(asked.action.clone(), asked.payload.get())
    };
    let mut db = viewer.scope.begin(&app.pool).await?;
    let targets = targets(&mut db, asked).await?;
    let id = tasks::order(&mut db, &viewer, &targets, order, app.clock.now()).await?;
    let task = tasks::found(&mut db, &id.to_string()).await?;
    db.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(task.into())))
}

async fn targets(db: &mut Scoped<'_>, asked: Asked<'_>) -> Result<Targets> {
    let refuse = |place: &str, detail: String| Error::Invalid(vec![Complaint::at(place, detail)]);
    let by_filter = asked.site.is_some() || asked.filter.is_some();
    if asked.stations.is_some() == by_filter {
        let detail = "expected either stations, or site and filter".to_owned();
        return Err(refuse("/stations", detail));
    }
    if let Some(identities) = asked.stations {
        let unfit = identities
            .iter()
            .position(|identity| !printable(identity, 255));
        if let Some(at) = unfit {
            let detail = format!("{:?}: expected a station's identity", identities[at]);
            return Err(refuse(&format!("/stations/{at}"), detail));
        }
        return Ok(Targets {
            identities: Some(identities),
            ..Targets::default()
        });
    }
    let site_id = match asked.site {
        None => None,
        Some(site) => {
            let found = if printable(&site, 200) {
                sites::find(db, &site).await?
            } else {
                None
            };
            let detail = format!("{site:?}: expected the name or id of a site");
            Some(found.ok_or_else(|| refuse("/site", detail))?)
        }
    };
    let filter = asked.filter.unwrap_or_default();
    for (name, text) in [
        ("vendor", &filter.vendor),
        ("model", &filter.model),
        ("firmware", &filter.firmware),
    ] {
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            return Err(refuse(
                &format!("/filter/{name}"),
                "expected a text without NUL".to_owned(),
            ));
        }
    }
    Ok(Targets {
        identities: None,
        site_id,
        vendor: filter.vendor,
        model: filter.model,
        firmware: filter.firmware,
        connected: filter.connected,
    })
}

/// The tasks, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<Task>>> {
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let found = rows::list(&mut db, after, limit + 1).await?;
    Ok(shape::list(found, limit, shape::cursor, Task::from))
}

/// One task. What each station said: `/commands?task=…`, or `/tasks/{id}/csv`.
pub(crate) async fn get(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<Json<Task>> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    Ok(Json(tasks::found(&mut db, &id).await?.into()))
}

/// Takes back what was not sent yet.
pub(crate) async fn cancel(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<Json<Task>> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let task = tasks::found(&mut db, &id).await?;
    tasks::cancel(&mut db, &viewer, &task, app.clock.now()).await?;
    let after = tasks::found(&mut db, &id).await?;
    db.commit().await?;
    Ok(Json(after.into()))
}
