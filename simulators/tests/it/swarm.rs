//! The swarm: its frames are the core's, its ledger is what was answered, and it survives a killed server.

use std::{collections::BTreeMap, time::Duration};

use serde_json::Value;
use simulators::{
    Options, Session, Speed, Station, StationEvent, Until,
    ledger::{self, Entry},
    swarm::{self, Workload},
    vehicle,
};

use crate::server::{Seen, Server};

fn small(server: &Server, count: usize, workload: Workload) -> swarm::Options {
    swarm::Options {
        duration: Duration::from_millis(500),
        ..swarm::Options::new(&server.url(), count, workload)
    }
}

/// A payload's shape: its keys and the kinds of its values.
fn shape(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let fields: Vec<_> = map
                .iter()
                .map(|(key, value)| match key.as_str() {
                    // Words of a list are part of the shape.
                    "context" | "measurand" | "unit" | "reason" => format!("{key}={value}"),
                    _ => format!("{key}:{}", shape(value)),
                })
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => format!(
            "[{}]",
            items.iter().map(shape).collect::<Vec<_>>().join(",")
        ),
        Value::String(_) => "text".to_owned(),
        Value::Number(_) => "number".to_owned(),
        Value::Bool(_) => "bool".to_owned(),
        Value::Null => "null".to_owned(),
    }
}

fn shapes(seen: &[Seen]) -> BTreeMap<String, String> {
    seen.iter()
        .filter(|s| s.action != "StatusNotification")
        .map(|s| (s.action.clone(), shape(&s.payload)))
        .collect()
}

#[tokio::test]
async fn its_frames_are_those_of_the_core() {
    let of_core = Server::start();
    let mut station = Station::spawn(simulators::Options {
        speed: Speed::Max,
        ..Options::new(&of_core.url(), "CP1")
    })
    .expect("spawned");
    station.booted().await.expect("booted");
    station.session(Session {
        connector: 1,
        vehicle: vehicle("leaf").expect("known").clone(),
        soc: 30.0,
        id_tag: "A1".to_owned(),
        until: Until::Minutes(5.0),
        linger_minutes: 1.0,
    });
    station
        .wait_for("the session's end", |event| {
            matches!(event, StationEvent::SessionOver { .. }).then_some(())
        })
        .await
        .expect("a session");
    let of_swarm = Server::start();
    let options = small(&of_swarm, 1, Workload::Session);
    tokio::task::spawn_blocking(move || swarm::run(options))
        .await
        .expect("no panic")
        .expect("a run");
    assert_eq!(
        shapes(&of_swarm.record.all()),
        shapes(&of_core.record.all())
    );
}

#[test]
fn heartbeats_are_counted() {
    let server = Server::start();
    let report = swarm::run(small(&server, 5, Workload::Heartbeat)).expect("a run");
    assert_eq!(
        (report.connections, report.error_count(), report.refused),
        (5, 0, 0)
    );
    assert!(report.calls > 50, "{report:?}");
    assert!(report.p50_us <= report.p99_us && report.p99_us <= report.max_us);
    assert!(server.record.of("Heartbeat").len() as u64 >= report.calls);
}

#[test]
fn idle_stations_hold_still_and_a_storm_comes_back_each_round() {
    let server = Server::start();
    let report = swarm::run(small(&server, 20, Workload::Idle)).expect("a run");
    assert_eq!(
        (report.connections, report.calls, report.error_count()),
        (20, 0, 0)
    );
    let options = swarm::Options {
        rounds: 3,
        ..small(&server, 20, Workload::Storm)
    };
    let report = swarm::run(options).expect("a run");
    assert_eq!(report.rounds.len(), 3);
    assert!(
        report
            .rounds
            .iter()
            .all(|round| round.refused == 0 && round.seconds < 5.0),
        "{report:?}"
    );
}

/// Starts, meter values and stops by natural key, from what the server saw.
fn keys(server: &Server) -> BTreeMap<(String, String, String), usize> {
    let mut keys = BTreeMap::new();
    for seen in server.record.all() {
        let at = match seen.action.as_str() {
            "StartTransaction" | "StopTransaction" => &seen.payload["timestamp"],
            "MeterValues" => &seen.payload["meterValue"][0]["timestamp"],
            _ => continue,
        };
        *keys
            .entry((
                seen.station,
                seen.action,
                at.as_str().expect("text").to_owned(),
            ))
            .or_default() += 1;
    }
    keys
}

#[test]
fn the_ledger_holds_what_was_answered_and_a_killed_server_is_survived() {
    let mut server = Server::start();
    let folder = std::env::temp_dir().join(format!("forecourt-ledger-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let path = folder.join("ledger.jsonl");
    let options = swarm::Options {
        duration: Duration::from_secs(3),
        ledger: Some(path.clone()),
        ..small(&server, 8, Workload::Session)
    };
    let run = std::thread::spawn(move || swarm::run(options));
    for _ in 0..3 {
        let before = server.record.of("MeterValues").len();
        while server.record.of("MeterValues").len() < before + 50 {
            assert!(!run.is_finished(), "the swarm ended under the kills");
            std::thread::yield_now();
        }
        server.restart();
    }
    let report = run.join().expect("no panic").expect("a run");
    assert!(report.reconnects >= 8 && report.replayed > 0, "{report:?}");
    let entries = ledger::read(&path).expect("a ledger");
    std::fs::remove_dir_all(&folder).expect("removed");
    assert_eq!(report.ledger_entries, Some(entries.len() as u64));
    let seen = keys(&server);
    let mut written = BTreeMap::new();
    for entry in &entries {
        let (station, action, at) = match entry {
            Entry::Start { station, at, .. } => (station, "StartTransaction", at),
            Entry::Meter { station, at, .. } => (station, "MeterValues", at),
            Entry::Stop { station, at, .. } => (station, "StopTransaction", at),
        };
        let key = (station.clone(), action.to_owned(), at.to_string());
        assert!(
            seen.contains_key(&key),
            "acknowledged, but never seen: {entry:?}"
        );
        assert_eq!(written.insert(key, ()), None, "written twice: {entry:?}");
    }
    assert!(entries.len() > 100, "{}", entries.len());
}

#[test]
fn a_server_that_is_not_there_is_told_plainly() {
    let mut server = Server::start();
    server.kill();
    let problem = swarm::run(small(&server, 2, Workload::Idle))
        .expect_err("nobody listens")
        .to_string();
    assert!(
        problem.contains("no station could connect") && problem.contains("Is the server running"),
        "{problem}"
    );
}
