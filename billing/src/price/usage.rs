//! What was used, by the price it has: the accounts of a session, and the lines that are made of them. Quantities are
//! exact until a line is written; each amount is rounded once.

use rust_decimal::Decimal;
use store::money::Rounding;

use super::{Line, exact::Exact, readings::instant};
use crate::tariff::{Component, Kind, Source, Tariff};

/// How many decimals of a quantity are shown.
const SHOWN_DECIMALS: u32 = 6;
/// An amount beyond this is no price; sums of those below never overflow.
const MOST: Decimal = Decimal::from_parts(0, 1 << 20, 0, false, 0);
const WH_PER_KWH: i128 = 1000;
const MICROS_PER_HOUR: i128 = 3_600_000_000;

/// What makes two periods one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Account {
    pub(super) kind: Kind,
    pub(super) element: usize,
    pub(super) unit_price: Decimal,
    pub(super) source: Option<Source>,
}

/// What is on an account.
struct Entry<'t> {
    account: Account,
    component: &'t Component,
    /// Wh, µs, or times.
    quantity: Exact,
    rounded_up: Exact,
    from: i64,
    to: i64,
}

/// The accounts of a session.
#[derive(Default)]
pub(super) struct Usage<'t> {
    entries: Vec<Entry<'t>>,
    /// By kind, the entry of its last period.
    last: [Option<usize>; Kind::ALL.len()],
}

impl<'t> Usage<'t> {
    pub(super) fn put(
        &mut self,
        account: Account,
        component: &'t Component,
        quantity: &Exact,
        (from, to): (i64, i64),
    ) {
        let known = self
            .entries
            .iter()
            .position(|entry| entry.account == account);
        let index = known.unwrap_or(self.entries.len());
        match self.entries.get_mut(index) {
            Some(entry) => {
                entry.quantity = entry.quantity.add(quantity);
                (entry.from, entry.to) = (entry.from.min(from), entry.to.max(to));
            }
            None => self.entries.push(Entry {
                account,
                component,
                quantity: quantity.clone(),
                rounded_up: Exact::ZERO,
                from,
                to,
            }),
        }
        self.last[account.kind as usize] = Some(index);
    }

    /// How many accounts a kind has.
    pub(super) fn count(&self, kind: Kind) -> usize {
        self.of(kind).count()
    }

    fn of(&self, kind: Kind) -> impl Iterator<Item = &Entry<'t>> {
        self.entries
            .iter()
            .filter(move |entry| entry.account.kind == kind)
    }

    /// The step size, once a session: the total of a kind becomes whole steps of its last period's component, and what
    /// that adds is on that period's account (OCPI 2.2.1, mod_cdrs, "step_size"). Charging time is not rounded up if
    /// idle time follows it.
    pub(super) fn round_up(&mut self) {
        for kind in Kind::ALL {
            let Some(last) = self.last[kind as usize] else {
                continue;
            };
            let Some(step) = step(self.entries[last].component) else {
                continue;
            };
            let is_followed = self.entries[last].component.while_charging
                && self.last[Kind::Idle as usize].is_some();
            if is_followed {
                continue;
            }
            let total = self
                .of(kind)
                .fold(Exact::ZERO, |sum, entry| sum.add(&entry.quantity));
            let steps = total.mul(&Exact::ratio(1, step)).ceil();
            let Some(whole) = steps.and_then(|steps| steps.checked_mul(step)) else {
                continue;
            };
            let added = Exact::ratio(whole, 1).sub(&total);
            let entry = &mut self.entries[last];
            entry.quantity = entry.quantity.add(&added);
            entry.rounded_up = added;
        }
    }

    /// One line an account, in the order of the kinds and of time; none if an amount has more digits than money.
    pub(super) fn lines(mut self, tariff: &Tariff, rounding: Rounding) -> Option<Vec<Line>> {
        self.entries.sort_by_key(|entry| {
            let Account {
                kind,
                element,
                unit_price,
                source,
            } = entry.account;
            (kind, entry.from, element, source, unit_price)
        });
        let lines = self
            .entries
            .iter()
            .map(|entry| entry.line(tariff, rounding));
        lines.collect()
    }
}

impl Entry<'_> {
    fn line(&self, tariff: &Tariff, rounding: Rounding) -> Option<Line> {
        let Account {
            kind,
            element,
            unit_price,
            source,
        } = self.account;
        let unit = Exact::ratio(1, unit(kind));
        let quantity = self.quantity.mul(&unit);
        let shown = |quantity: &Exact| {
            Some(
                quantity
                    .round(Rounding::HalfUp, SHOWN_DECIMALS)?
                    .normalize(),
            )
        };
        let decimals = tariff.currency.exponent();
        let tax_rate = tariff.tax_rate_of(self.component);
        let amount = quantity
            .mul(&Exact::from(unit_price))
            .round(rounding, decimals)?;
        if amount > MOST {
            return None;
        }
        let (net, tax, total) = if tariff.prices_include_tax {
            let net = net_of(amount, tax_rate, rounding, decimals)?;
            (net, amount.checked_sub(net)?, amount)
        } else {
            let tax = tax_on(amount, tax_rate, rounding, decimals)?;
            (amount, tax, amount.checked_add(tax)?)
        };
        Some(Line {
            kind: kind.into(),
            source,
            element: Some(element),
            quantity: shown(&quantity)?,
            rounded_up: shown(&self.rounded_up.mul(&unit))?,
            unit_price,
            tax_rate,
            net,
            tax,
            total,
            from: instant(self.from),
            to: instant(self.to),
        })
    }
}

/// So many Wh or µs make one of what has a price.
fn unit(kind: Kind) -> i128 {
    match kind {
        Kind::Start | Kind::ReservationFee => 1,
        Kind::Energy => WH_PER_KWH,
        Kind::Time | Kind::Idle | Kind::Reservation => MICROS_PER_HOUR,
    }
}

/// A component's step in Wh or µs.
fn step(component: &Component) -> Option<i128> {
    let in_one = match component.kind {
        Kind::Start | Kind::ReservationFee => return None,
        Kind::Energy => 1,
        Kind::Time | Kind::Idle | Kind::Reservation => 1_000_000,
    };
    (component.step_size > 0).then(|| i128::from(component.step_size) * in_one)
}

/// The tax on an amount without.
pub(super) fn tax_on(
    net: Decimal,
    rate: Decimal,
    rounding: Rounding,
    decimals: u32,
) -> Option<Decimal> {
    let share = Exact::from(rate).mul(&Exact::ratio(1, 100));
    Exact::from(net).mul(&share).round(rounding, decimals)
}

/// What is left of an amount without its tax.
pub(super) fn net_of(
    total: Decimal,
    rate: Decimal,
    rounding: Rounding,
    decimals: u32,
) -> Option<Decimal> {
    let scale = 10_i128.checked_pow(rate.scale())?;
    let hundred = scale.checked_mul(100)?;
    let share = Exact::ratio(hundred, hundred.checked_add(rate.mantissa())?);
    Exact::from(total).mul(&share).round(rounding, decimals)
}
