//! A scenario file as it is written. Unknown keys are errors, and each names its line and what was expected there.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::{Map, Value};
use toml::Spanned;

use super::{check, step::Step};
use crate::{
    fault::{Fault, duration},
    physics::{Supply, Vehicle},
    quirks,
};

/// The version of the format that this program reads.
const FORMAT: u32 = 1;

/// A file as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Forecourt scenario")]
struct Written {
    /// The version of this format.
    #[schemars(range(min = 1, max = 1))]
    schema: u32,
    /// What happens, in a few words.
    name: String,
    /// The rule or case that it shows, by its number.
    #[serde(rename = "ref")]
    reference: Option<String>,
    /// Words to choose scenarios by.
    #[serde(default)]
    tags: Vec<String>,
    /// Values that stay the same for the whole run, for `${name}`.
    #[serde(default)]
    vars: BTreeMap<String, Value>,
    /// Names that whoever plays it must give a value (`--var`).
    #[serde(default)]
    needs: Vec<String>,
    /// What must exist before the first step; made through the API.
    #[serde(default)]
    setup: Setup,
    /// A simulated station, on the firmware's own core; otherwise stations are scripted, frame by frame.
    station: Option<SimulatedStation>,
    /// Vehicles by name.
    #[serde(default)]
    vehicle: BTreeMap<String, Car>,
    /// What happens, in this order.
    #[schemars(with = "Vec<Step>")]
    steps: Vec<Spanned<Map<String, Value>>>,
    /// What must be true of everything that went over the wire.
    #[serde(default)]
    #[schemars(with = "Vec<Assertion>")]
    assert: Vec<Spanned<Map<String, Value>>>,
}

/// One case: what a station does and says, what the server is asked to do, and what must be seen of it.
#[derive(Debug)]
pub struct Scenario {
    /// What happens, in a few words.
    pub name: String,
    /// The rule or case that it shows, by its number.
    pub reference: Option<String>,
    /// Words to choose scenarios by.
    pub tags: Vec<String>,
    /// Values that stay the same for the whole run.
    pub vars: BTreeMap<String, Value>,
    /// Names that whoever plays it must give a value.
    pub needs: Vec<String>,
    /// What must exist before the first step.
    pub setup: Setup,
    /// A simulated station.
    pub station: Option<SimulatedStation>,
    /// Vehicles by name.
    pub vehicle: BTreeMap<String, Car>,
    /// What happens, in this order.
    pub steps: Vec<Placed<Step>>,
    /// What must be true of everything that went over the wire.
    pub assert: Vec<Placed<Assertion>>,
    path: PathBuf,
}

/// Something with its line in the file, from 1.
#[derive(Debug)]
pub struct Placed<T> {
    /// The line.
    pub line: usize,
    /// The thing.
    pub of: T,
}

/// What must exist before the first step. Each name becomes `${name}`: an identity or a token of this run alone.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Setup {
    /// Stations, with what is PUT to `/api/v1/stations/{identity}`; one of the name `station` if nothing is said.
    pub stations: BTreeMap<String, Map<String, Value>>,
    /// Id tokens, with their status or with what is PUT to `/api/v1/id-tokens/{token}`; `none` makes no token.
    pub tokens: BTreeMap<String, Token>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            stations: BTreeMap::from([(STATION.to_owned(), Map::new())]),
            tokens: BTreeMap::new(),
        }
    }
}

/// The name of the station that is meant when none is named.
pub(super) const STATION: &str = "station";

/// An id token that must exist, or of which a name is enough.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Token {
    /// Its status; `none`: nobody knows it.
    Status(String),
    /// The whole of it.
    Body(Map<String, Value>),
}

