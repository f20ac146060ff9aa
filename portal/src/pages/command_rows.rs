//! Commands as rows of a table: of one station, or of one task.

use store::commands::{Command, is_agreed};
use uuid::Uuid;

use crate::view::{Chip, Moment, json::pretty};

/// A command as a page shows it.
pub struct Row {
    /// Its id.
    pub id: Uuid,
    /// The station's identity.
    pub station: String,
    /// The OCPP action.
    pub action: String,
    /// When it was asked for.
    pub at: Moment,
    /// Who asked for it.
    pub actor: String,
    /// Where it stands.
    pub chip: Chip,
    /// The station's own word, or its CALLERROR.
    pub verdict: Option<Chip>,
    /// What the CALLERROR said.
    pub error: String,
    /// What was seen to follow, or is waited for.
    pub effect: String,
    /// When that was seen.
    pub effect_at: Option<Moment>,
    /// How long the station took.
    pub took: String,
    /// The payload, laid out.
    pub payload: String,
    /// What was changed to make it fit the station, and what had been ordered.
    pub adapted: Option<(String, String)>,
    /// The answer, laid out.
    pub answer: String,
    /// Until when a queued one waits.
    pub expires: Option<Moment>,
    /// The one that it repeats.
    pub rerun_of: Option<Uuid>,
    /// The task that it is part of.
    pub task: Option<Uuid>,
    /// It may still be taken back.
    pub may_cancel: bool,
    /// It may be ordered once more.
    pub may_rerun: bool,
}

impl Row {
    /// A command in the zone of its station.
    pub fn new(command: &Command, zone: Option<&str>) -> Self {
        let is_queued = command.status == "queued";
        Row {
            id: command.id,
            station: command.station.clone(),
            action: command.action.clone(),
            at: Moment::new(command.created_at, zone),
            actor: actor(&command.actor_kind, command.actor.as_deref()),
            chip: Chip::command(&command.status),
            verdict: verdict(command),
            error: command.error_description.clone().unwrap_or_default(),
            effect: effect(command),
            effect_at: command.effect_at.map(|at| Moment::new(at, zone)),
            took: match (command.sent_at, command.answered_at) {
                (Some(sent), Some(answered)) => {
                    format!("{} ms", (answered - sent).num_milliseconds().max(0))
                }
                _ => String::new(),
            },
            payload: pretty(&command.payload),
            adapted: command
                .adapted
                .clone()
                .zip(command.ordered.as_deref().map(pretty)),
            answer: command.answer.as_deref().map(pretty).unwrap_or_default(),
            expires: is_queued.then(|| Moment::new(command.expires_at, zone)),
            rerun_of: command.rerun_of,
            task: command.task_id,
            may_cancel: is_queued,
            may_rerun: !is_queued && command.status != "sent" && !command.is_redacted,
        }
    }
}

/// Who asked: a mail address, a key's name, or the product itself.
pub fn actor(kind: &str, name: Option<&str>) -> String {
    match (kind, name) {
        (_, Some(name)) => name.to_owned(),
        ("system", None) => "Forecourt itself".to_owned(),
        ("cli", None) => "the command line".to_owned(),
        (_, None) => "somebody who is gone".to_owned(),
    }
}

fn verdict(command: &Command) -> Option<Chip> {
    let word = command
        .verdict
        .as_deref()
        .or(command.error_code.as_deref())?;
    let agreed = command.error_code.is_none() && is_agreed(Some(word));
    Some(Chip::verdict(word, agreed))
}

/// What was seen; what is waited for where the station agreed.
fn effect(command: &Command) -> String {
    if let Some(effect) = &command.effect {
        return effect.clone();
    }
    let agreed = command.status == "answered" && is_agreed(command.verdict.as_deref());
    match &command.awaits {
        Some(message) if agreed => format!("waits for {message}"),
        _ => String::new(),
    }
}
