//! One charge, as stations really send it: in order, twice, late, and not at all.

use chrono::{SecondsFormat, TimeDelta};
use serde_json::{Value, json};
use store::customers::{self, Fields};
use store::sessions::{self, Filter, State};
use store::tag_mappings::{self, NewMapping};
use store::{Room, Scope, id_tokens};

use crate::support::{Server, Station, noon};

fn text(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn start(at: chrono::DateTime<chrono::Utc>, tag: &str) -> Value {
    json!({ "connectorId": 1, "idTag": tag, "meterStart": 1000, "timestamp": text(at) })
}

async fn meter(
    station: &mut Station,
    number: &Value,
    at: chrono::DateTime<chrono::Utc>,
    wh: i64,
    w: i64,
) {
    let sampled = json!([
        { "value": wh.to_string(), "context": "Sample.Periodic", "measurand": "Energy.Active.Import.Register", "unit": "Wh" },
        { "value": (w as f64 / 1000.0).to_string(), "measurand": "Power.Active.Import", "unit": "kW" },
        { "value": "40", "measurand": "SoC", "unit": "Percent" },
    ]);
    let values = json!([{ "timestamp": text(at), "sampledValue": sampled }]);
    let answer = station
        .call(
            "MeterValues",
            json!({ "connectorId": 1, "transactionId": number, "meterValue": values }),
        )
        .await;
    assert_eq!(answer, json!({}));
}

#[tokio::test]
async fn a_charge_from_plug_to_row() {
    let server = Server::start().await;
    let mut station = server.station().await;
    assert_eq!(station.protocol.as_deref(), Some("ocpp1.6"));
    let answer = station.call("Authorize", json!({ "idTag": "tag1" })).await;
    assert_eq!(answer["idTagInfo"]["status"], "Accepted");
    let at = noon() - TimeDelta::minutes(30);
    let answer = station.call("StartTransaction", start(at, "TAG1")).await;
    assert_eq!(answer["idTagInfo"]["status"], "Accepted");
    let number = answer["transactionId"].clone();
    assert!(number.as_i64().unwrap() > 0);

    let [active] = &server.sessions().await[..] else {
        panic!("one session")
    };
    assert_eq!(active.state, State::Active);

    meter(
        &mut station,
        &number,
        at + TimeDelta::minutes(10),
        3000,
        11_000,
    )
    .await;
    meter(
        &mut station,
        &number,
        at + TimeDelta::minutes(20),
        5000,
        7400,
    )
    .await;
    let stop = json!({ "transactionId": number, "idTag": "TAG1", "meterStop": 6500, "reason": "Local",
                       "timestamp": text(at + TimeDelta::minutes(25)) });
    let answer = station.call("StopTransaction", stop).await;
    assert_eq!(answer["idTagInfo"]["status"], "Accepted");

    let [ended] = &server.sessions().await[..] else {
        panic!("one session")
    };
    assert_eq!(ended.state, State::Ended);
    assert_eq!(ended.transaction_id, number.as_i64());
    assert_eq!(ended.energy_wh, Some(5500));
    assert_eq!(ended.max_power_w, Some(11_000));
    assert_eq!(ended.soc_end_pm, Some(400));
    assert_eq!(ended.stop_reason.as_deref(), Some("Local"));
}

#[tokio::test]
async fn a_session_has_the_figures_of_all_its_samples_whatever_came_between() {
    let server = Server::start().await;
    for between in ["nothing", "another socket", "a repetition", "a late sample"] {
        let mut station = server.station().await;
        // Three charges of one connector, one after the other.
        let at = noon();
        let answer = station.call("StartTransaction", start(at, between)).await;
        let number = answer["transactionId"].clone();
        let minute = TimeDelta::minutes(1);
        meter(&mut station, &number, at + minute, 2000, 11_000).await;
        match between {
            "another socket" => station = server.station().await,
            // The first value of an instant stands.
            "a repetition" => meter(&mut station, &number, at + minute, 2000, 22_000).await,
            "a late sample" => meter(&mut station, &number, at + minute / 2, 1500, 9000).await,
            _ => {}
        }
        meter(&mut station, &number, at + minute * 2, 3000, 7400).await;
        let stop = json!({ "transactionId": number, "meterStop": 900, "timestamp": text(at + minute * 3) });
        station.call("StopTransaction", stop).await;
        let sessions = server.sessions().await;
        let session = sessions.iter().find(|session| session.id_token == between);
        let session = session.expect("the session");
        let range = if between == "a late sample" {
            1500
        } else {
            1000
        };
        assert_eq!(session.energy_wh, Some(range), "{between}");
        assert_eq!(session.max_power_w, Some(11_000), "{between}");
        assert_eq!(session.soc_start_pm, Some(400), "{between}");
    }
}

#[tokio::test]
async fn the_same_start_and_stop_count_once_whatever_their_message_id_and_connection() {
    let server = Server::start().await;
    let mut station = server.station().await;
    // After its first boot: an earlier time would mean that its clock was never set.
    let at = noon();
    let first = station.call("StartTransaction", start(at, "TAG1")).await["transactionId"].clone();
    assert_eq!(
        station.call("StartTransaction", start(at, "TAG1")).await["transactionId"],
        first
    );
    station.close().await;

    let server = server.restart().await;
    let mut station = server.booted("cp1").await;
    assert_eq!(
        station.call("StartTransaction", start(at, "tag1")).await["transactionId"],
        first
    );
    let stop = |wh: i64| json!({ "transactionId": first, "meterStop": wh, "timestamp": text(at + TimeDelta::hours(1)) });
    for wh in [2000, 2000, 9000] {
        assert_eq!(station.call("StopTransaction", stop(wh)).await, json!({}));
    }
    assert_eq!(
        station.call("StartTransaction", start(at, "TAG1")).await["transactionId"],
        first
    );
    let [session] = &server.sessions().await[..] else {
        panic!("one session")
    };
    assert_eq!(session.energy_wh, Some(1000));
}

#[tokio::test]
async fn what_an_unknown_token_does_is_stored_and_told() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for (tag, verdict) in [("NOBODY", "Invalid"), ("TAG2", "Blocked")] {
        let answer = station.call("Authorize", json!({ "idTag": tag })).await;
        assert_eq!(answer["idTagInfo"]["status"], verdict);
        let answer = station.call("StartTransaction", start(noon(), tag)).await;
        assert_eq!(answer["idTagInfo"]["status"], verdict);
        assert!(answer["transactionId"].as_i64().unwrap() > 0);
    }
    assert_eq!(server.sessions().await.len(), 2);
}

