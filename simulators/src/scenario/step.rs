//! The steps of a scenario: one struct for each verb, with the keys that may stand beside it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::file::Length;
use crate::fault::{Direction, Fault};

/// One step.
#[derive(Debug)]
pub struct Step {
    /// What it does.
    pub(super) act: Act,
    /// As it stands in the file.
    pub(super) written: Value,
}

impl JsonSchema for Step {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Step".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Act::json_schema(generator)
    }
}

/// Makes the enum of all steps, which is read by the one key that is a verb.
macro_rules! steps {
    ($($(#[$about:meta])* $verb:literal => $variant:ident($step:ty),)*) => {
        /// What a step does: a verb with its value, and what belongs to it.
        #[derive(Debug, JsonSchema)]
        #[schemars(untagged)]
        pub enum Act {
            $($(#[$about])* $variant($step),)*
        }

        /// Every verb.
        pub(super) const VERBS: &[&str] = &[$($verb),*];

        impl Step {
            /// Reads a step by its one key that is a verb.
            pub(super) fn read(table: Map<String, Value>) -> Result<Self, String> {
                let verb = verb(&table)?;
                let written = Value::Object(table);
                let act = match verb {
                    $($verb => serde_json::from_value(written.clone()).map(Act::$variant),)*
                    _ => unreachable!("a verb is one of VERBS"),
                };
                let act = act.map_err(|error| format!("{verb}: {error}"))?;
                Ok(Self { act, written })
            }
        }
    };
}

steps! {
    /// Opens a connection.
    "connect" => Connect(Connect),
    /// Ends a connection.
    "disconnect" => Disconnect(Disconnect),
    /// The server ends a connection.
    "closed" => Closed(Closed),
    /// Sends a BootNotification.
    "boot" => Boot(Boot),
    /// Sends StatusNotifications.
    "status" => Status(Status),
    /// Sends an Authorize.
    "authorize" => Authorize(Authorize),
    /// Sends a StartTransaction.
    "start" => Start(Start),
    /// Sends a StopTransaction.
    "stop" => Stop(Stop),
    /// Sends any CALL.
    "call" => Call(Call),
    /// Sends a text as it is.
    "raw" => Raw(Raw),
    /// Waits for a CALL of the server and answers it.
    "expect_call" => ExpectCall(ExpectCall),
    /// Answers the server's CALLs of one action whenever they come.
    "override" => Override(Override),
    /// Asks the server for a command, and goes with it from the request to its end.
    "command" => Command(Command),
    /// Asks the API.
    "api" => Api(ApiStep),
    /// Makes a key and a request to have it certified.
    "csr" => Csr(Csr),
    /// Remembers values.
    "set" => Set(Set),
    /// Simulated: waits for the answer to its boot.
    "wait_boot" => WaitBoot(WaitBoot),
    /// Simulated: a vehicle arrives.
    "plug" => Plug(Plug),
    /// Simulated: the vehicle leaves.
    "unplug" => Unplug(Unplug),
    /// Simulated: a card is held to the reader.
    "swipe" => Swipe(Swipe),
    /// Simulated: time passes.
    "advance" => Advance(Advance),
    /// Simulated: what the network does from now on.
    "network" => Network(Network),
    /// Simulated: waits until the connection is there, or gone.
    "wait_link" => WaitLink(WaitLink),
    /// Simulated: the power goes and comes back.
    "power_cut" => PowerCut(PowerCut),
    /// Simulated: waits for a CALL of the station.
    "expect_sent" => ExpectSent(ExpectSent),
}

fn verb(table: &Map<String, Value>) -> Result<&'static str, String> {
    let found: Vec<_> = VERBS
        .iter()
        .copied()
        .filter(|verb| table.contains_key(*verb))
        .collect();
    match found[..] {
        [verb] => Ok(verb),
        [] => {
            let keys: Vec<_> = table.keys().map(String::as_str).collect();
            let keys = keys.join(", ");
            Err(format!(
                "a step of the keys {keys} does nothing: expected one of {}",
                VERBS.join(", ")
            ))
        }
        _ => Err(format!(
            "a step does one thing: {} cannot stand together",
            found.join(" and ")
        )),
    }
}

/// Opens a connection of a station.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Connect {
    /// How.
    pub connect: Door,
    /// The name of the connection; otherwise `main`.
    pub on: Option<String>,
}

/// How a connection is opened.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Door {
    /// The identity in the URL; otherwise `${station}`.
    pub id: Option<String>,
    /// Basic credentials: the password.
    pub password: Option<String>,
    /// Basic credentials: the password, as hexadecimal digits.
    pub password_hex: Option<String>,
    /// Basic credentials: the user; otherwise the identity.
    pub user: Option<String>,
    /// What is offered as Sec-WebSocket-Protocol; otherwise `ocpp1.6`.
    pub protocols: Option<Vec<String>>,
    /// The protocol that the server must have chosen; empty for none.
    pub chosen: Option<String>,
    /// The status with which the server must refuse.
    pub refused: Option<u16>,
    /// TLS, and with which certificates.
    pub tls: Option<Tls>,
}

/// TLS from the station's side, on the server's same port.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// Whom to believe, PEM.
    pub ca: String,
    /// The station's own certificate, a PEM chain.
    pub cert: Option<String>,
    /// Its key, PEM.
    pub key: Option<String>,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Ending {
    /// With a closing handshake.
    Close,
    /// Without a word, as when the power goes.
    Drop,
}

/// Ends a connection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disconnect {
    /// How.
    pub disconnect: Ending,
    /// Which connection.
    pub on: Option<String>,
}

