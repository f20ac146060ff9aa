//! What a session's price is made from: its facts, registers, samples and states, and the tariff that was frozen for it;
//! for many sessions in one statement each. Nothing here decides; `billing` does.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Cursor, Error, Result, sessions::State};

/// A session with everything that its price depends on, but for what the tariff says and what its site's holidays are.
#[derive(Debug, Clone)]
pub struct Charge {
    /// The session.
    pub id: Uuid,
    /// Where it stands.
    pub state: State,
    /// The site at its start.
    pub site_id: Option<Uuid>,
    /// The station.
    pub station_id: Option<Uuid>,
    /// 1.6: the connectorId.
    pub evse: i32,
    /// The charger's time.
    pub started_at: DateTime<Utc>,
    /// The charger's time.
    pub ended_at: Option<DateTime<Utc>>,
    /// What is odd about it.
    pub flags: Vec<String>,
    /// A second stop contradicts the first.
    pub contradicted: bool,
    /// Wh, as closing found it.
    pub energy_wh: Option<i64>,
    /// The register at the start, Wh; of a session with a transaction.
    pub meter_start_wh: Option<i64>,
    /// The register at the stop, Wh.
    pub meter_stop_wh: Option<i64>,
    /// What a person says that it charged, whatever the registers say, Wh.
    pub corrected_wh: Option<i64>,
    /// The reservation that it made use of, or that it consists of.
    pub reserved: Option<Reserved>,
    /// The tariff version that was frozen for it.
    pub tariff_version_id: Option<Uuid>,
    /// IANA name of the site's zone.
    pub time_zone: Option<String>,
    /// The site's calendar.
    pub holiday_calendar: Option<String>,
    /// How the site's legal entity rounds.
    pub rounding: Option<String>,
    /// In the order of the charger's time; rows of one instant are one sample.
    pub samples: Vec<Sample>,
    /// States of its connector while it lasted, in the order of the charger's time.
    pub statuses: Vec<Status>,
}

/// For how long a connector was kept free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// When the station accepted.
    pub from: DateTime<Utc>,
    /// When the transaction began, or nobody had come.
    pub to: DateTime<Utc>,
    /// Nobody came.
    pub expired: bool,
}

/// What the meter said at one instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The charger's time.
    pub at: DateTime<Utc>,
    /// The import register, Wh.
    pub energy_wh: Option<i64>,
    /// W.
    pub power_w: Option<i32>,
    /// What has no column of its own, where it tells of a source.
    pub rest: Option<String>,
}

/// The connector's state from an instant on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The charger's time.
    pub at: DateTime<Utc>,
    /// Verbatim.
    pub status: String,
}

/// Freezes the tariff that held when each of these sessions started, for those that have none yet; answers how many were
/// frozen. A session at whose start no tariff held has none.
pub async fn freeze(db: &mut PgConnection, sessions: &[Uuid], now: DateTime<Utc>) -> Result<u64> {
    Ok(sqlx::query!(
        "insert into session_tariffs (session_id, tariff_version_id, frozen_at)
         select c.id, v.tariff_version_id, $2
         from charging_sessions c
         cross join lateral tariff_version_at(c.site_id, c.station_id, c.evse, c.id_token, c.started_at) v
         where c.id = any ($1) and not exists (select from session_tariffs t where t.session_id = c.id)
         on conflict do nothing",
        sessions,
        now
    )
    .execute(db)
    .await?
    .rows_affected())
}

/// Freezes the tariffs of every session that goes on and has none yet; answers how many were frozen.
pub async fn freeze_open(db: &mut PgConnection, now: DateTime<Utc>) -> Result<u64> {
    Ok(sqlx::query!(
        "insert into session_tariffs (session_id, tariff_version_id, frozen_at)
         select c.id, v.tariff_version_id, $1
         from transactions x join charging_sessions c on c.id = x.id
         cross join lateral tariff_version_at(c.site_id, c.station_id, c.evse, c.id_token, c.started_at) v
         where x.stopped_at is null and not exists (select from session_tariffs t where t.session_id = c.id)
         on conflict do nothing",
        now
    )
    .execute(db)
    .await?
    .rows_affected())
}

