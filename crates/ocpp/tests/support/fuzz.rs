//! What the fuzz targets of `fuzz/` do with their input. The replay of their corpus does the same.

#[path = "types.rs"]
mod types;

use std::time::Duration;

use ocpp::meter::{self, Habits};
use ocpp::v16::{Action, MESSAGES, MeterValuesRequest, ReadingContext};
use ocpp::{CallError, ErrorCode, Limits, Link, Output, Version, check, decode, frame};
use types::{reread_request, reread_response};

/// Target `frame`: any bytes through both versions of the Link, with a CALL of ours out.
pub fn frame(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    for version in Version::ALL {
        let mut link = Link::new(version, Limits::default());
        link.call(Duration::ZERO, ocpp::MessageId::new("1"), "Reset", "{}");
        // Twice: the second time it may be a repetition.
        for now in [Duration::ZERO, Duration::from_secs(1)] {
            for output in link.receive(now, &text) {
                handle(&mut link, output);
            }
        }
        link.tick(Duration::from_secs(60));
        link.close();
    }
}

fn handle(link: &mut Link, output: Output) {
    match output {
        Output::Send(sent) => assert_frame(&sent),
        Output::Asked { id, payload, .. } => {
            assert!(serde_json::from_str::<&serde_json::value::RawValue>(&payload).is_ok());
            assert!(!frame::has_nul(&frame::without_nul(&payload)));
            for answer in [Err(ErrorCode::NotSupported.into()), Ok(payload)] {
                for output in link.answer(&id, answer) {
                    if let Output::Send(sent) = output {
                        assert_frame(&sent);
                    }
                }
            }
        }
        Output::Answered { .. } | Output::Ignored(_) => {}
    }
}

/// What we send must be readable, above all by us.
fn assert_frame(sent: &str) {
    assert!(frame::parse(sent).is_ok(), "{sent}");
}

/// Target `payload`: the first byte picks the action and side, the rest is its payload.
pub fn payload(data: &[u8]) {
    let Some((pick, data)) = data.split_first() else {
        return;
    };
    let payload = String::from_utf8_lossy(data);
    let message = &MESSAGES[usize::from(pick >> 1) % MESSAGES.len()];
    let action = Action::from_name(message.action).expect("every message has an action");
    let is_request = pick & 1 == 0;
    let fields = if is_request {
        message.request
    } else {
        message.response
    };
    for finding in check::check(fields, &payload) {
        assert!(finding.pointer.is_empty() || finding.pointer.starts_with('/'));
        assert!(
            !finding.to_string().is_empty() && !CallError::from(&finding).description.is_empty()
        );
    }
    let read = if is_request {
        reread_request(action, &payload)
    } else {
        reread_response(action, &payload)
    };
    if let Ok(written) = read {
        assert!(!frame::has_nul(&written), "{written}");
    }
    if let Ok(request) = decode::<MeterValuesRequest>(&payload) {
        for habits in [Habits::default(), Habits { wh_means_kwh: true }] {
            let readings = meter::normalise(&request.meter_value, habits);
            assert!(
                readings
                    .samples
                    .iter()
                    .all(|sample| ReadingContext::NAMES.contains(&sample.context.as_str()))
            );
        }
    }
}
