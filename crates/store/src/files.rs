//! Files that stations fetch (firmware images) and send (logs), in pieces, and the tokens that open them. A file is there
//! when it is whole; until then nobody sees it.

use chrono::{DateTime, Days, TimeDelta, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{Result, Scoped, ids, secrets};

/// Every piece of a file has this size, but for the last.
pub const CHUNK: usize = 256 * 1024;
/// How often an upload may be begun with one token: a station that lost its connection tries again.
const MOST_TRIES: i32 = 20;
/// What was begun before so long will never be whole.
const STALE: Days = Days::new(1);

/// What a token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// One whole file may be sent.
    Upload,
    /// The job's image may be fetched until the token expires.
    Download,
}

impl Purpose {
    fn as_str(self) -> &'static str {
        match self {
            Purpose::Upload => "upload",
            Purpose::Download => "download",
        }
    }
}

/// A secret for a URL. Its row is added with [`add_token`] once the job is there.
pub fn new_token() -> String {
    secrets::random_hex(32)
}

/// Whether this can be a token of ours.
pub fn is_token(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Lets a token open what belongs to a job. Only its hash is kept.
pub async fn add_token(
    db: &mut PgConnection,
    token: &str,
    purpose: Purpose,
    job: Uuid,
    expires_at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into file_tokens (sha256, purpose, job_id, expires_at) values ($1, $2, $3, $4)",
        &secrets::sha256(token.as_bytes())[..],
        purpose.as_str(),
        job,
        expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its id.
    pub id: Uuid,
    /// A name of ours.
    pub name: String,
    /// Of an image.
    pub version: String,
    /// In bytes.
    pub size: i64,
    /// Hexadecimal.
    pub sha256: String,
    /// When it came.
    pub created_at: DateTime<Utc>,
}

/// The image that this token opens; `None` for a token that opens nothing (any more).
pub async fn to_fetch(
    db: &mut PgConnection,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Option<File>> {
    Ok(sqlx::query_as!(
        File,
        r#"with opened as (
             update file_tokens set uses = uses + 1, used_at = $2
             where sha256 = $1 and purpose = 'download' and expires_at > $2 returning job_id)
           select f.id, f.name, f.version, f.size, encode(f.sha256, 'hex') as "sha256!", f.created_at
           from opened join station_jobs j on j.id = opened.job_id join files f on f.id = j.file_id
           where f.completed_at is not null"#,
        &secrets::sha256(token.as_bytes())[..],
        now
    )
    .fetch_optional(db)
    .await?)
}

/// A log that is coming in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Upload {
    /// The file, not to be seen yet.
    pub file: Uuid,
    /// The job that asked for it.
    pub job: Uuid,
}

