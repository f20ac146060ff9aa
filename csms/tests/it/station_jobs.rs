//! Firmware updates and log uploads as stations tell of them, security events, and vendors' own messages.

use std::time::Duration;

use chrono::TimeDelta;
use csms::Options;
use serde_json::{Value, json};
use store::commands;
use store::security_events::{self, SecurityEvent};
use store::station_jobs::{self, Job, JobEvent, Kind};
use store::{Room, Scope};

use crate::commands::queue;
use crate::jobs::{Wanted, make};
use crate::support::{Server, Station, eventually, noon};

/// A job of `CP1` with its command queued; its requestId.
async fn ask(server: &Server, kind: Kind, action: &str, payload: Value) -> i32 {
    let wanted = Wanted {
        kind,
        action,
        payload,
        file_id: None,
        token: None,
    };
    make(server, wanted).await.1
}

/// Takes the CALL of this action and answers it.
async fn obey(station: &mut Station, action: &str, answer: Value) {
    let call = station.receive().await;
    assert_eq!((&call[0], &call[2]), (&json!(2), &json!(action)));
    let answer = json!([3, call[1], answer]);
    station.send(&answer.to_string()).await;
}

async fn job(server: &Server, kind: Kind, request_id: i32) -> (Job, Vec<JobEvent>) {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let jobs = station_jobs::list(&mut db, kind, Some("cp1"), None, 50)
        .await
        .unwrap();
    let job = jobs
        .into_iter()
        .find(|job| job.request_id == request_id)
        .unwrap();
    let events = station_jobs::events(&mut db, &[job.id]).await.unwrap();
    (job, events)
}

async fn strays(server: &Server, kind: Kind) -> Vec<JobEvent> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    station_jobs::strays(&mut db, kind, "CP1", 50)
        .await
        .unwrap()
}

fn states(events: &[JobEvent]) -> Vec<(&str, i32)> {
    events
        .iter()
        .map(|event| (event.state.as_str(), event.times))
        .collect()
}

async fn tell(station: &mut Station, action: &str, status: &str) {
    assert_eq!(
        station.call(action, json!({ "status": status })).await,
        json!({})
    );
}

/// TC_044_1, TC_044_2 and TC_044_3, as far as the station tells of it.
#[tokio::test]
async fn a_firmware_update_is_followed_to_its_end_through_the_boot() {
    let server = Server::start().await;
    let update =
        json!({ "location": "http://127.0.0.1/fw", "retrieveDate": "2026-11-26T12:00:00Z" });
    let id = ask(&server, Kind::Firmware, "UpdateFirmware", update.clone()).await;
    assert_eq!(job(&server, Kind::Firmware, id).await.0.state, "queued");
    let mut station = server.station().await;
    obey(&mut station, "UpdateFirmware", json!({})).await;
    eventually("the answer is kept", async || {
        let (_, events) = job(&server, Kind::Firmware, id).await;
        events
            .iter()
            .any(|event| event.state == "Accepted")
            .then_some(())
    })
    .await;
    let about = "FirmwareStatusNotification";
    for status in ["Downloading", "Downloading", "Downloaded", "Installing"] {
        tell(&mut station, about, status).await;
    }
    station.close().await;
    let mut station = server
        .connect(server.request("CP1", "ocpp1.6"))
        .await
        .unwrap();
    let boot =
        json!({ "chargePointVendor": "Acme", "chargePointModel": "One", "firmwareVersion": "2.0" });
    station.call("BootNotification", boot).await;
    tell(&mut station, about, "Installed").await;
    // Said late, and said twice: neither undoes the end.
    tell(&mut station, about, "Installing").await;
    tell(&mut station, about, "Installed").await;
    let (done, events) = job(&server, Kind::Firmware, id).await;
    assert_eq!(
        (done.state.as_str(), done.succeeded),
        ("Installed", Some(true))
    );
    assert_eq!(done.booted_version.as_deref(), Some("2.0"));
    let told: Vec<_> = states(&events)
        .into_iter()
        .filter(|(state, _)| *state != "Accepted")
        .collect();
    let expected = [
        ("Downloading", 2),
        ("Downloaded", 1),
        ("Installing", 1),
        ("Booted", 1),
        ("Installed", 1),
        ("Installing", 1),
        ("Installed", 1),
    ];
    assert_eq!(told, expected);

    for failed in ["DownloadFailed", "InstallationFailed"] {
        let id = ask(&server, Kind::Firmware, "UpdateFirmware", update.clone()).await;
        obey(&mut station, "UpdateFirmware", json!({})).await;
        tell(&mut station, about, "Downloading").await;
        tell(&mut station, about, failed).await;
        let (job, _) = job(&server, Kind::Firmware, id).await;
        assert_eq!(
            (job.state.as_str(), job.succeeded, job.ended_at.is_some()),
            (failed, Some(false), true)
        );
        // It tries again by itself.
        tell(&mut station, about, "Downloading").await;
        let (again, _) = self::job(&server, Kind::Firmware, id).await;
        assert_eq!(
            (again.state.as_str(), again.succeeded, again.ended_at),
            ("Downloading", None, None)
        );
    }
}

