//! A simulated station as a library value: spawn it against a URL, use it through [`Controls`], wait for events.
//! The driver in `driver` joins the core to a socket, a meter and a virtual clock.

mod driver;
mod host;
mod keys;
mod session;

use std::{path::PathBuf, time::Duration};

use evse_core::{
    Event, Key, Utc,
    ocpp::{
        msg16::{ErrorCode, Status},
        security::SecurityEvent,
    },
};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

use crate::{
    clock::Speed,
    fault::{Direction, Fault},
    physics::{Supply, Vehicle},
    quirks,
    socket::{ConnectError, Target},
    trace::TraceFile,
    wire::{Tls, TlsFiles},
};
pub use session::{Session, Until};

/// How a simulated station is made.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server, e.g. `ws://127.0.0.1:9000/ocpp`.
    pub url: String,
    /// Identity: the last path segment.
    pub id: String,
    /// Basic authentication, if any.
    pub password: Option<Vec<u8>>,
    /// What it trusts and shows by TLS; for a URL of wss://.
    pub tls: Option<TlsFiles>,
    /// How many connectors.
    pub connectors: u32,
    /// What each connector gives.
    pub supply: Supply,
    /// Vendor in BootNotification.
    pub vendor: String,
    /// Model in BootNotification.
    pub model: String,
    /// Serial number in BootNotification.
    pub serial: Option<String>,
    /// Where the first connector's energy register stands, Wh; the others stand somewhat higher.
    pub register_wh: u64,
    /// All chance comes from it.
    pub seed: u64,
    /// Virtual time. At `Max` it runs freely while a vehicle charges: meant for whole sessions.
    pub speed: Speed,
    /// The station's own clock. `None`: it follows the server's.
    pub start: Option<Utc>,
    /// MeterValueSampleInterval; `None`: the core's default of 60 s.
    pub sample_interval: Option<Duration>,
    /// Faults between station and socket.
    pub faults: Vec<Fault>,
    /// Habits of real chargers, between the core and the faults.
    pub quirks: Vec<quirks::Name>,
    /// Tells of start, reboot and changed keys by SecurityEventNotification.
    pub security_events: bool,
    /// Where to write a trace.
    pub trace: Option<PathBuf>,
}

impl Options {
    /// A plain two-connector 22 kW station at real time.
    #[must_use]
    pub fn new(url: &str, id: &str) -> Self {
        Self {
            url: url.to_owned(),
            id: id.to_owned(),
            password: None,
            tls: None,
            connectors: 2,
            supply: Supply::Ac { max_kw: 22.0 },
            vendor: "Forecourt".to_owned(),
            model: "Simulated AC 22".to_owned(),
            serial: None,
            register_wh: 1_204_300,
            seed: 7,
            speed: Speed::Times(1.0),
            start: None,
            sample_interval: None,
            faults: Vec::new(),
            quirks: Vec::new(),
            security_events: false,
            trace: None,
        }
    }
}

/// Something that happened at a simulated station.
#[derive(Debug)]
pub enum StationEvent {
    /// The WebSocket is open.
    Connected,
    /// It did not open; the station tries again by its back-off.
    ConnectFailed(ConnectError),
    /// It closed.
    Disconnected,
    /// A frame passed, as the core sees it (before faults on the way out, after them on the way in).
    Frame(Utc, Direction, String),
    /// Something inside the charge point.
    Core(Event),
    /// It rebooted.
    Rebooted,
    /// Work beside OCPP (a download, an upload, a certificate) did not go as it was meant; why.
    WorkFailed(String),
    /// The server gave it another password, which it uses from now on.
    Password,
    /// The server signed its certificate.
    Certificate {
        /// Leaf first, PEM.
        chain: String,
        /// The leaf's private key, PEM.
        key: String,
    },
    /// The server gave it another security profile.
    SecurityProfile(u8),
    /// A vehicle that came by [`Controls::session`] has left.
    SessionOver {
        /// Where it stood.
        connector: u32,
        /// What it got, Wh; `None` if it was refused.
        energy_wh: Option<u64>,
    },
    /// The time that was asked to pass has passed.
    Advanced,
    /// The trace file cannot be written any more.
    TraceFailed(std::io::Error),
}

