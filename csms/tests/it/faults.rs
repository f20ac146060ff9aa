//! Everything that can go wrong between a station and its row: errors of the database, cut cables, repeated and late
//! messages, silent peers, our own end. A station is never told no for it, and nothing is stored twice.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use csms::Options;
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::SliceRandom};
use serde_json::{Value, json};
use store::Room;
use store::disturb::{Blow, Moment};
use store::proof::{Disorder, Fact};
use store::sessions::State;
use store::testing::TestDb;
use tokio::sync::watch;

use crate::proxy::Proxy;
use crate::support::{Server, Station, eventually, noon};

/// A time as a charger has it: without microseconds.
fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(noon().timestamp_millis()).unwrap()
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// One charge of `CP1`: what it says, and what must then be stored.
#[derive(Clone, Copy)]
struct Charge {
    at: DateTime<Utc>,
    from_wh: i64,
}

impl Charge {
    fn start(self) -> (&'static str, Value) {
        let payload = json!({ "connectorId": 1, "idTag": "TAG1", "meterStart": self.from_wh, "timestamp": text(self.at) });
        ("StartTransaction", payload)
    }

    fn meter(self, number: i64, minute: i64) -> (&'static str, Value) {
        let at = text(self.at + TimeDelta::minutes(minute));
        let energy = (self.from_wh + 100 * minute).to_string();
        let values = json!([{ "timestamp": at, "sampledValue": [{ "value": energy }] }]);
        (
            "MeterValues",
            json!({ "connectorId": 1, "transactionId": number, "meterValue": values }),
        )
    }

    fn stop(self, number: i64) -> (&'static str, Value) {
        let at = text(self.at + TimeDelta::hours(1));
        (
            "StopTransaction",
            json!({ "transactionId": number, "meterStop": self.from_wh + 6000, "timestamp": at }),
        )
    }

    fn facts(self, number: i64, minutes: &[i64]) -> Vec<Fact> {
        let station = "CP1".to_owned();
        let start = Fact::Start {
            station: station.clone(),
            connector: 1,
            id_token: "TAG1".to_owned(),
            at: self.at,
            meter_wh: self.from_wh,
            number,
        };
        let stop = Fact::Stop {
            station: station.clone(),
            number,
            at: self.at + TimeDelta::hours(1),
            meter_wh: self.from_wh + 6000,
        };
        let meters = minutes.iter().map(|minute| Fact::Meter {
            station: station.clone(),
            connector: 1,
            number,
            at: self.at + TimeDelta::minutes(*minute),
            energy_wh: self.from_wh + 100 * minute,
        });
        [start, stop].into_iter().chain(meters).collect()
    }
}

fn number_of(answer: &Value) -> i64 {
    answer["transactionId"].as_i64().expect("a transactionId")
}

/// Every fact is stored once, and nothing beside them.
async fn is_whole(db: &TestDb, facts: &[Fact]) {
    let mut rows = db.pool.acquire().await.unwrap();
    assert_eq!(store::proof::flaws(&mut rows, facts).await.unwrap(), []);
    assert_eq!(
        store::proof::disorder(&mut rows).await.unwrap(),
        Disorder::default()
    );
}

/// A whole charge in which each message is answered, whatever the database does meanwhile.
async fn charge(station: &mut Station, charge: Charge) -> i64 {
    let status = json!({ "connectorId": 1, "status": "Charging", "errorCode": "NoError", "info": text(charge.at) });
    station.call("StatusNotification", status).await;
    let (action, payload) = charge.start();
    let number = number_of(&station.call(action, payload).await);
    let (action, payload) = charge.meter(number, 10);
    station.call(action, payload).await;
    let (action, payload) = charge.stop(number);
    station.call(action, payload).await;
    number
}

/// What a connection that is lost has left in the works is known to the next one before it decides.
async fn left_in_the_works(
    server: &Server,
    mut lost: Station,
    left: (&str, Value),
    next: (&str, Value),
) {
    let held = server.db.hold("ocpp_messages").await;
    lost.send(&json!([2, "left", left.0, left.1]).to_string())
        .await;
    eventually("the message waits to be written", async || {
        (server.db.waiting().await > 0).then_some(())
    })
    .await;
    // No boot: a station that only lost its socket goes on where it was.
    let request = server.request("CP1", "ocpp1.6");
    let mut back = server.connect(request).await.expect("let in");
    assert_eq!(lost.close_code().await, Some(1008), "its seat is taken");
    back.send(&json!([2, "next", next.0, next.1]).to_string())
        .await;
    held.release().await;
    let answer = back.receive().await;
    assert_eq!(
        (&answer[0], &answer[1]),
        (&3.into(), &"next".into()),
        "{answer}"
    );
}

