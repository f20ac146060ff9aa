//! Rows of `docs/ocpp-quirks.md` that a whole server answers: each test plays the charger of its row and looks at the
//! wire and at the rows. Rows that are a matter of reading alone have golden frames in `crates/ocpp/tests`.

use base64::Engine as _;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use store::sessions::{Session, State};
use store::stations::StationChange;
use store::{Room, Scope, connectors};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};

use crate::commands::{ends_as, queue};
use crate::support::{Server, Station, eventually, noon};

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn start(at: DateTime<Utc>, wh: i64) -> Value {
    json!({ "connectorId": 1, "idTag": "TAG1", "meterStart": wh, "timestamp": text(at) })
}

fn stop(number: &Value, at: DateTime<Utc>, wh: i64) -> Value {
    json!({ "transactionId": number, "meterStop": wh, "timestamp": text(at) })
}

fn meter(number: &Value, at: DateTime<Utc>, wh: i64) -> Value {
    let sampled = json!([{ "value": wh.to_string(), "measurand": "Energy.Active.Import.Register", "unit": "Wh" }]);
    json!({ "connectorId": 1, "transactionId": number, "meterValue": [{ "timestamp": text(at), "sampledValue": sampled }] })
}

/// Starts at 1000 Wh, ten minutes ago.
async fn begin(station: &mut Station) -> (Value, DateTime<Utc>) {
    let at = noon() - TimeDelta::minutes(10);
    let answer = station.call("StartTransaction", start(at, 1000)).await;
    (answer["transactionId"].clone(), at)
}

async fn only_session(server: &Server) -> Session {
    let mut sessions = server.sessions().await;
    assert_eq!(sessions.len(), 1, "{sessions:?}");
    sessions.remove(0)
}

async fn set_options(server: &Server, options: Value) {
    let options = serde_json::from_value(options).unwrap();
    let change = StationChange {
        options: Some(&options),
        ..StationChange::default()
    };
    let mut db = server.db.pool.acquire().await.unwrap();
    store::stations::change(&mut db, "CP1", &change)
        .await
        .unwrap();
}

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

#[tokio::test]
async fn quirk_19_a_wrong_clock_loses_nothing_and_is_flagged() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for (begun, ended) in [
        ("1970-01-01T00:00:09Z", "1970-01-01T00:10:09Z"),
        ("2022-02-29T10:00:00Z", "2022-02-29T24:00:00Z"),
        ("yesterday", "today"),
    ] {
        let begin =
            json!({ "connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": begun });
        let number = station.call("StartTransaction", begin).await["transactionId"].clone();
        let end = json!({ "transactionId": number, "meterStop": 3500, "timestamp": ended });
        assert_eq!(
            station.call("StopTransaction", end).await,
            json!({}),
            "{begun}"
        );
    }
    for session in server.sessions().await {
        assert_eq!(
            (session.state, session.energy_wh),
            (State::Ended, Some(2500))
        );
        assert!(
            (noon() - session.started_at).num_minutes().abs() < 5,
            "by our clock: {session:?}"
        );
        assert!(
            session.flags.iter().any(|flag| flag.starts_with("time-")),
            "{:?}",
            session.flags
        );
    }
    // No zone: taken as UTC.
    let at = noon() - TimeDelta::minutes(2);
    let zoneless = text(at).trim_end_matches('Z').to_owned();
    let begin =
        json!({ "connectorId": 2, "idTag": "TAG1", "meterStart": 1, "timestamp": zoneless });
    station.call("StartTransaction", begin).await;
    let newest = server
        .sessions()
        .await
        .into_iter()
        .find(|session| session.state == State::Active);
    assert_eq!(text(newest.unwrap().started_at), text(at));
}

#[tokio::test]
async fn quirk_20_a_start_repeated_under_a_new_message_id_is_the_same_transaction() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let at = noon() - TimeDelta::minutes(1);
    let first = station.call("StartTransaction", start(at, 1000)).await;
    let again = station.call("StartTransaction", start(at, 1000)).await;
    assert_eq!(first, again);
    only_session(&server).await;
}

