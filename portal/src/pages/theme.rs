//! Light, dark, or as the device says: a cookie, set by a plain form so that no script is needed.

use axum::{
    Form,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Redirect, Response},
};
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use serde::Deserialize;

use crate::{AppState, Error, Result};

const COOKIE: &str = "forecourt-theme";

/// The choices: as in the cookie and the markup, and for people.
pub const THEMES: [(&str, &str); 3] = [("auto", "Auto"), ("light", "Light"), ("dark", "Dark")];

/// The choice that the browser sends with each request; `auto` if it sends none that we know.
pub fn chosen(headers: &HeaderMap) -> &'static str {
    let jar = CookieJar::from_headers(headers);
    let value = jar.get(COOKIE).map_or("", |cookie| cookie.value());
    known(value).unwrap_or(THEMES[0].0)
}

fn known(value: &str) -> Option<&'static str> {
    THEMES
        .iter()
        .map(|theme| theme.0)
        .find(|theme| *theme == value)
}

/// The form of the switch.
#[derive(Debug, Deserialize)]
pub struct Choice {
    theme: String,
    #[serde(default)]
    back: String,
}

/// `POST /theme`: keeps the choice for a year and goes back to where the person was.
pub async fn choose(State(app): State<AppState>, Form(choice): Form<Choice>) -> Result<Response> {
    let theme = known(&choice.theme).ok_or_else(|| {
        Error::Refused(
            StatusCode::BAD_REQUEST,
            format!("theme: {:?} is none of auto, light, dark", choice.theme),
        )
    })?;
    let mut cookie = Cookie::new(COOKIE, theme);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_secure(app.config.secure_cookies());
    cookie.set_same_site(SameSite::Lax);
    cookie.make_permanent();
    cookie.set_max_age(Some(
        std::time::Duration::from_secs(365 * 86_400)
            .try_into()
            .unwrap_or_default(),
    ));
    let jar = CookieJar::new().add(cookie);
    Ok((jar, Redirect::to(local(&choice.back))).into_response())
}

/// A path of ours, or the start: a form must not send anybody elsewhere.
pub(super) fn local(path: &str) -> &str {
    let ours = path.starts_with('/')
        && !path.starts_with("//")
        && !path.contains('\\')
        && path.chars().all(|c| c.is_ascii_graphic());
    if ours { path } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_sent_elsewhere() {
        assert_eq!(
            local("/sessions?station=a&from=2026-11-01"),
            "/sessions?station=a&from=2026-11-01"
        );
        for path in [
            "",
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/a\r\nb",
            "/ä",
        ] {
            assert_eq!(local(path), "/", "{path:?}");
        }
    }
}
