//! A station gets a new password: made here or given, queued for the station in hexadecimal, and shown once. The old one
//! opens the door until the station first comes with the new one. One way for the API and for the page.

use chrono::{DateTime, TimeDelta, Utc};
use ocpp::limits::is_authorization_key;
use serde_json::json;
use store::{Scoped, audit, secrets, stations_read::Station};
use uuid::Uuid;

use crate::{
    Result,
    auth::Viewer,
    orders::{self, Order},
};

/// A station that does not come by then keeps its password.
const EXPIRES: TimeDelta = TimeDelta::hours(1);
/// Bytes of a password that is made here: the most that OCPP 1.6 allows.
const BYTES: usize = 20;

/// What [`key`] takes.
pub(crate) const KEY: &str =
    "a text of 16 to 20 printable ASCII characters, or 32 to 40 hexadecimal digits";

/// A new password on its way.
#[derive(Debug)]
pub(crate) struct Rotated {
    /// The command that brings it.
    pub command: Uuid,
    /// The password in hexadecimal, if it was made here.
    pub made: Option<String>,
    /// When the station must have come.
    pub expires_at: DateTime<Utc>,
}

/// A password as an AuthorizationKey: its 16 to 20 bytes in hexadecimal.
pub(crate) fn key(text: &str) -> Option<String> {
    is_authorization_key(text).then(|| match text.len() {
        ..=20 => hex::encode_upper(text),
        _ => text.to_ascii_uppercase(),
    })
}

/// Queues it, with its line in the audit log, in the caller's transaction.
pub(crate) async fn rotate(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    given: Option<String>,
    now: DateTime<Utc>,
) -> Result<Rotated> {
    let made = given
        .is_none()
        .then(|| secrets::random_hex(BYTES).to_ascii_uppercase());
    let key = given.or_else(|| made.clone()).unwrap_or_default();
    let payload = json!({ "key": "AuthorizationKey", "value": key }).to_string();
    let order = Order {
        expires_in: EXPIRES,
        ..Order::new("ChangeConfiguration", payload)
    };
    let command = orders::queue(db, viewer, station, &order, now).await?;
    let had = if station.has_password { "set" } else { "none" };
    let detail = json!({
        "command": command, "made_here": made.is_some(),
        "before": {"password": had}, "after": {"password": "a new one"},
    });
    let entity = format!("station/{}", station.id);
    let entry = viewer.did(now, "station.rotate_password", entity, detail);
    audit::record(db, &entry).await?;
    Ok(Rotated {
        command,
        made,
        expires_at: now + EXPIRES,
    })
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn a_password_has_16_to_20_bytes() {
        assert_eq!(
            key("0123456789abcdef").as_deref(),
            Some("30313233343536373839616263646566")
        );
        let hex = "00ff".repeat(10);
        assert_eq!(key(&hex), Some("00FF".repeat(10)));
        for text in [
            "",
            "too short",
            "twenty-one characters",
            "sixteen chars…..",
            "ümlaut is 16 byt",
            &"0".repeat(33),
            &"g".repeat(40),
        ] {
            assert_eq!(key(text), None, "{text:?}");
        }
    }
}
