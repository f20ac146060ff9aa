//! Notices what is overdue: says so once per document, in its log and to whoever reads the outbox.

use chrono::{DateTime, Utc};
use store::{Connection, invoices};

/// Documents looked at in one go.
const BATCH: i64 = 500;

/// Notes every document that has become overdue by `now`; answers how many.
///
/// # Errors
/// Those of the database.
pub async fn notice(db: &mut Connection, now: DateTime<Utc>) -> store::Result<u64> {
    let mut noted = 0;
    loop {
        let batch = invoices::newly_overdue(db, BATCH, now).await?;
        for id in &batch {
            noted += u64::from(invoices::note_once(db, *id, now).await?);
        }
        if i64::try_from(batch.len()).unwrap_or(BATCH) < BATCH {
            return Ok(noted);
        }
    }
}
