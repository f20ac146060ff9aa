//! Partitions of the two big tables: made ahead, dropped when nobody needs them.

use std::collections::HashSet;

use chrono::{DateTime, Days, Months, Utc};
use sqlx::PgConnection;

use crate::Result;

/// Makes every partition that a row of now may need: from `retention_days` ago to two months ahead.
/// Called at start and daily, by whoever comes first.
pub async fn ensure(db: &mut PgConnection, retention_days: u32, now: DateTime<Utc>) -> Result<i32> {
    let until = now + Months::new(2);
    let since = now - Days::new(u64::from(retention_days));
    Ok(sqlx::query_scalar!(
        r#"select ensure_partitions('meter_values', $1, $3) + ensure_partitions('ocpp_messages', $2, $3) as "made!""#,
        since,
        now - Days::new(1),
        until
    )
    .fetch_one(db)
    .await?)
}

/// The names of the partitions of `parent`.
pub(crate) async fn of(db: &mut PgConnection, parent: &str) -> Result<HashSet<String>> {
    let names = sqlx::query_scalar!(
        r#"select c.relname::text as "name!" from pg_inherits i join pg_class c on c.oid = i.inhrelid
           where i.inhparent = to_regclass($1)"#,
        parent
    )
    .fetch_all(db)
    .await?;
    Ok(names.into_iter().collect())
}

/// Drops the partitions of `parent` that end before `horizon`; answers their names.
pub async fn drop_before(
    db: &mut PgConnection,
    parent: &str,
    horizon: DateTime<Utc>,
) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        r#"select drop_partitions($1, $2) as "name!""#,
        parent,
        horizon
    )
    .fetch_all(db)
    .await?)
}
