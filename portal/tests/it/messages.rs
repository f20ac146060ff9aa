//! `/messages`: filters in the URL, one message by its link, the file.

use axum::http::StatusCode;
use chrono::{DateTime, TimeDelta, Utc};
use store::{
    ids,
    ingest::{Direction, Effect, MessageRow},
    people::Role,
};
use uuid::Uuid;

use crate::{
    harness::Portal,
    support::{Fleet, town},
};

/// Messages of two stations; answers the id of the first, which a CALLERROR answered.
async fn said(fleet: &mut Fleet<'_>) -> Uuid {
    town(fleet).await;
    let mut db = store::Scope::All.begin(fleet.pool).await.unwrap();
    let mut first = None;
    for (n, (station, direction, action, error, findings)) in [
        (
            "HQ-DC-01",
            Direction::In,
            "StartTransaction",
            Some("FormationViolation"),
            None,
        ),
        (
            "HQ-DC-01",
            Direction::In,
            "StatusNotification",
            None,
            Some("connectorId was text; errorCode is unknown"),
        ),
        ("HQ-DC-01", Direction::Out, "Reset", None, None),
        ("WG-AC-01", Direction::In, "BootNotification", None, None),
    ]
    .into_iter()
    .enumerate()
    {
        let station = store::stations_read::get(&mut db, station)
            .await
            .unwrap()
            .unwrap();
        let at: DateTime<Utc> = fleet.now - TimeDelta::minutes(30 - i64::try_from(n).unwrap());
        let id = ids::new_id(at);
        first.get_or_insert(id);
        let row = MessageRow {
            id,
            received_at: at,
            station_id: station.id,
            direction,
            message_id: format!("m-{n}"),
            action: action.to_owned(),
            payload: format!(r#"{{"n":{n},"note":"<b>{action}</b>"}}"#),
            answer: error
                .is_none()
                .then(|| r#"{"status":"Accepted"}"#.to_owned()),
            error_code: error.map(str::to_owned),
            answered_at: Some(at + TimeDelta::milliseconds(42)),
            findings: findings.map(str::to_owned),
        };
        fleet
            .commit(Effect {
                messages: vec![row],
                ..Effect::default()
            })
            .await;
    }
    first.unwrap()
}

#[tokio::test]
async fn messages_are_found_by_what_the_url_says_and_the_file_holds_the_same() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    said(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let all = ["m-0", "m-1", "m-2", "m-3"];
    for (query, shown) in [
        ("", all.to_vec()),
        ("?station=hq-dc-01", vec!["m-0", "m-1", "m-2"]),
        ("?action=reset", vec!["m-2"]),
        ("?direction=out", vec!["m-2"]),
        ("?errors=1", vec!["m-0"]),
        ("?findings=1", vec!["m-1"]),
        ("?id=m-3", vec!["m-3"]),
        ("?q=bootNOTIFICATION", vec!["m-3"]),
        ("?from=2026-11-20T11:31&to=2026-11-20T11:32", vec!["m-1"]),
    ] {
        let page = admin.get(&format!("/messages{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        let found =
            |text: &str| -> Vec<&str> { all.into_iter().filter(|id| text.contains(id)).collect() };
        let list = page.body.split("<tbody>").nth(1).unwrap_or_default();
        assert_eq!(found(list), shown, "{query}: {}", page.body);
        let file = admin.get(&format!("/messages.jsonl{query}")).await;
        assert_eq!(file.body.lines().count(), shown.len(), "{query}");
        assert_eq!(found(&file.body), shown, "{query}");
    }
    for (query, named) in [
        ("?direction=up", "direction"),
        ("?errors=maybe", "errors"),
        ("?after=1", "after"),
    ] {
        let page = admin.get(&format!("/messages{query}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(page.body.contains(named), "{}", page.body);
    }
    let paused = admin.get("/messages?pause=1").await;
    assert!(
        !paused.body.contains("sse-connect=\"/events"),
        "{}",
        paused.body
    );
    let tab = admin.get("/stations/WG-AC-01/messages").await;
    assert!(
        tab.body.contains("m-3") && !tab.body.contains("m-0"),
        "{}",
        tab.body
    );
}

#[tokio::test]
async fn one_message_has_a_link_and_shows_what_is_odd_and_what_was_said_around_it() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let first = said(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let page = admin.get(&format!("/messages/{first}")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    for said in [
        "FormationViolation",
        "m-0",
        "after 42 ms",
        "request/connectorId: missing",
        "&#60;b&#62;StartTransaction",
        ">StatusNotification</a>",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    let unknown = ids::new_id(portal.clock.now());
    for id in [unknown.to_string(), "x".to_owned(), Uuid::nil().to_string()] {
        let none = admin.get(&format!("/messages/{id}")).await;
        assert_eq!(none.status, StatusCode::NOT_FOUND, "{id}");
    }
}

#[tokio::test]
async fn who_sees_one_site_sees_its_messages_alone_and_a_partner_none() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let first = said(&mut fleet).await;
    let sites = {
        let mut db = store::Scope::All.begin(fleet.pool).await.unwrap();
        store::sites::list(&mut db).await.unwrap()
    };
    let mall = sites
        .iter()
        .find(|site| site.name == "Westgate Mall")
        .unwrap()
        .id;
    let operator = portal
        .signed_in("o@example.org", Role::Operator, &[mall])
        .await;
    let file = operator.get("/messages.jsonl").await;
    assert!(
        file.body.contains("m-3") && !file.body.contains("HQ-DC-01"),
        "{}",
        file.body
    );
    let others = operator.get(&format!("/messages/{first}")).await;
    assert_eq!(others.status, StatusCode::NOT_FOUND);
    let partner = portal
        .signed_in("p@example.org", Role::Partner, &[mall])
        .await;
    for path in ["/messages", "/messages.jsonl"] {
        assert_eq!(
            partner.get(path).await.status,
            StatusCode::FORBIDDEN,
            "{path}"
        );
    }
    assert!(!partner.get("/").await.body.contains("href=\"/messages\""));
}
