//! What waits to be sent: transaction messages, which outlive links and reboots, and the rest, which does not.

use alloc::{collections::VecDeque, string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    connector::{Reading, Sample},
    ocpp::{
        firmware::{FirmwareStatus, UploadStatus},
        msg16::{Context, ErrorCode, Reason, Status},
        security::SecurityEvent,
    },
    time::{Millis, Stamp},
};

/// Above this many queued meter values they are thinned; starts and stops are never dropped.
pub(crate) const METER_LIMIT: usize = 512;

/// A message of ours, before it is a frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Request {
    Boot,
    Heartbeat,
    Authorize {
        connector: u32,
        tag: String,
        purpose: Purpose,
    },
    Status {
        connector: u32,
        status: Status,
        error: ErrorCode,
        at: Stamp,
    },
    Start {
        local: u32,
        connector: u32,
        tag: String,
        at: Stamp,
        meter_start: u64,
        #[serde(default)]
        reservation: Option<i64>,
    },
    Meter {
        local: Option<u32>,
        connector: u32,
        at: Stamp,
        context: Context,
        reading: Reading,
    },
    Stop {
        local: u32,
        tag: Option<String>,
        at: Stamp,
        meter_stop: u64,
        reason: Reason,
        #[serde(default)]
        samples: Vec<Sample>,
    },
    DataTransfer {
        vendor: String,
        message: Option<String>,
        data: Option<String>,
    },
    Firmware {
        status: FirmwareStatus,
        request: Option<i64>,
        signed: bool,
    },
    Diagnostics {
        status: UploadStatus,
    },
    Log {
        status: UploadStatus,
        request: Option<i64>,
    },
    Security {
        kind: SecurityEvent,
        at: Stamp,
        info: Option<String>,
    },
    SignCertificate {
        csr: String,
    },
}

/// What an Authorize is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Purpose {
    Start,
    /// Another card wants to end this transaction: it may if it is of the same group.
    Stop,
}