/// A command to the driver.
#[derive(Debug)]
enum Command {
    Plug(u32, Vehicle, f64),
    Unplug(u32),
    Swipe(u32, String),
    StopButton(u32),
    Fault(u32, ErrorCode),
    DataTransfer(String, Option<String>, Option<String>),
    SecurityEvent(SecurityEvent, Option<String>),
    Configure(Key, String),
    Session(Session),
    Advance(Duration),
    Offline(bool),
    HalfOpen,
    Weather(Vec<Fault>),
    Crash,
    PowerCut,
    Raw(String),
    Shutdown,
}

/// What a person or the world can do to a station. Cheap to clone; connectors count from 1.
#[derive(Clone, Debug)]
pub struct Controls(mpsc::UnboundedSender<Command>);

impl Controls {
    fn send(&self, command: Command) {
        // A station that has been shut down does nothing any more: that is what the caller asked for.
        let _ = self.0.send(command);
    }

    /// A vehicle arrives with a state of charge in percent.
    pub fn plug(&self, connector: u32, vehicle: &Vehicle, soc: f64) {
        self.send(Command::Plug(connector, vehicle.clone(), soc));
    }

    /// The vehicle leaves.
    pub fn unplug(&self, connector: u32) {
        self.send(Command::Unplug(connector));
    }

    /// A card is held to the reader.
    pub fn swipe(&self, connector: u32, id_tag: &str) {
        self.send(Command::Swipe(connector, id_tag.to_owned()));
    }

    /// The stop button is pressed.
    pub fn stop_button(&self, connector: u32) {
        self.send(Command::StopButton(connector));
    }

    /// A fault appears, or goes away with `NoError`.
    pub fn fault(&self, connector: u32, code: ErrorCode) {
        self.send(Command::Fault(connector, code));
    }

    /// The station sends a DataTransfer.
    pub fn data_transfer(&self, vendor: &str, message: Option<&str>, data: Option<&str>) {
        self.send(Command::DataTransfer(
            vendor.to_owned(),
            message.map(str::to_owned),
            data.map(str::to_owned),
        ));
    }

    /// The station notes and tells a security event.
    pub fn security_event(&self, event: SecurityEvent, info: Option<&str>) {
        self.send(Command::SecurityEvent(event, info.map(str::to_owned)));
    }

    /// Sets a configuration key from the station's own side, read-only ones included: SupportedFeatureProfiles
    /// without a profile makes a station that does not have it.
    pub fn configure(&self, key: Key, value: &str) {
        self.send(Command::Configure(key, value.to_owned()));
    }

    /// A whole visit: plug, swipe, charge, swipe, unplug.
    pub fn session(&self, session: Session) {
        self.send(Command::Session(session));
    }

    /// Lets this much virtual time pass, from one thing to do to the next; [`StationEvent::Advanced`] tells the end.
    pub fn advance(&self, by: Duration) {
        self.send(Command::Advance(by));
    }

    /// The network goes away, and every attempt to connect fails.
    pub fn offline(&self) {
        self.send(Command::Offline(true));
    }

    /// The network is back, or works again.
    pub fn online(&self) {
        self.send(Command::Offline(false));
    }

    /// The socket stays open, and nothing is sent or read on it any more, until the station gives it up: the next one works.
    /// The server is not told that the old one has ended.
    pub fn half_open(&self) {
        self.send(Command::HalfOpen);
    }

    /// These faults happen from now on beside those of [`Options::faults`], instead of those given so before.
    pub fn weather(&self, faults: Vec<Fault>) {
        self.send(Command::Weather(faults));
    }

    /// The socket breaks without a closing handshake; the station reconnects by its back-off.
    pub fn crash(&self) {
        self.send(Command::Crash);
    }

    /// The power goes and comes back: sockets break, the core starts from its journal.
    pub fn power_cut(&self) {
        self.send(Command::PowerCut);
    }

    /// Puts a text on the wire as it is.
    pub fn raw(&self, text: &str) {
        self.send(Command::Raw(text.to_owned()));
    }
}

/// Nothing that was waited for came in time.
#[derive(Debug, thiserror::Error)]
#[error("station {station}: {what} did not come within {limit:?}; since then: {seen:#?}")]
pub struct NotSeen {
    station: String,
    what: String,
    limit: Duration,
    seen: Vec<StationEvent>,
}

/// A running station. Dropping it stops it.
#[derive(Debug)]
pub struct Station {
    id: String,
    controls: Controls,
    events: mpsc::UnboundedReceiver<StationEvent>,
    task: JoinHandle<()>,
}

impl std::ops::Deref for Station {
    type Target = Controls;

    fn deref(&self) -> &Controls {
        &self.controls
    }
}

