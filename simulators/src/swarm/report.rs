//! One JSON line about a run.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Options, Workload, histogram::Histogram, process::Usage};

/// What stations counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) latency: Histogram,
    pub(super) errors: BTreeMap<&'static str, u64>,
    pub(super) refused: u64,
    pub(super) reconnects: u64,
    pub(super) replayed: u64,
    pub(super) sessions: u64,
}

impl Counts {
    pub(super) fn error(&mut self, kind: &'static str) {
        *self.errors.entry(kind).or_default() += 1;
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.latency.merge(&other.latency);
        for (kind, count) in &other.errors {
            *self.errors.entry(kind).or_default() += count;
        }
        self.refused += other.refused;
        self.reconnects += other.reconnects;
        self.replayed += other.replayed;
        self.sessions += other.sessions;
    }
}

/// One round of a storm.
#[derive(Clone, Debug, Serialize)]
pub struct Round {
    /// From the cut until the last station was accepted again, s.
    pub seconds: f64,
    /// Handshakes that were refused or broke.
    pub refused: u64,
}

/// What the workers bring home.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) counts: Counts,
    pub(super) connections: usize,
    /// Seconds to connect and boot all.
    pub(super) connect_seconds: f64,
    /// Seconds of measuring.
    pub(super) seconds: f64,
    pub(super) rounds: Vec<Round>,
    /// Usage when measuring began, and when it ended.
    pub(super) usage: (Usage, Usage),
}

/// The report of a run; serialises to one JSON line. Latencies are in microseconds.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The workload.
    pub workload: String,
    /// Stations connected when measuring began.
    pub connections: usize,
    /// Seconds to connect and boot all.
    pub connect_s: f64,
    /// CALLs answered.
    pub calls: u64,
    /// CALLs answered per second.
    pub calls_per_s: f64,
    /// Median latency.
    pub p50_us: u64,
    /// Latency of 95 %.
    pub p95_us: u64,
    /// Latency of 99 %.
    pub p99_us: u64,
    /// Largest latency.
    pub max_us: u64,
    /// Sessions carried to their end.
    pub sessions: u64,
    /// Errors by kind.
    pub errors: BTreeMap<&'static str, u64>,
    /// Handshakes refused.
    pub refused: u64,
    /// Connections opened again after a loss.
    pub reconnects: u64,
    /// Unanswered messages sent again.
    pub replayed: u64,
    /// Seconds of measuring.
    pub elapsed_s: f64,
    /// Rounds of a storm.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub rounds: Vec<Round>,
    /// The server's resident memory at the end, bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_rss: Option<u64>,
    /// How much of it came with the connections, bytes each.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_rss_per_connection: Option<u64>,
    /// CPU seconds of the server while measuring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_cpu_s: Option<f64>,
    /// CPU seconds of Postgres while measuring.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub postgres_cpu_s: Option<f64>,
    /// CPU seconds of server and Postgres per thousand CALLs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_s_per_1000_calls: Option<f64>,
    /// CPU seconds of the generator itself while measuring.
    pub generator_cpu_s: f64,
    /// Entries in the ledger.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ledger_entries: Option<u64>,
}

impl Report {
    pub(super) fn new(
        options: &Options,
        outcome: Outcome,
        before: Usage,
        ledger_entries: Option<u64>,
    ) -> anyhow::Result<Self> {
        let (begin, end) = outcome.usage;
        let difference = |from: Option<f64>, to: Option<f64>| Some(to? - from?);
        let server_cpu_s = difference(begin.server_cpu, end.server_cpu);
        let postgres_cpu_s = difference(begin.postgres_cpu, end.postgres_cpu);
        let calls = outcome.counts.latency.total();
        let cpu = server_cpu_s.map(|s| s + postgres_cpu_s.unwrap_or(0.0));
        let grown =
            |from: u64, to: u64| to.saturating_sub(from) / outcome.connections.max(1) as u64;
        Ok(Self {
            workload: match options.workload {
                Workload::Idle => "idle",
                Workload::Heartbeat => "heartbeat",
                Workload::Session => "session",
                Workload::Storm => "storm",
            }
            .to_owned(),
            connections: outcome.connections,
            connect_s: outcome.connect_seconds,
            calls,
            calls_per_s: (calls as f64 / outcome.seconds.max(1e-9)).round(),
            p50_us: outcome.counts.latency.quantile(0.5),
            p95_us: outcome.counts.latency.quantile(0.95),
            p99_us: outcome.counts.latency.quantile(0.99),
            max_us: outcome.counts.latency.max(),
            sessions: outcome.counts.sessions,
            errors: outcome.counts.errors,
            refused: outcome.counts.refused,
            reconnects: outcome.counts.reconnects,
            replayed: outcome.counts.replayed,
            elapsed_s: outcome.seconds,
            rounds: outcome.rounds,
            server_rss: end.server_rss,
            server_rss_per_connection: before
                .server_rss
                .zip(end.server_rss)
                .map(|(a, b)| grown(a, b)),
            server_cpu_s,
            postgres_cpu_s,
            cpu_s_per_1000_calls: cpu.filter(|_| calls > 0).map(|s| s * 1000.0 / calls as f64),
            generator_cpu_s: end.own_cpu - begin.own_cpu,
            ledger_entries,
        })
    }

    /// The sum of all errors.
    #[must_use]
    pub fn error_count(&self) -> u64 {
        self.errors.values().sum()
    }
}
