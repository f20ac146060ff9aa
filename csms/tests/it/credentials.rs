//! A station's password is changed (TC_073), and whatever is lost on the way, no charger is locked out.

use serde_json::{Value, json};
use store::stations::{Registration, StationChange};
use uuid::Uuid;

use crate::commands::{command, ends_as, queue};
use crate::door::with_password;
use crate::support::{Server, Station, eventually};

const OLD: &[u8] = b"an old password";
const NEW: &[u8; 20] = b"\x00\x01\xff twenty bytes....";

async fn server() -> Server {
    let server = Server::start().await;
    let hash = store::secrets::hash_password(OLD);
    let change = StationChange {
        security_profile: Some(1),
        password_hash: Some(&hash),
        ..Default::default()
    };
    let mut db = server.db.pool.acquire().await.unwrap();
    store::stations::change(&mut db, "CP1", &change)
        .await
        .unwrap();
    server
}

async fn comes(server: &Server, password: &[u8]) -> Result<Station, u16> {
    let request = with_password(server.request("CP1", "ocpp1.6"), "CP1", password);
    server.connect(request).await
}

/// Orders a new password; the station has heard of it, and its answer is up to the test.
async fn ordered(server: &Server, station: &mut Station, password: &[u8]) -> (Uuid, Value) {
    let order = json!({ "key": "AuthorizationKey", "value": hex::encode_upper(password) });
    let id = queue(server, "ChangeConfiguration", order.clone()).await;
    let call = station.receive().await;
    assert_eq!(call[3], order);
    (id, call[1].clone())
}

async fn says(station: &mut Station, id: &Value, status: &str) {
    station
        .send(&json!([3, id, { "status": status }]).to_string())
        .await;
}

