//! Prices that others make: from a file and from a real server, on days of any length; what is wrong changes nothing.

use std::{path::PathBuf, sync::Arc};

use billing::{
    feeds::Reach,
    jobs::{Job, prices as job},
};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use service::outbound::Outbound;
use store::price_feeds::{self, Feed, Kind, NewFeed};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    sync::Mutex,
};

use crate::support::{Town, at};

fn reach(folder: PathBuf, private: bool) -> Reach {
    Reach {
        folder,
        outbound: Outbound::new(private).unwrap(),
    }
}

fn feed(kind: Kind, location: &str) -> NewFeed {
    NewFeed {
        name: "Day-ahead".to_owned(),
        kind,
        location: location.to_owned(),
        time_zone: "Europe/Berlin".to_owned(),
        currency: "EUR".to_owned(),
        unit: "MWh".to_owned(),
        time_column: "Hour".to_owned(),
        price_column: "Price".to_owned(),
        separator: ";".to_owned(),
    }
}

/// The hours of the long day in Berlin: the hour n (from 0) costs 100 + 10 n EUR per MWh.
fn long_day() -> String {
    let hours: Vec<u32> = (0..3).chain(2..24).collect();
    let rows: Vec<String> = hours
        .iter()
        .enumerate()
        .map(|(n, hour)| format!("2026-10-25 {hour:02}:00;{},0", 100 + 10 * n))
        .collect();
    format!("Hour;Price\n{}\n", rows.join("\n"))
}

/// The feed's price × 1.1 + 0.05 per kWh.
fn dynamic() -> serde_json::Value {
    json!({
        "currency": "EUR",
        "elements": [{"components": [{"kind": "energy",
            "price": {"feed": "Day-ahead", "factor": "1.1", "surcharge": "0.05"}}]}],
    })
}

/// A server that answers with what the lock holds, as status and body.
async fn server(answer: Arc<Mutex<(u16, String)>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!(
        "http://{}/prices.csv?key=hunter2",
        listener.local_addr().unwrap()
    );
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let (status, body) = answer.lock().await.clone();
            let mut asked = [0; 2048];
            let _ = socket.read(&mut asked).await;
            let text = format!(
                "HTTP/1.1 {status} X\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let _ = socket.write_all(text.as_bytes()).await;
        }
    });
    url
}

async fn only(town: &Town) -> Feed {
    let mut db = town.pool.acquire().await.unwrap();
    price_feeds::list(&mut db).await.unwrap().pop().unwrap()
}

