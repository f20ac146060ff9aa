//! Threads with a runtime each, the phases they go through together, and the sweep that ends overdue waits.

use std::{
    cell::{Cell, RefCell},
    rc::Rc,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, AtomicUsize, Ordering},
        mpsc::{Receiver, Sender},
    },
    task::Waker,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use tokio::{
    runtime,
    sync::{Semaphore, watch},
    task::LocalSet,
};

use super::{
    Options, Workload,
    process::Usage,
    report::{Counts, Outcome, Round},
    station, storm,
    template::{Frames, Template},
};
use crate::{
    ledger::{self, Ledger},
    socket::Target,
};

/// What the swarm does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    Connecting,
    Measuring,
    /// A storm's round: cut everything.
    Cut(usize),
    /// A storm's round: come back.
    Return(usize),
    Ended,
}

/// Between threads.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) phase: watch::Receiver<Phase>,
    /// Stations that have reached what the phase asks for.
    pub(super) arrived: AtomicUsize,
    pub(super) refused: AtomicU64,
    /// The first thing that went wrong, for people.
    pub(super) first_problem: Mutex<Option<String>>,
}

impl Shared {
    pub(super) fn problem(&self, words: impl FnOnce() -> String) {
        if let Ok(mut first) = self.first_problem.lock() {
            first.get_or_insert_with(words);
        }
    }

    fn first_problem(&self) -> Option<String> {
        self.first_problem
            .lock()
            .ok()
            .and_then(|first| first.clone())
    }
}

/// A station's wait for an answer, as the sweep sees it.
#[derive(Debug, Default)]
pub(super) struct Slot {
    pub(super) deadline: Cell<Option<Instant>>,
    pub(super) expired: Cell<bool>,
    pub(super) waker: RefCell<Option<Waker>>,
}

/// Within a thread.
pub(super) struct Worker {
    pub(super) options: Options,
    pub(super) target: Target,
    pub(super) shared: Arc<Shared>,
    pub(super) counts: RefCell<Counts>,
    pub(super) measuring: Cell<bool>,
    pub(super) ended: Cell<bool>,
    pub(super) meter: Template,
    pub(super) ledger: Option<Sender<ledger::Entry>>,
    pub(super) dialling: Semaphore,
    slots: RefCell<Vec<Rc<Slot>>>,
}

impl Worker {
    pub(super) fn slot(&self) -> Rc<Slot> {
        let slot = Rc::new(Slot::default());
        self.slots.borrow_mut().push(Rc::clone(&slot));
        slot
    }

    fn sweep(&self, now: Instant) {
        for slot in self.slots.borrow().iter() {
            if slot.deadline.get().is_some_and(|at| at <= now) {
                slot.expired.set(true);
                if let Some(waker) = slot.waker.borrow_mut().take() {
                    waker.wake();
                }
            }
        }
    }

    fn wake_all(&self) {
        for slot in self.slots.borrow().iter() {
            if let Some(waker) = slot.waker.borrow_mut().take() {
                waker.wake();
            }
        }
    }
}

/// How often overdue answers are looked for.
const SWEEP: Duration = Duration::from_millis(500);
/// After the end, stations may wait so long for the answer they are waiting for.
const GRACE: Duration = Duration::from_secs(5);
/// Nobody got in for so long: the server is not there, or does not want us.
const HOPELESS: Duration = Duration::from_secs(3);
/// All must be in by then, on top of the ramp.
const CONNECT_LIMIT: Duration = Duration::from_secs(120);

pub(super) fn run_all(
    options: &Options,
    target: &Target,
    ledger: Option<&Ledger>,
    end: &Receiver<()>,
) -> anyhow::Result<Outcome> {
    let (phase, phases) = watch::channel(Phase::Connecting);
    let shared = Arc::new(Shared {
        phase: phases,
        arrived: AtomicUsize::new(0),
        refused: AtomicU64::new(0),
        first_problem: Mutex::new(None),
    });
    let begun = Instant::now();
    let threads: Vec<_> = (0..options.threads.max(1))
        .map(|index| {
            let (options, target, shared) = (options.clone(), target.clone(), Arc::clone(&shared));
            let ledger = ledger.map(Ledger::sender);
            thread::Builder::new()
                .name(format!("swarm-{index}"))
                .spawn(move || work(index, begun, options, target, shared, ledger))
                .context("starting a thread")
        })
        .collect::<anyhow::Result<_>>()?;
    let measured = measure(options, &shared, &phase, begun, end);
    phase.send_replace(Phase::Ended);
    let mut counts = Counts::default();
    for thread in threads {
        match thread.join() {
            Ok(result) => counts.merge(&result?),
            Err(_) => bail!("a generator thread panicked"),
        }
    }
    let mut outcome = measured?;
    outcome.counts = counts;
    Ok(outcome)
}

