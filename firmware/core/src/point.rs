//! The charge point: state, timers, and the one way in, [`ChargePoint::poll`].
//! The rules of charging are in `charging`, the answers to our messages are read in `answers`, the server's
//! requests are answered in `calls`.

use alloc::{format, string::String, vec::Vec};

use crate::{
    auth::AuthCache,
    config::{Configuration, Key},
    connector::{Connector, Reading},
    firmware::{self, Job},
    io::{Event, Input, Output, Outputs, RebootKind},
    journal::{Journal, OpenTransaction},
    local_list::LocalList,
    logs::Upload,
    ocpp::{
        firmware::{FirmwareStatus, UploadStatus},
        frame::{self, Frame},
        msg16::{self, Reason, Registration},
        security::SecurityEvent,
    },
    outbox::{Outbox, Request},
    reservation::Reservation,
    rng::Rng,
    settings::Settings,
    smart::Installed,
    time::{Clock, Millis, Stamp, Utc},
    work::{Awaited, Done},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// Down; connect at this time.
    Down(Millis),
    Connecting,
    Up,
    /// Being closed by us: nothing is sent any more.
    Closing,
}

#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    pub(crate) seq: u64,
    pub(crate) id: String,
    pub(crate) deadline: Millis,
}

/// Unanswered messages in a row after which the link counts as dead, though the socket seems open.
pub(crate) const DEAD_AFTER: u32 = 2;
/// A soft reset waits this long for its StopTransactions to be answered.
pub(crate) const SOFT_RESET_MS: u64 = 30_000;
/// BootNotification interval where the server gives none, ms.
pub(crate) const BOOT_RETRY_MS: u64 = 60_000;

/// A charge point. See the crate's documentation for how to drive it.
#[derive(Clone, Debug)]
pub struct ChargePoint {
    pub(crate) settings: Settings,
    pub(crate) config: Configuration,
    pub(crate) cache: AuthCache,
    pub(crate) clock: Clock,
    pub(crate) local_list: LocalList,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) profiles: Vec<Installed>,
    /// Whether the charge point as a whole is in use.
    pub(crate) operative: bool,
    /// What the server was told of connector 0.
    pub(crate) station_reported: Option<msg16::Status>,
    pub(crate) connectors: Vec<Connector>,
    pub(crate) outbox: Outbox,
    pub(crate) known: Vec<(u32, i64)>,
    pub(crate) in_flight: Option<InFlight>,
    pub(crate) registration: Option<Registration>,
    /// When to send BootNotification (again).
    pub(crate) boot_due: Option<Millis>,
    pub(crate) heartbeat_due: Option<Millis>,
    /// When to ping the server (WebSocketPingInterval).
    pub(crate) ping_due: Option<Millis>,
    /// The last ping is not answered.
    pub(crate) pinged: bool,
    pub(crate) reset: Option<(RebootKind, Millis)>,
    pub(crate) dirty: bool,
    /// The update under way, and the version that another one left.
    pub(crate) firmware: Option<Job>,
    pub(crate) version: Option<String>,
    pub(crate) firmware_told: (FirmwareStatus, Option<i64>),
    /// Nobody may start: firmware is about to be installed.
    pub(crate) updating: bool,
    pub(crate) upload: Option<Upload>,
    pub(crate) upload_told: (UploadStatus, Option<i64>),
    /// Work that the host does, by number.
    pub(crate) awaited: Vec<(u32, Awaited)>,
    pub(crate) next_work: u32,
    /// The link must be made anew: it was made with what is not so any more.
    pub(crate) reconnect: bool,
    /// The security profile before a change that has not proved itself, and failed connections since.
    pub(crate) profile_before: Option<(u8, u32)>,
    pub(crate) link: Link,
    failed_connects: u32,
    pub(crate) unanswered: u32,
    pub(crate) aligned_due: Option<Utc>,
    rng: Rng,
    pub(crate) boots: u32,
    next_message: u32,
    pub(crate) next_local: u32,
}

