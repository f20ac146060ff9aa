//! An honest station while others mean harm: it comes in anew again and again, asks, and notes how long both took.

use std::time::{Duration, Instant};

use serde_json::json;
use simulators::socket::Target;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::talk::Talker;

/// Between two visits.
const PAUSE: Duration = Duration::from_millis(50);
/// Fewer visits say little: a quick machine is through with a flood in no time.
const ENOUGH: usize = 30;

/// A canary at work.
pub struct Canary {
    over: watch::Sender<bool>,
    visits: JoinHandle<Vec<Visit>>,
}

#[derive(Debug, Clone, Copy)]
struct Visit {
    /// Until it was let in.
    handshake: Duration,
    /// Until a Heartbeat was answered.
    answer: Duration,
}

/// What it met with.
#[derive(Debug)]
pub struct Song {
    /// Of a hundred handshakes, the second slowest.
    pub handshake_p99: Duration,
    pub answer_p99: Duration,
}

impl Canary {
    /// One of this identity, which must be let in every time.
    pub fn sing(target: Target, id: &'static str, password: Option<&'static str>) -> Self {
        let (over, is_over) = watch::channel(false);
        let visits = tokio::spawn(async move {
            let mut visits = Vec::new();
            while !*is_over.borrow() || visits.len() < ENOUGH {
                visits.push(visit(&target, id, password).await);
                sleep(PAUSE).await;
            }
            visits
        });
        Canary { over, visits }
    }

    /// Ends it.
    pub async fn end(self) -> Song {
        self.over.send_replace(true);
        let visits = self.visits.await.expect("every visit went well");
        Song {
            handshake_p99: p99(visits.iter().map(|visit| visit.handshake)),
            answer_p99: p99(visits.iter().map(|visit| visit.answer)),
        }
    }
}

async fn visit(target: &Target, id: &str, password: Option<&str>) -> Visit {
    let begun = Instant::now();
    let came = Talker::come(target, id, password.map(str::as_bytes)).await;
    let mut talker = came.expect("let in");
    let handshake = begun.elapsed();
    let begun = Instant::now();
    talker.call("Heartbeat", &json!({})).await;
    Visit {
        handshake,
        answer: begun.elapsed(),
    }
}

fn p99(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<Duration> = times.collect();
    times.sort_unstable();
    let at = times.len() * 99 / 100;
    times.get(at).copied().unwrap_or_default()
}
