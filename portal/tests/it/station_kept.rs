//! The tabs of what is kept of a station: configuration, local list, reservations, charging profiles; and the page of
//! configuration templates.

use axum::http::StatusCode;
use serde_json::{Value, json};
use store::{local_lists, people::Role};
use uuid::Uuid;

use crate::{
    data,
    harness::{Browser, Portal},
};

struct Rig {
    portal: Portal,
    site: Uuid,
    station: Uuid,
}

impl Rig {
    async fn start() -> Self {
        let portal = Portal::start().await;
        let site = portal.site("North").await;
        let station = data::charged(&portal, Some(site), "CP1", 7)
            .await
            .station_id;
        Rig {
            portal,
            site,
            station,
        }
    }

    /// The newest command: action and payload.
    async fn command(&self) -> (String, Value) {
        let key = self.portal.key(crate::harness::BOTH, &[]).await;
        let list = key.get("/api/v1/commands?station=CP1&limit=1").await.json();
        let command = &list["items"][0];
        (
            command["action"].as_str().unwrap_or_default().to_owned(),
            command["payload"].clone(),
        )
    }
}

/// Sends a form that must be taken, and answers the page that it leads to.
async fn done(who: &Browser<'_>, path: &str, form: &str, to: &str) -> String {
    let answer = who.post(path, form).await;
    assert_eq!(
        answer.status,
        StatusCode::SEE_OTHER,
        "{path}: {}",
        answer.body
    );
    assert_eq!(answer.header("location"), to);
    who.get(to).await.body
}

