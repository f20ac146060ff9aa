//! What stations say of firmware updates and log uploads, as it is written; `crate::station_jobs` reads it.
//!
//! A station's word finds its job here and not before: the job may have been asked for a moment ago.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Boot;
use crate::{Result, ids};

/// How long after its end a job still hears a word without a requestId: what is late or said twice belongs to no other.
const AFTERWORDS: TimeDelta = TimeDelta::hours(1);
/// How long a job hears such a word that was closed because its station did not answer: it may have been told to begin later.
const SILENCE: TimeDelta = TimeDelta::days(7);
/// How long after its last word a firmware job hears of the boot that it led to.
const UNTIL_BOOT: TimeDelta = TimeDelta::days(1);

/// What a state means for the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bearing {
    /// It goes on.
    Progress,
    /// It is done; no later word undoes that.
    Done,
    /// It failed. A station that tries again goes on.
    Failed,
    /// The station does nothing of the kind: about no job.
    Idle,
}

/// A state that a station reports.
#[derive(Debug, Clone)]
pub struct JobWord {
    /// The station.
    pub station_id: Uuid,
    /// firmware or log.
    pub kind: &'static str,
    /// The command that such words answer: `UpdateFirmware`, …
    pub action: &'static str,
    /// The message.
    pub source: &'static str,
    /// As said; messages of 1.6 itself have none.
    pub request_id: Option<i64>,
    /// Whether such a message names its job. (One that should and does not is about none.)
    pub names_job: bool,
    /// Verbatim.
    pub state: String,
    /// What it means.
    pub bearing: Bearing,
    /// Our time.
    pub received_at: DateTime<Utc>,
}

/// Writes each word to the job it is about, or to none.
pub(super) async fn hear(db: &mut PgConnection, words: &[&JobWord]) -> Result<()> {
    for word in words {
        let job = match word.bearing {
            Bearing::Idle => None,
            _ => job_of(db, word).await?,
        };
        if let Some(job) = job {
            advance(db, job, word).await?;
        }
        note(db, job, word).await?;
    }
    Ok(())
}

/// The job of this requestId at this station; without one the newest that the station was asked for and has not long ended.
async fn job_of(db: &mut PgConnection, word: &JobWord) -> Result<Option<Uuid>> {
    if word.names_job {
        return Ok(sqlx::query_scalar!(
            "select id from station_jobs where station_id = $1 and action = $2 and request_id = $3 for update",
            word.station_id,
            word.action,
            word.request_id.and_then(|id| i32::try_from(id).ok())
        )
        .fetch_optional(db)
        .await?);
    }
    Ok(sqlx::query_scalar!(
        "select j.id from station_jobs j left join commands c on c.id = j.command_id
         where j.station_id = $1 and j.action = $2
           and (j.state not in ('Queued', 'expired', 'cancelled') or c.sent_at is not null)
           and (j.ended_at is null or j.ended_at > case when j.state in ('timeout', 'unknown') then $4 else $3::timestamptz end)
         order by j.created_at desc, j.id desc limit 1 for update of j",
        word.station_id,
        word.action,
        word.received_at - AFTERWORDS,
        word.received_at - SILENCE
    )
    .fetch_optional(db)
    .await?)
}

/// The job's new state, unless it is done already or is told what it knows.
async fn advance(db: &mut PgConnection, job: Uuid, word: &JobWord) -> Result<()> {
    let succeeded = match word.bearing {
        Bearing::Done => Some(true),
        Bearing::Failed => Some(false),
        Bearing::Progress | Bearing::Idle => None,
    };
    sqlx::query!(
        "with moved as (
           update station_jobs set state = $2, state_at = $3, succeeded = $4::boolean,
             ended_at = case when $4::boolean is null then null else $3::timestamptz end
           where id = $1 and succeeded is distinct from true and state <> $2
           returning id, site_id, station_id, kind, action)
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $3, 'job.state', site_id, station_id, id, jsonb_build_object('kind', kind, 'action', action, 'state', $2::text)
         from moved",
        job,
        word.state,
        word.received_at,
        succeeded
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The line of a word: one more of the last one if that said the same, else one of its own.
async fn note(db: &mut PgConnection, job: Option<Uuid>, word: &JobWord) -> Result<()> {
    sqlx::query!(
        "with last as (
           select id, state, source, request_id from station_job_events
           where case when $2::uuid is null then station_id = $3 and kind = $4 and job_id is null else job_id = $2 end
           order by last_at desc, id desc limit 1),
         again as (
           update station_job_events e set times = times + 1, last_at = $8
           from last where e.id = last.id and last.state = $6 and last.source = $5
             and last.request_id is not distinct from $7
           returning e.id)
         insert into station_job_events (id, job_id, station_id, kind, source, state, request_id, received_at, last_at)
         select $1, $2, $3, $4, $5, $6, $7, $8, $8 where not exists (select from again)",
        ids::new_id(word.received_at),
        job,
        word.station_id,
        word.kind,
        word.source,
        word.state,
        word.request_id,
        word.received_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A station that was taking firmware has booted: with which one is noted in its job.
pub(super) async fn note_boots(db: &mut PgConnection, boots: &[&Boot]) -> Result<()> {
    let Some(last) = boots.iter().map(|boot| boot.received_at).max() else {
        return Ok(());
    };
    let stations: Vec<Uuid> = boots.iter().map(|boot| boot.station_id).collect();
    let versions: Vec<Option<String>> = boots.iter().map(|boot| boot.firmware.clone()).collect();
    let ids: Vec<Uuid> = boots
        .iter()
        .map(|boot| ids::new_id(boot.received_at))
        .collect();
    sqlx::query!(
        "with said as (
           select * from unnest($1::uuid[], $2::uuid[], $3::text[]) as said (id, station_id, version)),
         booted as (
           update station_jobs j set booted_version = said.version, booted_at = $4
           from said where j.id = (
             select id from station_jobs n
             where n.station_id = said.station_id and n.kind = 'firmware' and n.state not in ('Queued', 'expired', 'cancelled')
               and n.state_at > $5
             order by n.created_at desc, n.id desc limit 1)
             and (j.booted_at is null or j.ended_at is null)
           returning said.id, j.id as job_id, j.station_id, said.version)
         insert into station_job_events (id, job_id, station_id, kind, source, state, detail, received_at, last_at)
         select id, job_id, station_id, 'firmware', 'BootNotification', 'Booted', version, $4, $4 from booted",
        &ids,
        &stations,
        &versions as &[Option<String>],
        last,
        last - UNTIL_BOOT
    )
    .execute(db)
    .await?;
    Ok(())
}
