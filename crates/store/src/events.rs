//! The outbox: rows that say what happened. Live pages, pricing, webhooks and alerts read it, each at its own pace.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// The doorbell: it only says that there is more.
pub const CHANNEL: &str = "forecourt_events";

/// How far a reader has read: transaction id, then row id. Its text form is the `Last-Event-ID` of live pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Position {
    /// The inserting transaction.
    pub tx: i64,
    /// The row.
    pub id: i64,
}

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.tx, self.id)
    }
}

impl std::str::FromStr for Position {
    type Err = ();

    fn from_str(text: &str) -> std::result::Result<Self, ()> {
        let (tx, id) = text.split_once('-').ok_or(())?;
        Ok(Position {
            tx: tx.parse().map_err(|_| ())?,
            id: id.parse().map_err(|_| ())?,
        })
    }
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// Where it stands in the outbox.
    pub position: Position,
    /// When it happened, by our clock.
    pub at: DateTime<Utc>,
    /// `transaction.started`, `transaction.stopped` (once each), `transaction.corrected` (a stop that a later start had
    /// implied now has the station's own figures), `connector.status`, …
    pub kind: String,
    /// Whose rows it is about.
    pub site_id: Option<Uuid>,
    /// At which station.
    pub station_id: Option<Uuid>,
    /// The session or command it is about.
    pub subject: Option<Uuid>,
    /// A few words more, by kind.
    pub detail: Value,
}

/// Writes an event about the installation itself, which belongs to no site.
pub async fn tell(
    db: &mut PgConnection,
    kind: &str,
    detail: &Value,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into events (at, kind, detail) values ($1, $2, $3)",
        now,
        kind,
        detail
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The events after `position`, in order, at most `limit`. Rows of transactions that may still be joined by an earlier
/// one are held back: a plain `id > last` would lose rows that commit late.
pub async fn after(db: &mut PgConnection, position: Position, limit: i64) -> Result<Vec<Event>> {
    let rows = sqlx::query!(
        r#"select tx::text::bigint as "tx!", id, at, kind, site_id, station_id, subject, detail
           from events
           where (tx, id) > ($1::bigint::text::xid8, $2) and tx < pg_snapshot_xmin(pg_current_snapshot())
           order by tx, id limit $3"#,
        position.tx,
        position.id,
        limit
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Event {
            position: Position {
                tx: row.tx,
                id: row.id,
            },
            at: row.at,
            kind: row.kind,
            site_id: row.site_id,
            station_id: row.station_id,
            subject: row.subject,
            detail: row.detail,
        })
        .collect())
}

/// Where a reader stands that wants only what comes from now on.
pub async fn now(db: &mut PgConnection) -> Result<Position> {
    let tx = sqlx::query_scalar!(
        r#"select (pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1) as "tx!""#
    )
    .fetch_one(db)
    .await?;
    Ok(Position { tx, id: i64::MAX })
}

/// Rings the doorbell, on a connection of its own: never inside a transaction that writes (it takes a global lock).
pub async fn ring(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_notify($1, '')", CHANNEL)
        .fetch_one(db)
        .await?;
    Ok(())
}
