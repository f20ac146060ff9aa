//! What stations of a model were found to bear. One of them finds it out, all others are spared. The csms learns it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// How many keys a GetConfiguration to this station may ask for, where its model does not bear the question for all.
pub async fn keys_at_once(db: &mut PgConnection, station_id: Uuid) -> Result<Option<i32>> {
    Ok(sqlx::query_scalar!(
        "select h.keys_at_once from stations s
         join model_habits h on h.vendor = lower(coalesce(s.vendor, '')) and h.model = lower(s.model)
         where s.id = $1",
        station_id
    )
    .fetch_optional(db)
    .await?)
}

/// A station bears so many at most. Of two findings the smaller counts; of a station without a model nothing is learned.
pub async fn learn_keys_at_once(
    db: &mut PgConnection,
    station_id: Uuid,
    keys: i32,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into model_habits as h (vendor, model, keys_at_once, learned_at)
         select lower(coalesce(vendor, '')), lower(model), $2, $3 from stations where id = $1 and model <> ''
         on conflict (vendor, model) do update set keys_at_once = excluded.keys_at_once, learned_at = excluded.learned_at
         where excluded.keys_at_once < h.keys_at_once",
        station_id,
        keys,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}
