//! A station tells of something that concerns its security.

use chrono::{DateTime, Utc};
use store::ingest::Effect;
use store::security_events::{NewEvent, Source};
use store::stations::Station;

/// The types that the standards call critical. The others of their lists are for the record, and so is what a vendor
/// made up. (The names of the rest differ between 1.6 and 2.0.1; these do not.)
const CRITICAL: [&str; 7] = [
    "FirmwareUpdated",
    "SettingSystemTime",
    "StartupOfTheDevice",
    "ResetOrReboot",
    "SecurityLogWasCleared",
    "MemoryExhaustion",
    "TamperDetectionActivated",
];

/// Whether somebody should look at once.
pub(crate) fn is_critical(kind: &str) -> bool {
    CRITICAL
        .iter()
        .any(|critical| critical.eq_ignore_ascii_case(kind))
}

/// The rows.
pub(crate) fn decide(
    station: &Station,
    kind: Option<String>,
    tech_info: Option<String>,
    at: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Effect {
    let kind = kind.unwrap_or_else(|| "Unknown".to_owned());
    let event = NewEvent {
        station_id: station.id,
        critical: is_critical(&kind),
        kind,
        tech_info,
        at,
        received_at: now,
        source: Source::Station,
    };
    Effect {
        security_events: vec![event],
        ..Effect::default()
    }
}
