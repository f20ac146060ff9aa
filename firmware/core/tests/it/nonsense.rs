//! Whatever a server asks, in whatever state: it is answered once, in the standard's words, and charging goes on.

use evse_core::Input;
use ocpp::Version;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::bench::{Bench, seconds};

/// Names of fields and values that requests are made of, and some that they are not.
const FIELDS: [&str; 34] = [
    "connectorId",
    "idTag",
    "chargingProfile",
    "transactionId",
    "type",
    "key",
    "value",
    "requestedMessage",
    "listVersion",
    "localAuthorizationList",
    "updateType",
    "idTagInfo",
    "status",
    "reservationId",
    "expiryDate",
    "parentIdTag",
    "csChargingProfiles",
    "chargingProfileId",
    "stackLevel",
    "chargingProfilePurpose",
    "chargingProfileKind",
    "chargingSchedule",
    "chargingRateUnit",
    "chargingSchedulePeriod",
    "startPeriod",
    "limit",
    "duration",
    "location",
    "retrieveDate",
    "certificateType",
    "certificate",
    "certificateChain",
    "requestId",
    "extra",
];
const WORDS: [&str; 18] = [
    "",
    "A1",
    "Soft",
    "Hard",
    "Full",
    "Differential",
    "Accepted",
    "TxProfile",
    "TxDefaultProfile",
    "ChargePointMaxProfile",
    "Absolute",
    "Relative",
    "Recurring",
    "A",
    "W",
    "2030-01-01T00:00:00Z",
    "Inoperative",
    "CentralSystemRootCertificate",
];

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-2i64..100).prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-1e12..1e12).prop_map(Value::from),
        prop::sample::select(&WORDS[..]).prop_map(Value::from),
        "\\PC{0,30}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((prop::sample::select(&FIELDS[..]), inner), 0..8)
                .prop_map(object),
        ]
    })
}

fn object(fields: Vec<(&'static str, Value)>) -> Value {
    let fields: Map<String, Value> = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Value::Object(fields)
}

fn request() -> impl Strategy<Value = (usize, Value)> {
    let fields = prop::collection::vec((prop::sample::select(&FIELDS[..]), value()), 0..10);
    (0usize..26, fields.prop_map(object))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn every_request_is_answered_and_the_charge_is_not_lost(requests in prop::collection::vec(request(), 1..12)) {
        let commands: Vec<&str> = ocpp::schema::commands(Version::V16).map(|message| message.action).collect();
        let mut bench = Bench::charging();
        for (which, payload) in requests {
            let action = commands[which % commands.len()];
            let before = bench.answers.len();
            bench.send(action, payload.clone());
            prop_assert_eq!(bench.answers.len(), before + 1, "{} {}", action, payload);
            let (_, answer) = &bench.answers[before];
            let known = answer.is_object() || [
                "FormationViolation", "OccurenceConstraintViolation", "TypeConstraintViolation",
                "PropertyConstraintViolation", "NotSupported", "NotImplemented",
            ].iter().any(|code| answer == code);
            prop_assert!(known, "{} {}: {}", action, payload, answer);
            bench.advance(seconds(7));
        }
        bench.give(Input::Unplug(1));
        bench.advance(seconds(600));
        let stops = bench.of("StopTransaction");
        prop_assert_eq!(stops.len(), 1);
        prop_assert_eq!(&stops[0].payload["transactionId"], &json!(1001));
    }
}