#[tokio::test]
async fn a_stop_that_contradicts_one_in_the_works_is_kept() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let one = Charge {
        at: now(),
        from_wh: 1000,
    };
    let (action, payload) = one.start();
    let number = number_of(&station.call(action, payload).await);
    let other = Charge {
        from_wh: 2000,
        ..one
    };
    left_in_the_works(&server, station, one.stop(number), other.stop(number)).await;
    let [ended] = &server.sessions().await[..] else {
        panic!("one session")
    };
    assert_eq!(ended.energy_wh, Some(6000), "the first counts");
    let mut db = server.db.pool.acquire().await.unwrap();
    let disorder = store::proof::disorder(&mut db).await.unwrap();
    assert_eq!(disorder.odd_stops, 1, "the second is kept: {disorder:?}");
}

#[tokio::test]
async fn a_start_ends_one_that_was_in_the_works() {
    let server = Server::start().await;
    let station = server.station().await;
    let [first, second] = [0, 1].map(|minute| Charge {
        at: now() + TimeDelta::minutes(minute),
        from_wh: 1000 + minute,
    });
    left_in_the_works(&server, station, first.start(), second.start()).await;
    let states: Vec<State> = server
        .sessions()
        .await
        .iter()
        .map(|one| one.state)
        .collect();
    assert_eq!(states, [State::Active, State::Ended]);
}

/// Every table that a charge writes to.
const WRITTEN: [&str; 7] = [
    "transactions",
    "charging_sessions",
    "meter_values",
    "connectors",
    "connector_history",
    "events",
    "ocpp_messages",
];

#[tokio::test]
async fn an_error_of_the_database_that_passes_is_never_the_stations_concern() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let mut facts = Vec::new();
    // Deadlock, serialization, too many connections, statement timeout, shutdown: at each table in turn.
    for (hour, code) in (0..).zip(["40P01", "40001", "53300", "57014", "57P01"]) {
        for table in WRITTEN {
            server
                .db
                .strike_once(table, Moment::Statement, Blow::Error(code))
                .await;
        }
        let one = Charge {
            at: now() + TimeDelta::hours(2 * hour),
            from_wh: 10_000 * hour,
        };
        let number = charge(&mut station, one).await;
        facts.extend(one.facts(number, &[10]));
        for table in WRITTEN {
            assert!(server.db.struck(table).await, "{code} at {table}");
        }
    }
    is_whole(&server.db, &facts).await;
}

#[tokio::test]
async fn a_commit_that_fails_or_loses_its_connection_is_not_acknowledged() {
    let server = Server::start().await;
    let mut facts = Vec::new();
    let blows = [
        (Moment::Commit, Blow::Error("40001")),
        (Moment::Commit, Blow::Terminate),
        (Moment::Statement, Blow::Terminate),
    ];
    for (hour, (moment, blow)) in (0..).zip(blows) {
        for table in ["transactions", "ocpp_messages"] {
            let hour = 2 * hour + i64::from(table == "transactions");
            let one = Charge {
                at: now() + TimeDelta::hours(2 * hour),
                from_wh: 10_000 * hour,
            };
            server.db.strike_once(table, moment, blow).await;
            // What is not answered is asked again on a new connection, as a charger does.
            let mut number = None;
            for step in 0..4 {
                let number_now = number.unwrap_or_default();
                let (action, payload) = match step {
                    0 => one.start(),
                    1 => one.meter(number_now, 10),
                    2 => one.meter(number_now, 20),
                    _ => one.stop(number_now),
                };
                let answer = insist(&server, action, &payload).await;
                if step == 0 {
                    number = Some(number_of(&answer));
                }
            }
            assert!(server.db.struck(table).await, "{blow:?} at {table}");
            facts.extend(one.facts(number.unwrap(), &[10, 20]));
        }
    }
    is_whole(&server.db, &facts).await;
}

