//! Commands to many stations as one task, and commands that are taken back or ordered again.

use axum::http::{Method, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};
use store::commands::{self, Claimed, Ended, Outcome};
use uuid::Uuid;

use crate::{
    data,
    harness::{BOTH, Browser, Portal, complains},
};

const TASKS: &str = "/api/v1/tasks";

/// Plays the csms for one command of a station.
async fn answer(portal: &Portal, station_id: Uuid, outcome: Outcome) -> Claimed {
    let (mut db, now) = (portal.db.pool.acquire().await.unwrap(), portal.clock.now());
    let claimed = commands::claim(&mut db, station_id, "m", "node", now);
    let claimed = claimed.await.unwrap().unwrap();
    let ended = Ended {
        id: claimed.id,
        station_id,
        message_id: "m",
        action: &claimed.action,
        payload: &claimed.payload,
        sent_at: now,
        outcome: &outcome,
    };
    assert!(commands::end(&mut db, &ended, now).await.unwrap());
    claimed
}

async fn queued(key: &Browser<'_>, body: &Value) -> Value {
    let path = "/api/v1/stations/CP-1/commands";
    let answer = key.json(Method::POST, path, body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    answer.json()
}

#[tokio::test]
async fn a_task_counts_what_its_stations_say() {
    let portal = Portal::start().await;
    let site = portal.site("Town").await;
    let mut stations = Vec::new();
    for number in 1..=4 {
        let identity = format!("CP-{number}");
        stations.push(
            data::charged(&portal, Some(site), &identity, number)
                .await
                .station_id,
        );
    }
    let key = portal.key(BOTH, &[]).await;
    let reset = json!({"action": "Reset", "payload": {"type": "Soft"}, "site": "Town", "expires_in": 3600,
        "filter": {"model": "VW-22", "connected": true}});
    let made = key.json(Method::POST, TASKS, &reset).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
    let made = made.json();
    assert_eq!(
        (&made["stations"], &made["queued"], &made["done"]),
        (&json!(4), &json!(4), &json!(0))
    );
    assert_eq!(made["expires_at"], "2026-11-20T13:00:00.000Z");
    assert_eq!(made["actor"], json!({"kind": "api_key", "name": "test"}));

    answer(
        &portal,
        stations[0],
        Outcome::Answered(r#"{"status":"Accepted"}"#.to_owned()),
    )
    .await;
    answer(
        &portal,
        stations[1],
        Outcome::Answered(r#"{"status":"Rejected"}"#.to_owned()),
    )
    .await;
    answer(&portal, stations[2], Outcome::Timeout).await;
    let path = format!("{TASKS}/{}", made["id"].as_str().unwrap());
    let now = key.get(&path).await.json();
    for (name, count) in [
        ("done", 3),
        ("agreed", 1),
        ("refused", 1),
        ("failed", 1),
        ("queued", 1),
    ] {
        assert_eq!(now[name], count, "{name} of {now}");
    }
    assert_eq!(key.get(TASKS).await.json()["items"], json!([now]));
    // What is still queued is taken back; what was sent is as it was.
    let cancelled = key
        .json(Method::POST, &format!("{path}/cancel"), &json!({}))
        .await
        .json();
    assert_eq!(
        (&cancelled["cancelled"], &cancelled["done"]),
        (&json!(1), &json!(4))
    );
    assert_eq!(cancelled["cancelled_at"], "2026-11-20T12:00:00.000Z");

    let csv = key.get(&format!("{path}/csv")).await;
    assert_eq!(csv.header("content-type"), "text/csv; charset=utf-8");
    let lines: Vec<&str> = csv.body.lines().collect();
    assert_eq!(lines.len(), 5, "{}", csv.body);
    assert!(
        lines[0].starts_with("Station,Status,Verdict,Error code"),
        "{}",
        lines[0]
    );
    for line in [
        "CP-1,answered,Accepted,",
        "CP-2,answered,Rejected,",
        "CP-3,timeout,,",
        "CP-4,cancelled,,",
    ] {
        assert!(
            lines.iter().any(|found| found.starts_with(line)),
            "{line} in {}",
            csv.body
        );
    }
}

#[tokio::test]
async fn a_task_that_cannot_be_for_all_its_stations_is_for_none() {
    let portal = Portal::start().await;
    let (north, south) = (portal.site("North").await, portal.site("South").await);
    data::charged(&portal, Some(north), "CP-N", 1).await;
    data::charged(&portal, Some(south), "CP-S", 2).await;
    let (all, key) = (
        portal.key(BOTH, &[]).await,
        portal.key(BOTH, &[north]).await,
    );
    let reset = |stations: Value| json!({"action": "Reset", "payload": {"type": "Soft"}, "stations": stations});
    for foreign in [json!(["CP-N", "CP-S"]), json!(["CP-N", "CP-X"])] {
        let refused = key.json(Method::POST, TASKS, &reset(foreign)).await;
        assert_eq!(refused.status, StatusCode::NOT_FOUND, "{}", refused.body);
    }
    for (body, place, value) in [
        (reset(json!([])), "/stations", "no station"),
        (
            json!({"action": "Reset", "payload": {"type": "Warm"}, "stations": ["CP-N"]}),
            "/payload/type",
            "Warm",
        ),
        (
            json!({"action": "Reset", "payload": {"type": "Soft"}}),
            "/stations",
            "site",
        ),
        (
            json!({"action": "Reset", "payload": {"type": "Soft"}, "site": "South"}),
            "/site",
            "South",
        ),
        (
            json!({"action": "Reset", "payload": {"type": "Soft"}, "stations": ["CP-N"], "expires_in": 0}),
            "/expires_in",
            "0",
        ),
        (
            json!({"action": "ChangeConfiguration", "payload": {"key": "AuthorizationKey", "value": "0123456789abcdef"}, "stations": ["CP-N"]}),
            "/payload",
            "secret",
        ),
    ] {
        complains(&key.json(Method::POST, TASKS, &body).await, place, value);
    }
    assert_eq!(all.get("/api/v1/commands").await.json()["items"], json!([]));
    assert_eq!(all.get(TASKS).await.json()["items"], json!([]));
    // A task over both is seen by whoever sees both.
    let made = all
        .json(Method::POST, TASKS, &reset(json!(["cp-n", "CP-S"])))
        .await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
    let path = format!("{TASKS}/{}", made.json()["id"].as_str().unwrap());
    assert_eq!(key.get(&path).await.status, StatusCode::NOT_FOUND);
    let both = portal.key(BOTH, &[north, south]).await;
    assert_eq!(both.get(&path).await.json()["stations"], 2);
}

#[tokio::test]
async fn a_queued_command_is_cancelled_and_any_is_run_again() {
    let portal = Portal::start().await;
    let charged = data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    let asked = json!({"action": "Reset", "payload": {"type": "Soft"}, "expires_in": 86400});
    let first = queued(&key, &asked).await;
    assert_eq!(first["expires_at"], "2026-11-21T12:00:00.000Z");
    assert_eq!(first["awaits"], "BootNotification");
    let path = format!("/api/v1/commands/{}", first["id"].as_str().unwrap());
    let cancelled = key
        .json(Method::POST, &format!("{path}/cancel"), &json!({}))
        .await;
    assert_eq!(cancelled.json()["status"], "cancelled");
    let twice = key
        .json(Method::POST, &format!("{path}/cancel"), &json!({}))
        .await;
    assert_eq!(twice.status, StatusCode::CONFLICT, "{}", twice.body);
    let (mut db, now) = (portal.db.pool.acquire().await.unwrap(), portal.clock.now());
    let claimed = commands::claim(&mut db, charged.station_id, "m", "node", now)
        .await
        .unwrap();
    assert_eq!(claimed, None, "it is never sent");

    let again = key
        .json(Method::POST, &format!("{path}/rerun"), &json!({}))
        .await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.body);
    let again = again.json();
    assert_eq!(
        (&again["rerun_of"], &again["payload"]),
        (&first["id"], &first["payload"])
    );
    assert_eq!(again["expires_at"], first["expires_at"]);
    answer(
        &portal,
        charged.station_id,
        Outcome::Answered("{}".to_owned()),
    )
    .await;

    let secret = json!({"action": "ChangeConfiguration", "payload": {"key": "AuthorizationKey", "value": "00aa".repeat(8)}});
    let secret = queued(&key, &secret).await;
    assert_eq!(secret["payload"]["value"], "***");
    let path = format!("/api/v1/commands/{}", secret["id"].as_str().unwrap());
    let lost = key
        .json(Method::POST, &format!("{path}/rerun"), &json!({}))
        .await;
    assert_eq!(lost.status, StatusCode::CONFLICT, "{}", lost.body);
    key.json(Method::POST, &format!("{path}/cancel"), &json!({}))
        .await;
    assert_eq!(portal.db.tables_with("00aa").await, [""; 0]);

    let too_long = json!({"action": "Reset", "payload": {"type": "Soft"}, "expires_in": TimeDelta::days(31).num_seconds()});
    let refused = key
        .json(Method::POST, "/api/v1/stations/CP-1/commands", &too_long)
        .await;
    complains(&refused, "/expires_in", "2678400");
}
