//! The quirk pack against the server: whatever a charger's habits are, its session is whole and it hears no CALLERROR.

use std::collections::HashMap;
use std::time::Duration;

use simulators::quirks::TABLE;
use simulators::{Event, Options, Session, Speed, Station, StationEvent, Until, vehicle};

use crate::support::{Server, noon};

const TAG: &str = "04A2B91C";

/// Habits that change what the session is; they have tests of their own in `quirks.rs`.
const CHANGE_THE_SUM: [&str; 4] = [
    "meter-rollover",
    "meter-reset",
    "meter-start-zero",
    "no-start",
];

/// What a station saw of its session.
#[derive(Debug, Default)]
struct Seen {
    delivered_wh: Option<u64>,
    acknowledged: bool,
    gone: bool,
    wrong: Vec<String>,
}

impl Seen {
    fn is_whole(&self) -> bool {
        self.acknowledged && self.gone
    }
}

async fn charge(server: &Server, quirk: &'static str) -> Seen {
    let now = noon().timestamp_millis();
    let options = Options {
        connectors: 1,
        speed: Speed::Max,
        start: Some(simulators::Utc(now)),
        quirks: vec![quirk.parse().expect("a quirk")],
        ..Options::new(&format!("ws://{}/ocpp", server.address), quirk)
    };
    let mut station = Station::spawn(options).expect("a station");
    station.booted().await.expect("let in");
    station.session(Session {
        connector: 1,
        vehicle: vehicle("leaf").expect("known").clone(),
        soc: 30.0,
        id_tag: TAG.to_owned(),
        until: Until::Minutes(10.0),
        linger_minutes: 0.5,
    });
    let mut seen = Seen::default();
    let watch = async {
        while !seen.is_whole() {
            match station.next_event().await.expect("it runs") {
                StationEvent::Core(Event::Stopped { energy_wh, .. }) => {
                    seen.delivered_wh = Some(energy_wh);
                }
                StationEvent::Core(Event::StopAcknowledged { .. }) => seen.acknowledged = true,
                StationEvent::SessionOver { .. } => seen.gone = true,
                StationEvent::Core(event @ (Event::Refused { .. } | Event::Unanswered(_))) => {
                    seen.wrong.push(format!("{event:?}"));
                }
                _ => {}
            }
        }
    };
    if tokio::time::timeout(Duration::from_secs(120), watch)
        .await
        .is_err()
    {
        seen.wrong.push("it did not come to its end".to_owned());
    }
    station.shutdown().await;
    seen
}

#[tokio::test]
async fn every_habit_of_the_pack_leaves_a_whole_session_and_hears_no_error() {
    let server = Server::start().await;
    server.add_token(TAG, "accepted").await;
    let quirks = || {
        TABLE
            .iter()
            .filter(|quirk| !CHANGE_THE_SUM.contains(&quirk.name))
    };
    for quirk in quirks() {
        server.add_station(quirk.name, None).await;
        let change = store::stations::StationChange {
            options: Some(&store::stations::Options {
                assume_16: true,
                tidy_tokens: true,
                ..store::stations::Options::default()
            }),
            ..store::stations::StationChange::default()
        };
        let mut db = server.db.pool.acquire().await.unwrap();
        store::stations::change(&mut db, quirk.name, &change)
            .await
            .unwrap();
    }
    let all = quirks().map(|quirk| async { (quirk.name, charge(&server, quirk.name).await) });
    let seen: HashMap<&str, Seen> = futures_util::future::join_all(all)
        .await
        .into_iter()
        .collect();
    let sessions = server.sessions().await;
    for (name, seen) in &seen {
        assert_eq!(seen.wrong, [""; 0], "{name}");
        let wh = seen.delivered_wh.expect("a stop");
        assert!(wh > 500, "{name}: {wh} Wh");
        let whole = sessions.iter().any(|session| {
            session.station.as_deref() == Some(*name) && session.energy_wh == i64::try_from(wh).ok()
        });
        let of = sessions
            .iter()
            .filter(|session| session.station.as_deref() == Some(*name));
        assert!(whole, "{name}: {wh} Wh, and {:?}", of.collect::<Vec<_>>());
    }
    assert!(seen.len() > 60, "{}", seen.len());
}