/// Quirk 53 and the two status messages of TC_054.
#[tokio::test]
async fn a_state_of_no_job_is_kept_against_none() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for _ in 0..3 {
        tell(&mut station, "FirmwareStatusNotification", "Idle").await;
        tell(&mut station, "DiagnosticsStatusNotification", "Idle").await;
    }
    tell(&mut station, "FirmwareStatusNotification", "Installed").await;
    let unknown = json!({ "status": "Downloading", "requestId": 4_000_000_000_i64 });
    station
        .call("SignedFirmwareStatusNotification", unknown)
        .await;
    let firmware = strays(&server, Kind::Firmware).await;
    assert_eq!(
        states(&firmware),
        [("Downloading", 1), ("Installed", 1), ("Idle", 3)]
    );
    assert_eq!(firmware[0].request_id, Some(4_000_000_000));
    assert_eq!(states(&strays(&server, Kind::Log).await), [("Idle", 3)]);

    // An Idle while a job runs is not about the job.
    let get = json!({ "location": "http://127.0.0.1/logs" });
    let id = ask(&server, Kind::Log, "GetDiagnostics", get).await;
    obey(
        &mut station,
        "GetDiagnostics",
        json!({ "fileName": "a.zip" }),
    )
    .await;
    tell(&mut station, "DiagnosticsStatusNotification", "Uploading").await;
    tell(&mut station, "DiagnosticsStatusNotification", "Idle").await;
    assert_eq!(job(&server, Kind::Log, id).await.0.state, "Uploading");
    tell(
        &mut station,
        "DiagnosticsStatusNotification",
        "UploadFailed",
    )
    .await;
    assert_eq!(job(&server, Kind::Log, id).await.0.succeeded, Some(false));
}

/// TC_079 and the states of TC_080 and TC_081: each goes to the job of its requestId.
#[tokio::test]
async fn states_with_a_request_id_find_their_job() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let log =
        json!({ "logType": "SecurityLog", "log": { "remoteLocation": "http://127.0.0.1/logs" } });
    let one = ask(&server, Kind::Log, "GetLog", log.clone()).await;
    obey(&mut station, "GetLog", json!({ "status": "Accepted" })).await;
    let other = ask(&server, Kind::Log, "GetLog", log).await;
    obey(&mut station, "GetLog", json!({ "status": "Accepted" })).await;
    for status in ["Uploading", "Uploaded"] {
        let told = json!({ "status": status, "requestId": one });
        assert_eq!(station.call("LogStatusNotification", told).await, json!({}));
    }
    let (done, events) = job(&server, Kind::Log, one).await;
    assert_eq!(
        (done.state.as_str(), done.succeeded),
        ("Uploaded", Some(true))
    );
    let told = events
        .iter()
        .filter(|event| event.source == "LogStatusNotification");
    assert_eq!(told.count(), 2);
    assert_eq!(job(&server, Kind::Log, other).await.0.succeeded, None);

    // The two stations' numbers are apart: another's job is never found.
    server.add_station("CP2", None).await;
    let mut stranger = server.booted("CP2").await;
    let told = json!({ "status": "Uploaded", "requestId": other });
    stranger.call("LogStatusNotification", told).await;
    assert_eq!(job(&server, Kind::Log, other).await.0.succeeded, None);
}

