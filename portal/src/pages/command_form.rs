//! The form of a command, made of what its message must look like: a field for each field, a box for each object, rows for
//! each list. It works without a script: a list grows by a button that sends the form and shows it with one row more.
//!
//! A field's name is its path in the payload, `csChargingProfiles.stackLevel`; the form's own begin with `_`.

mod ask;
mod fill;
mod words;

use chrono::TimeDelta;
use ocpp::{
    Version,
    limits::Known,
    schema::{self, Message},
};
use serde_json::Value;

use super::form::Form;
use crate::{error::Complaint, orders::Order};

pub use ask::Item;
pub(crate) use words::danger;

/// What is asked for, in the order of most use; the others of the version follow.
const USUAL: [&str; 6] = [
    "RemoteStartTransaction",
    "RemoteStopTransaction",
    "Reset",
    "UnlockConnector",
    "ChangeAvailability",
    "TriggerMessage",
];
/// How long a command may wait for its station: seconds, and in words.
pub const WAITS: [(&str, &str); 6] = [
    ("600", "10 minutes"),
    ("3600", "1 hour"),
    ("21600", "6 hours"),
    ("86400", "1 day"),
    ("604800", "1 week"),
    ("2592000", "30 days"),
];

/// A form for one action.
#[derive(Debug, Clone)]
pub struct CommandForm {
    /// The action; empty until one is chosen.
    pub action: String,
    /// Every action that may be chosen.
    pub actions: Vec<&'static str>,
    /// The parts, in order.
    pub items: Vec<Item>,
    /// The payload is written as JSON instead.
    pub raw: bool,
    /// What makes it dangerous, if it must be confirmed.
    pub danger: Option<&'static str>,
    /// How long it may wait for its station: seconds, and in words.
    pub waits: Vec<(String, String)>,
    /// What was typed, and what is wrong with it.
    pub form: Form,
}

impl CommandForm {
    /// The form as it is shown first; the fields that `form` has are filled in.
    pub fn new(version: Version, form: Form) -> Self {
        let mut actions: Vec<&'static str> = USUAL
            .into_iter()
            .filter(|usual| schema::message(version, usual).is_ok())
            .collect();
        let others = schema::commands(version).map(|message| message.action);
        actions.extend(others.filter(|action| !USUAL.contains(action)));
        let action = form.value("_action").to_owned();
        let raw = form.checked("_raw");
        let items = match message(version, &action) {
            Some(message) if !raw => ask::items(message, &form),
            _ => Vec::new(),
        };
        CommandForm {
            action,
            actions,
            items,
            raw,
            danger: None,
            waits: WAITS
                .map(|(seconds, words)| (seconds.to_owned(), words.to_owned()))
                .into(),
            form,
        }
    }

    /// What was sent, as an order; `None` if it is not complete: the form says why, or has grown by a row.
    pub fn read(version: Version, known: &Known, mut form: Form) -> Result<Order, Box<Self>> {
        let expires_in = form
            .value("_expires_in")
            .parse()
            .ok()
            .filter(|_| WAITS.iter().any(|wait| wait.0 == form.value("_expires_in")))
            .map_or(crate::orders::EXPIRES, TimeDelta::seconds);
        let raw = form.checked("_raw");
        let action = form.value("_action").to_owned();
        let payload = match message(version, &action) {
            _ if raw => form.value("_payload").to_owned(),
            Some(message) => fill::payload(message, &form).to_string(),
            None => "{}".to_owned(),
        };
        if !form.value("_more").is_empty() {
            return Err(Box::new(Self::new(version, form)));
        }
        let order = Order {
            raw,
            expires_in,
            ..Order::new(action, payload)
        };
        complain(
            &mut form,
            &order.complaints(version, known),
            message(version, &order.action),
        );
        let payload: Value = serde_json::from_str(&order.payload).unwrap_or_default();
        let danger = danger(&order.action, &payload).filter(|_| !form.checked("_confirm"));
        if form.is_clean() && danger.is_none() {
            return Ok(order);
        }
        let mut shown = Self::new(version, form);
        // What is wrong comes first: there is nothing to confirm yet.
        shown.danger = danger.filter(|_| shown.form.is_clean());
        Err(Box::new(shown))
    }

