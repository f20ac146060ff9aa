//! The price book: what tariff versions say, and what a price depends on besides. Versions never change, so that what was
//! read once is kept.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use store::{
    Connection, Rounding, charges, holidays, price_feeds,
    prices::{self, NewPrice},
    sessions::State,
    tariffs,
};
use uuid::Uuid;

use super::charge::{self, charge, doubts};
use crate::{
    price::{self, Charge, Context, Feed, Priced},
    tariff::{Price, Tariff},
};

/// What a version says, if it can be read.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// The version.
    pub id: Uuid,
    /// What it says; the error is one of the data.
    pub tariff: Result<Tariff, String>,
    /// ISO 4217, whether the rest can be read or not.
    pub currency: String,
}

/// Versions that were read.
#[derive(Debug, Default)]
pub(super) struct Book {
    known: HashMap<Uuid, Arc<Said>>,
}

impl Book {
    /// What these versions say.
    pub(super) async fn read(
        &mut self,
        db: &mut Connection,
        versions: impl Iterator<Item = Uuid>,
    ) -> store::Result<()> {
        let wanted: BTreeSet<Uuid> = versions.filter(|id| !self.known.contains_key(id)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<Uuid> = wanted.into_iter().collect();
        for version in tariffs::versions_of(db, &wanted).await? {
            let read = Tariff::parse(&version.content.to_string()).map_err(|problems| {
                let words: Vec<String> = problems.iter().map(ToString::to_string).collect();
                words.join("; ")
            });
            if let Err(problem) = &read {
                tracing::error!(tariff.version = %version.id, problem, "a tariff cannot be read");
            }
            let said = Said {
                id: version.id,
                tariff: read,
                currency: version.content["currency"]
                    .as_str()
                    .unwrap_or("XXX")
                    .to_owned(),
            };
            self.known.insert(version.id, Arc::new(said));
        }
        Ok(())
    }

    /// What a version says that was read.
    pub(super) fn get(&self, version: Uuid) -> Option<Arc<Said>> {
        self.known.get(&version).cloned()
    }
}

/// What the prices of some sessions depend on besides tariff and charge.
#[derive(Debug, Default)]
pub(super) struct Surroundings {
    holidays: HashMap<String, BTreeSet<NaiveDate>>,
    /// By the feed's name in small letters: its currency, and its hours.
    feeds: HashMap<String, (String, BTreeMap<DateTime<Utc>, Decimal>)>,
}

impl Surroundings {
    /// Loads them for sessions that are to be priced under `tariffs`.
    pub(super) async fn load(
        db: &mut Connection,
        rows: &[charges::Charge],
        tariffs: impl Iterator<Item = &Tariff>,
        now: DateTime<Utc>,
    ) -> store::Result<Self> {
        let mut found = Self::default();
        let Some(from) = rows.iter().map(|row| row.started_at).min() else {
            return Ok(found);
        };
        let to = rows.iter().map(|row| row.ended_at.unwrap_or(now)).max();
        let to = to.unwrap_or(now);
        let calendars: BTreeSet<&String> = rows
            .iter()
            .filter_map(|row| row.holiday_calendar.as_ref())
            .collect();
        if !calendars.is_empty() {
            let calendars: Vec<String> = calendars.into_iter().cloned().collect();
            let day = |at: DateTime<Utc>| at.date_naive();
            let (first, last) = (day(from) - Days::new(1), day(to) + Days::new(1));
            for (calendar, day) in holidays::of_calendars(db, &calendars, first, last).await? {
                found.holidays.entry(calendar).or_default().insert(day);
            }
        }
        let feeds: BTreeSet<String> = tariffs.flat_map(feeds_of).collect();
        if !feeds.is_empty() {
            let feeds: Vec<String> = feeds.into_iter().collect();
            for hour in price_feeds::hours(db, &feeds, from, to).await? {
                let feed = found.feeds.entry(hour.feed).or_default();
                feed.0 = hour.currency;
                feed.1.insert(hour.start, hour.price);
            }
        }
        Ok(found)
    }

