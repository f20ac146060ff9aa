//! `/commands`: what a station is asked to do, and what it answered.

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use chrono::TimeDelta;
use ocpp::{schema, version::Version};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use store::{
    Scoped,
    commands::{self, Filter, STATUSES},
    stations_read,
};
use uuid::Uuid;

use super::{
    input::{self, Params, Segment, not_json},
    shape::{self, List, Stamp, verbatim},
    stations::no_station,
};
use crate::{
    AppState, Error, Result, answers,
    auth::Viewer,
    error::Complaint,
    orders::{self, Order},
};

/// A command.
#[derive(Debug, Serialize)]
pub(crate) struct Command {
    id: Uuid,
    station: String,
    action: String,
    payload: Box<RawValue>,
    /// As it was ordered, where it was made to fit the station before it was sent.
    ordered_payload: Option<Box<RawValue>>,
    /// What was changed for that, in words.
    adapted: Option<String>,
    status: String,
    /// The answer's `status`: Accepted, Rejected, NotSupported, …
    verdict: Option<String>,
    /// The CALLRESULT's payload to the letter.
    answer: Option<Box<RawValue>>,
    error: Option<CallError>,
    /// The message that would show its effect.
    awaits: Option<String>,
    effect: Option<String>,
    actor: Actor,
    created_at: Stamp,
    expires_at: Stamp,
    sent_at: Option<Stamp>,
    answered_at: Option<Stamp>,
    effect_at: Option<Stamp>,
    rerun_of: Option<Uuid>,
    task: Option<Uuid>,
}

/// Who asked for it.
#[derive(Debug, Serialize)]
struct Actor {
    kind: String,
    name: Option<String>,
}

/// What a station's CALLERROR said.
#[derive(Debug, Serialize)]
struct CallError {
    code: String,
    description: String,
}

impl From<commands::Command> for Command {
    fn from(command: commands::Command) -> Self {
        let description = command.error_description.unwrap_or_default();
        Command {
            id: command.id,
            station: command.station,
            action: command.action,
            payload: verbatim(command.payload),
            ordered_payload: command.ordered.map(verbatim),
            adapted: command.adapted,
            status: command.status,
            verdict: command.verdict,
            answer: command.answer.map(verbatim),
            error: command
                .error_code
                .map(|code| CallError { code, description }),
            awaits: command.awaits,
            effect: command.effect,
            actor: Actor {
                kind: command.actor_kind,
                name: command.actor,
            },
            created_at: Stamp(command.created_at),
            expires_at: Stamp(command.expires_at),
            sent_at: command.sent_at.map(Stamp),
            answered_at: command.answered_at.map(Stamp),
            effect_at: command.effect_at.map(Stamp),
            rerun_of: command.rerun_of,
            task: command.task_id,
        }
    }
}

/// What is asked for. The payload goes to the station to the letter.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked<'a> {
    action: String,
    #[serde(borrow)]
    payload: &'a RawValue,
    /// Seconds that it may wait for its station.
    expires_in: Option<serde_json::Value>,
}

/// How long a command may wait.
pub(super) fn expires_in(asked: Option<serde_json::Value>) -> Result<TimeDelta> {
    let Some(asked) = asked.filter(|asked| !asked.is_null()) else {
        return Ok(orders::EXPIRES);
    };
    let longest = orders::LONGEST.num_seconds();
    asked
        .as_i64()
        .filter(|seconds| (1..=longest).contains(seconds))
        .map(TimeDelta::seconds)
        .ok_or_else(|| {
            let detail = format!("{asked}: expected a number of seconds from 1 to {longest}");
            Error::Invalid(vec![Complaint::at("/expires_in", detail)])
        })
}

