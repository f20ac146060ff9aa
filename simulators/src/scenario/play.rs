//! Plays a scenario against a server: set-up through the API, step after step, and then what must be true of it all.

mod api;
mod asserting;
mod scripted;
mod simulated;

use std::{
    collections::{BTreeMap, VecDeque},
    fmt,
    time::Duration,
};

use chrono::{DateTime, Utc};
use rand::RngExt;
use serde_json::{Value, json};

use super::{
    client::Api,
    door,
    file::{Car, Length, STATION, Scenario, Token},
    matching,
    step::{Act, Link},
    values::{self, Values},
    wire::{Frame, Shared, Wire},
};
use crate::Station;

/// How long a step may take if it does not say so.
const PATIENCE: Duration = Duration::from_secs(10);
/// The connection that is meant if none is named.
const MAIN: &str = "main";

/// Where scenarios are played.
#[derive(Clone, Debug)]
pub struct Place {
    /// The server's OCPP address, e.g. `ws://127.0.0.1:9000/ocpp`.
    pub url: String,
    /// The server's API, e.g. `http://127.0.0.1:8080`.
    pub api: String,
    /// A key with the scopes read and control.
    pub key: String,
    /// No step waits longer, whatever it says.
    pub patience: Option<Duration>,
    /// Values that only who plays them knows: certificates, say.
    pub given: BTreeMap<String, String>,
}

/// What kind of failure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The server did something else than it must.
    Assertion,
    /// So it did at the door: it did not let a station in that it must let in, or there was no handshake with it.
    Door,
    /// It could not be tried: nobody is there, or what it needs could not be made.
    SetUp,
    /// The file asks for what cannot be.
    BadFile,
}

/// Why a scenario did not pass.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What kind.
    pub kind: Kind,
    /// The line of the step or assertion.
    pub line: Option<usize>,
    /// What happened, and what was expected.
    pub message: String,
    /// What went over the wire, one frame a line.
    pub wire: Vec<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}: ")?;
        }
        f.write_str(&self.message)?;
        for line in &self.wire {
            write!(f, "\n    {line}")?;
        }
        Ok(())
    }
}

/// A failure on its way to its line.
struct Trouble {
    kind: Kind,
    message: String,
}

type Done<T = ()> = Result<T, Trouble>;

fn wrong(message: impl Into<String>) -> Trouble {
    Trouble {
        kind: Kind::Assertion,
        message: message.into(),
    }
}

fn at_the_door(message: impl Into<String>) -> Trouble {
    Trouble {
        kind: Kind::Door,
        message: message.into(),
    }
}

fn set_up(message: impl Into<String>) -> Trouble {
    Trouble {
        kind: Kind::SetUp,
        message: message.into(),
    }
}

fn bad_file(message: impl Into<String>) -> Trouble {
    Trouble {
        kind: Kind::BadFile,
        message: message.into(),
    }
}

/// Plays it from begin to end.
///
/// # Errors
/// The first thing that was not as it must be.
pub async fn play(scenario: &Scenario, place: &Place) -> Result<(), Failure> {
    let mut play = Play {
        place,
        api: Api::new(&place.api, &place.key),
        values: Values::default(),
        shared: Shared::default(),
        wires: BTreeMap::new(),
        waiting: BTreeMap::new(),
        station: None,
        vehicles: BTreeMap::new(),
        read_to: 0,
        links: VecDeque::new(),
    };
    let failed = |play: &Play<'_>, line, trouble: Trouble| Failure {
        kind: trouble.kind,
        line,
        message: trouble.message,
        wire: play.shared.log().iter().map(ToString::to_string).collect(),
    };
    let ready = play.prepare(scenario).await;
    if let Err(trouble) = ready.and_then(|()| play.switch_on(scenario)) {
        return Err(failed(&play, None, trouble));
    }
    for step in &scenario.steps {
        if let Err(trouble) = play.step(&step.of.act).await {
            return Err(failed(&play, Some(step.line), trouble));
        }
    }
    if let Err(trouble) = play.nothing_is_left() {
        return Err(failed(&play, None, trouble));
    }
    for assertion in &scenario.assert {
        if let Err(trouble) = play.holds(&assertion.of) {
            return Err(failed(&play, Some(assertion.line), trouble));
        }
    }
    Ok(())
}

/// A scenario being played.
struct Play<'p> {
    place: &'p Place,
    api: Api,
    values: Values,
    shared: Shared,
    wires: BTreeMap<String, Wire>,
    /// CALLs of the server that came while something else was waited for.
    waiting: BTreeMap<String, VecDeque<Frame>>,
    /// The simulated one, if there is one.
    station: Option<Station>,
    vehicles: BTreeMap<String, Car>,
    /// How far its log was searched for what must pass.
    read_to: usize,
    /// Its connections made and ended that nobody waited for.
    links: VecDeque<Link>,
}