    /// Those of one session: only what it can depend on, so that a holiday of another year changes nothing.
    fn of(&self, row: &charges::Charge, charge: &Charge, tariff: &Tariff) -> Context {
        let zone = zone(row);
        let end = charge.ended_at.or(charge.now).unwrap_or(charge.started_at);
        let day = |at: DateTime<Utc>| at.with_timezone(&zone).date_naive();
        let (first, last) = (day(charge.started_at), day(end).max(day(charge.started_at)));
        let holidays = row
            .holiday_calendar
            .as_ref()
            .and_then(|calendar| self.holidays.get(calendar))
            .map(|days| days.range(first..=last).copied().collect())
            .unwrap_or_default();
        let from = charge.started_at - TimeDelta::hours(1);
        let feeds = feeds_of(tariff)
            .filter_map(|name| {
                let (currency, hours) = self.feeds.get(&name.to_lowercase())?;
                // Prices in another currency are no prices.
                let usable = currency == tariff.currency.code();
                let hours = hours
                    .range(from..=end.max(from))
                    .map(|(at, price)| (*at, *price));
                usable.then(|| (name, Feed(hours.collect())))
            })
            .collect();
        Context {
            zone,
            holidays,
            rounding: row
                .rounding
                .as_deref()
                .and_then(Rounding::parse)
                .unwrap_or_default(),
            feeds,
            sample_interval: charge::sample_interval(charge),
        }
    }
}

fn zone(row: &charges::Charge) -> Tz {
    let named = row.time_zone.as_deref().and_then(|name| name.parse().ok());
    named.unwrap_or(Tz::UTC)
}

/// The feeds that a tariff's prices follow.
fn feeds_of(tariff: &Tariff) -> impl Iterator<Item = String> {
    let components = tariff
        .elements
        .iter()
        .flat_map(|element| &element.components);
    components.filter_map(|component| match &component.price {
        Price::Dynamic(dynamic) => Some(dynamic.feed.clone()),
        Price::Fixed(_) => None,
    })
}

/// What a session costs under a tariff. What the data makes doubtful is among the reasons.
pub(super) fn priced(
    tariff: &Tariff,
    row: &charges::Charge,
    around: &Surroundings,
    now: DateTime<Utc>,
) -> Priced {
    let charge = charge(row, now);
    let context = around.of(row, &charge, tariff);
    let mut priced = price::price(tariff, &charge, &context);
    add_doubts(&mut priced.reasons, row);
    priced
}

pub(super) fn add_doubts(reasons: &mut Vec<String>, row: &charges::Charge) {
    for doubt in doubts(row) {
        if !reasons.contains(&doubt) {
            reasons.push(doubt);
        }
    }
}

/// The price of an ended session, ready to be kept.
pub(super) fn new_price(
    said: &Said,
    row: &charges::Charge,
    around: &Surroundings,
    now: DateTime<Utc>,
) -> NewPrice {
    let charge = charge(row, now);
    let nothing = |reason: &str| {
        let mut reasons = vec![reason.to_owned()];
        add_doubts(&mut reasons, row);
        let made_from = digest(said.id, &charge, None, row);
        no_price(said, row, reasons, made_from)
    };
    let Ok(tariff) = &said.tariff else {
        return nothing("tariff-unreadable");
    };
    // Nobody knows what an orphan began with, until somebody says what it charged.
    if row.state == State::Orphan && row.corrected_wh.is_none() {
        return nothing("orphan");
    }
    let context = around.of(row, &charge, tariff);
    let made_from = digest(said.id, &charge, Some(&context), row);
    // One session must not keep all others from having a price.
    let computed = catch_unwind(AssertUnwindSafe(|| price::price(tariff, &charge, &context)));
    let Ok(priced) = computed else {
        tracing::error!(session.id = %row.id, "a session cannot be priced");
        return no_price(said, row, vec!["not-computable".to_owned()], made_from);
    };
    let mut reasons = priced.reasons;
    if row.corrected_wh.is_some() {
        reasons.retain(|reason| reason != price::OVER_REGISTERED);
    }
    add_doubts(&mut reasons, row);
    NewPrice {
        state: if reasons.is_empty() {
            prices::State::Priced
        } else {
            prices::State::Held
        },
        reasons: plain(reasons),
        net: priced.net,
        tax: priced.tax,
        total: priced.total,
        lines: serde_json::to_string(&priced.lines).unwrap_or_else(|_| "[]".to_owned()),
        ..no_price(said, row, Vec::new(), made_from)
    }
}

/// A held price of nothing.
fn no_price(
    said: &Said,
    row: &charges::Charge,
    reasons: Vec<String>,
    made_from: [u8; 32],
) -> NewPrice {
    NewPrice {
        session_id: row.id,
        site_id: row.site_id,
        station_id: row.station_id,
        tariff_version_id: said.id,
        state: prices::State::Held,
        reasons: plain(reasons),
        currency: said.currency.clone(),
        net: Decimal::ZERO,
        tax: Decimal::ZERO,
        total: Decimal::ZERO,
        lines: "[]".to_owned(),
        made_from,
    }
}

/// Reasons travel with commas between them.
fn plain(reasons: Vec<String>) -> Vec<String> {
    reasons
        .into_iter()
        .map(|reason| reason.replace(',', ";"))
        .collect()
}

/// sha256 of everything that the price was made from, in the form in which the engine saw it.
fn digest(
    version: Uuid,
    charge: &Charge,
    context: Option<&Context>,
    row: &charges::Charge,
) -> [u8; 32] {
    let mut hasher = Hasher(Sha256::new());
    // Writing to a digest does not fail, and all of these are plain data.
    let whole = (
        version,
        charge,
        context,
        row.state.as_str(),
        row.contradicted,
    );
    if let Err(error) = serde_json::to_writer(&mut hasher, &whole) {
        tracing::error!(%error, session.id = %row.id, "a price's origin cannot be written down");
    }
    hasher.0.finalize().into()
}

struct Hasher(Sha256);

impl std::io::Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
