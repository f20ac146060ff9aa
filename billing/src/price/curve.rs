//! How a session's energy grew: through its register readings, straight between them, or as the power between them
//! says where only power was reported; from power alone where there is no register.

use rust_decimal::Decimal;
use store::money::Rounding;

use super::{
    Charge,
    exact::Exact,
    readings::{Reading, Span},
    suspect::{self, Noted},
};

/// So many W·µs are a Wh.
pub(super) const WATT_MICROS_PER_WH: i128 = 3_600_000_000;

/// Energy since the session's start over time; it never falls.
pub(super) struct Curve {
    /// By time, no two of one instant; at least the session's ends, which are one if it took no time.
    knots: Vec<Knot>,
    total: Exact,
}

/// A point of the curve and how it goes on from there.
struct Knot {
    at: i64,
    wh: Exact,
    /// The power here and at the next knot, of which only the proportion counts: the curve bends as it changes.
    slope: (i64, i64),
}

const STRAIGHT: (i64, i64) = (1, 1);

/// Where on the curve one is.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Piece(usize);

impl Curve {
    /// The curve of a charge.
    pub(super) fn new(
        charge: &Charge,
        span: Span,
        readings: &[Reading],
        noted: &mut Noted,
    ) -> Self {
        let registers = suspect::registers(charge, span, readings, noted);
        let mut drawing = Drawing {
            span,
            readings,
            knots: Vec::with_capacity(registers.len() + 2),
            wh: Exact::ZERO,
        };
        drawing.knot(span.from, STRAIGHT);
        let total = match registers.as_slice() {
            [] => drawing.power_alone(noted),
            [(first, start), rest @ ..] => {
                let mut before = (*first, *start);
                drawing.knot(*first, STRAIGHT);
                for &after in rest {
                    drawing.between(before, after, *start, noted);
                    before = after;
                }
                if charge.ended_at.is_none() {
                    drawing.tail(before.0, noted);
                }
                drawing.wh.clone()
            }
        };
        drawing.knot(span.to, STRAIGHT);
        Self {
            knots: drawing.knots,
            total,
        }
    }

    /// Of a session that never was.
    pub(super) fn none(span: Span) -> Self {
        let knot = Knot {
            at: span.from,
            wh: Exact::ZERO,
            slope: STRAIGHT,
        };
        Self {
            knots: vec![knot],
            total: Exact::ZERO,
        }
    }

    /// The session's energy, kWh, as shown.
    pub(super) fn total_kwh(&self) -> Decimal {
        let kwh = self.total.mul(&Exact::ratio(1, 1000));
        // No register is so high that a Decimal could not say it.
        kwh.round(Rounding::HalfUp, 6)
            .unwrap_or_default()
            .normalize()
    }

    /// The session's energy, Wh.
    pub(super) fn total(&self) -> &Exact {
        &self.total
    }

    /// Moves on to the piece that begins at or before an instant and ends after it.
    pub(super) fn seek(&self, piece: &mut Piece, at: i64) {
        while self
            .knots
            .get(piece.0 + 1)
            .is_some_and(|next| next.at <= at && piece.0 + 2 < self.knots.len())
        {
            piece.0 += 1;
        }
    }

    /// The energy at an instant of a piece.
    pub(super) fn wh_at(&self, piece: Piece, at: i64) -> Exact {
        let knot = &self.knots[piece.0];
        let Some(next) = self.knots.get(piece.0 + 1) else {
            return self.total.clone();
        };
        if at <= knot.at {
            return knot.wh.clone();
        }
        if at >= next.at {
            return next.wh.clone();
        }
        let rise = next.wh.sub(&knot.wh);
        if rise.is_zero() {
            return next.wh.clone();
        }
        let (part, whole) = lowest(at - knot.at, next.at - knot.at);
        let share = match knot.slope {
            (first, last) if first == last => Exact::ratio(part, whole),
            (first, last) => {
                // The integral of a power that goes straight from `first` to `last`, over all of it.
                let (first, last) = (i128::from(first), i128::from(last));
                let of = 2 * first * part * whole + (last - first) * part * part;
                Exact::ratio(of, (first + last) * whole * whole)
            }
        };
        knot.wh.add(&rise.mul(&share))
    }

