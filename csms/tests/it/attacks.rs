//! Stations that would have it their own way with the transactions of others. More of the kind are scenario files
//! (`simulators/scenarios/attacks`), which drive the server through its API as well.

use std::cell::Cell;

use chrono::{DateTime, Days, TimeDelta, Utc};
use csms::Options;
use futures_util::future::join_all;
use serde_json::{Value, json};
use store::sessions::{self, Filter, Session};
use store::{Room, Scope};

use crate::support::{Server, Station, eventually, noon};

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
    // Meanwhile the victim is served as ever.
    let over = Cell::new(false);
    let attacks = async {
        join_all(attacks).await;
        over.set(true);
    };
    let honest = async {
        while !over.get() {
            victim.call("Heartbeat", json!({})).await;
        }
    };
    tokio::join!(attacks, honest);

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

fn sample(at: DateTime<Utc>, wh: i64) -> Value {
    json!({ "timestamp": at, "sampledValue": [{ "value": wh.to_string() }] })
}

/// A charge that began an hour ago at a register of 5 kWh.
async fn began(station: &mut Station, connector: i64) -> (i64, DateTime<Utc>) {
    let at = noon() - TimeDelta::hours(1);
    let start =
        json!({ "connectorId": connector, "idTag": "TAG1", "meterStart": 5000, "timestamp": at });
    let answer = station.call("StartTransaction", start).await;
    (answer["transactionId"].as_i64().unwrap(), at)
}

async fn flags_of(server: &Server, number: i64) -> Vec<String> {
    let sessions = server.sessions().await;
    let session = sessions
        .iter()
        .find(|one| one.transaction_id == Some(number));
    let session = session.unwrap();
    assert!(session.energy_wh.is_none_or(|wh| wh >= 0), "{session:?}");
    session.flags.clone()
}

/// T08: a register that jumps is flagged at once, while the session still charges; once, however often it is seen; and so is
/// one that only its stop, or a sample that came late, shows.
#[tokio::test]
async fn t08_a_register_that_jumps_is_flagged_wherever_it_shows() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let says = |number: i64, connector: i64, values: Value| json!({ "connectorId": connector, "transactionId": number, "meterValue": values });

    let (number, at) = began(&mut station, 1).await;
    let fair = [(10, 70_000), (20, 130_000)]
        .map(|(minute, wh)| sample(at + TimeDelta::minutes(minute), wh));
    station
        .call("MeterValues", says(number, 1, json!(fair)))
        .await;
    assert!(flags_of(&server, number).await.is_empty(), "360 kW can be");
    // Within what the hour allows, but not within its minute.
    let jump = sample(at + TimeDelta::minutes(21), 330_000);
    station
        .call("MeterValues", says(number, 1, json!([jump])))
        .await;
    assert_eq!(flags_of(&server, number).await, ["meter-jumped"]);
    // On another connection nobody remembers what was before.
    let mut station = server.station().await;
    let on = sample(at + TimeDelta::minutes(22), 900_000);
    station
        .call("MeterValues", says(number, 1, json!([on])))
        .await;
    let stop = json!({ "transactionId": number, "meterStop": 901_000, "timestamp": at + TimeDelta::hours(1) });
    station.call("StopTransaction", stop).await;
    assert_eq!(flags_of(&server, number).await, ["meter-jumped"], "once");

    let (number, at) = began(&mut station, 2).await;
    let stop = json!({ "transactionId": number, "meterStop": 999_999_999, "timestamp": noon(),
        "transactionData": [sample(at + TimeDelta::minutes(5), 6000)] });
    station.call("StopTransaction", stop).await;
    assert_eq!(flags_of(&server, number).await, ["meter-jumped"]);

    let (number, at) = began(&mut station, 3).await;
    let stop = json!({ "transactionId": number, "meterStop": 9000, "timestamp": noon() });
    station.call("StopTransaction", stop).await;
    assert!(flags_of(&server, number).await.is_empty());
    let late = sample(at + TimeDelta::minutes(5), 8_000_000);
    station
        .call("MeterValues", says(number, 3, json!([late])))
        .await;
    assert_eq!(flags_of(&server, number).await, ["meter-jumped"]);
}

/// T08: a register that rolls over ran backwards; it is no jump, and no energy is negative.
#[tokio::test]
async fn t08_a_register_that_rolls_over_is_flagged_and_never_negative() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let start = json!({ "connectorId": 1, "idTag": "TAG1", "meterStart": 4_294_960_000_i64, "timestamp": noon() - TimeDelta::hours(1) });
    let answer = station.call("StartTransaction", start).await;
    let number = answer["transactionId"].as_i64().unwrap();
    let over = [(50, 4_294_967_000), (40, 300)]
        .map(|(minutes, wh)| sample(noon() - TimeDelta::minutes(minutes), wh));
    let payload = json!({ "connectorId": 1, "transactionId": number, "meterValue": over });
    station.call("MeterValues", payload).await;
    let stop = json!({ "transactionId": number, "meterStop": 5000, "timestamp": noon() });
    station.call("StopTransaction", stop).await;
    assert_eq!(flags_of(&server, number).await, ["meter-ran-backwards"]);
}

