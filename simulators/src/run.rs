//! `evsim run`: one station that boots and charges, told as a log.

use std::time::Duration;

use evse_core::{Event, Utc, ocpp::msg16::TagStatus};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::{
    fault::Direction,
    physics::{VEHICLES, Vehicle},
    socket::ConnectError,
    station::{Options, Session, Station, StationEvent, Until},
    trace::Tracer,
};

/// What `evsim run` does beside being a station.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which vehicle comes; `None`: a different one each time.
    pub vehicle: Option<&'static Vehicle>,
    /// The tag it comes with.
    pub id_tag: String,
    /// Stop after so many sessions; `None`: go on until interrupted.
    pub sessions: Option<u64>,
    /// How the log is written.
    pub log: Log,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Log {
    /// One JSON object a line: frames in the trace's field names, and events.
    Json,
    /// For people.
    Pretty,
}

/// How a run ended; the exit code follows from it.
#[derive(Debug)]
pub enum Outcome {
    /// All sessions were charged and acknowledged, or the user interrupted.
    Done,
    /// Something did not go as it must; what.
    Failed(String),
    /// The station never got in.
    NotConnected(ConnectError),
}

/// How long the server may take to acknowledge what is queued after the last session.
const SETTLE: Duration = Duration::from_secs(60);

/// Runs a station to the end of its plan.
pub async fn run(options: Options, plan: Plan) -> anyhow::Result<Outcome> {
    let mut runner = Runner {
        rng: StdRng::seed_from_u64(options.seed),
        connectors: options.connectors,
        log: Logger::new(plan.log),
        plan,
        begun: 0,
        over: 0,
        refused: 0,
        unacknowledged: 0,
        energy_wh: 0,
        connected: false,
    };
    let mut station = Station::spawn(options)?;
    let outcome = tokio::select! {
        outcome = runner.watch(&mut station) => outcome,
        signal = tokio::signal::ctrl_c() => {
            signal?;
            Outcome::Done
        }
    };
    station.shutdown().await;
    if !matches!(outcome, Outcome::NotConnected(_)) {
        let totals = format!("{} sessions, {} Wh", runner.over, runner.energy_wh);
        println!("{}", runner.log.line(&totals, "summary"));
    }
    Ok(outcome)
}

struct Runner {
    plan: Plan,
    rng: StdRng,
    log: Logger,
    connectors: u32,
    begun: u64,
    over: u64,
    refused: u64,
    unacknowledged: u64,
    energy_wh: u64,
    connected: bool,
}

impl Runner {
    async fn watch(&mut self, station: &mut Station) -> Outcome {
        loop {
            let all_over = self.plan.sessions.is_some_and(|count| self.over >= count);
            if all_over && self.unacknowledged == 0 {
                return match self.refused {
                    0 => Outcome::Done,
                    count => {
                        Outcome::Failed(format!("{count} of {} sessions were refused", self.over))
                    }
                };
            }
            let limit = if all_over { SETTLE } else { Duration::MAX };
            let Ok(event) = tokio::time::timeout(limit, station.next_event()).await else {
                return Outcome::Failed(format!(
                    "{} transaction messages were not acknowledged",
                    self.unacknowledged
                ));
            };
            let Some(event) = event else {
                return Outcome::Failed("the station stopped by itself".to_owned());
            };
            if let Some(line) = self.log.event(&event) {
                println!("{line}");
            }
            let never_in = !self.connected;
            match event {
                StationEvent::ConnectFailed(problem) if never_in => {
                    return Outcome::NotConnected(problem);
                }
                event => {
                    if let Some(outcome) = self.follow(station, event) {
                        return outcome;
                    }
                }
            }
        }
    }

    fn follow(&mut self, station: &Station, event: StationEvent) -> Option<Outcome> {
        match event {
            StationEvent::Connected => self.connected = true,
            StationEvent::SessionOver {
                connector,
                energy_wh,
            } => {
                self.over += 1;
                match energy_wh {
                    Some(energy_wh) => self.energy_wh += energy_wh,
                    None => self.refused += 1,
                }
                self.next_session(station, connector);
            }
            StationEvent::TraceFailed(problem) => {
                return Some(Outcome::Failed(format!(
                    "the trace cannot be written: {problem}"
                )));
            }
            StationEvent::Core(Event::Boot { status, .. }) => {
                use evse_core::ocpp::msg16::Registration::Accepted;
                if status == Accepted && self.begun == 0 {
                    for connector in 1..=self.connectors {
                        self.next_session(station, connector);
                    }
                }
            }
            StationEvent::Core(Event::Started { .. }) => self.unacknowledged += 2,
            StationEvent::Core(
                Event::StartAcknowledged { .. }
                | Event::StopAcknowledged { .. }
                | Event::GaveUp("StartTransaction" | "StopTransaction"),
            ) => self.unacknowledged = self.unacknowledged.saturating_sub(1),
            _ => {}
        }
        None
    }