impl Request {
    pub(crate) fn action(&self) -> &'static str {
        match self {
            Self::Boot => "BootNotification",
            Self::Heartbeat => "Heartbeat",
            Self::Authorize { .. } => "Authorize",
            Self::Status { .. } => "StatusNotification",
            Self::Start { .. } => "StartTransaction",
            Self::Meter { .. } => "MeterValues",
            Self::Stop { .. } => "StopTransaction",
            Self::DataTransfer { .. } => "DataTransfer",
            Self::Firmware { signed: false, .. } => "FirmwareStatusNotification",
            Self::Firmware { signed: true, .. } => "SignedFirmwareStatusNotification",
            Self::Diagnostics { .. } => "DiagnosticsStatusNotification",
            Self::Log { .. } => "LogStatusNotification",
            Self::Security { .. } => "SecurityEventNotification",
            Self::SignCertificate { .. } => "SignCertificate",
        }
    }

    /// Whether it is worth telling after a lost link or a reboot; transaction messages are too.
    pub(crate) fn kept(&self) -> bool {
        self.durable()
            || matches!(
                self,
                Self::Firmware { .. }
                    | Self::Diagnostics { .. }
                    | Self::Log { .. }
                    | Self::Security { .. }
            )
    }

    /// Whether it is of a transaction: kept until answered, in order, over links and reboots.
    pub(crate) fn durable(&self) -> bool {
        matches!(
            self,
            Self::Start { .. } | Self::Stop { .. } | Self::Meter { local: Some(_), .. }
        )
    }

    fn settle(&mut self, error_ms: i64) {
        match self {
            Self::Stop { at, samples, .. } => {
                at.settle(error_ms);
                for sample in samples {
                    sample.at.settle(error_ms);
                }
            }
            Self::Status { at, .. }
            | Self::Start { at, .. }
            | Self::Meter { at, .. }
            | Self::Security { at, .. } => at.settle(error_ms),
            _ => {}
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) seq: u64,
    pub(crate) request: Request,
    /// Refused attempts so far.
    pub(crate) attempts: u64,
    #[serde(skip)]
    pub(crate) not_before: Millis,
    /// Set when it was first sent: an unanswered message is sent again under the same id.
    pub(crate) message_id: Option<String>,
    /// Asked for by the server: may pass while the boot is pending.
    #[serde(skip)]
    pub(crate) triggered: bool,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Outbox {
    entries: VecDeque<Entry>,
    next_seq: u64,
}

impl Outbox {
    /// The durable messages of a journal, in their order.
    pub(crate) fn restore(entries: impl IntoIterator<Item = Entry>) -> Self {
        let entries: VecDeque<Entry> = entries
            .into_iter()
            .map(|mut entry| {
                // What was guessed before the reboot can never be known better.
                entry.request.settle(0);
                entry
            })
            .collect();
        let next_seq = entries.iter().map(|e| e.seq + 1).max().unwrap_or(0);
        Self { entries, next_seq }
    }

    fn entry(&mut self, request: Request, triggered: bool) -> Entry {
        self.next_seq += 1;
        Entry {
            seq: self.next_seq - 1,
            request,
            attempts: 0,
            not_before: Millis(0),
            message_id: None,
            triggered,
        }
    }

    pub(crate) fn push(&mut self, request: Request, triggered: bool) {
        let meter = matches!(request, Request::Meter { .. });
        let entry = self.entry(request, triggered);
        self.entries.push_back(entry);
        if meter {
            self.thin();
        }
    }

    /// Before everything else: a user waits for it, or nothing may go before it.
    pub(crate) fn push_front(&mut self, request: Request) {
        let entry = self.entry(request, false);
        self.entries.push_front(entry);
    }

    /// The first message that may go now. A transaction message that must wait holds back those after it.
    pub(crate) fn ready(&self, now: Millis, accepted: bool) -> Option<&Entry> {
        let mut held = false;
        self.entries.iter().find(|entry| {
            let durable = entry.request.durable();
            let allowed = accepted || entry.triggered || matches!(entry.request, Request::Boot);
            let waits = entry.not_before > now || (durable && held);
            held |= durable && waits;
            allowed && !waits
        })
    }

    /// When a message that waits for its next attempt may go.
    pub(crate) fn next_attempt(&self, now: Millis) -> Option<Millis> {
        self.entries
            .iter()
            .map(|e| e.not_before)
            .filter(|at| *at > now)
            .min()
    }

    pub(crate) fn get_mut(&mut self, seq: u64) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| entry.seq == seq)
    }

    pub(crate) fn remove(&mut self, seq: u64) -> Option<Entry> {
        let at = self.entries.iter().position(|entry| entry.seq == seq)?;
        self.entries.remove(at)
    }

    /// The link is gone: what is not kept is pointless later.
    pub(crate) fn drop_transient(&mut self) {
        self.entries.retain(|entry| entry.request.kept());
    }

    /// The connectors whose status the server may not have heard.
    pub(crate) fn unanswered_statuses(&self) -> Vec<u32> {
        let connector = |entry: &Entry| match entry.request {
            Request::Status { connector, .. } => Some(connector),
            _ => None,
        };
        self.entries.iter().filter_map(connector).collect()
    }

    /// A status that was not sent yet is overtaken by a newer one.
    pub(crate) fn drop_unsent_status(&mut self, of: u32) {
        self.entries.retain(|entry| {
            entry.message_id.is_some()
                || entry.triggered
                || !matches!(entry.request, Request::Status { connector, .. } if connector == of)
        });
    }

    /// What is kept over reboots.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.request.kept())
    }

    pub(crate) fn any(&self, test: impl Fn(&Request) -> bool) -> bool {
        self.entries.iter().any(|entry| test(&entry.request))
    }

    pub(crate) fn settle(&mut self, error_ms: i64) {
        for entry in &mut self.entries {
            entry.request.settle(error_ms);
        }
    }

    /// Drops every second queued meter value but the newest, once there are too many.
    fn thin(&mut self) {
        let meter =
            |e: &Entry| matches!(e.request, Request::Meter { .. }) && e.message_id.is_none();
        let count = self.entries.iter().filter(|e| meter(e)).count();
        if count <= METER_LIMIT {
            return;
        }
        let mut nth = 0;
        self.entries.retain(|entry| {
            if !meter(entry) {
                return true;
            }
            nth += 1;
            nth % 2 == 1 || nth == count
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Utc;
    use proptest::prelude::*;

    fn at() -> Stamp {
        Stamp {
            utc: Utc(0),
            guessed: false,
        }
    }

    fn start(local: u32) -> Request {
        Request::Start {
            local,
            connector: 1,
            tag: String::from("A"),
            at: at(),
            meter_start: 0,
            reservation: None,
        }
    }

    fn stop(local: u32) -> Request {
        Request::Stop {
            local,
            tag: None,
            at: at(),
            meter_stop: 0,
            reason: Reason::Local,
            samples: Vec::new(),
        }
    }

    fn meter(local: u32, energy_wh: u64) -> Request {
        let reading = Reading {
            energy_wh,
            ..Reading::default()
        };
        Request::Meter {
            local: Some(local),
            connector: 1,
            at: at(),
            context: Context::Periodic,
            reading,
        }
    }

    #[test]
    fn a_waiting_transaction_message_holds_back_only_its_kind() {
        let mut outbox = Outbox::default();
        outbox.push(start(1), false);
        outbox.push(stop(1), false);
        outbox.push(Request::Heartbeat, false);
        outbox.get_mut(0).expect("first").not_before = Millis(100);
        assert!(matches!(
            outbox.ready(Millis(0), true).map(|e| &e.request),
            Some(Request::Heartbeat)
        ));
        assert!(matches!(
            outbox.ready(Millis(100), true).map(|e| &e.request),
            Some(Request::Start { .. })
        ));
        assert!(
            outbox.ready(Millis(100), false).is_none(),
            "not accepted: nothing may go"
        );
    }

    proptest! {
        #[test]
        fn starts_and_stops_survive_any_number_of_samples(counts in prop::collection::vec(0usize..700, 1..6)) {
            let mut outbox = Outbox::default();
            for (local, count) in (0u32..).zip(&counts) {
                outbox.push(start(local), false);
                for n in 0..*count {
                    outbox.push(meter(local, n as u64), false);
                }
                outbox.push(stop(local), false);
            }
            let whole = |wanted: fn(&Request) -> bool| outbox.kept().filter(|e| wanted(&e.request)).count();
            prop_assert_eq!(whole(|r| matches!(r, Request::Start { .. })), counts.len());
            prop_assert_eq!(whole(|r| matches!(r, Request::Stop { .. })), counts.len());
            let meters = whole(|r| matches!(r, Request::Meter { .. }));
            prop_assert!(meters <= METER_LIMIT);
            let order: Vec<u64> = outbox.kept().map(|e| e.seq).collect();
            prop_assert!(order.is_sorted());
        }
    }
}
