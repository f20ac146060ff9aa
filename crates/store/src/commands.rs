//! Commands: rows that ask the csms to CALL a station. The portal inserts them, the csms advances them.
//!
//! queued → sent → answered | error | timeout; queued → expired | cancelled; sent → unknown when nobody can tell whether
//! the station acted. An unknown command is never sent again by itself, but for those that only read.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::ingest::{Direction, MessageRow, messages};
use crate::{Result, Scoped, ids};

/// Rung with a station's id when a command of it waits.
pub const QUEUED_CHANNEL: &str = "forecourt_commands";
/// Rung with a command's id when it came to an end.
pub const ENDED_CHANNEL: &str = "forecourt_answers";

/// A command as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its id.
    pub id: Uuid,
    /// The station's identity, as registered.
    pub station: String,
    /// The OCPP action.
    pub action: String,
    /// The payload as it goes to the station.
    pub payload: String,
    /// queued, sent, answered, error, timeout, expired, cancelled or unknown.
    pub status: String,
    /// The CALLRESULT's payload to the letter.
    pub answer: Option<String>,
    /// The CALLERROR's code.
    pub error_code: Option<String>,
    /// The CALLERROR's description.
    pub error_description: Option<String>,
    /// What was seen to follow: after a Reset, the BootNotification.
    pub effect: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When the frame left.
    pub sent_at: Option<DateTime<Utc>>,
    /// When the station answered.
    pub answered_at: Option<DateTime<Utc>>,
}

/// A command to be queued.
#[derive(Debug, Clone)]
pub struct NewCommand<'a> {
    /// For which station.
    pub station_id: Uuid,
    /// The station's site.
    pub site_id: Option<Uuid>,
    /// The OCPP action.
    pub action: &'a str,
    /// The payload, JSON text.
    pub payload: &'a str,
    /// Sent without a check of the payload.
    pub raw: bool,
    /// user, api_key, cli or system.
    pub actor_kind: &'a str,
    /// Who.
    pub actor_id: Option<Uuid>,
    /// If it was not sent by then, it never is.
    pub expires_at: DateTime<Utc>,
}

/// Queues a command and rings for the csms.
pub async fn queue(
    db: &mut PgConnection,
    command: &NewCommand<'_>,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "with queued as (
           insert into commands (id, station_id, site_id, action, payload, raw, actor_kind, actor_id, created_at, expires_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10))
         select pg_notify($11, $2::uuid::text)",
        id,
        command.station_id,
        command.site_id,
        command.action,
        command.payload,
        command.raw,
        command.actor_kind,
        command.actor_id,
        now,
        command.expires_at,
        QUEUED_CHANNEL
    )
    .fetch_one(db)
    .await?;
    Ok(id)
}

/// A command of the scope.
pub async fn get(db: &mut Scoped<'_>, id: Uuid) -> Result<Option<Command>> {
    Ok(sqlx::query_as!(
        Command,
        r#"select c.id, s.identity as station, c.action, c.payload, c.status, c.answer, c.error_code,
                  c.error_description, c.effect, c.created_at, c.sent_at, c.answered_at
           from commands c join stations s on s.id = c.station_id where c.id = $1"#,
        id
    )
    .fetch_optional(&mut **db)
    .await?)
}

impl From<&Command> for Cursor {
    fn from(command: &Command) -> Self {
        Cursor {
            at: command.created_at,
            id: command.id,
        }
    }
}

/// The commands of the scope after `after`, newest first, at most `limit`; with `station`, those of that identity.
pub async fn list(
    db: &mut Scoped<'_>,
    station: Option<&str>,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Command>> {
    Ok(sqlx::query_as!(
        Command,
        r#"select c.id, s.identity as station, c.action, c.payload, c.status, c.answer, c.error_code,
                  c.error_description, c.effect, c.created_at, c.sent_at, c.answered_at
           from commands c join stations s on s.id = c.station_id
           where ($1::text is null or c.station_id = (select id from stations where lower(identity) = lower($1)))
             and (c.created_at, c.id)
                 < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by c.created_at desc, c.id desc limit $4"#,
        station,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}

/// A command that the caller must now send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// Its id.
    pub id: Uuid,
    /// The OCPP action.
    pub action: String,
    /// JSON text.
    pub payload: String,
}

/// Takes the oldest queued command of the station, unless one is under way. It counts as sent from here on: should we
/// die before the frame leaves, we cannot know that it did not.
pub async fn claim(
    db: &mut PgConnection,
    station_id: Uuid,
    message_id: &str,
    node: &str,
    now: DateTime<Utc>,
) -> Result<Option<Claimed>> {
    Ok(sqlx::query_as!(
        Claimed,
        "update commands set status = 'sent', sent_at = $3, message_id = $2, node = $4
         where id = (
             select id from commands where station_id = $1 and status = 'queued' and expires_at > $3
             order by created_at, id limit 1 for update skip locked)
           and not exists (select from commands where station_id = $1 and status = 'sent')
         returning id, action, payload",
        station_id,
        message_id,
        now,
        node
    )
    .fetch_optional(db)
    .await?)
}

/// How a sent command ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// CALLRESULT, with its payload to the letter.
    Answered(String),
    /// CALLERROR.
    Error {
        /// As the station spelt it.
        code: String,
        /// In its words.
        description: String,
    },
    /// No answer in time.
    Timeout,
}

/// Everything about a CALL of ours that came to an end.
#[derive(Debug, Clone)]
pub struct Ended<'a> {
    /// The command.
    pub id: Uuid,
    /// The station that was called.
    pub station_id: Uuid,
    /// The id of our CALL.
    pub message_id: &'a str,
    /// The OCPP action.
    pub action: &'a str,
    /// What we sent.
    pub payload: &'a str,
    /// When we sent it.
    pub sent_at: DateTime<Utc>,
    /// What came of it.
    pub outcome: &'a Outcome,
}

