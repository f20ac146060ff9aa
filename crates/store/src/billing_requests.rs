//! What people ask of billing: the portal inserts a row, billing does it and says how it went. What the words mean is
//! known in billing.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Result, audit::Actor, invoices::actor_columns};

/// The doorbell: it says that something is asked for.
pub const CHANNEL: &str = "forecourt_billing";

/// Something to be done.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Its id.
    pub id: Uuid,
    /// What is to be done.
    pub kind: String,
    /// To which invoice, session or legal entity.
    pub subject: Uuid,
    /// How, by kind.
    pub detail: Value,
    /// Who asks.
    pub actor: Actor,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// How far a request came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Its id.
    pub id: Uuid,
    /// What was to be done.
    pub kind: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When it was done or refused; none: it waits.
    pub done_at: Option<DateTime<Utc>>,
    /// Why it was not done, for people.
    pub refused: Option<String>,
    /// The document or payment that came of it.
    pub result: Option<Uuid>,
}

/// Asks for something.
pub async fn queue(db: &mut PgConnection, request: &Request) -> Result<()> {
    let (actor_kind, actor_id) = actor_columns(request.actor);
    sqlx::query!(
        "insert into billing_requests (id, kind, subject, detail, actor_kind, actor_id, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        request.id,
        request.kind,
        request.subject,
        request.detail,
        actor_kind,
        actor_id,
        request.created_at
    )
    .execute(&mut *db)
    .await?;
    // Heard when the asking transaction commits; people ask rarely, so its lock hinders nobody.
    sqlx::query!("select pg_notify($1, '')", CHANNEL)
        .fetch_one(db)
        .await?;
    Ok(())
}

/// The oldest request that waits, locked until the transaction ends; others look at the next.
pub async fn claim(db: &mut PgConnection) -> Result<Option<Request>> {
    sqlx::query!(
        "select id, kind, subject, detail, actor_kind, actor_id, created_at from billing_requests
         where done_at is null order by created_at, id limit 1 for update skip locked"
    )
    .fetch_optional(db)
    .await?
    .map(|row| {
        Ok(Request {
            actor: Actor::parse(&row.actor_kind, row.actor_id).ok_or_else(|| Error::Corrupt {
                table: "billing_requests",
                column: "actor_kind",
                row: row.id.to_string(),
                value: row.actor_kind.clone(),
            })?,
            id: row.id,
            kind: row.kind,
            subject: row.subject,
            detail: row.detail,
            created_at: row.created_at,
        })
    })
    .transpose()
}

/// It is done, or refused for a reason; in the transaction of what was done.
pub async fn finish(
    db: &mut PgConnection,
    id: Uuid,
    result: std::result::Result<Option<Uuid>, &str>,
    now: DateTime<Utc>,
) -> Result<()> {
    let (made, refused) = match result {
        Ok(made) => (made, None),
        Err(why) => (None, Some(why)),
    };
    sqlx::query!(
        "update billing_requests set done_at = $2, result = $3, refused = $4 where id = $1",
        id,
        now,
        made,
        refused
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How far a request came.
pub async fn outcome(db: &mut PgConnection, id: Uuid) -> Result<Option<Outcome>> {
    Ok(sqlx::query_as!(
        Outcome,
        "select id, kind, created_at, done_at, refused, result from billing_requests where id = $1",
        id
    )
    .fetch_optional(db)
    .await?)
}

/// The newest request about a thing.
pub async fn last(db: &mut PgConnection, subject: Uuid) -> Result<Option<Outcome>> {
    Ok(sqlx::query_as!(
        Outcome,
        "select id, kind, created_at, done_at, refused, result from billing_requests
         where subject = $1 order by created_at desc, id desc limit 1",
        subject
    )
    .fetch_optional(db)
    .await?)
}
