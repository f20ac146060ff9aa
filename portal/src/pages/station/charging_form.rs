//! The short form for a charging profile: one limit from now on, for some hours or for good. Longer schedules are sent by
//! the form of SetChargingProfile in the tab Commands.

use chrono::{DateTime, Utc};
use ocpp::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::pages::form::Form;

/// A profile that somebody wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wanted {
    /// 0: the charge point as a whole.
    pub connector: i32,
    purpose: &'static str,
    stack: i64,
    watts: bool,
    limit: Decimal,
    hours: Option<i64>,
}

impl Wanted {
    /// A TxProfile is for a transaction that runs.
    pub(super) fn needs_transaction(&self) -> bool {
        self.purpose == "TxProfile"
    }
}

/// As it is at first.
pub(super) fn empty() -> Form {
    Form::filled([
        ("purpose", "TxDefaultProfile".to_owned()),
        ("connector", "1".to_owned()),
        ("stack", "0".to_owned()),
        ("unit", "A".to_owned()),
    ])
}

/// What a limit can be for, as the standard and as people say it.
pub(super) fn purposes() -> Vec<(String, String)> {
    pairs(&[
        ("TxDefaultProfile", "Every charge"),
        ("TxProfile", "The charge that runs now"),
        ("ChargePointMaxProfile", "The charge point as a whole"),
    ])
}

/// In what a limit can be.
pub(super) fn units() -> Vec<(String, String)> {
    pairs(&[("A", "A"), ("W", "W")])
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(value, words)| ((*value).to_owned(), (*words).to_owned()))
        .collect()
}

/// Reads it; with complaints beside the fields where it cannot be read.
pub(super) fn read(form: &mut Form) -> Option<Wanted> {
    let purposes = ["TxDefaultProfile", "TxProfile", "ChargePointMaxProfile"];
    let purpose = form.choice("purpose", &purposes.map(|purpose| (purpose, purpose)));
    let connector = form.read("connector", "a connector of the station", |text| {
        text.parse::<i32>()
            .ok()
            .filter(|connector| (0..=1000).contains(connector))
    });
    let stack = form.read("stack", "a whole number from 0 to 100", |text| {
        text.parse().ok().filter(|stack| (0..=100).contains(stack))
    });
    let unit = form.choice("unit", &[("A", false), ("W", true)]);
    let limit = form.read(
        "limit",
        "a number from 0 with at most one decimal place",
        |text| {
            let limit: Decimal = text.parse().ok()?;
            let fits =
                limit >= Decimal::ZERO && limit <= Decimal::from(1_000_000) && limit.scale() <= 1;
            fits.then_some(limit)
        },
    );
    let hours = form.optional("hours", "a whole number of hours from 1 to 168", |text| {
        text.parse().ok().filter(|hours| (1..=168).contains(hours))
    });
    match (purpose, connector) {
        (Some("ChargePointMaxProfile"), Some(1..)) => {
            form.complain(
                "connector",
                "is one connector: expected the charge point as a whole, which this purpose limits",
            );
        }
        (Some("TxProfile"), Some(0)) => {
            form.complain(
                "connector",
                "is the charge point as a whole: expected the connector that charges",
            );
        }
        _ => {}
    }
    if !form.is_clean() {
        return None;
    }
    Some(Wanted {
        connector: connector?,
        purpose: purpose?,
        stack: stack?,
        watts: unit?,
        limit: limit?,
        hours,
    })
}

/// The SetChargingProfile that asks for it.
pub(super) fn payload(
    wanted: &Wanted,
    number: i32,
    transaction: Option<i64>,
    now: DateTime<Utc>,
) -> Value {
    // A decimal's digits are a JSON number.
    let limit: Value =
        serde_json::from_str(&wanted.limit.normalize().to_string()).unwrap_or(Value::Null);
    let mut schedule = json!({
        "startSchedule": Timestamp::from(now).to_string(),
        "chargingRateUnit": if wanted.watts { "W" } else { "A" },
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    });
    if let Some(hours) = wanted.hours {
        schedule["duration"] = json!(hours * 3600);
    }
    let mut profile = json!({
        "chargingProfileId": number, "stackLevel": wanted.stack, "chargingProfilePurpose": wanted.purpose,
        "chargingProfileKind": "Absolute", "chargingSchedule": schedule,
    });
    if let Some(transaction) = transaction.filter(|_| wanted.needs_transaction()) {
        profile["transactionId"] = json!(transaction);
    }
    json!({"connectorId": wanted.connector, "csChargingProfiles": profile})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(pairs: &[(&'static str, &str)]) -> Form {
        let mut form = empty();
        for (name, value) in pairs {
            form.set(name, *value);
        }
        form
    }

    #[test]
    fn a_limit_becomes_a_profile_that_the_standard_knows() {
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let wanted = read(&mut form(&[("limit", "13.5"), ("hours", "2")])).unwrap();
        let payload = payload(&wanted, 4, Some(77), now);
        assert_eq!(
            payload,
            json!({"connectorId": 1, "csChargingProfiles": {
                "chargingProfileId": 4, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
                "chargingProfileKind": "Absolute",
                "chargingSchedule": {"startSchedule": "2026-11-20T12:00:00.000Z", "duration": 7200,
                    "chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 13.5}]}}})
        );
        let own = read(&mut form(&[("limit", "6"), ("purpose", "TxProfile")])).unwrap();
        assert_eq!(
            super::payload(&own, 4, Some(77), now)["csChargingProfiles"]["transactionId"],
            77
        );
    }

    #[test]
    fn what_cannot_be_is_complained_of() {
        for (pairs, field) in [
            (vec![], "limit"),
            (vec![("limit", "6.25")], "limit"),
            (vec![("limit", "-1")], "limit"),
            (vec![("limit", "6"), ("hours", "0")], "hours"),
            (
                vec![("limit", "6"), ("purpose", "ChargePointMaxProfile")],
                "connector",
            ),
            (
                vec![("limit", "6"), ("purpose", "TxProfile"), ("connector", "0")],
                "connector",
            ),
        ] {
            let mut form = form(&pairs);
            assert_eq!(read(&mut form), None);
            assert!(form.complaint(field).is_some(), "{field} of {pairs:?}");
        }
    }
}
