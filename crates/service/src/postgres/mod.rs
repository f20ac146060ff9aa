//! The embedded default database: a private Postgres cluster in a folder of ours, run with the server
//! programs that are installed on the machine. It listens on a unix socket in a 0700 folder and nowhere else.
//! Not here: SQL, databases, roles; those belong to `store`.

mod binaries;
mod place;
mod postmaster;

use std::{
    fs::{File, TryLockError},
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    time::Duration,
};

use thiserror::Error;
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use binaries::{Binaries, MIN_MAJOR};
use place::{Owner, Place};
use postmaster::Postmaster;

/// The name of the superuser of every cluster made here. It is the launcher's and the migrator's alone.
pub const SUPERUSER: &str = "postgres";
/// Only names the socket file: the cluster has no TCP port.
const PORT: u16 = 5432;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Why a private cluster cannot be started or found. Every message says what to do about it.
#[derive(Debug, Error)]
pub enum Error {
    /// No server programs on this machine.
    #[error(
        "no PostgreSQL server programs found (looked in FORECOURT_PG_BIN, /usr/lib/postgresql/*/bin and PATH). \
         Install them with `sudo apt-get install postgresql`, or set DATABASE_URL to a server that is running"
    )]
    NoBinaries,
    /// `FORECOURT_PG_BIN` names a folder without server programs.
    #[error(
        "FORECOURT_PG_BIN={0} has no runnable `postgres` in it; expected a folder such as /usr/lib/postgresql/15/bin"
    )]
    NotBinaries(PathBuf),
    /// The server programs are older than [`MIN_MAJOR`].
    #[error(
        "PostgreSQL {found} in {dir} is too old: {MIN_MAJOR} or newer is needed (`sudo apt-get install postgresql`)"
    )]
    TooOld {
        /// Major version found.
        found: u32,
        /// Folder of the programs.
        dir: PathBuf,
    },
    /// The data folder was written by a major version that is not installed.
    #[error(
        "{data} was made by PostgreSQL {wanted}, but the installed major versions are: {found}. Install that version \
         with `sudo apt-get install postgresql-{wanted}`, or move the data with pg_upgrade"
    )]
    WrongMajor {
        /// The cluster's folder.
        data: PathBuf,
        /// Major version in its PG_VERSION.
        wanted: u32,
        /// Major versions at hand, comma separated.
        found: String,
    },
    /// Started by root on a machine without the unprivileged user that Postgres needs.
    #[error(
        "running as root, and there is no `postgres` user to run the database as. \
         `sudo apt-get install postgresql` makes one; or run as another user than root"
    )]
    NoPostgresUser,
    /// Another process of ours holds this data folder.
    #[error(
        "the data folder {data} is in use by another forecourt ({holder}). Stop that one, or set FORECOURT_DATA to another folder"
    )]
    InUse {
        /// The data folder.
        data: PathBuf,
        /// `process N`, or `process unknown`.
        holder: String,
    },
    /// The cluster belongs to someone else.
    #[error(
        "the database in {data} belongs to user id {owner}; this process runs as user id {us}. \
         Run as that user or as root, or set FORECOURT_DATA to another folder"
    )]
    Foreign {
        /// The cluster's folder.
        data: PathBuf,
        /// Its owner.
        owner: u32,
        /// Ours.
        us: u32,
    },
    /// Nothing runs there that one could attach to.
    #[error(
        "no Forecourt is running with the data folder {0}. Start it with `forecourt up`, set FORECOURT_DATA to the \
         folder of the one that runs, or set DATABASE_URL"
    )]
    NotRunning(PathBuf),
    /// `initdb` failed.
    #[error("initdb could not make a cluster in {data}: {output}")]
    Initdb {
        /// Where.
        data: PathBuf,
        /// What it printed.
        output: String,
    },
    /// The server gave up while starting.
    #[error("PostgreSQL did not start ({reason}); the end of {log}:\n{tail}")]
    DidNotStart {
        /// Exit status or time-out.
        reason: String,
        /// Its log file.
        log: PathBuf,
        /// The log's last lines.
        tail: String,
    },
    /// The file system said no.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// The verb: "create", "read"…
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Error {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            what,
            path: path.to_owned(),
            source,
        }
    }
}

/// What to start, and how.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    data: PathBuf,
    binaries: Option<PathBuf>,
    settings: Vec<(String, String)>,
    durable: bool,
}

impl ClusterOptions {
    /// A durable cluster (fsync on, data checksums) below the folder `data`. Server programs are those of
    /// `FORECOURT_PG_BIN` where it is set.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            binaries: std::env::var_os("FORECOURT_PG_BIN")
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from),
            settings: Vec::new(),
            durable: true,
        }
    }

    /// A fast cluster that loses everything at a power cut: for tests and tools only.
    pub fn throwaway(data: impl Into<PathBuf>) -> Self {
        let mut options = Self::new(data)
            .set("fsync", "off")
            .set("full_page_writes", "off")
            .set("synchronous_commit", "off")
            .set("max_connections", "300");
        options.durable = false;
        options
    }

    /// Sets one server parameter, as in postgresql.conf. The last one of a name wins.
    #[must_use]
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// Where a private cluster listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    socket: PathBuf,
}