    /// When, between two moments, the energy really flowed: without what is flat at the beginning and at the end.
    pub(super) fn flow(&self, from: (i64, &Exact), to: (i64, &Exact)) -> (i64, i64) {
        let left = self.knots.partition_point(|knot| knot.wh <= *from.1);
        let left = left
            .checked_sub(1)
            .map_or(from.0, |last| self.knots[last].at);
        let reached = self.knots.partition_point(|knot| knot.wh < *to.1);
        let reached = self.knots.get(reached).map_or(to.0, |knot| knot.at);
        (left.clamp(from.0, to.0), reached.clamp(from.0, to.0))
    }

    /// The mean power of a piece is at least `w`.
    pub(super) fn is_at_least(&self, piece: Piece, w: u64) -> bool {
        let knot = &self.knots[piece.0];
        let Some(next) = self.knots.get(piece.0 + 1).filter(|next| next.at > knot.at) else {
            return w == 0;
        };
        let wh_in_all = Exact::ratio(
            i128::from(w) * i128::from(next.at - knot.at),
            WATT_MICROS_PER_WH,
        );
        next.wh.sub(&knot.wh) >= wh_in_all
    }

    /// Every piece with its beginning.
    pub(super) fn pieces(&self) -> impl Iterator<Item = (Piece, i64)> {
        let last = self.knots.len().saturating_sub(1).max(1);
        let beginnings = self.knots[..last].iter().enumerate();
        beginnings.map(|(index, knot)| (Piece(index), knot.at))
    }

    /// The first microsecond at which so much energy had flowed, if it ever did.
    pub(super) fn reaches(&self, wh: u64) -> Option<i64> {
        let wh = Exact::ratio(wh.into(), 1);
        if self.total < wh {
            return None;
        }
        let after = self.knots.partition_point(|knot| knot.wh < wh);
        let Some(piece) = after.checked_sub(1) else {
            return self.knots.first().map(|knot| knot.at);
        };
        let Some(next) = self.knots.get(after) else {
            // All of it came in no time, at the end.
            return self.knots.last().map(|knot| knot.at);
        };
        let (mut less, mut enough) = (self.knots[piece].at, next.at);
        while enough - less > 1 {
            let middle = less + (enough - less) / 2;
            if self.wh_at(Piece(piece), middle) < wh {
                less = middle;
            } else {
                enough = middle;
            }
        }
        Some(enough)
    }

    /// Does the piece last so long that what lies inside is little more than an estimate?
    pub(super) fn is_coarse(&self, piece: Piece, gap: i64) -> bool {
        let knot = &self.knots[piece.0];
        self.knots
            .get(piece.0 + 1)
            .is_some_and(|next| next.at - knot.at > gap && next.wh != knot.wh)
    }
}

fn lowest(part: i64, whole: i64) -> (i128, i128) {
    let (mut a, mut b) = (part, whole);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    ((part / a).into(), (whole / a).into())
}

/// A curve in the making.
struct Drawing<'r> {
    span: Span,
    readings: &'r [Reading],
    knots: Vec<Knot>,
    /// So far.
    wh: Exact,
}

