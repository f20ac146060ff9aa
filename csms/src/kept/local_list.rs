//! What a station says to a list that was sent, and of the version that it holds.

use ocpp::decode;
use ocpp::v16::{GetLocalListVersionResponse, SendLocalListRequest, UpdateType};
use store::commands::Outcome;
use store::local_lists::{self, Entry, Refused, Sent};

use super::Answer;
use crate::lists;

/// SendLocalList.
pub(super) async fn sent(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let station = answer.ended.station_id;
    let word = match answer.ended.outcome {
        Outcome::Answered(_) => answer.verdict.unwrap_or("without a status"),
        Outcome::Error { code, .. } => code,
        Outcome::Timeout => "timeout",
    };
    if word == "Accepted" {
        return match read(answer.ended.payload) {
            Some(sent) => local_lists::accepted(db, station, &sent, answer.now).await,
            None => Ok(()),
        };
    }
    let failures = local_lists::of(db, station).await?.failures;
    let refused = Refused {
        answer: word,
        unsupported: matches!(word, "NotSupported" | "NotImplemented"),
        next_try_at: lists::next_try(word, failures, answer.now),
    };
    local_lists::refused(db, station, &refused, answer.now).await
}

/// GetLocalListVersion.
pub(super) async fn version(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let Outcome::Answered(text) = answer.ended.outcome else {
        return Ok(());
    };
    let said = decode::<GetLocalListVersionResponse>(text).ok();
    match said.and_then(|said| i32::try_from(said.list_version?).ok()) {
        Some(version) => {
            local_lists::version_said(db, answer.ended.station_id, version, answer.now).await
        }
        None => Ok(()),
    }
}

fn read(payload: &str) -> Option<Sent> {
    let asked: SendLocalListRequest = decode(payload).ok()?;
    let mut sent = Sent {
        version: i32::try_from(asked.list_version).ok()?,
        full: asked.update_type == UpdateType::Full,
        held: Vec::new(),
        removed: Vec::new(),
    };
    for row in asked.local_authorization_list {
        match row.id_tag_info {
            Some(info) => sent.held.push(Entry {
                token: row.id_tag,
                status: info.status.to_string(),
                parent: info.parent_id_tag,
                expires_at: info.expiry_date.and_then(ocpp::Timestamp::stated),
            }),
            None => sent.removed.push(row.id_tag),
        }
    }
    Some(sent)
}
