//! Which sessions nobody may bill, here or elsewhere, before a person has looked: those whose price is held, and of those
//! without a price the ones whose meter says what cannot be.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use store::{
    Pool, charges,
    prices::{self, State},
};
use uuid::Uuid;

use super::{book, charge, work::price_now};
use crate::price;

/// Why these sessions must wait, by session; those that need not are not among them. `let_go` is what a person has said of
/// each already; it counts as long as there is no price.
///
/// Sessions that have ended are priced first: what is not known yet must not be billed as if nothing were odd.
///
/// # Errors
/// Those of the database.
pub async fn holds(
    pool: &Pool,
    sessions: &[Uuid],
    let_go: &HashMap<Uuid, Vec<String>>,
    now: DateTime<Utc>,
) -> store::Result<HashMap<Uuid, Vec<String>>> {
    if sessions.is_empty() {
        return Ok(HashMap::new());
    }
    let mut tx = pool.begin().await?;
    price_now(&mut tx, sessions, now).await?;
    tx.commit().await?;
    let mut db = pool.acquire().await?;
    let priced = prices::newest(&mut db, sessions).await?;
    let open: Vec<Uuid> = sessions
        .iter()
        .copied()
        .filter(|id| !priced.contains_key(id))
        .collect();
    let mut rows = charges::facts(&mut db, &open).await?;
    charges::fill(&mut db, &mut rows, now).await?;
    let measured = rows.iter().map(|row| (row.id, suspicions(row, now)));
    let mut holds: HashMap<Uuid, Vec<String>> = measured.collect();
    for (id, seen) in let_go {
        if let Some(reasons) = holds.get_mut(id) {
            reasons.retain(|reason| !seen.contains(reason));
        }
    }
    let held = priced.into_values();
    holds.extend(
        held.filter(|price| price.state == State::Held)
            .map(|price| (price.session_id, price.reasons)),
    );
    holds.retain(|_, reasons| !reasons.is_empty());
    Ok(holds)
}

/// What is doubtful about a session, whatever its tariff.
fn suspicions(row: &charges::Charge, now: DateTime<Utc>) -> Vec<String> {
    let charge = charge::charge(row, now);
    let interval = charge::sample_interval(&charge);
    let mut reasons = price::suspicions(&charge, interval);
    book::add_doubts(&mut reasons, row);
    reasons
        .into_iter()
        .map(|reason| reason.replace(',', ";"))
        .collect()
}
