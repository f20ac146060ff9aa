//! Transactions and the charging sessions that people see of them.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::Figures;
use crate::{Result, ids};

/// A StartTransaction to be written.
#[derive(Debug, Clone)]
pub struct Start {
    /// Of the transaction and of its session, if the start is not already known.
    pub id: Uuid,
    /// The station.
    pub station_id: Uuid,
    /// The transactionId that it gets, if the start is not already known.
    pub number: i64,
    /// 1.6: the connectorId.
    pub evse: i32,
    /// 1.6: the connectorId too, as the charger said it.
    pub connector: i32,
    /// Verbatim.
    pub id_token: String,
    /// The charger's time as it was stated: part of the natural key.
    pub started_at: DateTime<Utc>,
    /// The charger's time if it can be true, else ours: what people see.
    pub shown_at: DateTime<Utc>,
    /// Our time.
    pub received_at: DateTime<Utc>,
    /// The register, Wh.
    pub meter_start_wh: i64,
    /// 0 and absent mean none.
    pub reservation_id: Option<i64>,
    /// The station's site at this moment.
    pub site_id: Option<Uuid>,
    /// What is odd about it: `token-invalid`, …
    pub flags: Vec<String>,
}

/// What became of a [`Start`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Started {
    /// Its station; a batch holds one message of a station at most.
    pub station_id: Uuid,
    /// The transaction: the new one, or the one that already had this natural key.
    pub id: Uuid,
    /// Its transactionId.
    pub number: i64,
}

/// A StopTransaction of a known transaction.
#[derive(Debug, Clone)]
pub struct Stop {
    /// The transaction.
    pub transaction_id: Uuid,
    /// The charger's time.
    pub stopped_at: DateTime<Utc>,
    /// Our time.
    pub received_at: DateTime<Utc>,
    /// The register, Wh.
    pub meter_stop_wh: i64,
    /// Verbatim; absent means Local.
    pub reason: Option<String>,
    /// Who stopped it.
    pub id_token: Option<String>,
    /// The transaction was ended by us; this stop, the station's own, takes that one's place.
    pub replaces: bool,
    /// What is odd about it: `meter-ran-backwards`, …
    pub flags: Vec<String>,
    /// What its samples come to, if all of them were seen; otherwise they are read again.
    pub figures: Option<Figures>,
}

/// A StopTransaction that is kept beside the transactions.
#[derive(Debug, Clone)]
pub struct OddStop {
    /// Of the row, and of the orphan session if it belongs to no transaction.
    pub id: Uuid,
    /// The station.
    pub station_id: Uuid,
    /// The transactionId that it named.
    pub number: i64,
    /// The transaction that it contradicts.
    pub transaction_id: Option<Uuid>,
    /// The charger's time.
    pub stopped_at: DateTime<Utc>,
    /// Our time.
    pub received_at: DateTime<Utc>,
    /// The register, Wh.
    pub meter_stop_wh: i64,
    /// Verbatim.
    pub reason: Option<String>,
    /// Who stopped it.
    pub id_token: Option<String>,
    /// The station's site at this moment.
    pub site_id: Option<Uuid>,
    /// `unknown-transaction` or `second-stop`.
    pub why: &'static str,
}

/// Something odd about a transaction, noted once however often it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oddity {
    /// The transaction, and its session.
    pub transaction_id: Uuid,
    /// `meter-jumped`, …
    pub flag: &'static str,
}

