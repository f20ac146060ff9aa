//! What a charge costs under a tariff: pure functions over exact numbers. Nothing is loaded here, and no clock is read.

mod clock;
mod curve;
mod exact;
mod explain;
mod limits;
mod periods;
mod readings;
mod rules;
mod suspect;
mod usage;
pub mod words;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::money::{Currency, Rounding};

use crate::{
    serial,
    tariff::{Kind, Source, Tariff},
};
pub use explain::{Simulated, explain, simulate};

use curve::Curve;
use limits::Limits;
use periods::Session;
use readings::{Span, instant};
use rules::Rules;
use suspect::Noted;
pub(crate) use suspect::OVER_REGISTERED;
use usage::Usage;

/// What a charge costs. While it is active that is what it would cost if it ended now.
///
/// The same input gives the same price to the bit, in whatever order its samples came, and with any number of samples
/// between them that say nothing new.
pub fn price(tariff: &Tariff, charge: &Charge, context: &Context) -> Priced {
    let mut noted = Noted::default();
    noted.of_csms(&charge.flags);
    let rules = Rules::new(tariff);
    if rules.is_unusable() {
        noted.hold("tariff-unusable");
        return written(tariff, Vec::new(), Decimal::ZERO, noted);
    }
    let span = Span::new(charge, context.sample_interval, &mut noted);
    let expired = charge.reservation.is_some_and(|reserved| reserved.expired);
    let readings = readings::read(charge, span, &mut noted);
    let curve = if expired {
        Curve::none(span)
    } else {
        let curve = Curve::new(charge, span, &readings, &mut noted);
        suspect::over_registered(charge, span, &readings, &curve, &mut noted);
        curve
    };
    let session = Session::new(
        charge,
        context,
        &rules,
        (span, &readings, &curve),
        &mut noted,
    );
    let mut usage = Usage::default();
    if let Some(reserved) = &charge.reservation {
        session.count_reservation(reserved, &mut usage, &mut noted);
    }
    if !expired {
        session.count(&mut usage, &mut noted);
    }
    usage.round_up();
    let limits = Limits {
        tariff,
        rounding: context.rounding,
        time: (instant(span.from), instant(span.to)),
    };
    let lines = usage.lines(tariff, context.rounding).and_then(|mut lines| {
        if !expired {
            limits.raise(&mut lines)?;
        }
        limits.cap(&mut lines)?;
        Some(lines)
    });
    if lines.is_none() {
        noted.hold("amount-out-of-range");
    }
    let energy_kwh = curve.total_kwh();
    written(tariff, lines.unwrap_or_default(), energy_kwh, noted)
}

/// What is impossible about a charge as it was measured, whatever it costs; by name.
pub fn suspicions(charge: &Charge, sample_interval: TimeDelta) -> Vec<String> {
    let mut noted = Noted::default();
    noted.of_csms(&charge.flags);
    let span = Span::new(charge, sample_interval, &mut noted);
    let readings = readings::read(charge, span, &mut noted);
    let curve = Curve::new(charge, span, &readings, &mut noted);
    suspect::over_registered(charge, span, &readings, &curve, &mut noted);
    noted.reasons.sort_unstable();
    noted.reasons
}

fn written(tariff: &Tariff, lines: Vec<Line>, energy_kwh: Decimal, mut noted: Noted) -> Priced {
    // Found in an order that may be that of arrival.
    noted.reasons.sort_unstable();
    noted.flags.sort_unstable();
    let sum = |amount: fn(&Line) -> Decimal| lines.iter().map(amount).sum();
    Priced {
        currency: tariff.currency,
        prices_include_tax: tariff.prices_include_tax,
        net: sum(|line| line.net),
        tax: sum(|line| line.tax),
        total: sum(|line| line.total),
        lines,
        energy_kwh,
        reasons: noted.reasons,
        flags: noted.flags,
    }
}

