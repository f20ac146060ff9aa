//! What is kept of a station after it answered: its configuration, local list, reservations and charging profiles.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use store::charging_profiles::Profile;
use store::configuration::Key;
use store::local_lists::{self, Chosen, List};
use store::reservations::Reservation;
use store::{Pooled, Room, Scope};
use uuid::Uuid;

use crate::commands::{ends_as, queue, queue_at};
use crate::effects::answered;
use crate::support::{Server, Station, eventually, noon};

async fn station_id(server: &Server, identity: &str) -> Uuid {
    let mut db = connection(server).await;
    let found = store::lookup::stations(&mut db, &[identity.to_owned()])
        .await
        .unwrap();
    found[0].as_ref().unwrap().id
}

async fn connection(server: &Server) -> Pooled {
    server.db.pool.acquire().await.unwrap()
}

async fn keys(server: &Server) -> Vec<Key> {
    let id = station_id(server, "CP1").await;
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    store::configuration::of(&mut db, id).await.unwrap()
}

async fn key(server: &Server, name: &str) -> Option<Key> {
    keys(server).await.into_iter().find(|key| key.key == name)
}

async fn list(server: &Server) -> List {
    let id = station_id(server, "CP1").await;
    local_lists::of(&mut *connection(server).await, id)
        .await
        .unwrap()
}

async fn reservations(server: &Server) -> Vec<Reservation> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    store::reservations::list(&mut db, None, None, noon(), 100)
        .await
        .unwrap()
}

async fn reservation(server: &Server, number: i32) -> Reservation {
    let all = reservations(server).await;
    all.into_iter().find(|row| row.number == number).unwrap()
}

async fn profiles(server: &Server) -> Vec<Profile> {
    let id = station_id(server, "CP1").await;
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    store::charging_profiles::list(&mut db, id, false, 100)
        .await
        .unwrap()
}

async fn numbers(server: &Server) -> Vec<i32> {
    let mut numbers: Vec<i32> = profiles(server)
        .await
        .iter()
        .map(|row| row.place.number)
        .collect();
    numbers.sort_unstable();
    numbers
}

/// The next CALL must be this one; answers it.
async fn answer_next(station: &mut Station, action: &str, answer: Value) -> Value {
    let call = station.receive().await;
    assert_eq!(call[2], action, "{call}");
    station.send(&json!([3, call[1], answer]).to_string()).await;
    call[3].clone()
}

fn in_an_hour() -> DateTime<Utc> {
    noon() + TimeDelta::hours(1)
}

#[tokio::test]
async fn tc_019_1_every_key_is_kept_as_it_was_read() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let answer = json!({
        "configurationKey": [
            {"key": "HeartbeatInterval", "readonly": false, "value": 300},
            {"key": "SupportedFeatureProfiles", "readonly": true, "value": " Core , Reservation"},
            {"key": "AuthorizationKey", "readonly": false, "value": "00112233445566778899"},
        ],
        "unknownKey": ["Nothing"],
    });
    answered(
        &server,
        &mut station,
        ("GetConfiguration", json!({})),
        answer,
    )
    .await;
    let interval = key(&server, "HeartbeatInterval").await.unwrap();
    assert_eq!(
        (interval.value.as_deref(), interval.readonly),
        (Some("300"), Some(false))
    );
    let profiles = key(&server, "SupportedFeatureProfiles").await.unwrap();
    assert_eq!(
        profiles.value.as_deref(),
        Some(" Core , Reservation"),
        "to the letter"
    );
    assert_eq!(profiles.readonly, Some(true));
    assert!(!key(&server, "Nothing").await.unwrap().known);
    assert_eq!(
        key(&server, "AuthorizationKey").await.unwrap().value,
        None,
        "no secret is kept"
    );

    // TC_019_2: one key, and the others stay.
    let asked = json!({"key": ["HeartbeatInterval"]});
    let answer = json!({"configurationKey": [{"key": "HeartbeatInterval", "readonly": false, "value": "60"}]});
    answered(&server, &mut station, ("GetConfiguration", asked), answer).await;
    assert_eq!(
        key(&server, "HeartbeatInterval")
            .await
            .unwrap()
            .value
            .as_deref(),
        Some("60")
    );
    assert_eq!(keys(&server).await.len(), 4);
}

