//! The driver: one task that joins the core to a socket, meters, a virtual clock, faults and a trace. How frames get
//! from one to the other is in `traffic`.

mod traffic;

use std::{collections::VecDeque, future::Future, pin::Pin, time::Duration};

use evse_core::{
    ChargePoint, Done, Event, Input, Journal, Key, Millis, Output, Outputs, Settings,
    ocpp::{firmware::LogKind, msg16::TagStatus},
};
use tokio::{
    sync::mpsc::{UnboundedReceiver, UnboundedSender},
    time::{Instant, sleep, sleep_until, timeout},
};

use tokio_tungstenite::tungstenite::{Bytes, Message};
use traffic::{Late, dialled, received};

use super::{
    Command, Options, StationEvent,
    host::{Finished, Host, Outcome},
    session::{Act, Visit},
};
use crate::{
    clock::{Clock, Speed},
    fault::Interceptor,
    physics::{Meter, Supply},
    quirks::{Quirks, Wire},
    socket::{ConnectError, Socket, Target},
    trace::{TraceFile, Tracer},
};

/// Meters are read this often while energy flows, virtual ms.
const METER_TICK_MS: u64 = 10_000;
/// At shutdown the answer that is awaited may take so long.
const DRAIN: Duration = Duration::from_secs(2);
type Dial = Pin<Box<dyn Future<Output = Result<Socket, ConnectError>> + Send>>;

pub(super) struct Driver {
    options: Options,
    target: Target,
    /// The security profile that the server ordered.
    profile: Option<u8>,
    core: ChargePoint,
    journal: Journal,
    clock: Clock,
    meters: Vec<Meter>,
    ready: Vec<bool>,
    visits: Vec<Option<Visit>>,
    metered: Millis,
    next_wakeup: Option<Millis>,
    socket: Option<Socket>,
    dial: Option<Dial>,
    offline: bool,
    /// Nothing goes through the socket, though it is open.
    half_open: bool,
    /// Sockets that were given up half open: the server does not hear of it.
    forsaken: Vec<Socket>,
    /// What the core waits for was lost on the way, and will not come.
    lost: bool,
    /// Until when virtual time runs from one thing to do to the next, because somebody asked for it.
    advance_to: Option<Millis>,
    host: Host,
    quirks: Quirks,
    /// Answers that a quirk gives in the server's place.
    heard: VecDeque<String>,
    interceptor: Interceptor,
    late: Vec<Late>,
    /// What the link did while outputs were being performed.
    link_news: VecDeque<bool>,
    tracer: Tracer,
    trace: Option<TraceFile>,
    inbox: UnboundedReceiver<Command>,
    events: UnboundedSender<StationEvent>,
}

impl Driver {
    pub(super) fn new(
        options: Options,
        target: Target,
        trace: Option<TraceFile>,
        inbox: UnboundedReceiver<Command>,
        events: UnboundedSender<StationEvent>,
    ) -> Self {
        let count = options.connectors;
        let meters = (0..u64::from(count))
            .map(|n| {
                let register_wh = options.register_wh + n * 83_511;
                Meter::new(options.supply, register_wh as f64, options.seed + n)
            })
            .collect();
        Self {
            core: switched_on(&options, Journal::default(), Millis(0), options.start),
            journal: Journal::default(),
            clock: Clock::new(options.speed, std::time::Instant::now()),
            meters,
            ready: vec![true; count as usize],
            visits: (0..count).map(|_| None).collect(),
            metered: Millis(0),
            next_wakeup: Some(Millis(0)),
            socket: None,
            dial: None,
            offline: false,
            half_open: false,
            forsaken: Vec::new(),
            lost: false,
            advance_to: None,
            host: Host::new(options.serial.as_deref().unwrap_or(&options.id)),
            quirks: Quirks::new(&options.quirks),
            heard: VecDeque::new(),
            interceptor: Interceptor::new(options.faults.clone(), options.seed),
            late: Vec::new(),
            link_news: VecDeque::new(),
            tracer: Tracer::default(),
            trace,
            inbox,
            events,
            target,
            profile: None,
            options,
        }
    }

    pub(super) async fn run(mut self) {
        let mut closing = None;
        self.step(Input::Tick).await;
        loop {
            if closing.is_some_and(|at| at <= Instant::now() || !self.core.waiting()) {
                break;
            }
            self.advance();
            let fast = self.fast();
            self.clock.run_fast(std::time::Instant::now(), fast);
            let wait = match self.wakeup() {
                Some(at) => self.clock.until(std::time::Instant::now(), at, fast),
                None => Duration::from_secs(3600),
            };
            let late = self.late.iter().map(|l| l.due).min();
            tokio::select! {
                biased;
                command = self.inbox.recv() => match command {
                    Some(Command::Shutdown) => closing = Some(Instant::now() + DRAIN),
                    None => break,
                    Some(command) => self.command(command).await,
                },
                dialled = dialled(&mut self.dial) => self.dialled(dialled).await,
                frame = received(&mut self.socket), if !self.half_open => self.received(frame).await,
                finished = self.host.finished() => self.finished(finished).await,
                () = due(closing) => {}
                () = due(late) => self.deliver_late().await,
                () = pause(wait) => self.step(Input::Tick).await,
            }
        }
        if let Some(mut socket) = self.socket.take() {
            // The other side may be gone already: then there is nobody to say goodbye to.
            let _ = timeout(Duration::from_secs(2), socket.close(None)).await;
        }
    }

