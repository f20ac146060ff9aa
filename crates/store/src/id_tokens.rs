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

/// Takes a token out of the list; answers its id, or `None` if there is none of that spelling.
pub async fn delete(db: &mut PgConnection, token: &str) -> Result<Option<Uuid>> {
    Ok(sqlx::query_scalar!(
        "delete from id_tokens where lower(token) = lower($1) returning id",
        token
    )
    .fetch_optional(db)
    .await?)
}

/// Which tokens; the empty filter is every one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// The one of this spelling, in any case.
    pub token: Option<String>,
    /// Whose text, owner, parent or kind contains this, whatever the case.
    pub text: Option<String>,
    /// accepted, blocked, expired or invalid.
    pub status: Option<String>,
    /// With this parent, whatever the case.
    pub parent: Option<String>,
}

/// A token as the list shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: Uuid,
    /// As people set it.
    pub token: IdToken,
    /// The driver group that it is in.
    pub group: Option<(Uuid, String)>,
    /// How many open transactions it has.
    pub open: i64,
    /// When it was registered.
    pub created_at: DateTime<Utc>,
}

/// The tokens of the filter after `after`, by their text, at most `limit`. They belong to no site: only a reader of all
/// sites may ask.
pub async fn search(
    db: &mut PgConnection,
    filter: &Filter,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Listed>> {
    let rows = sqlx::query!(
        r#"select t.id, t.token, t.kind, t.status, t.parent, t.expires_at, t.max_active, t.owner, t.created_at,
                  g.id as "group_id?", g.name as "group_name?",
                  (select count(*) from transactions x
                   where lower(x.id_token) = lower(t.token) and x.stopped_at is null) as "open!"
           from id_tokens t left join driver_groups g on g.id = t.group_id
           where ($1::text is null
                  or position(lower($1) in lower(concat_ws(' ', t.token, t.owner, t.parent, t.kind))) > 0)
             and ($2::text is null or t.status = $2)
             and ($3::text is null or lower(t.parent) = lower($3))
             and ($4::text is null or lower(t.token) > lower($4))
             and ($6::text is null or lower(t.token) = lower($6))
           order by lower(t.token) limit $5"#,
        filter.text,
        filter.status,
        filter.parent,
        after,
        limit,
        filter.token
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Listed {
            id: row.id,
            token: IdToken {
                token: row.token,
                kind: row.kind,
                status: row.status,
                parent: row.parent,
                expires_at: row.expires_at,
                max_active: row.max_active,
                owner: row.owner,
            },
            group: row.group_id.zip(row.group_name),
            open: row.open,
            created_at: row.created_at,
        })
        .collect())
}

/// The token of this spelling, in any case, as the list shows it.
pub async fn get(db: &mut PgConnection, token: &str) -> Result<Option<Listed>> {
    let this = Filter {
        token: Some(token.to_owned()),
        ..Filter::default()
    };
    Ok(search(db, &this, None, 1).await?.pop())
}

/// How many tokens the filter has, whatever page is shown.
pub async fn count(db: &mut PgConnection, filter: &Filter) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from id_tokens t
           where ($1::text is null
                  or position(lower($1) in lower(concat_ws(' ', t.token, t.owner, t.parent, t.kind))) > 0)
             and ($2::text is null or t.status = $2)
             and ($3::text is null or lower(t.parent) = lower($3))
             and ($4::text is null or lower(t.token) = lower($4))"#,
        filter.text,
        filter.status,
        filter.parent,
        filter.token
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
