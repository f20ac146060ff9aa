//! Tasks: one action for many stations. A task is a row that its commands name; how far it is, they say.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::commands::{ENDED_CHANNEL, is_agreed};
use crate::cursor::Cursor;
use crate::{Result, Scoped, ids};

/// A task to be made. Its commands are queued in the same transaction.
#[derive(Debug, Clone)]
pub struct NewTask<'a> {
    /// The OCPP action.
    pub action: &'a str,
    /// What each station is sent.
    pub payload: &'a str,
    /// Sent without a check of the payload.
    pub raw: bool,
    /// The sites of its stations, one of each.
    pub sites: &'a [Option<Uuid>],
    /// How many stations it is for.
    pub stations: i32,
    /// user, api_key, cli or system.
    pub actor_kind: &'a str,
    /// Who.
    pub actor_id: Option<Uuid>,
    /// What was not sent by then never is.
    pub expires_at: DateTime<Utc>,
}

/// A task as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Task {
    /// Its id.
    pub id: Uuid,
    /// The OCPP action.
    pub action: String,
    /// What each station is sent.
    pub payload: String,
    /// Sent without a check of the payload.
    pub raw: bool,
    /// user, api_key, cli or system.
    pub actor_kind: String,
    /// The person's mail or the key's name.
    pub actor: Option<String>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// What was not sent by then never is.
    pub expires_at: DateTime<Utc>,
    /// When somebody took back what was still queued.
    pub cancelled_at: Option<DateTime<Utc>>,
    /// How far it is.
    pub progress: Progress,
}

/// How many stations are where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// All of them.
    pub stations: i64,
    /// Not sent yet.
    pub queued: i64,
    /// Sent, not answered yet.
    pub sent: i64,
    /// Answered as was wished.
    pub agreed: i64,
    /// Answered, but not as was wished.
    pub refused: i64,
    /// CALLERROR, no answer in time, or a socket lost meanwhile.
    pub failed: i64,
    /// Too late to be sent.
    pub expired: i64,
    /// Taken back.
    pub cancelled: i64,
    /// Those whose effect was seen.
    pub seen: i64,
}

impl Progress {
    /// Of how many the end is known.
    pub fn done(&self) -> i64 {
        self.stations - self.queued - self.sent
    }

    fn add(&mut self, status: &str, verdict: Option<&str>, count: i64, seen: i64) {
        self.stations += count;
        self.seen += seen;
        let place = match status {
            "queued" => &mut self.queued,
            "sent" => &mut self.sent,
            "answered" if is_agreed(verdict) => &mut self.agreed,
            "answered" => &mut self.refused,
            "expired" => &mut self.expired,
            "cancelled" => &mut self.cancelled,
            _ => &mut self.failed,
        };
        *place += count;
    }
}

impl From<&Task> for Cursor {
    fn from(task: &Task) -> Self {
        Cursor {
            at: task.created_at,
            id: task.id,
        }
    }
}

/// Makes a task.
pub async fn add(db: &mut PgConnection, task: &NewTask<'_>, now: DateTime<Utc>) -> Result<Uuid> {
    let id = ids::new_id(now);
    let sites: Option<Vec<Uuid>> = task.sites.iter().copied().collect();
    sqlx::query!(
        "insert into tasks (id, action, payload, raw, stations, site_ids, actor_kind, actor_id, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        id,
        task.action,
        task.payload,
        task.raw,
        task.stations,
        // One without a site is for readers of everything.
        &sites.unwrap_or_default(),
        task.actor_kind,
        task.actor_id,
        now,
        task.expires_at
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// A task of the scope.
pub async fn get(db: &mut Scoped<'_>, id: Uuid) -> Result<Option<Task>> {
    Ok(page(db, Some(id), None, 1).await?.pop())
}

/// The tasks of the scope after `after`, newest first, at most `limit`.
pub async fn list(db: &mut Scoped<'_>, after: Option<Cursor>, limit: i64) -> Result<Vec<Task>> {
    page(db, None, after, limit).await
}

async fn page(
    db: &mut Scoped<'_>,
    id: Option<Uuid>,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Task>> {
    let rows = sqlx::query!(
        r#"select t.id, t.action, t.payload, t.raw, t.actor_kind, coalesce(u.email, k.name) as actor, t.created_at,
                  t.expires_at, t.cancelled_at
           from tasks t
           left join users u on t.actor_kind = 'user' and u.id = t.actor_id
           left join api_keys k on t.actor_kind = 'api_key' and k.id = t.actor_id
           where ($1::uuid is null or t.id = $1)
             and (t.created_at, t.id)
                 < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by t.created_at desc, t.id desc limit $4"#,
        id,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit
    )
    .fetch_all(&mut **db)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let progress = progress(db, &ids).await?;
    Ok(rows
        .into_iter()
        .map(|row| Task {
            progress: progress.get(&row.id).copied().unwrap_or_default(),
            id: row.id,
            action: row.action,
            payload: row.payload,
            raw: row.raw,
            actor_kind: row.actor_kind,
            actor: row.actor,
            created_at: row.created_at,
            expires_at: row.expires_at,
            cancelled_at: row.cancelled_at,
        })
        .collect())
}

async fn progress(db: &mut Scoped<'_>, ids: &[Uuid]) -> Result<HashMap<Uuid, Progress>> {
    let rows = sqlx::query!(
        r#"select task_id as "task_id!", status, verdict, count(*) as "count!", count(effect) as "seen!"
           from commands where task_id = any($1) group by task_id, status, verdict"#,
        ids
    )
    .fetch_all(&mut **db)
    .await?;
    let mut found: HashMap<Uuid, Progress> = HashMap::new();
    for row in rows {
        found.entry(row.task_id).or_default().add(
            &row.status,
            row.verdict.as_deref(),
            row.count,
            row.seen,
        );
    }
    Ok(found)
}

/// The sites of a task's stations as they are now.
pub async fn sites(db: &mut Scoped<'_>, id: Uuid) -> Result<Vec<Option<Uuid>>> {
    Ok(sqlx::query_scalar!(
        "select distinct s.site_id from commands c join stations s on s.id = c.station_id where c.task_id = $1",
        id
    )
    .fetch_all(&mut **db)
    .await?)
}

/// Takes back every command of a task that was not sent yet; answers how many.
pub async fn cancel(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<i64> {
    sqlx::query!(
        "update tasks set cancelled_at = $2 where id = $1 and cancelled_at is null",
        id,
        now
    )
    .execute(&mut *db)
    .await?;
    Ok(sqlx::query_scalar!(
        r#"with gone as (
             update commands set status = 'cancelled', payload = coalesce(shown, payload)
             where task_id = $1 and status = 'queued' returning id, site_id, station_id, action),
           told as (
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $2, 'command.cancelled', site_id, station_id, id, jsonb_build_object('action', action) from gone)
           select count(pg_notify($3, id::text)) as "count!" from gone"#,
        id,
        now,
        ENDED_CHANNEL
    )
    .fetch_one(db)
    .await?)
}