impl Address {
    /// The folder of the unix socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// A connection URL for `database` as `role` (the superuser without one), in the form that sqlx and psql read.
    pub fn url(&self, database: &str, role: Option<&str>) -> String {
        format!(
            "postgres:///{}?host={}&port={PORT}&user={}",
            encode(database),
            encode(&self.socket.to_string_lossy()),
            encode(role.unwrap_or(SUPERUSER))
        )
    }
}

/// Percent-encodes everything but the characters that never need it in a URL.
fn encode(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'_' | b'.' | b'-' => {
                out.push(char::from(byte));
            }
            _ => write!(out, "%{byte:02X}").expect("writing to a String cannot fail"),
        }
        out
    })
}

/// A running private cluster. A server that dies is started again; [`Cluster::stop`] ends it cleanly, and dropping
/// the value asks it to stop without waiting.
#[derive(Debug)]
pub struct Cluster {
    address: Address,
    base: PathBuf,
    pid: watch::Receiver<Option<u32>>,
    /// Dropping it tells the supervisor to stop the server.
    stop: DropGuard,
    leave: CancellationToken,
    supervisor: JoinHandle<()>,
}

impl Cluster {
    /// Makes the cluster if it is not there yet, starts it, and waits until it answers.
    ///
    /// A server that an earlier process of ours left behind (kill -9) is adopted. As root the server runs as the
    /// owner of its files, at first the `postgres` user; when that user cannot reach `data`, the cluster goes to
    /// `/var/lib/forecourt`, and a file in `data` says where.
    ///
    /// # Errors
    /// See [`enum@Error`]; nothing is left running when this fails.
    pub async fn start(options: &ClusterOptions) -> Result<Self, Error> {
        let place = Place::prepare(&options.data)?;
        let lock = lock(&place)?;
        let binaries =
            Binaries::find(options.binaries.as_deref(), place.major()?, &place.pgdata())?;
        if !place.pgdata().exists() {
            initdb(&place, &binaries, options.durable)?;
        }
        let launch = Launch {
            binary: binaries.dir.join("postgres"),
            settings: options.settings.clone(),
            socket: place.socket()?,
            place,
            _lock: lock,
        };
        let postmaster = launch.adopt_or_spawn().await?;
        let (announce, pid) = watch::channel(Some(postmaster.pid()));
        let (stop, leave) = (CancellationToken::new(), CancellationToken::new());
        Ok(Self {
            address: Address {
                socket: postmaster.socket().to_owned(),
            },
            base: launch.place.base.clone(),
            pid,
            supervisor: tokio::spawn(supervise(
                launch,
                postmaster,
                announce,
                stop.clone(),
                leave.clone(),
            )),
            stop: stop.drop_guard(),
            leave,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// Short for `address().url(…)`.
    pub fn url(&self, database: &str, role: Option<&str>) -> String {
        self.address.url(database, role)
    }

    /// The folder that holds the cluster, its log and its socket; not always below the data folder (see [`Self::start`]).
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// The server's process id; `None` while a server that died is being started again.
    pub fn pid(&self) -> Option<u32> {
        *self.pid.borrow()
    }

    /// Lets the server run on without this process. Whoever starts or attaches to the same folder finds it.
    pub async fn leave_running(self) -> Address {
        self.leave.cancel();
        if let Err(error) = self.supervisor.await {
            tracing::error!(%error, "the database's supervisor broke");
        }
        self.address
    }

    /// Stops the server (fast: open transactions are rolled back) and waits until its files are closed.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.supervisor.await {
            tracing::error!(%error, "the database's supervisor broke");
        }
    }
}

/// The folder of the data folder's cluster, running or not, if there is one and it is ours.
pub fn base(data: &Path) -> Option<PathBuf> {
    Place::find(data).ok().flatten().map(|place| place.base)
}

/// Finds the running cluster of the data folder `data`; never makes or starts one.
///
/// # Errors
/// [`Error::NotRunning`], or [`Error::Foreign`] when it belongs to another user.
pub fn attach(data: &Path) -> Result<Address, Error> {
    let not_running = || Error::NotRunning(data.to_owned());
    let place = Place::find(data)?.ok_or_else(not_running)?;
    let running = postmaster::running(&place.pgdata())?.ok_or_else(not_running)?;
    Ok(Address {
        socket: running.socket,
    })
}

/// Everything needed to start the server once more.
#[derive(Debug)]
struct Launch {
    binary: PathBuf,
    settings: Vec<(String, String)>,
    socket: PathBuf,
    place: Place,
    _lock: File,
}

impl Launch {
    async fn adopt_or_spawn(&self) -> Result<Postmaster, Error> {
        let pgdata = self.place.pgdata();
        if let Some(left_behind) = postmaster::running(&pgdata)?
            && let Some(postmaster) = Postmaster::adopt(left_behind, &pgdata).await?
        {
            tracing::info!(
                pid = postmaster.pid(),
                "took over the database server that an earlier run left behind"
            );
            return Ok(postmaster);
        }
        postmaster::remove_stale_pid_file(&pgdata)?;
        Postmaster::spawn(self.command()?, &self.socket, &self.place).await
    }