/// How a simulated station is made.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SimulatedStation {
    /// generic-ac-11kw, generic-ac-22kw, generic-dc-50kw or generic-dc-150kw.
    pub template: String,
    /// How many connectors.
    pub connectors: Option<u32>,
    /// All chance comes from it.
    #[serde(default)]
    pub seed: u64,
    /// Time between meter values.
    pub sample_interval: Option<Length>,
    /// Habits of real chargers, by name (`evsim quirks`).
    #[serde(default)]
    pub quirks: Vec<String>,
    /// Faults between station and socket, as `evsim run --fault` has them.
    #[serde(default)]
    pub faults: Vec<String>,
}

impl SimulatedStation {
    /// What each connector gives, and how many there are.
    pub(super) fn hardware(&self) -> Result<(Supply, u32), String> {
        let (supply, connectors) = match &*self.template {
            "generic-ac-11kw" => (Supply::Ac { max_kw: 11.0 }, 1),
            "generic-ac-22kw" => (Supply::Ac { max_kw: 22.0 }, 2),
            "generic-dc-50kw" => (Supply::Dc { max_kw: 50.0 }, 1),
            "generic-dc-150kw" => (Supply::Dc { max_kw: 150.0 }, 2),
            name => {
                return Err(format!(
                    "template = {name:?}: expected generic-ac-11kw, generic-ac-22kw, generic-dc-50kw or generic-dc-150kw"
                ));
            }
        };
        match self.connectors.unwrap_or(connectors) {
            0 => Err("connectors = 0: expected 1 or more".to_owned()),
            connectors => Ok((supply, connectors)),
        }
    }

    pub(super) fn faults(&self) -> Result<Vec<Fault>, String> {
        self.faults.iter().map(|fault| fault.parse()).collect()
    }

    pub(super) fn quirks(&self) -> Result<Vec<quirks::Name>, String> {
        self.quirks.iter().map(|quirk| quirk.parse()).collect()
    }
}

/// A vehicle. What is left out is that of the vehicle of this name, or of a small car.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Car {
    /// Usable battery.
    pub battery_kwh: Option<f64>,
    /// How full it comes, percent.
    pub soc: Option<f64>,
    /// Most it takes.
    pub max_kw: Option<f64>,
    /// The share of the most that it takes at a state of charge, `[percent, share]`, rising in percent, with straight lines
    /// between: `[[0, 1.0], [80, 1.0], [100, 0.05]]`.
    pub curve: Option<Vec<Point>>,
}

/// A point of a charging curve: a state of charge in percent, and a share.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<f64>")]
#[schemars(with = "(f64, f64)")]
pub struct Point(pub f64, pub f64);

impl TryFrom<Vec<f64>> for Point {
    type Error = String;

    fn try_from(written: Vec<f64>) -> Result<Self, String> {
        match written[..] {
            [percent, share] => Ok(Self(percent, share)),
            _ => Err(format!("{written:?}: expected [percent, share]")),
        }
    }
}

impl Car {
    /// The vehicle with what is said of it here.
    pub(super) fn of(&self, base: &Vehicle) -> Vehicle {
        let mut vehicle = base.clone();
        vehicle.battery_kwh = self.battery_kwh.unwrap_or(vehicle.battery_kwh);
        if let Some(max_kw) = self.max_kw {
            (vehicle.max_ac_kw, vehicle.max_dc_kw) = (max_kw, max_kw);
        }
        if let Some(curve) = &self.curve {
            vehicle.curve = curve.iter().map(|point| (point.0, point.1)).collect();
        }
        vehicle
    }
}

/// Something that must be true at the end.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Assertion {
    /// The station sent a CALL of this action.
    pub sent: Option<String>,
    /// The server sent a CALL of this action.
    pub received: Option<String>,
    /// Nobody sent this action; or CALLERROR: nobody sent one.
    pub absent: Option<String>,
    /// CALLs of these actions passed in this order, perhaps with others between them.
    pub order: Option<Vec<String>>,
    /// What a simulated station has delivered in all.
    pub energy_kwh: Option<Range>,
    /// What such a CALL's payload must be; it may have more.
    #[serde(rename = "match")]
    pub matches: Option<Value>,
    /// How many there must be; otherwise at least one.
    pub times: Option<usize>,
    /// Of which connection; otherwise of all.
    pub on: Option<String>,
}

