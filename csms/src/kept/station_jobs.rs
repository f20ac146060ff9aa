//! What a station answered to a firmware update or a request for its logs: the first word on the job. Where no answer comes
//! any more, the job is closed with the reason.

use chrono::{DateTime, Utc};
use serde_json::Value;
use store::commands::Outcome;
use store::station_jobs::{self, Closing, Reply};

use super::Answer;

/// Jobs that are closed at a time.
const AT_ONCE: i64 = 200;

pub(super) async fn reply(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let Some(reply) = read(answer) else {
        return Ok(());
    };
    station_jobs::reply(db, answer.ended.id, &reply, answer.now).await
}

/// Ends the jobs whose commands ended without an answer.
pub(crate) async fn close_unanswered(
    db: &mut store::Connection,
    now: DateTime<Utc>,
) -> store::Result<()> {
    for job in station_jobs::unanswered(db, AT_ONCE).await? {
        station_jobs::close(db, &job, closing(&job.status), now).await?;
    }
    Ok(())
}

/// What the end of a command without an answer means for its job. A station that gave none may be at work all the same.
fn closing(status: &str) -> Closing {
    let (reason, may_act) = match status {
        "timeout" => ("the station gave no answer", true),
        "unknown" => ("the connection broke before the answer came", true),
        "expired" => ("the station did not come in time to be asked", false),
        "cancelled" => ("taken back before the station was asked", false),
        _ => ("the station refused", false),
    };
    Closing { reason, may_act }
}

/// The answer in terms of the job; none where there is no answer.
fn read(answer: &Answer<'_>) -> Option<Reply> {
    match answer.ended.outcome {
        Outcome::Answered(text) => {
            let said: Value = serde_json::from_str(text).unwrap_or_default();
            let file_name = ["fileName", "filename"]
                .iter()
                .find_map(|name| said[*name].as_str());
            // 1.6's own two commands are answered without a status.
            let state = answer.verdict.unwrap_or("Accepted");
            Some(Reply {
                state: ocpp::salvage::storable(state).into_owned(),
                agreed: answer.is_agreed(),
                // A second job of 1.6's own kind takes the place of the first: their words could not be told apart.
                replaces: state == "AcceptedCanceled" || answer.verdict.is_none(),
                file_name: file_name.map(|name| ocpp::salvage::storable(name).into_owned()),
                reason: None,
            })
        }
        Outcome::Error { code, description } => Some(Reply {
            state: code.clone(),
            agreed: false,
            replaces: false,
            file_name: None,
            reason: Some(description.clone()).filter(|words| !words.is_empty()),
        }),
        Outcome::Timeout => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_station_that_was_never_asked_is_not_waited_for() {
        for (status, may_act, said) in [
            ("timeout", true, "no answer"),
            ("unknown", true, "broke"),
            ("expired", false, "in time"),
            ("cancelled", false, "taken back"),
            ("error", false, "refused"),
        ] {
            let closing = closing(status);
            assert_eq!(closing.may_act, may_act, "{status}");
            assert!(closing.reason.contains(said), "{status}");
        }
    }
}
