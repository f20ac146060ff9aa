//! Hourly energy and daily sessions, for charts that must not read every sample. A rollup is always computed anew from
//! the rows themselves, so that it may run twice, and late data only makes it run again.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::Result;

/// When the first transaction came in: where the first rollup begins.
pub async fn beginning(db: &mut PgConnection) -> Result<Option<DateTime<Utc>>> {
    Ok(
        sqlx::query_scalar!("select min(start_received_at) from transactions")
            .fetch_one(db)
            .await?,
    )
}

/// Renews the hours that anything received in [`from`, `to`) touches; answers how many.
///
/// Energy is what a transaction's register gained between two readings, counted in the hour of the later one; its start
/// and its stop are readings too. A register that runs backwards counts nothing.
pub async fn energy(db: &mut PgConnection, from: DateTime<Utc>, to: DateTime<Utc>) -> Result<u64> {
    Ok(sqlx::query!(
        "with readings as (
           select station_id, at from meter_values
           where received_at >= $1 and received_at < $2 and transaction_id is not null
           union
           select station_id, started_at from transactions where start_received_at >= $1 and start_received_at < $2
           union
           select station_id, stopped_at from transactions where stop_received_at >= $1 and stop_received_at < $2),
         -- A late reading also changes what the reading after it gained.
         hours as (
           select distinct station_id, date_trunc('hour', at, 'UTC') + later as hour
           from readings cross join (values (interval '0'), (interval '1 hour')) as v (later)),
         spans as (
           select station_id, min(hour) as first, max(hour) + interval '1 hour' as last from hours group by 1),
         running as (
           select x.*, s.first, s.last
           from spans s join transactions x
             on x.station_id = s.station_id and x.started_at < s.last and (x.stopped_at is null or x.stopped_at >= s.first)),
         registers as (
           select r.id, r.station_id, r.site_id, m.at, m.energy_wh
           from running r join meter_values m on m.station_id = r.station_id and m.transaction_id = r.id
             and m.at >= r.first - interval '7 days' and m.at < r.last and m.energy_wh is not null
           union
           select id, station_id, site_id, started_at, meter_start_wh from running
           union
           select id, station_id, site_id, stopped_at, meter_stop_wh from running where stopped_at is not null),
         gains as (
           select station_id, site_id, date_trunc('hour', at, 'UTC') as hour,
                  energy_wh - lag(energy_wh) over (partition by id order by at, energy_wh) as wh
           from registers),
         sums as (
           select h.station_id, h.hour, sum(greatest(g.wh, 0))::bigint as wh,
                  (array_agg(g.site_id) filter (where g.site_id is not null))[1] as site_id
           from hours h join gains g using (station_id, hour)
           group by 1, 2)
         insert into energy_hourly (station_id, site_id, hour, energy_wh, max_power_w)
         select s.station_id, s.site_id, s.hour, coalesce(s.wh, 0),
                (select max(m.power_w) from meter_values m
                 where m.station_id = s.station_id and m.transaction_id is not null
                   and m.at >= s.hour and m.at < s.hour + interval '1 hour')
         from sums s
         on conflict (station_id, hour) do update set
           site_id = excluded.site_id, energy_wh = excluded.energy_wh, max_power_w = excluded.max_power_w",
        from,
        to
    )
    .execute(db)
    .await?
    .rows_affected())
}