#[tokio::test]
async fn a_template_is_made_and_the_station_shows_what_differs() {
    let rig = Rig::start().await;
    let admin = rig
        .portal
        .signed_in("a@example.org", Role::Admin, &[])
        .await;
    let mut db = rig.portal.db.pool.acquire().await.unwrap();
    data::heartbeat_is_known(&mut db, rig.station, rig.portal.clock.now()).await;

    let bad = admin
        .post(
            "/configuration-templates",
            "name=T&keys=Nothing%0AAuthorizationKey+%3D+x&sites=Nowhere",
        )
        .await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    for said in [
        "“Nothing”",
        "AuthorizationKey is a secret",
        "“Nowhere” is no site",
    ] {
        assert!(bad.body.contains(said), "{said}: {}", bad.body);
    }
    let made = admin
        .post(
            "/configuration-templates",
            "name=North&keys=HeartbeatInterval+%3D+60&sites=North",
        )
        .await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let template = made.header("location").to_owned();
    assert!(
        admin
            .get("/configuration-templates")
            .await
            .body
            .contains("North")
    );

    let path = "/stations/CP1/configuration";
    let page = admin.get(path).await.body;
    for said in [
        "HeartbeatInterval",
        "300",
        "60",
        "Differs",
        "Set 1 key right",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    done(&admin, &format!("{path}/apply"), "", path).await;
    let set = json!({"key": "HeartbeatInterval", "value": "60"});
    assert_eq!(rig.command().await, ("ChangeConfiguration".to_owned(), set));
    done(&admin, &format!("{path}/read"), "", path).await;
    assert_eq!(
        rig.command().await,
        ("GetConfiguration".to_owned(), json!({}))
    );
    done(&admin, path, "key=Custom&value=", path).await;
    assert_eq!(rig.command().await.1, json!({"key": "Custom", "value": ""}));
    let secret = admin.post(path, "key=AuthorizationKey&value=00").await;
    assert_eq!(secret.status, StatusCode::UNPROCESSABLE_ENTITY);

    let changed = "name=North&keys=HeartbeatInterval+%3D+300&sites=North&models=&stations=";
    done(&admin, &template, changed, &template).await;
    assert!(!admin.get(path).await.body.contains("Differs"));
    done(
        &admin,
        &format!("{template}/delete"),
        "",
        "/configuration-templates",
    )
    .await;
    assert_eq!(admin.get(&template).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_connector_is_reserved_by_a_form() {
    let rig = Rig::start().await;
    let who = rig
        .portal
        .signed_in("n@example.org", Role::Operator, &[rig.site])
        .await;
    let path = "/stations/CP1/reservations";
    let page = who.get(path).await.body;
    assert!(
        page.contains("The charge point as a whole") && page.contains("Connector 1"),
        "{page}"
    );
    let page = done(&who, path, "connector=1&id_token=TAG1&minutes=30", path).await;
    assert!(
        page.contains("TAG1") && page.contains("Asked for"),
        "{page}"
    );
    let (action, payload) = rig.command().await;
    assert_eq!(
        (action.as_str(), &payload["idTag"]),
        ("ReserveNow", &json!("TAG1"))
    );
    assert_eq!(payload["expiryDate"], "2026-11-20T12:30:00.000Z");
    for form in [
        "connector=1&id_token=&minutes=30",
        "connector=1&id_token=T&minutes=0",
        "connector=x&id_token=T&minutes=5",
    ] {
        assert_eq!(
            who.post(path, form).await.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{form}"
        );
    }
    let key = rig.portal.key(crate::harness::BOTH, &[]).await;
    let newest = async || key.get("/api/v1/reservations").await.json()["items"][0].clone();
    let cancel = |row: &Value| format!("/reservations/{}/cancel", row["id"].as_str().unwrap());
    done(&who, &cancel(&newest().await), "", path).await;
    assert_eq!(newest().await["status"], "cancelled");
    assert_eq!(rig.command().await.0, "ReserveNow");

    // Once it has left, the station has to be asked.
    done(&who, path, "connector=1&id_token=TAG1&minutes=30", path).await;
    let mut db = rig.portal.db.pool.acquire().await.unwrap();
    let now = rig.portal.clock.now();
    let sent = store::commands::claim(&mut db, rig.station, "m-1", "node", now).await;
    assert_eq!(sent.unwrap().unwrap().action, "ReserveNow");
    let row = newest().await;
    done(&who, &cancel(&row), "", path).await;
    let number = json!({"reservationId": row["number"]});
    assert_eq!(
        rig.command().await,
        ("CancelReservation".to_owned(), number)
    );
}

#[tokio::test]
async fn a_list_is_kept_from_here_and_shows_what_is_to_be_sent() {
    let rig = Rig::start().await;
    let key = rig.portal.key(crate::harness::BOTH, &[]).await;
    for token in ["TAG1", "TAG2"] {
        let path = format!("/api/v1/id-tokens/{token}");
        key.json(axum::http::Method::PUT, &path, &json!({})).await;
    }
    let who = rig
        .portal
        .signed_in("n@example.org", Role::Operator, &[rig.site])
        .await;
    let path = "/stations/CP1/local-list";
    assert!(
        !who.get(path).await.body.contains("Every token there is"),
        "not for this reader"
    );
    let unknown = who.post(path, "rule=chosen&chosen=NOBODY").await;
    assert_eq!(unknown.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(unknown.body.contains("“NOBODY”"), "{}", unknown.body);
    let page = done(
        &who,
        path,
        "subscribed=yes&rule=chosen&chosen=TAG1%0Atag2",
        path,
    )
    .await;
    assert_eq!(page.matches("to be added").count(), 2, "{page}");
    let of_site = "subscribed=yes&rule=site&chosen=TAG1&with_site=yes&site_tokens=TAG2";
    let page = done(&who, path, of_site, path).await;
    assert_eq!(page.matches("to be added").count(), 1, "{page}");
    done(&who, &format!("{path}/push"), "full=yes", path).await;
    done(&who, &format!("{path}/version"), "", path).await;
    assert_eq!(rig.command().await.0, "GetLocalListVersion");
    let mut db = rig.portal.db.pool.acquire().await.unwrap();
    local_lists::version_said(&mut db, rig.station, -1, rig.portal.clock.now())
        .await
        .unwrap();
    assert!(who.get(path).await.body.contains("it keeps no list"));
}

async fn hold(rig: &Rig, number: i32, limit: i32) {
    let schedule = json!({
        "startSchedule": "2026-11-20T11:00:00Z",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}, {"startPeriod": 5400, "limit": 6}],
    });
    let mut db = rig.portal.db.pool.acquire().await.unwrap();
    let now = rig.portal.clock.now();
    data::profile_is_set(&mut db, rig.station, (number, schedule), now).await;
}

#[tokio::test]
async fn profiles_are_drawn_set_and_cleared() {
    let rig = Rig::start().await;
    let who = rig
        .portal
        .signed_in("n@example.org", Role::Operator, &[rig.site])
        .await;
    let path = "/stations/CP1/charging-profiles";
    assert!(who.get(path).await.body.contains("Nothing limits"));
    hold(&rig, 3, 16).await;
    let page = who
        .get(&format!("{path}?connector=1&hours=1&unit=A"))
        .await
        .body;
    for said in [
        "<polyline class=\"power-line\"",
        "now 16 A",
        "16 A, after 90 min 6 A",
        "TxDefault",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    let watts = who.get(&format!("{path}?unit=W")).await.body;
    assert!(watts.contains("now 11040 W"), "{watts}");
    assert_eq!(
        who.get(&format!("{path}?hours=2")).await.status,
        StatusCode::BAD_REQUEST
    );

    let form = "purpose=TxDefaultProfile&connector=1&limit=10&unit=A&hours=&stack=1";
    done(&who, path, form, path).await;
    let (action, payload) = rig.command().await;
    assert_eq!(action, "SetChargingProfile");
    assert_eq!(
        payload["csChargingProfiles"]["chargingProfileId"], 4,
        "a number of its own"
    );
    let bad = who
        .post(
            path,
            "purpose=TxProfile&connector=1&limit=10&unit=A&stack=0",
        )
        .await;
    assert_eq!(bad.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(bad.body.contains("has no transaction now"), "{}", bad.body);
    // What is no number does not clear all of them, nor is another connector asked for it.
    done(&who, &format!("{path}/clear"), "number=three", path).await;
    done(&who, &format!("{path}/ask"), "connector=x&seconds=60", path).await;
    assert_eq!(rig.command().await.0, "SetChargingProfile");
    done(&who, &format!("{path}/clear"), "number=3", path).await;
    assert_eq!(
        rig.command().await,
        ("ClearChargingProfile".to_owned(), json!({"id": 3}))
    );
    done(&who, &format!("{path}/clear"), "", path).await;
    assert_eq!(rig.command().await.1, json!({}));
    let to = format!("{path}?connector=1&hours=6&unit=A");
    done(
        &who,
        &format!("{path}/ask"),
        "connector=1&seconds=21600&unit=A",
        &to,
    )
    .await;
    let asked = json!({"connectorId": 1, "duration": 21600, "chargingRateUnit": "A"});
    assert_eq!(
        rig.command().await,
        ("GetCompositeSchedule".to_owned(), asked)
    );
}

#[tokio::test]
async fn who_may_only_look_sees_no_form_and_changes_nothing() {
    let rig = Rig::start().await;
    let other = rig.portal.site("South").await;
    let who = rig
        .portal
        .signed_in("v@example.org", Role::Operator, &[other])
        .await;
    let mut db = rig.portal.db.pool.acquire().await.unwrap();
    let user = store::people::find(&mut db, "v@example.org")
        .await
        .unwrap()
        .unwrap();
    let viewer = store::people::SiteRole::Viewer;
    store::people::join(&mut db, user.id, rig.site, viewer, rig.portal.clock.now())
        .await
        .unwrap();
    for (tab, posts) in [
        ("configuration", vec!["", "/read", "/apply"]),
        ("reservations", vec![""]),
        ("local-list", vec!["", "/push", "/version"]),
        ("charging-profiles", vec!["", "/clear", "/ask"]),
    ] {
        let path = format!("/stations/CP1/{tab}");
        let page = who.get(&path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(
            !page.body.contains(&format!("action=\"{path}")),
            "{path}: {}",
            page.body
        );
        for post in posts {
            let answer = who.post(&format!("{path}{post}"), "").await;
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{path}{post}");
        }
    }
    assert_eq!(rig.command().await.0, "");
}