    fn command(&self) -> Result<std::process::Command, Error> {
        let mut command = run_as(&self.binary, self.place.owner.as_ref());
        command.arg("-D").arg(self.place.pgdata());
        let mut set = |name: &str, value: &str| {
            command.arg("-c").arg(format!("{name}={value}"));
        };
        set("listen_addresses", "");
        set("unix_socket_directories", &self.socket.to_string_lossy());
        set("unix_socket_permissions", "0700");
        set("port", &PORT.to_string());
        set("timezone", "UTC");
        set("log_timezone", "UTC");
        // Under load the usual 1 GB is full twice a minute, and every checkpoint makes what is written next twice as big.
        set("max_wal_size", "4GB");
        for (name, value) in &self.settings {
            set(name, value);
        }
        let log = self.place.log();
        let file = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .map_err(Error::io("write", &log))?;
        command
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(file)
            // Ctrl-C in a terminal reaches our group; the server must outlive the rooms that use it.
            .process_group(0);
        Ok(command)
    }
}

async fn supervise(
    launch: Launch,
    mut postmaster: Postmaster,
    announce: watch::Sender<Option<u32>>,
    stop: CancellationToken,
    leave: CancellationToken,
) {
    loop {
        tokio::select! {
            () = leave.cancelled() => return postmaster.leave(),
            () = stop.cancelled() => return postmaster.stop().await,
            reason = postmaster.exited() => {
                announce.send_replace(None);
                tracing::error!(reason, "the database server ended by itself; starting it again");
            }
        }
        let mut pause = FIRST_PAUSE;
        postmaster = loop {
            match launch.adopt_or_spawn().await {
                Ok(postmaster) => break postmaster,
                Err(error) => {
                    tracing::error!(%error, "the database server does not start; trying again")
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            }
        };
        announce.send_replace(Some(postmaster.pid()));
    }
}

fn lock(place: &Place) -> Result<File, Error> {
    use io::{Read, Write};
    let path = place.base.join("lock");
    let mut file = File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(Error::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let known = file.read_to_string(&mut holder).is_ok() && !holder.trim().is_empty();
            return Err(Error::InUse {
                data: place.data.clone(),
                holder: format!("process {}", if known { holder.trim() } else { "unknown" }),
            });
        }
        Err(TryLockError::Error(source)) => return Err(Error::io("lock", &path)(source)),
    }
    file.set_len(0)
        .and_then(|()| writeln!(file, "{}", std::process::id()))
        .map_err(Error::io("write", &path))?;
    Ok(file)
}

/// Makes the cluster beside its place and renames it, so that a cut-off attempt is never taken for a cluster.
fn initdb(place: &Place, binaries: &Binaries, durable: bool) -> Result<(), Error> {
    let unfinished = place.base.join("pgdata.unfinished");
    if unfinished.exists() {
        std::fs::remove_dir_all(&unfinished).map_err(Error::io("remove", &unfinished))?;
    }
    place.make_private(&unfinished)?;
    let initdb = binaries.dir.join("initdb");
    let mut command = run_as(&initdb, place.owner.as_ref());
    command
        .args(["-U", SUPERUSER, "-E", "UTF8", "--locale=C.UTF-8"])
        .args([
            "--auth-local=trust",
            "--auth-host=reject",
            "--data-checksums",
        ]);
    if !durable {
        command.arg("--no-sync");
    }
    let output = command
        .arg("-D")
        .arg(&unfinished)
        .output()
        .map_err(Error::io("run", &initdb))?;
    if !output.status.success() {
        return Err(Error::Initdb {
            data: unfinished,
            output: format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            ),
        });
    }
    let pgdata = place.pgdata();
    std::fs::rename(&unfinished, &pgdata).map_err(Error::io("rename", &unfinished))
}

/// A command with an environment of its own, run as `owner` when we are root and it is not.
fn run_as(program: &Path, owner: Option<&Owner>) -> std::process::Command {
    let mut command = std::process::Command::new(program);
    command
        .env_clear()
        .env("LC_ALL", "C.UTF-8")
        .env("PATH", "/usr/bin:/bin")
        .current_dir("/");
    if let Some(owner) = owner {
        command.uid(owner.uid.as_raw()).gid(owner.gid.as_raw());
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_survives_odd_paths_and_names() {
        let address = Address {
            socket: "/srv/my data&more/run".into(),
        };
        assert_eq!(
            address.url("forecourt", Some("portal")),
            "postgres:///forecourt?host=/srv/my%20data%26more/run&port=5432&user=portal"
        );
        assert!(address.url("x", None).ends_with("user=postgres"));
    }
}
