//! Golden frames: what real chargers send, through the Link and into the types, and what is made of it.
//! Each test names the row of `ocpp-quirks.md` it answers.

use std::time::Duration;

use ocpp::meter::{self, Flag, Habits, Readings};
use ocpp::v16::*;
use ocpp::{Finding, Limits, Link, Output, Rule, Version, check_request, decode, lenient};
use serde::de::DeserializeOwned;

/// A frame as it came over the wire: it must be handed up, never refused.
#[track_caller]
fn read<T: DeserializeOwned>(frame: &str) -> (T, Vec<Finding>) {
    let mut link = Link::new(Version::V16, Limits::default());
    let outputs = link.receive(Duration::ZERO, frame);
    let [
        Output::Asked {
            action, payload, ..
        },
    ] = outputs.as_slice()
    else {
        panic!("{outputs:?}")
    };
    (
        decode(payload).unwrap(),
        check_request(Version::V16, action, payload).unwrap(),
    )
}

#[track_caller]
fn call<T: DeserializeOwned>(action: &str, payload: &str) -> (T, Vec<Finding>) {
    read(&format!("[2,\"1\",\"{action}\",{payload}]"))
}

fn rules(findings: &[Finding]) -> Vec<(&str, Rule)> {
    findings
        .iter()
        .map(|finding| (finding.pointer.as_str(), finding.rule))
        .collect()
}

fn meter(payload: &str) -> Readings {
    let (request, _): (MeterValuesRequest, _) = call("MeterValues", payload);
    meter::normalise(&request.meter_value, Habits::default())
}

/// Readings of one meter value at one good time.
fn sampled(readings: &str) -> Readings {
    meter(&format!(
        r#"{{"connectorId":1,"meterValue":[{{"timestamp":"2024-04-16T17:28:55Z","sampledValue":{readings}}}]}}"#
    ))
}

// Rows 1 to 11 of the real-world payloads.

