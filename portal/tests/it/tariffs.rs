//! `/tariffs`: made, never changed but by a new version, assigned, archived; who may see and do that.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use store::{
    audit, driver_groups,
    people::Role,
    tariff_assignments::{self as assignments, Place},
    tariffs,
};
use uuid::Uuid;

use crate::{
    customers::led_to,
    data,
    harness::{Answer, Browser, Portal},
    support::{Fleet, town},
};

const NIGHT: &str = "name=Harbour+public&currency=eur&tax_rate=19&includes_tax=yes&energy=0,45&start=1&idle=6&grace=10\
    &w0-row=yes&w0-days=monday&w0-days=tuesday&w0-days=wednesday&w0-days=thursday&w0-days=friday&w0-days=saturday\
    &w0-days=sunday&w0-from=22:00&w0-to=06:00&w0-energy=0.25&do=save";

/// A tariff with cheap nights.
pub async fn night(admin: &Browser<'_>) -> Uuid {
    led_to(&admin.post("/tariffs", NIGHT).await)
}

pub fn refused(answer: &Answer, says: &str) {
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        answer.body
    );
    assert!(answer.body.contains(says), "no {says}: {}", answer.body);
}

#[tokio::test]
async fn a_tariff_is_made_from_a_form_and_shown_as_a_week() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    assert!(admin.get("/tariffs").await.body.contains("No tariff yet"));
    let id = night(&admin).await;
    let page = admin.get(&format!("/tariffs/{id}")).await;
    for said in [
        "Harbour public",
        "prices include tax of 19 %",
        "Monday 22:00–24:00: 0.25 EUR/kWh",
        "<b>B</b><span>0.45</span>",
        "56 h a week",
        "first 10 min free",
        "22:00–06:00",
        "At all other times",
        "Nowhere yet.",
        "Version 1 made",
        "a@example.org",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    let mut db = portal.db.pool.acquire().await.unwrap();
    let version = tariffs::version_at(&mut db, id, portal.clock.now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        version.content,
        serde_json::json!({
            "currency": "EUR", "prices_include_tax": true, "tax_rate": "19",
            "elements": [
                {"components": [{"kind": "energy", "price": "0.25"}],
                 "restrictions": {"time_from": "22:00", "time_to": "06:00"}},
                {"components": [{"kind": "start", "price": "1"}, {"kind": "energy", "price": "0.45"},
                                {"kind": "idle", "price": "6", "grace_minutes": 10}]}
            ]
        })
    );
    let list = admin.get("/tariffs").await;
    assert!(
        list.body.contains("0.25 – 0.45") && list.body.contains("Start fee, Idle time"),
        "{}",
        list.body
    );
    let json = admin.get(&format!("/tariffs/{id}/versions/1/json")).await;
    assert_eq!(json.header("content-type"), "application/json");
    assert_eq!(json.json(), version.content);
    refused(
        &admin.post("/tariffs", NIGHT).await,
        "is the name of another tariff",
    );
}

