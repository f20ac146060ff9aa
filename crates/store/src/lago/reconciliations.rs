//! What we sent and what Lago has, compared by subscription and day.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;

use crate::Result;

/// One comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reconciliation {
    /// The day (UTC) of the meters.
    pub day: NaiveDate,
    /// Where it is billed.
    pub lago_subscription: String,
    /// When it was compared.
    pub at: DateTime<Utc>,
    /// Events that we sent.
    pub our_events: i64,
    /// Their energy.
    pub our_kwh: Decimal,
    /// Events that Lago has.
    pub lago_events: i64,
    /// Their energy.
    pub lago_kwh: Decimal,
    /// Ids that Lago lacks, some of them.
    pub missing: Vec<String>,
    /// Ids that we do not know, some of them.
    pub extra: Vec<String>,
    /// Whether both are the same.
    pub ok: bool,
}

/// Keeps a comparison; a later one of the same day takes its place.
pub async fn save(db: &mut PgConnection, found: &Reconciliation) -> Result<()> {
    sqlx::query!(
        "insert into lago_reconciliations
           (day, lago_subscription, at, our_events, our_kwh, lago_events, lago_kwh, missing, extra, ok)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (day, lago_subscription) do update set
           at = excluded.at, our_events = excluded.our_events, our_kwh = excluded.our_kwh,
           lago_events = excluded.lago_events, lago_kwh = excluded.lago_kwh, missing = excluded.missing,
           extra = excluded.extra, ok = excluded.ok",
        found.day,
        found.lago_subscription,
        found.at,
        found.our_events,
        found.our_kwh,
        found.lago_events,
        found.lago_kwh,
        &found.missing,
        &found.extra,
        found.ok
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The latest comparisons; with `wrong` only those that differ.
pub async fn recent(db: &mut PgConnection, wrong: bool, limit: i64) -> Result<Vec<Reconciliation>> {
    Ok(sqlx::query_as!(
        Reconciliation,
        "select day, lago_subscription, at, our_events, our_kwh, lago_events, lago_kwh, missing, extra, ok
         from lago_reconciliations where not $1 or not ok order by day desc, lago_subscription limit $2",
        wrong,
        limit
    )
    .fetch_all(db)
    .await?)
}
