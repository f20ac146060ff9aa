//! Stations with the live state of their connectors: what a person sees of the fleet now.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, Scoped};

/// A connector and its last word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Connector {
    /// 1.6: the connectorId; 0 is the station itself.
    pub evse: i32,
    /// 1.6: always 1, but for connectorId 0.
    pub connector: i32,
    /// Verbatim.
    pub status: String,
    /// Verbatim; `NoError` when nothing is wrong.
    pub error_code: String,
    /// The vendor's own code.
    pub vendor_error_code: Option<String>,
    /// The charger's remark.
    pub info: Option<String>,
    /// When it was last said, by our clock.
    pub received_at: DateTime<Utc>,
}

/// A station as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Station {
    /// Its id.
    pub id: Uuid,
    /// As registered.
    pub identity: String,
    /// Where it stands.
    pub site_id: Option<Uuid>,
    /// Its site's name.
    pub site: Option<String>,
    /// IANA name of the zone in which its times are shown.
    pub time_zone: Option<String>,
    /// accepted, pending or rejected.
    pub registration: String,
    /// chargePointVendor.
    pub vendor: Option<String>,
    /// chargePointModel.
    pub model: Option<String>,
    /// firmwareVersion.
    pub firmware: Option<String>,
    /// The subprotocol last spoken.
    pub protocol: Option<String>,
    /// Whether a socket of it is open. Nothing else makes a station online, on any page: what it said a minute ago is
    /// no promise that it can be asked now.
    pub connected: bool,
    /// When it last said anything.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// By number; 0, the station itself, first if it ever spoke of itself.
    pub connectors: Vec<Connector>,
    /// W of its active sessions now; none if nothing charges.
    pub power_w: Option<i64>,
    /// Its active sessions.
    pub active: i64,
}

/// Which stations; the empty filter is every station of the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// At this site.
    pub site_id: Option<Uuid>,
    /// With a connector that says this of itself, or `Offline`. Statuses are the wire's words.
    pub state: Option<String>,
    /// Whose identity, vendor or model contains this, whatever the case.
    pub text: Option<String>,
}

/// The word by which [`Filter::state`] and [`crate::overview`] call a connector whose station is not connected.
pub const OFFLINE: &str = "Offline";

/// The stations of the filter whose identity comes after `after`, by identity, at most `limit`.
pub async fn list(
    db: &mut Scoped<'_>,
    filter: &Filter,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Station>> {
    let rows = sqlx::query!(
        r#"select s.id, s.identity, s.site_id, p.name as "site?", p.time_zone as "time_zone?", s.registration, s.vendor, s.model,
                  s.firmware, n.protocol as "protocol?", coalesce(n.connected, false) as "connected!",
                  n.last_seen_at as "last_seen_at?"
           from stations s
           left join sites p on p.id = s.site_id
           left join station_presence n on n.station_id = s.id
           where ($1::uuid is null or s.site_id = $1)
             and ($2::text is null
                  or position(lower($2) in lower(concat_ws(' ', s.identity, s.vendor, s.model))) > 0)
             and ($3::text is null
                  or ($3 = $6) = not coalesce(n.connected, false)
                     and ($3 = $6 or exists (select from connectors c where c.station_id = s.id and c.status = $3)))
             and ($4::text is null or lower(s.identity) > lower($4))
           order by lower(s.identity) limit $5"#,
        filter.site_id,
        filter.text,
        filter.state,
        after,
        limit,
        OFFLINE
    )
    .fetch_all(&mut **db)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut connectors = connectors_of(db, &ids).await?;
    let charging = charging_at(db, &ids).await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let (active, power_w) = charging.get(&row.id).copied().unwrap_or((0, None));
            Station {
                id: row.id,
                identity: row.identity,
                site_id: row.site_id,
                site: row.site,
                time_zone: row.time_zone,
                registration: row.registration,
                vendor: row.vendor,
                model: row.model,
                firmware: row.firmware,
                protocol: row.protocol,
                connected: row.connected,
                last_seen_at: row.last_seen_at,
                connectors: connectors.remove(&row.id).unwrap_or_default(),
                power_w,
                active,
            }
        })
        .collect())
}

