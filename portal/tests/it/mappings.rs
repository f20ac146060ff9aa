//! `/mappings`, `/billing-events`, `/sync`, the overview's tiles, and the same by API.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use chrono::TimeDelta;
use serde_json::{Value, json};
use service::config::{Lago, LagoApi, Secret};
use simulators::lago::Handle;
use store::{
    audit,
    id_tokens::{self, IdToken},
    lago::{
        runs::{self, Cause, Line, Tally},
        state::{self, NewEvent},
    },
    past_accounts,
    people::Role,
};
use uuid::Uuid;

use crate::{
    customers::seen,
    harness::{BOTH, Portal, complains, config},
};

/// A portal whose Lago is the stand-in.
async fn portal() -> (Portal, Handle) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (lago, _) = simulators::lago::start(listener, "a key");
    lago.world().add_customer("acme", "sub-acme");
    lago.world().add_customer("bolt", "sub-bolt");
    let mut config = config();
    config.lago = Lago {
        api: Some(LagoApi {
            url,
            key: Secret("a key".to_owned()),
        }),
        ..Lago::default()
    };
    (Portal::with(config).await, lago)
}

async fn token(portal: &Portal, token: &str, parent: Option<&str>) {
    let token = IdToken {
        token: token.to_owned(),
        kind: "RFID".to_owned(),
        status: "accepted".to_owned(),
        parent: parent.map(str::to_owned),
        expires_at: None,
        max_active: None,
        owner: String::new(),
    };
    let mut db = portal.db.pool.acquire().await.unwrap();
    id_tokens::put(&mut db, &token, portal.clock.now())
        .await
        .unwrap();
}

/// Who pays for what this token charged an hour ago, if that is not simply whoever has it today.
async fn payer_before(portal: &Portal, token: &str) -> Option<Uuid> {
    let mut db = portal.db.pool.acquire().await.unwrap();
    let asked = [(token, portal.clock.now() - TimeDelta::hours(1))];
    past_accounts::payers(&mut db, &asked).await.unwrap()[0]
}

#[tokio::test]
async fn a_token_is_mapped_switched_off_and_deleted_with_its_children() {
    let (portal, _lago) = portal().await;
    token(&portal, "FLEET", None).await;
    token(&portal, "VAN", Some("FLEET")).await;
    token(&portal, "LONE", None).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    assert!(
        admin
            .get("/mappings")
            .await
            .body
            .contains("No token is mapped yet")
    );
    let form = admin.get("/mappings/new").await;
    for choice in [
        "value=\"FLEET\"",
        "value=\"VAN\"",
        "value=\"lago:acme\"",
        "value=\"sub-bolt\"",
    ] {
        assert!(form.body.contains(choice), "no {choice}: {}", form.body);
    }
    // Of a customer only its own subscriptions.
    let options = admin
        .get("/mappings/subscriptions?customer=lago%3Aacme")
        .await;
    assert!(options.body.contains("sub-acme") && !options.body.contains("sub-bolt"));
    let wrong = admin
        .post(
            "/mappings",
            "id_token=FLEET&customer=lago%3Aacme&subscription=sub-bolt&active=yes",
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("belongs to another customer"));

    let made = admin
        .post(
            "/mappings",
            "id_token=FLEET&customer=lago%3Aacme&subscription=sub-acme&display_name=Vans&active=yes",
        )
        .await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let list = admin.get("/mappings").await.body;
    assert!(
        list.contains("Vans (child of FLEET)") && list.contains("↳"),
        "{list}"
    );
    assert!(list.contains("The mappings of 1 child are deleted with it."));
    let form = admin.get("/mappings/new").await.body;
    assert!(!form.contains("value=\"VAN\"") && form.contains("value=\"LONE\""));
    let taken = admin
        .post(
            "/mappings",
            "id_token=FLEET&customer=lago%3Abolt&active=yes",
        )
        .await;
    assert!(
        taken.body.contains("has a mapping already"),
        "{}",
        taken.body
    );

    let key = portal.key(BOTH, &[]).await;
    let rows = key.get("/api/v1/mappings").await.json();
    let id = rows["items"][0]["id"].as_str().unwrap().to_owned();
    let path = format!("/mappings/{id}");
    let off = admin.post(&format!("{path}/toggle"), "").await;
    assert_eq!(off.status, StatusCode::SEE_OTHER);
    let rows = key.get("/api/v1/mappings").await.json();
    assert!(
        rows["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["active"] == false)
    );

    let page = admin.get(&path).await;
    assert!(page.body.contains("holds for 1 child"), "{}", page.body);
    let customer = rows["items"][0]["customer_id"].as_str().unwrap();
    let saved = admin
        .post(
            &path,
            &format!(
                "_seen={}&customer={customer}&display_name=All+vans&active=yes",
                seen(&page)
            ),
        )
        .await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let list = admin.get("/mappings").await.body;
    assert!(list.contains("All vans (child of FLEET)") && list.contains("first active"));
    assert!(payer_before(&portal, "VAN").await.is_some());
    let page = admin.get(&path).await;
    let said = format!(
        "_seen={}&customer={customer}&display_name=All+vans&active=yes&also_before=yes",
        seen(&page)
    );
    let saved = admin.post(&path, &said).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    assert_eq!(payer_before(&portal, "VAN").await, None);

    let deleted = admin.post(&format!("{path}/delete"), "").await;
    assert_eq!(deleted.status, StatusCode::SEE_OTHER);
    assert_eq!(key.get("/api/v1/mappings").await.json()["items"], json!([]));
    let mut db = portal.db.pool.acquire().await.unwrap();
    let entries = audit::of(&mut db, &format!("mapping/{id}"), 10)
        .await
        .unwrap();
    let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "mapping.delete",
            "mapping.change",
            "mapping.change",
            "mapping.change",
            "mapping.create"
        ]
    );
}

