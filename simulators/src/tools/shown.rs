//! What is known of a station from its events.

use std::collections::BTreeMap;

use evse_core::Event;
use serde_json::{Value, json};

use crate::{StationEvent, fault::Direction};

/// A station as a person wants to see it.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// Whether its socket is open.
    pub connected: bool,
    /// How its last BootNotification was answered.
    pub boot: Option<&'static str>,
    /// The status of each connector, 0 for the station.
    pub connectors: BTreeMap<u32, &'static str>,
    /// Running transactions by our number: connector, and the server's number once it is known.
    pub transactions: BTreeMap<u32, (u32, Option<i64>)>,
    /// Starts that the server acknowledged.
    pub starts: u64,
    /// Stops that it acknowledged.
    pub stops: u64,
    /// Frames sent and received.
    pub frames: (u64, u64),
    /// What went wrong last.
    pub problem: Option<String>,
}

impl Shown {
    /// Takes note of an event.
    pub fn hear(&mut self, event: &StationEvent) {
        match event {
            StationEvent::Connected => self.connected = true,
            StationEvent::Disconnected => self.connected = false,
            StationEvent::ConnectFailed(problem) => self.problem = Some(problem.to_string()),
            StationEvent::WorkFailed(problem) => self.problem = Some(problem.clone()),
            StationEvent::Frame(_, Direction::Out, _) => self.frames.0 += 1,
            StationEvent::Frame(_, Direction::In, _) => self.frames.1 += 1,
            StationEvent::Core(event) => self.hear_core(event),
            _ => {}
        }
    }

    fn hear_core(&mut self, event: &Event) {
        match event {
            Event::Boot { status, .. } => self.boot = Some(status.as_str()),
            Event::Status(connector, status) => {
                self.connectors.insert(*connector, status.as_str());
            }
            Event::Started { connector, local } => {
                self.transactions.insert(*local, (*connector, None));
            }
            Event::StartAcknowledged {
                local,
                transaction_id,
                ..
            } => {
                self.starts += 1;
                if let Some(known) = self.transactions.get_mut(local) {
                    known.1 = Some(*transaction_id);
                }
            }
            Event::Stopped { local, .. } => {
                self.transactions.remove(local);
            }
            Event::StopAcknowledged { .. } => self.stops += 1,
            Event::Refused {
                action,
                code,
                description,
            } => self.problem = Some(format!("{action} was answered {code}: {description}")),
            Event::Unanswered(action) => self.problem = Some(format!("{action} was not answered")),
            _ => {}
        }
    }

    /// The same as JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        let connectors: Vec<_> = self
            .connectors
            .iter()
            .map(|(connector, status)| json!({ "connector": connector, "status": status }))
            .collect();
        let transactions: Vec<_> = self
            .transactions
            .values()
            .map(|(connector, number)| json!({ "connector": connector, "transactionId": number }))
            .collect();
        json!({
            "connected": self.connected, "boot": self.boot, "connectors": connectors,
            "transactions": transactions, "starts": self.starts, "stops": self.stops,
            "framesSent": self.frames.0, "framesReceived": self.frames.1, "problem": self.problem,
        })
    }
}
