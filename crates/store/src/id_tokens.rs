//! Id tokens: who may charge. Looked up without regard to case (OCPP 1.6, IdToken is a CiString).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, ids};

/// A token as people set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdToken {
    /// As registered.
    pub token: String,
    /// RFID, app, …: free text of the operator.
    pub kind: String,
    /// accepted, blocked, expired or invalid.
    pub status: String,
    /// The token of its group.
    pub parent: Option<String>,
    /// After this it counts as expired.
    pub expires_at: Option<DateTime<Utc>>,
    /// How many open transactions it may have.
    pub max_active: Option<i32>,
    /// Whose it is, in free text.
    pub owner: String,
}

/// Makes or changes a token. [`crate::Error::Conflict`] `id_tokens_status_check` on an unknown status.
pub async fn put(db: &mut PgConnection, token: &IdToken, now: DateTime<Utc>) -> Result<Uuid> {
    Ok(sqlx::query_scalar!(
        "insert into id_tokens (id, token, kind, status, parent, expires_at, max_active, owner, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (lower(token)) do update set
           kind = excluded.kind, status = excluded.status, parent = excluded.parent,
           expires_at = excluded.expires_at, max_active = excluded.max_active, owner = excluded.owner
         returning id",
        ids::new_id(now),
        token.token,
        token.kind,
        token.status,
        token.parent,
        token.expires_at,
        token.max_active,
        token.owner,
        now
    )
    .fetch_one(db)
    .await?)
}

/// The token of this spelling in any case.
pub async fn find(db: &mut PgConnection, token: &str) -> Result<Option<IdToken>> {
    Ok(sqlx::query_as!(
        IdToken,
        "select token, kind, status, parent, expires_at, max_active, owner
         from id_tokens where lower(token) = lower($1)",
        token
    )
    .fetch_optional(db)
    .await?)
}

/// Whether `above` is `token`, or has it for a parent, or a parent's parent, and so on.
pub async fn leads_to(db: &mut PgConnection, above: &str, token: &str) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"with recursive line as (
             select lower($1::text) as token
             union
             select lower(t.parent) from id_tokens t join line on lower(t.token) = line.token where t.parent is not null)
           select exists (select from line where token = lower($2::text)) as "leads!""#,
        above,
        token
    )
    .fetch_one(db)
    .await?)
}

/// The tokens after `after`, by their text, at most `limit`. They belong to no site: only a reader of all sites may ask.
pub async fn list(db: &mut PgConnection, after: Option<&str>, limit: i64) -> Result<Vec<IdToken>> {
    Ok(sqlx::query_as!(
        IdToken,
        "select token, kind, status, parent, expires_at, max_active, owner
         from id_tokens where ($1::text is null or lower(token) > lower($1)) order by lower(token) limit $2",
        after,
        limit
    )
    .fetch_all(db)
    .await?)
}
