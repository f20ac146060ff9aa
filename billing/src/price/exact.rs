//! Exact fractions. Almost all fit in two `i128` and are not even reduced; what does not fit is counted with big
//! integers, so that no sum depends on the order of its parts.

use std::cmp::Ordering;

use num_bigint::BigInt;
use num_rational::BigRational;
use num_traits::{Signed, ToPrimitive, Zero};
use rust_decimal::Decimal;
use store::money::Rounding;

/// A fraction.
#[derive(Debug, Clone)]
pub(super) enum Exact {
    /// Numerator and positive denominator, not reduced.
    Small(i128, i128),
    /// What does not fit.
    Big(Box<BigRational>),
}

use Exact::{Big, Small};

impl Exact {
    pub(super) const ZERO: Self = Small(0, 1);

    /// `of` parts of which `in_one` make one; `in_one` must be positive.
    pub(super) fn ratio(of: i128, in_one: i128) -> Self {
        debug_assert!(in_one > 0);
        Small(of, in_one)
    }

    fn big(&self) -> BigRational {
        match self {
            Small(of, in_one) => BigRational::new(BigInt::from(*of), BigInt::from(*in_one)),
            Big(big) => (**big).clone(),
        }
    }

    fn reduced(&self) -> Option<(i128, i128)> {
        match *self {
            Small(of, in_one) => {
                let common = gcd(of.unsigned_abs(), in_one.unsigned_abs());
                let common = i128::try_from(common).ok()?;
                Some((of / common, in_one / common))
            }
            Big(_) => None,
        }
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        self.with(
            other,
            |(a, b), (c, d)| {
                if b == d {
                    Some((a.checked_add(c)?, b))
                } else {
                    let of = a.checked_mul(d)?.checked_add(c.checked_mul(b)?)?;
                    Some((of, b.checked_mul(d)?))
                }
            },
            |a, b| a + b,
        )
    }

    pub(super) fn sub(&self, other: &Self) -> Self {
        self.add(&match other {
            Small(of, in_one) if *of > i128::MIN => Small(-of, *in_one),
            other => Big(Box::new(-other.big())),
        })
    }

    pub(super) fn mul(&self, other: &Self) -> Self {
        self.with(
            other,
            |(a, b), (c, d)| Some((a.checked_mul(c)?, b.checked_mul(d)?)),
            |a, b| a * b,
        )
    }

    /// As it is, else reduced, else with big integers.
    fn with(
        &self,
        other: &Self,
        small: impl Fn((i128, i128), (i128, i128)) -> Option<(i128, i128)>,
        big: impl Fn(BigRational, BigRational) -> BigRational,
    ) -> Self {
        if let (Small(a, b), Small(c, d)) = (self, other)
            && let Some((of, in_one)) = small((*a, *b), (*c, *d))
        {
            return Small(of, in_one);
        }
        if let Some((first, second)) = self.reduced().zip(other.reduced())
            && let Some((of, in_one)) = small(first, second)
        {
            return Small(of, in_one);
        }
        Big(Box::new(big(self.big(), other.big())))
    }

    pub(super) fn is_zero(&self) -> bool {
        match self {
            Small(of, _) => *of == 0,
            Big(big) => big.is_zero(),
        }
    }

    /// The smallest whole number that is no less.
    pub(super) fn ceil(&self) -> Option<i128> {
        match self {
            Small(of, in_one) => {
                Some(of.div_euclid(*in_one) + i128::from(of.rem_euclid(*in_one) != 0))
            }
            Big(big) => big.ceil().to_integer().to_i128(),
        }
    }

    /// To so many decimals; none if a [`Decimal`] has no room for it.
    pub(super) fn round(&self, rounding: Rounding, decimals: u32) -> Option<Decimal> {
        let scale = 10_i128.checked_pow(decimals)?;
        let whole = match self {
            Small(of, in_one) if of.checked_mul(scale).is_some() => {
                let of = of * scale;
                let (whole, rest) = (of / in_one, (of % in_one).unsigned_abs());
                let left = in_one.unsigned_abs() - rest;
                whole + of.signum() * i128::from(is_up(rounding, rest.cmp(&left), whole % 2 != 0))
            }
            _ => {
                let scaled = self.big() * BigInt::from(scale);
                let whole = scaled.trunc();
                let rest = (&scaled - &whole).abs();
                let half = BigRational::new(BigInt::from(1), BigInt::from(2));
                let whole = whole.to_integer().to_i128()?;
                let sign = if scaled.is_negative() { -1 } else { 1 };
                whole + sign * i128::from(is_up(rounding, rest.cmp(&half), whole % 2 != 0))
            }
        };
        Decimal::try_from_i128_with_scale(whole, decimals).ok()
    }
}

