//! OCPP-J as values: no socket, no clock, no database.
//!
//! | module | holds |
//! |---|---|
//! | [`frame`] | one frame: read, mended, written |
//! | [`link`] | one connection: what to send, hand up, time out or drop |
//! | [`error`], [`version`] | CALLERROR codes per version, subprotocol names |
//! | [`v16`] | generated: payload types, enumerations and actions of OCPP 1.6 with the security extension |
//! | [`schema`], [`check`] | what each message must look like, and the check of a payload against it |
//! | [`limits`] | what the standard asks of a command beyond its form |
//! | [`salvage`], [`timestamp`], [`lenient`] | how odd JSON types, times, units, phases and tokens are read |
//! | [`meter`] | meter values as wide samples |
//! | [`charging`] | what a stack of charging profiles comes to |
//!
//! # From a frame to a value
//! ```
//! use std::time::Duration;
//! use ocpp::{Limits, Link, Output, Timestamp, Version, decode, v16};
//!
//! let mut link = Link::new(Version::V16, Limits::default());
//! for output in link.receive(Duration::ZERO, r#"[2,"a","Heartbeat",{}]"#) {
//!     let Output::Asked { id, action, payload } = output else { continue };
//!     let answer = match v16::Action::from_name(&action) {
//!         Some(v16::Action::Heartbeat) => {
//!             decode::<v16::HeartbeatRequest>(&payload)?;
//!             let current_time = Timestamp::read("2024-04-26T14:35:02Z");
//!             Ok(ocpp::encode(&v16::HeartbeatResponse { current_time }))
//!         }
//!         _ => Err(ocpp::ErrorCode::NotImplemented.into()),
//!     };
//!     let sent = link.answer(&id, answer);
//!     assert_eq!(sent, [Output::Send(r#"[3,"a",{"currentTime":"2024-04-26T14:35:02.000Z"}]"#.into())]);
//! }
//! # Ok::<(), ocpp::CallError>(())
//! ```
//!
//! # Generated code
//! `cargo run -p ocpp --bin ocpp-gen` writes [`v16`] from the OCA's JSON Schemas, which `scripts/setup` fetches;
//! `--check` compares instead. Another version is another plan in `src/bin/ocpp-gen/plan.rs`.

pub mod charging;
pub mod check;
pub mod error;
pub mod frame;
pub mod lenient;
pub mod limits;
pub mod link;
pub mod meter;
mod open_enum;
pub mod salvage;
pub mod schema;
pub mod timestamp;
pub mod v16;
pub mod version;

pub use check::{Finding, Rule};
pub use error::{CallError, ErrorCode, Failure};
pub use frame::MessageId;
pub use link::{Limits, Link, Output, Reason};
pub use salvage::{decode, encode};
pub use schema::{Field, Kind, check_request, check_response};
pub use timestamp::{TimeFlaw, Timestamp};
pub use version::Version;
