//! How much chaos: little in the tests, as much as the environment says in `scripts/chaos`.

use std::time::Duration;

use rand::rngs::StdRng;

/// The measure of one run.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Stations in a closed loop.
    pub stations: usize,
    /// How often something is killed.
    pub kills: usize,
    /// The longest time between a recovery and the next kill; zero in the tests, which go by acknowledgements.
    longest: Duration,
    /// Acknowledgements to be had where nothing is killed.
    pub entries: u64,
    /// How long Postgres stands still.
    pub paused: Duration,
    /// Stations that come back with a queue.
    pub offline: usize,
    /// Messages in each of their queues.
    pub queued: usize,
    /// Stations that come back at once.
    pub storm: usize,
    /// All chance comes from it.
    pub seed: u64,
}

impl Plan {
    /// That of the environment, else the test's own `stations` and `kills`.
    pub fn read(stations: usize, kills: usize) -> Self {
        let number = |name: &str, own: u64| match std::env::var(name) {
            Ok(text) => text
                .parse()
                .unwrap_or_else(|_| panic!("{name}={text}: expected a whole number")),
            Err(_) => own,
        };
        let size = |name, own: usize| usize::try_from(number(name, own as u64)).expect("64 bits");
        Plan {
            stations: size("CHAOS_STATIONS", stations),
            kills: if kills == 0 {
                0
            } else {
                size("CHAOS_KILLS", kills)
            },
            longest: Duration::from_secs(number("CHAOS_LONGEST_SECONDS", 0)),
            entries: number("CHAOS_ENTRIES", 1_000),
            paused: Duration::from_secs(number("CHAOS_PAUSED_SECONDS", 2)),
            offline: size("CHAOS_OFFLINE", 10),
            queued: size("CHAOS_QUEUED", 200),
            storm: size("CHAOS_STORM", 2_000),
            seed: number("CHAOS_SEED", 4),
        }
    }

    /// How long to wait before the next kill.
    pub fn pause(&self, chance: &mut StdRng) -> Duration {
        if self.longest.is_zero() {
            return Duration::ZERO;
        }
        super::moment(
            chance,
            Duration::from_secs(1).min(self.longest)..=self.longest,
        )
    }
}
