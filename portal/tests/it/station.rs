//! `/stations/{identity}`: its head and its tabs, who sees which, and what each shows.

use axum::http::StatusCode;
use serde_json::json;
use store::{
    api_keys::KeyScope,
    ingest::{self, Effect},
    people::Role,
    skew::Measured,
};

use crate::{
    data,
    harness::Portal,
    support::{Fleet, town},
};

#[tokio::test]
async fn a_station_shows_who_it_is_and_what_each_connector_does() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    town(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let page = admin.get("/stations/hq-dc-01").await;
    assert_eq!(page.status, StatusCode::OK, "whatever the case");
    for said in [
        "<h1>HQ-DC-01</h1>",
        "Alpitronic HYC150",
        "SN-HQ-DC-01",
        "4.2.1",
        "ocpp1.6",
        "Online",
        "id=\"connector-1\"",
        "id=\"connector-2\"",
        "Charging",
        "04E9117AB25C80",
        "topics=station&amp;identity=HQ-DC-01&amp;tab=&amp;since=",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    let lost = admin.get("/stations/WG-AC-03").await;
    assert!(lost.body.contains("was Available"), "{}", lost.body);
    let broken = admin.get("/stations/HQ-DC-02").await;
    let trouble = "GroundFailure · RCD tripped";
    assert!(broken.body.contains(trouble), "{}", broken.body);
    let nobody = admin.get("/stations/NOBODY").await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn quirk_19_a_stations_clock_is_shown_and_one_that_is_far_off_stands_out() {
    let portal = Portal::start().await;
    let station = data::charged(&portal, None, "CP-1", 7).await.station_id;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let key = portal.key(&[KeyScope::Read], &[]).await;
    let path = "/api/v1/stations/CP-1";
    let before = key.get(path).await.json();
    assert_eq!(before["clock_skew_s"], json!(null));
    let page = admin.get("/stations/CP-1").await.body;
    assert!(!page.contains("<dt>Clock</dt>"), "nothing is known: {page}");
    for (skew_s, words, wrong) in [
        (-3, "right", false),
        (300, "5 min ahead", false),
        (301, "5 min ahead: check its time server", true),
        (-7200, "2 h behind: check its time server", true),
        (i32::MIN, "24855 d behind: check its time server", true),
    ] {
        let measured = Measured {
            station_id: station,
            skew_s,
            at: portal.clock.now(),
        };
        let effect = Effect {
            clocks: vec![measured],
            ..Effect::default()
        };
        let mut db = portal.db.pool.acquire().await.unwrap();
        ingest::commit(&mut db, &[&effect]).await.unwrap();
        let told = key.get(path).await.json();
        assert_eq!(told["clock_skew_s"], json!(skew_s));
        assert!(told["clock_measured_at"].is_string(), "{told}");
        let page = admin.get("/stations/CP-1").await.body;
        let (_, clock) = page.split_once("<dt>Clock</dt>").expect("its clock");
        let (clock, _) = clock.split_once("</dd>").unwrap();
        assert!(clock.contains(&format!(">{words}<")), "{clock}");
        assert_eq!(clock.contains("class=\"wrong\""), wrong, "{clock}");
    }
}

#[tokio::test]
async fn every_tab_opens_and_a_partner_is_shown_no_messages() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    for tab in portal::pages::station::TABS {
        let path = match tab.slug {
            "" => "/stations/HQ-DC-02".to_owned(),
            slug => format!("/stations/HQ-DC-02/{slug}"),
        };
        let page = admin.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
        let here = format!("<a href=\"{path}\" aria-current=\"page\">{}</a>", tab.title);
        assert!(page.body.contains(&here), "{path}: {}", page.body);
    }
    let partner = portal
        .signed_in("p@example.org", Role::Partner, &[town.harbour])
        .await;
    let page = partner.get("/stations/HQ-DC-02").await;
    assert!(page.body.contains("HQ-DC-02/sessions"), "{}", page.body);
    assert!(!page.body.contains("HQ-DC-02/messages"), "{}", page.body);
    for tab in ["messages", "history"] {
        let refused = partner.get(&format!("/stations/HQ-DC-02/{tab}")).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{tab}");
    }
}

#[tokio::test]
async fn what_an_operator_sets_is_saved_and_a_site_of_others_is_none() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let operator = portal
        .signed_in("o@example.org", Role::Operator, &[town.harbour])
        .await;
    let path = "/stations/HQ-DC-02/settings";
    let page = operator.get(path).await;
    let seen = page.body.split("name=\"_seen\" value=\"").nth(1).unwrap();
    let fields = format!("name=North+gate&strict=yes&_seen={}", &seen[..16]);
    let moved = format!("{fields}&site={}", town.mall);
    let refused = operator.post(path, &moved).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        refused.body.contains("none of the sites"),
        "{}",
        refused.body
    );
    let stays = format!("{fields}&site={}", town.harbour);
    let saved = operator.post(path, &stays).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.body);
    let page = operator.get(path).await;
    assert!(page.body.contains("<span class=\"name\">North gate</span>"));
    let history = operator.get("/stations/HQ-DC-02/history?show=edits").await;
    assert!(
        history.body.contains("strict: nothing → yes"),
        "{}",
        history.body
    );
}

