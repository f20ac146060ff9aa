//! What the station said to a command, what was seen to follow, and what is not kept of it.

use serde_json::{Value, json};
use store::commands::Command;
use uuid::Uuid;

use crate::commands::{command, ends_as, queue};
use crate::support::{Server, Station, eventually};

/// Queues a command and answers its CALL with `answer`.
pub async fn answered(
    server: &Server,
    station: &mut Station,
    (action, payload): (&str, Value),
    answer: Value,
) -> Command {
    let id = queue(server, action, payload).await;
    let call = station.receive().await;
    assert_eq!(call[2], action);
    station.send(&json!([3, call[1], answer]).to_string()).await;
    ends_as(server, id, "answered").await
}

async fn effect(server: &Server, id: Uuid) -> String {
    let seen = eventually("the effect", async || {
        Some(command(server, id).await).filter(|command| command.effect.is_some())
    })
    .await;
    assert!(seen.effect_at >= seen.answered_at);
    seen.effect.unwrap()
}

#[tokio::test]
async fn the_stations_verdict_stands_beside_its_answer() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for (asked, answer, verdict) in [
        (
            ("ClearCache", json!({})),
            json!({"status": "Rejected"}),
            Some("Rejected"),
        ),
        (
            (
                "ChangeAvailability",
                json!({"connectorId": 1, "type": "Inoperative"}),
            ),
            json!({"status": "Scheduled"}),
            Some("Scheduled"),
        ),
        (
            ("GetLocalListVersion", json!({})),
            json!({"listVersion": -1}),
            Some("NotSupported"),
        ),
        (
            ("GetConfiguration", json!({})),
            json!({"unknownKey": []}),
            None,
        ),
    ] {
        let ended = answered(&server, &mut station, asked, answer.clone()).await;
        assert_eq!(ended.verdict.as_deref(), verdict);
        assert_eq!(ended.answer, Some(answer.to_string()));
    }
}

#[tokio::test]
async fn a_message_that_fits_is_seen_as_the_effect_and_no_other() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let unlock = ("UnlockConnector", json!({"connectorId": 2}));
    let unlock = answered(&server, &mut station, unlock, json!({"status": "Unlocked"})).await;
    assert_eq!(unlock.awaits.as_deref(), Some("StatusNotification"));
    let trigger = ("TriggerMessage", json!({"requestedMessage": "Heartbeat"}));
    let trigger = answered(
        &server,
        &mut station,
        trigger,
        json!({"status": "Accepted"}),
    )
    .await;
    let refused = ("UnlockConnector", json!({"connectorId": 2}));
    let refused = answered(
        &server,
        &mut station,
        refused,
        json!({"status": "UnlockFailed"}),
    )
    .await;
    for connector in [1, 2] {
        let status =
            json!({"connectorId": connector, "status": "Finishing", "errorCode": "NoError"});
        station.call("StatusNotification", status).await;
    }
    station.call("Heartbeat", json!({})).await;
    assert_eq!(
        effect(&server, unlock.id).await,
        "StatusNotification: Finishing (connector 2)"
    );
    assert_eq!(effect(&server, trigger.id).await, "Heartbeat");
    assert_eq!(command(&server, refused.id).await.effect, None);
}

