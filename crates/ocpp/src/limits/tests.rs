//! The limits as tables: what is sent, and where it is refused.

use serde_json::{Value, json};

use super::*;

fn known() -> Known {
    Known {
        now: "2026-11-20T12:00:00Z".parse().unwrap(),
        security_profile: 1,
    }
}

/// Where it is refused.
fn refused(action: &str, payload: &Value) -> Vec<String> {
    let text = payload.to_string();
    let malformed = crate::check_request(Version::V16, action, &text).unwrap();
    assert_eq!(malformed, [], "{action} {payload} is not well-formed");
    let findings = check(Version::V16, action, &text, &known());
    findings
        .into_iter()
        .map(|finding| finding.pointer)
        .collect()
}

/// Each payload is refused at its place and nowhere else; at none: it is good.
fn table(action: &str, rows: &[(Value, &str)]) {
    for (payload, place) in rows {
        let expected: &[&str] = if place.is_empty() { &[] } else { &[*place] };
        assert_eq!(refused(action, payload), expected, "{action} {payload}");
    }
}

/// `base` with what stands at `place` replaced, or removed by `null`.
fn with(base: &Value, place: &str, value: Value) -> Value {
    let mut changed = base.clone();
    let (above, name) = place.rsplit_once('/').unwrap();
    let above = changed.pointer_mut(above).unwrap();
    match (above, value) {
        (Value::Array(list), value) => list[name.parse::<usize>().unwrap()] = value,
        (Value::Object(object), Value::Null) => drop(object.remove(name)),
        (above, value) => above[name] = value,
    }
    changed
}

#[test]
fn a_connector_is_one_that_the_action_can_be_for() {
    for (action, rest, first) in [
        ("UnlockConnector", json!({}), 1),
        (
            "TriggerMessage",
            json!({"requestedMessage": "MeterValues"}),
            1,
        ),
        (
            "ExtendedTriggerMessage",
            json!({"requestedMessage": "MeterValues"}),
            1,
        ),
        ("RemoteStartTransaction", json!({"idTag": "A"}), 1),
        ("ChangeAvailability", json!({"type": "Operative"}), 0),
        ("ClearChargingProfile", json!({}), 0),
        ("GetCompositeSchedule", json!({"duration": 60}), 0),
        (
            "ReserveNow",
            json!({"expiryDate": "2026-11-20T13:00:00Z", "idTag": "A", "reservationId": 1}),
            0,
        ),
    ] {
        for (number, good) in [
            (-1_i64, false),
            (0, first == 0),
            (1, true),
            (65_535, true),
            (65_536, false),
            (i64::MAX, false),
        ] {
            let payload = with(&rest, "/connectorId", json!(number));
            table(action, &[(payload, if good { "" } else { "/connectorId" })]);
        }
    }
    let trigger = json!({"requestedMessage": "Heartbeat"});
    table("TriggerMessage", &[(trigger, "")]);
    table(
        "ClearChargingProfile",
        &[(json!({"stackLevel": -1}), "/stackLevel")],
    );
}

#[test]
fn a_number_that_no_machine_holds_is_refused() {
    let huge = format!("{{\"connectorId\":{}}}", "9".repeat(400));
    let findings = check(Version::V16, "UnlockConnector", &huge, &known());
    assert_eq!(findings.len(), 1, "{findings:?}");
}

#[test]
fn a_composite_schedule_has_a_duration() {
    let ask = |duration: i64| json!({"connectorId": 0, "duration": duration});
    table(
        "GetCompositeSchedule",
        &[(ask(1), ""), (ask(0), "/duration"), (ask(-1), "/duration")],
    );
}

#[test]
fn a_remote_start_has_a_tag_and_a_profile_for_what_is_yet_to_begin() {
    let good = json!({"idTag": "A", "chargingProfile": profile()});
    let at = |name: &str| format!("/chargingProfile/{name}");
    table(
        "RemoteStartTransaction",
        &[
            (good.clone(), ""),
            (json!({"idTag": ""}), "/idTag"),
            (json!({"idTag": " "}), "/idTag"),
            (
                with(
                    &good,
                    &at("chargingProfilePurpose"),
                    json!("TxDefaultProfile"),
                ),
                &at("chargingProfilePurpose"),
            ),
            (
                with(&good, &at("transactionId"), json!(7)),
                &at("transactionId"),
            ),
            (with(&good, &at("stackLevel"), json!(-1)), &at("stackLevel")),
        ],
    );
}

