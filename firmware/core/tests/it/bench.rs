//! A charge point and a server joined in memory. Time moves from one wake-up to the next.

use evse_core::{
    ChargePoint, Done, Event, Input, Journal, Millis, Offer, Output, Outputs, Reading, RebootKind,
    Settings, Utc, Work,
    ocpp::{Frame, frame, security::CertificateHash},
};
use serde_json::{Value, json};

use crate::differential;

/// What the server's clock shows when the bench's clock shows 0.
pub const EPOCH: i64 = 1_763_646_500_000;

/// How the server treats CALLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Answers,
    /// Takes everything, says nothing.
    Silent,
    /// Does what it is asked, but its answers are lost.
    AnswersAreLost,
    /// CALLERROR for transaction messages.
    Refuses,
}

/// How the host does its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    Able,
    /// Nothing works.
    Unable,
    /// Everything takes for ever.
    Busy,
}

/// One CALL that the server received.
#[derive(Clone, Debug)]
pub struct Received {
    pub at: u64,
    pub id: String,
    pub action: String,
    pub payload: Value,
}

pub struct Bench {
    pub cp: ChargePoint,
    pub now: u64,
    pub mode: Mode,
    pub network: bool,
    pub registration: (&'static str, i64),
    pub tag_status: &'static str,
    pub received: Vec<Received>,
    pub answers: Vec<(String, Value)>,
    pub events: Vec<Event>,
    pub connects: Vec<u64>,
    /// When the charge point pinged.
    pub pings: Vec<u64>,
    pub rebooted: Option<RebootKind>,
    /// Work that was given out, in order; it is done as `host` says.
    pub works: Vec<Work>,
    pub host: Host,
    pub called_off: Vec<u32>,
    pub passwords: Vec<Vec<u8>>,
    pub security_profiles: Vec<u8>,
    /// What the charge point offered to vehicles, in order.
    pub offers: Vec<(u32, Offer)>,
    /// Answers by action that stand instead of the bench's own.
    pub scripted: Vec<(String, String)>,
    settings: Settings,
    journal: Journal,
    linked: bool,
    unanswered: usize,
    next_wakeup: Option<Millis>,
    transactions: Vec<Value>,
    calls: Vec<(String, String)>,
}

impl Bench {
    pub fn new() -> Self {
        Self::with(Settings {
            connectors: 2,
            seed: 5,
            ..Settings::default()
        })
    }

    pub fn with(settings: Settings) -> Self {
        Self {
            cp: ChargePoint::new(settings.clone(), Journal::default(), Millis(0)),
            now: 0,
            mode: Mode::Answers,
            network: true,
            registration: ("Accepted", 300),
            tag_status: "Accepted",
            received: Vec::new(),
            answers: Vec::new(),
            events: Vec::new(),
            connects: Vec::new(),
            pings: Vec::new(),
            rebooted: None,
            works: Vec::new(),
            host: Host::Able,
            called_off: Vec::new(),
            passwords: Vec::new(),
            security_profiles: Vec::new(),
            offers: Vec::new(),
            scripted: Vec::new(),
            settings,
            journal: Journal::default(),
            linked: false,
            unanswered: 0,
            next_wakeup: Some(Millis(0)),
            transactions: Vec::new(),
            calls: Vec::new(),
        }
    }

    /// A station that has booted and told its statuses.
    pub fn booted() -> Self {
        let mut bench = Self::new();
        bench.advance(10);
        assert_eq!(
            bench.actions(),
            [
                "BootNotification",
                "StatusNotification",
                "StatusNotification",
                "StatusNotification"
            ]
        );
        bench.received.clear();
        bench
    }

    /// One that charges on connector 1 with transaction id 1001.
    pub fn charging() -> Self {
        let mut bench = Self::booted();
        bench.meter(1, 50_000);
        bench.give(Input::Plug(1));
        bench.swipe(1, "A1");
        bench.received.clear();
        bench
    }

