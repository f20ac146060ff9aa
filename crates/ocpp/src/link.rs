//! One OCPP-J connection as a value: frames and time go in, outputs come out. No socket, no clock, no async.
//!
//! Both sides use it. `now` is a [`Duration`] since any fixed start. The driver's loop is short: write every
//! [`Output::Send`], hand every [`Output::Asked`] to whoever decides and give the outcome to [`Link::answer`],
//! wake up at [`Link::deadline`] for [`Link::tick`], and end with [`Link::close`].
//!
//! Rules kept here: at most one CALL of ours is unanswered, the rest wait in a bounded queue; the peer's CALLs cross
//! ours freely; an answer nobody waits for is dropped; a CALL repeated byte for byte gets its first answer again.

use std::collections::VecDeque;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use crate::frame::{self, Frame, Malformed, MessageId};
use crate::{CallError, ErrorCode, Failure, Version};

/// Largest answer kept for a repeated CALL, in bytes: it bounds what an idle connection costs.
const MAX_REPLAY: usize = 256;

/// What the driver does next, in order.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Write this text frame.
    Send(String),
    /// The peer asks. Give the outcome to [`Link::answer`] with the same id.
    Asked {
        /// Echoed in the answer.
        id: MessageId,
        /// The message name, known or not.
        action: String,
        /// The request: a JSON object as text, verbatim.
        payload: String,
    },
    /// A CALL of ours has ended.
    Answered {
        /// The id given to [`Link::call`].
        id: MessageId,
        /// The response, a JSON object as text, verbatim; or why there is none.
        outcome: Result<String, Failure>,
    },
    /// The frame changes nothing. Worth a line in the message log.
    Ignored(Reason),
}

/// Why a frame was not handed up.
#[derive(Debug, Clone, PartialEq)]
pub enum Reason {
    /// Nothing but white space; some chargers use it as a keep-alive.
    Empty,
    /// Not a frame. A `Send` with the CALLERROR follows unless it looks like an answer.
    Malformed(Malformed),
    /// A message type of another version; 2.0.1 answers it.
    UnknownMessageType(MessageId),
    /// An answer that is late, doubled or to nothing we asked.
    Unexpected(MessageId),
    /// The same CALL, byte for byte, is being handled; one answer serves both.
    InFlight(MessageId),
    /// The same CALL, byte for byte, was the last one answered; a `Send` with that answer follows.
    Replayed(MessageId),
    /// [`Link::answer`] was given an id the peer did not ask with.
    NotAsked(MessageId),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Empty => f.write_str("empty frame"),
            Reason::Malformed(malformed) => write!(f, "malformed frame: {}", malformed.why),
            Reason::UnknownMessageType(id) => write!(f, "unknown message type, id {id}"),
            Reason::Unexpected(id) => write!(f, "late or unsolicited answer {id}"),
            Reason::InFlight(id) => write!(f, "repeated call {id} is already being handled"),
            Reason::Replayed(id) => write!(f, "repeated call {id} got its answer again"),
            Reason::NotAsked(id) => write!(f, "answer to {id}, which nobody asked"),
        }
    }
}

/// How a link behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long the peer may take for an answer, from when the CALL leaves.
    pub call_timeout: Duration,
    /// How many CALLs of ours may wait behind the one that is out.
    pub queue: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            call_timeout: Duration::from_secs(30),
            queue: 32,
        }
    }
}

/// One connection, seen from one of its ends.
#[derive(Debug)]
pub struct Link {
    version: Version,
    limits: Limits,
    /// The peer's CALLs that we owe an answer.
    asked: Vec<Asked>,
    /// Our CALL that is out.
    waiting: Option<Waiting>,
    queue: VecDeque<Queued>,
    last_answered: Option<Box<Answered>>,
}

#[derive(Debug)]
struct Asked {
    id: MessageId,
    digest: u64,
}

#[derive(Debug)]
struct Waiting {
    id: MessageId,
    deadline: Duration,
}

#[derive(Debug)]
struct Queued {
    id: MessageId,
    frame: String,
}

#[derive(Debug)]
struct Answered {
    digest: u64,
    frame: Box<str>,
}

impl Link {
    /// A connection that has just opened.
    pub fn new(version: Version, limits: Limits) -> Self {
        Link {
            version,
            limits,
            asked: Vec::new(),
            waiting: None,
            queue: VecDeque::new(),
            last_answered: None,
        }
    }

