//! The Tariff object, field by field. Numbers are read from their digits and written as digits: a binary fraction never
//! comes between.

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _, ser::Error as _};
use serde_json::{Value, value::RawValue};

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tariff {
    pub(super) country_code: String,
    pub(super) party_id: String,
    pub(super) id: String,
    pub(super) currency: String,
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<TariffType>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tariff_alt_text: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) tariff_alt_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) min_price: Option<Price>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max_price: Option<Price>,
    pub(super) elements: Vec<Element>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) start_date_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) end_date_time: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) energy_mix: Option<Value>,
    pub(super) last_updated: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum TariffType {
    AdHocPayment,
    ProfileCheap,
    ProfileFast,
    ProfileGreen,
    Regular,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Price {
    pub(super) excl_vat: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) incl_vat: Option<Number>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Element {
    pub(super) price_components: Vec<Component>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) restrictions: Option<Restrictions>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Component {
    #[serde(rename = "type")]
    pub(super) dimension: Dimension,
    pub(super) price: Number,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) vat: Option<Number>,
    pub(super) step_size: u32,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Dimension {
    Energy,
    Flat,
    ParkingTime,
    Time,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Restrictions {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) start_date: Option<chrono::NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) end_date: Option<chrono::NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_kwh: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_kwh: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_current: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_current: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_power: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_power: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) min_duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) max_duration: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) day_of_week: Vec<Day>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reservation: Option<Reservation>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Reservation {
    Reservation,
    ReservationExpires,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Day {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

impl Day {
    /// In the order of [`crate::tariff::Weekday::ALL`].
    pub(super) const ALL: [Self; 7] = [
        Self::Monday,
        Self::Tuesday,
        Self::Wednesday,
        Self::Thursday,
        Self::Friday,
        Self::Saturday,
        Self::Sunday,
    ];
}

/// A JSON number, to the digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(pub(super) Decimal);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(from)?;
        let text = raw.get();
        text.parse()
            .or_else(|_| Decimal::from_scientific(text))
            .map(Self)
            .map_err(|_| D::Error::custom(format_args!("{text} stands where a number is expected")))
    }
}

impl Serialize for Number {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let digits = RawValue::from_string(self.0.to_string()).map_err(S::Error::custom)?;
        digits.serialize(to)
    }
}