/// Inserts starts that are most likely not known, with their sessions; it is an error if one is.
pub(super) async fn start_new(db: &mut PgConnection, starts: &[&Start]) -> Result<()> {
    if starts.is_empty() {
        return Ok(());
    }
    fn column<'s, T>(starts: &[&'s Start], of: impl Fn(&'s Start) -> T) -> Vec<T> {
        starts.iter().map(|start| of(start)).collect()
    }
    sqlx::query(
        "with said as (
           select id, station_id, number, evse, connector, id_token, started_at, shown_at, received_at, meter_start_wh,
             reservation_id, site_id, string_to_array(flags, ',') as flags
           from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::integer[], $6::text[], $7::timestamptz[],
             $8::timestamptz[], $9::bigint[], $10::bigint[], $11::uuid[], $12::text[], $13::timestamptz[])
             as said (id, station_id, number, evse, connector, id_token, started_at, received_at, meter_start_wh,
               reservation_id, site_id, flags, shown_at)),
         started as (
           insert into transactions (id, station_id, number, evse, connector, id_token, started_at, shown_at,
             start_received_at, meter_start_wh, reservation_id, site_id, flags)
           select * from said)
         insert into charging_sessions (id, transaction_id, number, station_id, site_id, evse, connector, id_token,
           state, started_at, flags)
         select id, id, number, station_id, site_id, evse, connector, id_token, 'active', shown_at, flags from said",
    )
    .bind(column(starts, |start| start.id))
    .bind(column(starts, |start| start.station_id))
    .bind(column(starts, |start| start.number))
    .bind(column(starts, |start| start.evse))
    .bind(column(starts, |start| start.connector))
    .bind(column(starts, |start| start.id_token.as_str()))
    .bind(column(starts, |start| start.started_at))
    .bind(column(starts, |start| start.received_at))
    .bind(column(starts, |start| start.meter_start_wh))
    .bind(column(starts, |start| start.reservation_id))
    .bind(column(starts, |start| start.site_id))
    .bind(column(starts, |start| start.flags.join(",")))
    .bind(column(starts, |start| start.shown_at))
    .execute(db)
    .await?;
    Ok(())
}

/// Inserts starts with their sessions. A start whose natural key is already open answers with the transaction that has
/// it, whatever its message id was.
pub(super) async fn start(db: &mut PgConnection, starts: &[&Start]) -> Result<Vec<Started>> {
    if starts.is_empty() {
        return Ok(Vec::new());
    }
    fn column<T>(starts: &[&Start], of: impl Fn(&Start) -> T) -> Vec<T> {
        starts.iter().map(|start| of(start)).collect()
    }
    Ok(sqlx::query_as!(
        Started,
        "with started as (
           insert into transactions as x (id, station_id, number, evse, connector, id_token, started_at, shown_at,
             start_received_at, meter_start_wh, reservation_id, site_id, flags)
           select id, station_id, number, evse, connector, id_token, started_at, shown_at, received_at, meter_start_wh,
             reservation_id, site_id, string_to_array(flags, ',')
           from unnest($1::uuid[], $2::uuid[], $3::bigint[], $4::integer[], $5::integer[], $6::text[], $7::timestamptz[],
             $8::timestamptz[], $9::bigint[], $10::bigint[], $11::uuid[], $12::text[], $13::timestamptz[])
             as said (id, station_id, number, evse, connector, id_token, started_at, received_at, meter_start_wh,
               reservation_id, site_id, flags, shown_at)
           on conflict (station_id, connector, lower(id_token), started_at, meter_start_wh) where stopped_at is null
             do update set start_received_at = x.start_received_at
           returning *),
         sessions as (
           insert into charging_sessions (id, transaction_id, number, station_id, site_id, evse, connector, id_token,
             state, started_at, flags)
           select id, id, number, station_id, site_id, evse, connector, id_token, 'active', shown_at, flags
           from started
           on conflict (id) do nothing)
         select station_id, id, number from started",
        &column(starts, |start| start.id),
        &column(starts, |start| start.station_id),
        &column(starts, |start| start.number),
        &column(starts, |start| start.evse),
        &column(starts, |start| start.connector),
        &column(starts, |start| start.id_token.clone()),
        &column(starts, |start| start.started_at),
        &column(starts, |start| start.received_at),
        &column(starts, |start| start.meter_start_wh),
        &column(starts, |start| start.reservation_id) as &[Option<i64>],
        &column(starts, |start| start.site_id) as &[Option<Uuid>],
        &column(starts, |start| start.flags.join(",")),
        &column(starts, |start| start.shown_at)
    )
    .fetch_all(db)
    .await?)
}

