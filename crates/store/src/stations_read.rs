//! Stations as programs read them: one by one with everything that is known, or all of a scope by identity.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::connectors::{Connector, connectors_of};
use crate::{Result, Scoped};

/// A station with what is known of it now. Its password is not among it.
#[derive(Debug, Clone, PartialEq)]
pub struct Station {
    /// Its id.
    pub id: Uuid,
    /// As registered.
    pub identity: String,
    /// What people call it; may be empty.
    pub name: String,
    /// Where it stands.
    pub site_id: Option<Uuid>,
    /// That site's name.
    pub site: Option<String>,
    /// IANA name of the zone in which its times are shown.
    pub time_zone: Option<String>,
    /// accepted, pending or rejected.
    pub registration: String,
    /// OCPP security profile, 0 to 3.
    pub security_profile: i16,
    /// Whether a password is set.
    pub has_password: bool,
    /// What the CN of its certificate must be; `None`: its identity.
    pub certificate_name: Option<String>,
    /// Per-station switches.
    pub options: Value,
    /// chargePointVendor.
    pub vendor: Option<String>,
    /// chargePointModel.
    pub model: Option<String>,
    /// chargePointSerialNumber.
    pub serial: Option<String>,
    /// firmwareVersion.
    pub firmware: Option<String>,
    /// The subprotocol last spoken.
    pub protocol: Option<String>,
    /// Whether a socket of it is open.
    pub connected: bool,
    /// When the socket that is open, or was open last, was opened.
    pub connected_at: Option<DateTime<Utc>>,
    /// When the last socket that was closed was closed.
    pub disconnected_at: Option<DateTime<Utc>>,
    /// From where it last connected.
    pub address: Option<String>,
    /// When it last said anything.
    pub last_seen_at: Option<DateTime<Utc>>,
    /// When it last booted.
    pub last_boot_at: Option<DateTime<Utc>>,
    /// How far its clock is ahead of ours, in seconds (negative: behind), as measured by what it says.
    pub clock_skew_s: Option<i32>,
    /// When that was found.
    pub clock_measured_at: Option<DateTime<Utc>>,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
    /// By number; 0 is the station itself.
    pub connectors: Vec<Connector>,
}

/// Which stations; the empty filter is every station of the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter<'a> {
    /// The one of this identity, whatever the case.
    pub identity: Option<&'a str>,
    /// At this site.
    pub site_id: Option<Uuid>,
    /// Pending or rejected.
    pub unaccepted: bool,
}

/// The stations of the filter whose identity comes after `after`, by identity, at most `limit`.
pub async fn list(
    db: &mut Scoped<'_>,
    filter: &Filter<'_>,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Station>> {
    let rows = sqlx::query!(
        r#"select s.id, s.identity, s.name, s.site_id, p.name as "site?", p.time_zone as "time_zone?", s.registration, s.security_profile,
                  s.password_hash is not null as "has_password!", s.certificate_name, s.options, s.vendor, s.model, s.serial, s.firmware,
                  n.protocol as "protocol?", coalesce(n.connected, false) as "connected!",
                  n.connected_at as "connected_at?", n.disconnected_at as "disconnected_at?", n.address as "address?",
                  n.last_seen_at as "last_seen_at?", s.last_boot_at, s.created_at,
                  c.skew_s as "clock_skew_s?", c.measured_at as "clock_measured_at?"
           from stations s
           left join sites p on p.id = s.site_id
           left join station_presence n on n.station_id = s.id
           left join station_clocks c on c.station_id = s.id
           where ($1::text is null or lower(s.identity) = lower($1))
             and ($2::uuid is null or s.site_id = $2)
             and ($3::text is null or lower(s.identity) > lower($3))
             and (not $5 or s.registration <> 'accepted')
           order by lower(s.identity) limit $4"#,
        filter.identity,
        filter.site_id,
        after,
        limit,
        filter.unaccepted
    )
    .fetch_all(&mut **db)
    .await?;
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let mut connectors = connectors_of(db, &ids).await?;
    Ok(rows
        .into_iter()
        .map(|row| Station {
            connectors: connectors.remove(&row.id).unwrap_or_default(),
            id: row.id,
            identity: row.identity,
            name: row.name,
            site_id: row.site_id,
            site: row.site,
            time_zone: row.time_zone,
            registration: row.registration,
            security_profile: row.security_profile,
            has_password: row.has_password,
            certificate_name: row.certificate_name,
            options: row.options,
            vendor: row.vendor,
            model: row.model,
            serial: row.serial,
            firmware: row.firmware,
            protocol: row.protocol,
            connected: row.connected,
            connected_at: row.connected_at,
            disconnected_at: row.disconnected_at,
            address: row.address,
            last_seen_at: row.last_seen_at,
            last_boot_at: row.last_boot_at,
            created_at: row.created_at,
            clock_skew_s: row.clock_skew_s,
            clock_measured_at: row.clock_measured_at,
        })
        .collect())
}

/// The station of this identity, whatever the case, if the scope shows it.
pub async fn get(db: &mut Scoped<'_>, identity: &str) -> Result<Option<Station>> {
    let filter = Filter {
        identity: Some(identity),
        ..Filter::default()
    };
    Ok(list(db, &filter, None, 1).await?.pop())
}

/// A station that may be commanded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Its id.
    pub id: Uuid,
    /// As registered.
    pub identity: String,
    /// Where it stands.
    pub site_id: Option<Uuid>,
    /// The subprotocol last spoken.
    pub protocol: Option<String>,
}

/// Which stations something is meant for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// Those of these identities, whatever the case, in whichever state; else all that are accepted and
    pub identities: Option<Vec<String>>,
    /// stand at this site,
    pub site_id: Option<Uuid>,
    /// are of this make,
    pub vendor: Option<String>,
    /// of this model,
    pub model: Option<String>,
    /// run this firmware,
    pub firmware: Option<String>,
    /// and are connected, or are not.
    pub connected: Option<bool>,
}

/// The stations of the scope that are meant, by identity.
pub async fn targets(db: &mut Scoped<'_>, targets: &Targets, limit: i64) -> Result<Vec<Target>> {
    let identities: Option<Vec<String>> = targets.identities.as_ref().map(|identities| {
        identities
            .iter()
            .map(|identity| identity.to_lowercase())
            .collect()
    });
    Ok(sqlx::query_as!(
        Target,
        r#"select s.id, s.identity, s.site_id, n.protocol as "protocol?"
           from stations s left join station_presence n on n.station_id = s.id
           where case when $1::text[] is not null then lower(s.identity) = any($1) else s.registration = 'accepted' end
             and ($2::uuid is null or s.site_id = $2)
             and ($3::text is null or s.vendor = $3)
             and ($4::text is null or s.model = $4)
             and ($5::text is null or s.firmware = $5)
             and ($6::boolean is null or coalesce(n.connected, false) = $6)
           order by lower(s.identity) limit $7"#,
        identities as _,
        targets.site_id,
        targets.vendor,
        targets.model,
        targets.firmware,
        targets.connected,
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}