    /// Virtual time.
    fn now(&self) -> Millis {
        self.clock.now(std::time::Instant::now())
    }

    /// Time may run fast while vehicles are there and nothing of the server is awaited.
    fn fast(&self) -> bool {
        let busy = self.visits.iter().any(Option::is_some)
            || (1..=self.options.connectors).any(|c| self.core.energized(c));
        self.idle() && (busy || self.options.speed != Speed::Max)
    }

    /// Nothing of the server or of the host is awaited, and the station has its connection or cannot have one.
    fn idle(&self) -> bool {
        (self.socket.is_some() || self.offline) && self.nothing_comes()
    }

    /// Nothing of the server or of the host is awaited; what was lost on the way does not come.
    fn nothing_comes(&self) -> bool {
        let answered = self.lost || !self.core.waiting();
        let ponged = self.half_open || !self.core.pinging();
        answered && ponged && !self.host.busy() && self.late.is_empty()
    }

    /// Goes on to the next thing to do if time was asked to pass, and says so once it has passed. The next attempt to connect
    /// is such a thing; the attempt itself takes what it takes.
    fn advance(&mut self) {
        // What waits for the network waits for nothing that time would bring.
        let Some(to) = self
            .advance_to
            .filter(|_| self.nothing_comes() || self.offline)
        else {
            return;
        };
        let real = std::time::Instant::now();
        if self.now() < to || self.metered < to {
            let next = self.wakeup().map_or(to, |at| at.min(to));
            self.clock.jump(real, next);
            // At the end there may be nothing to do but to look at the meters.
            self.next_wakeup = Some(self.next_wakeup.map_or(to, |at| at.min(to)));
        } else {
            self.advance_to = None;
            self.tell(StationEvent::Advanced);
        }
    }

    fn wakeup(&self) -> Option<Millis> {
        let charging = (1..=self.options.connectors).any(|c| self.core.energized(c));
        let tick = charging.then(|| self.metered.after(METER_TICK_MS));
        let visits = self
            .visits
            .iter()
            .flatten()
            .filter_map(Visit::deadline)
            .min();
        [self.next_wakeup, tick, visits].into_iter().flatten().min()
    }

    /// Lets time pass up to now, gives the core one input and does what it says, until nothing follows.
    async fn step(&mut self, input: Input<'_>) {
        let now = self.now();
        self.let_time_pass(now);
        self.poll(now, input).await;
        loop {
            if let Some(up) = self.link_news.pop_front() {
                self.poll(now, if up { Input::LinkUp } else { Input::LinkDown })
                    .await;
            } else if let Some(text) = self.heard.pop_front() {
                self.poll(now, Input::Text(&text)).await;
            } else if let Some((connector, act)) = self.next_act(now) {
                self.act(now, connector, act).await;
            } else {
                break;
            }
        }
    }

    async fn poll(&mut self, now: Millis, input: Input<'_>) {
        let mut out = Outputs::default();
        self.core.poll(now, input, &mut out);
        self.next_wakeup = out.next_wakeup;
        for output in out.todo {
            self.perform(now, output).await;
        }
    }

    fn let_time_pass(&mut self, now: Millis) {
        let seconds = now.0.saturating_sub(self.metered.0) as f64 / 1000.0;
        self.metered = now;
        for (index, connector) in (1..=self.options.connectors).enumerate() {
            let meter = &mut self.meters[index];
            meter.advance(seconds, self.core.energized(connector));
            let mut unused = Outputs::default();
            self.core
                .poll(now, Input::Meter(connector, meter.reading()), &mut unused);
        }
    }

    fn next_act(&mut self, now: Millis) -> Option<(u32, Act)> {
        for index in 0..self.visits.len() {
            let soc = self.meters[index].soc().unwrap_or(0.0);
            if let Some(act) = self.visits[index].as_mut().and_then(|v| v.act(now, soc)) {
                return Some((index as u32 + 1, act));
            }
        }
        for index in 0..self.meters.len() {
            let ready = self.meters[index].hungry() || self.meters[index].soc().is_none();
            if self.ready[index] != ready {
                self.ready[index] = ready;
                return Some((index as u32 + 1, Act::Ready(ready)));
            }
        }
        None
    }

