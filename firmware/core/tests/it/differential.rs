//! Two readings of the standard must agree: what this core writes, `ocpp` reads without a finding, and back.
//! [`both_read_alike`] looks at every frame of every other test in this folder, the shaken ones included.

use evse_core::{
    Event,
    ocpp::{Frame, frame},
};
use ocpp::{ErrorCode, Timestamp, Version, encode, v16};
use serde_json::{Value, json};

use crate::bench::Bench;

/// Asserts that both readers see the same frame, and that `ocpp` finds nothing wrong with its payload.
/// `asked` is the action of the server's last CALL, which an answer belongs to.
pub fn both_read_alike(text: &str, asked: Option<&str>) {
    let ours = Frame::parse(text).expect("the core reads what it writes");
    let theirs = ocpp::frame::parse(text).expect("ocpp reads what the core writes");
    let findings = match (&ours, &theirs) {
        (
            Frame::Call {
                id,
                action,
                payload,
            },
            ocpp::frame::Frame::Call {
                id: of,
                action: name,
                payload: body,
            },
        ) => {
            assert_eq!((&**id, action, payload), (of.text(), name, body));
            ocpp::check_request(Version::V16, action, payload)
        }
        (
            Frame::Result { id, payload },
            ocpp::frame::Frame::CallResult {
                id: of,
                payload: body,
            },
        ) => {
            assert_eq!((&**id, payload), (of.text(), body));
            ocpp::check_response(
                Version::V16,
                asked.expect("an answer to something"),
                payload,
            )
        }
        (Frame::Error { id, code, .. }, ocpp::frame::Frame::CallError { id: of, error }) => {
            assert_eq!(&**id, of.text());
            assert_eq!(
                error.code.to_wire(Version::V16),
                &**code,
                "the code's spelling in 1.6"
            );
            assert_eq!(ErrorCode::from_wire(code), error.code);
            return;
        }
        _ => panic!("read as different kinds: {text}"),
    };
    let findings = findings.expect("a message of 1.6");
    assert!(findings.is_empty(), "{findings:?} in {text}");
}

fn value(payload: &impl serde::Serialize) -> Value {
    serde_json::from_str(&encode(payload)).expect("JSON")
}

fn local_list() -> v16::SendLocalListRequest {
    v16::SendLocalListRequest {
        list_version: 4,
        local_authorization_list: vec![v16::AuthorizationData {
            id_tag: "A1".to_owned(),
            id_tag_info: Some(v16::IdTagInfo {
                status: v16::AuthorizationStatus::Accepted,
                parent_id_tag: Some("GROUP".to_owned()),
                expiry_date: Timestamp::read("2030-01-01T00:00:00+02:00").into(),
            }),
        }],
        update_type: v16::UpdateType::Full,
    }
}

fn charging_profile() -> v16::ChargingProfile {
    let start = Some(Timestamp::read("2025-01-01T00:00:00+02:00"));
    v16::ChargingProfile {
        charging_profile_id: 11,
        transaction_id: None,
        stack_level: 2,
        charging_profile_purpose: v16::ChargingProfilePurpose::TxDefaultProfile,
        charging_profile_kind: v16::ChargingProfileKind::Recurring,
        recurrency_kind: Some(v16::RecurrencyKind::Daily),
        valid_from: start,
        valid_to: None,
        charging_schedule: v16::ChargingSchedule {
            duration: Some(86_400),
            start_schedule: start,
            charging_rate_unit: Some(v16::ChargingRateUnit::A),
            charging_schedule_period: vec![v16::ChargingSchedulePeriod {
                start_period: Some(0),
                limit: Some("16.1".parse().expect("a number")),
                number_phases: Some(3),
            }],
            min_charging_rate: Some("6.0".parse().expect("a number")),
        },
    }
}

