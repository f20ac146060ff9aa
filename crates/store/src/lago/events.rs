//! The outbox: events that were made, and what became of them. They are put in by [`super::state::record`].

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, Scoped};

/// What became of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It waits.
    Pending,
    /// Lago took it.
    Sent,
    /// Lago had it already.
    Duplicate,
    /// Lago refused it.
    Rejected,
}

impl Status {
    /// Every one.
    pub const ALL: [Status; 4] = [
        Status::Pending,
        Status::Sent,
        Status::Duplicate,
        Status::Rejected,
    ];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Pending => "pending",
            Status::Sent => "sent",
            Status::Duplicate => "duplicate",
            Status::Rejected => "rejected",
        }
    }

    /// The reverse of [`Status::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// An event, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Its id, Lago's transaction_id.
    pub event_id: String,
    /// Where it is billed.
    pub lago_subscription: String,
    /// The billable metric.
    pub code: String,
    /// When the meter said so.
    pub at: DateTime<Utc>,
    /// JSON to the letter.
    pub properties: String,
}

/// Events that wait and know where they go, the oldest first.
pub async fn pending(db: &mut PgConnection, limit: i64) -> Result<Vec<Outgoing>> {
    Ok(sqlx::query_as!(
        Outgoing,
        r#"select event_id, lago_subscription as "lago_subscription!", code, at, properties from lago_events
           where status = 'pending' and lago_subscription is not null order by created_at, event_id limit $1"#,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// How many wait.
pub async fn count_pending(db: &mut PgConnection) -> Result<i64> {
    Ok(
        sqlx::query_scalar!(r#"select count(*) as "n!" from lago_events where status = 'pending'"#)
            .fetch_one(db)
            .await?,
    )
}

/// The customers in Lago whose waiting events do not know their subscription.
pub async fn without_subscription(db: &mut PgConnection) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "select distinct lago_customer from lago_events
         where status = 'pending' and lago_subscription is null order by 1"
    )
    .fetch_all(db)
    .await?)
}

/// Says for good which subscription a customer's waiting events go to, or why there is none.
pub async fn settle_subscription(
    db: &mut PgConnection,
    customer: &str,
    subscription: std::result::Result<&str, &str>,
) -> Result<()> {
    sqlx::query!(
        "update lago_events set lago_subscription = $2, reason = $3
         where status = 'pending' and lago_subscription is null and lago_customer = $1",
        customer,
        subscription.as_ref().ok().copied(),
        subscription.err()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub event_id: String,
    /// What.
    pub status: Status,
    /// Why, if it was refused.
    pub reason: Option<String>,
}

/// Notes what became of events that were tried in `run`. An event that was settled before stays as it is.
pub async fn settle(
    db: &mut PgConnection,
    run: i64,
    outcomes: &[Outcome],
    now: DateTime<Utc>,
) -> Result<()> {
    let ids: Vec<String> = outcomes.iter().map(|o| o.event_id.clone()).collect();
    let statuses: Vec<String> = outcomes
        .iter()
        .map(|o| o.status.as_str().to_owned())
        .collect();
    let reasons: Vec<Option<String>> = outcomes.iter().map(|o| o.reason.clone()).collect();
    sqlx::query!(
        "update lago_events e set status = o.status, reason = o.reason, tries = tries + 1, sent_run_id = $4,
           sent_at = case when o.status in ('sent', 'duplicate') then $5::timestamptz end
         from unnest($1::text[], $2::text[], $3::text[]) as o (event_id, status, reason)
         where e.event_id = o.event_id and e.status = 'pending'",
        &ids,
        &statuses,
        &reasons as &[Option<String>],
        run,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// They were tried and wait on.
pub async fn not_sent(db: &mut PgConnection, ids: &[String], why: &str) -> Result<()> {
    sqlx::query!(
        "update lago_events set tries = tries + 1, reason = $2 where event_id = any ($1) and status = 'pending'",
        ids,
        why
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes the events that `run` made or sent wait again; answers how many. What Lago has already it will say so of.
pub async fn send_again(db: &mut PgConnection, run: i64) -> Result<u64> {
    let again = sqlx::query!(
        "update lago_events set status = 'pending', reason = null where run_id = $1 or sent_run_id = $1",
        run
    )
    .execute(db)
    .await?;
    Ok(again.rows_affected())
}

/// Makes refused events wait again: the one named, or all; answers how many.
pub async fn retry(db: &mut Scoped<'_>, event_id: Option<&str>) -> Result<u64> {
    let again = sqlx::query!(
        "update lago_events set status = 'pending', reason = null
         where status = 'rejected' and ($1::text is null or event_id = $1)",
        event_id
    )
    .execute(&mut **db)
    .await?;
    Ok(again.rows_affected())
}

/// An event, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, Lago's transaction_id.
    pub event_id: String,
    /// The session.
    pub session_id: Uuid,
    /// The transactionId that the station was given.
    pub number: Option<i64>,
    /// Who charged.
    pub id_token: String,
    /// The station's identity.
    pub station: Option<String>,
    /// Whose usage.
    pub lago_customer: String,
    /// Where it is billed.
    pub lago_subscription: Option<String>,
    /// The billable metric.
    pub code: String,
    /// When the meter said so.
    pub at: DateTime<Utc>,
    /// The register before.
    pub from_wh: i64,
    /// The register after.
    pub to_wh: i64,
    /// The difference.
    pub kwh: Decimal,
    /// Whether it is the session's last.
    pub is_final: bool,
    /// JSON to the letter.
    pub properties: String,
    /// What became of it.
    pub status: String,
    /// Why.
    pub reason: Option<String>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When Lago took it.
    pub sent_at: Option<DateTime<Utc>>,
}

/// Which events; the empty filter is every one of the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Made at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Made before this instant.
    pub to: Option<DateTime<Utc>>,
    /// What became of them.
    pub status: Option<Status>,
}

/// Those of these sessions whose usage is told to Lago, or waits to be: all that have an event which Lago did not refuse.
pub async fn told(db: &mut PgConnection, sessions: &[Uuid]) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select distinct session_id from lago_events where session_id = any ($1) and status <> 'rejected'",
        sessions
    )
    .fetch_all(db)
    .await?)
}

/// The events of the filter, newest first, at most `limit`.
pub async fn list(db: &mut Scoped<'_>, filter: &Filter, limit: i64) -> Result<Vec<Event>> {
    Ok(sqlx::query_as!(
        Event,
        r#"select e.event_id, e.session_id, x.number as "number?", e.id_token, s.identity as "station?", e.lago_customer,
                  e.lago_subscription, e.code, e.at, e.from_wh, e.to_wh, e.kwh, e.final as is_final, e.properties,
                  e.status, e.reason, e.created_at, e.sent_at
           from lago_events e
           left join transactions x on x.id = e.session_id
           left join stations s on s.id = x.station_id
           where e.created_at >= coalesce($1::timestamptz, '-infinity')
             and e.created_at < coalesce($2::timestamptz, 'infinity')
             and ($3::text is null or e.status = $3)
           order by e.created_at desc, e.event_id desc limit $4"#,
        filter.from,
        filter.to,
        filter.status.map(Status::as_str),
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}

/// How many events were made since, and their energy.
pub async fn total(db: &mut Scoped<'_>, since: DateTime<Utc>) -> Result<(i64, Decimal)> {
    let row = sqlx::query!(
        r#"select count(*) as "events!", coalesce(sum(kwh), 0) as "kwh!" from lago_events where created_at >= $1"#,
        since
    )
    .fetch_one(&mut **db)
    .await?;
    Ok((row.events, row.kwh))
}

/// How many there are of each kind.
pub async fn counts(db: &mut Scoped<'_>) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select status, count(*) as "n!" from lago_events group by status order by status"#
    )
    .fetch_all(&mut **db)
    .await?;
    Ok(rows.into_iter().map(|row| (row.status, row.n)).collect())
}

/// The billable metric and kWh of what was taken by Lago for one subscription and day; for comparing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// Where it is billed.
    pub lago_subscription: String,
    /// Whose that is.
    pub lago_customer: String,
    /// Which.
    pub event_id: String,
    /// How much.
    pub kwh: Decimal,
}

/// What Lago took of what meters said from `from` until before `to`, by subscription.
pub async fn taken(
    db: &mut PgConnection,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Vec<Taken>> {
    Ok(sqlx::query_as!(
        Taken,
        r#"select lago_subscription as "lago_subscription!", lago_customer, event_id, kwh from lago_events
           where at >= $1 and at < $2 and status in ('sent', 'duplicate') and lago_subscription is not null
           order by lago_subscription, event_id"#,
        from,
        to
    )
    .fetch_all(db)
    .await?)
}

/// How many events of a subscription Lago took of what meters said from `from` until before `to`, and their kWh.
pub async fn taken_of(
    db: &mut PgConnection,
    subscription: &str,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<(i64, Decimal)> {
    let row = sqlx::query!(
        r#"select count(*) as "count!", coalesce(sum(kwh), 0) as "kwh!" from lago_events
           where lago_subscription = $1 and at >= $2 and at < $3 and status in ('sent', 'duplicate')"#,
        subscription,
        from,
        to
    )
    .fetch_one(db)
    .await?;
    Ok((row.count, row.kwh))
}
