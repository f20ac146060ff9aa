//! Who is connected and when it was last heard, on its way to the database: openings and closings at once and gathered,
//! `last_seen` of all stations in one statement every half a minute.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::DateTime;
use store::presence::{Connected, Seen};
use tokio::sync::Notify;
use tokio::time::Instant;
use uuid::Uuid;

use crate::Csms;
use crate::registry::Handle;

/// How often `last_seen` is written, at most.
const SEEN_EVERY: Duration = Duration::from_secs(30);
/// Between two tries while the database is away.
const PAUSE: Duration = Duration::from_millis(500);

/// Changes since the last write.
#[derive(Default)]
pub(crate) struct Presence {
    waiting: Mutex<Changes>,
    changed: Notify,
}

#[derive(Default)]
struct Changes {
    opened: HashMap<Uuid, Connected>,
    closed: HashMap<Uuid, Closed>,
}

/// A socket that was closed, and what was last heard on it.
#[derive(Clone, Copy)]
struct Closed {
    generation: i64,
    seen: Seen,
}

impl Changes {
    /// Adds a closing; of two of one station the later socket's counts, and no Heartbeat is lost.
    fn close(&mut self, closed: Closed) {
        let known = self.closed.entry(closed.seen.station_id).or_insert(Closed {
            seen: Seen {
                heartbeats: 0,
                ..closed.seen
            },
            ..closed
        });
        let heartbeats = known.seen.heartbeats + closed.seen.heartbeats;
        if closed.generation >= known.generation {
            *known = closed;
        }
        known.seen.heartbeats = heartbeats;
    }
}

impl Presence {
    /// A socket was opened.
    pub(crate) fn opened(&self, connected: Connected) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.opened.insert(connected.station_id, connected);
        self.changed.notify_one();
    }

    /// A socket was closed.
    pub(crate) fn closed(&self, handle: &Handle) {
        let closed = Closed {
            generation: handle.generation,
            seen: seen(handle),
        };
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .close(closed);
        self.changed.notify_one();
    }

    fn take(&self) -> Changes {
        std::mem::take(&mut *self.waiting.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Gives back what could not be written, unless something newer came.
    fn put_back(&self, changes: Changes) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        for (station, connected) in changes.opened {
            waiting.opened.entry(station).or_insert(connected);
        }
        for closed in changes.closed.into_values() {
            waiting.close(closed);
        }
    }
}

pub(crate) async fn write_forever(csms: Arc<Csms>) {
    let mut seen_at = Instant::now();
    loop {
        tokio::select! {
            () = csms.presence.changed.notified() => {
                if !write_changes(&csms).await {
                    tokio::time::sleep(PAUSE).await;
                    csms.presence.changed.notify_one();
                }
            }
            () = tokio::time::sleep_until(seen_at + SEEN_EVERY) => {
                seen_at = Instant::now();
                write_seen(&csms, &csms.registry.all()).await;
            }
        }
    }
}

/// Writes what is left.
pub(crate) async fn write_last(csms: &Csms) {
    write_changes(csms).await;
}

/// False if it could not be written, and waits on.
async fn write_changes(csms: &Csms) -> bool {
    let changes = csms.presence.take();
    let opened: Vec<Connected> = changes.opened.values().cloned().collect();
    let closed: Vec<Closed> = changes.closed.values().copied().collect();
    let written = async {
        let mut connection = csms.pool.acquire().await?;
        if !opened.is_empty() {
            store::presence::connected(&mut connection, &csms.node, &opened).await?;
        }
        if !closed.is_empty() {
            let seen: Vec<Seen> = closed.iter().map(|closed| closed.seen).collect();
            store::presence::seen(&mut connection, &seen).await?;
            let sockets: Vec<(Uuid, i64)> = closed
                .iter()
                .map(|closed| (closed.seen.station_id, closed.generation))
                .collect();
            store::presence::disconnected(&mut connection, &sockets, csms.clock.now()).await?;
        }
        store::Result::Ok(())
    };
    match written.await {
        Ok(()) => true,
        Err(error) => {
            tracing::warn!(%error, "presence could not be stored");
            csms.presence.put_back(changes);
            false
        }
    }
}

async fn write_seen(csms: &Csms, handles: &[Arc<Handle>]) {
    let seen: Vec<Seen> = handles.iter().map(|handle| seen(handle)).collect();
    if seen.is_empty() {
        return;
    }
    let written = async {
        let mut connection = csms.pool.acquire().await?;
        store::presence::seen(&mut connection, &seen).await
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, "last-seen times could not be stored");
        for (handle, seen) in handles.iter().zip(&seen) {
            handle
                .heartbeats
                .fetch_add(seen.heartbeats.unsigned_abs(), Ordering::Relaxed);
        }
    }
}

fn seen(handle: &Handle) -> Seen {
    let at = DateTime::from_timestamp_micros(handle.last_seen.load(Ordering::Relaxed))
        .unwrap_or_default();
    let heartbeats = handle.heartbeats.swap(0, Ordering::Relaxed);
    Seen {
        station_id: handle.station_id,
        at,
        heartbeats: heartbeats.cast_signed(),
    }
}
