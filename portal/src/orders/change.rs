//! What an order changes of what is kept of its station, as the audit log has it: before, and after if the station agrees.
//! What is kept is loaded here; what becomes of it is decided in pure functions. Secrets are named and never told.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ocpp::{
    decode,
    v16::{
        CertificateSignedRequest, ChargingProfile, ClearChargingProfileRequest,
        DeleteCertificateRequest, RemoteStartTransactionRequest, SendLocalListRequest,
        SetChargingProfileRequest, UpdateType,
    },
};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use store::{
    Scoped,
    charging_profiles::{self, Criteria, Place, Profile},
    client_certificates::{self, Used},
    configuration::{self, Key, is_secret},
    installed_certificates::{self, Installed},
    local_lists::{self, Entry},
    reservations::{self, Reservation},
    stations_read::{self, Station},
};
use uuid::Uuid;
use x509_parser::pem::Pem;

use super::{Order, shown};
use crate::Result;

/// Profiles and reservations that are looked at.
const MOST: i64 = 200;

/// Both are objects of the same names; what is not there is null.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Change {
    before: Map<String, Value>,
    after: Map<String, Value>,
}

impl Change {
    fn one(name: impl Into<String>, before: impl Into<Value>, after: impl Into<Value>) -> Self {
        let mut change = Change::default();
        change.note(name, before, after);
        change
    }

    fn note(&mut self, name: impl Into<String>, before: impl Into<Value>, after: impl Into<Value>) {
        let name = name.into();
        self.before.insert(name.clone(), before.into());
        self.after.insert(name, after.into());
    }

    /// The two as the audit log has them; null where an order changes nothing that is kept.
    pub(crate) fn told(self) -> (Value, Value) {
        if self.after.is_empty() {
            return (Value::Null, Value::Null);
        }
        (Value::Object(self.before), Value::Object(self.after))
    }
}

/// What an order changes.
pub(crate) async fn of(
    db: &mut Scoped<'_>,
    (station, identity): (Uuid, &str),
    order: &Order,
    now: DateTime<Utc>,
) -> Result<Change> {
    let asked = shown(&order.action, &order.payload);
    let change = match order.action.as_str() {
        "ChangeAvailability" => stations_read::get(db, identity)
            .await?
            .map(|station| availability(&station, &asked)),
        "ChangeConfiguration" => match stations_read::get(db, identity).await? {
            Some(of) => key(&of, &configuration::of(db, station).await?, &asked),
            None => None,
        },
        "UpdateFirmware" | "SignedUpdateFirmware" => stations_read::get(db, identity)
            .await?
            .map(|station| firmware(&station, &asked)),
        "SendLocalList" => {
            let version = local_lists::of(db, station).await?.version;
            list(
                version,
                &local_lists::held(db, station).await?,
                &order.payload,
            )
        }
        "SetChargingProfile" => {
            let kept = charging_profiles::list(db, station, false, MOST).await?;
            set_profile(&kept, &order.payload)
        }
        "RemoteStartTransaction" => {
            let kept = charging_profiles::list(db, station, false, MOST).await?;
            remote_start(&kept, &order.payload)
        }
        "ClearChargingProfile" => {
            let kept = charging_profiles::list(db, station, false, MOST).await?;
            clear_profiles(&kept, &order.payload)
        }
        "ReserveNow" | "CancelReservation" => {
            let kept = reservations::list(db, Some(station), None, now, MOST).await?;
            reservation(&kept, &order.action, &asked)
        }
        "InstallCertificate" => {
            let kept = installed_certificates::list(db, station).await?;
            installed(&kept, &asked)
        }
        "CertificateSigned" => {
            let used = client_certificates::of(db, station).await?;
            own_certificate(&used, &order.payload)
        }
        "DeleteCertificate" => {
            let kept = installed_certificates::list(db, station).await?;
            deleted(&kept, &order.payload)
        }
        _ => None,
    };
    Ok(change.unwrap_or_default())
}

/// The state of each connector that is meant.
fn availability(station: &Station, asked: &Value) -> Change {
    let meant = asked["connectorId"].as_i64().unwrap_or(0);
    let mut change = Change::default();
    for connector in &station.connectors {
        if meant == 0 || i64::from(connector.evse) == meant {
            let name = format!("connector {}", connector.evse);
            change.note(name, connector.status.clone(), asked["type"].clone());
        }
    }
    change
}

/// A key's value as it was last read. Of a secret only whether there is one.
fn key(station: &Station, keys: &[Key], asked: &Value) -> Option<Change> {
    let name = asked["key"].as_str()?;
    let is = |word: &str| name.eq_ignore_ascii_case(word);
    if is_secret(name) {
        let has = if station.has_password { "set" } else { "none" };
        let before = is("AuthorizationKey").then_some(has);
        return Some(Change::one(name, before, "a new one"));
    }
    let kept = keys.iter().find(|key| key.key.eq_ignore_ascii_case(name));
    let mut before = kept.and_then(|key| key.value.clone());
    if is("SecurityProfile") {
        before = Some(station.security_profile.to_string());
    }
    Some(Change::one(name, before, asked["value"].clone()))
}

