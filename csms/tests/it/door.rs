//! Who comes in, who does not, and what is heard before a station is accepted.

use base64::Engine as _;
use serde_json::json;
use store::stations::{NewStation, Registration, StationChange};
use tokio_tungstenite::tungstenite::http::{HeaderValue, Request};

use crate::support::{Server, eventually, noon};

pub fn with_password(mut request: Request<()>, user: &str, password: &[u8]) -> Request<()> {
    let pair = [user.as_bytes(), b":", password].concat();
    let basic = format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    );
    request
        .headers_mut()
        .insert("Authorization", HeaderValue::from_str(&basic).unwrap());
    request
}

#[tokio::test]
async fn strangers_are_refused_and_listed_with_the_reason() {
    let server = Server::start().await;
    server.add_station("SAFE", Some("s3cret")).await;
    let unknown = server.request("CP9", "ocpp1.6");
    assert_eq!(server.connect(unknown).await.err(), Some(404));
    let none = server.request("SAFE", "ocpp1.6");
    assert_eq!(server.connect(none).await.err(), Some(401));
    let wrong = with_password(server.request("SAFE", "ocpp1.6"), "SAFE", b"guess");
    assert_eq!(server.connect(wrong).await.err(), Some(401));
    let right = with_password(server.request("safe", "ocpp1.6"), "SAFE", b"s3cret");
    assert!(server.connect(right).await.is_ok());
    let listed = eventually("the list", async || {
        let mut db = server.db.pool.acquire().await.unwrap();
        let listed = store::refusals::list(&mut db, None, 10).await.unwrap();
        (listed.len() == 3).then_some(listed)
    })
    .await;
    let mut reasons: Vec<&str> = listed.iter().map(|row| row.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        ["no_password", "unknown_station", "wrong_password"]
    );
}

#[tokio::test]
async fn without_a_version_in_common_the_handshake_is_completed_and_closed() {
    let server = Server::start().await;
    assert_eq!(
        server.connect(server.request("CP1", "ocpp9.9")).await.err(),
        Some(101)
    );
    let both = server
        .connect(server.request("CP1", "ocpp9.9, ocpp1.6"))
        .await
        .unwrap();
    assert_eq!(both.protocol.as_deref(), Some("ocpp1.6"));
    // A client takes only what it has offered, to the letter.
    let loud = server
        .connect(server.request("CP1", "OCPP1.6"))
        .await
        .unwrap();
    assert_eq!(loud.protocol.as_deref(), Some("OCPP1.6"));
    assert_eq!(
        server.connect(server.request("CP1", "")).await.err(),
        Some(400)
    );
}

#[tokio::test]
async fn a_pending_station_is_heard_but_not_served_until_somebody_accepts_it() {
    let server = Server::start().await;
    let change = |registration| StationChange {
        registration: Some(registration),
        ..StationChange::default()
    };
    let set = async |registration| {
        let mut db = server.db.pool.acquire().await.unwrap();
        store::stations::change(&mut db, "CP1", &change(registration))
            .await
            .unwrap();
    };
    set(Registration::Pending).await;
    let mut station = server
        .connect(server.request("CP1", "ocpp1.6"))
        .await
        .unwrap();
    let boot = json!({ "chargePointVendor": "Acme", "chargePointModel": "One" });
    assert_eq!(
        station.call("BootNotification", boot.clone()).await["status"],
        "Pending"
    );
    assert_eq!(
        station.ask("Heartbeat", json!({})).await[2],
        "SecurityError"
    );
    assert_eq!(
        station.ask("Authorize", json!({ "idTag": "TAG1" })).await[2],
        "SecurityError"
    );
    let status = json!({ "connectorId": 1, "status": "Available", "errorCode": "NoError" });
    assert_eq!(station.call("StatusNotification", status).await, json!({}));
    let start = json!({ "connectorId": 1, "idTag": "TAG1", "meterStart": 0, "timestamp": "2026-01-01T00:00:00Z" });
    assert_eq!(
        station.call("StartTransaction", start).await["idTagInfo"]["status"],
        "Invalid"
    );

    set(Registration::Accepted).await;
    let served = eventually("acceptance", async || {
        (station.call("BootNotification", boot.clone()).await["status"] == "Accepted").then_some(())
    });
    served.await;
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

#[tokio::test]
async fn a_new_socket_takes_over_and_the_old_one_is_closed() {
    let server = Server::start().await;
    let mut old = server.station().await;
    let mut new = server.station().await;
    assert_eq!(old.close_code().await, Some(1008));
    assert!(new.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

#[tokio::test]
async fn a_shutdown_says_that_it_is_one() {
    let server = Server::start().await;
    let mut station = server.station().await;
    server.shutdown.begin();
    assert_eq!(station.close_code().await, Some(1012));
}

#[tokio::test]
async fn frames_that_are_none_are_answered_by_the_rules_and_logged() {
    let server = Server::start().await;
    let mut station = server.station().await;
    station.send("").await;
    station.send(r#"[2,"a","Frobnicate",{}]"#).await;
    assert_eq!(station.receive().await[2], "NotImplemented");
    station.send(r#"[2,"b","Reset",{}]"#).await;
    assert_eq!(station.receive().await[2], "NotSupported");
    station
        .send(r#"[2,"c","Authorize",{"idTag":"A","idTag":"B"}]"#)
        .await;
    assert_eq!(station.receive().await[2], "FormationViolation");
    station.send("\u{feff}[2,\"d\",\"Heartbeat\",null]\0").await;
    assert_eq!(station.receive().await[0], 3);
}

#[tokio::test]
async fn a_station_that_is_forgotten_loses_its_socket() {
    let server = Server::start().await;
    let mut db = server.db.pool.acquire().await.unwrap();
    let new = NewStation {
        identity: "WAITS",
        site_id: None,
        registration: Registration::Pending,
        security_profile: 0,
        password_hash: None,
    };
    let id = store::stations::add(&mut db, &new, noon()).await.unwrap();
    let mut station = server
        .connect(server.request("WAITS", "ocpp1.6"))
        .await
        .unwrap();
    let boot = json!({ "chargePointVendor": "Acme", "chargePointModel": "One" });
    let answer = station.call("BootNotification", boot).await;
    assert_eq!(answer["status"], "Pending");
    assert_eq!(store::stations::forget(&mut db, id).await.unwrap(), None);
    assert_eq!(station.close_code().await, Some(1008));
    let again = server.request("WAITS", "ocpp1.6");
    assert_eq!(server.connect(again).await.err(), Some(404));
}
