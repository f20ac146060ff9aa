//! Certificates as the OCPP 1.6 security whitepaper wants them: an authority for development, certificates of servers and
//! stations, and the requests that stations send. No sockets, no database, no clock; no key is ever committed.

mod authority;
mod facts;
pub mod files;
mod request;

use chrono::{DateTime, Utc};
use time::OffsetDateTime;

pub use authority::{Authority, Issued, Name};
pub use facts::{Facts, revoked};
pub use request::{Request, Unfit};

/// Why a certificate cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or text that is not what it should be.
    #[error("{what}: {why}")]
    Unreadable {
        /// What was read.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The name of a person, place or thing that no certificate can carry.
    #[error("{0:?} cannot stand in a certificate: expected 1 to 64 printable characters")]
    Name(String),
    /// A certificate and a key that do not belong together.
    #[error("the key is not the one of the certificate")]
    OtherKey,
    /// The library refused.
    #[error("the certificate cannot be made: {0}")]
    Refused(#[from] rcgen::Error),
}

/// How the library for certificates tells the time.
fn instant(at: DateTime<Utc>) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(at.timestamp()).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// The other way round.
fn utc(at: OffsetDateTime) -> DateTime<Utc> {
    DateTime::from_timestamp(at.unix_timestamp(), 0).unwrap_or_default()
}
