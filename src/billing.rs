//! `forecourt billing …`: what billing does, by hand. Without a subcommand the room is run; that is `up`'s.

mod calendar;

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use billing::{
    pricing::{self, simulate},
    tariff::Tariff,
};
use chrono::{DateTime, LocalResult, NaiveDate, NaiveTime, TimeZone, Utc};
use rust_decimal::Decimal;
use service::{clock::Clock, config::Config};
use store::{
    Connection, Pool, Room,
    charges::{self, Walk},
    prices::{self, State},
    readers::BEGINNING,
    tariffs,
};
use uuid::Uuid;

use crate::{cli, database::Database, invoicing};

pub use calendar::reach;

/// Sessions that are priced together.
const CHUNK: i64 = 250;
/// Lines that `--dry-run` prints of a time.
const SHOWN: usize = 20;

/// What the subcommand says.
pub async fn run(config: &Config, command: &cli::Billing) -> anyhow::Result<()> {
    match command {
        cli::Billing::Price(asked) => price(config, asked).await,
        cli::Billing::Sync(asked) => crate::sync::run(config, asked).await,
        cli::Billing::Feed(asked) => calendar::add_feed(config, asked).await,
        cli::Billing::Holidays(asked) => calendar::import_holidays(config, asked).await,
        cli::Billing::Issue(asked) => invoicing::issue(config, asked).await,
        cli::Billing::Verify => invoicing::verify(config).await,
        cli::Billing::Export(asked) => invoicing::export(config, asked).await,
        cli::Billing::Hold(asked) => crate::holds::run(config, asked).await,
    }
}

/// `forecourt billing price`
async fn price(config: &Config, asked: &cli::Price) -> anyhow::Result<()> {
    if asked.tariff.is_some() && !asked.dry_run {
        bail!(
            "--tariff asks what sessions would cost: it needs --dry-run. Which tariff a session has was decided when it \
             started"
        );
    }
    let walk = Walk {
        from: asked
            .from
            .as_deref()
            .map(instant)
            .transpose()
            .context("--from")?,
        to: asked
            .to
            .as_deref()
            .map(instant)
            .transpose()
            .context("--to")?,
        ..Walk::default()
    };
    if let (Some(from), Some(to)) = (walk.from, walk.to)
        && to <= from
    {
        bail!("--to {to}: expected a time after --from {from}");
    }
    let database = Database::attach(config)?;
    database.expect_migrated().await?;
    let pool = database.pool(Room::Billing, 2)?;
    let now = Clock::system().now();
    match (&asked.tariff, asked.session) {
        (Some(name), session) => {
            let mut db = pool.acquire().await?;
            let tariff = tariff_named(&mut db, name, now).await?;
            match session {
                Some(id) => show_under(&mut db, id, &tariff, now).await,
                None => preview(&mut db, &tariff, walk, now).await,
            }
        }
        (None, session) => price_all(&pool, session, walk, asked.dry_run, now).await,
    }
}

/// A day (its beginning in UTC) or an instant.
fn instant(text: &str) -> anyhow::Result<DateTime<Utc>> {
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(at.to_utc());
    }
    let Ok(day) = text.parse::<NaiveDate>() else {
        bail!(
            "{text:?}: expected a day such as 2026-11-01, or an instant such as 2026-11-01T12:00:00Z"
        );
    };
    match Utc.from_local_datetime(&day.and_time(NaiveTime::MIN)) {
        LocalResult::Single(at) => Ok(at),
        // UTC has every day once.
        _ => bail!("{text:?}: no such day"),
    }
}

async fn tariff_named(
    db: &mut Connection,
    name: &str,
    now: DateTime<Utc>,
) -> anyhow::Result<Tariff> {
    let tariff = tariffs::find(db, name)
        .await?
        .with_context(|| format!("--tariff {name:?}: there is no such tariff"))?;
    let version = tariffs::version_at(db, tariff.id, now)
        .await?
        .with_context(|| format!("--tariff {name:?}: none of its versions is valid yet"))?;
    Tariff::parse(&version.content.to_string()).map_err(|problems| {
        let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
        anyhow::anyhow!("--tariff {name:?}: {}", words.join("; "))
    })
}

/// One session under a tariff that it does not have.
async fn show_under(
    db: &mut Connection,
    session: Uuid,
    tariff: &Tariff,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let priced = simulate::session_under(db, session, tariff, now)
        .await?
        .with_context(|| format!("--session {session}: there is no such session"))?;
    for line in &priced.lines {
        println!(
            "{:?}: {} × {} = {} {} with {} % tax",
            line.kind, line.quantity, line.unit_price, line.total, priced.currency, line.tax_rate
        );
    }
    println!("Total: {} {}", priced.total, priced.currency);
    if !priced.reasons.is_empty() {
        println!("It would be held: {}", priced.reasons.join(", "));
    }
    Ok(())
}

