//! What a tariff says: the content of one version, which never changes. Which version holds for a session, and since
//! when, is not here; what a charge costs under it is [`crate::price`]'s.

mod check;
mod restriction;
mod words;

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::{Map, Value};
use store::money::Currency;

pub(crate) use check::HIGHEST_PRICE;
pub use check::Problem;
pub use restriction::{Holidays, MonthDay, Restrictions, Source, TimeOfDay, Weekday};

use crate::serial;

/// The content of a tariff version.
///
/// For each kind of component the first element that has one and whose restrictions hold decides; the next ones are
/// not asked. Where none holds, that kind costs nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tariff {
    /// Of every amount in it.
    #[serde(with = "serial")]
    pub currency: Currency,
    /// Do its prices include the tax?
    #[serde(default)]
    pub prices_include_tax: bool,
    /// Percent, for components without a rate of their own.
    #[serde(with = "serial", default)]
    pub tax_rate: Decimal,
    /// In the order in which they are asked.
    pub elements: Vec<Element>,
    /// A session costs no less.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_price: Option<Limit>,
    /// A session costs no more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_price: Option<Limit>,
    /// What came with an OCPI tariff and is no price: its ids, texts, validity, energy mix. Kept for the export; nothing
    /// is computed from it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub extra: Map<String, Value>,
}

/// Components that share restrictions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Element {
    /// At most one of each kind.
    pub components: Vec<Component>,
    /// When they hold; without any, always.
    #[serde(default, skip_serializing_if = "serial::is_default")]
    pub restrictions: Restrictions,
}

/// The price of one kind of thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    /// Of what.
    pub kind: Kind,
    /// Of one: of a kWh, of an hour, or once.
    pub price: Price,
    /// Percent; else the tariff's.
    #[serde(
        with = "serial::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub tax_rate: Option<Decimal>,
    /// The session's total of this kind is billed in blocks of so many Wh, or seconds; the last period's value counts.
    /// 0 bills exactly what was used.
    #[serde(default, skip_serializing_if = "serial::is_default")]
    pub step_size: u32,
    /// Of kind idle: so many minutes after the end of charging are free.
    #[serde(default, skip_serializing_if = "serial::is_default")]
    pub grace_minutes: u32,
    /// Of kind time: only until the end of charging (OCPI's `TIME`), not until the end of the session.
    #[serde(default, skip_serializing_if = "serial::is_default")]
    pub while_charging: bool,
}

/// What a component puts a price on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Once a session, as it stands when the session starts.
    Start,
    /// Per kWh.
    Energy,
    /// Per hour of the session.
    Time,
    /// Per hour from the end of charging (and the grace) to the end of the session.
    Idle,
    /// Per hour for which the station was reserved before the session.
    Reservation,
    /// Once a reservation, as it stands when the reservation starts.
    ReservationFee,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Start,
        Self::Energy,
        Self::Time,
        Self::Idle,
        Self::Reservation,
        Self::ReservationFee,
    ];

    /// As in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Energy => "energy",
            Self::Time => "time",
            Self::Idle => "idle",
            Self::Reservation => "reservation",
            Self::ReservationFee => "reservation_fee",
        }
    }
}

/// A price: `"0.45"`, or `{"feed": "day-ahead", "factor": "1.1", "surcharge": "0.12"}`.
#[derive(Debug, Clone, PartialEq)]
pub enum Price {
    /// Always the same.
    Fixed(Decimal),
    /// Another one each hour; for energy only.
    Dynamic(Dynamic),
}

/// A price that follows a feed of hourly prices: price of the hour × factor + surcharge, and never below zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dynamic {
    /// The feed's name.
    pub feed: String,
    /// Times the feed's price.
    #[serde(with = "serial", default = "one")]
    pub factor: Decimal,
    /// Plus this, per kWh.
    #[serde(with = "serial", default)]
    pub surcharge: Decimal,
}

fn one() -> Decimal {
    Decimal::ONE
}

/// A bound of what a session costs; where both are given, both hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limit {
    /// Before tax.
    #[serde(
        with = "serial::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub net: Option<Decimal>,
    /// With tax.
    #[serde(
        with = "serial::option",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    pub total: Option<Decimal>,
}

impl Tariff {
    /// Whether anything is to be paid for a reservation that nobody used: as in OCPI, what reserving costs, and what is
    /// asked besides when nobody came.
    pub fn charges_no_shows(&self) -> bool {
        let reserving = [Kind::Reservation, Kind::ReservationFee];
        self.elements.iter().any(|element| {
            reserving
                .iter()
                .any(|kind| element.component(*kind).is_some())
        })
    }

    /// Reads a tariff and checks it.
    pub fn parse(json: &str) -> Result<Self, Vec<Problem>> {
        let mut from = serde_json::Deserializer::from_str(json);
        let tariff: Self = serde_path_to_error::deserialize(&mut from)
            .map_err(|error| vec![Problem::unreadable(&error)])?;
        from.end()
            .map_err(|error| vec![Problem::trailing(&error)])?;
        let problems = tariff.check();
        if problems.is_empty() {
            Ok(tariff)
        } else {
            Err(problems)
        }
    }

    /// The tax rate of one of its components, percent.
    pub fn tax_rate_of(&self, component: &Component) -> Decimal {
        component.tax_rate.unwrap_or(self.tax_rate)
    }
}

impl Element {
    /// Its component of a kind.
    pub fn component(&self, kind: Kind) -> Option<&Component> {
        self.components
            .iter()
            .find(|component| component.kind == kind)
    }
}

impl Component {
    /// A component with a fixed price and nothing else said.
    pub fn fixed(kind: Kind, price: Decimal) -> Self {
        Self {
            kind,
            price: Price::Fixed(price),
            tax_rate: None,
            step_size: 0,
            grace_minutes: 0,
            while_charging: false,
        }
    }
}

impl Serialize for Price {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(price) => to.collect_str(price),
            Self::Dynamic(dynamic) => dynamic.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Price {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match Value::deserialize(from)? {
            Value::String(text) => text.parse().map(Self::Fixed).map_err(|error| {
                D::Error::custom(format_args!(
                    "{text:?}: {error}; a price such as \"0.45\" is expected"
                ))
            }),
            other @ Value::Object(_) => serde_json::from_value(other)
                .map(Self::Dynamic)
                .map_err(D::Error::custom),
            other => Err(D::Error::custom(format_args!(
                "{other}: a price is a string such as \"0.45\", or an object with the name of a feed"
            ))),
        }
    }
}

#[cfg(test)]
mod tests;
