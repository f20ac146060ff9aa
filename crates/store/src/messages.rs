//! The message log as people and programs read it: one row per CALL with its answer. It is written in `ingest`.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::cursor::Cursor;
pub use crate::ingest::Direction;
use crate::{Result, Scoped};

/// A CALL and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its id.
    pub id: Uuid,
    /// When it came, or when we sent it.
    pub received_at: DateTime<Utc>,
    /// The station's identity.
    pub station: String,
    /// `in`: the station called us. `out`: we called the station.
    pub direction: String,
    /// The id of the CALL.
    pub message_id: String,
    /// As the CALL spells it; empty for a frame that could not be read.
    pub action: String,
    /// To the letter.
    pub payload: String,
    /// The CALLRESULT's payload, to the letter.
    pub answer: Option<String>,
    /// The CALLERROR's code.
    pub error_code: Option<String>,
    /// When the answer came, or left.
    pub answered_at: Option<DateTime<Utc>>,
    /// What was mended or found wanting, in plain words.
    pub findings: Option<String>,
}

impl From<&Message> for Cursor {
    fn from(message: &Message) -> Self {
        Cursor {
            at: message.received_at,
            id: message.id,
        }
    }
}

/// Which messages; the empty filter is every one of the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of the station of this identity, whatever the case.
    pub station: Option<String>,
    /// With this action, whatever the case.
    pub action: Option<String>,
    /// Of the station, or of ours.
    pub direction: Option<Direction>,
    /// Answered by a CALLERROR, or not at all.
    pub errors: bool,
    /// Of which something was mended or found wanting.
    pub findings: bool,
    /// With this id of the CALL.
    pub message_id: Option<String>,
    /// Whose payload, answer, error or findings contain this, whatever the case.
    pub text: Option<String>,
    /// Received at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Received before this instant.
    pub to: Option<DateTime<Utc>>,
}

/// How far back a list over all stations looks at first, and then further, until it has enough: their messages are found
/// by time alone, and the newest are usually meant.
const WINDOWS: [Option<TimeDelta>; 5] = [
    Some(TimeDelta::minutes(10)),
    Some(TimeDelta::hours(2)),
    Some(TimeDelta::days(1)),
    Some(TimeDelta::days(7)),
    None,
];

/// The messages of the filter after `after`, newest first, at most `limit`.
pub async fn list(
    db: &mut Scoped<'_>,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Message>> {
    if filter.station.is_some() {
        return within(db, filter, after, None, limit).await;
    }
    let enough = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut found = Vec::new();
    for window in WINDOWS {
        found = within(db, filter, after, window, limit).await?;
        if found.len() >= enough {
            break;
        }
    }
    Ok(found)
}

/// The same of a span of time that ends where the filter, or the page before, ends.
async fn within(
    db: &mut Scoped<'_>,
    filter: &Filter,
    after: Option<Cursor>,
    window: Option<TimeDelta>,
    limit: i64,
) -> Result<Vec<Message>> {
    let window_us = window.and_then(|window| window.num_microseconds());
    Ok(sqlx::query_as!(
        Message,
        r#"select m.id, m.received_at, s.identity as station, m.direction, m.message_id, m.action, m.payload, m.answer,
                  m.error_code, m.answered_at, m.findings
           from ocpp_messages m join stations s on s.id = m.station_id
           where ($1::text is null or m.station_id = (select id from stations where lower(identity) = lower($1)))
             and ($2::text is null or lower(m.action) = lower($2))
             and ($8::text is null or m.direction = $8)
             and (not $9 or m.error_code is not null or m.answered_at is null)
             and (not $10 or m.findings is not null)
             and ($11::text is null or m.message_id = $11)
             and ($12::text is null or position(lower($12) in
                    lower(concat_ws(' ', m.payload, m.answer, m.error_code, m.findings))) > 0)
             and m.received_at >= coalesce($3::timestamptz, '-infinity')
             and m.received_at < coalesce($4::timestamptz, 'infinity')
             and m.received_at >= coalesce(
                   least($4::timestamptz, $5::timestamptz, now()) - $13::bigint * interval '1 microsecond', '-infinity')
             and (m.received_at, m.id)
                 < (coalesce($5::timestamptz, 'infinity'), coalesce($6::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by m.received_at desc, m.id desc limit $7"#,
        filter.station,
        filter.action,
        filter.from,
        filter.to,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit,
        filter.direction.map(Direction::as_str),
        filter.errors,
        filter.findings,
        filter.message_id,
        filter.text,
        window_us
    )
    .fetch_all(&mut **db)
    .await?)
}

/// A message of the scope. Its id says when the row was made, which is not long after its receipt.
pub async fn get(db: &mut Scoped<'_>, id: Uuid) -> Result<Option<Message>> {
    /// A CALL of ours is logged when it ended.
    const LONGEST_CALL: TimeDelta = TimeDelta::minutes(30);
    let made_at = id
        .get_timestamp()
        .and_then(|stamp| i64::try_from(stamp.to_unix().0).ok())
        .and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let Some(made_at) = made_at else {
        return Ok(None);
    };
    Ok(sqlx::query_as!(
        Message,
        r#"select m.id, m.received_at, s.identity as station, m.direction, m.message_id, m.action, m.payload, m.answer,
                  m.error_code, m.answered_at, m.findings
           from ocpp_messages m join stations s on s.id = m.station_id
           where m.id = $1 and m.received_at between $2 and $3"#,
        id,
        made_at - LONGEST_CALL,
        made_at + TimeDelta::minutes(1)
    )
    .fetch_optional(&mut **db)
    .await?)
}

/// The messages of the same station just after `message`, the earliest first, at most `limit`.
pub async fn just_after(
    db: &mut Scoped<'_>,
    message: &Message,
    limit: i64,
) -> Result<Vec<Message>> {
    Ok(sqlx::query_as!(
        Message,
        r#"select m.id, m.received_at, s.identity as station, m.direction, m.message_id, m.action, m.payload, m.answer,
                  m.error_code, m.answered_at, m.findings
           from ocpp_messages m join stations s on s.id = m.station_id
           where s.identity = $1 and (m.received_at, m.id) > ($2, $3)
           order by m.received_at, m.id limit $4"#,
        message.station,
        message.received_at,
        message.id,
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}
