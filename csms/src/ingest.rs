//! The gathered writer: every station write of every connection. A lane writes one batch at a time and flushes when its
//! last commit returns, so that one fsync serves hundreds of chargers; there is no timer.

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use store::ingest::{Committed, Effect, Started};
use store::{Error, Pool};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;
use uuid::Uuid;

use crate::registry::Close;
use crate::{Csms, Options};

/// The most messages in one commit.
const MOST: usize = 1024;
/// Between two tries while the database is away.
const PAUSE: Duration = Duration::from_millis(100);
/// The doorbell rings ten times a second at most.
const RING_EVERY: Duration = Duration::from_millis(100);

/// Why a write was not committed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NotWritten {
    /// The database is away, or nobody knows whether the commit came through: do not answer.
    #[error("the database does not answer")]
    Unavailable,
    /// The rows themselves are refused.
    #[error("the database refuses the rows: {0}")]
    Refused(String),
}

/// What became of a message's rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) started: Option<Started>,
    /// None of its rows was there before. `false` says nothing.
    pub(crate) as_news: bool,
}

struct Work {
    station_id: Uuid,
    effect: Box<Effect>,
    tell: oneshot::Sender<Result<Written, NotWritten>>,
}

/// The lanes, and whether the database is there.
pub(crate) struct Ingest {
    lanes: Vec<mpsc::UnboundedSender<Work>>,
    health: Arc<Health>,
}

#[derive(Default)]
struct Health {
    away: AtomicBool,
    went_away: Notify,
    /// Something was committed that others want to hear of.
    news: Notify,
}

impl Ingest {
    pub(crate) fn start(pool: &Pool, options: &Options) -> Self {
        let health = Arc::new(Health::default());
        let lanes = (0..options.lanes.max(1))
            .map(|_| {
                let (send, receive) = mpsc::unbounded_channel();
                let lane = Lane {
                    pool: pool.clone(),
                    health: health.clone(),
                    outage: options.outage,
                    connection: None,
                };
                tokio::spawn(lane.write_forever(receive));
                send
            })
            .collect();
        Ingest { lanes, health }
    }

    /// Writes what one message changes; returns when they are durable.
    pub(crate) async fn write(
        &self,
        station_id: Uuid,
        effect: Effect,
    ) -> Result<Written, NotWritten> {
        let (tell, told) = oneshot::channel();
        let lane = BuildHasherDefault::<DefaultHasher>::default().hash_one(station_id);
        let lane = usize::try_from(lane % self.lanes.len() as u64).unwrap_or_default();
        self.lanes[lane]
            .send(Work {
                station_id,
                effect: Box::new(effect),
                tell,
            })
            .map_err(|_| NotWritten::Unavailable)?;
        told.await.unwrap_or(Err(NotWritten::Unavailable))
    }

    /// Whether nothing could be committed for as long as an outage may last.
    pub(crate) fn is_away(&self) -> bool {
        self.health.away.load(Ordering::Relaxed)
    }

    /// Something durable was written elsewhere (a command's end): ring for it as well.
    pub(crate) fn news(&self) {
        self.health.news.notify_one();
    }
}

/// One writer with a connection of its own.
struct Lane {
    pool: Pool,
    health: Arc<Health>,
    outage: Duration,
    /// Kept from batch to batch: the pool would look whether it is well before and after each.
    connection: Option<store::Pooled>,
}

impl Lane {
    async fn write_forever(mut self, mut gathered: mpsc::UnboundedReceiver<Work>) {
        let mut waiting = VecDeque::new();
        let mut arrived = Vec::with_capacity(MOST);
        loop {
            if waiting.is_empty() && gathered.recv_many(&mut arrived, MOST).await == 0 {
                return;
            }
            while arrived.len() + waiting.len() < MOST
                && let Ok(work) = gathered.try_recv()
            {
                arrived.push(work);
            }
            waiting.extend(arrived.drain(..));
            let batch = one_of_each_station(&mut waiting);
            metrics::histogram!("forecourt_ingest_batch_messages").record(batch.len() as f64);
            self.write(batch).await;
        }
    }

    /// Writes a batch. A row that the data itself forbids splits it, down to the one message at fault.
    async fn write(&mut self, batch: Vec<Work>) {
        let mut parts = vec![batch];
        while let Some(mut part) = parts.pop() {
            let effects: Vec<&Effect> = part.iter().map(|work| &*work.effect).collect();
            match self.commit(&effects).await {
                Ok(committed) => {
                    if effects.iter().any(|effect| effect.tells()) {
                        self.health.news.notify_one();
                    }
                    for work in part {
                        let mine = committed
                            .started
                            .iter()
                            .find(|started| started.station_id == work.station_id);
                        let written = Written {
                            started: mine.copied(),
                            as_news: committed.as_news,
                        };
                        drop(work.tell.send(Ok(written)));
                    }
                }
                Err(NotWritten::Refused(_)) if part.len() > 1 => {
                    let rest = part.split_off(part.len() / 2);
                    parts.extend([part, rest]);
                }
                Err(error) => {
                    for work in part {
                        drop(work.tell.send(Err(error.clone())));
                    }
                }
            }
        }
    }

