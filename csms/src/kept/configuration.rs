//! What a station says of its configuration: read, and set. What was set is read back, since stations round silently; a
//! question that is too long for a station is asked in parts.

use ocpp::decode;
use ocpp::v16::{ChangeConfigurationRequest, GetConfigurationRequest, GetConfigurationResponse};
use serde_json::json;
use store::commands::Outcome;
use store::configuration::{self, Change, Reading, is_secret};

use super::Answer;

/// Keys asked for at once where a station did not take the question for all of them.
const AT_ONCE: usize = 10;

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

/// GetConfiguration.
pub(super) async fn read(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let station = answer.ended.station_id;
    match answer.ended.outcome {
        Outcome::Answered(text) => match said(answer.ended.payload, text) {
            Some(said) => configuration::note_read(db, station, &said, answer.now).await,
            None => Ok(()),
        },
        Outcome::Error { code, .. }
            if matches!(code.as_str(), "NotImplemented" | "NotSupported") =>
        {
            Ok(())
        }
        Outcome::Error { .. } | Outcome::Timeout => {
            for part in parts(answer.ended.payload) {
                let payload = json!({ "key": part }).to_string();
                configuration::ask(db, answer.ended.id, &payload, answer.now).await?;
            }
            Ok(())
        }
    }
}

/// ChangeConfiguration.
pub(super) async fn set(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let Some((change, read_back)) = changed(answer) else {
        return Ok(());
    };
    configuration::note_set(db, answer.ended.station_id, &change, answer.now).await?;
    if read_back {
        let payload = json!({ "key": [change.key] }).to_string();
        configuration::ask(db, answer.ended.id, &payload, answer.now).await?;
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

/// The same question in parts; none if it is as short as can be.
fn parts(payload: &str) -> Vec<Vec<String>> {
    let Ok(asked) = decode::<GetConfigurationRequest>(payload) else {
        return Vec::new();
    };
    let keys = asked.key;
    match keys.len() {
        0 => STANDARD
            .chunks(AT_ONCE)
            .map(|part| part.iter().map(|key| (*key).to_owned()).collect())
            .collect(),
        1 => Vec::new(),
        many => keys
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
        let all = parts("{}");
        assert_eq!(all.concat().len(), STANDARD.len());
        assert!(all.iter().all(|part| part.len() <= AT_ONCE));
        assert_eq!(
            parts(r#"{"key":["A","B","C"]}"#),
            [vec!["A".to_owned(), "B".to_owned()], vec!["C".to_owned()]]
        );
        assert!(parts(r#"{"key":["A"]}"#).is_empty());
    }
}