/// Each request that the server's types can write is understood, none is called malformed.
#[test]
fn the_core_reads_every_request_that_ocpp_writes() {
    let mut bench = Bench::booted();
    let accepted = json!({ "status": "Accepted" });
    let rejected = json!({ "status": "Rejected" });
    let requests = [
        (
            "RemoteStartTransaction",
            value(&v16::RemoteStartTransactionRequest {
                connector_id: Some(1),
                id_tag: "A\"é1".to_owned(),
                charging_profile: None,
            }),
            &accepted,
        ),
        (
            "RemoteStopTransaction",
            value(&v16::RemoteStopTransactionRequest { transaction_id: -7 }),
            &rejected,
        ),
        (
            "ChangeConfiguration",
            value(&v16::ChangeConfigurationRequest {
                key: "ConnectionTimeOut".to_owned(),
                value: "600".to_owned(),
            }),
            &accepted,
        ),
        (
            "ChangeAvailability",
            value(&v16::ChangeAvailabilityRequest {
                connector_id: 0,
                kind: v16::AvailabilityType::Operative,
            }),
            &accepted,
        ),
        (
            "TriggerMessage",
            value(&v16::TriggerMessageRequest {
                requested_message: v16::MessageTrigger::Heartbeat,
                connector_id: None,
            }),
            &accepted,
        ),
        (
            "ClearCache",
            value(&v16::ClearCacheRequest::default()),
            &accepted,
        ),
        ("SendLocalList", value(&local_list()), &accepted),
        (
            "ReserveNow",
            value(&v16::ReserveNowRequest {
                connector_id: 0,
                expiry_date: Timestamp::read("2030-01-01T00:00:00+02:00"),
                id_tag: "B2".to_owned(),
                parent_id_tag: Some("GROUP".to_owned()),
                reservation_id: 7,
            }),
            &accepted,
        ),
        (
            "CancelReservation",
            value(&v16::CancelReservationRequest { reservation_id: 7 }),
            &accepted,
        ),
        (
            "SetChargingProfile",
            value(&v16::SetChargingProfileRequest {
                connector_id: 0,
                cs_charging_profiles: charging_profile(),
            }),
            &accepted,
        ),
        (
            "ClearChargingProfile",
            value(&v16::ClearChargingProfileRequest {
                id: Some(11),
                ..Default::default()
            }),
            &accepted,
        ),
        (
            "Reset",
            value(&v16::ResetRequest {
                kind: v16::ResetType::Soft,
            }),
            &accepted,
        ),
    ];
    for (action, payload, expected) in requests {
        assert_eq!(
            &bench.call(action, payload.clone()),
            expected,
            "{action} {payload}"
        );
    }
    let unlock = value(&v16::UnlockConnectorRequest { connector_id: 2 });
    assert_eq!(
        bench.call("UnlockConnector", unlock),
        json!({ "status": "Unlocked" })
    );
    let get = value(&v16::GetConfigurationRequest {
        key: vec!["ConnectionTimeOut".to_owned()],
    });
    assert_eq!(
        bench.call("GetConfiguration", get)["configurationKey"][0]["value"],
        "600"
    );
    let transfer = v16::DataTransferRequest {
        vendor_id: Some("x".to_owned()),
        message_id: None,
        data: None,
    };
    assert_eq!(
        bench.call("DataTransfer", value(&transfer)),
        json!({ "status": "UnknownVendorId" })
    );
}

/// The same for what the server asks of files and certificates.
#[test]
fn the_core_reads_every_request_of_files_and_certificates_that_ocpp_writes() {
    let time = Timestamp::read("2030-01-01T00:00:00+02:00");
    let kind = v16::CertificateUse::CentralSystemRootCertificate;
    let log = v16::LogParameters {
        remote_location: "http://h/files/t".to_owned(),
        oldest_timestamp: Some(time),
        latest_timestamp: Some(time),
    };
    let firmware = v16::Firmware {
        location: "http://h/files/t".to_owned(),
        retrieve_date_time: time,
        install_date_time: Some(time),
        signing_certificate: "-----BEGIN CERTIFICATE-----\n\"".to_owned(),
        signature: "c2ln".to_owned(),
    };
    let hash = crate::bench::hash();
    let requests = [
        (
            "UpdateFirmware",
            value(&v16::UpdateFirmwareRequest {
                location: "http://h/files/t".to_owned(),
                retries: Some(3),
                retrieve_date: time,
                retry_interval: Some(60),
            }),
        ),
        (
            "GetDiagnostics",
            value(&v16::GetDiagnosticsRequest {
                location: "http://h/files/t".to_owned(),
                retries: Some(3),
                retry_interval: Some(60),
                start_time: Some(time),
                stop_time: Some(time),
            }),
        ),
        (
            "GetLog",
            value(&v16::GetLogRequest {
                log,
                log_type: v16::LogType::SecurityLog,
                request_id: 7,
                retries: None,
                retry_interval: None,
            }),
        ),
        (
            "SignedUpdateFirmware",
            value(&v16::SignedUpdateFirmwareRequest {
                retries: None,
                retry_interval: None,
                request_id: 8,
                firmware,
            }),
        ),
        (
            "InstallCertificate",
            value(&v16::InstallCertificateRequest {
                certificate_type: kind.clone(),
                certificate: "PEM".to_owned(),
            }),
        ),
        (
            "GetInstalledCertificateIds",
            value(&v16::GetInstalledCertificateIdsRequest {
                certificate_type: kind,
            }),
        ),
        (
            "DeleteCertificate",
            json!({ "certificateHashData": serde_json::to_value(hash).expect("JSON") }),
        ),
        (
            "CertificateSigned",
            value(&v16::CertificateSignedRequest {
                certificate_chain: "PEM".to_owned(),
            }),
        ),
        (
            "ExtendedTriggerMessage",
            value(&v16::ExtendedTriggerMessageRequest {
                requested_message: v16::ExtendedMessageTrigger::Heartbeat,
                connector_id: Some(1),
            }),
        ),
    ];
    let mut bench = Bench::booted();
    for (action, payload) in requests {
        let answer = bench.call(action, payload.clone());
        assert!(answer.is_object(), "{action} {payload}: {answer}");
    }
}

