//! Who is let in: the buttons beside stations that wait and chargers that were refused.

use axum::http::StatusCode;
use store::{
    audit,
    people::Role,
    stations::{self, NewStation, Registration, StationChange},
};

use crate::{
    data,
    harness::{BOTH, Portal},
    support::{Fleet, town},
};

async fn registration(portal: &Portal, identity: &str) -> Option<(uuid::Uuid, Registration)> {
    let mut db = portal.db.pool.acquire().await.unwrap();
    let found = store::lookup::stations(&mut db, &[identity.to_owned()]).await;
    let station = found.unwrap().remove(0)?;
    Some((station.id, station.registration))
}

#[tokio::test]
async fn a_refused_charger_is_accepted_blocked_or_forgotten() {
    let portal = Portal::start().await;
    let fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    for (identity, reason) in [
        ("NEW 1", "unknown_station"),
        ("NEW-2", "unknown_station"),
        ("NEW-3", "wrong_password"),
    ] {
        fleet.refuse(identity, reason, "see there", 3).await;
    }
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let page = admin.get("/stations").await.body;
    for button in [
        "action=\"/stations/NEW%201/accept\"",
        "action=\"/stations/NEW-2/block\"",
        "action=\"/refusals/NEW-3/forget\"",
        "aria-label=\"Forget NEW-3\"",
    ] {
        assert!(page.contains(button), "no {button}: {page}");
    }
    assert!(
        !page.contains("/stations/NEW-3/accept"),
        "its password is wrong"
    );

    for (path, then) in [
        ("/stations/NEW%201/accept", Some(Registration::Accepted)),
        ("/stations/NEW-2/block", Some(Registration::Rejected)),
        ("/refusals/NEW-3/forget", None),
    ] {
        let done = admin.post(path, "").await;
        assert_eq!(done.status, StatusCode::SEE_OTHER, "{path}: {}", done.body);
        assert_eq!(done.header("location"), "/stations");
        assert!(done.header("set-cookie").starts_with("forecourt-flash="));
        let identity = path.split('/').nth(2).unwrap().replace("%20", " ");
        let now = registration(&portal, &identity).await;
        assert_eq!(now.map(|now| now.1), then, "{identity}");
    }
    let page = admin.get("/stations").await.body;
    assert!(page.contains("Nobody was refused."), "{page}");
    for path in ["/stations/NOBODY/accept", "/refusals/NEW-3/forget"] {
        let nobody = admin.post(path, "").await;
        assert_eq!(nobody.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn a_station_that_waits_is_accepted_and_that_can_be_undone() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let held = admin.post("/stations/wg-ac-01/hold", "").await;
    assert_eq!(held.status, StatusCode::SEE_OTHER, "{}", held.body);
    let page = admin.get("/stations").await.body;
    assert!(page.contains("Registration pending"), "{page}");
    assert!(
        page.contains("/stations/WG-AC-01/accept") && page.contains("/stations/WG-AC-01/block")
    );

    // Whoever runs another site sees no such station; whoever runs this one may decide.
    let harbour = portal
        .signed_in("h@example.org", Role::Operator, &[town.harbour])
        .await;
    let other = harbour.post("/stations/WG-AC-01/accept", "").await;
    assert_eq!(other.status, StatusCode::NOT_FOUND, "{}", other.body);
    let mall = portal
        .signed_in("m@example.org", Role::Operator, &[town.mall])
        .await;
    let accepted = mall.post("/stations/WG-AC-01/accept", "").await;
    assert_eq!(accepted.status, StatusCode::SEE_OTHER, "{}", accepted.body);
    let (id, now) = registration(&portal, "WG-AC-01").await.unwrap();
    assert_eq!(now, Registration::Accepted);
    let cookie = accepted.header("set-cookie");
    let said = cookie.split(['=', ';']).nth(1).unwrap();
    let said = String::from_utf8(hex::decode(said).unwrap()).unwrap();
    assert!(
        said.contains("/stations/WG-AC-01/hold"),
        "the way back: {said}"
    );

    let mut db = portal.db.pool.acquire().await.unwrap();
    let audited = audit::of(&mut db, &format!("station/{id}"), 10)
        .await
        .unwrap();
    let actions: Vec<&str> = audited.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["station.change", "station.change"]);
}

#[tokio::test]
async fn a_station_that_nobody_accepted_is_forgotten_and_one_with_a_past_is_not() {
    let portal = Portal::start().await;
    let charged = data::charged(&portal, None, "OLD", 1).await.station_id;
    let mut db = portal.db.pool.acquire().await.unwrap();
    for identity in ["NEW 1", "NEW-2"] {
        let new = NewStation {
            identity,
            site_id: None,
            registration: Registration::Pending,
            security_profile: 0,
            password_hash: None,
        };
        stations::add(&mut db, &new, portal.clock.now())
            .await
            .unwrap();
    }
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    for page in ["/stations", "/waiting"] {
        let page = admin.get(page).await.body;
        let button = "action=\"/stations/NEW%201/forget\"";
        assert!(page.contains(button), "no {button}: {page}");
        assert!(!page.contains("/stations/OLD/forget"), "{page}");
    }
    let (id, _) = registration(&portal, "NEW 1").await.unwrap();
    let done = admin
        .post("/stations/new%201/forget", "back=/waiting")
        .await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert_eq!(done.header("location"), "/waiting");
    assert_eq!(registration(&portal, "NEW 1").await, None);
    let audited = audit::of(&mut db, &format!("station/{id}"), 10)
        .await
        .unwrap();
    assert_eq!(audited[0].action, "station.forget");

    let key = portal.key(BOTH, &[]).await;
    let path = |identity: &str| format!("/api/v1/stations/{identity}/forget");
    let forget = async |identity: &str| key.post(&path(identity), "").await;
    assert_eq!(forget("NEW-2").await.status, StatusCode::NO_CONTENT);
    assert_eq!(forget("NEW-2").await.status, StatusCode::NOT_FOUND);
    let kept = forget("OLD").await;
    assert_eq!(kept.status, StatusCode::CONFLICT, "{}", kept.body);
    assert!(kept.body.contains("is accepted"), "{}", kept.body);
    // Held back, and never booted, it still has its sessions.
    let held = StationChange {
        registration: Some(Registration::Pending),
        ..StationChange::default()
    };
    stations::change(&mut db, "OLD", &held).await.unwrap();
    let kept = forget("OLD").await;
    assert_eq!(kept.status, StatusCode::CONFLICT, "{}", kept.body);
    assert!(
        kept.body.contains("has transactions") || kept.body.contains("accepted once"),
        "{}",
        kept.body
    );
    assert_eq!(registration(&portal, "OLD").await.unwrap().0, charged);
}
