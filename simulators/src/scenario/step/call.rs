//! Steps by which a station driven by hand says something. What it hears is in `answer`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::scenario::file::Length;

/// Makes the struct of a verb that sends one CALL with a payload that is mostly known.
macro_rules! exchange {
    ($(#[$about:meta])* $name:ident, $verb:ident, $(#[$of:meta])*) => {
        $(#[$about])*
        #[derive(Debug, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(#[$of])*
            pub $verb: String,
            /// What differs from the usual payload; `$absent` leaves a field out.
            #[serde(default)]
            pub payload: Map<String, Value>,
            /// What else the answer must be; it may have more.
            pub answer: Option<Value>,
            /// Values of the answer to remember, by their paths.
            #[serde(default)]
            pub save: BTreeMap<String, String>,
            /// On which connection.
            pub on: Option<String>,
            /// How long the answer may take.
            pub timeout: Option<Length>,
        }
    };
}

exchange!(
    /// A BootNotification.
    Boot, boot,
    /// The status that the server must answer with.
);
exchange!(
    /// An Authorize, of `${tag}` if nothing is said.
    Authorize, authorize,
    /// The status that the server must answer with.
);
exchange!(
    /// A StartTransaction of `${tag}` on connector 1, now, at 1000 Wh, if nothing is said. The transaction id must be
    /// positive and is remembered as `${tx}`.
    Start, start,
    /// The status that the server must answer with.
);
exchange!(
    /// A StopTransaction of `${tx}` with `${tag}`, now, at 6000 Wh, if nothing is said.
    Stop, stop,
    /// The status that the server must answer with.
);

/// StatusNotifications of one or several connectors, each of which must be acknowledged.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Status {
    /// The status.
    pub status: String,
    /// Which connectors; otherwise 1.
    pub connectors: Option<Vec<i64>>,
    /// What differs from the usual payload.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// On which connection.
    pub on: Option<String>,
    /// How long each answer may take.
    pub timeout: Option<Length>,
}

/// A CALL to the server, with its answer.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Call {
    /// The action.
    pub call: String,
    /// The payload.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// What the CALLRESULT's payload must be; it may have more.
    pub answer: Option<Value>,
    /// The code of the CALLERROR that must come instead.
    pub error: Option<String>,
    /// Values of the answer to remember, by their paths.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// On which connection.
    pub on: Option<String>,
    /// How long the answer may take.
    pub timeout: Option<Length>,
}

/// A text that goes out as it is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Raw {
    /// The text.
    pub raw: String,
    /// What the next frame must be, as an array.
    pub receive: Option<Value>,
    /// On which connection.
    pub on: Option<String>,
    /// How long the frame may take.
    pub timeout: Option<Length>,
}
