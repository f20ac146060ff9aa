//! The quick way of writing and the careful one come to the same, and the first gives way to the second where it must.

use chrono::TimeDelta;
use sqlx::PgPool;

use super::*;
use crate::Room;
use crate::testing::database;

fn noon() -> DateTime<Utc> {
    let now = service::clock::Clock::system().now();
    DateTime::from_timestamp_millis(now.timestamp_millis()).unwrap()
}

fn station(n: u128) -> Uuid {
    Uuid::from_u128(1000 + n)
}

fn message(n: u128, at: DateTime<Utc>) -> MessageRow {
    MessageRow {
        id: Uuid::from_u128(n),
        received_at: at,
        station_id: station(n),
        direction: Direction::In,
        message_id: format!("m-{n}"),
        action: "MeterValues".to_owned(),
        payload: r#"{"é":"\t"}"#.to_owned(),
        answer: Some("{}".to_owned()),
        error_code: None,
        answered_at: Some(at),
        findings: None,
    }
}

fn sample(n: u128, at: DateTime<Utc>, energy_wh: Option<i64>) -> MeterRow {
    MeterRow {
        station_id: station(n),
        at,
        evse: 1,
        connector: 1,
        context: "Sample.Periodic",
        received_at: at,
        odd: false,
        transaction_id: Some(Uuid::from_u128(n)),
        energy_wh,
        power_w: Some(7400),
        current_ma: [Some(1), None, Some(3)],
        voltage_mv: [None, Some(230_000), None],
        soc_pm: Some(505),
        temperature_dc: Some(-12),
        offered_w: None,
        offered_ma: Some(32_000),
        rest: Some("{\"a\":1}".to_owned()),
        flags: Some(vec!["kwh_as_wh".to_owned(), "odd".to_owned()]),
    }
}

fn start(n: u128, at: DateTime<Utc>) -> Start {
    Start {
        id: Uuid::from_u128(n),
        station_id: station(n),
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
        flags: vec!["token-invalid".to_owned()],
    }
}

fn stop(n: u128, at: DateTime<Utc>, figures: Option<Figures>) -> Stop {
    Stop {
        transaction_id: Uuid::from_u128(n),
        stopped_at: at,
        received_at: at,
        meter_stop_wh: 90,
        reason: Some("Local".to_owned()),
        id_token: None,
        replaces: false,
        figures,
        flags: vec!["meter-ran-backwards".to_owned()],
    }
}

fn new_sample(row: MeterRow) -> Effect {
    Effect {
        meter: vec![row],
        meter_is_new: true,
        ..Effect::default()
    }
}

/// Every row that `commit` writes, as text.
async fn everything(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar(
        "select 'message ' || t::text from ocpp_messages t union all select 'meter ' || t::text from meter_values t
         union all select 'transaction ' || t::text from transactions t
         union all select 'session ' || t::text from charging_sessions t
         union all select concat_ws(' ', 'event', kind, subject, detail) from events order by 1",
    )
    .fetch_all(pool)
    .await
    .unwrap()
}

async fn commit_in(pool: &PgPool, effects: &[Effect]) -> Committed {
    let mut db = pool.acquire().await.unwrap();
    commit(&mut db, &effects.iter().collect::<Vec<_>>())
        .await
        .unwrap()
}