#[test]
fn legrand_reports_an_error_code_of_its_own() {
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
fn huawei_sends_one_meter_value_without_its_array() {
    let readings = meter(
        r#"{"connectorId":1,"transactionId":1,"meterValue":{"timestamp":"2024-04-16T17:28:55.000Z","sampledValue":[{"value":"0.00","context":"Transaction.Begin","measurand":"Energy.Active.Import.Register","unit":"kWh"}]}}"#,
    );
    let [sample] = readings.samples.as_slice() else {
        panic!("{readings:?}")
    };
    assert_eq!(
        (sample.energy_wh, &sample.context),
        (Some(0), &ReadingContext::TransactionBegin)
    );
    assert_eq!(
        sample.at.map(|at| at.to_string()).as_deref(),
        Some("2024-04-16T17:28:55.000Z")
    );
    assert!(readings.flags.is_empty());
}

#[test]
fn schneider_has_a_serial_number_longer_than_allowed() {
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
fn heidelberg_sends_an_empty_value() {
    let readings = meter(
        r#"{"meterValue":[{"timestamp":"2025-01-07T11:18:59Z","sampledValue":[{"context":"Trigger","measurand":"Power.Active.Import","value":""}]}],"connectorId":0,"transactionId":0}"#,
    );
    assert_eq!(
        (readings.samples.len(), readings.flags),
        (0, vec![Flag::ValueDropped])
    );
}

#[test]
fn growatt_leaves_out_the_zone_and_another_shortens_it() {
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
fn a_frequency_in_hz_is_kept_as_it_came() {
    let readings = sampled(r#"[{"value":"49.98","measurand":"Frequency","unit":"Hz"}]"#);
    let expected = r#"[{"value":"49.98","measurand":"Frequency","unit":"Hz"}]"#;
    assert_eq!(readings.samples[0].rest.as_deref(), Some(expected));
    assert!(readings.flags.is_empty());
}

#[test]
fn a_temperature_may_be_a_number_in_celcius() {
    for unit in ["Celsius", "Celcius"] {
        let readings = sampled(&format!(
            r#"[{{"value":12.5,"measurand":"Temperature","unit":"{unit}"}}]"#
        ));
        assert_eq!(
            (
                readings.samples[0].temperature_dc,
                readings.flags.as_slice()
            ),
            (Some(125), [].as_slice())
        );
    }
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

// The rows of the quirks list that belong to reading.

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
fn quirk_30_energy_comes_in_many_units() {
    for (reading, energy, flags) in [
        (r#"{"value":"1234"}"#, Some(1234), vec![]),
        (r#"{"value":"1.2345","unit":"kWh"}"#, Some(1235), vec![]),
        (
            r#"{"value":"1.2","unit":"KWH"}"#,
            Some(1200),
            vec![Flag::UnitMended],
        ),
        (
            r#"{"value":"1234","unit":"VAh"}"#,
            Some(1234),
            vec![Flag::UnitMended],
        ),
        (
            r#"{"value":"1234","unit":""}"#,
            Some(1234),
            vec![Flag::UnitAssumed],
        ),
        (
            r#"{"value":"1234","unit":"furlong"}"#,
            None,
            vec![Flag::UnitUnknown],
        ),
    ] {
        let readings = sampled(&format!("[{reading}]"));
        assert_eq!(
            (readings.samples[0].energy_wh, &readings.flags),
            (energy, &flags),
            "{reading}"
        );
        assert_eq!(readings.samples[0].rest.is_some(), energy.is_none());
    }
    let (request, _): (MeterValuesRequest, _) = call(
        "MeterValues",
        r#"{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"1.5","unit":"Wh"},{"value":"2","context":"Trigger","unit":"kWh"}]}]}"#,
    );
    let readings = meter::normalise(&request.meter_value, Habits { wh_means_kwh: true });
    assert_eq!(
        (readings.samples[0].energy_wh, readings.samples[1].energy_wh),
        (Some(1500), Some(2000))
    );
}

#[test]
fn quirk_30_temperatures_are_celsius_in_the_end() {
    for (value, unit, expected) in [
        ("20", "°C", 200),
        ("293.15", "K", 200),
        ("68", "Fahrenheit", 200),
        ("-4", "f", -200),
    ] {
        let readings = sampled(&format!(
            r#"[{{"value":"{value}","measurand":"Temperature","unit":"{unit}"}}]"#
        ));
        assert_eq!(
            readings.samples[0].temperature_dc,
            Some(expected),
            "{value} {unit}"
        );
    }
}

#[test]
fn quirk_31_numbers_are_read_as_they_come_and_only_the_bad_one_is_dropped() {
    let readings = sampled(
        r#"[{"value":"7,25","measurand":"Current.Import"},{"value":"nan","measurand":"Voltage"},{"value":230.04,"measurand":"Voltage"},{"value":"","measurand":"SoC"},{"value":"1e3","measurand":"Power.Active.Import"}]"#,
    );
    let sample = &readings.samples[0];
    assert_eq!(
        (
            sample.current_ma[0],
            sample.voltage_mv[0],
            sample.power_w,
            sample.soc_pm
        ),
        (Some(7250), Some(230_040), Some(1000), None)
    );
    assert_eq!(readings.flags, [Flag::ValueDropped]);
    let readings = sampled(
        r#"[{"value":"door open"},{"value":"99999999999999999999999"},{"value":"101","measurand":"SoC"}]"#,
    );
    assert_eq!(readings.flags, [Flag::ValueOdd]);
    assert!(
        readings.samples[0]
            .rest
            .as_deref()
            .unwrap()
            .contains("door open")
    );
}

#[test]
fn quirk_32_empty_arrays_are_fine() {
    for payload in [
        r#"{"connectorId":1,"meterValue":[]}"#,
        r#"{"connectorId":1,"meterValue":[{"timestamp":"2024-04-16T17:28:55Z","sampledValue":[]}]}"#,
        r#"{"connectorId":1}"#,
        r#"{"connectorId":1,"meterValue":null}"#,
        r#"{"connectorId":1,"meterValue":["x",null,{}]}"#,
    ] {
        assert_eq!(meter(payload), Readings::default(), "{payload}");
    }
}

#[test]
fn quirk_33_readings_without_a_time_are_kept() {
    let readings = meter(r#"{"connectorId":1,"meterValue":[{"sampledValue":[{"value":"5"}]}]}"#);
    assert_eq!(
        (readings.samples[0].at, readings.samples[0].energy_wh),
        (None, Some(5))
    );
    assert_eq!(readings.flags, [Flag::TimeMissing]);
}

#[test]
fn quirk_34_phases_are_sorted_into_columns_and_totals_computed() {
    let readings = sampled(
        r#"[{"value":"10","measurand":"Current.Import","phase":"L1-N"},{"value":"11","measurand":"Current.Import","phase":"L2"},{"value":"12","measurand":"Current.Import","phase":"l3-n"},
            {"value":"230","measurand":"Voltage","phase":"L1-N"},{"value":"400","measurand":"Voltage","phase":"L1-L2"},
            {"value":"2300","measurand":"Power.Active.Import","phase":"L1"},{"value":"2.5","unit":"kW","measurand":"Power.Active.Import","phase":"L2"},
            {"value":"33","measurand":"Current.Import"}]"#,
    );
    let sample = &readings.samples[0];
    assert_eq!(
        sample.current_ma,
        [Some(10_000), Some(11_000), Some(12_000)]
    );
    assert_eq!(sample.voltage_mv, [Some(230_000), None, None]);
    assert_eq!(sample.power_w, Some(4800));
    let rest = sample.rest.as_deref().unwrap();
    assert!(
        rest.contains(r#""phase":"L1-L2""#)
            && rest.contains(r#""value":"2300""#)
            && rest.contains(r#""value":"33""#)
    );
    assert_eq!(readings.flags, [Flag::ValueContradicts, Flag::Summed]);
}

#[test]
fn quirk_35_readings_of_another_context_are_another_sample() {
    let readings = sampled(
        r#"[{"value":"5","context":"Sample.Clock"},{"value":"5"},{"value":"3","measurand":"SoC","context":"sample.periodic"},{"value":"1","measurand":"SoC","context":"Vendor.Whim"}]"#,
    );
    let seen: Vec<_> = readings
        .samples
        .iter()
        .map(|s| (s.context.as_str(), s.energy_wh, s.soc_pm))
        .collect();
    assert_eq!(
        seen,
        [
            ("Sample.Clock", Some(5), None),
            ("Sample.Periodic", Some(5), Some(30)),
            ("Other", None, Some(10))
        ]
    );
    assert_eq!(readings.flags, [Flag::ContextUnknown]);
}

#[test]
fn a_second_value_of_a_column_is_kept_beside_it() {
    let readings = sampled(
        r#"[{"value":"7","location":"Inlet"},{"value":"5"},{"value":"5"},{"value":"80","measurand":"SoC","location":"EV"}]"#,
    );
    let sample = &readings.samples[0];
    assert_eq!((sample.energy_wh, sample.soc_pm), (Some(5), Some(800)));
    assert_eq!(
        sample.rest.as_deref(),
        Some(r#"[{"value":"7","location":"Inlet"}]"#)
    );
    assert_eq!(readings.flags, [Flag::ValueContradicts]);
}

#[test]
fn signed_data_is_kept_to_the_letter() {
    let value = r#"OCMF|{\"FV\":\"1.0\",\"RV\":1234.5600}|{\"SD\":\"30  46\"}"#;
    let readings = sampled(&format!(
        r#"[{{"value":"{value}","format":"SignedData","context":"Transaction.End"}},{{"value":"9"}}]"#
    ));
    let [signed] = readings.signed.as_slice() else {
        panic!("{readings:?}")
    };
    assert_eq!(signed.value, value.replace("\\\"", "\""));
    assert_eq!(
        (signed.measurand.as_str(), &signed.context),
        (
            "Energy.Active.Import.Register",
            &ReadingContext::TransactionEnd
        )
    );
    assert_eq!(readings.samples.len(), 1);
}

#[test]
fn digits_are_not_lost() {
    let readings =
        sampled(r#"[{"value":1234.56789012345678,"measurand":"Energy.Reactive.Import.Register"}]"#);
    assert!(
        readings.samples[0]
            .rest
            .as_deref()
            .unwrap()
            .contains(r#""value":"1234.56789012345678""#)
    );
}

#[test]
fn quirk_36_and_49_tokens_are_looked_up_without_their_garbage() {
    for token in ["04A2B3C4", " 04a2b3c4 ", "04A2b3C4\u{0}\u{1}\r\n"] {
        assert_eq!(lenient::token_key(token), "04a2b3c4", "{token:?}");
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
