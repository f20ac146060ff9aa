//! Reports: what was charged and what it cost, by site, station, day or month. One question for the page and for its
//! exports. Sums are of one currency each; a session that has no price is counted in a row without one.

use chrono::{DateTime, NaiveDate, Utc};
use futures_util::{Stream, TryStreamExt};
use rust_decimal::Decimal;
use uuid::Uuid;

use crate::{Error, Result, Scoped};

/// What a row of a report stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum By {
    /// A day on which sessions started, in the time zone of their site.
    #[default]
    Day,
    /// A month.
    Month,
    /// A site.
    Site,
    /// A station.
    Station,
}

impl By {
    /// Every kind of report.
    pub const ALL: [By; 4] = [By::Day, By::Month, By::Site, By::Station];

    /// As it stands in URLs.
    pub fn as_str(self) -> &'static str {
        match self {
            By::Day => "day",
            By::Month => "month",
            By::Site => "site",
            By::Station => "station",
        }
    }

    /// The reverse of [`By::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.as_str() == text)
    }
}

/// Which sessions: ended ones of the scope that started on one of these days of their site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// The first day.
    pub from: NaiveDate,
    /// The last day.
    pub to: NaiveDate,
    /// At this site.
    pub site_id: Option<Uuid>,
    /// At the station of this identity, in any case.
    pub station: Option<String>,
    /// Priced in this currency.
    pub currency: Option<String>,
}

/// Sums over the sessions of one key and one currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The site or station; none for a day or month, and for sessions of no site.
    pub id: Option<Uuid>,
    /// `2026-11-20`, `2026-11`, the site's name or the station's identity; empty for sessions of no site.
    pub name: String,
    /// ISO 4217; empty for sessions without a price.
    pub currency: String,
    /// How many sessions.
    pub sessions: i64,
    /// Those whose price is held: a person has to look. Their amounts are not in the sums.
    pub held: i64,
    /// Wh.
    pub energy_wh: i64,
    /// Without tax.
    pub net: Decimal,
    /// Tax.
    pub tax: Decimal,
    /// With tax.
    pub total: Decimal,
}

/// A report's rows on one page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// By their name and currency.
    pub rows: Vec<Row>,
    /// How many rows the whole report has.
    pub of: i64,
}

/// One row as the database has it.
struct Found {
    row: Row,
    of: i64,
}

/// The whole report, row by row.
pub fn rows<'a>(
    db: &'a mut Scoped<'_>,
    by: By,
    filter: &'a Filter,
) -> impl Stream<Item = Result<Row>> + Send + 'a {
    found(db, Some(by), filter, None, 0).map_ok(|found| found.row)
}

/// At most `limit` rows of the report, after the first `skip`.
pub async fn page(
    db: &mut Scoped<'_>,
    by: By,
    filter: &Filter,
    limit: i64,
    skip: i64,
) -> Result<Page> {
    let found: Vec<Found> = found(db, Some(by), filter, Some(limit), skip)
        .try_collect()
        .await?;
    Ok(Page {
        of: found.first().map_or(0, |found| found.of),
        rows: found.into_iter().map(|found| found.row).collect(),
    })
}

/// The sums over everything, one row for each currency.
pub async fn totals(db: &mut Scoped<'_>, filter: &Filter) -> Result<Vec<Row>> {
    found(db, None, filter, None, 0)
        .map_ok(|found| found.row)
        .try_collect()
        .await
}

