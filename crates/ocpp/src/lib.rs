//! OCPP-J as values: no socket, no clock, no database.
//!
//! | module | holds |
//! |---|---|
//! | [`frame`] | one frame: read, mended, written |
//! | [`link`] | one connection: what to send, hand up, time out or drop |
//! | [`error`], [`version`] | CALLERROR codes per version, subprotocol names |

pub mod error;
pub mod frame;
pub mod link;
mod open_enum;
pub mod salvage;
pub mod schema;
pub mod timestamp;
pub mod v16;
pub mod version;

pub use error::{CallError, ErrorCode, Failure};
pub use frame::MessageId;
pub use link::{Limits, Link, Output, Reason};
pub use salvage::decode;
pub use schema::{Field, Finding, Kind, Rule, check_request, check_response};
pub use timestamp::{TimeFlaw, Timestamp};
pub use version::Version;
