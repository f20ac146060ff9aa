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
    let secret = json!({"action": "ChangeConfiguration", "payload": {"key": "AuthorizationKey", "value": "00bb".repeat(8)}});
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
        json!({"connector 1": "Available"})
    );
    assert_eq!(
        of("ChangeAvailability").detail["after"],
        json!({"connector 1": "Inoperative"})
    );
    let firmware = &of("UpdateFirmware").detail;
    assert_eq!(firmware["before"], json!({"firmware": "1.0"}));
    let secret_key = &of("ChangeConfiguration").detail;
    assert_eq!(secret_key["payload"]["value"], "***");
    assert_eq!(
        (&secret_key["before"], &secret_key["after"]),
        (
            &json!({"AuthorizationKey": "none"}),
            &json!({"AuthorizationKey": "a new one"})
        )
    );
    assert_eq!(of("Reset").detail["before"], json!(null));
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

/// What was kept is told with every way to change it: by command, by task, by a new password; secrets never are.
#[tokio::test]
async fn an_order_is_written_down_with_what_it_changes() {
    let portal = Portal::start().await;
    let charged = data::charged(&portal, None, "CP-1", 1).await;
    let (station, now) = (charged.station_id, portal.clock.now());
    let mut db = portal.db.pool.acquire().await.unwrap();
    data::heartbeat_is_known(&mut db, station, now).await;
    let schedule = json!({"chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]});
    let profile = data::profile_is_set(&mut db, station, (3, schedule), now).await;
    let key = portal.key(BOTH, &[]).await;
    let set = json!({"key": "heartbeatinterval", "value": "60"});
    let list = json!({"listVersion": 7, "updateType": "Full", "localAuthorizationList": [
        {"idTag": "A", "idTagInfo": {"status": "Accepted"}}]});
    let for_one_charge = json!({"chargingProfileId": 9, "stackLevel": 0, "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Relative", "chargingSchedule": {"chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 6.0}]}});
    for (action, payload) in [
        ("ChangeConfiguration", set.clone()),
        ("SendLocalList", list),
        ("ClearChargingProfile", json!({"id": 3})),
        (
            "RemoteStartTransaction",
            json!({"idTag": "A", "connectorId": 1, "chargingProfile": for_one_charge}),
        ),
        (
            "CertificateSigned",
            json!({"certificateChain": "-----BEGIN CERTIFICATE-----\nAAEC\n-----END CERTIFICATE-----\n"}),
        ),
    ] {
        let asked = json!({"action": action, "payload": payload});
        let queued = key
            .json(Method::POST, "/api/v1/stations/CP-1/commands", &asked)
            .await;
        assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.body);
    }
    let task = json!({"action": "ChangeConfiguration", "payload": set, "stations": ["CP-1"]});
    key.json(Method::POST, "/api/v1/tasks", &task).await;
    let rotate = "/api/v1/stations/CP-1/credentials/rotate";
    let given = json!({"password": "fedcba9876543210"});
    key.json(Method::POST, rotate, &given).await;

    let entries = audit::of(&mut db, &format!("station/{station}"), 20)
        .await
        .unwrap();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (&entry.detail["before"], &entry.detail["after"]))
        .collect();
    let interval = (
        json!({"heartbeatinterval": "300"}),
        json!({"heartbeatinterval": "60"}),
    );
    let count = told
        .iter()
        .filter(|told| (told.0, told.1) == (&interval.0, &interval.1))
        .count();
    assert_eq!(count, 2, "by command and by task: {told:?}");
    for (before, after) in [
        (
            json!({"version": 0, "tokens": 0}),
            json!({"version": 7, "tokens": 1}),
        ),
        (json!({"profile 3": profile}), json!({"profile 3": null})),
        (
            json!({"profile 9": null}),
            json!({"profile 9": for_one_charge}),
        ),
        (
            json!({"certificate of the station": null}),
            json!({"certificate of the station":
                "ae4b3280e56e2faf83f414a6e3dabe9d5fbe18976544c05fed121accb85b53fc"}),
        ),
        (
            json!({"password": "none"}),
            json!({"password": "a new one"}),
        ),
    ] {
        assert!(told.contains(&(&before, &after)), "{before} in {told:?}");
    }
    let written = format!("{entries:?}").to_lowercase();
    for secret in ["fedcba9876543210", &hex::encode("fedcba9876543210")] {
        assert!(!written.contains(secret), "{written}");
    }
}
