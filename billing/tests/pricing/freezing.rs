//! A session has the tariff of its start, whatever is said afterwards, and however late it is heard of.

use store::{Scope, charges, prices};

use crate::support::{NOW, Town, at, per_kwh};

#[tokio::test]
async fn a_tariff_that_changes_while_it_charges_changes_nothing() {
    let town = Town::new("UTC").await;
    let tariff = town.tariff("Standard", &per_kwh("0.50")).await;
    let session = town.start("2026-11-20T10:00:00Z", 1000).await;
    // The first is found charging when the worker starts, the second starts under its eyes.
    assert_eq!(town.price().await, 0);
    let second = town.start("2026-11-20T10:05:00Z", 1000).await;
    assert_eq!(town.price().await, 0);
    // Even one that says it had been valid all along.
    town.says(tariff, "2026-01-01T00:00:00Z", &per_kwh("9.99"))
        .await;
    town.says(tariff, "2026-11-20T10:30:00Z", &per_kwh("0.70"))
        .await;
    town.stop(session, "2026-11-20T11:00:00Z", 11_000).await;
    town.stop(second, "2026-11-20T11:00:00Z", 11_000).await;
    let next = town.charged("2026-11-20T11:00:00Z").await;
    assert_eq!(town.price().await, 3);
    assert_eq!(town.told(session).await, ["5.00 EUR priced"]);
    assert_eq!(town.told(second).await, ["5.00 EUR priced"]);
    assert_eq!(town.told(next).await, ["7.00 EUR priced"]);
}

#[tokio::test]
async fn a_session_that_was_charged_offline_has_the_tariff_of_its_own_start() {
    let town = Town::new("UTC").await;
    let tariff = town.tariff("Standard", &per_kwh("0.50")).await;
    town.says(tariff, "2026-11-10T00:00:00Z", &per_kwh("0.70"))
        .await;
    town.says(tariff, "2026-11-20T00:00:00Z", &per_kwh("0.90"))
        .await;
    // Heard of in one go, out of order, days later.
    for (start, total) in [
        ("2026-11-20T00:00:00Z", "9.00 EUR priced"),
        ("2026-11-09T23:59:59Z", "5.00 EUR priced"),
        ("2026-11-19T23:59:59Z", "7.00 EUR priced"),
    ] {
        let session = town.charged(start).await;
        town.price().await;
        assert_eq!(town.told(session).await, [total], "{start}");
    }
}

#[tokio::test]
async fn freezing_is_done_once_and_nothing_thaws() {
    let town = Town::with(&per_kwh("0.50")).await;
    let session = town.start("2026-11-20T10:00:00Z", 0).await;
    let mut db = town.pool.acquire().await.unwrap();
    for expected in [1, 0, 0] {
        let frozen = charges::freeze(&mut db, &[session], at(NOW)).await.unwrap();
        assert_eq!(frozen, expected);
    }
}

#[tokio::test]
async fn where_no_tariff_holds_a_session_costs_nothing_until_somebody_asks_again() {
    let town = Town::new("UTC").await;
    let session = town.charged("2026-11-20T10:00:00Z").await;
    assert_eq!(town.price().await, 0);
    town.tariff("Afterwards", &per_kwh("0.50")).await;
    assert_eq!(town.price().await, 0, "no event tells of it");
    let mut tx = town.pool.begin().await.unwrap();
    let written = billing::pricing::price_now(&mut tx, &[session], at(NOW)).await;
    assert_eq!(written.unwrap(), [(session, 1)]);
    tx.commit().await.unwrap();
    assert_eq!(town.told(session).await, ["5.00 EUR priced"]);
}

#[tokio::test]
async fn what_was_there_before_the_worker_is_priced_too() {
    // Without events: a past that was loaded, or an outbox that forgot.
    let town = Town::with(&per_kwh("0.50")).await;
    let mut sessions = Vec::new();
    for hour in 0..5 {
        sessions.push(town.charged(&format!("2026-11-20T{hour:02}:00:00Z")).await);
    }
    town.db.forget_events().await;
    assert_eq!(town.price().await, 5);
    assert_eq!(town.price().await, 0);
    for session in &sessions {
        assert_eq!(town.told(*session).await, ["5.00 EUR priced"]);
    }
    let mut db = Scope::All.begin(&town.db.pool).await.unwrap();
    let revenue = prices::revenue(&mut db, &Default::default()).await.unwrap();
    assert_eq!((revenue.len(), revenue[0].sessions), (1, 5));
    assert_eq!(revenue[0].total.to_string(), "25.00");
}
