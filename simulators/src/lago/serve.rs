//! The stand-in's sockets: HTTP/1.1 by hyper, the API key, and the faults.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header,
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::broadcast, task::JoinHandle};

use super::{Fault, Kind, Reply, World, faults::Faults};
use crate::clock::utc_now;

/// The longest request that is read.
const LONGEST: usize = 4 * 1024 * 1024;

/// Something that happened to a request with events, for who wants to interfere just then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is here, and nothing is done yet.
    Arrived,
    /// Its events are kept, and nothing is answered yet.
    Kept,
    /// The answer is on its way.
    Answered,
}

/// The stand-in, for who started it in the same process.
#[derive(Clone)]
pub struct Handle {
    inner: Arc<Inner>,
    moments: broadcast::Sender<Moment>,
}

struct Inner {
    key: String,
    world: Mutex<World>,
    faults: Mutex<Faults>,
}

impl Handle {
    /// What it keeps.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.inner
            .world
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Switches a fault on.
    pub fn fail(&self, kind: Kind, times: Option<u64>) {
        self.faults().set(Fault { kind, times });
    }

    /// Switches every fault off.
    pub fn heal(&self) {
        self.faults().clear();
    }

    /// Tells what happens to requests with events from now on.
    pub fn moments(&self) -> broadcast::Receiver<Moment> {
        self.moments.subscribe()
    }

    fn faults(&self) -> MutexGuard<'_, Faults> {
        self.inner
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, moment: Moment) {
        // Nobody need listen.
        let _ = self.moments.send(moment);
    }
}

/// Serves on `listener` for who knows `key`, until the task is aborted.
pub fn start(listener: TcpListener, key: &str) -> (Handle, JoinHandle<io::Result<()>>) {
    let handle = Handle {
        inner: Arc::new(Inner {
            key: key.to_owned(),
            world: Mutex::default(),
            faults: Mutex::default(),
        }),
        moments: broadcast::channel(256).0,
    };
    let task = tokio::spawn(accept(listener, handle.clone()));
    (handle, task)
}

async fn accept(listener: TcpListener, handle: Handle) -> io::Result<()> {
    loop {
        let (socket, _) = listener.accept().await?;
        let handle = handle.clone();
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let handle = handle.clone();
                async move { handle.serve(request).await }
            });
            // A connection that breaks is the client's affair, or a fault that was asked for.
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(socket), service)
                .await;
        });
    }
}

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("no answer")]
struct NoAnswer;