/// Renews the days on which a session began that was received or ended in [`from`, `to`); answers how many. The day is
/// that of the session's site. Orphans do not count: nobody knows when they began.
pub async fn sessions(
    db: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<u64> {
    Ok(sqlx::query!(
        "with begun as (
           select s.id, s.station_id, s.site_id, s.started_at, s.energy_wh,
                  (s.started_at at time zone coalesce(p.time_zone, 'UTC'))::date as day
           from charging_sessions s left join sites p on p.id = s.site_id
           where s.state <> 'orphan'),
         days as (
           select distinct b.station_id, b.day
           from transactions x join begun b on b.id = x.id
           where (x.start_received_at >= $1 and x.start_received_at < $2)
              or (x.stop_received_at >= $1 and x.stop_received_at < $2))
         insert into sessions_daily (station_id, site_id, day, sessions, energy_wh)
         select d.station_id, (array_agg(b.site_id) filter (where b.site_id is not null))[1], d.day,
                count(*), coalesce(sum(b.energy_wh), 0)::bigint
         from days d join begun b on b.station_id = d.station_id and b.day = d.day
           and b.started_at >= d.day - interval '1 day' and b.started_at < d.day + interval '2 days'
         group by 1, 3
         on conflict (station_id, day) do update set
           site_id = excluded.site_id, sessions = excluded.sessions, energy_wh = excluded.energy_wh",
        from,
        to
    )
    .execute(db)
    .await?
    .rows_affected())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestDb, database};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    async fn run(db: &TestDb, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&db.pool).await.unwrap();
    }

    async fn hours(db: &TestDb) -> Vec<(DateTime<Utc>, i64, Option<i32>)> {
        sqlx::query_as("select hour, energy_wh, max_power_w from energy_hourly order by hour")
            .fetch_all(&db.pool)
            .await
            .unwrap()
    }

    /// A session in Berlin from 22:50 to 00:20 UTC, that is from 23:50 on the 9th to 01:20 on the 10th of November.
    async fn a_session_over_midnight() -> TestDb {
        let db = database().await;
        run(
            &db,
            "insert into sites (id, name, time_zone) values ('00000000-0000-0000-0000-000000000001', 'Nord', 'Europe/Berlin');
             insert into stations (id, identity, site_id)
               values ('00000000-0000-0000-0000-000000000002', 'CP1', '00000000-0000-0000-0000-000000000001');
             insert into transactions (id, station_id, site_id, number, evse, connector, id_token, started_at,
               shown_at, start_received_at, meter_start_wh, stopped_at, stop_received_at, meter_stop_wh)
               values ('00000000-0000-0000-0000-000000000003', '00000000-0000-0000-0000-000000000002',
               '00000000-0000-0000-0000-000000000001', 1, 1, 1, 'TAG', '2026-11-09T22:50:00Z',
               '2026-11-09T22:50:00Z', '2026-11-09T22:50:01Z', 1000,
               '2026-11-10T00:20:00Z', '2026-11-10T00:20:01Z', 11000);
             insert into charging_sessions (id, transaction_id, number, station_id, site_id, evse, connector, id_token,
               state, started_at, ended_at, energy_wh)
               select id, id, number, station_id, site_id, evse, connector, id_token, 'ended', started_at, stopped_at, 10000
               from transactions;
             insert into meter_values (station_id, at, evse, connector, context, received_at, transaction_id, energy_wh, power_w)
               select '00000000-0000-0000-0000-000000000002', t::timestamptz, 1, 1, 'Sample.Periodic',
                 t::timestamptz + interval '1 s', '00000000-0000-0000-0000-000000000003', wh, w
               from (values ('2026-11-09T23:00:00Z', 2000, 7000), ('2026-11-09T23:59:00Z', 9000, 7400),
                 ('2026-11-10T00:10:00Z', 10500, 3000)) as v (t, wh, w);",
        )
        .await;
        db
    }

    #[tokio::test]
    async fn hours_add_up_to_the_session_however_often_and_in_whichever_pieces() {
        let db = a_session_over_midnight().await;
        let mut connection = db.pool.acquire().await.unwrap();
        let expected = [
            (at("2026-11-09T22:00:00Z"), 0, None),
            (at("2026-11-09T23:00:00Z"), 8000, Some(7400)),
            (at("2026-11-10T00:00:00Z"), 2000, Some(3000)),
        ];
        let (from, to) = (at("2026-11-09T00:00:00Z"), at("2026-11-11T00:00:00Z"));
        energy(&mut connection, from, to).await.unwrap();
        assert_eq!(hours(&db).await, expected);
        energy(&mut connection, from, to).await.unwrap();
        assert_eq!(hours(&db).await, expected);

        run(&db, "truncate energy_hourly").await;
        for minute in 0..60 {
            let from = at("2026-11-09T22:45:00Z") + chrono::TimeDelta::minutes(2 * minute);
            energy(&mut connection, from, from + chrono::TimeDelta::minutes(2))
                .await
                .unwrap();
        }
        assert_eq!(hours(&db).await, expected);
    }

    #[tokio::test]
    async fn a_late_reading_moves_energy_between_hours_and_changes_no_sum() {
        let db = a_session_over_midnight().await;
        let mut connection = db.pool.acquire().await.unwrap();
        energy(
            &mut connection,
            at("2026-11-09T00:00:00Z"),
            at("2026-11-11T00:00:00Z"),
        )
        .await
        .unwrap();
        run(
            &db,
            "insert into meter_values (station_id, at, evse, connector, context, received_at, transaction_id, energy_wh)
             values ('00000000-0000-0000-0000-000000000002', '2026-11-09T22:59:00Z', 1, 1, 'Sample.Periodic',
               '2026-11-12T00:00:00Z', '00000000-0000-0000-0000-000000000003', 1900)",
        )
        .await;
        energy(
            &mut connection,
            at("2026-11-12T00:00:00Z"),
            at("2026-11-13T00:00:00Z"),
        )
        .await
        .unwrap();
        let energies: Vec<i64> = hours(&db).await.into_iter().map(|(_, wh, _)| wh).collect();
        assert_eq!(energies, [900, 7100, 2000]);
    }

    #[tokio::test]
    async fn a_session_counts_on_the_day_of_its_site() {
        let db = a_session_over_midnight().await;
        let mut connection = db.pool.acquire().await.unwrap();
        for _ in 0..2 {
            sessions(
                &mut connection,
                at("2026-11-09T00:00:00Z"),
                at("2026-11-11T00:00:00Z"),
            )
            .await
            .unwrap();
        }
        let days: Vec<(chrono::NaiveDate, i64, i64)> =
            sqlx::query_as("select day, sessions, energy_wh from sessions_daily")
                .fetch_all(&db.pool)
                .await
                .unwrap();
        assert_eq!(days, [("2026-11-09".parse().unwrap(), 1, 10_000)]);
        assert_eq!(
            beginning(&mut connection).await.unwrap(),
            Some(at("2026-11-09T22:50:01Z"))
        );
    }
}
