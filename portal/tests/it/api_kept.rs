//! What is kept of stations, by the API: configuration and templates, local lists, reservations, charging profiles.

use axum::http::{Method, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use store::{
    charging_profiles::{self, Place, Sent},
    configuration::{self, Reading},
    local_lists, reservations,
};
use uuid::Uuid;

use crate::{
    data,
    harness::{BOTH, Browser, Portal, TODAY, complains},
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

    fn now(&self) -> DateTime<Utc> {
        self.portal.clock.now()
    }

    async fn token(&self, token: &str, parent: Option<&str>) {
        let who = self.portal.key(BOTH, &[]).await;
        let path = format!("/api/v1/id-tokens/{token}");
        let answer = who
            .json(Method::PUT, &path, &json!({"parent": parent}))
            .await;
        assert!(answer.status.is_success(), "{}", answer.body);
    }

    /// The last command's action and payload.
    async fn last_command(&self, who: &Browser<'_>) -> (String, Value) {
        let list = who.get("/api/v1/commands?station=CP1&limit=1").await.json();
        let command = &list["items"][0];
        (
            command["action"].as_str().unwrap().to_owned(),
            command["payload"].clone(),
        )
    }

    /// The station says these values.
    async fn reads(&self, pairs: &[(&str, &str)]) {
        let answer = configuration::Answer {
            readings: pairs
                .iter()
                .map(|(key, value)| Reading {
                    key: (*key).to_owned(),
                    value: Some((*value).to_owned()),
                    readonly: Some(*key == "NumberOfConnectors"),
                })
                .collect(),
            ..configuration::Answer::default()
        };
        let mut db = self.portal.db.pool.acquire().await.unwrap();
        configuration::note_read(&mut db, self.station, &answer, self.now())
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn a_template_shows_what_differs_and_applies_what_can_be_set() {
    let rig = Rig::start().await;
    let all = rig.portal.key(BOTH, &[]).await;
    let mine = rig.portal.key(BOTH, &[rig.site]).await;
    rig.reads(&[
        ("HeartbeatInterval", "300"),
        ("LocalPreAuthorize", " True"),
        ("NumberOfConnectors", "1"),
    ])
    .await;
    let wanted = json!({
        "name": "North", "sites": ["North"],
        "keys": {"heartbeatinterval": "60", "LocalPreAuthorize": "true", "NumberOfConnectors": "2", "New": "x"},
    });
    let path = "/api/v1/configuration-templates";
    let made = all.json(Method::POST, path, &wanted).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let taken = all
        .json(Method::POST, path, &json!({"name": "north"}))
        .await;
    assert_eq!(taken.status, StatusCode::CONFLICT);
    let forbidden = mine
        .json(Method::POST, path, &json!({"name": "Mine"}))
        .await;
    assert_eq!(forbidden.status, StatusCode::FORBIDDEN);

    let shown = mine.get("/api/v1/stations/CP1/configuration").await.json();
    let standing = |name: &str| {
        let rows = shown["items"].as_array().unwrap();
        let row = rows.iter().find(|row| row["key"] == name);
        row.unwrap_or_else(|| panic!("{name} in {shown}"))["standing"].clone()
    };
    assert_eq!(standing("HeartbeatInterval"), "differs");
    assert_eq!(standing("LocalPreAuthorize"), "same");
    assert_eq!(standing("NumberOfConnectors"), "fixed");
    assert_eq!(standing("New"), "unread");
    assert_eq!(shown["drift"], 3);
    let drift = mine
        .get("/api/v1/stations/CP1/configuration?drift=1")
        .await
        .json();
    assert_eq!(drift["items"].as_array().unwrap().len(), 3);

    let applied = mine
        .json(
            Method::POST,
            "/api/v1/stations/CP1/configuration/apply",
            &json!({}),
        )
        .await;
    assert_eq!(applied.status, StatusCode::ACCEPTED, "{}", applied.body);
    assert_eq!(
        applied.json()["commands"].as_array().unwrap().len(),
        2,
        "what is fixed is left alone"
    );
    let commands = mine.get("/api/v1/commands?station=CP1").await.json();
    let payloads: Vec<&Value> = commands["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["payload"])
        .collect();
    assert!(
        payloads.contains(&&json!({"key": "HeartbeatInterval", "value": "60"})),
        "{payloads:?}"
    );

    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("{path}/{id}");
    let changed = all
        .json(
            Method::PUT,
            &path,
            &json!({"keys": {"HeartbeatInterval": "300"}}),
        )
        .await;
    assert_eq!(
        changed.json()["sites"],
        json!(["North"]),
        "what is left out stays"
    );
    let shown = mine.get("/api/v1/stations/CP1/configuration").await.json();
    assert_eq!(shown["drift"], 0);
    let gone = all.json(Method::DELETE, &path, &json!({})).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(
        all.json(Method::DELETE, &path, &json!({})).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn a_template_is_read_strictly_and_holds_no_secret() {
    let rig = Rig::start().await;
    let all = rig.portal.key(BOTH, &[]).await;
    for (body, place, value) in [
        (json!({}), "/name", "missing"),
        (
            json!({"name": "T", "keys": {"AuthorizationKey": "x"}}),
            "/keys",
            "AuthorizationKey",
        ),
        (json!({"name": "T", "keys": {"A": 1}}), "/keys", "1"),
        (
            json!({"name": "T", "keys": {"A": "1", "a": "2"}}),
            "/keys",
            "\"a\"",
        ),
        (
            json!({"name": "T", "stations": ["CP9"]}),
            "/stations",
            "CP9",
        ),
        (
            json!({"name": "T", "sites": ["Nowhere"]}),
            "/sites",
            "Nowhere",
        ),
        (json!({"name": "T", "typo": 1}), "/typo", "not known"),
    ] {
        let answer = all
            .json(Method::POST, "/api/v1/configuration-templates", &body)
            .await;
        complains(&answer, place, value);
    }
}

#[tokio::test]
async fn a_station_is_asked_for_its_keys() {
    let rig = Rig::start().await;
    let mine = rig.portal.key(BOTH, &[rig.site]).await;
    let path = "/api/v1/stations/CP1/configuration/read";
    let asked = mine.json(Method::POST, path, &json!({})).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    assert_eq!(
        rig.last_command(&mine).await,
        ("GetConfiguration".to_owned(), json!({}))
    );
    let one = json!({"keys": ["SupportedFeatureProfiles"]});
    mine.json(Method::POST, path, &one).await;
    assert_eq!(
        rig.last_command(&mine).await.1,
        json!({"key": ["SupportedFeatureProfiles"]})
    );
    complains(
        &mine.json(Method::POST, path, &json!({"keys": [""]})).await,
        "/keys",
        "[\"\"]",
    );
}

#[tokio::test]
async fn a_connector_is_reserved_and_given_up() {
    let rig = Rig::start().await;
    rig.token("TAG1", Some("GROUP")).await;
    let mine = rig.portal.key(BOTH, &[rig.site]).await;
    let path = "/api/v1/stations/CP1/reservations";
    let wish = json!({"connector": 1, "id_token": "TAG1", "expires_at": "2026-11-20T13:00:00Z"});
    let asked = mine.json(Method::POST, path, &wish).await;
    assert_eq!(asked.status, StatusCode::ACCEPTED, "{}", asked.body);
    let row = asked.json();
    assert_eq!(
        (&row["status"], &row["parent_id_token"]),
        (&json!("requested"), &json!("GROUP"))
    );
    let number = row["number"].as_i64().unwrap();
    let (action, payload) = rig.last_command(&mine).await;
    assert_eq!(action, "ReserveNow");
    assert_eq!(
        payload,
        json!({"connectorId": 1, "expiryDate": "2026-11-20T13:00:00.000Z", "idTag": "TAG1",
               "parentIdTag": "GROUP", "reservationId": number})
    );
    let id = row["id"].as_str().unwrap().to_owned();
    let said = reservations::Said {
        number: i32::try_from(number).unwrap(),
        connector: 1,
        id_token: "TAG1".to_owned(),
        parent: None,
        expires_at: "2026-11-20T13:00:00Z".parse().unwrap(),
    };
    let command: Uuid = row["command"].as_str().unwrap().parse().unwrap();
    let mut db = rig.portal.db.pool.acquire().await.unwrap();
    reservations::answered(&mut db, rig.station, command, &said, "Accepted", rig.now())
        .await
        .unwrap();
    let kept = mine.get(&format!("/api/v1/reservations/{id}")).await.json();
    assert_eq!(
        (&kept["status"], &kept["accepted_at"]),
        (&json!("accepted"), &json!("2026-11-20T12:00:00.000Z"))
    );

    let cancel = format!("/api/v1/reservations/{id}/cancel");
    let cancelling = mine.json(Method::POST, &cancel, &json!({})).await;
    assert_eq!(
        cancelling.status,
        StatusCode::ACCEPTED,
        "{}",
        cancelling.body
    );
    assert_eq!(
        cancelling.json()["status"],
        "accepted",
        "until the station says so"
    );
    assert_eq!(
        rig.last_command(&mine).await,
        (
            "CancelReservation".to_owned(),
            json!({"reservationId": number})
        )
    );
    reservations::cancelled(&mut db, rig.station, said.number, rig.now())
        .await
        .unwrap();
    let again = mine.json(Method::POST, &cancel, &json!({})).await;
    assert_eq!(again.status, StatusCode::CONFLICT);
    let list = mine.get(path).await.json();
    assert_eq!(list["items"][0]["status"], "cancelled");
    assert_eq!(
        mine.get("/api/v1/reservations").await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

/// It is never told of it: neither to keep the connector nor to give it up.
#[tokio::test]
async fn a_reservation_that_its_station_has_not_heard_of_is_taken_back() {
    let rig = Rig::start().await;
    let mine = rig.portal.key(BOTH, &[rig.site]).await;
    let path = "/api/v1/stations/CP1/reservations";
    let wish = json!({"connector": 1, "id_token": "TAG1", "expires_at": "2026-11-20T13:00:00Z"});
    let mut asked = Vec::new();
    for _ in 0..2 {
        asked.push(mine.json(Method::POST, path, &wish).await.json());
    }
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    // By the reservation, or by its command: it comes to the same.
    let cancels = [
        format!("/api/v1/reservations/{}/cancel", text(&asked[0], "id")),
        format!("/api/v1/commands/{}/cancel", text(&asked[1], "command")),
    ];
    for cancel in &cancels {
        let done = mine.json(Method::POST, cancel, &json!({})).await;
        assert!(done.status.is_success(), "{}", done.body);
    }
    for row in &asked {
        let shown = mine
            .get(&format!("/api/v1/reservations/{}", text(row, "id")))
            .await;
        assert_eq!(shown.json()["status"], "cancelled");
        let command = mine
            .get(&format!("/api/v1/commands/{}", text(row, "command")))
            .await;
        assert_eq!(command.json()["status"], "cancelled");
    }
    assert_eq!(rig.last_command(&mine).await.0, "ReserveNow");
    // So it stays once the csms has looked.
    let mut db = rig.portal.db.pool.acquire().await.unwrap();
    reservations::expire(&mut db, rig.now()).await.unwrap();
    let list = mine.get(path).await.json();
    let shown = list["items"].as_array().unwrap();
    assert!(
        shown.iter().all(|row| row["status"] == "cancelled"),
        "{list}"
    );
}

#[tokio::test]
async fn a_refused_reservation_is_shown_and_an_old_one_has_expired() {
    let rig = Rig::start().await;
    let mine = rig.portal.key(BOTH, &[rig.site]).await;
    let path = "/api/v1/stations/CP1/reservations";
    let mut rows = Vec::new();
    for _ in 0..2 {
        let wish =
            json!({"connector": 0, "id_token": "TAG9", "expires_at": "2026-11-20T12:05:00Z"});
        rows.push(mine.json(Method::POST, path, &wish).await.json());
    }
    let mut db = rig.portal.db.pool.acquire().await.unwrap();
    for (row, answer) in rows.iter().zip(["Occupied", "Accepted"]) {
        let said = reservations::Said {
            number: i32::try_from(row["number"].as_i64().unwrap()).unwrap(),
            connector: 0,
            id_token: "TAG9".to_owned(),
            parent: None,
            expires_at: rig.now() + TimeDelta::minutes(5),
        };
        let command = row["command"].as_str().unwrap().parse().unwrap();
        reservations::answered(&mut db, rig.station, command, &said, answer, rig.now())
            .await
            .unwrap();
    }
    rig.portal
        .clock
        .advance(std::time::Duration::from_secs(600));
    let shown = mine.get(path).await.json();
    let status = |row: &Value| {
        let rows = shown["items"].as_array().unwrap();
        let found = rows.iter().find(|shown| shown["id"] == row["id"]).unwrap();
        (found["status"].clone(), found["answer"].clone())
    };
    assert_eq!(status(&rows[0]), (json!("refused"), json!("Occupied")));
    assert_eq!(
        status(&rows[1]),
        (json!("expired"), json!("Accepted")),
        "without any job"
    );
}

#[tokio::test]
async fn a_reservation_is_read_strictly() {
    let rig = Rig::start().await;
    let mine = rig.portal.key(BOTH, &[rig.site]).await;
    let path = "/api/v1/stations/CP1/reservations";
    let wish = |field: &str, value: Value| {
        let mut wish =
            json!({"connector": 1, "id_token": "TAG1", "expires_at": "2026-11-20T13:00:00Z"});
        wish[field] = value;
        wish
    };
    for (body, place, value) in [
        (json!({}), "/connector", "missing"),
        (wish("connector", json!(-1)), "/connector", "-1"),
        (
            wish("id_token", json!("123456789012345678901")),
            "/id_token",
            "20 printable",
        ),
        (wish("expires_at", json!(TODAY)), "/expires_at", "after now"),
        (
            wish("expires_at", json!("2027-01-20T12:00:00Z")),
            "/expires_at",
            "before",
        ),
    ] {
        complains(&mine.json(Method::POST, path, &body).await, place, value);
    }
}

#[tokio::test]
async fn a_list_is_subscribed_and_shows_what_is_still_to_be_sent() {
    let rig = Rig::start().await;
    for token in ["TAG1", "TAG2"] {
        rig.token(token, None).await;
    }
    let mine = rig.portal.key(BOTH, &[rig.site]).await;
    let path = "/api/v1/stations/CP1/local-list";
    let early = mine
        .json(Method::POST, &format!("{path}/push"), &json!({}))
        .await;
    assert_eq!(early.status, StatusCode::CONFLICT);
    let of_site = format!("/api/v1/sites/{}/local-list", rig.site);
    let chosen = mine
        .json(Method::PUT, &of_site, &json!({"chosen": ["tag1", "TAG2"]}))
        .await;
    assert_eq!(chosen.json(), json!({"chosen": ["TAG1", "TAG2"]}));
    let shown = mine
        .json(
            Method::PUT,
            path,
            &json!({"subscribed": true, "rule": "site"}),
        )
        .await;
    assert_eq!(shown.status, StatusCode::OK, "{}", shown.body);
    let shown = shown.json();
    assert_eq!(
        (&shown["dirty"], &shown["version"]),
        (&json!(true), &json!(0))
    );
    assert_eq!(shown["wanted"].as_array().unwrap().len(), 2);

    let entry = |token: &str| local_lists::Entry {
        token: token.to_owned(),
        status: "Accepted".to_owned(),
        parent: None,
        expires_at: None,
    };
    let sent = local_lists::Sent {
        version: 1,
        full: true,
        held: vec![entry("TAG1"), entry("TAG2")],
        removed: vec![],
    };
    let mut db = rig.portal.db.pool.acquire().await.unwrap();
    local_lists::accepted(&mut db, rig.station, &sent, rig.now())
        .await
        .unwrap();
    local_lists::looked(&mut db, rig.station, None, None, rig.now())
        .await
        .unwrap();
    let settled = mine.get(path).await.json();
    assert_eq!(
        (&settled["dirty"], &settled["version"]),
        (&json!(false), &json!(1))
    );
    // A token that is blocked makes it differ, by whomever it is blocked.
    let all = rig.portal.key(BOTH, &[]).await;
    all.json(
        Method::PUT,
        "/api/v1/id-tokens/TAG2",
        &json!({"status": "blocked"}),
    )
    .await;
    let differs = mine.get(path).await.json();
    assert_eq!(differs["dirty"], true);
    assert_eq!(differs["wanted"][1]["status"], "Blocked");

    complains(
        &mine
            .json(Method::PUT, path, &json!({"chosen": ["NOBODY"]}))
            .await,
        "/chosen",
        "NOBODY",
    );
    complains(
        &mine.json(Method::PUT, path, &json!({"rule": "all"})).await,
        "/rule",
        "every site",
    );
    complains(
        &mine.json(Method::PUT, &of_site, &json!({})).await,
        "/chosen",
        "missing",
    );
    mine.json(Method::POST, &format!("{path}/version"), &json!({}))
        .await;
    assert_eq!(rig.last_command(&mine).await.0, "GetLocalListVersion");
}

async fn hold(rig: &Rig, connector: i32, number: i32, purpose: &str, limit: i64) {
    let profile = json!({
        "chargingProfileId": number, "stackLevel": 0, "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "A", "startSchedule": "2026-11-20T11:00:00Z",
                             "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}, {"startPeriod": 5400, "limit": 6}]},
    });
    let sent = Sent {
        place: Place {
            connector: Some(connector),
            number,
            stack_level: 0,
            purpose: purpose.to_owned(),
            transaction_number: None,
        },
        kind: "Absolute".to_owned(),
        awaits: None,
        profile: profile.to_string(),
        unit: "A".to_owned(),
    };
    let mut db = rig.portal.db.pool.acquire().await.unwrap();
    charging_profiles::note_answer(&mut db, rig.station, &sent, "Accepted", rig.now())
        .await
        .unwrap();
    charging_profiles::set(&mut db, rig.station, Uuid::nil(), &sent, rig.now())
        .await
        .unwrap();
}

#[tokio::test]
async fn profiles_show_with_what_they_come_to() {
    let rig = Rig::start().await;
    let mine = rig.portal.key(BOTH, &[rig.site]).await;
    hold(&rig, 0, 1, "ChargePointMaxProfile", 32).await;
    hold(&rig, 1, 2, "TxDefaultProfile", 16).await;
    let shown = mine
        .get("/api/v1/stations/CP1/charging-profiles")
        .await
        .json();
    assert_eq!(shown["items"].as_array().unwrap().len(), 2);
    assert_eq!(shown["takes"]["connector_zero"], true);
    let path = "/api/v1/stations/CP1/composite-schedule";
    let composite = mine
        .get(&format!("{path}?connector=1&duration=3600&unit=A"))
        .await
        .json();
    assert_eq!(
        composite["expected"],
        json!([{"start": 0, "limit": 16}, {"start": 1800, "limit": 6}])
    );
    assert_eq!(composite["station"], Value::Null, "never asked");
    let watts = mine
        .get(&format!("{path}?connector=0&unit=W&phases=1"))
        .await
        .json();
    assert_eq!(watts["expected"][0], json!({"start": 0, "limit": 7360}));
    complains(&mine.get(&format!("{path}?unit=kW")).await, "unit", "kW");
}

#[tokio::test]
async fn a_request_that_needs_no_body_takes_none_for_an_empty_object() {
    let rig = Rig::start().await;
    let key = rig.portal.key(BOTH, &[rig.site]).await;
    let list = "/api/v1/stations/CP1/local-list";
    let subscribed = json!({"subscribed": true, "rule": "site"});
    let put = key.json(Method::PUT, list, &subscribed).await;
    assert_eq!(put.status, StatusCode::OK, "{}", put.body);
    for path in [
        "local-list/push",
        "local-list/version",
        "credentials/rotate",
    ] {
        let path = format!("/api/v1/stations/CP1/{path}");
        for (media, body, status) in [
            (None, "", StatusCode::ACCEPTED),
            (Some("application/json"), "", StatusCode::ACCEPTED),
            (Some("text/plain"), "{}", StatusCode::UNSUPPORTED_MEDIA_TYPE),
            (
                Some("application/json"),
                "[]",
                StatusCode::UNPROCESSABLE_ENTITY,
            ),
        ] {
            let answer = key.send(Method::POST, &path, media, body.into()).await;
            assert_eq!(answer.status, status, "{path} {body:?}: {}", answer.body);
        }
    }
}
