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
pub mod version;

pub use error::{CallError, ErrorCode, Failure};
pub use frame::MessageId;
pub use link::{Limits, Link, Output, Reason};
pub use version::Version;
