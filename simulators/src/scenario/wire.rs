//! One connection of a scripted station: a task that owns the socket, checks that every frame of the server is one, and
//! answers by rule what it was told to. What passes is written into the scenario's log.

use std::sync::{Arc, Mutex, MutexGuard};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    sync::mpsc,
    task::JoinHandle,
};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};

use super::step::{Reply, ReplyError, Rule};
use crate::fault::Direction;

/// A frame that passed.
#[derive(Clone, Debug)]
pub(super) struct Passed {
    pub connection: String,
    pub direction: Direction,
    pub frame: Frame,
}

/// A frame as JSON.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Frame {
    Call {
        id: String,
        action: String,
        payload: Value,
    },
    Result {
        id: String,
        payload: Value,
    },
    Error {
        id: String,
        code: String,
        description: String,
    },
    /// None of these.
    Other(String),
}

/// What comes in.
#[derive(Debug)]
pub(super) enum Incoming {
    Frame(Frame, String),
    /// The server closed, with this code; or the socket broke.
    Closed(Option<u16>),
}

/// What all connections of a scenario share.
#[derive(Clone, Debug, Default)]
pub(super) struct Shared(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    log: Vec<Passed>,
    rules: Vec<Rule>,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().expect("nobody panics while it holds the log")
    }

    pub(super) fn log(&self) -> Vec<Passed> {
        self.lock().log.clone()
    }

    pub(super) fn answer_by(&self, rule: Rule) {
        self.lock().rules.push(rule);
    }

    pub(super) fn note(&self, connection: &str, direction: Direction, frame: Frame) {
        self.lock().log.push(Passed {
            connection: connection.to_owned(),
            direction,
            frame,
        });
    }

    /// The newest rule for an action that is not used up.
    fn rule_for(&self, action: &str) -> Option<Rule> {
        let mut inner = self.lock();
        let fits = |rule: &&mut Rule| rule.call == action && rule.times != Some(0);
        let rule = inner.rules.iter_mut().rev().find(fits)?;
        rule.times = rule.times.map(|times| times - 1);
        Some(rule.clone())
    }
}

enum Outgoing {
    Text(String),
    Close,
}

/// An open connection. Dropping it drops the socket.
#[derive(Debug)]
pub(super) struct Wire {
    outgoing: mpsc::UnboundedSender<Outgoing>,
    incoming: mpsc::UnboundedReceiver<Incoming>,
    task: JoinHandle<()>,
    count: usize,
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Wire {
    pub(super) fn open<S>(socket: WebSocketStream<S>, name: &str, shared: Shared) -> Self
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (outgoing, orders) = mpsc::unbounded_channel();
        let (arrivals, incoming) = mpsc::unbounded_channel();
        let name = name.to_owned();
        let task = tokio::spawn(async move {
            let closed = carry(socket, &name, &shared, orders, &arrivals).await;
            // The scenario may have ended before its socket.
            let _ = arrivals.send(Incoming::Closed(closed));
        });
        Self {
            outgoing,
            incoming,
            task,
            count: 0,
        }
    }

    /// An id for a CALL of the station.
    pub(super) fn next_id(&mut self) -> String {
        self.count += 1;
        format!("station-{}", self.count)
    }

    pub(super) fn send(&self, text: String) {
        // A socket that has ended says so by what comes in.
        let _ = self.outgoing.send(Outgoing::Text(text));
    }

    /// The next thing that comes in; `Closed` for ever once it has ended.
    pub(super) async fn next(&mut self) -> Incoming {
        self.incoming.recv().await.unwrap_or(Incoming::Closed(None))
    }

    /// What has come in and nobody waited for.
    pub(super) fn left(&mut self) -> Option<Incoming> {
        self.incoming.try_recv().ok()
    }

    pub(super) fn close(&self) {
        let _ = self.outgoing.send(Outgoing::Close);
    }
}

async fn carry<S: AsyncRead + AsyncWrite + Unpin>(
    mut socket: WebSocketStream<S>,
    name: &str,
    shared: &Shared,
    mut orders: mpsc::UnboundedReceiver<Outgoing>,
    arrivals: &mpsc::UnboundedSender<Incoming>,
) -> Option<u16> {
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(Outgoing::Text(text)) => {
                    shared.note(name, Direction::Out, Frame::read(&text));
                    if socket.send(Message::text(text)).await.is_err() {
                        return None;
                    }
                }
                Some(Outgoing::Close) => { socket.close(None).await.ok()?; }
                None => return None,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(text))) => {
                    let frame = Frame::read(&text);
                    shared.note(name, Direction::In, frame.clone());
                    if let Some(reply) = frame.answer_by_rule(shared) {
                        shared.note(name, Direction::Out, Frame::read(&reply));
                        socket.send(Message::text(reply)).await.ok()?;
                    } else {
                        arrivals.send(Incoming::Frame(frame, text.to_string())).ok()?;
                    }
                }
                Some(Ok(Message::Close(frame))) => return frame.map(|frame| frame.code.into()),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return None,
            },
        }
    }
}

