//! Commands to stations that take their time, refuse, keep silent or leave: one is under way per station, each ends with
//! the right status, and none that does something is ever sent twice. `scripts/chaos` runs it with thousands.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use csms::Options;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::{Value, json};
use store::commands::{Command, NewCommand};
use store::{Pool, Room, Scope};
use tokio_tungstenite::tungstenite::http::Request;
use uuid::Uuid;

use crate::support::{Server, Station, eventually, noon};

const STATIONS: usize = 20;

/// What a station does with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Treatment {
    Answer,
    AnswerLate,
    Refuse,
    Ignore,
    Leave,
}

impl Treatment {
    fn pick(chance: &mut StdRng) -> Self {
        match chance.random_range(0..100) {
            0..55 => Treatment::Answer,
            55..70 => Treatment::AnswerLate,
            70..86 => Treatment::Refuse,
            86..90 => Treatment::Ignore,
            _ => Treatment::Leave,
        }
    }

    /// What the command must be shown as.
    fn status(self) -> &'static str {
        match self {
            Treatment::Answer | Treatment::AnswerLate => "answered",
            Treatment::Refuse => "error",
            Treatment::Ignore => "timeout",
            Treatment::Leave => "unknown",
        }
    }
}

/// Every command is told by the number in its payload.
fn payload(number: usize) -> (&'static str, Value) {
    if number.is_multiple_of(3) {
        ("GetConfiguration", json!({ "key": [number.to_string()] }))
    } else {
        (
            "ChangeConfiguration",
            json!({ "key": "Number", "value": number.to_string() }),
        )
    }
}

fn number_in(call: &Value) -> usize {
    let text = call[3]["value"].as_str().or(call[3]["key"][0].as_str());
    text.expect("a number").parse().unwrap()
}

/// What stations did with each command, oldest first.
type Log = Arc<Mutex<HashMap<usize, Vec<Treatment>>>>;

#[tokio::test]
async fn commands_to_unruly_stations_end_as_they_must_and_act_once() {
    let count = std::env::var("CHAOS_COMMANDS")
        .map_or(200, |text| text.parse().expect("CHAOS_COMMANDS: a number"));
    let server = Server::with(Options {
        call_timeout: Duration::from_secs(3),
        ..Options::default()
    })
    .await;
    let mut stations = Vec::new();
    for number in 0..STATIONS {
        stations.push(server.add_station(&format!("U{number}"), None).await);
    }
    let mut ids = Vec::new();
    for number in 0..count {
        ids.push(queue(&server, stations[number % STATIONS], number).await);
    }
    let log = Log::default();
    let portal = server.db.pool(Room::Portal);
    let tasks: Vec<_> = (0..STATIONS)
        .map(|number| {
            let request = server.request(&format!("U{number}"), "ocpp1.6");
            let ids: HashMap<usize, Uuid> = (number..count)
                .step_by(STATIONS)
                .map(|n| (n, ids[n]))
                .collect();
            let unruly = Unruly {
                address: server.address,
                request,
                ids,
                log: log.clone(),
                portal: portal.clone(),
                chance: StdRng::seed_from_u64(number as u64),
            };
            tokio::spawn(unruly.obey_forever())
        })
        .collect();
    for (number, id) in ids.iter().enumerate() {
        let ended = eventually("the end of a command", async || {
            Some(command(&portal, *id).await)
                .filter(|command| !matches!(command.status.as_str(), "queued" | "sent"))
        })
        .await;
        let treatments = log.lock().unwrap()[&number].clone();
        let (last, before) = treatments.split_last().expect("it was received");
        assert_eq!(ended.status, last.status(), "{number}: {treatments:?}");
        assert!(
            before
                .iter()
                .all(|treatment| *treatment == Treatment::Leave),
            "{number}: {treatments:?}"
        );
        assert!(
            before.is_empty() || ended.action == "GetConfiguration",
            "{number} was sent again: {treatments:?}"
        );
        if ended.status == "answered" {
            assert_eq!(ended.answer, Some(answer(number).to_string()));
        }
    }
    for task in tasks {
        assert!(!task.is_finished(), "a station failed: {:?}", task.await);
        task.abort();
    }
    let treatments: Vec<Treatment> = log.lock().unwrap().values().flatten().copied().collect();
    let tally: HashMap<&str, usize> =
        treatments
            .iter()
            .fold(HashMap::new(), |mut tally, treatment| {
                *tally.entry(treatment.status()).or_default() += 1;
                tally
            });
    println!(
        "{}",
        json!({ "chaos": "commands", "queued": count, "received": treatments.len(), "treated": tally })
    );
}

async fn queue(server: &Server, station_id: Uuid, number: usize) -> Uuid {
    let (action, payload) = payload(number);
    let new = NewCommand {
        station_id,
        site_id: None,
        action,
        payload: &payload.to_string(),
        raw: false,
        actor_kind: "cli",
        actor_id: None,
        expires_at: noon() + TimeDelta::hours(6),
        rerun_of: None,
        task_id: None,
    };
    let mut db = server.db.pool.acquire().await.unwrap();
    store::commands::queue(&mut db, &new, noon()).await.unwrap()
}

async fn command(portal: &Pool, id: Uuid) -> Command {
    let mut db = Scope::All.begin(portal).await.unwrap();
    store::commands::get(&mut db, id).await.unwrap().unwrap()
}

fn answer(number: usize) -> Value {
    json!({ "number": number })
}

struct Unruly {
    address: SocketAddr,
    request: Request<()>,
    ids: HashMap<usize, Uuid>,
    log: Log,
    portal: Pool,
    chance: StdRng,
}

impl Unruly {
    async fn obey_forever(mut self) {
        loop {
            let mut station = Station::connect(self.address, self.request.clone())
                .await
                .expect("let in");
            let mut ignored = None;
            loop {
                let call = station.receive_whenever().await;
                let number = number_in(&call);
                if let Some(ignored) = ignored.take() {
                    let before = command(&self.portal, self.ids[&ignored]).await;
                    assert_eq!(
                        before.status, "timeout",
                        "two under way: {ignored} and {number}"
                    );
                }
                let treatment = Treatment::pick(&mut self.chance);
                self.log
                    .lock()
                    .unwrap()
                    .entry(number)
                    .or_default()
                    .push(treatment);
                match treatment {
                    Treatment::Leave => break,
                    Treatment::Ignore => ignored = Some(number),
                    Treatment::Refuse => {
                        let refusal = format!(r#"[4,{},"InternalError","no",{{}}]"#, call[1]);
                        station.send(&refusal).await;
                    }
                    Treatment::Answer | Treatment::AnswerLate => {
                        if treatment == Treatment::AnswerLate {
                            let late = Duration::from_millis(self.chance.random_range(1..50));
                            let early =
                                tokio::time::timeout(late, station.receive_whenever()).await;
                            assert!(early.is_err(), "two under way: {number} and {early:?}");
                        }
                        station
                            .send(&format!("[3,{},{}]", call[1], answer(number)))
                            .await;
                    }
                }
            }
        }
    }
}