    fn next_session(&mut self, station: &Station, connector: u32) {
        if self.plan.sessions.is_some_and(|count| self.begun >= count) {
            return;
        }
        self.begun += 1;
        let vehicle = self
            .plan
            .vehicle
            .unwrap_or_else(|| &VEHICLES[self.rng.random_range(0..VEHICLES.len())]);
        let soc = self.rng.random_range(12.0..45.0);
        station.session(Session {
            connector,
            vehicle: vehicle.clone(),
            soc,
            id_tag: self.plan.id_tag.clone(),
            until: Until::Soc(self.rng.random_range(70.0..96.0)),
            linger_minutes: self.rng.random_range(1.0..12.0),
        });
    }
}

/// Tells events as lines.
pub(crate) struct Logger {
    mode: Log,
    tracer: Tracer,
}

impl Logger {
    pub(crate) fn new(mode: Log) -> Self {
        Self {
            mode,
            tracer: Tracer::default(),
        }
    }

    fn line(&self, text: &str, kind: &str) -> String {
        match self.mode {
            Log::Json => json!({ "event": kind, "text": text }).to_string(),
            Log::Pretty => text.to_owned(),
        }
    }

    /// The line of an event, where there is anything to say of it.
    pub(crate) fn event(&mut self, event: &StationEvent) -> Option<String> {
        if let StationEvent::Frame(at, direction, text) = event {
            return Some(match self.mode {
                Log::Json => self.tracer.line(*at, *direction, text),
                Log::Pretty => format!("{} {} {text}", clock_of(*at), arrow(*direction)),
            });
        }
        let (text, kind) = told(event)?;
        Some(self.line(&text, kind))
    }
}

/// What to say of an event that is no frame, and its kind.
fn told(event: &StationEvent) -> Option<(String, &'static str)> {
    Some(match event {
        StationEvent::Connected => ("connected".to_owned(), "connected"),
        StationEvent::Disconnected => (
            "disconnected; the station reconnects by itself".to_owned(),
            "disconnected",
        ),
        StationEvent::ConnectFailed(problem) => (problem.to_string(), "connect_failed"),
        StationEvent::Rebooted => ("rebooted".to_owned(), "rebooted"),
        StationEvent::WorkFailed(problem) => (problem.clone(), "work_failed"),
        StationEvent::Password => ("the server set another password".to_owned(), "password"),
        StationEvent::Certificate { .. } => (
            "the server signed the station's certificate".to_owned(),
            "certificate",
        ),
        StationEvent::SecurityProfile(profile) => {
            (format!("security profile {profile}"), "security_profile")
        }
        StationEvent::TraceFailed(problem) => (problem.to_string(), "trace_failed"),
        StationEvent::SessionOver {
            connector,
            energy_wh: Some(energy),
        } => (
            format!("connector {connector}: the vehicle leaves with {energy} Wh"),
            "session_over",
        ),
        StationEvent::SessionOver {
            connector,
            energy_wh: None,
        } => (
            format!("connector {connector}: the vehicle leaves, refused"),
            "session_refused",
        ),
        StationEvent::Core(event) => return told_of_core(event),
        StationEvent::Frame(..) | StationEvent::Advanced => return None,
    })
}

/// The frames tell the most already.
fn told_of_core(event: &Event) -> Option<(String, &'static str)> {
    Some(match event {
        Event::Authorized { id_tag, status, .. } if *status != TagStatus::Accepted => {
            (format!("tag {id_tag} is {}", status.as_str()), "refused")
        }
        Event::Refused {
            action,
            code,
            description,
        } => (
            format!("{action} was answered {code}: {description}"),
            "call_error",
        ),
        Event::Unanswered(action) => (format!("{action} was not answered"), "unanswered"),
        Event::GaveUp(action) => (format!("{action} was given up"), "gave_up"),
        Event::Unexpected(text) => (format!("unexpected: {text}"), "unexpected"),
        _ => return None,
    })
}

fn clock_of(at: Utc) -> String {
    at.to_string().chars().skip(11).take(12).collect()
}

fn arrow(direction: Direction) -> &'static str {
    match direction {
        Direction::Out => "→",
        Direction::In => "←",
    }
}