    /// The version spoken.
    pub fn version(&self) -> Version {
        self.version
    }

    /// How many CALLs of the peer await [`Link::answer`]. A driver that stops reading at a few is protected from a
    /// peer that pipelines; a CALLERROR instead would lose messages.
    pub fn owed(&self) -> usize {
        self.asked.len()
    }

    /// A text frame arrived.
    pub fn receive(&mut self, now: Duration, text: &str) -> Vec<Output> {
        let text = frame::trim(text);
        if text.is_empty() {
            return vec![Output::Ignored(Reason::Empty)];
        }
        let refused = match frame::parse(text) {
            Ok(frame) => return self.accept(now, text, frame),
            Err(malformed) => malformed,
        };
        let mended = if refused.not_json {
            frame::mend(text)
        } else {
            None
        };
        match mended.as_deref().map(frame::parse) {
            Some(Ok(frame)) => self.accept(now, text, frame),
            _ => self.refuse(now, refused),
        }
    }

    fn accept(&mut self, now: Duration, text: &str, frame: Frame<'_>) -> Vec<Output> {
        match frame {
            Frame::Call {
                id,
                action,
                payload,
            } => self.asked(id, &action, payload, text),
            Frame::CallResult { id, payload } => self.settle(now, id, Ok(payload.to_owned())),
            Frame::CallError { id, error } => self.settle(now, id, Err(Failure::Refused(error))),
            Frame::Unknown { id } => self.unknown(id),
        }
    }

    fn asked(&mut self, id: MessageId, action: &str, payload: &str, text: &str) -> Vec<Output> {
        let digest = digest(text);
        if self
            .asked
            .iter()
            .any(|asked| asked.id == id && asked.digest == digest)
        {
            return vec![Output::Ignored(Reason::InFlight(id))];
        }
        // Some chargers reuse one id for every Heartbeat, and its answer is the time: never an old one.
        if let Some(answered) = &self.last_answered
            && answered.digest == digest
            && action != "Heartbeat"
        {
            let again = Output::Send(answered.frame.to_string());
            return vec![Output::Ignored(Reason::Replayed(id)), again];
        }
        self.asked.push(Asked {
            id: id.clone(),
            digest,
        });
        vec![Output::Asked {
            id,
            action: action.to_owned(),
            payload: payload.to_owned(),
        }]
    }

    /// What to say to [`Output::Asked`]: the response as a JSON object, or an error.
    pub fn answer(&mut self, id: &MessageId, outcome: Result<String, CallError>) -> Vec<Output> {
        let Some(at) = self.asked.iter().position(|asked| asked.id == *id) else {
            return vec![Output::Ignored(Reason::NotAsked(id.clone()))];
        };
        let Asked { id, digest } = self.asked.remove(at);
        self.last_answered = None;
        let frame = match outcome {
            Ok(payload) => {
                let frame = frame::write_call_result(&id, &payload);
                // An error is not kept: asked again, we may do better.
                if frame.len() <= MAX_REPLAY {
                    self.last_answered = Some(Box::new(Answered {
                        digest,
                        frame: frame.as_str().into(),
                    }));
                }
                frame
            }
            Err(error) => frame::write_call_error(self.version, Some(&id), &error),
        };
        vec![Output::Send(frame)]
    }

    /// We ask the peer; `payload` is a JSON object as text. The CALL leaves at once or waits its turn.
    /// It ends in exactly one [`Output::Answered`] with this id.
    pub fn call(
        &mut self,
        now: Duration,
        id: MessageId,
        action: &str,
        payload: &str,
    ) -> Vec<Output> {
        if self.waiting.is_some() && self.queue.len() >= self.limits.queue {
            return vec![Output::Answered {
                id,
                outcome: Err(Failure::QueueFull),
            }];
        }
        let frame = frame::write_call(&id, action, payload);
        self.queue.push_back(Queued { id, frame });
        self.send_next(now).into_iter().collect()
    }

    /// When [`Link::tick`] is due, unless something else happens first.
    pub fn deadline(&self) -> Option<Duration> {
        self.waiting.as_ref().map(|waiting| waiting.deadline)
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Duration) -> Vec<Output> {
        match self.waiting.take_if(|waiting| waiting.deadline <= now) {
            Some(late) => self.ended(now, late.id, Err(Failure::TimedOut)),
            None => Vec::new(),
        }
    }

