//! Security profiles 0 to 3 over real sockets, plain and TLS: TC_083, TC_085 to TC_088; attacks T01 and T03.

use serde_json::json;
use store::stations::StationChange;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::http::Request;
use uuid::Uuid;

use crate::commands::{ends_as, queue};
use crate::door::with_password;
use crate::pki::{Client, Pki};
use crate::support::{Server, Station, eventually};

/// A server that speaks TLS; `CP1` has this profile and the password `right`.
async fn with_profile(pki: &Pki, profile: i16) -> Server {
    let server = Server::with(pki.options()).await;
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
    server
}

fn basic(server: &Server, password: &[u8]) -> Request<()> {
    with_password(server.request("CP1", "ocpp1.6"), "CP1", password)
}

fn bare(server: &Server) -> Request<()> {
    server.request("CP1", "ocpp1.6")
}

async fn lives(station: &mut Station) {
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

/// TC_085.
#[tokio::test]
async fn basic_credentials_open_profile_1_and_nothing_else_does() {
    let pki = Pki::new();
    let server = with_profile(&pki, 1).await;
    assert_eq!(server.connect(bare(&server)).await.err(), Some(401));
    let wrong = basic(&server, b"wrong");
    assert_eq!(server.connect(wrong).await.err(), Some(401));
    lives(&mut server.connect(basic(&server, b"right")).await.unwrap()).await;
    // More than is asked for is as good.
    let client = pki.client(None);
    lives(
        &mut client
            .connect(&server, basic(&server, b"right"))
            .await
            .unwrap(),
    )
    .await;
}

/// TC_086, by every version of TLS.
#[tokio::test]
async fn tls_with_the_servers_certificate_and_basic_credentials_open_profile_2() {
    let pki = Pki::new();
    let server = with_profile(&pki, 2).await;
    let plain = basic(&server, b"right");
    assert_eq!(server.connect(plain).await.err(), Some(403));
    for versions in [vec![&rustls::version::TLS12], vec![&rustls::version::TLS13]] {
        let client = Client {
            versions,
            ..pki.client(None)
        };
        assert_eq!(
            client.connect(&server, bare(&server)).await.err(),
            Some(401)
        );
        let mut station = client
            .connect(&server, basic(&server, b"right"))
            .await
            .unwrap();
        lives(&mut station).await;
    }
    // Whoever does not know the authority does not come in: that is the charger's own check.
    assert!(Pki::new().client(None).tls(&server).await.is_err());
}

/// TC_087.
#[tokio::test]
async fn a_certificate_of_its_own_opens_profile_3_and_is_written_down() {
    let pki = Pki::new();
    let server = with_profile(&pki, 3).await;
    let mine = pki.station("CP1");
    for versions in [vec![&rustls::version::TLS12], vec![&rustls::version::TLS13]] {
        let client = Client {
            versions,
            ..pki.client(Some(&mine))
        };
        let mut station = client.connect(&server, bare(&server)).await.unwrap();
        let boot = json!({ "chargePointVendor": "Acme", "chargePointModel": "One", "chargePointSerialNumber": "CP1" });
        assert_eq!(
            station.call("BootNotification", boot).await["status"],
            "Accepted"
        );
    }
    eventually("the certificate", async || {
        server
            .db
            .tables_with(&certs::Facts::of_pem(&mine.certificate).unwrap().fingerprint)
            .await
            .contains(&"client_certificates".to_owned())
            .then_some(())
    })
    .await;
    let refused = async |certificate: &certs::Issued| {
        let client = pki.client(Some(certificate));
        client
            .connect(&server, basic(&server, b"right"))
            .await
            .err()
    };
    assert_eq!(refused(&pki.station("CP2")).await, Some(403));
    assert_eq!(refused(&pki.station("cp1")).await, Some(403));
    let other = pki.station_of("CP1", "Another CPO", 10, crate::pki::now());
    assert_eq!(refused(&other).await, Some(403));
    // Signed by somebody else, in the right words.
    assert_eq!(refused(&Pki::new().station("CP1")).await, Some(403));
    let none = pki
        .client(None)
        .connect(&server, basic(&server, b"right"))
        .await;
    assert_eq!(none.err(), Some(403));
    let reasons = reasons(&server, 4).await;
    assert_eq!(
        reasons,
        [
            "bad_certificate",
            "no_certificate",
            "other_certificate",
            "other_operator"
        ]
    );
}

/// The reasons of refusals, when there are as many.
async fn reasons(server: &Server, count: usize) -> Vec<String> {
    eventually("the refusals", async || {
        let mut db = server.db.pool.acquire().await.unwrap();
        let listed = store::refusals::of(&mut db, "CP1").await.unwrap();
        let mut reasons: Vec<String> = listed.into_iter().map(|row| row.reason).collect();
        reasons.sort();
        (reasons.len() == count).then_some(reasons)
    })
    .await
}

#[tokio::test]
async fn a_station_of_another_serial_number_than_its_certificates_is_put_out() {
    let pki = Pki::new();
    let server = with_profile(&pki, 3).await;
    let client = pki.client(Some(&pki.station("CP1")));
    let mut station = client.connect(&server, bare(&server)).await.unwrap();
    let boot = json!({ "chargePointVendor": "Acme", "chargePointModel": "One", "chargePointSerialNumber": "CP2" });
    station
        .send(&json!([2, "1", "BootNotification", boot]).to_string())
        .await;
    assert_eq!(station.close_code().await, Some(1008));
    assert_eq!(reasons(&server, 1).await, ["other_serial"]);
}

/// TC_088, over TLS as well.
#[tokio::test]
async fn the_subprotocol_is_negotiated_over_tls_as_over_tcp() {
    let pki = Pki::new();
    let server = Server::with(pki.options()).await;
    let client = pki.client(None);
    let offer = |protocols: &str| server.request("CP1", protocols);
    assert_eq!(
        client.connect(&server, offer("ocpp0.1")).await.err(),
        Some(101)
    );
    let both = client
        .connect(&server, offer("ocpp0.1, ocpp1.6"))
        .await
        .unwrap();
    assert_eq!(both.protocol.as_deref(), Some("ocpp1.6"));
    assert_eq!(server.connect(offer("ocpp0.1")).await.err(), Some(101));
}

/// TC_083: from profile 2 to 3.
#[tokio::test]
async fn an_upgrade_is_one_way_once_it_succeeded_and_survives_a_restart() {
    let pki = Pki::new();
    let server = with_profile(&pki, 2).await;
    let (password, certificate) = (pki.client(None), pki.client(Some(&pki.station("CP1"))));
    let mut station = password
        .connect(&server, basic(&server, b"right"))
        .await
        .unwrap();
    let too_early = certificate.connect(&server, bare(&server)).await;
    assert_eq!(too_early.err(), Some(401));
    let order = json!({ "key": "SecurityProfile", "value": "3" });
    let command = queue(&server, "ChangeConfiguration", order).await;
    let call = station.receive().await;
    assert_eq!(call[3], json!({ "key": "SecurityProfile", "value": "3" }));
    station
        .send(&json!([3, call[1], { "status": "Accepted" }]).to_string())
        .await;
    ends_as(&server, command, "answered").await;
    // Both are open until the new one is seen: the reset may not have happened yet, or have failed.
    lives(
        &mut password
            .connect(&server, basic(&server, b"right"))
            .await
            .unwrap(),
    )
    .await;
    lives(&mut certificate.connect(&server, bare(&server)).await.unwrap()).await;

    let lower = password.connect(&server, basic(&server, b"right")).await;
    assert_eq!(lower.err(), Some(403));
    let server = server.restart().await;
    let lower = password.connect(&server, basic(&server, b"right")).await;
    assert_eq!(lower.err(), Some(403));
    assert_eq!(
        server.connect(basic(&server, b"right")).await.err(),
        Some(403)
    );
    lives(&mut certificate.connect(&server, bare(&server)).await.unwrap()).await;
}

/// It was told 3 and then 2, and obeyed the last: from its first wss on plain ws is closed all the same.
#[tokio::test]
async fn of_two_upgrades_the_one_that_the_station_follows_counts() {
    let pki = Pki::new();
    let server = with_profile(&pki, 1).await;
    let password = pki.client(None);
    let mut station = server.connect(basic(&server, b"right")).await.unwrap();
    for profile in ["3", "2"] {
        let order = json!({ "key": "SecurityProfile", "value": profile });
        let command = queue(&server, "ChangeConfiguration", order).await;
        // What it has now is asked for in between.
        loop {
            let call = station.receive().await;
            let is_order = call[2] == "ChangeConfiguration";
            let answer = match is_order {
                true => json!({ "status": "Accepted" }),
                false => json!({}),
            };
            station.send(&json!([3, call[1], answer]).to_string()).await;
            if is_order {
                break;
            }
        }
        ends_as(&server, command, "answered").await;
    }
    let secure = password.connect(&server, basic(&server, b"right")).await;
    lives(&mut secure.unwrap()).await;
    let plain = server.connect(basic(&server, b"right")).await;
    assert_eq!(plain.err(), Some(403));
}

#[tokio::test]
async fn an_upgrade_that_the_station_declines_opens_nothing() {
    let pki = Pki::new();
    let server = with_profile(&pki, 2).await;
    let password = pki.client(None);
    let mut station = password
        .connect(&server, basic(&server, b"right"))
        .await
        .unwrap();
    let order = json!({ "key": "SecurityProfile", "value": "3" });
    let command = queue(&server, "ChangeConfiguration", order).await;
    let call = station.receive().await;
    station
        .send(&json!([3, call[1], { "status": "Rejected" }]).to_string())
        .await;
    ends_as(&server, command, "answered").await;
    let certificate = pki.client(Some(&pki.station("CP1")));
    assert_eq!(
        certificate.connect(&server, bare(&server)).await.err(),
        Some(401)
    );
}

/// T01: every profile, by every wrong way: refused before a frame is read, nothing written but the refusal.
#[tokio::test]
async fn whoever_has_no_right_is_refused_and_leaves_no_row() {
    let pki = Pki::new();
    let server = Server::with(pki.options()).await;
    let names = ["P1", "P2", "P3"];
    for (name, profile) in names.into_iter().zip(1..) {
        server
            .add_station(name, Some(&format!("secret of {name}")))
            .await;
        let change = StationChange {
            security_profile: Some(profile),
            ..StationChange::default()
        };
        let mut db = server.db.pool.acquire().await.unwrap();
        store::stations::change(&mut db, name, &change)
            .await
            .unwrap();
    }
    let before = server.db.rows().await;
    let (plain_of, client) = ([401, 403, 403], pki.client(None));
    let tls_of = [401, 401, 403];
    let mut tried = 0;
    for (at, name) in names.into_iter().enumerate() {
        let request = || server.request(name, "ocpp1.6");
        let bare = request();
        let ways = [
            bare,
            with_password(request(), "P9", format!("secret of {name}").as_bytes()),
            with_password(request(), name, b"wrong"),
            with_password(request(), name, b"secret of P9"),
            with_password(request(), name, b""),
        ];
        for way in ways {
            let plain = server.connect(way.clone()).await.err();
            let tls = client.connect(&server, way).await.err();
            for (status, expected) in [(plain, plain_of[at]), (tls, tls_of[at])] {
                // Who guesses is soon not looked at any more.
                let fits = status == Some(expected) || (expected == 401 && status == Some(429));
                assert!(fits, "{name}: {status:?}, not {expected}");
            }
            tried += 2;
        }
    }
    // One that was deleted is one that nobody knows.
    let gone = with_password(server.request("GONE", "ocpp1.6"), "GONE", b"secret");
    assert_eq!(server.connect(gone.clone()).await.err(), Some(404));
    assert_eq!(client.connect(&server, gone).await.err(), Some(404));

    let refusals = eventually("the refusals", async || {
        let mut db = server.db.pool.acquire().await.unwrap();
        let listed = store::refusals::list(&mut db, None, 100).await.unwrap();
        let attempts: i64 = listed.iter().map(|row| row.attempts).sum();
        (attempts == tried + 2).then_some(listed)
    })
    .await;
    assert!(refusals.iter().all(|row| !row.detail.is_empty()));
    let mut after = server.db.rows().await;
    after.insert("refusals".to_owned(), before["refusals"]);
    assert_eq!(before, after);
}

/// T03 (a) and (b): a stranger disturbs nobody; two sockets with the right key are never served both.
#[tokio::test]
async fn a_stranger_displaces_nobody_and_two_of_one_name_raise_an_alarm() {
    let pki = Pki::new();
    let server = with_profile(&pki, 1).await;
    let mut real = server.connect(basic(&server, b"right")).await.unwrap();
    for _ in 0..20 {
        assert!(server.connect(basic(&server, b"guess")).await.is_err());
        lives(&mut real).await;
    }
    let command = queue(&server, "Reset", json!({ "type": "Soft" })).await;
    let call = real.receive().await;
    let mut sockets = vec![real];
    for _ in 0..4 {
        let mut next = server.connect(basic(&server, b"right")).await.unwrap();
        lives(&mut next).await;
        let mut old = sockets.pop().unwrap();
        assert_eq!(old.close_code().await, Some(1008));
        sockets.push(next);
    }
    // What was sent to the first is not sent to the others, and their word for it does not count.
    let mut last = sockets.pop().unwrap();
    last.send(&json!([3, call[1], { "status": "Accepted" }]).to_string())
        .await;
    lives(&mut last).await;
    ends_as(&server, command, "unknown").await;
    eventually("the alarm", async || {
        let tables = server.db.tables_with("station.flapping").await;
        tables.contains(&"events".to_owned()).then_some(())
    })
    .await;
}

/// T03 (c): the old socket is half open; the charger is served again at once.
#[tokio::test]
async fn a_half_open_socket_keeps_no_charger_out() {
    let pki = Pki::new();
    let server = with_profile(&pki, 2).await;
    let client = pki.client(None);
    let dead = client
        .connect(&server, basic(&server, b"right"))
        .await
        .unwrap();
    let mut back = client
        .connect(&server, basic(&server, b"right"))
        .await
        .unwrap();
    lives(&mut back).await;
    drop(dead);
    lives(&mut back).await;
}

#[tokio::test]
async fn what_is_neither_tls_nor_http_ends_alone_and_is_told() {
    let pki = Pki::new();
    let server = Server::with(pki.options()).await;
    let says = async |bytes: &[u8]| {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        answer
    };
    // A hello of TLS 1.0 without extensions, as chargers of 2012 say it; the answer is an alert.
    let mut hello = vec![0x16, 3, 1, 0, 45, 1, 0, 0, 41, 3, 1];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0, 0x2f, 1, 0]);
    let answer = says(&hello).await;
    assert_eq!(answer.first(), Some(&0x15), "{answer:?}");
    assert!(!says(b"\x16\x03\x01\xff\xff\xff").await.starts_with(b"HTTP"));
    assert!(
        says(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            .await
            .starts_with(b"HTTP/1.1 426")
    );
    eventually("the refusal", async || {
        let mut db = server.db.pool.acquire().await.unwrap();
        let listed = store::refusals::of(&mut db, "127.0.0.1").await.unwrap();
        listed
            .iter()
            .any(|row| row.reason == "tls_too_old")
            .then_some(())
    })
    .await;
    lives(
        &mut server
            .connect(server.request("CP1", "ocpp1.6"))
            .await
            .unwrap(),
    )
    .await;
}

#[tokio::test]
async fn no_two_stations_answer_to_one_certificate() {
    let server = Server::start().await;
    server.add_station("CP2", None).await;
    let mut db = server.db.pool.acquire().await.unwrap();
    let mut named = async |identity: &str, name: Option<&str>| {
        let change = StationChange {
            certificate_name: Some(name),
            ..StationChange::default()
        };
        let changed: store::Result<Option<Uuid>> =
            store::stations::change(&mut db, identity, &change).await;
        changed.is_ok()
    };
    assert!(!named("CP2", Some("CP1")).await);
    assert!(named("CP2", Some("SN-2")).await);
    assert!(!named("CP1", Some("SN-2")).await);
    assert!(named("CP2", None).await);
    assert!(named("CP1", Some("SN-2")).await);
}