/// A command that is not of 1.6 is told so by the standard's name for that; each of 1.6 is known.
#[test]
fn every_command_of_1_6_is_known_and_others_are_not() {
    let mut bench = Bench::booted();
    for message in ocpp::schema::commands(Version::V16) {
        let known = bench.call(message.action, json!({})) != json!("NotImplemented");
        assert!(known, "{}", message.action);
    }
    assert_eq!(
        bench.call("SetVariables", json!({})),
        json!("NotImplemented")
    );
}

/// The answers of the server's types are understood: no answer of theirs counts as refused.
#[test]
fn the_core_reads_every_answer_that_ocpp_writes() {
    let info = v16::IdTagInfo {
        status: v16::AuthorizationStatus::Accepted,
        parent_id_tag: Some("GROUP".to_owned()),
        expiry_date: Timestamp::read("2030-01-01T00:00:00+02:00").into(),
    };
    let time = Timestamp::read("2025-11-20T13:48:20Z");
    let boot = v16::BootNotificationResponse {
        status: v16::RegistrationStatus::Accepted,
        current_time: time,
        interval: 86_400,
    };
    let answers = [
        ("BootNotification", encode(&boot)),
        (
            "StatusNotification",
            encode(&v16::StatusNotificationResponse::default()),
        ),
        (
            "Heartbeat",
            encode(&v16::HeartbeatResponse { current_time: time }),
        ),
        (
            "Authorize",
            encode(&v16::AuthorizeResponse {
                id_tag_info: info.clone(),
            }),
        ),
        (
            "StartTransaction",
            encode(&v16::StartTransactionResponse {
                id_tag_info: info.clone(),
                transaction_id: i64::from(i32::MAX),
            }),
        ),
        ("MeterValues", encode(&v16::MeterValuesResponse::default())),
        (
            "StopTransaction",
            encode(&v16::StopTransactionResponse {
                id_tag_info: Some(info),
            }),
        ),
    ];
    let mut bench = Bench::new();
    bench.scripted = answers
        .map(|(action, payload)| (action.to_owned(), payload))
        .to_vec();
    bench.advance(10);
    bench.meter(1, 1_000);
    bench.give(evse_core::Input::Plug(1));
    bench.swipe(1, "A1");
    bench.call(
        "TriggerMessage",
        json!({ "requestedMessage": "MeterValues", "connectorId": 1 }),
    );
    bench.call("TriggerMessage", json!({ "requestedMessage": "Heartbeat" }));
    // Another card of the same group.
    bench.swipe(1, "B2");
    for action in [
        "BootNotification",
        "StatusNotification",
        "Heartbeat",
        "Authorize",
        "StartTransaction",
        "MeterValues",
        "StopTransaction",
    ] {
        assert!(!bench.of(action).is_empty(), "{action} was not sent");
    }
    let bad = bench.events.iter().find(|e| {
        matches!(
            e,
            Event::Refused { .. } | Event::Unexpected(_) | Event::Unanswered(_)
        )
    });
    assert_eq!(bad, None);
    assert_eq!(
        bench.of("StopTransaction")[0].payload["transactionId"],
        i32::MAX
    );
    let text = ocpp::frame::write_call_error(
        Version::V16,
        None,
        &ocpp::CallError::new(ErrorCode::InternalError, "away"),
    );
    assert!(
        matches!(Frame::parse(&text), Ok(Frame::Error { code, .. }) if code == "InternalError")
    );
    assert_eq!(
        frame::call("1", "Heartbeat", "{}"),
        ocpp::frame::write_call(&ocpp::MessageId::new("1"), "Heartbeat", "{}")
    );
}
