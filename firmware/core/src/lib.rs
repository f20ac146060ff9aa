//! The charge point as a value: OCPP 1.6J Core profile and RemoteTrigger, sans-IO, `no_std` + `alloc`.
//! The host owns time, sockets, meters and storage: it calls [`ChargePoint::poll`] and obeys the [`Outputs`].
//! Not here: pilot, relays' hardware and safety (a separate unit's work), TLS, other OCPP profiles.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod answers;
mod auth;
mod calls;
mod charging;
mod config;
mod connector;
mod io;
pub mod ocpp;
mod outbox;
mod point;
mod rng;
mod time;
mod wire;

pub use config::Key;
pub use connector::Reading;
pub use io::{Event, Input, Output, Outputs, RebootKind};
pub use point::{ChargePoint, Journal, Settings};
pub use time::{Millis, Utc};
