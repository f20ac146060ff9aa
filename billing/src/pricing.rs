//! From the tables to the engine and back: which tariff a session has, what its price is made from, and when it is made.
//! What a charge costs is [`crate::price`]'s alone.
//!
//! - `charge` turns rows into the engine's [`Charge`](crate::price::Charge): sources, the end of charging, gaps.
//! - `book` knows what tariff versions say, holidays and feeds, and prices loaded sessions.
//! - `work` follows the outbox and writes prices, with a place of its own that outlives every crash.
//! - [`running`] says what active sessions cost so far.
//! - `holds` says which sessions wait for a person, also those that no tariff prices.
//! - [`simulate`] prices what happened under a tariff that did not hold.
//!
//! A reservation that was used is priced with its session, from its acceptance to the start; one that nobody used becomes a
//! session without energy where the tariff charges for that.

mod book;
mod charge;
mod holds;
pub mod running;
pub mod simulate;
mod work;

pub use holds::holds;
pub use running::costs;
pub use work::{Done, READER, price_now, price_pending, until_shutdown};