/// Writes how a sent command ended, its row in the message log and the event, and rings for whoever waits.
pub async fn end(db: &mut PgConnection, ended: &Ended<'_>, now: DateTime<Utc>) -> Result<()> {
    let (status, answer, code, description) = match ended.outcome {
        Outcome::Answered(answer) => ("answered", Some(answer), None, None),
        Outcome::Error { code, description } => ("error", None, Some(code), Some(description)),
        Outcome::Timeout => ("timeout", None, None, None),
    };
    let mut tx = db.begin().await?;
    let answered_at = (status != "timeout").then_some(now);
    sqlx::query!(
        "with ended as (
           update commands set status = $2, answer = $3, error_code = $4, error_description = $5, answered_at = $6
           where id = $1 and status in ('sent', 'unknown') returning id, site_id, station_id, action)
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $7, 'command.' || $2::text, site_id, station_id, id, jsonb_build_object('action', action) from ended",
        ended.id,
        status,
        answer,
        code,
        description,
        answered_at,
        now
    )
    .execute(&mut *tx)
    .await?;
    let message = MessageRow {
        id: ids::new_id(now),
        received_at: ended.sent_at,
        station_id: ended.station_id,
        direction: Direction::Out,
        message_id: ended.message_id.to_owned(),
        action: ended.action.to_owned(),
        payload: ended.payload.to_owned(),
        answer: answer.cloned(),
        error_code: code.cloned(),
        answered_at,
        findings: None,
    };
    messages::insert(&mut tx, &[&message]).await?;
    sqlx::query!(
        "select pg_notify($1, $2::uuid::text)",
        ENDED_CHANNEL,
        ended.id
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// What a node had sent and cannot be answered any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The node died: everything.
    All,
    /// The station has a new socket: everything sent to it.
    Station(Uuid),
    /// This command's socket is gone.
    Command(Uuid),
}

/// A socket was lost, or `node` died: what it had sent becomes unknown, and what only reads is queued again.
pub async fn lost(db: &mut PgConnection, node: &str, lost: Lost, now: DateTime<Utc>) -> Result<()> {
    let (station, command) = match lost {
        Lost::All => (None, None),
        Lost::Station(id) => (Some(id), None),
        Lost::Command(id) => (None, Some(id)),
    };
    sqlx::query!(
        r#"with lost as (
             update commands set
               status = case when action like 'Get%' or action = 'TriggerMessage' then 'queued' else 'unknown' end,
               sent_at = case when action like 'Get%' or action = 'TriggerMessage' then null else sent_at end
             where status = 'sent' and node = $1 and ($2::uuid is null or station_id = $2) and ($5::uuid is null or id = $5)
             returning id, site_id, station_id, action, status),
           told as (
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $3, 'command.unknown', site_id, station_id, id, jsonb_build_object('action', action)
             from lost where status = 'unknown')
           select pg_notify($4, id::text) from lost where status = 'unknown'"#,
        node,
        station,
        now,
        ENDED_CHANNEL,
        command
    )
    .fetch_all(db)
    .await?;
    Ok(())
}

/// Ends what was queued for too long.
pub async fn expire(db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"with late as (
             update commands set status = 'expired' where status = 'queued' and expires_at <= $1
             returning id, site_id, station_id, action),
           told as (
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $1, 'command.expired', site_id, station_id, id, jsonb_build_object('action', action) from late)
           select pg_notify($2, id::text) from late"#,
        now,
        ENDED_CHANNEL
    )
    .fetch_all(db)
    .await?;
    Ok(())
}

/// The stations that have a command to be sent; the fallback for a doorbell that nobody heard. (One that is under way
/// does not count here: it may have been lost, and only the station's connection knows.)
pub async fn waiting(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select distinct station_id from commands where status = 'queued' and expires_at > $1",
        now
    )
    .fetch_all(db)
    .await?)
}

/// Notes what was seen to follow from the last answered command of this action, if it was answered since `since`.
pub async fn effect_seen(
    db: &mut PgConnection,
    station_id: Uuid,
    action: &str,
    effect: &str,
    since: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update commands set effect = $3
         where id = (select id from commands where station_id = $1 and action = $2 and status in ('answered', 'unknown')
                       and coalesce(answered_at, sent_at) >= $4
                     order by created_at desc limit 1)
           and effect is null",
        station_id,
        action,
        effect,
        since
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes what was seen to follow from a command; the first effect stands.
pub async fn note_effect(db: &mut PgConnection, id: Uuid, effect: &str) -> Result<()> {
    sqlx::query!(
        "update commands set effect = $2 where id = $1 and effect is null",
        id,
        effect
    )
    .execute(db)
    .await?;
    Ok(())
}
