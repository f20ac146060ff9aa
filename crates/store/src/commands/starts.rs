//! Remote starts that wait for a vehicle: asked when one was plugged in.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// The last remote start since `since` that the station refused for this connector or for none in particular, and that was
/// not sent once more: its id and payload.
pub async fn refused_start(
    db: &mut PgConnection,
    station_id: Uuid,
    connector: i32,
    since: DateTime<Utc>,
) -> Result<Option<(Uuid, String)>> {
    let found = sqlx::query!(
        r#"select c.id, c.payload from commands c
           where c.station_id = $1 and c.action = 'RemoteStartTransaction' and c.verdict = 'Rejected'
             and c.answered_at >= $3 and c.rerun_of is null
             and (c.payload !~ '"connectorId"' or c.payload ~ ('"connectorId"\s*:\s*' || $2::integer::text || '[^0-9]'))
             and not exists (select from commands again where again.rerun_of = c.id)
           order by c.created_at desc, c.id desc limit 1"#,
        station_id,
        connector,
        since
    )
    .fetch_optional(db)
    .await?;
    Ok(found.map(|row| (row.id, row.payload)))
}

/// Whether a charge may be started at this connector: none is running there, and no start was asked for since `since`.
pub async fn may_start(
    db: &mut PgConnection,
    station_id: Uuid,
    connector: i32,
    since: DateTime<Utc>,
) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select not exists (select from transactions
                              where station_id = $1 and evse = $2 and stopped_at is null)
              and not exists (select from commands
                              where station_id = $1 and action = 'RemoteStartTransaction' and created_at >= $3
                                and (payload !~ '"connectorId"'
                                     or payload ~ ('"connectorId"\s*:\s*' || $2::integer::text || '[^0-9]'))) as "may!""#,
        station_id,
        connector,
        since
    )
    .fetch_one(db)
    .await?)
}