impl Drawing<'_> {
    fn knot(&mut self, at: i64, slope: (i64, i64)) {
        let wh = self.wh.clone();
        match self.knots.last_mut() {
            Some(last) if last.at >= at => (last.wh, last.slope) = (wh, slope),
            _ => self.knots.push(Knot { at, wh, slope }),
        }
    }

    /// From one register reading to the next: as the power between them says, if only power was reported between
    /// them; else straight.
    fn between(&mut self, from: (i64, i64), to: (i64, i64), start: i64, noted: &mut Noted) {
        let rise = to.1 - from.1;
        let powers = self.powers(from.0, to.0);
        let bends = rise > 0
            && powers
                .iter()
                .any(|&(at, _, alone)| alone && at > from.0 && at < to.0);
        let integral: i128 = if bends {
            self.trapezia(&powers, noted)
                .iter()
                .map(|&(_, _, area)| area)
                .sum()
        } else {
            0
        };
        if integral > 0 {
            let scale = Exact::ratio(rise.into(), integral);
            self.draw(&powers, &scale);
        }
        self.wh = Exact::from(to.1 - start);
        self.knot(to.0, STRAIGHT);
    }

    /// After the last register reading of an active session power is all there is.
    fn tail(&mut self, from: i64, noted: &mut Noted) {
        let powers = self.powers(from, self.span.to);
        if powers.iter().any(|&(at, ..)| at > from) {
            self.trapezia(&powers, noted);
            self.draw(&powers, &Exact::ratio(1, 2 * WATT_MICROS_PER_WH));
        }
    }

    /// There is no register at all.
    fn power_alone(&mut self, noted: &mut Noted) -> Exact {
        let powers = self.powers(self.span.from, self.span.to);
        if powers.is_empty() {
            return Exact::ZERO;
        }
        noted.flag("integrated");
        let gap = self.span.gap;
        let ends = powers.first().zip(powers.last());
        let open = ends.is_some_and(|(first, last)| {
            first.0 - self.span.from > gap || self.span.to - last.0 > gap
        });
        let before = noted.has_flag("gap");
        self.trapezia(&powers, noted);
        if open || (noted.has_flag("gap") && !before) {
            noted.hold("gap");
        }
        self.draw(&powers, &Exact::ratio(1, 2 * WATT_MICROS_PER_WH));
        self.wh.clone()
    }

    /// (when, W, without a register of its own) of a time, both ends included.
    fn powers(&self, from: i64, to: i64) -> Vec<(i64, i64, bool)> {
        let first = self.readings.partition_point(|reading| reading.at < from);
        let until = self.readings.partition_point(|reading| reading.at <= to);
        self.readings[first..until.max(first)]
            .iter()
            .filter_map(|reading| Some((reading.at, reading.w?, reading.wh.is_none())))
            .collect()
    }

    /// Twice the area below each two neighbouring powers: (from, to, W·µs·2). None over a gap.
    fn trapezia(
        &self,
        powers: &[(i64, i64, bool)],
        noted: &mut Noted,
    ) -> Vec<(usize, usize, i128)> {
        let mut areas = Vec::with_capacity(powers.len());
        for (index, pair) in powers.windows(2).enumerate() {
            match self.area(pair) {
                Some(area) => areas.push((index, index + 1, area)),
                None => noted.flag("gap"),
            }
        }
        areas
    }

    fn area(&self, pair: &[(i64, i64, bool)]) -> Option<i128> {
        let (from, to) = (pair.first()?, pair.last()?);
        let length = to.0 - from.0;
        (length <= self.span.gap).then(|| i128::from(from.1 + to.1) * i128::from(length))
    }

    /// Knots at each power, with the areas between them times `scale` as energy.
    fn draw(&mut self, powers: &[(i64, i64, bool)], scale: &Exact) {
        let begun = self.wh.clone();
        let mut sum = 0;
        for (index, &(at, w, _)) in powers.iter().enumerate() {
            let pair = powers.get(index..index + 2);
            let area = pair.and_then(|pair| self.area(pair));
            let slope = match (area, pair) {
                (Some(area), Some(pair)) if area > 0 => (w, pair[1].1),
                _ => STRAIGHT,
            };
            self.wh = begun.add(&scaled(sum, scale));
            self.knot(at, slope);
            sum += area.unwrap_or(0);
        }
        self.wh = begun.add(&scaled(sum, scale));
    }
}

fn scaled(area: i128, scale: &Exact) -> Exact {
    scale.mul(&Exact::ratio(area, 1))
}
