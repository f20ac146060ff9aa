//! One connector: plug, authorization, transaction, and the status that follows from them.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::{
    ocpp::msg16::{Context, ErrorCode, Measurand, SampledValue, Status, Unit},
    time::Millis,
};

/// A meter's reading. Integers, because small chips have no floating point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Energy register, Wh. Never falls.
    pub energy_wh: u64,
    /// Power, W.
    pub power_w: u32,
    /// Current, tenths of an ampere.
    pub current_da: u32,
    /// Voltage, tenths of a volt.
    pub voltage_dv: u32,
    /// State of charge of the vehicle, percent, where it is told.
    pub soc_percent: Option<u8>,
    /// Power offered, W.
    pub offered_w: u32,
}

impl Reading {
    /// The samples of the wanted measurands, in their order.
    #[must_use]
    pub fn samples(
        &self,
        context: Context,
        wanted: impl Iterator<Item = Measurand>,
    ) -> Vec<SampledValue> {
        wanted
            .filter_map(|measurand| {
                let (value, unit) = match measurand {
                    Measurand::Energy => (self.energy_wh.to_string(), Unit::Wh),
                    Measurand::Power => (self.power_w.to_string(), Unit::W),
                    Measurand::Current => (tenths(self.current_da), Unit::A),
                    Measurand::Voltage => (tenths(self.voltage_dv), Unit::V),
                    Measurand::Soc => (self.soc_percent?.to_string(), Unit::Percent),
                    Measurand::Offered => (self.offered_w.to_string(), Unit::W),
                };
                Some(SampledValue {
                    value,
                    context,
                    measurand,
                    unit,
                })
            })
            .collect()
    }
}

fn tenths(value: u32) -> String {
    alloc::format!("{}.{}", value / 10, value % 10)
}

/// A right to charge that waits for a plug.
#[derive(Clone, Debug)]
pub(crate) struct Right {
    pub(crate) tag: String,
    pub(crate) parent: Option<String>,
    pub(crate) until: Millis,
}

/// A running transaction.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) local: u32,
    pub(crate) tag: String,
    pub(crate) parent: Option<String>,
    pub(crate) meter_start: u64,
    pub(crate) next_sample: Option<Millis>,
    /// The server refused the tag, and StopTransactionOnInvalidId is off: no energy, no end.
    pub(crate) suspended: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct Connector {
    pub(crate) id: u32,
    pub(crate) plugged: bool,
    pub(crate) vehicle_ready: bool,
    pub(crate) operative: bool,
    /// An availability change that waits for the transaction's end.
    pub(crate) scheduled: Option<bool>,
    pub(crate) fault: ErrorCode,
    pub(crate) right: Option<Right>,
    pub(crate) transaction: Option<Transaction>,
    /// A transaction ended and the plug has not been out since.
    pub(crate) finishing: bool,
    pub(crate) reading: Reading,
    pub(crate) relay: bool,
    /// The status and error that the server was last told, or is about to be told.
    pub(crate) reported: Option<(Status, ErrorCode)>,
}

impl Connector {
    pub(crate) fn new(id: u32) -> Self {
        Self {
            id,
            plugged: false,
            vehicle_ready: true,
            operative: true,
            scheduled: None,
            fault: ErrorCode::NoError,
            right: None,
            transaction: None,
            finishing: false,
            reading: Reading::default(),
            relay: false,
            reported: None,
        }
    }

    pub(crate) fn status(&self) -> Status {
        if self.fault != ErrorCode::NoError {
            return Status::Faulted;
        }
        match &self.transaction {
            Some(transaction) if transaction.suspended => Status::SuspendedEvse,
            Some(_) if !self.vehicle_ready => Status::SuspendedEv,
            Some(_) => Status::Charging,
            None if !self.operative => Status::Unavailable,
            None if self.finishing => Status::Finishing,
            None if self.plugged || self.right.is_some() => Status::Preparing,
            None => Status::Available,
        }
    }

    /// Whether the contactor is to be closed.
    pub(crate) fn energized(&self) -> bool {
        self.plugged
            && self.fault == ErrorCode::NoError
            && self.transaction.as_ref().is_some_and(|t| !t.suspended)
    }

    /// Whether a held right may become a transaction now.
    pub(crate) fn can_start(&self) -> bool {
        self.plugged
            && self.operative
            && !self.finishing
            && self.transaction.is_none()
            && self.right.is_some()
            && self.fault == ErrorCode::NoError
    }
}