/// What no station has makes no connector, and is in the message log all the same; charges there are charges.
#[tokio::test]
async fn connectors_that_a_station_invents_fill_no_table_and_keep_no_charge_out() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for connector in [0, 250, 251, 65_536, -1, i64::MAX] {
        let status =
            json!({ "connectorId": connector, "status": "Available", "errorCode": "NoError" });
        let answer = station.call("StatusNotification", status).await;
        assert_eq!(answer, json!({}), "{connector}");
    }
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let shown = store::stations_read::get(&mut db, "CP1").await.unwrap();
    let shown = shown.unwrap().connectors;
    let kept: Vec<i32> = shown.iter().map(|connector| connector.evse).collect();
    assert_eq!(kept, [0, 250]);
    let filter = store::messages::Filter {
        action: Some("StatusNotification".to_owned()),
        ..Default::default()
    };
    let log = store::messages::list(&mut db, &filter, None, 10)
        .await
        .unwrap();
    assert_eq!(log.len(), 6);
    for connector in [251, 65_536, -1, i64::MAX] {
        let note = format!("/connectorId is {connector}: expected a number from 0 to 250");
        let notes = |found: &&store::messages::Message| {
            let findings = found.findings.as_deref();
            findings.is_some_and(|findings| findings.contains(&note))
        };
        assert_eq!(log.iter().filter(notes).count(), 1, "{log:?}");
    }
    for (connector, flags) in [(250, &[][..]), (251, &["connector-absurd"])] {
        let (number, _) = began(&mut station, connector).await;
        assert!(number > 0);
        assert_eq!(flags_of(&server, number).await, flags);
        let stop = json!({ "transactionId": number, "meterStop": 6000, "timestamp": noon() });
        station.call("StopTransaction", stop).await;
        let sessions = server.sessions().await;
        let ended = sessions
            .iter()
            .find(|one| one.transaction_id == Some(number));
        assert_eq!(ended.unwrap().energy_wh, Some(1000));
    }
}

/// T07: samples of times for which nothing was made are acknowledged and kept aside, alone, among good ones, and in a batch
/// of many stations, where they spoil nothing.
#[tokio::test]
async fn t07_samples_of_times_without_a_partition_are_acknowledged_and_kept_aside() {
    // The tests' databases have partitions of the last two months, and the server believes in two years of them.
    let server = Server::with(Options {
        lanes: 1,
        meter_retention_days: 3650,
        ..Options::default()
    })
    .await;
    let long_ago = noon() - Days::new(700);
    let mut stations = Vec::new();
    for number in 0..8 {
        let identity = format!("T07-{number}");
        server.add_station(&identity, None).await;
        stations.push(server.booted(&identity).await);
    }
    let payload = |values: &[Value]| json!({ "connectorId": 1, "meterValue": values });
    let alone = payload(&[sample(long_ago, 1)]);
    assert_eq!(stations[0].call("MeterValues", alone).await, json!({}));
    let mixed = payload(&[
        sample(long_ago + TimeDelta::minutes(1), 2),
        sample(noon(), 3),
        sample(noon() + Days::new(3000), 4),
    ]);
    assert_eq!(stations[0].call("MeterValues", mixed).await, json!({}));
    assert_eq!(registers(&server, false).await, [3]);
    assert_eq!(registers(&server, true).await, [1, 2, 4]);

    // While the first message waits for the table, the others gather.
    let held = server.db.hold("meter_values").await;
    for (number, station) in stations.iter_mut().enumerate() {
        let at = if number == 5 { long_ago } else { noon() };
        let call = json!([2, "a", "MeterValues", payload(&[sample(at, 100)])]);
        station.send(&call.to_string()).await;
        if number == 0 {
            eventually("a batch", async || {
                (server.db.waiting().await > 0).then_some(())
            })
            .await;
        }
    }
    held.release().await;
    for station in &mut stations {
        assert_eq!(station.receive().await, json!([3, "a", {}]));
    }
    assert_eq!(registers(&server, false).await.len(), 1 + 7);
    assert_eq!(registers(&server, true).await, [1, 2, 4, 100]);
}

/// The registers that are stored among the others, or aside; sorted.
async fn registers(server: &Server, aside: bool) -> Vec<i64> {
    let mut db = server.db.pool.acquire().await.unwrap();
    store::proof::registers(&mut db, aside).await.unwrap()
}
