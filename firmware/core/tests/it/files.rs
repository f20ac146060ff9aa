//! Firmware, diagnostics and logs: what is told while the host works, and after the reboot.

use evse_core::{Input, Utc, Work};
use serde_json::{Value, json};

use crate::bench::{Bench, EPOCH, Host, seconds};

fn at(bench: &Bench, ahead_s: i64) -> String {
    Utc(EPOCH + bench.now.cast_signed() + ahead_s * 1_000).to_string()
}

fn update(bench: &Bench, ahead_s: i64, retries: u32) -> Value {
    json!({ "location": "http://h/files/t/fw.bin", "retrieveDate": at(bench, ahead_s),
            "retries": retries, "retryInterval": 10 })
}

fn signed(bench: &Bench, request: i64) -> Value {
    json!({ "requestId": request, "retries": 0, "retryInterval": 10, "firmware": {
        "location": "http://h/files/t/fw.bin", "retrieveDateTime": at(bench, -1),
        "signingCertificate": "-----BEGIN CERTIFICATE-----", "signature": "c2ln" } })
}

/// Statuses in the order they were told, connectors' and others'.
fn told(bench: &Bench) -> Vec<String> {
    let word = |r: &crate::bench::Received| {
        let payload = &r.payload;
        match r.action.as_str() {
            "BootNotification" => "Boot".to_owned(),
            "SecurityEventNotification" => payload["type"].as_str().expect("a type").to_owned(),
            "Heartbeat" | "MeterValues" | "StopTransaction" => String::new(),
            _ => payload["status"].as_str().expect("a status").to_owned(),
        }
    };
    let words = bench.received.iter().map(word);
    words.filter(|word| !word.is_empty()).collect()
}

#[test]
fn an_update_is_fetched_installed_and_told_after_the_reboot() {
    let mut bench = Bench::booted();
    assert_eq!(
        bench.call("UpdateFirmware", update(&bench, 30, 0)),
        json!({})
    );
    assert!(bench.works.is_empty(), "not before its time");
    bench.advance(seconds(60));
    assert_eq!(
        told(&bench),
        [
            "Downloading",
            "Downloaded",
            "Unavailable",
            "Unavailable",
            "Unavailable",
            "Installing",
            "Boot",
            "Available",
            "Available",
            "Available",
            "Installed"
        ]
    );
    assert_eq!(
        bench.of("BootNotification")[0].payload["firmwareVersion"],
        "2.0.0"
    );
    let location = "http://h/files/t/fw.bin".to_owned();
    assert_eq!(
        bench.works,
        [Work::Download { location }, Work::InstallFirmware]
    );
    bench.received.clear();
    bench.call(
        "TriggerMessage",
        json!({ "requestedMessage": "FirmwareStatusNotification" }),
    );
    assert_eq!(told(&bench), ["Idle"]);
    bench.power_cut();
    bench.advance(seconds(5));
    assert_eq!(
        bench.of("BootNotification")[0].payload["firmwareVersion"],
        "2.0.0",
        "it stays"
    );
}

#[test]
fn a_failed_download_is_tried_again_and_told_once() {
    let mut bench = Bench::booted();
    bench.host = Host::Unable;
    bench.call("UpdateFirmware", update(&bench, -1, 2));
    bench.advance(seconds(9));
    assert_eq!(bench.works.len(), 1);
    bench.advance(seconds(60));
    assert_eq!(bench.works.len(), 3);
    assert_eq!(told(&bench), ["Downloading", "DownloadFailed"]);
}

#[test]
fn a_failed_installation_reboots_into_the_old_version() {
    let mut bench = Bench::booted();
    bench.host = Host::Busy;
    bench.call("UpdateFirmware", update(&bench, -1, 0));
    bench.host = Host::Unable;
    bench.give(Input::Done(1, evse_core::Done::Yes));
    bench.advance(seconds(60));
    let told = told(&bench);
    assert_eq!(
        told[told.len() - 6..],
        [
            "Installing",
            "Boot",
            "Available",
            "Available",
            "Available",
            "InstallationFailed"
        ]
    );
    assert_ne!(
        bench.of("BootNotification")[0].payload["firmwareVersion"],
        "2.0.0"
    );
}

#[test]
fn it_waits_for_the_transaction_and_lets_nobody_start_another() {
    let mut bench = Bench::charging();
    bench.call("UpdateFirmware", update(&bench, -1, 0));
    bench.advance(seconds(5));
    assert!(!told(&bench).contains(&"Installing".to_owned()));
    let answer = bench.call(
        "RemoteStartTransaction",
        json!({ "idTag": "R", "connectorId": 2 }),
    );
    assert_eq!(answer["status"], "Rejected");
    bench.give(Input::Unplug(1));
    bench.advance(seconds(60));
    assert_eq!(bench.of("StopTransaction").len(), 1);
    assert_eq!(told(&bench).last().map(String::as_str), Some("Installed"));
}

#[test]
fn a_power_cut_during_the_download_begins_it_again() {
    let mut bench = Bench::booted();
    bench.host = Host::Busy;
    bench.call("UpdateFirmware", update(&bench, -1, 0));
    bench.host = Host::Able;
    bench.power_cut();
    bench.advance(seconds(60));
    assert_eq!(told(&bench).last().map(String::as_str), Some("Installed"));
}

