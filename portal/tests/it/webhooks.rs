//! T17: webhooks in Lago's name, forged, replayed, and a hundred at once.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;
use serde_json::{Value, json};
use service::config::{Lago, Secret};
use store::{
    Room, Scope, ids,
    lago::{
        events::{self, Filter},
        runs::{self, Cause},
        state::{self, NewEvent},
        webhooks,
    },
    people::Role,
};
use uuid::Uuid;

use crate::harness::{Answer, Portal, config};

const SECRET: &str = "the organisation's key";

async fn portal() -> Portal {
    let mut config = config();
    config.lago = Lago {
        webhook_hmac_key: Some(Secret(SECRET.to_owned())),
        ..Lago::default()
    };
    Portal::with(config).await
}

fn sign(secret: &str, body: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, body.as_bytes()))
}

async fn deliver(portal: &Portal, key: &str, signature: &str, body: &str) -> Answer {
    let headers = vec![
        ("x-lago-unique-key", key.to_owned()),
        ("x-lago-signature", signature.to_owned()),
        ("x-lago-signature-algorithm", "hmac".to_owned()),
    ];
    let body = Body::from(body.to_owned());
    portal
        .as_who(headers)
        .send(
            Method::POST,
            "/webhooks/lago",
            Some("application/json"),
            body,
        )
        .await
}

/// An event that Lago took.
async fn sent_event(portal: &Portal) -> String {
    let mut db = portal.db.pool.acquire().await.unwrap();
    let now = portal.clock.now();
    let run = runs::begin(&mut db, Cause::Schedule, None, now)
        .await
        .unwrap();
    let session_id = ids::new_id(now);
    let event = NewEvent {
        event_id: format!("fc_{session_id}_0_1500"),
        session_id,
        site_id: None,
        id_token: "04a1".to_owned(),
        mapping_id: Uuid::from_u128(1),
        customer_id: Uuid::from_u128(2),
        lago_customer: "acme".to_owned(),
        lago_subscription: Some("sub-acme".to_owned()),
        code: "ev_charging_kwh".to_owned(),
        at: now,
        from_wh: 0,
        to_wh: 1_500,
        kwh: "1.500".parse().unwrap(),
        is_final: true,
        properties: "{}".to_owned(),
    };
    let made = state::record(&mut db, run, std::slice::from_ref(&event), &[], now).await;
    assert_eq!(made.unwrap(), 1);
    event.event_id
}

fn errors(id: &str) -> String {
    json!({"webhook_type": "events.errors", "object_type": "events_errors", "events_errors": {
        "invalid_code": [id], "missing_aggregation_property": [], "invalid_filter_values": []}})
    .to_string()
}

async fn kept(portal: &Portal) -> Vec<webhooks::Webhook> {
    let pool = portal.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    webhooks::recent(&mut db, 1_000).await.unwrap()
}

async fn status_of(portal: &Portal, id: &str) -> String {
    let pool = portal.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let all = events::list(&mut db, &Filter::default(), 10).await.unwrap();
    all.into_iter()
        .find(|event| event.event_id == id)
        .unwrap()
        .status
}

#[tokio::test]
async fn t17_what_is_not_signed_by_lago_is_not_even_kept() {
    let portal = portal().await;
    let id = sent_event(&portal).await;
    let body = errors(&id);
    let good = sign(SECRET, &body);
    let again = serde_json::to_string_pretty(&serde_json::from_str::<Value>(&body).unwrap());
    let other = body.replace("invalid_code", "invalid_cod3");
    for (signature, body) in [
        (sign("another secret", &body), body.as_str()),
        (good.clone(), &again.unwrap()),
        (good.clone(), &other),
        (good.clone(), ""),
        (String::new(), &body),
        (format!("{good}, {}", sign("another secret", &body)), &body),
        (good.to_lowercase(), &body),
        (sign("", &body), &body),
    ] {
        let answer = deliver(&portal, "k", &signature, body).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{signature}");
    }
    // An algorithm of the sender's choice does not choose a weaker check.
    for algorithm in ["none", "HMAC", "jwt", ""] {
        let headers = vec![
            ("x-lago-unique-key", "k".to_owned()),
            ("x-lago-signature", good.clone()),
            ("x-lago-signature-algorithm", algorithm.to_owned()),
        ];
        let answer = portal
            .as_who(headers)
            .send(
                Method::POST,
                "/webhooks/lago",
                None,
                Body::from(body.clone()),
            )
            .await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{algorithm}");
    }
    assert_eq!(kept(&portal).await, []);
    assert_eq!(status_of(&portal, &id).await, "pending");
    let nameless = deliver(&portal, "", &good, &body).await;
    assert_eq!(nameless.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn t17_the_same_key_a_hundred_times_at_once_is_one_effect() {
    let portal = portal().await;
    let id = sent_event(&portal).await;
    let body = errors(&id);
    let signature = sign(SECRET, &body);
    let all = (0..100).map(|_| deliver(&portal, "the-key", &signature, &body));
    let answers = futures_util::future::join_all(all).await;
    let said = |word: &str| answers.iter().filter(|answer| answer.body == word).count();
    assert!(answers.iter().all(|answer| answer.status == StatusCode::OK));
    assert_eq!((said("kept\n"), said("known\n")), (1, 99));
    let kept = kept(&portal).await;
    assert_eq!(kept.len(), 1);
    assert_eq!(kept[0].effect.as_deref(), Some("1 events are not billed"));
    assert_eq!(kept[0].body, body);
    assert_eq!(status_of(&portal, &id).await, "rejected");
    // The same again days later, and another body under the same key: nothing.
    portal
        .clock
        .advance(std::time::Duration::from_secs(3 * 86_400));
    for body in [body, errors("another")] {
        let answer = deliver(&portal, "the-key", &sign(SECRET, &body), &body).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (StatusCode::OK, "known\n")
        );
    }
    assert_eq!(self::kept(&portal).await, kept);
}

#[tokio::test]
async fn failures_in_a_row_close_the_gate_until_a_person_has_looked() {
    let portal = portal().await;
    let id = sent_event(&portal).await;
    let broken = r#"{"webhook_type":"events.errors"}"#;
    for n in 0..5 {
        let answer = deliver(&portal, &format!("bad-{n}"), &sign(SECRET, broken), broken).await;
        assert_eq!(answer.status, StatusCode::OK, "kept for a person");
    }
    let good = errors(&id);
    deliver(&portal, "good", &sign(SECRET, &good), &good).await;
    assert_eq!(
        status_of(&portal, &id).await,
        "pending",
        "kept, not applied"
    );

    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let page = admin.get("/sync").await;
    assert!(page.body.contains("Kept, not applied"), "{}", page.body);
    let replayed = admin.post("/sync/webhooks/good/replay", "").await;
    assert_eq!(replayed.status, StatusCode::SEE_OTHER, "{}", replayed.body);
    assert_eq!(status_of(&portal, &id).await, "rejected");
    let page = admin.get("/sync").await;
    assert!(!page.body.contains("Kept, not applied") && page.body.contains("applied again 1"));
    let noted = r#"{"webhook_type":"invoice.created","invoice":{}}"#;
    deliver(&portal, "later", &sign(SECRET, noted), noted).await;
    let last = kept(&portal).await;
    let later = last.iter().find(|w| w.unique_key == "later").unwrap();
    assert_eq!(later.effect.as_deref(), Some("noted"));
}

#[tokio::test]
async fn without_a_key_nobody_is_believed() {
    let portal = Portal::start().await;
    let body = errors("x");
    let answer = deliver(&portal, "k", &sign("", &body), &body).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}
