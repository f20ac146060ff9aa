//! What must hold for any input. The fuzz targets look longer; these look in every test run.

#[path = "support/fuzz.rs"]
mod fuzz;

use std::time::Duration;

use ocpp::{Limits, Link, MessageId, Output, Timestamp, Version};
use proptest::prelude::*;

const FRAME: &str = r#"[2,"a\u00e9","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2024-04-16T17:28:55Z","sampledValue":[{"value":"1,5","unit":"kWh","phase":"L1-N"}]}]}]"#;

proptest! {
    #[test]
    fn a_spoilt_frame_never_panics(at in 0..FRAME.len(), cut in 0..4_usize, put in "[\\[\\]{}\",:\\\\0-9a-zN\u{0}\u{7f}é]{0,3}") {
        let mut bytes = FRAME.as_bytes().to_vec();
        bytes.splice(at..(at + cut).min(FRAME.len()), put.into_bytes());
        fuzz::frame(&bytes);
        bytes.truncate(at);
        fuzz::frame(&bytes);
    }

    #[test]
    fn a_spoilt_payload_never_panics(pick: u8, at in 4..FRAME.len(), put in ".{0,3}") {
        let start = FRAME.find('{').unwrap();
        let mut bytes = vec![pick];
        bytes.extend(&FRAME.as_bytes()[start..FRAME.len() - 1]);
        let at = at.min(bytes.len());
        bytes.splice(at..at, put.into_bytes());
        fuzz::payload(&bytes);
    }

    #[test]
    fn any_id_is_echoed_and_matched(id in "\\PC{1,40}") {
        let mut link = Link::new(Version::V201, Limits::default());
        let id = MessageId::new(&id);
        let asked = link.receive(Duration::ZERO, &format!("[2,{},\"X\",{{}}]", id.token()));
        prop_assert_eq!(asked, [Output::Asked { id: id.clone(), action: "X".into(), payload: "{}".into() }]);
        let answer = Output::Send(format!("[3,{},{{}}]", id.token()));
        prop_assert_eq!(link.answer(&id, Ok("{}".into())), [answer]);
        link.call(Duration::ZERO, id.clone(), "X", "{}");
        let answered = link.receive(Duration::ZERO, &format!("[3,{},{{}}]", id.token()));
        prop_assert_eq!(answered, [Output::Answered { id, outcome: Ok("{}".into()) }]);
    }

    #[test]
    fn a_timestamp_survives_being_written(text in ".{0,30}|20[0-9]{2}-[01][0-9]-[0-3][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-5][0-9])?(Z|[+-][01][0-9](:?[0-5][0-9])?)?") {
        let read = Timestamp::read(&text);
        let again = Timestamp::read(&read.to_string());
        let millis = |timestamp: Timestamp| timestamp.stated().map(|at| at.timestamp_millis());
        prop_assert_eq!(millis(read), millis(again));
    }
}
