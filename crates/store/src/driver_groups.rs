//! Driver groups: id tokens that have tariffs of their own.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, ids};

/// A group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Its id.
    pub id: Uuid,
    /// Unique, whatever the case.
    pub name: String,
    /// How many tokens are in it.
    pub tokens: i64,
}

/// Makes a group; [`crate::Error::Conflict`] `driver_groups_name_key` if the name is taken.
pub async fn create(db: &mut PgConnection, name: &str, now: DateTime<Utc>) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into driver_groups (id, name, created_at) values ($1, $2, $3)",
        id,
        name,
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Gives a group another name; false if there is none of this id. Conflicts as in [`create`].
pub async fn rename(db: &mut PgConnection, id: Uuid, name: &str) -> Result<bool> {
    Ok(
        sqlx::query!("update driver_groups set name = $2 where id = $1", id, name)
            .execute(db)
            .await?
            .rows_affected()
            > 0,
    )
}

/// Every group, by name.
pub async fn list(db: &mut PgConnection) -> Result<Vec<Group>> {
    Ok(sqlx::query_as!(
        Group,
        r#"select g.id, g.name, (select count(*) from id_tokens t where t.group_id = g.id) as "tokens!"
           from driver_groups g order by lower(g.name)"#
    )
    .fetch_all(db)
    .await?)
}

/// The tokens of a group, by their text. They belong to no site: only a reader of all sites may ask.
pub async fn tokens(db: &mut PgConnection, group_id: Uuid) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "select token from id_tokens where group_id = $1 order by lower(token)",
        group_id
    )
    .fetch_all(db)
    .await?)
}

/// Puts a token into a group, or takes it out; false if there is no such token. Sessions that have begun keep their
/// tariff. [`crate::Error::Conflict`] `id_tokens_group_id_fkey` if there is no such group.
pub async fn put_token(db: &mut PgConnection, token: &str, group: Option<Uuid>) -> Result<bool> {
    Ok(sqlx::query!(
        "update id_tokens set group_id = $2 where lower(token) = lower($1)",
        token,
        group
    )
    .execute(db)
    .await?
    .rows_affected()
        > 0)
}
