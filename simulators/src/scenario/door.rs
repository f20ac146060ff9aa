//! How a scripted station comes to the server's door: with any credentials and any subprotocols, and told what became of it.

use base64::Engine as _;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{
        Error,
        client::IntoClientRequest,
        error::{ProtocolError, SubProtocolError},
        http::{HeaderValue, Request, Uri, header},
    },
};

use crate::socket::{percent_encoded, small_buffers};

/// A knock, with every value filled in.
#[derive(Debug, Default)]
pub(super) struct Knock {
    pub id: String,
    /// User and password.
    pub basic: Option<(String, Vec<u8>)>,
    pub protocols: Vec<String>,
}

/// What became of it.
pub(super) enum Met {
    /// The connection and the subprotocol.
    In(Box<WebSocketStream<TcpStream>>, Option<String>),
    /// The handshake was completed, but no subprotocol was chosen.
    NoProtocol,
    /// An HTTP status, and what was said.
    Refused(u16, String),
}

/// Knocks. The error is one of set-up: nobody is there.
pub(super) async fn knock(url: &str, knock: &Knock) -> Result<Met, String> {
    let request = request(url, knock)?;
    let authority = authority(url)?;
    let unreachable = |error: std::io::Error| format!("cannot connect to {authority}: {error}");
    let stream = TcpStream::connect(&authority).await.map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    match client_async_with_config(request, stream, Some(small_buffers())).await {
        Ok((socket, answer)) => {
            let chosen = answer.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
            let chosen = chosen.and_then(|value| value.to_str().ok());
            Ok(Met::In(Box::new(socket), chosen.map(str::to_owned)))
        }
        Err(Error::Http(answer)) => {
            let said = answer.body().as_deref().unwrap_or_default();
            let said = String::from_utf8_lossy(said).into_owned();
            Ok(Met::Refused(answer.status().as_u16(), said))
        }
        Err(Error::Protocol(ProtocolError::SecWebSocketSubProtocolError(
            SubProtocolError::NoSubProtocol,
        ))) => Ok(Met::NoProtocol),
        Err(error) => Err(format!("the handshake with {authority} failed: {error}")),
    }
}

fn authority(url: &str) -> Result<String, String> {
    let uri: Uri = url
        .parse()
        .map_err(|_| format!("{url}: expected e.g. ws://127.0.0.1:9000/ocpp"))?;
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| format!("{url} has no host"))?;
    Ok(format!("{host}:{}", uri.port_u16().unwrap_or(80)))
}

fn request(url: &str, knock: &Knock) -> Result<Request<()>, String> {
    let url = format!(
        "{}/{}",
        url.trim_end_matches('/'),
        percent_encoded(&knock.id)
    );
    let request = url.as_str().into_client_request();
    let mut request = request.map_err(|error| format!("{url}: {error}"))?;
    let headers = request.headers_mut();
    if !knock.protocols.is_empty() {
        let offered = knock.protocols.join(", ");
        let offered =
            HeaderValue::from_str(&offered).map_err(|_| format!("{offered}: no header"))?;
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, offered);
    }
    if let Some((user, password)) = &knock.basic {
        let plain = [user.as_bytes(), b":", password].concat();
        let text = base64::engine::general_purpose::STANDARD.encode(plain);
        let value = HeaderValue::from_str(&format!("Basic {text}"));
        headers.insert(
            header::AUTHORIZATION,
            value.expect("base64 is visible ASCII"),
        );
    }
    Ok(request)
}