/// The tariff versions that would be frozen for these sessions if that were done now, or were: by session.
pub async fn tariffs(db: &mut PgConnection, sessions: &[Uuid]) -> Result<HashMap<Uuid, Uuid>> {
    let rows = sqlx::query!(
        r#"select c.id as "id!", coalesce(t.tariff_version_id, v.tariff_version_id) as "version!"
           from charging_sessions c
           left join session_tariffs t on t.session_id = c.id
           left join lateral tariff_version_at(c.site_id, c.station_id, c.evse, c.id_token, c.started_at) v
             on t.session_id is null
           where c.id = any ($1) and coalesce(t.tariff_version_id, v.tariff_version_id) is not null"#,
        sessions
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.version)).collect())
}

/// Adds the samples and states to sessions that [`facts`] found. What was measured after `until` is left out.
pub async fn fill(
    db: &mut PgConnection,
    charges: &mut [Charge],
    until: DateTime<Utc>,
) -> Result<()> {
    let mut samples = samples(db, charges, until).await?;
    let mut statuses = statuses(db, charges, until).await?;
    for charge in charges {
        charge.samples = samples.remove(&charge.id).unwrap_or_default();
        charge.statuses = statuses.remove(&charge.id).unwrap_or_default();
    }
    Ok(())
}

/// These sessions, by id, without their samples and states: those are much, and [`fill`] adds them where they are needed.
pub async fn facts(db: &mut PgConnection, sessions: &[Uuid]) -> Result<Vec<Charge>> {
    let rows = sqlx::query!(
        r#"select c.id, c.state, c.site_id, c.station_id, c.evse, c.started_at, c.ended_at, c.flags, c.energy_wh,
                  exists (select from odd_stops o where o.transaction_id = c.id) as "contradicted!",
                  x.meter_start_wh as "meter_start_wh?", x.meter_stop_wh as "meter_stop_wh?",
                  (select k.energy_wh from session_corrections k where k.session_id = c.id
                   order by k.revision desc limit 1) as corrected_wh,
                  r.accepted_at as "reserved_from?", r.ended_at as "reserved_to?", r.expired as "reserved_expired?",
                  t.tariff_version_id as "tariff_version_id?", p.time_zone as "time_zone?",
                  p.holiday_calendar as "holiday_calendar?", e.rounding as "rounding?"
           from charging_sessions c
           left join transactions x on x.id = c.id
           left join session_tariffs t on t.session_id = c.id
           left join sites p on p.id = c.site_id
           left join legal_entities e on e.id = p.legal_entity_id
           left join lateral (
             select v.accepted_at, coalesce(v.ended_at, c.started_at) as ended_at, v.status = 'expired' as expired
             from reservations v
             where v.station_id = c.station_id and v.accepted_at is not null
               and (v.transaction_id = c.id and v.status = 'used' or v.id = c.id and v.status = 'expired')
             order by v.accepted_at limit 1) r on true
           where c.id = any ($1) order by c.id"#,
        sessions
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let state = State::parse(&row.state).ok_or_else(|| Error::Corrupt {
                table: "charging_sessions",
                column: "state",
                row: row.id.to_string(),
                value: row.state.clone(),
            })?;
            Ok(Charge {
                id: row.id,
                state,
                site_id: row.site_id,
                station_id: row.station_id,
                evse: row.evse,
                started_at: row.started_at,
                ended_at: row.ended_at,
                flags: row.flags,
                contradicted: row.contradicted,
                energy_wh: row.energy_wh,
                meter_start_wh: row.meter_start_wh,
                meter_stop_wh: row.meter_stop_wh,
                corrected_wh: row.corrected_wh,
                reserved: row
                    .reserved_from
                    .zip(row.reserved_to)
                    .map(|(from, to)| Reserved {
                        from,
                        to,
                        expired: row.reserved_expired.unwrap_or(false),
                    }),
                tariff_version_id: row.tariff_version_id,
                time_zone: row.time_zone,
                holiday_calendar: row.holiday_calendar,
                rounding: row.rounding,
                samples: Vec::new(),
                statuses: Vec::new(),
            })
        })
        .collect()
}

