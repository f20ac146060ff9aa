//! What came on the meters since the last look goes into the outbox, but for what a person has to look at first.

use std::collections::{BTreeMap, HashMap};

use chrono::TimeDelta;
use store::{
    Connection,
    lago::{
        link,
        runs::{Cause, Tally},
        state::{self, Change, NewEvent, Open},
    },
    tag_mappings::{self, Account},
};
use uuid::Uuid;

use super::{
    super::usage::{self, Decision},
    Log, Sync,
};
use crate::pricing;

/// Sessions of one transaction.
const CHUNK: i64 = 500;
/// Rows become visible some time after the instant that they carry.
const SLACK: TimeDelta = TimeDelta::hours(1);

impl Sync {
    /// Whether any session that charges has enough for an event.
    pub(super) async fn is_meter_due(&self, db: &mut Connection) -> store::Result<bool> {
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
    pub(super) async fn collect(
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
}
