//! Meter values as wide samples: one for each time and context, with the measurands people look at in columns.
//!
//! Everything else is kept as the charger wrote it, in `rest`. Nothing is refused: what cannot be read is dropped or kept
//! aside, and flagged. Whether values are plausible over time (a register that runs backwards) is not judged here.

use rust_decimal::{Decimal, RoundingStrategy};

use crate::lenient::{self, Quantity, UnitFlaw};
use crate::salvage::read_decimal;
use crate::timestamp::{TimeFlaw, Timestamp};
use crate::v16::{
    Location, Measurand, MeterValue, ReadingContext, SampledValue, UnitOfMeasure, ValueFormat,
};

/// What was mended or found odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flag {
    /// No timestamp, or none to believe: use the time of receipt.
    TimeMissing,
    /// The timestamp had no zone; UTC was assumed.
    TimeZoneAssumed,
    /// The timestamp was not RFC 3339 but clear.
    TimeMended,
    /// The context is not the standard's.
    ContextUnknown,
    /// A blank or NaN value was dropped.
    ValueDropped,
    /// A value is no number, or does not fit its column; it is in `rest`.
    ValueOdd,
    /// Two values for one column; the second is in `rest`.
    ValueContradicts,
    /// The unit was blank.
    UnitAssumed,
    /// The unit was written in an odd way.
    UnitMended,
    /// The unit is unknown or of something else; the value is in `rest`.
    UnitUnknown,
    /// A total was computed from its phases.
    Summed,
}

impl Flag {
    /// A short word, as stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Flag::TimeMissing => "time-missing",
            Flag::TimeZoneAssumed => "time-zone-assumed",
            Flag::TimeMended => "time-mended",
            Flag::ContextUnknown => "context-unknown",
            Flag::ValueDropped => "value-dropped",
            Flag::ValueOdd => "value-odd",
            Flag::ValueContradicts => "value-contradicts",
            Flag::UnitAssumed => "unit-assumed",
            Flag::UnitMended => "unit-mended",
            Flag::UnitUnknown => "unit-unknown",
            Flag::Summed => "summed",
        }
    }
}

/// What is known of a station's way to report, beyond what it says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Habits {
    /// Energy labelled Wh, or not at all, is in kWh (quirk 30).
    pub wh_means_kwh: bool,
}

/// What a list of meter values holds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Readings {
    /// In the order they came.
    pub samples: Vec<Sample>,
    /// Values with `format` SignedData, to the letter.
    pub signed: Vec<Signed>,
    /// Of all samples together, and of values that made none. Sorted.
    pub flags: Vec<Flag>,
}

/// The readings of one time and context. `None`: not reported.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The charger's time, absurd or not ([`Timestamp::credible`]). `None`: use the time of receipt.
    pub at: Option<Timestamp>,
    /// Always one of the standard's.
    pub context: ReadingContext,
    /// The imported active energy register, in Wh.
    pub energy_wh: Option<i64>,
    /// The imported active power, in W.
    pub power_w: Option<i32>,
    /// The imported current of L1, L2, L3, in mA.
    pub current_ma: [Option<i32>; 3],
    /// The voltage of L1, L2, L3 to neutral, in mV.
    pub voltage_mv: [Option<i32>; 3],
    /// The state of charge, in per mille.
    pub soc_pm: Option<i16>,
    /// The temperature, in tenths of a degree Celsius.
    pub temperature_dc: Option<i16>,
    /// The power offered to the vehicle, in W.
    pub offered_w: Option<i32>,
    /// The current offered to the vehicle, in mA.
    pub offered_ma: Option<i32>,
    /// Readings without a column: a JSON array of `SampledValue`s.
    pub rest: Option<String>,
    /// Sorted.
    pub flags: Vec<Flag>,
}

/// A signed meter value. It is evidence: not a character may change.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// The charger's time.
    pub at: Option<Timestamp>,
    /// Always one of the standard's.
    pub context: ReadingContext,
    /// As written, or the default.
    pub measurand: String,
    /// The signed data.
    pub value: String,
}

/// What a register can hold at most, in Wh: a terawatt hour. No outlet ever delivered it, and sums of millions of such
/// registers still fit 64 bits.
const MOST_WH: i64 = 1_000_000_000_000;

/// A register's reading in Wh, if it can be one. Negative ones can: registers are reset, and some count both ways.
pub fn register(energy_wh: i64) -> Option<i64> {
    (-MOST_WH..=MOST_WH)
        .contains(&energy_wh)
        .then_some(energy_wh)
}

