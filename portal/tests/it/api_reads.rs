//! Reading by API: shapes to the letter, paging, and parameters that are none.

use std::time::Duration;

use axum::http::StatusCode;
use serde_json::{Value, json};
use store::api_keys::KeyScope;

use crate::{
    data,
    harness::{BOTH, Portal, complains, names},
};

#[tokio::test]
async fn a_session_has_the_shape_that_others_build_on() {
    let portal = Portal::start().await;
    let site = portal.site("Harbour").await;
    let charged = data::charged(&portal, Some(site), "CP-1", 7).await;
    let key = portal.key(&[KeyScope::Read], &[]).await;

    let list = key.get("/api/v1/sessions").await;
    assert_eq!(list.status, StatusCode::OK);
    let list = list.json();
    assert_eq!(names(&list), ["items", "next"]);
    assert_eq!(list["next"], Value::Null);
    let session = &list["items"][0];
    let expected = json!({
        "id": charged.session, "station": "CP-1", "evse": 1, "connector": 1, "transaction_id": 7,
        "id_token": "TAG-CP-1", "site": "Harbour", "state": "ended", "started_at": "2026-11-20T10:00:00.000Z",
        "ended_at": "2026-11-20T11:00:00.000Z", "energy_wh": 7400, "max_power_w": 11040, "soc_start": 40.5,
        "soc_end": 80.5, "stop_reason": "EVDisconnected", "cost": null, "currency": null, "flags": [],
    });
    assert_eq!(session, &expected, "{session:#}");

    let one = key
        .get(&format!("/api/v1/sessions/{}", charged.session))
        .await
        .json();
    assert_eq!(one["energy_wh"], 7400);
    assert_eq!(
        one["samples"][0],
        json!({
            "at": "2026-11-20T10:00:00.000Z", "energy_wh": 1000, "power_w": 11040, "current_a": 16.005,
            "voltage_v": 230.5, "soc": 40.5, "offered_w": 22000,
        })
    );
    assert_eq!(one["samples"].as_array().unwrap().len(), 3);

    let transactions = key.get("/api/v1/transactions?station=cp-1").await.json();
    let transaction = &transactions["items"][0];
    assert_eq!(
        (
            &transaction["transaction_id"],
            &transaction["meter_stop_wh"]
        ),
        (&7.into(), &8400.into())
    );
    let messages = key
        .get("/api/v1/messages?station=CP-1&action=Heartbeat")
        .await
        .json();
    assert_eq!(messages["items"][0]["direction"], "in");
    assert_eq!(
        messages["items"][0]["payload"],
        json!({}),
        "JSON, not text of it"
    );
    let nothing = key
        .get("/api/v1/messages?station=CP-1&action=Authorize")
        .await
        .json();
    assert_eq!(nothing["items"], json!([]));
}

#[tokio::test]
async fn lists_are_paged_without_a_gap_or_a_double() {
    let portal = Portal::start().await;
    for number in 1..=5 {
        data::charged(&portal, None, &format!("CP-{number}"), number).await;
        portal.clock.advance(Duration::from_secs(60));
    }
    let key = portal.key(&[KeyScope::Read], &[]).await;
    for list in ["stations", "sessions", "transactions", "messages"] {
        let whole = key.get(&format!("/api/v1/{list}")).await.json();
        assert_eq!(whole["items"].as_array().unwrap().len(), 5, "{list}");
        let (mut found, mut after) = (Vec::new(), String::new());
        loop {
            let page = key
                .get(&format!("/api/v1/{list}?limit=2{after}"))
                .await
                .json();
            found.extend(page["items"].as_array().unwrap().clone());
            let Some(next) = page["next"].as_str() else {
                break;
            };
            after = format!("&after={next}");
        }
        assert_eq!(whole["items"], Value::Array(found), "{list}");
    }
    let range = key
        .get("/api/v1/sessions?from=2026-11-20T10:01:00Z&to=2026-11-20T10:03:00%2B00:00")
        .await
        .json();
    let stations: Vec<&str> = range["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| s["station"].as_str().unwrap())
        .collect();
    assert_eq!(stations, ["CP-3", "CP-2"], "from is included, to is not");
}

#[tokio::test]
async fn bad_parameters_are_named() {
    let portal = Portal::start().await;
    let key = portal.key(&[KeyScope::Read], &[]).await;
    for (query, place, value) in [
        ("limit=0", "limit", "\"0\""),
        ("limit=501", "limit", "501"),
        ("limit=x", "limit", "\"x\""),
        ("after=x", "after", "\"x\""),
        ("from=yesterday", "from", "yesterday"),
        ("to=2026-13-01T00:00:00Z", "to", "2026-13-01"),
        ("from=222222017-10-27T19:10:11Z", "from", "222222017"),
        ("state=done", "state", "done"),
        ("site=Nowhere", "site", "Nowhere"),
        ("staton=CP-1", "staton", "station"),
        ("station=%00", "station", "NUL"),
        ("limit=1&limit=2", "limit", "twice"),
    ] {
        complains(
            &key.get(&format!("/api/v1/sessions?{query}")).await,
            place,
            value,
        );
    }
    let both = key.get("/api/v1/sessions?limit=0&from=x").await.json();
    assert_eq!(both["errors"].as_array().unwrap().len(), 2);
    for path in [
        "sessions/x",
        "sessions/0199a1b2-0000-7000-8000-000000000000",
        "commands/x",
        "stations/%00",
    ] {
        assert_eq!(
            key.get(&format!("/api/v1/{path}")).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
}

#[tokio::test]
async fn commands_are_not_asked_for_by_what_no_command_can_be() {
    let portal = Portal::start().await;
    data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    for (query, place) in [("status=foo", "status"), ("action=Foo", "action")] {
        let answer = key.get(&format!("/api/v1/commands?{query}")).await;
        complains(&answer, place, "oo\"");
    }
    let nobody = key.get("/api/v1/commands?station=NOBODY").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND, "{}", nobody.body);
    for query in ["status=queued", "action=Reset", "station=cp-1"] {
        let none = key.get(&format!("/api/v1/commands?{query}")).await;
        assert_eq!(none.status, StatusCode::OK, "{query}: {}", none.body);
    }
    // What was sent unchecked is found by its own name.
    let raw = serde_json::json!({"action": "Foo", "payload": {}});
    let path = "/api/v1/stations/CP-1/commands?raw=1";
    let sent = key.json(axum::http::Method::POST, path, &raw).await;
    assert_eq!(sent.status, StatusCode::ACCEPTED, "{}", sent.body);
    let found = key.get("/api/v1/commands?action=Foo").await.json();
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}
