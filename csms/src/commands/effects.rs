//! Commands whose effect is still to be seen, by station. The rows are the truth: after a restart they are read again, and a
//! reconnect changes nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use store::Pool;
use store::commands::{Sequel, is_agreed, words};
use tokio::time::Instant;
use uuid::Uuid;

use crate::Csms;

/// The longest that any effect is waited for.
const LONGEST: TimeDelta = TimeDelta::hours(25);
/// Effects that are waited for at one station; the oldest is given up for another.
const MOST: usize = 32;

/// An effect that is waited for.
#[derive(Debug)]
struct Awaited {
    command: Uuid,
    sequel: Sequel,
    /// No clock that somebody sets moves it.
    until: Instant,
}

/// What is waited for, of all stations.
#[derive(Default)]
pub(crate) struct Effects {
    stations: Mutex<HashMap<Uuid, Vec<Awaited>>>,
}

/// A message that commands waited for.
pub(crate) struct Seen {
    station: Uuid,
    /// Those that it shows the effect of.
    commands: Vec<Uuid>,
    /// Those that it shows the effect of if every connector of the station is in one of these states.
    wholes: Vec<(Uuid, &'static [&'static str])>,
    words: String,
    at: DateTime<Utc>,
}

impl Effects {
    /// What was waited for when the last process ended.
    pub(crate) async fn load(pool: &Pool, now: DateTime<Utc>) -> store::Result<Self> {
        let effects = Effects::default();
        let mut connection = pool.acquire().await?;
        for row in store::commands::awaiting(&mut connection, now - LONGEST).await? {
            if is_agreed(row.verdict.as_deref()) {
                let gone = now - row.since;
                effects.expect_for(row.station_id, row.id, &row.action, &row.payload, gone);
            }
        }
        Ok(effects)
    }

    fn stations(&self) -> MutexGuard<'_, HashMap<Uuid, Vec<Awaited>>> {
        self.stations.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The station agreed to a command, or may have: its effect should follow.
    pub(crate) fn expect(&self, station: Uuid, command: Uuid, action: &str, payload: &str) {
        self.expect_for(station, command, action, payload, TimeDelta::zero());
    }

    /// The same of one that agreed so long ago.
    fn expect_for(
        &self,
        station: Uuid,
        command: Uuid,
        action: &str,
        payload: &str,
        gone: TimeDelta,
    ) {
        let Some(sequel) = Sequel::of(action, payload) else {
            return;
        };
        let now = Instant::now();
        let left = (sequel.patience - gone).min(sequel.patience);
        let until = now + left.to_std().unwrap_or_default();
        let mut stations = self.stations();
        let awaited = stations.entry(station).or_default();
        awaited.retain(|known| known.command != command && known.until > now);
        if awaited.len() >= MOST {
            awaited.remove(0);
        }
        awaited.push(Awaited {
            command,
            sequel,
            until,
        });
    }

    /// The commands that a message shows the effect of. They are waited for until [`note`] is told.
    pub(crate) fn shown_by(
        &self,
        station: Uuid,
        message: &str,
        payload: &str,
        now: DateTime<Utc>,
    ) -> Option<Seen> {
        let mut stations = self.stations();
        let awaited = stations.get_mut(&station)?;
        awaited.retain(|awaited| awaited.until > Instant::now());
        if awaited.is_empty() {
            stations.remove(&station);
            return None;
        }
        if !awaited.iter().any(|known| known.sequel.message == message) {
            return None;
        }
        let payload: Value = serde_json::from_str(payload).unwrap_or_default();
        let (mut commands, mut wholes) = (Vec::new(), Vec::new());
        for known in awaited
            .iter()
            .filter(|known| known.sequel.is(message, &payload))
        {
            match known.sequel.is_enough(&payload) {
                true => commands.push(known.command),
                false => wholes.push((known.command, known.sequel.whole)),
            }
        }
        (!commands.is_empty() || !wholes.is_empty()).then(|| Seen {
            station,
            commands,
            wholes,
            words: words(message, &payload),
            at: now,
        })
    }

    fn forget(&self, seen: &Seen) {
        if let Some(awaited) = self.stations().get_mut(&seen.station) {
            awaited.retain(|known| !seen.commands.contains(&known.command));
        }
    }
}

/// Writes what was seen into the commands' rows. The station does not wait for it. What is said of connectors is durable by
/// now, so that of two that say it at once the later sees both.
pub(crate) fn note(csms: &Arc<Csms>, mut seen: Seen) {
    csms.effects.forget(&seen);
    let csms = csms.clone();
    tokio::spawn(async move {
        let written = async {
            let mut connection = csms.pool.acquire().await?;
            for (command, states) in std::mem::take(&mut seen.wholes) {
                if store::connectors::are_all(&mut connection, seen.station, states).await? {
                    seen.commands.push(command);
                }
            }
            csms.effects.forget(&seen);
            store::commands::note_effect(&mut connection, &seen.commands, &seen.words, seen.at)
                .await
        };
        match written.await {
            Ok(()) => csms.ingest.news(),
            Err(error) => tracing::warn!(%error, "the effect of a command could not be noted"),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn an_effect_is_waited_for_until_it_is_noted_or_too_late() {
        let (effects, station, command) =
            (Effects::default(), Uuid::from_u128(1), Uuid::from_u128(2));
        let now: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        effects.expect(station, command, "Reset", r#"{"type":"Hard"}"#);
        effects.expect(station, Uuid::from_u128(3), "ClearCache", "{}");
        let boot = |at| effects.shown_by(station, "BootNotification", "{}", at);
        assert!(effects.shown_by(station, "Heartbeat", "{}", now).is_none());
        assert!(
            effects
                .shown_by(Uuid::nil(), "BootNotification", "{}", now)
                .is_none()
        );
        let seen = boot(now).unwrap();
        assert_eq!(
            (&seen.commands, seen.words.as_str()),
            (&vec![command], "BootNotification")
        );
        effects.forget(&seen);
        assert!(boot(now).is_none());
        effects.expect(station, command, "Reset", r#"{"type":"Hard"}"#);
        // A clock that is set ends no waiting; time that passes does.
        assert!(boot(now + TimeDelta::hours(25)).is_some());
        tokio::time::advance(std::time::Duration::from_secs(11 * 60)).await;
        assert!(boot(now).is_none());
        assert!(effects.stations().is_empty());
    }
}
