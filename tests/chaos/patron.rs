//! A charge point with the firmware's own core among the swarm: it spends three attempts on a refused message and then
//! sets it aside, as chargers in the field do. It must never come to that.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use serde_json::Value;
use simulators::fault::Direction;
use simulators::{Event, Options, Session, Speed, Station, StationEvent, Until, vehicle};
use store::proof::Fact;
use tokio::sync::watch;

/// Charges visit after visit until `over`; yields what the server acknowledged.
pub async fn charge(
    url: String,
    id: String,
    tag: String,
    mut over: watch::Receiver<bool>,
) -> Vec<Fact> {
    let mut station = Station::spawn(Options {
        speed: Speed::Max,
        connectors: 1,
        ..Options::new(&url, &id)
    })
    .expect("a station");
    let mut ledger = Ledger {
        station: id,
        asked: HashMap::new(),
        facts: Vec::new(),
    };
    let visit = || Session {
        connector: 1,
        vehicle: vehicle("leaf").expect("a known vehicle").clone(),
        soc: 50.0,
        id_tag: tag.clone(),
        until: Until::Minutes(3.0),
        linger_minutes: 1.0,
    };
    station.session(visit());
    let mut charging = true;
    // To the end of the visit: the next load's charge point must find its connector free.
    while charging || !ledger.is_even() || !*over.borrow_and_update() {
        if !charging && ledger.is_even() {
            station.session(visit());
            charging = true;
        }
        match station.next_event().await.expect("a running station") {
            StationEvent::Frame(_, direction, text) => ledger.note(direction, &text),
            StationEvent::SessionOver { .. } => charging = false,
            StationEvent::Core(Event::GaveUp(action)) => {
                panic!("{}: a {action} was given up", ledger.station)
            }
            StationEvent::Core(Event::Refused {
                action,
                code,
                description,
            }) => panic!(
                "{}: {action} was refused: {code} {description}",
                ledger.station
            ),
            _ => {}
        }
    }
    station.shutdown().await;
    ledger.facts
}

/// What was asked, and what was answered.
struct Ledger {
    station: String,
    asked: HashMap<String, (String, Value)>,
    facts: Vec<Fact>,
}

impl Ledger {
    /// Every start that was acknowledged has its stop.
    fn is_even(&self) -> bool {
        let starts = self
            .facts
            .iter()
            .filter(|fact| matches!(fact, Fact::Start { .. }));
        2 * starts.count() == self.facts.len()
    }

    fn note(&mut self, direction: Direction, text: &str) {
        let Ok(frame) = serde_json::from_str::<Value>(text) else {
            panic!("{}: no frame: {text}", self.station)
        };
        let id = frame[1].as_str().unwrap_or_default().to_owned();
        match (direction, frame[0].as_i64()) {
            (Direction::Out, Some(2)) => {
                let action = frame[2].as_str().unwrap_or_default().to_owned();
                self.asked.insert(id, (action, frame[3].clone()));
            }
            (Direction::In, Some(3)) => {
                if let Some((action, asked)) = self.asked.remove(&id) {
                    self.facts.extend(self.fact(&action, &asked, &frame[2]));
                }
            }
            _ => {}
        }
    }

    fn fact(&self, action: &str, asked: &Value, answer: &Value) -> Option<Fact> {
        let at = || -> DateTime<Utc> {
            let text = asked["timestamp"].as_str().expect("a time");
            text.parse().expect("RFC 3339")
        };
        match action {
            "StartTransaction" => Some(Fact::Start {
                station: self.station.clone(),
                connector: asked["connectorId"].as_i64()?.try_into().ok()?,
                id_token: asked["idTag"].as_str()?.to_owned(),
                at: at(),
                meter_wh: asked["meterStart"].as_i64()?,
                number: answer["transactionId"].as_i64()?,
            }),
            "StopTransaction" => Some(Fact::Stop {
                station: self.station.clone(),
                number: asked["transactionId"].as_i64()?,
                at: at(),
                meter_wh: asked["meterStop"].as_i64()?,
            }),
            _ => None,
        }
    }
}
