//! What a run costs: memory and CPU of server, database and generator, read from `/proc`.

use std::{fs, io};

use anyhow::{Context as _, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use super::Options;

/// Linux counts CPU time of `/proc/*/stat` in hundredths of a second.
const TICKS_PER_SECOND: f64 = 100.0;
/// Descriptors beside the sockets.
const SPARE: u64 = 64;

/// Raises the soft descriptor limit as far as needed and allowed; fails if that is too low.
pub(super) fn need_descriptors(count: usize) -> anyhow::Result<()> {
    let needed = count as u64 + SPARE;
    let (soft, hard) =
        getrlimit(Resource::RLIMIT_NOFILE).context("reading the descriptor limit")?;
    if needed > hard {
        bail!(
            "--count {count} needs {needed} open files, but this process may have {hard}: raise it with \
             `ulimit -n {needed}` (as root), or run several swarms of at most {} stations",
            hard.saturating_sub(SPARE)
        );
    }
    if needed > soft {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard).context("raising the descriptor limit")?;
    }
    Ok(())
}

/// Memory and CPU at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    pub(super) server_rss: Option<u64>,
    pub(super) server_cpu: Option<f64>,
    pub(super) postgres_cpu: Option<f64>,
    pub(super) own_cpu: f64,
}

impl Usage {
    pub(super) fn read(options: &Options) -> anyhow::Result<Self> {
        let server = options
            .server_pid
            .map(|pid| -> anyhow::Result<_> {
                let why = || format!("--server-pid {pid}: no such process");
                Ok((
                    rss(pid).with_context(why)?,
                    Stat::read(pid).with_context(why)?,
                ))
            })
            .transpose()?;
        let postgres = options
            .pg_pid
            .map(|pid| family_cpu(pid).with_context(|| format!("--pg-pid {pid}: no such process")))
            .transpose()?;
        let own = Stat::read(std::process::id()).context("reading /proc/self/stat")?;
        Ok(Self {
            server_rss: server.as_ref().map(|(rss, _)| *rss),
            server_cpu: server.map(|(_, stat)| stat.cpu),
            postgres_cpu: postgres,
            own_cpu: own.cpu,
        })
    }
}

/// CPU seconds of a process.
struct Stat {
    parent: u32,
    cpu: f64,
    /// Of its children that have ended and been waited for.
    reaped: f64,
}

impl Stat {
    fn read(pid: u32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name in parentheses may hold blanks: fields are counted after it.
        let fields: Vec<&str> = text
            .rsplit(')')
            .next()
            .unwrap_or("")
            .split_whitespace()
            .collect();
        let number = |at: usize| {
            fields
                .get(at)
                .and_then(|f| f.parse::<f64>().ok())
                .unwrap_or(0.0)
        };
        Ok(Self {
            parent: fields.get(1).and_then(|f| f.parse().ok()).unwrap_or(0),
            cpu: (number(11) + number(12)) / TICKS_PER_SECOND,
            reaped: (number(13) + number(14)) / TICKS_PER_SECOND,
        })
    }
}

/// CPU seconds of a postmaster and all its children, those that have ended included.
fn family_cpu(postmaster: u32) -> io::Result<f64> {
    let own = Stat::read(postmaster)?;
    let mut sum = own.cpu + own.reaped;
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        // A process that ended between listing and reading is in `reaped` next time.
        if let Ok(stat) = Stat::read(pid)
            && stat.parent == postmaster
        {
            sum += stat.cpu + stat.reaped;
        }
    }
    Ok(sum)
}

/// Resident memory, bytes.
fn rss(pid: u32) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kilobytes = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .and_then(|rest| {
            rest.trim()
                .trim_end_matches("kB")
                .trim()
                .parse::<u64>()
                .ok()
        });
    kilobytes
        .map(|kb| kb * 1024)
        .ok_or_else(|| io::Error::other("no VmRSS"))
}
