//! Stations that ask for a certificate: TC_074 with keys of both kinds, and T23, those who ask for more than is theirs.

use std::process::Command;
use std::sync::Arc;

use certs::{Facts, Issued};
use chrono::{DateTime, Utc};
use csms::Options;
use csms::signing::Signer;
use futures_util::future::BoxFuture;
use serde_json::json;
use store::certificate_requests::Listed;
use store::stations::StationChange;
use store::{Room, Scope};

use crate::commands::{ends_as, queue};
use crate::door::with_password;
use crate::pki::Pki;
use crate::support::{Server, Station, eventually};

const RSA: &[&str] = &["-newkey", "rsa:2048"];
const EC: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];

/// A new key and the request for it, by OpenSSL.
fn asks(kind: &[&str], subject: &str) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key.pem");
    let output = Command::new("openssl")
        .args(["req", "-new", "-nodes", "-subj", subject, "-keyout"])
        .arg(&key)
        .args(kind)
        .output()
        .expect("openssl is missing: apt-get install openssl");
    assert!(output.status.success(), "{output:?}");
    let key = std::fs::read_to_string(key).unwrap();
    (key, String::from_utf8(output.stdout).unwrap())
}

async fn server(options: Options) -> Server {
    let server = Server::with(options).await;
    set_profile(&server, 2).await;
    server
}

async fn set_profile(server: &Server, profile: i16) {
    let hash = store::secrets::hash_password(b"right");
    let change = StationChange {
        security_profile: Some(profile),
        password_hash: Some(&hash),
        ..StationChange::default()
    };
    let mut db = server.db.pool.acquire().await.unwrap();
    store::stations::change(&mut db, "CP1", &change)
        .await
        .unwrap();
}

async fn by_password(pki: &Pki, server: &Server) -> Station {
    let request = with_password(server.request("CP1", "ocpp1.6"), "CP1", b"right");
    pki.client(None).connect(server, request).await.unwrap()
}

async fn requests(server: &Server) -> Vec<Listed> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let station = store::stations_read::get(&mut db, "CP1")
        .await
        .unwrap()
        .unwrap();
    store::certificate_requests::of(&mut db, station.id)
        .await
        .unwrap()
}

async fn request_is(server: &Server, status: &str) -> Listed {
    eventually(status, async || {
        let newest = requests(server).await.into_iter().next()?;
        (newest.status == status).then_some(newest)
    })
    .await
}

/// TC_074.
#[tokio::test]
async fn a_station_is_given_a_certificate_and_comes_back_with_it() {
    let pki = Pki::new();
    for kind in [RSA, EC] {
        let server = server(pki.options()).await;
        let mut station = by_password(&pki, &server).await;
        let trigger = json!({ "requestedMessage": "SignChargePointCertificate" });
        let triggered = queue(&server, "ExtendedTriggerMessage", trigger).await;
        let call = station.receive().await;
        assert_eq!(call[2], "ExtendedTriggerMessage");
        station
            .send(&json!([3, call[1], { "status": "Accepted" }]).to_string())
            .await;
        ends_as(&server, triggered, "answered").await;

        let (key, csr) = asks(kind, "/O=Example CPO/CN=CP1");
        station
            .send(&json!([2, "s1", "SignCertificate", { "csr": csr }]).to_string())
            .await;
        let (mut answered, mut brought) = (None, None);
        while answered.is_none() || brought.is_none() {
            let frame = station.receive().await;
            match frame[0].as_u64() {
                Some(3) => answered = Some(frame),
                _ => brought = Some(frame),
            }
        }
        assert_eq!(answered.unwrap()[2], json!({ "status": "Accepted" }));
        let brought = brought.unwrap();
        assert_eq!(brought[2], "CertificateSigned");
        let chain = brought[3]["certificateChain"].as_str().unwrap();
        assert!(chain.len() <= 10_000 && chain.matches("BEGIN CERT").count() == 2);
        assert!(
            chain.ends_with(pki.authority.certificate()),
            "the issuer's comes last"
        );
        let facts = Facts::of_pem(chain).unwrap();
        assert_eq!(
            (&*facts.common_name, &*facts.organisation),
            ("CP1", "Example CPO")
        );
        station
            .send(&json!([3, brought[1], { "status": "Accepted" }]).to_string())
            .await;
        request_is(&server, "accepted").await;

        set_profile(&server, 3).await;
        let issued = Issued {
            certificate: chain.to_owned(),
            key,
        };
        let request = server.request("CP1", "ocpp1.6");
        let mut back = pki
            .client(Some(&issued))
            .connect(&server, request)
            .await
            .unwrap();
        assert!(back.call("Heartbeat", json!({})).await["currentTime"].is_string());
    }
}