fn firmware(station: &Station, asked: &Value) -> Change {
    let location = match &asked["firmware"] {
        Value::Null => &asked["location"],
        signed => &signed["location"],
    };
    Change::one("firmware", station.firmware.clone(), location.clone())
}

/// The version of the list, and how many tokens it has.
fn list(version: i32, held: &[Entry], payload: &str) -> Option<Change> {
    let asked: SendLocalListRequest = decode(payload).ok()?;
    let lower = |token: &str| token.to_lowercase();
    let mut tokens: BTreeSet<String> = held.iter().map(|entry| lower(&entry.token)).collect();
    let before = tokens.len();
    if asked.update_type == UpdateType::Full {
        tokens.clear();
    }
    for row in &asked.local_authorization_list {
        match row.id_tag_info {
            Some(_) => tokens.insert(lower(&row.id_tag)),
            None => tokens.remove(&lower(&row.id_tag)),
        };
    }
    let mut change = Change::one("version", version, asked.list_version);
    change.note("tokens", before, tokens.len());
    Some(change)
}

/// The profile, and those whose place it takes.
fn set_profile(kept: &[Profile], payload: &str) -> Option<Change> {
    let asked: SetChargingProfileRequest = decode(payload).ok()?;
    let place = place(Some(asked.connector_id), &asked.cs_charging_profiles)?;
    profile_set(kept, &place, payload, "csChargingProfiles")
}

/// The same of the profile for the transaction that a remote start leads to, if it brings one.
fn remote_start(kept: &[Profile], payload: &str) -> Option<Change> {
    let asked: RemoteStartTransactionRequest = decode(payload).ok()?;
    let place = place(asked.connector_id, asked.charging_profile.as_ref()?)?;
    profile_set(kept, &place, payload, "chargingProfile")
}

/// `field`: where the profile stands in the payload.
fn profile_set(kept: &[Profile], place: &Place, payload: &str, field: &str) -> Option<Change> {
    let raw: Value = serde_json::from_str(payload).ok()?;
    let mut change = Change::default();
    for old in kept.iter().filter(|old| place.replaces(&old.place)) {
        change.note(profile(&old.place), as_json(&old.profile), Value::Null);
    }
    let name = profile(place);
    let before = change.before.get(&name).cloned().unwrap_or_default();
    change.note(name, before, raw[field].clone());
    Some(change)
}

/// The profiles that go.
fn clear_profiles(kept: &[Profile], payload: &str) -> Option<Change> {
    let asked: ClearChargingProfileRequest = decode(payload).ok()?;
    let criteria = Criteria {
        number: asked.id,
        connector: asked.connector_id,
        purpose: asked
            .charging_profile_purpose
            .map(|purpose| purpose.to_string()),
        stack_level: asked.stack_level,
    };
    let mut change = Change::default();
    for old in kept.iter().filter(|old| criteria.fits(&old.place)) {
        change.note(profile(&old.place), as_json(&old.profile), Value::Null);
    }
    Some(change)
}

fn place(connector: Option<i64>, profile: &ChargingProfile) -> Option<Place> {
    Some(Place {
        connector: connector.map(i32::try_from).transpose().ok()?,
        number: i32::try_from(profile.charging_profile_id).ok()?,
        stack_level: i32::try_from(profile.stack_level).ok()?,
        purpose: profile.charging_profile_purpose.to_string(),
        transaction_number: profile.transaction_id,
    })
}

fn profile(place: &Place) -> String {
    format!("profile {}", place.number)
}

fn as_json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

fn reservation(kept: &[Reservation], action: &str, asked: &Value) -> Option<Change> {
    let number = asked["reservationId"].as_i64()?;
    let known = kept.iter().find(|kept| i64::from(kept.number) == number);
    let after = match action {
        "ReserveNow" => "accepted",
        _ => "cancelled",
    };
    let before = known.map(|known| known.status.clone());
    Some(Change::one(format!("reservation {number}"), before, after))
}

/// How many of its use are known.
fn installed(kept: &[Installed], asked: &Value) -> Option<Change> {
    let certificate_use = asked["certificateType"].as_str()?;
    let known = kept
        .iter()
        .filter(|one| one.certificate_use == certificate_use);
    let known = known.count();
    Some(Change::one(certificate_use, known, known + 1))
}

/// The certificate by which the station comes in: the one that it last came with, and the one that it is brought, by their
/// SHA-256.
fn own_certificate(used: &[Used], payload: &str) -> Option<Change> {
    let asked: CertificateSignedRequest = decode(payload).ok()?;
    let leaf = Pem::iter_from_buffer(asked.certificate_chain.as_bytes()).next();
    let after = match leaf {
        Some(Ok(leaf)) => hex::encode(Sha256::digest(&leaf.contents)),
        _ => "what is no certificate".to_owned(),
    };
    let before = used.first().map(|last| last.fingerprint.clone());
    Some(Change::one("certificate of the station", before, after))
}

