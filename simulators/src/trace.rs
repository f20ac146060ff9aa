//! The trace: one JSON line per frame, in the field names that other OCPP tools read (schema version 1.1).

use std::{
    collections::HashMap,
    fs::File,
    io::{self, BufWriter, Write},
    path::Path,
};

use evse_core::{Utc, ocpp::Frame};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::fault::Direction;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    schema_version: &'static str,
    timestamp: Utc,
    direction: &'static str,
    message_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    raw: &'a str,
}

/// Turns frames into trace lines; remembers which call an answer belongs to.
#[derive(Debug, Default)]
pub struct Tracer {
    actions: HashMap<(bool, String), String>,
}

impl Tracer {
    /// The line of one frame, without a line end.
    pub fn line(&mut self, at: Utc, direction: Direction, raw: &str) -> String {
        let out = direction == Direction::Out;
        let frame = Frame::parse(raw);
        let (kind, id, action, payload) = match &frame {
            Ok(Frame::Call {
                id,
                action,
                payload,
            }) => {
                self.actions
                    .insert((out, id.to_string()), action.to_string());
                ("CALL", Some(id), Some(action.to_string()), Some(*payload))
            }
            Ok(Frame::Result { id, payload }) => (
                "CALLRESULT",
                Some(id),
                self.actions.remove(&(!out, id.to_string())),
                Some(*payload),
            ),
            Ok(Frame::Error { id, .. }) => (
                "CALLERROR",
                Some(id),
                self.actions.remove(&(!out, id.to_string())),
                None,
            ),
            Err(_) => ("UNREADABLE", None, None, None),
        };
        let line = Line {
            schema_version: "1.1",
            timestamp: at,
            direction: if out { "cp-to-csms" } else { "csms-to-cp" },
            message_type: kind,
            message_id: id.map(|id| &**id),
            action: action.as_deref(),
            payload: payload.and_then(|p| serde_json::from_str(p).ok()),
            raw,
        };
        serde_json::to_string(&line).expect("a line of strings always serialises")
    }
}

/// A trace file.
#[derive(Debug)]
pub struct TraceFile(BufWriter<File>);

impl TraceFile {
    /// Makes (or empties) the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        File::create(path).map(|file| Self(BufWriter::new(file)))
    }

    /// Appends a line and hands it to the system at once, so that a crash loses nothing.
    pub fn append(&mut self, line: &str) -> io::Result<()> {
        self.0.write_all(line.as_bytes())?;
        self.0.write_all(b"\n")?;
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_carries_the_action_of_its_call() {
        let mut tracer = Tracer::default();
        let call = tracer.line(Utc(0), Direction::Out, r#"[2,"1","Heartbeat",{}]"#);
        assert_eq!(
            call,
            r#"{"schemaVersion":"1.1","timestamp":"1970-01-01T00:00:00.000Z","direction":"cp-to-csms","messageType":"CALL","messageId":"1","action":"Heartbeat","payload":{},"raw":"[2,\"1\",\"Heartbeat\",{}]"}"#
        );
        let answer = tracer.line(Utc(0), Direction::In, r#"[3,"1",{"currentTime":"x"}]"#);
        assert!(
            answer.contains(r#""messageType":"CALLRESULT","messageId":"1","action":"Heartbeat""#),
            "{answer}"
        );
    }
}