#[test]
fn a_reservation_is_for_a_tag_and_for_later() {
    let good = json!({"connectorId": 0, "expiryDate": "2026-11-20T12:00:00Z", "idTag": "A", "reservationId": 1});
    table(
        "ReserveNow",
        &[
            (good.clone(), ""),
            (
                with(&good, "/expiryDate", json!("2026-11-20T11:59:59Z")),
                "/expiryDate",
            ),
            (
                with(&good, "/expiryDate", json!("2026-11-20T13:30:00+02:00")),
                "/expiryDate",
            ),
            (with(&good, "/idTag", json!("")), "/idTag"),
        ],
    );
}

/// A TxProfile as a RemoteStartTransaction may carry it.
fn profile() -> Value {
    json!({
        "chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "A", "chargingSchedulePeriod": [
            {"startPeriod": 0, "limit": 16}, {"startPeriod": 60, "limit": 0, "numberPhases": 3}]},
    })
}

#[test]
fn a_charging_profile_makes_sense() {
    let purpose = "/csChargingProfiles/chargingProfilePurpose";
    let good = json!({"connectorId": 1, "csChargingProfiles": profile()});
    let good = with(&good, purpose, json!("TxDefaultProfile"));
    table("SetChargingProfile", &[(good.clone(), "")]);
    let periods = "chargingSchedule/chargingSchedulePeriod";
    for (place, value, good_value) in [
        ("stackLevel", json!(-1), json!(3)),
        ("chargingSchedule/duration", json!(0), json!(1)),
        ("chargingSchedule/duration", json!(-5), json!(86_400)),
        ("chargingSchedule/minChargingRate", json!(-0.1), json!(0)),
        (&format!("{periods}/0/startPeriod"), json!(1), json!(0)),
        (&format!("{periods}/0/startPeriod"), json!(-1), json!(0)),
        (&format!("{periods}/1/startPeriod"), json!(0), json!(1)),
        (&format!("{periods}/1/startPeriod"), json!(-60), json!(60)),
        (&format!("{periods}/1/limit"), json!(-0.1), json!(0.1)),
        (&format!("{periods}/1/numberPhases"), json!(0), json!(1)),
        (&format!("{periods}/1/numberPhases"), json!(4), json!(2)),
    ] {
        let place = format!("/csChargingProfiles/{place}");
        let rows = [
            (with(&good, &place, value), place.as_str()),
            (with(&good, &place, good_value), ""),
        ];
        table("SetChargingProfile", &rows);
    }
    let at = |name: &str| format!("/csChargingProfiles/{name}");
    let recurring = with(&good, &at("chargingProfileKind"), json!("Recurring"));
    let valid = with(&good, &at("validFrom"), json!("2026-11-20T12:00:00Z"));
    let valid = |to: &str| with(&valid, &at("validTo"), json!(to));
    table(
        "SetChargingProfile",
        &[
            (recurring.clone(), &at("recurrencyKind")),
            (with(&recurring, &at("recurrencyKind"), json!("Daily")), ""),
            (valid("2026-11-20T12:00:01Z"), ""),
            (valid("2026-11-20T12:00:00Z"), &at("validTo")),
            (valid("2026-11-20T13:00:00+02:00"), &at("validTo")),
        ],
    );
}

#[test]
fn a_schedule_has_a_period() {
    let mut payload = json!({"connectorId": 1, "csChargingProfiles": profile()});
    payload["csChargingProfiles"]["transactionId"] = json!(1);
    let list = "/csChargingProfiles/chargingSchedule/chargingSchedulePeriod";
    let none = with(&payload, list, json!([])).to_string();
    let findings = check(Version::V16, "SetChargingProfile", &none, &known());
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].pointer, list);
}

#[test]
fn a_profile_is_for_a_place_that_its_purpose_can_have() {
    let of = |purpose: &str, connector: i64, transaction: Value| {
        let payload = json!({"connectorId": connector, "csChargingProfiles": profile()});
        let purpose_at = "/csChargingProfiles/chargingProfilePurpose";
        let payload = with(&payload, purpose_at, json!(purpose));
        with(&payload, "/csChargingProfiles/transactionId", transaction)
    };
    table(
        "SetChargingProfile",
        &[
            (of("ChargePointMaxProfile", 0, Value::Null), ""),
            (of("ChargePointMaxProfile", 1, Value::Null), "/connectorId"),
            (of("TxDefaultProfile", 0, Value::Null), ""),
            (of("TxDefaultProfile", -1, Value::Null), "/connectorId"),
            (of("TxProfile", 1, json!(7)), ""),
            (of("TxProfile", 0, json!(7)), "/connectorId"),
            (
                of("TxProfile", 1, Value::Null),
                "/csChargingProfiles/transactionId",
            ),
        ],
    );
}