    /// The form of an order that was well-formed and cannot be queued, with what is wrong beside its fields.
    pub fn refused(version: Version, mut form: Form, complaints: &[Complaint]) -> Self {
        let message = message(version, form.value("_action"));
        complain(&mut form, complaints, message);
        Self::new(version, form)
    }
}

/// A message that may be sent to a station.
fn message(version: Version, action: &str) -> Option<&'static Message> {
    schema::commands(version).find(|message| message.action == action)
}

/// Puts each complaint beside the field that it is about.
fn complain(form: &mut Form, complaints: &[Complaint], message: Option<&'static Message>) {
    let names = message.map(|message| ask::names(message, form));
    for complaint in complaints {
        let pointer = complaint.pointer.as_deref().unwrap_or_default();
        let field = match pointer.strip_prefix("/payload/") {
            Some(path) => place(
                &path.replace('/', "."),
                names.as_deref().unwrap_or_default(),
            ),
            None if pointer == "/payload" => "_payload".to_owned(),
            None => "_action".to_owned(),
        };
        form.complain(&field, complaint.detail.clone());
    }
}

/// The field of a path, or the nearest above it: a line of a list of texts is in the list's one field.
fn place(path: &str, names: &[String]) -> String {
    let mut path = path;
    loop {
        if names.iter().any(|name| name == path) {
            return path.to_owned();
        }
        match path.rsplit_once('.') {
            Some((above, _)) => path = above,
            None => return String::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(fields: &[(&str, &str)]) -> Result<Order, Box<CommandForm>> {
        let fields = fields
            .iter()
            .map(|(name, value)| (*name, (*value).to_owned()));
        let known = Known {
            now: "2026-11-20T12:00:00Z".parse().unwrap(),
            security_profile: 0,
        };
        CommandForm::read(Version::V16, &known, Form::filled(fields))
    }

    /// Of an order that is confirmed, should it be dangerous.
    fn payload(fields: &[(&str, &str)]) -> Value {
        let fields = [fields, &[("_confirm", "yes")]].concat();
        let order = read(&fields).unwrap_or_else(|form| panic!("{:?}", form.form.complaints()));
        serde_json::from_str(&order.payload).unwrap()
    }

    #[test]
    fn every_action_has_a_form() {
        let form = CommandForm::new(Version::V16, Form::default());
        assert_eq!(form.actions.len(), 26);
        assert_eq!(form.actions[0], "RemoteStartTransaction");
        for action in form.actions {
            let shown =
                CommandForm::new(Version::V16, Form::filled([("_action", action.to_owned())]));
            let needs = !matches!(action, "ClearCache" | "GetLocalListVersion");
            assert_eq!(!shown.items.is_empty(), needs, "{action}");
        }
    }

    #[test]
    fn a_payload_is_made_of_what_was_typed() {
        assert_eq!(
            payload(&[("_action", "UnlockConnector"), ("connectorId", "2")]),
            json!({"connectorId": 2})
        );
        assert_eq!(
            payload(&[("_action", "GetConfiguration"), ("key", "A\n\nB")]),
            json!({"key": ["A", "B"]})
        );
        assert_eq!(
            payload(&[("_action", "GetConfiguration"), ("key", "")]),
            json!({})
        );
        assert_eq!(
            payload(&[
                ("_action", "GetDiagnostics"),
                ("location", "https://host/up"),
                ("startTime", "2026-11-20T14:00"),
                ("retries", "3"),
            ]),
            json!({"location": "https://host/up", "startTime": "2026-11-20T14:00:00Z", "retries": 3})
        );
        assert_eq!(
            payload(&[
                ("_action", "SendLocalList"),
                ("listVersion", "2"),
                ("updateType", "Full"),
                ("localAuthorizationList.0.idTag", "A"),
                ("localAuthorizationList.0.idTagInfo.status", "Accepted"),
                ("localAuthorizationList.1.idTag", "B"),
                ("localAuthorizationList.1.idTagInfo.status", "Blocked"),
                ("localAuthorizationList.2.idTag", ""),
            ]),
            json!({"listVersion": 2, "updateType": "Full", "localAuthorizationList": [
                {"idTag": "A", "idTagInfo": {"status": "Accepted"}}, {"idTag": "B", "idTagInfo": {"status": "Blocked"}}]})
        );
        // An empty value is a value.
        assert_eq!(
            payload(&[
                ("_action", "ChangeConfiguration"),
                ("key", "K"),
                ("value", "")
            ]),
            json!({"key": "K", "value": ""})
        );
        let profile = [
            ("_action", "SetChargingProfile"),
            ("connectorId", "1"),
            ("csChargingProfiles.chargingProfileId", "1"),
            ("csChargingProfiles.stackLevel", "0"),
            (
                "csChargingProfiles.chargingProfilePurpose",
                "TxDefaultProfile",
            ),
            ("csChargingProfiles.chargingProfileKind", "Absolute"),
            ("csChargingProfiles.chargingSchedule.chargingRateUnit", "A"),
            (
                "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.0.startPeriod",
                "0",
            ),
            (
                "csChargingProfiles.chargingSchedule.chargingSchedulePeriod.0.limit",
                "6,5",
            ),
        ];
        let schedule = &payload(&profile)["csChargingProfiles"]["chargingSchedule"];
        assert_eq!(
            schedule["chargingSchedulePeriod"],
            json!([{"startPeriod": 0, "limit": 6.5}])
        );
        // An optional object that nobody fills in is not sent.
        assert_eq!(
            payload(&[("_action", "RemoteStartTransaction"), ("idTag", "A")]),
            json!({"idTag": "A"})
        );
    }

    #[test]
    fn what_is_wrong_stands_at_its_field() {
        for (fields, field, detail) in [
            (
                &[("_action", "Reset"), ("type", "Warm")][..],
                "type",
                "Warm",
            ),
            (&[("_action", "Reset")], "type", "missing"),
            (
                &[("_action", "UnlockConnector"), ("connectorId", "one")],
                "connectorId",
                "a whole number",
            ),
            (
                &[("_action", "UnlockConnector"), ("connectorId", "0")],
                "connectorId",
                "from 1",
            ),
            (&[("_action", "Explode")], "_action", "Explode"),
            (
                &[
                    ("_action", "SendLocalList"),
                    ("listVersion", "1"),
                    ("updateType", "Full"),
                    ("localAuthorizationList.1.idTag", "B"),
                    ("localAuthorizationList.0.idTagInfo.parentIdTag", "P"),
                ],
                "localAuthorizationList.0.idTag",
                "missing",
            ),
            (
                &[
                    ("_action", "Reset"),
                    ("_raw", "yes"),
                    ("_payload", "nothing"),
                ],
                "_payload",
                "object",
            ),
        ] {
            let form = read(fields).unwrap_err();
            let complaint = form
                .form
                .complaint(field)
                .unwrap_or_else(|| panic!("{field}: {:?}", form.form.complaints()));
            assert!(complaint.contains(detail), "{complaint}");
        }
    }

    #[test]
    fn what_is_dangerous_is_asked_twice_and_a_list_grows() {
        let hard = [("_action", "Reset"), ("type", "Hard")];
        assert!(read(&hard).unwrap_err().danger.is_some());
        assert!(read(&[hard[0], hard[1], ("_confirm", "yes")]).is_ok());
        assert!(
            read(&[
                ("_action", "Reset"),
                ("_raw", "yes"),
                ("_payload", r#"{"type":"Hard"}"#)
            ])
            .is_err()
        );
        assert!(read(&[("_action", "Reset"), ("type", "Soft")]).is_ok());
        let more = read(&[
            ("_action", "SendLocalList"),
            ("localAuthorizationList.0.idTag", "A"),
            ("_more", "localAuthorizationList"),
        ]);
        let more = more.unwrap_err();
        assert!(more.form.is_clean());
        let names = ask::names(message(Version::V16, "SendLocalList").unwrap(), &more.form);
        assert!(
            names.contains(&"localAuthorizationList.1.idTag".to_owned()),
            "{names:?}"
        );
    }
}