impl Drop for Station {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Station {
    /// Switches a station on. Fails on a bad URL or a trace file that cannot be made; a server that
    /// cannot be reached is an event, for a charger keeps trying.
    pub fn spawn(options: Options) -> anyhow::Result<Self> {
        use anyhow::Context as _;
        let handshake = quirks::Quirks::new(&options.quirks).handshake();
        let tls = options.tls.as_ref().map(Tls::load).transpose()?;
        let target = Target::new(&options.url)?.asking(handshake).trusting(tls);
        let trace = options
            .trace
            .as_ref()
            .map(|path| {
                TraceFile::create(path).with_context(|| format!("--trace {}", path.display()))
            })
            .transpose()?;
        let (commands, inbox) = mpsc::unbounded_channel();
        let (outbox, events) = mpsc::unbounded_channel();
        let id = options.id.clone();
        let driver = driver::Driver::new(options, target, trace, inbox, outbox);
        let task = tokio::spawn(driver.run());
        Ok(Self {
            id,
            controls: Controls(commands),
            events,
            task,
        })
    }

    /// Its identity.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Controls that can be given away.
    #[must_use]
    pub fn controls(&self) -> Controls {
        self.controls.clone()
    }

    /// The next event; `None` once the station has been shut down.
    pub async fn next_event(&mut self) -> Option<StationEvent> {
        self.events.recv().await
    }

    /// Nobody listens: events are dropped from now on, so that a station may run for months.
    pub fn ignore_events(&mut self) {
        self.events.close();
        while self.events.try_recv().is_ok() {}
    }

    /// Waits, at most ten seconds, for the first event of which `pick` makes something; drops those before it.
    pub async fn wait_for<T>(
        &mut self,
        what: &str,
        pick: impl FnMut(&StationEvent) -> Option<T>,
    ) -> Result<T, NotSeen> {
        self.wait_within(Duration::from_secs(10), what, pick).await
    }

    /// As [`Station::wait_for`], with another limit.
    pub async fn wait_within<T>(
        &mut self,
        limit: Duration,
        what: &str,
        mut pick: impl FnMut(&StationEvent) -> Option<T>,
    ) -> Result<T, NotSeen> {
        let mut seen = Vec::new();
        let found = timeout(limit, async {
            while let Some(event) = self.events.recv().await {
                if let Some(found) = pick(&event) {
                    return Some(found);
                }
                seen.push(event);
            }
            None
        })
        .await;
        found.ok().flatten().ok_or_else(|| NotSeen {
            station: self.id.clone(),
            what: what.to_owned(),
            limit,
            seen,
        })
    }

    /// Waits for an event of the charge point itself.
    pub async fn wait_core<T>(
        &mut self,
        what: &str,
        mut pick: impl FnMut(&Event) -> Option<T>,
    ) -> Result<T, NotSeen> {
        self.wait_for(what, |event| match event {
            StationEvent::Core(event) => pick(event),
            _ => None,
        })
        .await
    }

    /// Waits until the server has accepted its BootNotification.
    pub async fn booted(&mut self) -> Result<(), NotSeen> {
        use evse_core::ocpp::msg16::Registration::Accepted;
        self.wait_core("an accepted boot", |event| {
            matches!(
                event,
                Event::Boot {
                    status: Accepted,
                    ..
                }
            )
            .then_some(())
        })
        .await
    }

    /// Waits until the server has acknowledged a start; yields its transaction id.
    pub async fn transaction_started(&mut self) -> Result<i64, NotSeen> {
        self.wait_core("an acknowledged StartTransaction", |event| match event {
            Event::StartAcknowledged { transaction_id, .. } => Some(*transaction_id),
            _ => None,
        })
        .await
    }

    /// Waits until the server has acknowledged a stop; yields its transaction id.
    pub async fn transaction_stopped(&mut self) -> Result<i64, NotSeen> {
        self.wait_core("an acknowledged StopTransaction", |event| match event {
            Event::StopAcknowledged { transaction_id, .. } => Some(*transaction_id),
            _ => None,
        })
        .await
    }

    /// Waits until a connector has this status.
    pub async fn status(&mut self, connector: u32, status: Status) -> Result<(), NotSeen> {
        self.wait_core(
            &format!("status {status:?} of connector {connector}"),
            |event| (*event == Event::Status(connector, status)).then_some(()),
        )
        .await
    }

    /// Closes the socket properly and ends.
    pub async fn shutdown(mut self) {
        self.controls.send(Command::Shutdown);
        // A panic of the driver would have shown itself already.
        let _ = (&mut self.task).await;
    }
}
