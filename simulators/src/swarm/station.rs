//! One station of a swarm: connect, boot, then one CALL after the other until the end.
//! A message without an answer is sent again after the reconnect, as chargers do; a refused one three times in all.

use std::{
    future::poll_fn,
    rc::Rc,
    sync::atomic::Ordering,
    task::Poll,
    time::{Duration, Instant},
};

use evse_core::{
    Reading, Utc,
    ocpp::{
        Frame, frame,
        msg16::{
            AuthorizeConf, BootNotificationConf, Registration, StartTransactionConf, TagStatus,
        },
    },
};
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite::tungstenite::Message;

use super::{
    Workload,
    template::{CONNECTOR, Fill, Frames},
    worker::{Phase, Slot, Worker},
};
use crate::{
    clock::utc_now,
    ledger::Entry,
    socket::{ConnectError, Socket},
};

/// A refused message is tried so often in all.
const ATTEMPTS: u32 = 3;
const RETRY: Duration = Duration::from_millis(500);
const RECONNECT_MIN: Duration = Duration::from_millis(50);
const RECONNECT_MAX: Duration = Duration::from_secs(1);
const SAMPLES: u32 = 8;

/// What is being sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Boot,
    Heartbeat,
    Authorize,
    Start,
    Meter(u32),
    Stop,
}

/// How a CALL ended.
enum Answer {
    Result {
        transaction: Option<i64>,
        accepted: bool,
    },
    Error,
    Unreadable,
}

/// Why there is no answer.
enum NoAnswer {
    /// The link broke.
    Lost,
    /// The answer is overdue.
    Late,
    /// The run has ended.
    Ended,
}

pub(super) async fn station(worker: Rc<Worker>, number: usize) {
    let mut station = Station::new(worker, number);
    if station.deliver(Step::Boot).await.is_none() {
        return;
    }
    station
        .worker
        .shared
        .arrived
        .fetch_add(1, Ordering::Relaxed);
    let mut phase = station.worker.shared.phase.clone();
    if station.worker.options.workload == Workload::Idle {
        station.hold_still().await;
        return;
    }
    if phase.wait_for(|p| *p != Phase::Connecting).await.is_err() {
        return;
    }
    while !station.worker.ended.get() {
        let done = match station.worker.options.workload {
            Workload::Heartbeat => station.deliver(Step::Heartbeat).await.map(drop),
            _ => station.session().await,
        };
        if done.is_none() {
            // Given up or ended: a fresh start, unless it is over.
            tokio::task::yield_now().await;
        }
    }
}

struct Station {
    worker: Rc<Worker>,
    slot: Rc<Slot>,
    name: String,
    tag: String,
    password: Option<String>,
    frames: Frames,
    socket: Option<Socket>,
    was_connected: bool,
    next_id: u64,
    fill: Fill,
    register_wh: u64,
}

impl Station {
    fn new(worker: Rc<Worker>, number: usize) -> Self {
        let options = &worker.options;
        let tag = options.tags.name(number);
        let now = utc_now().0;
        let register_wh = 1_000_000 + number as u64 * 7_919;
        let reading = Reading {
            energy_wh: register_wh,
            power_w: 0,
            current_da: 0,
            voltage_dv: 2_300 + (number % 50) as u32,
            soc_percent: Some(20),
            offered_w: 22_000,
            ..Reading::default()
        };
        Self {
            slot: worker.slot(),
            name: options.ids.name(number),
            password: options.passwords.as_ref().map(|format| format.name(number)),
            frames: Frames::new(&tag),
            tag,
            socket: None,
            was_connected: false,
            // Ids differ between runs, so that a server's memory of earlier ones does not answer.
            next_id: now.unsigned_abs() * 1_000,
            fill: Fill {
                id: 0,
                transaction: 0,
                at: Utc(now),
                reading,
            },
            register_wh,
            worker,
        }
    }

    /// One whole session. `None` if a message was given up, or the run ended.
    async fn session(&mut self) -> Option<()> {
        self.fill.reading.energy_wh = self.register_wh;
        self.deliver(Step::Authorize).await?;
        self.fill.transaction = self.deliver(Step::Start).await??;
        for sample in 1..=SAMPLES {
            self.deliver(Step::Meter(sample)).await?;
        }
        self.deliver(Step::Stop).await?;
        self.worker.counts.borrow_mut().sessions += 1;
        Some(())
    }

    /// Sets the holes of a new message: a time later than any before, and a meter that has moved on.
    fn prepare(&mut self, step: Step) {
        let now = utc_now().0;
        self.fill.at = Utc(now.max(self.fill.at.0 + 1));
        let reading = &mut self.fill.reading;
        match step {
            Step::Meter(sample) => {
                self.register_wh += 180 + u64::from(sample) * 3;
                reading.energy_wh = self.register_wh;
                reading.power_w = 21_400 - sample * 37;
                reading.current_da = 310 - sample;
                reading.soc_percent = Some(20 + sample as u8 * 5);
            }
            Step::Stop => {
                self.register_wh += 12;
                reading.energy_wh = self.register_wh;
            }
            _ => {}
        }
    }

