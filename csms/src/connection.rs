//! One task a socket. It drives the Link, keeps one message of the station in the works, sends commands, and pings.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::{SinkExt, StreamExt, poll};
use ocpp::{Limits, Link, MessageId, Output, Reason, Version};
use store::ingest::{Direction, Effect, MessageRow};
use store::presence::Connected;
use store::stations::{Registration, Station};
use tokio::time::Instant;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use crate::commands::{CommandSlot, Step, automatic, effects};
use crate::ops::{Refusal, Seated, event};
use crate::pace::{Metered, Pace, USED_UP};
use crate::places::Place;
use crate::registry::{Close, Control, Flapping, Seat};
use crate::server::MESSAGE_BYTES;
use crate::wire::Wire;
use crate::{Csms, v16};

/// Messages of a station that may wait behind the one in the works; past that its socket is not read (back-pressure
/// loses nothing, a CALLERROR would).
const MOST_WAITING: usize = 8;
/// How long a station may take to read what we send, when the buffers on the way are full.
const SEND_TIME: Duration = Duration::from_secs(8);
/// How long a closing handshake may take.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// How long the last answers may take when we shut down.
const LAST_ANSWER_TIME: Duration = Duration::from_secs(5);

/// Frames that are read at once, and how many a second in the long run; what comes faster waits.
const FRAMES: (u32, u32) = (2000, 1000);
/// The same for pings and pongs, of which no charger needs more: who sends them faster is closed.
const CONTROL_FRAMES: (u32, u32) = (200, 10);
/// Frames in a row that are none of OCPP, after which a station is closed: it is lost, or means harm.
const MOST_UNREADABLE: u32 = 100;
/// Bytes that a message may take on the wire: in small pieces more than it has itself.
const WIRE_BYTES: usize = 2 * MESSAGE_BYTES;
/// What a frame takes beside its payload, at most.
const FRAME_HEAD: usize = 14;

pub(crate) type Socket = WebSocketStream<Metered<Wire>>;
/// The answer to a CALL of the station.
type Answer = Result<String, Refusal>;

/// A station that offers no version of ours: the handshake is complete, now close (OCPP-J 3.2).
pub(crate) async fn turn_away(mut socket: Socket) {
    close(&mut socket, CloseCode::Protocol, "no subprotocol in common").await;
}

/// Why a connection came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The station left, or its socket broke.
    Gone,
    /// Nothing was heard for too long.
    Silent,
    /// Our wish.
    Told(Close),
    /// A message was too large or no WebSocket at all.
    Unfit(CloseCode),
}

/// What waits for its turn.
enum Item {
    Call {
        id: MessageId,
        action: String,
        payload: String,
    },
    /// A frame that nobody answers goes to the message log all the same.
    Note(Box<MessageRow>),
}

/// The message in the works.
struct Working {
    /// Whose answer it is; a note has none.
    id: Option<MessageId>,
    answer: BoxFuture<'static, Answer>,
}

/// A station's connection.
pub(crate) struct Connection {
    csms: Arc<Csms>,
    seat: Seat,
    link: Link,
    /// What ops know of the station; replaced when its row changes.
    seated: Arc<Seated>,
    opened: Instant,
    heard: Instant,
    working: Option<Working>,
    waiting: VecDeque<Item>,
    command: CommandSlot,
    /// What it did not say yet, until it was reminded of it.
    silence: Option<automatic::Silence>,
    frames: Pace,
    control_frames: Pace,
    /// Unreadable frames since the last that was one.
    unreadable: u32,
}