/// Queues a command (202), and with `?wait=N` waits for its end (200). `?raw=1` skips the check and is audited so.
pub(crate) async fn post(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    mut params: Params,
    request: Request,
) -> Result<(StatusCode, Json<Command>)> {
    let patience = params.read("wait", "a number of seconds from 0 to 60", |text| {
        text.parse()
            .ok()
            .filter(|seconds| (0..=60).contains(seconds))
    });
    let raw = params.flag("raw");
    params.finish()?;
    let body = input::body(request, &()).await?;
    let asked: Asked<'_> = serde_json::from_slice(&body).map_err(|error| {
        not_json(&format!(
            "{error}: expected {{\"action\": …, \"payload\": {{…}}, \"expires_in\": …}}"
        ))
    })?;

    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(|| no_station(&identity))?;
    let order = Order {
        raw,
        expires_in: expires_in(asked.expires_in)?,
        ..Order::new(asked.action, asked.payload.get())
    };
    let id = orders::queue(&mut db, &viewer, &station, &order, app.clock.now()).await?;
    db.commit().await?;

    let patience = Duration::from_secs(patience.unwrap_or(0));
    let command = answers::wait(&app, &viewer.scope, id, patience)
        .await?
        .ok_or_else(|| Error::Broken(format!("the command {id} is gone")))?;
    let status = match command.status.as_str() {
        "answered" | "error" if !patience.is_zero() => StatusCode::OK,
        _ => StatusCode::ACCEPTED,
    };
    Ok((status, Json(command.into())))
}

/// The commands of a station, or of all, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<Command>>> {
    let (station, action) = (params.text("station"), params.text("action"));
    let status = params.read(
        "status",
        &format!("one of {}", STATUSES.join(", ")),
        |text| STATUSES.into_iter().find(|status| *status == text),
    );
    let task = params.read("task", "a UUID", |text| text.parse().ok());
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    let mut db = viewer.scope.begin(&app.pool).await?;
    if let Some(action) = action.as_deref()
        && !is_action(action)
        && !commands::is_ordered(&mut db, action).await?
    {
        let detail =
            format!("{action:?}: expected an action of OCPP, or one that was sent unchecked");
        params.complain("action", detail);
    }
    params.finish()?;
    if let Some(identity) = station.as_deref() {
        stations_read::get(&mut db, identity)
            .await?
            .ok_or_else(|| no_station(identity))?;
    }
    let filter = Filter {
        task,
        station: station.as_deref(),
        action: action.as_deref(),
        status,
        ..Filter::default()
    };
    let rows = commands::list(&mut db, &filter, after, limit + 1).await?;
    Ok(shape::list(rows, limit, shape::cursor, Command::from))
}

/// Whether a version of OCPP has this request to a station.
fn is_action(action: &str) -> bool {
    Version::ALL
        .into_iter()
        .any(|version| schema::commands(version).any(|message| message.action == action))
}

/// One command.
pub(crate) async fn get(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<Json<Command>> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    Ok(Json(found(&mut db, &id).await?.into()))
}

async fn found(db: &mut Scoped<'_>, id: &str) -> Result<commands::Command> {
    let nothing = || Error::NotFound(format!("there is no command {id:?}"));
    let id = id.parse().map_err(|_| nothing())?;
    commands::get(db, id).await?.ok_or_else(nothing)
}

/// Takes back a command that was not sent yet; 409 if it was.
pub(crate) async fn cancel(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<Json<Command>> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let command = found(&mut db, &id).await?;
    orders::cancel(&mut db, &viewer, &command, app.clock.now()).await?;
    let after = found(&mut db, &id).await?;
    db.commit().await?;
    Ok(Json(after.into()))
}

/// Orders the same once more (202); the new command names the old one.
pub(crate) async fn rerun(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<(StatusCode, Json<Command>)> {
    let mut db = viewer.scope.begin(&app.pool).await?;
    let command = found(&mut db, &id).await?;
    let again = orders::rerun(&mut db, &viewer, &command, app.clock.now()).await?;
    let again = found(&mut db, &again.to_string()).await?;
    db.commit().await?;
    Ok((StatusCode::ACCEPTED, Json(again.into())))
}
