//! One connector: plug, authorization, transaction, and the status that follows from them.

use alloc::{
    string::{String, ToString},
    vec::Vec,
};

use serde::{Deserialize, Serialize};

use crate::{
    ocpp::{
        msg16::{Context, ErrorCode, Measurand, SampledValue, Status, Unit},
        smart::ChargingProfile,
    },
    smart::Offer,
    time::{Millis, Stamp, Utc},
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
    /// Power the host could offer, W; the charge point lowers it to its limit.
    pub offered_w: u32,
    /// Current offered per phase, tenths of an ampere: the charge point's own figure.
    #[serde(default)]
    pub offered_da: u32,
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
                    Measurand::CurrentOffered => (tenths(self.offered_da), Unit::A),
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
    /// The limits that a remote start gave to the transaction to come.
    pub(crate) profile: Option<ChargingProfile>,
}

/// A reading kept for the StopTransaction.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) at: Stamp,
    pub(crate) context: Context,
    pub(crate) reading: Reading,
}

/// A running transaction.
#[derive(Clone, Debug)]
pub(crate) struct Transaction {
    pub(crate) local: u32,
    pub(crate) tag: String,
    pub(crate) parent: Option<String>,
    pub(crate) meter_start: u64,
    pub(crate) began: Utc,
    pub(crate) next_sample: Option<Millis>,
    /// What the StopTransaction is to carry.
    pub(crate) samples: Vec<Sample>,
    /// The server refused the tag, and StopTransactionOnInvalidId is off: no end, and energy only up to
    /// this register (MaxEnergyOnInvalidId).
    pub(crate) suspended_at: Option<u64>,
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
    /// Firmware is about to be installed.
    pub(crate) updating: bool,
    /// Somebody reserved it.
    pub(crate) reserved: bool,
    /// The limits leave too little to charge with.
    pub(crate) paused: bool,
    /// What the host was told to offer.
    pub(crate) offer: Option<Offer>,
    /// The status and error that the server was last told, or is about to be told.
    pub(crate) reported: Option<(Status, ErrorCode)>,
    /// A status that is not old enough to be told, and since when it holds.
    pub(crate) unsettled: Option<(Status, Millis)>,
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
            updating: false,
            reserved: false,
            paused: false,
            offer: None,
            reported: None,
            unsettled: None,
        }
    }

    /// Whether someone charges here or is about to.
    pub(crate) fn in_use(&self) -> bool {
        self.transaction.is_some() || self.right.is_some() || self.finishing
    }

    fn suspended(&self) -> bool {
        let refused = |t: &Transaction| {
            t.suspended_at
                .is_some_and(|at| at <= self.reading.energy_wh)
        };
        self.paused || self.transaction.as_ref().is_some_and(refused)
    }

    pub(crate) fn status(&self) -> Status {
        if self.fault != ErrorCode::NoError {
            return Status::Faulted;
        }
        match &self.transaction {
            Some(_) if self.suspended() => Status::SuspendedEvse,
            Some(_) if !self.vehicle_ready => Status::SuspendedEv,
            Some(_) => Status::Charging,
            None if !self.operative || self.updating => Status::Unavailable,
            None if self.finishing => Status::Finishing,
            None if self.right.is_some() => Status::Preparing,
            None if self.reserved => Status::Reserved,
            None if self.plugged => Status::Preparing,
            None => Status::Available,
        }
    }

    /// Whether the contactor is to be closed.
    pub(crate) fn energized(&self) -> bool {
        self.plugged
            && self.fault == ErrorCode::NoError
            && self.transaction.is_some()
            && !self.suspended()
    }

    /// Whether a held right may become a transaction now.
    pub(crate) fn can_start(&self) -> bool {
        self.plugged
            && self.operative
            && !self.updating
            && !self.finishing
            && self.transaction.is_none()
            && self.right.is_some()
            && self.fault == ErrorCode::NoError
    }
}