fn deleted(kept: &[Installed], payload: &str) -> Option<Change> {
    let asked: DeleteCertificateRequest = decode(payload).ok()?;
    let serial = asked.certificate_hash_data.serial_number?;
    let known = kept
        .iter()
        .find(|one| one.hash.serial_number.eq_ignore_ascii_case(&serial));
    let before = known.map(|known| known.certificate_use.clone());
    let name = format!("certificate {serial}");
    Some(Change::one(name, before, Value::Null))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(change: Option<Change>) -> (Value, Value) {
        change.unwrap().told()
    }

    fn kept(number: i32, connector: i32, stack: i32) -> Profile {
        Profile {
            id: Uuid::nil(),
            place: Place {
                connector: Some(connector),
                number,
                stack_level: stack,
                purpose: "TxDefaultProfile".to_owned(),
                transaction_number: None,
            },
            kind: "Absolute".to_owned(),
            awaits: None,
            transaction_id: None,
            transaction_started_at: None,
            profile: json!({"chargingProfileId": number}).to_string(),
            set_at: DateTime::UNIX_EPOCH,
            ended_at: None,
            ended_why: None,
        }
    }

    #[test]
    fn a_profile_is_told_with_those_whose_place_it_takes() {
        let all = [kept(3, 1, 0), kept(4, 2, 0)];
        let new = json!({"chargingProfileId": 5, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute", "chargingSchedule": {"chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}});
        let payload = json!({"connectorId": 1, "csChargingProfiles": new}).to_string();
        assert_eq!(
            told(set_profile(&all, &payload)),
            (
                json!({"profile 3": {"chargingProfileId": 3}, "profile 5": null}),
                json!({"profile 3": null, "profile 5": new}),
            )
        );
        assert_eq!(
            told(clear_profiles(&all, r#"{"id":4}"#)),
            (
                json!({"profile 4": {"chargingProfileId": 4}}),
                json!({"profile 4": null}),
            )
        );
        let (before, _) = told(clear_profiles(&all, "{}"));
        assert_eq!(before.as_object().unwrap().len(), 2, "all of them");
        assert_eq!(
            told(clear_profiles(&[], "{}")),
            (Value::Null, Value::Null),
            "nothing was kept"
        );
    }

    #[test]
    fn a_remote_starts_profile_is_told_and_without_one_nothing_changes() {
        let new = json!({"chargingProfileId": 5, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
            "chargingProfileKind": "Relative", "chargingSchedule": {"chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6}]}});
        let payload = json!({"idTag": "A", "connectorId": 1, "chargingProfile": new}).to_string();
        assert_eq!(
            told(remote_start(&[kept(5, 1, 0)], &payload)),
            (
                json!({"profile 5": {"chargingProfileId": 5}}),
                json!({"profile 5": new}),
            )
        );
        let anywhere = json!({"idTag": "A", "chargingProfile": new}).to_string();
        let (before, _) = told(remote_start(&[], &anywhere));
        assert_eq!(before, json!({"profile 5": null}));
        assert_eq!(remote_start(&[], r#"{"idTag":"A"}"#), None);
    }

    #[test]
    fn a_stations_own_certificate_is_told_by_its_fingerprint() {
        let pem = "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n";
        let payload = json!({"certificateChain": format!("{pem}{pem}")}).to_string();
        let used = Used {
            fingerprint: "0f".to_owned(),
            common_name: "CP-1".to_owned(),
            issuer: String::new(),
            serial: String::new(),
            not_after: DateTime::UNIX_EPOCH,
            first_used_at: DateTime::UNIX_EPOCH,
            last_used_at: DateTime::UNIX_EPOCH,
        };
        let name = "certificate of the station";
        assert_eq!(
            told(own_certificate(&[used], &payload)),
            (
                json!({name: "0f"}),
                json!({name: hex::encode(Sha256::digest([0, 1, 2]))}),
            )
        );
        let nothing = r#"{"certificateChain":"none"}"#;
        assert_eq!(
            told(own_certificate(&[], nothing)),
            (json!({name: null}), json!({name: "what is no certificate"}))
        );
    }

    #[test]
    fn a_list_is_told_with_its_version_and_how_long_it_is() {
        let entry = |token: &str| Entry {
            token: token.to_owned(),
            status: "Accepted".to_owned(),
            parent: None,
            expires_at: None,
        };
        let held = [entry("TAG1"), entry("TAG2")];
        let rows =
            json!([{"idTag": "tag1"}, {"idTag": "TAG3", "idTagInfo": {"status": "Accepted"}}]);
        for (kind, after) in [("Differential", 2), ("Full", 1)] {
            let payload =
                json!({"listVersion": 5, "updateType": kind, "localAuthorizationList": rows});
            assert_eq!(
                told(list(4, &held, &payload.to_string())),
                (
                    json!({"version": 4, "tokens": 2}),
                    json!({"version": 5, "tokens": after}),
                )
            );
        }
    }

    #[test]
    fn what_cannot_be_read_changes_nothing_that_is_known() {
        assert_eq!(set_profile(&[], "[]"), None);
        assert_eq!(list(1, &[], r#"{"listVersion":"x"}"#), None);
        assert_eq!(Change::default().told(), (Value::Null, Value::Null));
    }
}
