//! The first page: what the fleet does now, and what needs a person.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::connectors::OFFLINE;
use crate::{Result, Scoped};

/// Without a socket for this long, a station needs attention.
const OFFLINE_AFTER: TimeDelta = TimeDelta::minutes(10);
/// A cable is plugged in and nothing happens.
const STUCK_PREPARING: TimeDelta = TimeDelta::minutes(15);
/// The car is full and stays.
const STUCK_FINISHING: TimeDelta = TimeDelta::minutes(60);
/// An active session should have been measured by then, and again within it.
const SILENT_AFTER: TimeDelta = TimeDelta::minutes(15);
/// Failed commands are news for this long.
const COMMANDS_FOR: TimeDelta = TimeDelta::hours(24);
/// Power older than this is no live power.
const POWER_FOR: TimeDelta = TimeDelta::minutes(15);

/// The figures above the lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Connectors by their last word, most first; those of stations that are not connected are `Offline`.
    pub connectors: Vec<(String, i64)>,
    /// Stations with an open socket.
    pub online: i64,
    /// Stations.
    pub stations: i64,
    /// Active sessions.
    pub active: i64,
    /// W of the active sessions together.
    pub power_w: i64,
    /// Wh of the sessions that started today, in each site's own day.
    pub today_wh: i64,
    /// How many sessions those are.
    pub today_sessions: i64,
    /// The same of seven days ago, up to the same time of day.
    pub week_ago_wh: i64,
}

/// Reads the figures of the scope.
pub async fn figures(db: &mut Scoped<'_>, now: DateTime<Utc>) -> Result<Figures> {
    let connectors = sqlx::query!(
        r#"select case when n.connected then c.status else $1 end as "state!", count(*) as "count!"
           from connectors c
           join stations s on s.id = c.station_id
           left join station_presence n on n.station_id = c.station_id
           where c.evse > 0
           group by 1 order by 2 desc, 1"#,
        OFFLINE
    )
    .fetch_all(&mut **db)
    .await?;
    let stations = sqlx::query!(
        r#"select count(*) as "stations!",
                  count(*) filter (where n.connected) as "online!"
           from stations s left join station_presence n on n.station_id = s.id"#
    )
    .fetch_one(&mut **db)
    .await?;
    let active = sqlx::query!(
        r#"select count(*) as "active!", coalesce(sum(power_w) filter (where sampled_at > $1), 0)::bigint as "power_w!"
           from sessions_as_read
           where state = 'active' and id in (select id from transactions where stopped_at is null)"#,
        now - POWER_FOR
    )
    .fetch_one(&mut **db)
    .await?;
    let energy = sqlx::query!(
        r#"with days as (
             select started_at, energy_wh,
                    date_trunc('day', $1::timestamptz at time zone coalesce(time_zone, 'UTC'))
                      at time zone coalesce(time_zone, 'UTC') as midnight,
                    date_trunc('day', ($1::timestamptz - interval '7 days') at time zone coalesce(time_zone, 'UTC'))
                      at time zone coalesce(time_zone, 'UTC') as midnight_week_ago
             from sessions_as_read where started_at between $1::timestamptz - interval '9 days' and $1)
           select coalesce(sum(energy_wh) filter (where started_at >= midnight), 0)::bigint as "today_wh!",
                  count(*) filter (where started_at >= midnight) as "today_sessions!",
                  coalesce(sum(energy_wh) filter (where started_at >= midnight_week_ago
                    and started_at <= $1::timestamptz - interval '7 days'), 0)::bigint as "week_ago_wh!"
           from days"#,
        now
    )
    .fetch_one(&mut **db)
    .await?;
    Ok(Figures {
        connectors: connectors
            .into_iter()
            .map(|row| (row.state, row.count))
            .collect(),
        online: stations.online,
        stations: stations.stations,
        active: active.active,
        power_w: active.power_w,
        today_wh: energy.today_wh,
        today_sessions: energy.today_sessions,
        week_ago_wh: energy.week_ago_wh,
    })
}

/// Why something needs a person; the first are the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// A connector, or the station, says Faulted.
    Faulted,
    /// No socket for more than ten minutes; without a time, there never was one.
    Offline,
    /// An active session that is not measured.
    NoMeterValues,
    /// Plugged in, and nothing happens.
    StuckPreparing,
    /// Charged, and nobody unplugs.
    StuckFinishing,
    /// A command that the station did not do, or of which nobody knows.
    CommandFailed,
}

