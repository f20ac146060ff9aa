//! How many sockets there may be, in all and of one address. Whoever has the most of them takes no place from the others.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use crate::Options;

/// The sockets that are open.
#[derive(Default)]
pub(crate) struct Places {
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    all: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// One socket among all; given back when dropped.
pub(crate) struct Place {
    places: Arc<Places>,
    address: Option<IpAddr>,
}

impl Place {
    /// A place in all; none if there are too many. Whose it is may not be known yet (a proxy tells it later).
    pub(crate) fn take(places: &Arc<Places>, options: &Options) -> Option<Self> {
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if taken.all >= options.max_connections {
            return None;
        }
        taken.all += 1;
        Some(Place {
            places: places.clone(),
            address: None,
        })
    }

    /// Counts it as one of this address; none if that has too many. Said again it changes nothing.
    pub(crate) fn of(mut self, address: IpAddr, options: &Options) -> Option<Self> {
        if self.address.is_some() {
            return Some(self);
        }
        let places = self.places.clone();
        let mut taken = places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let here = taken.by_address.get(&address).copied().unwrap_or(0);
        if here >= options.max_per_address {
            // Dropping it takes the lock.
            drop(taken);
            return None;
        }
        taken.by_address.insert(address, here + 1);
        self.address = Some(address);
        Some(self)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self
            .places
            .taken
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        taken.all -= 1;
        let Some(address) = self.address else { return };
        if let Some(here) = taken.by_address.get_mut(&address) {
            *here -= 1;
            if *here == 0 {
                taken.by_address.remove(&address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_in_all_and_by_address_and_given_back() {
        let options = Options {
            max_connections: 3,
            max_per_address: 2,
            ..Options::default()
        };
        let places = Arc::new(Places::default());
        let take = |last: u8| {
            let place = Place::take(&places, &options)?;
            place.of(IpAddr::from([192, 0, 2, last]), &options)
        };
        let mine = [take(1), take(1)];
        assert!(mine.iter().all(Option::is_some));
        assert!(take(1).is_none(), "two of one address");
        let other = take(2);
        assert!(other.is_some(), "another address has its own");
        assert!(take(3).is_none(), "three in all");
        drop(mine);
        assert!(take(1).is_some() && take(3).is_some());
        drop(other);
        let taken = places.taken.lock().unwrap();
        assert_eq!((taken.all, taken.by_address.len()), (0, 0));
    }
}