#[tokio::test]
async fn quirk_21_of_two_starts_close_together_the_first_is_superseded_and_both_are_kept() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let at = noon() - TimeDelta::minutes(1);
    let first = station.call("StartTransaction", start(at, 1000)).await["transactionId"].clone();
    let second = station
        .call("StartTransaction", start(at + TimeDelta::seconds(2), 1007))
        .await["transactionId"]
        .clone();
    assert_ne!(first, second);
    let sessions = server.sessions().await;
    let states: Vec<State> = sessions.iter().map(|session| session.state).collect();
    assert_eq!(states, [State::Active, State::Ended], "newest first");
    assert!(sessions[1].flags.iter().any(|flag| flag == "superseded"));
}

#[tokio::test]
async fn quirk_22_a_charge_without_a_start_is_pieced_together() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let status = |word: &str, at: DateTime<Utc>| json!({ "connectorId": 1, "status": word, "errorCode": "NoError", "timestamp": text(at) });
    let at = noon() - TimeDelta::minutes(5);
    // Just now: a start may still come.
    station
        .call("StatusNotification", status("Charging", noon()))
        .await;
    station
        .call("MeterValues", meter(&json!(0), noon(), 900))
        .await;
    assert!(server.sessions().await.is_empty());
    station
        .call("StatusNotification", status("Available", noon()))
        .await;

    station
        .call("StatusNotification", status("Charging", at))
        .await;
    for (minute, wh) in [(1, 1000), (2, 2500), (3, 4000)] {
        let mut values = meter(&json!(0), at + TimeDelta::minutes(minute), wh);
        values.as_object_mut().unwrap().remove("transactionId");
        assert_eq!(station.call("MeterValues", values).await, json!({}));
    }
    assert_eq!(only_session(&server).await.state, State::Active);
    station
        .call(
            "StatusNotification",
            status("Available", at + TimeDelta::minutes(4)),
        )
        .await;
    let session = only_session(&server).await;
    assert_eq!(
        (session.state, session.energy_wh),
        (State::Ended, Some(3000))
    );
    assert!(
        session.flags.iter().any(|flag| flag == "reconstructed"),
        "{:?}",
        session.flags
    );
    assert_eq!(text(session.started_at), text(at));
}

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
async fn quirk_23_a_stop_of_no_number_ends_the_only_open_transaction_else_it_is_an_orphan() {
    for wrong in [json!(0), json!(-1), json!(99_999_999), Value::Null] {
        let server = Server::start().await;
        let mut station = server.station().await;
        begin(&mut station).await;
        let end = json!({ "transactionId": wrong, "meterStop": 4000, "timestamp": text(noon()) });
        assert_eq!(
            station.call("StopTransaction", end.clone()).await,
            json!({}),
            "{wrong}"
        );
        let session = only_session(&server).await;
        assert_eq!(
            (session.state, session.energy_wh),
            (State::Ended, Some(3000)),
            "{wrong}"
        );
        assert!(
            session
                .flags
                .iter()
                .any(|flag| flag == "transaction-guessed")
        );
        assert_eq!(
            station.call("StopTransaction", end).await,
            json!({}),
            "acknowledged, always"
        );
    }
    let server = Server::start().await;
    let mut station = server.station().await;
    let end = json!({ "transactionId": 0, "meterStop": 4000, "timestamp": text(noon()) });
    assert_eq!(station.call("StopTransaction", end).await, json!({}));
    assert_eq!(only_session(&server).await.state, State::Orphan);
}

#[tokio::test]
async fn quirk_24_meter_values_without_a_transaction_belong_to_the_connectors_open_one() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (_, at) = begin(&mut station).await;
    for (minute, named) in [(1, Some(json!(0))), (2, Some(json!(-1))), (3, None)] {
        let mut values = meter(
            &json!(1),
            at + TimeDelta::minutes(minute),
            1000 + minute * 100,
        );
        match named {
            Some(number) => values["transactionId"] = number,
            None => drop(values.as_object_mut().unwrap().remove("transactionId")),
        }
        assert_eq!(station.call("MeterValues", values).await, json!({}));
    }
    let session = only_session(&server).await;
    assert_eq!(samples(&server, &session).await, [1100, 1200, 1300]);
}

async fn samples(server: &Server, session: &Session) -> Vec<i64> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let samples = store::sessions::samples(&mut db, session).await.unwrap();
    samples
        .iter()
        .filter_map(|sample| sample.energy_wh)
        .collect()
}

