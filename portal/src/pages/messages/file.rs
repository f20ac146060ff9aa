//! `/messages.jsonl`: the messages of the filter as a file, a line of JSON each, as the API shows them. It is read page by
//! page, so that a long one takes no more memory than a short one and holds no connection while the reader is slow.

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures_util::stream;
use serde_json::json;
use store::{Cursor, messages};

use super::{Asked, Place, staff_only};
use crate::{
    AppState, Error, Result,
    api::messages::Message,
    pages::{asked::Parameters, frame::Frame},
};

/// Messages read at a time.
const BATCH: i64 = 500;
/// Messages of one file; more is asked for with the place that the last line names.
const MOST: usize = 100_000;

/// `GET /messages.jsonl`.
pub async fn jsonl(
    State(app): State<AppState>,
    frame: Frame,
    parameters: Parameters,
) -> Result<Response> {
    staff_only(&frame)?;
    let asked = Asked::read(Place::default(), &parameters)?;
    let turn = app.exports.clone().acquire_owned().await;
    let reading = Reading {
        app,
        frame,
        after: asked.after,
        asked,
        sent: 0,
        done: false,
    };
    let lines = stream::try_unfold((reading, turn), |(mut reading, turn)| async move {
        Ok::<_, Error>(reading.next().await?.map(|lines| (lines, (reading, turn))))
    });
    let headers = [
        (header::CONTENT_TYPE, "application/jsonl; charset=utf-8"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"messages.jsonl\"",
        ),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

/// How far a file has come.
struct Reading {
    app: AppState,
    frame: Frame,
    asked: Asked,
    after: Option<Cursor>,
    sent: usize,
    done: bool,
}

impl Reading {
    /// The next lines; none when there are no more.
    async fn next(&mut self) -> Result<Option<Bytes>> {
        if self.done {
            return Ok(None);
        }
        let mut db = self.frame.scope.begin(&self.app.pool).await?;
        let found = messages::list(&mut db, &self.asked.filter, self.after, BATCH).await?;
        self.done = found.len() < usize::try_from(BATCH).unwrap_or(usize::MAX);
        self.sent += found.len();
        self.after = found.last().map(Cursor::from);
        let mut lines = Vec::new();
        for message in found {
            serde_json::to_writer(&mut lines, &Message::from(message))
                .map_err(|error| Error::Broken(format!("a message as JSON: {error}")))?;
            lines.push(b'\n');
        }
        if self.sent >= MOST && !self.done {
            self.done = true;
            let after = self.after.map(|after| after.to_string());
            lines.extend(format!("{}\n", json!({"more": true, "after": after})).into_bytes());
        }
        Ok(Some(lines.into()))
    }
}
