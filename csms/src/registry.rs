//! The sockets of this node, by station. A new socket of a station takes over; the old one's late end changes nothing.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

/// What a connection is told.
#[derive(Debug)]
pub(crate) enum Control {
    /// A command waits for the station.
    CommandWaits,
    /// The station's row has changed.
    StationChanged,
    /// End now.
    Close(Close),
}

/// Why a connection ends at our wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Close {
    /// The station has opened another socket.
    Replaced,
    /// We shut down.
    Restart,
    /// Nothing can be stored: the station keeps its queue while it is away.
    TryLater,
}

/// A connection, as others see it.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) station_id: Uuid,
    pub(crate) generation: i64,
    pub(crate) address: IpAddr,
    control: mpsc::UnboundedSender<Control>,
    /// Microseconds since 1970 of the last frame.
    pub(crate) last_seen: AtomicI64,
    /// Heartbeats since presence was last written.
    pub(crate) heartbeats: AtomicU64,
}

impl Handle {
    /// Tells the connection something. The words are few: whoever tells them looks at rows that change seldom.
    pub(crate) fn tell(&self, control: Control) {
        // A connection that has gone needs no telling.
        let _ = self.control.send(control);
    }
}

/// The connection's own end of its [`Handle`].
pub(crate) struct Seat {
    pub(crate) handle: Arc<Handle>,
    pub(crate) control: mpsc::UnboundedReceiver<Control>,
}

/// Every open socket of this node.
#[derive(Default)]
pub(crate) struct Registry {
    seats: Mutex<HashMap<Uuid, Arc<Handle>>>,
    generation: AtomicI64,
    emptied: Notify,
}

impl Registry {
    fn seats(&self) -> MutexGuard<'_, HashMap<Uuid, Arc<Handle>>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the station's new socket its seat; whoever sat there is told to leave. `now` in microseconds keeps
    /// generations growing across restarts.
    pub(crate) fn take_over(
        &self,
        station_id: Uuid,
        address: IpAddr,
        now: i64,
    ) -> (Seat, Option<Arc<Handle>>) {
        let next = |last: i64| (last + 1).max(now);
        let generation = next(
            self.generation
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                    Some(next(last))
                })
                .unwrap_or_else(|last| last),
        );
        let (tell, control) = mpsc::unbounded_channel();
        let handle = Arc::new(Handle {
            station_id,
            generation,
            address,
            control: tell,
            last_seen: AtomicI64::new(now),
            heartbeats: AtomicU64::new(0),
        });
        let old = self.seats().insert(station_id, handle.clone());
        if let Some(old) = &old {
            old.tell(Control::Close(Close::Replaced));
        }
        (Seat { handle, control }, old)
    }

    /// The connection has ended. False if another had already taken its seat.
    pub(crate) fn leave(&self, handle: &Handle) -> bool {
        let mut seats = self.seats();
        let mine = seats
            .get(&handle.station_id)
            .is_some_and(|seated| seated.generation == handle.generation);
        if mine {
            seats.remove(&handle.station_id);
            if seats.is_empty() {
                self.emptied.notify_waiters();
            }
        }
        mine
    }

    /// The station's connection.
    pub(crate) fn get(&self, station_id: Uuid) -> Option<Arc<Handle>> {
        self.seats().get(&station_id).cloned()
    }

    /// Every connection.
    pub(crate) fn all(&self) -> Vec<Arc<Handle>> {
        self.seats().values().cloned().collect()
    }

    /// Tells every connection to end.
    pub(crate) fn close_all(&self, why: Close) {
        for handle in self.all() {
            handle.tell(Control::Close(why));
        }
    }

    /// Waits until nobody is left.
    pub(crate) async fn wait_until_empty(&self) {
        loop {
            let emptied = self.emptied.notified();
            if self.seats().is_empty() {
                return;
            }
            emptied.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;

    #[test]
    fn a_new_socket_wins_and_the_old_ones_late_end_changes_nothing() {
        let registry = Registry::default();
        let (station, address) = (Uuid::from_u128(1), IpAddr::from(Ipv4Addr::LOCALHOST));
        let (mut first, nobody) = registry.take_over(station, address, 5);
        assert!(nobody.is_none());
        let (second, replaced) = registry.take_over(station, address, 5);
        assert_eq!(replaced.unwrap().generation, first.handle.generation);
        assert!(second.handle.generation > first.handle.generation);
        assert!(matches!(
            first.control.try_recv(),
            Ok(Control::Close(Close::Replaced))
        ));
        assert!(!registry.leave(&first.handle));
        assert_eq!(
            registry.get(station).unwrap().generation,
            second.handle.generation
        );
        assert!(registry.leave(&second.handle));
        assert!(registry.get(station).is_none());
    }
}