/// How many stations the filter has, whatever page is shown.
pub async fn count(db: &mut Scoped<'_>, filter: &Filter) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!"
           from stations s left join station_presence n on n.station_id = s.id
           where ($1::uuid is null or s.site_id = $1)
             and ($2::text is null
                  or position(lower($2) in lower(concat_ws(' ', s.identity, s.vendor, s.model))) > 0)
             and ($3::text is null
                  or ($3 = $4) = not coalesce(n.connected, false)
                     and ($3 = $4 or exists (select from connectors c where c.station_id = s.id and c.status = $3)))"#,
        filter.site_id,
        filter.text,
        filter.state,
        OFFLINE
    )
    .fetch_one(&mut **db)
    .await?)
}

/// Identities of the scope, for filter lists, at most 1000.
pub async fn identities(db: &mut Scoped<'_>) -> Result<Vec<String>> {
    Ok(
        sqlx::query_scalar!("select identity from stations order by lower(identity) limit 1000")
            .fetch_all(&mut **db)
            .await?,
    )
}

/// Since when each connector of a station (by EVSE and connector) has been as it is now.
pub async fn since(
    db: &mut Scoped<'_>,
    station_id: Uuid,
) -> Result<HashMap<(i32, i32), DateTime<Utc>>> {
    let rows = sqlx::query!(
        r#"select c.evse, c.connector, h.received_at
           from connectors c
           cross join lateral (
             select received_at from connector_history
             where station_id = c.station_id and evse = c.evse and connector = c.connector
             order by received_at desc limit 1) h
           where c.station_id = $1"#,
        station_id
    )
    .fetch_all(&mut **db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ((row.evse, row.connector), row.received_at))
        .collect())
}

/// The connectors of each of these stations.
pub(crate) async fn connectors_of(
    db: &mut Scoped<'_>,
    stations: &[Uuid],
) -> Result<HashMap<Uuid, Vec<Connector>>> {
    let rows = sqlx::query!(
        "select station_id, evse, connector, status, error_code, vendor_error_code, info, received_at
         from connectors where station_id = any ($1) order by station_id, evse, connector",
        stations
    )
    .fetch_all(&mut **db)
    .await?;
    let mut found: HashMap<Uuid, Vec<Connector>> = HashMap::new();
    for row in rows {
        found.entry(row.station_id).or_default().push(Connector {
            evse: row.evse,
            connector: row.connector,
            status: row.status,
            error_code: row.error_code,
            vendor_error_code: row.vendor_error_code,
            info: row.info,
            received_at: row.received_at,
        });
    }
    Ok(found)
}

/// How many sessions are active at each station, and their power together.
async fn charging_at(
    db: &mut Scoped<'_>,
    stations: &[Uuid],
) -> Result<HashMap<Uuid, (i64, Option<i64>)>> {
    let rows = sqlx::query!(
        r#"select station_id as "station_id!", count(*) as "active!", sum(power_w) as power_w
           from sessions_as_read
           where state = 'active'
             and id in (select id from transactions where station_id = any ($1) and stopped_at is null)
           group by station_id"#,
        stations
    )
    .fetch_all(&mut **db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.station_id, (row.active, row.power_w)))
        .collect())
}

/// Whether every connector that is known of a station, of itself apart, is in one of these states; false if none is known.
pub async fn are_all(db: &mut PgConnection, station_id: Uuid, states: &[&str]) -> Result<bool> {
    let states: Vec<String> = states.iter().map(|state| (*state).to_owned()).collect();
    Ok(sqlx::query_scalar!(
        r#"select coalesce(bool_and(status = any ($2)), false) as "are!" from connectors where station_id = $1 and evse > 0"#,
        station_id,
        &states
    )
    .fetch_one(db)
    .await?)
}
