//! How many passwords are looked at, and how many names may be tried. Whoever guesses is stopped by where he comes from
//! and whom he plays; the station itself has a share of its own at the address from which it last came, so that nobody
//! locks it out.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use uuid::Uuid;

use crate::pace::Pace;

/// How long what was spent counts.
const WINDOW: Duration = Duration::from_secs(60);
/// Hashes a minute for all strangers who play one station.
const STRANGERS: u32 = 6;
/// For one stranger among them.
const STRANGER: u32 = 3;
/// For the address from which the station last came.
const KNOWN: u32 = 4;
/// Refusals of one source at once, and a second in the long run; then it learns nothing but that it is too much. A
/// fleet behind one address, set up wrongly and impatient, is heard all the same.
const REFUSALS: (u32, u32) = (300, 2);
/// Counts kept of each kind; past that the old ones are dropped.
const MOST: usize = 200_000;

/// One wrong password, perhaps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Attempt {
    pub(crate) station: Uuid,
    pub(crate) source: IpAddr,
    /// Whether the station last came from there.
    pub(crate) is_known: bool,
}

impl Attempt {
    /// What it is counted as, and up to where.
    fn counts(self) -> Vec<((Uuid, Option<IpAddr>), u32)> {
        let source = (self.station, Some(self.source));
        if self.is_known {
            vec![(source, KNOWN)]
        } else {
            vec![(source, STRANGER), ((self.station, None), STRANGERS)]
        }
    }
}

/// What was spent lately.
#[derive(Default)]
pub(crate) struct Attempts {
    spent: Mutex<HashMap<(Uuid, Option<IpAddr>), Spent>>,
    refused: Mutex<HashMap<IpAddr, Pace>>,
}

struct Spent {
    since: Instant,
    hashes: u32,
}

impl Spent {
    /// Whether it counts no more.
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= WINDOW
    }
}

impl Attempts {
    /// Whether an attempt that costs this many hashes is looked at; if so, it is counted.
    pub(crate) fn may(&self, attempt: Attempt, cost: u32, now: Instant) -> bool {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() >= MOST {
            spent.retain(|_, spent| !spent.is_over(now));
        }
        let counts = attempt.counts();
        let within = counts.iter().all(|(key, limit)| {
            spent.get(key).is_none_or(|spent| {
                // The first of a minute is looked at whatever it costs.
                spent.is_over(now)
                    || spent.hashes == 0
                    || spent.hashes.saturating_add(cost) <= *limit
            })
        });
        if !within || spent.len() >= MOST {
            return false;
        }
        for (key, _) in counts {
            let entry = spent.entry(key).or_insert(Spent {
                since: now,
                hashes: 0,
            });
            if entry.is_over(now) {
                *entry = Spent {
                    since: now,
                    hashes: 0,
                };
            }
            entry.hashes = entry.hashes.saturating_add(cost);
        }
        true
    }

    /// Whether this source was refused so often that it learns nothing more for now.
    pub(crate) fn is_refused_often(&self, source: IpAddr, now: Instant) -> bool {
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let known = refused.get(&source);
        // With as many sources as that no new one is told anything either.
        known.map_or(refused.len() >= MOST, |pace| pace.is_over(now))
    }

    /// Counts a refusal of this source.
    pub(crate) fn note_refusal(&self, source: IpAddr, now: Instant) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        if refused.len() >= MOST {
            refused.retain(|_, pace| !pace.is_whole(now));
        }
        if refused.len() < MOST || refused.contains_key(&source) {
            let (burst, rate) = REFUSALS;
            let pace = refused.entry(source);
            pace.or_insert_with(|| Pace::new(rate, burst, now))
                .take(now);
        }
    }

    /// It was no guess after all.
    pub(crate) fn forgive(&self, attempt: Attempt) {
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in attempt.counts() {
            spent.remove(&key);
        }
    }
}
