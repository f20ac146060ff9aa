//! The wire of OCPP-J 1.6 as the charge point sees it: frames and the messages of the Core profile.
//! Structs borrow from the text; a reading of the standard of its own, checked against `crates/ocpp` in tests.

pub mod frame;
pub mod msg16;

pub use frame::{Frame, FrameError};
