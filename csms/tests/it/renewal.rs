//! R23: the server's certificate is renewed, broken and about to expire under open sockets; stations' certificates expire
//! and are revoked.

use std::sync::Arc;

use certs::Issued;
use chrono::TimeDelta;
use csms::Options;
use csms::tls::Tls;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::json;
use service::config;
use store::stations::StationChange;
use store::{Room, Scope};

use crate::door::with_password;
use crate::pki::{Client, OPERATOR, Pki, now, shown};
use crate::support::{Server, eventually};

async fn told(server: &Server, kind: &str) {
    eventually(kind, async || {
        let tables = server.db.tables_with(kind).await;
        tables.contains(&"events".to_owned()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_new_certificate_is_served_and_no_socket_is_dropped() {
    let metrics = PrometheusBuilder::new().install_recorder().unwrap();
    let pki = Pki::new();
    let server = Server::with(pki.options()).await;
    let client = pki.client(None);
    let request = || server.request("CP1", "ocpp1.6");
    let mut station = client.connect(&server, request()).await.unwrap();
    let before = shown(&client.tls(&server).await.unwrap());

    // Half of it is there: the old one stays, and somebody is told.
    let key = std::fs::read_to_string(pki.path("server.key")).unwrap();
    pki.write("server.key", "no key");
    told(&server, "tls.unusable").await;
    assert_eq!(shown(&client.tls(&server).await.unwrap()), before);
    pki.write("server.key", &key);

    let renewed = pki.renew(20);
    eventually("the new certificate", async || {
        (shown(&client.tls(&server).await.unwrap()) == renewed).then_some(())
    })
    .await;
    told(&server, "tls.renewed").await;
    // Twenty days are few.
    told(&server, "tls.expires").await;
    let until = eventually("the end of the new one", async || {
        let pool = server.db.pool(Room::Portal);
        let mut db = Scope::All.begin(&pool).await.unwrap();
        let until = store::csms_nodes::certificate_expires_at(&mut db).await;
        let until = until.unwrap().unwrap();
        let days_left = (until - now()).num_days();
        (19..=20).contains(&days_left).then_some(until)
    })
    .await;
    let gauge = format!(
        "forecourt_tls_certificate_expires_at_seconds {}\n",
        until.timestamp()
    );
    assert!(metrics.render().contains(&gauge), "{}", metrics.render());
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
    assert_ne!(before, renewed);
}

/// Two hundred stations, half by password and half by certificate: the server's certificate is renewed, authorities of
/// stations come and go, one is revoked, and no socket of any of them ends.
#[tokio::test]
async fn r23_a_fleet_keeps_its_sockets_while_certificates_and_authorities_change() {
    const HALF: usize = 100;
    let pki = Pki::new();
    let server = Server::with(pki.options()).await;
    let password = pki.client(None);
    let mut fleet = Vec::new();
    for number in 0..HALF {
        let (safe, certified) = (format!("P{number}"), format!("C{number}"));
        server.add_station(&safe, Some("right")).await;
        let request = with_password(server.request(&safe, "ocpp1.6"), &safe, b"right");
        fleet.push(password.connect(&server, request).await.unwrap());
        server.add_station(&certified, None).await;
        set_profile(&server, &certified, 3).await;
        let client = pki.client(Some(&pki.station(&certified)));
        let request = server.request(&certified, "ocpp1.6");
        fleet.push(client.connect(&server, request).await.unwrap());
    }

    let renewed = pki.renew(80);
    // A new authority of stations beside the old one, and then alone.
    let next = Pki::named("Next CA");
    let of_next = next.client(Some(&next.station("C0")));
    let of_next = Client {
        root: password.root.clone(),
        ..of_next
    };
    pki.write_authorities(&[&pki, &next]);
    let comes = async |client: &Client, identity: &str| {
        let request = server.request(identity, "ocpp1.6");
        client.connect(&server, request).await.map(drop)
    };
    eventually("the new certificate", async || {
        (shown(&password.tls(&server).await.unwrap()) == renewed).then_some(())
    })
    .await;
    server.add_station("NEXT", None).await;
    set_profile(&server, "NEXT", 3).await;
    let newcomer = Client {
        certificate: Some(next.station("NEXT")),
        ..of_next
    };
    eventually("the new authority", async || {
        comes(&newcomer, "NEXT").await.ok()
    })
    .await;
    pki.write_authorities(&[&next]);
    let old = pki.client(Some(&pki.station("NEXT")));
    eventually("the end of the old authority", async || {
        comes(&old, "NEXT").await.err()
    })
    .await;
    assert_eq!(comes(&newcomer, "NEXT").await, Ok(()));

    for station in &mut fleet {
        let answer = station.call("Heartbeat", json!({})).await;
        assert!(answer["currentTime"].is_string());
    }
}

async fn profile_3(server: &Server) {
    set_profile(server, "CP1", 3).await;
}

async fn set_profile(server: &Server, identity: &str, profile: i16) {
    let change = StationChange {
        security_profile: Some(profile),
        ..StationChange::default()
    };
    let mut db = server.db.pool.acquire().await.unwrap();
    store::stations::change(&mut db, identity, &change)
        .await
        .unwrap();
}

#[tokio::test]
async fn expired_and_revoked_certificates_are_refused_from_the_next_connection_on() {
    let pki = Pki::new();
    let server = Server::with(pki.options()).await;
    profile_3(&server).await;
    let request = || server.request("CP1", "ocpp1.6");
    let comes = async |certificate: &Issued| {
        let client = pki.client(Some(certificate));
        client.connect(&server, request()).await
    };
    let expired = pki.station_of("CP1", OPERATOR, 1, now() - TimeDelta::days(2));
    assert_eq!(comes(&expired).await.err(), Some(403));
    let early = pki.station_of("CP1", OPERATOR, 9, now() + TimeDelta::days(2));
    assert_eq!(comes(&early).await.err(), Some(403));

    let mine = pki.station("CP1");
    let mut station = comes(&mine).await.unwrap();
    pki.revoke(&[&mine]);
    eventually("the revocation", async || {
        comes(&mine).await.err().filter(|status| *status == 403)
    })
    .await;
    // (Each try that came in took the seat of the one before.)
    station.close_code().await;
    let renewed = pki.station("CP1");
    assert!(comes(&renewed).await.is_ok());
    let mut db = server.db.pool.acquire().await.unwrap();
    eventually("the refusals", async || {
        let listed = store::refusals::of(&mut db, "CP1").await.unwrap();
        let bad = listed.iter().find(|row| row.reason == "bad_certificate")?;
        bad.detail.to_lowercase().contains("revoked").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_list_that_is_too_old_lets_nobody_in_unless_told_otherwise() {
    let pki = Pki::new();
    let old = pki
        .authority
        .revoke(&[], 1, now() - TimeDelta::days(3))
        .unwrap();
    pki.write("ca.crl", &old);
    for (soft, expected) in [(false, Some(403)), (true, None)] {
        let settings = config::Tls {
            soft,
            ..pki.settings()
        };
        let options = Options {
            tls: Some(Arc::new(Tls::load(&settings).unwrap())),
            ..pki.options()
        };
        let server = Server::with(options).await;
        profile_3(&server).await;
        let client = pki.client(Some(&pki.station("CP1")));
        let came = client
            .connect(&server, server.request("CP1", "ocpp1.6"))
            .await;
        assert_eq!(came.err(), expected, "soft: {soft}");
    }
}

#[test]
fn files_that_cannot_be_used_are_named_at_start() {
    let pki = Pki::new();
    let why = |settings: &config::Tls| Tls::load(settings).unwrap_err().to_string();
    for (name, setting) in [
        ("server.pem", "OCPP_TLS_CERT="),
        ("server.key", "OCPP_TLS_KEY="),
        ("ca.pem", "OCPP_TLS_CLIENT_CA="),
        ("ca.crl", "OCPP_TLS_CRL="),
    ] {
        let good = std::fs::read_to_string(pki.path(name)).unwrap();
        std::fs::remove_file(pki.path(name)).unwrap();
        assert!(
            why(&pki.settings()).starts_with(setting),
            "{name} is missing"
        );
        pki.write(name, "nothing");
        assert!(
            why(&pki.settings()).starts_with(setting),
            "{name} is nothing"
        );
        pki.write(name, &good);
    }
    let other = Pki::new();
    let key = std::fs::read_to_string(other.path("server.key")).unwrap();
    pki.write("server.key", &key);
    assert!(why(&pki.settings()).starts_with("OCPP_TLS_KEY="));
}