#[tokio::test]
async fn a_parent_that_ocpp_1_6_cannot_carry_is_left_out_of_the_answer() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for (length, told) in [(20, true), (21, false)] {
        let parent = "P".repeat(length);
        server.put_token("CHILD", "accepted", Some(&parent)).await;
        let answer = station.call("Authorize", json!({ "idTag": "CHILD" })).await;
        let info = &answer["idTagInfo"];
        assert_eq!(info["status"], "Accepted");
        assert_eq!(info["parentIdTag"].as_str(), told.then_some(&*parent));
    }
}

#[tokio::test]
async fn a_stop_of_nothing_is_an_orphan_and_another_stations_transaction_is_nothing() {
    let server = Server::start().await;
    server.add_station("CP2", None).await;
    let (mut one, mut two) = (server.station().await, server.booted("CP2").await);
    let at = noon() - TimeDelta::hours(1);
    let number = one.call("StartTransaction", start(at, "TAG1")).await["transactionId"].clone();
    let stop = json!({ "transactionId": number, "meterStop": 2000, "timestamp": text(noon()) });
    assert_eq!(two.call("StopTransaction", stop).await, json!({}));
    let sessions = server.sessions().await;
    let states: Vec<State> = sessions.iter().map(|session| session.state).collect();
    assert_eq!(states, [State::Orphan, State::Active]);
}

