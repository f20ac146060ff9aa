//! Rows of `docs/ocpp-quirks.md` that a whole server answers: each test plays the charger of its row and looks at the
//! wire and at the rows. Rows that are a matter of reading alone have golden frames in `crates/ocpp/tests`.

mod asked;
mod door;
mod frames;
mod meter;
mod transactions;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use store::sessions::Session;
use store::stations::StationChange;
use store::{Room, Scope, connectors};

use crate::support::{Server, Station, noon};

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn start(at: DateTime<Utc>, wh: i64) -> Value {
    json!({ "connectorId": 1, "idTag": "TAG1", "meterStart": wh, "timestamp": text(at) })
}

fn stop(number: &Value, at: DateTime<Utc>, wh: i64) -> Value {
    json!({ "transactionId": number, "meterStop": wh, "timestamp": text(at) })
}

fn meter(number: &Value, at: DateTime<Utc>, wh: i64) -> Value {
    let sampled = json!([{ "value": wh.to_string(), "measurand": "Energy.Active.Import.Register", "unit": "Wh" }]);
    json!({ "connectorId": 1, "transactionId": number, "meterValue": [{ "timestamp": text(at), "sampledValue": sampled }] })
}

/// Starts at 1000 Wh, ten minutes ago.
async fn begin(station: &mut Station) -> (Value, DateTime<Utc>) {
    let at = noon() - TimeDelta::minutes(10);
    let answer = station.call("StartTransaction", start(at, 1000)).await;
    (answer["transactionId"].clone(), at)
}

async fn only_session(server: &Server) -> Session {
    let mut sessions = server.sessions().await;
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions.remove(0)
}

async fn set_options(server: &Server, options: Value) {
    let options = serde_json::from_value(options).unwrap();
    let change = StationChange {
        options: Some(&options),
        ..StationChange::default()
    };
    let mut db = server.db.pool.acquire().await.unwrap();
    store::stations::change(&mut db, "CP1", &change)
        .await
        .unwrap();
}

async fn samples(server: &Server, session: &Session) -> Vec<i64> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let samples = store::sessions::samples(&mut db, session).await.unwrap();
    samples
        .iter()
        .filter_map(|sample| sample.energy_wh)
        .collect()
}

async fn connector(server: &Server, number: i32) -> Option<String> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let filter = connectors::Filter::default();
    let listed = connectors::list(&mut db, &filter, None, 100).await.unwrap();
    let connectors = listed.into_iter().flat_map(|station| station.connectors);
    connectors
        .filter(|known| known.evse == number)
        .map(|known| known.status)
        .next()
}