#[tokio::test]
async fn a_station_that_does_not_take_its_certificate_is_known_to_have_refused_it() {
    let pki = Pki::new();
    let server = server(pki.options()).await;
    let mut station = by_password(&pki, &server).await;
    let (_, csr) = asks(EC, "/O=Example CPO/CN=CP1");
    let answer = station.call("SignCertificate", json!({ "csr": csr })).await;
    assert_eq!(answer["status"], "Accepted");
    let brought = station.receive().await;
    station
        .send(&json!([3, brought[1], { "status": "Rejected" }]).to_string())
        .await;
    let request = request_is(&server, "rejected").await;
    assert!(request.not_after.is_some() && request.ended_at.is_some());
}

/// T23.
#[tokio::test]
async fn nobody_is_given_a_certificate_in_anothers_name() {
    let pki = Pki::new();
    let server = server(pki.options()).await;
    server.add_station("CP2", None).await;
    let mut station = by_password(&pki, &server).await;
    let mut refused = 0;
    for (kind, subject, why) in [
        (EC, "/O=Example CPO/CN=CP2", "its CN is \"CP2\""),
        (EC, "/O=Example CPO/CN=cp1", "its CN is \"cp1\""),
        (EC, "/O=Another CPO/CN=CP1", "its O is \"Another CPO\""),
        (
            &["-newkey", "rsa:1024"][..],
            "/O=Example CPO/CN=CP1",
            "too weak",
        ),
    ] {
        let (_, csr) = asks(kind, subject);
        let answer = station.call("SignCertificate", json!({ "csr": csr })).await;
        assert_eq!(answer["status"], "Rejected", "{subject}");
        refused += 1;
        let newest = request_is(&server, "refused").await;
        assert!(newest.detail.contains(why), "{}", newest.detail);
        assert_eq!(requests(&server).await.len(), refused);
    }
    // A request that somebody else signed, or nobody.
    let answer = station
        .call("SignCertificate", json!({ "csr": "no request" }))
        .await;
    assert_eq!(answer["status"], "Rejected");
    // Five an hour.
    let (_, csr) = asks(EC, "/O=Example CPO/CN=CP1");
    let answer = station.call("SignCertificate", json!({ "csr": csr })).await;
    assert_eq!(answer["status"], "Rejected");
    assert!(
        request_is(&server, "refused")
            .await
            .detail
            .contains("too often")
    );
    let events = server.db.tables_with("certificate.refused").await;
    assert!(events.contains(&"events".to_owned()));
    // The certificate of another charger, stolen, is nobody else's key.
    set_profile(&server, 3).await;
    let stolen = pki.client(Some(&pki.station("CP2")));
    let request = server.request("CP1", "ocpp1.6");
    assert_eq!(stolen.connect(&server, request).await.err(), Some(403));
}

#[tokio::test]
async fn a_station_that_anybody_may_play_is_given_none() {
    let pki = Pki::new();
    let server = Server::with(pki.options()).await;
    let mut station = server.station().await;
    let (_, csr) = asks(EC, "/O=Example CPO/CN=CP1");
    let answer = station.call("SignCertificate", json!({ "csr": csr })).await;
    assert_eq!(answer["status"], "Rejected");
    assert!(
        request_is(&server, "refused")
            .await
            .detail
            .contains("profile 0")
    );
}

/// An authority that is not there.
#[derive(Debug)]
struct Away;

impl Signer for Away {
    fn sign(&self, _: certs::Request, _: DateTime<Utc>) -> BoxFuture<'_, Result<String, String>> {
        Box::pin(async { Err("the authority does not answer".to_owned()) })
    }
}

#[tokio::test]
async fn an_authority_that_fails_is_the_operators_to_see_and_not_the_stations() {
    let pki = Pki::new();
    let server = server(Options {
        signer: Some(Arc::new(Away)),
        ..pki.options()
    })
    .await;
    let mut station = by_password(&pki, &server).await;
    let (_, csr) = asks(EC, "/O=Example CPO/CN=CP1");
    let answer = station.call("SignCertificate", json!({ "csr": csr })).await;
    assert_eq!(answer["status"], "Accepted");
    let failed = request_is(&server, "failed").await;
    assert_eq!(failed.detail, "the authority does not answer");
    let events = server.db.tables_with("certificate.failed").await;
    assert!(events.contains(&"events".to_owned()));
}
