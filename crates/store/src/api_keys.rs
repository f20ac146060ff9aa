//! API keys of integrators. A key is shown once, when it is made; stored is its SHA-256.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Result, ids, secrets};

/// What every key begins with.
pub const PREFIX: &str = "fc_";
/// Characters of a key that are kept in clear, so that people can tell keys apart.
const SHOWN: usize = 11;
/// A key that is used all the time is noted as used this often.
const NOTED_EVERY: TimeDelta = TimeDelta::minutes(1);

/// What a key may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyScope {
    /// Every GET.
    Read,
    /// Every write.
    Control,
}

impl KeyScope {
    /// As stored and as the command line says it.
    pub fn as_str(self) -> &'static str {
        match self {
            KeyScope::Read => "read",
            KeyScope::Control => "control",
        }
    }

    /// The reverse of [`KeyScope::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [KeyScope::Read, KeyScope::Control]
            .into_iter()
            .find(|scope| scope.as_str() == text)
    }
}

/// A key as people see it: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: Uuid,
    /// What it is for.
    pub name: String,
    /// Its first characters.
    pub prefix: String,
    /// What it may do.
    pub scopes: Vec<KeyScope>,
    /// The sites it may see; `None` is every site.
    pub site_ids: Option<Vec<Uuid>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
    /// When it stops to work by itself.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
}

/// A key to be made.
#[derive(Debug, Clone)]
pub struct NewKey<'a> {
    /// What it is for.
    pub name: &'a str,
    /// What it may do; not empty.
    pub scopes: &'a [KeyScope],
    /// The sites it may see; `None` is every site.
    pub site_ids: Option<&'a [Uuid]>,
    /// When it stops to work by itself.
    pub expires_at: Option<DateTime<Utc>>,
}

/// Makes a key and answers its id and the key: nobody can show it again.
/// [`Error::Conflict`] `api_keys_scopes_check` without a scope.
pub async fn create(
    db: &mut PgConnection,
    key: &NewKey<'_>,
    now: DateTime<Utc>,
) -> Result<(Uuid, String)> {
    let id = ids::new_id(now);
    let text = format!("{PREFIX}{}", secrets::random_hex(32));
    let scopes: Vec<String> = key
        .scopes
        .iter()
        .map(|scope| scope.as_str().to_owned())
        .collect();
    sqlx::query!(
        "insert into api_keys (id, name, prefix, key_hash, scopes, site_ids, created_at, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        id,
        key.name,
        &text[..SHOWN],
        &secrets::sha256(text.as_bytes())[..],
        &scopes,
        key.site_ids,
        now,
        key.expires_at
    )
    .execute(db)
    .await?;
    Ok((id, text))
}

/// One row of [`ApiKey`] before its words are understood.
struct Row {
    id: Uuid,
    name: String,
    prefix: String,
    scopes: Vec<String>,
    site_ids: Option<Vec<Uuid>>,
    created_at: DateTime<Utc>,
    last_used_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    revoked_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for ApiKey {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let scopes = row
            .scopes
            .iter()
            .map(|scope| {
                KeyScope::parse(scope).ok_or_else(|| Error::Corrupt {
                    table: "api_keys",
                    column: "scopes",
                    row: row.id.to_string(),
                    value: scope.clone(),
                })
            })
            .collect::<Result<_>>()?;
        Ok(ApiKey {
            id: row.id,
            name: row.name,
            prefix: row.prefix,
            scopes,
            site_ids: row.site_ids,
            created_at: row.created_at,
            last_used_at: row.last_used_at,
            expires_at: row.expires_at,
            revoked_at: row.revoked_at,
        })
    }
}

/// The key that works now and has this text. That it was used is noted at most once a minute.
pub async fn find(db: &mut PgConnection, text: &str, now: DateTime<Utc>) -> Result<Option<ApiKey>> {
    let key = sqlx::query_as!(
        Row,
        "select id, name, prefix, scopes, site_ids, created_at, last_used_at, expires_at, revoked_at
         from api_keys
         where key_hash = $1 and revoked_at is null and (expires_at is null or expires_at > $2)",
        &secrets::sha256(text.as_bytes())[..],
        now
    )
    .fetch_optional(&mut *db)
    .await?
    .map(ApiKey::try_from)
    .transpose()?;
    if let Some(key) = &key
        && key
            .last_used_at
            .is_none_or(|last| last + NOTED_EVERY <= now)
    {
        sqlx::query!(
            "update api_keys set last_used_at = greatest(last_used_at, $2) where id = $1",
            key.id,
            now
        )
        .execute(db)
        .await?;
    }
    Ok(key)
}

/// Every key, the newest first.
pub async fn list(db: &mut PgConnection) -> Result<Vec<ApiKey>> {
    sqlx::query_as!(
        Row,
        "select id, name, prefix, scopes, site_ids, created_at, last_used_at, expires_at, revoked_at
         from api_keys order by created_at desc, id desc"
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(ApiKey::try_from)
    .collect()
}

/// Ends a key for good; false if there is none that still works.
pub async fn revoke(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let ended = sqlx::query!(
        "update api_keys set revoked_at = $2 where id = $1 and revoked_at is null",
        id,
        now
    )
    .execute(db)
    .await?;
    Ok(ended.rows_affected() == 1)
}
