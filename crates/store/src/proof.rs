//! The other side of a station's ledger: is what a station was told stored, once, and does the rest fit together?
//! For tests of what survives; the product itself never asks.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::Result;

/// Something that a station was told is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// A StartTransaction was answered with a transactionId.
    Start {
        /// The station's identity.
        station: String,
        /// 1.6 connectorId.
        connector: i32,
        /// The token as sent.
        id_token: String,
        /// The charger's time.
        at: DateTime<Utc>,
        /// The register, Wh.
        meter_wh: i64,
        /// The transactionId.
        number: i64,
    },
    /// MeterValues were answered.
    Meter {
        /// The station's identity.
        station: String,
        /// 1.6 connectorId, from 1.
        connector: i32,
        /// The transactionId.
        number: i64,
        /// The charger's time.
        at: DateTime<Utc>,
        /// The register, Wh.
        energy_wh: i64,
    },
    /// A StopTransaction was answered.
    Stop {
        /// The station's identity.
        station: String,
        /// The transactionId.
        number: i64,
        /// The charger's time.
        at: DateTime<Utc>,
        /// The register, Wh.
        meter_wh: i64,
    },
}

/// What a look at the whole database found amiss. All zero is as it must be where stations kept to the standard.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, sqlx::FromRow)]
pub struct Disorder {
    /// Starts that made more than one transaction.
    pub doubled_starts: i64,
    /// Stops that found no transaction and became sessions of their own.
    pub orphans: i64,
    /// Stops that contradict an earlier one.
    pub odd_stops: i64,
    /// Transactions without a session.
    pub without_session: i64,
    /// Sessions that say something else than their transaction of whether it has ended.
    pub wrong_state: i64,
    /// Connectors with more than one open transaction.
    pub crowded_connectors: i64,
    /// Starts and stops that were told to others twice, or of a transaction that is none.
    pub false_events: i64,
}

/// Facts asked for in one statement.
const MANY: usize = 5000;

/// The facts that are not stored exactly once as they were told, each with how often it was found.
pub async fn flaws(db: &mut PgConnection, facts: &[Fact]) -> Result<Vec<(Fact, i64)>> {
    let mut flaws = Vec::new();
    for some in facts.chunks(MANY) {
        for (of_kind, found) in [
            starts(db, some).await?,
            meters(db, some).await?,
            stops(db, some).await?,
        ] {
            let wrong = of_kind
                .into_iter()
                .zip(found)
                .filter(|(_, found)| *found != 1);
            flaws.extend(wrong.map(|(fact, found)| (fact.clone(), found)));
        }
    }
    Ok(flaws)
}

/// Facts of one kind, and how often each was found.
type Found<'f> = (Vec<&'f Fact>, Vec<i64>);

async fn starts<'f>(db: &mut PgConnection, facts: &'f [Fact]) -> Result<Found<'f>> {
    let mut asked = Vec::new();
    let (mut stations, mut connectors, mut tokens) = (Vec::new(), Vec::new(), Vec::new());
    let (mut times, mut meters, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for fact in facts {
        if let Fact::Start {
            station,
            connector,
            id_token,
            at,
            meter_wh,
            number,
        } = fact
        {
            asked.push(fact);
            stations.push(station.as_str());
            connectors.push(*connector);
            tokens.push(id_token.as_str());
            times.push(*at);
            meters.push(*meter_wh);
            numbers.push(*number);
        }
    }
    let found = sqlx::query_scalar(
        "select case when bool_and(x.number = said.number) then count(*) else 0 end
         from unnest($1::text[], $2::integer[], $3::text[], $4::timestamptz[], $5::bigint[], $6::bigint[])
           with ordinality as said (identity, connector, id_token, at, meter_wh, number, n)
         left join stations s on lower(s.identity) = lower(said.identity)
         left join transactions x on x.station_id = s.id and x.started_at = said.at and x.connector = said.connector
           and lower(x.id_token) = lower(said.id_token) and x.meter_start_wh = said.meter_wh
         group by n order by n",
    )
    .bind(stations)
    .bind(connectors)
    .bind(tokens)
    .bind(times)
    .bind(meters)
    .bind(numbers)
    .fetch_all(db)
    .await?;
    Ok((asked, found))
}

async fn meters<'f>(db: &mut PgConnection, facts: &'f [Fact]) -> Result<Found<'f>> {
    let mut asked = Vec::new();
    let (mut stations, mut connectors, mut times) = (Vec::new(), Vec::new(), Vec::new());
    let (mut energies, mut numbers) = (Vec::new(), Vec::new());
    for fact in facts {
        if let Fact::Meter {
            station,
            connector,
            number,
            at,
            energy_wh,
        } = fact
        {
            asked.push(fact);
            stations.push(station.as_str());
            connectors.push(*connector);
            times.push(*at);
            energies.push(*energy_wh);
            numbers.push(*number);
        }
    }
    let found = sqlx::query_scalar(
        "select count(x.id)
         from unnest($1::text[], $2::integer[], $3::timestamptz[], $4::bigint[], $5::bigint[])
           with ordinality as said (identity, evse, at, energy_wh, number, n)
         left join stations s on lower(s.identity) = lower(said.identity)
         left join meter_values m on m.station_id = s.id and m.at = said.at and m.evse = said.evse
           and m.energy_wh = said.energy_wh
         left join transactions x on x.id = m.transaction_id and x.number = said.number
         group by n order by n",
    )
    .bind(stations)
    .bind(connectors)
    .bind(times)
    .bind(energies)
    .bind(numbers)
    .fetch_all(db)
    .await?;
    Ok((asked, found))
}

