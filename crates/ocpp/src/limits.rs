//! What the standard asks of a command beyond the form of its fields: numbers in their range, times in their order, profiles
//! that make sense. [`crate::check`] says whether a payload is well-formed; this, whether a station could obey it.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use serde_json::Value;

use crate::check::{Finding, Rule, excerpt};
use crate::{Timestamp, Version};

/// The longest idToken of OCPP 1.6 (CiString20Type).
pub const LONGEST_ID_TAG: usize = 20;
/// No station has more connectors, and some keep their number in 16 bits.
const LAST_CONNECTOR: i64 = 65_535;
/// A station keeps an integer in 32 bits.
const LARGEST: i64 = i32::MAX as i64;

/// What is known where a command is ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// What time it is.
    pub now: DateTime<Utc>,
    /// The security profile that the station has, 0 to 3.
    pub security_profile: i16,
}

/// Whether a token is one that OCPP 1.6 can carry.
pub fn is_id_tag(text: &str) -> bool {
    (1..=LONGEST_ID_TAG).contains(&text.chars().count())
}

/// Whether a text is an AuthorizationKey: 16 to 20 printable characters, or as many bytes in hexadecimal.
pub fn is_authorization_key(text: &str) -> bool {
    match text.len() {
        16..=20 => text.bytes().all(|byte| (0x20..0x7f).contains(&byte)),
        32 | 34 | 36 | 38 | 40 => text.bytes().all(|byte| byte.is_ascii_hexdigit()),
        _ => false,
    }
}

/// Everything that a well-formed request to a station breaks of the standard's own limits.
pub fn check(version: Version, action: &str, payload: &str, known: &Known) -> Vec<Finding> {
    if version != Version::V16 {
        return Vec::new();
    }
    let mut check = Check {
        payload: Value::Null,
        findings: Vec::new(),
    };
    match serde_json::from_str(payload) {
        Ok(value) => check.payload = value,
        // Such as a number that no machine can hold.
        Err(error) => {
            check.note("", Rule::Syntax, payload, format!("JSON ({error})"));
            return check.findings;
        }
    }
    match action {
        "UnlockConnector" | "TriggerMessage" | "ExtendedTriggerMessage" => check.connector(1),
        "ChangeAvailability" => check.connector(0),
        "ClearChargingProfile" => {
            check.connector(0);
            check.number("/stackLevel", 0..=LARGEST);
        }
        "GetCompositeSchedule" => {
            check.connector(0);
            check.number("/duration", 1..=LARGEST);
        }
        "RemoteStartTransaction" => check.remote_start(),
        "ReserveNow" => check.reservation(known.now),
        "SetChargingProfile" => check.charging_profile(),
        "SendLocalList" => check.local_list(),
        "UpdateFirmware" | "SignedUpdateFirmware" => check.retries(),
        "GetDiagnostics" => {
            check.retries();
            check.order("/startTime", "/stopTime");
        }
        "GetLog" => {
            check.retries();
            check.order("/log/oldestTimestamp", "/log/latestTimestamp");
        }
        "ChangeConfiguration" => check.configuration(known.security_profile),
        _ => {}
    }
    check.findings
}

struct Check {
    payload: Value,
    findings: Vec<Finding>,
}

impl Check {
    fn note(
        &mut self,
        pointer: &str,
        rule: Rule,
        value: &str,
        expected: impl Into<Cow<'static, str>>,
    ) {
        self.findings.push(Finding {
            pointer: pointer.to_owned(),
            rule,
            value: excerpt(value),
            expected: expected.into(),
        });
    }

    /// Complains of what stands at a place; of what is not there, that it is missing.
    fn refuse(&mut self, pointer: &str, expected: impl Into<Cow<'static, str>>) {
        match self.payload.pointer(pointer).map(Value::to_string) {
            Some(value) => self.note(pointer, Rule::Range, &value, expected),
            None => self.note(pointer, Rule::Required, "", expected),
        }
    }

    fn text(&self, pointer: &str) -> Option<&str> {
        self.payload.pointer(pointer)?.as_str()
    }

    fn has(&self, pointer: &str) -> bool {
        self.payload.pointer(pointer).is_some()
    }

    fn items(&self, pointer: &str) -> &[Value] {
        let list = self.payload.pointer(pointer).and_then(Value::as_array);
        list.map_or(&[], Vec::as_slice)
    }

    fn time(&self, pointer: &str) -> Option<DateTime<Utc>> {
        let time = DateTime::parse_from_rfc3339(self.text(pointer)?).ok()?;
        Some(time.to_utc())
    }

    /// A number that may be left out.
    fn number(&mut self, pointer: &str, range: RangeInclusive<i64>) {
        let Some(value) = self.payload.pointer(pointer) else {
            return;
        };
        if !value.as_i64().is_some_and(|number| range.contains(&number)) {
            let (first, last) = range.into_inner();
            self.refuse(pointer, format!("a whole number from {first} to {last}"));
        }
    }

    fn not_negative(&mut self, pointer: &str) {
        let number = self.payload.pointer(pointer).and_then(Value::as_f64);
        if number.is_some_and(|number| number < 0.0) {
            self.refuse(pointer, "a number from 0");
        }
    }

    fn connector(&mut self, first: i64) {
        self.number("/connectorId", first..=LAST_CONNECTOR);
    }

    fn id_tag(&mut self, pointer: &str) {
        if self.text(pointer).is_some_and(|tag| tag.trim().is_empty()) {
            self.refuse(pointer, "an id tag that is not empty");
        }
    }