#[tokio::test]
async fn a_charger_with_a_clock_far_off_loses_nothing() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let at = "1970-01-01T00:05:00Z".parse().unwrap();
    let number = station.call("StartTransaction", start(at, "TAG1")).await["transactionId"].clone();
    meter(
        &mut station,
        &number,
        at + TimeDelta::minutes(1),
        3000,
        11_000,
    )
    .await;
    let stop = json!({ "transactionId": number, "meterStop": 4000, "timestamp": text(at + TimeDelta::minutes(2)) });
    station.call("StopTransaction", stop).await;
    let [session] = &server.sessions().await[..] else {
        panic!("one session")
    };
    assert_eq!(session.energy_wh, Some(3000));
    assert!(
        session.started_at > noon() - TimeDelta::hours(1),
        "shown at the time of receipt"
    );
}

#[tokio::test]
async fn a_register_and_a_time_that_cannot_be_are_noted_and_spoil_no_sum() {
    let server = Server::start().await;
    let mut station = server.station().await;
    for (tag, register) in [("TAG1", i64::MIN), ("TAG2", i64::MAX)] {
        let start = json!({ "connectorId": 1, "idTag": tag, "meterStart": register,
                            "timestamp": "2099-01-01T00:00:00Z" });
        let number = station.call("StartTransaction", start).await["transactionId"].clone();
        meter(&mut station, &number, noon(), i64::MAX, 11_000).await;
        let stop =
            json!({ "transactionId": number, "meterStop": i64::MAX, "timestamp": text(noon()) });
        let answer = station.call("StopTransaction", stop).await;
        assert!(answer.is_object(), "{answer}");
    }
    let sessions = server.sessions().await;
    assert_eq!(sessions.len(), 2);
    for session in &sessions {
        assert_eq!((session.state, session.energy_wh), (State::Ended, Some(0)));
        assert!(session.started_at < noon() + TimeDelta::hours(1));
        for flag in ["time-absurd", "meter-start-absurd", "meter-stop-absurd"] {
            assert!(
                session.flags.iter().any(|noted| noted == flag),
                "{flag}: {:?}",
                session.flags
            );
        }
    }
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let totals = sessions::totals(&mut db, &Filter::default()).await.unwrap();
    assert_eq!((totals.count, totals.energy_wh), (2, 0));
}

#[tokio::test]
async fn where_an_account_is_asked_for_a_token_without_one_may_not_charge_and_keeps_its_status() {
    let options = csms::Options {
        tag_gating: true,
        ..csms::Options::default()
    };
    let server = Server::with(options).await;
    let mut station = server.station().await;
    let status = async |station: &mut Station| {
        let answer = station.call("Authorize", json!({ "idTag": "TAG1" })).await;
        answer["idTagInfo"]["status"].clone()
    };
    assert_eq!(status(&mut station).await, "Blocked");
    let begun = station
        .call("StartTransaction", start(noon(), "TAG1"))
        .await;
    assert_eq!(begun["idTagInfo"]["status"], "Blocked");
    let [session] = &server.sessions().await[..] else {
        panic!("what happened is kept all the same")
    };
    assert_eq!(session.flags, ["token-noaccount"]);

    let mut db = server.db.pool.acquire().await.unwrap();
    let token = id_tokens::find(&mut db, "TAG1").await.unwrap().unwrap();
    assert_eq!(token.status, "accepted", "the tag itself is not rewritten");
    let fields = Fields {
        name: "Acme".to_owned(),
        email: String::new(),
        address: String::new(),
        country: String::new(),
        tax_id: String::new(),
        lago_external_id: None,
        active: true,
    };
    let mapping = NewMapping {
        id_token: "TAG1".to_owned(),
        customer_id: customers::create(&mut db, &fields, noon()).await.unwrap(),
        subscription: None,
        display_name: String::new(),
        notes: String::new(),
        active: true,
    };
    tag_mappings::create(&mut db, &mapping, noon())
        .await
        .unwrap();
    assert_eq!(status(&mut station).await, "Accepted");
}
