//! What the server's answers to our messages do.

use alloc::string::String;

use serde::Deserialize;

use crate::{
    config::Key,
    io::{Event, Outputs},
    ocpp::msg16::{
        AuthorizeConf, BootNotificationConf, HeartbeatConf, IdTagInfo, Reason, Registration,
        StartTransactionConf, StopTransactionConf, TagStatus,
    },
    outbox::{Entry, Request},
    point::ChargePoint,
    time::{Millis, Utc},
};

/// Wait for another BootNotification where the server gives 0, s.
const DEFAULT_BOOT_INTERVAL: u64 = 60;

impl ChargePoint {
    pub(crate) fn result(&mut self, seq: u64, payload: &str, now: Millis, out: &mut Outputs) {
        match self.understand(seq, payload, now, out) {
            Ok(()) => {
                self.outbox.remove(seq);
                self.forget_finished();
            }
            Err(problem) => {
                self.refused(
                    seq,
                    "FormationViolation",
                    &alloc::format!("{problem}"),
                    now,
                    out,
                );
            }
        }
    }

    /// Applies a CALLRESULT. Nothing changes if it cannot be read.
    fn understand(
        &mut self,
        seq: u64,
        payload: &str,
        now: Millis,
        out: &mut Outputs,
    ) -> Result<(), serde_json::Error> {
        let Some(entry) = self.outbox.get_mut(seq) else {
            return Ok(());
        };
        self.dirty |= entry.request.kept();
        match entry.request.clone() {
            Request::Boot => self.booted(read(payload)?, now, out),
            Request::Heartbeat => {
                let conf: HeartbeatConf<'_> = read(payload)?;
                self.follow_clock(&conf.current_time, now);
            }
            Request::Authorize {
                connector,
                tag,
                purpose,
            } => {
                let conf: AuthorizeConf = read(payload)?;
                self.cache.learn(&tag, &conf.id_tag_info);
                let IdTagInfo {
                    status,
                    parent_id_tag,
                    ..
                } = conf.id_tag_info;
                self.verdict(connector, &tag, status, parent_id_tag, purpose, now, out);
            }
            Request::Start { local, tag, .. } => {
                self.start_known(local, &tag, read(payload)?, now, out)
            }
            Request::Stop { local, tag, .. } => {
                let conf: StopTransactionConf = read(payload)?;
                if let (Some(tag), Some(info)) = (tag, conf.id_tag_info) {
                    self.cache.learn(&tag, &info);
                }
                out.event(Event::StopAcknowledged {
                    local,
                    transaction_id: self.server_id(local),
                });
            }
            Request::Meter { .. } => out.event(Event::MeterAcknowledged),
            // The answers to all other messages say nothing.
            _ => {}
        }
        Ok(())
    }

    fn booted(&mut self, conf: BootNotificationConf<'_>, now: Millis, out: &mut Outputs) {
        let interval = u64::try_from(conf.interval).unwrap_or(0);
        self.registration = Some(conf.status);
        self.follow_clock(&conf.current_time, now);
        out.event(Event::Boot {
            status: conf.status,
            interval,
        });
        if conf.status == Registration::Accepted {
            if interval > 0 {
                self.config
                    .put(Key::HeartbeatInterval, alloc::format!("{interval}"));
            }
            self.heartbeat_due = Some(self.next_heartbeat(now));
        } else {
            let wait = if interval == 0 {
                DEFAULT_BOOT_INTERVAL
            } else {
                interval
            };
            self.boot_due = Some(now.after(wait * 1000));
        }
    }

    fn follow_clock(&mut self, server: &str, now: Millis) {
        let charging = self.connectors.iter().any(|c| c.transaction.is_some());
        if let Some(utc) = Utc::parse(server)
            && let Some(moved) = self.clock.follow(now, utc, charging)
        {
            self.outbox.settle(moved);
            self.dirty = true;
        }
    }

    /// The server's id of a transaction is known: later messages of it carry it.
    fn start_known(
        &mut self,
        local: u32,
        tag: &str,
        conf: StartTransactionConf,
        now: Millis,
        out: &mut Outputs,
    ) {
        self.cache.learn(tag, &conf.id_tag_info);
        self.known.push((local, conf.transaction_id));
        let status = conf.id_tag_info.status;
        out.event(Event::StartAcknowledged {
            local,
            transaction_id: conf.transaction_id,
            status,
        });
        let running = |c: &crate::connector::Connector| {
            c.transaction.as_ref().is_some_and(|t| t.local == local)
        };
        let Some(index) = self.connectors.iter().position(running) else {
            return;
        };
        if status == TagStatus::Accepted {
            if let Some(transaction) = &mut self.connectors[index].transaction {
                transaction.parent = conf.id_tag_info.parent_id_tag;
            }
        } else if self.config.flag(Key::StopTransactionOnInvalidId) {
            self.stop(index, Reason::DeAuthorized, None, now, out);
        } else {
            let more = self.config.number(Key::MaxEnergyOnInvalidId);
            let connector = &mut self.connectors[index];
            if let Some(transaction) = &mut connector.transaction {
                transaction.suspended_at = Some(connector.reading.energy_wh + more);
            }
        }
    }

    /// A CALLERROR, or an answer nobody can read. A transaction message is tried again after
    /// TransactionMessageRetryInterval times the attempts made, and set aside after all of them.
    pub(crate) fn refused(
        &mut self,
        seq: u64,
        code: &str,
        description: &str,
        now: Millis,
        out: &mut Outputs,
    ) {
        let attempts = self.config.number(Key::TransactionMessageAttempts).max(1);
        let interval = self.config.number(Key::TransactionMessageRetryInterval) * 1000;
        let Some(entry) = self.outbox.get_mut(seq) else {
            return;
        };
        let action = entry.request.action();
        out.event(Event::Refused {
            action,
            code: String::from(code),
            description: String::from(description),
        });
        if entry.request.durable() && entry.attempts + 1 < attempts {
            entry.attempts += 1;
            entry.not_before = now.after(interval * entry.attempts);
            // The server may answer a known id from its memory, so a refused message gets a new one.
            entry.message_id = None;
            self.dirty = true;
            return;
        }
        let Some(Entry { request, .. }) = self.outbox.remove(seq) else {
            return;
        };
        self.dirty |= request.kept();
        match request {
            Request::Boot => self.boot_due = Some(now.after(DEFAULT_BOOT_INTERVAL * 1000)),
            Request::Authorize {
                connector,
                tag,
                purpose,
            } => {
                self.verdict(connector, &tag, TagStatus::Invalid, None, purpose, now, out);
            }
            request if request.durable() => out.event(Event::GaveUp(action)),
            _ => {}
        }
        self.forget_finished();
    }

    /// Ids of transactions that neither run nor have messages queued are not needed any more.
    fn forget_finished(&mut self) {
        let Self {
            known,
            connectors,
            outbox,
            ..
        } = self;
        known.retain(|(local, _)| {
            connectors
                .iter()
                .any(|c| c.transaction.as_ref().is_some_and(|t| t.local == *local))
                || outbox.any(|request| match request {
                    Request::Meter { local: of, .. } => *of == Some(*local),
                    Request::Stop { local: of, .. } => of == local,
                    _ => false,
                })
        });
    }
}

fn read<'a, T: Deserialize<'a>>(payload: &'a str) -> Result<T, serde_json::Error> {
    serde_json::from_str(payload)
}
