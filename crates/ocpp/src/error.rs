//! CALLERROR: its codes with the spelling of each version, and what a failed CALL of ours may end in.

use std::fmt;

use crate::Version;

/// The code of a CALLERROR. One meaning, several official spellings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ErrorCode {
    /// The action is not known.
    NotImplemented,
    /// The action is known but not supported.
    NotSupported,
    /// We failed. A station counts this as a failed attempt and sends a transaction message again.
    InternalError,
    /// The frame is incomplete or does not conform to the PDU.
    ProtocolError,
    /// Refused for security: not accepted yet, or not allowed.
    SecurityError,
    /// The payload is syntactically wrong. 1.6 spells it `FormationViolation` (errata 5.2: do not fix).
    FormatViolation,
    /// A field has the right type and a value that is not allowed.
    PropertyConstraintViolation,
    /// A field is missing or there are too many. 1.6 spells it with one r (errata 5.1).
    OccurrenceConstraintViolation,
    /// A field has the wrong type.
    TypeConstraintViolation,
    /// Anything else.
    GenericError,
    /// The message type number is unknown. 2.0.1 only; a 1.6 frame of that kind is ignored.
    MessageTypeNotSupported,
    /// The frame is not OCPP-J at all. 2.0.1 only; 1.6 has nothing closer than `GenericError`.
    RpcFrameworkError,
    /// A code the peer sent that no version defines, kept as it came.
    Other(String),
}

/// Each code with its 1.6 and its 2.0.1 spelling.
const SPELLINGS: [(ErrorCode, &str, &str); 12] = [
    (
        ErrorCode::NotImplemented,
        "NotImplemented",
        "NotImplemented",
    ),
    (ErrorCode::NotSupported, "NotSupported", "NotSupported"),
    (ErrorCode::InternalError, "InternalError", "InternalError"),
    (ErrorCode::ProtocolError, "ProtocolError", "ProtocolError"),
    (ErrorCode::SecurityError, "SecurityError", "SecurityError"),
    (
        ErrorCode::FormatViolation,
        "FormationViolation",
        "FormatViolation",
    ),
    (
        ErrorCode::PropertyConstraintViolation,
        "PropertyConstraintViolation",
        "PropertyConstraintViolation",
    ),
    (
        ErrorCode::OccurrenceConstraintViolation,
        "OccurenceConstraintViolation",
        "OccurrenceConstraintViolation",
    ),
    (
        ErrorCode::TypeConstraintViolation,
        "TypeConstraintViolation",
        "TypeConstraintViolation",
    ),
    (ErrorCode::GenericError, "GenericError", "GenericError"),
    (
        ErrorCode::MessageTypeNotSupported,
        "GenericError",
        "MessageTypeNotSupported",
    ),
    (
        ErrorCode::RpcFrameworkError,
        "GenericError",
        "RpcFrameworkError",
    ),
];

impl ErrorCode {
    /// The official spelling in `version`.
    pub fn to_wire(&self, version: Version) -> &str {
        if let ErrorCode::Other(code) = self {
            return code;
        }
        let (_, v16, v201) = SPELLINGS
            .iter()
            .find(|(code, ..)| code == self)
            .expect("every code but Other has a row");
        match version {
            Version::V16 => v16,
            Version::V201 => v201,
        }
    }

    /// Any spelling of any version, in any case.
    pub fn from_wire(spelled: &str) -> Self {
        let matches = |name: &str| name.eq_ignore_ascii_case(spelled);
        SPELLINGS
            .iter()
            // Codes that 1.6 lacks are known by their 2.0.1 name alone.
            .find(|(_, v16, v201)| matches(v201) || (matches(v16) && *v16 != "GenericError"))
            .map_or_else(
                || ErrorCode::Other(spelled.to_owned()),
                |(code, ..)| code.clone(),
            )
    }
}

/// What a CALLERROR says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// The code.
    pub code: ErrorCode,
    /// For people; cut to 255 characters on the wire.
    pub description: String,
    /// A JSON object as text.
    pub details: String,
}

impl CallError {
    /// An error with empty details.
    pub fn new(code: ErrorCode, description: impl Into<String>) -> Self {
        CallError {
            code,
            description: description.into(),
            details: "{}".to_owned(),
        }
    }
}

impl From<ErrorCode> for CallError {
    fn from(code: ErrorCode) -> Self {
        CallError::new(code, "")
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}",
            self.code.to_wire(Version::V201),
            self.description
        )
    }
}

impl std::error::Error for CallError {}

/// Why a CALL of ours has no result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The peer answered with a CALLERROR.
    Refused(CallError),
    /// The peer did not answer in time.
    TimedOut,
    /// The connection ended before the answer. `sent` tells whether the CALL had left.
    Disconnected {
        /// Whether the frame was handed out for sending: if so, the peer may have acted on it.
        sent: bool,
    },
    /// Too many CALLs already wait; this one was never sent.
    QueueFull,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Refused(error) => write!(f, "refused: {error}"),
            Failure::TimedOut => f.write_str("no answer in time"),
            Failure::Disconnected { sent: true } => f.write_str("disconnected before the answer"),
            Failure::Disconnected { sent: false } => f.write_str("disconnected before sending"),
            Failure::QueueFull => f.write_str("too many calls wait for this peer"),
        }
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The table of the specifications, row by row.
    #[test]
    fn every_code_is_spelled_as_its_version_wants_and_read_back() {
        for (code, v16, v201) in &SPELLINGS {
            assert_eq!(code.to_wire(Version::V16), *v16);
            assert_eq!(code.to_wire(Version::V201), *v201);
            assert_eq!(ErrorCode::from_wire(v201), *code);
            if *v16 != "GenericError" {
                assert_eq!(ErrorCode::from_wire(v16), *code);
            }
        }
        assert_eq!(
            ErrorCode::from_wire("GenericError"),
            ErrorCode::GenericError
        );
    }

    #[test]
    fn misspellings_of_16_are_official() {
        let wire = |code: ErrorCode| code.to_wire(Version::V16).to_owned();
        assert_eq!(wire(ErrorCode::FormatViolation), "FormationViolation");
        assert_eq!(
            wire(ErrorCode::OccurrenceConstraintViolation),
            "OccurenceConstraintViolation"
        );
        assert_eq!(wire(ErrorCode::RpcFrameworkError), "GenericError");
    }

    #[test]
    fn an_unknown_code_is_kept() {
        let code = ErrorCode::from_wire("VendorTrouble");
        assert_eq!(code, ErrorCode::Other("VendorTrouble".into()));
        assert_eq!(code.to_wire(Version::V16), "VendorTrouble");
        assert_eq!(
            ErrorCode::from_wire("formationviolation"),
            ErrorCode::FormatViolation
        );
    }
}