async fn security_events(server: &Server) -> Vec<SecurityEvent> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    security_events::list(&mut db, &security_events::Filter::default(), None, 50)
        .await
        .unwrap()
}

#[tokio::test]
async fn security_events_are_kept_once_and_critical_ones_are_told() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for (kind, at) in [
        ("TamperDetectionActivated", "2026-11-26T10:00:00Z"),
        ("TamperDetectionActivated", "2026-11-26T10:00:00Z"),
        ("InvalidChargePointCertificate", "2026-11-26T10:00:01Z"),
        ("x-acme-door", "222222017-10-27T19:10:11Z"),
    ] {
        let event = json!({ "type": kind, "timestamp": at, "techInfo": "door 2" });
        assert_eq!(
            station.call("SecurityEventNotification", event).await,
            json!({})
        );
    }
    let found = security_events(&server).await;
    let seen: Vec<_> = found
        .iter()
        .map(|event| (event.kind.as_str(), event.critical, event.at.is_some()))
        .collect();
    assert_eq!(
        seen,
        [
            ("x-acme-door", false, false),
            ("InvalidChargePointCertificate", false, true),
            ("TamperDetectionActivated", true, true),
        ]
    );
    assert_eq!(found[0].tech_info.as_deref(), Some("door 2"));
    // A reader waits for whatever transaction is still open, so the event may be seen a little later.
    let told = eventually("the event", async || {
        let mut db = server.db.pool.acquire().await.unwrap();
        let start = store::events::Position::default();
        let events = store::events::after(&mut db, start, 100).await.unwrap();
        let told = events.iter().filter(|event| event.kind == "security.event");
        Some(told.count()).filter(|told| *told > 0)
    });
    assert_eq!(told.await, 1);
}

/// TC_064, and poison in every field (T07): an answer each time, and never `Accepted`.
#[tokio::test]
async fn a_vendors_message_that_nobody_knows_is_neither_accepted_nor_an_error() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for payload in [
        json!({ "vendorId": "com.example", "messageId": "x", "data": "{}" }),
        json!({ "vendorId": "com.example", "data": { "an": "object" } }),
        json!({}),
    ] {
        let answer = station.call("DataTransfer", payload).await;
        assert_eq!(answer, json!({ "status": "UnknownVendorId" }));
    }
    let long = "\u{0}\u{202e}".repeat(2_000);
    for action in [
        "FirmwareStatusNotification",
        "DiagnosticsStatusNotification",
        "SignedFirmwareStatusNotification",
        "LogStatusNotification",
    ] {
        for poison in [
            json!(null),
            json!(long),
            json!([]),
            json!(1e300),
            json!(-0.0),
        ] {
            let told = json!({ "status": poison, "requestId": poison });
            assert_eq!(station.call(action, told).await, json!({}));
        }
    }
    for poison in [json!(null), json!(long), json!({ "a": 1 }), json!(1e300)] {
        let event = json!({ "type": poison, "timestamp": poison, "techInfo": poison });
        assert_eq!(
            station.call("SecurityEventNotification", event).await,
            json!({})
        );
    }
    assert_eq!(security_events(&server).await.len(), 4);
}

