//! One case for each quirk: what the core says or hears, and what becomes of it.

use std::collections::BTreeSet;

use super::*;

const START: &str = r#"[2,"a","StartTransaction",{"connectorId":1,"idTag":"04A2","meterStart":5000,"timestamp":"2026-05-04T08:00:00.000Z"}]"#;
const STOP: &str = r#"[2,"c","StopTransaction",{"idTag":"04A2","meterStop":6500,"reason":"Local","timestamp":"2026-05-04T09:00:00.000Z","transactionId":7}]"#;
const METER: &str = r#"[2,"b","MeterValues",{"connectorId":1,"meterValue":[{"sampledValue":[{"context":"Sample.Periodic","measurand":"Energy.Active.Import.Register","unit":"Wh","value":"6500"},{"context":"Sample.Periodic","measurand":"Current.Import","unit":"A","value":"16.5"}],"timestamp":"2026-05-04T08:30:00.000Z"}],"transactionId":7}]"#;
const BOOT: &str = r#"[2,"d","BootNotification",{"chargePointModel":"M","chargePointVendor":"V"}]"#;
const HEARTBEAT: &str = r#"[2,"e","Heartbeat",{}]"#;
const FAULT: &str = r#"[2,"f","StatusNotification",{"connectorId":2,"errorCode":"GroundFailure","status":"Faulted","timestamp":"2026-05-04T08:00:00.000Z"}]"#;

fn quirks(name: &str) -> Quirks {
    Quirks::new(&[name.parse().expect("a quirk")])
}

fn wire(said: Said) -> Vec<String> {
    let text = |wire| match wire {
        Wire::Text(text) => sorted(text),
        Wire::Binary(bytes) => format!("binary {}", String::from_utf8(bytes).expect("text")),
    };
    said.wire.into_iter().map(text).collect()
}

/// JSON with its fields in the order of the alphabet, whatever order the library keeps; other texts as they are.
fn sorted(text: String) -> String {
    fn write(value: &Value) -> String {
        match value {
            Value::Array(items) => {
                let items: Vec<_> = items.iter().map(write).collect();
                format!("[{}]", items.join(","))
            }
            Value::Object(fields) => {
                let fields: std::collections::BTreeMap<_, _> = fields.iter().collect();
                let fields: Vec<_> = fields
                    .into_iter()
                    .map(|(name, value)| format!("{}:{}", json!(name), write(value)))
                    .collect();
                format!("{{{}}}", fields.join(","))
            }
            value => value.to_string(),
        }
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(value) => write(&value),
        Err(_) => text,
    }
}

/// What goes out for the last of these frames.
fn out(name: &str, frames: &[&str]) -> Vec<String> {
    let mut quirks = quirks(name);
    let mut all = Vec::new();
    for frame in frames {
        all = wire(quirks.outgoing(frame));
    }
    all
}

