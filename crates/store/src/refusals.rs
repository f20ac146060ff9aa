//! Why chargers could not connect: an operator must see it without reading logs.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::Result;

/// A handshake that was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What the charger called itself, cleaned of unprintable characters.
    pub identity: String,
    /// Which rule refused it, as a word: `unknown_station`, `wrong_password`, …
    pub reason: String,
    /// The same for a person, with what to do.
    pub detail: String,
    /// From where.
    pub address: String,
    /// How often since the last write.
    pub attempts: i64,
}

/// Adds refusals to the list; identity and reason stand in it once.
pub async fn record(db: &mut PgConnection, refusals: &[Refusal], at: DateTime<Utc>) -> Result<()> {
    let column = |of: fn(&Refusal) -> &String| refusals.iter().map(of).cloned().collect::<Vec<_>>();
    let attempts: Vec<i64> = refusals.iter().map(|refusal| refusal.attempts).collect();
    sqlx::query!(
        "insert into refusals as r (identity, reason, detail, address, attempts, first_at, last_at)
         select ask.*, $6, $6
         from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[])
           as ask (identity, reason, detail, address, attempts)
         on conflict (identity, reason) do update set
           detail = excluded.detail, address = excluded.address, last_at = excluded.last_at,
           attempts = r.attempts + excluded.attempts",
        &column(|refusal| &refusal.identity),
        &column(|refusal| &refusal.reason),
        &column(|refusal| &refusal.detail),
        &column(|refusal| &refusal.address),
        &attempts,
        at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A line of the list that operators see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// What the charger called itself.
    pub identity: String,
    /// Which rule refused it.
    pub reason: String,
    /// The same for a person.
    pub detail: String,
    /// From where it last tried.
    pub address: String,
    /// How often it tried.
    pub attempts: i64,
    /// When it first tried.
    pub first_at: DateTime<Utc>,
    /// When it last tried.
    pub last_at: DateTime<Utc>,
}

/// A place in the list: time, identity and reason of the last line of the page before.
pub type Place = (DateTime<Utc>, String, String);

/// The refusals after `after`, last first, at most `limit`. They belong to no site: only a reader of all sites may ask.
pub async fn list(db: &mut PgConnection, after: Option<&Place>, limit: i64) -> Result<Vec<Listed>> {
    Ok(sqlx::query_as!(
        Listed,
        "select identity, reason, detail, address, attempts, first_at, last_at
         from refusals
         where $1::timestamptz is null or last_at < $1 or (last_at = $1 and (identity, reason) > ($2, $3))
         order by last_at desc, identity, reason limit $4",
        after.map(|place| place.0),
        after.map(|place| place.1.as_str()),
        after.map(|place| place.2.as_str()),
        limit
    )
    .fetch_all(db)
    .await?)
}

/// Which refusals; the empty search is every one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Search {
    /// Whose identity or address contains this, whatever the case.
    pub text: Option<String>,
    /// For this reason.
    pub reason: Option<String>,
}

/// The refusals of the search after `after`, last first, at most `limit`. They belong to no site: only a reader of all
/// sites may ask.
pub async fn search(
    db: &mut PgConnection,
    search: &Search,
    after: Option<&Place>,
    limit: i64,
) -> Result<Vec<Listed>> {
    Ok(sqlx::query_as!(
        Listed,
        "select identity, reason, detail, address, attempts, first_at, last_at
         from refusals
         where ($1::timestamptz is null or last_at < $1 or (last_at = $1 and (identity, reason) > ($2, $3)))
           and ($5::text is null or position(lower($5) in lower(concat_ws(' ', identity, address))) > 0)
           and ($6::text is null or reason = $6)
         order by last_at desc, identity, reason limit $4",
        after.map(|place| place.0),
        after.map(|place| place.1.as_str()),
        after.map(|place| place.2.as_str()),
        limit,
        search.text,
        search.reason
    )
    .fetch_all(db)
    .await?)
}

/// Every reason that somebody was refused for, and of how many.
pub async fn reasons(db: &mut PgConnection) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select reason, count(*) as "count!" from refusals group by reason order by count(*) desc, reason"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.reason, row.count))
        .collect())
}

/// Takes what was refused under this identity, whatever the case, off the list; answers how many lines it were.
pub async fn forget(db: &mut PgConnection, identity: &str) -> Result<u64> {
    let forgotten = sqlx::query!(
        "delete from refusals where lower(identity) = lower($1)",
        identity
    )
    .execute(db)
    .await?;
    Ok(forgotten.rows_affected())
}

/// Why the charger that calls itself this could not connect, whatever the case; last first.
pub async fn of(db: &mut PgConnection, identity: &str) -> Result<Vec<Listed>> {
    Ok(sqlx::query_as!(
        Listed,
        "select identity, reason, detail, address, attempts, first_at, last_at
         from refusals where lower(identity) = lower($1) order by last_at desc, reason",
        identity
    )
    .fetch_all(db)
    .await?)
}
