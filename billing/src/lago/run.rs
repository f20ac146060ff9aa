//! One run: look at every open session, put what came on its meter into the outbox, and send what waits there. One process
//! runs at a time, by an advisory lock that dies with its connection.

mod collect;
mod deliver;

use chrono::{DateTime, Utc};
use service::{clock::Clock, config};
use store::{
    Connection, Pool,
    lago::{
        events,
        runs::{self, Cause, Line, Tally},
    },
};
use tokio_util::sync::CancellationToken;

use super::{Client, Patience, usage::Metric};

/// What the sync works with.
#[derive(Debug, Clone)]
pub struct Sync {
    /// Its settings.
    pub settings: config::Lago,
    /// Lago; `None` in local mode.
    pub client: Option<Client>,
    /// How patient it is.
    pub patience: Patience,
    /// As [`store::Room::Billing`].
    pub pool: Pool,
    /// What time it is.
    pub clock: Clock,
    /// Ends a run between two batches.
    pub cancel: CancellationToken,
}

/// What came of asking for a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// Another process is at it.
    Taken,
    /// These runs were made.
    Ran(Vec<(i64, Tally)>),
}

/// What is done in a turn.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A run of its own, for this cause.
    pub run: Option<Cause>,
    /// Another run, sent again.
    pub replay: Option<i64>,
    /// Look at every session there is, and not only at those since the last look.
    pub whole: bool,
}

/// The lines of a run's log until they are written.
#[derive(Debug)]
pub(super) struct Log {
    clock: Clock,
    lines: Vec<Line>,
}

impl Log {
    pub(super) fn info(&mut self, line: &str) {
        self.add("info", line);
    }

    pub(super) fn warn(&mut self, line: &str) {
        self.add("warn", line);
    }

    pub(super) fn error(&mut self, line: &str) {
        self.add("error", line);
    }

    fn add(&mut self, level: &str, line: &str) {
        /// A run with more to say has said enough.
        const LINES: usize = 2_000;
        if self.lines.len() < LINES {
            self.lines.push(Line {
                at: self.clock.now(),
                level: level.to_owned(),
                line: line.to_owned(),
            });
        }
    }
}

impl Sync {
    /// A sync by the settings, as the worker and the command line have it.
    ///
    /// # Errors
    /// When TLS cannot be prepared.
    pub fn new(
        settings: &config::Lago,
        pool: Pool,
        clock: Clock,
        cancel: CancellationToken,
    ) -> Result<Self, service::http::Error> {
        let patience = Patience::default();
        let client = settings
            .api
            .as_ref()
            .map(|api| Client::new(api, patience.answer))
            .transpose()?;
        Ok(Self {
            settings: settings.clone(),
            client,
            patience,
            pool,
            clock,
            cancel,
        })
    }

    fn metric(&self) -> Metric {
        Metric {
            code: self.settings.metric_code.clone(),
            property: self.settings.metric_property.clone(),
        }
    }

    /// Takes the turn if nobody else has it, and does in it what is wanted and what others have asked for.
    ///
    /// # Errors
    /// Those of the database. What was in the outbox stays there.
    pub async fn turn(&self, wanted: Wanted) -> store::Result<Turn> {
        let mut db = self.pool.acquire().await?;
        if !runs::take_turn(&mut db).await? {
            return Ok(Turn::Taken);
        }
        let ran = self.in_turn(&mut db, wanted).await;
        match runs::end_turn(&mut db).await {
            Ok(()) => {}
            // The lock dies with the connection; it must not go back to the pool.
            Err(_) => drop(db.detach()),
        }
        ran.map(Turn::Ran)
    }

    async fn in_turn(
        &self,
        db: &mut Connection,
        wanted: Wanted,
    ) -> store::Result<Vec<(i64, Tally)>> {
        let abandoned = runs::abandon(db, self.clock.now()).await?;
        if abandoned > 0 {
            tracing::warn!(abandoned, "a worker died while it synced; its run is ended");
        }
        let requests = runs::requests(db).await?;
        let mut done = Vec::new();
        let replays = requests.iter().filter_map(|request| request.replay_of);
        for replay in replays.chain(wanted.replay) {
            done.push(self.run(db, Cause::Replay, Some(replay), false).await?);
        }
        let asked = requests.iter().any(|request| request.replay_of.is_none());
        if let Some(cause) = wanted.run.or(asked.then_some(Cause::Request)) {
            // A request is a person's who looks: its run is shown as one.
            let cause = if asked { Cause::Request } else { cause };
            let looked = self.run(db, cause, None, wanted.whole).await;
            if let Some(run) = looked? {
                done.push(Some(run));
            }
        }
        let ids: Vec<i64> = requests.iter().map(|request| request.id).collect();
        if !ids.is_empty() {
            runs::obeyed(db, &ids, self.clock.now()).await?;
        }
        Ok(done.into_iter().flatten().collect())
    }

    /// One run. A look at the meters that finds nothing leaves no trace.
    async fn run(
        &self,
        db: &mut Connection,
        cause: Cause,
        replay_of: Option<i64>,
        whole: bool,
    ) -> store::Result<Option<(i64, Tally)>> {
        if cause == Cause::Meter && !self.is_meter_due(db).await? {
            return Ok(None);
        }
        let started = self.clock.now();
        let run = runs::begin(db, cause, replay_of, started).await?;
        let (mut tally, mut log) = (
            Tally::default(),
            Log {
                clock: self.clock.clone(),
                lines: Vec::new(),
            },
        );
        let result = match replay_of {
            Some(of) => self.replay(db, of, run, &mut tally, &mut log).await,
            None => {
                self.collect_and_send(db, run, cause, whole, &mut tally, &mut log)
                    .await
            }
        };
        if let Err(error) = &result {
            log.error(&error.to_string());
            tally.errors.push(error.to_string());
        }
        runs::log(db, run, &log.lines).await?;
        runs::finish(db, run, &tally, self.clock.now()).await?;
        metrics::gauge!("forecourt_lago_events_waiting")
            .set(u32::try_from(events::count_pending(db).await?).unwrap_or(u32::MAX));
        tracing::info!(
            run,
            cause = cause.as_str(),
            sessions = tally.sessions,
            created = tally.created,
            sent = tally.sent,
            duplicates = tally.duplicates,
            rejected = tally.rejected,
            failed = !tally.errors.is_empty(),
            "usage synced"
        );
        result.map(|()| Some((run, tally)))
    }

    async fn collect_and_send(
        &self,
        db: &mut Connection,
        run: i64,
        cause: Cause,
        whole: bool,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<()> {
        self.collect(db, run, cause, whole, tally, log).await?;
        self.send(db, run, tally, log).await
    }

    async fn replay(
        &self,
        db: &mut Connection,
        of: i64,
        run: i64,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<()> {
        let again = events::send_again(db, of).await?;
        log.info(&format!("run {of} is sent again: {again} events"));
        self.send(db, run, tally, log).await
    }

    /// When the last run began, if there was one.
    pub(super) async fn last_run(&self) -> store::Result<Option<DateTime<Utc>>> {
        let mut db = self.pool.acquire().await?;
        let last = runs::recent(&mut db, 1).await?;
        Ok(last.first().map(|run| run.started_at))
    }
}
