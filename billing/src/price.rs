//! What a charge costs under a tariff: pure functions over exact numbers. Nothing is loaded here, and no clock is read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use store::money::{Currency, Rounding};

use crate::{
    serial,
    tariff::{Kind, Source},
};

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

/// What the csms notes of a session that no price can be relied on for: a register that ran backwards, an end before
/// the beginning, an end that was guessed or concluded, and whatever is wrong with signed meter values (`signed-…`).
pub const HOLDING_FLAGS: [&str; 4] = [
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
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    fn sample(minute: i64, energy_wh: Option<i64>, power_w: Option<i64>) -> Sample {
        Sample {
            at: at(minute),
            energy_wh,
            power_w,
            source: None,
        }
    }

    fn charge(samples: Vec<Sample>) -> Charge {
        Charge {
            started_at: at(0),
            ended_at: Some(at(60)),
            now: None,
            register_start_wh: None,
            register_stop_wh: None,
            samples,
            idle_from: None,
            reservation: None,
            max_power_w: None,
            flags: Vec::new(),
        }
    }

    #[test]
    fn the_end_of_charging_is_the_last_rise() {
        let registers = |start, stop, samples: &[(i64, i64)]| {
            let samples = samples
                .iter()
                .map(|&(minute, wh)| sample(minute, Some(wh), None));
            Charge {
                register_start_wh: start,
                register_stop_wh: stop,
                ..charge(samples.rev().collect())
            }
            .charging_ended()
        };
        assert_eq!(
            registers(Some(0), Some(500), &[(10, 200), (20, 500), (40, 500)]),
            Some(at(20))
        );
        assert_eq!(
            registers(Some(0), Some(500), &[(10, 200)]),
            None,
            "it rose to the end"
        );
        assert_eq!(
            registers(Some(7), Some(7), &[(10, 7)]),
            None,
            "it never rose"
        );
        assert_eq!(registers(None, None, &[]), None);

        let powers = |samples: &[(i64, i64)]| {
            let samples = samples
                .iter()
                .map(|&(minute, w)| sample(minute, None, Some(w)));
            charge(samples.collect()).charging_ended()
        };
        assert_eq!(
            powers(&[(1, 7000), (10, 7000), (20, 0), (40, 0)]),
            Some(at(20))
        );
        assert_eq!(powers(&[(1, 7000), (20, 7000)]), None);
    }
}
