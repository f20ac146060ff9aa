//! What the next page says about what was just done: a cookie that lives until it was shown. It says one sentence, and
//! where that can be undone, how.

use axum::{
    extract::{Request, State},
    http::{HeaderMap, header},
    middleware::Next,
    response::{AppendHeaders, IntoResponse, Redirect, Response},
};
use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use crate::{
    App, AppState,
    auth::cookies::{self, Purpose},
};

/// Nobody who comes later wants to know.
const LASTS: TimeDelta = TimeDelta::minutes(1);
/// A cookie is no place for more.
const LONGEST: usize = 400;

/// Something that was done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flash {
    /// A sentence.
    pub text: String,
    /// Where a `POST` undoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
}

impl Flash {
    /// A sentence.
    pub fn new(text: impl Into<String>) -> Self {
        Flash {
            text: text.into().chars().take(LONGEST).collect(),
            undo: None,
        }
    }

    /// The same with a way back: a path that takes a `POST`.
    #[must_use]
    pub fn with_undo(self, path: impl Into<String>) -> Self {
        Flash {
            undo: Some(path.into()),
            ..self
        }
    }

    /// 303 to `path`, where it is shown.
    pub fn to(&self, app: &App, path: &str) -> Response {
        let text = serde_json::to_vec(self).expect("two strings are always JSON");
        let cookie = cookies::make(app, Purpose::Flash, hex::encode(text), LASTS);
        let cookies = [(header::SET_COOKIE, cookie.to_string())];
        (AppendHeaders(cookies), Redirect::to(path)).into_response()
    }

    /// What the browser brought along.
    pub fn brought(app: &App, headers: &HeaderMap) -> Option<Self> {
        let value = cookies::read(app, Purpose::Flash, headers)?;
        let flash: Flash = serde_json::from_slice(&hex::decode(value).ok()?).ok()?;
        // It is written by us, yet it comes from a browser.
        let local = |path: &String| super::theme::local(path) == path.as_str();
        let undo = flash.undo.filter(local);
        (flash.text.chars().count() <= LONGEST).then_some(Flash { undo, ..flash })
    }
}

/// Drops the cookie with the page that showed it.
pub async fn shown(State(app): State<AppState>, request: Request, next: Next) -> Response {
    let brought = cookies::read(&app, Purpose::Flash, request.headers()).is_some();
    let mut response = next.run(request).await;
    let is_page = response.status().is_success()
        && response
            .headers()
            .get(header::CONTENT_TYPE)
            .is_some_and(|media| media.as_bytes().starts_with(b"text/html"));
    if brought
        && is_page
        && let Ok(gone) = cookies::drop(&app, Purpose::Flash).to_string().parse()
    {
        response.headers_mut().append(header::SET_COOKIE, gone);
    }
    response
}
