//! The audit log: who did what to which thing. Rows are only added.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Result};

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Actor {
    /// A person, signed in.
    User(Uuid),
    /// An integrator's key.
    ApiKey(Uuid),
    /// Somebody at the command line.
    Cli,
    /// The product itself.
    System,
}

impl Actor {
    /// As stored: user, api_key, cli or system.
    pub fn kind(self) -> &'static str {
        match self {
            Actor::User(_) => "user",
            Actor::ApiKey(_) => "api_key",
            Actor::Cli => "cli",
            Actor::System => "system",
        }
    }

    /// Which person or key.
    pub fn id(self) -> Option<Uuid> {
        match self {
            Actor::User(id) | Actor::ApiKey(id) => Some(id),
            Actor::Cli | Actor::System => None,
        }
    }

    pub(crate) fn parse(kind: &str, id: Option<Uuid>) -> Option<Self> {
        match (kind, id) {
            ("user", Some(id)) => Some(Actor::User(id)),
            ("api_key", Some(id)) => Some(Actor::ApiKey(id)),
            ("cli", None) => Some(Actor::Cli),
            ("system", None) => Some(Actor::System),
            _ => None,
        }
    }
}

/// Something that was done.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When.
    pub at: DateTime<Utc>,
    /// By whom.
    pub actor: Actor,
    /// What, as a word: `station.change`, `command.queue`, …
    pub action: String,
    /// To which thing: `station/0199…`, `id_token/0199…`.
    pub entity: String,
    /// What it was before and is now, as far as that may be told: no secret.
    pub detail: Value,
}

/// Adds an entry; in the transaction of what was done.
pub async fn record(db: &mut PgConnection, entry: &Entry) -> Result<()> {
    sqlx::query!(
        "insert into audit_log (at, actor_kind, actor_id, action, entity, detail) values ($1, $2, $3, $4, $5, $6)",
        entry.at,
        entry.actor.kind(),
        entry.actor.id(),
        entry.action,
        entry.entity,
        entry.detail
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What was done to a thing, the last first.
pub async fn of(db: &mut PgConnection, entity: &str, limit: i64) -> Result<Vec<Entry>> {
    sqlx::query!(
        "select id, at, actor_kind, actor_id, action, entity, detail from audit_log
         where entity = $1 order by at desc, id desc limit $2",
        entity,
        limit
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| {
        let actor = Actor::parse(&row.actor_kind, row.actor_id).ok_or_else(|| Error::Corrupt {
            table: "audit_log",
            column: "actor_kind",
            row: row.id.to_string(),
            value: row.actor_kind.clone(),
        })?;
        Ok(Entry {
            at: row.at,
            actor,
            action: row.action,
            entity: row.entity,
            detail: row.detail,
        })
    })
    .collect()
}