/// The sessions that a station's rows can belong to, as columns for `unnest`.
struct Spans {
    ids: Vec<Uuid>,
    stations: Vec<Uuid>,
    evses: Vec<i32>,
    from: Vec<DateTime<Utc>>,
    to: Vec<DateTime<Utc>>,
}

impl Spans {
    fn of(charges: &[Charge], until: DateTime<Utc>) -> Self {
        let at_stations = || {
            charges
                .iter()
                .filter_map(|charge| Some((charge, charge.station_id?)))
        };
        Spans {
            ids: at_stations().map(|(charge, _)| charge.id).collect(),
            stations: at_stations().map(|(_, station)| station).collect(),
            evses: at_stations().map(|(charge, _)| charge.evse).collect(),
            from: at_stations().map(|(charge, _)| charge.started_at).collect(),
            to: at_stations()
                .map(|(charge, _)| charge.ended_at.unwrap_or(until).min(until))
                .collect(),
        }
    }
}

/// One row per session, its samples as arrays: a row per sample costs four times as much to send and to read.
async fn samples(
    db: &mut PgConnection,
    charges: &[Charge],
    until: DateTime<Utc>,
) -> Result<HashMap<Uuid, Vec<Sample>>> {
    let spans = Spans::of(charges, until);
    let rows = sqlx::query!(
        r#"select s.id as "id!", array_agg(m.at order by m.at) as "at!: Vec<DateTime<Utc>>",
                  array_agg(m.energy_wh order by m.at) as "energy_wh!: Vec<Option<i64>>",
                  array_agg(m.power_w order by m.at) as "power_w!: Vec<Option<i32>>",
                  array_agg(m.rest order by m.at) as "rest!: Vec<Option<String>>"
           from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::timestamptz[]) as s (id, station_id, since, until)
           cross join lateral (
             select at, energy_wh, power_w, case when position('"source"' in rest) > 0 then rest end as rest
             from meter_values
             where station_id = s.station_id and at between s.since and s.until and transaction_id = s.id
             union all
             select at, energy_wh, power_w, case when position('"source"' in rest) > 0 then rest end
             from meter_values_odd
             where station_id = s.station_id and at between s.since and s.until and transaction_id = s.id) m
           group by s.id"#,
        &spans.ids,
        &spans.stations,
        &spans.from,
        &spans.to
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| {
            let columns = row.at.into_iter().zip(row.energy_wh);
            let columns = columns.zip(row.power_w).zip(row.rest);
            let mut samples: Vec<Sample> = Vec::with_capacity(columns.len());
            for (((at, energy_wh), power_w), rest) in columns {
                match samples.last_mut() {
                    Some(last) if last.at == at => {
                        last.energy_wh = last.energy_wh.max(energy_wh);
                        last.power_w = last.power_w.max(power_w);
                        last.rest = last.rest.take().or(rest);
                    }
                    _ => samples.push(Sample {
                        at,
                        energy_wh,
                        power_w,
                        rest,
                    }),
                }
            }
            (row.id, samples)
        })
        .collect())
}