impl Trouble {
    fn parse(text: &str) -> Trouble {
        match text {
            "faulted" => Trouble::Faulted,
            "offline" => Trouble::Offline,
            "no_meter_values" => Trouble::NoMeterValues,
            "stuck_preparing" => Trouble::StuckPreparing,
            "stuck_finishing" => Trouble::StuckFinishing,
            _ => Trouble::CommandFailed,
        }
    }
}

/// A line of the list "needs attention".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attention {
    /// Why.
    pub trouble: Trouble,
    /// The station's identity.
    pub station: String,
    /// The site's name.
    pub site: Option<String>,
    /// IANA name of the zone in which its times are shown.
    pub time_zone: Option<String>,
    /// The connector; none or 0 if it is the whole station.
    pub connector: Option<i32>,
    /// The session or command that it is about.
    pub subject: Option<Uuid>,
    /// Since when, by our clock as far as we know.
    pub since: Option<DateTime<Utc>>,
    /// The charger's words, or the command's action and end.
    pub detail: String,
}

/// What needs a person, worst first and of those the newest first, at most `limit`. Stations that are not accepted are
/// somebody's decision already and are left out.
pub async fn attention(
    db: &mut Scoped<'_>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Attention>> {
    let rows = sqlx::query!(
        r#"with live as (
             select s.id, n.connected, coalesce(n.disconnected_at, n.last_seen_at) as lost_at
             from stations s left join station_presence n on n.station_id = s.id
             where s.registration = 'accepted'),
           stood as (
             select c.station_id, c.evse, c.status, c.error_code, c.vendor_error_code, c.info,
                    coalesce(h.since, c.received_at) as since
             from connectors c join live on live.id = c.station_id and live.connected
             left join lateral (
               select received_at as since from connector_history h
               where h.station_id = c.station_id and h.evse = c.evse and h.connector = c.connector
               order by received_at desc limit 1) h on true
             where c.status in ('Faulted', 'Preparing', 'Finishing')),
           found (rank, trouble, station_id, connector, subject, since, detail) as (
             select 1, 'faulted', station_id, evse, null::uuid, since,
                    concat_ws(' · ', nullif(error_code, 'NoError'), vendor_error_code, info)
             from stood where status = 'Faulted'
             union all
             select 2, 'offline', id, null, null, lost_at, ''
             from live where connected is not true and coalesce(lost_at < $2, true)
             union all
             select 3, 'no_meter_values', c.station_id, c.evse, c.id, coalesce(c.sampled_at, c.started_at), ''
             from sessions_as_read c join live on live.id = c.station_id
             where c.state = 'active' and c.id in (select id from transactions where stopped_at is null)
               and coalesce(c.sampled_at, c.started_at) < $3
             union all
             select 4, 'stuck_preparing', station_id, evse, null, since, ''
             from stood where status = 'Preparing' and since < $4
             union all
             select 5, 'stuck_finishing', station_id, evse, null, since, ''
             from stood where status = 'Finishing' and since < $5
             union all
             select 6, 'command_failed', station_id, null, id, coalesce(answered_at, sent_at, created_at),
                    concat_ws(' · ', action, status, error_code)
             from commands
             where status in ('error', 'timeout', 'expired', 'unknown') and created_at > $6)
           select f.trouble as "trouble!", s.identity, p.name as "site?", p.time_zone as "time_zone?", f.connector,
                  f.subject, f.since, f.detail as "detail!"
           from found f join stations s on s.id = f.station_id left join sites p on p.id = s.site_id
           order by f.rank, f.since desc nulls last, s.identity limit $1"#,
        limit,
        now - OFFLINE_AFTER,
        now - SILENT_AFTER,
        now - STUCK_PREPARING,
        now - STUCK_FINISHING,
        now - COMMANDS_FOR
    )
    .fetch_all(&mut **db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Attention {
            trouble: Trouble::parse(&row.trouble),
            station: row.identity,
            site: row.site,
            time_zone: row.time_zone,
            connector: row.connector.filter(|connector| *connector > 0),
            subject: row.subject,
            since: row.since,
            detail: row.detail,
        })
        .collect())
}
