//! Starts, stops, clocks and tokens.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use store::sessions::State;

use super::{begin, meter, only_session, samples, set_options, start, stop, text};
use crate::support::{Server, Station, eventually, noon};

#[tokio::test]
async fn quirk_19_a_wrong_clock_loses_nothing_and_is_flagged() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for (begun, ended) in [
        ("1970-01-01T00:00:09Z", "1970-01-01T00:10:09Z"),
        ("2022-02-29T10:00:00Z", "2022-02-29T24:00:00Z"),
        ("yesterday", "today"),
    ] {
        let begin =
            json!({ "connectorId": 1, "idTag": "TAG1", "meterStart": 1000, "timestamp": begun });
        let number = station.call("StartTransaction", begin).await["transactionId"].clone();
        let end = json!({ "transactionId": number, "meterStop": 3500, "timestamp": ended });
        assert_eq!(
            station.call("StopTransaction", end).await,
            json!({}),
            "{begun}"
        );
    }
    for session in server.sessions().await {
        assert_eq!(
            (session.state, session.energy_wh),
            (State::Ended, Some(2500))
        );
        assert!(
            (noon() - session.started_at).num_minutes().abs() < 5,
            "by our clock: {session:?}"
        );
        assert!(
            session.flags.iter().any(|flag| flag.starts_with("time-")),
            "{:?}",
            session.flags
        );
    }
    // No zone: taken as UTC.
    let at = noon() - TimeDelta::minutes(2);
    let zoneless = text(at).trim_end_matches('Z').to_owned();
    let begin =
        json!({ "connectorId": 2, "idTag": "TAG1", "meterStart": 1, "timestamp": zoneless });
    station.call("StartTransaction", begin).await;
    let newest = server
        .sessions()
        .await
        .into_iter()
        .find(|session| session.state == State::Active);
    assert_eq!(text(newest.unwrap().started_at), text(at));
}

#[tokio::test]
async fn quirk_20_a_start_repeated_under_a_new_message_id_is_the_same_transaction() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let at = noon() - TimeDelta::minutes(1);
    let first = station.call("StartTransaction", start(at, 1000)).await;
    let again = station.call("StartTransaction", start(at, 1000)).await;
    assert_eq!(first, again);
    only_session(&server).await;
}

#[tokio::test]
async fn quirk_21_of_two_starts_close_together_the_first_is_superseded_and_both_are_kept() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let at = noon() - TimeDelta::minutes(1);
    let first = station.call("StartTransaction", start(at, 1000)).await["transactionId"].clone();
    let second = station
        .call("StartTransaction", start(at + TimeDelta::seconds(2), 1007))
        .await["transactionId"]
        .clone();
    assert_ne!(first, second);
    let sessions = server.sessions().await;
    let states: Vec<State> = sessions.iter().map(|session| session.state).collect();
    assert_eq!(states, [State::Active, State::Ended], "newest first");
    assert!(sessions[1].flags.iter().any(|flag| flag == "superseded"));
}

#[tokio::test]
async fn quirk_22_a_charge_without_a_start_is_pieced_together() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let status = |word: &str, at: DateTime<Utc>| json!({ "connectorId": 1, "status": word, "errorCode": "NoError", "timestamp": text(at) });
    let at = noon() - TimeDelta::minutes(5);
    // Just now: a start may still come.
    station
        .call("StatusNotification", status("Charging", noon()))
        .await;
    station
        .call("MeterValues", meter(&json!(0), noon(), 900))
        .await;
    assert!(server.sessions().await.is_empty());
    station
        .call("StatusNotification", status("Available", noon()))
        .await;

    station
        .call("StatusNotification", status("Charging", at))
        .await;
    for (minute, wh) in [(1, 1000), (2, 2500), (3, 4000)] {
        let mut values = meter(&json!(0), at + TimeDelta::minutes(minute), wh);
        values.as_object_mut().unwrap().remove("transactionId");
        assert_eq!(station.call("MeterValues", values).await, json!({}));
    }
    assert_eq!(only_session(&server).await.state, State::Active);
    station
        .call(
            "StatusNotification",
            status("Available", at + TimeDelta::minutes(4)),
        )
        .await;
    let session = only_session(&server).await;
    assert_eq!(
        (session.state, session.energy_wh),
        (State::Ended, Some(3000))
    );
    assert!(
        session.flags.iter().any(|flag| flag == "reconstructed"),
        "{:?}",
        session.flags
    );
    assert_eq!(text(session.started_at), text(at));
}

#[tokio::test]
async fn quirk_23_a_stop_of_no_number_ends_the_only_open_transaction_else_it_is_an_orphan() {
    for wrong in [json!(0), json!(-1), json!(99_999_999), Value::Null] {
        let server = Server::start().await;
        let mut station = server.station().await;
        begin(&mut station).await;
        let end = json!({ "transactionId": wrong, "meterStop": 4000, "timestamp": text(noon()) });
        assert_eq!(
            station.call("StopTransaction", end.clone()).await,
            json!({}),
            "{wrong}"
        );
        let session = only_session(&server).await;
        assert_eq!(
            (session.state, session.energy_wh),
            (State::Ended, Some(3000)),
            "{wrong}"
        );
        assert!(
            session
                .flags
                .iter()
                .any(|flag| flag == "transaction-guessed")
        );
        assert_eq!(
            station.call("StopTransaction", end).await,
            json!({}),
            "acknowledged, always"
        );
    }
    let server = Server::start().await;
    let mut station = server.station().await;
    let end = json!({ "transactionId": 0, "meterStop": 4000, "timestamp": text(noon()) });
    assert_eq!(station.call("StopTransaction", end).await, json!({}));
    assert_eq!(only_session(&server).await.state, State::Orphan);
}

