//! What is kept of a station beside its charges: when it came, booted and went, and which tokens it was told no for.

use serde_json::json;
use store::{
    Room, Scope, authorize_attempts, station_history, station_history::What, stations_read,
};

use crate::support::{Server, eventually, noon};

#[tokio::test]
async fn a_token_that_is_told_no_is_counted_and_one_that_may_charge_is_not() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for tag in ["NOBODY", "nobody", "TAG1"] {
        station.call("Authorize", json!({ "idTag": tag })).await;
    }
    server.add_token("LOST", "blocked").await;
    let at = noon().to_rfc3339();
    let start = json!({ "connectorId": 1, "idTag": "LOST", "meterStart": 0, "timestamp": at });
    let answer = station.call("StartTransaction", start).await;
    assert_eq!(answer["idTagInfo"]["status"], "Blocked");

    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let unknown = authorize_attempts::unknown(&mut db, None, 10)
        .await
        .unwrap();
    let told: Vec<(&str, i64)> = unknown
        .iter()
        .map(|unknown| (unknown.token.as_str(), unknown.attempts))
        .collect();
    assert_eq!(told, [("nobody", 2)]);
    let lost = authorize_attempts::of(&mut db, "lost", 10).await.unwrap();
    assert_eq!((lost.len(), lost[0].verdict.as_str()), (1, "blocked"));
    assert_eq!(
        authorize_attempts::of(&mut db, "TAG1", 10).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn the_log_of_a_station_says_when_it_came_booted_and_went() {
    let server = Server::start().await;
    let station = server.booted("CP1").await;
    station.close().await;
    let pool = server.db.pool(Room::Portal);
    let words = eventually("it is gone", async || {
        let mut db = Scope::All.begin(&pool).await.unwrap();
        let station = stations_read::get(&mut db, "CP1").await.unwrap().unwrap();
        let found = station_history::comings(&mut db, station.id, None, 10)
            .await
            .unwrap();
        let mut words: Vec<&str> = found
            .iter()
            .map(|entry| match &entry.what {
                What::Connected { .. } => "came",
                What::Booted { .. } => "booted",
                What::Disconnected => "went",
                _ => "else",
            })
            .collect();
        // One clock, which stands still: the order is not told by it.
        words.sort_unstable();
        (words.len() == 3).then_some(words)
    })
    .await;
    assert_eq!(words, ["booted", "came", "went"]);
}