fn is_up(rounding: Rounding, rest_to_half: Ordering, is_odd: bool) -> bool {
    match rest_to_half {
        Ordering::Less => false,
        Ordering::Greater => true,
        Ordering::Equal => rounding == Rounding::HalfUp || is_odd,
    }
}

impl From<i64> for Exact {
    fn from(whole: i64) -> Self {
        Small(whole.into(), 1)
    }
}

impl From<Decimal> for Exact {
    fn from(decimal: Decimal) -> Self {
        // A Decimal has at most 28 decimals, which an i128 can say.
        Small(decimal.mantissa(), 10_i128.pow(decimal.scale()))
    }
}

impl Ord for Exact {
    fn cmp(&self, other: &Self) -> Ordering {
        if let (Small(a, b), Small(c, d)) = (self, other) {
            if b == d {
                return a.cmp(c);
            }
            if let Some((left, right)) = a.checked_mul(*d).zip(c.checked_mul(*b)) {
                return left.cmp(&right);
            }
        }
        self.big().cmp(&other.big())
    }
}

impl PartialOrd for Exact {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Exact {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Exact {}

fn gcd(mut a: u128, mut b: u128) -> u128 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round(of: i128, in_one: i128, rounding: Rounding) -> String {
        let small = Exact::ratio(of, in_one);
        let big = Big(Box::new(small.big()));
        let rounded = small.round(rounding, 2).unwrap();
        assert_eq!(big.round(rounding, 2), Some(rounded), "{of}/{in_one}");
        rounded.to_string()
    }

    #[test]
    fn halves_are_rounded_as_said_and_thirds_to_the_nearest() {
        use Rounding::{HalfEven, HalfUp};
        assert_eq!(round(1, 8, HalfUp), "0.13");
        assert_eq!(round(1, 8, HalfEven), "0.12");
        assert_eq!(round(3, 8, HalfEven), "0.38");
        assert_eq!(round(-1, 8, HalfUp), "-0.13");
        assert_eq!(round(-1, 8, HalfEven), "-0.12");
        assert_eq!(round(1, 3, HalfUp), "0.33");
        assert_eq!(round(2, 3, HalfEven), "0.67");
        assert_eq!(round(-5, 1000, HalfUp), "-0.01");
        assert_eq!(round(0, 7, HalfEven), "0.00");
    }

    #[test]
    fn what_does_not_fit_is_counted_all_the_same() {
        // Denominators of many primes: their product is far beyond an i128.
        let primes = [
            1_000_003, 1_000_033, 1_000_037, 1_000_039, 1_000_081, 1_000_099, 1_000_117, 1_000_121,
        ];
        let parts: Vec<Exact> = primes.iter().map(|&prime| Exact::ratio(1, prime)).collect();
        let forward = parts.iter().fold(Exact::ZERO, |sum, part| sum.add(part));
        let backward = parts
            .iter()
            .rev()
            .fold(Exact::ZERO, |sum, part| sum.add(part));
        assert!(matches!(forward, Big(_)));
        assert_eq!(forward, backward);
        let rest = parts
            .iter()
            .fold(forward.clone(), |sum, part| sum.sub(part));
        assert!(rest.is_zero());
        assert_eq!(forward.ceil(), Some(1));
        assert!(forward < Exact::ratio(8, 1_000_003) && forward > Exact::ratio(8, 1_000_121));
        assert_eq!(forward.mul(&Exact::ZERO), Exact::ZERO);
        assert_eq!(
            Exact::from(i64::MAX)
                .mul(&Exact::from(Decimal::MAX))
                .round(Rounding::HalfUp, 2),
            None
        );
    }

    #[test]
    fn ceilings_are_whole() {
        assert_eq!(Exact::ratio(7, 2).ceil(), Some(4));
        assert_eq!(Exact::ratio(8, 2).ceil(), Some(4));
        assert_eq!(Exact::ratio(-7, 2).ceil(), Some(-3));
        assert_eq!(Big(Box::new(Exact::ratio(7, 2).big())).ceil(), Some(4));
    }
}
