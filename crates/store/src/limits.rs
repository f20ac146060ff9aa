//! What stations said that they cannot do.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// Notes that a station cannot do `what`: an action, or `TriggerMessage/` and a message.
pub async fn note(
    db: &mut PgConnection,
    station_id: Uuid,
    what: &str,
    at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into station_limits (station_id, what, at) values ($1, $2, $3)
         on conflict (station_id, what) do update set at = excluded.at",
        station_id,
        what,
        at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets it: the station did it after all.
pub async fn forget(db: &mut PgConnection, station_id: Uuid, what: &str) -> Result<()> {
    sqlx::query!(
        "delete from station_limits where station_id = $1 and what = $2",
        station_id,
        what
    )
    .execute(db)
    .await?;
    Ok(())
}

/// All that a station cannot do.
pub async fn of(db: &mut PgConnection, station_id: Uuid) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "select what from station_limits where station_id = $1 order by what",
        station_id
    )
    .fetch_all(db)
    .await?)
}