async fn stops<'f>(db: &mut PgConnection, facts: &'f [Fact]) -> Result<Found<'f>> {
    let mut asked = Vec::new();
    let (mut stations, mut numbers) = (Vec::new(), Vec::new());
    let (mut times, mut meters) = (Vec::new(), Vec::new());
    for fact in facts {
        if let Fact::Stop {
            station,
            number,
            at,
            meter_wh,
        } = fact
        {
            asked.push(fact);
            stations.push(station.as_str());
            numbers.push(*number);
            times.push(*at);
            meters.push(*meter_wh);
        }
    }
    let found = sqlx::query_scalar(
        "select count(c.id)
         from unnest($1::text[], $2::bigint[], $3::timestamptz[], $4::bigint[])
           with ordinality as said (identity, number, at, meter_wh, n)
         left join stations s on lower(s.identity) = lower(said.identity)
         left join transactions x on x.station_id = s.id and x.number = said.number
           and x.stopped_at = said.at and x.meter_stop_wh = said.meter_wh
         left join charging_sessions c on c.transaction_id = x.id and c.state = 'ended'
         group by n order by n",
    )
    .bind(stations)
    .bind(numbers)
    .bind(times)
    .bind(meters)
    .fetch_all(db)
    .await?;
    Ok((asked, found))
}

/// The registers of all meter values, or of those of odd times; sorted.
pub async fn registers(db: &mut PgConnection, odd: bool) -> Result<Vec<i64>> {
    let from = if odd {
        "select energy_wh from meter_values_odd where energy_wh is not null order by 1"
    } else {
        "select energy_wh from meter_values where energy_wh is not null order by 1"
    };
    Ok(sqlx::query_scalar(from).fetch_all(db).await?)
}

