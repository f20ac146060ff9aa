//! Who is asking: a person by login cookie, below `/api` also a program by key. The answer is a [`Viewer`].

pub mod client;
pub mod cookies;
mod policy;
mod sign_in;

pub(crate) use policy::email;

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, Uri, header, request::Parts},
    response::{IntoResponse, Redirect, Response},
};
use chrono::{DateTime, Utc};
use store::{
    Scope,
    api_keys::{self, KeyScope},
    audit::{Actor, Entry},
    people::{self, Role, SiteRole, User},
    sign_in as logins,
};
use uuid::Uuid;

use self::cookies::Purpose;
use crate::{Access, App, Error, Result, Route, error::is_api};

/// Whoever looks, and what that one may see and change. Handlers take it as an argument; the wall in `router` has
/// put it there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// For the audit log.
    pub actor: Actor,
    /// A person's role; a key has none.
    pub role: Option<Role>,
    /// A person's address or a key's name, to be shown.
    pub name: String,
    /// The rows that it may see.
    pub scope: Scope,
    /// Of those, the ones that it may change.
    controls: Scope,
    /// Whether it may look without changing anything: every person, and a key with the scope `read`.
    reads: bool,
}

impl Viewer {
    /// A person: admins see all sites, everybody else those that they are members of.
    pub fn of_user(user: &User, memberships: &[(Uuid, SiteRole)]) -> Self {
        let sites = |wanted: fn(SiteRole) -> bool| {
            let sites: Vec<Uuid> = memberships
                .iter()
                .filter(|(_, role)| wanted(*role))
                .map(|(site, _)| *site)
                .collect();
            if sites.is_empty() {
                Scope::Nothing
            } else {
                Scope::Sites(sites)
            }
        };
        let (scope, controls) = match user.role {
            Role::Admin => (Scope::All, Scope::All),
            Role::Operator | Role::Partner => {
                (sites(|_| true), sites(|role| role == SiteRole::Operator))
            }
            // A driver sees charging sessions of their own, which no page shows by site.
            Role::Driver => (Scope::Nothing, Scope::Nothing),
        };
        Viewer {
            actor: Actor::User(user.id),
            role: Some(user.role),
            name: user.email.clone(),
            scope,
            controls,
            reads: true,
        }
    }

    /// A program: its key says which sites, its scopes say what it may do there.
    pub fn of_key(key: &api_keys::ApiKey) -> Self {
        let sites = match &key.site_ids {
            None => Scope::All,
            Some(sites) if sites.is_empty() => Scope::Nothing,
            Some(sites) => Scope::Sites(sites.clone()),
        };
        let controls = key.scopes.contains(&KeyScope::Control);
        Viewer {
            actor: Actor::ApiKey(key.id),
            role: None,
            name: key.name.clone(),
            controls: if controls {
                sites.clone()
            } else {
                Scope::Nothing
            },
            scope: sites,
            reads: key.scopes.contains(&KeyScope::Read),
        }
    }

    /// Whether it may change the things of `site`: pages show their buttons by it.
    pub fn may_control(&self, site: Option<Uuid>) -> bool {
        self.controls.allows(site)
    }

    /// # Errors
    /// [`Error::Forbidden`] if the things of `site` are not its to change. What it cannot see is 404 before that.
    pub fn must_control(&self, site: Option<Uuid>) -> Result<()> {
        if self.may_control(site) {
            return Ok(());
        }
        Err(Error::Forbidden(
            "you may look at this site, but not change it".to_owned(),
        ))
    }

    /// What the audit log says of something that it did; to be written in the transaction of what was done.
    pub fn did(
        &self,
        at: DateTime<Utc>,
        action: &str,
        entity: String,
        detail: serde_json::Value,
    ) -> Entry {
        Entry {
            at,
            actor: self.actor,
            action: action.to_owned(),
            entity,
            detail,
        }
    }

