//! Commands by API: queued, checked, waited for.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use serde_json::json;
use store::{audit, bell::Doorbell, commands, people};

use crate::{
    data,
    harness::{BOTH, Portal, complains, names},
};

/// The path of a station's commands.
const COMMANDS: &str = "/api/v1/stations/CP-1/commands";

#[tokio::test]
async fn a_command_is_queued_with_the_shape_that_others_build_on() {
    let portal = Portal::start().await;
    let charged = data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    // The payload goes to the letter, spaces and all.
    let body =
        r#"{"action": "RemoteStartTransaction", "payload": {"idTag": "A",  "connectorId": 1}}"#;
    let queued = key
        .send(
            Method::POST,
            COMMANDS,
            Some("application/json"),
            body.into(),
        )
        .await;
    assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.body);
    assert!(
        queued.body.contains(r#"{"idTag": "A",  "connectorId": 1}"#),
        "{}",
        queued.body
    );
    let command = queued.json();
    assert_eq!(
        names(&command),
        [
            "action",
            "actor",
            "adapted",
            "answer",
            "answered_at",
            "awaits",
            "created_at",
            "effect",
            "effect_at",
            "error",
            "expires_at",
            "id",
            "ordered_payload",
            "payload",
            "rerun_of",
            "sent_at",
            "station",
            "status",
            "task",
            "verdict"
        ]
    );
    assert_eq!(
        (&command["status"], &command["station"]),
        (&"queued".into(), &"CP-1".into())
    );
    assert_eq!(command["created_at"], "2026-11-20T12:00:00.000Z");
    let path = format!("/api/v1/commands/{}", command["id"].as_str().unwrap());
    assert_eq!(key.get(&path).await.json(), command);
    assert_eq!(
        key.get("/api/v1/commands?station=CP-1").await.json()["items"],
        json!([command])
    );
    let mut db = portal.db.pool.acquire().await.unwrap();
    let now = portal.clock.now();
    let claimed = commands::claim(&mut db, charged.station_id, "m", "node", now)
        .await
        .unwrap();
    assert_eq!(
        claimed.unwrap().payload,
        r#"{"idTag": "A",  "connectorId": 1}"#
    );
}

