//! The steps of a scenario, read by their verb. Below are the structs: one for each verb, with the keys that may stand
//! beside it.

use schemars::JsonSchema;
use serde_json::{Map, Value};

mod answer;
mod call;
mod link;
mod network;
mod people;
mod simulated;

pub use answer::{Command, ExpectCall, Override, Reply, ReplyError, Rule};
pub use call::{Authorize, Boot, Call, Raw, Start, Status, Stop};
pub use link::{Closed, Connect, Disconnect, Door, Ending, Tls};
pub use network::{Network, NetworkMode, Way, Weather};
pub use people::{ApiStep, Csr, Request, Set, Subject};
pub use simulated::{
    Advance, Arrival, Card, ExpectSent, Link, Plug, PowerCut, Swipe, Unplug, WaitBoot, WaitLink,
    Where,
};

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