impl Connection {
    /// Gives a station's new socket its seat. Boxed, like the socket: a task that waits for hours is no bigger than it must
    /// be, and values handed from one future into the next would be held twice.
    pub(crate) fn open(
        csms: Arc<Csms>,
        station: Station,
        certified: Option<String>,
        version: Version,
        address: IpAddr,
    ) -> Box<Self> {
        let now = csms.clock.now();
        let (seat, replaced) = csms
            .registry
            .take_over(station.id, address, now.timestamp_micros());
        if let Some(old) = replaced {
            tracing::info!(station.id = %station.identity, old = %old.address, new = %address, "a new socket takes over");
            metrics::counter!("forecourt_takeovers_total").increment(1);
        }
        if let Some(flapping) = seat.handle.flapping() {
            tell_flapping(&csms, &station, &flapping);
        }
        metrics::gauge!("forecourt_connections").increment(1.0);
        csms.presence.opened(Connected {
            station_id: station.id,
            generation: seat.handle.generation,
            protocol: version.subprotocol().to_owned(),
            address: address.to_string(),
            at: now,
        });
        if csms.shutdown.soft().is_cancelled() {
            // It came in while all others were told.
            seat.handle.tell(Control::Close(Close::Restart));
        }
        let opened = Instant::now();
        let pace = |(burst, rate)| Pace::new(rate, burst, opened);
        Box::new(Connection {
            frames: pace(FRAMES),
            control_frames: pace(CONTROL_FRAMES),
            unreadable: 0,
            link: Link::new(
                version,
                Limits {
                    call_timeout: csms.options.call_timeout,
                    ..Limits::default()
                },
            ),
            seated: Arc::new(Seated::new(station, certified)),
            seat,
            csms,
            opened,
            heard: opened,
            working: None,
            waiting: VecDeque::new(),
            command: CommandSlot::default(),
            silence: Some(automatic::Silence {
                boot: true,
                status: true,
            }),
        })
    }

    /// Serves the station until its socket ends. `place` is the socket's among all.
    pub(crate) async fn serve(mut self: Box<Self>, mut socket: Box<Socket>, place: Place) {
        let end = self.drive(&mut socket).await;
        Box::pin(self.finish(&mut socket, end)).await;
        drop(socket);

        metrics::gauge!("forecourt_connections").decrement(1.0);
        self.csms.presence.closed(&self.seat.handle);
        self.csms.registry.leave(&self.seat.handle);
        drop(place);
    }

    /// The loop: one thing at a time, whichever comes first.
    async fn drive(&mut self, socket: &mut Socket) -> End {
        let timer = tokio::time::sleep_until(self.next_wake());
        tokio::pin!(timer);
        loop {
            let may_read = self.waiting.len() < MOST_WAITING;
            // What is rare is boxed: its room would be kept for as long as the connection lasts.
            // In the order of likelihood: every branch before the one that is ready costs a look. No frame can keep the
            // others from their turn for long, since a few unanswered ones stop the reading.
            let done = tokio::select! {
                biased;
                answer = answered(&mut self.working) => self.answer(socket, answer).await,
                frame = socket.next(), if may_read => self.receive(socket, frame).await,
                step = self.command.next() => Box::pin(self.advance_command(socket, step)).await,
                Some(control) = self.seat.control.recv() => Box::pin(self.obey(control)).await,
                () = &mut timer => {
                    let kept = Box::pin(self.on_time(socket)).await;
                    timer.as_mut().reset(self.next_wake());
                    kept
                }
            };
            if let Err(end) = done {
                return end;
            }
            // A CALL of ours may have to be given up before the next ping is due.
            if self.link.deadline().is_some() && self.next_wake() < timer.deadline() {
                timer.as_mut().reset(self.next_wake());
            }
        }
    }

    /// A frame came, or the socket ended.
    async fn receive(
        &mut self,
        socket: &mut Socket,
        frame: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
    ) -> Result<(), End> {
        use tokio_tungstenite::tungstenite::Error;
        let message = match frame {
            Some(Ok(message)) => message,
            Some(Err(Error::Capacity(_))) => return Err(End::Unfit(CloseCode::Size)),
            Some(Err(Error::Utf8(_))) => return Err(End::Unfit(CloseCode::Invalid)),
            Some(Err(Error::Protocol(_))) => return Err(End::Unfit(CloseCode::Protocol)),
            Some(Err(Error::Io(error))) if error.kind() == USED_UP => {
                return Err(End::Unfit(CloseCode::Size));
            }
            Some(Err(_)) | None => return Err(End::Gone),
        };
        self.heard = Instant::now();
        self.keep_pace(socket, &message).await?;
        self.seat
            .handle
            .last_seen
            .store(self.csms.clock.now().timestamp_micros(), Ordering::Relaxed);
        match message {
            Message::Text(text) => self.read(socket, text.as_str()).await,
            // Some chargers send their text in binary frames (quirk 12).
            Message::Binary(bytes) => match std::str::from_utf8(&bytes) {
                Ok(text) => self.read(socket, text).await,
                Err(_) => Err(End::Unfit(CloseCode::Unsupported)),
            },
            // tungstenite answers pings; its pong leaves with the next flush.
            Message::Ping(_) => flush(socket).await,
            Message::Pong(_) | Message::Frame(_) => Ok(()),
            Message::Close(_) => Err(End::Gone),
        }
    }