impl ChargePoint {
    /// A charge point that has just been switched on. Transactions that ran when the power went
    /// (those open in the journal) are ended with reason PowerLoss at their last known reading.
    #[must_use]
    pub fn new(settings: Settings, journal: Journal, now: Millis) -> Self {
        let mut config = Configuration::new(settings.connectors);
        for (key, value) in &journal.config {
            config.change(key, value);
        }
        let mut connectors: Vec<_> = (1..=settings.connectors).map(Connector::new).collect();
        for connector in &mut connectors {
            connector.operative = !journal.inoperative.contains(&connector.id);
        }
        let mut outbox = Outbox::restore(journal.queue);
        for open in &journal.open {
            outbox.push(power_loss(open), false);
        }
        let boots = journal.boots + 1;
        let (firmware, version) = firmware::rebooted(journal.firmware);
        let clock = Clock::new(now, settings.clock);
        if settings.security_events {
            outbox.push(
                Request::Security {
                    kind: SecurityEvent::Startup,
                    at: clock.stamp(now),
                    info: None,
                },
                false,
            );
        }
        Self {
            rng: Rng::new(settings.seed ^ (u64::from(boots) << 32)),
            clock,
            settings,
            config,
            cache: journal.cache,
            local_list: journal.local_list,
            reservations: journal.reservations,
            profiles: journal.profiles,
            operative: !journal.inoperative.contains(&0),
            station_reported: None,
            connectors,
            outbox,
            known: journal.known,
            in_flight: None,
            registration: None,
            boot_due: Some(now),
            heartbeat_due: None,
            ping_due: None,
            pinged: false,
            reset: None,
            dirty: true,
            firmware,
            version: version.or(journal.version),
            firmware_told: (FirmwareStatus::Idle, None),
            updating: false,
            upload: None,
            upload_told: (UploadStatus::Idle, None),
            awaited: Vec::new(),
            next_work: 0,
            reconnect: false,
            profile_before: None,
            link: Link::Down(now),
            failed_connects: 0,
            unanswered: 0,
            aligned_due: None,
            boots,
            next_message: 0,
            next_local: journal.next_local,
        }
    }

    /// Sets a configuration key from the charge point's own side, read-only ones included.
    pub fn configure(&mut self, key: Key, value: String) {
        self.config.put(key, value);
    }

    /// A vehicle stood at the connector already when the power came back.
    pub fn plugged_at_boot(&mut self, connector: u32) {
        self.with(connector, |c| c.plugged = true);
    }

    /// Whether an answer of the server is awaited, so that a virtual clock must not run ahead.
    #[must_use]
    pub fn waiting(&self) -> bool {
        self.in_flight.is_some() || self.link == Link::Connecting
    }

    /// Whether the answer to a ping is awaited; then a virtual clock must not run ahead either.
    #[must_use]
    pub fn pinging(&self) -> bool {
        self.pinged
    }

    /// The charge point's idea of the time.
    #[must_use]
    pub fn utc(&self, now: Millis) -> Utc {
        self.clock.utc(now)
    }

    /// Whether the contactor of a connector is closed.
    #[must_use]
    pub fn energized(&self, connector: u32) -> bool {
        self.at(connector)
            .is_some_and(|index| self.connectors[index].relay)
    }

    /// The status of a connector, if there is such a connector.
    #[must_use]
    pub fn status(&self, connector: u32) -> Option<msg16::Status> {
        self.at(connector)
            .map(|index| self.connectors[index].status())
    }

