//! The rules of charging: who may, when a transaction starts and ends, and what follows for relay and status.

use alloc::string::String;

use crate::{
    config::Key,
    connector::{Right, Transaction},
    io::{Event, Output, Outputs},
    ocpp::msg16::{Context, ErrorCode, Reason, TagStatus},
    outbox::{Purpose, Request},
    point::ChargePoint,
    time::Millis,
};

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
            && self.config.flag(Key::AuthorizationCacheEnabled)
            && self
                .cache
                .lookup(tag, self.clock.utc(now))
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
        let known = (self.config.flag(Key::LocalAuthorizeOffline)
            && self.config.flag(Key::AuthorizationCacheEnabled))
        .then(|| self.cache.lookup(tag, self.clock.utc(now)))
        .flatten();
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
            },
            false,
        );
        self.dirty = true;
    }

    pub(crate) fn start(&mut self, index: usize, now: Millis, out: &mut Outputs) {
        let interval = self.config.number(Key::MeterValueSampleInterval) * 1000;
        let at = self.clock.stamp(now);
        let local = self.next_local;
        let connector = &mut self.connectors[index];
        let Some(right) = connector.right.take() else {
            return;
        };
        let meter_start = connector.reading.energy_wh;
        self.next_local += 1;
        self.outbox.push(
            Request::Start {
                local,
                connector: connector.id,
                tag: right.tag.clone(),
                at,
                meter_start,
            },
            false,
        );
        connector.transaction = Some(Transaction {
            local,
            tag: right.tag,
            parent: right.parent,
            meter_start,
            next_sample: (interval > 0).then(|| now.after(interval)),
            suspended: false,
        });
        out.event(Event::Started {
            connector: connector.id,
            local,
        });
        self.dirty = true;
    }

    /// Brings a connector to rest: starts what may start, and tells relay and server what is new.
    pub(crate) fn settle(&mut self, index: usize, now: Millis, out: &mut Outputs) {
        if self.connectors[index].can_start() && self.reset.is_none() {
            self.start(index, now, out);
        }
        let at = self.clock.stamp(now);
        let online = self.online();
        let connector = &mut self.connectors[index];
        if connector.relay != connector.energized() {
            connector.relay = connector.energized();
            out.todo.push(Output::Relay(connector.id, connector.relay));
        }
        let (status, error) = (connector.status(), connector.fault);
        if connector.reported == Some((status, error)) {
            return;
        }
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