    async fn act(&mut self, now: Millis, connector: u32, act: Act) {
        let index = connector as usize - 1;
        match act {
            Act::Swipe => {
                if let Some(visit) = &self.visits[index] {
                    let id_tag = visit.session.id_tag.clone();
                    self.poll(
                        now,
                        Input::Swipe {
                            connector,
                            id_tag: &id_tag,
                        },
                    )
                    .await;
                }
            }
            Act::Unplug => {
                let visit = self.visits[index].take();
                self.meters[index].unplug();
                self.poll(now, Input::Unplug(connector)).await;
                let energy_wh = visit.and_then(|v| v.energy_wh);
                self.tell(StationEvent::SessionOver {
                    connector,
                    energy_wh,
                });
            }
            Act::Ready(ready) => self.poll(now, Input::VehicleReady(connector, ready)).await,
        }
    }

    async fn perform(&mut self, now: Millis, output: Output) {
        match output {
            Output::Connect if self.offline => self.link_news.push_back(false),
            Output::Connect => {
                let target = self.target.clone();
                // A certificate is enough (security profile 3).
                let password = self.options.password.clone();
                let password = password.filter(|_| self.profile != Some(3));
                let id = self.options.id.clone();
                self.dial = Some(Box::pin(async move {
                    target.connect(&id, password.as_deref()).await
                }));
            }
            Output::Disconnect => self.hang_up(),
            Output::Send(text) => self.send(text).await,
            Output::Ping => self.put(Message::Ping(Bytes::new())).await,
            // The contactor is the core's own state here: meters ask it.
            Output::Relay(..) => {}
            Output::Offer(connector, offer) => self.meters[connector as usize - 1].offer(offer),
            Output::Work(number, work) => {
                let at = self.core.utc(now);
                self.host.begin(number, work, at, self.target.tls());
            }
            Output::CallOff(number) => self.host.call_off(number),
            Output::Password(password) => {
                self.options.password = Some(password);
                self.tell(StationEvent::Password);
            }
            Output::SecurityProfile(profile) => {
                self.profile = Some(profile);
                self.target = self.target.clone().at_profile(profile);
                self.tell(StationEvent::SecurityProfile(profile));
            }
            Output::Persist => self.journal = self.core.journal(now),
            Output::Reboot(_) => self.reboot(now),
            Output::Event(event) => self.core_event(now, event),
        }
    }

    fn core_event(&mut self, now: Millis, event: Event) {
        let visit_at = |connector: u32| connector as usize - 1;
        match &event {
            Event::Started { connector, .. } => {
                if let Some(visit) = &mut self.visits[visit_at(*connector)] {
                    visit.started(now);
                }
            }
            Event::Stopped {
                connector,
                energy_wh,
                ..
            } => {
                if let Some(visit) = &mut self.visits[visit_at(*connector)] {
                    visit.stopped(*energy_wh, now);
                }
            }
            Event::Authorized {
                connector, status, ..
            } if *status != TagStatus::Accepted => {
                if let Some(visit) = &mut self.visits[visit_at(*connector)] {
                    visit.refused(now);
                }
            }
            Event::Security(kind) => {
                let at = self.core.utc(now);
                self.host
                    .log(LogKind::Security, at, kind.as_str().to_owned());
            }
            _ => {}
        }
        self.tell(StationEvent::Core(event));
    }

    async fn finished(&mut self, finished: Finished) {
        if let Some(problem) = finished.problem {
            self.tell(StationEvent::WorkFailed(problem));
        }
        if let Some((chain, key)) = self.host.new_identity() {
            match self.target.showing(&chain, &key) {
                Ok(target) => self.target = target,
                Err(problem) => self.tell(StationEvent::WorkFailed(problem.to_string())),
            }
            self.tell(StationEvent::Certificate { chain, key });
        }
        let number = finished.number;
        match finished.outcome {
            Outcome::Yes => self.step(Input::Done(number, Done::Yes)).await,
            Outcome::No => self.step(Input::Done(number, Done::No)).await,
            Outcome::Failed => self.step(Input::Done(number, Done::Failed)).await,
            Outcome::Text(text) => self.step(Input::Done(number, Done::Text(&text))).await,
            Outcome::Certificates(list) => {
                self.step(Input::Done(number, Done::Certificates(list)))
                    .await;
            }
        }
    }

