//! Frames between the core and the socket: through the quirks, the faults and the trace, and what becomes of a socket.

use std::time::Duration;

use evse_core::{
    Input,
    ocpp::{Frame, firmware::LogKind},
};
use futures_util::{SinkExt, StreamExt};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;

use super::{Dial, Driver};
use crate::{
    fault::Direction,
    quirks::Wire,
    socket::{ConnectError, Socket},
    station::StationEvent,
};

/// A socket that takes no bytes for so long is broken.
const SEND_LIMIT: Duration = Duration::from_secs(20);

/// A frame on its way through the fault layer.
#[derive(Debug)]
pub(super) struct Late {
    pub(super) due: Instant,
    direction: Direction,
    frame: Wire,
}

impl Driver {
    /// Breaks the socket as a cut cable does: no closing handshake.
    pub(super) async fn cut(&mut self) {
        self.hang_up();
        self.step(Input::Tick).await;
    }

    pub(super) fn hang_up(&mut self) {
        let socket = self.socket.take();
        let was_linked = socket.is_some() | self.dial.take().is_some();
        if std::mem::take(&mut self.half_open) {
            self.forsaken.extend(socket);
        }
        self.lost = false;
        self.late.clear();
        if was_linked {
            self.tell(StationEvent::Disconnected);
            self.link_news.push_back(false);
        }
    }

    pub(super) async fn dialled(&mut self, dialled: Result<Socket, ConnectError>) {
        self.dial = None;
        match dialled {
            Ok(socket) => {
                self.socket = Some(socket);
                self.tell(StationEvent::Connected);
                self.step(Input::LinkUp).await;
            }
            Err(problem) => {
                self.tell(StationEvent::ConnectFailed(problem));
                self.step(Input::LinkDown).await;
            }
        }
    }

    /// Something came from the socket, or it ended (`None`).
    pub(super) async fn received(&mut self, message: Option<Message>) {
        match message {
            Some(Message::Text(text)) => {
                let action = action_of(&text);
                let frames =
                    self.interceptor
                        .pass(Direction::In, action.as_deref(), text.to_string());
                // Only the answer to its CALL is awaited.
                self.lost |= frames.is_empty() && action.is_none();
                for (delay, text) in frames {
                    if delay.is_zero() {
                        self.hear(text).await;
                    } else {
                        self.late.push(Late {
                            due: Instant::now() + delay,
                            direction: Direction::In,
                            frame: Wire::Text(text),
                        });
                    }
                }
            }
            Some(Message::Pong(_)) => self.step(Input::Pong).await,
            // The library answers pings; other kinds mean nothing to OCPP-J.
            Some(Message::Ping(_) | Message::Binary(_) | Message::Frame(_)) => {}
            Some(Message::Close(_)) | None => {
                self.hang_up();
                self.step(Input::Tick).await;
            }
        }
    }

    async fn hear(&mut self, text: String) {
        self.note(Direction::In, &text);
        let heard = self.quirks.incoming(&text);
        if let Some(answer) = heard.answer {
            self.pass_out(Wire::Text(answer)).await;
        }
        if let Some(text) = heard.text {
            self.step(Input::Text(&text)).await;
        }
    }

    pub(super) async fn send(&mut self, text: String) {
        let said = self.quirks.outgoing(&text);
        self.heard.extend(said.heard);
        for frame in said.wire {
            self.pass_out(frame).await;
        }
    }

    /// A frame on its way out, through the fault layer. Faults of texts do not touch binary frames.
    pub(super) async fn pass_out(&mut self, frame: Wire) {
        let text = match frame {
            Wire::Text(text) => text,
            Wire::Binary(bytes) => {
                self.note(Direction::Out, &String::from_utf8_lossy(&bytes));
                self.put_on_wire(Wire::Binary(bytes)).await;
                return;
            }
        };
        self.note(Direction::Out, &text);
        let action = action_of(&text);
        let frames = self
            .interceptor
            .pass(Direction::Out, action.as_deref(), text.clone());
        if action.is_some() {
            let comes = frames.iter().any(|(_, left)| has_id_of(left, &text));
            self.lost = !comes || self.half_open;
        }
        for (_, left) in frames.iter().filter(|(_, left)| *left != text) {
            // What was damaged on the way is what the server answers.
            self.note(Direction::Out, left);
        }
        for (delay, text) in frames {
            if delay.is_zero() {
                self.put_on_wire(Wire::Text(text)).await;
            } else {
                self.late.push(Late {
                    due: Instant::now() + delay,
                    direction: Direction::Out,
                    frame: Wire::Text(text),
                });
            }
        }
    }

    async fn put_on_wire(&mut self, frame: Wire) {
        self.put(match frame {
            Wire::Text(text) => Message::text(text),
            Wire::Binary(bytes) => Message::binary(bytes),
        })
        .await;
    }

    /// Also for a ping of the station's own: faults of texts do not touch it.
    pub(super) async fn put(&mut self, message: Message) {
        let Some(socket) = self.socket.as_mut().filter(|_| !self.half_open) else {
            return;
        };
        let sent = timeout(SEND_LIMIT, socket.send(message)).await;
        if !matches!(sent, Ok(Ok(()))) {
            self.hang_up();
        }
    }

    pub(super) async fn deliver_late(&mut self) {
        let now = Instant::now();
        // Equal delays keep their order: the list is in order of arrival.
        while let Some(at) = self.late.iter().position(|l| l.due <= now) {
            let Late {
                direction, frame, ..
            } = self.late.remove(at);
            match (direction, frame) {
                (Direction::In, Wire::Text(text)) => self.hear(text).await,
                (_, frame) => self.put_on_wire(frame).await,
            }
        }
        self.step(Input::Tick).await;
    }

    fn note(&mut self, direction: Direction, text: &str) {
        let at = self.core.utc(self.now());
        self.host
            .log(LogKind::Diagnostics, at, format!("{direction:?} {text}"));
        if let Some(trace) = &mut self.trace
            && let Err(problem) = trace.append(&self.tracer.line(at, direction, text))
        {
            self.trace = None;
            self.tell(StationEvent::TraceFailed(problem));
        }
        self.tell(StationEvent::Frame(at, direction, text.to_owned()));
    }
}

/// Whether a frame still has the id of what was sent: what comes under another is the answer to nothing.
fn has_id_of(frame: &str, sent: &str) -> bool {
    let end = sent.match_indices(',').nth(1);
    frame.starts_with(end.map_or(sent, |(end, _)| &sent[..end]))
}

fn action_of(text: &str) -> Option<String> {
    match Frame::parse(text) {
        Ok(Frame::Call { action, .. }) => Some(action.into_owned()),
        _ => None,
    }
}

pub(super) async fn dialled(dial: &mut Option<Dial>) -> Result<Socket, ConnectError> {
    match dial {
        Some(dial) => dial.await,
        None => std::future::pending().await,
    }
}

pub(super) async fn received(socket: &mut Option<Socket>) -> Option<Message> {
    match socket {
        Some(socket) => socket.next().await.and_then(Result::ok),
        None => std::future::pending().await,
    }
}
