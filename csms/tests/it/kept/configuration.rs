//! The configuration of a station, read and set.

use serde_json::{Value, json};
use store::configuration::Key;
use store::{Room, Scope};

use super::{answer_next, station_id};
use crate::commands::{ends_as, queue};
use crate::effects::answered;
use crate::support::{Server, eventually};

async fn keys(server: &Server) -> Vec<Key> {
    let id = station_id(server, "CP1").await;
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    store::configuration::of(&mut db, id).await.unwrap()
}

async fn key(server: &Server, name: &str) -> Option<Key> {
    keys(server).await.into_iter().find(|key| key.key == name)
}

#[tokio::test]
async fn tc_019_1_every_key_is_kept_as_it_was_read() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let answer = json!({
        "configurationKey": [
            {"key": "HeartbeatInterval", "readonly": false, "value": 300},
            {"key": "SupportedFeatureProfiles", "readonly": true, "value": " Core , Reservation"},
            {"key": "AuthorizationKey", "readonly": false, "value": "00112233445566778899"},
        ],
        "unknownKey": ["Nothing"],
    });
    answered(
        &server,
        &mut station,
        ("GetConfiguration", json!({})),
        answer,
    )
    .await;
    let interval = key(&server, "HeartbeatInterval").await.unwrap();
    assert_eq!(
        (interval.value.as_deref(), interval.readonly),
        (Some("300"), Some(false))
    );
    let profiles = key(&server, "SupportedFeatureProfiles").await.unwrap();
    assert_eq!(
        profiles.value.as_deref(),
        Some(" Core , Reservation"),
        "to the letter"
    );
    assert_eq!(profiles.readonly, Some(true));
    assert!(!key(&server, "Nothing").await.unwrap().known);
    assert_eq!(
        key(&server, "AuthorizationKey").await.unwrap().value,
        None,
        "no secret is kept"
    );

    // TC_019_2: one key, and the others stay.
    let asked = json!({"key": ["HeartbeatInterval"]});
    let answer = json!({"configurationKey": [{"key": "HeartbeatInterval", "readonly": false, "value": "60"}]});
    answered(&server, &mut station, ("GetConfiguration", asked), answer).await;
    assert_eq!(
        key(&server, "HeartbeatInterval")
            .await
            .unwrap()
            .value
            .as_deref(),
        Some("60")
    );
    assert_eq!(keys(&server).await.len(), 4);
}

#[tokio::test]
async fn quirk_48_tc_021_what_was_set_is_read_back_and_a_rounded_value_shows() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let change = json!({"key": "MeterValueSampleInterval", "value": "5"});
    answered(
        &server,
        &mut station,
        ("ChangeConfiguration", change),
        json!({"status": "Accepted"}),
    )
    .await;
    let rounded = json!({"configurationKey": [{"key": "MeterValueSampleInterval", "readonly": false, "value": "30"}]});
    let asked = answer_next(&mut station, "GetConfiguration", rounded).await;
    assert_eq!(asked, json!({"key": ["MeterValueSampleInterval"]}));
    let row = eventually("the value read back", async || {
        key(&server, "MeterValueSampleInterval")
            .await
            .filter(|key| key.value.is_some())
    })
    .await;
    assert_eq!(
        (row.value.as_deref(), row.set_value.as_deref()),
        (Some("30"), Some("5"))
    );
    let rows = store::configuration::drift::compare(vec![row], &[]);
    assert!(rows[0].was_changed_by_station());

    // TC_040: what is not taken is not read back.
    for (key_name, status) in [
        ("Custom", "NotSupported"),
        ("MeterValueSampleInterval", "Rejected"),
    ] {
        let change = json!({"key": key_name, "value": "-1"});
        answered(
            &server,
            &mut station,
            ("ChangeConfiguration", change),
            json!({"status": status}),
        )
        .await;
        let row = key(&server, key_name).await.unwrap();
        assert_eq!(row.set_answer.as_deref(), Some(status));
        assert_eq!(row.known, status != "NotSupported");
    }
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

#[tokio::test]
async fn quirk_40_a_question_for_everything_that_a_station_cannot_answer_is_asked_in_parts() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let all = queue(&server, "GetConfiguration", json!({})).await;
    let call = station.receive().await;
    station
        .send(&json!([4, call[1], "InternalError", "too long", {}]).to_string())
        .await;
    ends_as(&server, all, "error").await;
    let first = station.receive().await;
    let asked = first[3]["key"].as_array().unwrap().clone();
    assert_eq!(asked.len(), 10);
    station
        .send(&json!([4, first[1], "InternalError", "still too long", {}]).to_string())
        .await;
    // The other parts and the halves of the one that failed come one after another, with pauses.
    let mut halves = 0;
    let mut names = 0;
    while halves < 2 {
        let call = station.receive().await;
        let keys = call[3]["key"].as_array().unwrap().clone();
        halves += usize::from(keys.len() == 5);
        names += keys.len();
        let read: Vec<Value> = keys
            .iter()
            .map(|key| json!({"key": key, "readonly": false, "value": "1"}))
            .collect();
        station
            .send(&json!([3, call[1], {"configurationKey": read}]).to_string())
            .await;
    }
    eventually("every key", async || {
        (keys(&server).await.len() == names).then_some(())
    })
    .await;
}

#[tokio::test]
async fn quirk_40_a_station_that_cannot_be_asked_for_everything_is_asked_by_name() {
    for answer in [
        json!([3, "", {"configurationKey": []}]),
        json!([4, "", "NotSupported", "name the keys", {}]),
    ] {
        let server = Server::start().await;
        let mut station = server.station().await;
        queue(&server, "GetConfiguration", json!({})).await;
        let call = station.receive().await;
        let mut answer = answer;
        answer[1] = call[1].clone();
        station.send(&answer.to_string()).await;
        let part = station.receive().await;
        let keys = part[3]["key"].as_array().unwrap();
        assert_eq!(keys.len(), 10, "{part}");
        // Whoever does not know the action at all is asked no further about this part.
        let unknown = json!([4, part[1], "NotImplemented", "", {}]);
        station.send(&unknown.to_string()).await;
        let next = station.receive().await;
        let others = next[3]["key"].as_array().unwrap();
        assert!(others.len() == 10 && others != keys, "{next}");
    }
}
