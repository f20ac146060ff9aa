//! Commands: queued as rows, sent one at a time, ended by an answer, and never sent twice.

use chrono::TimeDelta;
use serde_json::{Value, json};
use store::commands::{Command, NewCommand};
use store::disturb::{Blow, Moment};
use store::stations::Station;
use store::{Connection, Room, Scope};
use uuid::Uuid;

use crate::support::{Server, eventually, noon};

pub async fn queue(server: &Server, action: &str, payload: Value) -> Uuid {
    queue_at(server, "CP1", (action, payload), false).await
}

pub async fn queue_at(
    server: &Server,
    identity: &str,
    (action, payload): (&str, Value),
    raw: bool,
) -> Uuid {
    let mut db = server.db.pool.acquire().await.unwrap();
    let station = station(&mut db, identity).await;
    queue_with(&mut db, &station, (action, &payload), raw).await
}

pub async fn station(db: &mut Connection, identity: &str) -> Station {
    let found = store::lookup::stations(db, &[identity.to_owned()]).await;
    found.unwrap().pop().flatten().unwrap()
}

/// In a transaction that does more.
pub async fn queue_with(
    db: &mut Connection,
    station: &Station,
    (action, payload): (&str, &Value),
    raw: bool,
) -> Uuid {
    let payload = payload.to_string();
    let command = NewCommand {
        station_id: station.id,
        site_id: station.site_id,
        action,
        payload: &payload,
        raw,
        actor_kind: "cli",
        actor_id: None,
        expires_at: noon() + TimeDelta::minutes(5),
        rerun_of: None,
        task_id: None,
    };
    store::commands::queue(db, &command, noon()).await.unwrap()
}

pub async fn command(server: &Server, id: Uuid) -> Command {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    store::commands::get(&mut db, id).await.unwrap().unwrap()
}

pub async fn ends_as(server: &Server, id: Uuid, status: &str) -> Command {
    eventually(status, async || {
        Some(command(server, id).await).filter(|command| command.status == status)
    })
    .await
}

#[tokio::test]
async fn commands_leave_one_at_a_time_and_end_with_the_stations_words() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let first = queue(&server, "UnlockConnector", json!({ "connectorId": 1 })).await;
    let second = queue(&server, "Reset", json!({ "type": "Soft" })).await;
    let call = station.receive().await;
    assert_eq!((&call[0], &call[2]), (&json!(2), &json!("UnlockConnector")));
    // A CALL of the station crosses ours.
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
    station
        .send(&format!(r#"[3,{},{{"status":  "Unlocked"}}]"#, call[1]))
        .await;
    let answered = ends_as(&server, first, "answered").await;
    assert_eq!(
        answered.answer.as_deref(),
        Some(r#"{"status":  "Unlocked"}"#),
        "to the letter"
    );
    let call = station.receive().await;
    assert_eq!(call[2], "Reset");
    station
        .send(&format!(
            r#"[4,{},"InternalError","not now",{{}}]"#,
            call[1]
        ))
        .await;
    let failed = ends_as(&server, second, "error").await;
    assert_eq!(failed.error_code.as_deref(), Some("InternalError"));
    assert_eq!(failed.error_description.as_deref(), Some("not now"));
}

#[tokio::test]
async fn a_command_waits_for_its_station_and_is_unknown_once_the_socket_is_lost() {
    let server = Server::start().await;
    let reset = queue(&server, "Reset", json!({ "type": "Hard" })).await;
    assert_eq!(command(&server, reset).await.status, "queued");
    let mut station = server.station().await;
    assert_eq!(station.receive().await[2], "Reset");
    drop(station);
    ends_as(&server, reset, "unknown").await;

    let read = queue(&server, "GetConfiguration", json!({})).await;
    let mut station = server.station().await;
    assert_eq!(station.receive().await[2], "GetConfiguration");
    drop(station);
    ends_as(&server, read, "queued").await;
    let mut station = server.station().await;
    let call = station.receive().await;
    assert_eq!(call[2], "GetConfiguration", "the Reset is not sent again");
    station.send(&format!(r#"[3,{},{{}}]"#, call[1])).await;
    ends_as(&server, read, "answered").await;
}

#[tokio::test]
async fn a_lost_command_that_could_not_be_noted_does_not_hold_up_the_next() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let lost = queue(&server, "Reset", json!({ "type": "Hard" })).await;
    assert_eq!(station.receive().await[2], "Reset");
    let blow = Blow::Error("57P01");
    server
        .db
        .strike_once("commands", Moment::Statement, blow)
        .await;
    drop(station);
    eventually("the station gone", async || {
        (!server.db.is_connected("CP1").await).then_some(())
    })
    .await;
    assert!(server.db.struck("commands").await);
    assert_eq!(command(&server, lost).await.status, "sent");

    let mut station = server.station().await;
    let next = queue(&server, "UnlockConnector", json!({ "connectorId": 1 })).await;
    let call = station.receive().await;
    assert_eq!(call[2], "UnlockConnector", "the Reset is not sent again");
    station
        .send(&format!(r#"[3,{},{{"status":"Unlocked"}}]"#, call[1]))
        .await;
    ends_as(&server, next, "answered").await;
    assert_eq!(command(&server, lost).await.status, "unknown");
}

#[tokio::test]
async fn a_restart_of_ours_loses_no_command() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let sent = queue(&server, "UnlockConnector", json!({ "connectorId": 1 })).await;
    let queued = queue(&server, "Reset", json!({ "type": "Soft" })).await;
    assert_eq!(station.receive().await[2], "UnlockConnector");
    let server = server.restart().await;
    // What was under way is told as it is, and never sent twice; what waited still does.
    ends_as(&server, sent, "unknown").await;
    assert_eq!(command(&server, queued).await.status, "queued");
    let mut station = server.station().await;
    let call = station.receive().await;
    assert_eq!(call[2], "Reset");
    station
        .send(&format!(r#"[3,{},{{"status":"Accepted"}}]"#, call[1]))
        .await;
    ends_as(&server, queued, "answered").await;
}
