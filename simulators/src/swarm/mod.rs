//! `evsim swarm`: a load generator in closed loop, one outstanding CALL a station, frames from templates of
//! the core's own messages. Workers are threads with a runtime each; a station costs a small task and a socket.

mod histogram;
mod process;
mod report;
mod station;
mod storm;
mod template;
mod worker;

use std::{path::PathBuf, str::FromStr, sync::mpsc, time::Duration};

pub use histogram::Histogram;
pub use report::Report;

use crate::{
    ledger::Ledger,
    socket::Target,
    wire::{Tls, TlsFiles},
};

/// What the stations do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Workload {
    /// Connect, boot, and hold still: memory per connection.
    Idle,
    /// Heartbeats.
    Heartbeat,
    /// Authorize, StartTransaction, eight MeterValues of six samples, StopTransaction, again and again.
    Session,
    /// All sockets are cut at once; all stations come back.
    Storm,
}

/// A swarm.
#[derive(Clone, Debug)]
pub struct Options {
    /// The server, e.g. `ws://127.0.0.1:9000/ocpp`.
    pub url: String,
    /// How many stations.
    pub count: usize,
    /// What they do.
    pub workload: Workload,
    /// New connections per second; `None`: as fast as it goes.
    pub ramp: Option<f64>,
    /// How long to measure.
    pub duration: Duration,
    /// Identities.
    pub ids: NameFormat,
    /// Basic authentication, if any.
    pub passwords: Option<NameFormat>,
    /// What they trust by TLS; for a URL of wss://.
    pub tls: Option<TlsFiles>,
    /// Tags, one per station.
    pub tags: NameFormat,
    /// Where acknowledged transaction messages are written down.
    pub ledger: Option<PathBuf>,
    /// The server's process, for memory and CPU.
    pub server_pid: Option<u32>,
    /// The postmaster, for CPU.
    pub pg_pid: Option<u32>,
    /// Rounds of a storm.
    pub rounds: usize,
    /// Connections being opened at the same time, per thread.
    pub dialling: usize,
    /// Generator threads.
    pub threads: usize,
    /// An answer later than this is an error.
    pub call_timeout: Duration,
}

impl Options {
    /// Ten seconds of a workload against a server.
    #[must_use]
    pub fn new(url: &str, count: usize, workload: Workload) -> Self {
        Self {
            url: url.to_owned(),
            count,
            workload,
            ramp: None,
            duration: Duration::from_secs(10),
            ids: NameFormat::sim("SIM-"),
            passwords: None,
            tls: None,
            tags: NameFormat::sim("TAG"),
            ledger: None,
            server_pid: None,
            pg_pid: None,
            rounds: 5,
            dialling: 256,
            threads: 1,
            call_timeout: Duration::from_secs(30),
        }
    }
}

/// A name with a number in it: `SIM-{:05}` makes `SIM-00042`; `{}` is the bare number; none: always the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFormat {
    before: String,
    width: Option<usize>,
    after: String,
}

impl NameFormat {
    fn sim(prefix: &str) -> Self {
        Self {
            before: prefix.to_owned(),
            width: Some(5),
            after: String::new(),
        }
    }

    /// The name of a number.
    #[must_use]
    pub fn name(&self, number: usize) -> String {
        match self.width {
            Some(width) => format!("{}{number:0width$}{}", self.before, self.after),
            None => self.before.clone(),
        }
    }
}

impl FromStr for NameFormat {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{text}`: expected a name with {{}} or {{:05}} for the number, e.g. SIM-{{:05}}"
            )
        };
        let Some((before, rest)) = text.split_once('{') else {
            return Ok(Self {
                before: text.to_owned(),
                width: None,
                after: String::new(),
            });
        };
        let (spec, after) = rest.split_once('}').ok_or_else(wrong)?;
        let width = match spec.strip_prefix(':') {
            None if spec.is_empty() => 0,
            Some(width) => width.parse().ok().filter(|w| *w <= 20).ok_or_else(wrong)?,
            None => return Err(wrong()),
        };
        Ok(Self {
            before: before.to_owned(),
            width: Some(width),
            after: after.to_owned(),
        })
    }
}

/// Runs a swarm to its end and reports.
///
/// # Errors
/// When it cannot begin: a bad URL, too few descriptors, an unreadable process, a ledger that cannot be made.
/// What goes wrong under load is counted in the report instead.
pub fn run(options: Options) -> anyhow::Result<Report> {
    // Nobody ends it early: the sender lives as long as the run.
    let (_never, end) = mpsc::channel();
    run_until(options, &end)
}

/// As [`run`], but ends early when `end` is told so, or its sender is gone.
///
/// # Errors
/// As [`run`].
pub fn run_until(options: Options, end: &mpsc::Receiver<()>) -> anyhow::Result<Report> {
    use anyhow::Context as _;
    let tls = options.tls.as_ref().map(Tls::load).transpose()?;
    let target = Target::new(&options.url)?.trusting(tls);
    process::need_descriptors(options.count)?;
    let ledger = options
        .ledger
        .as_ref()
        .map(|path| Ledger::create(path).with_context(|| format!("--ledger {}", path.display())))
        .transpose()?;
    let before = process::Usage::read(&options)?;
    let outcome = worker::run_all(&options, &target, ledger.as_ref(), end)?;
    let ledger_entries = ledger
        .map(Ledger::finish)
        .transpose()
        .context("writing the ledger")?;
    Report::new(&options, outcome, before, ledger_entries)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_formatted_or_explained() {
        let name = |format: &str| format.parse::<NameFormat>().map(|f| f.name(42));
        assert_eq!(name("SIM-{:05}").as_deref(), Ok("SIM-00042"));
        assert_eq!(name("cp{}x").as_deref(), Ok("cp42x"));
        assert_eq!(name("secret").as_deref(), Ok("secret"));
        for format in ["SIM-{:x}", "SIM-{05}", "SIM-{"] {
            assert!(
                name(format).is_err_and(|e| e.contains("SIM-{:05}")),
                "{format}"
            );
        }
    }
}