    /// Takes one input at a moment and says what to do. `now` never runs backwards.
    /// A meter reading alone causes nothing: the next poll uses it.
    pub fn poll(&mut self, now: Millis, input: Input<'_>, out: &mut Outputs) {
        if let Input::Meter(connector, reading) = input {
            self.with(connector, |c| {
                let (most_w, offered_da) =
                    c.offer.map_or((u32::MAX, 0), |o| (o.power_w, o.current_da));
                c.reading = Reading {
                    offered_w: reading.offered_w.min(most_w),
                    offered_da,
                    ..reading
                };
            });
            return;
        }
        self.take(now, input, out);
        self.timers(now, out);
        self.end_reservations(now);
        self.settle_all(now, out);
        self.move_update(now, out);
        self.move_upload(now, out);
        if core::mem::take(&mut self.reconnect) && self.link == Link::Up {
            self.link = Link::Closing;
            out.todo.push(Output::Disconnect);
        }
        self.send_next(now, out);
        self.finish_reset(now, out);
        if core::mem::take(&mut self.dirty) {
            out.todo.push(Output::Persist);
        }
        out.next_wakeup = self.next_wakeup(now);
    }

    fn take(&mut self, now: Millis, input: Input<'_>, out: &mut Outputs) {
        match input {
            Input::Tick | Input::Meter(..) => {}
            Input::LinkUp => {
                self.link = Link::Up;
                self.unanswered = 0;
                self.profile_before = None;
            }
            Input::LinkDown => self.link_down(now, out),
            Input::Done(number, done) => self.work_done(number, &done, now, out),
            Input::SecurityEvent(kind, info) => {
                self.security_event(kind, info.map(String::from), now, out);
            }
            Input::Text(text) => self.text(now, text, out),
            Input::Pong => self.pinged = false,
            Input::Plug(connector) => self.with(connector, |c| c.plugged = true),
            Input::Unplug(connector) => self.unplug(connector, now, out),
            Input::Swipe { connector, id_tag } => self.swipe(connector, id_tag, now, out),
            Input::StopButton(connector) => {
                if let Some(index) = self.at(connector) {
                    self.stop(index, Reason::Local, None, now, out);
                }
            }
            Input::VehicleReady(connector, ready) => {
                self.with(connector, |c| c.vehicle_ready = ready)
            }
            Input::Fault(connector, code) => self.fault(connector, code, now, out),
            Input::DataTransfer {
                vendor,
                message,
                data,
            } => self.outbox.push(
                Request::DataTransfer {
                    vendor: String::from(vendor),
                    message: message.map(String::from),
                    data: data.map(String::from),
                },
                false,
            ),
        }
    }

    pub(crate) fn at(&self, connector: u32) -> Option<usize> {
        self.connectors.iter().position(|c| c.id == connector)
    }

    pub(crate) fn with(&mut self, connector: u32, change: impl FnOnce(&mut Connector)) {
        if let Some(index) = self.at(connector) {
            change(&mut self.connectors[index]);
        }
    }

    /// The server may not have heard a connector's status.
    pub(crate) fn untold(&mut self, connector: u32) {
        self.with(connector, |c| c.reported = None);
        if connector == 0 {
            self.station_reported = None;
        }
    }

    /// The monotonic moment of a time that is to come.
    pub(crate) fn when(&self, at: Utc, now: Millis) -> Millis {
        now.after((at.0 - self.clock.utc(now).0).max(0).unsigned_abs())
    }

    pub(crate) fn accepted(&self) -> bool {
        self.registration == Some(Registration::Accepted)
    }

    /// Whether the server can be asked now.
    pub(crate) fn online(&self) -> bool {
        self.link == Link::Up && self.accepted()
    }

    fn link_down(&mut self, now: Millis, out: &mut Outputs) {
        self.in_flight = None;
        if self.link == Link::Connecting {
            self.profile_failed(out);
        }
        // Nobody waits for these answers any more.
        let answer = |awaited: &Awaited| matches!(awaited, Awaited::Answer(..));
        self.call_off(answer, out);
        for connector in self.outbox.unanswered_statuses() {
            self.untold(connector);
        }
        self.outbox.drop_transient();
        if !self.accepted() && self.boot_due.is_none() {
            self.boot_due = Some(now);
        }
        let shift = self.failed_connects.min(16);
        let delay = (self.settings.reconnect_min_ms << shift).min(self.settings.reconnect_max_ms);
        self.failed_connects += 1;
        let jitter = self.rng.below(delay / 2 + 1);
        self.link = Link::Down(now.after(delay / 2 + jitter));
    }

