//! How a scripted station comes to the server's door: with any credentials, certificates and subprotocols, and told what
//! became of it.

use std::sync::Arc;

use base64::Engine as _;
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::TlsConnector;
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
    /// TLS, on the same port.
    pub tls: Option<Trust>,
}

/// Whom the station believes and as whom it comes, PEM.
#[derive(Debug, Default)]
pub(super) struct Trust {
    pub ca: String,
    /// Its chain and key.
    pub own: Option<(String, String)>,
}

/// A stream with or without TLS.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// What became of it.
pub(super) enum Met {
    /// The connection and the subprotocol.
    In(Box<WebSocketStream<Box<dyn Stream>>>, Option<String>),
    /// The handshake was completed, but no subprotocol was chosen.
    NoProtocol,
    /// An HTTP status, and what was said.
    Refused(u16, String),
    /// Somebody is there, but there was no handshake.
    Broken(String),
}

/// Knocks. The error is one of set-up: nobody is there.
pub(super) async fn knock(url: &str, knock: &Knock) -> Result<Met, String> {
    let request = request(url, knock)?;
    let (host, port) = place(url)?;
    let unreachable = |error: std::io::Error| format!("cannot connect to {host}:{port}: {error}");
    let stream = TcpStream::connect((host.as_str(), port))
        .await
        .map_err(unreachable)?;
    stream.set_nodelay(true).map_err(unreachable)?;
    let stream: Box<dyn Stream> = match &knock.tls {
        None => Box::new(stream),
        Some(trust) => match over_tls(stream, &host, trust).await? {
            Ok(stream) => Box::new(stream),
            Err(error) => return Ok(Met::Broken(format!("no TLS: {error}"))),
        },
    };
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
        Err(error) => Ok(Met::Broken(error.to_string())),
    }
}

/// The outer error is one of the file, the inner one of the handshake.
async fn over_tls(
    stream: TcpStream,
    host: &str,
    trust: &Trust,
) -> Result<std::io::Result<impl Stream + use<>>, String> {
    let wrong = |what: &str| format!("tls: {what} is no PEM of the kind that is expected");
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(trust.ca.as_bytes()) {
        let certificate = certificate.map_err(|_| wrong("ca"))?;
        roots.add(certificate).map_err(|_| wrong("ca"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = match &trust.own {
        None => config.with_no_client_auth(),
        Some((chain, key)) => {
            let chain = CertificateDer::pem_slice_iter(chain.as_bytes());
            let chain = chain.collect::<Result<_, _>>().map_err(|_| wrong("cert"))?;
            let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| wrong("key"))?;
            let config = config.with_client_auth_cert(chain, key);
            config.map_err(|error| format!("tls: {error}"))?
        }
    };
    let name = ServerName::try_from(host.to_owned()).map_err(|error| error.to_string())?;
    Ok(TlsConnector::from(Arc::new(config))
        .connect(name, stream)
        .await)
}

fn place(url: &str) -> Result<(String, u16), String> {
    let uri: Uri = url
        .parse()
        .map_err(|_| format!("{url}: expected e.g. ws://127.0.0.1:9000/ocpp"))?;
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| format!("{url} has no host"))?;
    Ok((host.to_owned(), uri.port_u16().unwrap_or(80)))
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

/// A new key and the request to have it certified, PEM.
pub(super) fn signing_request(cn: &str, o: &str) -> Result<(String, String), String> {
    let words = |problem: rcgen::Error| problem.to_string();
    let key = rcgen::KeyPair::generate().map_err(words)?;
    let mut params = rcgen::CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, cn);
    params
        .distinguished_name
        .push(rcgen::DnType::OrganizationName, o);
    let request = params
        .serialize_request(&key)
        .and_then(|request| request.pem());
    Ok((key.serialize_pem(), request.map_err(words)?))
}
