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
    /// It says that it is another one than its certificate does.
    OtherStation,
    /// It is registered no more.
    Forgotten,
    /// Somebody blocked it.
    Blocked,
    /// It came in by what opens the door no more.
    Outdated,
}

/// Takeovers within this time, microseconds, count as one quarrel.
const QUARREL_US: i64 = 60_000_000;
/// So many of them are no accident, and are told; then again at every multiple.
const QUARREL: usize = 4;

/// Sockets of one station that push each other out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Flapping {
    /// How many did so within the last minute.
    pub(crate) takeovers: usize,
    /// From where they came.
    pub(crate) addresses: Vec<IpAddr>,
}

/// A connection, as others see it.
#[derive(Debug)]
pub(crate) struct Handle {
    pub(crate) station_id: Uuid,
    pub(crate) generation: i64,
    pub(crate) address: IpAddr,
    control: mpsc::UnboundedSender<Control>,
    /// When sockets of this station took over lately, this one last, and from where they came.
    takeovers: Vec<(i64, IpAddr)>,
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

    /// The takeovers of the last minute, with the one from `address` that comes now.
    fn followed_by(&self, address: IpAddr, now: i64) -> Vec<(i64, IpAddr)> {
        let recent = self
            .takeovers
            .iter()
            .filter(|(at, _)| (0..QUARREL_US).contains(&(now - at)));
        let mut takeovers: Vec<_> = recent.copied().collect();
        if takeovers.is_empty() {
            // The first of them: who sat here belongs to the quarrel.
            takeovers.push((now, self.address));
        }
        takeovers.push((now, address));
        takeovers
    }

    /// Whether this socket is one too many of a quarrel.
    pub(crate) fn flapping(&self) -> Option<Flapping> {
        let takeovers = self.takeovers.len().saturating_sub(1);
        if takeovers == 0 || !takeovers.is_multiple_of(QUARREL) {
            return None;
        }
        let mut addresses: Vec<IpAddr> = self.takeovers.iter().map(|(_, from)| *from).collect();
        addresses.sort_unstable();
        addresses.dedup();
        Some(Flapping {
            takeovers,
            addresses,
        })
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
    /// One whose generations are higher than this one, also where the clock was set back since it was given.
    pub(crate) fn after(generation: i64) -> Self {
        Registry {
            generation: AtomicI64::new(generation),
            ..Registry::default()
        }
    }

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
        let mut seats = self.seats();
        let takeovers = seats
            .get(&station_id)
            .map(|old| old.followed_by(address, now))
            .unwrap_or_default();
        let handle = Arc::new(Handle {
            station_id,
            generation,
            address,
            control: tell,
            takeovers,
            last_seen: AtomicI64::new(now),
            heartbeats: AtomicU64::new(0),
        });
        let old = seats.insert(station_id, handle.clone());
        drop(seats);
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

    #[test]
    fn quirk_07_two_devices_that_push_each_other_out_are_noticed() {
        let registry = Registry::default();
        let station = Uuid::from_u128(1);
        let from = |last: u8| IpAddr::from(Ipv4Addr::new(10, 0, 0, last));
        let flaps = |second: i64, last: u8| {
            let (seat, _) = registry.take_over(station, from(last), second * 1_000_000);
            seat.handle.flapping()
        };
        assert_eq!((0..4).find_map(|n| flaps(n, 1 + (n % 2) as u8)), None);
        let told = flaps(4, 1).expect("the fourth takeover within a minute");
        assert_eq!(
            (told.takeovers, told.addresses),
            (4, vec![from(1), from(2)])
        );
        assert_eq!(flaps(5, 2), None, "told once");
        assert_eq!(
            (0..9).find_map(|n| flaps(100 + n * 61, 1)),
            None,
            "one a minute is a bad line"
        );
    }
}