    async fn command(&mut self, command: Command) {
        let known = |connector: u32| (1..=self.options.connectors).contains(&connector);
        match command {
            Command::Plug(connector, vehicle, soc) if known(connector) => {
                self.meters[connector as usize - 1].plug(vehicle, soc);
                self.step(Input::Plug(connector)).await;
            }
            Command::Session(session) if known(session.connector) => {
                let connector = session.connector;
                self.let_time_pass(self.now());
                self.meters[connector as usize - 1].plug(session.vehicle.clone(), session.soc);
                let visit = Visit::new(session, self.now());
                self.visits[connector as usize - 1] = Some(visit);
                self.step(Input::Plug(connector)).await;
            }
            Command::Unplug(connector) if known(connector) => {
                self.let_time_pass(self.now());
                self.meters[connector as usize - 1].unplug();
                self.step(Input::Unplug(connector)).await;
            }
            Command::Swipe(connector, id_tag) => {
                self.step(Input::Swipe {
                    connector,
                    id_tag: &id_tag,
                })
                .await;
            }
            Command::StopButton(connector) => self.step(Input::StopButton(connector)).await,
            Command::Fault(connector, code) => self.step(Input::Fault(connector, code)).await,
            Command::DataTransfer(vendor, message, data) => {
                let (message, data) = (message.as_deref(), data.as_deref());
                self.step(Input::DataTransfer {
                    vendor: &vendor,
                    message,
                    data,
                })
                .await;
            }
            Command::SecurityEvent(kind, info) => {
                self.step(Input::SecurityEvent(kind, info.as_deref())).await;
            }
            Command::Configure(key, value) => {
                self.core.configure(key, value);
                self.step(Input::Tick).await;
            }
            Command::Advance(by) => {
                let by = u64::try_from(by.as_millis()).unwrap_or(u64::MAX);
                self.advance_to = Some(self.now().after(by));
            }
            Command::Offline(offline) => {
                self.offline = offline;
                // What went into a half-open socket is gone; what came for it can be read now.
                self.half_open = false;
                if offline {
                    self.cut().await;
                }
            }
            Command::HalfOpen => {
                self.half_open = self.socket.is_some();
                self.late.clear();
                self.lost = self.half_open;
            }
            Command::Weather(faults) => self.interceptor.weather(faults),
            Command::Crash => self.cut().await,
            Command::PowerCut => {
                self.reboot(self.now());
                self.step(Input::Tick).await;
            }
            Command::Raw(text) => {
                self.pass_out(Wire::Text(text)).await;
                self.step(Input::Tick).await;
            }
            // A connector that does not exist has nothing that could happen to it.
            Command::Plug(..) | Command::Session(_) | Command::Unplug(_) | Command::Shutdown => {}
        }
    }

    /// Off and on again: only the journal and the physical world remain.
    fn reboot(&mut self, now: Millis) {
        self.hang_up();
        self.host.reboot();
        self.link_news.clear();
        let clock = self.options.start.map(|_| self.core.utc(now));
        self.core = switched_on(&self.options, self.journal.clone(), now, clock);
        self.next_wakeup = Some(now);
        let mut unused = Outputs::default();
        for (index, connector) in (1..=self.options.connectors).enumerate() {
            self.core.poll(
                now,
                Input::Meter(connector, self.meters[index].reading()),
                &mut unused,
            );
            if self.meters[index].soc().is_some() {
                self.core.plugged_at_boot(connector);
            }
            if let Some(visit) = &mut self.visits[index] {
                visit.refused(now);
            }
        }
        self.ready.fill(true);
        self.tell(StationEvent::Rebooted);
    }

    fn tell(&self, event: StationEvent) {
        // Nobody may be listening: then events are of no use.
        let _ = self.events.send(event);
    }
}

fn switched_on(
    options: &Options,
    journal: Journal,
    now: Millis,
    clock: Option<evse_core::Utc>,
) -> ChargePoint {
    let settings = Settings {
        vendor: options.vendor.clone(),
        model: options.model.clone(),
        serial: options.serial.clone(),
        connectors: options.connectors,
        seed: options.seed,
        clock,
        security_events: options.security_events,
        highest_security_profile: if options.tls.is_some() { 3 } else { 1 },
        ..wires(options.supply)
    };
    let mut core = ChargePoint::new(settings, journal, now);
    if let Some(interval) = options.sample_interval {
        core.configure(
            Key::MeterValueSampleInterval,
            interval.as_secs().to_string(),
        );
    }
    core
}

/// What a supply means in amperes.
fn wires(supply: Supply) -> Settings {
    let tenths = |kw: f64, volts: f64| (kw * 10_000.0 / volts).ceil() as u32;
    match supply {
        Supply::Ac { max_kw } => Settings {
            max_current_da: tenths(max_kw, 690.0),
            ..Settings::default()
        },
        // A battery takes any current; its voltage is only needed to convert.
        Supply::Dc { max_kw } => Settings {
            phases: 1,
            voltage_v: 400,
            max_current_da: tenths(max_kw, 400.0),
            min_current_da: 0,
            ..Settings::default()
        },
    }
}

async fn due(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

async fn pause(wait: Duration) {
    if wait.is_zero() {
        tokio::task::yield_now().await;
    } else {
        sleep(wait).await;
    }
}
