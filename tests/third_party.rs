//! The first proof of all: a charge by somebody else's OCPP client, over real sockets into a real Postgres, read back
//! through the API.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

mod support;
use support::Product;

#[tokio::test]
async fn a_charge_by_the_mobilityhouse_client_is_read_back_through_the_api() {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    assert!(
        python.exists(),
        "the third-party client is not installed: run scripts/setup"
    );
    let product = Product::start().await;
    let key = product.api_key(&["read", "control"]).await;
    product
        .send(
            Method::PUT,
            &key,
            "/api/v1/stations/MH-1",
            r#"{"password":"s3cret:with:colons"}"#,
            &[200, 201],
        )
        .await;
    product
        .send(
            Method::PUT,
            &key,
            "/api/v1/id-tokens/04A1B2C3",
            r#"{"type":"RFID","status":"accepted"}"#,
            &[200, 201],
        )
        .await;
    let queued = product
        .send(
            Method::POST,
            &key,
            "/api/v1/stations/MH-1/commands",
            r#"{"action":"GetConfiguration","payload":{}}"#,
            &[202],
        )
        .await;

    let client = tokio::process::Command::new(python)
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/charge.py"))
        .args([
            &product.ocpp_url(),
            "MH-1",
            "s3cret:with:colons",
            "04A1B2C3",
        ])
        .stdout(Stdio::piped())
        .output();
    let output = tokio::time::timeout(Duration::from_secs(60), client)
        .await
        .unwrap()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
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
        .get(
            &key,
            &format!("/api/v1/commands/{}", queued["id"].as_str().unwrap()),
        )
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
