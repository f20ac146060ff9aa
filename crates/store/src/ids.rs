//! Identifiers. Every row that people see has a UUIDv7: it sorts by its making.

use chrono::{DateTime, Utc};
use uuid::{NoContext, Timestamp, Uuid};

/// A new id that sorts by `now`.
pub fn new_id(now: DateTime<Utc>) -> Uuid {
    let seconds = now.timestamp().max(0).unsigned_abs();
    Uuid::new_v7(Timestamp::from_unix(
        NoContext,
        seconds,
        now.timestamp_subsec_nanos(),
    ))
}