fn found<'a>(
    db: &'a mut Scoped<'_>,
    by: Option<By>,
    filter: &'a Filter,
    limit: Option<i64>,
    skip: i64,
) -> impl Stream<Item = Result<Found>> + Send + 'a {
    sqlx::query!(
        r#"select case $1 when 'site' then c.site_id when 'station' then c.station_id end as id,
                  case $1 when 'site' then coalesce(p.name, '') when 'station' then coalesce(s.identity, '')
                          when 'day' then to_char(local.day, 'YYYY-MM-DD') when 'month' then to_char(local.day, 'YYYY-MM')
                          else '' end as "name!",
                  coalesce(price.currency, '') as "currency!",
                  count(*) as "sessions!",
                  count(*) filter (where price.state = 'held') as "held!",
                  coalesce(sum(c.energy_wh), 0)::bigint as "energy_wh!",
                  coalesce(sum(price.net) filter (where price.state = 'priced'), 0) as "net!",
                  coalesce(sum(price.tax) filter (where price.state = 'priced'), 0) as "tax!",
                  coalesce(sum(price.total) filter (where price.state = 'priced'), 0) as "total!",
                  count(*) over () as "of!"
           from charging_sessions c
           left join sites p on p.id = c.site_id
           left join stations s on s.id = c.station_id
           cross join lateral (
             select (c.started_at at time zone coalesce(p.time_zone, 'UTC'))::date as day) local
           left join lateral (
             select q.currency, q.state, q.net, q.tax, q.total from session_prices q
             where q.session_id = c.id order by q.revision desc limit 1) price on true
           where c.state = 'ended' and local.day between $2 and $3
             -- The same, roughly, in words that the index on the start knows.
             and c.started_at >= ($2::date - 2)::timestamp at time zone 'UTC'
             and c.started_at < ($3::date + 2)::timestamp at time zone 'UTC'
             and ($4::uuid is null or c.site_id = $4)
             and ($5::text is null or lower(s.identity) = lower($5))
             and ($6::text is null or price.currency = $6)
           group by 1, 2, 3 order by 2, 3, 1 limit $7 offset $8"#,
        by.map(By::as_str),
        filter.from,
        filter.to,
        filter.site_id,
        filter.station,
        filter.currency,
        limit,
        skip
    )
    .fetch(&mut **db)
    .map_err(Error::from)
    .map_ok(|row| Found {
        row: Row {
            id: row.id,
            name: row.name,
            currency: row.currency,
            sessions: row.sessions,
            held: row.held,
            energy_wh: row.energy_wh,
            net: row.net,
            tax: row.tax,
            total: row.total,
        },
        of: row.of,
    })
}

/// The currencies in which anything can have been priced, by their letters.
pub async fn currencies(db: &mut Scoped<'_>) -> Result<Vec<String>> {
    Ok(
        sqlx::query_scalar!("select distinct currency from tariffs order by currency")
            .fetch_all(&mut **db)
            .await?,
    )
}

/// What was invoiced in a month, in one currency, and what came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invoiced {
    /// As `2026-11`, by the seller's days.
    pub month: String,
    /// ISO 4217.
    pub currency: String,
    /// How many invoices.
    pub invoices: i64,
    /// How many credit notes.
    pub credit_notes: i64,
    /// What the invoices come to.
    pub invoiced: Decimal,
    /// What the month's credit notes take back: zero or below.
    pub credited: Decimal,
    /// What was paid for the month's invoices, whenever.
    pub paid: Decimal,
    /// What is still open of them; what is to be given back is not set off.
    pub open: Decimal,
    /// Of that, what is overdue.
    pub overdue: Decimal,
}

/// What was issued on the days of the filter, by month and currency.
pub async fn invoiced(
    db: &mut Scoped<'_>,
    (from, to): (NaiveDate, NaiveDate),
    currency: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<Invoiced>> {
    Ok(sqlx::query_as!(
        Invoiced,
        r#"select to_char(issued_on, 'YYYY-MM') as "month!", currency as "currency!",
                  count(*) filter (where kind <> 'credit_note') as "invoices!",
                  count(*) filter (where kind = 'credit_note') as "credit_notes!",
                  coalesce(sum(total) filter (where kind <> 'credit_note'), 0) as "invoiced!",
                  coalesce(sum(total) filter (where kind = 'credit_note'), 0) as "credited!",
                  coalesce(sum(paid), 0) as "paid!",
                  coalesce(sum(open) filter (where kind <> 'credit_note' and open > 0), 0) as "open!",
                  coalesce(sum(open) filter (
                    where invoice_state(kind, total, credited, open, due_at, $4) = 'overdue'), 0) as "overdue!"
           from invoices_as_read
           where issued_on between $1 and $2 and ($3::text is null or currency = $3)
           group by 1, 2 order by 1, 2"#,
        from,
        to,
        currency,
        now
    )
    .fetch_all(&mut **db)
    .await?)
}