/// Looks at all transactions and sessions.
pub async fn disorder(db: &mut PgConnection) -> Result<Disorder> {
    Ok(sqlx::query_as(
        "select
           (select count(*) from (
              select from transactions
              group by station_id, connector, lower(id_token), started_at, meter_start_wh
              having count(*) > 1) as doubled) as doubled_starts,
           (select count(*) from charging_sessions where state = 'orphan') as orphans,
           (select count(*) from odd_stops) as odd_stops,
           (select count(*) from transactions x
            where not exists (select from charging_sessions c where c.id = x.id)) as without_session,
           (select count(*) from transactions x join charging_sessions c on c.id = x.id
            where (x.stopped_at is null) <> (c.state = 'active')) as wrong_state,
           (select count(*) from (
              select from transactions where stopped_at is null and connector <> 0
              group by station_id, connector having count(*) > 1) as crowded) as crowded_connectors,
           (select count(*) from (
              select from events e left join transactions x on x.id = e.subject
              where e.kind in ('transaction.started', 'transaction.stopped')
              group by e.kind, e.subject having count(*) > 1 or count(x.id) = 0) as told) as false_events",
    )
    .fetch_one(db)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{self, Effect, EventRow, MeterRow, Start, Stop};
    use crate::stations::{self, NewStation, Registration};
    use crate::testing::database;
    use uuid::Uuid;

    /// The rows of a charge of `CP1`.
    async fn rows(db: &mut PgConnection) -> (Start, MeterRow, Stop) {
        let at: DateTime<Utc> = service::clock::Clock::system().now();
        let at = DateTime::from_timestamp_millis(at.timestamp_millis()).unwrap();
        let new = NewStation {
            identity: "CP1",
            site_id: None,
            registration: Registration::Accepted,
            security_profile: 0,
            password_hash: None,
        };
        let station_id = stations::add(db, &new, at).await.unwrap();
        let id = Uuid::from_u128(1);
        let start = Start {
            id,
            station_id,
            number: 77,
            evse: 1,
            connector: 1,
            id_token: "TAG1".to_owned(),
            started_at: at,
            shown_at: at,
            received_at: at,
            meter_start_wh: 100,
            reservation_id: None,
            site_id: None,
            flags: Vec::new(),
        };
        let row = MeterRow {
            station_id,
            at,
            evse: 1,
            connector: 1,
            context: "Sample.Periodic",
            received_at: at,
            odd: false,
            transaction_id: Some(id),
            energy_wh: Some(150),
            power_w: None,
            current_ma: [None; 3],
            voltage_mv: [None; 3],
            soc_pm: None,
            temperature_dc: None,
            offered_w: None,
            offered_ma: None,
            rest: None,
            flags: None,
        };
        let stop = Stop {
            transaction_id: id,
            stopped_at: at,
            received_at: at,
            meter_stop_wh: 200,
            reason: None,
            id_token: None,
            replaces: false,
            figures: None,
            flags: Vec::new(),
        };
        (start, row, stop)
    }

    /// A stored charge, and what its station would have in its ledger.
    async fn charge(db: &mut PgConnection) -> Vec<Fact> {
        let (start, row, stop) = rows(db).await;
        let at = start.started_at;
        let effect = Effect {
            starts: vec![start],
            meter: vec![row],
            stops: vec![stop],
            ..Effect::default()
        };
        ingest::commit(db, &[&effect]).await.unwrap();
        let station = "cp1".to_owned();
        vec![
            Fact::Start {
                station: station.clone(),
                connector: 1,
                id_token: "tag1".to_owned(),
                at,
                meter_wh: 100,
                number: 77,
            },
            Fact::Meter {
                station: station.clone(),
                connector: 1,
                number: 77,
                at,
                energy_wh: 150,
            },
            Fact::Stop {
                station,
                number: 77,
                at,
                meter_wh: 200,
            },
        ]
    }

    #[tokio::test]
    async fn what_is_stored_is_found_and_what_is_not_is_named() {
        let database = database().await;
        let mut db = database.pool.acquire().await.unwrap();
        let facts = charge(&mut db).await;
        assert_eq!(flaws(&mut db, &facts).await.unwrap(), []);
        assert_eq!(disorder(&mut db).await.unwrap(), Disorder::default());

        let mut wrong = facts.clone();
        for fact in &mut wrong {
            match fact {
                Fact::Start { number, .. }
                | Fact::Meter { number, .. }
                | Fact::Stop { number, .. } => *number = 78,
            }
        }
        let named: Vec<(Fact, i64)> = wrong.iter().map(|fact| (fact.clone(), 0)).collect();
        assert_eq!(flaws(&mut db, &wrong).await.unwrap(), named);
    }

    #[tokio::test]
    async fn what_is_known_already_is_told_to_nobody() {
        let database = database().await;
        let mut db = database.pool.acquire().await.unwrap();
        let (start, _, stop) = rows(&mut db).await;
        let told = |kind, subject| EventRow {
            at: start.received_at,
            kind,
            site_id: None,
            station_id: start.station_id,
            subject: Some(subject),
            detail: serde_json::Value::Null,
        };
        // The same start twice, each decided before the other was there.
        for id in [start.id, Uuid::from_u128(2)] {
            let effect = Effect {
                starts: vec![Start {
                    id,
                    ..start.clone()
                }],
                events: vec![told("transaction.started", id)],
                ..Effect::default()
            };
            let started = ingest::commit(&mut db, &[&effect]).await.unwrap();
            assert_eq!(started.started[0].id, start.id);
        }
        for _ in 0..2 {
            let effect = Effect {
                stops: vec![stop.clone()],
                events: vec![told("transaction.stopped", start.id)],
                ..Effect::default()
            };
            ingest::commit(&mut db, &[&effect]).await.unwrap();
        }
        assert_eq!(disorder(&mut db).await.unwrap(), Disorder::default());
        // Not by `events::after`: it holds back what transactions of other tests in this cluster may still come before.
        let events: i64 = sqlx::query_scalar("select count(*) from events")
            .fetch_one(&mut *db)
            .await
            .unwrap();
        assert_eq!(events, 2);
        // A stop that contradicts the first, decided before that was there, is kept beside it.
        for _ in 0..2 {
            let effect = Effect {
                stops: vec![Stop {
                    meter_stop_wh: stop.meter_stop_wh + 1,
                    ..stop.clone()
                }],
                events: vec![told("transaction.stopped", start.id)],
                ..Effect::default()
            };
            ingest::commit(&mut db, &[&effect]).await.unwrap();
        }
        let kept = Disorder {
            odd_stops: 1,
            ..Disorder::default()
        };
        assert_eq!(disorder(&mut db).await.unwrap(), kept);
    }

    #[tokio::test]
    async fn a_doubled_start_is_found() {
        let database = database().await;
        let mut db = database.pool.acquire().await.unwrap();
        let facts = charge(&mut db).await;
        // The unique key holds for open transactions only: this is what a broken op could still do.
        sqlx::raw_sql(
            "insert into transactions (id, station_id, number, evse, connector, id_token, started_at, \
               shown_at, start_received_at, meter_start_wh) \
             select gen_random_uuid(), station_id, 79, evse, connector, id_token, started_at, shown_at, start_received_at, \
               meter_start_wh from transactions",
        )
        .execute(&mut *db)
        .await
        .unwrap();
        let flaws = flaws(&mut db, &facts).await.unwrap();
        assert!(matches!(flaws[..], [(Fact::Start { .. }, 0)]), "{flaws:?}");
        let disorder = disorder(&mut db).await.unwrap();
        assert_eq!((disorder.doubled_starts, disorder.without_session), (1, 1));
    }
}