#[tokio::test]
async fn a_version_never_changes_and_the_next_one_begins_later() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let id = night(&admin).await;
    let edit = admin.get(&format!("/tariffs/{id}/versions/new")).await;
    for there in [
        "name=\"w0-from\" class=\"time\" value=\"22:00\"",
        "name=\"energy\" inputmode=\"decimal\" autocomplete=\"off\" class=\"number\" value=\"0.45\"",
        "value=\"monday\" checked",
    ] {
        assert!(edit.body.contains(there), "no {there}: {}", edit.body);
    }
    let path = format!("/tariffs/{id}/versions");
    let past = admin
        .post(&path, "energy=0.50&valid_from=2026-11-19T10:00&do=save")
        .await;
    refused(&past, "is in the past");
    let later = admin
        .post(&path, "energy=0.50&valid_from=2026-12-01T00:00&do=save")
        .await;
    assert_eq!(later.header("location"), format!("{path}/2"));
    let page = admin.get(&format!("/tariffs/{id}")).await;
    assert!(
        page.body.contains("<h2 id=\"prices-title\">Version 1</h2>"),
        "{}",
        page.body
    );
    assert!(page.body.contains("Later") && page.body.contains("until"));
    let second = admin.get(&format!("{path}/2")).await;
    assert!(
        second.body.contains("0.50")
            && second
                .body
                .contains("<h2 id=\"prices-title\">Version 2</h2>")
    );
    assert_eq!(
        admin.get(&format!("{path}/3")).await.status,
        StatusCode::NOT_FOUND
    );
    // Pressed twice, at once or later, it is made once.
    let again = "energy=0.50&valid_from=2026-12-02T00:00&do=save";
    let pressed = tokio::join!(admin.post(&path, again), admin.post(&path, again));
    for answer in [pressed.0, pressed.1] {
        assert_eq!(answer.header("location"), format!("{path}/2"));
    }
    let other = "energy=0.60&valid_from=2026-12-03T00:00&do=save";
    let pressed = tokio::join!(admin.post(&path, other), admin.post(&path, other));
    for answer in [pressed.0, pressed.1] {
        assert_eq!(answer.header("location"), format!("{path}/3"));
    }
    let mut db = portal.db.pool.acquire().await.unwrap();
    let first = tariffs::versions(&mut db, id).await.unwrap().pop().unwrap();
    assert_eq!(
        (first.version, first.content["tax_rate"].as_str()),
        (1, Some("19"))
    );
}

pub fn encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

