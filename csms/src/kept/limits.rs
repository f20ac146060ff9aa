//! What a station said that it cannot do, so that nothing automatic asks for it again.

use serde_json::Value;
use store::commands::Outcome;

use super::Answer;

/// An action that the station does not know, or knows after all.
pub(super) async fn action(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let (station, action) = (answer.ended.station_id, answer.ended.action);
    match answer.ended.outcome {
        Outcome::Error { code, .. } if is_unable(code) => {
            store::limits::note(db, station, action, answer.now).await
        }
        Outcome::Answered(_) => store::limits::forget(db, station, action).await,
        Outcome::Error { .. } | Outcome::Timeout => Ok(()),
    }
}

/// A message that the station does not send when it is asked to.
pub(super) async fn trigger(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let payload: Value = serde_json::from_str(answer.ended.payload).unwrap_or_default();
    let Some(message) = payload["requestedMessage"].as_str() else {
        return Ok(());
    };
    let what = format!("{}/{message}", answer.ended.action);
    if answer.verdict.is_some_and(is_unable) {
        store::limits::note(db, answer.ended.station_id, &what, answer.now).await
    } else if answer.is_agreed() {
        store::limits::forget(db, answer.ended.station_id, &what).await
    } else {
        Ok(())
    }
}

fn is_unable(word: &str) -> bool {
    matches!(word, "NotSupported" | "NotImplemented")
}
