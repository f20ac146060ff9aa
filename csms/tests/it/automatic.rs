//! Commands that nobody ordered: each is a switch of the station, and off unless it was turned on.

use std::time::Duration;

use csms::Options as Node;
use serde_json::{Value, json};
use store::stations::{Options, StationChange};

use crate::commands::{ends_as, queue};
use crate::support::{Server, Station, eventually};

async fn turn_on(server: &Server, options: &Options) {
    turn_on_at(server, "CP1", options).await;
}

async fn turn_on_at(server: &Server, identity: &str, options: &Options) {
    let mut db = server.db.pool.acquire().await.unwrap();
    let change = StationChange {
        options: Some(options),
        ..StationChange::default()
    };
    let changed = store::stations::change(&mut db, identity, &change).await;
    assert!(changed.unwrap().is_some());
}

fn boot_calls() -> Options {
    Options {
        boot_calls: true,
        ..Options::default()
    }
}

/// Answers the CALL that comes next, which must be this one.
async fn answers(station: &mut Station, action: &str, payload: Value, answer: Value) {
    let call = station.receive().await;
    assert_eq!((&call[2], &call[3]), (&json!(action), &payload), "{call}");
    station.send(&json!([3, call[1], answer]).to_string()).await;
}

async fn status(station: &mut Station, connector: i64, status: &str) {
    let said = json!({"connectorId": connector, "status": status, "errorCode": "NoError"});
    station.call("StatusNotification", said).await;
}

/// What a station was sent that it did not answer yet ends here: a CALL of ours would come before the answer.
async fn is_left_alone(server: &Server, station: &mut Station) {
    let probe = queue(server, "ClearCache", json!({})).await;
    answers(
        station,
        "ClearCache",
        json!({}),
        json!({"status": "Accepted"}),
    )
    .await;
    ends_as(server, probe, "answered").await;
}

#[tokio::test]
async fn a_station_with_the_switch_is_asked_for_its_configuration_after_its_boot() {
    let server = Server::start().await;
    let mut station = server.station().await;
    is_left_alone(&server, &mut station).await;
    station.close().await;
    turn_on(&server, &boot_calls()).await;
    let mut station = server.station().await;
    answers(
        &mut station,
        "GetConfiguration",
        json!({}),
        json!({"configurationKey": []}),
    )
    .await;
}

/// The keys of the GetConfiguration that comes next; none: it asks for everything.
async fn asked(station: &mut Station) -> (Value, Vec<Value>) {
    let call = station.receive().await;
    assert_eq!(call[2], "GetConfiguration", "{call}");
    let keys = call[3]["key"].as_array().cloned().unwrap_or_default();
    (call[1].clone(), keys)
}

/// It reboots over the question that it was asked.
async fn dies(server: &Server, station: Station) -> Station {
    eventually("the station there", async || {
        server.db.is_connected("CP1").await.then_some(())
    })
    .await;
    drop(station);
    eventually("the station gone", async || {
        (!server.db.is_connected("CP1").await).then_some(())
    })
    .await;
    server.station().await
}

#[tokio::test]
async fn quirk_40_a_station_that_reboots_over_a_question_is_asked_in_parts_and_so_is_its_model() {
    let server = Server::start().await;
    for identity in ["CP1", "CP2"] {
        if identity == "CP2" {
            server.add_station(identity, None).await;
        }
        turn_on_at(&server, identity, &boot_calls()).await;
    }
    let mut station = server.station().await;
    let mut sizes = Vec::new();
    for _ in 0..3 {
        sizes.push(asked(&mut station).await.1.len());
        station = dies(&server, station).await;
    }
    assert_eq!(sizes, [0, 10, 5], "everything, and less each time");
    let (_, part) = asked(&mut station).await;
    assert_eq!(part.len(), 3);
    // Another of the same model is asked in such parts at once.
    let mut other = server.booted("CP2").await;
    let mut names = Vec::new();
    while names.len() < 9 {
        let (id, part) = asked(&mut other).await;
        assert!(part.len() <= 3 && !part.is_empty(), "{part:?}");
        let read: Vec<Value> = part
            .iter()
            .map(|key| json!({"key": key, "readonly": false, "value": "1"}))
            .collect();
        other
            .send(&json!([3, id, {"configurationKey": read}]).to_string())
            .await;
        assert!(!part.iter().any(|key| names.contains(key)), "{part:?}");
        names.extend(part);
    }
}

#[tokio::test]
async fn quirk_09_a_station_that_does_not_boot_after_a_reconnect_is_reminded() {
    let node = Node {
        remind_after: Duration::from_millis(100),
        ..Node::default()
    };
    let server = Server::with(node).await;
    turn_on(&server, &boot_calls()).await;
    let connect = async || {
        server
            .connect(server.request("CP1", "ocpp1.6"))
            .await
            .unwrap()
    };
    let mut station = connect().await;
    let trigger = |message: &str| json!({"requestedMessage": message});
    answers(
        &mut station,
        "TriggerMessage",
        trigger("BootNotification"),
        json!({"status": "NotImplemented"}),
    )
    .await;
    answers(
        &mut station,
        "TriggerMessage",
        trigger("StatusNotification"),
        json!({"status": "Accepted"}),
    )
    .await;
    is_left_alone(&server, &mut station).await;
    station.close().await;
    // What it cannot do it is not asked for again.
    let mut station = connect().await;
    answers(
        &mut station,
        "TriggerMessage",
        trigger("StatusNotification"),
        json!({"status": "Accepted"}),
    )
    .await;
    is_left_alone(&server, &mut station).await;
}

#[tokio::test]
async fn quirk_43_a_charge_is_started_with_the_stations_tag_when_a_vehicle_is_plugged_in() {
    let server = Server::start().await;
    turn_on(
        &server,
        &Options {
            auto_start_tag: Some("TAG1".to_owned()),
            ..Options::default()
        },
    )
    .await;
    let mut station = server.station().await;
    status(&mut station, 1, "Available").await;
    status(&mut station, 1, "Preparing").await;
    let start = json!({"connectorId": 1, "idTag": "TAG1"});
    answers(
        &mut station,
        "RemoteStartTransaction",
        start,
        json!({"status": "Accepted"}),
    )
    .await;
    // Chargers repeat themselves.
    status(&mut station, 1, "Preparing").await;
    is_left_alone(&server, &mut station).await;
}

#[tokio::test]
async fn quirk_44_a_refused_remote_start_is_sent_again_when_the_vehicle_is_there() {
    let server = Server::start().await;
    turn_on(
        &server,
        &Options {
            remote_start_waits: true,
            ..Options::default()
        },
    )
    .await;
    let mut station = server.station().await;
    let start = json!({"connectorId": 1, "idTag": "TAG1"});
    let first = queue(&server, "RemoteStartTransaction", start.clone()).await;
    answers(
        &mut station,
        "RemoteStartTransaction",
        start.clone(),
        json!({"status": "Rejected"}),
    )
    .await;
    ends_as(&server, first, "answered").await;
    status(&mut station, 2, "Preparing").await;
    is_left_alone(&server, &mut station).await;
    status(&mut station, 1, "Preparing").await;
    answers(
        &mut station,
        "RemoteStartTransaction",
        start,
        json!({"status": "Accepted"}),
    )
    .await;
    status(&mut station, 1, "Preparing").await;
    is_left_alone(&server, &mut station).await;
}
