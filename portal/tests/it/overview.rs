//! `/`: figures that reconcile, what needs a person, and only what the reader may see.

use axum::http::StatusCode;
use chrono::TimeDelta;
use store::people::Role;

use crate::{
    harness::Portal,
    look::gzipped,
    support::{Fleet, town},
};

#[tokio::test]
async fn the_overview_says_what_charges_and_what_needs_a_person() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let page = admin.get("/").await;
    assert_eq!(page.status, StatusCode::OK);
    for said in [
        "3 active sessions",
        "5<span class=\"unit\">of 6",
        "1 offline",
        "GroundFailure · RCD tripped · Harbour Quay",
        "Stuck preparing",
        "2 refused connections",
        "HQ-DC-01 · 2",
        "against Friday last week",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    assert!(gzipped(page.body.as_bytes()) < 60 * 1024);
    assert_eq!(page.body.matches("<h1>").count(), 1);

    let mall = portal
        .signed_in("m@example.org", Role::Operator, &[town.mall])
        .await;
    let page = mall.get("/").await;
    assert!(
        page.body.contains("1 active session<") && page.body.contains("WG-AC-02"),
        "{}",
        page.body
    );
    assert!(!page.body.contains("HQ-") && !page.body.contains("refused connection"));
}

#[tokio::test]
async fn a_certificate_near_its_end_is_told_to_whoever_sees_everything() {
    let portal = Portal::start().await;
    let site = portal.site("Town").await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let operator = portal
        .signed_in("o@example.org", Role::Operator, &[site])
        .await;
    let now = portal.clock.now();
    for (days, said) in [
        (None, None),
        (Some(31), None),
        (Some(20), Some("certificate ends in 20 d")),
        (Some(0), Some("certificate has ended")),
    ] {
        let mut db = portal.db.pool.acquire().await.unwrap();
        let offer = store::csms_nodes::Offer {
            node: "csms",
            highest_profile: 2,
            certificate_expires_at: days.map(|days| now + TimeDelta::days(days)),
        };
        store::csms_nodes::started(&mut db, &offer, now)
            .await
            .unwrap();
        let page = admin.get("/").await.body;
        assert_eq!(page.contains("TLS certificate"), said.is_some(), "{page}");
        assert_eq!(page.contains("Nothing needs you"), said.is_none());
        assert!(page.contains(said.unwrap_or_default()), "{page}");
        assert!(!operator.get("/").await.body.contains("TLS certificate"));
    }
}

#[tokio::test]
async fn who_has_no_site_is_told_whom_to_ask() {
    let portal = Portal::start().await;
    let stranger = portal.signed_in("s@example.org", Role::Operator, &[]).await;
    for path in ["/", "/stations", "/sessions"] {
        let page = stranger.get(path).await;
        assert!(
            page.body.contains("No site assigned"),
            "{path}: {}",
            page.body
        );
    }
}
