//! What can go wrong in a handler, and the two faces of it: a page for people, problem+json (RFC 9457) for programs.
//! A handler only returns [`Error`]; [`render`] knows who asked.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use crate::pages;

/// The result of a handler.
pub type Result<T> = std::result::Result<T, Error>;

/// Why a handler has no better answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody is signed in, or the key is not one that works.
    #[error("sign in, or send a key that works as `Authorization: Bearer fc_…`")]
    Unauthenticated,
    /// The reader is known and may not do this: a missing API scope or role.
    #[error("{0}")]
    Forbidden(String),
    /// There is no such thing, or it is somebody else's: the answer is the same.
    #[error("{0}")]
    NotFound(String),
    /// It contradicts what is there already.
    #[error("{0}")]
    Conflict(String),
    /// The request was understood and cannot be obeyed; every complaint at once.
    #[error("{}", first(.0))]
    Invalid(Vec<Complaint>),
    /// Too often; try again after so many seconds.
    #[error("too many requests; try again in {0} s")]
    TooMany(u64),
    /// The method or the media type does not fit.
    #[error("{1}")]
    Refused(StatusCode, String),
    /// The database; never told in its own words.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A defect of ours; never told.
    #[error("{0}")]
    Broken(String),
}

/// One thing that is wrong with a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// Where in the body, as a JSON pointer (RFC 6901).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Which part of the query or path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// The value, and what was expected.
    pub detail: String,
}

impl Complaint {
    /// About the body.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Complaint {
            pointer: Some(pointer.into()),
            parameter: None,
            detail: detail.into(),
        }
    }

    /// About the query or the path.
    pub fn about(parameter: impl Into<String>, detail: impl Into<String>) -> Self {
        Complaint {
            pointer: None,
            parameter: Some(parameter.into()),
            detail: detail.into(),
        }
    }
}

fn first(complaints: &[Complaint]) -> String {
    let Some(complaint) = complaints.first() else {
        return "the request cannot be obeyed".to_owned();
    };
    let place = complaint
        .pointer
        .as_deref()
        .or(complaint.parameter.as_deref());
    let more = match complaints.len() {
        1 => String::new(),
        n => format!(" (and {} more)", n - 1),
    };
    match place {
        None | Some("") => format!("{}{more}", complaint.detail),
        Some(place) => format!("{place}: {}{more}", complaint.detail),
    }
}

/// What is told of an [`Error`], before it is known to whom.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// What went wrong and what to do.
    pub detail: String,
    /// Every complaint, for [`Error::Invalid`].
    pub complaints: Vec<Complaint>,
    /// For [`Error::TooMany`]: seconds.
    pub retry_after: Option<u64>,
}

impl Problem {
    /// The status in words.
    pub fn title(&self) -> &'static str {
        self.status.canonical_reason().unwrap_or("Error")
    }
}

impl Error {
    /// What may be told of it. Causes that are nobody's business go to the log.
    pub fn problem(&self) -> Problem {
        let (status, detail) = match self {
            Error::Unauthenticated => (StatusCode::UNAUTHORIZED, self.to_string()),
            Error::Forbidden(detail) => (StatusCode::FORBIDDEN, detail.clone()),
            Error::NotFound(detail) => (StatusCode::NOT_FOUND, detail.clone()),
            Error::Conflict(detail) => (StatusCode::CONFLICT, detail.clone()),
            Error::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, self.to_string()),
            Error::TooMany(_) => (StatusCode::TOO_MANY_REQUESTS, self.to_string()),
            Error::Refused(status, detail) => (*status, detail.clone()),
            Error::Store(error) if error.is_retryable() => {
                tracing::warn!(%error, "the database did not answer");
                let detail =
                    "the database does not answer right now; nothing was changed, try again";
                (StatusCode::SERVICE_UNAVAILABLE, detail.to_owned())
            }
            Error::Store(error) => {
                tracing::error!(%error, "a query failed");
                (StatusCode::INTERNAL_SERVER_ERROR, OURS.to_owned())
            }
            Error::Broken(what) => {
                tracing::error!(what, "a handler failed");
                (StatusCode::INTERNAL_SERVER_ERROR, OURS.to_owned())
            }
        };
        Problem {
            status,
            detail,
            complaints: match self {
                Error::Invalid(complaints) => complaints.clone(),
                _ => Vec::new(),
            },
            retry_after: match self {
                Error::TooMany(seconds) => Some(*seconds),
                Error::Store(error) if error.is_retryable() => Some(5),
                _ => None,
            },
        }
    }
}

const OURS: &str = "something of ours failed; the log names it by the request id";

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let problem = self.problem();
        let mut response = problem.status.into_response();
        response.extensions_mut().insert(problem);
        response
    }
}

/// Whether a path belongs to programs.
pub fn is_api(path: &str) -> bool {
    path == "/api" || path.starts_with("/api/")
}

/// Gives every [`Error`] its face: problem+json below `/api`, a page elsewhere, a way to `/login` for a page that
/// wants somebody signed in.
pub async fn render(request: Request, next: Next) -> Response {
    let uri = request.uri().clone();
    let theme = pages::theme::chosen(request.headers());
    let id = request
        .headers()
        .get("x-request-id")
        .and_then(|id| id.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let mut response = next.run(request).await;
    let Some(problem) = response.extensions_mut().remove::<Problem>() else {
        return response;
    };
    let mut rendered = if is_api(uri.path()) {
        json(&problem, &id)
    } else if problem.status == StatusCode::UNAUTHORIZED {
        crate::auth::to_login(&uri)
    } else {
        (problem.status, pages::problem(&problem, &id, theme)).into_response()
    };
    if let Some(seconds) = problem.retry_after {
        rendered
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    for (name, value) in response.headers() {
        // A method that does not fit names those that do; a sign-in that failed may drop its cookie.
        if name == header::ALLOW || name == header::SET_COOKIE {
            rendered.headers_mut().append(name, value.clone());
        }
    }
    rendered
}

/// The body of problem+json.
#[derive(Serialize)]
struct Body<'a> {
    title: &'a str,
    status: u16,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [Complaint],
    #[serde(skip_serializing_if = "str::is_empty")]
    request_id: &'a str,
}

fn json(problem: &Problem, request_id: &str) -> Response {
    let body = Body {
        title: problem.title(),
        status: problem.status.as_u16(),
        detail: &problem.detail,
        errors: &problem.complaints,
        request_id,
    };
    let body = serde_json::to_string(&body).expect("strings and numbers are always JSON");
    let media = [(header::CONTENT_TYPE, "application/problem+json")];
    let mut response = (problem.status, media, body).into_response();
    if problem.status == StatusCode::UNAUTHORIZED {
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}