#[tokio::test]
async fn quirk_26_a_stop_is_acknowledged_and_only_one_with_a_tag_is_told_of_it() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (number, _) = begin(&mut station).await;
    assert_eq!(
        station
            .call("StopTransaction", stop(&number, noon(), 2000))
            .await,
        json!({})
    );
    let (number, _) = begin(&mut station).await;
    let mut foreign = stop(&number, noon(), 2000);
    foreign["idTag"] = json!("NOBODY");
    let answer = station.call("StopTransaction", foreign).await;
    assert_eq!(answer, json!({ "idTagInfo": { "status": "Invalid" } }));
}

#[tokio::test]
async fn quirk_27_a_repeated_stop_counts_once() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (number, _) = begin(&mut station).await;
    let end = stop(&number, noon(), 2500);
    for _ in 0..3 {
        assert_eq!(
            station.call("StopTransaction", end.clone()).await,
            json!({})
        );
    }
    assert_eq!(only_session(&server).await.energy_wh, Some(1500));
}

#[tokio::test]
async fn quirk_28_a_register_that_ran_backwards_is_flagged_and_bills_nothing_absurd() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (number, at) = begin(&mut station).await;
    station
        .call(
            "MeterValues",
            meter(&number, at + TimeDelta::minutes(2), 1900),
        )
        .await;
    station
        .call("StopTransaction", stop(&number, noon(), 40))
        .await;
    let session = only_session(&server).await;
    assert!(
        session
            .flags
            .iter()
            .any(|flag| flag == "meter-ran-backwards"),
        "{:?}",
        session.flags
    );
    assert!(
        session.energy_wh.is_none_or(|wh| (0..=900).contains(&wh)),
        "{:?}",
        session.energy_wh
    );
}

#[tokio::test]
async fn quirk_29_without_samples_the_registers_of_start_and_stop_are_enough() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (number, at) = begin(&mut station).await;
    let mut end = stop(&number, noon(), 3000);
    end["transactionData"] = json!([{ "timestamp": text(at + TimeDelta::minutes(9)), "sampledValue": [
        { "value": "3000", "context": "Transaction.End" }] }]);
    assert_eq!(station.call("StopTransaction", end).await, json!({}));
    assert_eq!(only_session(&server).await.energy_wh, Some(2000));
}

#[tokio::test]
async fn quirk_49_tokens_are_compared_in_any_case_and_tidied_where_a_switch_says_so() {
    let server = Server::start().await;
    server.add_token("04A2B91C", "accepted").await;
    let mut station = server.station().await;
    let verdict = async |station: &mut Station, tag: &str| {
        let answer = station.call("Authorize", json!({ "idTag": tag })).await;
        answer["idTagInfo"]["status"].clone()
    };
    assert_eq!(verdict(&mut station, "04a2b91c").await, "Accepted");
    for tag in ["04A2B91C_12345", "04:A2:B9:1C"] {
        assert_eq!(
            verdict(&mut station, tag).await,
            "Invalid",
            "without the switch it is another token"
        );
    }
    set_options(&server, json!({ "tidy_tokens": true })).await;
    eventually("the switch", async || {
        (verdict(&mut station, "04A2B91C_12345").await == "Accepted").then_some(())
    })
    .await;
    assert_eq!(verdict(&mut station, "04:A2-B9 1C").await, "Accepted");
    let mut begin = start(noon(), 0);
    begin["idTag"] = json!("04:A2:B9:1C");
    assert_eq!(
        station.call("StartTransaction", begin).await["idTagInfo"]["status"],
        "Accepted"
    );
    assert_eq!(
        only_session(&server).await.id_token,
        "04A2B91C",
        "billed as the token that people know"
    );
}

#[tokio::test]
async fn quirk_50_many_connectors_may_be_one_station_and_connector_0_is_billed_to_nobody() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let at = noon() - TimeDelta::minutes(10);
    for connector in 1..=12 {
        let begin = json!({ "connectorId": connector, "idTag": "TAG1", "meterStart": 0, "timestamp": text(at) });
        station.call("StartTransaction", begin).await;
    }
    let mut sum = meter(&json!(0), at + TimeDelta::minutes(1), 1_000_000);
    sum["connectorId"] = json!(0);
    assert_eq!(station.call("MeterValues", sum).await, json!({}));
    let sessions = server.sessions().await;
    assert_eq!(sessions.len(), 12);
    for session in &sessions {
        assert!(
            samples(&server, session).await.is_empty(),
            "the sum is no session's"
        );
    }
}

#[tokio::test]
async fn quirk_57_a_charge_that_went_on_is_corrected_by_the_stations_own_stop() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let (first, at) = begin(&mut station).await;
    // A later start ends it here, while the station, offline, went on charging.
    let later = at + TimeDelta::minutes(3);
    station.call("StartTransaction", start(later, 1500)).await;
    station.close().await;
    let mut station = server.station().await;
    station
        .call(
            "MeterValues",
            meter(&first, at + TimeDelta::minutes(6), 4000),
        )
        .await;
    let answer = station
        .call(
            "StopTransaction",
            stop(&first, at + TimeDelta::minutes(8), 5000),
        )
        .await;
    assert_eq!(answer, json!({}));
    let sessions = server.sessions().await;
    let corrected = sessions
        .iter()
        .find(|session| session.transaction_id == first.as_i64())
        .unwrap();
    assert_eq!(
        (corrected.state, corrected.energy_wh),
        (State::Ended, Some(4000))
    );
}
