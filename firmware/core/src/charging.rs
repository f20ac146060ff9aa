//! The rules of charging: who may, when a transaction starts and ends, and what follows for relay and status.

use alloc::{string::String, vec::Vec};

use crate::{
    config::Key,
    connector::{Right, Sample, Transaction},
    io::{Event, Output, Outputs},
    ocpp::msg16::{Context, ErrorCode, Reason, Status, TagStatus},
    outbox::{Purpose, Request},
    point::ChargePoint,
    time::Millis,
};

/// So many samples are kept for a StopTransaction; beyond, every second one goes.
const SAMPLE_LIMIT: usize = 64;

impl ChargePoint {
    pub(crate) fn meter(&mut self, index: usize, context: Context, now: Millis, triggered: bool) {
        let connector = &self.connectors[index];
        let request = Request::Meter {
            local: connector.transaction.as_ref().map(|t| t.local),
            connector: connector.id,
            at: self.clock.stamp(now),
            context,
            reading: connector.reading,
        };
        self.dirty |= request.durable();
        self.outbox.push(request, triggered);
    }

    pub(crate) fn unplug(&mut self, connector: u32, now: Millis, out: &mut Outputs) {
        let Some(index) = self.at(connector) else {
            return;
        };
        self.connectors[index].plugged = false;
        if self.config.flag(Key::StopTransactionOnEVSideDisconnect) {
            self.stop(index, Reason::EvDisconnected, None, now, out);
        }
        self.connectors[index].finishing = false;
        self.connectors[index].vehicle_ready = true;
    }

    pub(crate) fn fault(
        &mut self,
        connector: u32,
        code: ErrorCode,
        now: Millis,
        out: &mut Outputs,
    ) {
        let Some(index) = self.at(connector) else {
            return;
        };
        self.connectors[index].fault = code;
        if code != ErrorCode::NoError {
            self.stop(index, Reason::Other, None, now, out);
        }
    }

    pub(crate) fn swipe(&mut self, connector: u32, tag: &str, now: Millis, out: &mut Outputs) {
        let Some(index) = self.at(connector) else {
            return;
        };
        let purpose = match &self.connectors[index].transaction {
            Some(transaction) if transaction.tag == tag => {
                self.stop(index, Reason::Local, Some(tag), now, out);
                return;
            }
            Some(_) => Purpose::Stop,
            None if self.connectors[index]
                .right
                .as_ref()
                .is_some_and(|r| r.tag == tag) =>
            {
                self.connectors[index].right = None;
                return;
            }
            None => Purpose::Start,
        };
        self.authorize(connector, tag, purpose, now, out);
    }

    /// Asks the server, or the cache when there is nobody to ask or LocalPreAuthorize allows it.
    pub(crate) fn authorize(
        &mut self,
        connector: u32,
        tag: &str,
        purpose: Purpose,
        now: Millis,
        out: &mut Outputs,
    ) {
        let cached = self.config.flag(Key::LocalPreAuthorize)
            && self
                .known_tag(tag, now)
                .is_some_and(|info| info.status == TagStatus::Accepted);
        if !self.online() || cached {
            self.authorize_offline(connector, tag, purpose, now, out);
        } else {
            let request = Request::Authorize {
                connector,
                tag: String::from(tag),
                purpose,
            };
            self.outbox.push_front(request);
        }
    }

    pub(crate) fn authorize_offline(
        &mut self,
        connector: u32,
        tag: &str,
        purpose: Purpose,
        now: Millis,
        out: &mut Outputs,
    ) {
        let asked = self.config.flag(Key::LocalAuthorizeOffline) || self.online();
        let known = asked.then(|| self.known_tag(tag, now)).flatten();
        let status = match &known {
            Some(info) => info.status,
            None if self.config.flag(Key::AllowOfflineTxForUnknownId) => TagStatus::Accepted,
            None => TagStatus::Invalid,
        };
        let parent = known.and_then(|info| info.parent_id_tag);
        self.verdict(connector, tag, status, parent, purpose, now, out);
    }

