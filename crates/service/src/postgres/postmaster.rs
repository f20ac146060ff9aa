//! One server process: ours, or one that an earlier process of ours left behind. `postmaster.pid` is its calling card.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::process::Child;

use super::{Error, place::Place};

const STARTING: Duration = Duration::from_secs(60);
const STOPPING: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(20);
const LOG_TAIL_LINES: usize = 15;

/// What `postmaster.pid` says of a server that is alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Running {
    pub pid: u32,
    pub socket: PathBuf,
    pub ready: bool,
    pub stopping: bool,
}

/// The live server of `pgdata`, if there is one. A file left by a dead one, or whose process id now belongs to
/// something else, does not count.
pub(super) fn running(pgdata: &Path) -> Result<Option<Running>, Error> {
    let path = pgdata.join("postmaster.pid");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(parse(&text).filter(|running| is_server_of(running.pid, pgdata))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io("read", &path)(error)),
    }
}

/// Postgres refuses to start when the process id in its file is alive, whoever that now is. The caller holds the
/// data folder's lock and has found no server.
pub(super) fn remove_stale_pid_file(pgdata: &Path) -> Result<(), Error> {
    let path = pgdata.join("postmaster.pid");
    match fs::remove_file(&path) {
        Ok(()) => {
            tracing::info!(file = %path.display(), "removed the process id file of a server that is gone");
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::io("remove", &path)(error)),
    }
}

/// Lines: process id, data folder, start time, port, socket folder, listen address, shared memory key, status.
fn parse(text: &str) -> Option<Running> {
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let status = lines.get(7).copied().unwrap_or_default();
    Some(Running {
        pid: lines.first()?.parse().ok()?,
        socket: PathBuf::from(lines.get(4).copied().unwrap_or_default()),
        ready: status == "ready",
        stopping: status == "stopping",
    })
}

/// A server's working directory is its cluster: that tells it from a process that got its number later.
fn is_server_of(pid: u32, pgdata: &Path) -> bool {
    let process = PathBuf::from(format!("/proc/{pid}"));
    let is_postgres =
        fs::read_to_string(process.join("comm")).is_ok_and(|name| name.trim() == "postgres");
    is_postgres
        && match (fs::read_link(process.join("cwd")), pgdata.canonicalize()) {
            (Ok(cwd), Ok(pgdata)) => cwd == pgdata,
            _ => false,
        }
}

#[derive(Debug)]
enum Process {
    Child(Child),
    /// Not our child: watched by its number.
    Adopted(PathBuf),
}

/// A server that answers. Dropping it asks it to stop.
#[derive(Debug)]
pub(super) struct Postmaster {
    pid: u32,
    socket: PathBuf,
    process: Process,
    over: bool,
}

impl Postmaster {
    /// Starts `command` and waits until the server takes connections.
    pub async fn spawn(
        command: std::process::Command,
        socket: &Path,
        place: &Place,
    ) -> Result<Self, Error> {
        let program = PathBuf::from(command.get_program());
        let child = tokio::process::Command::from(command)
            .spawn()
            .map_err(Error::io("run", &program))?;
        let mut postmaster = Self {
            pid: child.id().unwrap_or_default(),
            socket: socket.to_owned(),
            process: Process::Child(child),
            over: false,
        };
        let started = Instant::now();
        loop {
            if let Some(running) = running(&place.pgdata())?
                && running.pid == postmaster.pid
                && running.ready
            {
                return Ok(postmaster);
            }
            if let Process::Child(child) = &mut postmaster.process
                && let Ok(Some(status)) = child.try_wait()
            {
                postmaster.over = true;
                return Err(did_not_start(status.to_string(), place));
            }
            if started.elapsed() > STARTING {
                let reason = format!("not ready after {} s", STARTING.as_secs());
                return Err(did_not_start(reason, place));
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Takes over `found` once it is ready; `None` if it ends instead.
    pub async fn adopt(found: Running, pgdata: &Path) -> Result<Option<Self>, Error> {
        let mut found = Some(found);
        while let Some(running) = found {
            if running.ready {
                return Ok(Some(Self {
                    pid: running.pid,
                    socket: running.socket,
                    process: Process::Adopted(pgdata.to_owned()),
                    over: false,
                }));
            }
            if running.stopping {
                tracing::info!(
                    pid = running.pid,
                    "waiting for the database server of an earlier run to end"
                );
            }
            tokio::time::sleep(LOOK_AGAIN).await;
            found = self::running(pgdata)?;
        }
        Ok(None)
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Waits for its end and says how it came. May be dropped and called again.
    pub async fn exited(&mut self) -> String {
        let reason = match &mut self.process {
            Process::Child(child) => match child.wait().await {
                Ok(status) => status.to_string(),
                Err(error) => error.to_string(),
            },
            Process::Adopted(pgdata) => {
                while is_server_of(self.pid, pgdata) {
                    tokio::time::sleep(LOOK_AGAIN).await;
                }
                "exit status unknown".to_owned()
            }
        };
        self.over = true;
        reason
    }

    /// Fast shutdown; the immediate one if that takes too long.
    pub async fn stop(mut self) {
        self.signal(Signal::SIGINT);
        if tokio::time::timeout(STOPPING, self.exited()).await.is_err() {
            tracing::warn!(
                pid = self.pid,
                "the database server does not stop; ending it the hard way"
            );
            self.signal(Signal::SIGQUIT);
            self.exited().await;
        }
    }

    /// Lets it run on by itself.
    pub fn leave(mut self) {
        self.over = true;
    }

    fn signal(&self, signal: Signal) {
        let Ok(pid) = i32::try_from(self.pid) else {
            return;
        };
        match kill(Pid::from_raw(pid), signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => tracing::error!(pid, %error, "cannot signal the database server"),
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        if !self.over {
            self.signal(Signal::SIGINT);
        }
    }
}

fn did_not_start(reason: String, place: &Place) -> Error {
    let log = place.log();
    let text = fs::read_to_string(&log).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    Error::DidNotStart {
        reason,
        tail: lines[lines.len().saturating_sub(LOG_TAIL_LINES)..].join("\n"),
        log,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_calling_card() {
        let text = "4711\n/data/pgdata\n1700000000\n5432\n/data/run\n\n  123 456\nready   \n";
        let running = parse(text).unwrap();
        assert_eq!(running.pid, 4711);
        assert_eq!(running.socket, Path::new("/data/run"));
        assert!(running.ready && !running.stopping);
    }

    #[test]
    fn a_card_half_written_is_not_ready() {
        assert_eq!(parse(""), None);
        assert!(!parse("4711\n/data/pgdata\n").unwrap().ready);
    }

    #[test]
    fn another_process_with_its_number_is_not_the_server() {
        assert!(!is_server_of(std::process::id(), Path::new("/")));
    }
}
