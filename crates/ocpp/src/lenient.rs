//! Harmless deviations of real chargers and what is made of them: units, phases, contexts, id tokens, configuration values.
//!
//! Rows name the quirk of `ocpp-quirks.md` they answer. Timestamps are in [`crate::timestamp`], JSON types in
//! [`crate::salvage`], frames in [`crate::frame::mend`]. A new deviation is a row here and a golden test in `tests/quirks.rs` or `tests/meter.rs`.

use rust_decimal::Decimal;

use crate::v16::{Phase, ReadingContext};

/// What a unit measures, with the unit that values are converted to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Wh
    Energy,
    /// W
    Power,
    /// A
    Current,
    /// V
    Voltage,
    /// Percent
    Charge,
    /// Degrees Celsius
    Temperature,
}

/// One way to write a unit.
struct Unit {
    /// In lower case.
    written: &'static str,
    quantity: Quantity,
    /// To the unit of the quantity; `None` if the number is out of bounds.
    convert: fn(Decimal) -> Option<Decimal>,
    /// Its name in the standard. Written in any other way, quirk 30 applies and the value is flagged.
    standard: Option<&'static str>,
}

const fn standard(
    name: &'static str,
    written: &'static str,
    quantity: Quantity,
    convert: fn(Decimal) -> Option<Decimal>,
) -> Unit {
    Unit {
        written,
        quantity,
        convert,
        standard: Some(name),
    }
}

const fn quirk(
    written: &'static str,
    quantity: Quantity,
    convert: fn(Decimal) -> Option<Decimal>,
) -> Unit {
    Unit {
        written,
        quantity,
        convert,
        standard: None,
    }
}

fn same(number: Decimal) -> Option<Decimal> {
    Some(number)
}

fn thousand(number: Decimal) -> Option<Decimal> {
    number.checked_mul(Decimal::ONE_THOUSAND)
}

fn thousandth(number: Decimal) -> Option<Decimal> {
    number.checked_div(Decimal::ONE_THOUSAND)
}

fn from_kelvin(number: Decimal) -> Option<Decimal> {
    number.checked_sub(Decimal::new(27_315, 2))
}

fn from_fahrenheit(number: Decimal) -> Option<Decimal> {
    let above_freezing = number.checked_sub(Decimal::from(32))?;
    above_freezing
        .checked_mul(Decimal::from(5))?
        .checked_div(Decimal::from(9))
}

const UNITS: [Unit; 26] = [
    standard("Wh", "wh", Quantity::Energy, same),
    standard("kWh", "kwh", Quantity::Energy, thousand),
    // Quirk 30: apparent energy on an active register is active energy with the wrong label.
    quirk("vah", Quantity::Energy, same),
    quirk("kvah", Quantity::Energy, thousand),
    standard("W", "w", Quantity::Power, same),
    standard("kW", "kw", Quantity::Power, thousand),
    standard("VA", "va", Quantity::Power, same),
    standard("kVA", "kva", Quantity::Power, thousand),
    standard("A", "a", Quantity::Current, same),
    quirk("amp", Quantity::Current, same),
    quirk("ma", Quantity::Current, thousandth),
    standard("V", "v", Quantity::Voltage, same),
    quirk("volt", Quantity::Voltage, same),
    quirk("mv", Quantity::Voltage, thousandth),
    standard("Percent", "percent", Quantity::Charge, same),
    quirk("%", Quantity::Charge, same),
    standard("Celsius", "celsius", Quantity::Temperature, same),
    // The spelling of the first edition (errata 2.1).
    standard("Celcius", "celcius", Quantity::Temperature, same),
    quirk("c", Quantity::Temperature, same),
    quirk("°c", Quantity::Temperature, same),
    quirk("degc", Quantity::Temperature, same),
    standard("K", "k", Quantity::Temperature, from_kelvin),
    quirk("kelvin", Quantity::Temperature, from_kelvin),
    standard(
        "Fahrenheit",
        "fahrenheit",
        Quantity::Temperature,
        from_fahrenheit,
    ),
    quirk("f", Quantity::Temperature, from_fahrenheit),
    quirk("°f", Quantity::Temperature, from_fahrenheit),
];

