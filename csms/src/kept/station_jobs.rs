//! What a station answered to a firmware update or a request for its logs: the first word on the job.

use serde_json::Value;
use store::commands::Outcome;
use store::station_jobs::Reply;

use super::Answer;

pub(super) async fn reply(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let Some(reply) = read(answer) else {
        return Ok(());
    };
    store::station_jobs::reply(db, answer.ended.id, &reply, answer.now).await
}

/// The answer in terms of the job. A station that gave none may be at work all the same.
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
            })
        }
        Outcome::Error { code, .. } => Some(Reply {
            state: code.clone(),
            agreed: false,
            replaces: false,
            file_name: None,
        }),
        Outcome::Timeout => None,
    }
}
