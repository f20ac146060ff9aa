//! Two Links joined in memory, with a simulated clock: a conversation without a socket.

#[path = "support/line.rs"]
mod line;

use std::time::Duration;

use line::line;
use ocpp::{Limits, Link, MessageId, Output, Version};

const NOW: Duration = Duration::from_secs(1_000);

/// Two links back to back. Every frame takes a second; a cut wire loses it.
struct Pair {
    now: Duration,
    ends: [Link; 2],
    wire: Vec<(Duration, usize, String)>,
    is_cut: bool,
    seen: Vec<String>,
}

impl Pair {
    const LATENCY: Duration = Duration::from_secs(1);

    fn new() -> Self {
        let limits = Limits {
            call_timeout: Duration::from_secs(30),
            queue: 2,
        };
        let ends = [
            Link::new(Version::V16, limits),
            Link::new(Version::V16, limits),
        ];
        Pair {
            now: NOW,
            ends,
            wire: Vec::new(),
            is_cut: false,
            seen: Vec::new(),
        }
    }

    fn call(&mut self, end: usize, name: &str) {
        let outputs = self.ends[end].call(self.now, MessageId::new(name), "Echo", r#"{"n":1}"#);
        self.drive(end, outputs);
    }

    /// Writes what is to be sent, answers what is asked, notes what has ended.
    fn drive(&mut self, end: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send(_) if self.is_cut => {}
                Output::Send(frame) => self.wire.push((self.now + Self::LATENCY, 1 - end, frame)),
                Output::Asked { id, payload, .. } => {
                    let answer = self.ends[end].answer(&id, Ok(payload));
                    self.drive(end, answer);
                }
                other => self.seen.push(format!("{end} {}", line(other))),
            }
        }
    }

    /// Moves time from event to event until nothing is left to happen.
    fn run(&mut self) {
        loop {
            let arrival = self.wire.iter().map(|(at, ..)| *at).min();
            let deadline = self.ends.iter().filter_map(Link::deadline).min();
            let Some(next) = arrival.into_iter().chain(deadline).min() else {
                return;
            };
            self.now = next;
            if arrival == Some(next) {
                let at = self.wire.iter().position(|(at, ..)| *at == next).unwrap();
                let (_, end, frame) = self.wire.remove(at);
                let outputs = self.ends[end].receive(next, &frame);
                self.drive(end, outputs);
            } else {
                for end in 0..2 {
                    let outputs = self.ends[end].tick(next);
                    self.drive(end, outputs);
                }
            }
        }
    }
}

#[test]
fn a_pair_talks_both_ways_without_a_socket() {
    let mut pair = Pair::new();
    pair.call(0, "a");
    pair.call(0, "b");
    pair.call(1, "a");
    pair.run();
    assert_eq!(
        pair.seen,
        [
            r#"0 answered a {"n":1}"#,
            r#"1 answered a {"n":1}"#,
            r#"0 answered b {"n":1}"#
        ]
    );
    assert_eq!(pair.now, NOW + 4 * Pair::LATENCY);
}

#[test]
fn a_pair_on_a_cut_wire_times_out_in_turn() {
    let mut pair = Pair::new();
    pair.is_cut = true;
    pair.call(0, "a");
    pair.call(0, "b");
    pair.run();
    assert_eq!(
        pair.seen,
        [
            "0 failed a no answer in time",
            "0 failed b no answer in time"
        ]
    );
    assert_eq!(pair.now, NOW + Duration::from_secs(60));
}
