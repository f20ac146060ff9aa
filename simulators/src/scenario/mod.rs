//! Scenarios: files that say what a station does and what a server must do then, and the engine that plays them.
//! One file is one case; `evsim test` plays them, `evsim check` reads them, `evsim schema` prints the format.

mod check;
mod client;
mod door;
mod file;
mod matching;
mod play;
mod report;
mod step;
#[cfg(test)]
mod tests;
mod values;
mod wire;

pub use file::{
    Assertion, Car, Length, Placed, Point, Problem, Range, Scenario, Setup, SimulatedStation,
    Token, schema,
};
pub use play::{Failure, Kind, Place, play};
pub use report::{Played, junit, play_all};
pub use step::*;
