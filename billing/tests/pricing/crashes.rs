//! Whatever dies whenever: no price is lost, none is made twice.

use std::time::Duration;

use store::{
    Room,
    disturb::{Blow, Moment},
};

use crate::support::{NOW, Town, at, per_kwh};

#[tokio::test]
async fn a_worker_that_is_killed_in_the_middle_loses_and_doubles_nothing() {
    let town = Town::with(&per_kwh("0.50")).await;
    let mut sessions = Vec::new();
    for minute in 0..40 {
        sessions.push(
            town.charged(&format!("2026-11-20T10:{minute:02}:00Z"))
                .await,
        );
    }
    town.db.settle().await;
    // Its connection is killed at each table that it writes, while it writes and when it commits.
    for (table, moment) in [
        ("session_tariffs", Moment::Statement),
        ("session_prices", Moment::Statement),
        ("session_prices", Moment::Commit),
        ("events", Moment::Commit),
        ("reader_positions", Moment::Statement),
    ] {
        town.db.strike_once(table, moment, Blow::Terminate).await;
        let killed = billing::pricing::price_pending(&town.pool, at(NOW)).await;
        assert!(killed.is_err(), "{table} {moment:?}");
        assert!(town.db.struck(table).await, "{table} {moment:?}");
        for session in &sessions {
            assert_eq!(town.prices(*session).await.len(), 0);
        }
    }
    // The worker itself, wherever it is then.
    for micros in (0..40).map(|n| n * 700) {
        let work = billing::pricing::price_pending(&town.pool, at(NOW));
        // Whether it was done in time does not matter.
        let _ = tokio::time::timeout(Duration::from_micros(micros), work).await;
    }
    town.price().await;
    for session in &sessions {
        assert_eq!(town.told(*session).await, ["5.00 EUR priced"]);
        assert_eq!(town.events(*session).await, 1);
    }
}

#[tokio::test]
async fn two_workers_share_the_work_and_do_none_of_it_twice() {
    let town = Town::with(&per_kwh("0.50")).await;
    let mut sessions = Vec::new();
    for minute in 0..30 {
        sessions.push(
            town.charged(&format!("2026-11-20T10:{minute:02}:00Z"))
                .await,
        );
    }
    town.db.settle().await;
    let (one, other) = (town.db.pool(Room::Billing), town.db.pool(Room::Billing));
    let by_hand = async {
        let mut tx = town.pool.begin().await.unwrap();
        let written = billing::pricing::price_now(&mut tx, &sessions, at(NOW)).await;
        tx.commit().await.unwrap();
        written.unwrap().len()
    };
    let (first, second, third) = tokio::join!(
        billing::pricing::price_pending(&one, at(NOW)),
        billing::pricing::price_pending(&other, at(NOW)),
        by_hand
    );
    assert_eq!(first.unwrap() + second.unwrap() + third, 30);
    town.price().await;
    for session in &sessions {
        assert_eq!(town.told(*session).await, ["5.00 EUR priced"]);
        assert_eq!(town.events(*session).await, 1);
    }
}
