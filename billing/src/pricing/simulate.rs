//! What would it have cost? Prices of real sessions under a tariff that did not hold. Nothing is written.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use store::{
    Connection, Cursor,
    charges::{self, Walk},
    prices,
    readers::BEGINNING,
    sessions::State,
};
use uuid::Uuid;

use super::book::{Surroundings, priced};
use crate::{price::Priced, tariff::Tariff};

/// Sessions that are looked at together.
const CHUNK: i64 = 250;
/// How many of the largest differences a summary names.
const LARGEST: usize = 100;

/// What a session would cost, or would have cost, under `tariff`; an active one so far. `None` if the connection sees no
/// such session.
///
/// # Errors
/// Those of the database.
pub async fn session_under(
    db: &mut Connection,
    session: Uuid,
    tariff: &Tariff,
    now: DateTime<Utc>,
) -> store::Result<Option<Priced>> {
    let mut rows = charges::facts(db, &[session]).await?;
    charges::fill(db, &mut rows, now).await?;
    let around = Surroundings::load(db, &rows, std::iter::once(tariff), now).await?;
    Ok(rows.first().map(|row| priced(tariff, row, &around, now)))
}

/// A session's price that counts, and what it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// The session.
    pub session_id: Uuid,
    /// When it started.
    pub started_at: DateTime<Utc>,
    /// Currency and total of the price that it has; none if it has none, or a held one.
    pub before: Option<(String, Decimal)>,
    /// What its total would be.
    pub after: Decimal,
    /// Whether a person would have to look.
    pub held: bool,
}

impl Delta {
    /// How much more it would be, where both are of one currency.
    pub fn difference(&self, currency: &str) -> Option<Decimal> {
        let (before_currency, before) = self.before.as_ref()?;
        (before_currency == currency).then(|| self.after - before)
    }
}

/// A walk through the ended sessions of a time, chunk by chunk: it holds one chunk at a time, however long the time is.
#[derive(Debug)]
pub struct Preview<'t> {
    tariff: &'t Tariff,
    walk: Walk,
    after: Cursor,
    over: bool,
}

impl<'t> Preview<'t> {
    /// Of the sessions that the walk comes by.
    pub fn new(tariff: &'t Tariff, walk: Walk) -> Self {
        Preview {
            tariff,
            walk,
            after: BEGINNING,
            over: false,
        }
    }

    /// The next sessions, in the order of their start; `None` when there are no more. Orphans are left out.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn next(
        &mut self,
        db: &mut Connection,
        now: DateTime<Utc>,
    ) -> store::Result<Option<Vec<Delta>>> {
        if self.over {
            return Ok(None);
        }
        let found = charges::ended_after(db, &self.walk, self.after, CHUNK).await?;
        let Some(last) = found.last() else {
            self.over = true;
            return Ok(None);
        };
        self.after = *last;
        let ids: Vec<Uuid> = found.iter().map(|cursor| cursor.id).collect();
        let mut rows = charges::facts(db, &ids).await?;
        rows.retain(|row| row.state == State::Ended);
        rows.sort_unstable_by_key(|row| (row.started_at, row.id));
        charges::fill(db, &mut rows, now).await?;
        let around = Surroundings::load(db, &rows, std::iter::once(self.tariff), now).await?;
        let mut known: HashMap<Uuid, _> = prices::newest(db, &ids).await?;
        Ok(Some(
            rows.iter()
                .map(|row| {
                    let would_be = priced(self.tariff, row, &around, now);
                    let before = known
                        .remove(&row.id)
                        .filter(|price| price.state == prices::State::Priced);
                    Delta {
                        session_id: row.id,
                        started_at: row.started_at,
                        before: before.map(|price| (price.currency, price.total)),
                        after: would_be.total,
                        held: would_be.is_held(),
                    }
                })
                .collect(),
        ))
    }
}

/// What a preview comes to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// How many sessions.
    pub sessions: u64,
    /// How many of them would be held; their amounts are not in `after`.
    pub held: u64,
    /// How many have no price that counts now.
    pub unpriced: u64,
    /// What they cost together as they are priced, by currency.
    pub before: BTreeMap<String, Decimal>,
    /// What they would cost together, in the tariff's currency.
    pub after: Decimal,
    /// Whether there are more sessions, that were not looked at.
    pub is_cut: bool,
    /// The hundred sessions whose price would change most, the largest change first.
    pub largest: Vec<Delta>,
}

impl Summary {
    fn add(&mut self, delta: Delta, currency: &str) {
        self.sessions += 1;
        match &delta.before {
            Some((currency, total)) => {
                *self.before.entry(currency.clone()).or_default() += total;
            }
            None => self.unpriced += 1,
        }
        if delta.held {
            self.held += 1;
        } else {
            self.after += delta.after;
        }
        let size = |delta: &Delta| delta.difference(currency).unwrap_or(delta.after).abs();
        let place = self
            .largest
            .partition_point(|other| size(other) >= size(&delta));
        if place < LARGEST {
            self.largest.insert(place, delta);
            self.largest.truncate(LARGEST);
        }
    }
}

/// The sums of a preview, and its largest differences; of the first `most` sessions, if there is a most. Memory is bounded
/// by one chunk of sessions.
///
/// # Errors
/// Those of the database.
pub async fn preview(
    db: &mut Connection,
    tariff: &Tariff,
    walk: Walk,
    most: Option<u64>,
    now: DateTime<Utc>,
) -> store::Result<Summary> {
    let mut preview = Preview::new(tariff, walk);
    let mut summary = Summary::default();
    while let Some(deltas) = preview.next(db, now).await? {
        for delta in deltas {
            if most.is_some_and(|most| summary.sessions >= most) {
                summary.is_cut = true;
                return Ok(summary);
            }
            summary.add(delta, tariff.currency.code());
        }
    }
    Ok(summary)
}