impl Handle {
    async fn serve(&self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, NoAnswer> {
        let (head, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LONGEST).collect().await else {
            return Ok(json_response(413, &json!({ "status": 413 }), now(0), &[]));
        };
        let body = body.to_bytes();
        if let Some(path) = head.uri.path().strip_prefix("/_stand_in/") {
            return Ok(self.control(&head.method, path, &body));
        }
        let Some(path) = head.uri.path().strip_prefix("/api/v1") else {
            return Ok(json_response(
                404,
                &json!({ "status": 404, "error": "Not Found" }),
                now(0),
                &[],
            ));
        };
        let authorized = head
            .headers
            .get(header::AUTHORIZATION)
            .is_some_and(|value| {
                value.as_bytes() == format!("Bearer {}", self.inner.key).as_bytes()
            });
        if !authorized {
            let body = json!({ "status": 401, "error": "Unauthorized" });
            return Ok(json_response(401, &body, now(0), &[]));
        }
        let brings_events = head.method == Method::POST && path.starts_with("/events");
        if brings_events {
            self.tell(Moment::Arrived);
        }
        let (kind, skew) = if brings_events {
            self.faults().next()
        } else {
            (self.is_away(), 0)
        };
        let query = query(head.uri.query().unwrap_or_default());
        let path = plain(path);
        let at = now(skew);
        let answer = |reply: &Reply| json_response(reply.status, &reply.body, at, &[]);
        let serve = |bad: bool| {
            let mut world = self.world();
            let reply = if bad {
                world.take_batch(&body, true, at)
            } else {
                world.answer(head.method.as_str(), &path, &query, &body, at)
            };
            drop(world);
            if brings_events {
                self.tell(Moment::Kept);
            }
            reply
        };
        let response = match kind {
            Some(Kind::Down) => return Err(NoAnswer),
            Some(Kind::Hang) => std::future::pending().await,
            Some(Kind::LostReply) => {
                serve(false);
                return Err(NoAnswer);
            }
            Some(Kind::TooMany(seconds)) => json_response(
                429,
                &json!({ "status": 429, "error": "Too Many Requests", "code": "too_many_provider_requests" }),
                at,
                &[
                    ("x-ratelimit-limit", 500),
                    ("x-ratelimit-remaining", 0),
                    ("x-ratelimit-reset", seconds),
                ],
            ),
            Some(Kind::Broken) => {
                let body = json!({ "status": 500, "error": "Internal Server Error" });
                json_response(500, &body, at, &[])
            }
            Some(Kind::Unavailable(seconds)) => {
                let body = json!({ "status": 503, "error": "Service Unavailable" });
                json_response(503, &body, at, &[("retry-after", seconds)])
            }
            Some(Kind::Slow(millis)) => {
                tokio::time::sleep(Duration::from_millis(millis)).await;
                answer(&serve(false))
            }
            Some(Kind::Duplicate) => {
                self.world().take_every_second(&body, at);
                answer(&serve(false))
            }
            Some(Kind::HalfBad) => answer(&serve(true)),
            Some(Kind::ClockSkew(_)) | None => answer(&serve(false)),
        };
        if brings_events {
            self.tell(Moment::Answered);
        }
        Ok(response)
    }

    /// A server that is down or hangs does so for every request, without using its count up.
    fn is_away(&self) -> Option<Kind> {
        let faults = self.faults();
        let first = faults.list().first()?;
        (first.times.is_none() && matches!(first.kind, Kind::Down | Kind::Hang))
            .then_some(first.kind)
    }

    fn control(&self, method: &Method, path: &str, body: &[u8]) -> Response<Full<Bytes>> {
        let reply = match (method.as_str(), path) {
            ("GET", "faults") => (200, json!(self.faults().list())),
            ("POST", "faults") => match serde_json::from_slice::<Fault>(body) {
                Ok(fault) => {
                    self.faults().set(fault);
                    (200, json!(fault))
                }
                Err(error) => (400, json!({ "error": error.to_string() })),
            },
            ("DELETE", "faults") => {
                self.heal();
                (200, json!([]))
            }
            ("GET", "stats") => {
                let world = self.world();
                (
                    200,
                    json!({ "events": world.events().len(), "duplicates": world.duplicates, "batches": world.batches }),
                )
            }
            ("POST", "seed") => match serde_json::from_slice::<Value>(body) {
                Ok(seed) => {
                    self.seed(&seed);
                    (200, seed)
                }
                Err(error) => (400, json!({ "error": error.to_string() })),
            },
            _ => (404, json!({ "error": "faults, stats or seed" })),
        };
        json_response(reply.0, &reply.1, now(0), &[])
    }

    /// `{"customers": [{"external_id": …, "subscription": …}], "metric": {"code": …, "property": …}, "invoices": [{…}]}`
    fn seed(&self, seed: &Value) {
        let mut world = self.world();
        for customer in seed["customers"].as_array().into_iter().flatten() {
            if let (Some(id), Some(subscription)) = (
                customer["external_id"].as_str(),
                customer["subscription"].as_str(),
            ) {
                world.add_customer(id, subscription);
            }
        }
        for invoice in seed["invoices"].as_array().into_iter().flatten() {
            world.put_invoice(invoice.clone());
        }
        if let Some(code) = seed["metric"]["code"].as_str() {
            world.put_metric(code, "sum_agg", seed["metric"]["property"].as_str());
        }
    }
}

fn now(skew: i64) -> DateTime<Utc> {
    let now = DateTime::from_timestamp_millis(utc_now().0).unwrap_or_default();
    now + TimeDelta::seconds(skew)
}

/// Without percent signs.
fn plain(text: &str) -> String {
    percent_encoding::percent_decode_str(text)
        .decode_utf8_lossy()
        .into_owned()
}

fn query(text: &str) -> Vec<(String, String)> {
    text.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (
                plain(&name.replace('+', " ")),
                plain(&value.replace('+', " ")),
            )
        })
        .collect()
}

fn json_response(
    status: u16,
    body: &Value,
    at: DateTime<Utc>,
    headers: &[(&str, u64)],
) -> Response<Full<Bytes>> {
    let mut response = Response::builder()
        .status(StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
        .header(header::CONTENT_TYPE, "application/json")
        .header(
            header::DATE,
            at.format("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        );
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let body = Full::new(Bytes::from(body.to_string()));
    response
        .body(body)
        .unwrap_or_else(|_: hyper::http::Error| Response::new(Full::default()))
}