/// A state that was said offline is received when the station is back: hence the wide bound of receipt.
async fn statuses(
    db: &mut PgConnection,
    charges: &[Charge],
    until: DateTime<Utc>,
) -> Result<HashMap<Uuid, Vec<Status>>> {
    let spans = Spans::of(charges, until);
    let rows = sqlx::query!(
        r#"select s.id as "id!", h.at, h.status
           from unnest($1::uuid[], $2::uuid[], $3::integer[], $4::timestamptz[], $5::timestamptz[])
             as s (id, station_id, evse, since, until)
           join connector_history h
             on h.station_id = s.station_id and h.evse = s.evse and h.at between s.since and s.until
            and h.received_at between s.since - interval '1 day' and s.until + interval '7 days'
           order by s.id, h.at, h.received_at"#,
        &spans.ids,
        &spans.stations,
        &spans.evses,
        &spans.from,
        &spans.to
    )
    .fetch_all(db)
    .await?;
    let mut found: HashMap<Uuid, Vec<Status>> = HashMap::new();
    for row in rows {
        found.entry(row.id).or_default().push(Status {
            at: row.at,
            status: row.status,
        });
    }
    Ok(found)
}

/// The reservations that expired and have no session, whenever that was.
pub async fn expired_reservations(db: &mut PgConnection) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select id from reservations r
         where status = 'expired' and accepted_at is not null
           and not exists (select from charging_sessions c where c.id = r.id)"
    )
    .fetch_all(db)
    .await?)
}

/// Of these reservations, those that nobody used and that have no session yet, each with the tariff version that held for
/// them when they were accepted.
pub async fn no_shows(db: &mut PgConnection, reservations: &[Uuid]) -> Result<Vec<(Uuid, Uuid)>> {
    let rows = sqlx::query!(
        r#"select r.id, v.tariff_version_id as "version!"
           from reservations r
           cross join lateral tariff_version_at(r.site_id, r.station_id, r.connector, r.id_token, r.accepted_at) v
           where r.id = any ($1) and r.status = 'expired' and r.accepted_at is not null
             and not exists (select from charging_sessions c where c.id = r.id)"#,
        reservations
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.version)).collect())
}

/// Makes sessions of reservations that nobody used, so that they can be priced: without energy, from the acceptance to the
/// end. A reservation has one at most.
pub async fn add_no_shows(db: &mut PgConnection, reservations: &[Uuid]) -> Result<u64> {
    Ok(sqlx::query!(
        "insert into charging_sessions (id, station_id, site_id, evse, connector, id_token, state, started_at, ended_at,
           energy_wh, stop_reason, flags)
         select r.id, r.station_id, r.site_id, r.connector, r.connector, r.id_token, 'ended', r.accepted_at,
                greatest(coalesce(r.ended_at, r.expires_at), r.accepted_at), 0, 'ReservationExpired',
                array['reservation-expired']
         from reservations r
         where r.id = any ($1) and r.status = 'expired' and r.accepted_at is not null
         on conflict (id) do nothing",
        reservations
    )
    .execute(db)
    .await?
    .rows_affected())
}

/// Which ended sessions a walk through all of them comes by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Walk {
    /// Started at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Started before this instant.
    pub to: Option<DateTime<Utc>>,
    /// At this site.
    pub site_id: Option<Uuid>,
    /// Only those without a price.
    pub unpriced: bool,
}

/// The sessions that have ended (orphans too) after a place, in the order of their start, at most `limit`. The last one's
/// cursor is the next place.
pub async fn ended_after(
    db: &mut PgConnection,
    walk: &Walk,
    after: Cursor,
    limit: i64,
) -> Result<Vec<Cursor>> {
    Ok(sqlx::query_as!(
        Cursor,
        "select started_at as at, id from charging_sessions c
         where (started_at, id) > ($1, $2) and state in ('ended', 'orphan')
           and started_at >= coalesce($3::timestamptz, '-infinity') and started_at < coalesce($4::timestamptz, 'infinity')
           and ($5::uuid is null or site_id = $5)
           and (not $6 or not exists (select from session_prices p where p.session_id = c.id))
         order by started_at, id limit $7",
        after.at,
        after.id,
        walk.from,
        walk.to,
        walk.site_id,
        walk.unpriced,
        limit
    )
    .fetch_all(db)
    .await?)
}
