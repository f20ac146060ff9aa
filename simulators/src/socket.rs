//! Opening a charge point's WebSocket, and saying plainly why it did not open.

use std::io;

use base64::Engine as _;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error,
        client::IntoClientRequest,
        http::{HeaderValue, Request, Uri, header},
        protocol::WebSocketConfig,
    },
};

use crate::{
    quirks::Handshake,
    wire::{Tls, Wire},
};

/// The open socket.
pub type Socket = WebSocketStream<Wire>;

/// Where a station connects, and as whom.
#[derive(Clone, Debug)]
pub struct Target {
    authority: String,
    host: String,
    path: String,
    handshake: Handshake,
    is_tls: bool,
    tls: Option<Tls>,
}

/// Why a station is not connected.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The URL is of no use.
    #[error("--url {url}: {why}; expected e.g. ws://127.0.0.1:9000/ocpp")]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// Nobody listens, or the connection broke.
    #[error(
        "cannot connect to {authority}: {source}. Is the server running, and is this its OCPP address?"
    )]
    Unreachable {
        /// Host and port.
        authority: String,
        /// The system's reason.
        source: io::Error,
    },
    /// The server answered the handshake with another status than 101.
    #[error("the server refused station {id} with HTTP {status}{}{}", hint(*status), said(reason))]
    Refused {
        /// The station.
        id: String,
        /// The HTTP status.
        status: u16,
        /// What the server said, perhaps nothing.
        reason: String,
    },
    /// The handshake went wrong otherwise.
    #[error("the WebSocket handshake with {authority} failed: {source}")]
    Handshake {
        /// Host and port.
        authority: String,
        /// The library's reason.
        source: Box<Error>,
    },
}

fn hint(status: u16) -> &'static str {
    match status {
        401 => " (wrong or missing password: see --password)",
        403 => " (forbidden)",
        404 => " (it does not know this station: add it, or check --id and the path in --url)",
        429 => " (too many attempts)",
        503 => " (it cannot serve now)",
        _ => "",
    }
}

fn said(reason: &str) -> String {
    if reason.is_empty() {
        String::new()
    } else {
        format!(": {reason}")
    }
}

impl Target {
    /// Reads a server's URL. One of `wss://` needs to be told whom to believe, too: [`Target::trusting`].
    pub fn new(url: &str) -> Result<Self, ConnectError> {
        let wrong = |why| ConnectError::Url {
            url: url.to_owned(),
            why,
        };
        let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        let is_tls = match uri.scheme_str() {
            Some("ws") => false,
            Some("wss") => true,
            _ => return Err(wrong("the scheme must be ws or wss")),
        };
        let host = uri
            .host()
            .filter(|h| !h.is_empty())
            .ok_or_else(|| wrong("no host"))?;
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path().trim_end_matches('/').to_owned();
        Ok(Self {
            authority: format!("{host}:{port}"),
            host: host.to_owned(),
            path,
            handshake: Handshake::default(),
            is_tls,
            tls: None,
        })
    }

    /// The same server, asked in another way.
    #[must_use]
    pub fn asking(self, handshake: Handshake) -> Self {
        Self { handshake, ..self }
    }

    /// The same server, by TLS if its URL says so.
    #[must_use]
    pub fn trusting(self, tls: Option<Tls>) -> Self {
        Self { tls, ..self }
    }

    /// The same server by the socket that a security profile wants: one port may speak ws and wss.
    #[must_use]
    pub fn at_profile(self, profile: u8) -> Self {
        Self {
            is_tls: profile >= 2,
            ..self
        }
    }

    /// The same server, shown another certificate of the station's own (PEM). Nothing changes without TLS.
    ///
    /// # Errors
    /// When certificate or key are not what they should be.
    pub fn showing(&self, certificate: &str, key: &str) -> anyhow::Result<Self> {
        let shown = |tls: &Tls| tls.showing(certificate.as_bytes(), key.as_bytes());
        Ok(Self {
            tls: self.tls.as_ref().map(shown).transpose()?,
            ..self.clone()
        })
    }

    /// How it speaks TLS; none if it was told of nobody to believe.
    #[must_use]
    pub fn tls(&self) -> Option<&Tls> {
        self.tls.as_ref()
    }

