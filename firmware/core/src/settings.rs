//! What is fixed about a charge point: its plate, its wires and its patience.

use alloc::{string::String, vec::Vec};

use crate::time::Utc;

/// What is fixed about a charge point.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Vendor, at most 20 characters.
    pub vendor: String,
    /// Model, at most 20 characters.
    pub model: String,
    /// Serial number, at most 25 characters.
    pub serial: Option<String>,
    /// Firmware version, at most 50 characters.
    pub firmware: Option<String>,
    /// How many connectors, from 1.
    pub connectors: u32,
    /// For jitter and message ids; differs between charge points.
    pub seed: u64,
    /// The time at boot, of a host with a clock of its own. Without it the server's time is followed.
    pub clock: Option<Utc>,
    /// Phases of a connector.
    pub phases: u32,
    /// Volts of a phase, by which amperes and watts are converted.
    pub voltage_v: u32,
    /// The most a connector gives per phase, tenths of an ampere.
    pub max_current_da: u32,
    /// The least a vehicle can be offered per phase, tenths of an ampere; below it charging pauses.
    pub min_current_da: u32,
    /// Vendors and messages of them that a DataTransfer of the server may name; it is accepted, and nothing follows.
    pub vendor_messages: Vec<(String, String)>,
    /// Tell the server of start, reboot and changed keys by SecurityEventNotification, as the whitepaper wants it.
    pub security_events: bool,
    /// The highest security profile that the host can connect by.
    pub highest_security_profile: u8,
    /// How long an answer may take, ms.
    pub call_timeout_ms: u64,
    /// The first reconnect delay, ms; it doubles up to the longest.
    pub reconnect_min_ms: u64,
    /// The longest reconnect delay, ms.
    pub reconnect_max_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            vendor: String::from("Forecourt"),
            model: String::from("EVSE core"),
            serial: None,
            firmware: Some(String::from(env!("CARGO_PKG_VERSION"))),
            connectors: 1,
            seed: 0,
            clock: None,
            phases: 3,
            voltage_v: 230,
            max_current_da: 320,
            min_current_da: 60,
            vendor_messages: Vec::new(),
            security_events: false,
            highest_security_profile: 1,
            call_timeout_ms: 30_000,
            reconnect_min_ms: 1_000,
            reconnect_max_ms: 120_000,
        }
    }
}