    /// Whether the route table lets it in.
    pub(crate) fn may(&self, access: Access) -> Result<()> {
        let missing = match access {
            Access::Public | Access::Demo => None,
            Access::Read if !self.reads => Some("this takes a key with the scope read"),
            Access::ReadAll if !self.reads || self.scope != Scope::All => Some(
                "this belongs to no site: it takes an admin, or a key of all sites with the scope read",
            ),
            Access::Control if self.controls == Scope::Nothing => Some(
                "this takes the right to change things: a key with the scope control, or a login that runs a site",
            ),
            Access::ControlAll if self.controls != Scope::All => Some(
                "this belongs to no site: it takes an admin, or a key of all sites with the scope control",
            ),
            Access::Read | Access::ReadAll | Access::Control | Access::ControlAll => None,
        };
        match missing {
            None => Ok(()),
            Some(what) => Err(Error::Forbidden(what.to_owned())),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Viewer {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        parts.extensions.get::<Viewer>().cloned().ok_or_else(|| {
            Error::Broken(format!(
                "{} is public and asks for a viewer",
                parts.uri.path()
            ))
        })
    }
}

/// Who sent `request`, if anybody that we know. A key opens the API only; where one is sent, the cookie is not read.
pub(crate) async fn identify(app: &App, path: &str, headers: &HeaderMap) -> Result<Option<Viewer>> {
    if is_api(path)
        && let Some(authorization) = headers.get(header::AUTHORIZATION)
    {
        let Some(key) = bearer(authorization) else {
            return Ok(None);
        };
        let mut db = app.connection().await?;
        let key = api_keys::find(&mut db, key, app.clock.now()).await?;
        return Ok(key.as_ref().map(Viewer::of_key));
    }
    signed_in(app, headers).await
}

/// The person whose login cookie came along.
async fn signed_in(app: &App, headers: &HeaderMap) -> Result<Option<Viewer>> {
    let Some(token) = cookies::read(app, Purpose::Login, headers) else {
        return Ok(None);
    };
    let mut db = app.connection().await?;
    let Some(user) = logins::find(&mut db, &token, app.clock.now()).await? else {
        return Ok(None);
    };
    let memberships = people::memberships(&mut db, user.id).await?;
    Ok(Some(Viewer::of_user(&user, &memberships)))
}

/// The key in `Bearer fc_…`.
fn bearer(authorization: &HeaderValue) -> Option<&str> {
    let (scheme, key) = authorization.to_str().ok()?.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && key.starts_with(api_keys::PREFIX)).then_some(key)
}

/// The way to sign in and back to `uri`.
pub(crate) fn to_login(uri: &Uri) -> Response {
    let next = uri.path_and_query().map_or("/", |path| path.as_str());
    Redirect::to(&with_next("/login", next)).into_response()
}

/// `path?next=…`. What comes after is a path and query already; only what would end the value early is escaped.
fn with_next(path: &str, next: &str) -> String {
    if next == "/" {
        return path.to_owned();
    }
    let next = next
        .replace('%', "%25")
        .replace('&', "%26")
        .replace('+', "%2B")
        .replace('#', "%23");
    format!("{path}?next={next}")
}

/// The routes of signing in and out.
pub fn routes() -> Vec<Route> {
    vec![
        Route::get("/login", Access::Public, sign_in::ask_email),
        Route::post("/login", Access::Public, sign_in::send_code),
        Route::get("/login/code", Access::Public, sign_in::ask_code),
        Route::post("/login/code", Access::Public, sign_in::check_code),
        Route::get("/login/done", Access::Public, sign_in::done),
        Route::post("/logout", Access::Public, sign_in::sign_out),
        Route::get("/dev/mailbox", Access::Demo, sign_in::mailbox),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(role: Role) -> User {
        User {
            id: Uuid::from_u128(1),
            email: "op@example.org".to_owned(),
            name: String::new(),
            role,
        }
    }

    #[test]
    fn roles_and_memberships_make_the_scope() {
        let (seen, run) = (Uuid::from_u128(2), Uuid::from_u128(3));
        let memberships = [(seen, SiteRole::Viewer), (run, SiteRole::Operator)];
        let admin = Viewer::of_user(&user(Role::Admin), &[]);
        assert!(admin.scope == Scope::All && admin.may_control(None));

        let operator = Viewer::of_user(&user(Role::Operator), &memberships);
        assert_eq!(operator.scope, Scope::Sites(vec![seen, run]));
        assert!(operator.may_control(Some(run)));
        assert!(!operator.may_control(Some(seen)) && !operator.may_control(None));
        assert!(operator.may(Access::ReadAll).is_err());

        let stranger = Viewer::of_user(&user(Role::Operator), &[]);
        assert_eq!(stranger.scope, Scope::Nothing);
        assert!(stranger.may(Access::Read).is_ok() && stranger.may(Access::Control).is_err());

        let driver = Viewer::of_user(&user(Role::Driver), &memberships);
        assert_eq!(driver.scope, Scope::Nothing);
    }

    #[test]
    fn only_our_keys_are_bearers() {
        for (header, key) in [
            ("Bearer fc_1", Some("fc_1")),
            ("bearer  fc_1 ", Some("fc_1")),
            ("Bearer x", None),
            ("Basic fc_1", None),
            ("fc_1", None),
        ] {
            assert_eq!(
                bearer(&HeaderValue::from_str(header).unwrap()),
                key,
                "{header}"
            );
        }
    }

    #[test]
    fn a_path_with_a_query_comes_back_whole() {
        assert_eq!(with_next("/login", "/"), "/login");
        assert_eq!(
            with_next("/login", "/sessions?from=a%2Bb&to=c"),
            "/login?next=/sessions?from=a%252Bb%26to=c"
        );
    }
}