/// What happened, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charge {
    /// The session's start.
    pub started_at: DateTime<Utc>,
    /// Its end; none while it is active.
    #[serde(default)]
    pub ended_at: Option<DateTime<Utc>>,
    /// Of an active session: until when it is counted. Without, until its last sample.
    #[serde(default)]
    pub now: Option<DateTime<Utc>>,
    /// The register when it started.
    #[serde(default)]
    pub register_start_wh: Option<i64>,
    /// The register when it ended.
    #[serde(default)]
    pub register_stop_wh: Option<i64>,
    /// Readings between, in any order.
    #[serde(default)]
    pub samples: Vec<Sample>,
    /// When charging ended, if the car stayed. None: it charged to the end ([`Charge::charging_ended`] guesses).
    #[serde(default)]
    pub idle_from: Option<DateTime<Utc>>,
    /// The reservation that it made use of, or that it consists of.
    #[serde(default)]
    pub reservation: Option<Reservation>,
    /// The most that the connector can deliver.
    #[serde(default)]
    pub max_power_w: Option<i64>,
    /// What the csms noted of the session. Some hold it: [`HOLDING_FLAGS`].
    #[serde(default)]
    pub flags: Vec<String>,
}

/// What was read at an instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// The charger's time.
    pub at: DateTime<Utc>,
    /// The register.
    #[serde(default)]
    pub energy_wh: Option<i64>,
    /// The power.
    #[serde(default)]
    pub power_w: Option<i64>,
    /// Where the energy comes from, from here to the next sample that says so.
    #[serde(default)]
    pub source: Option<Source>,
}

/// A station kept free for somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reservation {
    /// Since.
    pub from: DateTime<Utc>,
    /// Until: the session's start, or the end of the reservation.
    pub to: DateTime<Utc>,
    /// No session followed: then nothing but the reservation is priced.
    #[serde(default)]
    pub expired: bool,
}

/// What a price depends on besides tariff and charge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Context {
    /// The site's.
    #[serde(with = "serial")]
    pub zone: Tz,
    /// The site's, as local days.
    #[serde(default)]
    pub holidays: BTreeSet<NaiveDate>,
    /// The legal entity's.
    #[serde(with = "serial::rounding")]
    pub rounding: Rounding,
    /// By name, the feeds that dynamic prices follow.
    #[serde(default)]
    pub feeds: BTreeMap<String, Feed>,
    /// How often the station samples. Power is not integrated over a gap of more than three times this.
    #[serde(with = "seconds")]
    pub sample_interval: TimeDelta,
}

/// Hourly prices per kWh, by the hour's beginning.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Feed(pub BTreeMap<DateTime<Utc>, Decimal>);

/// A price, or why there is none to be relied on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Priced {
    /// Of every amount in it.
    #[serde(with = "serial")]
    pub currency: Currency,
    /// Do the unit prices of its lines include the tax?
    pub prices_include_tax: bool,
    /// What is to be paid for, in the order of the kinds and then of time.
    pub lines: Vec<Line>,
    /// The lines' sum.
    #[serde(with = "serial")]
    pub net: Decimal,
    /// The lines' sum.
    #[serde(with = "serial")]
    pub tax: Decimal,
    /// The lines' sum.
    #[serde(with = "serial")]
    pub total: Decimal,
    /// The session's energy, kWh.
    #[serde(with = "serial")]
    pub energy_kwh: Decimal,
    /// Why a person has to look before this is invoiced; none: it can be.
    pub reasons: Vec<String>,
    /// What a person may want to know.
    pub flags: Vec<String>,
}

impl Priced {
    /// Must a person look at it first?
    pub fn is_held(&self) -> bool {
        !self.reasons.is_empty()
    }
}