#[tokio::test]
async fn quirk_48_tc_021_what_was_set_is_read_back_and_a_rounded_value_shows() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let change = json!({"key": "MeterValueSampleInterval", "value": "5"});
    answered(
        &server,
        &mut station,
        ("ChangeConfiguration", change),
        json!({"status": "Accepted"}),
    )
    .await;
    let rounded = json!({"configurationKey": [{"key": "MeterValueSampleInterval", "readonly": false, "value": "30"}]});
    let asked = answer_next(&mut station, "GetConfiguration", rounded).await;
    assert_eq!(asked, json!({"key": ["MeterValueSampleInterval"]}));
    let row = eventually("the value read back", async || {
        key(&server, "MeterValueSampleInterval")
            .await
            .filter(|key| key.value.is_some())
    })
    .await;
    assert_eq!(
        (row.value.as_deref(), row.set_value.as_deref()),
        (Some("30"), Some("5"))
    );
    let rows = store::configuration::drift::compare(vec![row], &[]);
    assert!(rows[0].was_changed_by_station());

    // TC_040: what is not taken is not read back.
    for (key_name, status) in [
        ("Custom", "NotSupported"),
        ("MeterValueSampleInterval", "Rejected"),
    ] {
        let change = json!({"key": key_name, "value": "-1"});
        answered(
            &server,
            &mut station,
            ("ChangeConfiguration", change),
            json!({"status": status}),
        )
        .await;
        let row = key(&server, key_name).await.unwrap();
        assert_eq!(row.set_answer.as_deref(), Some(status));
        assert_eq!(row.known, status != "NotSupported");
    }
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
}

#[tokio::test]
async fn quirk_40_a_question_for_everything_that_a_station_cannot_answer_is_asked_in_parts() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let all = queue(&server, "GetConfiguration", json!({})).await;
    let call = station.receive().await;
    station
        .send(&json!([4, call[1], "InternalError", "too long", {}]).to_string())
        .await;
    ends_as(&server, all, "error").await;
    let first = station.receive().await;
    let asked = first[3]["key"].as_array().unwrap().clone();
    assert_eq!(asked.len(), 10);
    station
        .send(&json!([4, first[1], "InternalError", "still too long", {}]).to_string())
        .await;
    // The other parts and the halves of the one that failed come one after another, with pauses.
    let mut halves = 0;
    let mut names = 0;
    while halves < 2 {
        let call = station.receive().await;
        let keys = call[3]["key"].as_array().unwrap().clone();
        halves += usize::from(keys.len() == 5);
        names += keys.len();
        let read: Vec<Value> = keys
            .iter()
            .map(|key| json!({"key": key, "readonly": false, "value": "1"}))
            .collect();
        station
            .send(&json!([3, call[1], {"configurationKey": read}]).to_string())
            .await;
    }
    eventually("every key", async || {
        (keys(&server).await.len() == names).then_some(())
    })
    .await;
}

#[tokio::test]
async fn quirk_40_a_station_that_cannot_be_asked_for_everything_is_asked_by_name() {
    for answer in [
        json!([3, "", {"configurationKey": []}]),
        json!([4, "", "NotSupported", "name the keys", {}]),
    ] {
        let server = Server::start().await;
        let mut station = server.station().await;
        queue(&server, "GetConfiguration", json!({})).await;
        let call = station.receive().await;
        let mut answer = answer;
        answer[1] = call[1].clone();
        station.send(&answer.to_string()).await;
        let part = station.receive().await;
        let keys = part[3]["key"].as_array().unwrap();
        assert_eq!(keys.len(), 10, "{part}");
        // Whoever does not know the action at all is asked no further about this part.
        let unknown = json!([4, part[1], "NotImplemented", "", {}]);
        station.send(&unknown.to_string()).await;
        let next = station.receive().await;
        let others = next[3]["key"].as_array().unwrap();
        assert!(others.len() == 10 && others != keys, "{next}");
    }
}

fn reserve(number: i32, connector: i32) -> Value {
    json!({"connectorId": connector, "expiryDate": in_an_hour(), "idTag": "TAG1", "parentIdTag": "GROUP",
           "reservationId": number})
}

