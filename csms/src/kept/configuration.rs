//! What a station says of its configuration: read, and set. What was set is read back, since stations round silently; a
//! question that is too long for a station is asked in parts.

use chrono::{DateTime, TimeDelta, Utc};
use ocpp::decode;
use ocpp::v16::{ChangeConfigurationRequest, GetConfigurationRequest, GetConfigurationResponse};
use serde_json::json;
use store::commands::Outcome;
use store::configuration::{self, Change, Reading, is_secret};
use store::model_habits;
use uuid::Uuid;

use super::Answer;

/// Keys asked for at once where a station did not take the question for all of them.
const AT_ONCE: usize = 10;
/// Between two parts of a question: who could not bear the whole is not pressed.
const PAUSE: TimeDelta = TimeDelta::seconds(2);
/// A station that rebooted over a question is left alone for so long.
const AFTER_REBOOT: TimeDelta = TimeDelta::seconds(5);

/// The keys of the standard: what is asked for where a station has no answer to "everything".
const STANDARD: &[&str] = &[
    "AllowOfflineTxForUnknownId",
    "AuthorizationCacheEnabled",
    "AuthorizeRemoteTxRequests",
    "BlinkRepeat",
    "ClockAlignedDataInterval",
    "ConnectionTimeOut",
    "ConnectorPhaseRotation",
    "ConnectorPhaseRotationMaxLength",
    "GetConfigurationMaxKeys",
    "HeartbeatInterval",
    "LightIntensity",
    "LocalAuthorizeOffline",
    "LocalPreAuthorize",
    "MaxEnergyOnInvalidId",
    "MeterValuesAlignedData",
    "MeterValuesAlignedDataMaxLength",
    "MeterValuesSampledData",
    "MeterValuesSampledDataMaxLength",
    "MeterValueSampleInterval",
    "MinimumStatusDuration",
    "NumberOfConnectors",
    "ResetRetries",
    "StopTransactionOnEVSideDisconnect",
    "StopTransactionOnInvalidId",
    "StopTxnAlignedData",
    "StopTxnAlignedDataMaxLength",
    "StopTxnSampledData",
    "StopTxnSampledDataMaxLength",
    "SupportedFeatureProfiles",
    "SupportedFeatureProfilesMaxLength",
    "TransactionMessageAttempts",
    "TransactionMessageRetryInterval",
    "UnlockConnectorOnEVSideDisconnect",
    "WebSocketPingInterval",
    "LocalAuthListEnabled",
    "LocalAuthListMaxLength",
    "SendLocalListMaxLength",
    "ReserveConnectorZeroSupported",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods",
    "ConnectorSwitch3to1PhaseSupported",
    "MaxChargingProfilesInstalled",
];

/// GetConfiguration. What a station does not bear is learned for its model, and asked for in smaller parts.
pub(super) async fn read(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let (station, now) = (answer.ended.station_id, answer.now);
    let is_whole = is_whole(answer.ended.payload);
    match answer.ended.outcome {
        Outcome::Answered(text) => match said(answer.ended.payload, text) {
            // A station that takes "everything" for "nothing" has to be asked by name.
            Some(said) if said.whole && said.readings.is_empty() && said.unknown.is_empty() => {
                ask_less(db, answer).await
            }
            Some(said) => configuration::note_read(db, station, &said, now).await,
            None => Ok(()),
        },
        Outcome::Error { code, .. }
            if !is_whole && matches!(code.as_str(), "NotImplemented" | "NotSupported") =>
        {
            Ok(())
        }
        Outcome::Error { .. } | Outcome::Timeout => ask_less(db, answer).await,
    }
}

async fn ask_less(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let (station, now) = (answer.ended.station_id, answer.now);
    let known = model_habits::keys_at_once(db, station).await?;
    let parts = parts(answer.ended.payload, known);
    // Whoever is silent to a short question may be ill for once; the model is not to blame.
    let telling =
        is_whole(answer.ended.payload) || matches!(answer.ended.outcome, Outcome::Error { .. });
    if let Some(most) = parts.iter().map(Vec::len).max().filter(|_| telling) {
        model_habits::learn_keys_at_once(db, station, keys(most), now).await?;
    }
    configuration::ask(db, answer.ended.id, &payloads(&parts), PAUSE, now).await
}

/// Asks a station that booted for its configuration: for all of it at once, or in parts as its model bears them. `over`: it
/// booted over the last such question.
pub(crate) async fn ask_all(
    db: &mut store::Connection,
    of: (Uuid, Option<Uuid>),
    over: bool,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let known = model_habits::keys_at_once(db, of.0).await?;
    let at_once = match (over, known) {
        (false, None) => None,
        (false, Some(known)) => Some(known),
        (true, None) => Some(keys(AT_ONCE)),
        // Not a single key: it is not asked any more.
        (true, Some(..=1)) => return Ok(()),
        (true, Some(known)) => Some((known + 1) / 2),
    };
    let first = if over { now + AFTER_REBOOT } else { now };
    let payloads = match at_once {
        None => vec![json!({}).to_string()],
        Some(most) => {
            if over {
                model_habits::learn_keys_at_once(db, of.0, most, now).await?;
            }
            payloads(&in_parts(most))
        }
    };
    configuration::ask_in_parts(db, of, &payloads, (first, PAUSE), now).await
}

