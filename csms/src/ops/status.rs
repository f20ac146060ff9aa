//! A connector changes its state.

use chrono::{DateTime, Utc};
use serde_json::json;
use store::ingest::{Effect, Status};
use store::stations::Station;

use super::{event, told};

/// The highest connectorId that a station is believed to have. One identity may stand for many charge points (quirk 50), but
/// none for more than this: past it, what is said of a connector goes to the message log alone, so that no station fills
/// tables and pages with connectors that it invents. Transactions are kept whatever their connector.
pub(crate) const HIGHEST_CONNECTOR: i32 = 250;

/// What a station says of a connector.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// 1.6: 0 is the station itself.
    pub(crate) connector: i32,
    pub(crate) status: String,
    pub(crate) error_code: String,
    pub(crate) vendor_error_code: Option<String>,
    pub(crate) info: Option<String>,
    /// If it gave one that can be believed.
    pub(crate) at: Option<DateTime<Utc>>,
}

/// Whether no station has a connector of this number. What is left out is the station itself.
pub(crate) fn is_invented(connector: Option<i64>) -> bool {
    connector.is_some_and(|id| !(0..=i64::from(HIGHEST_CONNECTOR)).contains(&id))
}

/// The rows.
pub(crate) fn decide(station: &Station, said: Said, now: DateTime<Utc>) -> Effect {
    let detail =
        json!({ "connector": said.connector, "status": said.status, "error": said.error_code });
    let status = Status {
        station_id: station.id,
        evse: said.connector,
        connector: i32::from(said.connector != 0),
        status: said.status,
        error_code: said.error_code,
        vendor_error_code: said.vendor_error_code,
        info: said.info,
        at: said.at.unwrap_or(now),
        received_at: now,
    };
    Effect {
        statuses: vec![status],
        ..told(event(station, now, "connector.status", None, detail))
    }
}
