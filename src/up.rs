//! Running rooms: doors first, then the database, then the rooms; and their end in order.

use std::{convert::Infallible, net::SocketAddr, time::Duration};

use anyhow::Context;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use service::{clock::Clock, config::Config, health::Health, mail::Mailer, shutdown::Shutdown};
use store::{Pool, Room};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::mpsc,
};

use crate::database::Database;

/// How long begun work may take after a request to end; then as long again to be dropped.
const GRACE: Duration = Duration::from_secs(4);
/// Connections of each room.
const CSMS_POOL: u32 = 16;
const PORTAL_POOL: u32 = 16;
/// Three of its workers each keep one to hear a doorbell, and each of five may hold one while its work takes another.
const BILLING_POOL: u32 = 16;

/// Which rooms a process runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rooms {
    csms: bool,
    portal: bool,
    billing: bool,
}

impl Rooms {
    /// All of them.
    pub const ALL: Self = Self {
        csms: true,
        portal: true,
        billing: true,
    };
    /// Chargers in.
    pub const CSMS: Self = Self {
        portal: false,
        billing: false,
        ..Self::ALL
    };
    /// People in.
    pub const PORTAL: Self = Self {
        csms: false,
        billing: false,
        ..Self::ALL
    };
    /// Money and upkeep.
    pub const BILLING: Self = Self {
        csms: false,
        portal: false,
        ..Self::ALL
    };
}

/// `forecourt up`: every room, and the private database if there is no other.
pub async fn everything(mut config: Config) -> anyhow::Result<()> {
    let doors = Doors::open(&mut config, Rooms::ALL).await?;
    let database = Database::start(&config).await?;
    let result = serve(&config, doors, &database, Shutdown::new(), "").await;
    database.stop().await;
    result
}

/// `forecourt csms` and its like: one room of an installation whose database runs already.
pub async fn one_room(mut config: Config, rooms: Rooms) -> anyhow::Result<()> {
    let doors = Doors::open(&mut config, rooms).await?;
    let database = Database::attach(&config)?;
    database.expect_migrated().await?;
    database.make_partitions(&config).await?;
    serve(&config, doors, &database, Shutdown::new(), "").await
}

/// The listening sockets. They are opened before anything else is begun: a port in use is the commonest mistake.
#[derive(Debug)]
pub struct Doors {
    health: TcpListener,
    csms: Option<TcpListener>,
    portal: Option<TcpListener>,
    billing: bool,
}

impl Doors {
    /// Opens those of `rooms`. A setting with port 0 is given the port that the system chose.
    pub async fn open(config: &mut Config, rooms: Rooms) -> anyhow::Result<Self> {
        let mut doors = Self {
            health: listen("HEALTH_LISTEN", &mut config.health, None).await?,
            csms: None,
            portal: None,
            billing: rooms.billing,
        };
        if rooms.csms {
            let wanted = config.csms.listen;
            let room = Some(UNREAD);
            doors.csms = Some(listen("OCPP_LISTEN", &mut config.csms.listen, room).await?);
            rename(&mut config.csms.public_url, wanted, config.csms.listen);
        }
        if rooms.portal {
            let wanted = config.portal.listen;
            doors.portal = Some(listen("PORTAL_LISTEN", &mut config.portal.listen, None).await?);
            rename(&mut config.portal.public_url, wanted, config.portal.listen);
        }
        Ok(doors)
    }
}

fn rename(url: &mut String, wanted: SocketAddr, got: SocketAddr) {
    *url = url.replace(&wanted.to_string(), &got.to_string());
}

async fn listen(
    setting: &str,
    address: &mut SocketAddr,
    unread: Option<u32>,
) -> anyhow::Result<TcpListener> {
    let listener = bind(*address, unread).with_context(|| {
        format!(
            "cannot listen on {address}: end the program that does (`ss -ltnp 'sport = :{}'` names it), or set {setting} \
             to another address",
            address.port()
        )
    })?;
    *address = listener.local_addr()?;
    Ok(listener)
}

/// Bytes that the system keeps for a charger that does not read: else megabytes pass before one is noticed and given up.
const UNREAD: u32 = 64 * 1024;

/// A socket whose queue holds a whole fleet that comes back at once: a connection that finds it full waits a second.
/// `unread` bounds what is kept for each that does not read; by default the system decides.
fn bind(address: SocketAddr, unread: Option<u32>) -> std::io::Result<TcpListener> {
    const BACKLOG: u32 = 4096;
    let socket = if address.is_ipv4() {
        TcpSocket::new_v4()
    } else {
        TcpSocket::new_v6()
    }?;
    socket.set_reuseaddr(true)?;
    if let Some(unread) = unread {
        socket.set_send_buffer_size(unread)?;
    }
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// How many sockets of chargers this process may have: past that nothing could be opened at all, so one that knocks in
/// vain is better closed.
fn descriptors() -> anyhow::Result<usize> {
    /// For the database, the portal, files.
    const OTHERS: u64 = 500;
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).context("cannot read the limit on open files")?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
            .context("cannot raise the limit on open files")?;
    }
    Ok(usize::try_from(hard.saturating_sub(OTHERS).max(OTHERS)).unwrap_or(usize::MAX))
}

