//! Meter values and statuses.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::{begin, connector, meter, only_session, samples, start, stop, text};
use crate::support::{Server, noon};

#[tokio::test]
async fn quirk_24_meter_values_without_a_transaction_belong_to_the_connectors_open_one() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (_, at) = begin(&mut station).await;
    for (minute, named) in [(1, Some(json!(0))), (2, Some(json!(-1))), (3, None)] {
        let mut values = meter(
            &json!(1),
            at + TimeDelta::minutes(minute),
            1000 + minute * 100,
        );
        match named {
            Some(number) => values["transactionId"] = number,
            None => drop(values.as_object_mut().unwrap().remove("transactionId")),
        }
        assert_eq!(station.call("MeterValues", values).await, json!({}));
    }
    let session = only_session(&server).await;
    assert_eq!(samples(&server, &session).await, [1100, 1200, 1300]);
}

#[tokio::test]
async fn quirk_25_meter_values_after_the_stop_join_the_session_while_the_grace_lasts() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let at = noon() - TimeDelta::hours(30);
    let answer = station.call("StartTransaction", start(at, 1000)).await;
    let number = answer["transactionId"].clone();
    let ended = at + TimeDelta::minutes(5);
    station
        .call("StopTransaction", stop(&number, ended, 2000))
        .await;
    for (late, wh) in [(TimeDelta::seconds(20), 2000), (TimeDelta::hours(25), 2500)] {
        let values = meter(&number, ended + late, wh);
        assert_eq!(station.call("MeterValues", values).await, json!({}));
    }
    assert_eq!(
        samples(&server, &only_session(&server).await).await,
        [2000],
        "a day later is another charge's"
    );
}

#[tokio::test]
async fn quirk_32_and_33_empty_and_timeless_meter_values_are_acknowledged() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for values in [
        json!({ "connectorId": 1, "meterValue": [] }),
        json!({ "connectorId": 1, "meterValue": [{ "timestamp": text(noon()), "sampledValue": [] }] }),
        json!({ "connectorId": 1, "meterValue": [{ "sampledValue": [{ "value": "5" }] }] }),
        json!({ "connectorId": 1 }),
    ] {
        assert_eq!(station.call("MeterValues", values).await, json!({}));
    }
}

#[tokio::test]
async fn quirk_35_samples_are_in_the_order_of_their_time_not_of_their_arrival() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (number, at) = begin(&mut station).await;
    for minute in [5, 2, 4, 1, 3] {
        let values = meter(
            &number,
            at + TimeDelta::minutes(minute),
            1000 + minute * 100,
        );
        station.call("MeterValues", values).await;
    }
    assert_eq!(
        samples(&server, &only_session(&server).await).await,
        [1100, 1200, 1300, 1400, 1500]
    );
}

#[tokio::test]
async fn quirk_41_live_status_follows_arrival_and_connector_0_is_the_station() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let status = |connector: i32, word: &str, at: DateTime<Utc>| json!({ "connectorId": connector, "status": word, "errorCode": "NoError", "timestamp": text(at) });
    let now = noon();
    station
        .call("StatusNotification", status(1, "Preparing", now))
        .await;
    // Arrives later with an older time: it is what the connector is now.
    let stale = now - TimeDelta::hours(2);
    station
        .call("StatusNotification", status(1, "Charging", stale))
        .await;
    station
        .call("StatusNotification", status(1, "Charging", stale))
        .await;
    station
        .call("StatusNotification", status(0, "Unavailable", now))
        .await;
    assert_eq!(connector(&server, 1).await.as_deref(), Some("Charging"));
    assert_eq!(connector(&server, 0).await.as_deref(), Some("Unavailable"));
}
