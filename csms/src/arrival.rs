//! What comes before HTTP on a new socket: the word of a proxy in front, and TLS. The first byte tells TLS from a plain
//! request, so one port serves both.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use rustls::server::Acceptor;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::error::Elapsed;
use tokio::time::timeout;
use tokio_rustls::LazyConfigAcceptor;

use crate::Csms;
use crate::handshake::refusal_before;
use crate::proxy_protocol;
use crate::tls::{Certificate, Tls};
use crate::wire::Wire;

/// How long a client may take for what it owes: the proxy's word and its own first one, and later the request. Whoever
/// sends nothing is gone within ten seconds.
pub(crate) const TIME: Duration = Duration::from_secs(8);
/// How long the rest of a TLS handshake may take once it is begun in earnest. When a whole fleet comes at once it waits
/// for us and for itself, and what is cut off here has to be done again.
const HANDSHAKE_TIME: Duration = Duration::from_secs(30);
/// The first byte of TLS: a handshake record.
const TLS_HANDSHAKE: u8 = 0x16;

/// A socket on which HTTP may begin.
pub(crate) struct Arrival {
    pub(crate) wire: Wire,
    pub(crate) route: Route,
}

/// How a station came here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    /// From where; behind a proxy that we trust, from where it says.
    pub(crate) address: IpAddr,
    /// Whether nobody on the way could read or change a word.
    pub(crate) security: Security,
}

/// What protects a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Security {
    /// Nothing.
    Plain,
    /// TLS, with the certificate that the client sent.
    Tls(Certificate),
    /// TLS up to a proxy that we trust; it tells nothing of certificates.
    TlsToProxy,
}

/// Why a socket does not come so far.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Ended {
    #[error("nothing came in time")]
    TooSlow(#[from] Elapsed),
    #[error(transparent)]
    Socket(std::io::Error),
    #[error(transparent)]
    Proxy(#[from] proxy_protocol::Unreadable),
    #[error("TLS: {0}")]
    Tls(rustls::Error),
}

/// Whether this address is a proxy that we trust: what comes of it is somebody else's.
pub(crate) fn is_behind_proxy(csms: &Csms, peer: IpAddr) -> bool {
    csms.options.proxies.contains(&peer.to_canonical())
}

impl From<std::io::Error> for Ended {
    fn from(error: std::io::Error) -> Self {
        let inner = error.get_ref();
        match inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            Some(inner) => Ended::Tls(inner.clone()),
            None => Ended::Socket(error),
        }
    }
}

/// Brings a new socket to where HTTP begins. Without TLS and proxies in the settings there is nothing to wait for.
pub(crate) async fn receive(
    csms: &Csms,
    stream: TcpStream,
    peer: SocketAddr,
) -> Result<Arrival, Ended> {
    let behind_proxy = is_behind_proxy(csms, peer.ip());
    if csms.options.tls.is_none() && !behind_proxy {
        return Ok(plain(stream, peer.ip()));
    }
    let received = Box::pin(unwrap(csms, stream, peer.ip(), behind_proxy));
    let ended = match received.await {
        Ok(arrival) => return Ok(arrival),
        Err(ended) => ended,
    };
    if let Some(refusal) = refusal_before(&ended) {
        let peer = peer.ip();
        csms.refusals.note(&peer.to_string(), peer, &refusal);
    }
    Err(ended)
}

fn plain(stream: TcpStream, address: IpAddr) -> Arrival {
    let route = Route {
        address,
        security: Security::Plain,
    };
    Arrival {
        wire: Wire::Left(stream),
        route,
    }
}

async fn unwrap(
    csms: &Csms,
    mut stream: TcpStream,
    peer: IpAddr,
    behind_proxy: bool,
) -> Result<Arrival, Ended> {
    let first = timeout(TIME, async {
        let told = match behind_proxy {
            true => Some(proxy_header(&mut stream).await?),
            false => None,
        };
        let mut first = [0];
        if csms.options.tls.is_some() {
            stream.peek(&mut first).await?;
        }
        Ok::<_, Ended>((told, first[0]))
    });
    let (told, first) = first.await??;
    let address = told.and_then(|told| told.client).unwrap_or(peer);
    if let Some(tls) = &csms.options.tls
        && first == TLS_HANDSHAKE
    {
        return encrypted(csms, tls, stream, address).await;
    }
    let mut arrival = plain(stream, address);
    if told.is_some_and(|told| told.tls) {
        arrival.route.security = Security::TlsToProxy;
    }
    Ok(arrival)
}

async fn proxy_header(stream: &mut TcpStream) -> Result<proxy_protocol::Header, Ended> {
    let mut fixed = [0; proxy_protocol::FIXED];
    stream.read_exact(&mut fixed).await?;
    let mut rest = vec![0; proxy_protocol::rest(&fixed)?];
    stream.read_exact(&mut rest).await?;
    Ok(proxy_protocol::read(&fixed, &rest)?)
}

async fn encrypted(
    csms: &Csms,
    tls: &Tls,
    stream: TcpStream,
    address: IpAddr,
) -> Result<Arrival, Ended> {
    let loaded = tls.current();
    let greeting = timeout(TIME, LazyConfigAcceptor::new(Acceptor::default(), stream)).await??;
    let accepted = greeting.into_stream(loaded.config.clone());
    let stream = timeout(HANDSHAKE_TIME, accepted).await??;
    metrics::counter!("forecourt_tls_handshakes_total").increment(1);
    let sent = stream.get_ref().1.peer_certificates();
    let route = Route {
        address,
        security: Security::Tls(loaded.judge(sent, csms.clock.now())),
    };
    Ok(Arrival {
        wire: Wire::Right(Box::new(stream)),
        route,
    })
}