#[tokio::test]
async fn programs_map_tokens_too() {
    let (portal, lago) = portal().await;
    token(&portal, "FLEET", None).await;
    token(&portal, "VAN", Some("FLEET")).await;
    let key = portal.key(BOTH, &[]).await;
    let body = json!({"id_token": "FLEET", "lago_customer": "acme", "subscription": "sub-acme"});
    let made = key.json(Method::POST, "/api/v1/mappings", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let made = made.json();
    assert_eq!(
        (
            &made["total_created"],
            &made["child_mappings"][0]["id_token"]
        ),
        (&2.into(), &"VAN".into())
    );
    let again = key.json(Method::POST, "/api/v1/mappings", &body).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    for (body, place, value) in [
        (json!({"lago_customer": "acme"}), "/id_token", "missing"),
        (json!({"id_token": "X"}), "/lago_customer", "missing"),
        (
            json!({"id_token": "X", "customer_id": "1"}),
            "/customer_id",
            "1",
        ),
        (
            json!({"id_token": "X", "lago_customer": "a", "active": "yes"}),
            "/active",
            "yes",
        ),
        (
            json!({"id_token": "X", "lago_customer": "a", "tag": 1}),
            "/tag",
            "id_token",
        ),
    ] {
        let answer = key.json(Method::POST, "/api/v1/mappings", &body).await;
        complains(&answer, place, value);
    }
    let path = format!(
        "/api/v1/mappings/{}",
        made["parent_mapping"]["id"].as_str().unwrap()
    );
    let changed = key
        .json(
            Method::PUT,
            &path,
            &json!({"subscription": null, "active": false}),
        )
        .await;
    let parent = &changed.json()["parent_mapping"];
    assert_eq!(
        (
            &parent["subscription"],
            &parent["active"],
            &parent["lago_customer"]
        ),
        (&Value::Null, &false.into(), &"acme".into())
    );
    // Who paid pays for what was charged before, until somebody says otherwise.
    assert!(payer_before(&portal, "van").await.is_some());
    let changed = key
        .json(Method::PUT, &path, &json!({"also_before": true}))
        .await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    assert_eq!(payer_before(&portal, "van").await, None);
    let gone = key
        .send(Method::DELETE, &path, None, Default::default())
        .await;
    assert_eq!(gone.json()["total_deleted"], 2);
    let gone = key
        .send(Method::DELETE, &path, None, Default::default())
        .await;
    assert_eq!(gone.status, StatusCode::NOT_FOUND);

    let customers = key.get("/api/v1/lago/customers").await.json();
    assert_eq!(customers["items"][0], json!({"id": "acme", "name": "acme"}));
    let path = "/api/v1/lago/subscriptions?customer=bolt";
    let found = key.get(path).await.json();
    assert_eq!(
        (
            found["items"].as_array().unwrap().len(),
            &found["items"][0]["customer_id"]
        ),
        (1, &"bolt".into())
    );
    lago.fail(simulators::lago::Kind::Down, None);
    assert_eq!(key.get(path).await.status, StatusCode::BAD_GATEWAY);
    let local = Portal::start().await;
    let key = local.key(BOTH, &[]).await;
    assert_eq!(key.get(path).await.status, StatusCode::SERVICE_UNAVAILABLE);
}

/// A run with one event at a site, and a log.
async fn ran(portal: &Portal, site_id: Option<Uuid>) -> (i64, String) {
    let mut db = portal.db.pool.acquire().await.unwrap();
    let now = portal.clock.now();
    let run = runs::begin(&mut db, Cause::Schedule, None, now)
        .await
        .unwrap();
    let session_id = store::ids::new_id(now);
    let event = NewEvent {
        event_id: format!("fc_{session_id}_0_3450"),
        session_id,
        site_id,
        id_token: "04a1".to_owned(),
        mapping_id: Uuid::from_u128(1),
        customer_id: Uuid::from_u128(2),
        lago_customer: "acme".to_owned(),
        lago_subscription: Some("sub-acme".to_owned()),
        code: "ev_charging_kwh".to_owned(),
        at: now,
        from_wh: 0,
        to_wh: 3_450,
        kwh: "3.450".parse().unwrap(),
        is_final: false,
        properties: r#"{"kwh":"3.450"}"#.to_owned(),
    };
    state::record(&mut db, run, std::slice::from_ref(&event), &[], now)
        .await
        .unwrap();
    let line = Line {
        at: now,
        level: "warn".to_owned(),
        line: "2 open sessions are on <no> account of Lago".to_owned(),
    };
    runs::log(&mut db, run, &[line]).await.unwrap();
    let tally = Tally {
        sessions: 1,
        created: 1,
        errors: vec!["Lago answers 500".to_owned()],
        ..Tally::default()
    };
    runs::finish(&mut db, run, &tally, now).await.unwrap();
    (run, event.event_id)
}

#[tokio::test]
async fn runs_are_shown_replayed_and_asked_for() {
    let (portal, _lago) = portal().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    assert!(admin.get("/sync").await.body.contains("No run yet"));
    let (run, event) = ran(&portal, None).await;
    let page = admin.get("/sync").await.body;
    for text in [
        "Lago answers 500",
        "Circuit closed",
        "Not checked",
        "Replay",
    ] {
        assert!(page.contains(text), "no {text}: {page}");
    }
    let log = admin.get(&format!("/sync/runs/{run}")).await.body;
    assert!(
        log.contains("2 open sessions are on &#60;no&#62; account"),
        "{log}"
    );
    assert_eq!(
        admin.get("/sync/runs/99").await.status,
        StatusCode::NOT_FOUND
    );

    for path in ["/sync".to_owned(), format!("/sync/runs/{run}/replay")] {
        let asked = admin.post(&path, "").await;
        assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.body);
    }
    let key = portal.key(BOTH, &[]).await;
    // A body is not needed: `curl -X POST` is enough.
    let asked = key
        .send(Method::POST, "/api/v1/sync", None, Body::empty())
        .await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    assert_eq!(asked.json()["success"], true);
    let none = key
        .json(Method::POST, "/api/v1/sync", &json!({"replay_of": 99}))
        .await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let mut db = portal.db.pool.acquire().await.unwrap();
    let asked: Vec<_> = runs::requests(&mut db)
        .await
        .unwrap()
        .into_iter()
        .map(|request| (request.source, request.replay_of))
        .collect();
    assert_eq!(
        asked,
        [
            ("portal".to_owned(), None),
            ("portal".to_owned(), Some(run)),
            ("api".to_owned(), None)
        ]
    );
    let status = key.get("/api/v1/sync/status").await.json();
    assert_eq!(
        (&status["runs"][0]["status"], &status["runs"][0]["errors"]),
        (&"failed".into(), &json!(["Lago answers 500"]))
    );
    assert_eq!(
        (&status["events"]["pending"], &status["configured"]),
        (&1.into(), &true.into())
    );

    let overview = admin.get("/").await.body;
    for text in ["Usage to Lago", "3.45 kWh", "Events in 7 days"] {
        assert!(overview.contains(text), "no {text}: {overview}");
    }
    let export = key
        .get("/api/v1/billing-events/export?status=pending")
        .await
        .json();
    assert_eq!(
        export["events"][0],
        json!({"transaction_id": event, "external_subscription_id": "sub-acme", "code": "ev_charging_kwh",
               "timestamp": portal.clock.now().timestamp(), "properties": {"kwh": "3.450"}})
    );
}

