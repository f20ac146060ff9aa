//! Commands: rows that ask the csms to CALL a station. The portal inserts them, the csms advances them.
//!
//! queued → sent → answered | error | timeout; queued → expired | cancelled; sent → unknown when nobody can tell whether
//! the station acted. An unknown command is never sent again by itself, but for those that only read. What people see of
//! them is in `read`, what is not kept in `redact`, and what follows from one in `sequel`.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::credentials::{self, Order};
use crate::ingest::{Direction, MessageRow, messages};
use crate::{Result, ids};

mod effects;
mod read;
pub mod redact;
mod sequel;
mod starts;
mod verdict;

pub use effects::{Awaiting, awaiting, note_effect};
pub use read::{Command, Filter, STATUSES, get, is_ordered, list};
pub use sequel::{Sequel, words};
pub use starts::{may_start, refused_start};
pub use verdict::{is_agreed, verdict};

/// Rung with a station's id when a command of it waits.
pub const QUEUED_CHANNEL: &str = "forecourt_commands";
/// Rung with a command's id when it came to an end.
pub const ENDED_CHANNEL: &str = "forecourt_answers";

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
    /// The command that it repeats.
    pub rerun_of: Option<Uuid>,
    /// The task that it is part of.
    pub task_id: Option<Uuid>,
}

/// Queues a command and rings for the csms.
pub async fn queue(
    db: &mut PgConnection,
    command: &NewCommand<'_>,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    queue_for(db, command, None, now).await
}

/// Queues a command that is not to be sent before a time.
pub async fn queue_for(
    db: &mut PgConnection,
    command: &NewCommand<'_>,
    not_before: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new_id(now);
    if let Some(order) = Order::of(command.action, command.payload) {
        credentials::ordered(db, id, command.station_id, order, now).await?;
    }
    sqlx::query!(
        "with queued as (
           insert into commands (id, station_id, site_id, action, payload, raw, actor_kind, actor_id, created_at, expires_at,
             rerun_of, task_id, shown, awaits, not_before)
           values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $12, $13, $14, $15, $16))
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
        QUEUED_CHANNEL,
        command.rerun_of,
        command.task_id,
        redact::payload(command.action, command.payload),
        Sequel::of(command.action, command.payload).map(|sequel| sequel.message),
        not_before
    )
    .fetch_one(db)
    .await?;
    Ok(id)
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
    /// To be sent as it is.
    pub raw: bool,
}

/// Takes the oldest queued command of the station that is due, unless one is under way. It counts as sent from here on: should we
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
               and coalesce(not_before <= $3, true)
             order by coalesce(not_before, created_at), created_at, id limit 1 for update skip locked)
           and not exists (select from commands where station_id = $1 and status = 'sent')
         returning id, action, payload, raw",
        station_id,
        message_id,
        now,
        node
    )
    .fetch_optional(db)
    .await?)
}

