//! What happens to the network of a simulated station, and the fault between it and its socket that this is.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::fault::{Direction, Fault};
use crate::scenario::file::Length;

/// What the network does from now on: each takes the place of the one before.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// What happens to it.
    pub network: Weather,
    /// How long that may take really.
    pub timeout: Option<Length>,
}

/// What happens to the network.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weather {
    /// What.
    pub mode: NetworkMode,
    /// For how much virtual time; otherwise until it is said to be up.
    #[serde(rename = "for")]
    pub by: Option<Length>,
    /// To which share of the frames it happens, from 0 to 1; otherwise to all. Of drop, duplicate, reorder and corrupt.
    pub share: Option<f64>,
    /// How much later frames come, in real time. Of delay.
    pub delay: Option<Length>,
    /// Only to CALLs of this action.
    pub action: Option<String>,
    /// Only to frames that go this way.
    pub direction: Option<Way>,
}

/// What the network does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NetworkMode {
    /// It is gone.
    Down,
    /// All is well again.
    Up,
    /// The connection breaks; another may be made.
    Cut,
    /// The connection stays open, and nothing is sent or read on it; another may be made.
    HalfOpen,
    /// Frames vanish.
    Drop,
    /// Frames come late.
    Delay,
    /// Frames come twice.
    Duplicate,
    /// Later frames overtake.
    Reorder,
    /// One character of a frame is another.
    Corrupt,
}

/// Which way a frame goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// To the server.
    Out,
    /// To the station.
    In,
}

impl Weather {
    /// The fault between station and socket that it is; of some it is none. What of it cannot be said together is told.
    pub(in crate::scenario) fn fault(&self) -> Result<Option<Fault>, String> {
        use NetworkMode::{Corrupt, Cut, Delay, Down, Drop, Duplicate, HalfOpen, Reorder, Up};
        let by_share = matches!(self.mode, Drop | Duplicate | Reorder | Corrupt);
        let is_fault = by_share || self.mode == Delay;
        for (key, given, fits, of) in [
            (
                "share",
                self.share.is_some(),
                by_share,
                "drop, duplicate, reorder and corrupt",
            ),
            ("delay", self.delay.is_some(), self.mode == Delay, "delay"),
            (
                "action",
                self.action.is_some(),
                is_fault,
                "faults of frames",
            ),
            (
                "direction",
                self.direction.is_some(),
                is_fault,
                "faults of frames",
            ),
            (
                "for",
                self.by.is_some(),
                !matches!(self.mode, Up | Cut),
                "what lasts",
            ),
        ] {
            if given && !fits {
                return Err(format!("network: {key} is of {of}"));
            }
        }
        let share = self.share.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&share) {
            return Err(format!("network: share = {share}: expected 0 to 1"));
        }
        let mut fault = Fault {
            action: self.action.clone(),
            direction: self.direction.map(|way| match way {
                Way::Out => Direction::Out,
                Way::In => Direction::In,
            }),
            ..Fault::default()
        };
        match self.mode {
            Down | Up | Cut | HalfOpen => return Ok(None),
            Drop => fault.drop = share,
            Duplicate => fault.duplicate = share,
            Reorder => fault.reorder = share,
            Corrupt => fault.corrupt = share,
            Delay => {
                let delay = self
                    .delay
                    .ok_or("network: expected a delay, e.g. delay = \"300ms\"")?;
                fault.delay = delay.0;
            }
        }
        Ok(Some(fault))
    }
}
