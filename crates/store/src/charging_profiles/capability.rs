//! What stations take of charging profiles, as learned: pure, of what they said.

use super::Answer;

/// What a station takes, by what it said in its configuration and to profiles so far (quirk 42).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capability {
    /// The unit that it takes, where it takes one only.
    pub unit: Option<&'static str>,
    /// Whether it takes profiles for connector 0.
    pub whole: Option<bool>,
    /// Whether it takes profiles for a connector of its own.
    pub single: Option<bool>,
    /// The highest stack level that it takes.
    pub max_stack: Option<i64>,
    /// How many profiles it holds.
    pub max_profiles: Option<i64>,
    /// How many periods a schedule may have.
    pub max_periods: Option<i64>,
    /// What to do about it, in words.
    pub advice: Vec<String>,
}

/// Reads it off: `value` tells the configuration keys that are known.
pub fn capability(value: impl Fn(&str) -> Option<String>, answers: &[Answer]) -> Capability {
    let value = |name: &str| value(name).map(|value| value.trim().trim_matches('"').to_lowercase());
    let number = |name: &str| value(name).and_then(|value| value.parse::<i64>().ok());
    // Something counts as refused only where nothing of its sort was ever taken.
    let verdict = |of: &dyn Fn(&Answer) -> bool| {
        let mut said = answers.iter().filter(|answer| of(answer)).peekable();
        said.peek()?;
        Some(said.any(|answer| answer.answer == "Accepted"))
    };
    let watts = verdict(&|answer: &Answer| answer.unit == "W");
    let amperes = verdict(&|answer: &Answer| answer.unit == "A");
    let units = value("ChargingScheduleAllowedChargingRateUnit");
    let names = |words: &[&str]| {
        let units = units.as_deref()?;
        let mut parts = units.split(',').map(str::trim);
        Some(parts.any(|unit| words.contains(&unit)))
    };
    let takes = |said: Option<bool>, proven: Option<bool>| match proven {
        Some(true) => Some(true),
        _ => said.or(proven),
    };
    let (takes_a, takes_w) = (
        takes(names(&["current", "a"]), amperes),
        takes(names(&["power", "w"]), watts),
    );
    let whole = verdict(&|answer: &Answer| answer.whole);
    let stacked = verdict(&|answer: &Answer| answer.stacked);
    let flat = verdict(&|answer: &Answer| !answer.stacked);
    let only_flat = stacked == Some(false) && flat == Some(true);
    let mut found = Capability {
        unit: match (takes_a, takes_w) {
            (Some(true), Some(false)) | (None, Some(false)) => Some("A"),
            (Some(false), Some(true)) | (Some(false), None) => Some("W"),
            _ => None,
        },
        whole,
        single: verdict(&|answer: &Answer| !answer.whole),
        max_stack: number("ChargeProfileMaxStackLevel").or(only_flat.then_some(0)),
        max_profiles: number("MaxChargingProfilesInstalled"),
        max_periods: number("ChargingScheduleMaxPeriods"),
        advice: Vec::new(),
    };
    match found.unit {
        Some("A") => found
            .advice
            .push("It takes amperes: send limits in A.".to_owned()),
        Some("W") => found
            .advice
            .push("It takes watts: send limits in W.".to_owned()),
        _ => {}
    }
    if whole == Some(false) {
        found.advice.push(
            "It refused every profile for connector 0: send one to each connector.".to_owned(),
        );
    }
    if only_flat {
        found.advice.push("It takes stack level 0 only.".to_owned());
    }
    found
}