/// How sure a converted value is of its unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitFlaw {
    /// The unit was blank; the usual one is assumed.
    Assumed,
    /// The unit was written in another way than the standard's.
    Mended,
}

/// Converts a value to the unit of `quantity`. Without a unit it is in the standard's default already.
/// `None`: the unit is unknown or measures something else.
pub fn convert(
    value: Decimal,
    unit: Option<&str>,
    quantity: Quantity,
) -> Option<(Decimal, Option<UnitFlaw>)> {
    let Some(written) = unit else {
        return Some((value, None));
    };
    let trimmed = written.trim();
    if trimmed.is_empty() {
        return Some((value, Some(UnitFlaw::Assumed)));
    }
    let unit = UNITS
        .iter()
        .find(|unit| unit.quantity == quantity && unit.written.eq_ignore_ascii_case(trimmed))?;
    let flaw = (unit.standard != Some(written)).then_some(UnitFlaw::Mended);
    Some(((unit.convert)(value)?, flaw))
}

/// The conductor a reading belongs to, 0 to 2 for L1 to L3. Quirk 34: `L1-N` on a current is L1.
/// `None`: the neutral, a voltage between phases, or a phase we do not know.
pub fn conductor(phase: &Phase) -> Option<usize> {
    match phase {
        Phase::L1 | Phase::L1N => Some(0),
        Phase::L2 | Phase::L2N => Some(1),
        Phase::L3 | Phase::L3N => Some(2),
        Phase::Unlisted(name) => {
            let name = name.trim().to_ascii_uppercase();
            ["L1", "L2", "L3"]
                .iter()
                .position(|phase| *phase == name.trim_end_matches("-N"))
        }
        Phase::N | Phase::L1L2 | Phase::L2L3 | Phase::L3L1 => None,
    }
}

/// One of the standard's contexts. Quirk 37: written in another case it is that one; unknown, it is `Other`.
pub fn context(written: &ReadingContext) -> ReadingContext {
    let ReadingContext::Unlisted(name) = written else {
        return written.clone();
    };
    let known = ReadingContext::NAMES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(name.trim()));
    known.map_or(ReadingContext::Other, |known| ReadingContext::from(*known))
}

/// The form of an id token to look it up by (quirks 36 and 49): without what cannot be printed and without blanks at its
/// ends, in lower case. Keep what the charger sent for the record.
pub fn token_key(token: &str) -> String {
    let printable: String = token
        .chars()
        .filter(|c| !c.is_control() && *c != '\u{fffd}')
        .collect();
    printable.trim().to_lowercase()
}

/// A token without what some chargers add to it (quirk 49): a suffix behind `_`, and separators between hexadecimal bytes.
/// For chargers that are known to do so: elsewhere the two could be part of a token.
pub fn tidy_token(token: &str) -> String {
    let separators = [':', '-', ' '];
    let whole = token.trim();
    let whole = whole.split_once('_').map_or(whole, |(before, _)| before);
    let is_byte = |part: &str| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit());
    if whole.contains(separators) && whole.split(separators).all(is_byte) {
        whole.replace(separators, "")
    } else {
        whole.to_owned()
    }
}

/// The items of a configuration value that is a list (quirk 39): quotes around it, blanks and empty items are dropped.
pub fn config_items(value: &str) -> impl Iterator<Item = &str> {
    let value = value.trim().trim_matches('"');
    value
        .split(',')
        .map(|item| item.trim().trim_matches('"').trim())
        .filter(|item| !item.is_empty())
}

/// Whether a written number says "no reading" (quirk 31): such a sample is dropped.
pub fn is_no_reading(value: &str) -> bool {
    let value = value.trim().trim_start_matches(['-', '+']);
    value.is_empty()
        || ["nan", "null", "none", "inf", "infinity", "n/a"]
            .iter()
            .any(|word| value.eq_ignore_ascii_case(word))
}
