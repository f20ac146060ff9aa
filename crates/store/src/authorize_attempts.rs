//! Tokens that were told no: how often, where and why. The csms writes them with the message that they were in; what was
//! accepted is kept as what it led to.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// A token was told no.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// By which station.
    pub station_id: Uuid,
    /// As the station spelt it.
    pub token: String,
    /// invalid, blocked, expired, concurrent_tx or no_account.
    pub verdict: &'static str,
    /// When.
    pub at: DateTime<Utc>,
}

/// Adds attempts to the list; a station stands among them once.
pub(crate) async fn note(db: &mut PgConnection, attempts: &[&Attempt]) -> Result<()> {
    if attempts.is_empty() {
        return Ok(());
    }
    let stations: Vec<Uuid> = attempts.iter().map(|attempt| attempt.station_id).collect();
    let tokens: Vec<String> = attempts
        .iter()
        .map(|attempt| attempt.token.clone())
        .collect();
    let verdicts: Vec<String> = attempts
        .iter()
        .map(|attempt| attempt.verdict.to_owned())
        .collect();
    let times: Vec<DateTime<Utc>> = attempts.iter().map(|attempt| attempt.at).collect();
    sqlx::query!(
        "insert into authorize_attempts as a (station_id, token, verdict, first_at, last_at)
         select ask.station_id, ask.token, ask.verdict, ask.at, ask.at
         from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) as ask (station_id, token, verdict, at)
         order by ask.station_id
         on conflict (lower(token), station_id, verdict) do update set
           token = excluded.token, last_at = greatest(a.last_at, excluded.last_at), attempts = a.attempts + 1",
        &stations,
        &tokens,
        &verdicts,
        &times
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A token that nobody registered, and where it was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// As it was spelt last.
    pub token: String,
    /// How often it was tried.
    pub attempts: i64,
    /// When first.
    pub first_at: DateTime<Utc>,
    /// When last.
    pub last_at: DateTime<Utc>,
    /// At which stations, the last one first.
    pub stations: Vec<String>,
}

/// Tokens that were tried and that nobody registered, the last tried first, at most `limit`; with `text`, those that
/// contain it. They belong to no site: only a reader of all sites may ask.
pub async fn unknown(
    db: &mut PgConnection,
    text: Option<&str>,
    limit: i64,
) -> Result<Vec<Unknown>> {
    Ok(sqlx::query_as!(
        Unknown,
        r#"select (array_agg(a.token order by a.last_at desc))[1] as "token!", sum(a.attempts)::bigint as "attempts!",
                  min(a.first_at) as "first_at!", max(a.last_at) as "last_at!",
                  array_agg(s.identity order by a.last_at desc) as "stations!: Vec<String>"
           from authorize_attempts a join stations s on s.id = a.station_id
           where not exists (select from id_tokens t where lower(t.token) = lower(a.token))
             and ($1::text is null or position(lower($1) in lower(a.token)) > 0)
           group by lower(a.token) order by max(a.last_at) desc, lower(a.token) limit $2"#,
        text,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// What came of a token at one station.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// The station's identity.
    pub station: String,
    /// IANA name of the zone of its times.
    pub time_zone: Option<String>,
    /// What it was told.
    pub verdict: String,
    /// How often.
    pub attempts: i64,
    /// When first.
    pub first_at: DateTime<Utc>,
    /// When last.
    pub last_at: DateTime<Utc>,
}

/// Where and why a token was told no, the last time first, at most `limit`.
pub async fn of(db: &mut PgConnection, token: &str, limit: i64) -> Result<Vec<Told>> {
    Ok(sqlx::query_as!(
        Told,
        r#"select s.identity as station, p.time_zone as "time_zone?", a.verdict, a.attempts, a.first_at, a.last_at
           from authorize_attempts a join stations s on s.id = a.station_id left join sites p on p.id = s.site_id
           where lower(a.token) = lower($1) order by a.last_at desc limit $2"#,
        token,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// Takes what was tried with this token off the list; answers how many lines it were.
pub async fn forget(db: &mut PgConnection, token: &str) -> Result<u64> {
    let forgotten = sqlx::query!(
        "delete from authorize_attempts where lower(token) = lower($1)",
        token
    )
    .execute(db)
    .await?;
    Ok(forgotten.rows_affected())
}
