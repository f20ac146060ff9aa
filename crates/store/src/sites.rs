//! Sites: the places that stations stand at, and their time zones.

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Result, Scoped, ids};

/// A place with stations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Its id.
    pub id: Uuid,
    /// Unique, whatever the case.
    pub name: String,
    /// In which its times are shown.
    pub time_zone: Tz,
}

/// Adds a site; [`Error::Conflict`] `sites_name_key` if the name is taken.
pub async fn add(db: &mut PgConnection, name: &str, zone: Tz, now: DateTime<Utc>) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into sites (id, name, time_zone, created_at) values ($1, $2, $3, $4)",
        id,
        name,
        zone.name(),
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// The id of the site with this name, whatever the case, or with this id.
pub async fn find(db: &mut PgConnection, name_or_id: &str) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select id from sites where lower(name) = lower($1) or id::text = lower($1)",
        name_or_id
    )
    .fetch_optional(db)
    .await?)
}

/// The sites of the scope, by name.
pub async fn list(db: &mut Scoped<'_>) -> Result<Vec<Site>> {
    let rows = sqlx::query!("select id, name, time_zone from sites order by name")
        .fetch_all(&mut **db)
        .await?;
    rows.into_iter()
        .map(|row| {
            let time_zone = row.time_zone.parse().map_err(|_| Error::Corrupt {
                table: "sites",
                column: "time_zone",
                row: row.id.to_string(),
                value: row.time_zone.clone(),
            })?;
            Ok(Site {
                id: row.id,
                name: row.name,
                time_zone,
            })
        })
        .collect()
}
