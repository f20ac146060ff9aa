//! A durable private Postgres, the real server over it, and a load that keeps a ledger. Each can be killed.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use service::clock::Clock;
use service::postgres::{self, Cluster, ClusterOptions};
use simulators::socket::Target;
use simulators::swarm::{self, Report, Workload};
use store::id_tokens::IdToken;
use store::proof::{Disorder, Fact};
use store::stations::{NewStation, Registration, StationChange};
use store::{Connection, Pool, Room};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::pki::Pki;
use crate::{ledger, patron};

/// Longer than anything here takes on a busy machine: whoever waits so long waits in vain. Counted in ticks, so that a
/// machine that stood still meanwhile costs one tick and not all patience.
const PATIENCE: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(100);
/// Between two looks at something that tells nobody of itself.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
/// Charge points with the firmware's core, beside the swarm.
const PATRONS: usize = 2;
/// Connects once a server is there, to see when it lets stations in.
pub const CANARY: &str = "CANARY";

/// Waits until `found` finds something.
pub async fn eventually<T>(what: &str, found: impl AsyncFnMut() -> Option<T>) -> T {
    in_patience(found)
        .await
        .unwrap_or_else(|| panic!("{what} did not happen within {PATIENCE:?}"))
}

/// What `found` finds; none when patience is at its end.
async fn in_patience<T>(mut found: impl AsyncFnMut() -> Option<T>) -> Option<T> {
    let looking = async {
        loop {
            if let Some(found) = found().await {
                return found;
            }
            sleep(LOOK_AGAIN).await;
        }
    };
    tokio::pin!(looking);
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..PATIENCE.as_millis() / TICK.as_millis() {
        tokio::select! {
            biased;
            found = &mut looking => return Some(found),
            _ = ticks.tick() => {}
        }
    }
    None
}

/// What is killed, and where.
pub struct Rig {
    cluster: Cluster,
    folder: PathBuf,
    pub ocpp: SocketAddr,
    health: SocketAddr,
}