#[tokio::test]
async fn it_is_assigned_to_places_and_groups_and_ended_there() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let site = portal.site("Harbour").await;
    data::charged(&portal, Some(site), "CP-1", 1).await;
    let id = night(&admin).await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    let group = driver_groups::create(&mut db, "Staff", portal.clock.now())
        .await
        .unwrap();
    let path = format!("/tariffs/{id}/assignments");
    for form in [
        format!("site={site}"),
        "station=cp-1".to_owned(),
        "station=CP-1&connector=2&from=2026-12-01T00:00&to=2026-12-31T23:59".to_owned(),
        format!("group={group}"),
        format!("group={group}&site={site}"),
    ] {
        // Pressed twice, it is assigned once.
        for done in <[Answer; 2]>::from(tokio::join!(
            admin.post(&path, &form),
            admin.post(&path, &form)
        )) {
            assert_eq!(done.status, StatusCode::SEE_OTHER, "{form}: {}", done.body);
        }
    }
    for (form, field, says) in [
        (
            "".to_owned(),
            "site",
            "expected a site, a station or a driver group",
        ),
        (
            "station=NONE".to_owned(),
            "station",
            "“NONE” is not the identity of a station",
        ),
        (
            "connector=1".to_owned(),
            "station",
            "a connector is one of a station",
        ),
        (
            "station=CP-1&connector=x".to_owned(),
            "connector",
            "“x” is not the number",
        ),
        (
            format!("station=CP-1&site={site}"),
            "site",
            "expected either of them",
        ),
        (
            "site=Harbour".to_owned(),
            "site",
            "“Harbour” is not one of the sites",
        ),
        (
            format!("site={}", Uuid::nil()),
            "site",
            "is not one of the sites",
        ),
        (
            format!("group={}", Uuid::nil()),
            "group",
            "is not one of the driver groups",
        ),
        (
            format!("site={site}&from=soon"),
            "from",
            "“soon” is not a minute",
        ),
        (
            format!("site={site}&from=2026-12-02T00:00&to=2026-12-01T00:00"),
            "to",
            "is not later than its beginning",
        ),
    ] {
        let again = admin.post(&path, &form).await;
        refused(&again, says);
        assert!(
            again.body.contains(&format!("id=\"e-{field}\"")),
            "{form}: {}",
            again.body
        );
    }
    let pool = portal.db.pool(store::Room::Portal);
    let mut scoped = store::Scope::All.begin(&pool).await.unwrap();
    let all = assignments::list(&mut scoped, Some(id)).await.unwrap();
    assert_eq!(all.len(), 5);
    let at_site = all
        .iter()
        .find(|one| one.place == Place::Site(site))
        .unwrap();
    let page = admin.get(&format!("/tariffs/{id}")).await;
    for said in [
        "CP-1 · 2",
        "Staff at Harbour",
        "driver group",
        "End it at Harbour?",
        "In force",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    let ended = admin.post(&format!("{path}/{}/end", at_site.id), "").await;
    assert_eq!(ended.status, StatusCode::SEE_OTHER);
    let all = assignments::list(&mut scoped, Some(id)).await.unwrap();
    let at_site = all
        .iter()
        .find(|one| one.place == Place::Site(site))
        .unwrap();
    assert!(at_site.valid_to.is_some());
    let entries = audit::of(&mut db, &format!("tariff/{id}"), 1)
        .await
        .unwrap();
    assert_eq!(entries[0].action, "tariff.end");
    let stranger = admin.post(&format!("{path}/{}/end", Uuid::nil()), "").await;
    assert_eq!(stranger.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn it_is_archived_with_a_way_back() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let id = night(&admin).await;
    let gone = admin.post(&format!("/tariffs/{id}/archive"), "").await;
    let cookie = gone
        .header("set-cookie")
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let mut headers = admin.headers().to_vec();
    headers[0].1 = format!("{}; {cookie}", headers[0].1);
    let list = portal.as_who(headers).get("/tariffs").await;
    assert!(
        list.body
            .contains(&format!("action=\"/tariffs/{id}/restore\""))
            && list.body.contains("No tariff yet"),
        "{}",
        list.body
    );
    assert!(
        admin
            .get("/tariffs?archived=yes")
            .await
            .body
            .contains("Harbour public")
    );
    for path in ["versions/new", "versions", "assignments"] {
        let path = format!("/tariffs/{id}/{path}");
        let answer = if path.ends_with("new") {
            admin.get(&path).await
        } else {
            admin.post(&path, "energy=1").await
        };
        assert_eq!(
            answer.status,
            StatusCode::CONFLICT,
            "{path}: {}",
            answer.body
        );
    }
    // Its name was free, and is taken.
    let other = night(&admin).await;
    let taken = admin.post(&format!("/tariffs/{id}/restore"), "").await;
    assert_eq!(taken.status, StatusCode::CONFLICT, "{}", taken.body);
    let renamed = admin
        .post(&format!("/tariffs/{other}/name"), "name=Other")
        .await;
    assert_eq!(renamed.status, StatusCode::SEE_OTHER, "{}", renamed.body);
    refused(
        &admin.post(&format!("/tariffs/{other}/name"), "name=").await,
        "is missing",
    );
    let back = admin.post(&format!("/tariffs/{id}/restore"), "").await;
    assert_eq!(back.status, StatusCode::SEE_OTHER, "{}", back.body);
}

#[tokio::test]
async fn readers_of_a_site_see_its_tariffs_and_change_none() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let (north, south) = (portal.site("North").await, portal.site("South").await);
    let id = night(&admin).await;
    let assigned = admin
        .post(
            &format!("/tariffs/{id}/assignments"),
            &format!("site={south}"),
        )
        .await;
    assert_eq!(assigned.status, StatusCode::SEE_OTHER);
    let path = format!("/tariffs/{id}");
    for (site, role, sees) in [
        (south, Role::Operator, true),
        (south, Role::Partner, true),
        (north, Role::Operator, false),
        (north, Role::Partner, false),
    ] {
        let email = format!("{}-{sees}@example.org", role.as_str());
        let who = portal.signed_in(&email, role, &[site]).await;
        let told = format!("{} {sees}", role.as_str());
        let list = who.get("/tariffs").await;
        assert_eq!(
            list.body.contains("Harbour public"),
            sees,
            "{told}: {}",
            list.body
        );
        assert!(!list.body.contains("/tariffs/new"), "{told}");
        let status = if sees {
            StatusCode::OK
        } else {
            StatusCode::NOT_FOUND
        };
        for page in ["", "/versions/1", "/versions/1/json"] {
            let answer = who.get(&format!("{path}{page}")).await;
            assert_eq!(answer.status, status, "{told} {page}: {}", answer.body);
            assert!(
                !answer.body.contains("method=\"post\" action=\"/tariffs"),
                "{told}"
            );
        }
        assert_eq!(who.get("/tariffs/new").await.status, StatusCode::FORBIDDEN);
        for write in [
            "/tariffs",
            "/name",
            "/archive",
            "/restore",
            "/versions",
            "/assignments",
        ] {
            let at = if write == "/tariffs" {
                write.to_owned()
            } else {
                format!("{path}{write}")
            };
            let answer = who.post(&at, NIGHT).await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{told} {at}");
        }
    }
    let mut db = portal.db.pool.acquire().await.unwrap();
    assert_eq!(tariffs::versions(&mut db, id).await.unwrap().len(), 1);
    assert_eq!(tariffs::list(&mut db, true).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_session_and_thirty_days_are_priced_by_it_and_nothing_is_written() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let form = "name=Flat&currency=EUR&tax_rate=0&energy=0.50&start=1&do=save";
    let id = led_to(&admin.post("/tariffs", form).await);
    let path = format!("/tariffs/{id}/simulate");
    let session = town.ended.id;
    let page = admin.get(&format!("{path}?session={session}")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let energy = rust_decimal::Decimal::new(town.ended.energy_wh, 3);
    let cost = (energy * rust_decimal::Decimal::new(50, 2))
        .round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
    let total = cost + rust_decimal::Decimal::ONE;
    for said in [
        format!("<td data-label=\"Total\" class=\"number\">{cost}</td>"),
        format!("<td data-label=\"Total\" class=\"number\">{total}</td>"),
        "has no price now".to_owned(),
        "At all other times".to_owned(),
    ] {
        assert!(page.body.contains(&said), "no {said}: {}", page.body);
    }
    let preview = admin.get(&format!("{path}?preview=yes")).await;
    for said in [
        "They would cost",
        "56 without a price now",
        "largest changes first",
    ] {
        assert!(preview.body.contains(said), "no {said}: {}", preview.body);
    }
    let of_site = admin
        .get(&format!("{path}?preview=yes&site={}", town.mall))
        .await;
    assert!(
        of_site.body.contains("14 without a price now"),
        "{}",
        of_site.body
    );

    // Before anything is kept, too.
    let trial = format!("energy=0.70&session={session}&do=simulate");
    let tried = admin
        .post("/tariffs", &format!("currency=EUR&{trial}"))
        .await;
    assert_eq!(tried.status, StatusCode::OK, "{}", tried.body);
    assert!(
        tried.body.contains("What the session would cost"),
        "{}",
        tried.body
    );
    let tried = admin.post(&format!("/tariffs/{id}/versions"), &trial).await;
    assert!(tried.body.contains("nothing is saved"), "{}", tried.body);

    for (query, status) in [
        ("?version=9", StatusCode::NOT_FOUND),
        ("?version=x", StatusCode::BAD_REQUEST),
        ("?session=x", StatusCode::BAD_REQUEST),
        (
            "?session=00000000-0000-0000-0000-000000000000",
            StatusCode::NOT_FOUND,
        ),
    ] {
        assert_eq!(
            admin.get(&format!("{path}{query}")).await.status,
            status,
            "{query}"
        );
    }
    let assigned = admin
        .post(
            &format!("/tariffs/{id}/assignments"),
            &format!("site={}", town.mall),
        )
        .await;
    assert_eq!(assigned.status, StatusCode::SEE_OTHER);
    let mall = portal
        .signed_in("m@example.org", Role::Operator, &[town.mall])
        .await;
    assert_eq!(mall.get(&path).await.status, StatusCode::OK);
    let foreign = mall.get(&format!("{path}?session={session}")).await;
    assert_eq!(
        foreign.status,
        StatusCode::NOT_FOUND,
        "a session of the harbour"
    );
    let seen = mall.get(&format!("{path}?preview=yes")).await;
    assert!(
        seen.body.contains("14 without a price now"),
        "{}",
        seen.body
    );
    let mut db = portal.db.pool.acquire().await.unwrap();
    assert_eq!(tariffs::versions(&mut db, id).await.unwrap().len(), 1);
    assert!(
        store::prices::newest(&mut db, &[session])
            .await
            .unwrap()
            .is_empty()
    );
}

#[tokio::test]
async fn ocpi_comes_in_and_goes_out_as_the_same_tariff() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let ocpi = r#"{"country_code": "DE", "party_id": "ALL", "id": "16", "currency": "EUR",
        "elements": [{"price_components": [{"type": "FLAT", "price": 2.50, "vat": 15.0, "step_size": 1}]},
                     {"price_components": [{"type": "ENERGY", "price": 0.25, "vat": 10.0, "step_size": 1}],
                      "restrictions": {"day_of_week": ["MONDAY"], "start_time": "09:00", "end_time": "18:00"}}],
        "last_updated": "2019-02-03T17:00:00Z"}"#;
    assert_eq!(admin.get("/tariffs/import").await.status, StatusCode::OK);
    let form = format!("name=Imported&ocpi={}", encoded(ocpi));
    let id = led_to(&admin.post("/tariffs/import", &form).await);
    let page = admin.get(&format!("/tariffs/{id}")).await;
    assert!(
        page.body.contains("Monday 09:00–18:00: 0.25 EUR/kWh"),
        "{}",
        page.body
    );
    let path = format!("/tariffs/{id}/versions/1");
    let out = admin.get(&format!("{path}/ocpi")).await;
    assert_eq!(out.status, StatusCode::OK, "{}", out.body);
    assert_eq!(
        out.json()["elements"][0]["price_components"][0]["type"],
        "FLAT"
    );

    // The file of another system, and back here.
    let body = format!(
        "--frontier\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nAgain\r\n--frontier\r\n\
         Content-Disposition: form-data; name=\"file\"; filename=\"t.json\"\r\n\r\n{}\r\n--frontier--\r\n",
        out.body
    );
    let media = Some("multipart/form-data; boundary=frontier");
    let again = admin
        .send(Method::POST, "/tariffs/import", media, Body::from(body))
        .await;
    let again = led_to(&again);
    let first = admin.get(&format!("{path}/json")).await.json();
    let second = admin
        .get(&format!("/tariffs/{again}/versions/1/json"))
        .await
        .json();
    assert_eq!(first["elements"], second["elements"]);

    let wrong = ocpi.replace("\"FLAT\"", "\"GOLD\"");
    for (form, field, says) in [
        (
            format!("name=&ocpi={}", encoded(ocpi)),
            "name",
            "is missing",
        ),
        (
            "name=B".to_owned(),
            "ocpi",
            "expected a Tariff object of OCPI 2.2.1",
        ),
        (format!("name=B&ocpi={}", encoded("{")), "ocpi", "EOF"),
        (
            format!("name=B&ocpi={}", encoded(&wrong)),
            "ocpi",
            "/elements/0/price_components/0/type",
        ),
    ] {
        let answer = admin.post("/tariffs/import", &form).await;
        refused(&answer, says);
        assert!(
            answer.body.contains(&format!("id=\"e-{field}\"")),
            "{}",
            answer.body
        );
    }
}
