//! Chargers in: from a socket to rows, and from command rows to a socket. People and money are other rooms.
//!
//! The way of a charge: `server` accepts, `handshake` decides, `connection` drives the Link, `v16` reads the payload,
//! an op in `ops` decides, `ingest` commits, and the answer leaves.

mod arrival;
mod attempts;
mod commands;
mod connection;
mod credentials;
mod files;
mod gather;
mod handshake;
mod identity;
mod ingest;
mod kept;
mod lists;
mod numbers;
mod ops;
mod pace;
mod places;
mod presence;
mod proven;
mod proxy_protocol;
mod refusals;
mod registry;
mod renewal;
mod server;
pub mod signing;
pub mod tls;
mod upkeep;
mod v16;
mod wire;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use service::clock::Clock;
use service::config::UnknownStations;
use service::shutdown::Shutdown;
use store::Pool;
use store::csms_nodes::Offer;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use uuid::Uuid;

pub use numbers::scatter as transaction_number;

use commands::Effects;
use credentials::Credentials;
use files::Files;
use gather::Lookups;
use ingest::Ingest;
use numbers::Numbers;
use presence::Presence;
use refusals::Refusals;
use registry::Registry;

/// How this node treats chargers.
#[derive(Debug, Clone)]
pub struct Options {
    /// What to do with a station that nobody has registered.
    pub unknown_stations: UnknownStations,
    /// How long meter values are kept; older charger times go to the odd table.
    pub meter_retention_days: u32,
    /// Whether a token may only charge on somebody's account.
    pub tag_gating: bool,
    /// Sockets in all; more are closed at once.
    pub max_connections: usize,
    /// Sockets of one address.
    pub max_per_address: usize,
    /// How long a socket may be silent before it is pinged.
    pub ping_interval: Duration,
    /// A socket is given up when it was silent for twice the interval and this.
    pub ping_grace: Duration,
    /// How long a station may take to answer a CALL of ours.
    pub call_timeout: Duration,
    /// How long a station may be connected without a BootNotification or StatusNotification before it is reminded, if it
    /// has the switch `boot_calls`.
    pub remind_after: Duration,
    /// How often stations are told to send Heartbeats.
    pub heartbeat_interval: Duration,
    /// How long nothing may be committed before chargers are sent away (they keep their queues).
    pub outage: Duration,
    /// The largest file that a station may send, in bytes.
    pub largest_upload: u64,
    /// How long a file may take to come in.
    pub upload_time: Duration,
    /// How long who sends or fetches a file may stall.
    pub file_patience: Duration,
    /// How many gathered writers there are; each has a connection of its own.
    pub lanes: usize,
    /// TLS on the listener, beside plain requests.
    pub tls: Option<Arc<tls::Tls>>,
    /// How often certificates are looked at again.
    pub renew_interval: Duration,
    /// Who operates the stations: O of their certificates.
    pub operator: Option<String>,
    /// Who signs what stations ask for.
    pub signer: Option<Arc<dyn signing::Signer>>,
    /// Balancers in front, which say by PROXY protocol who the client is. Nobody else is believed.
    pub proxies: Vec<IpAddr>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            unknown_stations: UnknownStations::Refuse,
            meter_retention_days: 730,
            tag_gating: false,
            max_connections: 50_000,
            max_per_address: 20_000,
            ping_interval: Duration::from_secs(60),
            ping_grace: Duration::from_secs(10),
            call_timeout: Duration::from_secs(30),
            remind_after: Duration::from_secs(60),
            heartbeat_interval: Duration::from_secs(300),
            outage: Duration::from_secs(10),
            largest_upload: 64 * 1024 * 1024,
            upload_time: Duration::from_secs(3600),
            file_patience: Duration::from_secs(30),
            lanes: 2,
            tls: None,
            renew_interval: Duration::from_secs(10),
            operator: None,
            signer: None,
            proxies: Vec::new(),
        }
    }
}

impl Options {
    /// What a node of these options offers to chargers.
    fn offer<'a>(&self, node: &'a str) -> Offer<'a> {
        let tls = self.tls.as_deref();
        // A balancer that takes TLS off tells of it, but of no certificate.
        let highest_profile = match tls {
            Some(tls) if tls.asks_for_certificates() => 3,
            Some(_) => 2,
            None if !self.proxies.is_empty() => 2,
            None => 1,
        };
        Offer {
            node,
            highest_profile,
            certificate_expires_at: tls.map(|tls| tls.current().server.not_after),
        }
    }
}

/// What every connection of this node shares.
pub(crate) struct Csms {
    options: Options,
    /// Names this node in leases and command rows.
    node: String,
    clock: Clock,
    pool: Pool,
    shutdown: Shutdown,
    lookups: Lookups,
    ingest: Ingest,
    numbers: Numbers,
    credentials: Credentials,
    registry: Registry,
    presence: Presence,
    refusals: Refusals,
    files: Files,
    /// A station asked for a certificate.
    asked: Notify,
    effects: Effects,
}

/// Serves chargers on `listener` until the shutdown; returns when the last socket is closed.
///
/// # Errors
/// When the database cannot be told that this node starts.
pub async fn run(
    options: Options,
    pool: Pool,
    listener: TcpListener,
    clock: Clock,
    shutdown: Shutdown,
) -> store::Result<()> {
    // One node today; its name stays the same so that a restart knows what it had sent.
    let node = "csms".to_owned();
    let mut connection = pool.acquire().await?;
    store::presence::node_started(&mut connection, &node, clock.now()).await?;
    store::csms_nodes::started(&mut connection, &options.offer(&node), clock.now()).await?;
    let all = store::commands::Lost::All;
    store::commands::lost(&mut connection, &node, all, clock.now()).await?;
    let generation = store::presence::highest_generation(&mut connection).await?;
    drop(connection);

    let csms = Arc::new(Csms {
        effects: Effects::load(&pool, clock.now()).await?,
        lookups: Lookups::start(&pool, options.outage),
        ingest: Ingest::start(&pool, &options),
        numbers: Numbers::new(pool.clone()),
        credentials: Credentials::default(),
        registry: Registry::after(generation),
        presence: Presence::default(),
        refusals: Refusals::default(),
        files: Files::default(),
        asked: Notify::new(),
        options,
        node,
        clock,
        pool,
        shutdown: shutdown.clone(),
    });
    let background = [
        tokio::spawn(presence::write_forever(csms.clone())),
        tokio::spawn(refusals::write_forever(csms.clone())),
        tokio::spawn(commands::deliver_forever(csms.clone())),
        tokio::spawn(commands::expire_forever(csms.clone())),
        tokio::spawn(upkeep::run_forever(csms.clone())),
        tokio::spawn(ingest::ring_forever(csms.clone())),
        tokio::spawn(ingest::watch_outage_forever(csms.clone())),
        tokio::spawn(renewal::watch_forever(csms.clone())),
        tokio::spawn(signing::sign_forever(csms.clone())),
    ];
    server::accept_until_shutdown(&csms, listener).await;
    csms.registry.close_all(registry::Close::Restart);
    tokio::select! {
        () = csms.registry.wait_until_empty() => {}
        () = shutdown.hard().cancelled() => tracing::warn!("sockets are dropped: the time to end in order is over"),
    }
    for task in &background {
        task.abort();
    }
    presence::write_last(&csms).await;
    refusals::write_last(&csms).await;
    Ok(())
}

/// A message id of ours.
pub(crate) fn message_id() -> String {
    Uuid::new_v4().simple().to_string()
}
