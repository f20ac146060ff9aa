//! How values are written in JSON: decimals as strings, currencies by their code, zones by their name. A number where a
//! decimal must be is refused: what wrote it may have counted in binary fractions.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serializer, de::Error};

/// Serialises what has a text of its own.
pub fn serialize<T: fmt::Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

/// The reverse of [`serialize`].
pub fn deserialize<'de, T, D>(from: D) -> Result<T, D::Error>
where
    T: FromStr<Err: fmt::Display>,
    D: Deserializer<'de>,
{
    read(&String::deserialize(from)?)
}

/// The same for what may be missing.
pub mod option {
    use super::*;

    /// See [`super::serialize`].
    pub fn serialize<T: fmt::Display, S: Serializer>(
        value: &Option<T>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        match value {
            Some(value) => to.collect_str(value),
            None => to.serialize_none(),
        }
    }

    /// See [`super::deserialize`].
    pub fn deserialize<'de, T, D>(from: D) -> Result<Option<T>, D::Error>
    where
        T: FromStr<Err: fmt::Display>,
        D: Deserializer<'de>,
    {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| read(&text)).transpose()
    }
}

/// For [`store::money::Rounding`].
pub mod rounding {
    use super::*;
    use store::money::Rounding;

    /// See [`super::serialize`].
    pub fn serialize<S: Serializer>(value: &Rounding, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(value.as_str())
    }

    /// See [`super::deserialize`].
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Rounding, D::Error> {
        let text = String::deserialize(from)?;
        Rounding::parse(&text).ok_or_else(|| {
            D::Error::custom(format_args!(
                "{text:?} is no rounding; half-up or half-even is expected"
            ))
        })
    }
}

fn read<T: FromStr<Err: fmt::Display>, E: Error>(text: &str) -> Result<T, E> {
    text.parse()
        .map_err(|error| E::custom(format_args!("{text:?}: {error}")))
}

/// Is the value what `T` is by default? For fields that are left out then.
pub fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