/// TC_073: in hexadecimal; kept only once it is seen; the old one is worth nothing then. Nowhere is it kept in clear.
#[tokio::test]
async fn a_new_password_is_the_only_one_once_it_was_used() {
    let server = server().await;
    let mut station = comes(&server, OLD).await.unwrap();
    let (id, call) = ordered(&server, &mut station, NEW).await;
    says(&mut station, &call, "Accepted").await;
    ends_as(&server, id, "answered").await;
    // It was accepted, and may still be rebooting with the old one.
    assert!(comes(&server, OLD).await.is_ok());
    assert!(comes(&server, NEW).await.is_ok());
    assert_eq!(comes(&server, OLD).await.err(), Some(401));
    let server = server.restart().await;
    assert_eq!(comes(&server, OLD).await.err(), Some(401));
    assert!(comes(&server, NEW).await.is_ok());
    for clear in [hex::encode_upper(NEW), hex::encode(NEW)] {
        assert_eq!(server.db.tables_with(&clear).await, Vec::<String>::new());
    }
    assert!(
        !command(&server, id)
            .await
            .payload
            .contains(&hex::encode_upper(NEW))
    );
    eventually("the event", async || {
        let tables = server.db.tables_with("station.secured").await;
        tables.contains(&"events".to_owned()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_password_that_the_station_declines_opens_nothing() {
    for status in ["Rejected", "NotSupported"] {
        let server = server().await;
        let mut station = comes(&server, OLD).await.unwrap();
        let (id, call) = ordered(&server, &mut station, NEW).await;
        says(&mut station, &call, status).await;
        ends_as(&server, id, "answered").await;
        assert_eq!(comes(&server, NEW).await.err(), Some(401), "{status}");
        assert!(comes(&server, OLD).await.is_ok());
    }
}

/// The station has the new password, and its answer is lost: with its socket, with the server, or as an error.
#[tokio::test]
async fn a_lost_answer_locks_nobody_out() {
    for end in ["socket", "server", "error"] {
        for used in [OLD, NEW.as_slice()] {
            let mut server = server().await;
            let mut station = comes(&server, OLD).await.unwrap();
            let (id, call) = ordered(&server, &mut station, NEW).await;
            match end {
                "socket" => {
                    drop(station);
                    ends_as(&server, id, "unknown").await;
                }
                "server" => {
                    server = server.killed().await;
                    ends_as(&server, id, "unknown").await;
                }
                _ => {
                    let error = json!([4, call, "InternalError", "", {}]);
                    station.send(&error.to_string()).await;
                    ends_as(&server, id, "error").await;
                }
            }
            assert!(comes(&server, used).await.is_ok(), "{end}");
            let other = if used == OLD { NEW.as_slice() } else { OLD };
            // The old one proves nothing: the station may take the new one at its next boot.
            let expected = (used == NEW.as_slice()).then_some(401);
            assert_eq!(comes(&server, other).await.err(), expected, "{end}");
        }
    }
}

/// Nobody knows whether the first order was obeyed when the second is given: all three may be the station's.
#[tokio::test]
async fn a_second_order_does_not_forget_the_first() {
    let server = server().await;
    let mut station = comes(&server, OLD).await.unwrap();
    let (first, _) = ordered(&server, &mut station, NEW).await;
    drop(station);
    ends_as(&server, first, "unknown").await;
    let mut station = comes(&server, OLD).await.unwrap();
    let second = [0xab; 20];
    let (id, call) = ordered(&server, &mut station, &second).await;
    says(&mut station, &call, "Accepted").await;
    ends_as(&server, id, "answered").await;
    assert!(comes(&server, NEW).await.is_ok());
    // The second order came later: it may still be obeyed.
    assert!(comes(&server, &second).await.is_ok());
    assert_eq!(comes(&server, NEW).await.err(), Some(401));
    assert_eq!(comes(&server, OLD).await.err(), Some(401));
}

async fn change(server: &Server, change: &StationChange<'_>) {
    let mut db = server.db.pool.acquire().await.unwrap();
    store::stations::change(&mut db, "CP1", change)
        .await
        .unwrap();
}

/// What an operator sets holds at once, also for a socket that was opened by what held before; an order by a command does not
/// end one, and nor does what has nothing to do with the door.
#[tokio::test]
async fn what_opens_the_door_no_more_keeps_no_socket_open() {
    let server = server().await;
    let mut station = comes(&server, OLD).await.unwrap();
    let hash = store::secrets::hash_password(NEW);
    let new_password = StationChange {
        password_hash: Some(&hash),
        ..StationChange::default()
    };
    change(&server, &new_password).await;
    assert_eq!(station.close_code().await, Some(1008));
    assert_eq!(comes(&server, OLD).await.err(), Some(401));

    let mut station = comes(&server, NEW).await.unwrap();
    let (_, call) = ordered(&server, &mut station, &[0xab; 20]).await;
    says(&mut station, &call, "Accepted").await;
    let mut station = comes(&server, &[0xab; 20]).await.unwrap();
    let held = StationChange {
        registration: Some(Registration::Pending),
        ..StationChange::default()
    };
    change(&server, &held).await;
    // The row was read again, after the new password had become its own.
    while station.ask("Heartbeat", json!({})).await[0] == 3 {}

    let blocked = StationChange {
        registration: Some(Registration::Rejected),
        ..StationChange::default()
    };
    change(&server, &blocked).await;
    assert_eq!(station.close_code().await, Some(1008));
    let mut station = comes(&server, &[0xab; 20]).await.unwrap();
    let boot = json!({ "chargePointVendor": "Acme", "chargePointModel": "One" });
    assert_eq!(
        station.call("BootNotification", boot).await["status"],
        "Rejected"
    );
}

#[tokio::test]
async fn a_raised_profile_ends_the_socket_of_the_lower_one() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let hash = store::secrets::hash_password(NEW);
    let raised = StationChange {
        security_profile: Some(1),
        password_hash: Some(&hash),
        ..StationChange::default()
    };
    change(&server, &raised).await;
    assert_eq!(station.close_code().await, Some(1008));
    assert!(comes(&server, NEW).await.is_ok());
}
