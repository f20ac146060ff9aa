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
async fn a_station_is_taken_off_its_site_by_who_may() {
    let portal = Portal::start().await;
    let site = portal.site("Harbour").await;
    let key = portal.key(BOTH, &[]).await;
    let path = "/api/v1/stations/CP-1";
    let made = key
        .json(Method::PUT, path, &json!({"site": "Harbour"}))
        .await;
    assert_eq!(made.json()["site"], "Harbour");

    // Off all sites it would be out of this key's sight.
    let here = portal.key(BOTH, &[site]).await;
    let refused = here.json(Method::PATCH, path, &json!({"site": null})).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);

    let kept = key.json(Method::PATCH, path, &json!({})).await;
    assert_eq!(kept.json()["site"], "Harbour", "what is left out stays");
    let off = key.json(Method::PATCH, path, &json!({"site": null})).await;
    assert_eq!(off.status, StatusCode::OK, "{}", off.body);
    assert_eq!(off.json()["site"], json!(null));
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
        (json!({"site": 7}), "/site", "or null"),
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
    // OCPP 1.6 carries no longer parentIdTag.
    let parent = json!({"parent": "x".repeat(21)});
    complains(&key.json(Method::PUT, path, &parent).await, "/parent", "20");
    let longest = json!({"parent": "x".repeat(20)});
    let put = key.json(Method::PUT, path, &longest).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.body);
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

#[tokio::test]
async fn a_token_is_never_above_itself() {
    let portal = Portal::start().await;
    let key = portal.key(BOTH, &[]).await;
    let put = async |token: &str, body| {
        let path = format!("/api/v1/id-tokens/{token}");
        key.json(Method::PUT, &path, &body).await
    };
    complains(
        &put("SELF", json!({"parent": "self"})).await,
        "/parent",
        "itself",
    );
    for (token, parent) in [("DRIVER", "TEAM"), ("TEAM", "FIRM")] {
        let made = put(token, json!({"parent": parent})).await;
        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    }
    complains(
        &put("firm", json!({"parent": "Driver"})).await,
        "/parent",
        "Driver",
    );
    assert_eq!(
        key.get("/api/v1/id-tokens/FIRM").await.status,
        StatusCode::NOT_FOUND
    );
    let fits = put("FIRM", json!({"parent": "HOLDING"})).await;
    assert_eq!(fits.status, StatusCode::CREATED, "{}", fits.body);
    let moved = put("TEAM", json!({"parent": null})).await;
    assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
}