#[tokio::test]
async fn tc_046_and_053_a_start_uses_its_reservation_and_a_foreign_one_nothing() {
    let server = Server::start().await;
    server.add_station("CP2", None).await;
    let mut station = server.station().await;
    for (number, connector) in [(41, 1), (42, 0)] {
        let what = ("ReserveNow", reserve(number, connector));
        answered(&server, &mut station, what, json!({"status": "Accepted"})).await;
        let kept = reservation(&server, number).await;
        assert_eq!(
            (kept.status.as_str(), kept.connector),
            ("accepted", connector)
        );
        assert_eq!(kept.parent.as_deref(), Some("GROUP"));
    }
    let start = |number: i32, connector: i32, tag: &str, at: DateTime<Utc>| json!({"connectorId": connector, "idTag": tag, "meterStart": 0, "timestamp": at, "reservationId": number});
    let mut foreign = server.booted("CP2").await;
    foreign
        .call("StartTransaction", start(41, 1, "TAG1", noon()))
        .await;
    assert_eq!(
        reservation(&server, 41).await.status,
        "accepted",
        "another station's"
    );

    let none = start(0, 2, "TAG1", noon());
    station.call("StartTransaction", none).await;
    let begun = noon();
    station
        .call("StartTransaction", start(41, 1, "TAG1", begun))
        .await;
    let used = reservation(&server, 41).await;
    assert_eq!(
        (used.status.as_str(), used.used_by.as_deref()),
        ("used", Some("TAG1"))
    );
    let session = server
        .sessions()
        .await
        .into_iter()
        .find(|row| Some(row.id) == used.transaction_id);
    assert_eq!(session.unwrap().station.as_deref(), Some("CP1"));
    assert!(used.ended_at.unwrap() >= used.accepted_at.unwrap());
    // The same start once more changes nothing; another tag of the group uses the other reservation.
    station
        .call("StartTransaction", start(41, 1, "TAG1", begun))
        .await;
    assert_eq!(reservation(&server, 41).await, used);
    station
        .call("StartTransaction", start(42, 1, "SIBLING", noon()))
        .await;
    let used = reservation(&server, 42).await;
    assert_eq!(
        (used.status.as_str(), used.used_by.as_deref()),
        ("used", Some("SIBLING"))
    );
}

#[tokio::test]
async fn tc_048_what_a_station_does_not_accept_is_not_kept() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for (number, status) in [
        (51, "Faulted"),
        (52, "Occupied"),
        (53, "Rejected"),
        (54, "Unavailable"),
    ] {
        let what = ("ReserveNow", reserve(number, 1));
        answered(&server, &mut station, what, json!({"status": status})).await;
    }
    assert_eq!(reservations(&server).await, []);
}

#[tokio::test]
async fn tc_051_and_052_a_reservation_ends_when_the_station_says_so() {
    let server = Server::start().await;
    let mut station = server.station().await;
    answered(
        &server,
        &mut station,
        ("ReserveNow", reserve(61, 1)),
        json!({"status": "Accepted"}),
    )
    .await;
    let cancel = || ("CancelReservation", json!({"reservationId": 61}));
    answered(
        &server,
        &mut station,
        cancel(),
        json!({"status": "Rejected"}),
    )
    .await;
    assert_eq!(reservation(&server, 61).await.status, "accepted");
    answered(
        &server,
        &mut station,
        cancel(),
        json!({"status": "Accepted"}),
    )
    .await;
    let gone = reservation(&server, 61).await;
    assert_eq!(gone.status, "cancelled");
    assert!(gone.ended_at.is_some());
}

