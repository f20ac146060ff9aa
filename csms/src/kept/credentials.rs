//! A station was told to use another password or security profile. That both open the door until it does was written when
//! the command was queued; here only a plain No takes the new one back. An error, a time-out or a crash says nothing.

use store::commands::Outcome;
use store::credentials::{Order, refused};

use super::Answer;

pub(super) async fn changed(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let ended = answer.ended;
    let said_no = matches!(ended.outcome, Outcome::Answered(_)) && !answer.is_agreed();
    if said_no && Order::of(ended.action, ended.payload).is_some() {
        refused(db, ended.id, ended.station_id).await?;
    }
    Ok(())
}
