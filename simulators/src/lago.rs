//! A stand-in for Lago, written from its public API documentation: a real HTTP server that keeps customers, subscriptions,
//! metrics and events, and that can be told to fail in every way that the real one does. It bills nobody.
//!
//! Faults are set below `/_stand_in/`, or by the [`Handle`] of who started it in the same process.

mod faults;
mod lists;
mod serve;
mod world;

pub use faults::{Fault, Kind};
pub use serve::{Handle, Moment, start};
pub use world::{Event, Reply, World};