/// A command that was just claimed is made to fit its station: from here on its payload is `payload`. What was ordered stays
/// beside it, with what was changed in words.
pub async fn adapt(db: &mut PgConnection, id: Uuid, payload: &str, what: &str) -> Result<()> {
    sqlx::query!(
        "update commands set ordered = payload, payload = $2, adapted = $3 where id = $1 and status = 'sent'",
        id,
        payload,
        what
    )
    .execute(db)
    .await?;
    Ok(())
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

/// Writes how a sent command ended, its row in the message log and the event, and rings for whoever waits. Secrets are
/// not kept: neither in the command nor in the log. False if it had ended already.
pub async fn end(db: &mut PgConnection, ended: &Ended<'_>, now: DateTime<Utc>) -> Result<bool> {
    let (status, answer, code, description) = match ended.outcome {
        Outcome::Answered(answer) => ("answered", Some(answer), None, None),
        Outcome::Error { code, description } => ("error", None, Some(code), Some(description)),
        Outcome::Timeout => ("timeout", None, None, None),
    };
    let answer =
        answer.map(|answer| redact::answer(ended.action, answer).unwrap_or_else(|| answer.clone()));
    let mut tx = db.begin().await?;
    let answered_at = (status != "timeout").then_some(now);
    let is_first = sqlx::query!(
        "with ended as (
           update commands set status = $2, answer = $3, error_code = $4, error_description = $5, answered_at = $6,
             verdict = $8, payload = coalesce(shown, payload)
           where id = $1 and status in ('sent', 'unknown') returning id, site_id, station_id, action)
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $7, 'command.' || $2::text, site_id, station_id, id, jsonb_build_object('action', action) from ended",
        ended.id,
        status,
        answer,
        code,
        description,
        answered_at,
        now,
        verdict(ended.action, ended.outcome)
    )
    .execute(&mut *tx)
    .await?
    .rows_affected()
        > 0;
    if !is_first {
        return Ok(false);
    }
    let payload = redact::payload(ended.action, ended.payload);
    let message = MessageRow {
        id: ids::new_id(now),
        received_at: ended.sent_at,
        station_id: ended.station_id,
        direction: Direction::Out,
        message_id: ended.message_id.to_owned(),
        action: ended.action.to_owned(),
        payload: payload.unwrap_or_else(|| ended.payload.to_owned()),
        answer,
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
    Ok(true)
}

/// Whether a command may be sent again by itself: it only reads, and asking twice does no harm.
pub fn only_reads(action: &str) -> bool {
    action.starts_with("Get") || action == "TriggerMessage"
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

/// A socket was lost, or `node` died: what it had sent becomes unknown, and what only reads is queued again; but what was lost
/// twice seems to be what the station does not survive, and is noted as a limit of it. A question for the configuration
/// waits a little: if the station boots first, it is asked for less ([`withdraw_unborne`]).
pub async fn lost(db: &mut PgConnection, node: &str, lost: Lost, now: DateTime<Utc>) -> Result<()> {
    let (station, command) = match lost {
        Lost::All => (None, None),
        Lost::Station(id) => (Some(id), None),
        Lost::Command(id) => (None, Some(id)),
    };
    sqlx::query!(
        r#"with sent as (
             select id, (action like 'Get%' or action = 'TriggerMessage') as reads,
                    (action like 'Get%' or action = 'TriggerMessage') and (losses < 1 or not $6::boolean) as again
             from commands
             where status = 'sent' and node = $1 and ($2::uuid is null or station_id = $2) and ($5::uuid is null or id = $5)
             for update),
           lost as (
             update commands c set
               status = case when sent.again then 'queued' else 'unknown' end,
               sent_at = case when sent.again then null else c.sent_at end,
               not_before = case when sent.again and $6::boolean and c.action = 'GetConfiguration'
                                 then $3::timestamptz + interval '5 seconds' else c.not_before end,
               payload = case when sent.again then c.payload else coalesce(c.shown, c.payload) end,
               losses = c.losses + $6::boolean::integer
             from sent where c.id = sent.id
             returning c.id, c.site_id, c.station_id, c.action, c.status, sent.reads),
           noted as (
             insert into station_limits (station_id, what, at)
             select distinct station_id, action, $3::timestamptz from lost where status = 'unknown' and reads
             on conflict (station_id, what) do update set at = excluded.at),
           told as (
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $3, 'command.unknown', site_id, station_id, id, jsonb_build_object('action', action)
             from lost where status = 'unknown')
           select pg_notify($4, id::text) from lost where status = 'unknown'"#,
        node,
        station,
        now,
        ENDED_CHANNEL,
        command,
        // Our own end says nothing of what a station survives.
        lost != Lost::All
    )
    .fetch_all(db)
    .await?;
    Ok(())
}

/// Ends what was queued for too long.
pub async fn expire(db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        r#"with late as (
             update commands set status = 'expired', payload = coalesce(shown, payload) where status = 'queued' and expires_at <= $1
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

/// A station booted: takes back what it is still to be asked of its configuration without anybody's order. Answers whether
/// one of these questions had been sent and was lost with its socket: then the station did not bear it.
pub async fn withdraw_unborne(
    db: &mut PgConnection,
    station_id: Uuid,
    now: DateTime<Utc>,
) -> Result<bool> {
    let lost = sqlx::query_scalar!(
        r#"with gone as (
             update commands set status = 'cancelled', payload = coalesce(shown, payload)
             where station_id = $1 and status = 'queued' and action = 'GetConfiguration' and actor_kind = 'system'
             returning id, site_id, station_id, action, losses),
           told as (
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $2, 'command.cancelled', site_id, station_id, id, jsonb_build_object('action', action) from gone)
           select coalesce(bool_or(losses > 0), false) as "lost!" from gone"#,
        station_id,
        now
    );
    Ok(lost.fetch_one(db).await?)
}

/// Takes back a command that was not sent yet; false if it was, or has ended.
pub async fn cancel(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let rung = sqlx::query!(
        r#"with gone as (
             update commands set status = 'cancelled', payload = coalesce(shown, payload)
             where id = $1 and status = 'queued' returning id, site_id, station_id, action),
           told as (
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $2, 'command.cancelled', site_id, station_id, id, jsonb_build_object('action', action) from gone)
           select pg_notify($3, id::text) from gone"#,
        id,
        now,
        ENDED_CHANNEL
    )
    .fetch_all(db)
    .await?;
    Ok(!rung.is_empty())
}

/// The stations that have a command to be sent; the fallback for a doorbell that nobody heard. (One that is under way
/// does not count here: it may have been lost, and only the station's connection knows.)
pub async fn waiting(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select distinct station_id from commands
         where status = 'queued' and expires_at > $1 and coalesce(not_before <= $1, true)",
        now
    )
    .fetch_all(db)
    .await?)
}
