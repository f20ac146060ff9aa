//! The first proof of all: a charge by somebody else's OCPP client, over real sockets into a real Postgres, read back
//! through the API: plain, within TLS, and with a certificate of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use service::clock::Clock;
use tokio::process::Command;
use tokio::time::sleep;

mod support;
use support::Product;
#[path = "support/pki.rs"]
mod pki;
use pki::{OPERATOR, Pki};

#[tokio::test]
async fn a_charge_by_the_mobilityhouse_client_is_read_back_through_the_api() {
    let product = Product::start(csms::Options::default()).await;
    let known = json!({ "password": "s3cret:with:colons" });
    let words = ["--password", "s3cret:with:colons"];
    let said = charged(&product, &product.ocpp_url(), "MH-1", known, &words).await;
    assert_eq!(said["tls"], false);
}

/// Security profile 2: its password within TLS.
#[tokio::test]
async fn the_same_charge_over_wss_with_a_password() {
    let pki = Pki::new();
    let product = Product::start((&pki).into()).await;
    let known = json!({ "security_profile": 2, "password": "s3cret:with:colons" });
    let ca = pki.file("root.pem", &pki.root.certificate);
    let words = ["--password", "s3cret:with:colons", "--ca", text(&ca)];
    let said = charged(&product, &over_tls(&product), "MH-2", known, &words).await;
    assert_eq!(said["tls"], true);
}

/// Security profile 3: a certificate of its own, and no password.
#[tokio::test]
async fn the_same_charge_over_wss_with_a_certificate_of_its_own() {
    let pki = Pki::new();
    let product = Product::start((&pki).into()).await;
    let name = certs::Name {
        common: "MH-3",
        organisation: OPERATOR,
    };
    let own = pki.authority().station(name, 10, Clock::system().now());
    let own = own.unwrap();
    let ca = pki.file("root.pem", &pki.root.certificate);
    let certificate = pki.file("station.pem", &own.certificate);
    let key = pki.file("station.key", &own.key);
    let words = [
        "--ca",
        text(&ca),
        "--cert",
        text(&certificate),
        "--key",
        text(&key),
    ];
    let known = json!({ "security_profile": 3 });
    let said = charged(&product, &over_tls(&product), "MH-3", known, &words).await;
    assert_eq!(said["tls"], true);
}