/// The answers of TC_045_1, TC_079, TC_080 and TC_081 to the command itself.
#[tokio::test]
async fn the_answer_to_its_command_is_a_jobs_first_word() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let get = json!({ "location": "http://127.0.0.1/logs" });
    let id = ask(&server, Kind::Log, "GetDiagnostics", get).await;
    let name = json!({ "fileName": "../diag.zip" });
    obey(&mut station, "GetDiagnostics", name).await;
    let named = eventually("the file's name", async || {
        let (job, _) = job(&server, Kind::Log, id).await;
        job.file_name.is_some().then_some(job)
    });
    let named = named.await;
    assert_eq!(named.file_name.as_deref(), Some("../diag.zip"));
    assert_eq!((named.state.as_str(), named.ended_at), ("Accepted", None));

    let update = json!({ "firmware": { "location": "http://127.0.0.1/fw", "retrieveDateTime": "2026-11-26T12:00:00Z",
                                       "signingCertificate": "pem", "signature": "c2ln" } });
    for refusal in ["Rejected", "InvalidCertificate", "RevokedCertificate"] {
        let action = "SignedUpdateFirmware";
        let id = ask(&server, Kind::Firmware, action, update.clone()).await;
        obey(&mut station, action, json!({ "status": refusal })).await;
        let ended = eventually(refusal, async || {
            let (job, _) = job(&server, Kind::Firmware, id).await;
            job.ended_at.is_some().then_some(job)
        });
        let ended = ended.await;
        assert_eq!(
            (ended.state.as_str(), ended.succeeded),
            (refusal, Some(false))
        );
    }

    // A second log takes the place of the first.
    let log = json!({ "logType": "DiagnosticsLog", "log": { "remoteLocation": "http://127.0.0.1/logs" } });
    let first = ask(&server, Kind::Log, "GetLog", log.clone()).await;
    obey(
        &mut station,
        "GetLog",
        json!({ "status": "Accepted", "filename": "a" }),
    )
    .await;
    let second = ask(&server, Kind::Log, "GetLog", log).await;
    obey(
        &mut station,
        "GetLog",
        json!({ "status": "AcceptedCanceled", "filename": "b" }),
    )
    .await;
    let replaced = eventually("the first replaced", async || {
        let (job, _) = job(&server, Kind::Log, first).await;
        job.ended_at.is_some().then_some(job)
    });
    assert_eq!(replaced.await.state, "Replaced");
    let (second, _) = job(&server, Kind::Log, second).await;
    assert_eq!(
        (second.state.as_str(), second.ended_at),
        ("AcceptedCanceled", None)
    );
}

/// What `CP1` is known to have: use, algorithm and serial number, and whether its PEM is known.
async fn certificates(server: &Server) -> Vec<(String, String, String, bool)> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let station = store::stations_read::get(&mut db, "CP1").await.unwrap();
    let station = station.unwrap().id;
    let found = store::installed_certificates::list(&mut db, station);
    let line = |one: store::installed_certificates::Installed| {
        let known = one.pem.is_some();
        (
            one.certificate_use,
            one.hash.algorithm,
            one.hash.serial_number,
            known,
        )
    };
    found.await.unwrap().into_iter().map(line).collect()
}

/// TC_075_1, TC_075_2, TC_076 and TC_078, as far as what is kept of them.
#[tokio::test]
async fn what_a_station_installs_lists_and_deletes_is_known() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let name = certs::Name {
        common: "Root",
        organisation: "Acme",
    };
    let root = certs::Authority::create(name, 30, noon()).unwrap();
    let serial = certs::Facts::of_pem(&root.certificate).unwrap().serial;
    let root_use = "CentralSystemRootCertificate";
    let install = json!({ "certificateType": root_use, "certificate": root.certificate });
    queue(&server, "InstallCertificate", install.clone()).await;
    obey(
        &mut station,
        "InstallCertificate",
        json!({ "status": "Rejected" }),
    )
    .await;
    queue(&server, "InstallCertificate", install.clone()).await;
    obey(
        &mut station,
        "InstallCertificate",
        json!({ "status": "Accepted" }),
    )
    .await;
    let known = async |expected: &[(&str, &str, bool)]| {
        eventually("what is known", async || {
            let found = certificates(&server).await;
            let found: Vec<_> = found
                .iter()
                .map(|(_, algorithm, serial, known)| {
                    let serial = serial.trim_start_matches('0');
                    (algorithm.as_str(), serial, *known)
                })
                .collect();
            (found == expected).then_some(())
        })
        .await;
    };
    let serial = serial.trim_start_matches('0');
    known(&[("SHA256", serial, true)]).await;
    for algorithm in ["SHA384", "SHA512"] {
        let hash = json!({ "hashAlgorithm": algorithm, "issuerNameHash": "AA", "issuerKeyHash": "BB",
                           "serialNumber": format!("00{serial}") });
        queue(
            &server,
            "GetInstalledCertificateIds",
            json!({ "certificateType": root_use }),
        )
        .await;
        let list = json!({ "status": "Accepted", "certificateHashData": [hash] });
        obey(&mut station, "GetInstalledCertificateIds", list).await;
        known(&[(algorithm, serial, true)]).await;
        let delete = json!({ "certificateHashData": hash });
        queue(&server, "DeleteCertificate", delete.clone()).await;
        obey(
            &mut station,
            "DeleteCertificate",
            json!({ "status": "Failed" }),
        )
        .await;
        queue(&server, "DeleteCertificate", delete.clone()).await;
        obey(
            &mut station,
            "DeleteCertificate",
            json!({ "status": "Accepted" }),
        )
        .await;
        known(&[]).await;
        queue(&server, "InstallCertificate", install.clone()).await;
        obey(
            &mut station,
            "InstallCertificate",
            json!({ "status": "Accepted" }),
        )
        .await;
        known(&[("SHA256", serial, true)]).await;
    }
    queue(
        &server,
        "GetInstalledCertificateIds",
        json!({ "certificateType": root_use }),
    )
    .await;
    obey(
        &mut station,
        "GetInstalledCertificateIds",
        json!({ "status": "NotFound" }),
    )
    .await;
    known(&[]).await;
}

