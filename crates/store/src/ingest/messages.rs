//! The message log as it is written; `crate::messages` reads it.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;
use crate::copy::{self, Encoder, by_partition};

/// Who called whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The station called us.
    In,
    /// We called the station.
    Out,
}

impl Direction {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Direction::In => "in",
            Direction::Out => "out",
        }
    }

    /// The reverse of [`Direction::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Direction::In, Direction::Out]
            .into_iter()
            .find(|direction| direction.as_str() == text)
    }
}

/// One CALL with its answer.
#[derive(Debug, Clone)]
pub struct MessageRow {
    /// UUIDv7.
    pub id: Uuid,
    /// When the CALL came or went.
    pub received_at: DateTime<Utc>,
    /// The station.
    pub station_id: Uuid,
    /// Who called.
    pub direction: Direction,
    /// The CALL's id, verbatim.
    pub message_id: String,
    /// The CALL's action, verbatim; empty for a frame that could not be read.
    pub action: String,
    /// The CALL's payload, or the whole frame if it could not be read.
    pub payload: String,
    /// The answer's payload.
    pub answer: Option<String>,
    /// The code, if the answer is a CALLERROR.
    pub error_code: Option<String>,
    /// When it was answered.
    pub answered_at: Option<DateTime<Utc>>,
    /// What was mended or found wanting.
    pub findings: Option<String>,
}

/// Adds rows to the message log.
pub(super) async fn copy(db: &mut PgConnection, messages: &[&MessageRow]) -> Result<()> {
    for (partition, rows) in by_partition("ocpp_messages", messages, |row| row.received_at) {
        copy::copy(db, &partition, COLUMNS, &rows, encode).await?;
    }
    Ok(())
}

const COLUMNS: &[&str] = &[
    "id",
    "received_at",
    "station_id",
    "direction",
    "message_id",
    "action",
    "payload",
    "answer",
    "error_code",
    "answered_at",
    "findings",
];

fn encode(row: &mut Encoder, message: &MessageRow) -> Result<()> {
    row.value(message.id)?
        .value(message.received_at)?
        .value(message.station_id)?
        .value(message.direction.as_str())?
        .value(message.message_id.as_str())?
        .value(message.action.as_str())?
        .value(message.payload.as_str())?
        .value(message.answer.as_deref())?
        .value(message.error_code.as_deref())?
        .value(message.answered_at)?
        .value(message.findings.as_deref())?;
    Ok(())
}

/// The same by an INSERT, which finds the partitions by itself.
pub(crate) async fn insert(db: &mut PgConnection, messages: &[&MessageRow]) -> Result<()> {
    if messages.is_empty() {
        return Ok(());
    }
    fn column<'a, T>(messages: &[&'a MessageRow], of: impl Fn(&'a MessageRow) -> T) -> Vec<T> {
        messages.iter().map(|message| of(message)).collect()
    }
    sqlx::query(
        "insert into ocpp_messages (id, received_at, station_id, direction, message_id, action, payload, answer, \
           error_code, answered_at, findings) \
         select * from unnest($1::uuid[], $2::timestamptz[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], \
           $8::text[], $9::text[], $10::timestamptz[], $11::text[])",
    )
    .bind(column(messages, |message| message.id))
    .bind(column(messages, |message| message.received_at))
    .bind(column(messages, |message| message.station_id))
    .bind(column(messages, |message| message.direction.as_str()))
    .bind(column(messages, |message| message.message_id.as_str()))
    .bind(column(messages, |message| message.action.as_str()))
    .bind(column(messages, |message| message.payload.as_str()))
    .bind(column(messages, |message| message.answer.as_deref()))
    .bind(column(messages, |message| message.error_code.as_deref()))
    .bind(column(messages, |message| message.answered_at))
    .bind(column(messages, |message| message.findings.as_deref()))
    .execute(db)
    .await?;
    Ok(())
}
