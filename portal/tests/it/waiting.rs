//! `/waiting`: who waits and who was refused, filtered by the URL, each with what helps.

use axum::http::StatusCode;
use store::people::Role;

use crate::{
    harness::Portal,
    support::{Fleet, town},
};

#[tokio::test]
async fn each_refusal_is_listed_with_what_helps_and_the_button_leads_back() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    town(&mut fleet).await;
    fleet
        .refuse("WG-AC-03", "no_subprotocol", "It offers none", 7)
        .await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    admin.post("/stations/HQ-AC-11/hold", "").await;
    let page = admin.get("/waiting").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    for said in [
        "href=\"/stations/HQ-AC-11\"",
        "action=\"/stations/CP-UNKNOWN-7/accept\"",
        "action=\"/stations/WG-AC-03/assume-16\"",
        "href=\"/stations/HQ-DC-02/security\">Set password",
        "action=\"/refusals/HQ-DC-02/forget\"",
        "unknown station (1)",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    for (query, shown) in [
        ("?reason=no_subprotocol", vec!["WG-AC-03"]),
        ("?q=unknown-7", vec!["CP-UNKNOWN-7"]),
        ("?q=198.51", vec!["CP-UNKNOWN-7", "HQ-DC-02", "WG-AC-03"]),
        ("?q=nobody", vec![]),
    ] {
        let page = admin.get(&format!("/waiting{query}")).await;
        let found: Vec<&str> = ["CP-UNKNOWN-7", "HQ-DC-02", "WG-AC-03"]
            .into_iter()
            .filter(|identity| page.body.contains(&format!("/refusals/{identity}/forget")))
            .collect();
        assert_eq!(found, shown, "{query}");
    }
    assert_eq!(
        admin.get("/waiting?after=x").await.status,
        StatusCode::BAD_REQUEST
    );

    let here = "back=/waiting?reason=no_subprotocol";
    let done = admin.post("/stations/WG-AC-03/assume-16", here).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER, "{}", done.body);
    assert_eq!(done.header("location"), "/waiting?reason=no_subprotocol");
    let elsewhere = admin
        .post("/refusals/WG-AC-03/forget", "back=//evil.example")
        .await;
    assert_eq!(elsewhere.header("location"), "/");
    let mut db = portal.db.pool.acquire().await.unwrap();
    let station = store::lookup::stations(&mut db, &["WG-AC-03".to_owned()])
        .await
        .unwrap()
        .remove(0)
        .unwrap();
    assert!(station.options.assume_16);
    let nobody = admin.post("/stations/NOBODY/assume-16", "").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}
