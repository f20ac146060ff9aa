//! Frames, ids, texts and words.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{begin, connector, start};
use crate::commands::{ends_as, queue};
use crate::support::{Server, noon};

#[tokio::test]
async fn quirk_12_empty_binary_and_wrapped_frames_are_read() {
    let server = Server::start().await;
    let mut station = server.station().await;
    station.send("").await;
    station
        .send("\u{feff}[2,\"a\",\"Heartbeat\",{}]\u{0}")
        .await;
    assert_eq!(station.receive().await[1], "a");
    station.send_binary(b"[2,\"b\",\"Heartbeat\",{}]").await;
    assert_eq!(station.receive().await[1], "b");
    station.send_binary(&[0xff, 0xfe, 0x00]).await;
    assert_eq!(station.close_code().await, Some(1003), "no text in any way");
}

#[tokio::test]
async fn quirk_13_broken_json_is_mended_or_refused_by_its_own_id() {
    let server = Server::start().await;
    let mut station = server.station().await;
    station.send(r#",[,2,"a","Heartbeat",{}]"#).await;
    assert_eq!(station.receive().await[0], 3);
    station
        .send("[2,\"b\",\"Authorize\",{\"idTag\":\"TAG1\u{1}\"}]")
        .await;
    assert_eq!(
        station.receive().await[2]["idTagInfo"]["status"],
        "Accepted"
    );
    station
        .send(r#"[2,"c","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[{"value":NaN}]}]}]"#)
        .await;
    assert_eq!(station.receive().await[0], 3);
    station.send(r#"[2,"d","Heartbeat",{"#).await;
    let refused = station.receive().await;
    assert_eq!(
        (&refused[0], &refused[1], &refused[2]),
        (&json!(4), &json!("d"), &json!("FormationViolation"))
    );
    station.send(r#"[2,"#).await;
    assert_eq!(station.receive().await[1], "-1");
}

#[tokio::test]
async fn quirk_15_message_ids_are_echoed_and_only_a_true_repetition_is_replayed() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let long = "x".repeat(60);
    for id in [json!(17), json!(long), json!("no guid")] {
        station
            .send(&json!([2, id, "Heartbeat", {}]).to_string())
            .await;
        assert_eq!(station.receive().await[1], id);
    }
    let at = noon() - TimeDelta::minutes(1);
    let mut numbers = Vec::new();
    for wh in [1000, 1000, 2000] {
        station
            .send(&json!([2, "same", "StartTransaction", start(at, wh)]).to_string())
            .await;
        numbers.push(station.receive().await[2]["transactionId"].clone());
    }
    assert_eq!(numbers[0], numbers[1], "the same content: the same answer");
    assert_ne!(numbers[0], numbers[2], "other content: another call");
}

#[tokio::test]
async fn quirk_16_answers_to_nothing_are_dropped_and_the_socket_lives() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for answer in [r#"[3,"nobody",{}]"#, r#"[4,"nobody","GenericError","",{}]"#] {
        station.send(answer).await;
    }
    let asked = queue(&server, "ClearCache", json!({})).await;
    let call = station.receive().await;
    let answer = format!(r#"[3,{},{{"status":"Accepted"}}]"#, call[1]);
    station.send(&answer).await;
    station.send(&answer).await;
    ends_as(&server, asked, "answered").await;
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

#[tokio::test]
async fn quirk_17_calls_cross_and_only_one_of_ours_is_out() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let first = queue(&server, "ClearCache", json!({})).await;
    let second = queue(&server, "UnlockConnector", json!({ "connectorId": 1 })).await;
    let call = station.receive().await;
    assert_eq!(call[2], "ClearCache");
    // The station asks before it answers; the next frame is our answer, not our second CALL.
    let (number, _) = begin(&mut station).await;
    assert!(number.is_number());
    station
        .send(&format!(r#"[3,{},{{"status":"Accepted"}}]"#, call[1]))
        .await;
    ends_as(&server, first, "answered").await;
    let call = station.receive().await;
    assert_eq!(call[2], "UnlockConnector");
    station
        .send(&format!(r#"[3,{},{{"status":"Unlocked"}}]"#, call[1]))
        .await;
    ends_as(&server, second, "answered").await;
}

#[tokio::test]
async fn quirk_36_texts_that_are_too_long_are_kept_and_refuse_nothing() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let boot = json!({ "chargePointVendor": "V".repeat(60), "chargePointModel": "M".repeat(60),
                       "chargePointSerialNumber": "EVB1A22P2RI3N182341200100350795E5" });
    assert_eq!(
        station.call("BootNotification", boot).await["status"],
        "Accepted"
    );
    let answer = station
        .call("Authorize", json!({ "idTag": "TAG1\u{0}\u{1}\r\n" }))
        .await;
    assert_eq!(
        answer["idTagInfo"]["status"], "Accepted",
        "looked up without its garbage"
    );
}

#[tokio::test]
async fn quirk_37_and_38_unknown_words_and_fields_are_taken() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let status =
        json!({ "connectorId": 1, "errorCode": "Error", "status": "Snoozing", "colour": "blue" });
    assert_eq!(station.call("StatusNotification", status).await, json!({}));
    let shown = connector(&server, 1).await;
    assert_eq!(shown.as_deref(), Some("Snoozing"));
    let answer = station
        .call("Authorize", json!({ "idTag": "TAG1", "connectorId": 1 }))
        .await;
    assert_eq!(answer["idTagInfo"]["status"], "Accepted");
}

#[tokio::test]
async fn quirk_51_what_a_station_calls_itself_is_free_text() {
    let server = Server::start().await;
    let mut station = server
        .connect(server.request("CP1", "ocpp1.6"))
        .await
        .unwrap();
    let boot = json!({ "chargePointVendor": "1.12.1", "chargePointModel": "", "chargePointSerialNumber": "" });
    assert_eq!(
        station.call("BootNotification", boot).await["status"],
        "Accepted"
    );
}

#[tokio::test]
async fn quirk_52_a_private_tunnel_is_an_unknown_vendor() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let tunnel = json!({ "vendorId": "iso15118", "messageId": "Get15118EVCertificate", "data": "{\"exiRequest\":\"gA\"}" });
    let answer = station.call("DataTransfer", tunnel).await;
    assert_eq!(answer, json!({ "status": "UnknownVendorId" }));
}

#[tokio::test]
async fn quirk_53_states_of_no_request_are_acknowledged() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for action in [
        "FirmwareStatusNotification",
        "DiagnosticsStatusNotification",
    ] {
        for _ in 0..2 {
            assert_eq!(
                station.call(action, json!({ "status": "Idle" })).await,
                json!({}),
                "{action}"
            );
        }
    }
}

#[tokio::test]
async fn quirk_54_answers_hold_what_1_6_asks_for_and_no_more() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let fields = |answer: &Value| -> Vec<String> {
        let mut names: Vec<String> = answer.as_object().unwrap().keys().cloned().collect();
        names.sort();
        names
    };
    let boot = json!({ "chargePointVendor": "Acme", "chargePointModel": "One" });
    let answer = station.call("BootNotification", boot).await;
    assert_eq!(fields(&answer), ["currentTime", "interval", "status"]);
    let answer = station.call("Authorize", json!({ "idTag": "TAG1" })).await;
    assert_eq!(answer, json!({ "idTagInfo": { "status": "Accepted" } }));
    assert_eq!(
        fields(&station.call("Heartbeat", json!({})).await),
        ["currentTime"]
    );
    let answer = station.call("StartTransaction", start(noon(), 0)).await;
    assert_eq!(fields(&answer), ["idTagInfo", "transactionId"]);
}

#[tokio::test]
async fn quirk_55_the_interval_is_never_one_that_chargers_handle_badly() {
    for (asked, told) in [(0, 10), (3, 10), (600, 600), (1_000_000, 86_400)] {
        let options = csms::Options {
            heartbeat_interval: std::time::Duration::from_secs(asked),
            ..csms::Options::default()
        };
        let server = Server::with(options).await;
        let mut station = server
            .connect(server.request("CP1", "ocpp1.6"))
            .await
            .unwrap();
        let boot = json!({ "chargePointVendor": "Acme", "chargePointModel": "One" });
        assert_eq!(
            station.call("BootNotification", boot).await["interval"],
            told
        );
    }
}
