//! Steps of a simulated station: what happens to it, and what is waited for. Its network is in `network`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::scenario::file::Length;

/// Waits until the server has answered the station's boot so.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitBoot {
    /// The status.
    pub wait_boot: String,
    /// How long it may take.
    pub timeout: Option<Length>,
}

/// A vehicle arrives.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Plug {
    /// Where, and who.
    pub plug: Arrival,
}

/// Who arrives where.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Arrival {
    /// The connector.
    pub connector: u32,
    /// A vehicle of the scenario, or one that evsim knows.
    pub vehicle: String,
    /// How full it is, percent.
    pub soc: Option<f64>,
}

/// The vehicle leaves.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Unplug {
    /// From where.
    pub unplug: Where,
}

/// A connector.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Where {
    /// Its number, from 1.
    pub connector: u32,
}

/// A card is held to the reader.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Swipe {
    /// Which, and where.
    pub swipe: Card,
}

/// A card at a connector.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Card {
    /// The connector.
    pub connector: u32,
    /// The token.
    pub tag: String,
}

/// Virtual time passes; meter samples follow.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Advance {
    /// How much.
    pub advance: Length,
    /// How long that may take really.
    pub timeout: Option<Length>,
}

/// Waits until the connection has come or gone, which may have happened since this was last waited for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaitLink {
    /// Which.
    pub wait_link: Link,
    /// How long it may take.
    pub timeout: Option<Length>,
}

/// What became of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Link {
    /// It was made.
    Up,
    /// It ended.
    Down,
}

/// The power goes and comes back: the station starts from its journal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PowerCut {
    /// True.
    pub power_cut: bool,
}

/// Waits for a CALL of the station, which may have passed since the last that was waited for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectSent {
    /// The action.
    pub expect_sent: String,
    /// What its payload must be; others of the action are passed over.
    #[serde(rename = "match")]
    pub matches: Option<Value>,
    /// Values of the payload to remember, by their paths.
    #[serde(default)]
    pub save: BTreeMap<String, String>,
    /// How long it may take.
    pub timeout: Option<Length>,
}
