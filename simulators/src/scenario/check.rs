//! What can be said of a scenario without a server: that its actions exist, its names are set before they are used, its
//! paths and matches can be read, every request has one method, and what it simulates can be.

use std::collections::BTreeSet;

use ocpp::{
    Version,
    schema::{self, Sender},
};
use serde_json::{Map, Value};

use super::{
    file::{Assertion, Car, Placed, Point, Scenario},
    matching,
    step::{Act, Request, Weather},
    values,
};
use crate::physics::VEHICLES;

/// The keys whose values are compared with something.
const COMPARED: &[&str] = &[
    "match", "answer", "expect", "row", "wire", "receive", "closed",
];

/// Everything that is wrong, with its line where it has one.
pub(super) fn check(scenario: &Scenario) -> Vec<(Option<usize>, String)> {
    let mut names: BTreeSet<String> = BTreeSet::from(["run".to_owned()]);
    names.extend(scenario.setup.stations.keys().cloned());
    names.extend(scenario.setup.tokens.keys().cloned());
    names.extend(scenario.vars.keys().cloned());
    names.extend(scenario.needs.iter().cloned());
    let mut problems: Vec<_> = wrong_world(scenario)
        .into_iter()
        .map(|message| (None, message))
        .collect();
    for Placed { line, of: step } in &scenario.steps {
        let mut found = wrong_names(&step.written, &names);
        found.extend(wrong_act(&step.act));
        found.extend(wrong_in_world(scenario, &step.act));
        found.extend(wrong_parts(&step.written));
        problems.extend(found.into_iter().map(|message| (Some(*line), message)));
        names.extend(set_by(&step.act, &step.written));
    }
    for Placed { line, of } in &scenario.assert {
        let found = wrong_assertion(of, &names);
        problems.extend(found.into_iter().map(|message| (Some(*line), message)));
    }
    problems
}

/// A station or vehicles that cannot be.
fn wrong_world(scenario: &Scenario) -> Vec<String> {
    let mut found = Vec::new();
    if let Some(station) = &scenario.station {
        let parts = [
            station.hardware().err(),
            station.faults().err(),
            station.quirks().err(),
        ];
        let parts = parts.into_iter().flatten();
        found.extend(parts.map(|problem| format!("[station]: {problem}")));
    }
    for (name, car) in &scenario.vehicle {
        let problems = wrong_car(car).into_iter();
        found.extend(problems.map(|problem| format!("[vehicle.{name}]: {problem}")));
    }
    found
}

fn wrong_car(car: &Car) -> Vec<String> {
    let mut found = Vec::new();
    for (key, value) in [("battery_kwh", car.battery_kwh), ("max_kw", car.max_kw)] {
        if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
            found.push(format!("{key} = {value}: expected more than 0"));
        }
    }
    if let Some(soc) = car.soc.filter(|soc| !PERCENT.contains(soc)) {
        found.push(format!("soc = {soc}: expected 0 to 100"));
    }
    let fits = |point: &Point| PERCENT.contains(&point.0) && (0.0..=1.0).contains(&point.1);
    let wrong = |curve: &&Vec<Point>| {
        let rises = curve.windows(2).all(|pair| pair[0].0 < pair[1].0);
        curve.is_empty() || !rises || !curve.iter().all(fits)
    };
    if let Some(curve) = car.curve.as_ref().filter(wrong) {
        let curve: Vec<_> = curve.iter().map(|point| [point.0, point.1]).collect();
        found.push(format!(
            "curve = {curve:?}: expected [percent, share] with percents that rise from 0 to 100 and shares from 0 to 1"
        ));
    }
    found
}

const PERCENT: std::ops::RangeInclusive<f64> = 0.0..=100.0;

/// Steps that need a simulated station, or another one.
fn wrong_in_world(scenario: &Scenario, act: &Act) -> Vec<String> {
    let mut found = Vec::new();
    let is_simulated = matches!(
        act,
        Act::WaitBoot(_)
            | Act::Plug(_)
            | Act::Unplug(_)
            | Act::Swipe(_)
            | Act::Advance(_)
            | Act::Network(_)
            | Act::WaitLink(_)
            | Act::PowerCut(_)
            | Act::ExpectSent(_)
    );
    if is_simulated && scenario.station.is_none() {
        found.push("this needs a [station]".to_owned());
    }
    match act {
        Act::Plug(step) => {
            let name = &step.plug.vehicle;
            let known = VEHICLES.iter().map(|vehicle| vehicle.name);
            if !scenario.vehicle.contains_key(name) && !known.clone().any(|known| known == name) {
                let known: Vec<_> = known.collect();
                found.push(format!(
                    "no vehicle {name}: expected a [vehicle.…] or one of {}",
                    known.join(", ")
                ));
            }
        }
        Act::Network(step) => found.extend(wrong_weather(&step.network)),
        Act::ExpectSent(step) => found.extend(wrong_action(&step.expect_sent, Sender::Station)),
        _ => {}
    }
    found
}

fn wrong_weather(weather: &Weather) -> Vec<String> {
    let action = weather.action.as_deref();
    let action = action.and_then(|name| wrong_action(name, Sender::Either));
    weather.fault().err().into_iter().chain(action).collect()
}

