//! Ended transactions in bulk, for tests and benchmarks of the sync. Not part of the product.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// Writes `count` transactions that ended a moment before `now`, numbered from `first`; each has its own energy
/// (1,000 Wh and its number's last four digits more). Tokens are `{token}{n % tokens}`.
pub async fn ended(
    db: &mut PgConnection,
    first: i64,
    count: i64,
    token: &str,
    tokens: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into transactions (id, station_id, number, evse, connector, id_token, started_at, shown_at,
           start_received_at, meter_start_wh, stopped_at, stop_received_at, meter_stop_wh)
         select (lpad(to_hex($6 + n), 12, '0') || '70008000' || lpad(to_hex(n), 12, '0'))::uuid, $1, n, 1, 1,
           $4 || n % $5, $7::timestamptz - interval '1 hour', $7::timestamptz - interval '1 hour', $7, n * 10,
           $7::timestamptz - interval '1 minute', $7, n * 10 + 1000 + n % 10000
         from generate_series($2::bigint, $2::bigint + $3::bigint - 1) n",
        Uuid::from_u128(7),
        first,
        count,
        token,
        tokens,
        now.timestamp_millis(),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