/// Asks on new connections until there is an answer. It is never a CALLERROR.
#[tokio::test]
async fn a_message_that_cannot_be_stored_spoils_none_of_its_batch() {
    let server = Server::with(Options {
        lanes: 1,
        ..Options::default()
    })
    .await;
    let mut stations = Vec::new();
    for number in 0..8 {
        let identity = format!("B{number}");
        server.add_station(&identity, None).await;
        stations.push(server.booted(&identity).await);
    }
    server.db.refuse_messages_with("poison").await;
    // While the first message waits for the table, the others gather.
    let held = server.db.hold("ocpp_messages").await;
    for (number, station) in stations.iter_mut().enumerate() {
        let tag = if number == 5 { "poison" } else { "TAG1" };
        let call = json!([2, "a", "Authorize", { "idTag": tag }]);
        station.send(&call.to_string()).await;
        if number == 0 {
            eventually("a batch", async || {
                (server.db.waiting().await > 0).then_some(())
            })
            .await;
        }
    }
    held.release().await;
    for (number, station) in stations.iter_mut().enumerate() {
        let answer = station.receive().await;
        if number == 5 {
            assert_eq!(
                (&answer[0], &answer[2]),
                (&json!(4), &json!("InternalError"))
            );
        } else {
            assert_eq!(answer[0], 3, "{answer}");
        }
    }
}

async fn insist(server: &Server, action: &str, payload: &Value) -> Value {
    for _ in 0..5 {
        let mut station = server
            .connect(server.request("CP1", "ocpp1.6"))
            .await
            .expect("let in");
        station
            .send(&json!([2, "again", action, payload]).to_string())
            .await;
        match station.try_receive().await {
            Ok(answer) => {
                assert_eq!(answer[0], 3, "{answer}");
                return answer[2].clone();
            }
            Err(code) => assert_eq!(code, Some(1013)),
        }
    }
    panic!("{action} was never answered")
}

#[tokio::test]
async fn readers_and_writers_that_are_cut_off_ask_again() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let one = Charge {
        at: now(),
        from_wh: 0,
    };
    let (action, payload) = one.start();
    let number = number_of(&station.call(action, payload).await);
    // The stop asks for the transaction (a read), then writes it: whatever waits for the table is cut off.
    for (action, payload) in [one.meter(number, 10), one.stop(number), one.start()] {
        let held = server
            .db
            .hold("transactions, charging_sessions, meter_values")
            .await;
        let asked = tokio::spawn(async move {
            let answer = station.call(action, payload).await;
            (station, answer)
        });
        eventually("somebody waiting", async || {
            (server.db.waiting().await > 0).then_some(())
        })
        .await;
        assert!(server.db.cut_off(Room::Csms).await > 0);
        held.release().await;
        let answer;
        (station, answer) = asked.await.unwrap();
        if action == "StartTransaction" {
            assert_eq!(number_of(&answer), number, "known, though it has ended");
        }
    }
    is_whole(&server.db, &one.facts(number, &[10])).await;
}

#[tokio::test]
async fn a_cable_cut_at_any_byte_of_an_answer_leads_to_the_same_answer() {
    let server = Server::start().await;
    let proxy = Proxy::to(server.address).await;
    let mut facts = Vec::new();
    // The first answer's length is that of all: same ids, and numbers may differ by a digit or so.
    let (mut bytes, mut longest) = (0, usize::MAX);
    while bytes <= longest {
        let one = Charge {
            at: now() + TimeDelta::hours(2 * bytes as i64),
            from_wh: 10_000 * bytes as i64,
        };
        let (action, payload) = one.start();
        let said = cut(&server, &proxy, bytes, action, &payload).await;
        longest = longest.min(said.len() + 1);
        let number = number_of(&answer_in(&said));
        assert_eq!(
            number_of(&insist(&server, action, &payload).await),
            number,
            "cut after {bytes} bytes"
        );
        let (action, payload) = one.stop(number);
        let said = cut(&server, &proxy, bytes, action, &payload).await;
        assert_eq!(insist(&server, action, &payload).await, answer_in(&said));
        facts.extend(one.facts(number, &[]));
        bytes += 1;
    }
    assert!(bytes > 60, "only {bytes} bytes were tried");
    is_whole(&server.db, &facts).await;
}