/// Begins an upload; `None` for a token that opens nothing (any more). Nor does that of a job that has failed: what came
/// then would belong to a job that says that there is nothing. (Who was only closed for want of an answer, or whose place
/// another took, may still send.)
pub async fn begin_upload(
    db: &mut PgConnection,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Option<Upload>> {
    let mut tx = db.begin().await?;
    let opened = sqlx::query!(
        "update file_tokens t set uses = uses + 1 from station_jobs j
         where t.sha256 = $1 and t.purpose = 'upload' and t.expires_at > $2 and t.used_at is null and t.uses < $3
           and j.id = t.job_id
           and (j.ended_at is null or j.succeeded or j.state in ('timeout', 'unknown', 'Replaced'))
         returning j.id as job, j.station_id, j.action, j.request_id",
        &secrets::sha256(token.as_bytes())[..],
        now,
        MOST_TRIES
    )
    .fetch_optional(&mut *tx)
    .await?;
    let Some(opened) = opened else {
        return Ok(None);
    };
    sqlx::query!(
        "delete from files where station_id = $1 and completed_at is null and created_at < $2",
        opened.station_id,
        now - STALE
    )
    .execute(&mut *tx)
    .await?;
    let file = ids::new_id(now);
    let what = if opened.action == "GetLog" {
        "log"
    } else {
        "diagnostics"
    };
    let name = format!(
        "{what}-{}-{}.bin",
        opened.request_id,
        now.format("%Y%m%dT%H%M%SZ")
    );
    sqlx::query!(
        "insert into files (id, kind, station_id, name, created_at) values ($1, 'log', $2, $3, $4)",
        file,
        opened.station_id,
        name,
        now
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Some(Upload {
        file,
        job: opened.job,
    }))
}

/// Begins an image that a person sends.
pub async fn begin_image(
    db: &mut PgConnection,
    name: &str,
    version: &str,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let file = ids::new_id(now);
    sqlx::query!(
        "insert into files (id, kind, name, version, created_at) values ($1, 'firmware', $2, $3, $4)",
        file,
        name,
        version,
        now
    )
    .execute(db)
    .await?;
    Ok(file)
}

/// Adds the `n`th piece.
pub async fn add_chunk(db: &mut PgConnection, file: Uuid, n: i32, bytes: &[u8]) -> Result<()> {
    sqlx::query!(
        "insert into file_chunks (file_id, n, bytes) values ($1, $2, $3)",
        file,
        n,
        bytes
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What a file turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// In bytes.
    pub size: i64,
    /// Of all of it.
    pub sha256: [u8; 32],
}

/// The upload is whole: it is seen from now on, its job has it, and its token opens nothing more. False if another upload
/// with the same token was first; then this one is gone.
pub async fn finish_upload(
    db: &mut PgConnection,
    token: &str,
    upload: Upload,
    whole: &Whole,
    now: DateTime<Utc>,
) -> Result<bool> {
    let mut tx = db.begin().await?;
    let is_first = sqlx::query!(
        "update file_tokens set used_at = $2 where sha256 = $1 and used_at is null",
        &secrets::sha256(token.as_bytes())[..],
        now
    )
    .execute(&mut *tx)
    .await?
    .rows_affected()
        > 0;
    if !is_first {
        drop(tx);
        abandon(db, upload.file).await?;
        return Ok(false);
    }
    complete(&mut tx, upload.file, whole, now).await?;
    sqlx::query!(
        "with got as (
           update station_jobs set file_id = $2 where id = $1 returning id, site_id, station_id, kind, action),
         noted as (
           insert into station_job_events (id, job_id, station_id, kind, source, state, detail, received_at, last_at)
           select $3, id, station_id, kind, 'PUT', 'Received', $5, $4, $4 from got)
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $4, 'job.state', site_id, station_id, id, jsonb_build_object('kind', kind, 'action', action, 'state', 'Received')
         from got",
        upload.job,
        upload.file,
        ids::new_id(now),
        now,
        format!("{} bytes", whole.size)
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// A file is whole and is seen from now on.
pub async fn complete(
    db: &mut PgConnection,
    file: Uuid,
    whole: &Whole,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update files set size = $2, sha256 = $3, completed_at = $4 where id = $1",
        file,
        whole.size,
        &whole.sha256[..],
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets a file that will not be whole.
pub async fn abandon(db: &mut PgConnection, file: Uuid) -> Result<()> {
    sqlx::query!(
        "delete from files where id = $1 and completed_at is null",
        file
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The `n`th piece of a file.
pub async fn chunk(db: &mut PgConnection, file: Uuid, n: i32) -> Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar!(
        "select bytes from file_chunks where file_id = $1 and n = $2",
        file,
        n
    )
    .fetch_optional(db)
    .await?)
}

/// Every firmware image, newest first.
pub async fn images(db: &mut Scoped<'_>) -> Result<Vec<File>> {
    Ok(sqlx::query_as!(
        File,
        r#"select id, name, version, size, encode(sha256, 'hex') as "sha256!", created_at from files
           where kind = 'firmware' and completed_at is not null order by created_at desc, id desc"#
    )
    .fetch_all(&mut **db)
    .await?)
}

/// A firmware image.
pub async fn image(db: &mut Scoped<'_>, id: Uuid) -> Result<Option<File>> {
    Ok(sqlx::query_as!(
        File,
        r#"select id, name, version, size, encode(sha256, 'hex') as "sha256!", created_at from files
           where kind = 'firmware' and completed_at is not null and id = $1"#,
        id
    )
    .fetch_optional(&mut **db)
    .await?)
}

/// A log that the station of this identity sent.
pub async fn log(db: &mut Scoped<'_>, station: &str, id: Uuid) -> Result<Option<File>> {
    Ok(sqlx::query_as!(
        File,
        r#"select f.id, f.name, f.version, f.size, encode(f.sha256, 'hex') as "sha256!", f.created_at
           from files f join stations s on s.id = f.station_id
           where f.kind = 'log' and f.completed_at is not null and f.id = $1 and lower(s.identity) = lower($2)"#,
        id,
        station
    )
    .fetch_optional(&mut **db)
    .await?)
}

/// Whether a job that may still fetch it names this image.
pub async fn is_wanted(db: &mut Scoped<'_>, id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let recently = now - TimeDelta::days(7);
    Ok(sqlx::query_scalar!(
        r#"select exists (select from station_jobs where file_id = $1 and ended_at is null and created_at > $2) as "is!""#,
        id,
        recently
    )
    .fetch_one(&mut **db)
    .await?)
}

/// Takes an image away; false if there is none.
pub async fn remove_image(db: &mut Scoped<'_>, id: Uuid) -> Result<bool> {
    let removed = sqlx::query!("delete from files where id = $1 and kind = 'firmware'", id)
        .execute(&mut **db)
        .await?;
    Ok(removed.rows_affected() > 0)
}
