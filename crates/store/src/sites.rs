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

/// What is agreed for a site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The site.
    pub site: Site,
    /// Who sells there: id and name. None: nobody invoices there.
    pub seller: Option<(Uuid, String)>,
    /// Which public holidays tariffs know there.
    pub calendar: Option<String>,
    /// How many stations stand there.
    pub stations: i64,
}

/// The sites of the scope with what is agreed for them, by name; with an id, that one alone.
pub async fn terms(db: &mut Scoped<'_>, id: Option<Uuid>) -> Result<Vec<Terms>> {
    let rows = sqlx::query!(
        r#"select s.id, s.name, s.time_zone, s.legal_entity_id, e.name as "seller?", s.holiday_calendar,
                  (select count(*) from stations t where t.site_id = s.id) as "stations!"
           from sites s left join legal_entities e on e.id = s.legal_entity_id
           where $1::uuid is null or s.id = $1 order by lower(s.name)"#,
        id
    )
    .fetch_all(&mut **db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Terms {
                site: Site {
                    time_zone: zone(row.id, &row.time_zone)?,
                    id: row.id,
                    name: row.name,
                },
                seller: row.legal_entity_id.zip(row.seller),
                calendar: row.holiday_calendar,
                stations: row.stations,
            })
        })
        .collect()
}

/// Gives a site another name and time zone; false if there is none of this id. [`Error::Conflict`] `sites_name_key` if the
/// name is taken.
pub async fn change(db: &mut PgConnection, id: Uuid, name: &str, zone: Tz) -> Result<bool> {
    let done = sqlx::query!(
        "update sites set name = $2, time_zone = $3 where id = $1",
        id,
        name,
        zone.name()
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

fn zone(site: Uuid, name: &str) -> Result<Tz> {
    name.parse().map_err(|_| Error::Corrupt {
        table: "sites",
        column: "time_zone",
        row: site.to_string(),
        value: name.to_owned(),
    })
}

/// The sites of the scope, by name.
pub async fn list(db: &mut Scoped<'_>) -> Result<Vec<Site>> {
    let rows = sqlx::query!("select id, name, time_zone from sites order by name")
        .fetch_all(&mut **db)
        .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Site {
                time_zone: zone(row.id, &row.time_zone)?,
                id: row.id,
                name: row.name,
            })
        })
        .collect()
}
