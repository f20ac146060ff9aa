//! Steps by which a station answers the server's CALLs, those that the scenario orders by a command included.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::scenario::file::Length;

/// What a station answers.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Reply {
    /// A payload with this status and nothing else.
    Status(String),
    /// A whole payload.
    Payload(Map<String, Value>),
}

/// A CALLERROR of the station.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ReplyError {
    /// Its code.
    pub code: String,
    /// Its description.
    #[serde(default)]
    pub description: String,
}

/// Waits for the server's next CALL, which must be this one, and answers it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectCall {
    /// The action.
    pub expect_call: String,
    /// What the payload must be; it may have more.
    #[serde(rename = "match")]
    pub matches: Option<Value>,
    /// The answer; Accepted if nothing is said.
    pub reply: Option<Reply>,
    /// A CALLERROR instead.
    pub error: Option<ReplyError>,
    /// Values of the payload to remember, by their paths.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// On which connection.
    pub on: Option<String>,
    /// How long it may take.
    pub timeout: Option<Length>,
}

/// Answers the server's CALLs of one action whenever they come.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Override {
    /// Which, and what.
    #[serde(rename = "override")]
    pub rule: Rule,
}

/// One rule of [`Override`].
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The action.
    pub call: String,
    /// The answer; Accepted if nothing is said.
    pub reply: Option<Reply>,
    /// A CALLERROR instead.
    pub error: Option<ReplyError>,
    /// How often; otherwise always.
    pub times: Option<usize>,
}

/// POSTs a command, receives its CALL, replies, and reads its row until it ends as it must.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Command {
    /// The action.
    pub command: String,
    /// The payload that is asked for; the CALL must have the same.
    #[serde(default)]
    pub payload: Map<String, Value>,
    /// What the CALL's payload must be, if that is not what was asked for; it may have more.
    pub wire: Option<Value>,
    /// What the station answers; Accepted if nothing is said.
    pub reply: Option<Reply>,
    /// A CALLERROR instead.
    pub error: Option<ReplyError>,
    /// What the command's row must be in the end; otherwise answered with the reply.
    pub row: Option<Value>,
    /// Values of the row to remember, by their paths.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// The query of the POST, as in `raw=1`.
    pub query: Option<String>,
    /// On which connection.
    pub on: Option<String>,
    /// How long each part of it may take.
    pub timeout: Option<Length>,
}