/// Asks through a cable that breaks after so many bytes of the answer; yields all of what the server said.
async fn cut(
    server: &Server,
    proxy: &Proxy,
    bytes: usize,
    action: &str,
    payload: &Value,
) -> Vec<u8> {
    proxy.open();
    let mut station = Station::connect(proxy.address, server.request("CP1", "ocpp1.6"))
        .await
        .expect("let in");
    proxy.cut_after(bytes);
    station
        .send(&json!([2, "cut", action, payload]).to_string())
        .await;
    eventually("the server's answer", async || {
        let said = proxy.said();
        // One unmasked text frame of less than 126 bytes, or of less than 64 KiB.
        let whole = match said.get(1)? {
            126 => 4 + usize::from(u16::from_be_bytes([*said.get(2)?, *said.get(3)?])),
            short => 2 + usize::from(*short),
        };
        (said.len() >= whole).then(|| said[..whole].to_vec())
    })
    .await
}

/// The payload of the CALLRESULT in a WebSocket frame.
fn answer_in(said: &[u8]) -> Value {
    let head = if said[1] == 126 { 4 } else { 2 };
    let frame: Value = serde_json::from_slice(&said[head..]).unwrap();
    assert_eq!(frame[0], 3, "{frame}");
    frame[2].clone()
}

#[tokio::test]
async fn messages_that_come_often_late_and_in_any_order_count_once() {
    let mut server = Server::start().await;
    let mut station = server.station().await;
    let mut facts = Vec::new();
    for seed in 0..12 {
        let mut chance = StdRng::seed_from_u64(seed);
        let one = Charge {
            at: now() + TimeDelta::hours(2 * seed as i64),
            from_wh: 10_000 * seed as i64,
        };
        let (action, payload) = one.start();
        let number = number_of(&station.call(action, payload).await);
        let minutes = [5, 10, 15, 20];
        let said: Vec<_> = [one.start(), one.stop(number)]
            .into_iter()
            .chain(minutes.map(|minute| one.meter(number, minute)))
            .collect();
        let mut order: Vec<usize> = (0..said.len())
            .flat_map(|which| vec![which; chance.random_range(1..=5)])
            .collect();
        order.shuffle(&mut chance);
        for which in order {
            match chance.random_range(0..20) {
                0 => {
                    drop(station);
                    server = server.restart().await;
                    station = server.booted("CP1").await;
                }
                1..4 => station = server.booted("CP1").await,
                _ => {}
            }
            let (action, payload) = &said[which];
            // The same id as the first copy, or a new one.
            let id = if chance.random_bool(0.5) {
                format!("same-{seed}-{which}")
            } else {
                format!("new-{}", chance.random::<u64>())
            };
            station
                .send(&json!([2, id, action, payload]).to_string())
                .await;
            let answer = station.receive().await;
            assert_eq!(
                (&answer[0], &answer[1]),
                (&json!(3), &json!(id)),
                "{answer}"
            );
            if *action == "StartTransaction" {
                assert_eq!(number_of(&answer[2]), number);
            }
        }
        facts.extend(one.facts(number, &minutes));
    }
    is_whole(&server.db, &facts).await;
    for session in server.sessions().await {
        assert_eq!(
            (session.state, session.energy_wh),
            (State::Ended, Some(6000))
        );
    }
}

#[tokio::test]
async fn a_silent_station_is_shown_offline_and_its_session_stays_open() {
    let server = Server::with(Options {
        ping_interval: Duration::from_millis(300),
        ping_grace: Duration::from_millis(200),
        ..Options::default()
    })
    .await;
    server.add_station("CP2", None).await;
    let mut silent = server.station().await;
    let one = Charge {
        at: now(),
        from_wh: 0,
    };
    let (action, payload) = one.start();
    silent.call(action, payload).await;
    let mut lively = server.booted("CP2").await;
    eventually("both online", async || {
        (server.db.is_connected("CP1").await && server.db.is_connected("CP2").await).then_some(())
    })
    .await;
    // From here on nobody reads what CP1 is sent: its pings go unanswered. CP2 answers its own.
    let reads = tokio::spawn(async move { lively.close_code().await });
    eventually("the silent one offline", async || {
        (!server.db.is_connected("CP1").await).then_some(())
    })
    .await;
    assert!(!reads.is_finished() && server.db.is_connected("CP2").await);
    let [session] = &server.sessions().await[..] else {
        panic!("one session")
    };
    assert_eq!(session.state, State::Active);
    reads.abort();
}

