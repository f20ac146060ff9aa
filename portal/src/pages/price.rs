//! What a session costs, as its page shows it: the sum, where it stands, and the lines that it is made of.

use billing::{
    price::{Line, explain},
    pricing::running,
    tariff::Tariff,
};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use store::{
    Scoped, charges,
    prices::{self, State},
    sessions::{self, Session},
    tariffs,
};

use crate::{
    Error, Result,
    view::{Chip, Moment, number},
};

/// A session's price in words.
#[derive(Debug, Clone, Default)]
pub(super) struct PriceView {
    /// With tax; empty if there is nothing to tell.
    pub total: String,
    /// ISO 4217.
    pub currency: String,
    /// Beside the sum: why it is none, or under which tariff.
    pub note: String,
    /// Held: what a person has to look at.
    pub chip: Option<Chip>,
    pub net: String,
    pub tax: String,
    pub tariff: String,
    pub reasons: Vec<String>,
    pub lines: Vec<Row>,
    /// Why each line is there, in the tariff's terms.
    pub why: Vec<String>,
    pub computed: Option<Moment>,
}

/// A line of the price.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub what: String,
    pub from: Moment,
    pub to: Moment,
    pub quantity: String,
    pub unit: &'static str,
    pub unit_price: String,
    pub tax_rate: String,
    pub net: String,
    pub total: String,
}

impl PriceView {
    /// Loads it: what was priced, or what an active session costs so far.
    pub(super) async fn load(
        db: &mut Scoped<'_>,
        session: &Session,
        now: DateTime<Utc>,
    ) -> Result<Self> {
        let zone = session.time_zone.as_deref();
        if let Some(price) = prices::newest(db, &[session.id]).await?.remove(&session.id) {
            let lines: Vec<Line> = serde_json::from_value(price.lines)
                .map_err(|error| Error::Broken(format!("lines of {}: {error}", session.id)))?;
            let held = price.state == State::Held;
            let versions = tariffs::versions(db, price.tariff_id).await?;
            let said = versions.iter().find(|said| said.version == price.version);
            let why = said.map_or_else(Vec::new, |said| why(said, &lines, zone));
            let under = format!("{} · version {}", price.tariff, price.version);
            return Ok(PriceView {
                note: if held {
                    "held for review".to_owned()
                } else {
                    under.clone()
                },
                chip: held.then(Chip::held),
                reasons: price
                    .reasons
                    .iter()
                    .map(|reason| reason.replace(['-', '_'], " "))
                    .collect(),
                computed: Some(Moment::new(price.computed_at, zone)),
                tariff: format!("{under} · revision {}", price.revision),
                why,
                ..Self::sums(
                    &price.currency,
                    [price.net, price.tax, price.total],
                    &lines,
                    zone,
                )
            });
        }
        let Some(version) = charges::tariffs(db, &[session.id])
            .await?
            .remove(&session.id)
        else {
            return Ok(Self::nothing("no tariff applies"));
        };
        if session.state != sessions::State::Active {
            return Ok(Self::nothing("not priced yet"));
        }
        let Some(priced) = running::running(db, &[session.id], now)
            .await?
            .remove(&session.id)
        else {
            return Ok(Self::nothing("cannot be told"));
        };
        let version = tariffs::versions_of(db, &[version]).await?.pop();
        let currency = priced.currency.code();
        Ok(PriceView {
            note: "so far".to_owned(),
            why: version
                .as_ref()
                .map_or_else(Vec::new, |said| why(said, &priced.lines, zone)),
            tariff: version.map_or_else(String::new, |version| {
                format!("{} · version {}", version.tariff, version.version)
            }),
            ..Self::sums(
                currency,
                [priced.net, priced.tax, priced.total],
                &priced.lines,
                zone,
            )
        })
    }

    fn nothing(note: &str) -> Self {
        PriceView {
            note: note.to_owned(),
            ..Self::default()
        }
    }

    fn sums(
        currency: &str,
        [net, tax, total]: [Decimal; 3],
        lines: &[Line],
        zone: Option<&str>,
    ) -> Self {
        PriceView {
            total: number::money(total, currency),
            currency: currency.to_owned(),
            net: number::money(net, currency),
            tax: number::money(tax, currency),
            lines: lines.iter().map(|line| row(line, currency, zone)).collect(),
            ..Self::default()
        }
    }
}

/// The lines in words. A version that cannot be read says nothing.
fn why(said: &tariffs::Version, lines: &[Line], zone: Option<&str>) -> Vec<String> {
    let Ok(tariff) = Tariff::parse(&said.content.to_string()) else {
        return Vec::new();
    };
    let zone = zone.and_then(|zone| zone.parse().ok());
    let zone = zone.unwrap_or(chrono_tz::Tz::UTC);
    lines
        .iter()
        .map(|line| explain(&tariff, line, zone))
        .collect()
}

fn row(line: &Line, currency: &str, zone: Option<&str>) -> Row {
    Row {
        what: line.name(),
        from: Moment::new(line.from, zone),
        to: Moment::new(line.to, zone),
        quantity: line.quantity.normalize().to_string(),
        unit: line.kind.unit(),
        unit_price: number::money(line.unit_price, currency),
        tax_rate: line.tax_rate.normalize().to_string(),
        net: number::money(line.net, currency),
        total: number::money(line.total, currency),
    }
}
