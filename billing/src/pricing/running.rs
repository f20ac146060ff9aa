//! What sessions cost: those that have ended what was priced, active ones what they cost so far. For live pages, the API,
//! and stations that show it.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use store::{Connection, Currency, charges, prices, sessions::State};
use uuid::Uuid;

use super::book::{Book, Surroundings, priced};
use crate::price::Priced;

/// What a session costs, as far as that can be said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// ISO 4217.
    pub currency: String,
    /// With tax.
    pub total: Decimal,
    /// How sure it is.
    pub state: CostState,
}

/// How sure a [`Cost`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CostState {
    /// The session goes on; so far.
    Running,
    /// It is priced.
    Priced,
    /// It is priced, but a person has to look before that counts.
    Held,
}

impl Cost {
    /// For programs: with at least the decimals that the currency has. Nothing while it is held: that is not what anybody
    /// pays.
    pub fn told(&self) -> Option<String> {
        let exponent = self.currency.parse().map_or(2, Currency::exponent);
        let mut total = self.total.normalize();
        total.rescale(total.scale().max(exponent));
        (self.state != CostState::Held).then(|| total.to_string())
    }
}

/// What these sessions cost, by id; those that cost nothing because no tariff held, or that are not priced yet, are not
/// among them. The connection decides what can be seen.
///
/// # Errors
/// Those of the database.
pub async fn costs(
    db: &mut Connection,
    sessions: &[Uuid],
    now: DateTime<Utc>,
) -> store::Result<HashMap<Uuid, Cost>> {
    let newest = prices::newest(db, sessions).await?;
    let mut costs: HashMap<Uuid, Cost> = newest
        .into_iter()
        .map(|(id, price)| {
            let state = match price.state {
                prices::State::Priced => CostState::Priced,
                prices::State::Held => CostState::Held,
            };
            let cost = Cost {
                currency: price.currency,
                total: price.total,
                state,
            };
            (id, cost)
        })
        .collect();
    let unpriced: Vec<Uuid> = sessions
        .iter()
        .copied()
        .filter(|id| !costs.contains_key(id))
        .collect();
    for (id, priced) in running(db, &unpriced, now).await? {
        let cost = Cost {
            currency: priced.currency.code().to_owned(),
            total: priced.total,
            state: CostState::Running,
        };
        costs.insert(id, cost);
    }
    Ok(costs)
}

/// What those of the sessions that are active cost so far, by id: up to `now` by time, up to the last sample by energy.
///
/// # Errors
/// Those of the database.
pub async fn running(
    db: &mut Connection,
    sessions: &[Uuid],
    now: DateTime<Utc>,
) -> store::Result<HashMap<Uuid, Priced>> {
    if sessions.is_empty() {
        return Ok(HashMap::new());
    }
    let mut rows = charges::facts(db, sessions).await?;
    rows.retain(|row| row.state == State::Active);
    let active: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    // What is not frozen yet is about to be: billing is not asked to wait for.
    let held = charges::tariffs(db, &active).await?;
    rows.retain(|row| held.contains_key(&row.id));
    charges::fill(db, &mut rows, now).await?;
    let mut book = Book::default();
    book.read(db, held.values().copied()).await?;
    let said: HashMap<Uuid, _> = held
        .into_iter()
        .filter_map(|(session, version)| Some((session, book.get(version)?)))
        .collect();
    let tariffs = said.values().filter_map(|said| said.tariff.as_ref().ok());
    let around = Surroundings::load(db, &rows, tariffs, now).await?;
    Ok(rows
        .iter()
        .filter_map(|row| {
            let tariff = said.get(&row.id)?.tariff.as_ref().ok()?;
            Some((row.id, priced(tariff, row, &around, now)))
        })
        .collect())
}