    fn text(&self, step: Step) -> String {
        match step {
            Step::Boot => self.frames.boot.render(&self.fill),
            Step::Heartbeat => self.frames.heartbeat.render(&self.fill),
            Step::Authorize => self.frames.authorize.render(&self.fill),
            Step::Start => self.frames.start.render(&self.fill),
            Step::Meter(_) => self.worker.meter.render(&self.fill),
            Step::Stop => self.frames.stop.render(&self.fill),
        }
    }

    /// Sends a message until it is answered. `Some(transaction id)` when it was; `None` when it was given up
    /// or the run is over.
    async fn deliver(&mut self, step: Step) -> Option<Option<i64>> {
        self.prepare(step);
        self.new_id();
        let mut refusals = 0;
        let mut sent_before = false;
        loop {
            self.connect().await?;
            if sent_before {
                self.worker.counts.borrow_mut().replayed += 1;
            }
            let begun = Instant::now();
            match self.call(step, begun).await {
                Ok(Answer::Result {
                    transaction,
                    accepted,
                }) => {
                    if step == Step::Boot && !accepted {
                        self.count("boot_not_accepted");
                        tokio::time::sleep(Duration::from_secs(1)).await;
                        self.new_id();
                        continue;
                    }
                    self.acknowledged(step, transaction, accepted, begun);
                    return Some(transaction);
                }
                Ok(refusal) => {
                    self.count(if matches!(refusal, Answer::Error) {
                        "call_error"
                    } else {
                        "unreadable"
                    });
                    refusals += 1;
                    if refusals == ATTEMPTS || self.worker.ended.get() {
                        self.count("given_up");
                        return None;
                    }
                    tokio::time::sleep(RETRY * refusals).await;
                    self.new_id();
                }
                Err(NoAnswer::Ended) => return None,
                Err(why) => {
                    self.socket = None;
                    if matches!(why, NoAnswer::Late) {
                        self.count("timeout");
                    } else {
                        self.count("closed");
                    }
                    if sent_before {
                        // Chargers differ: the first repetition has the same id, later ones a new one.
                        self.new_id();
                    }
                }
            }
            sent_before = true;
        }
    }

    fn new_id(&mut self) {
        self.next_id += 1;
        self.fill.id = self.next_id;
    }

    fn count(&self, kind: &'static str) {
        self.worker.counts.borrow_mut().error(kind);
    }

