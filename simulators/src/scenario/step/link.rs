//! Steps that open and end connections.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::scenario::file::Length;

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