#[test]
fn a_signed_update_is_verified_and_names_its_request() {
    let mut bench = Bench::booted();
    assert_eq!(
        bench.call("SignedUpdateFirmware", signed(&bench, 17))["status"],
        "Accepted"
    );
    bench.advance(seconds(60));
    assert_eq!(
        told(&bench),
        [
            "Downloading",
            "Downloaded",
            "SignatureVerified",
            "Unavailable",
            "Unavailable",
            "Unavailable",
            "Installing",
            "InstallRebooting",
            "Boot",
            "Available",
            "Available",
            "Available",
            "FirmwareUpdated",
            "Installed"
        ]
    );
    let statuses = bench.of("SignedFirmwareStatusNotification");
    assert!(statuses.iter().all(|r| r.payload["requestId"] == 17));
    assert_eq!(statuses.len(), 6);
}

#[test]
fn a_signer_or_a_signature_that_cannot_be_trusted_ends_it() {
    let mut bench = Bench::booted();
    bench.host = Host::Unable;
    let answer = bench.call("SignedUpdateFirmware", signed(&bench, 1));
    assert_eq!(answer["status"], "InvalidCertificate");
    assert_eq!(told(&bench), ["InvalidFirmwareSigningCertificate"]);

    let mut bench = Bench::booted();
    bench.call("SignedUpdateFirmware", signed(&bench, 2));
    // The download and its verification, one by one.
    let mut bench = Bench::booted();
    bench.host = Host::Busy;
    bench.send("SignedUpdateFirmware", signed(&bench, 3));
    bench.give(Input::Done(1, evse_core::Done::Yes));
    bench.give(Input::Done(2, evse_core::Done::Yes));
    bench.give(Input::Done(3, evse_core::Done::No));
    bench.advance(seconds(1));
    assert_eq!(
        told(&bench),
        [
            "Downloading",
            "Downloaded",
            "InvalidSignature",
            "InvalidFirmwareSignature"
        ]
    );
}

#[test]
fn a_newer_update_takes_the_place_of_one_that_is_being_fetched() {
    let mut bench = Bench::booted();
    bench.host = Host::Busy;
    bench.send("SignedUpdateFirmware", signed(&bench, 1));
    bench.give(Input::Done(1, evse_core::Done::Yes));
    bench.host = Host::Able;
    let answer = bench.call("SignedUpdateFirmware", signed(&bench, 2));
    assert_eq!(answer["status"], "AcceptedCanceled");
    assert_eq!(bench.called_off, [2]);
    bench.give(Input::Done(2, evse_core::Done::No));
    bench.advance(seconds(60));
    assert_eq!(told(&bench).last().map(String::as_str), Some("Installed"));
}

#[test]
fn diagnostics_are_uploaded_and_told() {
    for (host, word) in [(Host::Able, "Uploaded"), (Host::Unable, "UploadFailed")] {
        let mut bench = Bench::booted();
        bench.host = host;
        let request = json!({ "location": "http://h/files/t", "startTime": at(&bench, -60), "retries": 1, "retryInterval": 5 });
        let name = bench.call("GetDiagnostics", request)["fileName"].clone();
        assert!(name.as_str().is_some_and(|name| name.ends_with(".log")));
        bench.advance(seconds(30));
        assert_eq!(told(&bench), ["Uploading", word]);
        assert_eq!(bench.works.len(), if word == "Uploaded" { 1 } else { 2 });
        assert_eq!(bench.of("DiagnosticsStatusNotification").len(), 2);
    }
}

#[test]
fn a_log_is_uploaded_under_its_request_and_a_second_one_cancels_it() {
    let mut bench = Bench::booted();
    let log = |request: i64| json!({ "logType": "SecurityLog", "requestId": request, "log": { "remoteLocation": "http://h/files/t" } });
    bench.host = Host::Busy;
    assert_eq!(bench.call("GetLog", log(1))["status"], "Accepted");
    bench.call(
        "ExtendedTriggerMessage",
        json!({ "requestedMessage": "LogStatusNotification" }),
    );
    bench.host = Host::Able;
    assert_eq!(bench.call("GetLog", log(2))["status"], "AcceptedCanceled");
    bench.advance(seconds(1));
    let told: Vec<_> = bench
        .of("LogStatusNotification")
        .iter()
        .map(|r| {
            (
                r.payload["status"].as_str().expect("text").to_owned(),
                r.payload["requestId"].as_i64(),
            )
        })
        .collect();
    let expected = [
        ("Uploading", 1),
        ("Uploading", 1),
        ("Uploading", 2),
        ("Uploaded", 2),
    ];
    assert_eq!(told, expected.map(|(word, id)| (word.to_owned(), Some(id))));
}

#[test]
fn what_is_told_of_files_outlives_the_link() {
    let mut bench = Bench::booted();
    bench.host = Host::Busy;
    bench.call("GetDiagnostics", json!({ "location": "http://h/files/t" }));
    bench.network = false;
    bench.break_link();
    bench.give(Input::Done(1, evse_core::Done::Yes));
    bench.network = true;
    bench.advance(seconds(300));
    assert_eq!(bench.of("DiagnosticsStatusNotification").len(), 2);
}
