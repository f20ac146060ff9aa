//! A tariff, made ready to be asked: which component holds at a moment, and at which moments the answer can change.

use std::collections::BTreeSet;

use chrono::NaiveDate;
use rust_decimal::Decimal;

use super::{
    clock::{self, Shown},
    curve::{Curve, Piece},
    exact::Exact,
};
use crate::tariff::{Component, HIGHEST_PRICE, Kind, Price, Restrictions, Source, Tariff};

/// What can change the answer within a session.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// Times of day, microseconds.
    pub(super) times: BTreeSet<i64>,
    /// Microseconds since the session's start.
    pub(super) durations: BTreeSet<i64>,
    /// Wh since the session's start.
    pub(super) energies: BTreeSet<u64>,
    /// W.
    pub(super) powers: BTreeSet<u64>,
    /// Microseconds since the end of charging.
    pub(super) graces: BTreeSet<i64>,
    /// Where the energy comes from.
    pub(super) source: bool,
    /// The hour of a feed.
    pub(super) hours: bool,
}

/// A tariff that can be asked.
pub(super) struct Rules<'t> {
    pub(super) tariff: &'t Tariff,
    pub(super) asked: Asked,
    /// Does an energy price depend on the source? Then its lines name it.
    pub(super) energy_by_source: bool,
}

/// A component and the element it stands in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chosen<'t> {
    pub(super) element: usize,
    pub(super) component: &'t Component,
}

/// All that a restriction can ask about.
pub(super) struct Moment<'c> {
    pub(super) shown: Option<Shown>,
    pub(super) holidays: &'c BTreeSet<NaiveDate>,
    /// Microseconds since the session's start.
    pub(super) duration: i64,
    /// Since the session's start.
    pub(super) wh: &'c Exact,
    /// The mean power around the moment; none while nothing can be charged.
    pub(super) power: Option<(&'c Curve, Piece)>,
    pub(super) source: Source,
}

const SECOND: i64 = 1_000_000;

impl<'t> Rules<'t> {
    pub(super) fn new(tariff: &'t Tariff) -> Self {
        let mut asked = Asked::default();
        let mut energy_by_source = false;
        for element in &tariff.elements {
            let when = &element.restrictions;
            clock::times_asked(when, &mut asked.times);
            let durations = [when.duration_from_s, when.duration_to_s];
            asked
                .durations
                .extend(durations.into_iter().flatten().map(micros));
            asked.energies.extend(
                [when.energy_from_wh, when.energy_to_wh]
                    .into_iter()
                    .flatten(),
            );
            asked
                .powers
                .extend([when.power_from_w, when.power_to_w].into_iter().flatten());
            asked.source |= when.source.is_some();
            energy_by_source |= when.source.is_some() && element.component(Kind::Energy).is_some();
            for component in &element.components {
                if component.kind == Kind::Idle {
                    asked.graces.insert(grace(component));
                }
                asked.hours |= matches!(component.price, Price::Dynamic(_));
            }
        }
        Self {
            tariff,
            asked,
            energy_by_source,
        }
    }

    /// The component of a kind that decides at a moment of a session.
    pub(super) fn choose(&self, kind: Kind, moment: &Moment) -> Option<Chosen<'t>> {
        self.first(kind, moment, |when| !when.reservation_expired)
    }

    /// The same for a reservation.
    pub(super) fn choose_reserved(
        &self,
        kind: Kind,
        moment: &Moment,
        expired: bool,
    ) -> Option<Chosen<'t>> {
        let special = expired
            .then(|| self.first(kind, moment, |when| when.reservation_expired))
            .flatten();
        special.or_else(|| self.choose(kind, moment))
    }

    fn first(
        &self,
        kind: Kind,
        moment: &Moment,
        of: impl Fn(&Restrictions) -> bool,
    ) -> Option<Chosen<'t>> {
        self.tariff
            .elements
            .iter()
            .enumerate()
            .find_map(|(index, element)| {
                let component = element.component(kind)?;
                let when = &element.restrictions;
                (of(when) && moment.satisfies(when)).then_some(Chosen {
                    element: index,
                    component,
                })
            })
    }

    /// Prices that nothing could be counted with; `Tariff::check` says more.
    pub(super) fn is_unusable(&self) -> bool {
        let is_rate = |rate: Decimal| rate >= Decimal::ZERO && rate <= Decimal::ONE_HUNDRED;
        let is_price = |price: Decimal| price >= Decimal::ZERO && price <= HIGHEST_PRICE;
        let components = || {
            self.tariff
                .elements
                .iter()
                .flat_map(|element| &element.components)
        };
        let limits = [self.tariff.min_price, self.tariff.max_price];
        let mut limits = limits
            .into_iter()
            .flatten()
            .flat_map(|limit| [limit.net, limit.total]);
        !components().all(|component| {
            is_rate(self.tariff.tax_rate_of(component))
                && match &component.price {
                    Price::Fixed(price) => is_price(*price),
                    Price::Dynamic(dynamic) => dynamic.factor >= Decimal::ZERO,
                }
        }) || limits.any(|limit| limit.is_some_and(|limit| !is_price(limit)))
    }
}

impl Moment<'_> {
    fn satisfies(&self, when: &Restrictions) -> bool {
        let whole = |wh: u64| Exact::ratio(wh.into(), 1);
        let is_at_least = |w: u64| match self.power {
            Some((curve, piece)) => curve.is_at_least(piece, w),
            None => w == 0,
        };
        self.shown
            .is_none_or(|shown| shown.satisfies(when, self.holidays))
            && when
                .duration_from_s
                .is_none_or(|from| micros(from) <= self.duration)
            && when
                .duration_to_s
                .is_none_or(|to| self.duration < micros(to))
            && when
                .energy_from_wh
                .is_none_or(|from| *self.wh >= whole(from))
            && when.energy_to_wh.is_none_or(|to| *self.wh < whole(to))
            && when.power_from_w.is_none_or(is_at_least)
            && when.power_to_w.is_none_or(|to| !is_at_least(to))
            && when.source.is_none_or(|source| source == self.source)
    }
}

/// How long an idle component is free.
pub(super) fn grace(component: &Component) -> i64 {
    i64::from(component.grace_minutes) * 60 * SECOND
}

fn micros(seconds: u64) -> i64 {
    i64::try_from(seconds)
        .unwrap_or(i64::MAX)
        .saturating_mul(SECOND)
}
