//! Charging profiles that a station took or cleared.

use ocpp::decode;
use ocpp::v16::{
    ChargingProfile, ClearChargingProfileRequest, RemoteStartTransactionRequest,
    SetChargingProfileRequest,
};
use serde_json::value::RawValue;
use store::charging_profiles::{self, Criteria, Place, Sent};
use store::commands::Outcome;

use super::Answer;

/// SetChargingProfile.
pub(super) async fn set(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let (Some(sent), Some(verdict), Outcome::Answered(_)) = (
        of_set(answer.ended.payload),
        answer.verdict,
        answer.ended.outcome,
    ) else {
        return Ok(());
    };
    let (station, command) = (answer.ended.station_id, answer.ended.id);
    charging_profiles::note_answer(db, station, &sent, verdict, answer.now).await?;
    if verdict == "Accepted" {
        charging_profiles::set(db, station, command, &sent, answer.now).await?;
    }
    Ok(())
}

/// RemoteStartTransaction with a profile for the transaction that it leads to.
pub(super) async fn remote_start(
    db: &mut store::Connection,
    answer: &Answer<'_>,
) -> store::Result<()> {
    match of_remote_start(answer.ended.payload) {
        Some(sent) if answer.is_agreed() => {
            let (station, command) = (answer.ended.station_id, answer.ended.id);
            charging_profiles::set(db, station, command, &sent, answer.now).await
        }
        _ => Ok(()),
    }
}

/// ClearChargingProfile. A station that knows none that fit (`Unknown`) holds none, whatever we believed.
pub(super) async fn clear(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let is_answer = matches!(answer.ended.outcome, Outcome::Answered(_));
    match criteria(answer.ended.payload) {
        Some(criteria) if is_answer && matches!(answer.verdict, Some("Accepted" | "Unknown")) => {
            charging_profiles::clear(db, answer.ended.station_id, &criteria, answer.now).await
        }
        _ => Ok(()),
    }
}

/// The profile to the letter.
#[derive(serde::Deserialize)]
struct Raw<'a> {
    #[serde(borrow, alias = "csChargingProfiles", rename = "chargingProfile")]
    profile: &'a RawValue,
}

fn of_set(payload: &str) -> Option<Sent> {
    let asked: SetChargingProfileRequest = decode(payload).ok()?;
    let connector = i32::try_from(asked.connector_id).ok()?;
    sent(payload, Some(connector), &asked.cs_charging_profiles, None)
}

fn of_remote_start(payload: &str) -> Option<Sent> {
    let asked: RemoteStartTransactionRequest = decode(payload).ok()?;
    let connector = asked.connector_id.and_then(|id| i32::try_from(id).ok());
    sent(
        payload,
        connector,
        asked.charging_profile.as_ref()?,
        Some(asked.id_tag),
    )
}

fn sent(
    payload: &str,
    connector: Option<i32>,
    profile: &ChargingProfile,
    awaits: Option<String>,
) -> Option<Sent> {
    let raw: Raw<'_> = serde_json::from_str(payload).ok()?;
    let unit = profile.charging_schedule.charging_rate_unit.as_ref();
    Some(Sent {
        place: Place {
            connector,
            number: i32::try_from(profile.charging_profile_id).ok()?,
            stack_level: i32::try_from(profile.stack_level).ok()?,
            purpose: profile.charging_profile_purpose.to_string(),
            transaction_number: profile.transaction_id,
        },
        kind: profile.charging_profile_kind.to_string(),
        awaits,
        profile: raw.profile.get().to_owned(),
        unit: unit.map_or_else(|| "A".to_owned(), ToString::to_string),
    })
}

fn criteria(payload: &str) -> Option<Criteria> {
    let asked: ClearChargingProfileRequest = decode(payload).ok()?;
    Some(Criteria {
        number: asked.id,
        connector: asked.connector_id,
        purpose: asked
            .charging_profile_purpose
            .map(|purpose| purpose.to_string()),
        stack_level: asked.stack_level,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"{"chargingProfileId":3,"stackLevel":1,"chargingProfilePurpose":"TxProfile","chargingProfileKind":"Relative","transactionId":77,"chargingSchedule":{"chargingRateUnit":"A","chargingSchedulePeriod":[{"startPeriod":0,"limit":10.0}]}}"#;

    #[test]
    fn a_profile_is_kept_to_the_letter_with_its_place() {
        let payload = format!(r#"{{"connectorId":2,"csChargingProfiles":{PROFILE}}}"#);
        let sent = of_set(&payload).unwrap();
        assert_eq!(sent.profile, PROFILE);
        assert_eq!((sent.place.connector, sent.place.number), (Some(2), 3));
        assert_eq!(
            (sent.place.stack_level, sent.place.transaction_number),
            (1, Some(77))
        );
        assert_eq!(
            (sent.place.purpose.as_str(), sent.unit.as_str()),
            ("TxProfile", "A")
        );
    }

    #[test]
    fn a_remote_start_awaits_the_transaction_of_its_token() {
        let payload = format!(r#"{{"idTag":"TAG1","chargingProfile":{PROFILE}}}"#);
        let sent = of_remote_start(&payload).unwrap();
        assert_eq!(
            (sent.place.connector, sent.awaits.as_deref()),
            (None, Some("TAG1"))
        );
        assert_eq!(of_remote_start(r#"{"idTag":"TAG1"}"#), None);
    }

    #[test]
    fn an_empty_clear_names_all() {
        assert_eq!(criteria("{}"), Some(Criteria::default()));
        let one = criteria(r#"{"id":3,"chargingProfilePurpose":"TxProfile"}"#).unwrap();
        assert_eq!(
            (one.number, one.purpose.as_deref()),
            (Some(3), Some("TxProfile"))
        );
    }
}
