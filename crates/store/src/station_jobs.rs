//! Jobs of stations: firmware updates and log uploads, from the command to the last word. People make them; what stations
//! say of them is written in `ingest`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::{Result, Scoped, ids};

/// What a job is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The station takes firmware.
    Firmware,
    /// The station sends a log.
    Log,
}

impl Kind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Firmware => "firmware",
            Kind::Log => "log",
        }
    }
}

/// A job to be made. Its command is queued in the same transaction.
#[derive(Debug, Clone)]
pub struct NewJob<'a> {
    /// The station.
    pub station_id: Uuid,
    /// The station's site.
    pub site_id: Option<Uuid>,
    /// Firmware or log.
    pub kind: Kind,
    /// The OCPP action.
    pub action: &'a str,
    /// From [`next_request_id`].
    pub request_id: i32,
    /// The command that asks for it.
    pub command_id: Uuid,
    /// Where to, without credentials; `None`: here.
    pub location: Option<&'a str>,
    /// GetLog's logType.
    pub log_type: Option<&'a str>,
    /// The image that it fetches here.
    pub file_id: Option<Uuid>,
    /// user, api_key, cli or system.
    pub actor_kind: &'a str,
    /// Who.
    pub actor_id: Option<Uuid>,
}

/// A number for a new job, by which the station will speak of it.
pub async fn next_request_id(db: &mut PgConnection) -> Result<i32> {
    Ok(
        sqlx::query_scalar!(r#"select nextval('station_job_requests')::integer as "id!""#)
            .fetch_one(db)
            .await?,
    )
}

/// Adds a job.
pub async fn add(db: &mut PgConnection, job: &NewJob<'_>, now: DateTime<Utc>) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into station_jobs (id, station_id, site_id, kind, action, request_id, command_id, state_at, location, log_type,
           file_id, from_version, actor_kind, actor_id, created_at)
         select $1, $2, $3, $4, $5, $6, $7, $13, $8, $9, $10, s.firmware, $11, $12, $13 from stations s where s.id = $2",
        id,
        job.station_id,
        job.site_id,
        job.kind.as_str(),
        job.action,
        job.request_id,
        job.command_id,
        job.location,
        job.log_type,
        job.file_id,
        job.actor_kind,
        job.actor_id,
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// A job as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its id.
    pub id: Uuid,
    /// The station's identity.
    pub station: String,
    /// The OCPP action.
    pub action: String,
    /// By which the station speaks of it.
    pub request_id: i32,
    /// The command that asks for it.
    pub command_id: Option<Uuid>,
    /// The last word; of a job that was not answered yet, the command's status.
    pub state: String,
    /// Since when.
    pub state_at: DateTime<Utc>,
    /// When it came to its end.
    pub ended_at: Option<DateTime<Utc>>,
    /// How it ended.
    pub succeeded: Option<bool>,
    /// Where to, without credentials; `None`: here.
    pub location: Option<String>,
    /// GetLog's logType.
    pub log_type: Option<String>,
    /// What the station says that it sends.
    pub file_name: Option<String>,
    /// The image, or the whole file that came.
    pub file_id: Option<Uuid>,
    /// Its firmware when it was asked.
    pub from_version: Option<String>,
    /// What it booted with afterwards.
    pub booted_version: Option<String>,
    /// When.
    pub booted_at: Option<DateTime<Utc>>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
}

impl From<&Job> for Cursor {
    fn from(job: &Job) -> Self {
        Cursor {
            at: job.created_at,
            id: job.id,
        }
    }
}