/// Makes wide samples of the meter values of MeterValues or StopTransaction. Readings of one time and context share one.
pub fn normalise(values: &[MeterValue], habits: Habits) -> Readings {
    let mut gathered = Gathered {
        habits,
        ..Gathered::default()
    };
    for value in values {
        // Readings at the outlet are what is sold; those elsewhere take only the columns left over.
        let is_outlet =
            |reading: &&SampledValue| matches!(reading.location, None | Some(Location::Outlet));
        let readings = value.sampled_value.iter();
        for reading in readings
            .clone()
            .filter(is_outlet)
            .chain(readings.filter(|reading| !is_outlet(reading)))
        {
            gathered.add(value.timestamp, reading);
        }
    }
    gathered.finish()
}

#[derive(Default)]
struct Gathered<'a> {
    habits: Habits,
    drafts: Vec<Draft<'a>>,
    signed: Vec<Signed>,
    flags: Vec<Flag>,
}

impl<'a> Gathered<'a> {
    fn add(&mut self, at: Option<Timestamp>, reading: &'a SampledValue) {
        let written = reading
            .context
            .as_ref()
            .unwrap_or(&ReadingContext::SamplePeriodic);
        let context = lenient::context(written);
        let value = reading.value.as_deref().unwrap_or("");
        if reading.format == Some(ValueFormat::SignedData) {
            let measurand = reading
                .measurand
                .as_ref()
                .unwrap_or(&Measurand::EnergyActiveImportRegister);
            let (measurand, value) = (measurand.to_string(), value.to_owned());
            return self.signed.push(Signed {
                at,
                context,
                measurand,
                value,
            });
        }
        if lenient::is_no_reading(value) {
            return self.flags.push(Flag::ValueDropped);
        }
        let habits = self.habits;
        let is_it = |draft: &Draft<'_>| draft.sample.at == at && draft.sample.context == context;
        let found = self.drafts.iter().position(is_it).unwrap_or_else(|| {
            self.drafts.push(Draft::new(at, context.clone()));
            self.drafts.len() - 1
        });
        let draft = &mut self.drafts[found];
        if context != *written {
            draft.flag(Flag::ContextUnknown);
        }
        if let Err(flag) = draft.place(reading, value, habits) {
            draft.rest.push(reading);
            draft.sample.flags.extend(flag);
        }
    }

    fn finish(self) -> Readings {
        let samples: Vec<Sample> = self.drafts.into_iter().map(Draft::finish).collect();
        let mut flags = self.flags;
        flags.extend(samples.iter().flat_map(|sample| &sample.flags));
        flags.sort_unstable();
        flags.dedup();
        Readings {
            samples,
            signed: self.signed,
            flags,
        }
    }
}

/// A sample in the making.
struct Draft<'a> {
    sample: Sample,
    energy_of_phases: [Option<i64>; 3],
    power_of_phases: [Option<i64>; 3],
    rest: Vec<&'a SampledValue>,
}

impl<'a> Draft<'a> {
    fn new(at: Option<Timestamp>, context: ReadingContext) -> Self {
        let flags = match at.map(|at| (at.credible(), at.flaw())) {
            None | Some((None, _)) => vec![Flag::TimeMissing],
            Some((_, Some(TimeFlaw::ZoneAssumed))) => vec![Flag::TimeZoneAssumed],
            Some((_, Some(_))) => vec![Flag::TimeMended],
            Some((_, None)) => Vec::new(),
        };
        let sample = Sample {
            at,
            context,
            energy_wh: None,
            power_w: None,
            current_ma: [None; 3],
            voltage_mv: [None; 3],
            soc_pm: None,
            temperature_dc: None,
            offered_w: None,
            offered_ma: None,
            rest: None,
            flags,
        };
        Draft {
            sample,
            energy_of_phases: [None; 3],
            power_of_phases: [None; 3],
            rest: Vec::new(),
        }
    }

    fn flag(&mut self, flag: Flag) {
        self.sample.flags.push(flag);
    }

    /// Puts a reading in its column. `Err` sends it to the rest, with the reason if it is odd.
    fn place(
        &mut self,
        reading: &SampledValue,
        value: &str,
        habits: Habits,
    ) -> Result<(), Option<Flag>> {
        let measurand = reading
            .measurand
            .as_ref()
            .unwrap_or(&Measurand::EnergyActiveImportRegister);
        let Some((quantity, scale)) = column(measurand) else {
            return Err(None);
        };
        let number = read_decimal(value).ok_or(Flag::ValueOdd)?;
        let unit = reading.unit.as_ref().map(UnitOfMeasure::as_str);
        let (number, flaw) = lenient::convert(number, unit, quantity).ok_or(Flag::UnitUnknown)?;
        let is_mislabelled = habits.wh_means_kwh
            && quantity == Quantity::Energy
            && unit.is_none_or(|unit| {
                unit.trim().is_empty() || unit.trim().eq_ignore_ascii_case("wh")
            });
        let number = if is_mislabelled {
            number
                .checked_mul(Decimal::ONE_THOUSAND)
                .ok_or(Flag::ValueOdd)?
        } else {
            number
        };
        let number = whole(number, scale).ok_or(Flag::ValueOdd)?;
        self.set(measurand, reading, number)?;
        match flaw {
            Some(UnitFlaw::Assumed) => self.flag(Flag::UnitAssumed),
            Some(UnitFlaw::Mended) => self.flag(Flag::UnitMended),
            None => {}
        }
        Ok(())
    }

