//! A session cut wherever the tariff's answer can change, and each period put on the account of the component that
//! holds in it.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use super::{
    Charge, Context, Reservation,
    clock::Clock,
    curve::{Curve, Piece},
    exact::Exact,
    readings::{LONGEST, Reading, Span, instant},
    rules::{Chosen, Moment, Rules, grace},
    suspect::Noted,
    usage::{Account, Usage},
};
use crate::tariff::{Dynamic, Kind, Price, Source};

const HOUR: i64 = 3600 * 1_000_000;

/// A moment of the session and the energy until then.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Cut {
    at: i64,
    wh: Exact,
}

/// All that the periods of one session are judged by.
pub(super) struct Session<'a> {
    pub(super) rules: &'a Rules<'a>,
    pub(super) context: &'a Context,
    pub(super) span: Span,
    pub(super) curve: &'a Curve,
    /// When the energy began to come from there, by time.
    pub(super) sources: Vec<(i64, Source)>,
    /// When charging ended, if the car stayed.
    pub(super) idle_from: i64,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        charge: &Charge,
        context: &'a Context,
        rules: &'a Rules<'a>,
        (span, readings, curve): (Span, &[Reading], &'a Curve),
        noted: &mut Noted,
    ) -> Self {
        let idle_from = charge.idle_from.map_or(span.to, |at| at.timestamp_micros());
        Self {
            rules,
            context,
            span,
            curve,
            sources: if rules.asked.source {
                sources(span, readings, noted)
            } else {
                Vec::new()
            },
            idle_from: idle_from.clamp(span.from, span.to),
        }
    }

    /// Puts start fee, energy, time and idle time on their accounts.
    pub(super) fn count(&self, usage: &mut Usage<'a>, noted: &mut Noted) {
        let clock = self.clock(self.span.from, self.span.to);
        let (cuts, is_estimate) = self.cuts(clock.as_ref());
        let mut piece = Piece::default();
        for (index, pair) in cuts.windows(2).enumerate() {
            let (from, to) = (&pair[0], &pair[1]);
            self.curve.seek(&mut piece, from.at);
            let moment = Moment {
                shown: clock.as_ref().map(|clock| clock.shows(from.at)),
                holidays: &self.context.holidays,
                duration: from.at - self.span.from,
                wh: &from.wh,
                power: Some((self.curve, piece)),
                source: self.source(from.at),
            };
            if index == 0
                && let Some(chosen) = self.rules.choose(Kind::Start, &moment)
            {
                self.put(
                    usage,
                    chosen,
                    Exact::from(1),
                    (from.at, from.at),
                    None,
                    noted,
                );
            }
            self.period((from, to), &moment, usage, noted);
        }
        if is_estimate && usage.count(Kind::Energy) > 1 {
            noted.flag("split-estimated");
        }
    }

    fn period(
        &self,
        (from, to): (&Cut, &Cut),
        moment: &Moment,
        usage: &mut Usage<'a>,
        noted: &mut Noted,
    ) {
        let time = (from.at, to.at);
        let lasted = || Exact::from(to.at - from.at);
        if to.wh > from.wh
            && let Some(chosen) = self.rules.choose(Kind::Energy, moment)
        {
            let source = self.rules.energy_by_source.then_some(moment.source);
            let flow = self.curve.flow((from.at, &from.wh), (to.at, &to.wh));
            self.put(usage, chosen, to.wh.sub(&from.wh), flow, source, noted);
        }
        if to.at == from.at {
            return;
        }
        let idle_for = from.at - self.idle_from;
        if let Some(chosen) = self.rules.choose(Kind::Time, moment)
            && (idle_for < 0 || !chosen.component.while_charging)
        {
            self.put(usage, chosen, lasted(), time, None, noted);
        }
        if idle_for >= 0
            && let Some(chosen) = self.rules.choose(Kind::Idle, moment)
            && idle_for >= grace(chosen.component)
        {
            self.put(usage, chosen, lasted(), time, None, noted);
        }
    }

    /// Puts reservation and its fee on their accounts.
    pub(super) fn count_reservation(
        &self,
        reserved: &Reservation,
        usage: &mut Usage<'a>,
        noted: &mut Noted,
    ) {
        let from = reserved.from.timestamp_micros();
        let mut to = reserved.to.timestamp_micros();
        if !reserved.expired {
            to = to.min(self.span.from);
        }
        if to < from || to.saturating_sub(from) > LONGEST {
            noted.hold("reservation-odd");
            return;
        }
        let clock = self.clock(from, to);
        let mut cuts = vec![from];
        if let Some(clock) = &clock {
            clock.cuts(&self.rules.asked.times, from, to, &mut cuts);
        }
        cuts.push(to);
        cuts.sort_unstable();
        for (index, pair) in cuts.windows(2).enumerate() {
            let moment = Moment {
                shown: clock.as_ref().map(|clock| clock.shows(pair[0])),
                holidays: &self.context.holidays,
                duration: 0,
                wh: &Exact::ZERO,
                power: None,
                source: Source::Grid,
            };
            let chosen = |kind| self.rules.choose_reserved(kind, &moment, reserved.expired);
            if index == 0
                && let Some(chosen) = chosen(Kind::ReservationFee)
            {
                self.put(usage, chosen, Exact::from(1), (from, from), None, noted);
            }
            if pair[1] > pair[0]
                && let Some(chosen) = chosen(Kind::Reservation)
            {
                let lasted = Exact::from(pair[1] - pair[0]);
                self.put(usage, chosen, lasted, (pair[0], pair[1]), None, noted);
            }
        }
    }

    fn put(
        &self,
        usage: &mut Usage<'a>,
        chosen: Chosen<'a>,
        quantity: Exact,
        time: (i64, i64),
        source: Option<Source>,
        noted: &mut Noted,
    ) {
        let unit_price = match &chosen.component.price {
            Price::Fixed(price) => Some(*price),
            Price::Dynamic(dynamic) => self.price_at(dynamic, time.0, noted),
        };
        let Some(unit_price) = unit_price else {
            noted.hold("no-price");
            return;
        };
        let account = Account {
            kind: chosen.component.kind,
            element: chosen.element,
            unit_price,
            source,
        };
        usage.put(account, chosen.component, &quantity, time);
    }

    fn price_at(&self, dynamic: &Dynamic, at: i64, noted: &mut Noted) -> Option<Decimal> {
        let hour: DateTime<Utc> = instant(at - at.rem_euclid(HOUR));
        let price = self.context.feeds.get(&dynamic.feed)?.0.get(&hour)?;
        let price = price
            .checked_mul(dynamic.factor)?
            .checked_add(dynamic.surcharge)?;
        if price < Decimal::ZERO {
            noted.flag("price-below-zero");
        }
        Some(price.max(Decimal::ZERO))
    }

    fn clock(&self, from: i64, to: i64) -> Option<Clock> {
        let asks = !self.rules.asked.times.is_empty();
        asks.then(|| Clock::new(self.context.zone, from, to))
    }

    fn source(&self, at: i64) -> Source {
        let after = self.sources.partition_point(|&(since, _)| since <= at);
        let known = after
            .checked_sub(1)
            .and_then(|index| self.sources.get(index));
        known.map_or(Source::Grid, |&(_, source)| source)
    }

    /// Where the tariff's answer can change, from the session's start to its end; and whether energy was divided where
    /// little is known of it.
    fn cuts(&self, clock: Option<&Clock>) -> (Vec<Cut>, bool) {
        let Span { from, to, gap } = self.span;
        let asked = &self.rules.asked;
        let mut times: Vec<i64> = asked
            .durations
            .iter()
            .map(|after| from.saturating_add(*after))
            .collect();
        times.push(self.idle_from);
        times.extend(
            asked
                .graces
                .iter()
                .map(|grace| self.idle_from.saturating_add(*grace)),
        );
        times.extend(self.sources.iter().map(|&(since, _)| since));
        if let Some(clock) = clock {
            clock.cuts(&asked.times, from, to, &mut times);
        }
        if asked.hours {
            let first = from - from.rem_euclid(HOUR) + HOUR;
            times.extend((first..to).step_by(HOUR as usize));
        }
        self.power_cuts(&mut times);
        times.retain(|time| *time > from && *time < to);
        times.sort_unstable();
        times.dedup();
        let mut cuts = Vec::with_capacity(times.len() + asked.energies.len() + 2);
        cuts.push(Cut {
            at: from,
            wh: Exact::ZERO,
        });
        let mut piece = Piece::default();
        let mut is_estimate = false;
        for at in times {
            self.curve.seek(&mut piece, at);
            is_estimate |= self.curve.is_coarse(piece, gap);
            cuts.push(Cut {
                at,
                wh: self.curve.wh_at(piece, at),
            });
        }
        for &energy in asked.energies.iter().filter(|energy| **energy > 0) {
            if let Some(at) = self.curve.reaches(energy) {
                cuts.push(Cut {
                    at,
                    wh: Exact::ratio(energy.into(), 1),
                });
            }
        }
        cuts.push(Cut {
            at: to,
            wh: self.curve.total().clone(),
        });
        cuts.sort();
        (cuts, is_estimate)
    }

    /// Where the mean power passes one that the tariff asks for.
    fn power_cuts(&self, times: &mut Vec<i64>) {
        let powers = &self.rules.asked.powers;
        if powers.is_empty() {
            return;
        }
        let mut before = None;
        for (piece, at) in self.curve.pieces() {
            let level = powers
                .iter()
                .filter(|w| self.curve.is_at_least(piece, **w))
                .count();
            if before.replace(level).is_some_and(|before| before != level) {
                times.push(at);
            }
        }
    }
}

/// When the energy began to come from where. Before the first sample that says so it came from there too, if that sample
/// is not far away.
fn sources(span: Span, readings: &[Reading], noted: &mut Noted) -> Vec<(i64, Source)> {
    let mut sources: Vec<(i64, Source)> = Vec::new();
    for reading in readings {
        if let Some(source) = reading.source
            && sources.last().is_none_or(|last| last.1 != source)
        {
            sources.push((reading.at, source));
        }
    }
    match sources.first_mut() {
        Some(first) if first.0 - span.from <= span.gap => first.0 = span.from,
        _ => noted.flag("source-unknown"),
    }
    sources
}
