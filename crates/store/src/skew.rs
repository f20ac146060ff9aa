//! How far stations' clocks are from ours, as measured by what they say. The csms writes it; people read it with the station.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// A station's clock further from ours than this deserves somebody's attention, in seconds.
pub const WORTH_A_WARNING_S: i32 = 300;

/// What a station's clock was found to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Measured {
    /// Whose.
    pub station_id: Uuid,
    /// How far it is ahead of ours, in seconds; negative where it is behind.
    pub skew_s: i32,
    /// When, by our clock.
    pub at: DateTime<Utc>,
}

/// Writes the latest of each station.
pub(crate) async fn write(db: &mut PgConnection, measured: &[&Measured]) -> Result<()> {
    if measured.is_empty() {
        return Ok(());
    }
    let stations: Vec<Uuid> = measured.iter().map(|one| one.station_id).collect();
    let skews: Vec<i32> = measured.iter().map(|one| one.skew_s).collect();
    let times: Vec<DateTime<Utc>> = measured.iter().map(|one| one.at).collect();
    sqlx::query!(
        "insert into station_clocks (station_id, skew_s, measured_at)
         select * from unnest($1::uuid[], $2::integer[], $3::timestamptz[])
         on conflict (station_id) do update set skew_s = excluded.skew_s, measured_at = excluded.measured_at",
        &stations,
        &skews,
        &times
    )
    .execute(db)
    .await?;
    Ok(())
}
