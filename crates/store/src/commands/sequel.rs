//! What shows that a command had its effect: the message that the station sends after it. Pure; the csms asks of each
//! message whether somebody waits for it.

use chrono::TimeDelta;
use serde_json::Value;

/// The message that follows a command, and what in it must fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sequel {
    /// The action of the station's CALL.
    pub message: String,
    /// What the fields of its payload must say.
    wants: Vec<(&'static str, Want)>,
    /// What every known connector of the station must say, unless the message is of the station itself (connectorId 0).
    /// Empty: the message is enough.
    pub whole: &'static [&'static str],
    /// How long after the answer it is still taken for the effect.
    pub patience: TimeDelta,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Want {
    /// This number.
    Number(i64),
    /// This text, whatever the case.
    Text(String),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// Anything but this word.
    Not(&'static str),
}

impl Sequel {
    /// What follows a command; `None` if nothing of it is seen from here.
    pub fn of(action: &str, payload: &str) -> Option<Self> {
        let payload: Value = serde_json::from_str(payload).ok()?;
        let number = |name: &str| payload.get(name).and_then(Value::as_i64);
        let text = |name: &str| payload.get(name).and_then(Value::as_str);
        let soon = |message: &str| Sequel {
            message: message.to_owned(),
            wants: Vec::new(),
            whole: &[],
            patience: TimeDelta::minutes(10),
        };
        let late = |message: &str| Sequel {
            patience: TimeDelta::hours(24),
            ..soon(message)
        };
        Some(match action {
            "Reset" => soon("BootNotification"),
            "UnlockConnector" => soon("StatusNotification").at(number("connectorId")),
            "RemoteStartTransaction" => {
                let start = soon("StartTransaction").at(number("connectorId"));
                match text("idTag") {
                    Some(tag) => start.want("idTag", Want::Text(tag.to_owned())),
                    None => start,
                }
            }
            "RemoteStopTransaction" => {
                soon("StopTransaction").number("transactionId", number("transactionId"))
            }
            // "The status change applies to the Charge Point and all Connectors" (OCPP 1.6 5.2), and each of them says so. A
            // station that speaks of itself (connector 0) has said it for all.
            "ChangeAvailability" => {
                let states: &[&str] = match text("type") {
                    Some("Inoperative") => &["Unavailable"],
                    _ => &[
                        "Available",
                        "Preparing",
                        "Finishing",
                        "Charging",
                        "Reserved",
                    ],
                };
                let one = number("connectorId").filter(|connector| *connector != 0);
                let said = late("StatusNotification").at(one);
                Sequel {
                    whole: if one.is_none() { states } else { &[] },
                    ..said.want("status", Want::OneOf(states))
                }
            }
            "ReserveNow" => soon("StatusNotification")
                .at(number("connectorId").filter(|connector| *connector != 0))
                .want("status", Want::OneOf(&["Reserved"])),
            "CancelReservation" => {
                soon("StatusNotification").want("status", Want::OneOf(&["Available"]))
            }
            "TriggerMessage" => soon(text("requestedMessage")?).at(number("connectorId")),
            "ExtendedTriggerMessage" => soon(match text("requestedMessage")? {
                "SignChargePointCertificate" => "SignCertificate",
                message => message,
            })
            .at(number("connectorId")),
            "UpdateFirmware" => {
                late("FirmwareStatusNotification").want("status", Want::Not("Idle"))
            }
            "GetDiagnostics" => {
                late("DiagnosticsStatusNotification").want("status", Want::Not("Idle"))
            }
            "SignedUpdateFirmware" => {
                late("SignedFirmwareStatusNotification").number("requestId", number("requestId"))
            }
            "GetLog" => late("LogStatusNotification").number("requestId", number("requestId")),
            _ => return None,
        })
    }

    /// Whether a message of this payload is it.
    pub fn is(&self, message: &str, payload: &Value) -> bool {
        self.message == message
            && self.wants.iter().all(|(name, want)| {
                let said = &payload[*name];
                match want {
                    Want::Number(number) => said.as_i64() == Some(*number),
                    Want::Text(text) => said
                        .as_str()
                        .is_some_and(|said| said.trim().eq_ignore_ascii_case(text.trim())),
                    Want::OneOf(words) => said.as_str().is_some_and(|said| words.contains(&said)),
                    Want::Not(word) => said.as_str() != Some(word),
                }
            })
    }

    /// Whether a message that fits shows the effect by itself. Otherwise every connector has to be looked at.
    pub fn is_enough(&self, payload: &Value) -> bool {
        self.whole.is_empty() || payload["connectorId"].as_i64() == Some(0)
    }

    fn want(mut self, name: &'static str, want: Want) -> Self {
        self.wants.push((name, want));
        self
    }

    fn number(self, name: &'static str, number: Option<i64>) -> Self {
        match number {
            Some(number) => self.want(name, Want::Number(number)),
            None => self,
        }
    }

    fn at(self, connector: Option<i64>) -> Self {
        self.number("connectorId", connector)
    }
}

/// The effect in words: the message, and its state and connector if it has them.
pub fn words(message: &str, payload: &Value) -> String {
    let mut words = message.to_owned();
    if let Some(status) = payload["status"].as_str() {
        words.push_str(": ");
        words.extend(status.chars().filter(|c| !c.is_control()).take(50));
    }
    if let Some(connector) = payload["connectorId"].as_i64() {
        words.push_str(&format!(" (connector {connector})"));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_command_knows_its_sequel() {
        for (action, asked, message, said, is) in [
            (
                "Reset",
                json!({"type": "Hard"}),
                "BootNotification",
                json!({}),
                true,
            ),
            (
                "Reset",
                json!({"type": "Hard"}),
                "StatusNotification",
                json!({}),
                false,
            ),
            (
                "UnlockConnector",
                json!({"connectorId": 2}),
                "StatusNotification",
                json!({"connectorId": 2}),
                true,
            ),
            (
                "UnlockConnector",
                json!({"connectorId": 2}),
                "StatusNotification",
                json!({"connectorId": 1}),
                false,
            ),
            (
                "RemoteStartTransaction",
                json!({"idTag": "tag"}),
                "StartTransaction",
                json!({"idTag": "TAG "}),
                true,
            ),
            (
                "RemoteStartTransaction",
                json!({"idTag": "tag"}),
                "StartTransaction",
                json!({"idTag": "other"}),
                false,
            ),
            (
                "RemoteStopTransaction",
                json!({"transactionId": 7}),
                "StopTransaction",
                json!({"transactionId": 7}),
                true,
            ),
            (
                "RemoteStopTransaction",
                json!({"transactionId": 7}),
                "StopTransaction",
                json!({"transactionId": 8}),
                false,
            ),
            (
                "ChangeAvailability",
                json!({"connectorId": 0, "type": "Inoperative"}),
                "StatusNotification",
                json!({"connectorId": 1, "status": "Unavailable"}),
                true,
            ),
            (
                "ChangeAvailability",
                json!({"connectorId": 1, "type": "Inoperative"}),
                "StatusNotification",
                json!({"connectorId": 1, "status": "Charging"}),
                false,
            ),
            (
                "ChangeAvailability",
                json!({"connectorId": 1, "type": "Operative"}),
                "StatusNotification",
                json!({"connectorId": 1, "status": "Available"}),
                true,
            ),
            (
                "ReserveNow",
                json!({"connectorId": 1}),
                "StatusNotification",
                json!({"connectorId": 1, "status": "Reserved"}),
                true,
            ),
            (
                "ReserveNow",
                json!({"connectorId": 1}),
                "StatusNotification",
                json!({"connectorId": 1, "status": "Available"}),
                false,
            ),
            (
                "TriggerMessage",
                json!({"requestedMessage": "Heartbeat"}),
                "Heartbeat",
                json!({}),
                true,
            ),
            (
                "ExtendedTriggerMessage",
                json!({"requestedMessage": "SignChargePointCertificate"}),
                "SignCertificate",
                json!({}),
                true,
            ),
            (
                "UpdateFirmware",
                json!({}),
                "FirmwareStatusNotification",
                json!({"status": "Idle"}),
                false,
            ),
            (
                "UpdateFirmware",
                json!({}),
                "FirmwareStatusNotification",
                json!({"status": "Downloading"}),
                true,
            ),
            (
                "GetLog",
                json!({"requestId": 5}),
                "LogStatusNotification",
                json!({"requestId": 5, "status": "Uploading"}),
                true,
            ),
            (
                "GetLog",
                json!({"requestId": 5}),
                "LogStatusNotification",
                json!({"requestId": 6, "status": "Uploading"}),
                false,
            ),
        ] {
            let sequel = Sequel::of(action, &asked.to_string()).unwrap();
            assert_eq!(
                sequel.is(message, &said),
                is,
                "{action} {asked}: {message} {said}"
            );
        }
        assert_eq!(Sequel::of("GetConfiguration", "{}"), None);
        assert_eq!(Sequel::of("TriggerMessage", "{}"), None);
    }

    #[test]
    fn of_a_whole_station_one_connectors_word_is_not_enough() {
        let enough = |asked: Value, connector: i64| {
            let sequel = Sequel::of("ChangeAvailability", &asked.to_string()).unwrap();
            let said = json!({"connectorId": connector, "status": "Unavailable"});
            assert!(sequel.is("StatusNotification", &said));
            sequel.is_enough(&said)
        };
        let whole = json!({"connectorId": 0, "type": "Inoperative"});
        assert!(!enough(whole.clone(), 1));
        assert!(enough(whole, 0));
        assert!(enough(json!({"connectorId": 1, "type": "Inoperative"}), 1));
    }

    #[test]
    fn an_effect_is_told_in_a_line() {
        let said = json!({"connectorId": 1, "status": "Reserved"});
        assert_eq!(
            words("StatusNotification", &said),
            "StatusNotification: Reserved (connector 1)"
        );
        assert_eq!(words("BootNotification", &json!({})), "BootNotification");
    }
}
