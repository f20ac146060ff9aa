//! What an active session costs so far, what it would cost otherwise, and what a past month would have cost.

use billing::{
    pricing::{
        costs,
        running::CostState,
        simulate::{self, Preview},
    },
    tariff::Tariff,
};
use store::charges::Walk;

use crate::support::{NOW, Town, at, per_kwh};

#[tokio::test]
async fn an_active_session_has_a_cost_that_grows_before_and_after_it_is_frozen() {
    let town = Town::with(&per_kwh("0.50")).await;
    let session = town.start("2026-11-20T10:00:00Z", 1000).await;
    let cost = async || {
        let mut db = town.pool.acquire().await.unwrap();
        let costs = costs(&mut db, &[session], at("2026-11-20T10:20:00Z"))
            .await
            .unwrap();
        costs
            .get(&session)
            .map(|cost| (cost.told().unwrap(), cost.state))
    };
    assert_eq!(cost().await, Some(("0.00".to_owned(), CostState::Running)));
    town.samples(
        session,
        &[
            ("2026-11-20T10:10:00Z", 3000),
            ("2026-11-20T10:30:00Z", 9000),
        ],
    )
    .await;
    assert_eq!(cost().await, Some(("1.00".to_owned(), CostState::Running)));
    town.price().await;
    assert_eq!(cost().await, Some(("1.00".to_owned(), CostState::Running)));
    town.stop(session, "2026-11-20T11:00:00Z", 11_000).await;
    assert_eq!(cost().await, None, "ended, and not priced yet");
    town.price().await;
    assert_eq!(cost().await, Some(("5.00".to_owned(), CostState::Priced)));
}

#[tokio::test]
async fn another_tariff_can_be_tried_on_one_session_and_on_a_month() {
    let town = Town::with(&per_kwh("0.50")).await;
    let mut sessions = Vec::new();
    for hour in 0..24 {
        sessions.push(town.charged(&format!("2026-11-20T{hour:02}:00:00Z")).await);
    }
    town.odd_stop(None, "2026-11-20T12:00:00Z", 1).await;
    let unpriced = town.start("2026-11-20T12:30:00Z", 0).await;
    town.stop_flagged(
        unpriced,
        "2026-11-20T13:00:00Z",
        1000,
        &["transaction-guessed"],
    )
    .await;
    town.price().await;
    let dearer = Tariff::parse(&per_kwh("0.80").to_string()).unwrap();
    let mut db = town.pool.acquire().await.unwrap();
    let one = simulate::session_under(&mut db, sessions[0], &dearer, at(NOW)).await;
    assert_eq!(one.unwrap().unwrap().total.to_string(), "8.00");
    let nobody = uuid::Uuid::nil();
    let none = simulate::session_under(&mut db, nobody, &dearer, at(NOW)).await;
    assert_eq!(none.unwrap(), None);

    let walk = Walk {
        from: Some(at("2026-11-20T01:00:00Z")),
        to: Some(at("2026-11-21T00:00:00Z")),
        site_id: Some(town.site),
        unpriced: false,
    };
    let summary = simulate::preview(&mut db, &dearer, walk, None, at(NOW))
        .await
        .unwrap();
    assert_eq!(
        (summary.sessions, summary.held, summary.unpriced),
        (24, 1, 1)
    );
    assert_eq!(summary.before["EUR"].to_string(), "115.00");
    assert_eq!(summary.after.to_string(), "184.00");
    assert_eq!(
        summary.largest[0].difference("EUR").unwrap().to_string(),
        "3.00"
    );
    let mut preview = Preview::new(&dearer, walk);
    let mut seen = 0;
    while let Some(deltas) = preview.next(&mut db, at(NOW)).await.unwrap() {
        seen += deltas.len();
    }
    assert_eq!(seen, 24);
    let elsewhere = Walk {
        site_id: Some(nobody),
        ..walk
    };
    let first = simulate::preview(&mut db, &dearer, walk, Some(1), at(NOW)).await;
    let first = first.unwrap();
    assert_eq!((first.sessions, first.is_cut), (1, true));
    let empty = simulate::preview(&mut db, &dearer, elsewhere, None, at(NOW)).await;
    assert_eq!(empty.unwrap(), Default::default());
}