/// One line of a price. Its amounts are rounded once to the currency's minor unit; its quantity is shown to six
/// decimals and counted exactly.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What for.
    pub kind: LineKind,
    /// Of energy under a tariff that asks where it comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<Source>,
    /// Which of the tariff's elements put this price on it; none for what a minimum or maximum adds or takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<usize>,
    /// kWh, hours, or 1.
    #[serde(with = "serial")]
    pub quantity: Decimal,
    /// What a step size added to what was used, in the quantity.
    #[serde(with = "serial", default, skip_serializing_if = "serial::is_default")]
    pub rounded_up: Decimal,
    /// As in the tariff: with or without tax.
    #[serde(with = "serial")]
    pub unit_price: Decimal,
    /// Percent.
    #[serde(with = "serial")]
    pub tax_rate: Decimal,
    /// Before tax.
    #[serde(with = "serial")]
    pub net: Decimal,
    /// The tax.
    #[serde(with = "serial")]
    pub tax: Decimal,
    /// With tax.
    #[serde(with = "serial")]
    pub total: Decimal,
    /// The beginning of the first period that it is made of.
    pub from: DateTime<Utc>,
    /// The end of the last one.
    pub to: DateTime<Utc>,
}

/// What a line is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// [`Kind::Start`].
    Start,
    /// [`Kind::Energy`].
    Energy,
    /// [`Kind::Time`].
    Time,
    /// [`Kind::Idle`].
    Idle,
    /// [`Kind::Reservation`].
    Reservation,
    /// [`Kind::ReservationFee`].
    ReservationFee,
    /// What is missing to the tariff's lowest price.
    Minimum,
    /// What is above the tariff's highest price: negative.
    Maximum,
}

impl From<Kind> for LineKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Start => Self::Start,
            Kind::Energy => Self::Energy,
            Kind::Time => Self::Time,
            Kind::Idle => Self::Idle,
            Kind::Reservation => Self::Reservation,
            Kind::ReservationFee => Self::ReservationFee,
        }
    }
}

impl Charge {
    /// The same charge with all of its energy from the grid: what solar energy saves is the difference of the prices.
    #[must_use]
    pub fn all_grid(&self) -> Self {
        let mut all_grid = self.clone();
        for sample in &mut all_grid.samples {
            sample.source = sample.source.map(|_| Source::Grid);
        }
        all_grid
    }

    /// When the register rose for the last time, or the power was last above zero: what to take for the end of
    /// charging when the station did not say. Of the readings around it the later one, to the driver's advantage. None
    /// if the charge went on to the last reading, or if there is none.
    pub fn charging_ended(&self) -> Option<DateTime<Utc>> {
        let within = |at: DateTime<Utc>| {
            at > self.started_at && self.ended_at.is_none_or(|ended| at <= ended)
        };
        let mut samples: Vec<_> = self
            .samples
            .iter()
            .filter(|sample| within(sample.at))
            .collect();
        samples.sort_unstable_by_key(|sample| (sample.at, sample.energy_wh, sample.power_w));
        let stop = self.ended_at.zip(self.register_stop_wh);
        let registers = samples
            .iter()
            .filter_map(|sample| Some((sample.at, sample.energy_wh?)))
            .chain(stop);
        let mut highest = self.register_start_wh;
        let (mut rose, mut last) = (None, None);
        for (at, energy_wh) in registers {
            if highest.is_some_and(|highest| energy_wh > highest) {
                rose = Some(at);
            }
            highest = highest.max(Some(energy_wh));
            last = Some(at);
        }
        if last.is_none() {
            let mut charging = false;
            for sample in &samples {
                let Some(power_w) = sample.power_w else {
                    continue;
                };
                if power_w > 0 || charging {
                    rose = Some(sample.at);
                }
                charging = power_w > 0;
                last = Some(sample.at);
            }
        }
        rose.filter(|rose| last.is_some_and(|last| *rose < last))
    }
}

/// What the csms notes of a session that no price can be relied on for: a register that ran backwards or jumped, an end
/// before the beginning, an end that was guessed or concluded, and whatever is wrong with signed meter values (`signed-…`).
pub const HOLDING_FLAGS: [&str; 5] = [
    "meter-jumped",
    "meter-ran-backwards",
    "stopped-before-start",
    "superseded",
    "transaction-guessed",
];

/// A [`TimeDelta`] as whole seconds.
mod seconds {
    use super::*;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &TimeDelta, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i64(value.num_seconds())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<TimeDelta, D::Error> {
        // A u32 of seconds is never out of a TimeDelta's range.
        u32::deserialize(from).map(|seconds| TimeDelta::seconds(seconds.into()))
    }
}

#[cfg(test)]
mod tests;
