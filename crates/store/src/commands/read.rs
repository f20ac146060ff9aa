//! Commands as people see them.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::{Result, Scoped};

/// A command as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: Uuid,
    /// The station's identity, as registered.
    pub station: String,
    /// The OCPP action.
    pub action: String,
    /// The payload as it goes to the station, without what is secret in it.
    pub payload: String,
    /// Whether the payload is not the whole one: it held a secret.
    pub is_redacted: bool,
    /// As it was ordered, if it was made to fit the station before it was sent.
    pub ordered: Option<String>,
    /// What was changed for that, in words.
    pub adapted: Option<String>,
    /// Sent without a check of the payload.
    pub raw: bool,
    /// queued, sent, answered, error, timeout, expired, cancelled or unknown.
    pub status: String,
    /// The CALLRESULT's payload to the letter.
    pub answer: Option<String>,
    /// The answer's `status` to the letter: Accepted, Rejected, NotSupported, Scheduled, …
    pub verdict: Option<String>,
    /// The CALLERROR's code.
    pub error_code: Option<String>,
    /// The CALLERROR's description.
    pub error_description: Option<String>,
    /// The message that would show its effect.
    pub awaits: Option<String>,
    /// What was seen to follow: after a Reset, the BootNotification.
    pub effect: Option<String>,
    /// When that was seen.
    pub effect_at: Option<DateTime<Utc>>,
    /// user, api_key, cli or system.
    pub actor_kind: String,
    /// The person's mail or the key's name.
    pub actor: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// If it was not sent by then, it never is.
    pub expires_at: DateTime<Utc>,
    /// When the frame left.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the station answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// The command that this one repeats.
    pub rerun_of: Option<Uuid>,
    /// The task that it is part of.
    pub task_id: Option<Uuid>,
}

impl From<&Command> for Cursor {
    fn from(command: &Command) -> Self {
        Cursor {
            at: command.created_at,
            id: command.id,
        }
    }
}

/// Where a command can stand.
pub const STATUSES: [&str; 8] = [
    "queued",
    "sent",
    "answered",
    "error",
    "timeout",
    "expired",
    "cancelled",
    "unknown",
];

/// Which commands; the empty filter is every command of the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter<'a> {
    /// This one.
    pub id: Option<Uuid>,
    /// Of the station of this identity, whatever the case.
    pub station: Option<&'a str>,
    /// Of this task.
    pub task: Option<Uuid>,
    /// Of this action.
    pub action: Option<&'a str>,
    /// In this state.
    pub status: Option<&'a str>,
}

/// Whether a command of the scope has this action.
pub async fn is_ordered(db: &mut Scoped<'_>, action: &str) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from commands where action = $1) as "is!""#,
        action
    )
    .fetch_one(&mut **db)
    .await?)
}

/// A command of the scope.
pub async fn get(db: &mut Scoped<'_>, id: Uuid) -> Result<Option<Command>> {
    let filter = Filter {
        id: Some(id),
        ..Filter::default()
    };
    Ok(list(db, &filter, None, 1).await?.pop())
}

/// The commands of the filter after `after`, newest first, at most `limit`.
pub async fn list(
    db: &mut Scoped<'_>,
    filter: &Filter<'_>,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Command>> {
    Ok(sqlx::query_as!(
        Command,
        r#"select c.id, s.identity as station, c.action, coalesce(c.shown, c.payload) as "payload!",
                  c.shown is not null as "is_redacted!", c.ordered, c.adapted, c.raw, c.status, c.answer, c.verdict, c.error_code,
                  c.error_description, c.awaits, c.effect, c.effect_at, c.actor_kind,
                  coalesce(u.email, k.name) as actor, c.created_at, c.expires_at, c.sent_at, c.answered_at,
                  c.rerun_of, c.task_id
           from commands c join stations s on s.id = c.station_id
           left join users u on c.actor_kind = 'user' and u.id = c.actor_id
           left join api_keys k on c.actor_kind = 'api_key' and k.id = c.actor_id
           where ($1::uuid is null or c.id = $1)
             and ($2::text is null or c.station_id = (select id from stations where lower(identity) = lower($2)))
             and ($3::uuid is null or c.task_id = $3)
             and ($4::text is null or c.action = $4)
             and ($5::text is null or c.status = $5)
             and (c.created_at, c.id)
                 < (coalesce($6::timestamptz, 'infinity'), coalesce($7::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by c.created_at desc, c.id desc limit $8"#,
        filter.id,
        filter.station,
        filter.task,
        filter.action,
        filter.status,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}
