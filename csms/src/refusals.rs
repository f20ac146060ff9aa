//! Refused handshakes on their way to the list that operators see; a storm of them stays one row.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use store::refusals::Refusal as Row;

use crate::Csms;
use crate::handshake::Refusal;

/// Different identities remembered between two writes; a scan for names must not fill the memory.
const MOST: usize = 10_000;
/// Longest identity shown.
const IDENTITY: usize = 255;
const INTERVAL: Duration = Duration::from_millis(200);

/// Refusals since the last write.
#[derive(Default)]
pub(crate) struct Refusals {
    waiting: Mutex<HashMap<(String, &'static str), Row>>,
}

impl Refusals {
    /// Notes a refusal. `identity` is as the charger spelt it, or the path if it spelt none.
    pub(crate) fn note(&self, identity: &str, address: IpAddr, refusal: &Refusal) {
        metrics::counter!("forecourt_refused_handshakes_total", "reason" => refusal.reason)
            .increment(1);
        let identity: String = identity
            .chars()
            .filter(|c| !c.is_control())
            .take(IDENTITY)
            .collect();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() >= MOST {
            return;
        }
        let row = waiting
            .entry((identity.clone(), refusal.reason))
            .or_insert_with(|| Row {
                identity,
                reason: refusal.reason.to_owned(),
                detail: String::new(),
                address: String::new(),
                attempts: 0,
            });
        row.detail.clone_from(&refusal.detail);
        row.address = address.to_string();
        row.attempts += 1;
    }

    fn take(&self) -> Vec<Row> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.drain().map(|(_, row)| row).collect()
    }
}

pub(crate) async fn write_forever(csms: Arc<Csms>) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        write_last(&csms).await;
    }
}

/// Writes what is left.
pub(crate) async fn write_last(csms: &Csms) {
    let rows = csms.refusals.take();
    if rows.is_empty() {
        return;
    }
    let written = async {
        let mut connection = csms.pool.acquire().await?;
        store::refusals::record(&mut connection, &rows, csms.clock.now()).await
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, lost = rows.len(), "refusals could not be stored");
    }
}