/// The jobs of a kind after `after`, newest first, at most `limit`; with `station`, those of that identity.
pub async fn list(
    db: &mut Scoped<'_>,
    kind: Kind,
    station: Option<&str>,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Job>> {
    Ok(sqlx::query_as!(
        Job,
        r#"select j.id, s.identity as station, j.action, j.request_id, j.command_id,
                  case when j.state = 'Queued' then coalesce(c.status, 'Queued') else j.state end as "state!",
                  j.state_at, j.ended_at, j.succeeded, j.location, j.log_type, j.file_name, j.file_id, j.from_version,
                  j.booted_version, j.booted_at, j.created_at
           from station_jobs j join stations s on s.id = j.station_id left join commands c on c.id = j.command_id
           where j.kind = $1
             and ($2::text is null or j.station_id = (select id from stations where lower(identity) = lower($2)))
             and (j.created_at, j.id)
                 < (coalesce($3::timestamptz, 'infinity'), coalesce($4::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by j.created_at desc, j.id desc limit $5"#,
        kind.as_str(),
        station,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}

/// A state that a job was in, or that a station spoke of without a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// The job, if it is of one.
    pub job_id: Option<Uuid>,
    /// firmware or log.
    pub kind: String,
    /// The message or command that said so.
    pub source: String,
    /// Verbatim.
    pub state: String,
    /// A few words more.
    pub detail: Option<String>,
    /// The requestId as said.
    pub request_id: Option<i64>,
    /// When it was first said.
    pub received_at: DateTime<Utc>,
    /// How often it was said in a row.
    pub times: i32,
    /// When it was last said.
    pub last_at: DateTime<Utc>,
}

/// Every state of these jobs, oldest first.
pub async fn events(db: &mut Scoped<'_>, jobs: &[Uuid]) -> Result<Vec<JobEvent>> {
    Ok(sqlx::query_as!(
        JobEvent,
        "select job_id, kind, source, state, detail, request_id, received_at, times, last_at from station_job_events
         where job_id = any ($1) order by received_at, id",
        jobs
    )
    .fetch_all(&mut **db)
    .await?)
}

/// What a station said of no job that we know, newest first, at most `limit`.
pub async fn strays(
    db: &mut Scoped<'_>,
    kind: Kind,
    station: &str,
    limit: i64,
) -> Result<Vec<JobEvent>> {
    Ok(sqlx::query_as!(
        JobEvent,
        "select e.job_id, e.kind, e.source, e.state, e.detail, e.request_id, e.received_at, e.times, e.last_at
         from station_job_events e join stations s on s.id = e.station_id
         where e.job_id is null and e.kind = $1 and lower(s.identity) = lower($2)
         order by e.last_at desc, e.id desc limit $3",
        kind.as_str(),
        station,
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}

/// What a station answered to the command of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Its word.
    pub state: String,
    /// Whether it will do it.
    pub agreed: bool,
    /// Whether it gives up what it did of the kind before.
    pub replaces: bool,
    /// The file that it will send.
    pub file_name: Option<String>,
    /// Why it refuses, in its words.
    pub reason: Option<String>,
}

/// Writes the answer to the command of a job, if there is one. A refused job is over, and its tokens open nothing. (The
/// station may have told of its progress before its answer was written: that stands. One that was closed for want of an
/// answer goes on.)
pub async fn reply(
    db: &mut PgConnection,
    command: Uuid,
    reply: &Reply,
    now: DateTime<Utc>,
) -> Result<()> {
    let job = sqlx::query_scalar!(
        "with job as (
           update station_jobs set
             state = case when state in ('Queued', 'timeout', 'unknown') then $2 else state end,
             state_at = case when state in ('Queued', 'timeout', 'unknown') then $3 else state_at end,
             ended_at = case when not $4 then coalesce(ended_at, $3) when state not in ('timeout', 'unknown') then ended_at end,
             succeeded = case when not $4 then coalesce(succeeded, false) when state not in ('timeout', 'unknown') then succeeded end,
             file_name = coalesce($5, file_name)
           where command_id = $1 returning id, station_id, site_id, kind, action),
         told as (
           insert into events (at, kind, site_id, station_id, subject, detail)
           select $3, 'job.state', site_id, station_id, id,
                  jsonb_build_object('kind', kind, 'action', action, 'state', $2::text) from job)
         insert into station_job_events (id, job_id, station_id, kind, source, state, detail, received_at, last_at)
         select $6, id, station_id, kind, action, $2, coalesce($5, $7), $3, $3 from job returning job_id",
        command,
        reply.state,
        now,
        reply.agreed,
        reply.file_name,
        ids::new_id(now),
        reply.reason
    )
    .fetch_optional(&mut *db)
    .await?
    .flatten();
    let Some(job) = job else {
        return Ok(());
    };
    if reply.agreed && reply.replaces {
        sqlx::query!(
            "update station_jobs old set state = 'Replaced', state_at = $2, ended_at = $2, succeeded = false
             from station_jobs new
             where new.id = $1 and old.station_id = new.station_id and old.action = new.action and old.id <> new.id
               and old.ended_at is null and old.state <> 'Queued' and old.created_at <= new.created_at",
            job,
            now
        )
        .execute(&mut *db)
        .await?;
    }
    if !reply.agreed {
        sqlx::query!("delete from file_tokens where job_id = $1", job)
            .execute(&mut *db)
            .await?;
    }
    Ok(())
}

/// A job that waits for an answer which will not come: its command ended without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The job.
    pub id: Uuid,
    /// How its command ended: timeout, unknown, expired, cancelled.
    pub status: String,
}

/// The jobs that wait for an answer in vain, at most `limit`.
pub async fn unanswered(db: &mut PgConnection, limit: i64) -> Result<Vec<Unanswered>> {
    Ok(sqlx::query_as!(
        Unanswered,
        "select j.id, c.status from station_jobs j join commands c on c.id = j.command_id
         where j.state = 'Queued' and j.ended_at is null
           and c.status in ('timeout', 'unknown', 'expired', 'cancelled', 'error')
         limit $1",
        limit
    )
    .fetch_all(db)
    .await?)
}

/// How a job ends that nobody answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Closing {
    /// Why, in a few words.
    pub reason: &'static str,
    /// Whether the station may be at work all the same: then it may still come for its file, and its word is heard.
    pub may_act: bool,
}

/// Ends a job that nobody answered, unless somebody did meanwhile; its state is how its command ended.
pub async fn close(
    db: &mut PgConnection,
    job: &Unanswered,
    closing: Closing,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "with closed as (
           update station_jobs set state = $2, state_at = $3, ended_at = $3, succeeded = false
           where id = $1 and state = 'Queued' and ended_at is null returning id, station_id, site_id, kind, action),
         told as (
           insert into events (at, kind, site_id, station_id, subject, detail)
           select $3, 'job.state', site_id, station_id, id,
                  jsonb_build_object('kind', kind, 'action', action, 'state', $2::text) from closed),
         shut as (
           delete from file_tokens where job_id in (select id from closed) and not $5)
         insert into station_job_events (id, job_id, station_id, kind, source, state, detail, received_at, last_at)
         select $6, id, station_id, kind, action, $2, $4, $3, $3 from closed",
        job.id,
        job.status,
        now,
        closing.reason,
        closing.may_act,
        ids::new_id(now)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A job of the scope.
pub async fn get(db: &mut Scoped<'_>, id: Uuid) -> Result<Option<Job>> {
    Ok(sqlx::query_as!(
        Job,
        r#"select j.id, s.identity as station, j.action, j.request_id, j.command_id,
                  case when j.state = 'Queued' then coalesce(c.status, 'Queued') else j.state end as "state!",
                  j.state_at, j.ended_at, j.succeeded, j.location, j.log_type, j.file_name, j.file_id, j.from_version,
                  j.booted_version, j.booted_at, j.created_at
           from station_jobs j join stations s on s.id = j.station_id left join commands c on c.id = j.command_id
           where j.id = $1"#,
        id
    )
    .fetch_optional(&mut **db)
    .await?)
}
