//! Fault R21: the server's own clock is set, to an hour from now or an hour ago, over a leap day and over the end of 32-bit
//! seconds. What stations say is stored with their time and ours, nothing is lost, and no timer notices.

use std::collections::HashSet;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, SubsecRound, TimeDelta, Utc};
use csms::Options;
use futures_util::future::join_all;
use serde_json::{Value, json};
use service::clock::Clock;
use store::proof::{self, Disorder, Fact};
use store::sessions::State;
use store::{Room, Scope, messages, transactions};

use crate::commands::{command, ends_as, queue};
use crate::support::{Server, Station, eventually, noon};

const STATIONS: i64 = 10;
/// Sessions of each station at each jump.
const ROUNDS: i64 = 5;
/// How far the chargers' clocks are behind ours, which they ask for.
const BEHIND: TimeDelta = TimeDelta::seconds(2);

fn time(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// A whole second, by which the test's arithmetic is exact.
fn base() -> DateTime<Utc> {
    noon().trunc_subsecs(0)
}

/// A charger that has its time from the server, as most do.
struct Charger {
    identity: String,
    station: Station,
    register_wh: i64,
    number: i64,
}

impl Charger {
    async fn now(&mut self) -> DateTime<Utc> {
        let answer = self.station.call("Heartbeat", json!({})).await;
        time(answer["currentTime"].as_str().unwrap()) - BEHIND
    }

    async fn start(&mut self) -> Fact {
        let (at, meter_wh) = (self.now().await, self.register_wh);
        let payload = json!({ "connectorId": 1, "idTag": "TAG1", "meterStart": meter_wh, "timestamp": text(at) });
        let answer = self.station.call("StartTransaction", payload).await;
        self.number = answer["transactionId"].as_i64().unwrap();
        Fact::Start {
            station: self.identity.clone(),
            connector: 1,
            id_token: "TAG1".to_owned(),
            at,
            meter_wh,
            number: self.number,
        }
    }

    async fn meter(&mut self) -> Fact {
        self.register_wh += 400;
        let (at, energy_wh) = (self.now().await, self.register_wh);
        let values = json!([{ "timestamp": text(at), "sampledValue": [{ "value": energy_wh.to_string() }] }]);
        let payload =
            json!({ "connectorId": 1, "transactionId": self.number, "meterValue": values });
        self.station.call("MeterValues", payload).await;
        Fact::Meter {
            station: self.identity.clone(),
            connector: 1,
            number: self.number,
            at,
            energy_wh,
        }
    }

    async fn stop(&mut self) -> Fact {
        self.register_wh += 200;
        let (at, meter_wh) = (self.now().await, self.register_wh);
        let payload =
            json!({ "transactionId": self.number, "meterStop": meter_wh, "timestamp": text(at) });
        self.station.call("StopTransaction", payload).await;
        Fact::Stop {
            station: self.identity.clone(),
            number: self.number,
            at,
            meter_wh,
        }
    }
}

/// Every message of the log, by pages.
async fn pages(server: &Server) -> Vec<messages::Message> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let mut found: Vec<messages::Message> = Vec::new();
    loop {
        let after = found.last().map(Into::into);
        let page = messages::list(&mut db, &messages::Filter::default(), after, 37)
            .await
            .unwrap();
        if page.is_empty() {
            return found;
        }
        found.extend(page);
    }
}

async fn all_transactions(server: &Server) -> Vec<transactions::Transaction> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    transactions::list(&mut db, &transactions::Filter::default(), None, 500)
        .await
        .unwrap()
}

#[tokio::test]
async fn r21_two_hundred_sessions_over_jumps_of_our_clock_are_whole_and_told_apart() {
    let base = base();
    let clock = Clock::fixed(base);
    let server = Server::with_clock(Options::default(), clock.clone()).await;
    let mut chargers = Vec::new();
    for number in 0..STATIONS {
        let identity = format!("R21-{number}");
        server.add_station(&identity, None).await;
        chargers.push(Charger {
            station: server.booted(&identity).await,
            identity,
            register_wh: 0,
            number: 0,
        });
    }
    let jumps = [
        (base, base + TimeDelta::hours(1)),
        (base + TimeDelta::hours(4), base + TimeDelta::hours(3)),
        (time("2028-02-28T22:00:00Z"), time("2028-02-29T23:30:00Z")),
        (time("2038-01-19T02:14:07Z"), time("2038-01-19T03:14:08Z")),
    ];
    let (mut facts, mut received) = (Vec::new(), Vec::new());
    for (from, to) in jumps {
        for round in 0..ROUNDS {
            let later = TimeDelta::minutes(5 * round);
            clock.set(from + later);
            facts.extend(join_all(chargers.iter_mut().map(Charger::start)).await);
            clock.set(to + later);
            facts.extend(join_all(chargers.iter_mut().map(Charger::meter)).await);
            clock.advance(Duration::from_secs(60));
            facts.extend(join_all(chargers.iter_mut().map(Charger::stop)).await);
            received.push((from + later, clock.now()));
        }
    }

    let mut db = server.db.pool.acquire().await.unwrap();
    assert_eq!(proof::flaws(&mut db, &facts).await.unwrap(), []);
    assert_eq!(proof::disorder(&mut db).await.unwrap(), Disorder::default());
    drop(db);

    // Both times are kept: the charger's and ours.
    let stored = all_transactions(&server).await;
    assert_eq!(stored.len(), 200);
    let numbers: HashSet<i64> = stored.iter().map(|one| one.number).collect();
    assert_eq!(numbers.len(), 200, "each has a number of its own");
    for one in &stored {
        let ours = (one.start_received_at, one.stop_received_at.unwrap());
        assert!(received.contains(&ours), "{one:?}");
        assert_eq!(one.started_at, ours.0 - BEHIND);
        assert_eq!(one.stopped_at, Some(ours.1 - BEHIND));
    }
    // What cannot be is flagged, and nothing else.
    for session in server.sessions().await {
        let backwards = session.ended_at < Some(session.started_at);
        let flags: &[&str] = if backwards {
            &["stopped-before-start"]
        } else {
            &[]
        };
        assert_eq!(session.flags, flags, "{session:?}");
        assert_eq!(
            (session.state, session.energy_wh),
            (State::Ended, Some(600))
        );
    }

    // The log tells every message, page by page.
    let log = pages(&server).await;
    let ids: HashSet<_> = log.iter().map(|message| message.id).collect();
    let said: HashSet<_> = log
        .iter()
        .map(|message| (message.station.as_str(), message.message_id.as_str()))
        .collect();
    let expected = usize::try_from(STATIONS).unwrap() + 3 * 200;
    assert_eq!(
        (log.len(), ids.len(), said.len()),
        (expected, expected, expected)
    );
    assert!(log.is_sorted_by(|a, b| (a.received_at, a.id) > (b.received_at, b.id)));

    // Back by a decade while we are away: what comes now is newer all the same.
    clock.set(base);
    let server = server.restart().await;
    let back = server.booted("R21-0").await;
    eventually("the station is shown connected", async || {
        server.db.is_connected("R21-0").await.then_some(())
    })
    .await;
    drop(back);
}

