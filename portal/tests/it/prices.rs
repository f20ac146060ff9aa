//! What sessions cost, in the API and on pages: priced, running, held, of two currencies, and to whom it is shown.

use axum::http::{Method, StatusCode};
use billing::pricing;
use chrono::TimeDelta;
use serde_json::{Value, json};
use store::{
    Room, Scope,
    api_keys::KeyScope,
    audit::Actor,
    holds, ids,
    ingest::{self, Effect, Start, Stop},
    people::Role,
    prices, sessions,
    tariff_assignments::{self, Place},
    tariffs,
};
use uuid::Uuid;

use crate::{
    data,
    harness::{BOTH, Portal, complains},
};

/// A tariff at a site, so much per kWh and 19 % tax on it.
async fn tariff(portal: &Portal, site: Uuid, name: &str, currency: &str) {
    let mut db = portal.db.pool.acquire().await.unwrap();
    let long_ago = portal.clock.now() - TimeDelta::days(30);
    let content = json!({
        "currency": currency,
        "tax_rate": "19",
        "elements": [{"components": [{"kind": "energy", "price": "0.50"}]}],
    });
    let id = tariffs::create(&mut db, name, currency, long_ago)
        .await
        .unwrap();
    tariffs::add_version(&mut db, id, long_ago, &content, long_ago)
        .await
        .unwrap();
    let here = Place::Site(site);
    tariff_assignments::assign(&mut db, id, here, long_ago, None, long_ago)
        .await
        .unwrap();
}