#[tokio::test]
async fn both_ways_write_the_same_rows() {
    let (quick, careful) = (database().await, database().await);
    let at = noon();
    // Two months: a partition each, one of them made a moment ago.
    let ahead = at + TimeDelta::days(100);
    for db in [&quick, &careful] {
        let mut db = db.pool.acquire().await.unwrap();
        crate::partitions::ensure(&mut db, 1, ahead).await.unwrap();
    }
    let starting = Effect {
        messages: vec![message(1, at), message(2, ahead)],
        starts: vec![start(1, at)],
        events: vec![EventRow {
            at,
            kind: "transaction.started",
            site_id: None,
            station_id: station(1),
            subject: Some(Uuid::from_u128(1)),
            detail: Value::Null,
        }],
        ..Effect::default()
    };
    let samples: Vec<MeterRow> = [None, Some(150), Some(140)]
        .into_iter()
        .zip(1..)
        .map(|(energy, minute)| sample(1, at + TimeDelta::minutes(minute), energy))
        .collect();
    let figures = samples.iter().fold(Figures::new(at, 100), Figures::and);
    let sampling = Effect {
        meter: samples
            .into_iter()
            .chain([sample(1, ahead, None)])
            .collect(),
        meter_is_new: true,
        ..Effect::default()
    };
    let stopping = Effect {
        stops: vec![stop(1, at + TimeDelta::hours(1), Some(figures))],
        ..Effect::default()
    };
    let room = quick.pool(Room::Csms);
    for effect in [&starting, &sampling, &stopping] {
        let committed = commit_in(&room, std::slice::from_ref(effect)).await;
        assert!(committed.as_news, "{effect:?}");
        let mut db = careful.pool.acquire().await.unwrap();
        let started = commit_carefully(&mut db, &[effect], None).await.unwrap();
        assert_eq!(committed.started, started);
    }
    let written = everything(&quick.pool).await;
    assert_eq!(written, everything(&careful.pool).await);
    assert_eq!(written.len(), 2 + 4 + 1 + 1 + 1, "{written:#?}");
}

#[tokio::test]
async fn figures_are_those_of_the_table() {
    let db = database().await;
    let at = noon();
    let registers = [None, Some(400), Some(250), Some(300)];
    let charges = [
        [None, None, None, None],
        [Some(0), Some(16), None, Some(20)],
        [Some(0), Some(15), Some(0), None],
        [None, Some(0), Some(0), Some(0)],
        [Some(30), Some(0), Some(40), Some(10)],
    ];
    for (n, socs) in (1..).zip(charges) {
        let mut samples = Vec::new();
        for (minute, (energy, soc)) in (0..).zip(registers.into_iter().zip(socs)) {
            samples.push(MeterRow {
                soc_pm: soc,
                power_w: (n % 2 == 0).then_some(n as i32 * minute),
                ..sample(n, at + TimeDelta::minutes(minute.into()), energy)
            });
        }
        let figures = samples.iter().fold(Figures::new(at, 100), Figures::and);
        let until = at + TimeDelta::hours(1);
        assert!(figures.are_within(until));
        assert!(!figures.are_within(at - TimeDelta::hours(2)));
        let effect = Effect {
            meter: samples,
            starts: vec![start(n, at)],
            stops: vec![stop(n, until, Some(figures))],
            ..Effect::default()
        };
        commit_in(&db.pool, &[effect]).await;
        let summed = everything(&db.pool).await;
        // The same stop heard again is no news: its session is summed from the table.
        let again = Effect {
            stops: vec![stop(n, until, Some(figures))],
            ..Effect::default()
        };
        assert!(!commit_in(&db.pool, &[again]).await.as_news);
        assert_eq!(everything(&db.pool).await, summed, "{socs:?}");
    }
}

#[tokio::test]
async fn a_row_that_is_there_already_is_merged_all_the_same() {
    let db = database().await;
    let at = noon();
    let room = db.pool(Room::Csms);
    assert!(
        commit_in(&room, &[new_sample(sample(1, at, None))])
            .await
            .as_news
    );
    let other = new_sample(sample(2, at, Some(7)));
    let batch = [new_sample(sample(1, at, Some(150))), other];
    assert!(!commit_in(&room, &batch).await.as_news);
    let registers: Vec<i64> =
        sqlx::query_scalar("select energy_wh from meter_values order by station_id")
            .fetch_all(&db.pool)
            .await
            .unwrap();
    assert_eq!(registers, [150, 7]);
}

#[tokio::test]
async fn where_rows_cannot_be_copied_they_are_written_all_the_same() {
    for statement in [
        "revoke all on %s from forecourt_csms",
        "alter table %s rename to another_name",
    ] {
        let db = database().await;
        let at = noon();
        let partition = at.format("ocpp_messages_%Y_%m").to_string();
        let disturb = statement.replace("%s", &partition);
        sqlx::raw_sql(sqlx::AssertSqlSafe(disturb))
            .execute(&db.pool)
            .await
            .unwrap();
        let effect = Effect {
            messages: vec![message(1, at)],
            ..Effect::default()
        };
        let room = db.pool(Room::Csms);
        assert!(!commit_in(&room, &[effect]).await.as_news, "{statement}");
        assert_eq!(everything(&db.pool).await.len(), 1, "{statement}");
    }
}