/// Where stations reach it by TLS: the same port.
fn over_tls(product: &Product) -> String {
    product.ocpp_url().replace("ws://", "wss://")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A station that is `known` so comes with these words and charges; what it was told is what the API tells of it.
async fn charged(
    product: &Product,
    url: &str,
    identity: &str,
    known: Value,
    words: &[&str],
) -> Value {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    assert!(
        python.exists(),
        "the third-party client is not installed: run scripts/setup"
    );
    let profile = known["security_profile"].clone();
    let key = furnished(product, identity, known, "04A1B2C3").await;
    let queued = configuration_is_asked(product, &key, identity).await;

    let mut client = Command::new(python);
    client
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/charge.py"))
        .args([url, identity, "04A1B2C3"])
        .args(words);
    let said = run(client).await;
    assert_eq!(said["boot"], "Accepted");
    assert_eq!(said["authorize"], "Accepted");
    assert_eq!(said["stop"], "Accepted");

    if !profile.is_null() {
        let path = format!("/api/v1/stations/{identity}");
        let station = product.get(&key, &path).await;
        assert_eq!(station["security_profile"], profile);
    }
    let sessions = product
        .get(&key, &format!("/api/v1/sessions?station={identity}"))
        .await;
    let session = &sessions["items"][0];
    assert_eq!(session["state"], "ended");
    assert_eq!(session["energy_wh"], 12_345);
    assert_eq!(session["max_power_w"], 7200);
    assert_eq!(session["stop_reason"], "EVDisconnected");
    assert_eq!(session["transaction_id"], said["transaction"]);
    let whole = product
        .get(
            &key,
            &format!("/api/v1/sessions/{}", session["id"].as_str().unwrap()),
        )
        .await;
    assert_eq!(whole["samples"].as_array().unwrap().len(), 3);

    assert_eq!(ended(product, &key, &queued).await["status"], "answered");
    let messages = product
        .get(
            &key,
            &format!("/api/v1/messages?station={identity}&limit=500"),
        )
        .await;
    let actions: Vec<&str> = messages["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["action"].as_str().unwrap())
        .collect();
    assert!(
        actions.contains(&"StopTransaction") && actions.contains(&"GetConfiguration"),
        "{actions:?}"
    );
    assert!(
        !actions.contains(&"Heartbeat"),
        "Heartbeats are counted, not logged"
    );
    said
}

#[tokio::test]
async fn every_frame_is_read_by_a_charge_point_on_rust_ocpp() {
    // Beside the build: it has a lockfile of its own and is no part of the workspace.
    let peer = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("peer/debug/peer");
    assert!(
        peer.exists(),
        "the charge point on rust-ocpp is not built: run `make peer`"
    );
    let product = Product::start(csms::Options::default()).await;
    let known = json!({ "password": "s3cret" });
    let key = furnished(&product, "PEER-1", known, "PEERTAG1").await;
    let queued = configuration_is_asked(&product, &key, "PEER-1").await;

    let mut client = Command::new(peer);
    client.args(["--url", &product.ocpp_url(), "--id", "PEER-1"]);
    client.args([
        "--password",
        "s3cret",
        "--id-tag",
        "PEERTAG1",
        "--listen",
        "5",
    ]);
    let said = run(client).await;
    assert_eq!(said["frames_rejected"], 0, "{said}");
    assert!(
        said["calls_answered"]
            .as_array()
            .unwrap()
            .iter()
            .any(|action| action == "GetConfiguration"),
        "{said}"
    );

    let sessions = product.get(&key, "/api/v1/sessions?station=PEER-1").await;
    let session = &sessions["items"][0];
    assert_eq!(session["state"], "ended");
    assert_eq!(session["energy_wh"], 600);
    let transaction = format!("transaction {}", session["transaction_id"]);
    assert_eq!(said["session"], transaction);
    let command = product
        .get(&key, &format!("/api/v1/commands/{queued}"))
        .await;
    assert_ne!(command["status"], "queued");
}

/// Lets the product know a station and a tag; yields a key to it.
async fn furnished(product: &Product, identity: &str, station: Value, tag: &str) -> String {
    let key = product.api_key(&["read", "control"]).await;
    let known = [
        (format!("/api/v1/stations/{identity}"), station),
        (
            format!("/api/v1/id-tokens/{tag}"),
            json!({ "type": "RFID", "status": "accepted" }),
        ),
    ];
    for (path, body) in known {
        product
            .send(Method::PUT, &key, &path, &body.to_string(), &[200, 201])
            .await;
    }
    key
}

/// Queues a command for the station; yields its id.
async fn configuration_is_asked(product: &Product, key: &str, station: &str) -> String {
    let path = format!("/api/v1/stations/{station}/commands");
    let body = r#"{"action":"GetConfiguration","payload":{}}"#;
    let queued = product.send(Method::POST, key, &path, body, &[202]).await;
    queued["id"].as_str().unwrap().to_owned()
}

/// The command's row once it has ended: the client may be gone before its last frame is read.
async fn ended(product: &Product, key: &str, command: &str) -> Value {
    let path = format!("/api/v1/commands/{command}");
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let row = product.get(key, &path).await;
        let is_open = ["queued", "sent"].contains(&row["status"].as_str().unwrap());
        if !is_open || Instant::now() >= until {
            return row;
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// Runs a client to its good end; yields the JSON that it printed.
async fn run(mut client: Command) -> Value {
    let output = client
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), output)
        .await
        .unwrap()
        .unwrap();
    let (said, complaints) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}{complaints}");
    serde_json::from_str(&said).unwrap()
}
