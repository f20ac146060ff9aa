//! Effects: what was seen to follow from a command, and what is still waited for.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::ENDED_CHANNEL;
use crate::Result;

/// A command whose effect was not seen yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Awaiting {
    /// Its id.
    pub id: Uuid,
    /// Which station it was for.
    pub station_id: Uuid,
    /// The OCPP action.
    pub action: String,
    /// JSON text.
    pub payload: String,
    /// The station's verdict.
    pub verdict: Option<String>,
    /// When it was answered; when it was sent, if nobody knows of an answer.
    pub since: DateTime<Utc>,
}

/// The commands sent since `since` whose effect was not seen yet.
pub async fn awaiting(db: &mut PgConnection, since: DateTime<Utc>) -> Result<Vec<Awaiting>> {
    Ok(sqlx::query_as!(
        Awaiting,
        r#"select id, station_id, action, payload, verdict, coalesce(answered_at, sent_at) as "since!"
           from commands
           where awaits is not null and effect is null and status in ('answered', 'timeout', 'unknown') and sent_at >= $1
           order by created_at, id"#,
        since
    )
    .fetch_all(db)
    .await?)
}

/// Notes what was seen to follow from commands, and rings for whoever looks; the first effect of each stands.
pub async fn note_effect(
    db: &mut PgConnection,
    ids: &[Uuid],
    effect: &str,
    at: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        r#"with seen as (
             update commands set effect = $2, effect_at = $3 where id = any($1) and effect is null
             returning id, site_id, station_id, action),
           told as (
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $3, 'command.effect', site_id, station_id, id, jsonb_build_object('action', action, 'effect', $2::text)
             from seen)
           select pg_notify($4, id::text) from seen"#,
        ids,
        effect,
        at,
        ENDED_CHANNEL
    )
    .fetch_all(db)
    .await?;
    Ok(())
}