/// What the station was never asked, or did not answer, or refused, is no job that goes on.
#[tokio::test]
async fn a_job_without_an_answer_ends_with_the_reason() {
    let server = Server::with(Options {
        call_timeout: Duration::from_millis(500),
        ..Options::default()
    })
    .await;
    let log = json!({ "location": "http://127.0.0.1/logs" });
    let ended = async |id: i32, state: &str, reason: &str| {
        eventually(state, async || {
            let (job, events) = job(&server, Kind::Log, id).await;
            (job.state == state && job.ended_at.is_some()).then_some((job, events))
        })
        .await;
        let (job, events) = job(&server, Kind::Log, id).await;
        assert_eq!(job.succeeded, Some(false), "{state}");
        let why = events.last().unwrap();
        assert_eq!(why.state, state);
        assert!(why.detail.as_ref().unwrap().contains(reason), "{why:?}");
    };
    let mut db = server.db.pool.acquire().await.unwrap();
    let cancelled = ask(&server, Kind::Log, "GetDiagnostics", log.clone()).await;
    let command = job(&server, Kind::Log, cancelled).await.0.command_id;
    assert!(
        commands::cancel(&mut db, command.unwrap(), noon())
            .await
            .unwrap()
    );
    ended(cancelled, "cancelled", "taken back").await;

    let expired = ask(&server, Kind::Log, "GetDiagnostics", log.clone()).await;
    let later = noon() + TimeDelta::minutes(6);
    commands::expire(&mut db, later).await.unwrap();
    ended(expired, "expired", "in time").await;

    let mut station = server.station().await;
    // What was never sent hears no word: this one is of no job.
    tell(&mut station, "DiagnosticsStatusNotification", "Uploading").await;
    assert_eq!(
        states(&strays(&server, Kind::Log).await),
        [("Uploading", 1)]
    );

    let refused = ask(&server, Kind::Log, "GetDiagnostics", log.clone()).await;
    let call = station.receive().await;
    let error = json!([4, call[1], "NotSupported", "no disk", {}]);
    station.send(&error.to_string()).await;
    ended(refused, "NotSupported", "no disk").await;

    let silent = ask(&server, Kind::Log, "GetDiagnostics", log).await;
    station.receive().await;
    ended(silent, "timeout", "no answer").await;
    // It was at work all the same.
    tell(&mut station, "DiagnosticsStatusNotification", "Uploading").await;
    let (job, _) = job(&server, Kind::Log, silent).await;
    assert_eq!(
        (job.state.as_str(), job.ended_at, job.succeeded),
        ("Uploading", None, None)
    );
}