/// Ends transactions, and answers which. One that has ended already keeps its first stop; a second that contradicts it, and
/// was decided while the first was being written, is kept among the odd ones.
pub(super) async fn stop(db: &mut PgConnection, stops: &[&Stop]) -> Result<Vec<Uuid>> {
    if stops.is_empty() {
        return Ok(Vec::new());
    }
    fn column<T>(stops: &[&Stop], of: impl Fn(&Stop) -> T) -> Vec<T> {
        stops.iter().map(|stop| of(stop)).collect()
    }
    Ok(sqlx::query_scalar!(
        r#"with said as (
             select * from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[],
               $7::text[], $8::boolean[], $9::uuid[])
               as said (id, stopped_at, received_at, meter_stop_wh, reason, id_token, flags, replaces, odd_id)),
           stopped as (
             update transactions x set
               stopped_at = said.stopped_at, stop_received_at = said.received_at, meter_stop_wh = said.meter_stop_wh,
               stop_reason = said.reason, stop_id_token = said.id_token,
               flags = array_remove(x.flags, 'superseded') || string_to_array(said.flags, ',')
             from said
             where x.id = said.id
               and (x.stopped_at is null or (said.replaces and 'superseded' = any (x.flags)))
             returning x.id),
           contradicting as (
             insert into odd_stops
               (id, station_id, number, transaction_id, stopped_at, received_at, meter_stop_wh, stop_reason, id_token, why)
             select said.odd_id, x.station_id, x.number, x.id, said.stopped_at, said.received_at, said.meter_stop_wh,
               said.reason, said.id_token, 'second-stop'
             from said join transactions x on x.id = said.id
             where (x.stopped_at, x.meter_stop_wh) <> (said.stopped_at, said.meter_stop_wh)
               and not (said.replaces and 'superseded' = any (x.flags))
             on conflict do nothing)
           select id as "id!" from stopped"#,
        &column(stops, |stop| stop.transaction_id),
        &column(stops, |stop| stop.stopped_at),
        &column(stops, |stop| stop.received_at),
        &column(stops, |stop| stop.meter_stop_wh),
        &column(stops, |stop| stop.reason.clone()) as &[Option<String>],
        &column(stops, |stop| stop.id_token.clone()) as &[Option<String>],
        &column(stops, |stop| stop.flags.join(",")),
        &column(stops, |stop| stop.replaces),
        &column(stops, |stop| ids::new_id(stop.received_at))
    )
    .fetch_all(db)
    .await?)
}

/// Ends transactions that are most likely open, and closes the sessions whose figures came with the stop. Answers whether
/// all of them were open; if not, what was written must be undone.
pub(super) async fn stop_open(db: &mut PgConnection, stops: &[&Stop]) -> Result<bool> {
    if stops.is_empty() {
        return Ok(true);
    }
    fn column<'s, T>(stops: &[&'s Stop], of: impl Fn(&'s Stop) -> T) -> Vec<T> {
        stops.iter().map(|stop| of(stop)).collect()
    }
    fn figure<T>(stops: &[&Stop], of: impl Fn(Figures, &Stop) -> Option<T>) -> Vec<Option<T>> {
        column(stops, |stop| of(stop.figures?, stop))
    }
    let stopped = sqlx::query(
        "with said as (
           select id, stopped_at, received_at, meter_stop_wh, reason, id_token, string_to_array(flags, ',') as flags,
             replaces, known, energy_wh, max_power_w, soc_start, soc_end
           from unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::text[], $6::text[], $7::text[],
             $8::boolean[], $9::boolean[], $10::bigint[], $11::integer[], $12::smallint[], $13::smallint[])
             as said (id, stopped_at, received_at, meter_stop_wh, reason, id_token, flags, replaces, known, energy_wh,
               max_power_w, soc_start, soc_end)),
         closed as (
           update charging_sessions s set
             state = 'ended', ended_at = said.stopped_at, stop_reason = said.reason, flags = s.flags || said.flags,
             energy_wh = said.energy_wh, max_power_w = said.max_power_w, soc_start = said.soc_start,
             soc_end = said.soc_end
           from said where s.id = said.id and said.known)
         update transactions x set
           stopped_at = said.stopped_at, stop_received_at = said.received_at, meter_stop_wh = said.meter_stop_wh,
           stop_reason = said.reason, stop_id_token = said.id_token,
           flags = array_remove(x.flags, 'superseded') || said.flags
         from said
         where x.id = said.id and (x.stopped_at is null or (said.replaces and 'superseded' = any (x.flags)))",
    )
    .bind(column(stops, |stop| stop.transaction_id))
    .bind(column(stops, |stop| stop.stopped_at))
    .bind(column(stops, |stop| stop.received_at))
    .bind(column(stops, |stop| stop.meter_stop_wh))
    .bind(column(stops, |stop| stop.reason.as_deref()))
    .bind(column(stops, |stop| stop.id_token.as_deref()))
    .bind(column(stops, |stop| stop.flags.join(",")))
    .bind(column(stops, |stop| stop.replaces))
    .bind(column(stops, |stop| stop.figures.is_some()))
    .bind(figure(stops, |figures, stop| {
        figures.energy_wh(stop.meter_stop_wh)
    }))
    .bind(figure(stops, |figures, _| figures.max_power_w()))
    .bind(figure(stops, |figures, _| figures.soc_start()))
    .bind(figure(stops, |figures, _| figures.soc_end()))
    .execute(db)
    .await?
    .rows_affected();
    Ok(usize::try_from(stopped).is_ok_and(|stopped| stopped == stops.len()))
}