/// The server must end a connection.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Closed {
    /// The code of its Close frame; `$any` for any end.
    pub closed: Value,
    /// Which connection.
    pub on: Option<String>,
    /// How long it may take.
    pub timeout: Option<Length>,
}

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

/// Asks the API; a GET is repeated until what it answers is what is expected.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiStep {
    /// The request and what must come of it.
    pub api: Request,
}

/// One request. Exactly one method with its path; a whole URL is asked without the key.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Request {
    /// GET this path.
    pub get: Option<String>,
    /// POST to this path.
    pub post: Option<String>,
    /// PUT to this path.
    pub put: Option<String>,
    /// PATCH this path.
    pub patch: Option<String>,
    /// DELETE this path.
    pub delete: Option<String>,
    /// The JSON body.
    pub body: Option<Value>,
    /// A body of text.
    pub text: Option<String>,
    /// The status that must come; otherwise any from 200 to 299.
    pub status: Option<u16>,
    /// What must come; it may have more.
    pub expect: Option<Value>,
    /// Values to remember, by their paths.
    pub save: BTreeMap<String, String>,
    /// How long a GET is repeated.
    pub timeout: Option<Length>,
}

impl Request {
    /// The method and the path, if there is exactly one.
    pub(super) fn target(&self) -> Option<(&'static str, &str)> {
        let all = [
            ("GET", &self.get),
            ("POST", &self.post),
            ("PUT", &self.put),
            ("PATCH", &self.patch),
            ("DELETE", &self.delete),
        ];
        let mut given = all
            .iter()
            .filter_map(|(method, path)| Some((*method, path.as_deref()?)));
        let only = given.next()?;
        given.next().is_none().then_some(only)
    }
}

/// Remembers values.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Set {
    /// By name.
    pub set: BTreeMap<String, Value>,
}

/// Makes a new key, remembered as `${key}`, and a request to have it certified, remembered as `${csr}`; both PEM.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Csr {
    /// For whom.
    pub csr: Subject,
}

/// The subject of a certificate.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// The common name.
    pub cn: String,
    /// The organisation.
    pub o: String,
}

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

/// What the network does from now on: each takes the place of the one before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// What happens to it.
    pub network: Weather,
    /// How long that may take really.
    pub timeout: Option<Length>,
}

/// What happens to the network.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weather {
    /// What.
    pub mode: NetworkMode,
    /// For how much virtual time; otherwise until it is said to be up.
    #[serde(rename = "for")]
    pub by: Option<Length>,
    /// To which share of the frames it happens, from 0 to 1; otherwise to all. Of drop, duplicate, reorder and corrupt.
    pub share: Option<f64>,
    /// How much later frames come, in real time. Of delay.
    pub delay: Option<Length>,
    /// Only to CALLs of this action.
    pub action: Option<String>,
    /// Only to frames that go this way.
    pub direction: Option<Way>,
}

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// It is gone.
    Down,
    /// All is well again.
    Up,
    /// The connection breaks; another may be made.
    Cut,
    /// The connection stays open, and nothing is sent or read on it; another may be made.
    HalfOpen,
    /// Frames vanish.
    Drop,
    /// Frames come late.
    Delay,
    /// Frames come twice.
    Duplicate,
    /// Later frames overtake.
    Reorder,
    /// One character of a frame is another.
    Corrupt,
}

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// To the server.
    Out,
    /// To the station.
    In,
}

impl Weather {
    /// The fault between station and socket that it is; of some it is none. What of it cannot be said together is told.
    pub(super) fn fault(&self) -> Result<Option<Fault>, String> {
        use NetworkMode::{Corrupt, Cut, Delay, Down, Drop, Duplicate, HalfOpen, Reorder, Up};
        let by_share = matches!(self.mode, Drop | Duplicate | Reorder | Corrupt);
        let is_fault = by_share || self.mode == Delay;
        for (key, given, fits, of) in [
            (
                "share",
                self.share.is_some(),
                by_share,
                "drop, duplicate, reorder and corrupt",
            ),
            ("delay", self.delay.is_some(), self.mode == Delay, "delay"),
            (
                "action",
                self.action.is_some(),
                is_fault,
                "faults of frames",
            ),
            (
                "direction",
                self.direction.is_some(),
                is_fault,
                "faults of frames",
            ),
            (
                "for",
                self.by.is_some(),
                !matches!(self.mode, Up | Cut),
                "what lasts",
            ),
        ] {
            if given && !fits {
                return Err(format!("network: {key} is of {of}"));
            }
        }
        let share = self.share.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("network: share = {share}: expected 0 to 1"));
        }
        let mut fault = Fault {
            action: self.action.clone(),
            direction: self.direction.map(|way| match way {
                Way::Out => Direction::Out,
                Way::In => Direction::In,
            }),
            ..Fault::default()
        };
        match self.mode {
            Down | Up | Cut | HalfOpen => return Ok(None),
            Drop => fault.drop = share,
            Duplicate => fault.duplicate = share,
            Reorder => fault.reorder = share,
            Corrupt => fault.corrupt = share,
            Delay => {
                let delay = self
                    .delay
                    .ok_or("network: expected a delay, e.g. delay = \"300ms\"")?;
                fault.delay = delay.0;
            }
        }
        Ok(Some(fault))
    }
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
