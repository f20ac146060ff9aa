//! `/commands`: what a station is asked to do, and what it answered.

use std::time::Duration;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use chrono::TimeDelta;
use ocpp::{Version, schema};
use serde::{Deserialize, Serialize};
use serde_json::{json, value::RawValue};
use store::{
    audit::{self, Entry},
    commands::{self, Filter, NewCommand},
    stations_read::{self, Station},
};
use uuid::Uuid;

use super::{
    input::{self, Params, Segment, not_json},
    shape::{self, List, Stamp, verbatim},
    stations::no_station,
};
use crate::{AppState, Error, Result, answers, auth::Viewer, error::Complaint};

/// A command that no socket took by then expires: what was meant for now must not happen tonight.
const EXPIRES: TimeDelta = TimeDelta::minutes(10);
/// An action's name is not longer.
const LONGEST_ACTION: usize = 50;

/// A command.
#[derive(Debug, Serialize)]
pub(crate) struct Command {
    id: Uuid,
    station: String,
    action: String,
    payload: Box<RawValue>,
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
    let raw = params.read("raw", "1 or 0", |text| match text {
        "1" | "true" => Some(true),
        "0" | "false" => Some(false),
        _ => None,
    });
    params.finish()?;
    let raw = raw.unwrap_or(false);
    let body = input::body(request, &()).await?;
    let asked: Asked<'_> = serde_json::from_slice(&body).map_err(|error| {
        not_json(&format!(
            "{error}: expected {{\"action\": …, \"payload\": {{…}}}}"
        ))
    })?;

    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(|| no_station(&identity))?;
    viewer.must_control(station.site_id)?;
    check(&asked, version(&station), raw)?;
    let now = app.clock.now();
    let command = NewCommand {
        station_id: station.id,
        site_id: station.site_id,
        action: &asked.action,
        payload: asked.payload.get(),
        raw,
        actor_kind: viewer.actor.kind(),
        actor_id: viewer.actor.id(),
        expires_at: now + EXPIRES,
        rerun_of: None,
        task_id: None,
    };
    let id = commands::queue(&mut db, &command, now).await?;
    let entry = Entry {
        at: now,
        actor: viewer.actor,
        action: if raw { "command.raw" } else { "command.queue" }.to_owned(),
        entity: format!("station/{}", station.id),
        detail: json!({"command": id, "action": asked.action}),
    };
    audit::record(&mut db, &entry).await?;
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

/// The version that the station last spoke; one that never connected is taken for 1.6.
fn version(station: &Station) -> Version {
    station
        .protocol
        .as_deref()
        .and_then(Version::from_subprotocol)
        .unwrap_or(Version::V16)
}

/// What `check()` finds wrong, as complaints with JSON pointers into the body.
fn check(asked: &Asked<'_>, version: Version, raw: bool) -> Result<()> {
    let action = asked.action.as_str();
    let payload = asked.payload.get();
    let complaints = if raw {
        let mut complaints = Vec::new();
        if !input::printable(action, LONGEST_ACTION) {
            let detail = format!("{action:?}: expected 1 to {LONGEST_ACTION} printable characters");
            complaints.push(Complaint::at("/action", detail));
        }
        if !payload.starts_with('{') {
            complaints.push(Complaint::at("/payload", "expected a JSON object"));
        }
        complaints
    } else {
        match schema::commands(version).find(|message| message.action == action) {
            None => vec![Complaint::at(
                "/action",
                format!(
                    "{action:?} is no OCPP {version} request to a station: expected one of {}",
                    schema::commands(version)
                        .map(|message| message.action)
                        .collect::<Vec<_>>()
                        .join(", ")
                ),
            )],
            Some(message) => schema::check(message.request, payload)
                .iter()
                .map(|finding| {
                    let pointer = format!("/payload{}", finding.pointer);
                    let detail = match finding.value.as_str() {
                        "" => format!("missing: expected {}", finding.expected),
                        value => format!("{value}: expected {}", finding.expected),
                    };
                    Complaint::at(pointer, detail)
                })
                .collect(),
        }
    };
    if complaints.is_empty() {
        Ok(())
    } else {
        Err(Error::Invalid(complaints))
    }
}

/// The commands of a station, or of all, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<Command>>> {
    let (station, action, status) = (
        params.text("station"),
        params.text("action"),
        params.text("status"),
    );
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let filter = Filter {
        station: station.as_deref(),
        action: action.as_deref(),
        status: status.as_deref(),
        ..Filter::default()
    };
    let rows = commands::list(&mut db, &filter, after, limit + 1).await?;
    Ok(shape::list(rows, limit, shape::cursor, Command::from))
}

/// One command.
pub(crate) async fn get(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(id): Segment,
) -> Result<Json<Command>> {
    let nothing = || Error::NotFound(format!("there is no command {id:?}"));
    let command_id = id.parse().map_err(|_| nothing())?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let command = commands::get(&mut db, command_id)
        .await?
        .ok_or_else(nothing)?;
    Ok(Json(command.into()))
}