    pub fn give(&mut self, input: Input<'_>) {
        let mut out = Outputs::default();
        self.cp.poll(Millis(self.now), input, &mut out);
        if out.next_wakeup.is_some() || !out.todo.is_empty() {
            self.next_wakeup = out.next_wakeup;
        }
        // A link takes time: what else the poll said is done before the link's news comes in.
        out.todo.sort_by_key(|output| *output == Output::Connect);
        for output in out.todo {
            self.perform(output);
        }
    }

    pub fn swipe(&mut self, connector: u32, id_tag: &str) {
        self.give(Input::Swipe { connector, id_tag });
    }

    pub fn meter(&mut self, connector: u32, energy_wh: u64) {
        let reading = Reading {
            energy_wh,
            power_w: 7_360,
            current_da: 320,
            voltage_dv: 2_300,
            soc_percent: Some(40),
            offered_w: 11_000,
            ..Reading::default()
        };
        self.give(Input::Meter(connector, reading));
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Connect => {
                self.connects.push(self.now);
                self.linked = self.network;
                self.unanswered = 0;
                self.give(if self.network {
                    Input::LinkUp
                } else {
                    Input::LinkDown
                });
            }
            Output::Disconnect => self.break_link(),
            Output::Send(text) => self.serve(&text),
            Output::Ping => {
                self.pings.push(self.now);
                if self.mode != Mode::Silent {
                    self.give(Input::Pong);
                }
            }
            Output::Persist => {
                self.journal = self.cp.journal(Millis(self.now));
            }
            Output::Reboot(kind) => {
                self.rebooted = Some(kind);
                self.power_cut();
            }
            Output::Relay(..) => {}
            Output::Offer(connector, offer) => self.offers.push((connector, offer)),
            Output::Work(number, work) => self.work(number, work),
            Output::CallOff(number) => self.called_off.push(number),
            Output::Password(password) => self.passwords.push(password),
            Output::SecurityProfile(profile) => self.security_profiles.push(profile),
            Output::Event(event) => {
                if matches!(event, Event::Unanswered(_)) {
                    // Timed out: the next CALL may go.
                    self.unanswered = 0;
                }
                self.events.push(event);
            }
        }
    }

    fn work(&mut self, number: u32, work: Work) {
        self.works.push(work.clone());
        let done = match (self.host, &work) {
            (Host::Busy, _) => return,
            (Host::Unable, Work::DeleteCertificate(_)) => Done::Failed,
            (Host::Unable, _) => Done::No,
            (Host::Able, Work::InstallFirmware) => Done::Text("2.0.0"),
            (Host::Able, Work::MakeRequest { .. }) => {
                Done::Text("-----BEGIN CERTIFICATE REQUEST-----")
            }
            (Host::Able, Work::ListCertificates(_)) => Done::Certificates(vec![hash()]),
            (Host::Able, _) => Done::Yes,
        };
        self.give(Input::Done(number, done));
    }

    /// The link breaks; the core hears of it.
    pub fn break_link(&mut self) {
        if std::mem::take(&mut self.linked) {
            self.give(Input::LinkDown);
        }
    }

    /// Off and on: only the journal survives.
    pub fn power_cut(&mut self) {
        self.linked = false;
        self.cp = ChargePoint::new(
            self.settings.clone(),
            self.journal.clone(),
            Millis(self.now),
        );
        self.next_wakeup = Some(Millis(self.now));
        self.give(Input::Tick);
    }

    fn serve(&mut self, text: &str) {
        assert!(self.linked, "sent without a link: {text}");
        differential::both_read_alike(text, self.calls.last().map(|(_, action)| action.as_str()));
        match Frame::parse(text).expect("the core sends frames") {
            Frame::Call {
                id,
                action,
                payload,
            } => {
                assert_eq!(self.unanswered, 0, "two CALLs at once: {text}");
                assert!(id.len() <= 36);
                let payload: Value = serde_json::from_str(payload).expect("JSON");
                let (id, action) = (id.into_owned(), action.into_owned());
                self.received.push(Received {
                    at: self.now,
                    id: id.clone(),
                    action: action.clone(),
                    payload: payload.clone(),
                });
                let done = self.answer(&id, &action, &payload);
                match self.mode {
                    Mode::Silent => self.unanswered = 1,
                    Mode::AnswersAreLost => self.unanswered = 1,
                    _ => self.give(Input::Text(&done)),
                }
            }
            Frame::Result { id, payload } => {
                self.answers.push((
                    id.into_owned(),
                    serde_json::from_str(payload).expect("JSON"),
                ));
            }
            Frame::Error { id, code, .. } => self.answers.push((id.into_owned(), json!(code))),
        }
    }