#[tokio::test]
async fn billing_events_are_found_by_day_and_shown_to_their_site_alone() {
    let (portal, _lago) = portal().await;
    let (north, south) = (portal.site("North").await, portal.site("South").await);
    let (_, event) = ran(&portal, Some(north)).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let page = admin.get("/billing-events").await.body;
    assert!(page.contains(&event) && page.contains("3.45 kWh") && page.contains("Waits"));
    // The end is inclusive.
    for (query, found) in [
        ("from=2026-11-20&to=2026-11-20", true),
        ("from=2026-11-21", false),
        ("to=2026-11-19", false),
        ("status=sent", false),
    ] {
        let page = admin.get(&format!("/billing-events?{query}")).await.body;
        assert_eq!(page.contains(&event), found, "{query}");
    }
    let wrong = admin.get("/billing-events?from=yesterday").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    for (site, sees) in [(north, true), (south, false)] {
        let email = format!("{site}@example.org");
        let operator = portal.signed_in(&email, Role::Operator, &[site]).await;
        for path in ["/billing-events", "/api/v1/billing-events"] {
            let answer = operator.get(path).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(answer.body.contains(&event), sees, "{path}");
        }
        assert_eq!(operator.get("/sync").await.status, StatusCode::FORBIDDEN);
        assert!(!operator.get("/").await.body.contains("Usage to Lago"));
    }
}

