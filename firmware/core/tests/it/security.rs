//! The security whitepaper: certificates, keys, profiles and events.

use evse_core::{Done, Input, Settings, Work, ocpp::security::SecurityEvent};
use serde_json::{Value, json};

use crate::bench::{Bench, Host, hash, seconds};

fn configure(bench: &mut Bench, key: &str, value: &str) -> Value {
    let request = json!({ "key": key, "value": value });
    bench.call("ChangeConfiguration", request)["status"].clone()
}

fn events(bench: &Bench) -> Vec<String> {
    let of = bench.of("SecurityEventNotification");
    of.iter()
        .map(|r| r.payload["type"].as_str().expect("a type").to_owned())
        .collect()
}

#[test]
fn certificates_are_kept_listed_and_dropped_by_the_host() {
    let mut bench = Bench::booted();
    let root = json!({ "certificateType": "CentralSystemRootCertificate", "certificate": "PEM" });
    let kind = json!({ "certificateType": "CentralSystemRootCertificate" });
    let delete = json!({ "certificateHashData": hash() });
    assert_eq!(
        bench.call("InstallCertificate", root.clone()),
        json!({ "status": "Accepted" })
    );
    let listed = bench.call("GetInstalledCertificateIds", kind.clone());
    assert_eq!(
        listed,
        json!({ "status": "Accepted", "certificateHashData": [hash()] })
    );
    assert_eq!(
        bench.call("DeleteCertificate", delete.clone()),
        json!({ "status": "Accepted" })
    );
    assert_eq!(bench.works[2], Work::DeleteCertificate(hash()));

    bench.host = Host::Unable;
    assert_eq!(
        bench.call("InstallCertificate", root),
        json!({ "status": "Rejected" })
    );
    assert_eq!(events(&bench), ["InvalidCentralSystemCertificate"]);
    assert_eq!(
        bench.call("GetInstalledCertificateIds", kind),
        json!({ "status": "NotFound" })
    );
    assert_eq!(
        bench.call("DeleteCertificate", delete),
        json!({ "status": "Failed" })
    );
}

#[test]
fn a_certificate_is_asked_for_and_signed() {
    let mut bench = Bench::booted();
    let sign = json!({ "requestedMessage": "SignChargePointCertificate" });
    assert_eq!(
        bench.call("ExtendedTriggerMessage", sign)["status"],
        "Accepted"
    );
    assert_eq!(
        bench.of("SignCertificate")[0].payload["csr"],
        "-----BEGIN CERTIFICATE REQUEST-----"
    );
    let chain = json!({ "certificateChain": "PEM" });
    assert_eq!(
        bench.call("CertificateSigned", chain.clone())["status"],
        "Accepted"
    );
    assert_eq!(bench.works[1], Work::StoreChain("PEM".to_owned()));
    bench.host = Host::Unable;
    assert_eq!(bench.call("CertificateSigned", chain)["status"], "Rejected");
    assert_eq!(events(&bench), ["InvalidChargePointCertificate"]);
    let long = json!({ "certificateChain": "x".repeat(10_001) });
    assert_eq!(bench.call("CertificateSigned", long)["status"], "Rejected");
    assert_eq!(bench.works.len(), 3, "not even looked at");
}

#[test]
fn an_answer_that_nobody_waits_for_is_not_sent() {
    let mut bench = Bench::booted();
    bench.host = Host::Busy;
    bench.send("CertificateSigned", json!({ "certificateChain": "PEM" }));
    bench.break_link();
    bench.advance(seconds(10));
    bench.give(Input::Done(1, Done::Yes));
    assert!(bench.answers.is_empty());
}

