//! `/messages`: the OCPP message log.

use axum::{Json, extract::State};
use serde::Serialize;
use serde_json::value::RawValue;
use store::messages::{self, Filter};
use uuid::Uuid;

use super::{
    input::Params,
    shape::{self, List, Stamp, verbatim},
};
use crate::{AppState, Result, auth::Viewer};

/// A CALL with its answer. What was on the wire stands here to the letter: as JSON where it is that, else as a string.
/// (A frame that could not be read has no action, and its payload is the whole frame.)
#[derive(Debug, Serialize)]
pub(crate) struct Message {
    id: Uuid,
    received_at: Stamp,
    station: String,
    direction: String,
    message_id: String,
    action: String,
    payload: Box<RawValue>,
    answer: Option<Box<RawValue>>,
    error_code: Option<String>,
    answered_at: Option<Stamp>,
    findings: Option<String>,
}

impl From<messages::Message> for Message {
    fn from(message: messages::Message) -> Self {
        Message {
            id: message.id,
            received_at: Stamp(message.received_at),
            station: message.station,
            direction: message.direction,
            message_id: message.message_id,
            action: message.action,
            payload: verbatim(message.payload),
            answer: message.answer.map(verbatim),
            error_code: message.error_code,
            answered_at: message.answered_at.map(Stamp),
            findings: message.findings,
        }
    }
}

/// The messages of a station, or of all, newest first.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    mut params: Params,
) -> Result<Json<List<Message>>> {
    let filter = Filter {
        station: params.text("station"),
        action: params.text("action"),
        from: params.time("from"),
        to: params.time("to"),
        ..Filter::default()
    };
    let after = params.after(|text| text.parse().ok());
    let limit = params.limit();
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let rows = messages::list(&mut db, &filter, after, limit + 1).await?;
    Ok(shape::list(rows, limit, shape::cursor, Message::from))
}
