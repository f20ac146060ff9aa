//! Commands as they are ordered, by pages and programs alike: checked, queued, and written in the audit log in the same
//! transaction. Nothing else in this room makes a command.

use chrono::{DateTime, TimeDelta, Utc};
use ocpp::{
    Version,
    limits::{self, Known},
    schema,
};
use serde_json::{Value, json};
use store::{
    Scoped,
    audit::{self, Entry},
    commands::{self, Command, NewCommand, redact},
    stations_read::{Station, Target},
};
use uuid::Uuid;

use crate::{Error, Result, auth::Viewer, error::Complaint, guards};

mod change;

/// A command that no socket took by then expires, unless it was ordered otherwise: what was meant for now must not happen
/// tonight.
pub const EXPIRES: TimeDelta = TimeDelta::minutes(10);
/// The longest that a command may wait for its station.
pub const LONGEST: TimeDelta = TimeDelta::days(30);
/// An action's name is not longer.
const LONGEST_ACTION: usize = 50;

/// What is ordered. The payload goes to the station to the letter.
#[derive(Debug, Clone)]
pub struct Order {
    /// The OCPP action.
    pub action: String,
    /// JSON text.
    pub payload: String,
    /// Not checked, and audited so.
    pub raw: bool,
    /// How long it may wait for its station.
    pub expires_in: TimeDelta,
    /// The command that it repeats.
    pub rerun_of: Option<Uuid>,
    /// The task that it is part of.
    pub task_id: Option<Uuid>,
}

impl Order {
    /// An action with its payload, to be carried out soon.
    pub fn new(action: impl Into<String>, payload: impl Into<String>) -> Self {
        Order {
            action: action.into(),
            payload: payload.into(),
            raw: false,
            expires_in: EXPIRES,
            rerun_of: None,
            task_id: None,
        }
    }

    /// What is wrong with it, as complaints with JSON pointers into `{"action": …, "payload": …}`.
    pub fn complaints(&self, version: Version, known: &Known) -> Vec<Complaint> {
        let mut found = if self.raw {
            raw_complaints(&self.action, &self.payload)
        } else {
            complaints(&self.action, &self.payload, version, known)
        };
        if let Ok(payload) = serde_json::from_str(&self.payload) {
            unstorable(&payload, "/payload", &mut found);
        }
        found
    }
}

/// Texts with the character NUL, which no database column takes: a payload that is sent is a payload that is kept.
fn unstorable(value: &Value, pointer: &str, found: &mut Vec<Complaint>) {
    let is_bad = |text: &str| text.contains('\0');
    match value {
        Value::String(text) if is_bad(text) => {
            let detail = format!("{text:?}: expected a text without the character NUL");
            found.push(Complaint::at(pointer, detail));
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                unstorable(item, &format!("{pointer}/{at}"), found);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                if is_bad(name) {
                    let detail = format!("{name:?}: expected a name without the character NUL");
                    found.push(Complaint::at(pointer, detail));
                } else {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    unstorable(member, &format!("{pointer}/{name}"), found);
                }
            }
        }
        _ => {}
    }
}

fn raw_complaints(action: &str, payload: &str) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let is_name = !action.is_empty()
        && action.chars().count() <= LONGEST_ACTION
        && !action.chars().any(char::is_control);
    if !is_name {
        let detail = format!("{action:?}: expected 1 to {LONGEST_ACTION} printable characters");
        complaints.push(Complaint::at("/action", detail));
    }
    let is_object = serde_json::from_str::<Value>(payload).is_ok_and(|value| value.is_object());
    if !is_object {
        complaints.push(Complaint::at("/payload", "expected a JSON object"));
    }
    complaints
}

fn complaints(action: &str, payload: &str, version: Version, known: &Known) -> Vec<Complaint> {
    let Some(message) = schema::commands(version).find(|message| message.action == action) else {
        let names: Vec<&str> = schema::commands(version)
            .map(|message| message.action)
            .collect();
        let detail = format!(
            "{action:?} is no OCPP {version} request to a station: expected one of {}",
            names.join(", ")
        );
        return vec![Complaint::at("/action", detail)];
    };
    let mut findings = schema::check(message.request, payload);
    if findings.is_empty() {
        findings = limits::check(version, action, payload, known);
    }
    findings
        .iter()
        .map(|finding| {
            let detail = match finding.value.as_str() {
                "" => format!("missing: expected {}", finding.expected),
                value => format!("{value}: expected {}", finding.expected),
            };
            Complaint::at(format!("/payload{}", finding.pointer), detail)
        })
        .collect()
}

/// The version that a station last spoke; one that never connected is taken for 1.6.
pub fn version(protocol: Option<&str>) -> Version {
    protocol
        .and_then(Version::from_subprotocol)
        .unwrap_or(Version::V16)
}

/// What an order for this station is checked with.
pub(crate) fn known(station: &Station, now: DateTime<Utc>) -> Known {
    Known {
        now,
        security_profile: station.security_profile,
    }
}