    /// Slows down, or closes, a station that sends faster than any charger would.
    async fn keep_pace(&mut self, socket: &mut Socket, message: &Message) -> Result<(), End> {
        if message.is_text() || message.is_binary() {
            socket.get_mut().grant(WIRE_BYTES);
        } else {
            // It may come between the pieces of a message, which has its bytes already.
            socket.get_mut().give_back(message.len() + FRAME_HEAD);
            if !self.control_frames.take(self.heard).is_zero() {
                return Err(End::Unfit(CloseCode::Policy));
            }
        }
        let early = self.frames.take(self.heard);
        if !early.is_zero() {
            tokio::time::sleep(early).await;
        }
        Ok(())
    }

    async fn read(&mut self, socket: &mut Socket, text: &str) -> Result<(), End> {
        let outputs = self.link.receive(self.opened.elapsed(), text);
        self.act(socket, outputs, text).await
    }

    /// Does what the Link says. `text` is the frame that led to it, for the message log.
    async fn act(
        &mut self,
        socket: &mut Socket,
        outputs: Vec<Output>,
        text: &str,
    ) -> Result<(), End> {
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            match output {
                Output::Send(frame) => send(socket, frame).await?,
                Output::Asked {
                    id,
                    action,
                    payload,
                } => {
                    self.unreadable = 0;
                    outputs.extend(self.asked(id, action, payload));
                }
                Output::Answered { id, outcome } => {
                    self.unreadable = 0;
                    self.command.ended(&self.csms, &self.seated, &id, outcome);
                }
                Output::Ignored(Reason::Empty | Reason::InFlight(_)) => {}
                Output::Ignored(reason) => {
                    if matches!(reason, Reason::Malformed(_)) {
                        self.unreadable += 1;
                        if self.unreadable > MOST_UNREADABLE {
                            return Err(End::Unfit(CloseCode::Protocol));
                        }
                    }
                    self.note(&reason, text);
                }
            }
        }
        Ok(())
    }

    /// The station asks. Most answers need the database and take their turn; a Heartbeat is answered at once.
    fn asked(&mut self, id: MessageId, action: String, payload: String) -> Vec<Output> {
        if action == "Heartbeat" && !self.seated.station.options.log_heartbeats {
            self.seat.handle.heartbeats.fetch_add(1, Ordering::Relaxed);
            let now = self.csms.clock.now();
            let answer = v16::heartbeat(&self.seated, now);
            let station = self.seated.station.id;
            if let Some(seen) = self.csms.effects.shown_by(station, &action, &payload, now) {
                effects::note(&self.csms, seen);
            }
            return self.link.answer(&id, answer);
        }
        if let Some(silence) = &mut self.silence {
            silence.boot &= action != "BootNotification";
            silence.status &= action != "StatusNotification";
        }
        self.waiting.push_back(Item::Call {
            id,
            action,
            payload,
        });
        self.work();
        Vec::new()
    }

    /// Begins the next waiting message, if none is in the works.
    fn work(&mut self) {
        if self.working.is_some() {
            return;
        }
        self.working = self.waiting.pop_front().map(|item| {
            let (csms, seated) = (self.csms.clone(), self.seated.clone());
            match item {
                Item::Call {
                    id,
                    action,
                    payload,
                } => {
                    let answer = v16::answer(csms, seated, id.clone(), action, payload);
                    Working {
                        id: Some(id),
                        answer: Box::pin(answer),
                    }
                }
                Item::Note(row) => Working {
                    id: None,
                    answer: Box::pin(async move {
                        let effect = Effect {
                            messages: vec![*row],
                            ..Effect::default()
                        };
                        csms.ingest.write(seated.station.id, effect).await?;
                        Ok(String::new())
                    }),
                },
            }
        });
    }

    /// The message in the works is decided and durable: answer it, and begin the next.
    async fn answer(
        &mut self,
        socket: &mut Socket,
        (id, answer): (Option<MessageId>, Answer),
    ) -> Result<(), End> {
        let said = match answer {
            Ok(payload) => Ok(payload),
            Err(Refusal::Say(error)) => Err(error),
            // Silence is the only honest answer: the station will ask again.
            Err(Refusal::Broken) => return Err(End::Told(Close::TryLater)),
            Err(Refusal::OtherStation) => {
                let identity = &self.seated.station.identity;
                let refusal = crate::handshake::other_serial(&self.seated);
                let address = self.seat.handle.address;
                self.csms.refusals.note(identity, address, &refusal);
                return Err(End::Told(Close::OtherStation));
            }
        };
        if let Some(id) = id {
            let outputs = self.link.answer(&id, said);
            self.act(socket, outputs, "").await?;
        }
        self.work();
        Ok(())
    }

    /// Answers everything that was read, for nothing more is.
    async fn answer_the_last(&mut self, socket: &mut Socket) {
        while self.working.is_some() {
            let last = answered(&mut self.working).await;
            if self.answer(socket, last).await.is_err() {
                return;
            }
        }
    }

    fn note(&mut self, reason: &Reason, text: &str) {
        tracing::debug!(station.id = %self.seated.station.identity, %reason, "a frame is ignored");
        let now = self.csms.clock.now();
        let row = MessageRow {
            id: store::ids::new_id(now),
            received_at: now,
            station_id: self.seated.station.id,
            direction: Direction::In,
            message_id: String::new(),
            action: String::new(),
            payload: text.replace('\0', "\u{fffd}"),
            answer: None,
            error_code: None,
            answered_at: None,
            findings: Some(reason.to_string()),
        };
        self.waiting.push_back(Item::Note(Box::new(row)));
        self.work();
    }

    async fn advance_command(&mut self, socket: &mut Socket, step: Step) -> Result<(), End> {
        let Some(call) = self.command.advance(&self.csms, &self.seated, step) else {
            return Ok(());
        };
        let id = MessageId::new(&call.message_id);
        let outputs = self
            .link
            .call(self.opened.elapsed(), id, &call.action, &call.payload);
        self.act(socket, outputs, "").await
    }

    async fn obey(&mut self, control: Control) -> Result<(), End> {
        match control {
            Control::CommandWaits if self.seated.station.registration == Registration::Accepted => {
                self.command.look(&self.csms, &self.seated);
            }
            Control::StationChanged => {
                let identity = &self.seated.station.identity;
                match self.csms.lookups.station(identity).await {
                    Ok(Some(station)) if station.id == self.seated.station.id => {
                        if let Some(why) = self.seated.is_ended_by(&station) {
                            return Err(End::Told(why));
                        }
                        self.seated = Arc::new(self.seated.with(station));
                    }
                    Ok(_) => return Err(End::Told(Close::Forgotten)),
                    Err(_) => {}
                }
            }
            Control::CommandWaits => {}
            Control::Close(why) => return Err(End::Told(why)),
        }
        Ok(())
    }

    /// When to look at the time again: for a ping, for the end of patience, for an overdue answer.
    fn next_wake(&self) -> Instant {
        let (silence, interval) = (self.heard.elapsed(), self.csms.options.ping_interval);
        let due = if self.seated.station.options.no_pings {
            self.heard + self.patience()
        } else if silence < interval {
            self.heard + interval
        } else {
            (Instant::now() + interval).min(self.heard + self.patience())
        };
        let due = match self.silence {
            Some(_) => due.min(self.opened + self.csms.options.remind_after),
            None => due,
        };
        match self.link.deadline() {
            Some(deadline) => due.min(self.opened + deadline),
            None => due,
        }
    }

    /// How long a station may be silent.
    fn patience(&self) -> Duration {
        if self.seated.station.options.no_pings {
            // Nothing but its own heartbeats is sure to come (quirk 11).
            return self
                .csms
                .options
                .heartbeat_interval
                .max(Duration::from_secs(10))
                * 2
                + self.csms.options.ping_grace;
        }
        self.csms.options.ping_interval * 2 + self.csms.options.ping_grace
    }

    async fn on_time(&mut self, socket: &mut Socket) -> Result<(), End> {
        let outputs = self.link.tick(self.opened.elapsed());
        self.act(socket, outputs, "").await?;
        if self.opened.elapsed() >= self.csms.options.remind_after
            && let Some(silence) = self.silence.take()
            && self.seated.is_accepted()
        {
            automatic::after_silence(&self.csms, &self.seated, silence);
        }
        let (silence, interval) = (self.heard.elapsed(), self.csms.options.ping_interval);
        if silence >= self.patience() {
            return Err(End::Silent);
        }
        if silence >= interval && !self.seated.station.options.no_pings {
            send_message(socket, Message::Ping(bytes::Bytes::new())).await?;
        }
        Ok(())
    }

    /// Ends in order: what was asked is answered when we shut down, then the socket is closed.
    async fn finish(&mut self, socket: &mut Socket, end: End) {
        tracing::debug!(station.id = %self.seated.station.identity, ?end, "a socket ends");
        if end == End::Told(Close::Restart) {
            drop(tokio::time::timeout(LAST_ANSWER_TIME, self.answer_the_last(socket)).await);
        }
        match end {
            End::Gone => drop(tokio::time::timeout(CLOSE_TIME, socket.close(None)).await),
            End::Silent => {}
            End::Told(Close::Replaced) => {
                close(socket, CloseCode::Policy, "another socket of this station").await
            }
            End::Told(Close::Restart) => {
                close(socket, CloseCode::Restart, "the server restarts").await
            }
            End::Told(Close::OtherStation) => {
                close(
                    socket,
                    CloseCode::Policy,
                    "the serial number is not the certificate's",
                )
                .await
            }
            End::Told(Close::Forgotten) => {
                close(socket, CloseCode::Policy, "not registered any more").await
            }
            End::Told(Close::Blocked) => close(socket, CloseCode::Policy, "blocked").await,
            End::Told(Close::Outdated) => {
                let reason = "the credentials have changed; come back with the new ones";
                close(socket, CloseCode::Policy, reason).await
            }
            End::Told(Close::TryLater) => {
                close(socket, CloseCode::Again, "nothing can be stored now").await
            }
            End::Unfit(code) => close(socket, code, "").await,
        }
        self.link.close();
        self.command.socket_lost(&self.csms, &self.seated).await;
    }
}

