//! Where each chain stood at the end of a day.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// Where a chain stood at the end of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// The day.
    pub day: NaiveDate,
    /// The last entry then.
    pub seq: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

/// Writes down where the chain stands at the end of `day`; false if that is written already.
pub async fn anchor(
    db: &mut PgConnection,
    entity: Uuid,
    day: NaiveDate,
    now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "insert into ledger_anchors (legal_entity_id, day, seq, hash, made_at)
         select legal_entity_id, $2, seq, hash, $3 from ledger_heads where legal_entity_id = $1
         on conflict do nothing",
        entity,
        day,
        now
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Every anchor of the chain, by day.
pub async fn anchors(db: &mut PgConnection, entity: Uuid) -> Result<Vec<Anchor>> {
    Ok(sqlx::query_as!(
        Anchor,
        "select day, seq, hash from ledger_anchors where legal_entity_id = $1 order by day",
        entity
    )
    .fetch_all(db)
    .await?)
}