fn measure(
    options: &Options,
    shared: &Shared,
    phase: &watch::Sender<Phase>,
    begun: Instant,
    end: &Receiver<()>,
) -> anyhow::Result<Outcome> {
    let connections = all_connected(options, shared, begun)?;
    let connect_seconds = begun.elapsed().as_secs_f64();
    let before = Usage::read(options)?;
    let begun = Instant::now();
    let mut rounds = Vec::new();
    if options.workload == Workload::Storm {
        for round in 0..options.rounds {
            rounds.push(storm_round(options, shared, phase, round)?);
        }
    } else {
        phase.send_replace(Phase::Measuring);
        // Either way the run is over.
        let _ = end.recv_timeout(options.duration);
    }
    let seconds = begun.elapsed().as_secs_f64();
    let after = usage_after(options, before);
    Ok(Outcome {
        counts: Counts::default(),
        connections,
        connect_seconds,
        seconds,
        rounds,
        usage: (before, after),
    })
}

/// The server may have been killed meanwhile, which is no reason to lose the report.
fn usage_after(options: &Options, before: Usage) -> Usage {
    Usage::read(options).unwrap_or_else(|problem| {
        eprintln!("no figures of the server: {problem:#}");
        Usage {
            server_rss: None,
            server_cpu: None,
            postgres_cpu: None,
            ..before
        }
    })
}

fn all_connected(options: &Options, shared: &Shared, begun: Instant) -> anyhow::Result<usize> {
    let ramp = options.ramp.map_or(Duration::ZERO, |rate| {
        Duration::from_secs_f64(options.count as f64 / rate)
    });
    loop {
        let connected = shared.arrived.load(Ordering::Relaxed);
        let waited = begun.elapsed();
        if connected == options.count {
            return Ok(connected);
        }
        let problem = shared.first_problem();
        if connected == 0
            && waited > HOPELESS
            && let Some(problem) = &problem
        {
            bail!("no station could connect. The first: {problem}");
        }
        if waited > CONNECT_LIMIT + ramp {
            let problem = problem.unwrap_or_else(|| "no error, only silence".to_owned());
            bail!(
                "only {connected} of {} stations could connect. The first problem: {problem}",
                options.count
            );
        }
        thread::sleep(Duration::from_millis(2));
    }
}

fn storm_round(
    options: &Options,
    shared: &Shared,
    phase: &watch::Sender<Phase>,
    round: usize,
) -> anyhow::Result<Round> {
    let refused_before = shared.refused.load(Ordering::Relaxed);
    shared.arrived.store(0, Ordering::Relaxed);
    let begun = Instant::now();
    phase.send_replace(Phase::Cut(round));
    storm_wait(options, shared, begun)?;
    shared.arrived.store(0, Ordering::Relaxed);
    phase.send_replace(Phase::Return(round));
    storm_wait(options, shared, begun)?;
    Ok(Round {
        seconds: begun.elapsed().as_secs_f64(),
        refused: shared.refused.load(Ordering::Relaxed) - refused_before,
    })
}

fn storm_wait(options: &Options, shared: &Shared, begun: Instant) -> anyhow::Result<()> {
    loop {
        let arrived = shared.arrived.load(Ordering::Relaxed);
        if arrived == options.count {
            return Ok(());
        }
        if begun.elapsed() > CONNECT_LIMIT {
            bail!(
                "a storm's round: only {arrived} of {} stations after {CONNECT_LIMIT:?}. The first problem: {}",
                options.count,
                shared.first_problem().unwrap_or_default()
            );
        }
        thread::sleep(Duration::from_millis(1));
    }
}

fn work(
    index: usize,
    begun: Instant,
    options: Options,
    target: Target,
    shared: Arc<Shared>,
    ledger: Option<Sender<ledger::Entry>>,
) -> anyhow::Result<Counts> {
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .event_interval(61)
        .build()
        .context("starting a runtime")?;
    let threads = options.threads.max(1);
    let worker = Rc::new(Worker {
        dialling: Semaphore::new(options.dialling.max(1)),
        options,
        target,
        shared,
        counts: RefCell::default(),
        measuring: Cell::new(false),
        ended: Cell::new(false),
        meter: Frames::meter(),
        ledger,
        slots: RefCell::default(),
    });
    let local = LocalSet::new();
    let mut stations = tokio::task::JoinSet::new();
    for number in (index..worker.options.count).step_by(threads) {
        let worker = Rc::clone(&worker);
        let delay = worker.options.ramp.map_or(Duration::ZERO, |rate| {
            Duration::from_secs_f64(number as f64 / rate)
        });
        stations.spawn_local_on(
            async move {
                if !delay.is_zero() {
                    tokio::time::sleep_until((begun + delay).into()).await;
                }
                match worker.options.workload {
                    Workload::Storm => storm::station(worker, number).await,
                    _ => station::station(worker, number).await,
                }
            },
            &local,
        );
    }
    local.block_on(&runtime, async {
        let mut phases = worker.shared.phase.clone();
        let mut sweep = tokio::time::interval(SWEEP);
        loop {
            tokio::select! {
                changed = phases.changed() => {
                    let phase = *phases.borrow_and_update();
                    worker.measuring.set(phase == Phase::Measuring);
                    if changed.is_err() || phase == Phase::Ended {
                        worker.ended.set(true);
                        break;
                    }
                }
                _ = sweep.tick() => worker.sweep(Instant::now()),
            }
        }
        worker.wake_all();
        let all_home = async { while stations.join_next().await.is_some() {} };
        // Those that still wait are dropped with their set.
        let _ = tokio::time::timeout(GRACE, all_home).await;
    });
    drop(stations);
    drop(local);
    let counts = worker.counts.take();
    Ok(counts)
}