#[tokio::test]
async fn tc_047_a_reservation_expires_without_a_call() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let mut short = reserve(71, 1);
    short["expiryDate"] = json!(noon() + TimeDelta::milliseconds(200));
    answered(
        &server,
        &mut station,
        ("ReserveNow", short),
        json!({"status": "Accepted"}),
    )
    .await;
    let told = eventually("the event", async || {
        let mut db = connection(&server).await;
        let events = store::events::after(&mut db, Default::default(), 500)
            .await
            .unwrap();
        events
            .into_iter()
            .find(|event| event.kind == "reservation.expired")
    })
    .await;
    let expired = reservation(&server, 71).await;
    assert_eq!(told.subject, Some(expired.id));
    assert_eq!(
        (expired.status.as_str(), expired.ended_at),
        ("expired", Some(expired.expires_at))
    );
    // The station was away and tells late that it was used in time.
    let at = expired.expires_at - TimeDelta::milliseconds(100);
    let late = json!({"connectorId": 1, "idTag": "TAG1", "meterStart": 0, "timestamp": at, "reservationId": 71});
    station.call("StartTransaction", late).await;
    assert_eq!(reservation(&server, 71).await.status, "used");
}

/// The list of CP1, kept from here, with these tokens.
async fn subscribe(server: &Server, tokens: &[&str]) {
    let id = station_id(server, "CP1").await;
    let mut db = connection(server).await;
    let tokens: Vec<String> = tokens.iter().map(|token| (*token).to_owned()).collect();
    let unknown = local_lists::choose(&mut db, Chosen::Station(id), &tokens)
        .await
        .unwrap();
    assert!(unknown.is_empty());
    local_lists::subscribe(&mut db, id, true, "chosen")
        .await
        .unwrap();
}

#[tokio::test]
async fn a_list_leaves_out_a_parent_that_ocpp_1_6_cannot_carry_and_is_then_as_it_should_be() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let parent = "P".repeat(21);
    server.put_token("CHILD", "accepted", Some(&parent)).await;
    subscribe(&server, &["CHILD"]).await;
    let child = json!({"idTag": "CHILD", "idTagInfo": {"status": "Accepted"}});
    let full = answer_next(&mut station, "SendLocalList", json!({"status": "Accepted"})).await;
    assert_eq!(full["localAuthorizationList"], json!([child]));
    eventually("version 1", async || {
        (list(&server).await.version == 1).then_some(())
    })
    .await;
    // What is sent next is the next change alone.
    subscribe(&server, &["CHILD", "TAG1"]).await;
    let more = answer_next(&mut station, "SendLocalList", json!({"status": "Accepted"})).await;
    let new = json!({"idTag": "TAG1", "idTagInfo": {"status": "Accepted"}});
    assert_eq!(more["localAuthorizationList"], json!([new]));
}

#[tokio::test]
async fn tc_043_a_list_is_sent_in_full_and_then_only_what_changed() {
    let server = Server::start().await;
    let mut station = server.station().await;
    subscribe(&server, &["TAG1", "TAG2"]).await;
    let full = answer_next(&mut station, "SendLocalList", json!({"status": "Accepted"})).await;
    assert_eq!(
        full,
        json!({"listVersion": 1, "updateType": "Full", "localAuthorizationList": [
            {"idTag": "TAG1", "idTagInfo": {"status": "Accepted"}},
            {"idTag": "TAG2", "idTagInfo": {"status": "Blocked"}},
        ]})
    );
    eventually("version 1", async || {
        (list(&server).await.version == 1).then_some(())
    })
    .await;
    server.add_token("TAG3", "accepted").await;
    subscribe(&server, &["TAG2", "TAG3"]).await;
    let more = answer_next(&mut station, "SendLocalList", json!({"status": "Accepted"})).await;
    assert_eq!(
        more,
        json!({"listVersion": 2, "updateType": "Differential", "localAuthorizationList": [
            {"idTag": "TAG1"}, {"idTag": "TAG3", "idTagInfo": {"status": "Accepted"}},
        ]})
    );
    let settled = eventually("version 2", async || {
        Some(list(&server).await).filter(|list| list.version == 2 && !list.look)
    })
    .await;
    assert_eq!(
        (settled.last_result.as_deref(), settled.pending_command),
        (Some("Accepted"), None)
    );
    // A token that changes is pushed, whoever changed it.
    server.add_token("TAG3", "blocked").await;
    let changed = answer_next(
        &mut station,
        "SendLocalList",
        json!({"status": "VersionMismatch"}),
    )
    .await;
    assert_eq!(changed["listVersion"], 3);
    let again = answer_next(&mut station, "SendLocalList", json!({"status": "Failed"})).await;
    assert_eq!(again["updateType"], "Full", "the whole list, at once");
    assert_eq!(again["localAuthorizationList"].as_array().unwrap().len(), 2);
    let failed = eventually("the failure", async || {
        Some(list(&server).await).filter(|list| list.last_result.as_deref() == Some("Failed"))
    })
    .await;
    assert!(failed.want_full && failed.next_try_at > Some(noon()));
    assert_eq!(failed.version, 2, "what the station accepted last");
}