#[tokio::test]
async fn a_session_of_the_long_day_pays_each_hours_own_price() {
    let folder = std::env::temp_dir().join(format!("price-feeds-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("day-ahead.csv"), long_day()).unwrap();
    let town = Town::new("Europe/Berlin").await;
    town.tariff("Dynamic", &dynamic()).await;
    let mut db = town.pool.acquire().await.unwrap();
    let now = at("2026-10-25T00:00:00Z");
    price_feeds::create(&mut db, &feed(Kind::Csv, "day-ahead.csv"), now)
        .await
        .unwrap();
    let said = job::run(&mut db, &reach(folder.clone(), false), now)
        .await
        .unwrap();
    assert_eq!(said, "1 feeds read, 0 failed, 25 hours new");
    std::fs::remove_dir_all(&folder).unwrap();

    // From 01:30 to 03:30 are three hours, for the one from 2 to 3 comes twice: 1 kWh each; the hours 1, 2, 3 and 4 of the
    // day at 0.11, 0.12, 0.13 and 0.14: (0.5 × 0.11 + 0.12 + 0.13 + 0.5 × 0.14) × 1.1 + 3 × 0.05 = 0.5625.
    let session = town.start("2026-10-24T23:30:00Z", 0).await;
    town.stop(session, "2026-10-25T02:30:00Z", 3000).await;
    // Nobody knows the prices of the day after.
    let without = town.start("2026-10-26T12:00:00Z", 0).await;
    town.stop(without, "2026-10-26T13:00:00Z", 3000).await;
    town.price().await;
    let price = town.prices(session).await.pop().unwrap();
    let exact: Vec<&str> = price
        .lines
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["quantity"].as_str().unwrap())
        .collect();
    assert_eq!(
        (price.state, exact.len()),
        (store::prices::State::Priced, 4),
        "{price:#?}"
    );
    // Each line is rounded by itself: 0.0855 + 0.182 + 0.193 + 0.102.
    assert_eq!(price.total.to_string(), "0.56");
    let price = town.prices(without).await.pop().unwrap();
    assert_eq!(price.state, store::prices::State::Held, "{price:?}");
}

#[tokio::test]
async fn a_server_that_fails_is_asked_less_and_less_and_changes_nothing() {
    let town = Town::new("Europe/Berlin").await;
    let answer = Arc::new(Mutex::new((200, long_day())));
    let url = server(answer.clone()).await;
    let mut db = town.pool.acquire().await.unwrap();
    let mut now = at("2026-10-25T00:00:00Z");
    price_feeds::create(&mut db, &feed(Kind::Http, &url), now)
        .await
        .unwrap();
    let nowhere = std::env::temp_dir();
    // Our own network is not asked unless the operator allows it.
    let closed = reach(nowhere.clone(), false);
    let said = job::run(&mut db, &closed, now).await.unwrap();
    assert_eq!(said, "0 feeds read, 1 failed, 0 hours new");
    let error = only(&town).await.last_error.unwrap();
    assert!(
        error.contains("OUTBOUND_PRIVATE") && !error.contains("hunter2"),
        "{error}"
    );

    let open = reach(nowhere, true);
    now = at("2026-10-25T00:05:00Z");
    let said = job::run(&mut db, &open, now).await.unwrap();
    assert_eq!(said, "1 feeds read, 0 failed, 25 hours new");
    let stored = async |db: &mut store::Connection| {
        let feeds = ["day-ahead".to_owned()];
        let whole = price_feeds::hours(
            db,
            &feeds,
            at("2026-10-24T00:00:00Z"),
            at("2026-10-27T00:00:00Z"),
        );
        whole.await.unwrap()
    };
    let before = stored(&mut db).await;
    assert_eq!(before.len(), 25);

    let bad = long_day().replace("2026-10-25 13:00;240,0", "2026-10-25 13:00;dear");
    let mut pauses = Vec::new();
    for (status, body, told) in [
        (
            200,
            bad.as_str(),
            "line 16, Price: \"dear\"; expected a price in EUR per MWh such as 0.2134 or 0,2134",
        ),
        (500, "", "the server answered 500"),
        (
            200,
            "<html>",
            "line 1, Hour: \"<html>\"; expected a header line with a column of the name \"Hour\"",
        ),
    ] {
        *answer.lock().await = (status, body.to_owned());
        now = only(&town).await.next_fetch_at.unwrap();
        let early = job::run(&mut db, &open, now - TimeDelta::seconds(1))
            .await
            .unwrap();
        assert_eq!(early, "0 feeds read, 0 failed, 0 hours new");
        job::run(&mut db, &open, now).await.unwrap();
        let feed = only(&town).await;
        let error = feed.last_error.unwrap();
        assert!(error.contains(told), "{error}");
        pauses.push((feed.next_fetch_at.unwrap() - now).num_minutes());
        assert_eq!(stored(&mut db).await, before);
    }
    assert_eq!(pauses, [5, 10, 20]);
    *answer.lock().await = (200, long_day().replace(";100,0", ";101,0"));
    now = only(&town).await.next_fetch_at.unwrap();
    let said = job::run(&mut db, &open, now).await.unwrap();
    assert_eq!(said, "1 feeds read, 0 failed, 1 hours new");
    let feed = only(&town).await;
    assert_eq!((feed.failures, feed.last_error), (0, None));
    let hour: DateTime<Utc> = feed.next_fetch_at.unwrap();
    assert_eq!(hour - now, TimeDelta::hours(1));
    assert!(Job::ALL.contains(&Job::Prices));
}
