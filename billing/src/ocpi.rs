//! Tariffs as OCPI 2.2.1 writes them (mod_tariffs, Tariff object), read and written. Nothing is dropped: a field has a
//! place in [`crate::tariff`], is kept beside it for the way back, or is refused by name. Only the object is here, no
//! endpoint.

mod export;
mod import;
#[cfg(test)]
mod tests;
mod wire;

use serde::{Deserialize, Serialize};

pub use export::export;
pub use import::import;

/// Who owns a tariff, under which id, and when it was last changed: what an exported tariff needs and has no place in ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// ISO 3166-1 alpha-2.
    pub country_code: String,
    /// The operator's three letters.
    pub party_id: String,
    /// At most 36 characters.
    pub id: String,
    /// RFC 3339, UTC.
    pub last_updated: String,
}
