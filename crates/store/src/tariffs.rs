//! Tariffs and their versions. A version never changes: another day's prices are another version. What a version says is
//! JSON that `billing::tariff` reads; nothing here looks into it but for its currency.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Result, ids};

/// A tariff, without what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    /// Its id.
    pub id: Uuid,
    /// Unique among those that are not archived, whatever the case.
    pub name: String,
    /// ISO 4217; every version has it.
    pub currency: String,
    /// From this instant on it holds nowhere.
    pub archived_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What a tariff says from an instant on.
#[derive(Debug, Clone, PartialEq)]
pub struct Version {
    /// Its id.
    pub id: Uuid,
    /// Of this tariff.
    pub tariff_id: Uuid,
    /// That tariff's name.
    pub tariff: String,
    /// 1, 2, …
    pub version: i32,
    /// Sessions that start at this instant or later have it.
    pub valid_from: DateTime<Utc>,
    /// `billing::tariff::Tariff` as JSON.
    pub content: Value,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// The conflict of a version whose currency is not its tariff's.
pub const CURRENCY: &str = "tariff_versions_currency_check";

/// Makes a tariff that says nothing yet; [`Error::Conflict`] `tariffs_name_key` if the name is taken.
pub async fn create(
    db: &mut PgConnection,
    name: &str,
    currency: &str,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into tariffs (id, name, currency, created_at) values ($1, $2, $3, $4)",
        id,
        name,
        currency,
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Adds what the tariff says from `valid_from` on; `None` if there is no such tariff. Sessions that have begun keep the
/// version that they have.
///
/// # Errors
/// [`Error::Conflict`] [`CURRENCY`] if `content.currency` is not the tariff's.
pub async fn add_version(
    db: &mut PgConnection,
    tariff_id: Uuid,
    valid_from: DateTime<Utc>,
    content: &Value,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>> {
    // The lock on the tariff gives each version a number of its own.
    let Some(currency) = sqlx::query_scalar!(
        "update tariffs set currency = currency where id = $1 returning currency",
        tariff_id
    )
    .fetch_optional(&mut *db)
    .await?
    else {
        return Ok(None);
    };
    if content["currency"] != currency.as_str() {
        return Err(Error::Conflict(CURRENCY.to_owned()));
    }
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into tariff_versions (id, tariff_id, version, valid_from, content, created_at)
         select $1, $2, coalesce(max(version), 0) + 1, $3, $4, $5 from tariff_versions where tariff_id = $2",
        id,
        tariff_id,
        valid_from,
        content,
        now
    )
    .execute(db)
    .await?;
    Ok(Some(id))
}

/// Every tariff by name; those that are archived only if asked for.
pub async fn list(db: &mut PgConnection, with_archived: bool) -> Result<Vec<Tariff>> {
    Ok(sqlx::query_as!(
        Tariff,
        "select id, name, currency, archived_at, created_at from tariffs
         where $1 or archived_at is null order by lower(name), created_at",
        with_archived
    )
    .fetch_all(db)
    .await?)
}

/// One tariff.
pub async fn get(db: &mut PgConnection, id: Uuid) -> Result<Option<Tariff>> {
    Ok(sqlx::query_as!(
        Tariff,
        "select id, name, currency, archived_at, created_at from tariffs where id = $1",
        id
    )
    .fetch_optional(db)
    .await?)
}

/// Keeps others from adding versions and places to a tariff until this transaction ends: what is decided on what is
/// there then holds.
pub async fn lock(db: &mut PgConnection, id: Uuid) -> Result<()> {
    sqlx::query!("select from tariffs where id = $1 for update", id)
        .execute(db)
        .await?;
    Ok(())
}

/// The tariff of this name, whatever the case, that is not archived; or the one of this id.
pub async fn find(db: &mut PgConnection, name_or_id: &str) -> Result<Option<Tariff>> {
    Ok(sqlx::query_as!(
        Tariff,
        "select id, name, currency, archived_at, created_at from tariffs
         where (lower(name) = lower($1) and archived_at is null) or id::text = lower($1)",
        name_or_id
    )
    .fetch_optional(db)
    .await?)
}

/// Gives the tariff another name; false if there is none. [`Error::Conflict`] `tariffs_name_key` if it is taken.
pub async fn rename(db: &mut PgConnection, id: Uuid, name: &str) -> Result<bool> {
    Ok(
        sqlx::query!("update tariffs set name = $2 where id = $1", id, name)
            .execute(db)
            .await?
            .rows_affected()
            > 0,
    )
}

/// From `now` on the tariff holds nowhere; false if there is none, or it is archived already. Sessions that have begun
/// keep it.
pub async fn archive(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<bool> {
    Ok(sqlx::query!(
        "update tariffs set archived_at = $2 where id = $1 and archived_at is null",
        id,
        now
    )
    .execute(db)
    .await?
    .rows_affected()
        > 0)
}

/// The tariff holds again where it is assigned; false if there is none, or it is not archived. [`Error::Conflict`]
/// `tariffs_name_key` if another has its name meanwhile.
pub async fn restore(db: &mut PgConnection, id: Uuid) -> Result<bool> {
    Ok(sqlx::query!(
        "update tariffs set archived_at = null where id = $1 and archived_at is not null",
        id
    )
    .execute(db)
    .await?
    .rows_affected()
        > 0)
}

/// What every tariff says at an instant, those that are archived too.
pub async fn versions_at(db: &mut PgConnection, at: DateTime<Utc>) -> Result<Vec<Version>> {
    Ok(sqlx::query_as!(
        Version,
        "select distinct on (v.tariff_id)
                v.id, v.tariff_id, t.name as tariff, v.version, v.valid_from, v.content, v.created_at
         from tariff_versions v join tariffs t on t.id = v.tariff_id
         where v.valid_from <= $1 order by v.tariff_id, v.valid_from desc, v.version desc",
        at
    )
    .fetch_all(db)
    .await?)
}

/// The versions of a tariff, the newest first.
pub async fn versions(db: &mut PgConnection, tariff_id: Uuid) -> Result<Vec<Version>> {
    Ok(sqlx::query_as!(
        Version,
        "select v.id, v.tariff_id, t.name as tariff, v.version, v.valid_from, v.content, v.created_at
         from tariff_versions v join tariffs t on t.id = v.tariff_id
         where v.tariff_id = $1 order by v.version desc",
        tariff_id
    )
    .fetch_all(db)
    .await?)
}

/// These versions, in no order.
pub async fn versions_of(db: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Version>> {
    Ok(sqlx::query_as!(
        Version,
        "select v.id, v.tariff_id, t.name as tariff, v.version, v.valid_from, v.content, v.created_at
         from tariff_versions v join tariffs t on t.id = v.tariff_id where v.id = any ($1)",
        ids
    )
    .fetch_all(db)
    .await?)
}

/// What the tariff says at an instant.
pub async fn version_at(
    db: &mut PgConnection,
    tariff_id: Uuid,
    at: DateTime<Utc>,
) -> Result<Option<Version>> {
    Ok(sqlx::query_as!(
        Version,
        "select v.id, v.tariff_id, t.name as tariff, v.version, v.valid_from, v.content, v.created_at
         from tariff_versions v join tariffs t on t.id = v.tariff_id
         where v.tariff_id = $1 and v.valid_from <= $2 order by v.valid_from desc, v.version desc limit 1",
        tariff_id,
        at
    )
    .fetch_optional(db)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::database;
    use serde_json::json;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn a_version_never_changes_and_the_newest_that_is_valid_counts() {
        let db = database().await;
        let portal = db.pool(crate::Room::Portal);
        let mut db = portal.acquire().await.unwrap();
        let now = at("2026-11-01T00:00:00Z");
        let id = create(&mut db, "Day", "EUR", now).await.unwrap();
        let taken = create(&mut db, "DAY", "EUR", now).await.unwrap_err();
        assert!(taken.is_conflict("tariffs_name_key"), "{taken}");
        let euro = |n: i32| json!({"currency": "EUR", "n": n});
        let mut ids = Vec::new();
        for (n, from) in [(1, "2026-01-01"), (2, "2026-11-10"), (3, "2026-11-05")] {
            let from = at(&format!("{from}T00:00:00Z"));
            let added = add_version(&mut db, id, from, &euro(n), now).await.unwrap();
            ids.push(added.unwrap());
        }
        let wrong = json!({"currency": "USD"});
        let refused = add_version(&mut db, id, now, &wrong, now)
            .await
            .unwrap_err();
        assert!(refused.is_conflict(CURRENCY), "{refused}");
        let nobody = add_version(&mut db, Uuid::nil(), now, &euro(4), now).await;
        assert_eq!(nobody.unwrap(), None);

        let says = async |db: &mut PgConnection, when: &str| {
            let version = version_at(db, id, at(when)).await.unwrap();
            version.map(|version| (version.version, version.content["n"].clone()))
        };
        assert_eq!(says(&mut db, "2025-12-31T23:59:59Z").await, None);
        assert_eq!(
            says(&mut db, "2026-11-04T00:00:00Z").await,
            Some((1, json!(1)))
        );
        assert_eq!(
            says(&mut db, "2026-11-05T00:00:00Z").await,
            Some((3, json!(3)))
        );
        assert_eq!(
            says(&mut db, "2026-11-20T00:00:00Z").await,
            Some((2, json!(2)))
        );
        let newest_first: Vec<i32> = versions(&mut db, id)
            .await
            .unwrap()
            .iter()
            .map(|version| version.version)
            .collect();
        assert_eq!(newest_first, [3, 2, 1]);
        assert_eq!(versions_of(&mut db, &ids[..2]).await.unwrap().len(), 2);

        assert!(archive(&mut db, id, now).await.unwrap());
        assert!(!archive(&mut db, id, now).await.unwrap());
        assert_eq!(list(&mut db, false).await.unwrap(), []);
        assert_eq!(list(&mut db, true).await.unwrap().len(), 1);
        assert_eq!(find(&mut db, "day").await.unwrap(), None);
        assert!(find(&mut db, &id.to_string()).await.unwrap().is_some());
        // The name is free again.
        let again = create(&mut db, "Day", "EUR", now).await.unwrap();
        assert!(rename(&mut db, again, "Night").await.unwrap());
        assert_eq!(find(&mut db, "NIGHT").await.unwrap().unwrap().id, again);
    }
}
