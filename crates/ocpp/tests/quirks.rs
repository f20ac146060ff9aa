//! Golden frames: what real chargers send, through the Link and into the types, and what was found wrong with it.
//! Each test names the row of `ocpp-quirks.md`, or the maker, it answers. Meter values have `tests/meter.rs`.

#[path = "support/golden.rs"]
mod golden;

use golden::{call, read};
use ocpp::v16::*;
use ocpp::{Finding, Rule, decode, lenient};

fn rules(findings: &[Finding]) -> Vec<(&str, Rule)> {
    findings
        .iter()
        .map(|finding| (finding.pointer.as_str(), finding.rule))
        .collect()
}

// Payloads that were reported in public.

#[test]
fn quirk_37_legrand_reports_an_error_code_of_its_own() {
    let (request, findings) = call::<StatusNotificationRequest>(
        "StatusNotification",
        r#"{"connectorId":0,"errorCode":"Error","status":"Faulted","timestamp":"2024-08-03T16:16:55Z"}"#,
    );
    assert_eq!(
        request.error_code,
        Some(ChargePointErrorCode::Unlisted("Error".into()))
    );
    assert_eq!(request.status, Some(ChargePointStatus::Faulted));
    assert_eq!(rules(&findings), [("/errorCode", Rule::Choice)]);
    assert!(
        findings[0]
            .to_string()
            .starts_with(r#"/errorCode is "Error": expected one of ConnectorLockFailure"#)
    );
}

#[test]
fn quirk_36_schneider_has_a_serial_number_longer_than_allowed() {
    let (request, findings) = call::<BootNotificationRequest>(
        "BootNotification",
        r#"{"chargeBoxSerialNumber":"EVB1A22P2RI3N182341200100350795E5","chargePointModel":"EVlink Smart Wallbox","chargePointSerialNumber":"3N18310641B55","chargePointVendor":"Schneider Electric","firmwareVersion":"3.4.0.2"}"#,
    );
    assert_eq!(
        request.charge_box_serial_number.as_deref(),
        Some("EVB1A22P2RI3N182341200100350795E5")
    );
    assert_eq!(rules(&findings), [("/chargeBoxSerialNumber", Rule::Length)]);
    assert_eq!(findings[0].expected, "at most 25 characters");
}

#[test]
fn quirk_19_growatt_leaves_out_the_zone_and_another_shortens_it() {
    for (timestamp, expected) in [
        ("2023-10-19T15:28:07", "2023-10-19T15:28:07.000Z"),
        ("2024-04-26T14:35:02+02", "2024-04-26T12:35:02.000Z"),
        ("2019-05-10T16:05:33Z", "2019-05-10T16:05:33.000Z"),
    ] {
        let (request, _) = call::<StatusNotificationRequest>(
            "StatusNotification",
            &format!(
                r#"{{"connectorId":1,"errorCode":"NoError","status":"Available","timestamp":"{timestamp}"}}"#
            ),
        );
        assert_eq!(request.timestamp.unwrap().to_string(), expected);
    }
}

#[test]
fn simplecharge_sends_empty_texts() {
    let (request, findings) = call::<BootNotificationRequest>(
        "BootNotification",
        r#"{"chargePointVendor":"SimpleCharge","chargePointModel":"MultiSocketCharger","chargePointSerialNumber":"24250139","firmwareVersion":"1.24.0819.WL","iccid":"","imsi":""}"#,
    );
    assert_eq!(request.iccid.as_deref(), Some(""));
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn chago_names_its_vendor() {
    let (request, findings) = call::<StatusNotificationRequest>(
        "StatusNotification",
        r#"{"connectorId":1,"status":"Available","errorCode":"NoError","info":"Status Update","timestamp":"2019-05-10T16:05:33Z","vendorId":"Chago"}"#,
    );
    assert_eq!(request.vendor_id.as_deref(), Some("Chago"));
    assert!(findings.is_empty(), "{findings:?}");
}

#[test]
fn a_certificate_request_is_text() {
    let (request, findings) = call::<SignCertificateRequest>(
        "SignCertificate",
        r#"{"csr":"-----BEGIN CERTIFICATE REQUEST-----"}"#,
    );
    assert_eq!(
        request.csr.as_deref(),
        Some("-----BEGIN CERTIFICATE REQUEST-----")
    );
    assert!(findings.is_empty());
}

// Rows of the quirks list.

#[test]
fn quirk_14_a_heartbeat_may_have_no_payload() {
    for frame in [
        r#"[2,"1","Heartbeat"]"#,
        r#"[2,"1","Heartbeat",null]"#,
        r#"[2,"1","Heartbeat",{}]"#,
    ] {
        let (_, findings) = read::<HeartbeatRequest>(frame);
        assert!(findings.is_empty());
    }
}

#[test]
fn quirk_19_an_absurd_time_still_identifies_its_transaction() {
    let (request, _) = call::<StartTransactionRequest>(
        "StartTransaction",
        r#"{"connectorId":1,"idTag":"A","meterStart":5,"timestamp":"1970-01-01T00:00:09Z"}"#,
    );
    let timestamp = request.timestamp.unwrap();
    assert!(timestamp.credible().is_none());
    assert_eq!(timestamp.stated().map(|at| at.timestamp()), Some(9));
    let (request, _) = call::<StopTransactionRequest>(
        "StopTransaction",
        r#"{"timestamp":"2022-02-29T10:00:00Z"}"#,
    );
    assert!(request.timestamp.unwrap().stated().is_none());
}

#[test]
fn a_transaction_message_is_read_whatever_its_fields_hold() {
    let (request, findings) = call::<StartTransactionRequest>(
        "StartTransaction",
        r#"{"connectorId":"1","meterStart":1234.6,"reservationId":{"a":[1]},"timestamp":17}"#,
    );
    assert_eq!(
        (
            request.connector_id,
            request.meter_start,
            request.reservation_id
        ),
        (Some(1), Some(1235), None)
    );
    assert_eq!(request.id_tag, None);
    assert_eq!(
        rules(&findings),
        [
            ("/connectorId", Rule::Type),
            ("/meterStart", Rule::Type),
            ("/reservationId", Rule::Type),
            ("/timestamp", Rule::Type),
            ("/idTag", Rule::Required),
        ]
    );
    assert_eq!(
        findings[4].to_string(),
        "/idTag is missing: expected a text of at most 20 characters"
    );
    let (request, _) = call::<StopTransactionRequest>(
        "StopTransaction",
        r#"{"transactionId":"7","meterStop":"2,5","transactionData":"none","idTag":"\ud800A\u0000"}"#,
    );
    assert_eq!(
        (request.transaction_id, request.meter_stop),
        (Some(7), Some(2))
    );
    assert_eq!(request.id_tag.as_deref(), Some("\u{fffd}A\u{fffd}"));
    assert!(request.transaction_data.is_empty());
}

#[test]
fn a_number_beyond_every_float_is_absurd_and_costs_nothing_else_of_the_message() {
    let (request, findings) = call::<StartTransactionRequest>(
        "StartTransaction",
        r#"{"connectorId":-1e400,"idTag":"a\"1e400\\","meterStart":1e400,"timestamp":"2026-11-20T10:00:00Z"}"#,
    );
    assert_eq!(request.id_tag.as_deref(), Some(r#"a"1e400\"#));
    assert!(request.timestamp.is_some());
    assert_eq!(request.meter_start, Some(9_000_000_000_000_000_000));
    assert_eq!(request.connector_id, Some(-9_000_000_000_000_000_000));
    assert!(!findings.is_empty());
}

#[test]
fn quirk_36_and_49_tokens_are_looked_up_without_their_garbage() {
    for token in ["04A2B3C4", " 04a2b3c4 ", "04A2b3C4\u{0}\u{1}\r\n"] {
        assert_eq!(lenient::token_key(token), "04a2b3c4", "{token:?}");
    }
}

#[test]
fn quirk_49_a_tidied_token_has_no_suffix_and_no_separators() {
    for (token, tidy) in [
        ("04A2B91C_12345", "04A2B91C"),
        ("04:A2:B9:1C", "04A2B91C"),
        ("04-A2 B9-1C_x", "04A2B91C"),
        ("BLUE-CARD", "BLUE-CARD"),
        ("04:A2:B9:1", "04:A2:B9:1"),
        ("plain", "plain"),
    ] {
        assert_eq!(lenient::tidy_token(token), tidy, "{token}");
    }
}

#[test]
fn quirk_38_unknown_fields_are_ignored_and_reported() {
    let (request, findings) = call::<AuthorizeRequest>(
        "Authorize",
        r#"{"idTag":"A","connectorId":1,"vendor":{"deep":[{}]}}"#,
    );
    assert_eq!(request.id_tag.as_deref(), Some("A"));
    assert_eq!(
        rules(&findings),
        [("/connectorId", Rule::Unknown), ("/vendor", Rule::Unknown)]
    );
}

#[test]
fn quirk_39_configuration_values_of_any_type_are_texts() {
    let answer: GetConfigurationResponse = decode(
        r#"{"configurationKey":[{"key":"a","readonly":"true","value":true},{"key":"b","readonly":false,"value":16.5},{"key":"c","value":null},{"key":"d","readonly":1,"value":""}],"unknownKey":"e"}"#,
    )
    .unwrap();
    let seen: Vec<_> = answer
        .configuration_key
        .iter()
        .map(|k| (k.readonly, k.value.as_deref()))
        .collect();
    assert_eq!(
        seen,
        [
            (Some(true), Some("true")),
            (Some(false), Some("16.5")),
            (None, None),
            (Some(true), Some(""))
        ]
    );
    assert_eq!(answer.unknown_key, ["e"]);
    let items = |value: &'static str| lenient::config_items(value).collect::<Vec<_>>();
    assert_eq!(items("\"Core, SmartCharging,\""), ["Core", "SmartCharging"]);
    assert!(items(" ").is_empty());
}

#[test]
fn a_key_that_comes_twice_is_refused_by_name() {
    let error = decode::<AuthorizeRequest>(r#"{"idTag":"A","idTag":"B"}"#).unwrap_err();
    assert!(
        error.description.contains("duplicate field `idTag`"),
        "{error}"
    );
}