impl Rig {
    /// A database with fsync on, `settings`, and `stations` stations with their tags.
    pub async fn start(name: &str, stations: usize, settings: &[(&str, &str)]) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("chaos-{name}"));
        clear(&folder).await;
        fs::create_dir_all(&folder).expect("make a folder");
        let mut options = ClusterOptions::new(folder.join("data"));
        for (name, value) in settings {
            options = options.set(name, value);
        }
        let cluster = store::testing::cluster(&options).await;
        let rig = Rig {
            cluster,
            folder,
            ocpp: free_address(0),
            health: free_address(1),
        };
        let ids = swarm::Options::new("", 0, Workload::Session);
        let mut db = rig.connection().await;
        for number in 0..stations {
            add(&mut db, &ids.ids.name(number), &ids.tags.name(number)).await;
        }
        for number in 0..PATRONS {
            add(&mut db, &patron_id(number), &patron_tag(number)).await;
        }
        add(&mut db, CANARY, CANARY).await;
        rig
    }

    /// Gives stations this password, and this security profile.
    pub async fn protect(&self, names: &[String], password: &str, profile: i16) {
        let hash = store::secrets::hash_password(password.as_bytes());
        let change = StationChange {
            security_profile: Some(profile),
            password_hash: Some(&hash),
            ..StationChange::default()
        };
        let mut db = self.connection().await;
        for name in names {
            let changed = store::stations::change(&mut db, name, &change).await;
            changed.expect("an answer").expect("a station of that name");
        }
    }

    /// For [`store::pool::connect`].
    pub fn url(&self) -> String {
        self.cluster.url("postgres", None)
    }

    /// One more station, with security profile 1.
    pub async fn add_with_password(&self, identity: &str, password: &[u8]) {
        let hash = store::secrets::hash_password(password);
        let station = NewStation {
            identity,
            site_id: None,
            registration: Registration::Accepted,
            security_profile: 1,
            password_hash: Some(&hash),
        };
        let mut db = self.connection().await;
        store::stations::add(&mut db, &station, Clock::system().now())
            .await
            .expect("a new station");
    }

    /// Where stations connect.
    pub fn target(&self) -> Target {
        Target::new(&format!("ws://{}/ocpp", self.ocpp)).expect("a URL")
    }

    /// What the server counts by this name.
    pub async fn metric(&self, name: &str) -> u64 {
        let mut socket = TcpStream::connect(self.health).await.expect("its health");
        let request = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        socket.write_all(request).await.expect("asked");
        let mut text = String::new();
        socket.read_to_string(&mut text).await.expect("metrics");
        let values = text
            .lines()
            .filter_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        values.sum()
    }

    /// Where the server writes what it has to say.
    pub fn log(&self) -> PathBuf {
        self.folder.join("server.log")
    }

    /// One to its database, once that answers.
    pub async fn connection(&self) -> store::Pooled {
        let pool: Pool = store::pool::connect(&self.url(), Room::Owner, 1).expect("a URL");
        eventually("a connection to Postgres", async || {
            pool.acquire().await.ok()
        })
        .await
    }

    /// The postmaster and every process of its, at once.
    pub async fn kill_postgres(&self) {
        let postmaster = self.signal_postgres(Signal::SIGKILL);
        self.new_postmaster(postmaster).await;
    }

    /// Postgres stands still as long as the value lives.
    pub fn pause_postgres(&self) -> Paused<'_> {
        self.signal_postgres(Signal::SIGSTOP);
        Paused(self)
    }

    fn signal_postgres(&self, sent: Signal) -> u32 {
        let postmaster = self.cluster.pid().expect("a running Postgres");
        for pid in [postmaster].iter().chain(&children(postmaster)) {
            // One that has just ended by itself needs none.
            let _ = signal(*pid, sent);
        }
        postmaster
    }

    /// What `pg_ctl stop -m immediate` does.
    pub async fn stop_postgres_immediately(&self) {
        let postmaster = self.cluster.pid().expect("a running Postgres");
        signal(postmaster, Signal::SIGQUIT).expect("a process of ours");
        self.new_postmaster(postmaster).await;
    }

    async fn new_postmaster(&self, old: u32) {
        eventually("a new postmaster", async || {
            self.cluster.pid().filter(|pid| *pid != old)
        })
        .await;
    }

    /// Waits until it takes connections.
    pub async fn postgres_answers(&self) {
        let mut db = self.connection().await;
        store::pool::is_there(&mut db).await.expect("an answer");
    }

    /// Compares what was acknowledged with what is stored.
    pub async fn compare(&self, done: &Done) -> Compared {
        self.compare_facts(&done.facts, &done.line()).await
    }

    /// As [`Self::compare`]; `line` tells people more of the run.
    pub async fn compare_facts(&self, facts: &[Fact], line: &str) -> Compared {
        let mut db = self.connection().await;
        Compared {
            flaws: store::proof::flaws(&mut db, facts)
                .await
                .expect("a look at the rows"),
            disorder: store::proof::disorder(&mut db)
                .await
                .expect("a look at the rows"),
            asked: facts.len(),
            line: line.to_owned(),
        }
    }

    /// Stops the database and removes everything.
    pub async fn end(self) {
        self.cluster.stop().await;
        clear(&self.folder).await;
    }
}

/// Postgres standing still; it goes on when this is dropped, a test that fails included.
pub struct Paused<'r>(&'r Rig);

impl Drop for Paused<'_> {
    fn drop(&mut self) {
        self.0.signal_postgres(Signal::SIGCONT);
    }
}

/// Removes what an earlier run left, its database server included.
async fn clear(folder: &Path) {
    let data = folder.join("data");
    if postgres::attach(&data).is_ok() {
        let left = Cluster::start(&ClusterOptions::new(&data)).await;
        left.expect("take over the database of a run that was killed")
            .stop()
            .await;
    }
    for path in [postgres::base(&data), Some(folder.to_owned())]
        .into_iter()
        .flatten()
    {
        if path.exists() {
            fs::remove_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        }
    }
}

async fn add(db: &mut Connection, identity: &str, tag: &str) {
    let now = Clock::system().now();
    let station = NewStation {
        identity,
        site_id: None,
        registration: Registration::Accepted,
        security_profile: 0,
        password_hash: None,
    };
    store::stations::add(db, &station, now)
        .await
        .expect("a new station");
    let token = IdToken {
        token: tag.to_owned(),
        kind: "RFID".to_owned(),
        status: "accepted".to_owned(),
        parent: None,
        expires_at: None,
        max_active: None,
        owner: String::new(),
    };
    store::id_tokens::put(db, &token, now)
        .await
        .expect("a new tag");
}

