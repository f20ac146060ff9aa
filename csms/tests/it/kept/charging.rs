//! Charging profiles.

use serde_json::{Value, json};
use store::charging_profiles::Profile;
use store::{Room, Scope};

use super::station_id;
use crate::commands::{ends_as, queue_at};
use crate::effects::answered;
use crate::support::{Server, Station, eventually, noon};

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
