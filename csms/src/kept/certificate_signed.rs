//! A certificate was brought to the station that had asked for it.

use store::certificate_requests::answered;
use store::commands::Outcome;

use super::Answer;

pub(super) async fn brought(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    if matches!(answer.ended.outcome, Outcome::Timeout) {
        // It may have it all the same; it will show when it comes with it.
        return Ok(());
    }
    answered(db, answer.ended.id, answer.is_agreed(), answer.now).await
}