    fn text(&mut self, now: Millis, text: &str, out: &mut Outputs) {
        self.failed_connects = 0;
        self.pinged = false;
        match Frame::parse(text) {
            Ok(Frame::Call {
                id,
                action,
                payload,
            }) => {
                if let Some(answer) = self.answer_call(&id, &action, payload, now, out) {
                    out.todo.push(Output::Send(answer));
                }
            }
            Ok(Frame::Result { id, payload }) => match self.answered(&id) {
                Some(seq) => self.result(seq, payload, now, out),
                None => out.event(Event::Unexpected(String::from(text))),
            },
            Ok(Frame::Error {
                id,
                code,
                description,
            }) => match self.answered(&id) {
                Some(seq) => self.refused(seq, &code, &description, now, out),
                None => out.event(Event::Unexpected(String::from(text))),
            },
            Err(_) => out.event(Event::Unexpected(String::from(text))),
        }
    }

    /// The host has done some work.
    fn work_done(&mut self, number: u32, done: &Done<'_>, now: Millis, out: &mut Outputs) {
        let Some(at) = self.awaited.iter().position(|(of, _)| *of == number) else {
            return;
        };
        match self.awaited.remove(at).1 {
            Awaited::Upload => self.uploaded(done.is_good(), now),
            Awaited::Request => {
                if let Done::Text(csr) = done {
                    let csr = String::from(*csr);
                    self.outbox.push(Request::SignCertificate { csr }, true);
                }
            }
            Awaited::Answer(id, question) => {
                let action = String::from(question.action());
                let answer = self.answer_later(question, done, now, out);
                out.todo.push(Output::Send(frame::result(&id, &answer)));
                out.event(Event::Asked { action, answer });
            }
            step => self.update_done(&step, done, now, out),
        }
    }

    /// The message that this id answers, if it is the one in flight.
    fn answered(&mut self, id: &str) -> Option<u64> {
        let in_flight = self.in_flight.take_if(|f| f.id == id)?;
        self.unanswered = 0;
        Some(in_flight.seq)
    }

    fn send_next(&mut self, now: Millis, out: &mut Outputs) {
        if self.link != Link::Up || self.in_flight.is_some() {
            return;
        }
        let Some(entry) = self.outbox.ready(now, self.accepted()) else {
            return;
        };
        let (seq, request) = (entry.seq, entry.request.clone());
        let id = match &entry.message_id {
            Some(id) => id.clone(),
            None => {
                self.next_message += 1;
                let seed = self.settings.seed & 0xFFFF_FFFF;
                format!("{seed:08x}-{}-{}", self.boots, self.next_message)
            }
        };
        let text = frame::call(&id, request.action(), &self.payload(&request));
        if let Some(entry) = self.outbox.get_mut(seq) {
            self.dirty |= entry.request.kept() && entry.message_id.is_none();
            entry.message_id = Some(id.clone());
        }
        let deadline = now.after(self.settings.call_timeout_ms);
        self.in_flight = Some(InFlight { seq, id, deadline });
        out.todo.push(Output::Send(text));
    }

    /// Reboots once a reset has been answered, and for a soft one once its stops are delivered.
    fn finish_reset(&mut self, now: Millis, out: &mut Outputs) {
        let Some((kind, at)) = self.reset else { return };
        let delivered = self.outbox.kept().next().is_none();
        if kind == RebootKind::Hard || delivered || at.after(SOFT_RESET_MS) <= now {
            self.reset = None;
            out.todo.push(Output::Persist);
            out.todo.push(Output::Reboot(kind));
        }
    }
}

/// The end of a transaction that ran when the power went.
fn power_loss(open: &OpenTransaction) -> Request {
    Request::Stop {
        local: open.local,
        tag: None,
        at: Stamp {
            utc: open.at,
            guessed: false,
        },
        meter_stop: open.meter_wh,
        reason: Reason::PowerLoss,
        samples: Vec::new(),
    }
}
