//! The Link as strings in, strings out.

#[path = "support/line.rs"]
mod line;

use std::time::Duration;

use line::line;
use ocpp::{CallError, ErrorCode, Failure, Limits, Link, MessageId, Output, Version};

const NOW: Duration = Duration::from_secs(1_000);

fn link(version: Version) -> Link {
    Link::new(
        version,
        Limits {
            call_timeout: Duration::from_secs(30),
            queue: 2,
        },
    )
}

fn id(text: &str) -> MessageId {
    MessageId::new(text)
}

/// Every test reads as: what went in, what came out.
#[track_caller]
fn check(outputs: Vec<Output>, expected: &[&str]) {
    let lines: Vec<String> = outputs.into_iter().map(line).collect();
    assert_eq!(lines, expected);
}

#[test]
fn a_call_is_handed_up_and_answered() {
    let mut link = link(Version::V16);
    check(
        link.receive(NOW, r#"[2,"a","Heartbeat",{}]"#),
        &[r#"asked "a" Heartbeat {}"#],
    );
    check(
        link.answer(&id("a"), Ok(r#"{"ok":1}"#.into())),
        &[r#"send [3,"a",{"ok":1}]"#],
    );
    check(
        link.answer(&id("a"), Ok("{}".into())),
        &["ignored answer to a, which nobody asked"],
    );
}

#[test]
fn what_chargers_put_around_and_into_frames_is_mended() {
    let mut link = link(Version::V16);
    // Quirks 12 to 15.
    for (frame, expected) in [
        ("\u{feff}[2,\"a\",\"X\",{}]\0\r\n", r#"asked "a" X {}"#),
        (r#",[2,"b","X",{}]"#, r#"asked "b" X {}"#),
        (r#"[,2,"c","X",{}]"#, r#"asked "c" X {}"#),
        (r#"[2,17,"X",{}]"#, "asked 17 X {}"),
        (r#"[2,"d","Heartbeat"]"#, r#"asked "d" Heartbeat {}"#),
        (r#"[2,"e","X",null]"#, r#"asked "e" X {}"#),
        (r#"["2","f","X",{}]"#, r#"asked "f" X {}"#),
        (r#"[2,"g","X",{},7,8,9]"#, r#"asked "g" X {}"#),
        (
            "[2,\"h\",\"X\",{\"a\":\"b\u{1}c\nd\"}]",
            r#"asked "h" X {"a":"b\u0001c\u000ad"}"#,
        ),
        (
            r#"[2,"i","X",{"a":NaN,"b":"NaN"}]"#,
            r#"asked "i" X {"a":null,"b":"NaN"}"#,
        ),
        (r#"[2,"j\u00e9","X",{}]"#, r#"asked "j\u00e9" X {}"#),
        (
            r#"[2,"0123456789012345678901234567890123456789","X",{}]"#,
            r#"asked "0123456789012345678901234567890123456789" X {}"#,
        ),
    ] {
        check(link.receive(NOW, frame), &[expected]);
    }
    for empty in ["", " \r\n", "\0", "\u{feff}"] {
        check(link.receive(NOW, empty), &["ignored empty frame"]);
    }
}

#[test]
fn a_message_id_is_echoed_as_it_came() {
    let mut link = link(Version::V16);
    for token in ["17", "-1", "\"j\\u00e9\\/\"", "1.50"] {
        let asked = link.receive(NOW, &format!("[2,{token},\"X\",{{}}]"));
        let [Output::Asked { id, .. }] = asked.as_slice() else {
            panic!("{asked:?}")
        };
        check(
            link.answer(id, Ok("{}".into())),
            &[&format!("send [3,{token},{{}}]")],
        );
    }
}

/// One row a line: the frame, then what 1.6 and what 2.0.1 answers.
#[test]
fn a_bad_call_is_refused_with_the_code_of_its_version() {
    for (frame, v16, v201) in [
        (
            "nonsense",
            "\"-1\",\"GenericError\"",
            "\"-1\",\"RpcFrameworkError\"",
        ),
        (
            "{\"a\":1}",
            "\"-1\",\"GenericError\"",
            "\"-1\",\"RpcFrameworkError\"",
        ),
        (
            "[]",
            "\"-1\",\"GenericError\"",
            "\"-1\",\"RpcFrameworkError\"",
        ),
        (
            "[2,{},\"X\",{}]",
            "\"-1\",\"GenericError\"",
            "\"-1\",\"RpcFrameworkError\"",
        ),
        (
            r#"[2,"a","X",{"b":"#,
            "\"a\",\"FormationViolation\"",
            "\"a\",\"FormatViolation\"",
        ),
        (
            r#"[2,"a","X",[]]"#,
            "\"a\",\"FormationViolation\"",
            "\"a\",\"FormatViolation\"",
        ),
        (
            r#"[2,"a","X","{}"]"#,
            "\"a\",\"FormationViolation\"",
            "\"a\",\"FormatViolation\"",
        ),
        (
            r#"[2,"a","X"]"#,
            "\"a\",\"ProtocolError\"",
            "\"a\",\"ProtocolError\"",
        ),
        (
            r#"[2,"a"]"#,
            "\"a\",\"ProtocolError\"",
            "\"a\",\"ProtocolError\"",
        ),
        (
            r#"[2,"a",5,{}]"#,
            "\"a\",\"ProtocolError\"",
            "\"a\",\"ProtocolError\"",
        ),
    ] {
        for (version, expected) in [(Version::V16, v16), (Version::V201, v201)] {
            let outputs = link(version).receive(NOW, frame);
            let [Output::Ignored(_), Output::Send(answer)] = outputs.as_slice() else {
                panic!("{frame}: {outputs:?}")
            };
            assert!(
                answer.starts_with(&format!("[4,{expected},")),
                "{frame}: {answer}"
            );
            assert!(answer.ends_with(",{}]"), "{answer}");
        }
    }
}

/// Every code a handler may choose, as it leaves.
#[test]
fn an_error_is_spelled_per_version() {
    for (code, v16, v201) in [
        (
            ErrorCode::RpcFrameworkError,
            "GenericError",
            "RpcFrameworkError",
        ),
        (
            ErrorCode::FormatViolation,
            "FormationViolation",
            "FormatViolation",
        ),
        (ErrorCode::ProtocolError, "ProtocolError", "ProtocolError"),
        (
            ErrorCode::OccurrenceConstraintViolation,
            "OccurenceConstraintViolation",
            "OccurrenceConstraintViolation",
        ),
        (
            ErrorCode::TypeConstraintViolation,
            "TypeConstraintViolation",
            "TypeConstraintViolation",
        ),
        (
            ErrorCode::PropertyConstraintViolation,
            "PropertyConstraintViolation",
            "PropertyConstraintViolation",
        ),
        (
            ErrorCode::NotImplemented,
            "NotImplemented",
            "NotImplemented",
        ),
        (ErrorCode::NotSupported, "NotSupported", "NotSupported"),
        (ErrorCode::SecurityError, "SecurityError", "SecurityError"),
        (ErrorCode::InternalError, "InternalError", "InternalError"),
    ] {
        for (version, spelled) in [(Version::V16, v16), (Version::V201, v201)] {
            let mut link = link(version);
            link.receive(NOW, r#"[2,"a","X",{}]"#);
            let expected = format!(r#"send [4,"a","{spelled}","no \"luck\"",{{}}]"#);
            check(
                link.answer(&id("a"), Err(CallError::new(code.clone(), "no \"luck\""))),
                &[&expected],
            );
        }
    }
}

#[test]
fn an_error_description_fits_255_characters() {
    let mut link = link(Version::V201);
    link.receive(NOW, r#"[2,"a","X",{}]"#);
    let error = CallError::new(ErrorCode::GenericError, "é".repeat(400));
    let expected = format!(r#"send [4,"a","GenericError","{}",{{}}]"#, "é".repeat(255));
    check(link.answer(&id("a"), Err(error)), &[&expected]);
}

#[test]
fn an_unknown_message_type_is_ignored_in_16_and_refused_in_201() {
    check(
        link(Version::V16).receive(NOW, r#"[9,"a",{}]"#),
        &["ignored unknown message type, id a"],
    );
    check(
        link(Version::V201).receive(NOW, r#"[9,"a",{}]"#),
        &[
            "ignored unknown message type, id a",
            r#"send [4,"a","MessageTypeNotSupported","",{}]"#,
        ],
    );
}

/// Whoever answers with what is no object has answered: nobody waits for more, and the next question is asked.
#[test]
fn an_answer_that_is_no_object_ends_the_wait_for_it() {
    for answer in [r#"[3,"x",[]]"#, r#"[3,"x","yes"]"#] {
        let mut link = link(Version::V16);
        link.call(NOW, id("x"), "Reset", "{}");
        link.call(NOW, id("y"), "ClearCache", "{}");
        let outputs = link.receive(NOW, answer);
        let [Output::Ignored(_), ended, next] = outputs.as_slice() else {
            panic!("{answer}: {outputs:?}")
        };
        let refused = matches!(
            ended,
            Output::Answered {
                outcome: Err(Failure::Refused(_)),
                ..
            }
        );
        assert!(refused, "{ended:?}");
        assert_eq!(line(next.clone()), r#"send [2,"y","ClearCache",{}]"#);
    }
}

#[test]
fn an_answer_is_never_answered() {
    let mut link = link(Version::V201);
    for frame in [
        r#"[3,"x",{}]"#,
        r#"[4,"x","GenericError","",{}]"#,
        r#"[4,"x"]"#,
    ] {
        check(
            link.receive(NOW, frame),
            &["ignored late or unsolicited answer x"],
        );
    }
    for frame in [r#"[3,"x",[]]"#, r#"[3,"x",{"a"#, r#"[4,"x","Gen"#] {
        let outputs = link.receive(NOW, frame);
        assert!(
            matches!(outputs.as_slice(), [Output::Ignored(_)]),
            "{frame}: {outputs:?}"
        );
    }
}

#[test]
fn our_second_call_waits_for_the_first_and_the_queue_is_bounded() {
    let mut link = link(Version::V16);
    check(
        link.call(NOW, id("1"), "Reset", "{}"),
        &[r#"send [2,"1","Reset",{}]"#],
    );
    check(link.call(NOW, id("2"), "Reset", "{}"), &[]);
    check(link.call(NOW, id("3"), "Reset", "{}"), &[]);
    check(
        link.call(NOW, id("4"), "Reset", "{}"),
        &["failed 4 too many calls wait for this peer"],
    );
    check(
        link.receive(NOW, r#"[3,"1",{}]"#),
        &["answered 1 {}", r#"send [2,"2","Reset",{}]"#],
    );
    check(
        link.receive(NOW, r#"[4,"2","NotSupported","no",{}]"#),
        &[
            "failed 2 refused: NotSupported: no",
            r#"send [2,"3","Reset",{}]"#,
        ],
    );
    check(link.receive(NOW, r#"[3,"3"]"#), &["answered 3 {}"]);
}

#[test]
fn calls_cross() {
    let mut link = link(Version::V16);
    link.call(NOW, id("1"), "Reset", "{}");
    check(
        link.receive(NOW, r#"[2,"1","X",{}]"#),
        &[r#"asked "1" X {}"#],
    );
    check(link.receive(NOW, r#"[3,"1",{}]"#), &["answered 1 {}"]);
    check(
        link.answer(&id("1"), Ok("{}".into())),
        &[r#"send [3,"1",{}]"#],
    );
}

#[test]
fn a_number_for_our_id_is_still_our_answer() {
    let mut link = link(Version::V16);
    link.call(NOW, id("17"), "Reset", "{}");
    check(link.receive(NOW, "[3,17,{}]"), &["answered 17 {}"]);
}

#[test]
fn a_silent_peer_times_out_and_the_queue_moves_on() {
    let mut link = link(Version::V16);
    assert_eq!(link.deadline(), None);
    link.call(NOW, id("1"), "Reset", "{}");
    link.call(NOW, id("2"), "Reset", "{}");
    let late = NOW + Duration::from_secs(30);
    assert_eq!(link.deadline(), Some(late));
    check(link.tick(late - Duration::from_millis(1)), &[]);
    check(
        link.tick(late),
        &["failed 1 no answer in time", r#"send [2,"2","Reset",{}]"#],
    );
    assert_eq!(link.deadline(), Some(late + Duration::from_secs(30)));
    check(
        link.receive(late, r#"[3,"1",{}]"#),
        &["ignored late or unsolicited answer 1"],
    );
    check(link.receive(late, r#"[3,"2",{}]"#), &["answered 2 {}"]);
    check(
        link.receive(late, r#"[3,"2",{}]"#),
        &["ignored late or unsolicited answer 2"],
    );
}

#[test]
fn a_lost_connection_fails_what_is_out_and_what_waits() {
    let mut link = link(Version::V16);
    link.call(NOW, id("1"), "Reset", "{}");
    link.call(NOW, id("2"), "Reset", "{}");
    check(
        link.close(),
        &[
            "failed 1 disconnected before the answer",
            "failed 2 disconnected before sending",
        ],
    );
    assert_eq!(link.deadline(), None);
    check(link.close(), &[]);
}

#[test]
fn a_repeated_call_gets_the_same_answer() {
    let mut link = link(Version::V16);
    let frame = r#"[2,"a","StartTransaction",{"meterStart":1}]"#;
    check(
        link.receive(NOW, frame),
        &[r#"asked "a" StartTransaction {"meterStart":1}"#],
    );
    check(
        link.receive(NOW, frame),
        &["ignored repeated call a is already being handled"],
    );
    check(
        link.answer(&id("a"), Ok(r#"{"transactionId":7}"#.into())),
        &[r#"send [3,"a",{"transactionId":7}]"#],
    );
    check(
        link.receive(NOW, frame),
        &[
            "ignored repeated call a got its answer again",
            r#"send [3,"a",{"transactionId":7}]"#,
        ],
    );
    // The same id with other content is another call, also while the first is open.
    check(
        link.receive(NOW, r#"[2,"a","X",{"b":1}]"#),
        &[r#"asked "a" X {"b":1}"#],
    );
    check(
        link.receive(NOW, r#"[2,"a","X",{"b":2}]"#),
        &[r#"asked "a" X {"b":2}"#],
    );
    assert_eq!(link.owed(), 2);
}

#[test]
fn an_error_is_not_replayed_and_neither_is_the_time() {
    let mut link = link(Version::V16);
    let frame = r#"[2,"a","StartTransaction",{}]"#;
    link.receive(NOW, frame);
    link.answer(&id("a"), Err(ErrorCode::InternalError.into()));
    check(
        link.receive(NOW, frame),
        &[r#"asked "a" StartTransaction {}"#],
    );
    for time in ["1", "2"] {
        check(
            link.receive(NOW, r#"[2,"1","Heartbeat",{}]"#),
            &[r#"asked "1" Heartbeat {}"#],
        );
        check(
            link.answer(&id("1"), Ok(time.into())),
            &[&format!(r#"send [3,"1",{time}]"#)],
        );
    }
}

#[test]
fn a_frame_that_is_too_deep_or_too_wide_is_refused() {
    let deep = |levels: usize| {
        format!(
            r#"[2,"a","X",{{"a":{}1{}}}]"#,
            "[".repeat(levels),
            "]".repeat(levels)
        )
    };
    let wide = |items: usize| format!(r#"[2,"a","X",{{"a":[1{}]}}]"#, ",1".repeat(items - 1));
    let strings = format!(r#"[2,"a","X",{{"a":"{}"}}]"#, "[{,".repeat(20_000));
    for (frame, taken) in [
        (deep(30), true),
        (deep(31), false),
        (wide(10_000), true),
        (wide(10_001), false),
        (strings, true),
    ] {
        let outputs = link(Version::V16).receive(NOW, &frame);
        let is_taken = matches!(outputs.as_slice(), [Output::Asked { .. }]);
        assert_eq!(
            is_taken,
            taken,
            "{} bytes: {:?}",
            frame.len(),
            outputs.last()
        );
        if !taken {
            assert!(line(outputs[1].clone()).starts_with(r#"send [4,"a","FormationViolation","#));
        }
    }
}

#[test]
fn poison_is_seen_before_it_reaches_a_database() {
    for (json, has_nul, stored) in [
        (r#"{"a":"b"}"#, false, r#"{"a":"b"}"#),
        (r#"{"a":"\u0000b\u0000"}"#, true, r#"{"a":"\ufffdb\ufffd"}"#),
        (r#"{"a":"\\u0000"}"#, false, r#"{"a":"\\u0000"}"#),
        (r#"{"a":"\\\u0000"}"#, true, r#"{"a":"\\\ufffd"}"#),
        ("{\"a\":\"\0\"}", true, "{\"a\":\"\u{fffd}\"}"),
    ] {
        assert_eq!(ocpp::frame::has_nul(json), has_nul, "{json}");
        assert_eq!(ocpp::frame::without_nul(json), stored);
    }
}

#[test]
fn closing_tells_whether_a_call_had_left() {
    let mut link = link(Version::V201);
    link.call(NOW, id("1"), "Reset", "{}");
    link.call(NOW, id("2"), "Reset", "{}");
    let ended = link.close();
    let sent = |n: usize| {
        matches!(
            &ended[n],
            Output::Answered {
                outcome: Err(Failure::Disconnected { sent: true }),
                ..
            }
        )
    };
    assert!(sent(0) && !sent(1));
}
