//! The cookies: the login's token, while a code is on its way the secret of the browser that asked, and what the next page
//! says.

use axum::http::HeaderMap;
use axum_extra::extract::cookie::{Cookie, CookieJar, SameSite};
use chrono::TimeDelta;

use crate::App;

/// What a cookie is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Its value is the token of a login.
    Login,
    /// Its value is the secret that a one-time code is bound to.
    SignIn,
    /// Its value is what the next page says of what was just done.
    Flash,
}

impl Purpose {
    /// Its name. `__Host-` binds it to this very host and to https, which plain http cannot promise.
    pub fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Purpose::Login, true) => "__Host-forecourt",
            (Purpose::Login, false) => "forecourt",
            (Purpose::SignIn, true) => "__Host-forecourt-sign-in",
            (Purpose::SignIn, false) => "forecourt-sign-in",
            (Purpose::Flash, true) => "__Host-forecourt-flash",
            (Purpose::Flash, false) => "forecourt-flash",
        }
    }
}

/// A cookie that scripts cannot read and other sites cannot use to post; `value` empty and `age` zero drop it.
pub fn make(app: &App, purpose: Purpose, value: String, age: TimeDelta) -> Cookie<'static> {
    let secure = app.config.secure_cookies();
    let mut cookie = Cookie::new(purpose.name(secure), value);
    cookie.set_path("/");
    cookie.set_http_only(true);
    cookie.set_secure(secure);
    cookie.set_same_site(SameSite::Lax);
    cookie.set_max_age(Some(
        age.to_std()
            .unwrap_or_default()
            .try_into()
            .unwrap_or_default(),
    ));
    cookie
}

/// A cookie that ends the one of this purpose.
pub fn drop(app: &App, purpose: Purpose) -> Cookie<'static> {
    make(app, purpose, String::new(), TimeDelta::zero())
}

/// The value that the browser sent.
pub fn read(app: &App, purpose: Purpose, headers: &HeaderMap) -> Option<String> {
    let jar = CookieJar::from_headers(headers);
    jar.get(purpose.name(app.config.secure_cookies()))
        .map(|cookie| cookie.value().to_owned())
        .filter(|value| !value.is_empty())
}
