//! The first proof of all: a charge by somebody else's OCPP client, over real sockets into a real Postgres, read back
//! through the API.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use tokio::process::Command;

mod support;
use support::Product;

#[tokio::test]
async fn a_charge_by_the_mobilityhouse_client_is_read_back_through_the_api() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    assert!(
        python.exists(),
        "the third-party client is not installed: run scripts/setup"
    );
    let (product, key) = installation("MH-1", "s3cret:with:colons", "04A1B2C3").await;
    let queued = configuration_is_asked(&product, &key, "MH-1").await;

    let mut client = Command::new(python);
    client
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/charge.py"))
        .args([
            &product.ocpp_url(),
            "MH-1",
            "s3cret:with:colons",
            "04A1B2C3",
        ]);
    let said = run(client).await;
    assert_eq!(said["boot"], "Accepted");
    assert_eq!(said["authorize"], "Accepted");
    assert_eq!(said["stop"], "Accepted");

    let sessions = product.get(&key, "/api/v1/sessions?station=MH-1").await;
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

    let command = product
        .get(&key, &format!("/api/v1/commands/{queued}"))
        .await;
    assert_eq!(command["status"], "answered");
    let messages = product
        .get(&key, "/api/v1/messages?station=MH-1&limit=500")
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
}

#[tokio::test]
async fn every_frame_is_read_by_a_charge_point_on_rust_ocpp() {
    // Beside the build: it has a lockfile of its own and is no part of the workspace.
    let peer = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("peer/debug/peer");
    assert!(
        peer.exists(),
        "the charge point on rust-ocpp is not built: run `make peer`"
    );
    let (product, key) = installation("PEER-1", "s3cret", "PEERTAG1").await;
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

/// A product that knows one station with a password and one tag, and a key to it.
async fn installation(station: &str, password: &str, tag: &str) -> (Product, String) {
    let product = Product::start(csms::Options::default()).await;
    let key = product.api_key(&["read", "control"]).await;
    let known = [
        (
            format!("/api/v1/stations/{station}"),
            json!({ "password": password }),
        ),
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
    (product, key)
}

/// Queues a command for the station; yields its id.
async fn configuration_is_asked(product: &Product, key: &str, station: &str) -> String {
    let path = format!("/api/v1/stations/{station}/commands");
    let body = r#"{"action":"GetConfiguration","payload":{}}"#;
    let queued = product.send(Method::POST, key, &path, body, &[202]).await;
    queued["id"].as_str().unwrap().to_owned()
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
