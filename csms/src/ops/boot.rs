//! A station boots and says what it is.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;
use store::ingest::{Boot, Effect};
use store::stations::{Registration, Station};

use super::{event, told};

/// How long a station that was not accepted waits before it asks again.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// Stations that wait come back spread over so many seconds more, or all of them would come at once (quirk 8).
const SPREAD_S: u128 = 30;

/// What a station says of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said {
    pub(crate) vendor: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) serial: Option<String>,
    pub(crate) firmware: Option<String>,
}

/// Whether the station is the one that its certificate names, by the serial numbers that it gives. One that gives none
/// contradicts nobody: 1.6 does not demand any.
pub(crate) fn is_certified(name: &str, serials: [Option<&str>; 2]) -> bool {
    let mut given = serials.into_iter().flatten().peekable();
    given.peek().is_none() || given.any(|serial| serial == name)
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
    (
        effect,
        if accepted {
            heartbeat
        } else {
            ask_again(station)
        },
    )
}

/// Always the same for a station, and another for each.
fn ask_again(station: &Station) -> Duration {
    let more = station.id.as_u128() % SPREAD_S;
    ASK_AGAIN + Duration::from_secs(u64::try_from(more).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::stations::Options;
    use uuid::Uuid;

    #[test]
    fn quirk_08_stations_that_wait_come_back_at_different_times() {
        let wait = |id: u128| {
            let station = Station {
                id: Uuid::from_u128(id),
                identity: "CP1".to_owned(),
                site_id: None,
                registration: Registration::Pending,
                security_profile: 0,
                password_hash: None,
                options: Options::default(),
                first_accepted_at: None,
                access: store::stations::Access::default(),
            };
            decide(
                &station,
                Said::default(),
                Duration::from_secs(300),
                DateTime::default(),
            )
            .1
        };
        let waits: std::collections::BTreeSet<_> = (0..300).map(wait).collect();
        assert_eq!(waits.len(), 30);
        assert!(waits.iter().all(|wait| (60..90).contains(&wait.as_secs())));
    }

    #[test]
    fn one_of_the_serial_numbers_is_the_certificates_or_none_is_given() {
        for (serials, expected) in [
            ([None, None], true),
            ([Some("SN-1"), None], true),
            ([None, Some("SN-1")], true),
            ([Some("SN-1"), Some("BOX")], true),
            ([Some("SN-2"), None], false),
            ([Some("sn-1"), Some("BOX")], false),
            ([Some(""), None], false),
        ] {
            assert_eq!(is_certified("SN-1", serials), expected, "{serials:?}");
        }
    }
}