#[test]
fn a_new_password_is_used_at_once_and_never_shown() {
    let mut bench = Bench::booted();
    for bad in [
        "",
        "short",
        &"f".repeat(42),
        &"x".repeat(41),
        "0123456789abcdé",
    ] {
        assert_eq!(
            configure(&mut bench, "AuthorizationKey", bad),
            "Rejected",
            "{bad}"
        );
    }
    bench.connects.clear();
    assert_eq!(
        configure(&mut bench, "AuthorizationKey", &"0aff".repeat(10)),
        "Accepted"
    );
    assert_eq!(bench.passwords, [[0x0a, 0xff].repeat(10)]);
    bench.advance(seconds(5));
    assert_eq!(bench.connects.len(), 1, "a new link");
    let key = bench.call("GetConfiguration", json!({ "key": ["AuthorizationKey"] }));
    assert_eq!(
        key,
        json!({ "configurationKey": [{ "key": "AuthorizationKey", "readonly": false }] })
    );
}

#[test]
fn a_security_profile_only_rises_and_falls_back_when_it_lets_nobody_in() {
    let mut bench = Bench::with(Settings {
        connectors: 1,
        highest_security_profile: 2,
        ..Settings::default()
    });
    bench.advance(10);
    assert_eq!(configure(&mut bench, "SecurityProfile", "3"), "Rejected");
    assert_eq!(configure(&mut bench, "SecurityProfile", "two"), "Rejected");
    assert_eq!(configure(&mut bench, "SecurityProfile", "1"), "Accepted");
    bench.advance(seconds(10));
    assert_eq!(configure(&mut bench, "SecurityProfile", "0"), "Rejected");
    bench.network = false;
    assert_eq!(configure(&mut bench, "SecurityProfile", "2"), "Accepted");
    bench.advance(seconds(60));
    assert_eq!(bench.security_profiles, [1, 2, 1]);
    bench.network = true;
    bench.advance(seconds(300));
    let answer = bench.call("GetConfiguration", json!({ "key": ["SecurityProfile"] }));
    assert_eq!(answer["configurationKey"][0]["value"], "1");
}

#[test]
fn events_are_told_where_the_server_wants_them_and_kept_until_it_heard() {
    let mut bench = Bench::with(Settings {
        connectors: 1,
        security_events: true,
        ..Settings::default()
    });
    bench.advance(10);
    assert_eq!(events(&bench), ["StartupOfTheDevice"]);
    bench.network = false;
    bench.break_link();
    bench.give(Input::SecurityEvent(SecurityEvent::Tamper, Some("the lid")));
    bench.power_cut();
    bench.network = true;
    bench.advance(seconds(300));
    assert_eq!(
        events(&bench)[1..],
        ["TamperDetectionActivated", "StartupOfTheDevice"]
    );
    bench.call("Reset", json!({ "type": "Soft" }));
    bench.advance(seconds(60));
    assert_eq!(events(&bench)[3..], ["ResetOrReboot", "StartupOfTheDevice"]);
}

#[test]
fn a_server_that_knows_no_events_does_not_hold_up_the_rest() {
    let mut bench = Bench::charging();
    bench.scripted = vec![(
        "SecurityEventNotification".to_owned(),
        "nonsense".to_owned(),
    )];
    bench.give(Input::SecurityEvent(SecurityEvent::Tamper, None));
    bench.give(Input::Unplug(1));
    // Its answer never comes in a way that can be read.
    bench.advance(seconds(40));
    assert_eq!(bench.of("StopTransaction").len(), 1);
    bench.advance(seconds(600));
    assert!(events(&bench).len() <= 3, "given up in the end");
}

#[test]
fn extended_triggers_answer_as_the_plain_ones() {
    let mut bench = Bench::booted();
    for (message, expected, action) in [
        ("BootNotification", "Accepted", "BootNotification"),
        ("Heartbeat", "Accepted", "Heartbeat"),
        ("StatusNotification", "Accepted", "StatusNotification"),
        ("MeterValues", "Accepted", "MeterValues"),
        (
            "FirmwareStatusNotification",
            "Accepted",
            "SignedFirmwareStatusNotification",
        ),
        ("LogStatusNotification", "Accepted", "LogStatusNotification"),
        ("Dance", "NotImplemented", ""),
    ] {
        bench.received.clear();
        let answer = bench.call(
            "ExtendedTriggerMessage",
            json!({ "requestedMessage": message }),
        );
        assert_eq!(answer["status"], expected, "{message}");
        assert!(
            action.is_empty() || bench.actions().contains(&action),
            "{message}"
        );
    }
}
