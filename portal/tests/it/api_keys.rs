//! What keys and logins may do by API.

use axum::http::{Method, StatusCode};
use serde_json::json;
use store::{
    api_keys::{self, KeyScope},
    people::Role,
};

use crate::{
    data,
    harness::{BOTH, Browser, Portal},
};

/// The path of a station's commands.
const COMMANDS: &str = "/api/v1/stations/CP-1/commands";

async fn status(browser: &Browser<'_>, method: Method, path: &str) -> StatusCode {
    browser.json(method, path, &json!({})).await.status
}

#[tokio::test]
async fn keys_do_what_their_scopes_say_until_they_are_revoked() {
    let portal = Portal::start().await;
    data::charged(&portal, None, "CP-1", 1).await;
    let read = portal.key(&[KeyScope::Read], &[]).await;
    let control = portal.key(&[KeyScope::Control], &[]).await;
    assert_eq!(read.get("/api/v1/stations").await.status, StatusCode::OK);
    let refused = read
        .json(Method::PUT, "/api/v1/stations/CP-2", &json!({}))
        .await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert_eq!(refused.header("content-type"), "application/problem+json");
    assert!(
        refused.json()["detail"]
            .as_str()
            .unwrap()
            .contains("control")
    );
    assert_eq!(
        status(&read, Method::POST, COMMANDS).await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        status(&read, Method::PUT, "/api/v1/id-tokens/A").await,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        control.get("/api/v1/stations").await.status,
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        status(&control, Method::PUT, "/api/v1/stations/CP-2").await,
        StatusCode::CREATED
    );

    let mut db = portal.db.pool.acquire().await.unwrap();
    let keys = api_keys::list(&mut db).await.unwrap();
    assert!(
        keys.iter().all(
            |key| key.last_used_at == Some(portal.clock.now()) && key.prefix.starts_with("fc_")
        )
    );
    for key in keys {
        assert!(
            api_keys::revoke(&mut db, key.id, portal.clock.now())
                .await
                .unwrap()
        );
    }
    let out = read.get("/api/v1/stations").await;
    assert_eq!(out.status, StatusCode::UNAUTHORIZED);
    assert_eq!(
        (out.header("www-authenticate"), out.header("content-type")),
        ("Bearer", "application/problem+json")
    );
    for authorization in ["Bearer fc_wrong", "Bearer", "Basic fc_wrong"] {
        let who = portal.as_who(vec![("authorization", authorization.to_owned())]);
        assert_eq!(
            who.get("/api/v1/stations").await.status,
            StatusCode::UNAUTHORIZED,
            "{authorization}"
        );
    }
}

#[tokio::test]
async fn a_login_may_use_the_api_but_a_key_opens_no_page() {
    let portal = Portal::start().await;
    let admin = portal
        .signed_in("admin@example.org", Role::Admin, &[])
        .await;
    assert_eq!(admin.get("/api/v1/stations").await.status, StatusCode::OK);
    let key = portal.key(BOTH, &[]).await;
    assert_eq!(
        key.get("/login").await.status,
        StatusCode::OK,
        "not signed in"
    );
}