#[tokio::test]
async fn what_cannot_be_stored_is_an_error_and_leaves_nothing() {
    let db = database().await;
    let at = noon();
    let mut room = db.pool(Room::Csms).acquire().await.unwrap();
    let no_text = MeterRow {
        rest: Some("\0".to_owned()),
        ..sample(2, at, None)
    };
    let effect = Effect {
        messages: vec![message(1, at)],
        ..new_sample(no_text)
    };
    let error = commit(&mut room, &[&effect]).await.unwrap_err();
    assert!(!error.is_retryable(), "{error}");
    assert_eq!(everything(&db.pool).await, [""; 0]);
    // The connection is as good as before.
    let effect = new_sample(sample(1, at, None));
    assert!(commit(&mut room, &[&effect]).await.unwrap().as_news);
}

#[tokio::test]
async fn a_sample_of_a_time_without_a_partition_is_odd_and_spoils_nothing_of_its_batch() {
    let db = database().await;
    let at = noon();
    let room = db.pool(Room::Csms);
    let far = [-3650, 3650].map(|days| sample(1, at + TimeDelta::days(days), Some(7)));
    for guess in [true, false] {
        let mixed = Effect {
            messages: vec![message(1, at)],
            meter: far
                .iter()
                .cloned()
                .chain([sample(1, at, Some(8))])
                .collect(),
            meter_is_new: guess,
            ..Effect::default()
        };
        let others = (2..6).map(|n| Effect {
            messages: vec![message(n, at)],
            ..new_sample(sample(n, at, Some(8)))
        });
        let batch: Vec<Effect> = others.chain([mixed]).collect();
        // Heard again it is the same.
        for _ in 0..2 {
            commit_in(&room, &batch).await;
        }
        let rows = |table: &str| {
            let count = format!("select count(*) from {table}");
            let pool = db.pool.clone();
            async move {
                sqlx::query_scalar::<_, i64>(sqlx::AssertSqlSafe(count))
                    .fetch_one(&pool)
                    .await
                    .unwrap()
            }
        };
        let kept = (rows("meter_values").await, rows("meter_values_odd").await);
        assert_eq!(kept, (5, 2), "guessed new: {guess}");
    }
}

#[tokio::test]
async fn a_clock_of_ours_that_went_past_the_partitions_loses_no_message() {
    let db = database().await;
    let room = db.pool(Room::Csms);
    for at in ["2038-01-19T03:14:08Z", "2001-02-28T23:59:59Z"] {
        let at: DateTime<Utc> = at.parse().unwrap();
        let effect = Effect {
            messages: vec![message(1, at)],
            ..new_sample(sample(1, at, Some(7)))
        };
        commit_in(&room, &[effect]).await;
    }
    let written = everything(&db.pool).await;
    assert_eq!(written.len(), 4, "messages and samples: {written:#?}");
}

#[tokio::test]
async fn what_is_odd_about_a_transaction_is_noted_once_with_it_and_its_session() {
    let db = database().await;
    let at = noon();
    let jumped = Oddity {
        transaction_id: Uuid::from_u128(1),
        flag: "meter-jumped",
    };
    let starting = Effect {
        starts: vec![start(1, at)],
        ..Effect::default()
    };
    let odd = Effect {
        oddities: vec![jumped.clone()],
        ..Effect::default()
    };
    let stopping = Effect {
        stops: vec![stop(1, at, None)],
        ..odd.clone()
    };
    for effect in [starting, odd.clone(), odd, stopping] {
        commit_in(&db.pool(Room::Csms), &[effect]).await;
    }
    for table in ["transactions", "charging_sessions"] {
        let flags: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(format!(
            "select unnest(flags) as flag from {table} order by flag"
        )))
        .fetch_all(&db.pool)
        .await
        .unwrap();
        assert_eq!(
            flags,
            ["meter-jumped", "meter-ran-backwards", "token-invalid"],
            "{table}"
        );
    }
}
