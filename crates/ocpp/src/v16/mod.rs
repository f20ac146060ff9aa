//! OCPP 1.6: the payload types, their tables and the list of actions.
//!
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.
//!
//! What a station sends can be relied on for nothing: in those types every field is an `Option`, and one that
//! makes no sense is `None` ([`crate::salvage`]); [`crate::check::check`] says what was wrong. In the types that the
//! CSMS sends, a field that the standard requires is a plain value.

mod action;
mod core;
mod enums;
mod firmware;
mod local_list;
mod objects;
mod remote_trigger;
mod reservation;
mod security;
mod smart_charging;
pub(crate) mod tables;

pub use action::*;
pub use core::*;
pub use enums::*;
pub use firmware::*;
pub use local_list::*;
pub use objects::*;
pub use remote_trigger::*;
pub use reservation::*;
pub use security::*;
pub use smart_charging::*;