    /// Commits, trying again while the error is of the kind that passes, for as long as an outage may last.
    async fn commit(&mut self, effects: &[&Effect]) -> Result<Committed, NotWritten> {
        let give_up = Instant::now() + self.outage;
        loop {
            let tried = tokio::time::timeout_at(give_up, async {
                let kept = match self.connection.take() {
                    Some(kept) => kept,
                    None => self.pool.acquire().await?,
                };
                let mut connection = Unfinished(Some(kept));
                let committed = store::ingest::commit(connection.get(), effects).await;
                let finished = connection.0.take();
                let is_well = committed.as_ref().err().is_none_or(|error| {
                    !error.is_retryable() && !matches!(error, Error::Unknown(_))
                });
                self.connection = finished.filter(|_| is_well);
                committed
            });
            match tried.await {
                Ok(Ok(committed)) => {
                    self.health.away.store(false, Ordering::Relaxed);
                    return Ok(committed);
                }
                Ok(Err(error)) if error.is_retryable() => {
                    tracing::warn!(%error, "a batch is tried again");
                    if Instant::now() + PAUSE >= give_up {
                        return Err(self.went_away());
                    }
                    tokio::time::sleep(PAUSE).await;
                }
                // Nobody knows what became of it. Not answering is safe: the station asks again.
                Ok(Err(Error::Unknown(error))) => {
                    tracing::warn!(%error, "the outcome of a commit is unknown");
                    return Err(NotWritten::Unavailable);
                }
                Ok(Err(error)) => {
                    tracing::error!(%error, "rows are refused");
                    return Err(NotWritten::Refused(error.to_string()));
                }
                Err(_) => return Err(self.went_away()),
            }
        }
    }

    fn went_away(&self) -> NotWritten {
        self.health.away.store(true, Ordering::Relaxed);
        self.health.went_away.notify_one();
        NotWritten::Unavailable
    }
}

/// A connection in the middle of something: given up now, it is closed and never used again, for nobody knows to which
/// question its next answer belongs.
struct Unfinished(Option<store::Pooled>);

impl Unfinished {
    fn get(&mut self) -> &mut store::Connection {
        self.0.as_mut().expect("it is taken at the end")
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.0 {
            connection.close_on_drop();
        }
    }
}

/// Takes the first work of each station, in order; a second one waits for the next batch, since it may depend on the first.
fn one_of_each_station(waiting: &mut VecDeque<Work>) -> Vec<Work> {
    let mut stations = HashSet::with_capacity(waiting.len());
    if waiting.iter().all(|work| stations.insert(work.station_id)) {
        return waiting.drain(..).collect();
    }
    stations.clear();
    let (batch, rest): (Vec<Work>, Vec<Work>) = waiting
        .drain(..)
        .partition(|work| stations.insert(work.station_id));
    waiting.extend(rest);
    batch
}

/// While the database is away, sends every charger away too (it keeps its queue), and watches for the end of it.
pub(crate) async fn watch_outage_forever(csms: Arc<Csms>) {
    let health = csms.ingest.health.clone();
    loop {
        health.went_away.notified().await;
        tracing::error!("nothing can be committed: closing all sockets until the database answers");
        csms.registry.close_all(Close::TryLater);
        while health.away.load(Ordering::Relaxed) {
            tokio::time::sleep(PAUSE * 2).await;
            let asked = async { store::pool::is_there(&mut *csms.pool.acquire().await?).await };
            if let Ok(Ok(())) = tokio::time::timeout(Duration::from_secs(2), asked).await {
                health.away.store(false, Ordering::Relaxed);
                tracing::info!("the database answers again");
            }
        }
    }
}

/// Rings the doorbell when there is news, on a connection of its own.
pub(crate) async fn ring_forever(csms: Arc<Csms>) {
    loop {
        csms.ingest.health.news.notified().await;
        let rung = async {
            let mut connection = csms.pool.acquire().await?;
            store::events::ring(&mut connection).await
        };
        if let Err(error) = rung.await {
            tracing::debug!(%error, "the doorbell could not be rung; readers poll");
        }
        tokio::time::sleep(RING_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn work(station: u128) -> Work {
        Work {
            station_id: Uuid::from_u128(station),
            effect: Box::default(),
            tell: oneshot::channel().0,
        }
    }

    #[test]
    fn a_batch_holds_one_message_of_a_station() {
        let mut waiting: VecDeque<Work> = [1, 2, 1, 3, 1].map(work).into();
        let stations = |batch: Vec<Work>| {
            batch
                .iter()
                .map(|work| work.station_id.as_u128())
                .collect::<Vec<_>>()
        };
        assert_eq!(stations(one_of_each_station(&mut waiting)), [1, 2, 3]);
        assert_eq!(stations(one_of_each_station(&mut waiting)), [1]);
        assert_eq!(stations(one_of_each_station(&mut waiting)), [1]);
        assert!(waiting.is_empty());
    }
}
