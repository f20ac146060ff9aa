//! When each kind of regular work ran, and how it went. Admins see it; the work itself reads where it stopped.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::Result;

/// How a run went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRun {
    /// What ran: `rollups`, `retention`.
    pub kind: String,
    /// When it ran last, and ended well; `None` before the first time.
    pub last_run_at: Option<DateTime<Utc>>,
    /// When it is due again.
    pub next_run_at: Option<DateTime<Utc>>,
    /// Whether the last try ended well.
    pub ok: Option<bool>,
    /// What it did, or why it failed.
    pub detail: Option<String>,
}

/// The last run of `kind`.
pub async fn last(db: &mut PgConnection, kind: &str) -> Result<Option<JobRun>> {
    Ok(sqlx::query_as!(
        JobRun,
        "select kind, last_run_at, next_run_at, ok, detail from job_runs where kind = $1",
        kind
    )
    .fetch_optional(db)
    .await?)
}

/// Notes a run that ended well at `at`.
pub async fn succeeded(
    db: &mut PgConnection,
    kind: &str,
    at: DateTime<Utc>,
    next: DateTime<Utc>,
    detail: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into job_runs (kind, last_run_at, next_run_at, ok, detail) values ($1, $2, $3, true, $4)
         on conflict (kind) do update set
           last_run_at = excluded.last_run_at, next_run_at = excluded.next_run_at, ok = true, detail = excluded.detail",
        kind,
        at,
        next,
        detail
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Notes a run that failed; where the work had got to stays as it was.
pub async fn failed(
    db: &mut PgConnection,
    kind: &str,
    next: DateTime<Utc>,
    detail: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into job_runs (kind, next_run_at, ok, detail) values ($1, $2, false, $3)
         on conflict (kind) do update set next_run_at = excluded.next_run_at, ok = false, detail = excluded.detail",
        kind,
        next,
        detail
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Any number will do, as long as every process takes the same one.
const TURN: i64 = 0x4a6f_6273;

/// Takes the turn to do regular work; false if another connection has it. It ends with [`end_turn`] or the connection.
pub async fn take_turn(db: &mut PgConnection) -> Result<bool> {
    Ok(
        sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "taken!""#, TURN)
            .fetch_one(db)
            .await?,
    )
}

/// Lets others have their turn.
pub async fn end_turn(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_unlock($1)", TURN)
        .fetch_one(db)
        .await?;
    Ok(())
}