    /// Two times, the second after the first if both are there.
    fn order(&mut self, first: &str, second: &str) {
        if let (Some(from), Some(to)) = (self.time(first), self.time(second))
            && to <= from
        {
            let from = Timestamp::from(from);
            self.refuse(second, format!("a time after {from}"));
        }
    }

    fn retries(&mut self) {
        self.number("/retries", 0..=LARGEST);
        self.number("/retryInterval", 0..=LARGEST);
    }

    fn remote_start(&mut self) {
        self.connector(1);
        self.id_tag("/idTag");
        let profile = "/chargingProfile";
        if !self.has(profile) {
            return;
        }
        let purpose = format!("{profile}/chargingProfilePurpose");
        if self.text(&purpose) != Some("TxProfile") {
            self.refuse(&purpose, "TxProfile in a RemoteStartTransaction");
        }
        let transaction = format!("{profile}/transactionId");
        if self.has(&transaction) {
            self.refuse(
                &transaction,
                "none: the transaction has no number before it began",
            );
        }
        self.profile(profile);
    }

    fn reservation(&mut self, now: DateTime<Utc>) {
        self.connector(0);
        self.id_tag("/idTag");
        if self.time("/expiryDate").is_some_and(|expiry| expiry < now) {
            let now = Timestamp::from(now);
            self.refuse("/expiryDate", format!("a time that is not before {now}"));
        }
    }

    fn charging_profile(&mut self) {
        self.connector(0);
        let profile = "/csChargingProfiles";
        let connector = self.payload["connectorId"].as_i64().unwrap_or(0);
        let transaction = format!("{profile}/transactionId");
        match self.text(&format!("{profile}/chargingProfilePurpose")) {
            Some("ChargePointMaxProfile") if connector != 0 => {
                self.refuse("/connectorId", "0 for a ChargePointMaxProfile");
            }
            Some("TxProfile") => {
                if connector == 0 {
                    self.refuse("/connectorId", "a connector from 1 for a TxProfile");
                }
                // “SHALL include the transactionId […] if the profile applies to a specific transaction.”
                if !self.has(&transaction) {
                    self.refuse(&transaction, "the transaction that a TxProfile is for");
                }
            }
            _ => {}
        }
        self.profile(profile);
    }

    /// What every charging profile must keep to, wherever it is sent.
    fn profile(&mut self, profile: &str) {
        let at = |name: &str| format!("{profile}/{name}");
        self.number(&at("stackLevel"), 0..=LARGEST);
        self.order(&at("validFrom"), &at("validTo"));
        let is_recurring = self.text(&at("chargingProfileKind")) == Some("Recurring");
        if is_recurring && !self.has(&at("recurrencyKind")) {
            self.refuse(
                &at("recurrencyKind"),
                "Daily or Weekly for a Recurring profile",
            );
        }
        self.number(&at("chargingSchedule/duration"), 1..=LARGEST);
        self.not_negative(&at("chargingSchedule/minChargingRate"));
        self.periods(&at("chargingSchedule/chargingSchedulePeriod"));
    }

    fn periods(&mut self, list: &str) {
        let starts: Vec<Option<i64>> = self
            .items(list)
            .iter()
            .map(|period| period["startPeriod"].as_i64())
            .collect();
        if starts.is_empty() {
            self.refuse(list, "at least one period");
        }
        let mut before = None;
        for (index, start) in starts.into_iter().enumerate() {
            let at = |name: &str| format!("{list}/{index}/{name}");
            let is_right = match (before, start) {
                (None, start) => start == Some(0),
                (Some(before), start) => start.is_some_and(|start| start > before),
            };
            match before {
                _ if is_right => self.number(&at("startPeriod"), 0..=LARGEST),
                None => self.refuse(&at("startPeriod"), "0 for the first period"),
                Some(before) => {
                    let expected = format!("more than {before}, where the period before starts");
                    self.refuse(&at("startPeriod"), expected);
                }
            }
            before = start.max(before).or(Some(0));
            self.not_negative(&at("limit"));
            self.number(&at("numberPhases"), 1..=3);
        }
    }

    fn local_list(&mut self) {
        self.number("/listVersion", 1..=LARGEST);
        let is_full = self.text("/updateType") == Some("Full");
        let list = "/localAuthorizationList";
        let mut known = HashSet::new();
        for index in 0..self.items(list).len() {
            let tag = format!("{list}/{index}/idTag");
            self.id_tag(&tag);
            let text = self.text(&tag).unwrap_or_default().to_lowercase();
            if !known.insert(text) {
                self.refuse(&tag, "a tag that is not in the list already");
            }
            let info = format!("{list}/{index}/idTagInfo");
            if is_full && !self.has(&info) {
                self.refuse(&info, "the state of the tag in a Full list");
            }
        }
    }

    fn configuration(&mut self, profile: i16) {
        let key = self.text("/key").unwrap_or_default();
        let value = self.text("/value").unwrap_or_default();
        if key.eq_ignore_ascii_case("AuthorizationKey") && !is_authorization_key(value) {
            // The secret itself is told to nobody.
            self.note(
                "/value",
                Rule::Range,
                "the key given",
                "16 to 20 printable ASCII characters, or 32 to 40 hexadecimal digits",
            );
        } else if key.eq_ignore_ascii_case("SecurityProfile") {
            let wanted = ["0", "1", "2", "3"].into_iter().position(|it| it == value);
            let wanted = wanted.and_then(|wanted| i16::try_from(wanted).ok());
            if wanted.is_none() {
                self.refuse("/value", "a security profile from 0 to 3");
            } else if wanted < Some(profile) {
                let expected = format!("{profile} or more: a security profile is never lowered");
                self.refuse("/value", expected);
            }
        }
    }
}

#[cfg(test)]
mod tests;