/// Gives sessions the figures of their ended transactions: those that end now, and those that late data changes.
///
/// Energy is the registers' difference where it is not negative, else the range of the samples' registers, else unknown.
/// The first SoC is not believed where it is 0 and the next is above 1.5 % (spec portal 1.4, 5).
pub(super) async fn close_sessions(db: &mut PgConnection, ids: &[Uuid]) -> Result<()> {
    if ids.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "update charging_sessions s set
           state = 'ended', ended_at = x.stopped_at, stop_reason = x.stop_reason, flags = x.flags,
           energy_wh = case when x.meter_stop_wh >= x.meter_start_wh then x.meter_stop_wh - x.meter_start_wh
                            else said.energy_wh end,
           max_power_w = said.max_power_w,
           soc_start = case when said.socs[1] = 0 and said.charged[1] > 15 then said.charged[1] else said.socs[1] end,
           soc_end = said.socs[array_upper(said.socs, 1)]
         from transactions x
         cross join lateral (
           select max(m.energy_wh) - min(m.energy_wh) as energy_wh, max(m.power_w) as max_power_w,
                  array_agg(m.soc_pm order by m.at) filter (where m.soc_pm is not null) as socs,
                  array_agg(m.soc_pm order by m.at) filter (where m.soc_pm > 0) as charged
           from meter_values m
           where m.station_id = x.station_id and m.transaction_id = x.id
             and m.at between x.started_at and x.stopped_at + interval '1 hour') said
         where s.id = x.id and x.id = any ($1) and x.stopped_at is not null",
        ids
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Flags transactions and their sessions; at most once each in a commit.
pub(super) async fn flag(db: &mut PgConnection, oddities: &[&Oddity]) -> Result<()> {
    if oddities.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = oddities.iter().map(|odd| odd.transaction_id).collect();
    let flags: Vec<String> = oddities.iter().map(|odd| odd.flag.to_owned()).collect();
    sqlx::query!(
        "with said as (select * from unnest($1::uuid[], $2::text[]) as said (id, flag)),
         noted as (
           update transactions x set flags = x.flags || said.flag
           from said where x.id = said.id and said.flag <> all (x.flags))
         update charging_sessions s set flags = s.flags || said.flag
         from said where s.id = said.id and said.flag <> all (s.flags)",
        &ids,
        &flags
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Keeps stops that fit nothing, each once; one that belongs to no transaction becomes an orphan session to be reviewed.
pub(super) async fn keep_odd(db: &mut PgConnection, stops: &[&OddStop]) -> Result<()> {
    for stop in stops {
        sqlx::query!(
            "with kept as (
               insert into odd_stops
                 (id, station_id, number, transaction_id, stopped_at, received_at, meter_stop_wh, stop_reason, id_token, why)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
               on conflict do nothing returning *)
             insert into charging_sessions
               (id, number, station_id, site_id, evse, connector, id_token, state, started_at, ended_at, stop_reason, flags)
             select id, number, station_id, $11, 0, 0, coalesce(id_token, ''), 'orphan', stopped_at, stopped_at,
                    stop_reason, array[why]
             from kept where transaction_id is null",
            stop.id,
            stop.station_id,
            stop.number,
            stop.transaction_id,
            stop.stopped_at,
            stop.received_at,
            stop.meter_stop_wh,
            stop.reason,
            stop.id_token,
            stop.why,
            stop.site_id
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}