#[tokio::test]
async fn quirk_25_meter_values_after_the_stop_join_the_session_while_the_grace_lasts() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let at = noon() - TimeDelta::hours(30);
    let answer = station.call("StartTransaction", start(at, 1000)).await;
    let number = answer["transactionId"].clone();
    let ended = at + TimeDelta::minutes(5);
    station
        .call("StopTransaction", stop(&number, ended, 2000))
        .await;
    for (late, wh) in [(TimeDelta::seconds(20), 2000), (TimeDelta::hours(25), 2500)] {
        let values = meter(&number, ended + late, wh);
        assert_eq!(station.call("MeterValues", values).await, json!({}));
    }
    assert_eq!(
        samples(&server, &only_session(&server).await).await,
        [2000],
        "a day later is another charge's"
    );
}

#[tokio::test]
async fn quirk_26_a_stop_is_acknowledged_and_only_one_with_a_tag_is_told_of_it() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (number, _) = begin(&mut station).await;
    assert_eq!(
        station
            .call("StopTransaction", stop(&number, noon(), 2000))
            .await,
        json!({})
    );
    let (number, _) = begin(&mut station).await;
    let mut foreign = stop(&number, noon(), 2000);
    foreign["idTag"] = json!("NOBODY");
    let answer = station.call("StopTransaction", foreign).await;
    assert_eq!(answer, json!({ "idTagInfo": { "status": "Invalid" } }));
}

#[tokio::test]
async fn quirk_27_a_repeated_stop_counts_once() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (number, _) = begin(&mut station).await;
    let end = stop(&number, noon(), 2500);
    for _ in 0..3 {
        assert_eq!(
            station.call("StopTransaction", end.clone()).await,
            json!({})
        );
    }
    assert_eq!(only_session(&server).await.energy_wh, Some(1500));
}

#[tokio::test]
async fn quirk_28_a_register_that_ran_backwards_is_flagged_and_bills_nothing_absurd() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (number, at) = begin(&mut station).await;
    station
        .call(
            "MeterValues",
            meter(&number, at + TimeDelta::minutes(2), 1900),
        )
        .await;
    station
        .call("StopTransaction", stop(&number, noon(), 40))
        .await;
    let session = only_session(&server).await;
    assert!(
        session
            .flags
            .iter()
            .any(|flag| flag == "meter-ran-backwards"),
        "{:?}",
        session.flags
    );
    assert!(
        session.energy_wh.is_none_or(|wh| (0..=900).contains(&wh)),
        "{:?}",
        session.energy_wh
    );
}

#[tokio::test]
async fn quirk_29_without_samples_the_registers_of_start_and_stop_are_enough() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (number, at) = begin(&mut station).await;
    let mut end = stop(&number, noon(), 3000);
    end["transactionData"] = json!([{ "timestamp": text(at + TimeDelta::minutes(9)), "sampledValue": [
        { "value": "3000", "context": "Transaction.End" }] }]);
    assert_eq!(station.call("StopTransaction", end).await, json!({}));
    assert_eq!(only_session(&server).await.energy_wh, Some(2000));
}

#[tokio::test]
async fn quirk_32_and_33_empty_and_timeless_meter_values_are_acknowledged() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for values in [
        json!({ "connectorId": 1, "meterValue": [] }),
        json!({ "connectorId": 1, "meterValue": [{ "timestamp": text(noon()), "sampledValue": [] }] }),
        json!({ "connectorId": 1, "meterValue": [{ "sampledValue": [{ "value": "5" }] }] }),
        json!({ "connectorId": 1 }),
    ] {
        assert_eq!(station.call("MeterValues", values).await, json!({}));
    }
}

#[tokio::test]
async fn quirk_35_samples_are_in_the_order_of_their_time_not_of_their_arrival() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (number, at) = begin(&mut station).await;
    for minute in [5, 2, 4, 1, 3] {
        let values = meter(
            &number,
            at + TimeDelta::minutes(minute),
            1000 + minute * 100,
        );
        station.call("MeterValues", values).await;
    }
    assert_eq!(
        samples(&server, &only_session(&server).await).await,
        [1100, 1200, 1300, 1400, 1500]
    );
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

async fn connector(server: &Server, number: i32) -> Option<String> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let filter = connectors::Filter::default();
    let listed = connectors::list(&mut db, &filter, None, 100, noon())
        .await
        .unwrap();
    let connectors = listed.into_iter().flat_map(|station| station.connectors);
    connectors
        .filter(|known| known.evse == number)
        .map(|known| known.status)
        .next()
}

