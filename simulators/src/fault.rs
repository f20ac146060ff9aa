//! Faults between the charge point and its socket: frames dropped, delayed, doubled, overtaken, damaged.

use std::{str::FromStr, time::Duration};

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// To the server.
    Out,
    /// To the charge point.
    In,
}

/// A rule: probabilities from 0 to 1 and a delay, for all frames or those of one action or direction.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fault {
    /// The frame vanishes.
    pub drop: f64,
    /// The frame comes twice.
    pub duplicate: f64,
    /// Later frames overtake it.
    pub reorder: f64,
    /// One byte of it is another.
    pub corrupt: f64,
    /// Every frame is this late.
    pub delay: Duration,
    /// Only CALLs of this action.
    pub action: Option<String>,
    /// Only frames that go this way.
    pub direction: Option<Direction>,
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut fault = Self::default();
        for part in text.split(',') {
            let (name, value) = part
                .split_once('=')
                .ok_or_else(|| format!("`{part}`: expected name=value, e.g. drop=0.01"))?;
            match name {
                "drop" => fault.drop = probability(name, value)?,
                "duplicate" => fault.duplicate = probability(name, value)?,
                "reorder" => fault.reorder = probability(name, value)?,
                "corrupt" => fault.corrupt = probability(name, value)?,
                "delay" => fault.delay = duration(value)?,
                "action" => fault.action = Some(value.to_owned()),
                "direction" => {
                    fault.direction = Some(match value {
                        "out" => Direction::Out,
                        "in" => Direction::In,
                        _ => return Err(format!("direction={value}: expected out or in")),
                    });
                }
                _ => {
                    return Err(format!(
                        "`{name}`: expected drop, delay, duplicate, reorder, corrupt, action or direction"
                    ));
                }
            }
        }
        Ok(fault)
    }
}

fn probability(name: &str, value: &str) -> Result<f64, String> {
    match value.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err(format!(
            "{name}={value}: expected a probability from 0 to 1"
        )),
    }
}

/// Reads `200ms`, `10s`, `5m` or `2h`.
pub fn duration(text: &str) -> Result<Duration, String> {
    let unit_at = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    let seconds = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => {
            return Err(format!(
                "`{text}`: expected a duration such as 200ms, 10s, 5m or 2h"
            ));
        }
    };
    number
        .parse::<f64>()
        .ok()
        .and_then(|n| Duration::try_from_secs_f64(n * seconds).ok())
        .ok_or_else(|| format!("`{text}`: expected a duration such as 200ms, 10s, 5m or 2h"))
}

/// Late enough that the next frames overtake.
const OVERTAKEN: Duration = Duration::from_millis(400);

/// Applies rules with chance from a seed.
#[derive(Debug)]
pub struct Interceptor {
    rules: Vec<Fault>,
    weather: Vec<Fault>,
    rng: StdRng,
}

impl Interceptor {
    /// One that applies these rules to every frame in turn.
    #[must_use]
    pub fn new(rules: Vec<Fault>, seed: u64) -> Self {
        Self {
            rules,
            weather: Vec::new(),
            rng: StdRng::seed_from_u64(seed),
        }
    }

    /// Beside its own rules these hold from now on, instead of those that were given so before.
    pub fn weather(&mut self, rules: Vec<Fault>) {
        self.weather = rules;
    }

    /// What becomes of a frame: the copies that arrive, and how late each is.
    pub fn pass(
        &mut self,
        direction: Direction,
        action: Option<&str>,
        text: String,
    ) -> Vec<(Duration, String)> {
        let mut frames = vec![(Duration::ZERO, text)];
        for rule in self.rules.iter().chain(&self.weather) {
            let here = rule.direction.is_none_or(|d| d == direction)
                && rule.action.as_deref().is_none_or(|a| action == Some(a));
            if !here {
                continue;
            }
            if self.rng.random_bool(rule.drop) {
                return Vec::new();
            }
            if self.rng.random_bool(rule.duplicate) {
                frames.push(frames[0].clone());
            }
            let late = if self.rng.random_bool(rule.reorder) {
                OVERTAKEN
            } else {
                Duration::ZERO
            };
            for (delay, text) in &mut frames {
                *delay += rule.delay + late;
                if self.rng.random_bool(rule.corrupt) {
                    damage(text, &mut self.rng);
                }
            }
        }
        frames
    }
}

/// Replaces one character.
fn damage(text: &mut String, rng: &mut StdRng) {
    let count = text.chars().count();
    if count > 0 {
        let at = rng.random_range(0..count);
        *text = text
            .chars()
            .enumerate()
            .map(|(i, c)| if i == at { '#' } else { c })
            .collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passed(rule: &str, action: Option<&str>) -> Vec<(Duration, String)> {
        let rule = rule.parse().expect("a rule");
        Interceptor::new(vec![rule], 1).pass(Direction::Out, action, "[2,\"1\"]".to_owned())
    }

    #[test]
    fn each_fault_does_what_it_says() {
        assert!(passed("drop=1", None).is_empty());
        assert_eq!(passed("duplicate=1", None).len(), 2);
        assert_eq!(passed("delay=200ms", None)[0].0, Duration::from_millis(200));
        assert_eq!(passed("reorder=1", None)[0].0, OVERTAKEN);
        assert_ne!(passed("corrupt=1", None)[0].1, "[2,\"1\"]");
        assert_eq!(passed("drop=1,direction=in", None).len(), 1);
        assert_eq!(
            passed("drop=1,action=MeterValues", Some("Heartbeat")).len(),
            1
        );
        assert!(passed("drop=1,action=MeterValues", Some("MeterValues")).is_empty());
    }

    #[test]
    fn wrong_rules_are_explained() {
        for (rule, word) in [
            ("drop", "name=value"),
            ("drop=2", "from 0 to 1"),
            ("delay=soon", "200ms"),
            ("lose=1", "expected drop"),
            ("direction=up", "out or in"),
        ] {
            let problem = rule.parse::<Fault>().expect_err(rule);
            assert!(problem.contains(word), "{rule}: {problem}");
        }
    }
}
