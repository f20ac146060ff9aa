//! The accept loop and the HTTP side of the handshake. Which station may come in is decided in `handshake`.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use store::stations::{NewStation, Registration, Station};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::arrival::{self, Arrival, Route, Security};
use crate::connection::{self, Connection};
use crate::credentials::{Basic, Presented, Verdict, Visitor};
use crate::files::{self, Answer, Line, said as plain};
use crate::gather::Unavailable;
use crate::handshake::{self, Accept, Decision, Entry, Refusal};
use crate::pace::Metered;
use crate::places::{Place, Places};
use crate::tls::Certificate;
use crate::wire::Wire;
use crate::{Csms, identity, proven};

/// The longest request head, in bytes.
const HEADER_BYTES: usize = 16 * 1024;
/// After an error of accept itself (out of descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// The largest message taken: 24 hours of one-minute samples in one StopTransaction fit.
pub(crate) const MESSAGE_BYTES: usize = 1024 * 1024;
/// The read buffer; tungstenite's default would cost 128 KiB a connection.
const READ_BUFFER: usize = 4096;

/// Accepts chargers until the shutdown begins.
pub(crate) async fn accept_until_shutdown(csms: &Arc<Csms>, listener: TcpListener) {
    let places = Arc::new(Places::default());
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = csms.shutdown.soft().cancelled() => return,
        };
        match accepted {
            Ok((stream, address)) => {
                let place = Place::take(&places, &csms.options);
                let place = match arrival::is_behind_proxy(csms, address.ip()) {
                    true => place,
                    false => place.and_then(|place| place.of(address.ip(), &csms.options)),
                };
                match place {
                    Some(place) => drop(tokio::spawn(serve_socket(
                        csms.clone(),
                        stream,
                        address,
                        place,
                    ))),
                    None => dropped(),
                }
            }
            Err(error) => {
                tracing::warn!(%error, "a socket could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

/// There are too many: this one is closed without a word.
fn dropped() {
    metrics::counter!("forecourt_dropped_sockets_total").increment(1);
}

async fn serve_socket(csms: Arc<Csms>, stream: TcpStream, address: SocketAddr, place: Place) {
    drop(stream.set_nodelay(true));
    let Arrival { wire, route } = match arrival::receive(&csms, stream, address).await {
        Ok(arrival) => arrival,
        Err(error) => {
            tracing::debug!(%error, %address, "a socket ended before its request");
            return;
        }
    };
    let Some(place) = place.of(route.address, &csms.options) else {
        return dropped();
    };
    let (place, route) = (Arc::new(Mutex::new(Some(place))), Arc::new(route));
    let line = Line::default();
    let service = service_fn(|request| {
        let (csms, place, route) = (csms.clone(), place.clone(), route.clone());
        let line = line.clone();
        async move {
            let answer = match files::token(request.uri().path()).map(str::to_owned) {
                Some(token) => files::serve(&csms, request, &token, &line).await,
                None => answer(csms, request, &route, &place).await,
            };
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(arrival::TIME)
        .max_buf_size(HEADER_BYTES)
        .serve_connection(TokioIo::new(wire), service)
        .with_upgrades();
    let served = tokio::select! {
        served = served => served,
        () = line.is_cut() => return tracing::debug!(%address, "a reader that stalled is cut off"),
    };
    if let Err(error) = served {
        tracing::debug!(%error, %address, "a socket ended before its handshake");
    }
}

async fn answer(
    csms: Arc<Csms>,
    mut request: Request<Incoming>,
    route: &Route,
    place: &Mutex<Option<Place>>,
) -> Answer {
    let key = match websocket_key(&request) {
        Ok(key) => key,
        Err(status) => {
            return plain(
                status,
                "This is an OCPP endpoint: connect by WebSocket, version 13.\n",
            );
        }
    };
    let name = identity::from_path(request.uri().path());
    let welcome = match welcome(&csms, &request, route, name.as_deref()).await {
        Ok(welcome) => welcome,
        Err(refusal) => {
            let shown = name.as_deref().unwrap_or(request.uri().path());
            tracing::info!(
                station.id = shown,
                reason = refusal.reason,
                "a station is refused"
            );
            csms.refusals.note(shown, route.address, &refusal);
            return refused(status_told(&csms, route, &refusal));
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    let protocol = match welcome.accept {
        // As it is spelt by the station: a client may insist on what it has offered (RFC 6455, 4.1).
        Accept::Speak {
            version,
            echo: true,
        } => offered_protocols(request.headers())
            .into_iter()
            .find(|name| name.eq_ignore_ascii_case(version.subprotocol())),
        _ => None,
    };
    if let Some(place) = place.lock().unwrap_or_else(PoisonError::into_inner).take() {
        tokio::spawn(serve_station(csms, upgrade, welcome, route.address, place));
    }
    switching_protocols(&key, protocol.as_deref())
}

/// A station that may come in.
struct Welcome {
    station: Station,
    accept: Accept,
    /// The CN of the certificate that let it in (security profile 3).
    certified: Option<String>,
}

async fn welcome(
    csms: &Arc<Csms>,
    request: &Request<Incoming>,
    route: &Route,
    name: Option<&str>,
) -> Result<Welcome, Refusal> {
    if csms.ingest.is_away() {
        return Err(try_later());
    }
    let station = match name {
        Some(name) => csms
            .lookups
            .station(name)
            .await
            .map_err(|Unavailable| try_later())?,
        None => None,
    };
    let headers = request.headers();
    let presented = Presented::from_headers(
        headers
            .get_all(header::AUTHORIZATION)
            .iter()
            .map(HeaderValue::as_bytes),
    );
    let asked = handshake::Request {
        identity: name,
        station: station.as_ref(),
        offered: &offered_protocols(headers),
        presented: &presented,
        security: &route.security,
        operator: csms.options.operator.as_deref(),
    };
    match handshake::decide(&asked, csms.options.unknown_stations) {
        Decision::Refuse(refusal) => Err(refusal),
        Decision::Pretend(basic, refusal) => Err(pretend(csms, name, &basic, refusal, route).await),
        Decision::Accept(entry) => Ok(let_in(csms, known(station)?, route, entry, None).await),
        Decision::CheckPassword(basic, entry, otherwise) => {
            let station = known(station)?;
            match (verify(csms, &station, &basic, route).await, otherwise) {
                (Ok(hash), _) => Ok(let_in(csms, station, route, entry, Some(hash)).await),
                (Err(_), Some(entry)) => Ok(let_in(csms, station, route, entry, None).await),
                (Err(refusal), None) => Err(refusal),
            }
        }
        Decision::Register { pending, accept } => {
            let name = name.unwrap_or_default();
            let station = register(csms, name, pending).await.map_err(|error| {
                tracing::warn!(%error, "an unknown station could not be registered");
                try_later()
            })?;
            Ok(Welcome {
                station: known(station)?,
                accept,
                certified: None,
            })
        }
    }
}

/// The stored hash that the password fits: the station's own, or one that it was told to use.
async fn verify(
    csms: &Csms,
    station: &Station,
    basic: &Basic,
    route: &Route,
) -> Result<String, Refusal> {
    let visitor = Visitor {
        station: station.id,
        source: route.address,
        known: station.access.address.as_deref(),
        now: Instant::now(),
    };
    let stored = station
        .password_hash
        .iter()
        .chain(&station.access.passwords);
    let stored = stored.cloned().collect();
    match csms
        .credentials
        .verify(visitor, &basic.password, stored)
        .await
    {
        Verdict::Fits(hash) => Ok(hash),
        Verdict::Wrong => Err(handshake::wrong_password()),
        Verdict::TooMany => Err(handshake::too_many_attempts()),
    }
}

/// Takes as long as [`verify`] does, and refuses.
async fn pretend(
    csms: &Csms,
    name: Option<&str>,
    basic: &Basic,
    refusal: Refusal,
    route: &Route,
) -> Refusal {
    let (name, now) = (name.unwrap_or_default(), Instant::now());
    let pretended = csms
        .credentials
        .pretend(name, route.address, &basic.password, now);
    match pretended.await {
        Verdict::TooMany => Refusal {
            status: StatusCode::TOO_MANY_REQUESTS,
            ..refusal
        },
        Verdict::Fits(_) | Verdict::Wrong => refusal,
    }
}

/// Notes what the station has proven by coming in: a password or profile that it was told to use, its certificate.
async fn let_in(
    csms: &Arc<Csms>,
    mut station: Station,
    route: &Route,
    entry: Entry,
    hash: Option<String>,
) -> Welcome {
    proven::note(csms, &mut station, entry.profile, hash).await;
    let certified = match &route.security {
        Security::Tls(Certificate::Believed(facts)) if entry.profile == 3 => {
            proven::certificate(csms, station.id, facts);
            Some(facts.common_name.clone())
        }
        _ => None,
    };
    Welcome {
        station,
        accept: entry.accept,
        certified,
    }
}

fn known(station: Option<Station>) -> Result<Station, Refusal> {
    station.ok_or_else(try_later)
}

/// Adds a station that nobody knew, as the policy wants it.
async fn register(csms: &Csms, identity: &str, pending: bool) -> store::Result<Option<Station>> {
    let station = NewStation {
        identity,
        site_id: None,
        registration: if pending {
            Registration::Pending
        } else {
            Registration::Accepted
        },
        security_profile: 0,
        password_hash: None,
    };
    let mut connection = csms.pool.acquire().await?;
    match store::stations::add(&mut connection, &station, csms.clock.now()).await {
        // Two sockets of one newcomer at once: either may have been first.
        Err(error) if !error.is_conflict("stations_identity_key") => return Err(error),
        _ => {}
    }
    let mut found = store::lookup::stations(&mut connection, &[identity.to_owned()]).await?;
    Ok(found.pop().flatten())
}

fn try_later() -> Refusal {
    Refusal::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "database_away",
        "The database does not answer; stations are sent away until it does and keep their queues.",
    )
}

/// The key of a well-formed WebSocket request. `Connection: Upgrade` is not insisted on: some chargers forget it (quirk 3).
fn websocket_key<B>(request: &Request<B>) -> Result<HeaderValue, StatusCode> {
    let headers = request.headers();
    let upgrade = headers
        .get(header::UPGRADE)
        .and_then(|value| value.to_str().ok());
    if !upgrade.is_some_and(|value| {
        value
            .split(',')
            .any(|name| name.trim().eq_ignore_ascii_case("websocket"))
    }) {
        return Err(StatusCode::UPGRADE_REQUIRED);
    }
    if headers
        .get(header::SEC_WEBSOCKET_VERSION)
        .is_none_or(|version| version.as_bytes() != b"13")
    {
        return Err(StatusCode::UPGRADE_REQUIRED);
    }
    headers
        .get(header::SEC_WEBSOCKET_KEY)
        .cloned()
        .ok_or(StatusCode::BAD_REQUEST)
}

/// Every subprotocol of every header, in order.
fn offered_protocols(headers: &header::HeaderMap) -> Vec<String> {
    headers
        .get_all(header::SEC_WEBSOCKET_PROTOCOL)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .collect()
}

fn switching_protocols(key: &HeaderValue, protocol: Option<&str>) -> Answer {
    let mut answer = plain(StatusCode::SWITCHING_PROTOCOLS, "");
    let headers = answer.headers_mut();
    headers.remove(header::CONTENT_TYPE);
    headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if let Some(Ok(protocol)) = protocol.map(HeaderValue::from_str) {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    answer
}

/// What the charger is told of a refusal. Whoever is refused again and again may be trying names: he is told no more
/// which of them exist.
fn status_told(csms: &Csms, route: &Route, refusal: &Refusal) -> StatusCode {
    let tells = [
        StatusCode::UNAUTHORIZED,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
    ];
    if !tells.contains(&refusal.status) {
        return refusal.status;
    }
    let now = Instant::now();
    if csms.credentials.is_refused_often(route.address, now) {
        return StatusCode::TOO_MANY_REQUESTS;
    }
    csms.credentials.note_refusal(route.address, now);
    refusal.status
}

/// A refusal tells the charger no more than the status: what happened is for the operator.
fn refused(status: StatusCode) -> Answer {
    let mut answer = plain(status, "");
    let extra: Option<(HeaderName, &'static str)> = match status {
        StatusCode::UNAUTHORIZED => Some((header::WWW_AUTHENTICATE, "Basic realm=\"ocpp\"")),
        StatusCode::SERVICE_UNAVAILABLE => Some((header::RETRY_AFTER, "10")),
        StatusCode::TOO_MANY_REQUESTS => Some((header::RETRY_AFTER, "60")),
        _ => None,
    };
    if let Some((name, value)) = extra {
        answer
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    answer
}

/// From the raw socket to the end of the connection.
async fn serve_station(
    csms: Arc<Csms>,
    upgrade: OnUpgrade,
    welcome: Welcome,
    address: IpAddr,
    place: Place,
) {
    let upgraded = match upgrade.await {
        Ok(upgraded) => upgraded,
        Err(error) => {
            tracing::debug!(%error, "a handshake was not completed");
            return;
        }
    };
    let Some((stream, read)) = raw(upgraded) else {
        return;
    };
    let stream = Metered::new(stream, MESSAGE_BYTES);
    let socket =
        WebSocketStream::from_partially_read(stream, read, Role::Server, Some(limits())).await;
    match welcome.accept {
        Accept::Speak { version, .. } => {
            let connection =
                Connection::open(csms, welcome.station, welcome.certified, version, address);
            // A task of its own: this one has been through the handshake, and is as big as that took.
            tokio::spawn(connection.serve(Box::new(socket), place));
        }
        Accept::Close => connection::turn_away(socket).await,
    }
}

/// Out of hyper's wrapping, so that its buffers are freed.
fn raw(upgraded: Upgraded) -> Option<(Wire, Vec<u8>)> {
    let parts = upgraded.downcast::<TokioIo<Wire>>().ok()?;
    Some((parts.io.into_inner(), parts.read_buf.to_vec()))
}

fn limits() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_write_buffer_size(2 * MESSAGE_BYTES)
        .max_message_size(Some(MESSAGE_BYTES))
        .max_frame_size(Some(MESSAGE_BYTES))
}
