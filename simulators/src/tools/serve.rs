//! `evsim serve`: a station driven by HTTP on the machine itself, its events as a stream (SSE).

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures_util::stream;
use http_body_util::{BodyExt, Full, Limited, StreamBody, combinators::BoxBody};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Frame, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Map, Value, json};
use tokio::{net::TcpListener, sync::broadcast};

use super::{FORMS, Shown, Verb};
use crate::{
    Controls, Options, Station,
    run::{Log, Logger},
};

/// The longest request, bytes.
const LONGEST: usize = 64 * 1024;
/// Events that a slow listener may be behind.
const BEHIND: usize = 1024;

type Body = BoxBody<Bytes, Infallible>;

struct Shared {
    controls: Controls,
    shown: Mutex<Shown>,
    events: broadcast::Sender<String>,
    port: u16,
}

impl Shared {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the door. Only addresses of the machine itself: whoever comes in drives the station.
pub async fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    use anyhow::Context as _;
    anyhow::ensure!(
        address.ip().is_loopback(),
        "--listen {address}: expected an address of this machine, such as 127.0.0.1:9700"
    );
    TcpListener::bind(address)
        .await
        .with_context(|| format!("--listen {address}"))
}

/// Runs a station and serves it until the task is dropped.
pub async fn serve(listener: TcpListener, options: Options) -> anyhow::Result<()> {
    let mut station = Station::spawn(options)?;
    let shared = Arc::new(Shared {
        controls: station.controls(),
        shown: Mutex::default(),
        events: broadcast::channel(BEHIND).0,
        port: listener.local_addr()?.port(),
    });
    let mut log = Logger::new(Log::Json);
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (socket, _) = accepted?;
                let shared = shared.clone();
                tokio::spawn(async move {
                    let service = service_fn(|request| {
                        let shared = shared.clone();
                        async move { Ok::<_, Infallible>(answer(&shared, request).await) }
                    });
                    // A connection that breaks is the client's affair.
                    let _ = http1::Builder::new().serve_connection(TokioIo::new(socket), service).await;
                });
            }
            event = station.next_event() => {
                let Some(event) = event else { anyhow::bail!("the station stopped by itself") };
                shared.shown().hear(&event);
                if let Some(line) = log.event(&event) {
                    // Nobody need listen.
                    let _ = shared.events.send(line);
                }
            }
        }
    }
}

async fn answer(shared: &Shared, request: Request<Incoming>) -> Response<Body> {
    if let Some(refusal) = stranger(shared, &request) {
        return refusal;
    }
    let (head, body) = request.into_parts();
    match (&head.method, head.uri.path()) {
        (&Method::GET, "/v1/healthz") => said(StatusCode::OK, &json!({ "ok": true })),
        (&Method::GET, "/v1/status") => {
            let shown = shared.shown().json();
            said(StatusCode::OK, &shown)
        }
        (&Method::GET, "/v1/verbs") => said(StatusCode::OK, &verbs()),
        (&Method::GET, "/v1/events") => events(shared),
        (&Method::POST, path) => match path.strip_prefix("/v1/") {
            Some(name) => act(shared, name, body).await,
            None => problem(StatusCode::NOT_FOUND, "no such address"),
        },
        _ => problem(StatusCode::NOT_FOUND, "no such address"),
    }
}

/// A page of another site must not drive the station: neither by a name that leads here, nor by a form.
fn stranger(shared: &Shared, request: &Request<Incoming>) -> Option<Response<Body>> {
    let header = |name: header::HeaderName| {
        let value = request.headers().get(name)?;
        Some(value.to_str().unwrap_or_default().to_owned())
    };
    let local = |host: &str| {
        ["127.0.0.1", "localhost", "[::1]"]
            .iter()
            .any(|name| host == *name || host == format!("{name}:{}", shared.port))
    };
    if !header(header::HOST).is_some_and(|host| local(&host)) {
        return Some(problem(
            StatusCode::FORBIDDEN,
            "Host: expected 127.0.0.1 or localhost with the port",
        ));
    }
    let origin = header(header::ORIGIN)?;
    let ours = origin.strip_prefix("http://").is_some_and(local);
    (!ours).then(|| {
        problem(
            StatusCode::FORBIDDEN,
            "Origin: expected none, or this address",
        )
    })
}

async fn act(shared: &Shared, name: &str, body: Incoming) -> Response<Body> {
    let Ok(body) = Limited::new(body, LONGEST).collect().await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "expected at most 64 KiB");
    };
    let body = body.to_bytes();
    let fields: Map<String, Value> = match serde_json::from_slice(&body) {
        _ if body.is_empty() => Map::new(),
        Ok(fields) => fields,
        Err(error) => {
            let text = format!("expected a JSON object: {error}");
            return problem(StatusCode::BAD_REQUEST, &text);
        }
    };
    match Verb::of(name, &fields) {
        Ok(verb) => {
            verb.perform(&shared.controls);
            said(StatusCode::ACCEPTED, &json!({ "ok": true }))
        }
        Err(text) if FORMS.iter().any(|form| form.name == name) => {
            problem(StatusCode::UNPROCESSABLE_ENTITY, &text)
        }
        Err(text) => problem(StatusCode::NOT_FOUND, &text),
    }
}

fn verbs() -> Value {
    let forms = FORMS
        .iter()
        .map(|form| json!({ "name": form.name, "fields": form.fields, "about": form.about }));
    Value::Array(forms.collect())
}

/// Every event from now on, one `data:` line each. Who is too slow is told how many it missed.
fn events(shared: &Shared) -> Response<Body> {
    let receiver = shared.events.subscribe();
    let lines = stream::unfold(receiver, |mut receiver| async {
        let text = match receiver.recv().await {
            Ok(line) => format!("data: {line}\n\n"),
            Err(broadcast::error::RecvError::Lagged(missed)) => {
                format!("event: missed\ndata: {missed}\n\n")
            }
            Err(broadcast::error::RecvError::Closed) => return None,
        };
        Some((
            Ok::<_, Infallible>(Frame::data(Bytes::from(text))),
            receiver,
        ))
    });
    // What tells the client that it listens now.
    let hello = stream::once(async { Ok(Frame::data(Bytes::from_static(b": listening\n\n"))) });
    let body = BodyExt::boxed(StreamBody::new(futures_util::StreamExt::chain(
        hello, lines,
    )));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/event-stream"),
    );
    headers.insert(
        header::CACHE_CONTROL,
        header::HeaderValue::from_static("no-store"),
    );
    response
}

fn said(status: StatusCode, value: &Value) -> Response<Body> {
    let body = Full::new(Bytes::from(value.to_string())).boxed();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    response
}

fn problem(status: StatusCode, detail: &str) -> Response<Body> {
    let mut response = said(
        status,
        &json!({ "status": status.as_u16(), "detail": detail }),
    );
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/problem+json"),
    );
    response
}
