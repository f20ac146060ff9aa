//! What stations are asked for.

use chrono::TimeDelta;
use serde_json::json;

use super::{start, text};
use crate::commands::{ends_as, queue};
use crate::support::{Server, noon};

#[tokio::test]
async fn quirk_43_a_remote_start_after_the_plug_carries_the_vendors_own_tag() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let preparing = json!({ "connectorId": 1, "status": "Preparing", "errorCode": "NoError" });
    station.call("StatusNotification", preparing).await;
    let request = json!({ "connectorId": 1, "idTag": "evcc" });
    let id = queue(&server, "RemoteStartTransaction", request.clone()).await;
    let call = station.receive().await;
    assert_eq!(call[3], request, "no list of tags stands in its way");
    station
        .send(&format!(r#"[3,{},{{"status":"Accepted"}}]"#, call[1]))
        .await;
    ends_as(&server, id, "answered").await;
    // The token is unknown here: the charge is stored all the same.
    let mut begin = start(noon(), 0);
    begin["idTag"] = json!("evcc");
    let answer = station.call("StartTransaction", begin).await;
    assert_eq!(answer["idTagInfo"]["status"], "Invalid");
    assert!(answer["transactionId"].as_i64().unwrap() > 0);
}

#[tokio::test]
async fn quirk_44_a_remote_start_waits_for_its_station_and_names_its_connector() {
    let server = Server::start().await;
    let request = json!({ "connectorId": 2, "idTag": "TAG1" });
    let id = queue(&server, "RemoteStartTransaction", request.clone()).await;
    let mut station = server.station().await;
    let call = station.receive().await;
    assert_eq!(
        (&call[2], &call[3]),
        (&json!("RemoteStartTransaction"), &request)
    );
    station
        .send(&format!(r#"[3,{},{{"status":"Rejected"}}]"#, call[1]))
        .await;
    let ended = ends_as(&server, id, "answered").await;
    assert_eq!(
        ended.answer.as_deref(),
        Some(r#"{"status":"Rejected"}"#),
        "shown, and not sent again by itself"
    );
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

#[tokio::test]
async fn quirk_45_a_remote_stop_carries_any_number_that_the_operator_gives() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for number in [0, -1, 7] {
        let id = queue(
            &server,
            "RemoteStopTransaction",
            json!({ "transactionId": number }),
        )
        .await;
        let call = station.receive().await;
        assert_eq!(call[3]["transactionId"], number);
        station
            .send(&format!(r#"[3,{},{{"status":"Rejected"}}]"#, call[1]))
            .await;
        let ended = ends_as(&server, id, "answered").await;
        assert_eq!(ended.answer.as_deref(), Some(r#"{"status":"Rejected"}"#));
    }
}

#[tokio::test]
async fn quirk_46_and_47_what_a_station_cannot_do_is_shown_and_not_tried_again() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let unlock = queue(&server, "UnlockConnector", json!({ "connectorId": 1 })).await;
    let call = station.receive().await;
    station
        .send(&format!(r#"[3,{},{{"status":"NotSupported"}}]"#, call[1]))
        .await;
    let shown = ends_as(&server, unlock, "answered").await;
    assert_eq!(
        shown.answer.as_deref(),
        Some(r#"{"status":"NotSupported"}"#)
    );
    let change = queue(
        &server,
        "ChangeAvailability",
        json!({ "connectorId": 0, "type": "Operative" }),
    )
    .await;
    let call = station.receive().await;
    station
        .send(&format!(r#"[4,{},"NotImplemented","",{{}}]"#, call[1]))
        .await;
    ends_as(&server, change, "error").await;
    // Nothing of ours follows: the next frame is the answer to the station's own question.
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

#[tokio::test]
async fn quirk_58_reservation_0_is_none_and_an_unavailable_connector_is_asked_all_the_same() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let mut begin = start(noon(), 0);
    begin["reservationId"] = json!(0);
    assert_eq!(
        station.call("StartTransaction", begin).await["idTagInfo"]["status"],
        "Accepted"
    );
    let off = json!({ "connectorId": 2, "status": "Unavailable", "errorCode": "NoError" });
    station.call("StatusNotification", off).await;
    let expiry = text(noon() + TimeDelta::hours(1));
    let reserve =
        json!({ "connectorId": 2, "expiryDate": expiry, "idTag": "TAG1", "reservationId": 5 });
    let id = queue(&server, "ReserveNow", reserve).await;
    let call = station.receive().await;
    assert_eq!(call[2], "ReserveNow");
    station
        .send(&format!(r#"[3,{},{{"status":"Unavailable"}}]"#, call[1]))
        .await;
    let shown = ends_as(&server, id, "answered").await;
    assert_eq!(shown.answer.as_deref(), Some(r#"{"status":"Unavailable"}"#));
}