fn payloads(parts: &[Vec<String>]) -> Vec<String> {
    let payload = |part: &Vec<String>| json!({ "key": part }).to_string();
    parts.iter().map(payload).collect()
}

fn keys(count: usize) -> i32 {
    i32::try_from(count).unwrap_or(i32::MAX)
}

/// ChangeConfiguration.
pub(super) async fn set(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let Some((change, read_back)) = changed(answer) else {
        return Ok(());
    };
    configuration::note_set(db, answer.ended.station_id, &change, answer.now).await?;
    if read_back {
        let payload = json!({ "key": [change.key] }).to_string();
        let at_once = TimeDelta::zero();
        configuration::ask(db, answer.ended.id, &[payload], at_once, answer.now).await?;
    }
    Ok(())
}

/// The rows of an answer to GetConfiguration.
fn said(payload: &str, text: &str) -> Option<configuration::Answer> {
    let asked: GetConfigurationRequest = decode(payload).ok()?;
    let answer: GetConfigurationResponse = decode(text).ok()?;
    let readings = answer.configuration_key.into_iter().filter_map(|row| {
        Some(Reading {
            key: row.key.filter(|key| !key.trim().is_empty())?,
            value: row.value,
            readonly: row.readonly,
        })
    });
    Some(configuration::Answer {
        readings: readings.collect(),
        unknown: answer.unknown_key,
        whole: asked.key.is_empty(),
    })
}

/// What a ChangeConfiguration came to, and whether the key is worth reading back: one that takes a reboot is not yet.
fn changed(answer: &Answer<'_>) -> Option<(Change, bool)> {
    let Outcome::Answered(_) = answer.ended.outcome else {
        return None;
    };
    let asked: ChangeConfigurationRequest = decode(answer.ended.payload).ok()?;
    let verdict = answer.verdict?;
    let read_back = verdict == "Accepted" && !is_secret(&asked.key);
    let change = Change {
        key: asked.key,
        value: asked.value,
        answer: verdict.to_owned(),
    };
    Some((change, read_back))
}

/// Whether a GetConfiguration asks for everything.
fn is_whole(payload: &str) -> bool {
    decode::<GetConfigurationRequest>(payload).is_ok_and(|asked| asked.key.is_empty())
}

/// The keys of the standard, so many at once.
fn in_parts(at_once: i32) -> Vec<Vec<String>> {
    let at_once = usize::try_from(at_once).unwrap_or(1).max(1);
    let part = |part: &[&str]| part.iter().map(|key| (*key).to_owned()).collect();
    STANDARD.chunks(at_once).map(part).collect()
}

/// The same question in parts; none if it is as short as can be. `known`: what stations of this model bear.
fn parts(payload: &str, known: Option<i32>) -> Vec<Vec<String>> {
    let Ok(asked) = decode::<GetConfigurationRequest>(payload) else {
        return Vec::new();
    };
    let keys_asked = asked.key;
    match keys_asked.len() {
        0 => in_parts(known.unwrap_or(keys(AT_ONCE))),
        1 => Vec::new(),
        many => keys_asked
            .chunks(many.div_ceil(2))
            .map(<[String]>::to_vec)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quirk_39_values_of_any_type_become_text_and_keep_their_blanks() {
        let text = r#"{"configurationKey":[
            {"key":"HeartbeatInterval","readonly":false,"value":300},
            {"key":"LocalPreAuthorize","readonly":"true","value":true},
            {"key":"MeterValuesSampledData","readonly":false,"value":"\"SoC\" , Voltage "},
            {"key":"Empty","readonly":false,"value":""},{"key":"Bare","readonly":true},{"value":"9"}],
            "unknownKey":["Nothing"]}"#;
        let said = said("{}", text).unwrap();
        assert!(said.whole);
        assert_eq!(said.unknown, ["Nothing"]);
        let rows: Vec<(&str, Option<&str>, Option<bool>)> = said
            .readings
            .iter()
            .map(|row| (row.key.as_str(), row.value.as_deref(), row.readonly))
            .collect();
        assert_eq!(
            rows,
            [
                ("HeartbeatInterval", Some("300"), Some(false)),
                ("LocalPreAuthorize", Some("true"), Some(true)),
                (
                    "MeterValuesSampledData",
                    Some("\"SoC\" , Voltage "),
                    Some(false)
                ),
                ("Empty", Some(""), Some(false)),
                ("Bare", None, Some(true)),
            ]
        );
        assert!(!super::said(r#"{"key":["A"]}"#, text).unwrap().whole);
    }

    #[test]
    fn a_question_that_was_too_long_is_halved_until_it_is_one_key() {
        let all = parts("{}", None);
        assert_eq!(all.concat().len(), STANDARD.len());
        assert!(all.iter().all(|part| part.len() <= AT_ONCE));
        assert_eq!(
            parts(r#"{"key":["A","B","C"]}"#, None),
            [vec!["A".to_owned(), "B".to_owned()], vec!["C".to_owned()]]
        );
        assert!(parts(r#"{"key":["A"]}"#, None).is_empty());
        // What is known of the model counts for the whole question.
        assert!(parts("{}", Some(3)).iter().all(|part| part.len() <= 3));
        assert_eq!(in_parts(0).len(), STANDARD.len(), "one key at least");
    }
}