    /// Host and port.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    fn request(&self, id: &str, password: Option<&[u8]>) -> Result<Request<()>, ConnectError> {
        let url = format!(
            "ws://{}{}/{}{}",
            self.authority,
            self.path,
            percent_encoded(id),
            self.handshake.suffix
        );
        let mut request = url
            .as_str()
            .into_client_request()
            .map_err(|_| ConnectError::Url {
                url: url.clone(),
                why: "not a URL",
            })?;
        let headers = request.headers_mut();
        if !self.handshake.protocols.is_empty() {
            headers.insert(
                header::SEC_WEBSOCKET_PROTOCOL,
                HeaderValue::from_static(self.handshake.protocols),
            );
        }
        if let Some(password) = password {
            let mut plain = format!("{id}:").into_bytes();
            plain.extend_from_slice(password);
            let text = format!(
                "Basic {}",
                base64::engine::general_purpose::STANDARD.encode(plain)
            );
            let value = HeaderValue::from_str(&text).expect("base64 is visible ASCII");
            headers.insert(header::AUTHORIZATION, value);
        }
        Ok(request)
    }

    /// Connects as a station, by Basic authentication if there is a password (bytes, not text).
    pub async fn connect(&self, id: &str, password: Option<&[u8]>) -> Result<Socket, ConnectError> {
        let request = self.request(id, password)?;
        let unreachable = |source| ConnectError::Unreachable {
            authority: self.authority.clone(),
            source,
        };
        let stream = TcpStream::connect(&self.authority)
            .await
            .map_err(unreachable)?;
        stream.set_nodelay(true).map_err(unreachable)?;
        let stream = match (&self.tls, self.is_tls) {
            (Some(tls), true) => tls.over(stream, &self.host).await.map_err(unreachable)?,
            (None, true) => {
                return Err(ConnectError::Url {
                    url: format!("wss://{}", self.authority),
                    why: "nobody said whom to believe (--ca)",
                });
            }
            (_, false) => Wire::Left(stream),
        };
        match client_async_with_config(request, stream, Some(small_buffers())).await {
            Ok((socket, _)) => Ok(socket),
            Err(Error::Http(response)) => Err(ConnectError::Refused {
                id: id.to_owned(),
                status: response.status().as_u16(),
                reason: response
                    .body()
                    .as_ref()
                    .map(|body| {
                        String::from_utf8_lossy(body)
                            .trim()
                            .chars()
                            .take(200)
                            .collect()
                    })
                    .unwrap_or_default(),
            }),
            Err(Error::Io(source)) => Err(unreachable(source)),
            Err(source) => Err(ConnectError::Handshake {
                authority: self.authority.clone(),
                source: Box::new(source),
            }),
        }
    }
}

/// Eight kilobytes a connection instead of the library's 139.
#[must_use]
pub fn small_buffers() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(4096)
        .write_buffer_size(0)
        .max_message_size(Some(1 << 20))
}

/// An identity as a path segment.
pub(crate) fn percent_encoded(id: &str) -> String {
    id.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_carries_identity_protocol_and_password_bytes() {
        let target = Target::new("ws://127.0.0.1:9000/ocpp/").expect("a URL");
        let key = [
            0, 1, 2, 3, 4, 5, 6, 7, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
        ];
        let request = target.request("AL1000", Some(&key)).expect("a request");
        assert_eq!(request.uri().path(), "/ocpp/AL1000");
        assert_eq!(request.headers()["sec-websocket-protocol"], "ocpp1.6");
        // The vector of the OCPP-J 1.6 specification, section 6.2.2.
        assert_eq!(
            request.headers()["authorization"],
            "Basic QUwxMDAwOgABAgMEBQYH////////////////"
        );
        let request = target.request("RDAM 123/é", None).expect("a request");
        assert_eq!(request.uri().path(), "/ocpp/RDAM%20123%2F%C3%A9");
    }

    #[test]
    fn wrong_urls_are_explained() {
        for (url, word) in [
            ("http://h/ocpp", "ws"),
            ("nonsense", "ws"),
            ("ws:///x", "URL"),
        ] {
            let problem = Target::new(url).expect_err(url).to_string();
            assert!(
                problem.contains(word) && problem.contains("ws://127.0.0.1:9000/ocpp"),
                "{url}: {problem}"
            );
        }
    }
}