    /// What follows when a tag has been judged.
    #[expect(
        clippy::too_many_arguments,
        reason = "a verdict has these parts, and three callers"
    )]
    pub(crate) fn verdict(
        &mut self,
        connector: u32,
        tag: &str,
        status: TagStatus,
        parent: Option<String>,
        purpose: Purpose,
        now: Millis,
        out: &mut Outputs,
    ) {
        let status = match self.at(connector) {
            // To this tag a connector that is kept for another is as closed as if the tag were unknown.
            Some(index)
                if purpose == Purpose::Start
                    && self.kept_for_another(index, tag, parent.as_deref()) =>
            {
                TagStatus::Invalid
            }
            _ => status,
        };
        out.event(Event::Authorized {
            connector,
            id_tag: String::from(tag),
            status,
        });
        let Some(index) = self.at(connector) else {
            return;
        };
        if status != TagStatus::Accepted {
            return;
        }
        match (purpose, &self.connectors[index].transaction) {
            (Purpose::Start, None) => {
                let until = now.after(self.config.number(Key::ConnectionTimeOut).max(1) * 1000);
                self.connectors[index].right = Some(Right {
                    tag: String::from(tag),
                    parent,
                    until,
                    profile: None,
                });
            }
            (Purpose::Stop, Some(t)) if parent.is_some() && t.parent == parent => {
                self.stop(index, Reason::Local, Some(tag), now, out);
            }
            _ => {}
        }
    }

    /// Ends the connector's transaction, if one runs.
    pub(crate) fn stop(
        &mut self,
        index: usize,
        reason: Reason,
        tag: Option<&str>,
        now: Millis,
        out: &mut Outputs,
    ) {
        let at = self.clock.stamp(now);
        self.keep_sample(index, Context::End, now);
        let connector = &mut self.connectors[index];
        let Some(transaction) = connector.transaction.take() else {
            return;
        };
        connector.finishing = connector.plugged;
        if let Some(operative) = connector.scheduled.take() {
            connector.operative = operative;
        }
        let meter_stop = connector.reading.energy_wh;
        out.event(Event::Stopped {
            connector: connector.id,
            local: transaction.local,
            reason,
            energy_wh: meter_stop.saturating_sub(transaction.meter_start),
        });
        let tag = tag.map(String::from);
        self.outbox.push(
            Request::Stop {
                local: transaction.local,
                tag,
                at,
                meter_stop,
                reason,
                samples: transaction.samples,
            },
            false,
        );
        self.drop_tx_profiles(self.connectors[index].id);
        self.dirty = true;
    }

    /// Keeps the reading for the transaction's StopTransaction, where that is configured.
    pub(crate) fn keep_sample(&mut self, index: usize, context: Context, now: Millis) {
        let key = match context {
            Context::Clock => Key::StopTxnAlignedData,
            _ => Key::StopTxnSampledData,
        };
        if self.config.measurands(key).next().is_none() {
            return;
        }
        let at = self.clock.stamp(now);
        let connector = &mut self.connectors[index];
        let reading = connector.reading;
        if let Some(transaction) = &mut connector.transaction {
            if transaction.samples.len() >= SAMPLE_LIMIT {
                let mut nth = 0;
                transaction.samples.retain(|sample| {
                    nth += 1;
                    nth % 2 == 0 || sample.context == Context::Begin
                });
            }
            transaction.samples.push(Sample {
                at,
                context,
                reading,
            });
        }
    }

    pub(crate) fn start(&mut self, index: usize, now: Millis, out: &mut Outputs) {
        let interval = self.config.number(Key::MeterValueSampleInterval) * 1000;
        let at = self.clock.stamp(now);
        let local = self.next_local;
        let connector = &mut self.connectors[index];
        let Some(right) = connector.right.take() else {
            return;
        };
        let (id, meter_start) = (connector.id, connector.reading.energy_wh);
        self.next_local += 1;
        let reservation = self.use_reservation(id, &right.tag, right.parent.as_deref());
        self.outbox.push(
            Request::Start {
                local,
                connector: id,
                tag: right.tag.clone(),
                at,
                meter_start,
                reservation,
            },
            false,
        );
        self.connectors[index].transaction = Some(Transaction {
            local,
            tag: right.tag,
            parent: right.parent,
            meter_start,
            began: at.utc,
            next_sample: (interval > 0).then(|| now.after(interval)),
            samples: Vec::new(),
            suspended_at: None,
        });
        self.keep_sample(index, Context::Begin, now);
        if let Some(profile) = right.profile {
            self.install(id, profile, now);
        }
        out.event(Event::Started {
            connector: id,
            local,
        });
        self.dirty = true;
    }

    /// Brings everything to rest.
    pub(crate) fn settle_all(&mut self, now: Millis, out: &mut Outputs) {
        self.settle_station(now, out);
        for index in 0..self.connectors.len() {
            self.settle(index, now, out);
        }
    }

    pub(crate) fn station_status(&self) -> Status {
        if self.operative && !self.updating {
            Status::Available
        } else {
            Status::Unavailable
        }
    }

    /// Tells of the charge point as a whole, which is connector 0.
    pub(crate) fn settle_station(&mut self, now: Millis, out: &mut Outputs) {
        let status = self.station_status();
        if !self.online() || self.station_reported == Some(status) {
            return;
        }
        self.station_reported = Some(status);
        self.outbox.drop_unsent_status(0);
        self.outbox.push(
            Request::Status {
                connector: 0,
                status,
                error: ErrorCode::NoError,
                at: self.clock.stamp(now),
            },
            false,
        );
        out.event(Event::Status(0, status));
    }

    /// Brings a connector to rest: starts what may start, and tells relay and server what is new.
    pub(crate) fn settle(&mut self, index: usize, now: Millis, out: &mut Outputs) {
        self.connectors[index].updating = self.updating;
        if self.connectors[index].can_start() && self.reset.is_none() {
            self.start(index, now, out);
        }
        self.obey(index, now, out);
        let at = self.clock.stamp(now);
        let online = self.online();
        let reserved = self.is_reserved(self.connectors[index].id);
        let least = self.config.number(Key::MinimumStatusDuration) * 1000;
        let connector = &mut self.connectors[index];
        connector.reserved = reserved;
        if connector.relay != connector.energized() {
            connector.relay = connector.energized();
            out.todo.push(Output::Relay(connector.id, connector.relay));
        }
        let (status, error) = (connector.status(), connector.fault);
        if connector.reported == Some((status, error)) {
            connector.unsettled = None;
            return;
        }
        // A fault is told at once, and so is what the server knows nothing of.
        if least > 0 && error == ErrorCode::NoError && connector.reported.is_some() {
            let same = connector.unsettled.filter(|(of, _)| *of == status);
            let (_, since) = *connector.unsettled.insert(same.unwrap_or((status, now)));
            if now < since.after(least) {
                return;
            }
        }
        connector.unsettled = None;
        // While the server cannot be told, only the newest status matters: it is told on return.
        if online {
            let id = connector.id;
            connector.reported = Some((status, error));
            self.outbox.drop_unsent_status(id);
            self.outbox.push(
                Request::Status {
                    connector: id,
                    status,
                    error,
                    at,
                },
                false,
            );
            out.event(Event::Status(id, status));
        }
    }
}
