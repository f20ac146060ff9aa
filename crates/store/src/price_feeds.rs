//! Prices by the hour that somebody else makes: where they are read from, and what was read. Reading is billing's.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Result, ids};

/// How a feed is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A CSV file on the server's disk.
    Csv,
    /// A URL that answers with CSV.
    Http,
}

impl Kind {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Csv => "csv",
            Kind::Http => "http",
        }
    }

    /// The reverse of [`Kind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Kind::Csv, Kind::Http]
            .into_iter()
            .find(|kind| kind.as_str() == text)
    }
}

/// What people say of a feed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFeed {
    /// Unique, whatever the case; tariffs name it.
    pub name: String,
    /// How it is read.
    pub kind: Kind,
    /// A path or a URL.
    pub location: String,
    /// IANA name: of times that carry no offset themselves.
    pub time_zone: String,
    /// ISO 4217.
    pub currency: String,
    /// `kWh` or `MWh`: what the prices are of.
    pub unit: String,
    /// The header of the hours' column.
    pub time_column: String,
    /// The header of the prices' column.
    pub price_column: String,
    /// `,`, `;` or a tab.
    pub separator: String,
}

/// A feed, and how reading it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Feed {
    /// Its id.
    pub id: Uuid,
    /// What people said.
    pub said: NewFeed,
    /// Whether it is read.
    pub active: bool,
    /// When it was last read well.
    pub fetched_at: Option<DateTime<Utc>>,
    /// When it is due again; `None` at once.
    pub next_fetch_at: Option<DateTime<Utc>>,
    /// Failures since it was last read well.
    pub failures: i32,
    /// Why the last reading failed.
    pub last_error: Option<String>,
}

/// The price of an hour, per kWh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hour {
    /// When the hour begins.
    pub start: DateTime<Utc>,
    /// Per kWh.
    pub price: Decimal,
}

/// Adds a feed; [`Error::Conflict`] `price_feeds_name_key` if the name is taken.
pub async fn create(db: &mut PgConnection, feed: &NewFeed, now: DateTime<Utc>) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into price_feeds (id, name, kind, location, time_zone, currency, unit, time_column, price_column,
           separator, created_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        id,
        feed.name,
        feed.kind.as_str(),
        feed.location,
        feed.time_zone,
        feed.currency,
        feed.unit,
        feed.time_column,
        feed.price_column,
        feed.separator,
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Whether a feed is read; false if there is none.
pub async fn set_active(db: &mut PgConnection, id: Uuid, active: bool) -> Result<bool> {
    Ok(sqlx::query!(
        "update price_feeds set active = $2, next_fetch_at = null where id = $1",
        id,
        active
    )
    .execute(db)
    .await?
    .rows_affected()
        > 0)
}

/// Every feed, by name.
pub async fn list(db: &mut PgConnection) -> Result<Vec<Feed>> {
    sqlx::query!("select * from price_feeds order by lower(name)")
        .fetch_all(db)
        .await?
        .into_iter()
        .map(|row| {
            let kind = Kind::parse(&row.kind).ok_or_else(|| Error::Corrupt {
                table: "price_feeds",
                column: "kind",
                row: row.id.to_string(),
                value: row.kind.clone(),
            })?;
            Ok(Feed {
                id: row.id,
                said: NewFeed {
                    name: row.name,
                    kind,
                    location: row.location,
                    time_zone: row.time_zone,
                    currency: row.currency,
                    unit: row.unit,
                    time_column: row.time_column,
                    price_column: row.price_column,
                    separator: row.separator,
                },
                active: row.active,
                fetched_at: row.fetched_at,
                next_fetch_at: row.next_fetch_at,
                failures: row.failures,
                last_error: row.last_error,
            })
        })
        .collect()
}

/// Keeps what was read, and that it was: all of it or nothing. An hour that is said anew has its new price from now on;
/// sessions that were priced keep theirs. Answers how many hours are new or changed.
pub async fn keep(
    db: &mut PgConnection,
    id: Uuid,
    hours: &[Hour],
    next: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let starts: Vec<DateTime<Utc>> = hours.iter().map(|hour| hour.start).collect();
    let prices: Vec<Decimal> = hours.iter().map(|hour| hour.price).collect();
    let kept = sqlx::query_scalar!(
        r#"with put as (
             insert into price_feed_hours as known (feed_id, hour_start, price, received_at)
             select $1, hour_start, price, $5 from unnest($2::timestamptz[], $3::numeric[]) as said (hour_start, price)
             on conflict (feed_id, hour_start) do update set price = excluded.price, received_at = excluded.received_at
             where known.price <> excluded.price
             returning 1),
           noted as (
             update price_feeds set fetched_at = $5, next_fetch_at = $4, failures = 0, last_error = null where id = $1)
           select count(*) as "kept!" from put"#,
        id,
        &starts,
        &prices,
        next,
        now
    )
    .fetch_one(db)
    .await?;
    Ok(kept.unsigned_abs())
}

/// Notes that reading failed, and when to try again. What is stored stays.
pub async fn failed(db: &mut PgConnection, id: Uuid, next: DateTime<Utc>, why: &str) -> Result<()> {
    sqlx::query!(
        "update price_feeds set next_fetch_at = $2, failures = failures + 1, last_error = $3 where id = $1",
        id,
        next,
        why
    )
    .execute(db)
    .await?;
    Ok(())
}

/// An hour of a feed by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedHour {
    /// The feed's name, in small letters.
    pub feed: String,
    /// ISO 4217.
    pub currency: String,
    /// When the hour begins.
    pub start: DateTime<Utc>,
    /// Per kWh.
    pub price: Decimal,
}

/// The hours of these feeds (any case) that touch the time from `from` to `to`, in order.
pub async fn hours(
    db: &mut PgConnection,
    feeds: &[String],
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<NamedHour>> {
    let feeds: Vec<String> = feeds.iter().map(|name| name.to_lowercase()).collect();
    Ok(sqlx::query_as!(
        NamedHour,
        r#"select lower(f.name) as "feed!", f.currency, h.hour_start as start, h.price
           from price_feeds f join price_feed_hours h on h.feed_id = f.id
           where lower(f.name) = any ($1) and h.hour_start > $2::timestamptz - interval '1 hour' and h.hour_start <= $3
           order by f.name, h.hour_start"#,
        &feeds,
        from,
        to
    )
    .fetch_all(db)
    .await?)
}