/// Two devices of one identity push each other out (quirk 7): somebody has to be told which two.
fn tell_flapping(csms: &Arc<Csms>, station: &Station, flapping: &Flapping) {
    let addresses: Vec<String> = flapping.addresses.iter().map(ToString::to_string).collect();
    tracing::warn!(station.id = %station.identity, ?addresses, "sockets of one station push each other out");
    let detail = serde_json::json!({ "takeovers": flapping.takeovers, "addresses": addresses });
    let event = event(station, csms.clock.now(), "station.flapping", None, detail);
    let effect = Effect {
        events: vec![event],
        ..Effect::default()
    };
    let (csms, station) = (csms.clone(), station.id);
    tokio::spawn(async move { drop(csms.ingest.write(station, effect).await) });
}

/// Waits for the message in the works; for ever if there is none.
async fn answered(working: &mut Option<Working>) -> (Option<MessageId>, Answer) {
    let Some(current) = working else {
        return std::future::pending().await;
    };
    let answer = (&mut current.answer).await;
    let id = working.take().and_then(|done| done.id);
    (id, answer)
}

async fn send(socket: &mut Socket, frame: String) -> Result<(), End> {
    send_message(socket, Message::text(frame)).await
}

/// Sends, at once if the socket takes it; a station that does not read is given up.
async fn send_message(socket: &mut Socket, message: Message) -> Result<(), End> {
    in_time(socket.send(message)).await
}

async fn flush(socket: &mut Socket) -> Result<(), End> {
    in_time(socket.flush()).await
}

/// A timer only where it is needed: nearly every write is done at once.
async fn in_time<E>(write: impl Future<Output = Result<(), E>>) -> Result<(), End> {
    tokio::pin!(write);
    let written = match poll!(&mut write) {
        Poll::Ready(written) => written,
        Poll::Pending => tokio::time::timeout(SEND_TIME, write)
            .await
            .map_err(|_| End::Silent)?,
    };
    written.map_err(|_| End::Gone)
}

async fn close(socket: &mut Socket, code: CloseCode, reason: &'static str) {
    let frame = CloseFrame {
        code,
        reason: reason.into(),
    };
    let closing = async {
        socket.close(Some(frame)).await?;
        // The station's own Close, so that nothing it has sent is cut off by a reset.
        while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
        Ok::<_, tokio_tungstenite::tungstenite::Error>(())
    };
    drop(tokio::time::timeout(CLOSE_TIME, closing).await);
}
