//! Emptying the outbox: batch after batch, each answer noted before the next one is sent. Who dies between Lago's answer
//! and the note sends the same bytes again, and Lago says that it knows them.

use std::collections::BTreeMap;

use service::clock::Clock;
use store::{
    Connection,
    lago::{
        events::{self, Outcome, Outgoing, Status},
        link::{self, Link},
        runs::Tally,
    },
};
use tokio_util::sync::CancellationToken;

use super::{
    Client, Patience,
    run::Log,
    wire::{self, Answer, Refused},
};

/// What a run sends with.
pub(super) struct Sender<'a> {
    pub(super) client: &'a Client,
    pub(super) patience: Patience,
    pub(super) clock: &'a Clock,
    pub(super) cancel: &'a CancellationToken,
    pub(super) run: i64,
}

/// How it went with a batch.
enum Went {
    /// Each of its events is settled.
    Well,
    /// Lago is to be left alone for now.
    Badly {
        why: String,
        wait: Option<std::time::Duration>,
    },
    /// The process is to end.
    Cancelled,
}

impl Sender<'_> {
    /// Sends what waits until nothing does, Lago is to be left alone, or the process is to end.
    pub(super) async fn empty(
        &self,
        db: &mut Connection,
        link: Link,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<()> {
        let mut link = link;
        loop {
            if self.cancel.is_cancelled() {
                log.info("the process ends; what is left waits for the next run");
                return Ok(());
            }
            let limit = i64::try_from(wire::BATCH).unwrap_or(i64::MAX);
            let waiting = events::pending(db, limit).await?;
            if waiting.is_empty() {
                return Ok(());
            }
            let count = waiting.len();
            match self.settle(db, waiting, tally, log).await? {
                Went::Well => {
                    metrics::counter!("forecourt_lago_events_settled_total")
                        .increment(u64::try_from(count).unwrap_or(0));
                    link = Patience::succeeded(&link, self.clock.now());
                    link::save_circuit(db, &link).await?;
                }
                Went::Badly { why, wait } => {
                    metrics::counter!("forecourt_lago_failures_total").increment(1);
                    let link =
                        self.patience
                            .failed(&link, &why, wait, rand::random(), self.clock.now());
                    link::save_circuit(db, &link).await?;
                    log.error(&format!(
                        "{why}; nothing more is sent before {}",
                        link.next_try_at.unwrap_or_default().to_rfc3339()
                    ));
                    tally.errors.push(why);
                    return Ok(());
                }
                Went::Cancelled => return Ok(()),
            }
        }
    }

    /// Sends one batch until each of its events is settled. What Lago refuses by its place is taken out and the rest sent
    /// again; a batch that is refused as a whole is halved.
    async fn settle(
        &self,
        db: &mut Connection,
        batch: Vec<Outgoing>,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<Went> {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            match self.post(db, &part).await? {
                Answer::Taken => {
                    let outcomes = part.iter().map(|event| taken(event, Status::Sent));
                    self.note(db, outcomes.collect(), tally, log).await?;
                }
                Answer::Refused(refused) => {
                    let outcomes = refused_of(&part, &refused);
                    self.note(db, outcomes, tally, log).await?;
                    let mut place = 0..;
                    part.retain(|_| place.next().is_none_or(|at| !refused.contains_key(&at)));
                    if !part.is_empty() {
                        parts.push(part);
                    }
                }
                Answer::Part(why) if part.len() == 1 => {
                    let outcome = Outcome {
                        event_id: part[0].event_id.clone(),
                        status: Status::Rejected,
                        reason: Some(why),
                    };
                    self.note(db, vec![outcome], tally, log).await?;
                }
                Answer::Part(_) => {
                    let other = part.split_off(part.len() / 2);
                    parts.extend([other, part]);
                }
                Answer::Later { why, wait } => return Ok(Went::Badly { why, wait }),
                Answer::Stop(why) => return Ok(Went::Badly { why, wait: None }),
            }
            if self.cancel.is_cancelled() {
                return Ok(Went::Cancelled);
            }
        }
        Ok(Went::Well)
    }

    /// Posts a batch, and again while that may help.
    async fn post(&self, db: &mut Connection, part: &[Outgoing]) -> store::Result<Answer> {
        let body = match wire::batch(part) {
            Ok(body) => body,
            Err(error) => {
                return Ok(Answer::Part(format!(
                    "the event cannot be written: {error}"
                )));
            }
        };
        let mut tried = 0;
        loop {
            tried += 1;
            let answer = self.client.send(body.clone(), part.len()).await;
            let Answer::Later { why, wait } = &answer else {
                return Ok(answer);
            };
            let ids: Vec<String> = part.iter().map(|event| event.event_id.clone()).collect();
            events::not_sent(db, &ids, why).await?;
            let Some(pause) = self.patience.pause(tried, *wait, rand::random()) else {
                return Ok(answer);
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.cancel.cancelled() => return Ok(answer),
            }
        }
    }

    async fn note(
        &self,
        db: &mut Connection,
        outcomes: Vec<Outcome>,
        tally: &mut Tally,
        log: &mut Log,
    ) -> store::Result<()> {
        events::settle(db, self.run, &outcomes, self.clock.now()).await?;
        for outcome in outcomes {
            match outcome.status {
                Status::Sent => tally.sent += 1,
                Status::Duplicate => tally.duplicates += 1,
                Status::Rejected => {
                    tally.rejected += 1;
                    let why = outcome.reason.unwrap_or_default();
                    log.error(&format!("{} is refused: {why}", outcome.event_id));
                }
                Status::Pending => {}
            }
        }
        Ok(())
    }
}

fn taken(event: &Outgoing, status: Status) -> Outcome {
    Outcome {
        event_id: event.event_id.clone(),
        status,
        reason: None,
    }
}

fn refused_of(part: &[Outgoing], refused: &BTreeMap<usize, Refused>) -> Vec<Outcome> {
    refused
        .iter()
        .filter_map(|(place, why)| {
            let event = part.get(*place)?;
            Some(match why {
                Refused::Known => taken(event, Status::Duplicate),
                Refused::Wrong(why) => Outcome {
                    reason: Some(why.clone()),
                    ..taken(event, Status::Rejected)
                },
            })
        })
        .collect()
}