async fn price(portal: &Portal, sessions: &[Uuid]) {
    let mut tx = portal.db.pool(Room::Billing).begin().await.unwrap();
    pricing::price_now(&mut tx, sessions, portal.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
}

/// A session of the station that began an hour ago; with flags, it has ended by now.
async fn session(
    portal: &Portal,
    site: Uuid,
    station: Uuid,
    number: i64,
    ended: Option<&str>,
) -> Uuid {
    let now = portal.clock.now();
    let started_at = now - TimeDelta::hours(1);
    let id = ids::new_id(started_at);
    let start = Effect {
        starts: vec![Start {
            id,
            station_id: station,
            number,
            evse: 2,
            connector: 2,
            id_token: format!("TAG-{number}"),
            started_at,
            shown_at: started_at,
            received_at: started_at,
            meter_start_wh: 0,
            reservation_id: None,
            site_id: Some(site),
            flags: Vec::new(),
        }],
        meter: vec![data::reading(
            station,
            id,
            started_at + TimeDelta::minutes(30),
            2000,
        )],
        ..Effect::default()
    };
    let mut effects = vec![start];
    if let Some(flag) = ended {
        effects.push(Effect {
            stops: vec![Stop {
                transaction_id: id,
                stopped_at: now,
                received_at: now,
                meter_stop_wh: 4000,
                reason: None,
                id_token: None,
                replaces: false,
                flags: vec![flag.to_owned()],
                figures: None,
            }],
            ..Effect::default()
        });
    }
    let mut db = portal.db.pool.acquire().await.unwrap();
    for effect in &effects {
        ingest::commit(&mut db, &[effect]).await.unwrap();
    }
    id
}

#[tokio::test]
async fn a_session_tells_its_cost_when_it_is_priced_and_while_it_runs() {
    let portal = Portal::start().await;
    let site = portal.site("Harbour").await;
    tariff(&portal, site, "Quay", "EUR").await;
    let charged = data::charged(&portal, Some(site), "CP-1", 7).await;
    let running = session(&portal, site, charged.station_id, 8, None).await;
    let held = session(
        &portal,
        site,
        charged.station_id,
        9,
        Some("transaction-guessed"),
    )
    .await;
    let key = portal.key(&[KeyScope::Read], &[]).await;
    let cost = async |id: Uuid| {
        let one = key.get(&format!("/api/v1/sessions/{id}")).await.json();
        let list = key.get("/api/v1/sessions").await.json();
        let items = list["items"].as_array().unwrap();
        let same = items.iter().find(|item| item["id"] == json!(id)).unwrap();
        assert_eq!(
            (&one["cost"], &one["currency"]),
            (&same["cost"], &same["currency"])
        );
        (one["cost"].clone(), one["currency"].clone())
    };
    assert_eq!(
        cost(charged.session).await,
        (Value::Null, Value::Null),
        "not priced yet"
    );
    // 2 kWh × 0.50 and 19 % on it.
    assert_eq!(cost(running).await, (json!("1.19"), json!("EUR")));
    price(&portal, &[charged.session, running, held]).await;
    // 7.4 kWh × 0.50 = 3.70, tax 0.70.
    assert_eq!(cost(charged.session).await, (json!("4.40"), json!("EUR")));
    assert_eq!(cost(running).await, (json!("1.19"), json!("EUR")));
    assert_eq!(
        cost(held).await,
        (Value::Null, Value::Null),
        "nobody pays a held price"
    );

    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    for (id, said) in [
        (
            charged.session,
            [
                "4.40<span class=\"unit\">EUR",
                "Quay · version 1",
                "7.4 kWh of energy at 0.5 EUR each: 3.70 EUR, plus 19 % tax of 0.70 EUR. Element 1: always.",
            ],
        ),
        (
            running,
            ["1.19<span class=\"unit\">EUR", "so far", "Quay · version 1"],
        ),
        (
            held,
            ["held for review", "transaction guessed", "Held</span>"],
        ),
    ] {
        let page = admin.get(&format!("/sessions/{id}")).await;
        assert_eq!(page.status, StatusCode::OK, "{}", page.body);
        for said in said {
            assert!(page.body.contains(said), "no {said}: {}", page.body);
        }
    }
    let list = admin.get("/sessions").await.body;
    for said in ["4.40 <span class=\"unit\">EUR", "so far", "Held</span>"] {
        assert!(list.contains(said), "no {said}: {list}");
    }
    let foot = list.split_once("<tfoot>").unwrap().1;
    assert!(
        foot.contains(">4.40 <span"),
        "what is held or runs is no revenue: {foot}"
    );
}

#[tokio::test]
async fn two_currencies_are_shown_side_by_side() {
    let portal = Portal::start().await;
    let (here, there) = (portal.site("Here").await, portal.site("There").await);
    tariff(&portal, here, "Here", "EUR").await;
    tariff(&portal, there, "There", "JPY").await;
    let one = data::charged(&portal, Some(here), "CP-1", 1).await;
    let other = data::charged(&portal, Some(there), "CP-2", 2).await;
    price(&portal, &[one.session, other.session]).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let list = admin.get("/sessions").await.body;
    let foot = list.split_once("<tfoot>").unwrap().1;
    // 3.7 JPY are 4, and tax is 1 of it: 0.7 rounded.
    for said in [
        "4.40 <span class=\"unit\">EUR",
        "5 <span class=\"unit\">JPY",
    ] {
        assert!(foot.contains(said), "no {said}: {foot}");
    }
}

#[tokio::test]
async fn prices_are_for_those_who_may_see_the_session() {
    let portal = Portal::start().await;
    let (north, south) = (portal.site("North").await, portal.site("South").await);
    let mut all = Vec::new();
    for (number, site) in [(1, north), (2, south)] {
        let name = format!("Tariff {number}");
        tariff(&portal, site, &name, "EUR").await;
        let charged = data::charged(&portal, Some(site), &format!("CP-{number}"), number).await;
        let held = session(
            &portal,
            site,
            charged.station_id,
            10 + number,
            Some("transaction-guessed"),
        )
        .await;
        let running = session(&portal, site, charged.station_id, 20 + number, None).await;
        all.extend([charged.session, held, running]);
    }
    price(&portal, &all).await;
    let pool = portal.db.pool(Room::Portal);
    let now = portal.clock.now();
    for (scope, sites) in [
        (Scope::Nothing, 0),
        (Scope::Sites(vec![north]), 1),
        (Scope::Sites(vec![south]), 1),
        (Scope::All, 2),
    ] {
        let mut db = scope.begin(&pool).await.unwrap();
        let newest = prices::newest(&mut db, &all).await.unwrap();
        assert_eq!(newest.len(), 2 * sites);
        let costs = pricing::costs(&mut db, &all, now).await.unwrap();
        assert_eq!(costs.len(), 3 * sites);
        let held = holds::list(&mut db, None, None, 9).await.unwrap();
        assert_eq!(held.len(), sites);
        let revenue = prices::revenue(&mut db, &sessions::Filter::default())
            .await
            .unwrap();
        let priced: i64 = revenue.iter().map(|sum| sum.sessions).sum();
        assert_eq!(usize::try_from(priced).unwrap(), sites);
        let assigned = tariff_assignments::list(&mut db, None).await.unwrap();
        assert_eq!(assigned.len(), sites);
        let mut revisions = 0;
        for id in &all {
            revisions += prices::revisions(&mut db, *id).await.unwrap().len();
        }
        assert_eq!(revisions, 2 * sites);
    }
    // What another's scope cannot see it cannot release.
    let mut db = Scope::Sites(vec![north]).begin(&pool).await.unwrap();
    for (id, expected) in [(all[4], None), (all[1], Some(2))] {
        let released = prices::release(&mut db, id, Actor::System, "seen", now).await;
        assert_eq!(released.unwrap(), expected);
    }
}

#[tokio::test]
async fn a_person_releases_or_corrects_what_is_held() {
    let portal = Portal::start().await;
    let site = portal.site("Harbour").await;
    tariff(&portal, site, "Quay", "EUR").await;
    let charged = data::charged(&portal, Some(site), "CP-1", 7).await;
    let mut held = Vec::new();
    for number in 8..11 {
        let flag = Some("transaction-guessed");
        held.push(session(&portal, site, charged.station_id, number, flag).await);
    }
    let running = session(&portal, site, charged.station_id, 20, None).await;
    price(&portal, &held).await;
    let who = portal
        .signed_in("op@example.org", Role::Operator, &[site])
        .await;
    let list = who.get("/held").await;
    assert_eq!(list.status, StatusCode::OK, "{}", list.body);
    for said in ["transaction guessed", "CP-1 · 2", "2.38 <span"] {
        assert!(list.body.contains(said), "no {said}: {}", list.body);
    }
    let filtered = who.get("/sessions?price=held").await.body;
    assert!(filtered.contains("3 sessions"), "{filtered}");
    let report = who.get("/reports?by=site").await.body;
    assert!(report.contains("&#38;price=held\""), "{report}");

    let path = |id: Uuid, verb: &str| format!("/sessions/{id}/{verb}");
    let page = who.get(&format!("/sessions/{}", held[0])).await.body;
    assert!(page.contains("It waits for a person"), "{page}");
    let without = who.post(&path(held[0], "release"), "release_reason=").await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(without.body.contains("is missing"), "{}", without.body);
    let released = who
        .post(&path(held[0], "release"), "release_reason=seen+it")
        .await;
    assert_eq!(released.status, StatusCode::SEE_OTHER, "{}", released.body);
    let twice = who
        .post(&path(held[0], "release"), "release_reason=seen+it")
        .await;
    assert_eq!(twice.status, StatusCode::UNPROCESSABLE_ENTITY);
    let page = who.get(&format!("/sessions/{}", held[0])).await.body;
    assert!(page.contains("released: seen it"), "{page}");

    let wrong = "energy=much&correct_reason=read+on+site";
    let wrong = who.post(&path(held[1], "correct"), wrong).await;
    assert!(wrong.body.contains("“much” is not kWh"), "{}", wrong.body);
    let right = "energy=3,5&correct_reason=read+on+site";
    let right = who.post(&path(held[1], "correct"), right).await;
    assert_eq!(right.status, StatusCode::SEE_OTHER, "{}", right.body);
    price(&portal, &held).await;
    let page = who.get(&format!("/sessions/{}", held[1])).await.body;
    // 3.5 kWh × 0.50 = 1.75, tax 0.33.
    for said in ["Corrected by hand", "read on site", "2.08<span"] {
        assert!(page.contains(said), "no {said}: {page}");
    }
    let going = who
        .post(&path(running, "correct"), "energy=1&correct_reason=why+not")
        .await;
    assert_eq!(going.status, StatusCode::UNPROCESSABLE_ENTITY);

    let key = portal.key(BOTH, &[site]).await;
    let holds = key.get("/api/v1/holds").await.json();
    assert_eq!(holds["items"].as_array().unwrap().len(), 1);
    assert_eq!(holds["items"][0]["session_id"], json!(held[2]));
    assert_eq!(holds["items"][0]["reasons"], json!(["transaction-guessed"]));
    let release = format!("/api/v1/sessions/{}/release", held[2]);
    let empty = key.json(Method::POST, &release, &json!({})).await;
    complains(&empty, "/reason", "missing");
    let reason = json!({ "reason": "seen" });
    let done = key.json(Method::POST, &release, &reason).await;
    assert_eq!(done.status, StatusCode::OK, "{}", done.body);
    let again = key.json(Method::POST, &release, &reason).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
    let correct = format!("/api/v1/sessions/{}/correction", held[2]);
    let much = json!({ "energy_wh": -3, "reason": "seen" });
    complains(
        &key.json(Method::POST, &correct, &much).await,
        "/energy_wh",
        "-3",
    );
    let right = json!({ "energy_wh": 3000, "reason": "seen" });
    let done = key.json(Method::POST, &correct, &right).await;
    assert_eq!(done.json()["correction"], 1, "{}", done.body);
}