/// Checks an order and queues it for one station.
///
/// # Errors
/// [`Error::Forbidden`] if the station is not the viewer's to command, [`Error::Invalid`] with every complaint.
pub async fn queue(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let target = Target {
        id: station.id,
        identity: station.identity.clone(),
        site_id: station.site_id,
        protocol: station.protocol.clone(),
    };
    viewer.must_control(target.site_id)?;
    let known = known(station, now);
    let complaints = order.complaints(version(target.protocol.as_deref()), &known);
    if !complaints.is_empty() {
        return Err(Error::Invalid(complaints));
    }
    put(db, viewer, &target, order, now).await
}

/// Queues a checked order for a station that the viewer may command, with its line in the audit log.
pub(crate) async fn put(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Target,
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    guards::open_passwords(db, station.id, &order.action, &order.payload).await?;
    if !order.raw {
        guards::served_profile(db, &order.action, &order.payload).await?;
        guards::last_root(db, station.id, &order.action, &order.payload).await?;
    }
    let command = NewCommand {
        station_id: station.id,
        site_id: station.site_id,
        action: &order.action,
        payload: &order.payload,
        raw: order.raw,
        actor_kind: viewer.actor.kind(),
        actor_id: viewer.actor.id(),
        expires_at: now + order.expires_in,
        rerun_of: order.rerun_of,
        task_id: order.task_id,
    };
    // The rows change when the station has answered, and not before.
    let change = change::of(db, (station.id, &station.identity), order, now).await?;
    let (before, after) = change.told();
    let id = commands::queue(db, &command, now).await?;
    let word = match (order.rerun_of, order.raw) {
        (Some(_), _) => "command.rerun",
        (None, true) => "command.raw",
        (None, false) => "command.queue",
    };
    let detail = json!({
        "command": id, "action": order.action, "payload": shown(&order.action, &order.payload),
        "before": before, "after": after, "rerun_of": order.rerun_of, "task": order.task_id,
    });
    record(db, viewer, word, station, detail, now).await?;
    Ok(id)
}

/// Takes back a command that was not sent yet.
///
/// # Errors
/// [`Error::Conflict`] if it was, or has ended; [`Error::Forbidden`] if it is not the viewer's to command.
pub async fn cancel(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    command: &Command,
    now: DateTime<Utc>,
) -> Result<()> {
    let station = station_of(db, viewer, command).await?;
    if !commands::cancel(db, command.id, now).await? {
        return Err(Error::Conflict(format!(
            "the command is {} already; only one that is queued can be cancelled",
            commands::get(db, command.id)
                .await?
                .map_or_else(|| "gone".to_owned(), |now| now.status)
        )));
    }
    let detail = json!({"command": command.id, "action": command.action});
    record(db, viewer, "command.cancel", &station, detail, now).await
}

/// Orders the same once more: a new command that names the old one.
///
/// # Errors
/// [`Error::Conflict`] if it held a secret, which is not kept.
pub async fn rerun(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    command: &Command,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    if command.is_redacted {
        return Err(Error::Conflict(
            "its payload held a secret, which is not kept; order it anew".to_owned(),
        ));
    }
    let station = store::stations_read::get(db, &command.station)
        .await?
        .ok_or_else(|| Error::NotFound(format!("there is no station {:?}", command.station)))?;
    // What was ordered, not what was made of it for the station as it was known then.
    let payload = command.ordered.as_ref().unwrap_or(&command.payload).clone();
    let order = Order {
        raw: command.raw,
        expires_in: (command.expires_at - command.created_at).clamp(EXPIRES, LONGEST),
        rerun_of: Some(command.id),
        ..Order::new(command.action.clone(), payload)
    };
    queue(db, viewer, &station, &order, now).await
}

async fn station_of(db: &mut Scoped<'_>, viewer: &Viewer, command: &Command) -> Result<Target> {
    let station = store::stations_read::get(db, &command.station)
        .await?
        .ok_or_else(|| Error::NotFound(format!("there is no station {:?}", command.station)))?;
    viewer.must_control(station.site_id)?;
    Ok(Target {
        id: station.id,
        identity: station.identity,
        site_id: station.site_id,
        protocol: station.protocol,
    })
}

async fn record(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    word: &str,
    station: &Target,
    detail: Value,
    now: DateTime<Utc>,
) -> Result<()> {
    let entry = Entry {
        at: now,
        actor: viewer.actor,
        action: word.to_owned(),
        entity: format!("station/{}", station.id),
        detail,
    };
    Ok(audit::record(db, &entry).await?)
}

/// A payload as the audit log may have it: without secrets.
pub(crate) fn shown(action: &str, payload: &str) -> Value {
    let shown = redact::payload(action, payload).unwrap_or_else(|| payload.to_owned());
    serde_json::from_str(&shown).unwrap_or(Value::String(shown))
}