/// Many sessions under a tariff that they do not have.
async fn preview(
    db: &mut Connection,
    tariff: &Tariff,
    walk: Walk,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let summary = simulate::preview(db, tariff, walk, None, now).await?;
    let before = sums(&summary.before);
    println!("Sessions: {}", summary.sessions);
    println!("As priced: {before}");
    println!("Under this tariff: {} {}", summary.after, tariff.currency);
    if summary.held > 0 {
        println!("Would be held, and are not in the sum: {}", summary.held);
    }
    for delta in summary.largest.iter().take(SHOWN) {
        let before = delta.before.as_ref().map_or_else(
            || "no price".to_owned(),
            |(currency, total)| format!("{total} {currency}"),
        );
        println!(
            "  {} {}: {before} -> {} {}",
            delta.started_at.format("%Y-%m-%d %H:%M"),
            delta.session_id,
            delta.after,
            tariff.currency
        );
    }
    Ok(())
}

fn sums(by_currency: &BTreeMap<String, Decimal>) -> String {
    if by_currency.is_empty() {
        return "nothing".to_owned();
    }
    let sums: Vec<String> = by_currency
        .iter()
        .map(|(currency, total)| format!("{total} {currency}"))
        .collect();
    sums.join(", ")
}

/// Prices one session, or all of a time, as the worker would; what has its price already keeps it.
async fn price_all(
    pool: &Pool,
    session: Option<Uuid>,
    walk: Walk,
    dry_run: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<()> {
    let mut told = Told::default();
    if let Some(id) = session {
        if charges::facts(&mut *pool.acquire().await?, &[id])
            .await?
            .is_empty()
        {
            bail!("--session {id}: there is no such session");
        }
        told.add(chunk(pool, &[id], dry_run, now).await?);
    } else {
        let mut after = BEGINNING;
        loop {
            let mut db = pool.acquire().await?;
            let found = charges::ended_after(&mut db, &walk, after, CHUNK).await?;
            drop(db);
            let Some(last) = found.last() else { break };
            after = *last;
            let ids: Vec<Uuid> = found.iter().map(|cursor| cursor.id).collect();
            told.add(chunk(pool, &ids, dry_run, now).await?);
        }
    }
    told.print(dry_run);
    Ok(())
}

/// What became of some sessions.
#[derive(Debug, Default)]
struct Told {
    sessions: usize,
    written: usize,
    held: usize,
    totals: BTreeMap<String, Decimal>,
}

impl Told {
    fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.written += other.written;
        self.held += other.held;
        for (currency, total) in other.totals {
            *self.totals.entry(currency).or_default() += total;
        }
    }

    fn print(&self, dry_run: bool) {
        let verb = if dry_run { "would be" } else { "are" };
        println!(
            "Sessions: {}; prices that {verb} new: {}",
            self.sessions, self.written
        );
        println!("Their prices: {}; held: {}", sums(&self.totals), self.held);
    }
}

/// A dry run does everything and takes it back.
async fn chunk(
    pool: &Pool,
    sessions: &[Uuid],
    dry_run: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<Told> {
    let mut tx = pool.begin().await?;
    let written = pricing::price_now(&mut tx, sessions, now).await?;
    let mut told = Told {
        sessions: sessions.len(),
        written: written.len(),
        ..Told::default()
    };
    for price in prices::newest(&mut tx, sessions).await?.into_values() {
        if price.state == State::Held {
            told.held += 1;
        } else {
            *told.totals.entry(price.currency).or_default() += price.total;
        }
    }
    if dry_run {
        tx.rollback().await?;
    } else {
        tx.commit().await?;
        store::events::ring(&mut *pool.acquire().await?).await?;
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_or_an_instant() {
        let of = |text: &str| {
            instant(text)
                .map(|at| at.to_rfc3339())
                .map_err(|error| error.to_string())
        };
        assert_eq!(of("2026-11-01").unwrap(), "2026-11-01T00:00:00+00:00");
        assert_eq!(
            of("2026-11-01T12:00:00+01:00").unwrap(),
            "2026-11-01T11:00:00+00:00"
        );
        for wrong in ["yesterday", "2026-02-30", ""] {
            assert!(
                of(wrong).unwrap_err().contains("expected a day such as"),
                "{wrong}"
            );
        }
    }
}
