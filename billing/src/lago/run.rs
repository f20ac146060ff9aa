//! One run: look at every open session, put what came on its meter into the outbox, and send what waits there. One process
//! runs at a time, by an advisory lock that dies with its connection.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use service::{clock::Clock, config};
use store::{
    Connection, Pool,
    lago::{
        events,
        link::{self, Link},
        runs::{self, Cause, Line, Tally},
        state::{self, Change, NewEvent, Open},
    },
    tag_mappings::{self, Account},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Client, Patience,
    send::Sender,
    usage::{self, Decision, Metric},
    wire,
};
use crate::pricing;

/// Sessions of one transaction.
const CHUNK: i64 = 500;
/// Rows become visible some time after the instant that they carry.
const SLACK: TimeDelta = TimeDelta::hours(1);
/// How long a good metric is believed in.
const METRIC_GOOD_FOR: TimeDelta = TimeDelta::minutes(10);

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

    /// Whether any session that charges has enough for an event.
    async fn is_meter_due(&self, db: &mut Connection) -> store::Result<bool> {
        let Some(flush) = self.settings.meter else {
            return Ok(false);
        };
        let link = link::load(db).await?;
        let since = link.seen_at.map(|at| at - SLACK);
        state::discover(db, since, self.settings.since, self.clock.now()).await?;
        let (accounts, _) = self.accounts(db).await?;
        let tokens: Vec<String> = accounts.into_keys().collect();
        let now = self.clock.now();
        let mut after = Uuid::nil();
        loop {
            let chunk = state::open(db, &tokens, after, CHUNK).await?;
            let Some(last) = chunk.last() else {
                return Ok(false);
            };
            after = last.session_id;
            if chunk
                .iter()
                .any(|session| usage::is_worth_an_event(session, flush, now))
            {
                return Ok(true);
            }
        }
    }

    /// Puts into the outbox what came on the meters.
    async fn collect(
        &self,
        db: &mut Connection,
        run: i64,
        cause: Cause,
        whole: bool,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<()> {
        let now = self.clock.now();
        let link = link::load(db).await?;
        let since = link.seen_at.filter(|_| !whole).map(|at| at - SLACK);
        let new = state::discover(db, since, self.settings.since, now).await?;
        let reopened = state::reopen(db, since, now).await?;
        link::save_seen(db, now).await?;
        if new + reopened > 0 {
            log.info(&format!(
                "{new} sessions are new, {reopened} were stopped otherwise than billed"
            ));
        }
        let (accounts, unmapped) = self.accounts(db).await?;
        if unmapped > 0 {
            tally.unmapped = i32::try_from(unmapped).unwrap_or(i32::MAX);
            log.warn(&format!(
                "{unmapped} open sessions are on no account of Lago"
            ));
        }
        let tokens: Vec<String> = accounts.keys().cloned().collect();
        let flush = self.settings.meter.filter(|_| cause == Cause::Meter);
        let mut after = Uuid::nil();
        loop {
            let chunk = state::open(db, &tokens, after, CHUNK).await?;
            let Some(last) = chunk.last() else { break };
            after = last.session_id;
            let mut decided = Vec::new();
            for session in &chunk {
                let Some(account) = accounts.get(&session.id_token) else {
                    continue;
                };
                if flush.is_none_or(|flush| usage::is_worth_an_event(session, flush, now)) {
                    decided.push(usage::decide(session, account, &self.metric()));
                }
            }
            tally.sessions += i32::try_from(decided.len()).unwrap_or(i32::MAX);
            let decided = self.hold_back(db, &chunk, decided, tally, log).await?;
            tally.created += self.record(db, run, decided, log).await?;
            if self.cancel.is_cancelled() {
                break;
            }
        }
        Ok(())
    }

    /// Takes out what a person has to look at before anybody may bill it, and writes down why it waits.
    async fn hold_back(
        &self,
        db: &mut Connection,
        chunk: &[Open],
        mut decided: Vec<Decision>,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<Vec<Decision>> {
        let now = self.clock.now();
        let told = |decision: &Decision| decision.event.as_ref().map(|event| event.session_id);
        let billed: Vec<Uuid> = decided.iter().filter_map(told).collect();
        let let_go = chunk
            .iter()
            .map(|session| (session.session_id, session.let_go.clone()));
        let holds = pricing::holds(&self.pool, &billed, &let_go.collect(), now).await?;
        decided.retain(|decision| !told(decision).is_some_and(|id| holds.contains_key(&id)));
        tally.held += i32::try_from(holds.len()).unwrap_or(i32::MAX);
        let found = billed
            .into_iter()
            .map(|id| (id, holds.get(&id).cloned().unwrap_or_default()));
        let found: HashMap<Uuid, Vec<String>> = found.collect();
        let mut changed = Vec::new();
        for session in chunk {
            let Some(reasons) = found.get(&session.session_id) else {
                continue;
            };
            if *reasons == session.held {
                continue;
            }
            if !reasons.is_empty() {
                log.warn(&format!(
                    "session {}: its usage waits until somebody has looked: {}",
                    session.session_id,
                    reasons.join(", ")
                ));
            }
            changed.push((session.session_id, reasons.clone()));
        }
        if !changed.is_empty() {
            state::hold(db, &changed, now).await?;
        }
        Ok(decided)
    }

    /// Events and the states that count them, in one transaction.
    async fn record(
        &self,
        db: &mut Connection,
        run: i64,
        decided: Vec<Decision>,
        log: &mut Log,
    ) -> store::Result<i32> {
        let mut new: Vec<NewEvent> = Vec::new();
        let mut changes: Vec<Change> = Vec::new();
        for decision in decided {
            new.extend(decision.event);
            changes.extend(decision.change);
            if let Some(warning) = decision.warning {
                log.warn(&warning);
            }
        }
        if changes.is_empty() {
            return Ok(0);
        }
        let made = state::record(db, run, &new, &changes, self.clock.now()).await?;
        let repeats = u64::try_from(new.len()).unwrap_or(0).saturating_sub(made);
        if repeats > 0 {
            log.error(&format!(
                "{repeats} sessions have an event of the same usage already; they are flagged"
            ));
        }
        Ok(i32::try_from(made).unwrap_or(i32::MAX))
    }

    /// The accounts in Lago of tokens with open sessions, and how many open sessions are on none.
    async fn accounts(
        &self,
        db: &mut Connection,
    ) -> store::Result<(BTreeMap<String, Account>, i64)> {
        let open = state::open_tokens(db).await?;
        let tokens: Vec<String> = open.iter().map(|(token, _)| token.clone()).collect();
        let found = tag_mappings::accounts(db, &tokens).await?;
        let mut accounts = BTreeMap::new();
        let mut unmapped = 0;
        for ((token, sessions), account) in open.into_iter().zip(found) {
            match account.filter(|account| account.active && account.lago_customer.is_some()) {
                Some(account) => {
                    accounts.insert(token, account);
                }
                None => unmapped += sessions,
            }
        }
        Ok((accounts, unmapped))
    }

    async fn send(
        &self,
        db: &mut Connection,
        run: i64,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<()> {
        let waiting = events::count_pending(db).await?;
        let Some(client) = &self.client else {
            log.info(&format!(
                "LAGO_API_URL is not set: {waiting} events wait in the outbox"
            ));
            return Ok(());
        };
        let before = link::load(db).await?;
        let Some(link) = Patience::admit(&before, self.clock.now()) else {
            log.warn(&format!(
                "Lago failed {} times in a row; it is left alone until {}",
                before.failures,
                before.next_try_at.unwrap_or_default().to_rfc3339()
            ));
            return Ok(());
        };
        if link.circuit == "half-open" {
            link::save_circuit(db, &link).await?;
        }
        if !self.is_metric_good(db, client, &link, tally, log).await? {
            return Ok(());
        }
        let link = Patience::succeeded(&link, self.clock.now());
        link::save_circuit(db, &link).await?;
        if !self
            .settle_subscriptions(db, client, &link, tally, log)
            .await?
        {
            return Ok(());
        }
        let sender = Sender {
            client,
            patience: self.patience,
            clock: &self.clock,
            cancel: &self.cancel,
            run,
        };
        sender.empty(db, link, tally, log).await
    }

    /// Whether the metric sums our property. Anything else would bill wrongly: then nothing is sent.
    async fn is_metric_good(
        &self,
        db: &mut Connection,
        client: &Client,
        link: &Link,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<bool> {
        let now = self.clock.now();
        let fresh = link
            .metric_checked_at
            .is_some_and(|at| now - at < METRIC_GOOD_FOR);
        // A circuit that is to close again asks in any case: it is the probe.
        if link.metric_ok == Some(true) && fresh && link.circuit == "closed" {
            return Ok(true);
        }
        let code = &self.settings.metric_code;
        let found = match client.metric(code).await {
            Ok(metric) => wire::check_metric(&metric, &self.settings.metric_property),
            Err(super::client::Error::NotFound(_)) => {
                Err(format!("Lago has no billable metric {code}"))
            }
            Err(error) => {
                self.lago_failed(db, link, &error.to_string(), tally, log)
                    .await?;
                return Ok(false);
            }
        };
        let detail = match &found {
            Ok(detail) | Err(detail) => detail.clone(),
        };
        link::save_metric(db, Some(found.is_ok()), &detail, now).await?;
        if let Err(detail) = &found {
            let why = format!("{detail}; nothing is sent");
            log.error(&why);
            tally.errors.push(why);
        }
        Ok(found.is_ok())
    }

    /// Says of waiting events which subscription they go to, for good. False if Lago did not tell.
    async fn settle_subscriptions(
        &self,
        db: &mut Connection,
        client: &Client,
        link: &Link,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<bool> {
        for customer in events::without_subscription(db).await? {
            let found = match client.subscriptions(Some(&customer)).await {
                Ok(found) => found,
                Err(super::client::Error::NotFound(_)) => Vec::new(),
                Err(error) => {
                    self.lago_failed(db, link, &error.to_string(), tally, log)
                        .await?;
                    return Ok(false);
                }
            };
            let first = found.first().map(|found| found.external_id.as_str());
            let none = "the customer has no active subscription";
            if first.is_none() {
                log.warn(&format!("{customer}: {none}; its events wait"));
            }
            events::settle_subscription(db, &customer, first.ok_or(none)).await?;
        }
        Ok(true)
    }

    async fn lago_failed(
        &self,
        db: &mut Connection,
        link: &Link,
        why: &str,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<()> {
        let link = self
            .patience
            .failed(link, why, None, rand::random(), self.clock.now());
        link::save_circuit(db, &link).await?;
        log.error(why);
        tally.errors.push(why.to_owned());
        Ok(())
    }

    /// When the last run began, if there was one.
    pub(super) async fn last_run(&self) -> store::Result<Option<DateTime<Utc>>> {
        let mut db = self.pool.acquire().await?;
        let last = runs::recent(&mut db, 1).await?;
        Ok(last.first().map(|run| run.started_at))
    }
}