/// Of a whole station every connector must say so, or the station itself.
#[tokio::test]
async fn a_whole_station_is_unavailable_when_all_of_it_is() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let says = |connector: i32, status: &str| json!({"connectorId": connector, "status": status, "errorCode": "NoError"});
    for connector in [1, 2] {
        station
            .call("StatusNotification", says(connector, "Available"))
            .await;
    }
    let order = |kind: &str| {
        (
            "ChangeAvailability",
            json!({"connectorId": 0, "type": kind}),
        )
    };
    let all = order("Inoperative");
    let all = answered(&server, &mut station, all, json!({"status": "Accepted"})).await;
    station
        .call("StatusNotification", says(1, "Unavailable"))
        .await;
    // What is noted later was asked for later: the first would stand beside it.
    let trigger = ("TriggerMessage", json!({"requestedMessage": "Heartbeat"}));
    let accepted = json!({"status": "Accepted"});
    let trigger = answered(&server, &mut station, trigger, accepted).await;
    station.call("Heartbeat", json!({})).await;
    effect(&server, trigger.id).await;
    assert_eq!(command(&server, all.id).await.effect, None);
    station
        .call("StatusNotification", says(2, "Unavailable"))
        .await;
    assert_eq!(
        effect(&server, all.id).await,
        "StatusNotification: Unavailable (connector 2)"
    );

    let all = order("Operative");
    let all = answered(&server, &mut station, all, json!({"status": "Accepted"})).await;
    station
        .call("StatusNotification", says(0, "Available"))
        .await;
    assert_eq!(
        effect(&server, all.id).await,
        "StatusNotification: Available (connector 0)"
    );
}

#[tokio::test]
async fn a_remote_start_and_stop_are_seen_by_their_transactions() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let start = (
        "RemoteStartTransaction",
        json!({"idTag": "tag1", "connectorId": 1}),
    );
    let start = answered(&server, &mut station, start, json!({"status": "Accepted"})).await;
    let said = json!({"connectorId": 1, "idTag": "TAG1", "meterStart": 0, "timestamp": "2026-11-20T12:00:00Z"});
    let number = station.call("StartTransaction", said).await["transactionId"].clone();
    assert_eq!(
        effect(&server, start.id).await,
        "StartTransaction (connector 1)"
    );
    let stop = ("RemoteStopTransaction", json!({"transactionId": number}));
    let stop = answered(&server, &mut station, stop, json!({"status": "Accepted"})).await;
    let said = json!({"transactionId": number, "meterStop": 10, "timestamp": "2026-11-20T13:00:00Z", "reason": "Remote"});
    station.call("StopTransaction", said).await;
    assert_eq!(effect(&server, stop.id).await, "StopTransaction");
}

#[tokio::test]
async fn an_effect_is_seen_after_a_reconnect_and_after_our_own_restart() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let soft = ("Reset", json!({"type": "Soft"}));
    let soft = answered(&server, &mut station, soft, json!({"status": "Accepted"})).await;
    station.close().await;
    let mut station = server.station().await;
    assert_eq!(effect(&server, soft.id).await, "BootNotification");
    // This one reboots before it answers.
    let hard = queue(&server, "Reset", json!({"type": "Hard"})).await;
    assert_eq!(station.receive().await[2], "Reset");
    drop(station);
    ends_as(&server, hard, "unknown").await;
    let server = server.restart().await;
    let _station = server.station().await;
    eventually("the effect", async || command(&server, hard).await.effect).await;
}

#[tokio::test]
async fn no_secret_outlives_its_command() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let secret = "0011223344556677889900112233445566778899";
    let change = json!({"key": "AuthorizationKey", "value": secret});
    let id = queue(&server, "ChangeConfiguration", change.clone()).await;
    let call = station.receive().await;
    assert_eq!(call[3], change, "the station gets all of it");
    assert!(
        !command(&server, id).await.payload.contains(secret),
        "people never see it"
    );
    station
        .send(&json!([3, call[1], {"status": "Accepted"}]).to_string())
        .await;
    ends_as(&server, id, "answered").await;
    let told = json!({"configurationKey": [{"key": "AuthorizationKey", "readonly": false, "value": secret}]});
    answered(&server, &mut station, ("GetConfiguration", json!({})), told).await;

    assert_eq!(server.db.tables_with(secret).await, [""; 0]);
    let logged = server.db.tables_with("***").await;
    assert!(
        logged
            .iter()
            .any(|table| table.starts_with("ocpp_messages")),
        "{logged:?}"
    );
}
