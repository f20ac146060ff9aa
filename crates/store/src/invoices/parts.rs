//! What hangs on a document: its sessions, its lines, what was done with it, its file.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use super::{LineOf, SessionOf};
use crate::Result;

/// Something that was done with a document.
#[derive(Debug, Clone, PartialEq)]
pub struct Happening {
    /// When.
    pub at: DateTime<Utc>,
    /// `issued`, `mailed`, `paid`, `overdue`, `credited`, …
    pub kind: String,
    /// By whom: user, api_key, cli or system.
    pub actor_kind: String,
    /// The person's address of mail, if a person did it.
    pub actor: Option<String>,
    /// A few words more, by kind.
    pub detail: Value,
}

/// The sessions of a document, in its order.
pub async fn sessions(db: &mut PgConnection, id: Uuid) -> Result<Vec<SessionOf>> {
    Ok(sqlx::query_as!(
        SessionOf,
        "select position, session_id, revision, site_id, site, time_zone, station, connector, id_token, started_at,
                ended_at, energy_wh, register_start_wh, register_stop_wh, prices_include_tax, signed, saved
         from invoice_sessions where invoice_id = $1 order by position",
        id
    )
    .fetch_all(db)
    .await?)
}

/// The lines of a document, in its order.
pub async fn lines(db: &mut PgConnection, id: Uuid) -> Result<Vec<LineOf>> {
    Ok(sqlx::query_as!(
        LineOf,
        r#"select position, kind, source, quantity, unit_price, tax_rate, net, tax, total, period_from as "from",
                  period_to as "to"
           from invoice_lines where invoice_id = $1 order by line"#,
        id
    )
    .fetch_all(db)
    .await?)
}

/// What was done with a document, first to last.
pub async fn happenings(db: &mut PgConnection, id: Uuid) -> Result<Vec<Happening>> {
    Ok(sqlx::query_as!(
        Happening,
        r#"select e.at, e.kind, e.actor_kind, u.email as "actor?", e.detail
           from invoice_events e left join users u on u.id = e.actor_id and e.actor_kind = 'user'
           where e.invoice_id = $1 order by e.id"#,
        id
    )
    .fetch_all(db)
    .await?)
}

/// The document itself, as it was sent; none while it is being made.
pub async fn document(db: &mut PgConnection, id: Uuid) -> Result<Option<Vec<u8>>> {
    Ok(sqlx::query_scalar!(
        "select pdf from invoice_documents where invoice_id = $1",
        id
    )
    .fetch_optional(db)
    .await?)
}

/// Documents that are issued and not made yet, the oldest first.
pub async fn without_document(db: &mut PgConnection, limit: i64) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select id from invoices i where not exists (select from invoice_documents d where d.invoice_id = i.id)
         order by issued_at limit $1",
        limit
    )
    .fetch_all(db)
    .await?)
}