impl Play<'_> {
    fn limit(&self, of: Option<Length>) -> Duration {
        let limit = of.map_or(PATIENCE, |length| length.0);
        self.place.patience.map_or(limit, |most| limit.min(most))
    }

    fn now(&self) -> DateTime<Utc> {
        let now = crate::clock::utc_now().0;
        DateTime::from_timestamp_millis(now).expect("it is no year beyond 262,000")
    }

    fn fill(&self, value: &Value) -> Done<Value> {
        self.values.fill(value, self.now()).map_err(bad_file)
    }

    fn fill_text(&self, text: &str) -> Done<String> {
        self.values.fill_string(text, self.now()).map_err(bad_file)
    }

    /// Compares, with the values of this run.
    fn compare(&self, what: &str, expected: &Value, actual: &Value) -> Done {
        let expected = self.fill(expected)?;
        let found = matching::mismatches(&expected, actual, self.now());
        if found.is_empty() {
            Ok(())
        } else {
            Err(wrong(format!("{what}: {}", found.join("; "))))
        }
    }

    fn save(&mut self, save: &BTreeMap<String, String>, from: &Value) -> Done {
        for (name, path) in save {
            let value = values::at_path(from, path).map_err(wrong)?.clone();
            self.values.set(name, value);
        }
        Ok(())
    }

    /// Names of this run alone, and what must exist under them.
    async fn prepare(&mut self, scenario: &Scenario) -> Done {
        let run: u32 = rand::rng().random();
        let run = format!("{run:08X}");
        self.values.set("run", json!(run));
        for name in &scenario.needs {
            let value = self.place.given.get(name).ok_or_else(|| {
                set_up(format!(
                    "nobody said what `${{{name}}}` is: expected --var {name}=VALUE"
                ))
            })?;
            self.values.set(name, json!(value));
        }
        let setup = &scenario.setup;
        // OCPP 1.6 leaves a token twenty characters.
        let short = |name: &str| name.to_uppercase().chars().take(11).collect::<String>();
        for name in setup.tokens.keys() {
            self.values
                .set(name, json!(format!("{run}-{}", short(name))));
        }
        for name in setup.stations.keys() {
            let identity = if name == STATION {
                format!("S-{run}")
            } else {
                format!("S-{run}-{name}")
            };
            self.values.set(name, json!(identity));
        }
        let mut vars = Values::default();
        std::mem::swap(&mut vars, &mut self.values);
        for (name, value) in &scenario.vars {
            let value = vars.fill(value, self.now()).map_err(bad_file)?;
            vars.set(name, value);
        }
        self.values = vars;
        for (name, body) in &setup.stations {
            let path = format!("/api/v1/stations/{}", self.values.text(name));
            let body = self.fill(&Value::Object(body.clone()))?;
            self.put(&path, body).await?;
        }
        // A parent must be there before its child.
        let mut tokens: Vec<_> = setup.tokens.iter().collect();
        tokens.sort_by_key(
            |(_, token)| matches!(token, Token::Body(body) if body.contains_key("parent")),
        );
        for (name, token) in tokens {
            let body = match token {
                Token::Status(status) if status == "none" => continue,
                Token::Status(status) => json!({ "status": status }),
                Token::Body(body) => self.fill(&Value::Object(body.clone()))?,
            };
            let path = format!("/api/v1/id-tokens/{}", self.values.text(name));
            self.put(&path, body).await?;
        }
        Ok(())
    }

    async fn step(&mut self, act: &Act) -> Done {
        match act {
            Act::Connect(step) => self.connect(step).await,
            Act::Disconnect(step) => self.disconnect(step).await,
            Act::Closed(step) => self.closed(step).await,
            Act::Boot(step) => self.boot(step).await,
            Act::Status(step) => self.status(step).await,
            Act::Authorize(step) => self.authorize(step).await,
            Act::Start(step) => self.start(step).await,
            Act::Stop(step) => self.stop(step).await,
            Act::Call(step) => self.call(step).await,
            Act::Raw(step) => self.raw(step).await,
            Act::ExpectCall(step) if self.station.is_some() => self.hears_call(step).await,
            Act::ExpectCall(step) => self.expect_call(step).await,
            Act::Override(step) => self.answer_by(step),
            Act::Command(step) => self.command(step).await,
            Act::Api(step) => self.request(&step.api).await,
            Act::WaitBoot(step) => self.wait_boot(step).await,
            Act::Plug(step) => self.plug(step),
            Act::Unplug(step) => self.unplug(step),
            Act::Swipe(step) => self.swipe(step),
            Act::Advance(step) => self.advance(step).await,
            Act::Network(step) => self.network(step).await,
            Act::WaitLink(step) => self.wait_link(step).await,
            Act::PowerCut(step) => self.power_cut(step),
            Act::ExpectSent(step) => self.expect_sent(step).await,
            Act::Csr(step) => {
                let (cn, o) = (self.fill_text(&step.csr.cn)?, self.fill_text(&step.csr.o)?);
                let (key, csr) = door::signing_request(&cn, &o).map_err(bad_file)?;
                self.values.set("key", json!(key));
                self.values.set("csr", json!(csr));
                Ok(())
            }
            Act::Set(step) => {
                for (name, value) in &step.set {
                    let value = self.fill(value)?;
                    self.values.set(name, value);
                }
                Ok(())
            }
        }
    }
}
