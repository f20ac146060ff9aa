//! What can be done to a station, by name: as a line of words, or as a name with JSON fields.

use std::str::FromStr;

use evse_core::ocpp::msg16::ErrorCode;
use serde_json::{Map, Value};

use crate::{
    Controls,
    physics::{self, VEHICLES, Vehicle},
};

/// One way to do something.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// The verb.
    pub name: &'static str,
    /// Its fields in the order of a line; those that end in `?` may be left out.
    pub fields: &'static [&'static str],
    /// What it does.
    pub about: &'static str,
}

macro_rules! forms {
    ($($name:literal [$($field:literal)*] $about:literal;)*) => {
        /// All of them.
        pub const FORMS: &[Form] = &[$(Form { name: $name, fields: &[$($field),*], about: $about },)*];
    };
}

forms! {
    "plug" ["connector" "vehicle?" "soc?"] "a vehicle arrives";
    "unplug" ["connector"] "the vehicle leaves";
    "swipe" ["connector" "idTag"] "a card is held to the reader";
    "stop" ["connector"] "the stop button is pressed";
    "fault" ["connector" "code"] "a fault appears, such as GroundFailure; none: it goes away";
    "offline" [] "the network goes away";
    "online" [] "the network is back";
    "crash" [] "the socket breaks";
    "reboot" [] "the power goes and comes back";
    "send" ["text"] "a text goes over the wire as it is";
    "data" ["vendor" "message?" "data?"] "a DataTransfer is sent";
}

/// Something that is done to a station.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// See [`FORMS`], as for all of them.
    #[expect(missing_docs, reason = "the table says what each field is")]
    Plug {
        connector: u32,
        vehicle: &'static Vehicle,
        soc: f64,
    },
    /// The vehicle leaves.
    Unplug(u32),
    /// A card is held to the reader.
    Swipe(u32, String),
    /// The stop button.
    Stop(u32),
    /// A fault, or none.
    Fault(u32, ErrorCode),
    /// The network goes away.
    Offline,
    /// And comes back.
    Online,
    /// The socket breaks.
    Crash,
    /// Off and on.
    Reboot,
    /// A text as it is.
    Send(String),
    /// A DataTransfer: vendor, message, data.
    Data(String, Option<String>, Option<String>),
}

fn connector(fields: &Map<String, Value>) -> Result<u32, String> {
    let number = match fields.get("connector") {
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_u64().and_then(|number| u32::try_from(number).ok()),
        None => None,
    };
    number
        .filter(|number| *number > 0)
        .ok_or_else(|| "connector: expected a number from 1".to_owned())
}

fn text(fields: &Map<String, Value>, name: &str) -> Result<String, String> {
    optional(fields, name).ok_or_else(|| format!("{name}: expected a text"))
}

fn optional(fields: &Map<String, Value>, name: &str) -> Option<String> {
    fields.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn vehicle(fields: &Map<String, Value>) -> Result<&'static Vehicle, String> {
    let name = optional(fields, "vehicle").unwrap_or_else(|| VEHICLES[0].name.to_owned());
    physics::vehicle(&name).ok_or_else(|| {
        let names: Vec<_> = VEHICLES.iter().map(|vehicle| vehicle.name).collect();
        format!("vehicle: expected one of {}", names.join(", "))
    })
}

fn soc(fields: &Map<String, Value>) -> Result<f64, String> {
    let number = match fields.get("soc") {
        None => Some(30.0),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_f64(),
    };
    number
        .filter(|soc| (0.0..=100.0).contains(soc))
        .ok_or_else(|| "soc: expected a number from 0 to 100".to_owned())
}

fn code(fields: &Map<String, Value>) -> Result<ErrorCode, String> {
    let word = text(fields, "code")?;
    if word.eq_ignore_ascii_case("none") {
        return Ok(ErrorCode::NoError);
    }
    serde_json::from_value(Value::String(word))
        .map_err(|_| "code: expected an errorCode such as GroundFailure, or none".to_owned())
}

