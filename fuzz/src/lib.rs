//! The bodies of the fuzz targets, shared with the test that replays their corpus.

#[path = "../../crates/ocpp/tests/support/fuzz.rs"]
mod bodies;

pub use bodies::{frame, payload};