fn patron_id(number: usize) -> String {
    format!("PATRON-{number}")
}

fn patron_tag(number: usize) -> String {
    format!("PATRONTAG{number}")
}

/// A port below those that the kernel gives to outgoing connections: while the server is down nobody else must get it.
fn free_address(offset: usize) -> SocketAddr {
    let first = 12_000 + std::process::id() as usize * 2 % 16_000 + offset;
    (0..500)
        .map(|step| {
            SocketAddr::from(([127, 0, 0, 1], (first + 32 * step) as u16 % 20_000 + 11_000))
        })
        .find(|address| TcpListener::bind(address).is_ok())
        .expect("a free port")
}

fn signal(pid: u32, signal: Signal) -> nix::Result<()> {
    kill(Pid::from_raw(pid.try_into().expect("a process id")), signal)
}

/// The processes whose parent is `parent`.
fn children(parent: u32) -> Vec<u32> {
    let processes = fs::read_dir("/proc").expect("/proc");
    processes
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid: &u32| {
            // pid (name) state parent …, and a name may hold anything.
            let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            let after_name = stat.rsplit(')').next().unwrap_or_default();
            after_name.split_whitespace().nth(1) == Some(parent.to_string().as_str())
        })
        .collect()
}

/// The real server, a process of its own.
pub struct Server {
    child: Child,
    /// From its start until a station was let in.
    pub ready_after: Duration,
}

impl Server {
    pub async fn start(rig: &Rig) -> Self {
        Self::with(rig, &[]).await
    }

    /// With these settings.
    pub async fn with(rig: &Rig, settings: &[(&str, String)]) -> Self {
        let log = File::options()
            .create(true)
            .append(true)
            .open(rig.log())
            .expect("a log");
        let begun = Instant::now();
        let child = Command::new(env!("CARGO_BIN_EXE_forecourt"))
            .arg("csms")
            .current_dir(&rig.folder)
            .env("DATABASE_URL", rig.url())
            .env("FORECOURT_DATA", rig.folder.join("data"))
            .env("OCPP_LISTEN", rig.ocpp.to_string())
            .env("HEALTH_LISTEN", rig.health.to_string())
            .env("LOG", "warn")
            .envs(settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("run forecourt");
        let mut server = Server {
            child,
            ready_after: Duration::ZERO,
        };
        let target = rig.target();
        eventually("the server letting a station in", async || {
            assert!(
                server.runs(),
                "the server did not start; see {}",
                rig.log().display()
            );
            target.connect(CANARY, None).await.ok()
        })
        .await;
        server.ready_after = begun.elapsed();
        server
    }

    /// The settings of one that speaks TLS, by files that last as long as the authority.
    pub fn over_tls(pki: &Pki) -> Vec<(&'static str, String)> {
        let files = pki.settings();
        [
            ("OCPP_TLS_CERT", files.certificate),
            ("OCPP_TLS_KEY", files.key),
        ]
        .map(|(name, file)| (name, file.display().to_string()))
        .to_vec()
    }

    /// What it holds in memory, in bytes.
    pub fn resident(&self) -> u64 {
        let pid = self.child.id().expect("a running server");
        let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        kib.expect("VmRSS") * 1024
    }

    /// Whether it is still there.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// kill -9.
    pub async fn kill(mut self) {
        self.child.kill().await.expect("kill the server");
    }

    /// SIGTERM; it must end by itself, and well.
    pub async fn end(mut self) {
        let pid = self.child.id().expect("a running server");
        signal(pid, Signal::SIGTERM).expect("a process of ours");
        let ended = timeout(PATIENCE, self.child.wait()).await;
        let status = ended.expect("the server ends").expect("its status");
        assert!(status.success(), "{status}");
    }
}

/// Stations in a closed loop, each message until it is acknowledged.
pub struct Load {
    ledger: PathBuf,
    /// For a word on what went wrong.
    database: String,
    log: PathBuf,
    end: mpsc::Sender<()>,
    swarm: JoinHandle<anyhow::Result<Report>>,
    over: watch::Sender<bool>,
    patrons: Vec<JoinHandle<Vec<Fact>>>,
}

/// What a load wrote down.
pub struct Done {
    pub report: Report,
    /// Every acknowledgement.
    pub facts: Vec<Fact>,
}

impl Load {
    pub fn begin(rig: &Rig, stations: usize) -> Self {
        let url = format!("ws://{}/ocpp", rig.ocpp);
        let ledger = rig.folder.join("ledger.jsonl");
        let options = swarm::Options {
            ledger: Some(ledger.clone()),
            duration: Duration::from_secs(24 * 3600),
            ..swarm::Options::new(&url, stations, Workload::Session)
        };
        let (end, ended) = mpsc::channel();
        let swarm = tokio::task::spawn_blocking(move || swarm::run_until(options, &ended));
        let (over, is_over) = watch::channel(false);
        let patrons = (0..PATRONS)
            .map(|number| {
                let patron = patron::charge(
                    url.clone(),
                    patron_id(number),
                    patron_tag(number),
                    is_over.clone(),
                );
                tokio::spawn(patron)
            })
            .collect();
        Load {
            ledger,
            database: rig.url(),
            log: rig.log(),
            end,
            swarm,
            over,
            patrons,
        }
    }

