//! Files over plain HTTP on the chargers' port, below `/files/{token}`: a log comes in by PUT, once and whole; a firmware
//! image goes out by GET, in ranges if asked. The token decides what it is; names that chargers send are ignored.

mod fetch;
mod line;
mod receive;

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use tokio::sync::Semaphore;

use crate::Csms;

pub(crate) use line::Line;

/// What a body may break on: the database, in the middle of a file.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;
/// Every answer over HTTP.
pub(crate) type Answer = Response<UnsyncBoxBody<Bytes, BodyError>>;

/// Files on their way at the same time; each needs a database connection now and then.
const AT_ONCE: usize = 16;

/// The turns of those who send or fetch.
pub(crate) struct Files {
    turns: Arc<Semaphore>,
}

impl Default for Files {
    fn default() -> Self {
        Files {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

/// The token of a path below `/files/`; `None` for any other path. What stands behind it (a charger's own file name) is
/// ignored; a text that can be no token is empty.
pub(crate) fn token(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/files/")?;
    let token = rest.split('/').next().unwrap_or_default();
    Some(if store::files::is_token(token) {
        token
    } else {
        ""
    })
}

/// Answers a request for a file. Neither path nor token is ever logged.
pub(crate) async fn serve(
    csms: &Arc<Csms>,
    request: Request<Incoming>,
    token: &str,
    line: &Line,
) -> Answer {
    let mut answer = match (request.method().clone(), token) {
        (Method::PUT | Method::GET | Method::HEAD, "") => {
            said(StatusCode::NOT_FOUND, "There is no such file.\n")
        }
        (method, token) => match csms.files.turns.clone().try_acquire_owned() {
            Err(_) => try_later(),
            Ok(turn) => match method {
                Method::PUT => receive::receive(csms, request, token).await,
                Method::GET | Method::HEAD => fetch::fetch(csms, &request, token, line, turn).await,
                _ => {
                    let mut answer = said(StatusCode::METHOD_NOT_ALLOWED, "GET, HEAD or PUT.\n");
                    let allowed = HeaderValue::from_static("GET, HEAD, PUT");
                    answer.headers_mut().insert(header::ALLOW, allowed);
                    answer
                }
            },
        },
    };
    // One file, one connection: so a reader that stalls is found by its socket.
    let headers = answer.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let nosniff = HeaderValue::from_static("nosniff");
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, nosniff);
    answer
}

/// An answer of a few words.
pub(crate) fn said(status: StatusCode, text: &'static str) -> Answer {
    let full = Full::new(Bytes::from_static(text.as_bytes()));
    let mut answer = Response::new(full.map_err(|never| match never {}).boxed_unsync());
    *answer.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    let headers = answer.headers_mut();
    headers.insert(header::CONTENT_TYPE, plain);
    // Whoever asks for one thing after another and reads no answer would keep the socket for ever.
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    answer
}

fn try_later() -> Answer {
    let mut answer = said(StatusCode::SERVICE_UNAVAILABLE, "Try again in a minute.\n");
    let minute = HeaderValue::from_static("60");
    answer.headers_mut().insert(header::RETRY_AFTER, minute);
    answer
}

/// The database failed: the charger tries again.
fn broken(error: &store::Error) -> Answer {
    tracing::warn!(%error, "a file could not be sent or stored");
    try_later()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_found_whatever_a_charger_appends() {
        let good = "0123456789abcdef".repeat(4);
        for (path, found) in [
            (format!("/files/{good}"), Some(good.as_str())),
            (format!("/files/{good}/../../etc/passwd"), Some(&good)),
            (format!("/files/{good}/log.zip"), Some(&good)),
            (format!("/files/{good}x"), Some("")),
            ("/files/../../etc/passwd".to_owned(), Some("")),
            ("/files/".to_owned(), Some("")),
            ("/files".to_owned(), None),
            ("/ocpp/CP1".to_owned(), None),
        ] {
            assert_eq!(token(&path), found, "{path}");
        }
    }
}
