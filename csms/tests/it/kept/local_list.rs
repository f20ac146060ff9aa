//! Local lists, pushed on change.

use serde_json::json;
use store::local_lists::{self, Chosen, List};

use super::{answer_next, connection, station_id};
use crate::effects::answered;
use crate::support::{Server, eventually, noon};

async fn list(server: &Server) -> List {
    let id = station_id(server, "CP1").await;
    local_lists::of(&mut *connection(server).await, id)
        .await
        .unwrap()
}

/// The list of CP1, kept from here, with these tokens.
async fn subscribe(server: &Server, tokens: &[&str]) {
    let id = station_id(server, "CP1").await;
    let mut db = connection(server).await;
    let tokens: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
    let unknown = local_lists::choose(&mut db, Chosen::Station(id), &tokens)
        .await
        .unwrap();
    assert!(unknown.is_empty());
    local_lists::subscribe(&mut db, id, true, "chosen")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_list_leaves_out_a_parent_that_ocpp_1_6_cannot_carry_and_is_then_as_it_should_be() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let parent = "P".repeat(21);
    server.put_token("CHILD", "accepted", Some(&parent)).await;
    subscribe(&server, &["CHILD"]).await;
    let child = json!({"idTag": "CHILD", "idTagInfo": {"status": "Accepted"}});
    let full = answer_next(&mut station, "SendLocalList", json!({"status": "Accepted"})).await;
    assert_eq!(full["localAuthorizationList"], json!([child]));
    eventually("version 1", async || {
        (list(&server).await.version == 1).then_some(())
    })
    .await;
    // What is sent next is the next change alone.
    subscribe(&server, &["CHILD", "TAG1"]).await;
    let more = answer_next(&mut station, "SendLocalList", json!({"status": "Accepted"})).await;
    let new = json!({"idTag": "TAG1", "idTagInfo": {"status": "Accepted"}});
    assert_eq!(more["localAuthorizationList"], json!([new]));
}

#[tokio::test]
async fn tc_043_a_list_is_sent_in_full_and_then_only_what_changed() {
    let server = Server::start().await;
    let mut station = server.station().await;
    subscribe(&server, &["TAG1", "TAG2"]).await;
    let full = answer_next(&mut station, "SendLocalList", json!({"status": "Accepted"})).await;
    assert_eq!(
        full,
        json!({"listVersion": 1, "updateType": "Full", "localAuthorizationList": [
            {"idTag": "TAG1", "idTagInfo": {"status": "Accepted"}},
            {"idTag": "TAG2", "idTagInfo": {"status": "Blocked"}},
        ]})
    );
    eventually("version 1", async || {
        (list(&server).await.version == 1).then_some(())
    })
    .await;
    server.add_token("TAG3", "accepted").await;
    subscribe(&server, &["TAG2", "TAG3"]).await;
    let more = answer_next(&mut station, "SendLocalList", json!({"status": "Accepted"})).await;
    assert_eq!(
        more,
        json!({"listVersion": 2, "updateType": "Differential", "localAuthorizationList": [
            {"idTag": "TAG1"}, {"idTag": "TAG3", "idTagInfo": {"status": "Accepted"}},
        ]})
    );
    let settled = eventually("version 2", async || {
        Some(list(&server).await).filter(|list| list.version == 2 && !list.look)
    })
    .await;
    assert_eq!(
        (settled.last_result.as_deref(), settled.pending_command),
        (Some("Accepted"), None)
    );
    // A token that changes is pushed, whoever changed it.
    server.add_token("TAG3", "blocked").await;
    let changed = answer_next(
        &mut station,
        "SendLocalList",
        json!({"status": "VersionMismatch"}),
    )
    .await;
    assert_eq!(changed["listVersion"], 3);
    let again = answer_next(&mut station, "SendLocalList", json!({"status": "Failed"})).await;
    assert_eq!(again["updateType"], "Full", "the whole list, at once");
    assert_eq!(again["localAuthorizationList"].as_array().unwrap().len(), 2);
    let failed = eventually("the failure", async || {
        Some(list(&server).await).filter(|list| list.last_result.as_deref() == Some("Failed"))
    })
    .await;
    assert!(failed.want_full && failed.next_try_at > Some(noon()));
    assert_eq!(failed.version, 2, "what the station accepted last");
}

#[tokio::test]
async fn tc_042_and_043_1_a_station_without_a_list_is_left_alone() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for version in [0, -1] {
        let answer = json!({"listVersion": version});
        answered(
            &server,
            &mut station,
            ("GetLocalListVersion", json!({})),
            answer,
        )
        .await;
        let said = list(&server).await;
        assert_eq!(
            (said.station_version, said.supported),
            (Some(version), Some(version >= 0))
        );
    }
    subscribe(&server, &["TAG1"]).await;
    let sent = answer_next(
        &mut station,
        "SendLocalList",
        json!({"status": "NotSupported"}),
    )
    .await;
    assert_eq!(
        (&sent["listVersion"], &sent["updateType"]),
        (&json!(1), &json!("Full"))
    );
    eventually("the refusal", async || {
        (list(&server).await.supported == Some(false)).then_some(())
    })
    .await;
    server.add_token("TAG1", "blocked").await;
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
    assert_eq!(list(&server).await.pending_command, None);
}

#[tokio::test]
async fn a_push_waits_for_its_station_over_a_restart() {
    let server = Server::start().await;
    subscribe(&server, &["TAG1"]).await;
    let waiting = eventually("the push", async || list(&server).await.pending_command).await;
    let server = server.restart().await;
    assert_eq!(list(&server).await.pending_command, Some(waiting));
    // It leaves as soon as there is a socket: nothing else is said before.
    let request = server.request("CP1", "ocpp1.6");
    let mut station = server.connect(request).await.unwrap();
    answer_next(&mut station, "SendLocalList", json!({"status": "Accepted"})).await;
    eventually("version 1", async || {
        (list(&server).await.version == 1).then_some(())
    })
    .await;
}
