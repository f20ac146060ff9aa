//! Follows the outbox: a session that starts has its tariff frozen, one that ends has its price made, and late data makes
//! the next revision. A batch is one transaction with the reader's place, so that whatever dies in between has done nothing.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use service::{clock::Clock, shutdown::Shutdown};
use store::{
    Connection, Cursor, Pool,
    bell::Doorbell,
    charges::{self, Walk},
    events::{self, Event, Position},
    prices::{self, NewPrice},
    readers::{self, BEGINNING, Reader},
    sessions::State,
};
use uuid::Uuid;

use super::book::{Book, Surroundings, new_price};

/// This reader's name in `reader_positions`.
pub const READER: &str = "pricing";

/// What it reads of the outbox; each names a session.
const KINDS: [&str; 8] = [
    "transaction.started",
    "transaction.stopped",
    "transaction.corrected",
    "transaction.orphaned",
    "transaction.contradicted",
    "session.late",
    "session.corrected",
    NO_SHOW,
];
/// Names a reservation; where its tariff says so, it becomes a session of the same id.
const NO_SHOW: &str = "reservation.expired";
/// Events of one batch.
const EVENTS: i64 = 500;
/// Sessions of one batch; a batch of the longest fits into some ten megabytes.
const SESSIONS: i64 = 250;
/// It looks this often even if nobody rings.
const POLL: Duration = Duration::from_secs(2);
/// And lets the database be for so long when it does not answer.
const PAUSE: Duration = Duration::from_secs(5);
/// An idle reader says this often that it is alive.
const SIGN_OF_LIFE: TimeDelta = TimeDelta::days(1);
/// After so long a silence events may have been forgotten (they are kept for two weeks): then all sessions are looked
/// through again.
const TOO_LONG: TimeDelta = TimeDelta::days(7);

/// What a batch did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// Revisions that were written.
    pub prices: usize,
    /// Whether there may be more to do at once.
    pub more: bool,
}

/// Prices what has ended and freezes what has begun, until the shutdown. A batch that was begun is finished.
pub async fn until_shutdown(pool: &Pool, clock: &Clock, shutdown: &Shutdown) {
    let mut worker = Worker::default();
    let mut bell = Doorbell::new(pool, &[events::CHANNEL]);
    while !shutdown.soft().is_cancelled() {
        let pause = match worker.batch(pool, clock.now()).await {
            Ok(done) if done.more => continue,
            Ok(_) => POLL,
            Err(error) => {
                tracing::warn!(%error, "pricing waits for the database");
                PAUSE
            }
        };
        tokio::select! {
            () = shutdown.soft().cancelled() => return,
            _ = bell.wait(pause) => {}
        }
    }
}

/// Everything that there is to do at `now`; answers how many revisions were written.
///
/// # Errors
/// Those of the database; what was done before stays done.
pub async fn price_pending(pool: &Pool, now: DateTime<Utc>) -> store::Result<usize> {
    let mut worker = Worker::default();
    let mut prices = 0;
    loop {
        let done = worker.batch(pool, now).await?;
        prices += done.prices;
        if !done.more {
            return Ok(prices);
        }
    }
}

/// Prices these sessions now, in a transaction of the caller's: tariffs that held at their starts are frozen where that was
/// missed, and a price made from the same as before makes no revision. Answers which revisions were written.
///
/// # Errors
/// Those of the database.
pub async fn price_now(
    db: &mut Connection,
    sessions: &[Uuid],
    now: DateTime<Utc>,
) -> store::Result<Vec<(Uuid, i32)>> {
    prices::take_turn(db).await?;
    let computed = Worker::default().compute(db, sessions, now).await?;
    prices::write(db, &computed, now).await
}

/// What a worker keeps between batches.
#[derive(Debug, Default)]
struct Worker {
    book: Book,
}

impl Worker {
    /// One batch, if there is one and nobody else is at it.
    async fn batch(&mut self, pool: &Pool, now: DateTime<Utc>) -> store::Result<Done> {
        let mut db = pool.acquire().await?;
        // A look costs nothing; a turn writes.
        if let Some(reader) = readers::look(&mut db, READER).await?
            && !is_due(&reader, now)
            && events::after(&mut db, reader.position, 1).await?.is_empty()
        {
            return Ok(Done::default());
        }
        drop(db);
        let mut tx = pool.begin().await?;
        let Some(reader) = readers::take(&mut tx, READER, now).await? else {
            return Ok(Done::default());
        };
        let todo = gather(&mut tx, reader, now).await?;
        prices::take_turn(&mut tx).await?;
        self.add_no_shows(&mut tx, &todo.no_shows).await?;
        let computed = self.compute(&mut tx, &todo.sessions, now).await?;
        let written = prices::write(&mut tx, &computed, now).await?.len();
        readers::advance(&mut tx, READER, todo.position, todo.sweep, now).await?;
        tx.commit().await?;
        if written > 0 {
            metrics::counter!("forecourt_prices_total")
                .increment(written.try_into().unwrap_or(u64::MAX));
            events::ring(&mut *pool.acquire().await?).await?;
        }
        Ok(Done {
            prices: written,
            more: todo.more,
        })
    }