/// A connected station of a fleet: it reads what it is sent, answering pings, until `falls_silent`; then it holds its
/// socket and reads nothing. Ends when its connection does, and says whether it still read.
async fn reads_until(mut station: Station, falls_silent: Option<watch::Receiver<bool>>) -> bool {
    let Some(mut told) = falls_silent else {
        station.close_code().await;
        return true;
    };
    tokio::select! {
        _ = station.close_code() => return true,
        told = told.wait_for(|silent| *silent) => drop(told),
    }
    std::future::pending::<()>().await;
    drop(station);
    false
}

/// Fault R13 at the size of CHAOS_SILENT stations that fall silent beside as many that do not; how long it takes to see
/// it is printed.
#[tokio::test]
async fn half_of_a_fleet_falls_silent_at_once_and_the_other_half_does_not_notice() {
    let half = std::env::var("CHAOS_SILENT")
        .map_or(10, |text| text.parse().expect("CHAOS_SILENT: a number"));
    let ping_interval = Duration::from_secs(1);
    let server = Server::with(Options {
        ping_interval,
        ..Options::default()
    })
    .await;
    let (fall, falls_silent) = watch::channel(false);
    let (mut silent, mut lively) = (Vec::new(), Vec::new());
    for number in 0..half {
        for (kind, list) in [("S", &mut silent), ("L", &mut lively)] {
            let identity = format!("{kind}{number}");
            server.add_station(&identity, None).await;
            let mut station = server.booted(&identity).await;
            if kind == "S" {
                let charge = Charge {
                    at: now(),
                    from_wh: 0,
                };
                let (action, payload) = charge.start();
                station.call(action, payload).await;
            }
            let falls_silent = (kind == "S").then(|| falls_silent.clone());
            list.push((identity, tokio::spawn(reads_until(station, falls_silent))));
        }
    }
    for (identity, _) in silent.iter().chain(&lively) {
        eventually("all online", async || {
            server.db.is_connected(identity).await.then_some(())
        })
        .await;
    }
    fall.send(true).unwrap();
    let begun = tokio::time::Instant::now();
    for (identity, _) in &silent {
        eventually("the silent ones offline", async || {
            (!server.db.is_connected(identity).await).then_some(())
        })
        .await;
    }
    let report = json!({ "chaos": "silent", "silent": half, "of": 2 * half, "ping_interval_s": ping_interval.as_secs(),
        "offline_after_s": begun.elapsed().as_secs_f64() });
    println!("{report}");
    for (identity, reads) in &lively {
        assert!(
            !reads.is_finished() && server.db.is_connected(identity).await,
            "{identity} was sent away"
        );
    }
    let sessions = server.sessions().await;
    assert_eq!(sessions.len(), half.min(500));
    assert!(
        sessions
            .iter()
            .all(|session| session.state == State::Active)
    );
    for (_, task) in silent.into_iter().chain(lively) {
        task.abort();
    }
}

#[tokio::test]
async fn when_we_end_everything_asked_is_answered_first() {
    let server = Server::start().await;
    let mut station = server.station().await;
    let one = Charge {
        at: now(),
        from_wh: 0,
    };
    let (action, payload) = one.start();
    let number = number_of(&station.call(action, payload).await);
    let held = server.db.hold("meter_values").await;
    // It does not wait for its answers; the first is in the works, the others wait behind it.
    let minutes = [1, 2, 3, 4, 5];
    for minute in minutes {
        let (action, payload) = one.meter(number, minute);
        station
            .send(&json!([2, minute.to_string(), action, payload]).to_string())
            .await;
    }
    // The Heartbeat's answer comes at once, and shows that all before it were read.
    station.send(r#"[2,"beat","Heartbeat",{}]"#).await;
    assert_eq!(station.receive().await[1], "beat");
    server.shutdown.begin();
    held.release().await;
    for minute in minutes {
        let answer = station.receive().await;
        assert_eq!(
            (&answer[0], &answer[1]),
            (&json!(3), &json!(minute.to_string()))
        );
    }
    assert_eq!(station.close_code().await, Some(1012));
    let db = server.end().await;
    let mut facts = one.facts(number, &minutes);
    facts.retain(|fact| !matches!(fact, Fact::Stop { .. }));
    is_whole(&db, &facts).await;
}