impl Verb {
    /// Reads a verb with fields; the error names the field.
    pub fn of(name: &str, fields: &Map<String, Value>) -> Result<Self, String> {
        Ok(match name {
            "plug" => Self::Plug {
                connector: connector(fields)?,
                vehicle: vehicle(fields)?,
                soc: soc(fields)?,
            },
            "unplug" => Self::Unplug(connector(fields)?),
            "swipe" => Self::Swipe(connector(fields)?, text(fields, "idTag")?),
            "stop" => Self::Stop(connector(fields)?),
            "fault" => Self::Fault(connector(fields)?, code(fields)?),
            "offline" => Self::Offline,
            "online" => Self::Online,
            "crash" => Self::Crash,
            "reboot" => Self::Reboot,
            "send" => Self::Send(text(fields, "text")?),
            "data" => Self::Data(
                text(fields, "vendor")?,
                optional(fields, "message"),
                optional(fields, "data"),
            ),
            _ => {
                let names: Vec<_> = FORMS.iter().map(|form| form.name).collect();
                return Err(format!("`{name}`: expected one of {}", names.join(", ")));
            }
        })
    }

    /// Does it.
    pub fn perform(&self, controls: &Controls) {
        match self {
            Self::Plug {
                connector,
                vehicle,
                soc,
            } => controls.plug(*connector, vehicle, *soc),
            Self::Unplug(connector) => controls.unplug(*connector),
            Self::Swipe(connector, id_tag) => controls.swipe(*connector, id_tag),
            Self::Stop(connector) => controls.stop_button(*connector),
            Self::Fault(connector, code) => controls.fault(*connector, *code),
            Self::Offline => controls.offline(),
            Self::Online => controls.online(),
            Self::Crash => controls.crash(),
            Self::Reboot => controls.power_cut(),
            Self::Send(text) => controls.raw(text),
            Self::Data(vendor, message, data) => {
                controls.data_transfer(vendor, message.as_deref(), data.as_deref());
            }
        }
    }
}

impl FromStr for Verb {
    type Err = String;

    /// Reads a line such as `plug 1 leaf 30`. The last field of `send` and `data` is the rest of the line.
    fn from_str(line: &str) -> Result<Self, String> {
        let (name, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let names = FORMS
            .iter()
            .find(|form| form.name == name)
            .map_or(&[][..], |form| form.fields);
        let takes_rest = matches!(name, "send" | "data");
        let mut fields = Map::new();
        let mut rest = rest.trim();
        for (place, field) in names.iter().enumerate() {
            let last = takes_rest && place + 1 == names.len();
            let (word, after) = match rest.split_once(' ') {
                Some((word, after)) if !last => (word, after.trim()),
                _ => (rest, ""),
            };
            rest = after;
            if !word.is_empty() {
                fields.insert(
                    field.trim_end_matches('?').to_owned(),
                    Value::String(word.to_owned()),
                );
            }
        }
        if !rest.is_empty() {
            return Err(format!("`{rest}`: {name} takes {}", names.join(" ")));
        }
        Self::of(name, &fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_they_are_documented() {
        let leaf = physics::vehicle("leaf").expect("known");
        let plug = |soc| Verb::Plug {
            connector: 1,
            vehicle: leaf,
            soc,
        };
        for (line, expected) in [
            ("plug 1", plug(30.0)),
            (" plug  1 leaf 55.5 ", plug(55.5)),
            ("swipe 2 04A2B91C", Verb::Swipe(2, "04A2B91C".to_owned())),
            (
                "fault 1 GroundFailure",
                Verb::Fault(1, ErrorCode::GroundFailure),
            ),
            ("fault 1 none", Verb::Fault(1, ErrorCode::NoError)),
            ("offline", Verb::Offline),
            (
                "send [2,\"a\",\"Heartbeat\",{ }]",
                Verb::Send("[2,\"a\",\"Heartbeat\",{ }]".to_owned()),
            ),
            (
                "data acme hello a b",
                Verb::Data(
                    "acme".to_owned(),
                    Some("hello".to_owned()),
                    Some("a b".to_owned()),
                ),
            ),
        ] {
            assert_eq!(line.parse(), Ok(expected), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_named() {
        for (line, word) in [
            ("dance", "expected one of plug"),
            ("plug", "connector"),
            ("plug 0", "from 1"),
            ("plug 1 bike", "leaf"),
            ("plug 1 leaf 101", "0 to 100"),
            ("swipe 1", "idTag"),
            ("fault 1 Tired", "GroundFailure"),
            ("unplug 1 2", "takes connector"),
        ] {
            let problem = line.parse::<Verb>().expect_err(line);
            assert!(problem.contains(word), "{line}: {problem}");
        }
    }
}
