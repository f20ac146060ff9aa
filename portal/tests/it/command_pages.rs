//! Commands by form: of one station, and of many as a task.

use std::time::Duration;

use axum::http::StatusCode;
use chrono::TimeDelta;
use ocpp::{Version, schema};
use serde_json::{Value, json};
use store::{commands::NewCommand, people::Role};

use crate::{
    data,
    harness::{Browser, Portal},
};

const PAGE: &str = "/stations/CP-1/commands";

async fn commands(who: &Browser<'_>) -> Vec<Value> {
    let found = who.get("/api/v1/commands").await.json();
    found["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn each_action_has_a_form_with_its_fields() {
    let portal = Portal::start().await;
    data::charged(&portal, None, "CP-1", 1).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let first = admin.get(PAGE).await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let mut count = 0;
    for message in schema::commands(Version::V16) {
        count += 1;
        assert!(
            first
                .body
                .contains(&format!("<option value=\"{}\"", message.action))
        );
        let page = admin
            .get(&format!("{PAGE}?_action={}", message.action))
            .await;
        assert_eq!(page.status, StatusCode::OK, "{}", message.action);
        for field in message.request {
            let named = page.body.contains(&format!("name=\"{}\"", field.name))
                || page.body.contains(&format!("name=\"{}.", field.name));
            assert!(
                named,
                "{} has no {}: {}",
                message.action, field.name, page.body
            );
        }
        let raw = admin
            .get(&format!("{PAGE}?_action={}&_raw=yes", message.action))
            .await;
        assert!(raw.body.contains("name=\"_payload\""), "{}", raw.body);
    }
    assert_eq!(count, 26);
    let reset = admin
        .get(&format!("{PAGE}?_action=Reset&type=Soft"))
        .await
        .body;
    assert!(
        reset.contains("<option value=\"Soft\" selected>Soft</option>"),
        "{reset}"
    );
}

#[tokio::test]
async fn a_form_is_sent_asked_twice_or_shown_again_with_what_is_wrong() {
    let portal = Portal::start().await;
    let charged = data::charged(&portal, None, "CP-1", 1).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let wrong = admin
        .post(PAGE, "_action=UnlockConnector&connectorId=one")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        wrong.body.contains("id=\"e-connectorId\""),
        "{}",
        wrong.body
    );
    assert!(
        wrong.body.contains("value=\"one\""),
        "as it was typed: {}",
        wrong.body
    );
    let dangerous = admin.post(PAGE, "_action=Reset&type=Hard").await;
    assert_eq!(dangerous.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        dangerous.body.contains("name=\"_confirm\""),
        "{}",
        dangerous.body
    );
    let grown = admin
        .post(
            PAGE,
            "_action=SendLocalList&localAuthorizationList.0.idTag=A&_more=localAuthorizationList",
        )
        .await;
    assert!(
        grown.body.contains("localAuthorizationList.1.idTag"),
        "{}",
        grown.body
    );
    assert!(commands(&admin).await.is_empty());

    for body in [
        "_action=Reset&type=Hard&_confirm=yes&_expires_in=86400",
        "_action=Explode&_raw=yes&_payload=%7B%22when%22%3A%22now%22%7D",
    ] {
        let sent = admin.post(PAGE, body).await;
        assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
        assert_eq!(sent.header("location"), PAGE);
        // Of two that are queued in one instant, either may be the first.
        portal.clock.advance(Duration::from_secs(1));
    }
    let queued = commands(&admin).await;
    assert_eq!(queued.len(), 2);
    let reset = queued
        .iter()
        .find(|command| command["action"] == "Reset")
        .unwrap();
    assert_eq!(reset["payload"], json!({"type": "Hard"}));
    assert_eq!(reset["expires_at"], "2026-11-21T12:00:00.000Z");

    // The station answers; the tab shows what it said and what is waited for.
    let (mut db, now) = (portal.db.pool.acquire().await.unwrap(), portal.clock.now());
    let claimed = store::commands::claim(&mut db, charged.station_id, "m", "node", now)
        .await
        .unwrap()
        .unwrap();
    let outcome = store::commands::Outcome::Answered(r#"{"status":"Accepted"}"#.to_owned());
    let ended = store::commands::Ended {
        id: claimed.id,
        station_id: charged.station_id,
        message_id: "m",
        action: &claimed.action,
        payload: &claimed.payload,
        sent_at: now,
        outcome: &outcome,
    };
    store::commands::end(&mut db, &ended, now).await.unwrap();
    let page = admin.get(PAGE).await.body;
    for said in [
        "Answered",
        "Accepted",
        "waits for BootNotification",
        "a@example.org",
        "Queued",
        "Explode",
    ] {
        assert!(page.contains(said), "no {said}: {page}");
    }
    let id = |action: &str| {
        let command = queued
            .iter()
            .find(|command| command["action"] == action)
            .unwrap();
        command["id"].as_str().unwrap().to_owned()
    };
    let cancelled = admin
        .post(&format!("/commands/{}/cancel", id("Explode")), "")
        .await;
    assert_eq!(cancelled.header("location"), PAGE, "{}", cancelled.body);
    let again = admin
        .post(&format!("/commands/{}/rerun", id("Reset")), "")
        .await;
    assert_eq!(again.status, StatusCode::SEE_OTHER, "{}", again.body);
    let statuses: Vec<Value> = commands(&admin)
        .await
        .iter()
        .map(|command| command["status"].clone())
        .collect();
    assert!(
        statuses.contains(&json!("cancelled")) && statuses.contains(&json!("queued")),
        "{statuses:?}"
    );
}

#[tokio::test]
async fn who_may_only_look_sees_no_form() {
    let portal = Portal::start().await;
    let site = portal.site("Town").await;
    data::charged(&portal, Some(site), "CP-1", 1).await;
    let who = portal.signed_in("v@example.org", Role::Operator, &[]).await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    let user = store::people::find(&mut db, "v@example.org")
        .await
        .unwrap()
        .unwrap();
    let now = portal.clock.now();
    store::people::join(&mut db, user.id, site, store::people::SiteRole::Viewer, now)
        .await
        .unwrap();
    let page = who.get(&format!("{PAGE}?_action=Reset")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    assert!(!page.body.contains("name=\"type\""), "{}", page.body);
    let sent = who.post(PAGE, "_action=Reset&type=Soft").await;
    assert_eq!(sent.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_task_is_made_by_form_watched_and_cancelled() {
    let portal = Portal::start().await;
    let site = portal.site("Town").await;
    for number in 1..=3 {
        data::charged(&portal, Some(site), &format!("CP-{number}"), number).await;
    }
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    assert!(admin.get("/tasks").await.body.contains("No task yet"));
    let form = admin
        .get("/tasks/new?_action=ClearCache&_station=CP-2")
        .await
        .body;
    assert!(form.contains("value=\"CP-2\" checked"), "{form}");
    for (body, said) in [
        ("_action=Reset&type=Soft", "no station is chosen"),
        ("_action=Reset&type=Warm&_station=CP-1", "Warm"),
        ("_action=ClearCache&_station=CP-1", "_confirm"),
        (
            "_action=Reset&type=Soft&_model=Nothing",
            "no station is meant",
        ),
    ] {
        let again = admin.post("/tasks", body).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}");
        assert!(again.body.contains(said), "no {said}: {}", again.body);
    }
    assert!(commands(&admin).await.is_empty());
    let made = admin
        .post("/tasks", &format!("_action=Reset&type=Soft&_site={site}"))
        .await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let path = made.header("location").to_owned();
    let page = admin.get(&path).await.body;
    for said in [
        "0 / 3",
        "CP-1",
        "CP-3",
        "topics=task",
        "results.csv",
        "Cancel what is queued",
    ] {
        assert!(page.contains(said), "no {said}: {page}");
    }
    let csv = admin.get(&format!("{path}/results.csv")).await;
    assert_eq!(csv.body.lines().count(), 4, "{}", csv.body);
    let cancelled = admin.post(&format!("{path}/cancel"), "").await;
    assert_eq!(cancelled.header("location"), path);
    assert!(admin.get(&path).await.body.contains("3 / 3"));
    assert!(admin.get("/tasks").await.body.contains("Cancelled"));
}

#[tokio::test]
async fn a_command_that_was_made_to_fit_tells_what_was_ordered_and_what_was_sent() {
    let portal = Portal::start().await;
    let station = data::charged(&portal, None, "CP-1", 1).await.station_id;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let now = portal.clock.now();
    let (ordered, sent) = (r#"{"limit":11000}"#, r#"{"limit":15.9}"#);
    let new = NewCommand {
        station_id: station,
        site_id: None,
        action: "SetChargingProfile",
        payload: ordered,
        raw: false,
        actor_kind: "cli",
        actor_id: None,
        expires_at: now + TimeDelta::minutes(5),
        rerun_of: None,
        task_id: None,
    };
    let mut db = portal.db.pool.acquire().await.unwrap();
    let id = store::commands::queue(&mut db, &new, now).await.unwrap();
    let plain = &commands(&admin).await[0];
    assert_eq!(
        (&plain["ordered_payload"], &plain["adapted"]),
        (&Value::Null, &Value::Null)
    );
    let claimed = store::commands::claim(&mut db, station, "m", "node", now);
    assert_eq!(claimed.await.unwrap().unwrap().id, id);
    store::commands::adapt(&mut db, id, sent, "amperes instead of watts")
        .await
        .unwrap();
    let told = &commands(&admin).await[0];
    assert_eq!(told["payload"], json!({"limit": 15.9}));
    assert_eq!(told["ordered_payload"], json!({"limit": 11000}));
    assert_eq!(told["adapted"], "amperes instead of watts");
    let page = admin.get(PAGE).await.body;
    for said in [
        "adapted to the station: amperes instead of watts",
        "15.9",
        "11000",
    ] {
        assert!(page.contains(said), "no {said}: {page}");
    }
}

#[tokio::test]
async fn stations_are_picked_in_their_list_and_a_task_begins_for_them() {
    let portal = Portal::start().await;
    let (ours, theirs) = (portal.site("Ours").await, portal.site("Theirs").await);
    for (number, site) in [(1, ours), (2, ours), (3, theirs)] {
        data::charged(&portal, Some(site), &format!("CP-{number}"), number).await;
    }
    let who = portal
        .signed_in("n@example.org", Role::Operator, &[ours])
        .await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    let user = store::people::find(&mut db, "n@example.org")
        .await
        .unwrap()
        .unwrap();
    let (viewer, now) = (store::people::SiteRole::Viewer, portal.clock.now());
    store::people::join(&mut db, user.id, theirs, viewer, now)
        .await
        .unwrap();
    let boxes = |page: &str| page.matches("form=\"pick\"").count();
    let page = who.get("/stations").await.body;
    assert_eq!(boxes(&page), 2, "of stations that are theirs to command");
    assert!(
        page.contains("CP-3") && !page.contains(" checked>"),
        "{page}"
    );
    assert!(page.contains("href=\"/stations?tick=all\""), "{page}");
    let all = who.get("/stations?tick=all").await.body;
    assert_eq!(all.matches(" checked>").count(), 2, "{all}");
    let some = who.get("/stations?tick=some").await;
    assert_eq!(some.status, StatusCode::BAD_REQUEST);

    // What the list's form sends, and what the next page's does.
    let chooser = who.get("/tasks/new?_station=CP-1&_station=CP-2").await.body;
    assert!(chooser.contains("For 2 stations: CP-1, CP-2."), "{chooser}");
    for station in ["CP-1", "CP-2"] {
        let kept = format!("<input type=\"hidden\" name=\"_station\" value=\"{station}\">");
        assert!(chooser.contains(&kept), "{chooser}");
    }
    let form = who
        .get("/tasks/new?_action=Reset&_station=CP-1&_station=CP-2")
        .await
        .body;
    assert!(form.contains("2 chosen"), "{form}");
    assert_eq!(form.matches(" checked>").count(), 2, "{form}");
    let body = "_action=Reset&type=Soft&_station=CP-1&_station=CP-2";
    let made = who.post("/tasks", body).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let task = who.get(made.header("location")).await.body;
    assert!(task.contains("0 / 2"), "{task}");
}
