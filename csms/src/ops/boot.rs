//! A station boots and says what it is.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use store::ingest::{Boot, Effect};
use store::stations::{Registration, Station};

use super::{event, told};

/// How long a station that was not accepted waits before it asks again.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// What a station says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) vendor: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) firmware: Option<String>,
}

/// The rows, and how long the station shall wait: between Heartbeats, or before it boots again.
pub(crate) fn decide(
    station: &Station,
    said: Said,
    heartbeat: Duration,
    now: DateTime<Utc>,
) -> (Effect, Duration) {
    let accepted = station.registration == Registration::Accepted;
    let detail = json!({ "vendor": said.vendor, "model": said.model, "firmware": said.firmware });
    let boot = Boot {
        station_id: station.id,
        vendor: said.vendor,
        model: said.model,
        serial: said.serial,
        firmware: said.firmware,
        accepted,
        received_at: now,
    };
    let effect = Effect {
        boots: vec![boot],
        ..told(event(station, now, "station.booted", None, detail))
    };
    // Chargers handle 0 and very long intervals badly (quirk 55).
    let heartbeat = heartbeat.clamp(Duration::from_secs(10), Duration::from_secs(86_400));
    (effect, if accepted { heartbeat } else { ASK_AGAIN })
}