    /// The connection is gone: every CALL of ours that is out or waits has failed. What the peer asked is forgotten.
    pub fn close(&mut self) -> Vec<Output> {
        self.asked = Vec::new();
        self.last_answered = None;
        let waiting = self.waiting.take().map(|waiting| (waiting.id, true));
        let queued = std::mem::take(&mut self.queue)
            .into_iter()
            .map(|queued| (queued.id, false));
        waiting
            .into_iter()
            .chain(queued)
            .map(|(id, sent)| Output::Answered {
                id,
                outcome: Err(Failure::Disconnected { sent }),
            })
            .collect()
    }

    fn settle(
        &mut self,
        now: Duration,
        id: MessageId,
        outcome: Result<String, Failure>,
    ) -> Vec<Output> {
        // A charger may turn "17" into 17 in its answer.
        match self
            .waiting
            .take_if(|waiting| waiting.id.text() == id.text())
        {
            Some(waiting) => self.ended(now, waiting.id, outcome),
            None => vec![Output::Ignored(Reason::Unexpected(id))],
        }
    }

    fn ended(
        &mut self,
        now: Duration,
        id: MessageId,
        outcome: Result<String, Failure>,
    ) -> Vec<Output> {
        let mut outputs = vec![Output::Answered { id, outcome }];
        outputs.extend(self.send_next(now));
        outputs
    }

    fn send_next(&mut self, now: Duration) -> Option<Output> {
        if self.waiting.is_some() {
            return None;
        }
        let Some(next) = self.queue.pop_front() else {
            // The buffer of a burst is not kept by a connection that is idle again.
            self.queue = VecDeque::new();
            return None;
        };
        let deadline = now.saturating_add(self.limits.call_timeout);
        self.waiting = Some(Waiting {
            id: next.id,
            deadline,
        });
        Some(Output::Send(next.frame))
    }

    fn unknown(&self, id: MessageId) -> Vec<Output> {
        let answer = match self.version {
            Version::V16 => None,
            Version::V201 => {
                let error = ErrorCode::MessageTypeNotSupported.into();
                Some(Output::Send(frame::write_call_error(
                    self.version,
                    Some(&id),
                    &error,
                )))
            }
        };
        std::iter::once(Output::Ignored(Reason::UnknownMessageType(id)))
            .chain(answer)
            .collect()
    }

    fn refuse(&mut self, now: Duration, malformed: Malformed) -> Vec<Output> {
        let error = CallError::new(malformed.code.clone(), malformed.why.clone());
        if malformed.is_answer {
            // It has answered, even if nobody can read what: there is nothing more to wait for.
            let ours = self.waiting.take_if(|waiting| {
                Some(waiting.id.text()) == malformed.id.as_ref().map(MessageId::text)
            });
            let mut outputs = vec![Output::Ignored(Reason::Malformed(malformed))];
            if let Some(ours) = ours {
                outputs.extend(self.ended(now, ours.id, Err(Failure::Refused(error))));
            }
            return outputs;
        }
        let frame = frame::write_call_error(self.version, malformed.id.as_ref(), &error);
        vec![
            Output::Ignored(Reason::Malformed(malformed)),
            Output::Send(frame),
        ]
    }
}

fn digest(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten thousand idle connections must be cheap.
    #[test]
    fn an_idle_link_is_small() {
        let mut link = Link::new(Version::V16, Limits::default());
        for n in 0..20 {
            link.call(
                Duration::ZERO,
                MessageId::new(&n.to_string()),
                "Reset",
                "{}",
            );
            let id = MessageId::new(&format!("3f0e7c1a-6f6e-4f0b-9b6b-{n:012}"));
            link.receive(
                Duration::ZERO,
                &format!("[2,{},\"Authorize\",{{}}]", id.token()),
            );
            link.answer(&id, Ok(format!("{{\"filler\":\"{}\"}}", "x".repeat(180))));
        }
        for n in 0..20 {
            link.receive(Duration::ZERO, &format!("[3,\"{n}\",{{}}]"));
        }
        assert!(link.deadline().is_none() && link.last_answered.is_some());
        let kept = link
            .last_answered
            .as_ref()
            .map_or(0, |kept| size_of::<Answered>() + kept.frame.len());
        let heap = kept
            + link.asked.capacity() * size_of::<Asked>()
            + link.queue.capacity() * size_of::<Queued>();
        assert!(heap < 500, "{heap} bytes of heap");
        assert!(size_of::<Link>() < 200, "{} bytes", size_of::<Link>());
    }
}
