//! Who comes in, how often, and how the line is kept.

use base64::Engine as _;
use chrono::TimeDelta;
use serde_json::json;
use store::sessions::State;
use store::stations::StationChange;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};

use super::{begin, meter, only_session, set_options, stop};
use crate::commands::{ends_as, queue};
use crate::support::{Server, eventually, noon};

/// Sends a whole upgrade request by hand; the status line of the answer.
async fn upgrade(server: &Server, head: &str) -> String {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut said = vec![0; 1024];
    let count = socket.read(&mut said).await.unwrap();
    String::from_utf8_lossy(&said[..count])
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";

/// As `Server::request` with Basic credentials.
fn with_password(request: Request<()>, user: &str, password: &[u8]) -> Request<()> {
    let mut request = request;
    let pair = [user.as_bytes(), b":", password].concat();
    let basic = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    );
    let value = HeaderValue::from_str(&basic).unwrap();
    request.headers_mut().insert("Authorization", value);
    request
}

#[tokio::test]
async fn quirk_01_no_subprotocol_is_refused_until_a_switch_assumes_one() {
    let server = Server::start().await;
    assert_eq!(
        server.connect(server.request("CP1", "")).await.err(),
        Some(400)
    );
    eventually("the reason", async || {
        let mut db = server.db.pool.acquire().await.unwrap();
        let listed = store::refusals::list(&mut db, None, 10).await.unwrap();
        listed
            .iter()
            .any(|row| row.reason == "no_subprotocol")
            .then_some(())
    })
    .await;
    set_options(&server, json!({ "assume_16": true })).await;
    let mut station = eventually("the switch", async || {
        server.connect(server.request("CP1", "")).await.ok()
    })
    .await;
    assert_eq!(station.protocol, None, "it did not ask for one by name");
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

#[tokio::test]
async fn quirk_02_the_best_of_many_subprotocols_is_chosen_or_none() {
    let server = Server::start().await;
    for offered in ["ocpp0.1, ocpp1.6", "ocpp9.9,ocpp1.6,ocpp0.1"] {
        let station = server
            .connect(server.request("CP1", offered))
            .await
            .unwrap();
        assert_eq!(station.protocol.as_deref(), Some("ocpp1.6"), "{offered}");
    }
    assert_eq!(
        server.connect(server.request("CP1", "ocpp0.1")).await.err(),
        Some(101)
    );
}

#[tokio::test]
async fn quirk_03_odd_upgrade_requests_are_understood() {
    let server = Server::start().await;
    let address = server.address;
    for head in [
        // No `Connection: Upgrade`.
        format!(
            "GET /ocpp/CP1 HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: ocpp1.6\r\n{KEY}\r\n"
        ),
        // Odd case, and an Origin.
        format!(
            "GET /ocpp/CP1 HTTP/1.1\r\nHOST: {address}\r\nUPGRADE: WebSocket\r\nConnection: upgrade\r\nOrigin: http://charger\r\nsec-websocket-protocol: ocpp1.6\r\n{KEY}\r\n"
        ),
        // The whole URL in the request line.
        format!(
            "GET ws://{address}/ocpp/CP1 HTTP/1.1\r\nHost: {address}\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Protocol: ocpp1.6\r\n{KEY}\r\n"
        ),
    ] {
        let status = upgrade(&server, &head).await;
        assert!(status.starts_with("HTTP/1.1 101"), "{status}\n{head}");
    }
}

#[tokio::test]
async fn quirk_04_the_identity_is_the_last_segment_in_any_case_decoded_once() {
    let server = Server::start().await;
    server.add_station("Box.1|a b", None).await;
    for path in [
        "CP1/",
        "CP1//",
        "/prefix/ocpp/CP1",
        "cp1",
        "%43P1",
        "Box.1%7Ca%20b",
        "BOX.1%7CA%20B",
    ] {
        assert!(
            server
                .connect(server.request(path, "ocpp1.6"))
                .await
                .is_ok(),
            "{path}"
        );
    }
    assert_eq!(
        server
            .connect(server.request("%2543P1", "ocpp1.6"))
            .await
            .err(),
        Some(404),
        "decoded once"
    );
}

#[tokio::test]
async fn quirk_05_user_and_password_come_in_many_forms() {
    let server = Server::start().await;
    server.add_station("COLON", Some("a:b:c")).await;
    server
        .add_station("HEX", Some("AAAAAAAAAAAAAAAAAAAA"))
        .await;
    for (identity, user, password, expected) in [
        ("COLON", "COLON", "a:b:c", None),
        ("COLON", "colon", "a:b:c", None),
        ("COLON", "", "a:b:c", Some(401)),
        ("COLON", "OTHER", "a:b:c", Some(401)),
        ("HEX", "HEX", "AAAAAAAAAAAAAAAAAAAA", None),
        // The same bytes as 40 hexadecimal digits.
        (
            "HEX",
            "HEX",
            "4141414141414141414141414141414141414141",
            None,
        ),
        ("HEX", "HEX", "4141", Some(401)),
        // Profile 0 asks nobody.
        ("CP1", "x", "y", None),
    ] {
        let request = with_password(
            server.request(identity, "ocpp1.6"),
            user,
            password.as_bytes(),
        );
        assert_eq!(
            server.connect(request).await.err(),
            expected,
            "{user}:{password}"
        );
    }
    assert_eq!(
        server.connect(server.request("HEX", "ocpp1.6")).await.err(),
        Some(401)
    );
}

#[tokio::test]
async fn quirk_06_a_new_socket_wins_and_the_late_end_of_the_old_one_changes_nothing() {
    let server = Server::start().await;
    let mut old = server.station().await;
    let waits = queue(&server, "UnlockConnector", json!({ "connectorId": 1 })).await;
    assert_eq!(old.receive().await[2], "UnlockConnector");
    let mut new = server.station().await;
    ends_as(&server, waits, "unknown").await;
    assert_eq!(old.close_code().await, Some(1008));
    drop(old);
    let next = queue(&server, "ClearCache", json!({})).await;
    let call = new.receive().await;
    assert_eq!(call[2], "ClearCache", "the new one is still seated");
    new.send(&format!(r#"[3,{},{{"status":"Accepted"}}]"#, call[1]))
        .await;
    ends_as(&server, next, "answered").await;
}

#[tokio::test]
async fn quirk_07_two_devices_of_one_identity_are_noticed_and_both_addresses_told() {
    let server = Server::start().await;
    let mut sockets = Vec::new();
    for _ in 0..6 {
        sockets.push(
            server
                .connect(server.request("CP1", "ocpp1.6"))
                .await
                .unwrap(),
        );
    }
    let detail = eventually("the alarm", async || {
        let mut db = server.db.pool.acquire().await.unwrap();
        let from = "0-0".parse().unwrap();
        let events = store::events::after(&mut db, from, 500).await.unwrap();
        let found = events
            .into_iter()
            .find(|event| event.kind == "station.flapping");
        found.map(|event| event.detail)
    })
    .await;
    assert_eq!(detail["addresses"], json!(["127.0.0.1"]));
    assert!(detail["takeovers"].as_u64().unwrap() >= 4, "{detail}");
}

#[tokio::test]
async fn quirk_08_a_refused_handshake_is_one_row_however_often_it_comes() {
    let server = Server::start().await;
    for _ in 0..30 {
        assert_eq!(
            server
                .connect(server.request("NOBODY", "ocpp1.6"))
                .await
                .err(),
            Some(404)
        );
    }
    let rows = eventually("thirty attempts in one row", async || {
        let mut db = server.db.pool.acquire().await.unwrap();
        let listed = store::refusals::list(&mut db, None, 10).await.unwrap();
        (listed.iter().map(|row| row.attempts).sum::<i64>() == 30).then_some(listed.len())
    })
    .await;
    assert_eq!(rows, 1);
}

#[tokio::test]
async fn quirk_09_a_known_station_is_served_without_a_boot() {
    let server = Server::start().await;
    let mut station = server
        .connect(server.request("CP1", "ocpp1.6"))
        .await
        .unwrap();
    assert_eq!(
        station.call("Authorize", json!({ "idTag": "TAG1" })).await["idTagInfo"]["status"],
        "Accepted"
    );
    let (number, at) = begin(&mut station).await;
    station
        .call(
            "MeterValues",
            meter(&number, at + TimeDelta::minutes(1), 1100),
        )
        .await;
    assert_eq!(
        station
            .call("StopTransaction", stop(&number, noon(), 2000))
            .await,
        json!({})
    );
    assert_eq!(only_session(&server).await.energy_wh, Some(1000));
}

#[tokio::test]
async fn quirk_10_a_station_that_sends_no_heartbeat_is_not_sent_away() {
    let options = csms::Options {
        heartbeat_interval: std::time::Duration::from_secs(10),
        ping_interval: std::time::Duration::from_millis(100),
        ..csms::Options::default()
    };
    let server = Server::with(options).await;
    let mut station = server.station().await;
    // Pings are answered by reading; five of them are five intervals without a word of OCPP.
    for _ in 0..5 {
        station.ping_seen().await;
    }
    assert_eq!(
        station.call("Authorize", json!({ "idTag": "TAG1" })).await["idTagInfo"]["status"],
        "Accepted"
    );
}

#[tokio::test]
async fn quirk_11_a_station_that_cannot_bear_pings_is_sent_none() {
    let options = csms::Options {
        ping_interval: std::time::Duration::from_millis(50),
        ping_grace: std::time::Duration::from_millis(50),
        ..csms::Options::default()
    };
    let server = Server::with(options).await;
    set_options(&server, json!({ "no_pings": true })).await;
    let mut station = eventually("the switch", async || {
        let mut station = server.station().await;
        // Far longer than patience with pings would last.
        (!station
            .pinged_within(std::time::Duration::from_millis(400))
            .await)
            .then_some(station)
    })
    .await;
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

#[tokio::test]
async fn quirk_56_a_station_that_needs_tls_is_never_let_in_without_it() {
    let server = Server::start().await;
    for security_profile in [2, 3] {
        let change = StationChange {
            security_profile: Some(security_profile),
            ..StationChange::default()
        };
        let mut db = server.db.pool.acquire().await.unwrap();
        store::stations::change(&mut db, "CP1", &change)
            .await
            .unwrap();
        let refused = server.connect(server.request("CP1", "ocpp1.6")).await;
        assert_eq!(refused.err(), Some(403), "profile {security_profile}");
    }
}

#[tokio::test]
async fn quirk_18_before_acceptance_what_can_be_stored_is_stored() {
    let server = Server::start().await;
    let mut station = server
        .connect(server.request("CP1", "ocpp1.6"))
        .await
        .unwrap();
    // A known station need not boot again to be served.
    let status = json!({ "connectorId": 1, "status": "Available", "errorCode": "NoError" });
    assert_eq!(station.call("StatusNotification", status).await, json!({}));
    let (number, at) = begin(&mut station).await;
    assert_eq!(
        station.call("MeterValues", meter(&number, at, 1100)).await,
        json!({})
    );
    assert_eq!(only_session(&server).await.state, State::Active);
}
