//! A simulated station by TLS: its files come and go by it, and it is taken from security profile 1 to 3 by the server's
//! orders alone, on one port.

use chrono::TimeDelta;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use simulators::wire::TlsFiles;
use simulators::{Options, Speed, Station};
use store::files::{self, Whole};
use store::station_jobs::{self, Kind};
use store::stations::StationChange;
use store::{Room, Scope};
use uuid::Uuid;

use crate::commands::{ends_as, queue};
use crate::jobs::{Wanted, make};
use crate::pki::{OPERATOR, Pki};
use crate::support::{Server, eventually, noon};

async fn accepts(server: &Server, action: &str, payload: Value) {
    let id = queue(server, action, payload).await;
    let ended = ends_as(server, id, "answered").await;
    let answer: Value = serde_json::from_str(ended.answer.as_deref().unwrap()).unwrap();
    assert_eq!(answer["status"], "Accepted", "{action}");
}

async fn change(server: &Server, key: &str, value: &str) {
    let payload = json!({ "key": key, "value": value });
    accepts(server, "ChangeConfiguration", payload).await;
}

/// Waits until the station is known to use this profile.
async fn uses(server: &Server, profile: i16) {
    let mut db = server.db.pool.acquire().await.unwrap();
    eventually("the profile", async || {
        let found = store::lookup::stations(&mut db, &["CP1".to_owned()]).await;
        let station = found.unwrap().pop().flatten()?;
        (station.security_profile == profile && station.access.profiles.is_empty()).then_some(())
    })
    .await;
}

/// A job of `CP1` whose command waits until a station asks, and whose file this token opens.
async fn job(server: &Server, kind: Kind, action: &str, file_id: Option<Uuid>, token: &str) {
    let place = format!("https://localhost:{}/files/{token}", server.address.port());
    let payload = match kind {
        Kind::Log => json!({ "location": place }),
        Kind::Firmware => json!({ "location": place, "retrieveDate": "2026-01-01T12:00:00Z" }),
    };
    let wanted = Wanted {
        kind,
        action,
        payload,
        file_id,
        token: Some((token, TimeDelta::hours(1))),
    };
    make(server, wanted).await;
}

/// The state that the last job of this kind ends in.
async fn end_of(server: &Server, kind: Kind) -> String {
    let pool = server.db.pool(Room::Portal);
    eventually("the end of the job", async || {
        let mut db = Scope::All.begin(&pool).await.unwrap();
        let jobs = station_jobs::list(&mut db, kind, Some("CP1"), None, 1).await;
        let job = jobs.unwrap().pop()?;
        job.ended_at.map(|_| job.state)
    })
    .await
}

#[tokio::test]
async fn a_simulated_station_believes_the_same_authority_for_its_files() {
    let pki = Pki::new();
    let server = Server::with(pki.options()).await;
    let image = b"evsim-firmware/2.1.0\n";
    let mut db = server.db.pool.acquire().await.unwrap();
    let file = files::begin_image(&mut db, "fw.bin", "2.1.0", noon())
        .await
        .unwrap();
    files::add_chunk(&mut db, file, 0, image).await.unwrap();
    let whole = Whole {
        size: i64::try_from(image.len()).unwrap(),
        sha256: Sha256::digest(image).into(),
    };
    files::complete(&mut db, file, &whole, noon())
        .await
        .unwrap();
    drop(db);
    let (upload, download) = (files::new_token(), files::new_token());
    job(&server, Kind::Log, "GetDiagnostics", None, &upload).await;
    job(
        &server,
        Kind::Firmware,
        "UpdateFirmware",
        Some(file),
        &download,
    )
    .await;
    let mut station = Station::spawn(Options {
        speed: Speed::Times(60.0),
        tls: Some(TlsFiles {
            ca: pki.path("ca.pem"),
            own: None,
        }),
        ..Options::new(
            &format!("wss://localhost:{}/ocpp", server.address.port()),
            "CP1",
        )
    })
    .unwrap();
    station.booted().await.unwrap();
    assert_eq!(end_of(&server, Kind::Log).await, "Uploaded");
    assert_eq!(end_of(&server, Kind::Firmware).await, "Installed");
}

#[tokio::test]
async fn a_simulated_station_rises_from_profile_1_to_3_as_it_is_told() {
    let pki = Pki::new();
    let server = Server::with(pki.options()).await;
    let hash = store::secrets::hash_password(b"right");
    let one = StationChange {
        security_profile: Some(1),
        password_hash: Some(&hash),
        ..StationChange::default()
    };
    let mut db = server.db.pool.acquire().await.unwrap();
    store::stations::change(&mut db, "CP1", &one).await.unwrap();
    drop(db);
    let mut station = Station::spawn(Options {
        password: Some(b"right".to_vec()),
        tls: Some(TlsFiles {
            ca: pki.path("ca.pem"),
            own: None,
        }),
        ..Options::new(
            &format!("ws://localhost:{}/ocpp", server.address.port()),
            "CP1",
        )
    })
    .unwrap();
    station.booted().await.unwrap();

    change(&server, "SecurityProfile", "2").await;
    uses(&server, 2).await;
    change(&server, "CpoName", OPERATOR).await;
    let trigger = json!({ "requestedMessage": "SignChargePointCertificate" });
    accepts(&server, "ExtendedTriggerMessage", trigger).await;
    eventually("the certificate", async || {
        let tables = server.db.tables_with("certificate.accepted").await;
        tables.contains(&"events".to_owned()).then_some(())
    })
    .await;
    change(&server, "SecurityProfile", "3").await;
    uses(&server, 3).await;
    eventually("the certificate in use", async || {
        (server.db.rows().await["client_certificates"] == 1).then_some(())
    })
    .await;
}