#[tokio::test]
async fn a_button_of_a_connector_is_a_command_and_who_only_looks_has_none() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let operator = portal
        .signed_in("o@example.org", Role::Operator, &[town.harbour])
        .await;
    let page = operator.get("/stations/HQ-DC-01").await;
    assert!(page.body.contains("Stop the session?"), "{}", page.body);
    assert!(page.body.contains("1 session will end"), "{}", page.body);
    let lost = portal
        .signed_in("l@example.org", Role::Operator, &[town.mall])
        .await;
    let offline = lost.get("/stations/WG-AC-03").await;
    assert!(offline.body.contains("nothing can be asked of it now"));

    let stop = operator
        .post("/stations/HQ-DC-01/act", "deed=stop&connector=2")
        .await;
    assert_eq!(stop.status, StatusCode::SEE_OTHER, "{}", stop.body);
    let nothing = operator
        .post("/stations/HQ-DC-01/act", "deed=stop&connector=1")
        .await;
    assert_eq!(nothing.status, StatusCode::SEE_OTHER);
    let others = operator.post("/stations/WG-AC-01/act", "deed=reset").await;
    assert_eq!(others.status, StatusCode::NOT_FOUND);
    let wrong = operator
        .post("/stations/HQ-DC-01/start", "token=&connector=x")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("id=\"e-token\"") && wrong.body.contains("id=\"e-connector\""));
    operator
        .post("/stations/HQ-DC-01/start", "token=04A1&connector=1")
        .await;

    let key = portal.key(crate::harness::BOTH, &[]).await;
    let commands = key.get("/api/v1/commands?station=HQ-DC-01").await.json();
    let mut queued: Vec<&str> = commands["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|command| command["action"].as_str().unwrap())
        .collect();
    // The clock stands still: which was first is not told by it.
    queued.sort_unstable();
    assert_eq!(queued, ["RemoteStartTransaction", "RemoteStopTransaction"]);
}

#[tokio::test]
async fn the_sessions_and_the_history_are_those_of_the_station() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    town(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let sessions = admin.get("/stations/HQ-DC-02/sessions?from=all").await;
    assert!(sessions.body.contains("HQ-DC-02 · 2"), "{}", sessions.body);
    assert!(!sessions.body.contains("HQ-DC-01"), "{}", sessions.body);
    assert!(
        sessions
            .body
            .contains("action=\"/stations/HQ-DC-02/sessions\"")
    );

    admin.post("/stations/HQ-DC-02/block", "").await;
    let history = admin.get("/stations/HQ-DC-02/history").await;
    let (fault, change) = (
        history.body.find("RCD tripped").expect("the fault"),
        history
            .body
            .find("accepted → rejected · by")
            .expect("the change"),
    );
    assert!(change < fault, "newest first");
    assert!(!history.body.contains("Finishing"), "{}", history.body);
    let all = admin.get("/stations/HQ-DC-02/history?show=statuses").await;
    assert!(all.body.contains("Finishing"), "{}", all.body);
    let wrong = admin.get("/stations/HQ-DC-02/history?show=x").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
}
