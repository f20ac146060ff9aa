//! Money: a decimal amount with its currency, and how it is rounded. Never a float; amounts of two currencies are never
//! added.

use std::{fmt, str::FromStr};

use rust_decimal::{Decimal, RoundingStrategy};

/// A currency of ISO 4217 that has minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Decimals of its minor unit: 2 for EUR, 0 for JPY, 3 for KWD.
    pub fn exponent(self) -> u32 {
        self.0.exponent().map_or(2, u32::from)
    }

    /// The three letters.
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// What people write before an amount: `€`.
    pub fn symbol(self) -> String {
        self.0.symbol().to_string()
    }
}

/// Three capital letters that ISO 4217 does not give to a currency people pay with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no currency; an ISO 4217 code such as EUR is expected")]
pub struct NoCurrency(pub String);

impl FromStr for Currency {
    type Err = NoCurrency;

    fn from_str(code: &str) -> Result<Self, NoCurrency> {
        iso_currency::Currency::from_code(code)
            // Gold, test codes and the like have no minor unit, and nobody pays with them.
            .filter(|currency| currency.exponent().is_some())
            .map(Currency)
            .ok_or_else(|| NoCurrency(code.to_owned()))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// How a half of the minor unit is rounded (spec money-and-privacy, "Rounding").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rounding {
    /// Away from zero.
    #[default]
    HalfUp,
    /// To the even neighbour.
    HalfEven,
}

impl Rounding {
    /// As stored in `legal_entities.rounding`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HalfUp => "half-up",
            Self::HalfEven => "half-even",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::HalfUp, Self::HalfEven]
            .into_iter()
            .find(|rounding| rounding.as_str() == text)
    }

    /// `amount` to `decimals` places.
    pub fn round(self, amount: Decimal, decimals: u32) -> Decimal {
        let strategy = match self {
            Self::HalfUp => RoundingStrategy::MidpointAwayFromZero,
            Self::HalfEven => RoundingStrategy::MidpointNearestEven,
        };
        amount.round_dp_with_strategy(decimals, strategy)
    }
}

/// An amount in a currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// In the currency's major unit.
    pub amount: Decimal,
    /// Which one.
    pub currency: Currency,
}

impl Money {
    /// Nothing, in a currency.
    pub fn zero(currency: Currency) -> Self {
        Self {
            amount: Decimal::ZERO,
            currency,
        }
    }

    /// To the currency's minor unit.
    #[must_use]
    pub fn rounded(self, rounding: Rounding) -> Self {
        Self {
            amount: rounding.round(self.amount, self.currency.exponent()),
            ..self
        }
    }

    /// The sum, if both are of one currency and it can be counted.
    pub fn checked_add(self, other: Self) -> Option<Self> {
        (self.currency == other.currency)
            .then(|| self.amount.checked_add(other.amount))
            .flatten()
            .map(|amount| Self { amount, ..self })
    }
}

/// With as many decimals as the currency has at least: `17.50 EUR`, `120 JPY`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut amount = self.amount.normalize();
        amount.rescale(amount.scale().max(self.currency.exponent()));
        write!(f, "{amount} {}", self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn money(amount: &str, code: &str) -> Money {
        Money {
            amount: amount.parse().unwrap(),
            currency: code.parse().unwrap(),
        }
    }

    #[test]
    fn a_currency_knows_its_minor_unit() {
        let exponent = |code: &str| code.parse::<Currency>().unwrap().exponent();
        assert_eq!(
            (
                exponent("EUR"),
                exponent("JPY"),
                exponent("KWD"),
                exponent("JMD")
            ),
            (2, 0, 3, 2)
        );
        for wrong in ["eur", "EURO", "", "XXX", "XAU", "QQQ"] {
            assert!(wrong.parse::<Currency>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn halves_are_rounded_as_agreed() {
        let round = |rounding: Rounding, amount: &str, code: &str| {
            money(amount, code).rounded(rounding).to_string()
        };
        assert_eq!(round(Rounding::HalfUp, "0.125", "EUR"), "0.13 EUR");
        assert_eq!(round(Rounding::HalfEven, "0.125", "EUR"), "0.12 EUR");
        assert_eq!(round(Rounding::HalfUp, "-0.125", "EUR"), "-0.13 EUR");
        assert_eq!(round(Rounding::HalfUp, "120.5", "JPY"), "121 JPY");
        assert_eq!(round(Rounding::HalfEven, "1.0005", "KWD"), "1.000 KWD");
    }

    #[test]
    fn two_currencies_are_never_added() {
        assert_eq!(money("1", "EUR").checked_add(money("1", "USD")), None);
        assert_eq!(
            money("1.2", "EUR").checked_add(money("0.3", "EUR")),
            Some(money("1.5", "EUR"))
        );
        assert_eq!(
            Money {
                amount: Decimal::MAX,
                ..money("0", "EUR")
            }
            .checked_add(money("1", "EUR")),
            None
        );
    }
}