fn wrong_names(written: &Value, known: &BTreeSet<String>) -> Vec<String> {
    let unknown = values::names_in(written)
        .into_iter()
        .filter(|name| !known.contains(*name) && !values::is_time(name));
    let known: Vec<_> = known.iter().map(String::as_str).collect();
    unknown
        .map(|name| {
            format!(
                "`${{{name}}}` is not set before this: expected now, now-4h or one of {}",
                known.join(", ")
            )
        })
        .collect()
}

/// The names that a step sets.
fn set_by(act: &Act, written: &Value) -> Vec<String> {
    let keys = |table: &Value| match table {
        Value::Object(table) => table.keys().cloned().collect(),
        _ => Vec::new(),
    };
    let mut names: Vec<String> = keys(&written["save"]);
    names.extend(keys(&written["api"]["save"]));
    match act {
        Act::Set(set) => names.extend(set.set.keys().cloned()),
        Act::Start(_) => names.push("tx".to_owned()),
        Act::Command(_) => names.push("command".to_owned()),
        Act::Csr(_) => names.extend(["csr".to_owned(), "key".to_owned()]),
        _ => {}
    }
    names
}

/// Actions that are none, and keys that say two things.
fn wrong_act(act: &Act) -> Vec<String> {
    let mut found = Vec::new();
    let mut action = |name: &str, sender| found.extend(wrong_action(name, sender));
    let both = match act {
        Act::Call(step) => {
            action(&step.call, Sender::Station);
            (step.answer.is_some() && step.error.is_some()).then_some("answer and error")
        }
        Act::ExpectCall(step) => {
            action(&step.expect_call, Sender::Csms);
            (step.reply.is_some() && step.error.is_some()).then_some("reply and error")
        }
        Act::Command(step) => {
            action(&step.command, Sender::Csms);
            (step.reply.is_some() && step.error.is_some()).then_some("reply and error")
        }
        Act::Override(step) => {
            action(&step.rule.call, Sender::Csms);
            (step.rule.reply.is_some() && step.rule.error.is_some()).then_some("reply and error")
        }
        Act::Connect(step) => {
            let door = &step.connect;
            (door.password.is_some() && door.password_hex.is_some())
                .then_some("password and password_hex")
        }
        Act::Api(step) => return wrong_request(&step.api),
        _ => None,
    };
    found.extend(both.map(|both| format!("{both}: expected one of them")));
    found
}

fn wrong_request(request: &Request) -> Vec<String> {
    let mut found = Vec::new();
    if request.target().is_none() {
        found.push("api: expected exactly one of get, post, put, patch and delete".to_owned());
    }
    if request.body.is_some() && request.text.is_some() {
        found.push("body and text: expected one of them".to_owned());
    }
    found
}

/// Nobody sends this, or not from this side.
fn wrong_action(name: &str, from: Sender) -> Option<String> {
    let message = match schema::message(Version::V16, name) {
        Ok(message) => message,
        Err(problem) => return Some(problem.to_string()),
    };
    let fits = from == Sender::Either || message.sender == Sender::Either || message.sender == from;
    let side = if from == Sender::Station {
        "a station"
    } else {
        "the server"
    };
    (!fits).then(|| format!("{name} is not sent by {side}"))
}

/// Paths and matches that cannot be read, here and in a request.
fn wrong_parts(written: &Value) -> Vec<String> {
    let Value::Object(table) = written else {
        return Vec::new();
    };
    let mut found = wrong_table(table);
    if let Some(Value::Object(request)) = table.get("api") {
        found.extend(wrong_table(request));
    }
    found
}

fn wrong_table(table: &Map<String, Value>) -> Vec<String> {
    let compared = COMPARED.iter().filter_map(|key| table.get(*key));
    let mut found: Vec<_> = compared.flat_map(matching::unknown_operators).collect();
    if let Some(Value::Object(save)) = table.get("save") {
        let paths = save.values().filter_map(Value::as_str);
        found.extend(paths.filter_map(|path| values::is_path(path).err()));
    }
    found
}

fn wrong_assertion(assertion: &Assertion, names: &BTreeSet<String>) -> Vec<String> {
    let mut found = Vec::new();
    let kinds = [
        assertion.sent.is_some(),
        assertion.received.is_some(),
        assertion.absent.is_some(),
        assertion.order.is_some(),
        assertion.energy_kwh.is_some(),
    ];
    if kinds.iter().filter(|given| **given).count() != 1 {
        found.push(
            "an assertion says one thing: expected exactly one of sent, received, absent, order and energy_kwh"
                .to_owned(),
        );
    }
    if let Some(action) = &assertion.sent {
        found.extend(wrong_action(action, Sender::Station));
    }
    if let Some(action) = &assertion.received {
        found.extend(wrong_action(action, Sender::Csms));
    }
    let either = assertion.order.iter().flatten();
    let either = either.chain(assertion.absent.iter().filter(|name| *name != "CALLERROR"));
    found.extend(either.filter_map(|name| wrong_action(name, Sender::Either)));
    if let Some(pattern) = &assertion.matches {
        found.extend(matching::unknown_operators(pattern));
        found.extend(wrong_names(pattern, names));
    }
    found
}