#[tokio::test]
async fn tc_042_and_043_1_a_station_without_a_list_is_left_alone() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for version in [0, -1] {
        let answer = json!({"listVersion": version});
        answered(
            &server,
            &mut station,
            ("GetLocalListVersion", json!({})),
            answer,
        )
        .await;
        let said = list(&server).await;
        assert_eq!(
            (said.station_version, said.supported),
            (Some(version), Some(version >= 0))
        );
    }
    subscribe(&server, &["TAG1"]).await;
    let sent = answer_next(
        &mut station,
        "SendLocalList",
        json!({"status": "NotSupported"}),
    )
    .await;
    assert_eq!(
        (&sent["listVersion"], &sent["updateType"]),
        (&json!(1), &json!("Full"))
    );
    eventually("the refusal", async || {
        (list(&server).await.supported == Some(false)).then_some(())
    })
    .await;
    server.add_token("TAG1", "blocked").await;
    assert!(station.call("Heartbeat", json!({})).await["currentTime"].is_string());
    assert_eq!(list(&server).await.pending_command, None);
}

#[tokio::test]
async fn a_push_waits_for_its_station_over_a_restart() {
    let server = Server::start().await;
    subscribe(&server, &["TAG1"]).await;
    let waiting = eventually("the push", async || list(&server).await.pending_command).await;
    let server = server.restart().await;
    assert_eq!(list(&server).await.pending_command, Some(waiting));
    // It leaves as soon as there is a socket: nothing else is said before.
    let request = server.request("CP1", "ocpp1.6");
    let mut station = server.connect(request).await.unwrap();
    answer_next(&mut station, "SendLocalList", json!({"status": "Accepted"})).await;
    eventually("version 1", async || {
        (list(&server).await.version == 1).then_some(())
    })
    .await;
}

fn profile(number: i32, purpose: &str, transaction: Option<i64>) -> Value {
    let mut profile = json!({
        "chargingProfileId": number, "stackLevel": 0, "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 7000}]},
    });
    if let Some(transaction) = transaction {
        profile["transactionId"] = json!(transaction);
    }
    profile
}

/// Three profiles of three purposes; the transaction of the third.
async fn three_profiles(server: &Server, station: &mut Station) -> i64 {
    let started = station
        .call(
            "StartTransaction",
            json!({"connectorId": 1, "idTag": "TAG1", "meterStart": 0, "timestamp": noon()}),
        )
        .await;
    let number = started["transactionId"].as_i64().unwrap();
    for (connector, profile) in [
        (0, profile(1, "ChargePointMaxProfile", None)),
        (1, profile(2, "TxDefaultProfile", None)),
        (1, profile(3, "TxProfile", Some(number))),
    ] {
        let payload = json!({"connectorId": connector, "csChargingProfiles": profile});
        answered(
            server,
            station,
            ("SetChargingProfile", payload),
            json!({"status": "Accepted"}),
        )
        .await;
    }
    assert_eq!(numbers(server).await, [1, 2, 3]);
    number
}

#[tokio::test]
async fn tc_067_clearing_takes_away_exactly_what_fits() {
    let server = Server::start().await;
    let mut station = server.station().await;
    three_profiles(&server, &mut station).await;
    let clear = |payload: Value| ("ClearChargingProfile", payload);
    let accepted = || json!({"status": "Accepted"});
    answered(&server, &mut station, clear(json!({"id": 2})), accepted()).await;
    assert_eq!(numbers(&server).await, [1, 3], "by id");
    let criteria = json!({"connectorId": 0, "chargingProfilePurpose": "ChargePointMaxProfile", "stackLevel": 0});
    answered(&server, &mut station, clear(criteria), accepted()).await;
    assert_eq!(numbers(&server).await, [3], "by criteria");
    answered(&server, &mut station, clear(json!({})), accepted()).await;
    assert_eq!(numbers(&server).await, [0; 0], "all");
    let payload =
        json!({"connectorId": 0, "csChargingProfiles": profile(4, "TxDefaultProfile", None)});
    answered(
        &server,
        &mut station,
        ("SetChargingProfile", payload),
        json!({"status": "Rejected"}),
    )
    .await;
    assert_eq!(
        numbers(&server).await,
        [0; 0],
        "what was refused is not kept"
    );
}

