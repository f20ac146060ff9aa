//! The wire of OCPP-J 1.6 as the charge point sees it: frames, and the messages by profile.
//! Structs borrow from the text; a reading of the standard of its own, checked against `crates/ocpp` in tests.

pub mod firmware;
pub mod frame;
pub mod local_list;
pub mod msg16;
pub mod reservation;
pub mod security;
pub mod smart;
mod words;

pub use frame::{Frame, FrameError};