    fn acknowledged(&self, step: Step, transaction: Option<i64>, accepted: bool, begun: Instant) {
        let mut counts = self.worker.counts.borrow_mut();
        if self.worker.measuring.get() {
            counts
                .latency
                .record(u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX));
        }
        if !accepted {
            counts.error("tag_not_accepted");
        }
        let Some(ledger) = &self.worker.ledger else {
            return;
        };
        let (station, at) = (self.name.clone(), self.fill.at);
        let energy_wh = self.fill.reading.energy_wh;
        let entry = match step {
            Step::Start => Entry::Start {
                station,
                connector: CONNECTOR,
                id_tag: self.tag.clone(),
                at,
                meter_start: energy_wh,
                transaction_id: transaction.unwrap_or(0),
            },
            Step::Meter(_) => Entry::Meter {
                station,
                connector: CONNECTOR,
                transaction_id: self.fill.transaction,
                at,
                energy_wh,
            },
            Step::Stop => Entry::Stop {
                station,
                transaction_id: self.fill.transaction,
                at,
                meter_stop: energy_wh,
            },
            Step::Boot | Step::Heartbeat | Step::Authorize => return,
        };
        if ledger.send(entry).is_err() {
            self.worker
                .shared
                .problem(|| "the ledger cannot be written any more".to_owned());
            counts.error("ledger");
        }
    }

    /// Opens the socket if it is not open. `None` if the run ended meanwhile.
    async fn connect(&mut self) -> Option<()> {
        let mut pause = RECONNECT_MIN;
        while self.socket.is_none() {
            if self.worker.ended.get() {
                return None;
            }
            let dialled = {
                let _permit = self.worker.dialling.acquire().await.ok()?;
                let password = self.password.as_deref().map(str::as_bytes);
                let dial = self.worker.target.connect(&self.name, password);
                let limit = self.worker.options.call_timeout;
                tokio::time::timeout(limit, dial).await.unwrap_or_else(|_| {
                    Err(ConnectError::Unreachable {
                        authority: self.worker.target.authority().to_owned(),
                        source: std::io::ErrorKind::TimedOut.into(),
                    })
                })
            };
            match dialled {
                Ok(socket) => {
                    if self.was_connected {
                        self.worker.counts.borrow_mut().reconnects += 1;
                    }
                    self.was_connected = true;
                    self.socket = Some(socket);
                }
                Err(problem) => {
                    self.not_connected(&problem);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(RECONNECT_MAX);
                }
            }
        }
        Some(())
    }

    fn not_connected(&self, problem: &ConnectError) {
        self.worker.shared.problem(|| problem.to_string());
        let mut counts = self.worker.counts.borrow_mut();
        match problem {
            ConnectError::Refused { .. } => counts.refused += 1,
            _ => counts.error("connect"),
        }
    }

    async fn call(&mut self, step: Step, begun: Instant) -> Result<Answer, NoAnswer> {
        let text = self.text(step);
        let id = self.fill.id;
        let Some(socket) = &mut self.socket else {
            return Err(NoAnswer::Lost);
        };
        self.slot.expired.set(false);
        self.slot
            .deadline
            .set(Some(begun + self.worker.options.call_timeout));
        socket
            .send(Message::text(text))
            .await
            .map_err(|_| NoAnswer::Lost)?;
        let answer = loop {
            let text = match received(socket, &self.slot, None).await? {
                Message::Text(text) => text,
                Message::Close(_) => return Err(NoAnswer::Lost),
                _ => continue,
            };
            match Frame::parse(&text) {
                Ok(Frame::Result { id: of, payload }) if of.parse() == Ok(id) => {
                    break read(step, payload);
                }
                Ok(Frame::Error {
                    id: of,
                    code,
                    description,
                }) if of.parse() == Ok(id) => {
                    self.worker
                        .shared
                        .problem(|| format!("{step:?} was answered {code}: {description}"));
                    break Answer::Error;
                }
                Ok(Frame::Call { id, .. }) => {
                    let answer =
                        frame::error(&id, "NotImplemented", "a station of a swarm only sends");
                    socket
                        .send(Message::text(answer))
                        .await
                        .map_err(|_| NoAnswer::Lost)?;
                }
                // An answer to something older.
                Ok(_) => {}
                Err(_) => break Answer::Unreadable,
            }
        };
        self.slot.deadline.set(None);
        Ok(answer)
    }

    /// Reads (and so answers pings) until the end, coming back if the link breaks.
    async fn hold_still(&mut self) {
        while self.connect().await.is_some() {
            let Some(socket) = &mut self.socket else {
                return;
            };
            match received(socket, &self.slot, Some(&self.worker)).await {
                Ok(Message::Close(_)) | Err(NoAnswer::Lost | NoAnswer::Late) => {
                    self.count("closed");
                    self.socket = None;
                }
                Ok(_) => {}
                Err(NoAnswer::Ended) => return,
            }
        }
    }
}

/// The next message, unless the sweep finds the wait overdue, or the run ends for one who only holds still.
async fn received(
    socket: &mut Socket,
    slot: &Slot,
    until_end_of: Option<&Worker>,
) -> Result<Message, NoAnswer> {
    poll_fn(|context| {
        if slot.expired.replace(false) {
            return Poll::Ready(Err(NoAnswer::Late));
        }
        if until_end_of.is_some_and(|worker| worker.ended.get()) {
            return Poll::Ready(Err(NoAnswer::Ended));
        }
        match socket.poll_next_unpin(context) {
            Poll::Ready(Some(Ok(message))) => Poll::Ready(Ok(message)),
            Poll::Ready(_) => Poll::Ready(Err(NoAnswer::Lost)),
            Poll::Pending => {
                let mut waker = slot.waker.borrow_mut();
                if !waker
                    .as_ref()
                    .is_some_and(|known| known.will_wake(context.waker()))
                {
                    *waker = Some(context.waker().clone());
                }
                Poll::Pending
            }
        }
    })
    .await
}

fn read(step: Step, payload: &str) -> Answer {
    let tag = |status| status == TagStatus::Accepted;
    let read = match step {
        Step::Boot => serde_json::from_str::<BootNotificationConf<'_>>(payload)
            .map(|conf| (None, conf.status == Registration::Accepted)),
        Step::Authorize => serde_json::from_str::<AuthorizeConf>(payload)
            .map(|conf| (None, tag(conf.id_tag_info.status))),
        Step::Start => serde_json::from_str::<StartTransactionConf>(payload)
            .map(|conf| (Some(conf.transaction_id), tag(conf.id_tag_info.status))),
        Step::Heartbeat | Step::Meter(_) | Step::Stop => Ok((None, true)),
    };
    match read {
        Ok((transaction, accepted)) => Answer::Result {
            transaction,
            accepted,
        },
        Err(_) => Answer::Unreadable,
    }
}