#[tokio::test]
async fn tc_057_a_tx_profile_ends_with_its_transaction() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let number = three_profiles(&server, &mut station).await;
    let tx = profiles(&server)
        .await
        .into_iter()
        .find(|row| row.place.number == 3)
        .unwrap();
    assert_eq!(tx.transaction_id, Some(server.sessions().await[0].id));
    let stop = json!({"transactionId": number, "meterStop": 10, "timestamp": noon()});
    station.call("StopTransaction", stop).await;
    assert_eq!(numbers(&server).await, [1, 2]);
}

#[tokio::test]
async fn tc_059_a_remote_starts_profile_follows_the_transaction_that_it_led_to() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let payload = json!({"idTag": "TAG1", "chargingProfile": profile(9, "TxProfile", None)});
    let what = ("RemoteStartTransaction", payload);
    answered(&server, &mut station, what, json!({"status": "Accepted"})).await;
    let waiting = profiles(&server).await.remove(0);
    assert_eq!(
        (waiting.awaits.as_deref(), waiting.place.connector),
        (Some("TAG1"), None)
    );
    let start = json!({"connectorId": 2, "idTag": "TAG1", "meterStart": 0, "timestamp": noon()});
    let started = station.call("StartTransaction", start).await;
    let linked = eventually("the transaction", async || {
        profiles(&server)
            .await
            .pop()
            .filter(|row| row.transaction_id.is_some())
    })
    .await;
    assert_eq!(
        linked.place.transaction_number,
        started["transactionId"].as_i64()
    );
    assert_eq!((linked.place.connector, linked.awaits), (Some(2), None));
}

#[tokio::test]
async fn quirk_42_a_profile_is_made_to_fit_by_what_its_model_refused() {
    let server = Server::start().await;
    server.add_station("CP2", None).await;
    let (mut station, mut other) = (server.station().await, server.booted("CP2").await);
    let watts = |level: i32| {
        json!({"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 3, "stackLevel": level,
            "chargingProfilePurpose": "TxDefaultProfile", "chargingProfileKind": "Absolute",
            "chargingSchedule": {"chargingRateUnit": "W", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 11000}]}}})
    };
    let what = ("SetChargingProfile", watts(0));
    let refused = json!({"status": "Rejected"});
    let first = answered(&server, &mut station, what, refused).await;
    assert_eq!(
        (first.ordered, first.adapted),
        (None, None),
        "nothing was known"
    );
    // Another of the model is not asked what that one refused.
    let order = ("SetChargingProfile", watts(0));
    let second = queue_at(&server, "CP2", order, false).await;
    let call = other.receive().await;
    let schedule = &call[3]["csChargingProfiles"]["chargingSchedule"];
    assert_eq!(schedule["chargingRateUnit"], "A", "{call}");
    let limit = &schedule["chargingSchedulePeriod"][0]["limit"];
    assert_eq!(limit.as_f64(), Some(15.9));
    other
        .send(&json!([3, call[1], {"status": "Accepted"}]).to_string())
        .await;
    let row = ends_as(&server, second, "answered").await;
    assert_eq!(
        serde_json::from_str::<Value>(&row.payload).unwrap(),
        call[3]
    );
    assert_eq!(row.ordered, Some(watts(0).to_string()));
    let adapted = row.adapted.unwrap();
    assert!(
        adapted.starts_with("limits in A instead of W, at 230 V"),
        "{adapted}"
    );
    // Raw is raw.
    let order = ("SetChargingProfile", watts(1));
    queue_at(&server, "CP2", order, true).await;
    assert_eq!(other.receive().await[3], watts(1));
}
