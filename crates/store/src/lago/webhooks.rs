//! What Lago said to us, to the letter, and what came of it. A row and its effect are one transaction: the same
//! `X-Lago-Unique-Key` has one effect, however often and from however many sides it comes.

use chrono::{DateTime, Utc};

use crate::{Result, Scoped};

/// A webhook that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// `X-Lago-Unique-Key`.
    pub unique_key: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// `events.errors`, `invoice.created`, …
    pub webhook_type: String,
    /// hmac or jwt.
    pub algorithm: String,
    /// To the letter.
    pub body: String,
    /// What came of it.
    pub effect: Option<String>,
    /// Why nothing came of it.
    pub error: Option<String>,
    /// When it had its effect.
    pub applied_at: Option<DateTime<Utc>>,
    /// How often a person had it applied again.
    pub replays: i32,
}

/// Keeps a webhook; false if it is known. Who comes at the same time with the same key waits here.
pub async fn receive(
    db: &mut Scoped<'_>,
    key: &str,
    kind: &str,
    algorithm: &str,
    body: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let kept = sqlx::query!(
        "insert into lago_webhooks (unique_key, received_at, webhook_type, algorithm, body)
         values ($1, $2, $3, $4, $5) on conflict (unique_key) do nothing",
        key,
        now,
        kind,
        algorithm,
        body
    )
    .execute(&mut **db)
    .await?;
    Ok(kept.rows_affected() > 0)
}

/// Notes what came of it.
pub async fn applied(
    db: &mut Scoped<'_>,
    key: &str,
    effect: &std::result::Result<String, String>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update lago_webhooks set effect = $2, error = $3,
           applied_at = case when $2::text is null then null else $4::timestamptz end
         where unique_key = $1",
        key,
        effect.as_ref().ok(),
        effect.as_ref().err(),
        now
    )
    .execute(&mut **db)
    .await?;
    Ok(())
}

/// A webhook to be applied again, locked until the transaction ends.
pub async fn replay(db: &mut Scoped<'_>, key: &str) -> Result<Option<Webhook>> {
    Ok(sqlx::query_as!(
        Webhook,
        "update lago_webhooks set replays = replays + 1 where unique_key = $1
         returning unique_key, received_at, webhook_type, algorithm, body, effect, error, applied_at, replays",
        key
    )
    .fetch_optional(&mut **db)
    .await?)
}

/// The last ones, newest first.
pub async fn recent(db: &mut Scoped<'_>, limit: i64) -> Result<Vec<Webhook>> {
    Ok(sqlx::query_as!(
        Webhook,
        "select unique_key, received_at, webhook_type, algorithm, body, effect, error, applied_at, replays
         from lago_webhooks order by received_at desc, unique_key limit $1",
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}

/// Lago took these events and does not bill them; answers how many of them were ours.
pub async fn refuse_events(db: &mut Scoped<'_>, ids: &[String], why: &str) -> Result<u64> {
    let refused = sqlx::query!(
        "update lago_events set status = 'rejected', reason = $2 where event_id = any ($1)",
        ids,
        why
    )
    .execute(&mut **db)
    .await?;
    Ok(refused.rows_affected())
}

/// The receiver's breaker: failures in a row, and since when webhooks are kept and not applied.
pub async fn gate(db: &mut Scoped<'_>) -> Result<(i32, Option<DateTime<Utc>>)> {
    let row = sqlx::query!("select failures, closed_at from lago_gate")
        .fetch_one(&mut **db)
        .await?;
    Ok((row.failures, row.closed_at))
}

/// Sets the breaker.
pub async fn set_gate(
    db: &mut Scoped<'_>,
    failures: i32,
    closed_at: Option<DateTime<Utc>>,
) -> Result<()> {
    sqlx::query!(
        "update lago_gate set failures = $1, closed_at = $2",
        failures,
        closed_at
    )
    .execute(&mut **db)
    .await?;
    Ok(())
}