#[tokio::test]
async fn quirk_41_live_status_follows_arrival_and_connector_0_is_the_station() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let status = |connector: i32, word: &str, at: DateTime<Utc>| json!({ "connectorId": connector, "status": word, "errorCode": "NoError", "timestamp": text(at) });
    let now = noon();
    station
        .call("StatusNotification", status(1, "Preparing", now))
        .await;
    // Arrives later with an older time: it is what the connector is now.
    let stale = now - TimeDelta::hours(2);
    station
        .call("StatusNotification", status(1, "Charging", stale))
        .await;
    station
        .call("StatusNotification", status(1, "Charging", stale))
        .await;
    station
        .call("StatusNotification", status(0, "Unavailable", now))
        .await;
    assert_eq!(connector(&server, 1).await.as_deref(), Some("Charging"));
    assert_eq!(connector(&server, 0).await.as_deref(), Some("Unavailable"));
}

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
async fn quirk_49_tokens_are_compared_in_any_case_and_tidied_where_a_switch_says_so() {
    let server = Server::start().await;
    server.add_token("04A2B91C", "accepted").await;
    let mut station = server.station().await;
    let verdict = async |station: &mut Station, tag: &str| {
        let answer = station.call("Authorize", json!({ "idTag": tag })).await;
        answer["idTagInfo"]["status"].clone()
    };
    assert_eq!(verdict(&mut station, "04a2b91c").await, "Accepted");
    for tag in ["04A2B91C_12345", "04:A2:B9:1C"] {
        assert_eq!(
            verdict(&mut station, tag).await,
            "Invalid",
            "without the switch it is another token"
        );
    }
    set_options(&server, json!({ "tidy_tokens": true })).await;
    eventually("the switch", async || {
        (verdict(&mut station, "04A2B91C_12345").await == "Accepted").then_some(())
    })
    .await;
    assert_eq!(verdict(&mut station, "04:A2-B9 1C").await, "Accepted");
    let mut begin = start(noon(), 0);
    begin["idTag"] = json!("04:A2:B9:1C");
    assert_eq!(
        station.call("StartTransaction", begin).await["idTagInfo"]["status"],
        "Accepted"
    );
    assert_eq!(
        only_session(&server).await.id_token,
        "04A2B91C",
        "billed as the token that people know"
    );
}

#[tokio::test]
async fn quirk_50_many_connectors_may_be_one_station_and_connector_0_is_billed_to_nobody() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let at = noon() - TimeDelta::minutes(10);
    for connector in 1..=12 {
        let begin = json!({ "connectorId": connector, "idTag": "TAG1", "meterStart": 0, "timestamp": text(at) });
        station.call("StartTransaction", begin).await;
    }
    let mut sum = meter(&json!(0), at + TimeDelta::minutes(1), 1_000_000);
    sum["connectorId"] = json!(0);
    assert_eq!(station.call("MeterValues", sum).await, json!({}));
    let sessions = server.sessions().await;
    assert_eq!(sessions.len(), 12);
    for session in &sessions {
        assert!(
            samples(&server, session).await.is_empty(),
            "the sum is no session's"
        );
    }
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
    let fields =
        |answer: &Value| -> Vec<String> { answer.as_object().unwrap().keys().cloned().collect() };
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

#[tokio::test]
async fn quirk_57_a_charge_that_went_on_is_corrected_by_the_stations_own_stop() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (first, at) = begin(&mut station).await;
    // A later start ends it here, while the station, offline, went on charging.
    let later = at + TimeDelta::minutes(3);
    station.call("StartTransaction", start(later, 1500)).await;
    station.close().await;
    let mut station = server.station().await;
    station
        .call(
            "MeterValues",
            meter(&first, at + TimeDelta::minutes(6), 4000),
        )
        .await;
    let answer = station
        .call(
            "StopTransaction",
            stop(&first, at + TimeDelta::minutes(8), 5000),
        )
        .await;
    assert_eq!(answer, json!({}));
    let sessions = server.sessions().await;
    let corrected = sessions
        .iter()
        .find(|session| session.transaction_id == first.as_i64())
        .unwrap();
    assert_eq!(
        (corrected.state, corrected.energy_wh),
        (State::Ended, Some(4000))
    );
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