#[tokio::test]
async fn the_portal_says_that_it_works() {
    let portal = Portal::start().await;
    let health = portal.nobody().get("/api/v1/health").await;
    assert_eq!(health.status, StatusCode::OK);
    assert_eq!(
        health.json(),
        json!({"status": "ok", "timestamp": "2026-11-20T12:00:00.000Z"})
    );
}

#[tokio::test]
async fn invoices_that_lago_made_are_listed_as_they_stand_there() {
    let (portal, lago) = portal().await;
    for (number, day, status, payment, customer) in [
        ("LAG-1", "2026-09-01", "finalized", "succeeded", "acme"),
        ("LAG-2", "2026-10-01", "finalized", "pending", "bolt"),
        ("", "2026-11-01", "draft", "pending", "acme"),
    ] {
        lago.world().put_invoice(json!({
            "lago_id": format!("id {number}"), "number": number, "issuing_date": day, "status": status,
            "payment_status": payment, "payment_overdue": number == "LAG-2", "currency": "EUR",
            "payment_due_date": day, "total_amount_cents": 12345, "file_url": "javascript:alert(1)",
            "customer": { "external_id": customer, "name": "<b>Acme</b>" }
        }));
    }
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    assert!(admin.get("/invoices").await.body.contains("/invoices/lago"));
    let page = admin.get("/invoices/lago").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    for said in [
        "LAG-1",
        "LAG-2",
        "draft",
        "123.45 EUR",
        "Paid",
        "Overdue",
        "1 Sep 2026",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    for never in ["javascript:", "<b>Acme"] {
        assert!(!page.body.contains(never), "{never}: {}", page.body);
    }
    let of_one = admin.get("/invoices/lago?customer=bolt").await.body;
    assert!(
        of_one.contains("LAG-2") && !of_one.contains("LAG-1"),
        "{of_one}"
    );
    let key = portal.key(BOTH, &[]).await;
    let items = key.get("/api/v1/lago/invoices?customer=acme").await.json();
    assert_eq!(items["items"].as_array().unwrap().len(), 2);
    assert_eq!(items["items"][1]["total"], "123.45");

    lago.fail(simulators::lago::Kind::Down, None);
    let away = admin.get("/invoices/lago").await;
    assert_eq!(away.status, StatusCode::OK);
    assert!(away.body.contains("Lago does not tell"), "{}", away.body);
    let answer = key.get("/api/v1/lago/invoices").await;
    assert_eq!(answer.status, StatusCode::BAD_GATEWAY);
}
