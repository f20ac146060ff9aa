//! The lowest and the highest price of a session, as lines of their own. What is taken off is taken from what is taxed
//! highest first; what is added is taxed as the largest part of the price is.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use store::money::Rounding;

use super::{
    Line, LineKind,
    usage::{net_of, tax_on},
};
use crate::tariff::{Limit, Tariff};

/// What is on the lines of a tax rate, or to be put there.
#[derive(Debug, Clone, Copy, Default)]
struct Sum {
    net: Decimal,
    tax: Decimal,
}

impl Sum {
    fn total(self) -> Decimal {
        self.net + self.tax
    }

    fn plus(self, other: Self) -> Self {
        Self {
            net: self.net + other.net,
            tax: self.tax + other.tax,
        }
    }
}

/// How amounts of a tariff are rounded and where its limit's lines stand in time.
pub(super) struct Limits<'t> {
    pub(super) tariff: &'t Tariff,
    pub(super) rounding: Rounding,
    pub(super) time: (DateTime<Utc>, DateTime<Utc>),
}

impl Limits<'_> {
    /// Adds what is missing to the lowest price.
    pub(super) fn raise(&self, lines: &mut Vec<Line>) -> Option<()> {
        let Some(Limit { net, total }) = self.tariff.min_price else {
            return Some(());
        };
        let sums = sums(lines);
        let largest = sums
            .iter()
            .max_by_key(|(_, sum)| sum.net)
            .map(|(rate, sum)| (*rate, *sum));
        let (rate, before) = largest.unwrap_or_else(|| (self.first_rate(), Sum::default()));
        let all = sums
            .values()
            .fold(Sum::default(), |all, sum| all.plus(*sum));
        let mut added = Sum::default();
        let missing = net.map_or(Decimal::ZERO, |least| least - all.net);
        if missing > Decimal::ZERO {
            added = self.by_net(before, rate, missing)?;
        }
        let missing = total.map_or(Decimal::ZERO, |least| least - all.plus(added).total());
        if missing > Decimal::ZERO {
            added = added.plus(self.by_total(before.plus(added), rate, missing)?);
        }
        self.push(lines, LineKind::Minimum, rate, added);
        Some(())
    }

    /// Takes off what is above the highest price.
    pub(super) fn cap(&self, lines: &mut Vec<Line>) -> Option<()> {
        let Some(Limit { net, total }) = self.tariff.max_price else {
            return Some(());
        };
        let mut sums = sums(lines);
        let mut taken: BTreeMap<Decimal, Sum> = BTreeMap::new();
        let all = |sums: &BTreeMap<Decimal, Sum>| {
            sums.values()
                .fold(Sum::default(), |all, sum| all.plus(*sum))
        };
        let mut excess = net.map_or(Decimal::ZERO, |most| all(&sums).net - most);
        for (rate, sum) in sums.iter_mut().rev() {
            if excess > Decimal::ZERO && sum.net > Decimal::ZERO {
                let off = self.by_net(*sum, *rate, -excess.min(sum.net))?;
                excess += off.net;
                *sum = sum.plus(off);
                taken.insert(*rate, off);
            }
        }
        let mut excess = total.map_or(Decimal::ZERO, |most| all(&sums).total() - most);
        for (rate, sum) in sums.iter_mut().rev() {
            if excess > Decimal::ZERO && sum.total() > Decimal::ZERO {
                let off = self.by_total(*sum, *rate, -excess.min(sum.total()))?;
                excess += off.total();
                *sum = sum.plus(off);
                let before = taken.entry(*rate).or_default();
                *before = before.plus(off);
            }
        }
        for (rate, off) in taken.into_iter().rev() {
            self.push(lines, LineKind::Maximum, rate, off);
        }
        Some(())
    }

    /// The tax of a change is what makes the whole rate's tax right.
    fn by_net(&self, before: Sum, rate: Decimal, net: Decimal) -> Option<Sum> {
        let tax = tax_on(before.net + net, rate, self.rounding, self.decimals())?;
        Some(Sum {
            net,
            tax: tax - before.tax,
        })
    }

    fn by_total(&self, before: Sum, rate: Decimal, total: Decimal) -> Option<Sum> {
        let net =
            net_of(before.total() + total, rate, self.rounding, self.decimals())? - before.net;
        Some(Sum {
            net,
            tax: total - net,
        })
    }

    fn decimals(&self) -> u32 {
        self.tariff.currency.exponent()
    }

    fn first_rate(&self) -> Decimal {
        let mut components = self
            .tariff
            .elements
            .iter()
            .flat_map(|element| &element.components);
        components.next().map_or(self.tariff.tax_rate, |component| {
            self.tariff.tax_rate_of(component)
        })
    }

    fn push(&self, lines: &mut Vec<Line>, kind: LineKind, tax_rate: Decimal, sum: Sum) {
        if sum.net.is_zero() && sum.tax.is_zero() {
            return;
        }
        let total = sum.total();
        lines.push(Line {
            kind,
            source: None,
            element: None,
            quantity: Decimal::ONE,
            rounded_up: Decimal::ZERO,
            unit_price: if self.tariff.prices_include_tax {
                total
            } else {
                sum.net
            },
            tax_rate,
            net: sum.net,
            tax: sum.tax,
            total,
            from: self.time.0,
            to: self.time.1,
        });
    }
}

fn sums(lines: &[Line]) -> BTreeMap<Decimal, Sum> {
    let mut sums: BTreeMap<Decimal, Sum> = BTreeMap::new();
    for line in lines {
        let sum = sums.entry(line.tax_rate).or_default();
        *sum = sum.plus(Sum {
            net: line.net,
            tax: line.tax,
        });
    }
    sums
}