    fn answer(&mut self, id: &str, action: &str, payload: &Value) -> String {
        let time = Utc(EPOCH + self.now.cast_signed()).to_string();
        let transactional = matches!(
            action,
            "StartTransaction" | "StopTransaction" | "MeterValues"
        );
        if self.mode == Mode::Refuses && transactional {
            return frame::error(id, "InternalError", "the database is away");
        }
        if let Some((_, payload)) = self.scripted.iter().find(|(of, _)| of == action) {
            return frame::result(id, payload);
        }
        let tag = json!({ "status": self.tag_status });
        let answer = match action {
            "BootNotification" => {
                json!({ "status": self.registration.0, "interval": self.registration.1, "currentTime": time })
            }
            "Heartbeat" => json!({ "currentTime": time }),
            "Authorize" => json!({ "idTagInfo": tag }),
            "StartTransaction" => {
                // The natural key makes a repetition the same transaction; a silent server does nothing.
                let known = self.transactions.iter().position(|t| t == payload);
                let index = known.unwrap_or(self.transactions.len());
                if known.is_none() && self.mode != Mode::Silent {
                    self.transactions.push(payload.clone());
                }
                json!({ "transactionId": 1001 + index, "idTagInfo": tag })
            }
            "StopTransaction" => json!({ "idTagInfo": tag }),
            _ => json!({}),
        };
        frame::result(id, &answer.to_string())
    }

    /// The server calls and does not wait.
    pub fn send(&mut self, action: &str, payload: Value) {
        let id = format!("s{}", self.calls.len() + 1);
        self.calls.push((id.clone(), action.to_owned()));
        self.give(Input::Text(&frame::call(&id, action, &payload.to_string())));
    }

    /// The server calls; yields the answer's payload, or the error's code.
    pub fn call(&mut self, action: &str, payload: Value) -> Value {
        self.send(action, payload);
        let id = format!("s{}", self.calls.len());
        let answer = self.answers.iter().find(|(of, _)| *of == id);
        answer
            .map(|(_, payload)| payload.clone())
            .expect("every call is answered at once")
    }

    /// Lets time pass, stopping at every wake-up.
    pub fn advance(&mut self, ms: u64) {
        let end = self.now + ms;
        for _ in 0..200_000 {
            match self.next_wakeup {
                Some(Millis(at)) if at <= end => {
                    self.now = self.now.max(at);
                    self.give(Input::Tick);
                }
                _ => {
                    self.now = end;
                    self.give(Input::Tick);
                    return;
                }
            }
        }
        panic!("the core wakes up without end");
    }

    /// The link is new: what was on the way is gone.
    pub fn restore(&mut self, mode: Mode) {
        self.mode = mode;
        self.break_link();
        self.network = true;
    }

    pub fn actions(&self) -> Vec<&str> {
        self.received.iter().map(|r| r.action.as_str()).collect()
    }

    pub fn of(&self, action: &str) -> Vec<&Received> {
        self.received
            .iter()
            .filter(|r| r.action == action)
            .collect()
    }
}

/// The name of a certificate.
pub fn hash() -> CertificateHash {
    CertificateHash {
        hash_algorithm: "SHA256".to_owned(),
        issuer_name_hash: "ab".repeat(32),
        issuer_key_hash: "cd".repeat(32),
        serial_number: "01".to_owned(),
    }
}

pub const fn seconds(count: u64) -> u64 {
    count * 1_000
}