    /// Waits until about `more` further messages have been acknowledged.
    pub async fn grows(&self, more: u64) {
        /// An entry is a line of about so many bytes.
        const LINE: u64 = 120;
        let length = || fs::metadata(&self.ledger).map_or(0, |file| file.len());
        let mut reached = length();
        let enough = reached + more * LINE;
        while reached < enough {
            let grown = in_patience(async || {
                assert!(!self.swarm.is_finished(), "the swarm ended early");
                Some(length()).filter(|length| *length > reached)
            });
            reached = match grown.await {
                Some(length) => length,
                None => self.stalled().await,
            };
        }
    }

    /// Nothing is acknowledged any more: tells all that can be known of why.
    async fn stalled(&self) -> ! {
        let pool = store::pool::connect(&self.database, Room::Owner, 1).expect("a URL");
        let activity = match pool.acquire().await {
            Ok(mut db) => format!("{:#?}", store::disturb::activity(&mut db).await),
            Err(error) => error.to_string(),
        };
        let patrons = self.patrons.iter().filter(|patron| patron.is_finished());
        panic!(
            "nothing was acknowledged for {PATIENCE:?}. {} of {PATRONS} patrons have ended. The database: {activity}\n\
             The server's log is {}, the ledger {}",
            patrons.count(),
            self.log.display(),
            self.ledger.display()
        );
    }

    /// Ends it. Stations must have been told nothing but yes.
    pub async fn end(self) -> Done {
        drop(self.end);
        self.over.send_replace(true);
        let report = self.swarm.await.expect("the swarm ends").expect("a report");
        let mut facts = ledger::facts(&self.ledger);
        for patron in self.patrons {
            facts.extend(patron.await.expect("a charge point that was never refused"));
        }
        let done = Done { report, facts };
        for kind in [
            "call_error",
            "unreadable",
            "given_up",
            "tag_not_accepted",
            "boot_not_accepted",
            "ledger",
        ] {
            assert_eq!(
                done.report.errors.get(kind),
                None,
                "{kind}: {}",
                done.line()
            );
        }
        done
    }
}

impl Done {
    /// Handshakes that were answered with a status.
    pub fn refused(&self) -> u64 {
        self.report.refused
    }

    /// The swarm's report.
    pub fn line(&self) -> String {
        serde_json::to_string(&self.report).expect("a report is JSON")
    }
}

/// The database beside the ledger.
pub struct Compared {
    /// Acknowledged, but not there once as it was told; with the number of times it is there.
    pub flaws: Vec<(Fact, i64)>,
    disorder: Disorder,
    asked: usize,
    line: String,
}

impl Compared {
    /// Everything is there once, and fits together.
    pub fn expect_whole(&self) {
        assert!(
            self.flaws.is_empty(),
            "{} of {} acknowledgements are not stored once: {:#?}",
            self.flaws.len(),
            self.asked,
            &self.flaws[..self.flaws.len().min(10)]
        );
        assert_eq!(self.disorder, Disorder::default(), "{}", self.line);
        assert!(self.asked > 0, "nothing was acknowledged");
    }
}
