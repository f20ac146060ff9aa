//! Stations that would have it their own way with the transactions of others. More of the kind are scenario files
//! (`simulators/scenarios/attacks`), which drive the server through its API as well.

use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::{Value, json};
use store::sessions::{self, Filter, Session};
use store::{Room, Scope};

use crate::support::{Server, Station, noon};

/// Foreign ids that are tried, by so many stations at once.
const IDS: i64 = 10_000;
const ATTACKERS: i64 = 20;

/// The sessions of CP1 and how many samples each has.
async fn of_the_victim(server: &Server) -> Vec<(Session, usize)> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let filter = Filter {
        stations: vec!["CP1".to_owned()],
        ..Filter::default()
    };
    let mut found = Vec::new();
    for session in sessions::list(&mut db, &filter, None, 500).await.unwrap() {
        let samples = sessions::samples(&mut db, &session).await.unwrap();
        found.push((session, samples.len()));
    }
    found
}

async fn charge(station: &mut Station, connector: i64) -> i64 {
    let start = json!({ "connectorId": connector, "idTag": "TAG1", "meterStart": 1000, "timestamp": noon() });
    let answer = station.call("StartTransaction", start).await;
    let number = answer["transactionId"].as_i64().unwrap();
    meter(station, number, connector, 1500).await;
    number
}

async fn meter(station: &mut Station, number: i64, connector: i64, wh: i64) {
    let values = json!([{ "timestamp": noon(), "sampledValue": [{ "value": wh.to_string() }] }]);
    let payload =
        json!({ "connectorId": connector, "transactionId": number, "meterValue": values });
    assert_eq!(station.call("MeterValues", payload).await, json!({}));
}

/// Meters and stops every one of these, as if they were its own.
async fn attack(mut station: Station, ids: Vec<i64>) {
    for number in ids {
        meter(&mut station, number, 1, 999_999).await;
        let stop = json!({ "transactionId": number, "idTag": "TAG1", "meterStop": 999_999, "timestamp": noon() });
        let answer = station.call("StopTransaction", stop).await;
        assert_eq!(
            answer["idTagInfo"]["status"],
            Value::from("Accepted"),
            "as ever"
        );
    }
}

/// T05: whoever names another's transaction, or any of ten thousand numbers around it, is answered as ever and changes
/// nothing of it.
#[tokio::test]
async fn t05_foreign_transaction_ids_change_nothing() {
    let server = Server::start().await;
    let mut victim = server.station().await;
    let mut real = Vec::new();
    for connector in 1..=10 {
        real.push(charge(&mut victim, connector).await);
    }
    let stop = json!({ "transactionId": real[0], "meterStop": 2000, "timestamp": noon() + TimeDelta::seconds(1) });
    victim.call("StopTransaction", stop).await;
    let before = of_the_victim(&server).await;
    assert_eq!(before.len(), real.len());

    // Its numbers, those beside them, and small ones: all that somebody would try.
    let mut ids: Vec<i64> = real.clone();
    ids.extend(real.iter().flat_map(|number| [number - 1, number + 1]));
    ids.extend((-1..).filter(|number| !real.contains(number)).take(10_000));
    ids.truncate(usize::try_from(IDS).unwrap());
    let mut attacks = Vec::new();
    for number in 0..ATTACKERS {
        let identity = format!("EVIL{number}");
        server.add_station(&identity, None).await;
        let station = server.booted(&identity).await;
        // Every attacker tries the real ones; the others are shared out.
        let share = ids
            .iter()
            .skip(real.len())
            .skip(usize::try_from(number).unwrap())
            .step_by(usize::try_from(ATTACKERS).unwrap());
        attacks.push(attack(station, real.iter().chain(share).copied().collect()));
    }
    join_all(attacks).await;

    assert_eq!(of_the_victim(&server).await, before);
    // And it goes on as if nothing had been.
    let stop = json!({ "transactionId": real[1], "meterStop": 2000, "timestamp": noon() + TimeDelta::seconds(1) });
    victim.call("StopTransaction", stop).await;
    let after = of_the_victim(&server).await;
    let ended = after
        .iter()
        .find(|(session, _)| session.transaction_id == Some(real[1]));
    assert_eq!(ended.unwrap().0.energy_wh, Some(1000));
}
