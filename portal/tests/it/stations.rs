//! `/stations`: live states, filters in the URL, who was refused.

use axum::http::{Method, StatusCode};
use serde_json::json;
use store::{
    people::Role,
    presence::{self, Seen},
};

use crate::{
    data,
    harness::{BOTH, Portal},
    support::{Fleet, town},
};

#[tokio::test]
async fn stations_are_filtered_by_what_the_url_says() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let (mall, all) = (
        format!("?site={}", town.mall),
        [
            "HQ-AC-11", "HQ-DC-01", "HQ-DC-02", "WG-AC-01", "WG-AC-02", "WG-AC-03",
        ],
    );
    for (query, shown) in [
        ("", all.to_vec()),
        ("?q=alpitronic", vec!["HQ-DC-01", "HQ-DC-02"]),
        ("?q=hq-ac", vec!["HQ-AC-11"]),
        ("?state=faulted", vec!["HQ-DC-02"]),
        ("?state=Offline", vec!["WG-AC-03"]),
        ("?state=Charging", vec!["HQ-AC-11", "HQ-DC-01", "WG-AC-02"]),
        (mall.as_str(), vec!["WG-AC-01", "WG-AC-02", "WG-AC-03"]),
        ("?q=&state=&unknown=1", all.to_vec()),
        ("?after=HQ-DC-02", vec!["WG-AC-01", "WG-AC-02", "WG-AC-03"]),
    ] {
        let page = admin.get(&format!("/stations{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        let found: Vec<&str> = all
            .into_iter()
            .filter(|station| page.body.contains(&format!("\"/stations/{station}\">")))
            .collect();
        assert_eq!(found, shown, "{query}");
    }
    let none = admin.get("/stations?q=%3Cscript%3E&state=Reserved").await;
    assert!(none.body.contains("No station matches"), "{}", none.body);
    assert!(!none.body.contains("<script>"), "{}", none.body);

    let page = admin.get("/stations").await;
    for said in [
        "was Available",
        "unknown station",
        "RCD tripped",
        "117.4",
        "Terra AC W22",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    let mall = portal
        .signed_in("m@example.org", Role::Operator, &[town.mall])
        .await;
    let page = mall.get("/stations").await;
    assert!(
        !page.body.contains("HQ-") && !page.body.contains("CP-UNKNOWN-7"),
        "{}",
        page.body
    );
}

#[tokio::test]
async fn a_state_that_is_none_is_named() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let long = format!("?q={}", "x".repeat(101));
    for (query, named) in [
        ("?state=broken", "state: “broken”"),
        ("?site=Mall", "site: “Mall”"),
        (long.as_str(), "q: “xxx"),
    ] {
        let page = admin.get(&format!("/stations{query}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        assert!(page.body.contains(named), "{}", page.body);
    }
}

#[tokio::test]
async fn an_empty_installation_says_how_to_begin() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let page = admin.get("/stations").await;
    assert!(
        page.body.contains("forecourt station add CP-1"),
        "{}",
        page.body
    );
    assert!(page.body.contains("ws://portal.test:9000/ocpp/CP-1"));
}

/// A station is online while its socket is open, and nowhere longer, whatever it said a minute ago.
#[tokio::test]
async fn a_closed_socket_is_offline_on_every_page_and_for_programs() {
    let portal = Portal::start().await;
    let one = data::charged(&portal, None, "CP-1", 1).await.station_id;
    data::charged(&portal, None, "CP-2", 2).await;
    let now = portal.clock.now();
    let mut db = portal.db.pool.acquire().await.unwrap();
    let seen = Seen {
        station_id: one,
        at: now,
        heartbeats: 1,
    };
    presence::seen(&mut db, &[seen]).await.unwrap();
    presence::disconnected(&mut db, &[(one, 1)], now)
        .await
        .unwrap();
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let key = portal.key(BOTH, &[]).await;
    let shown = key.get("/api/v1/stations/CP-1").await.json();
    assert_eq!(
        (&shown["connected"], shown["last_seen_at"].is_string()),
        (&json!(false), true)
    );
    let page = admin.get("/stations/CP-1").await.body;
    assert!(
        page.contains("Offline") && !page.contains("Online"),
        "{page}"
    );
    let page = admin.get("/").await.body;
    assert!(page.contains("1<span class=\"unit\">of 2"), "{page}");
    let page = admin.get("/stations?state=Offline").await.body;
    assert!(
        page.contains("\"/stations/CP-1\">") && !page.contains("\"/stations/CP-2\">"),
        "{page}"
    );
    // A task takes those for connected that the list does.
    for (connected, station) in [(true, "CP-2"), (false, "CP-1")] {
        let reset = json!({"action": "Reset", "payload": {"type": "Soft"}, "filter": {"connected": connected}});
        let made = key.json(Method::POST, "/api/v1/tasks", &reset).await.json();
        assert_eq!(made["stations"], json!(1), "{made}");
        let task = made["id"].as_str().unwrap();
        let ordered = key.get(&format!("/api/v1/commands?task={task}")).await;
        assert_eq!(ordered.json()["items"][0]["station"], station);
    }
}
