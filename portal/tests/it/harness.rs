//! A portal in memory, and people and keys that talk to it.

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Method, Request, StatusCode, header},
    response::Response,
};
use chrono::TimeDelta;
use portal::{App, Config};
use serde_json::Value;
use service::clock::Clock;
use store::{
    Room,
    api_keys::{self, KeyScope, NewKey},
    people::{self, Role, SiteRole},
    sign_in::{self, NewLogin},
    sites,
    testing::{self, TestDb},
};
use tower::ServiceExt;
use uuid::Uuid;

/// Everything that a key can be allowed.
pub const BOTH: &[KeyScope] = &[KeyScope::Read, KeyScope::Control];

/// The day on which every test happens.
pub const TODAY: &str = "2026-11-20T12:00:00Z";

/// A portal, its database and its clock.
pub struct Portal {
    pub db: TestDb,
    pub router: Router,
    pub clock: Clock,
}

/// What a test wants to be otherwise.
pub fn config() -> Config {
    Config {
        public_url: "http://portal.test".to_owned(),
        ocpp_public_url: "ws://portal.test:9000/ocpp".to_owned(),
        trusted_proxies: vec!["10.0.0.1".parse().unwrap()],
        demo: false,
        rates: portal::limits::Rates::none(),
        lago: service::config::Lago::default(),
    }
}

impl Portal {
    /// A portal with nothing in it.
    pub async fn start() -> Self {
        Self::with(config()).await
    }

    /// A portal with settings of the test's own.
    pub async fn with(config: Config) -> Self {
        let db = testing::database().await;
        let clock = Clock::fixed(TODAY.parse().unwrap());
        let app = App::new(config, db.pool(Room::Portal), clock.clone());
        let router = portal::router(&app);
        Portal { db, router, clock }
    }

    /// A site.
    pub async fn site(&self, name: &str) -> Uuid {
        let mut db = self.db.pool.acquire().await.unwrap();
        let zone = "Europe/Amsterdam".parse().unwrap();
        sites::add(&mut db, name, zone, self.clock.now())
            .await
            .unwrap()
    }

    /// A person of these sites, who may command their stations.
    pub async fn person(&self, email: &str, role: Role, sites: &[Uuid]) -> Uuid {
        let (mut db, now) = (self.db.pool.acquire().await.unwrap(), self.clock.now());
        let id = people::add(&mut db, email, "", role, now).await.unwrap();
        for site in sites {
            people::join(&mut db, id, *site, SiteRole::Operator, now)
                .await
                .unwrap();
        }
        id
    }

    /// Somebody who is signed in, without the trouble of a mail.
    pub async fn signed_in(&self, email: &str, role: Role, sites: &[Uuid]) -> Browser<'_> {
        let user_id = self.person(email, role, sites).await;
        let mut db = self.db.pool.acquire().await.unwrap();
        let login = NewLogin {
            user_id,
            address: "",
            user_agent: "",
            expires_at: self.clock.now() + TimeDelta::days(1),
        };
        let token = sign_in::open(&mut db, &login, self.clock.now())
            .await
            .unwrap();
        self.as_who(vec![("cookie", format!("forecourt={token}"))])
    }

    /// A program with a key; `sites` empty is every site.
    pub async fn key(&self, scopes: &[KeyScope], sites: &[Uuid]) -> Browser<'_> {
        let mut db = self.db.pool.acquire().await.unwrap();
        let key = NewKey {
            name: "test",
            scopes,
            site_ids: (!sites.is_empty()).then_some(sites),
            expires_at: None,
        };
        let (_, text) = api_keys::create(&mut db, &key, self.clock.now())
            .await
            .unwrap();
        self.as_who(vec![("authorization", format!("Bearer {text}"))])
    }

    /// Nobody in particular.
    pub fn nobody(&self) -> Browser<'_> {
        self.as_who(Vec::new())
    }

    /// Whoever sends these headers with every request.
    pub fn as_who(&self, headers: Vec<(&'static str, String)>) -> Browser<'_> {
        Browser {
            portal: self,
            headers,
        }
    }
}

/// Somebody who sends requests.
pub struct Browser<'a> {
    portal: &'a Portal,
    headers: Vec<(&'static str, String)>,
}

/// What came back.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    /// As it came.
    pub bytes: Vec<u8>,
    /// As text.
    pub body: String,
}

impl Answer {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", self.body))
    }

    /// A header as text; empty if there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
}

impl Browser<'_> {
    /// What it sends with every request.
    pub fn headers(&self) -> &[(&'static str, String)] {
        &self.headers
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, Body::empty()).await
    }

    /// Sends a form.
    pub async fn post(&self, path: &str, form: &str) -> Answer {
        let form = (Some("application/x-www-form-urlencoded"), form.to_owned());
        self.send(Method::POST, path, form.0, form.1.into()).await
    }

    /// Sends JSON.
    pub async fn json(&self, method: Method, path: &str, body: &Value) -> Answer {
        let body = Body::from(body.to_string());
        self.send(method, path, Some("application/json"), body)
            .await
    }

    /// What a file holds, whatever it is.
    pub async fn bytes(&self, path: &str) -> Vec<u8> {
        let response = self.answer(Method::GET, path, None, Body::empty()).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        to_bytes(response.into_body(), usize::MAX)
            .await
            .unwrap()
            .to_vec()
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        media: Option<&str>,
        body: Body,
    ) -> Response {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "portal.test");
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(media) = media {
            request = request.header(header::CONTENT_TYPE, media);
        }
        let router = self.portal.router.clone();
        router.oneshot(request.body(body).unwrap()).await.unwrap()
    }

    pub async fn send(
        &self,
        method: Method,
        path: &str,
        media: Option<&str>,
        body: Body,
    ) -> Answer {
        let response = self.answer(method, path, media, body).await;
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Answer {
            status: parts.status,
            headers: parts.headers,
            // A workbook is no text; what of it is, is still there to be searched.
            body: String::from_utf8_lossy(&body).into_owned(),
            bytes: body.to_vec(),
        }
    }
}

/// The names of an object's fields, in order.
pub fn names(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names
}

/// A 422 that names `place`.
pub fn complains(answer: &Answer, place: &str, value: &str) {
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        answer.body
    );
    assert_eq!(answer.header("content-type"), "application/problem+json");
    let problem = answer.json();
    let errors = problem["errors"].as_array().unwrap();
    let found = errors.iter().any(|error| {
        (error["pointer"] == place || error["parameter"] == place)
            && error["detail"].as_str().unwrap().contains(value)
            && error["detail"].as_str().unwrap().contains("expected")
    });
    assert!(found, "{place} with {value} in {problem:#}");
}
