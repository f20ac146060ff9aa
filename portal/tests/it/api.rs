//! The API: its shapes to the letter, what it takes, what it refuses and how.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use store::{
    Scope,
    api_keys::{self, KeyScope},
    audit, commands,
    people::Role,
    secrets,
};

use crate::{
    data,
    harness::{Answer, Browser, Portal},
};

const BOTH: &[KeyScope] = &[KeyScope::Read, KeyScope::Control];

/// The names of an object's fields, in order.
fn names(value: &Value) -> Vec<&str> {
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
fn complains(answer: &Answer, place: &str, value: &str) {
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
    for identity in ["a%2Fb", "a%0Ab", &"x".repeat(256)] {
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

/// The path of a station's commands.
const COMMANDS: &str = "/api/v1/stations/CP-1/commands";

#[tokio::test]
async fn a_command_is_queued_with_the_shape_that_others_build_on() {
    let portal = Portal::start().await;
    let charged = data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    // The payload goes to the letter, spaces and all.
    let body =
        r#"{"action": "RemoteStartTransaction", "payload": {"idTag": "A",  "connectorId": 1}}"#;
    let queued = key
        .send(
            Method::POST,
            COMMANDS,
            Some("application/json"),
            body.into(),
        )
        .await;
    assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.body);
    assert!(
        queued.body.contains(r#"{"idTag": "A",  "connectorId": 1}"#),
        "{}",
        queued.body
    );
    let command = queued.json();
    assert_eq!(
        names(&command),
        [
            "action",
            "answer",
            "answered_at",
            "created_at",
            "effect",
            "error",
            "id",
            "payload",
            "sent_at",
            "station",
            "status"
        ]
    );
    assert_eq!(
        (&command["status"], &command["station"]),
        (&"queued".into(), &"CP-1".into())
    );
    assert_eq!(command["created_at"], "2026-11-20T12:00:00.000Z");
    let path = format!("/api/v1/commands/{}", command["id"].as_str().unwrap());
    assert_eq!(key.get(&path).await.json(), command);
    assert_eq!(
        key.get("/api/v1/commands?station=CP-1").await.json()["items"],
        json!([command])
    );
    let mut db = portal.db.pool.acquire().await.unwrap();
    let now = portal.clock.now();
    let claimed = commands::claim(&mut db, charged.station_id, "m", "node", now)
        .await
        .unwrap();
    assert_eq!(
        claimed.unwrap().payload,
        r#"{"idTag": "A",  "connectorId": 1}"#
    );
}

#[tokio::test]
async fn a_payload_that_fails_the_check_makes_no_row() {
    let portal = Portal::start().await;
    let charged = data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    for (body, place, value) in [
        (
            json!({"action": "Reset", "payload": {"type": "Warm"}}),
            "/payload/type",
            "Warm",
        ),
        (
            json!({"action": "Reset", "payload": {}}),
            "/payload/type",
            "missing",
        ),
        (
            json!({"action": "RemoteStartTransaction", "payload": {"idTag": 5}}),
            "/payload/idTag",
            "5",
        ),
        (
            json!({"action": "RemoteStopTransaction", "payload": {"transactionId": 1, "x": 1}}),
            "/payload/x",
            "",
        ),
        (
            json!({"action": "BootNotification", "payload": {}}),
            "/action",
            "BootNotification",
        ),
        (
            json!({"action": "Explode", "payload": {}}),
            "/action",
            "Explode",
        ),
        (json!({"action": "Reset"}), "", "payload"),
        (
            json!({"action": "Reset", "payload": {"type": "Soft"}, "extra": 1}),
            "",
            "extra",
        ),
    ] {
        complains(&key.json(Method::POST, COMMANDS, &body).await, place, value);
    }
    complains(
        &key.json(Method::POST, &format!("{COMMANDS}?wait=61"), &json!({}))
            .await,
        "wait",
        "61",
    );
    assert_eq!(key.get("/api/v1/commands").await.json()["items"], json!([]));

    let raw = json!({"action": "Explode", "payload": {"when": "now"}});
    let sent = key
        .json(Method::POST, &format!("{COMMANDS}?raw=1"), &raw)
        .await;
    assert_eq!(sent.status, StatusCode::ACCEPTED);
    let mut db = portal.db.pool.acquire().await.unwrap();
    let entity = format!("station/{}", charged.station_id);
    let audited = audit::of(&mut db, &entity, 10).await.unwrap();
    assert_eq!(
        (audited[0].action.as_str(), &audited[0].detail["action"]),
        ("command.raw", &"Explode".into())
    );
    let nowhere = key
        .json(Method::POST, "/api/v1/stations/CP-9/commands", &raw)
        .await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

/// Plays the csms: takes the command that is queued and ends it.
async fn play_station(portal: &Portal, station_id: uuid::Uuid, outcome: commands::Outcome) {
    let mut db = portal.db.pool.acquire().await.unwrap();
    let mut bell = store::bell::Bell::hang(&portal.db.pool, &[commands::QUEUED_CHANNEL])
        .await
        .unwrap();
    let now = portal.clock.now();
    let claimed = loop {
        if let Some(claimed) = commands::claim(&mut db, station_id, "m", "node", now)
            .await
            .unwrap()
        {
            break claimed;
        }
        bell.next().await.unwrap();
    };
    let ended = commands::Ended {
        id: claimed.id,
        station_id,
        message_id: "m",
        action: &claimed.action,
        payload: &claimed.payload,
        sent_at: now,
        outcome: &outcome,
    };
    commands::end(&mut db, &ended, now).await.unwrap();
}

#[tokio::test]
async fn waiting_answers_what_the_station_answered() {
    let portal = Portal::start().await;
    let charged = data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    let reset = json!({"action": "Reset", "payload": {"type": "Soft"}});
    let path = format!("{COMMANDS}?wait=30");
    let answered = commands::Outcome::Answered(r#"{"status":  "Accepted"}"#.to_owned());
    let (answer, ()) = tokio::join!(
        key.json(Method::POST, &path, &reset),
        play_station(&portal, charged.station_id, answered)
    );
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(
        answer.body.contains(r#""answer":{"status":  "Accepted"}"#),
        "{}",
        answer.body
    );

    let error = commands::Outcome::Error {
        code: "NotSupported".to_owned(),
        description: "no".to_owned(),
    };
    let (answer, ()) = tokio::join!(
        key.json(Method::POST, &path, &reset),
        play_station(&portal, charged.station_id, error)
    );
    assert_eq!(answer.status, StatusCode::OK);
    let command = answer.json();
    assert_eq!(
        (&command["status"], &command["error"]),
        (
            &"error".into(),
            &json!({"code": "NotSupported", "description": "no"})
        )
    );

    let (answer, ()) = tokio::join!(
        key.json(Method::POST, &path, &reset),
        play_station(&portal, charged.station_id, commands::Outcome::Timeout)
    );
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (StatusCode::ACCEPTED, &"timeout".into())
    );
    let nobody = key
        .json(Method::POST, &format!("{COMMANDS}?wait=1"), &reset)
        .await;
    assert_eq!(
        (nobody.status, &nobody.json()["status"]),
        (StatusCode::ACCEPTED, &"queued".into())
    );
}

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