async fn next_call(station: &mut Station) -> Value {
    let call = station.receive().await;
    assert_eq!(call[0], 2, "{call}");
    call
}

#[tokio::test]
async fn r21_pings_patience_and_waiting_go_on_however_our_clock_is_set() {
    let (base, hour) = (base(), TimeDelta::hours(1));
    let clock = Clock::fixed(base);
    let options = Options {
        ping_interval: Duration::from_millis(300),
        ping_grace: Duration::from_secs(15),
        call_timeout: Duration::from_secs(8),
        ..Options::default()
    };
    let server = Server::with_clock(options, clock.clone()).await;
    let mut station = server.station().await;
    // A clock that stands still, and that goes anywhere, ends neither pings nor the connection.
    for to in [
        base,
        base + hour,
        base - hour,
        time("2038-01-19T03:14:08Z"),
        time("1970-01-01T00:00:00Z"),
    ] {
        clock.set(to);
        station.ping_seen().await;
        station.ping_seen().await;
        station.call("Heartbeat", json!({})).await;
    }
    // An hour forward: a CALL that is out is not overdue, and its effect is still waited for.
    clock.set(base);
    let reset = queue(&server, "Reset", json!({ "type": "Soft" })).await;
    let call = next_call(&mut station).await;
    clock.set(base + hour);
    station.ping_seen().await;
    station
        .send(&json!([3, call[1], { "status": "Accepted" }]).to_string())
        .await;
    ends_as(&server, reset, "answered").await;
    clock.set(base + hour * 30);
    let boot = json!({ "chargePointVendor": "Acme", "chargePointModel": "One" });
    station.call("BootNotification", boot).await;
    eventually("the effect", async || command(&server, reset).await.effect).await;
    // An hour back: one that is never answered is given up all the same.
    clock.set(base);
    let silent = queue(&server, "ClearCache", json!({})).await;
    next_call(&mut station).await;
    clock.set(base - hour);
    ends_as(&server, silent, "timeout").await;
}

/// Minutes of a station's life: a status each.
async fn statuses(station: &mut Station, clock: &Clock, minutes: i64, ahead: TimeDelta) {
    for minute in 0..minutes {
        clock.advance(Duration::from_secs(60));
        let at = text(clock.now() + ahead);
        let info = format!("{minute}");
        let status = json!({ "connectorId": 1, "status": "Available", "errorCode": "NoError", "timestamp": at, "info": info });
        station.call("StatusNotification", status).await;
    }
}

async fn skew(server: &Server) -> Option<i32> {
    let pool = server.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let station = store::stations_read::get(&mut db, "CP1").await.unwrap();
    station.unwrap().clock_skew_s
}

#[tokio::test]
async fn quirk_19_how_far_a_stations_clock_is_off_is_measured_by_what_it_says_live() {
    let clock = Clock::fixed(base());
    let server = Server::with_clock(Options::default(), clock.clone()).await;
    let mut station = server.station().await;
    let ahead = TimeDelta::minutes(7);
    statuses(&mut station, &clock, 2, ahead).await;
    assert_eq!(skew(&server).await, None, "too little to go by");
    statuses(&mut station, &clock, 1, ahead).await;
    assert_eq!(skew(&server).await, Some(420));
    // What waited while it was away says nothing of its clock.
    let mut station = server.station().await;
    let began = clock.now() - TimeDelta::hours(5);
    let start =
        json!({ "connectorId": 1, "idTag": "TAG1", "meterStart": 1, "timestamp": text(began) });
    let answer = station.call("StartTransaction", start).await;
    for minute in 0..30 {
        let at = text(began + TimeDelta::minutes(minute));
        let values = json!([{ "timestamp": at, "sampledValue": [{ "value": "5" }] }]);
        let payload = json!({ "connectorId": 1, "transactionId": answer["transactionId"], "meterValue": values });
        station.call("MeterValues", payload).await;
    }
    statuses(&mut station, &clock, 2, ahead).await;
    assert_eq!(skew(&server).await, Some(420));
    // Its clock is set.
    statuses(&mut station, &clock, 9, TimeDelta::zero()).await;
    assert_eq!(skew(&server).await, Some(0));
}