    /// Makes sessions of reservations that nobody used where there is something to be paid for them.
    async fn add_no_shows(
        &mut self,
        db: &mut Connection,
        reservations: &[Uuid],
    ) -> store::Result<()> {
        if reservations.is_empty() {
            return Ok(());
        }
        let found = charges::no_shows(db, reservations).await?;
        self.book
            .read(db, found.iter().map(|(_, version)| *version))
            .await?;
        let charged = found.into_iter().filter(|(_, version)| {
            let said = self.book.get(*version);
            said.is_some_and(|said| {
                let tariff = said.tariff.as_ref();
                tariff.is_ok_and(|tariff| tariff.charges_no_shows())
            })
        });
        let charged: Vec<Uuid> = charged.map(|(id, _)| id).collect();
        charges::add_no_shows(db, &charged).await?;
        Ok(())
    }

    /// Freezes what is not frozen, and computes the prices of what has ended and has a tariff.
    async fn compute(
        &mut self,
        db: &mut Connection,
        sessions: &[Uuid],
        now: DateTime<Utc>,
    ) -> store::Result<Vec<NewPrice>> {
        if sessions.is_empty() {
            return Ok(Vec::new());
        }
        charges::freeze(db, sessions, now).await?;
        let mut rows = charges::facts(db, sessions).await?;
        rows.retain(|row| row.state != State::Active && row.tariff_version_id.is_some());
        charges::fill(db, &mut rows, now).await?;
        let versions = || rows.iter().filter_map(|row| row.tariff_version_id);
        self.book.read(db, versions()).await?;
        let said: Vec<_> = versions().map(|id| self.book.get(id)).collect();
        let tariffs = said
            .iter()
            .flatten()
            .filter_map(|said| said.tariff.as_ref().ok());
        let around = Surroundings::load(db, &rows, tariffs, now).await?;
        let sessions = rows.iter().zip(&said);
        Ok(sessions
            .filter_map(|(row, said)| Some(new_price(said.as_ref()?, row, &around, now)))
            .collect())
    }
}

/// Whether a reader without news has something to do.
fn is_due(reader: &Reader, now: DateTime<Utc>) -> bool {
    reader.sweep.is_some() || now - reader.moved_at > SIGN_OF_LIFE
}

/// The sessions of a batch, and where the reader stands after it.
struct Todo {
    sessions: Vec<Uuid>,
    no_shows: Vec<Uuid>,
    position: Position,
    sweep: Option<Cursor>,
    more: bool,
}

/// News first; when there is none left, what is stored and has no price.
async fn gather(db: &mut Connection, reader: Reader, now: DateTime<Utc>) -> store::Result<Todo> {
    let news = events::after(db, reader.position, EVENTS).await?;
    let mut todo = Todo {
        sessions: sessions_of(&news),
        no_shows: news
            .iter()
            .filter(|event| event.kind == NO_SHOW)
            .filter_map(|event| event.subject)
            .collect(),
        position: news.last().map_or(reader.position, |event| event.position),
        sweep: reader.sweep,
        more: !news.is_empty(),
    };
    if now - reader.moved_at > TOO_LONG {
        todo.sweep = Some(BEGINNING);
    }
    if let Some(after) = todo.sweep.filter(|_| news.is_empty()) {
        if after == BEGINNING {
            charges::freeze_open(db, now).await?;
        }
        let walk = Walk {
            unpriced: true,
            ..Walk::default()
        };
        let found = charges::ended_after(db, &walk, after, SESSIONS).await?;
        todo.sweep = found.last().copied();
        todo.more = todo.sweep.is_some();
        todo.sessions = found.iter().map(|cursor| cursor.id).collect();
        if after == BEGINNING {
            // Priced at once: some are of a time that the walk has come by when they become sessions.
            todo.no_shows = charges::expired_reservations(db).await?;
            todo.sessions.extend(&todo.no_shows);
        }
    }
    Ok(todo)
}

/// The sessions that events are about, each once.
fn sessions_of(events: &[Event]) -> Vec<Uuid> {
    let mut sessions: Vec<Uuid> = events
        .iter()
        .filter(|event| KINDS.contains(&event.kind.as_str()))
        .filter_map(|event| event.subject)
        .collect();
    sessions.sort_unstable();
    sessions.dedup();
    sessions
}