/// Pieces of each frame.
type Pieces = &'static [&'static [&'static str]];

/// Quirk, the frames said (the last one counts), and pieces of what goes out for it, one list a frame.
const SAID: &[(&str, &[&str], Pieces)] = &[
    ("empty-frames", &[HEARTBEAT], &[&[""], &[HEARTBEAT]]),
    ("binary-frames", &[HEARTBEAT], &[&["binary [2,\"e\""]]),
    ("bom-and-nul", &[HEARTBEAT], &[&["\u{feff}[2,", "]\u{0}"]]),
    ("leading-commas", &[HEARTBEAT], &[&["[,2,\"e\""]]),
    ("null-payloads", &[HEARTBEAT], &[&["\"Heartbeat\",null]"]]),
    ("no-payloads", &[HEARTBEAT], &[&["\"Heartbeat\"]"]]),
    ("number-message-ids", &[HEARTBEAT], &[&["[2,1001,"]]),
    ("reused-ids", &[HEARTBEAT], &[&["[2,\"1\","]]),
    (
        "long-message-ids",
        &[HEARTBEAT],
        &[&["[2,\"000000000000000000000000000000000000000000000000000000000001\""]],
    ),
    (
        "doubled-answers",
        &[r#"[3,"s",{}]"#],
        &[&[r#"[3,"s",{}]"#], &[r#"[3,"s",{}]"#]],
    ),
    (
        "status-before-boot",
        &[BOOT],
        &[&["StatusNotification"], &["BootNotification"]],
    ),
    ("clock-1970", &[START], &[&["1970-01-01T00:00:09.000Z"]]),
    (
        "local-time-timestamps",
        &[METER],
        &[&["2026-05-04T10:30:00.000Z"]],
    ),
    (
        "no-zone-timestamps",
        &[START],
        &[&["\"2026-05-04T08:00:00.000\""]],
    ),
    ("no-millis", &[START], &[&["\"2026-05-04T08:00:00Z\""]]),
    ("february-29", &[STOP], &[&["2022-02-29T10:00:00Z"]]),
    (
        "repeated-start",
        &[START],
        &[
            &["[2,\"a\"", "\"meterStart\":5000"],
            &["[2,\"quirk-1\"", "\"meterStart\":5000", "08:00:00"],
        ],
    ),
    (
        "second-start",
        &[START],
        &[
            &["\"meterStart\":4993", "07:59:58"],
            &["\"meterStart\":5000"],
        ],
    ),
    ("stop-tx-zero", &[STOP], &[&["\"transactionId\":0"]]),
    ("stop-tx-minus-one", &[STOP], &[&["\"transactionId\":-1"]]),
    (
        "stop-before-start",
        &[START],
        &[&["StopTransaction", "987654321"], &["StartTransaction"]],
    ),
    (
        "no-tx-id-in-metervalues",
        &[METER],
        &[&["T08:30:00.000Z\"}]}]"]],
    ),
    (
        "zero-tx-id-in-metervalues",
        &[METER],
        &[&["\"transactionId\":0"]],
    ),
    (
        "meter-after-stop",
        &[METER, STOP],
        &[
            &["StopTransaction"],
            &["MeterValues", "09:00:20", "\"value\":\"6500\""],
        ],
    ),
    ("stop-without-tag", &[STOP], &[&["{\"meterStop\":6500"]]),
    ("stop-foreign-tag", &[STOP], &[&["NOBODYS-TAG"]]),
    (
        "repeated-stop",
        &[STOP],
        &[&["[2,\"c\""], &["[2,\"quirk-1\"", "\"transactionId\":7"]],
    ),
    ("meter-rollover", &[START, STOP], &[&["\"meterStop\":500,"]]),
    ("meter-reset", &[START, STOP], &[&["\"meterStop\":1500,"]]),
    ("meter-start-zero", &[START], &[&["\"meterStart\":0"]]),
    (
        "no-begin-sample",
        &[
            r#"[2,"a","StopTransaction",{"transactionData":[{"sampledValue":[{"context":"Transaction.Begin","value":"1"},{"context":"Transaction.End","value":"2"}]}]}]"#,
        ],
        &[&[r#""sampledValue":[{"context":"Transaction.End","value":"2"}]"#]],
    ),
    (
        "wh-as-kwh-string",
        &[METER],
        &[&["\"unit\":\"kWh\",\"value\":\"6.500\"", "\"16.5\""]],
    ),
    (
        "kwh-unlabelled",
        &[METER],
        &[&["Energy.Active.Import.Register\",\"value\":\"6.500\""]],
    ),
    (
        "apparent-units",
        &[METER],
        &[&["\"unit\":\"VAh\",\"value\":\"6500\""]],
    ),
    (
        "empty-units",
        &[METER],
        &[&[
            "\"unit\":\"\",\"value\":\"6500\"",
            "\"unit\":\"\",\"value\":\"16.5\"",
        ]],
    ),
    ("comma-decimals", &[METER], &[&["\"value\":\"16,5\""]]),
    (
        "numeric-values",
        &[METER],
        &[&["\"value\":6500.0", "\"value\":16.5"]],
    ),
    (
        "nan-values",
        &[METER],
        &[&["\"value\":\"6500\"", "\"value\":\"nan\""]],
    ),
    ("empty-meter-values", &[METER], &[&["\"sampledValue\":[]"]]),
    (
        "no-meter-timestamps",
        &[METER],
        &[&["\"value\":\"16.5\"}]}]"]],
    ),
    (
        "phase-l1-n",
        &[METER],
        &[&["\"measurand\":\"Current.Import\",\"phase\":\"L1-N\""]],
    ),
    (
        "per-phase-only",
        &[METER],
        &[&["\"phase\":\"L1\"", "\"phase\":\"L2\"", "\"phase\":\"L3\""]],
    ),
    (
        "clock-and-periodic",
        &[METER],
        &[&["Sample.Clock", "Sample.Periodic"]],
    ),
    (
        "long-serial",
        &[BOOT],
        &[&["EVB1A22P2RI3N182341200100350795E5"]],
    ),
    ("tag-garbage", &[START], &[&["04A2\\u0000\\u0001"]]),
    ("own-error-code", &[FAULT], &[&["\"errorCode\":\"Error\""]]),
    (
        "extra-fields",
        &[r#"[2,"a","Authorize",{"idTag":"A"}]"#],
        &[&["\"connectorId\":1", "vendorExtra"]],
    ),
    ("connector-0-only", &[FAULT], &[&["\"connectorId\":0"]]),
    (
        "repeated-status",
        &[FAULT],
        &[&["[2,\"f\""], &["[2,\"quirk-1\"", "GroundFailure"]],
    ),
    ("tag-suffix", &[START], &[&["04A2_12345"]]),
    ("tag-lower-case", &[START], &[&["\"04a2\""]]),
    ("tag-separators", &[START], &[&["\"04:A2\""]]),
    (
        "version-as-vendor",
        &[BOOT],
        &[&[
            "\"chargePointModel\":\"\"",
            "\"chargePointVendor\":\"1.12.1\"",
        ]],
    ),
    (
        "private-tunnel",
        &[BOOT],
        &[&["BootNotification"], &["DataTransfer", "iso15118"]],
    ),
    (
        "idle-statuses",
        &[BOOT],
        &[
            &["BootNotification"],
            &["FirmwareStatusNotification", "Idle"],
            &["DiagnosticsStatusNotification"],
        ],
    ),
    ("reservation-zero", &[START], &[&["\"reservationId\":0"]]),
];

/// Quirk, what the server asks, and what is answered; "" if the core answers.
const ASKED: &[(&str, &str, &str)] = &[
    (
        "no-trigger",
        r#"[2,"s","TriggerMessage",{"requestedMessage":"Heartbeat"}]"#,
        "NotSupported",
    ),
    (
        "short-key-lists",
        r#"[2,"s","GetConfiguration",{}]"#,
        "InternalError",
    ),
    (
        "short-key-lists",
        r#"[2,"s","GetConfiguration",{"key":["A"]}]"#,
        "",
    ),
    (
        "no-connector-0-profiles",
        r#"[2,"s","SetChargingProfile",{"connectorId":0}]"#,
        "Rejected",
    ),
    (
        "no-connector-0-profiles",
        r#"[2,"s","SetChargingProfile",{"connectorId":1}]"#,
        "",
    ),
    (
        "only-amps",
        r#"[2,"s","SetChargingProfile",{"csChargingProfiles":{"chargingSchedule":{"chargingRateUnit":"W"}}}]"#,
        "Rejected",
    ),
    (
        "only-watts",
        r#"[2,"s","SetChargingProfile",{"csChargingProfiles":{"chargingSchedule":{"chargingRateUnit":"A"}}}]"#,
        "Rejected",
    ),
    (
        "remote-start-needs-connector",
        r#"[2,"s","RemoteStartTransaction",{"idTag":"A"}]"#,
        "Rejected",
    ),
    (
        "remote-start-needs-connector",
        r#"[2,"s","RemoteStartTransaction",{"connectorId":1,"idTag":"A"}]"#,
        "",
    ),
    (
        "fixed-cable",
        r#"[2,"s","UnlockConnector",{"connectorId":1}]"#,
        "NotSupported",
    ),
    (
        "no-soft-reset",
        r#"[2,"s","Reset",{"type":"Soft"}]"#,
        "Rejected",
    ),
    ("no-soft-reset", r#"[2,"s","Reset",{"type":"Hard"}]"#, ""),
    (
        "no-availability",
        r#"[2,"s","ChangeAvailability",{"connectorId":0,"type":"Operative"}]"#,
        "NotImplemented",
    ),
];

#[test]
fn what_is_said() {
    for (name, said, expected) in SAID {
        let out = out(name, said);
        assert_eq!(out.len(), expected.len(), "{name}: {out:?}");
        for (frame, pieces) in out.iter().zip(*expected) {
            for piece in *pieces {
                assert!(frame.contains(piece), "{name}: {piece} is not in {frame}");
            }
        }
    }
}

#[test]
fn what_is_answered() {
    for (name, asked, expected) in ASKED {
        let heard = quirks(name).incoming(asked);
        match *expected {
            "" => assert_eq!((heard.text.is_some(), heard.answer), (true, None), "{name}"),
            word => {
                assert_eq!(heard.text, None, "{name}");
                let answer = heard.answer.expect("an answer");
                assert!(
                    answer.contains(word) && answer.contains("\"s\""),
                    "{name}: {answer}"
                );
            }
        }
    }
}

#[test]
fn a_rounded_interval_reaches_the_core_as_a_minute() {
    let asked = r#"[2,"s","ChangeConfiguration",{"key":"MeterValueSampleInterval","value":"10"}]"#;
    let heard = quirks("minute-samples").incoming(asked).text;
    assert!(heard.expect("asked").contains(r#""value":"60""#));
}

#[test]
fn configuration_is_reported_with_types() {
    let mut quirks = quirks("typed-configuration");
    quirks.incoming(r#"[2,"s","GetConfiguration",{}]"#);
    let said = r#"[3,"s",{"configurationKey":[{"key":"A","value":"true"},{"key":"B","value":"60"},{"key":"C","value":"x,y"}]}]"#;
    let out = wire(quirks.outgoing(said)).concat();
    for piece in [r#""value":true"#, r#""value":60"#, r#""value":"x , y""#] {
        assert!(out.contains(piece), "{out}");
    }
}

#[test]
fn what_is_swallowed_is_answered_at_once() {
    for (name, frame, answer) in [
        (
            "no-start",
            START,
            r#"[3,"a",{"idTagInfo":{"status":"Accepted"},"transactionId":0}]"#,
        ),
        ("no-status", FAULT, r#"[3,"f",{}]"#),
    ] {
        let said = quirks(name).outgoing(frame);
        assert!(said.wire.is_empty());
        let heard: Vec<_> = said.heard.into_iter().map(sorted).collect();
        assert_eq!(heard, [answer]);
    }
}

#[test]
fn answers_find_back_to_the_cores_ids_and_a_quirks_own_are_kept_from_it() {
    let mut quirks = Quirks::new(
        &["number-message-ids", "repeated-stop"].map(|name| name.parse().expect("a quirk")),
    );
    let out = wire(quirks.outgoing(STOP));
    assert!(out[0].starts_with("[2,1001,"), "{out:?}");
    let heard = quirks.incoming("[3,1001,{}]");
    assert_eq!(heard.text.as_deref(), Some(r#"[3,"c",{}]"#));
    assert!(out[1].starts_with("[2,\"quirk-2\""), "{out:?}");
    let heard = quirks.incoming(r#"[3,"quirk-2",{}]"#);
    assert_eq!((heard.text, heard.answer), (None, None));
}

#[test]
fn handshakes() {
    assert_eq!(Quirks::default().handshake(), Handshake::default());
    assert_eq!(quirks("no-subprotocol").handshake().protocols, "");
    assert!(
        quirks("many-subprotocols")
            .handshake()
            .protocols
            .ends_with("ocpp1.6")
    );
    assert_eq!(quirks("trailing-slash").handshake().suffix, "//");
}

#[test]
fn without_quirks_frames_pass_unchanged() {
    for frame in [
        START,
        METER,
        STOP,
        "",
        "[",
        r#"[4,"x","GenericError","",{}]"#,
    ] {
        assert_eq!(wire(Quirks::default().outgoing(frame)), [frame]);
        assert_eq!(
            Quirks::default().incoming(frame).text.as_deref(),
            Some(frame)
        );
    }
}

/// Names are unique, rows ascend, and each quirk is tried in one of the tests above.
#[test]
fn the_table_is_whole() {
    let names: BTreeSet<_> = TABLE.iter().map(|quirk| quirk.name).collect();
    assert_eq!(names.len(), TABLE.len());
    assert!(TABLE.is_sorted_by_key(|quirk| quirk.row));
    let elsewhere = [
        "no-subprotocol",
        "many-subprotocols",
        "trailing-slash",
        "no-status",
        "no-start",
        "minute-samples",
        "typed-configuration",
    ];
    let tried = SAID
        .iter()
        .map(|case| case.0)
        .chain(ASKED.iter().map(|case| case.0))
        .chain(elsewhere);
    assert_eq!(tried.collect::<BTreeSet<_>>(), names);
    let problem = "no-such".parse::<Name>().expect_err("unknown");
    assert!(problem.contains("null-payloads"), "{problem}");
}
