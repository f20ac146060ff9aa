//! Where tariffs hold. The narrowest match wins: connector, station, driver group at a site, driver group, site; of equals
//! the latest. The rule itself is the database's function `tariff_version_at`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Result, Scoped, ids};

/// Where, or for whom, a tariff holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// One connector of a station (1.6: the connectorId).
    Connector {
        /// The station.
        station_id: Uuid,
        /// Its EVSE.
        evse: i32,
    },
    /// A station.
    Station(Uuid),
    /// The drivers of a group, at one site.
    GroupAtSite {
        /// The group.
        group_id: Uuid,
        /// The site.
        site_id: Uuid,
    },
    /// The drivers of a group, anywhere.
    Group(Uuid),
    /// A site.
    Site(Uuid),
}

impl Place {
    /// As the columns have it: site, station, evse, group.
    fn columns(self) -> (Option<Uuid>, Option<Uuid>, Option<i32>, Option<Uuid>) {
        match self {
            Place::Connector { station_id, evse } => (None, Some(station_id), Some(evse), None),
            Place::Station(station_id) => (None, Some(station_id), None, None),
            Place::GroupAtSite { group_id, site_id } => (Some(site_id), None, None, Some(group_id)),
            Place::Group(group_id) => (None, None, None, Some(group_id)),
            Place::Site(site_id) => (Some(site_id), None, None, None),
        }
    }

    fn of_columns(
        site: Option<Uuid>,
        station: Option<Uuid>,
        evse: Option<i32>,
        group: Option<Uuid>,
    ) -> Option<Self> {
        match (site, station, evse, group) {
            (None, Some(station_id), Some(evse), None) => {
                Some(Place::Connector { station_id, evse })
            }
            (None, Some(station_id), None, None) => Some(Place::Station(station_id)),
            (Some(site_id), None, None, Some(group_id)) => {
                Some(Place::GroupAtSite { group_id, site_id })
            }
            (None, None, None, Some(group_id)) => Some(Place::Group(group_id)),
            (Some(site_id), None, None, None) => Some(Place::Site(site_id)),
            _ => None,
        }
    }
}

/// A tariff at a place, for a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assignment {
    /// Its id.
    pub id: Uuid,
    /// The tariff.
    pub tariff_id: Uuid,
    /// Its name.
    pub tariff: String,
    /// Where.
    pub place: Place,
    /// Names of the place, as far as they are known: site.
    pub site: Option<String>,
    /// The station's identity.
    pub station: Option<String>,
    /// The driver group's name.
    pub group: Option<String>,
    /// Sessions that start at this instant or later.
    pub valid_from: DateTime<Utc>,
    /// And before this one.
    pub valid_to: Option<DateTime<Utc>>,
}

/// Lets a tariff hold at a place. [`Error::Conflict`] names what does not exist (`tariff_assignments_site_id_fkey`, …) or
/// a period that ends before it begins (`tariff_assignments_period_check`).
pub async fn assign(
    db: &mut PgConnection,
    tariff_id: Uuid,
    place: Place,
    valid_from: DateTime<Utc>,
    valid_to: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new_id(now);
    let (site, station, evse, group) = place.columns();
    sqlx::query!(
        "insert into tariff_assignments
           (id, tariff_id, site_id, station_id, evse, group_id, valid_from, valid_to, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        id,
        tariff_id,
        site,
        station,
        evse,
        group,
        valid_from,
        valid_to,
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Ends an assignment at `at`; false if there is none, or it ends before that already. One that has not begun holds for
/// no time worth the name.
pub async fn end(db: &mut PgConnection, id: Uuid, at: DateTime<Utc>) -> Result<bool> {
    Ok(sqlx::query!(
        "update tariff_assignments set valid_to = greatest($2, valid_from + interval '1 microsecond')
         where id = $1 and (valid_to is null or valid_to > $2)",
        id,
        at
    )
    .execute(db)
    .await?
    .rows_affected()
        > 0)
}

/// The assignments of a tariff, or all, as far as the scope sees their places: the narrowest first, of equals the latest.
/// Those of a driver group anywhere are for readers of all sites alone.
pub async fn list(db: &mut Scoped<'_>, tariff_id: Option<Uuid>) -> Result<Vec<Assignment>> {
    let rows = sqlx::query!(
        r#"select a.id, a.tariff_id, t.name as tariff, a.site_id, p.name as "site?", a.station_id,
                  s.identity as "station?", a.evse, a.group_id, g.name as "driver_group?", a.valid_from, a.valid_to
           from tariff_assignments a
           join tariffs t on t.id = a.tariff_id
           left join sites p on p.id = a.site_id
           left join stations s on s.id = a.station_id
           left join driver_groups g on g.id = a.group_id
           where ($1::uuid is null or a.tariff_id = $1)
             and (p.id is not null or s.id is not null
                  or coalesce(current_setting('forecourt.sites', true), '') = '*')
           order by num_nonnulls(a.evse) desc, num_nonnulls(a.station_id) desc, num_nonnulls(a.group_id) desc,
                    num_nonnulls(a.site_id) desc, a.valid_from desc, a.id desc"#,
        tariff_id
    )
    .fetch_all(&mut **db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let place = Place::of_columns(row.site_id, row.station_id, row.evse, row.group_id)
                .ok_or_else(|| Error::Corrupt {
                    table: "tariff_assignments",
                    column: "station_id",
                    row: row.id.to_string(),
                    value: format!("{:?} with {:?}", row.station_id, row.group_id),
                })?;
            Ok(Assignment {
                id: row.id,
                tariff_id: row.tariff_id,
                tariff: row.tariff,
                place,
                site: row.site,
                station: row.station,
                group: row.driver_group,
                valid_from: row.valid_from,
                valid_to: row.valid_to,
            })
        })
        .collect()
}

/// The tariff version that a session would have that starts at an instant: at the station's EVSE, with this token.
pub async fn resolve(
    db: &mut PgConnection,
    station_id: Uuid,
    evse: i32,
    id_token: &str,
    at: DateTime<Utc>,
) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar!(
        r#"select v.tariff_version_id as "id!"
           from stations s, lateral tariff_version_at(s.site_id, s.id, $2, $3, $4) v where s.id = $1"#,
        station_id,
        evse,
        id_token,
        at
    )
    .fetch_optional(db)
    .await?)
}

#[cfg(test)]
mod tests;
