//! How a request of the server is read, and how it is answered or refused.

use alloc::{
    format,
    string::{String, ToString},
};

use serde::Deserialize;

use crate::{ocpp::msg16::StatusConf, time::Utc, wire::json};

/// A CALLERROR of ours: code and description.
pub(crate) struct Refusal(pub(crate) &'static str, pub(crate) String);

/// An answer's payload.
pub(crate) type Answer = Result<String, Refusal>;

impl Refusal {
    pub(crate) fn new(code: &'static str, description: impl Into<String>) -> Self {
        Self(code, description.into())
    }

    pub(crate) fn not_implemented(action: &str) -> Self {
        Self("NotImplemented", format!("{action} is not known here"))
    }
}

/// A date and time of a request.
pub(crate) fn date(field: &str, text: &str) -> Result<Utc, Refusal> {
    Utc::parse(text).ok_or_else(|| {
        let words = format!("{field}: expected a date and time such as 2026-05-04T08:00:00Z");
        Refusal::new("PropertyConstraintViolation", words)
    })
}

/// An answer that is one word.
pub(crate) fn status(status: &'static str) -> String {
    json(&StatusConf { status })
}

/// Reads a request, or names the OCPP 1.6 error code (in the standard's own spelling) of what is wrong.
pub(crate) fn read<'a, T: Deserialize<'a>>(payload: &'a str) -> Result<T, Refusal> {
    serde_json::from_str(payload).map_err(|problem| {
        let words = problem.to_string();
        let code = if !problem.is_data() {
            "FormationViolation"
        } else if words.starts_with("missing field") || words.starts_with("duplicate field") {
            "OccurenceConstraintViolation"
        } else if words.starts_with("unknown variant")
            || words.starts_with("invalid value")
            || words.starts_with("not an ISO 8601")
        {
            "PropertyConstraintViolation"
        } else {
            "TypeConstraintViolation"
        };
        Refusal(code, words.chars().take(255).collect())
    })
}
