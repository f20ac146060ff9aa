//! What the demo's sessions cost: who sells, and a tariff by day and by night for each site. Billing prices the past by
//! itself once it runs.

use anyhow::Context;
use billing::{
    pricing,
    tariff::{Component, Element, Kind, Restrictions, Tariff},
};
use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use store::{
    Connection, Rounding,
    legal_entities::{self, Fields, Issuing, TaxPer},
    readers,
    tariff_assignments::{self, Place},
    tariffs,
};
use uuid::Uuid;

/// What a site's tariff says, in cents.
struct Prices {
    name: &'static str,
    /// From 7 to 21 o'clock.
    day: i64,
    night: i64,
    /// Once a session.
    start: i64,
    /// For each hour after the car is full and an hour has passed.
    idle: i64,
    /// Percent.
    tax: i64,
}

/// In the order of the demo's sites: one for commuters who stay, one for travellers who should not.
const PRICES: [Prices; 2] = [
    Prices {
        name: "Park & Ride",
        day: 42,
        night: 31,
        start: 0,
        idle: 120,
        tax: 21,
    },
    Prices {
        name: "Rasthof",
        day: 65,
        night: 54,
        start: 100,
        idle: 600,
        tax: 19,
    },
];

/// Adds the seller, the tariffs, and where they hold, since `begin`.
pub(super) async fn add(
    db: &mut Connection,
    sites: &[Uuid],
    begin: DateTime<Utc>,
) -> anyhow::Result<()> {
    let seller = Fields {
        name: "Wesermaas Laadnetwerk B.V.".to_owned(),
        address: "Strevelsweg 700\n3083 AS Rotterdam".to_owned(),
        country: "NL".to_owned(),
        tax_id: "NL000099998B57".to_owned(),
        email: "invoices@forecourt.example".to_owned(),
        currency: "EUR".parse()?,
        rounding: Rounding::HalfUp,
        tax_per: TaxPer::Line,
        payment_days: 14,
        payment_details: "IBAN NL91 ABNA 0417 1643 00".to_owned(),
    };
    let seller = legal_entities::create(db, &seller, begin).await?;
    let issuing = Issuing {
        time_zone: super::invoices::ZONE,
        prefix: "WL".to_owned(),
        ..legal_entities::issuing(db, seller)
            .await?
            .context("the seller that was just made is gone")?
    };
    legal_entities::set_issuing(db, seller, &issuing).await?;
    for (site, prices) in sites.iter().zip(&PRICES) {
        legal_entities::sell_at(db, *site, Some(seller)).await?;
        let tariff = tariffs::create(db, prices.name, "EUR", begin).await?;
        let content = serde_json::to_value(prices.tariff()?)?;
        tariffs::add_version(db, tariff, begin, &content, begin)
            .await?
            .context("the tariff that was just made is gone")?;
        tariff_assignments::assign(db, tariff, Place::Site(*site), begin, None, begin).await?;
    }
    // A worker that has been here before looks again.
    readers::sweep_again(db, pricing::READER).await?;
    Ok(())
}

impl Prices {
    fn tariff(&self) -> anyhow::Result<Tariff> {
        let energy = |cents| Component::fixed(Kind::Energy, Decimal::new(cents, 2));
        let idle = Component {
            grace_minutes: 60,
            ..Component::fixed(Kind::Idle, Decimal::new(self.idle, 2))
        };
        let always = |components| Element {
            components,
            restrictions: Restrictions::default(),
        };
        let day = Element {
            components: vec![energy(self.day)],
            restrictions: Restrictions {
                time_from: Some("07:00".parse().map_err(anyhow::Error::msg)?),
                time_to: Some("21:00".parse().map_err(anyhow::Error::msg)?),
                ..Restrictions::default()
            },
        };
        let mut rest = vec![energy(self.night), idle];
        if self.start > 0 {
            rest.push(Component::fixed(Kind::Start, Decimal::new(self.start, 2)));
        }
        Ok(Tariff {
            currency: "EUR".parse()?,
            prices_include_tax: true,
            tax_rate: Decimal::from(self.tax),
            elements: vec![day, always(rest)],
            min_price: None,
            max_price: None,
            extra: Default::default(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demos_tariffs_are_tariffs() {
        for prices in &PRICES {
            assert_eq!(prices.tariff().unwrap().check(), [], "{}", prices.name);
        }
    }
}