/// From where to where.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Range {
    /// At least.
    pub min: f64,
    /// At most.
    pub max: f64,
}

/// A length of time such as `200ms`, `10s`, `5m` or `2h`.
#[derive(Clone, Copy, Debug, PartialEq, JsonSchema)]
#[schemars(with = "String")]
pub struct Length(pub Duration);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        duration(&text).map(Self).map_err(D::Error::custom)
    }
}

/// Something wrong with a scenario file, and where.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub struct Problem {
    /// The file.
    pub path: PathBuf,
    /// The line, from 1; none where the whole file is meant.
    pub line: Option<usize>,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        write!(f, " {}", self.message)
    }
}

impl Scenario {
    /// Reads a file and checks all that can be checked without a server.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Vec<Problem>> {
        let text = fs::read_to_string(path).map_err(|error| {
            vec![Problem {
                path: path.to_owned(),
                line: None,
                message: error.to_string(),
            }]
        })?;
        Self::parse(path, &text)
    }

    /// As [`Scenario::read`], of a text.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Vec<Problem>> {
        let lines = line_starts(text);
        let problem = |line, message: String| Problem {
            path: path.to_owned(),
            line,
            message,
        };
        let written: Written = toml::from_str(text).map_err(|error| {
            let line = error.span().map(|span| line_of(&lines, span.start));
            vec![problem(line, error.message().to_owned())]
        })?;
        if written.schema != FORMAT {
            let message = format!("schema = {}: expected {FORMAT}", written.schema);
            return Err(vec![problem(None, message)]);
        }
        let (steps, problems) = placed(&lines, written.steps, Step::read);
        let (assert, others) = placed(&lines, written.assert, |table| {
            serde_json::from_value(Value::Object(table)).map_err(|error| error.to_string())
        });
        let mut problems: Vec<_> = problems
            .into_iter()
            .chain(others)
            .map(|(line, message)| (Some(line), message))
            .collect();
        let scenario = Self {
            name: written.name,
            reference: written.reference,
            tags: written.tags,
            vars: written.vars,
            needs: written.needs,
            setup: written.setup,
            station: written.station,
            vehicle: written.vehicle,
            steps,
            assert,
            path: path.to_owned(),
        };
        if problems.is_empty() {
            problems = check::check(&scenario);
        }
        if problems.is_empty() {
            return Ok(scenario);
        }
        Err(problems
            .into_iter()
            .map(|(line, message)| problem(line, message))
            .collect())
    }

    /// Where it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Each table read, and what is wrong with those that cannot be.
fn placed<T>(
    lines: &[usize],
    tables: Vec<Spanned<Map<String, Value>>>,
    read: impl Fn(Map<String, Value>) -> Result<T, String>,
) -> (Vec<Placed<T>>, Vec<(usize, String)>) {
    let (mut good, mut wrong) = (Vec::new(), Vec::new());
    for table in tables {
        let line = line_of(lines, table.span().start);
        match read(table.into_inner()) {
            Ok(of) => good.push(Placed { line, of }),
            Err(message) => wrong.push((line, message)),
        }
    }
    (good, wrong)
}

fn line_starts(text: &str) -> Vec<usize> {
    let ends = text.match_indices('\n').map(|(at, _)| at + 1);
    std::iter::once(0).chain(ends).collect()
}

fn line_of(starts: &[usize], at: usize) -> usize {
    starts.partition_point(|start| *start <= at)
}

/// The JSON Schema of the format, as text.
#[must_use]
pub fn schema() -> String {
    let mut text =
        serde_json::to_string_pretty(&schemars::schema_for!(Written)).expect("a schema is JSON");
    text.push('\n');
    text
}
