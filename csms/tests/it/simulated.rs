//! Simulated stations obey the server for real: limits, files, certificates.

use std::time::Duration;

use chrono::TimeDelta;
use serde_json::{Value, json};
use simulators::{Event, Options, Session, Speed, Station, StationEvent, Until, vehicle};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use crate::commands::{ends_as, queue};
use crate::support::{Server, noon};

async fn station(server: &Server, speed: Speed) -> Station {
    let options = Options {
        connectors: 1,
        speed,
        start: (speed == Speed::Max).then(|| simulators::Utc(noon().timestamp_millis())),
        ..Options::new(&format!("ws://{}/ocpp", server.address), "CP1")
    };
    let mut station = Station::spawn(options).unwrap();
    station.booted().await.unwrap();
    station
}

/// Queues a command; yields the station's answer.
async fn asks(server: &Server, action: &str, payload: Value) -> Value {
    let id = queue(server, action, payload).await;
    let ended = ends_as(server, id, "answered").await;
    serde_json::from_str(ended.answer.as_deref().unwrap()).unwrap()
}

#[tokio::test]
async fn power_follows_the_limit_that_the_server_sets() {
    let server = Server::start().await;
    let mut station = station(&server, Speed::Max).await;
    let profile = json!({
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": { "chargingRateUnit": "W", "chargingSchedulePeriod": [{ "startPeriod": 0, "limit": 5000.0 }] },
    });
    let request = json!({ "connectorId": 0, "csChargingProfiles": profile });
    assert_eq!(
        asks(&server, "SetChargingProfile", request).await,
        json!({ "status": "Accepted" })
    );
    let schedule = json!({ "connectorId": 1, "duration": 3600, "chargingRateUnit": "W" });
    let answer = asks(&server, "GetCompositeSchedule", schedule).await;
    assert_eq!(
        answer["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"],
        5000
    );
    station.session(Session {
        connector: 1,
        vehicle: vehicle("zoe").unwrap().clone(),
        soc: 30.0,
        id_tag: "TAG1".to_owned(),
        until: Until::Minutes(30.0),
        linger_minutes: 0.5,
    });
    station.transaction_stopped().await.unwrap();
    let session = server.sessions().await.remove(0);
    let most = session.max_power_w.unwrap();
    assert!((4_000..=5_000).contains(&most), "{most} W");
    assert!(
        session
            .energy_wh
            .is_some_and(|wh| (2_000..=2_500).contains(&wh)),
        "{session:?}"
    );
}

/// Takes HTTP requests one by one: gives each the answer, and tells what was asked.
async fn sink(answer: &'static str) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/files/t", listener.local_addr().unwrap());
    let (tell, told) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut said = vec![0; 65_536];
            let count = socket.read(&mut said).await.unwrap_or(0);
            drop(tell.send(String::from_utf8_lossy(&said[..count]).into_owned()));
            drop(socket.write_all(answer.as_bytes()).await);
        }
    });
    (url, told)
}

async fn told(requests: &mut mpsc::UnboundedReceiver<String>) -> String {
    let told = tokio::time::timeout(Duration::from_secs(20), requests.recv());
    told.await.expect("a request").unwrap()
}

/// Waits until the station has sent a message with these words.
async fn said(station: &mut Station, words: [&str; 2]) {
    station
        .wait_within(Duration::from_secs(60), words[1], |event| match event {
            StationEvent::Frame(_, _, text) => {
                words.iter().all(|word| text.contains(word)).then_some(())
            }
            _ => None,
        })
        .await
        .unwrap();
}

#[tokio::test]
async fn firmware_is_fetched_and_runs_after_the_reboot() {
    let server = Server::start().await;
    let mut station = station(&server, Speed::Times(1.0)).await;
    let (location, mut asked) = sink(
        "HTTP/1.1 200 OK\r\ncontent-length: 20\r\nconnection: close\r\n\r\nevsim-firmware/9.9.9",
    )
    .await;
    let when = (noon() - TimeDelta::minutes(1)).to_rfc3339();
    let request = json!({ "location": location, "retrieveDate": when });
    assert_eq!(asks(&server, "UpdateFirmware", request).await, json!({}));
    assert!(told(&mut asked).await.starts_with("GET /files/t "));
    said(&mut station, ["BootNotification", "9.9.9"]).await;
    said(
        &mut station,
        ["FirmwareStatusNotification", "\"Installed\""],
    )
    .await;
}

#[tokio::test]
async fn diagnostics_are_put_where_the_server_says() {
    let server = Server::start().await;
    let mut station = station(&server, Speed::Times(1.0)).await;
    let (location, mut asked) =
        sink("HTTP/1.1 201 Created\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").await;
    let answer = asks(&server, "GetDiagnostics", json!({ "location": location })).await;
    assert!(
        answer["fileName"].as_str().unwrap().ends_with(".log"),
        "{answer}"
    );
    assert!(told(&mut asked).await.starts_with("PUT /files/t "));
    said(
        &mut station,
        ["DiagnosticsStatusNotification", "\"Uploaded\""],
    )
    .await;
}

#[tokio::test]
async fn roots_are_installed_named_and_deleted() {
    let server = Server::start().await;
    let _station = station(&server, Speed::Times(1.0)).await;
    let name = certs::Name {
        common: "Root",
        organisation: "Acme",
    };
    let root = certs::Authority::create(name, 30, noon())
        .unwrap()
        .certificate;
    let kind = "CentralSystemRootCertificate";
    let install = json!({ "certificateType": kind, "certificate": root });
    assert_eq!(
        asks(&server, "InstallCertificate", install).await["status"],
        "Accepted"
    );
    let list = json!({ "certificateType": kind });
    let listed = asks(&server, "GetInstalledCertificateIds", list.clone()).await;
    let hash = listed["certificateHashData"][0].clone();
    assert_eq!(hash["hashAlgorithm"], "SHA256");
    let delete = json!({ "certificateHashData": hash });
    assert_eq!(
        asks(&server, "DeleteCertificate", delete).await["status"],
        "Accepted"
    );
    assert_eq!(
        asks(&server, "GetInstalledCertificateIds", list).await["status"],
        "NotFound"
    );
    let nonsense = json!({ "certificateType": kind, "certificate": "nonsense" });
    assert_eq!(
        asks(&server, "InstallCertificate", nonsense).await["status"],
        "Rejected"
    );
}

#[tokio::test]
async fn a_reserved_connector_is_used_by_its_tag() {
    let server = Server::start().await;
    let mut station = station(&server, Speed::Times(1.0)).await;
    let expiry = (noon() + TimeDelta::hours(1)).to_rfc3339();
    let reserve =
        json!({ "connectorId": 1, "expiryDate": expiry, "idTag": "TAG1", "reservationId": 77 });
    assert_eq!(
        asks(&server, "ReserveNow", reserve).await["status"],
        "Accepted"
    );
    station.plug(1, vehicle("leaf").unwrap(), 40.0);
    station.swipe(1, "TAG2");
    station
        .wait_core("a refusal", |event| {
            matches!(event, Event::Authorized { id_tag, .. } if id_tag == "TAG2").then_some(())
        })
        .await
        .unwrap();
    station.swipe(1, "TAG1");
    said(&mut station, ["StartTransaction", "\"reservationId\":77"]).await;
    station.transaction_started().await.unwrap();
    assert_eq!(
        server.sessions().await.len(),
        1,
        "the other tag never began"
    );
}
