//! What happens because time passed, and when it does next.

use alloc::vec::Vec;

use crate::{
    config::Key,
    io::{Event, Output, Outputs},
    ocpp::msg16::Context,
    outbox::Request,
    point::{BOOT_RETRY_MS, ChargePoint, DEAD_AFTER, Link, SOFT_RESET_MS},
    time::{Millis, Utc},
};

impl ChargePoint {
    pub(crate) fn timers(&mut self, now: Millis, out: &mut Outputs) {
        if let Link::Down(at) = self.link
            && at <= now
        {
            self.link = Link::Connecting;
            out.todo.push(Output::Connect);
        }
        if self.in_flight.as_ref().is_some_and(|f| f.deadline <= now) {
            self.no_answer(now, out);
        }
        if self.link == Link::Up && self.boot_due.is_some_and(|at| at <= now) {
            self.boot_due = None;
            if !self.outbox.any(|r| matches!(r, Request::Boot)) {
                self.outbox.push_front(Request::Boot);
            }
        }
        if self.online() && self.heartbeat_due.is_some_and(|at| at <= now) {
            self.heartbeat_due = Some(self.next_heartbeat(now));
            if !self.outbox.any(|r| matches!(r, Request::Heartbeat)) {
                self.outbox.push(Request::Heartbeat, false);
            }
        }
        self.ping(now, out);
        self.sample(now);
        for connector in &mut self.connectors {
            if connector
                .right
                .as_ref()
                .is_some_and(|right| right.until <= now)
            {
                connector.right = None;
            }
        }
    }

    pub(crate) fn next_heartbeat(&self, now: Millis) -> Millis {
        now.after(self.config.number(Key::HeartbeatInterval).max(1) * 1000)
    }

    /// Pings the server where it wants that. One who has not answered when the next is due is not there any more, though the
    /// socket seems open.
    fn ping(&mut self, now: Millis, out: &mut Outputs) {
        let interval = self.config.number(Key::WebSocketPingInterval) * 1000;
        if self.link != Link::Up || interval == 0 {
            (self.ping_due, self.pinged) = (None, false);
            return;
        }
        // A shorter interval holds from now on, not from the next ping on.
        let next = now.after(interval);
        let due = self.ping_due.map_or(next, |due| due.min(next));
        self.ping_due = Some(due);
        if due > now {
            return;
        }
        if self.pinged {
            (self.ping_due, self.pinged) = (None, false);
            self.link = Link::Closing;
            out.todo.push(Output::Disconnect);
        } else {
            (self.ping_due, self.pinged) = (Some(next), true);
            out.todo.push(Output::Ping);
        }
    }

    fn no_answer(&mut self, now: Millis, out: &mut Outputs) {
        let Some(in_flight) = self.in_flight.take() else {
            return;
        };
        self.unanswered += 1;
        let Some(entry) = self.outbox.get_mut(in_flight.seq) else {
            return;
        };
        out.event(Event::Unanswered(entry.request.action()));
        let again = entry.request.kept() && !entry.request.durable() && entry.attempts < 2;
        if again {
            entry.attempts += 1;
            entry.not_before = now.after(BOOT_RETRY_MS);
        } else if !entry.request.durable()
            && let Some(entry) = self.outbox.remove(in_flight.seq)
        {
            match entry.request {
                Request::Boot => self.boot_due = Some(now.after(BOOT_RETRY_MS)),
                Request::Authorize {
                    connector,
                    tag,
                    purpose,
                } => {
                    self.authorize_offline(connector, &tag, purpose, now, out);
                }
                Request::Status { connector, .. } => self.untold(connector),
                _ => {}
            }
        }
        if self.unanswered >= DEAD_AFTER {
            self.unanswered = 0;
            self.link = Link::Closing;
            out.todo.push(Output::Disconnect);
        }
    }

    fn sample(&mut self, now: Millis) {
        let interval = self.config.number(Key::MeterValueSampleInterval) * 1000;
        for index in 0..self.connectors.len() {
            let Some(transaction) = &mut self.connectors[index].transaction else {
                continue;
            };
            if transaction.next_sample.is_some_and(|at| at <= now) {
                transaction.next_sample = (interval > 0).then(|| now.after(interval));
                self.keep_sample(index, Context::Periodic, now);
                self.meter(index, Context::Periodic, now, false);
            }
        }
        let aligned = (self.config.number(Key::ClockAlignedDataInterval) * 1000).cast_signed();
        let utc = self.clock.utc(now);
        if aligned == 0 {
            self.aligned_due = None;
        } else if self.aligned_due.is_none_or(|at| at <= utc) {
            let due = self
                .aligned_due
                .replace(Utc((utc.0.div_euclid(aligned) + 1) * aligned));
            if due.is_some() {
                for index in 0..self.connectors.len() {
                    self.keep_sample(index, Context::Clock, now);
                    self.meter(index, Context::Clock, now, false);
                }
            }
        }
    }

    pub(crate) fn next_wakeup(&self, now: Millis) -> Option<Millis> {
        let mut times: Vec<Millis> = Vec::new();
        match self.link {
            Link::Down(at) => times.push(at),
            Link::Connecting | Link::Closing => {}
            Link::Up => {
                times.extend(self.boot_due);
                times.extend(self.heartbeat_due.filter(|_| self.accepted()));
                times.extend(self.ping_due);
                times.extend(self.outbox.next_attempt(now));
            }
        }
        times.extend(self.in_flight.as_ref().map(|f| f.deadline));
        times.extend(self.reset.map(|(_, at)| at.after(SOFT_RESET_MS)));
        times.extend(self.aligned_due.map(|due| self.when(due, now)));
        times.extend(self.next_expiry(now));
        times.extend(self.next_turn(now));
        times.extend(self.next_update(now));
        times.extend(self.next_upload());
        let unsettled = self.config.number(Key::MinimumStatusDuration) * 1000;
        for connector in &self.connectors {
            times.extend(connector.unsettled.map(|(_, since)| since.after(unsettled)));
            times.extend(connector.right.as_ref().map(|r| r.until));
            times.extend(connector.transaction.as_ref().and_then(|t| t.next_sample));
        }
        times.into_iter().min()
    }
}
