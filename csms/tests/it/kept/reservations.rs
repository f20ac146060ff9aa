//! Reservations, and what starts make of them.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use store::reservations::Reservation;
use store::{Room, Scope};

use super::connection;
use crate::effects::answered;
use crate::support::{Server, eventually, noon};

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

fn in_an_hour() -> DateTime<Utc> {
    noon() + TimeDelta::hours(1)
}

fn reserve(number: i32, connector: i32) -> Value {
    json!({"connectorId": connector, "expiryDate": in_an_hour(), "idTag": "TAG1", "parentIdTag": "GROUP",
           "reservationId": number})
}

#[tokio::test]
async fn tc_046_and_053_a_start_uses_its_reservation_and_a_foreign_one_nothing() {
    let server = Server::start().await;
    server.add_station("CP2", None).await;
    server.put_token("SIBLING", "accepted", Some("GROUP")).await;
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

    let none = start(0, 2, "STRANGER", noon());
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
async fn a_start_by_another_tag_ends_a_reservation_without_using_it_and_is_flagged() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let what = ("ReserveNow", reserve(43, 1));
    answered(&server, &mut station, what, json!({"status": "Accepted"})).await;
    server.put_token("TAG3", "accepted", Some("OTHERS")).await;
    let start = json!({"connectorId": 1, "idTag": "TAG3", "meterStart": 0, "timestamp": noon(), "reservationId": 43});
    let told = station.call("StartTransaction", start).await;
    assert_eq!(told["idTagInfo"]["status"], "Accepted");

    let gone = reservation(&server, 43).await;
    assert_eq!(
        (gone.status.as_str(), gone.used_by.as_deref()),
        ("cancelled", Some("TAG3"))
    );
    let session = server.sessions().await.remove(0);
    assert_eq!(gone.transaction_id, Some(session.id));
    assert_eq!(session.flags, ["reservation-of-another"]);
    let kinds = eventually("the event", async || {
        let mut db = connection(&server).await;
        let events = store::events::after(&mut db, Default::default(), 500)
            .await
            .unwrap();
        let of_it = events.iter().filter(|event| event.subject == Some(gone.id));
        let kinds: Vec<String> = of_it.map(|event| event.kind.clone()).collect();
        (kinds.len() > 1).then_some(kinds)
    })
    .await;
    assert_eq!(kinds, ["reservation.accepted", "reservation.cancelled"]);
}

#[tokio::test]
async fn a_start_by_the_holder_uses_a_reservation_that_it_does_not_name() {
    let server = Server::start().await;
    server.put_token("SIBLING", "accepted", Some("group")).await;
    let mut station = server.station().await;
    let start = |connector: i32, tag: &str| json!({"connectorId": connector, "idTag": tag, "meterStart": 0, "timestamp": noon()});
    for (number, connector) in [(44, 1), (45, 2)] {
        let what = ("ReserveNow", reserve(number, connector));
        answered(&server, &mut station, what, json!({"status": "Accepted"})).await;
    }
    // Elsewhere, or by somebody else, it is not meant.
    station.call("StartTransaction", start(3, "TAG1")).await;
    station.call("StartTransaction", start(1, "TAG3")).await;
    for number in [44, 45] {
        assert_eq!(reservation(&server, number).await.status, "accepted");
    }
    for (number, connector, tag) in [(44, 1, "tag1"), (45, 2, "SIBLING")] {
        station
            .call("StartTransaction", start(connector, tag))
            .await;
        let used = reservation(&server, number).await;
        assert_eq!(
            (used.status.as_str(), used.used_by.as_deref()),
            ("used", Some(tag))
        );
        let sessions = server.sessions().await;
        let session = sessions
            .iter()
            .find(|row| Some(row.id) == used.transaction_id);
        assert_eq!(session.unwrap().flags, [] as [String; 0]);
    }
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
