//! How it stands between us and Lago: the circuit, the metric, and how often it is worth looking. One row.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::Result;

/// The row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// closed (all is well), open (nothing is sent) or half-open (one batch tries).
    pub circuit: String,
    /// Failures in a row.
    pub failures: i32,
    /// Since when it is open.
    pub opened_at: Option<DateTime<Utc>>,
    /// When it is tried again.
    pub next_try_at: Option<DateTime<Utc>>,
    /// What went wrong last.
    pub last_error: Option<String>,
    /// When Lago last took something.
    pub last_success_at: Option<DateTime<Utc>>,
    /// Whether the metric sums our property; `None`: not checked yet.
    pub metric_ok: Option<bool>,
    /// In words.
    pub metric_detail: String,
    /// When it was checked.
    pub metric_checked_at: Option<DateTime<Utc>>,
    /// active, idle or dormant.
    pub cadence: String,
    /// Looks in a row at which nothing had happened.
    pub quiet_looks: i32,
    /// Sessions and stops received up to this instant have been looked at.
    pub seen_at: Option<DateTime<Utc>>,
}

/// Reads it.
pub async fn load(db: &mut PgConnection) -> Result<Link> {
    Ok(sqlx::query_as!(
        Link,
        "select circuit, failures, opened_at, next_try_at, last_error, last_success_at, metric_ok, metric_detail,
                metric_checked_at, cadence, quiet_looks, seen_at
         from lago_link"
    )
    .fetch_one(db)
    .await?)
}

/// Keeps the circuit's part.
pub async fn save_circuit(db: &mut PgConnection, link: &Link) -> Result<()> {
    sqlx::query!(
        "update lago_link set circuit = $1, failures = $2, opened_at = $3, next_try_at = $4, last_error = $5,
           last_success_at = $6",
        link.circuit,
        link.failures,
        link.opened_at,
        link.next_try_at,
        link.last_error,
        link.last_success_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps what the metric's check found.
pub async fn save_metric(
    db: &mut PgConnection,
    ok: Option<bool>,
    detail: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update lago_link set metric_ok = $1, metric_detail = $2, metric_checked_at = $3",
        ok,
        detail,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps how often it is worth looking.
pub async fn save_cadence(db: &mut PgConnection, cadence: &str, quiet_looks: i32) -> Result<()> {
    sqlx::query!(
        "update lago_link set cadence = $1, quiet_looks = $2",
        cadence,
        quiet_looks
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps up to when everything was looked at.
pub async fn save_seen(db: &mut PgConnection, at: DateTime<Utc>) -> Result<()> {
    sqlx::query!("update lago_link set seen_at = $1", at)
        .execute(db)
        .await?;
    Ok(())
}

/// Whether anything happened since: a session charges, one has ended, or events wait.
pub async fn is_busy(db: &mut PgConnection, since: DateTime<Utc>) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select (exists (select from transactions where stopped_at is null)
                or exists (select from transactions where stop_received_at >= $1)
                or exists (select from lago_events where status = 'pending')) as "busy!""#,
        since
    )
    .fetch_one(db)
    .await?)
}
