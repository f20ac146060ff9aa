//! The charge point as a value: OCPP 1.6J, sans-IO, `no_std` + `alloc`.
//! The host owns time, sockets, meters and storage: it calls [`ChargePoint::poll`] and obeys the [`Outputs`].
//! Not here: pilot, relays' hardware and safety (a separate unit's work), TLS.
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
mod firmware;
mod io;
mod journal;
mod local_list;
mod logs;
pub mod ocpp;
mod outbox;
mod point;
mod reply;
mod reservation;
mod rng;
mod security;
mod settings;
mod smart;
mod time;
mod timers;
mod wire;
mod work;

pub use config::Key;
pub use connector::Reading;
pub use io::{Event, Input, Output, Outputs, RebootKind};
pub use journal::Journal;
pub use point::ChargePoint;
pub use settings::Settings;
pub use smart::Offer;
pub use time::{Millis, Utc};
pub use work::{Done, Work};