#[tokio::test]
async fn a_payload_that_fails_the_check_makes_no_row() {
    let portal = Portal::start().await;
    let charged = data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    for (body, place, value) in [
        (
            json!({"action": "Reset", "payload": {"type": "Warm"}}),
            "/payload/type",
            "Warm",
        ),
        (
            json!({"action": "Reset", "payload": {}}),
            "/payload/type",
            "missing",
        ),
        (
            json!({"action": "RemoteStartTransaction", "payload": {"idTag": 5}}),
            "/payload/idTag",
            "5",
        ),
        (
            json!({"action": "RemoteStopTransaction", "payload": {"transactionId": 1, "x": 1}}),
            "/payload/x",
            "",
        ),
        (
            json!({"action": "BootNotification", "payload": {}}),
            "/action",
            "BootNotification",
        ),
        (
            json!({"action": "Explode", "payload": {}}),
            "/action",
            "Explode",
        ),
        (
            json!({"action": "ChangeConfiguration", "payload": {"key": "a\u{0}", "value": "x"}}),
            "/payload/key",
            "NUL",
        ),
        (json!({"action": "Reset"}), "", "payload"),
        (
            json!({"action": "Reset", "payload": {"type": "Soft"}, "extra": 1}),
            "",
            "extra",
        ),
    ] {
        complains(&key.json(Method::POST, COMMANDS, &body).await, place, value);
    }
    complains(
        &key.json(Method::POST, &format!("{COMMANDS}?wait=61"), &json!({}))
            .await,
        "wait",
        "61",
    );
    assert_eq!(key.get("/api/v1/commands").await.json()["items"], json!([]));

    // Not even as they are: no column takes it.
    for (payload, place) in [
        (json!({"a": [1, {"b/c": "\u{0}"}]}), "/payload/a/1/b~1c"),
        (json!({"a": {"\u{0}": 1}}), "/payload/a"),
    ] {
        let body = json!({"action": "Explode", "payload": payload});
        let path = format!("{COMMANDS}?raw=1");
        complains(&key.json(Method::POST, &path, &body).await, place, "NUL");
    }
    let raw = json!({"action": "Explode", "payload": {"when": "now"}});
    let sent = key
        .json(Method::POST, &format!("{COMMANDS}?raw=1"), &raw)
        .await;
    assert_eq!(sent.status, StatusCode::ACCEPTED);
    let mut db = portal.db.pool.acquire().await.unwrap();
    let entity = format!("station/{}", charged.station_id);
    let audited = audit::of(&mut db, &entity, 10).await.unwrap();
    assert_eq!(
        (audited[0].action.as_str(), &audited[0].detail["action"]),
        ("command.raw", &"Explode".into())
    );
    let nowhere = key
        .json(Method::POST, "/api/v1/stations/CP-9/commands", &raw)
        .await;
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

/// Every action to a station with a payload that is as it should be, and one place where it is not.
fn all_actions() -> Vec<(&'static str, serde_json::Value, &'static str)> {
    let at = "2026-11-20T12:00:00Z";
    let schedule = json!({"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16.0}]});
    let profile = json!({"chargingProfileId": 1, "stackLevel": 0, "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute", "chargingSchedule": schedule});
    let mut first = profile.clone();
    first["chargingProfilePurpose"] = json!("TxProfile");
    let hash = json!({"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "1"});
    let firmware = json!({"location": "https://host/f", "retrieveDateTime": at, "signingCertificate": "PEM", "signature": "c2ln"});
    vec![
        (
            "CancelReservation",
            json!({"reservationId": 1}),
            "/reservationId",
        ),
        (
            "CertificateSigned",
            json!({"certificateChain": "PEM"}),
            "/certificateChain",
        ),
        (
            "ChangeAvailability",
            json!({"connectorId": 1, "type": "Inoperative"}),
            "/type",
        ),
        (
            "ChangeConfiguration",
            json!({"key": "HeartbeatInterval", "value": "60"}),
            "/key",
        ),
        ("ClearCache", json!({}), "/nothing"),
        (
            "ClearChargingProfile",
            json!({"id": 1, "chargingProfilePurpose": "TxProfile"}),
            "/id",
        ),
        (
            "DataTransfer",
            json!({"vendorId": "org.example", "data": "x"}),
            "/vendorId",
        ),
        (
            "DeleteCertificate",
            json!({"certificateHashData": hash}),
            "/certificateHashData/hashAlgorithm",
        ),
        (
            "ExtendedTriggerMessage",
            json!({"requestedMessage": "SignChargePointCertificate"}),
            "/requestedMessage",
        ),
        (
            "GetCompositeSchedule",
            json!({"connectorId": 1, "duration": 3600, "chargingRateUnit": "W"}),
            "/duration",
        ),
        (
            "GetConfiguration",
            json!({"key": ["HeartbeatInterval"]}),
            "/key/0",
        ),
        (
            "GetDiagnostics",
            json!({"location": "https://host/up", "startTime": at}),
            "/startTime",
        ),
        (
            "GetInstalledCertificateIds",
            json!({"certificateType": "CentralSystemRootCertificate"}),
            "/certificateType",
        ),
        ("GetLocalListVersion", json!({}), "/nothing"),
        (
            "GetLog",
            json!({"logType": "SecurityLog", "requestId": 1, "log": {"remoteLocation": "https://host/up"}}),
            "/log/remoteLocation",
        ),
        (
            "InstallCertificate",
            json!({"certificateType": "ManufacturerRootCertificate", "certificate": "PEM"}),
            "/certificate",
        ),
        (
            "RemoteStartTransaction",
            json!({"idTag": "A", "chargingProfile": first}),
            "/chargingProfile/chargingSchedule/chargingSchedulePeriod/0/limit",
        ),
        (
            "RemoteStopTransaction",
            json!({"transactionId": 1}),
            "/transactionId",
        ),
        (
            "ReserveNow",
            json!({"connectorId": 1, "expiryDate": at, "idTag": "A", "reservationId": 1}),
            "/expiryDate",
        ),
        ("Reset", json!({"type": "Hard"}), "/type"),
        (
            "SendLocalList",
            json!({"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "A", "idTagInfo": {"status": "Accepted"}}]}),
            "/localAuthorizationList/0/idTagInfo/status",
        ),
        (
            "SetChargingProfile",
            json!({"connectorId": 1, "csChargingProfiles": profile}),
            "/csChargingProfiles/stackLevel",
        ),
        (
            "SignedUpdateFirmware",
            json!({"requestId": 1, "firmware": firmware}),
            "/firmware/retrieveDateTime",
        ),
        (
            "TriggerMessage",
            json!({"requestedMessage": "MeterValues", "connectorId": 1}),
            "/requestedMessage",
        ),
        ("UnlockConnector", json!({"connectorId": 1}), "/connectorId"),
        (
            "UpdateFirmware",
            json!({"location": "https://host/f", "retrieveDate": at}),
            "/retrieveDate",
        ),
    ]
}

#[tokio::test]
async fn each_of_the_26_actions_is_queued_if_it_is_well_formed_and_refused_by_name_if_not() {
    let portal = Portal::start().await;
    data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    let actions = all_actions();
    assert_eq!(actions.len(), 26);
    for (action, payload, place) in actions {
        let asked = json!({"action": action, "payload": payload});
        let queued = key.json(Method::POST, COMMANDS, &asked).await;
        assert_eq!(
            queued.status,
            StatusCode::ACCEPTED,
            "{action}: {}",
            queued.body
        );
        let mut wrong = asked.clone();
        if place == "/nothing" {
            wrong["payload"]["nothing"] = json!("wrong");
        } else {
            *wrong["payload"].pointer_mut(place).unwrap() = json!([]);
        }
        let refused = key.json(Method::POST, COMMANDS, &wrong).await;
        complains(&refused, &format!("/payload{place}"), "expected");
    }
}

#[tokio::test]
async fn what_no_station_could_obey_is_refused_wherever_it_is_ordered_unless_raw() {
    let portal = Portal::start().await;
    let station = data::charged(&portal, None, "CP-1", 1).await.station_id;
    let key = portal.key(BOTH, &[]).await;
    let admin = portal
        .signed_in("a@example.org", people::Role::Admin, &[])
        .await;
    let profile = json!({"security_profile": 1, "password": "0123456789abcdef"});
    let set = key
        .json(Method::PUT, "/api/v1/stations/CP-1", &profile)
        .await;
    assert_eq!(set.status, StatusCode::OK, "{}", set.body);
    let lower = json!({"key": "SecurityProfile", "value": "0"});
    for (action, payload, place, value) in [
        (
            "UnlockConnector",
            json!({"connectorId": 0}),
            "/connectorId",
            "0: expected",
        ),
        (
            "ReserveNow",
            json!({"connectorId": 1, "expiryDate": "2026-11-20T11:59:59Z", "idTag": "A", "reservationId": 1}),
            "/expiryDate",
            "not before 2026-11-20T12:00:00",
        ),
        (
            "SendLocalList",
            json!({"listVersion": 1, "updateType": "Full", "localAuthorizationList": [{"idTag": "A"}]}),
            "/localAuthorizationList/0/idTagInfo",
            "missing: expected",
        ),
        ("ChangeConfiguration", lower, "/value", "never lowered"),
    ] {
        let place = format!("/payload{place}");
        let asked = json!({"action": action, "payload": payload});
        complains(
            &key.json(Method::POST, COMMANDS, &asked).await,
            &place,
            value,
        );
        let mut task = asked.clone();
        task["stations"] = json!(["CP-1"]);
        let task = key.json(Method::POST, "/api/v1/tasks", &task).await;
        complains(&task, &place, value);
    }
    let form = admin
        .post(
            "/stations/CP-1/commands",
            "_action=UnlockConnector&connectorId=0",
        )
        .await;
    assert_eq!(form.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(form.body.contains("from 1 to 65535"), "{}", form.body);
    let rows = key.get("/api/v1/commands").await.json();
    assert_eq!(rows["items"], json!([]));
    assert_eq!(key.get("/api/v1/tasks").await.json()["items"], json!([]));

    let raw = json!({"action": "UnlockConnector", "payload": {"connectorId": 0}});
    let raw = key
        .json(Method::POST, &format!("{COMMANDS}?raw=1"), &raw)
        .await;
    assert_eq!(raw.status, StatusCode::ACCEPTED, "{}", raw.body);
    let mut db = portal.db.pool.acquire().await.unwrap();
    let entity = format!("station/{station}");
    let audited = audit::of(&mut db, &entity, 10).await.unwrap();
    assert_eq!(audited[0].action, "command.raw");
}

#[tokio::test]
async fn a_security_profile_that_is_served_nowhere_is_ordered_raw_or_not_at_all() {
    let portal = Portal::start().await;
    data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    let admin = portal
        .signed_in("a@example.org", people::Role::Admin, &[])
        .await;
    let order = |profile: i16| json!({"action": "ChangeConfiguration", "payload": {"key": "SecurityProfile", "value": profile.to_string()}});
    for (served, setting) in [(1, "OCPP_TLS_CERT"), (2, "OCPP_TLS_CLIENT_CA")] {
        let offer = store::csms_nodes::Offer {
            node: "csms",
            highest_profile: served,
            certificate_expires_at: None,
        };
        let mut db = portal.db.pool.acquire().await.unwrap();
        store::csms_nodes::started(&mut db, &offer, portal.clock.now())
            .await
            .unwrap();
        for profile in served + 1..=3 {
            let asked = order(profile);
            let refused = key.json(Method::POST, COMMANDS, &asked).await;
            complains(&refused, "/payload/value", setting);
            let mut task = asked.clone();
            task["stations"] = json!(["CP-1"]);
            let refused = key.json(Method::POST, "/api/v1/tasks", &task).await;
            complains(&refused, "/payload/value", setting);
            let fields = format!(
                "_action=ChangeConfiguration&key=SecurityProfile&value={profile}&_confirm=yes"
            );
            let form = admin.post("/stations/CP-1/commands", &fields).await;
            assert_eq!(form.status, StatusCode::UNPROCESSABLE_ENTITY);
            assert!(form.body.contains(setting), "{}", form.body);
        }
        let rows = key.get("/api/v1/commands").await.json();
        let count = rows["items"].as_array().unwrap().len();
        let fits = key.json(Method::POST, COMMANDS, &order(served)).await;
        assert_eq!(fits.status, StatusCode::ACCEPTED, "{}", fits.body);
        let raw = format!("{COMMANDS}?raw=1");
        let raw = key.json(Method::POST, &raw, &order(3)).await;
        assert_eq!(raw.status, StatusCode::ACCEPTED, "{}", raw.body);
        let rows = key.get("/api/v1/commands").await.json();
        assert_eq!(rows["items"].as_array().unwrap().len(), count + 2);
    }
}

/// Repeated names, digits that no float holds, the order of names: what goes over the wire is what people see.
#[tokio::test]
async fn a_raw_payload_is_shown_to_the_letter() {
    let portal = Portal::start().await;
    data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    let admin = portal
        .signed_in("a@example.org", people::Role::Admin, &[])
        .await;
    let payload = r#"{"z":1,"a":1.10000000000000000000001,"z":12345678901234567890123,"e":1E2}"#;
    let body = format!(r#"{{"action":"Odd","payload":{payload}}}"#);
    let (path, media) = (format!("{COMMANDS}?raw=1"), Some("application/json"));
    let queued = key.send(Method::POST, &path, media, body.into()).await;
    assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.body);
    for path in [
        "/api/v1/commands".to_owned(),
        format!("/api/v1/commands/{}", queued.json()["id"].as_str().unwrap()),
    ] {
        let row = key.get(&path).await;
        assert!(row.body.contains(payload), "{}", row.body);
    }
    let page = admin.get("/stations/CP-1/commands").await.body;
    let words = [
        "z&#34;: 1,",
        "a&#34;: 1.10000000000000000000001,",
        "z&#34;: 12345678901234567890123,",
        "e&#34;: 1E2",
    ];
    let places: Vec<Option<usize>> = words.iter().map(|word| page.find(word)).collect();
    assert!(places.iter().all(Option::is_some), "{places:?} in {page}");
    assert!(places.is_sorted(), "{places:?}");
    let mut db = portal.db.pool.acquire().await.unwrap();
    let station = store::lookup::stations(&mut db, &["CP-1".to_owned()])
        .await
        .unwrap()[0]
        .clone()
        .unwrap();
    let sent = commands::claim(&mut db, station.id, "1", "csms", portal.clock.now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(sent.payload, payload);
}

/// Plays the csms: takes the command that is queued and ends it.
async fn play_station(portal: &Portal, station_id: uuid::Uuid, outcome: commands::Outcome) {
    let mut db = portal.db.pool.acquire().await.unwrap();
    let mut bell = Doorbell::new(&portal.db.pool, &[commands::QUEUED_CHANNEL]);
    let now = portal.clock.now();
    let claimed = loop {
        if let Some(claimed) = commands::claim(&mut db, station_id, "m", "node", now)
            .await
            .unwrap()
        {
            break claimed;
        }
        bell.wait(Duration::from_secs(60)).await;
    };
    let ended = commands::Ended {
        id: claimed.id,
        station_id,
        message_id: "m",
        action: &claimed.action,
        payload: &claimed.payload,
        sent_at: now,
        outcome: &outcome,
    };
    commands::end(&mut db, &ended, now).await.unwrap();
}

#[tokio::test]
async fn waiting_answers_what_the_station_answered() {
    let portal = Portal::start().await;
    let charged = data::charged(&portal, None, "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    let reset = json!({"action": "Reset", "payload": {"type": "Soft"}});
    let path = format!("{COMMANDS}?wait=30");
    let answered = commands::Outcome::Answered(r#"{"status":  "Accepted"}"#.to_owned());
    let (answer, ()) = tokio::join!(
        key.json(Method::POST, &path, &reset),
        play_station(&portal, charged.station_id, answered)
    );
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    assert!(
        answer.body.contains(r#""answer":{"status":  "Accepted"}"#),
        "{}",
        answer.body
    );
    assert_eq!(answer.json()["verdict"], "Accepted");

    let error = commands::Outcome::Error {
        code: "NotSupported".to_owned(),
        description: "no".to_owned(),
    };
    let (answer, ()) = tokio::join!(
        key.json(Method::POST, &path, &reset),
        play_station(&portal, charged.station_id, error)
    );
    assert_eq!(answer.status, StatusCode::OK);
    let command = answer.json();
    assert_eq!(command["verdict"], json!(null));
    assert_eq!(
        (&command["status"], &command["error"]),
        (
            &"error".into(),
            &json!({"code": "NotSupported", "description": "no"})
        )
    );

    let (answer, ()) = tokio::join!(
        key.json(Method::POST, &path, &reset),
        play_station(&portal, charged.station_id, commands::Outcome::Timeout)
    );
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (StatusCode::ACCEPTED, &"timeout".into())
    );
    let nobody = key
        .json(Method::POST, &format!("{COMMANDS}?wait=1"), &reset)
        .await;
    assert_eq!(
        (nobody.status, &nobody.json()["status"]),
        (StatusCode::ACCEPTED, &"queued".into())
    );
}
