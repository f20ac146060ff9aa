//! What each message must look like, as tables. `ocpp-gen` fills them; [`crate::check`] compares payloads with them, and
//! the portal makes its command forms of them.

use std::fmt;

use crate::check::Finding;
pub use crate::check::check;
use crate::{Version, v16};

/// One field of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// As written on the wire.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it must be there.
    pub required: bool,
}

impl Field {
    /// A field that must be there.
    pub const fn required(name: &'static str, kind: Kind) -> Self {
        Field {
            name,
            kind,
            required: true,
        }
    }

    /// A field that may be left out.
    pub const fn optional(name: &'static str, kind: Kind) -> Self {
        Field {
            name,
            kind,
            required: false,
        }
    }
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole number.
    Integer,
    /// A number, with at most so many decimal places.
    Decimal {
        /// `None`: any number of them.
        places: Option<u32>,
    },
    /// `true` or `false`.
    Boolean,
    /// A text of at most so many characters.
    Text {
        /// `None`: no limit.
        max: Option<usize>,
    },
    /// One of these texts.
    Choice(&'static [&'static str]),
    /// A date and time of RFC 3339.
    DateTime,
    /// A URI.
    Uri,
    /// An object with these fields and no others.
    Object(&'static [Field]),
    /// An array.
    List {
        /// What each item is.
        of: &'static Kind,
        /// The fewest items.
        min: usize,
    },
}

/// Who sends a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sender {
    /// The charging station.
    Station,
    /// The CSMS.
    Csms,
    /// Either of them.
    Either,
}

/// One action with what its payloads must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// As written in a CALL.
    pub action: &'static str,
    /// Who asks.
    pub sender: Sender,
    /// The fields of the CALL.
    pub request: &'static [Field],
    /// The fields of the CALLRESULT.
    pub response: &'static [Field],
}

/// Every message of a version, by name. 2.0.1 has none yet.
pub fn messages(version: Version) -> &'static [Message] {
    match version {
        Version::V16 => &v16::MESSAGES,
        Version::V201 => &[],
    }
}

/// What the CSMS may ask a station: the commands of the API and of the portal's forms.
pub fn commands(version: Version) -> impl Iterator<Item = &'static Message> {
    messages(version)
        .iter()
        .filter(|message| message.sender != Sender::Station)
}

/// Checks a request by the name of its action.
///
/// # Errors
/// The version has no such action.
pub fn check_request(
    version: Version,
    action: &str,
    payload: &str,
) -> Result<Vec<Finding>, UnknownAction> {
    message(version, action).map(|message| check(message.request, payload))
}

/// Checks a response by the name of its action.
///
/// # Errors
/// The version has no such action.
pub fn check_response(
    version: Version,
    action: &str,
    payload: &str,
) -> Result<Vec<Finding>, UnknownAction> {
    message(version, action).map(|message| check(message.response, payload))
}

/// The message of an action.
///
/// # Errors
/// The version has no such action.
pub fn message(version: Version, action: &str) -> Result<&'static Message, UnknownAction> {
    let messages = messages(version);
    match messages.binary_search_by_key(&action, |message| message.action) {
        Ok(at) => Ok(&messages[at]),
        Err(_) => Err(UnknownAction {
            version,
            action: action.to_owned(),
        }),
    }
}

/// An action that a version does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownAction {
    /// The version asked for.
    pub version: Version,
    /// The name given.
    pub action: String,
}

impl fmt::Display for UnknownAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OCPP {} has no action {:?}", self.version, self.action)
    }
}

impl std::error::Error for UnknownAction {}

impl Kind {
    /// The listed values in words.
    pub(crate) fn one_of(names: &[&str]) -> String {
        format!("one of {}", names.join(", "))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Integer => f.write_str("a whole number"),
            Kind::Decimal {
                places: Some(places),
            } => write!(f, "a number with at most {places} decimal places"),
            Kind::Decimal { places: None } => f.write_str("a number"),
            Kind::Boolean => f.write_str("true or false"),
            Kind::Text { max: Some(max) } => write!(f, "a text of at most {max} characters"),
            Kind::Text { max: None } => f.write_str("a text"),
            Kind::Choice(names) => f.write_str(&Kind::one_of(names)),
            Kind::DateTime => f.write_str("a date and time"),
            Kind::Uri => f.write_str("a URI"),
            Kind::Object(_) => f.write_str("an object"),
            Kind::List { .. } => f.write_str("an array"),
        }
    }
}
