//! Stations and id tokens by API: made, changed, refused, audited.

use axum::http::{Method, StatusCode};
use serde_json::json;
use store::{Scope, audit, secrets};

use crate::harness::{BOTH, Portal, complains};

#[tokio::test]
async fn a_station_is_made_and_changed() {
    let portal = Portal::start().await;
    portal.site("Harbour").await;
    let key = portal.key(BOTH, &[]).await;

    let made = key
        .json(Method::PUT, "/api/v1/stations/CP-1", &json!({}))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let station = made.json();
    assert_eq!(station["registration"], "accepted");
    assert_eq!(
        (&station["security_profile"], &station["has_password"]),
        (&0.into(), &false.into())
    );
    assert_eq!(
        (&station["connected"], &station["connectors"]),
        (&false.into(), &json!([]))
    );

    let body = json!({"site": "harbour", "password": "0123456789abcdef", "registration": "pending", "options": {"strict": true}});
    let changed = key.json(Method::PUT, "/api/v1/stations/cp-1", &body).await;
    assert_eq!(changed.status, StatusCode::OK);
    let station = changed.json();
    assert_eq!(station["identity"], "CP-1", "as registered");
    assert_eq!(
        (&station["site"], &station["registration"]),
        (&"Harbour".into(), &"pending".into())
    );
    assert_eq!(station["security_profile"], 1, "a password is asked for");
    assert_eq!(
        (
            &station["options"]["strict"],
            &station["options"]["assume_16"]
        ),
        (&true.into(), &false.into())
    );
    assert!(!changed.body.contains("0123456789abcdef"));

    let body = json!({"options": {"assume_16": true}});
    let patched = key
        .json(Method::PATCH, "/api/v1/stations/CP-1", &body)
        .await
        .json();
    assert_eq!(
        (
            &patched["options"]["strict"],
            &patched["options"]["assume_16"]
        ),
        (&true.into(), &true.into())
    );
    let missing = key
        .json(Method::PATCH, "/api/v1/stations/CP-2", &json!({}))
        .await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);

    let mut db = Scope::All.begin(&portal.db.pool).await.unwrap();
    let stored = store::lookup::stations(&mut db, &["cp-1".to_owned()])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert!(secrets::verify_password(
        b"0123456789abcdef",
        &stored.password_hash.unwrap()
    ));
    let entity = format!("station/{}", station["id"].as_str().unwrap());
    let audited = audit::of(&mut db, &entity, 10).await.unwrap();
    let actions: Vec<&str> = audited.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["station.change", "station.change", "station.add"]);
    assert!(
        audited
            .iter()
            .all(|entry| !entry.detail.to_string().contains("0123456789abcdef"))
    );
}

#[tokio::test]
async fn bad_stations_are_refused_and_change_nothing() {
    let portal = Portal::start().await;
    let key = portal.key(BOTH, &[]).await;
    for (body, place, value) in [
        (json!({"registration": "maybe"}), "/registration", "maybe"),
        (json!({"security_profile": 4}), "/security_profile", "4"),
        (
            json!({"security_profile": 1}),
            "/security_profile",
            "password",
        ),
        (
            json!({"security_profile": "1"}),
            "/security_profile",
            "\"1\"",
        ),
        (json!({"site": "Nowhere"}), "/site", "Nowhere"),
        (json!({"password": ""}), "/password", ""),
        (json!({"password": "a\u{0}b"}), "/password", ""),
        (json!({"password": "x".repeat(129)}), "/password", ""),
        (json!({"options": {"fast": true}}), "/options", "fast"),
        (json!({"options": {"strict": 1}}), "/options", "strict"),
        (
            json!({"registation": "accepted"}),
            "/registation",
            "registration",
        ),
        (json!([]), "", "object"),
    ] {
        complains(
            &key.json(Method::PUT, "/api/v1/stations/CP-1", &body).await,
            place,
            value,
        );
    }
    let broken = key
        .send(
            Method::PUT,
            "/api/v1/stations/CP-1",
            Some("application/json"),
            "{".into(),
        )
        .await;
    complains(&broken, "", "JSON");
    let form = key
        .send(
            Method::PUT,
            "/api/v1/stations/CP-1",
            Some("text/plain"),
            "{}".into(),
        )
        .await;
    assert_eq!(form.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    for identity in ["a%2Fb", "a%0Ab", "a:b", "%20a", "%2e%2e", &"x".repeat(256)] {
        let path = format!("/api/v1/stations/{identity}");
        complains(
            &key.json(Method::PUT, &path, &json!({})).await,
            "identity",
            "",
        );
    }
    assert_eq!(key.get("/api/v1/stations").await.json()["items"], json!([]));
}

#[tokio::test]
async fn an_id_token_is_made_and_changed() {
    let portal = Portal::start().await;
    let key = portal.key(BOTH, &[]).await;
    let path = "/api/v1/id-tokens/04A1B2C3";
    let made = key
        .json(
            Method::PUT,
            path,
            &json!({"type": "RFID", "status": "accepted", "parent": "GROUP"}),
        )
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let changed = key
        .json(
            Method::PUT,
            "/api/v1/id-tokens/04a1b2c3",
            &json!({"status": "blocked", "parent": null}),
        )
        .await;
    assert_eq!(changed.status, StatusCode::OK);
    let token = key.get(path).await.json();
    assert_eq!(
        token,
        json!({"token": "04A1B2C3", "type": "RFID", "status": "blocked", "parent": null, "expires_at": null,
               "max_active": null, "owner": ""})
    );
    assert_eq!(key.get("/api/v1/id-tokens").await.json()["items"][0], token);
    complains(
        &key.json(Method::PUT, path, &json!({"status": "lost"}))
            .await,
        "/status",
        "lost",
    );
    complains(
        &key.json(Method::PUT, path, &json!({"expires_at": "soon"}))
            .await,
        "/expires_at",
        "soon",
    );
    let long = format!("/api/v1/id-tokens/{}", "x".repeat(37));
    complains(
        &key.json(Method::PUT, &long, &json!({})).await,
        "token",
        "36",
    );
    assert_eq!(
        key.get("/api/v1/id-tokens/none").await.status,
        StatusCode::NOT_FOUND
    );
}