#[test]
fn a_local_list_has_each_tag_once_and_in_full_with_its_state() {
    let list = |version: i64, kind: &str, tags: Value| json!({"listVersion": version, "updateType": kind, "localAuthorizationList": tags});
    let tag = |tag: &str| json!({"idTag": tag, "idTagInfo": {"status": "Accepted"}});
    let gone = json!({"idTag": "B"});
    table(
        "SendLocalList",
        &[
            (list(1, "Full", json!([tag("A"), tag("B")])), ""),
            (json!({"listVersion": 1, "updateType": "Full"}), ""),
            (list(0, "Full", json!([])), "/listVersion"),
            (list(-1, "Differential", json!([])), "/listVersion"),
            (list(1, "Differential", json!([tag("A"), gone])), ""),
            (
                list(1, "Full", json!([tag("A"), gone])),
                "/localAuthorizationList/1/idTagInfo",
            ),
            (
                list(1, "Full", json!([tag("ab"), tag("B"), tag("AB")])),
                "/localAuthorizationList/2/idTag",
            ),
            (
                list(1, "Differential", json!([tag("")])),
                "/localAuthorizationList/0/idTag",
            ),
        ],
    );
}

#[test]
fn tries_are_not_negative_and_a_log_ends_after_it_begins() {
    let update = json!({"location": "https://host/f", "retrieveDate": "2026-11-20T12:00:00Z"});
    let signed = json!({"requestId": 1, "firmware": {"location": "https://host/f", "signature": "c2ln",
        "retrieveDateTime": "2026-11-20T12:00:00Z", "signingCertificate": "PEM"}});
    let diagnostics = json!({"location": "https://host/up"});
    let log = json!({"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "https://host/up"}});
    for (action, base) in [
        ("UpdateFirmware", &update),
        ("SignedUpdateFirmware", &signed),
        ("GetDiagnostics", &diagnostics),
        ("GetLog", &log),
    ] {
        for place in ["/retries", "/retryInterval"] {
            let rows = [
                (with(base, place, json!(0)), ""),
                (with(base, place, json!(-1)), place),
            ];
            table(action, &rows);
        }
    }
    for (action, base, first, second) in [
        ("GetDiagnostics", diagnostics, "/startTime", "/stopTime"),
        (
            "GetLog",
            log,
            "/log/oldestTimestamp",
            "/log/latestTimestamp",
        ),
    ] {
        let from = with(&base, first, json!("2026-11-20T12:00:00Z"));
        let rows = [
            (from.clone(), ""),
            (with(&from, second, json!("2026-11-20T12:00:01Z")), ""),
            (with(&from, second, json!("2026-11-20T12:00:00Z")), second),
            (
                with(&from, second, json!("2026-11-20T13:00:00+02:00")),
                second,
            ),
        ];
        table(action, &rows);
    }
}

#[test]
fn a_security_profile_only_rises_and_a_key_has_16_to_20_bytes() {
    let set = |key: &str, value: &str| json!({"key": key, "value": value});
    let hex = "00ff".repeat(10);
    for (key, value, good) in [
        ("SecurityProfile", "1", true),
        ("securityprofile", "3", true),
        ("SecurityProfile", "0", false),
        ("SecurityProfile", "4", false),
        ("securityprofile", "x", false),
        ("SecurityProfile", "-1", false),
        ("SecurityProfile", " 2", false),
        ("SecurityProfile", "", false),
        ("AuthorizationKey", "0123456789abcdef", true),
        ("AuthorizationKey", &hex, true),
        ("AuthorizationKey", "too short", false),
        ("authorizationkey", "twenty-one characters", false),
        ("AuthorizationKey", "sixteen\tchars...", false),
        ("AuthorizationKey", &hex[1..], false),
        ("AuthorizationKey", &"g".repeat(40), false),
        ("HeartbeatInterval", "x", true),
    ] {
        table(
            "ChangeConfiguration",
            &[(set(key, value), if good { "" } else { "/value" })],
        );
    }
    let secret = set("AuthorizationKey", "hunter2").to_string();
    let told = check(Version::V16, "ChangeConfiguration", &secret, &known());
    assert!(!format!("{told:?}").contains("hunter2"), "{told:?}");
}

#[test]
fn what_is_wrong_is_told_with_its_value() {
    let told = |action: &str, payload: Value| {
        let findings = check(Version::V16, action, &payload.to_string(), &known());
        findings[0].to_string()
    };
    assert_eq!(
        told("UnlockConnector", json!({"connectorId": 0})),
        "/connectorId is 0: expected a whole number from 1 to 65535"
    );
    assert_eq!(
        told(
            "ChangeConfiguration",
            json!({"key": "SecurityProfile", "value": "0"})
        ),
        "/value is \"0\": expected 1 or more: a security profile is never lowered"
    );
}