impl Frame {
    /// Reads a frame as the standard writes it; anything else is [`Frame::Other`].
    pub(super) fn read(text: &str) -> Self {
        let other = || Self::Other(text.to_owned());
        let Ok(Value::Array(parts)) = serde_json::from_str(text) else {
            return other();
        };
        let word = |value: &Value| value.as_str().map(str::to_owned);
        let read = match &parts[..] {
            [kind, id, action, payload @ Value::Object(_)] if *kind == 2 => {
                word(id).zip(word(action)).map(|(id, action)| Self::Call {
                    id,
                    action,
                    payload: payload.clone(),
                })
            }
            [kind, id, payload @ Value::Object(_)] if *kind == 3 => {
                word(id).map(|id| Self::Result {
                    id,
                    payload: payload.clone(),
                })
            }
            [kind, id, code, description, Value::Object(_)] if *kind == 4 => word(id)
                .zip(word(code))
                .zip(word(description))
                .map(|((id, code), description)| Self::Error {
                    id,
                    code,
                    description,
                }),
            _ => None,
        };
        read.unwrap_or_else(other)
    }

    fn answer_by_rule(&self, shared: &Shared) -> Option<String> {
        let Self::Call { id, action, .. } = self else {
            return None;
        };
        let rule = shared.rule_for(action)?;
        Some(reply_text(id, rule.reply.as_ref(), rule.error.as_ref()))
    }
}

/// The frame that answers a CALL of the server.
pub(super) fn reply_text(id: &str, reply: Option<&Reply>, error: Option<&ReplyError>) -> String {
    match error {
        Some(error) => json!([4, id, error.code, error.description, {}]).to_string(),
        None => json!([3, id, reply_payload(reply)]).to_string(),
    }
}

/// The payload of a reply; Accepted if nothing is said.
pub(super) fn reply_payload(reply: Option<&Reply>) -> Value {
    match reply {
        None => json!({ "status": "Accepted" }),
        Some(Reply::Status(status)) => json!({ "status": status }),
        Some(Reply::Payload(payload)) => Value::Object(payload.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_strictly() {
        assert_eq!(
            Frame::read(r#"[3,"1",{}]"#),
            Frame::Result {
                id: "1".to_owned(),
                payload: json!({})
            }
        );
        assert!(matches!(
            Frame::read(r#"[2,"1","Reset",{}]"#),
            Frame::Call { .. }
        ));
        assert!(matches!(
            Frame::read(r#"[4,"1","InternalError","",{}]"#),
            Frame::Error { .. }
        ));
        for text in [
            r#"[3,1,{}]"#,
            r#"[3,"1",null]"#,
            r#"[4,"1","InternalError",""]"#,
            r#"[2,"1","Reset"]"#,
            "{}",
            "BOOT?",
        ] {
            assert!(matches!(Frame::read(text), Frame::Other(_)), "{text}");
        }
    }

    #[test]
    fn the_newest_rule_that_is_left_answers() {
        let shared = Shared::default();
        let rule = |reply: &str, times| Rule {
            call: "Reset".to_owned(),
            reply: Some(Reply::Status(reply.to_owned())),
            error: None,
            times,
        };
        shared.answer_by(rule("Accepted", None));
        shared.answer_by(rule("Rejected", Some(1)));
        let call = Frame::read(r#"[2,"7","Reset",{"type":"Soft"}]"#);
        let answers: Vec<_> = (0..3)
            .filter_map(|_| call.answer_by_rule(&shared))
            .collect();
        let rejected = r#"[3,"7",{"status":"Rejected"}]"#;
        let accepted = r#"[3,"7",{"status":"Accepted"}]"#;
        assert_eq!(answers, [rejected, accepted, accepted]);
        assert_eq!(
            Frame::read(r#"[2,"7","ClearCache",{}]"#).answer_by_rule(&shared),
            None
        );
    }
}
