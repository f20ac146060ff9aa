//! A simulated station is taken from security profile 1 to 3 by the server's orders alone, on one port.

use serde_json::{Value, json};
use simulators::wire::TlsFiles;
use simulators::{Options, Station};
use store::stations::StationChange;

use crate::commands::{ends_as, queue};
use crate::pki::{OPERATOR, Pki};
use crate::support::{Server, eventually};

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
        (station.security_profile == profile && station.access.profile.is_none()).then_some(())
    })
    .await;
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