    fn set(
        &mut self,
        measurand: &Measurand,
        reading: &SampledValue,
        number: i64,
    ) -> Result<(), Option<Flag>> {
        let conductor = match &reading.phase {
            None => None,
            Some(phase) => Some(lenient::conductor(phase).ok_or(None)?),
        };
        let sample = &mut self.sample;
        if *measurand == Measurand::EnergyActiveImportRegister {
            register(number).ok_or(Flag::ValueOdd)?;
        }
        match (measurand, conductor) {
            (Measurand::EnergyActiveImportRegister, None) => fill(&mut sample.energy_wh, number),
            (Measurand::PowerActiveImport, None) => fill(&mut sample.power_w, number),
            (Measurand::EnergyActiveImportRegister, Some(phase)) => {
                fill(&mut self.energy_of_phases[phase], number)?;
                Err(None)
            }
            (Measurand::PowerActiveImport, Some(phase)) => {
                fill(&mut self.power_of_phases[phase], number)?;
                Err(None)
            }
            (Measurand::CurrentImport, phase) => {
                fill(&mut sample.current_ma[phase.unwrap_or(0)], number)
            }
            (Measurand::Voltage, phase) => fill(&mut sample.voltage_mv[phase.unwrap_or(0)], number),
            (Measurand::SoC, None) if (0..=1000).contains(&number) => {
                fill(&mut sample.soc_pm, number)
            }
            (Measurand::Temperature, None) => fill(&mut sample.temperature_dc, number),
            (Measurand::PowerOffered, None) => fill(&mut sample.offered_w, number),
            (Measurand::CurrentOffered, None | Some(0)) => fill(&mut sample.offered_ma, number),
            (Measurand::CurrentOffered | Measurand::PowerOffered | Measurand::Temperature, _) => {
                Err(None)
            }
            _ => Err(Some(Flag::ValueOdd)),
        }
    }

    fn finish(mut self) -> Sample {
        if self.sample.energy_wh.is_none() {
            self.sample.energy_wh = self.total(self.energy_of_phases);
        }
        if self.sample.power_w.is_none() {
            self.sample.power_w = self
                .total(self.power_of_phases)
                .and_then(|watts| watts.try_into().ok());
        }
        if !self.rest.is_empty() {
            self.sample.rest = Some(
                serde_json::to_string(&self.rest).expect("a SampledValue is always valid JSON"),
            );
        }
        self.sample.flags.sort_unstable();
        self.sample.flags.dedup();
        self.sample
    }

    fn total(&mut self, phases: [Option<i64>; 3]) -> Option<i64> {
        let known = phases.into_iter().flatten();
        let total = known.reduce(i64::saturating_add)?;
        self.flag(Flag::Summed);
        Some(total)
    }
}

/// The measurands that have a column: what they measure, and how many of the column's unit make one of the quantity's.
fn column(measurand: &Measurand) -> Option<(Quantity, Decimal)> {
    match measurand {
        Measurand::EnergyActiveImportRegister => Some((Quantity::Energy, Decimal::ONE)),
        Measurand::PowerActiveImport | Measurand::PowerOffered => {
            Some((Quantity::Power, Decimal::ONE))
        }
        Measurand::CurrentImport | Measurand::CurrentOffered => {
            Some((Quantity::Current, Decimal::ONE_THOUSAND))
        }
        Measurand::Voltage => Some((Quantity::Voltage, Decimal::ONE_THOUSAND)),
        Measurand::SoC => Some((Quantity::Charge, Decimal::TEN)),
        Measurand::Temperature => Some((Quantity::Temperature, Decimal::TEN)),
        _ => None,
    }
}

fn whole(number: Decimal, scale: Decimal) -> Option<i64> {
    let scaled = number.checked_mul(scale)?;
    scaled
        .round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero)
        .try_into()
        .ok()
}

/// The first value takes the column; the same again is nothing new.
fn fill<T: TryFrom<i64> + PartialEq + Copy>(
    column: &mut Option<T>,
    number: i64,
) -> Result<(), Option<Flag>> {
    let value = T::try_from(number).map_err(|_| Flag::ValueOdd)?;
    match column.replace(value) {
        None => Ok(()),
        Some(first) => {
            *column = Some(first);
            if first == value {
                Ok(())
            } else {
                Err(Some(Flag::ValueContradicts))
            }
        }
    }
}
