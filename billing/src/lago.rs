//! Usage to Lago (spec billing-sync): what is billed of a session ([`usage`]), how Lago is spoken to ([`wire`], [`client`]),
//! when it is spoken to ([`patience`], [`cadence`], [`worker`]), one run ([`run`]), and what Lago says back ([`webhook`]).
//!
//! Whatever fails between, an event reaches Lago once: its id is made of the session and the register readings, it is
//! frozen in the outbox in the transaction that counts it as billed, and it leaves the outbox by Lago's answer alone.

pub mod cadence;
pub mod client;
pub mod patience;
pub mod reconcile;
pub mod run;
pub mod send;
pub mod usage;
pub mod webhook;
pub mod wire;
pub mod worker;

pub use client::Client;
pub use patience::Patience;
pub use run::{Sync, Turn};