/// A key that cannot be read would refuse every webhook in silence.
fn check_webhook_keys(lago: &service::config::Lago) -> anyhow::Result<()> {
    billing::lago::webhook::Keys::new(None, lago.webhook_public_key.as_deref())
        .map(drop)
        .context("these settings cannot be used")
}

/// Runs the rooms behind `doors` until the process is asked to end, or one of them breaks.
pub async fn serve(
    config: &Config,
    doors: Doors,
    database: &Database,
    shutdown: Shutdown,
    greeting: &str,
) -> anyhow::Result<()> {
    shutdown.on_signals().context("cannot watch for signals")?;
    let health = Health::install().context("cannot record metrics")?;
    let clock = Clock::system();
    let (broke, mut broken) = mpsc::unbounded_channel();
    let run = Run { shutdown, broke };

    if let Some(listener) = doors.csms {
        let pool = room_pool(database, Room::Csms, CSMS_POOL, &health)?;
        let options = csms::Options {
            unknown_stations: config.csms.unknown_stations,
            meter_retention_days: config.retention.meter_values,
            tag_gating: config.lago.tag_gating,
            tls: crate::certs::of_listener(config)?,
            operator: config.csms.operator.clone(),
            signer: crate::certs::signer(config)?,
            proxies: config.csms.proxies.clone(),
            max_connections: config.csms.max_sockets.min(descriptors()?),
            max_per_address: config.csms.max_per_address,
            ..csms::Options::default()
        };
        run.room(
            "csms",
            csms::run(options, pool, listener, clock.clone(), run.shutdown.clone()),
        );
        println!("Chargers:  {}/{{identity}}", config.csms.public_url);
    }
    if let Some(listener) = doors.portal {
        check_webhook_keys(&config.lago)?;
        let pool = room_pool(database, Room::Portal, PORTAL_POOL, &health)?;
        let app = portal::App::new(portal::Config::of(config), pool, clock.clone());
        let shutdown = run.shutdown.clone();
        run.room("portal", async move {
            portal::run(app, listener, &shutdown).await;
            Ok::<(), Infallible>(())
        });
        println!("Portal:    {}", config.portal.public_url);
    }
    if doors.billing {
        let pool = room_pool(database, Room::Billing, BILLING_POOL, &health)?;
        let mailer = Mailer::new(&config.mail, config.demo).map_err(anyhow::Error::msg)?;
        let options = billing::Options {
            retention: config.retention,
            feeds: crate::billing::reach(config)?,
            lago: config.lago.clone(),
        };
        let room = billing::run(options, pool, mailer, clock, run.shutdown.clone());
        run.room("billing", async move {
            room.await;
            Ok::<(), Infallible>(())
        });
    }
    println!("Health:    http://{}/healthz", config.health);
    if !greeting.is_empty() {
        println!("{greeting}");
    }
    let observed = tokio::spawn(health.serve(doors.health, run.shutdown.clone()));

    run.shutdown.finish(GRACE).await;
    observed.abort();
    broken.try_recv().map_or(Ok(()), Err)
}

/// What rooms are started with.
struct Run {
    shutdown: Shutdown,
    broke: mpsc::UnboundedSender<anyhow::Error>,
}

impl Run {
    /// Starts a room. When it ends, all end; when work must be dropped, so is the room.
    fn room<E>(
        &self,
        name: &'static str,
        room: impl Future<Output = Result<(), E>> + Send + 'static,
    ) where
        E: Into<anyhow::Error> + Send + 'static,
    {
        let (shutdown, broke) = (self.shutdown.clone(), self.broke.clone());
        self.shutdown.spawn(async move {
            let ended = tokio::select! {
                ended = room => ended,
                () = shutdown.hard().cancelled() => Ok(()),
            };
            if let Err(error) = ended {
                // The receiver is gone only when nobody asks any more.
                let _ = broke.send(error.into().context(format!("{name} broke")));
            }
            shutdown.begin();
        });
    }
}

fn room_pool(database: &Database, room: Room, size: u32, health: &Health) -> anyhow::Result<Pool> {
    let pool = database.pool(room, size)?;
    let asked = pool.clone();
    health.register(room.role().unwrap_or("owner"), move || {
        let pool = asked.clone();
        async move { answers(&pool).await.map_err(|error| error.to_string()) }
    });
    Ok(pool)
}

async fn answers(pool: &Pool) -> store::Result<()> {
    store::pool::is_there(&mut *pool.acquire().await?).await
}
