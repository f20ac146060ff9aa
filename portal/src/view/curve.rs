//! The curve of a session: its points as one table, and the same drawn as SVG for where no script runs. What was not
//! measured is a gap, never a line.

use std::fmt::Write;

use chrono::{DateTime, TimeDelta, Utc};
use store::sessions::Sample;

/// At most so many points are shown; more are thinned.
const MOST: usize = 360;
/// Two samples further apart than this are not joined, whatever the usual distance is.
const SHORTEST_GAP: TimeDelta = TimeDelta::minutes(3);

/// One point of the curve. Of a thinned span: its highest power and offer, its last energy and state of charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When.
    pub at: DateTime<Utc>,
    /// W.
    pub power_w: Option<i32>,
    /// Wh since the first reading.
    pub energy_wh: Option<i64>,
    /// Per mille.
    pub soc_pm: Option<i16>,
    /// W that the station offered.
    pub offered_w: Option<i32>,
    /// mA of the phase that carries most.
    pub current_ma: Option<i32>,
    /// mV, the mean of the phases.
    pub voltage_mv: Option<i32>,
}

/// A session's points, and from which distance on they are not joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Curve {
    /// In the order of time.
    pub points: Vec<Point>,
    /// A longer distance between two points is a gap.
    pub gap: TimeDelta,
    /// Whether points stand for spans of several samples.
    pub thinned: bool,
}

impl Curve {
    /// The curve of `samples`, which are in the order of time.
    pub fn of(samples: &[Sample]) -> Self {
        let first = samples.iter().find_map(|sample| sample.energy_wh);
        let points: Vec<Point> = samples
            .iter()
            .map(|sample| Point {
                at: sample.at,
                power_w: sample.power_w,
                energy_wh: sample
                    .energy_wh
                    .zip(first)
                    .map(|(register, first)| register - first),
                soc_pm: sample.soc_pm,
                offered_w: sample.offered_w,
                current_ma: sample.highest_current_ma(),
                voltage_mv: sample.mean_voltage_mv(),
            })
            .collect();
        let per_point = points.len().div_ceil(MOST).max(1);
        let gap = usual_distance(&points).map_or(SHORTEST_GAP, |usual| {
            (usual * 3 * i32::try_from(per_point).unwrap_or(i32::MAX)).max(SHORTEST_GAP)
        });
        Curve {
            thinned: per_point > 1,
            points: points.chunks(per_point).filter_map(merge).collect(),
            gap,
        }
    }

    /// The points in runs without a gap.
    fn runs(&self) -> impl Iterator<Item = &[Point]> {
        self.points
            .chunk_by(|before, after| after.at - before.at <= self.gap)
    }

    /// Lowest, highest and last of a measurand, if there is any.
    pub fn range(&self, of: impl Fn(&Point) -> Option<i64>) -> Option<(i64, i64, i64)> {
        let values: Vec<i64> = self.points.iter().filter_map(of).collect();
        Some((
            *values.iter().min()?,
            *values.iter().max()?,
            *values.last()?,
        ))
    }
}

/// The middle one of the distances between neighbours.
fn usual_distance(points: &[Point]) -> Option<TimeDelta> {
    let mut distances: Vec<TimeDelta> = points
        .windows(2)
        .map(|pair| pair[1].at - pair[0].at)
        .collect();
    distances.sort_unstable();
    distances.get(distances.len() / 2).copied()
}

/// One point for a span.
fn merge(span: &[Point]) -> Option<Point> {
    let last = span.last()?;
    fn last_of<T>(span: &[Point], of: impl Fn(&Point) -> Option<T>) -> Option<T> {
        span.iter().rev().find_map(of)
    }
    Some(Point {
        at: last.at,
        power_w: span.iter().filter_map(|point| point.power_w).max(),
        energy_wh: last_of(span, |point| point.energy_wh),
        soc_pm: last_of(span, |point| point.soc_pm),
        offered_w: span.iter().filter_map(|point| point.offered_w).max(),
        current_ma: span.iter().filter_map(|point| point.current_ma).max(),
        voltage_mv: last_of(span, |point| point.voltage_mv),
    })
}

/// The drawing area: a margin for the words left, right and below.
pub(super) const LEFT: i64 = 46;
pub(super) const RIGHT: i64 = 914;
const TOP: i64 = 12;
pub(super) const BOTTOM: i64 = 248;

/// A number's place between 0 and `top`, in tenths of a pixel from above.
pub(super) fn height(value: i64, top: i64) -> i64 {
    BOTTOM * 10 - value.clamp(0, top) * (BOTTOM - TOP) * 10 / top.max(1)
}

/// The smallest of 1, 2, 5, 10, 20, … thousands whose five lines hold `value`: the distance of the grid's lines.
pub(super) fn step(value: i64) -> i64 {
    let mut magnitude = 100;
    loop {
        for factor in [1, 2, 5] {
            if magnitude * factor * 5 >= value {
                return magnitude * factor;
            }
        }
        magnitude *= 10;
    }
}

/// The shapes and words of the drawing, ready for the template: no measured text is among them, only numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Drawing {
    /// Areas beneath the power, one per run.
    pub power_areas: Vec<String>,
    /// Lines by class: `power-line`, `energy-line`, `soc-line`, `offered-line`.
    pub lines: Vec<(&'static str, String)>,
    /// Height of a grid line, and kW, kWh and per cent at it.
    pub grid: Vec<(String, String, String, String)>,
    /// Place of a time mark and its instant.
    pub times: Vec<(i64, DateTime<Utc>)>,
}

/// Tenths as a decimal number.
pub(super) fn tenths(value: i64) -> String {
    format!("{}.{}", value / 10, value % 10)
}

impl Drawing {
    /// Draws the curve; of fewer than two points there is nothing to draw.
    pub fn of(curve: &Curve) -> Option<Self> {
        let (first, last) = (curve.points.first()?.at, curve.points.last()?.at);
        let span = (last - first).num_milliseconds();
        if span <= 0 {
            return None;
        }
        let x = |at: DateTime<Utc>| {
            LEFT * 10 + (at - first).num_milliseconds() * (RIGHT - LEFT) * 10 / span
        };
        let power = |point: &Point| point.power_w.map(i64::from);
        let offered = |point: &Point| point.offered_w.map(i64::from);
        let highest =
            |of: &dyn Fn(&Point) -> Option<i64>| curve.range(of).map_or(0, |range| range.1);
        let power_step = step(highest(&power).max(highest(&offered)));
        let energy_step = step(highest(&|point: &Point| point.energy_wh));
        let has_soc = curve.points.iter().any(|point| point.soc_pm.is_some());

        let mut drawing = Drawing::default();
        for line in 0..=5 {
            drawing.grid.push((
                tenths(height(line, 5)),
                axis(power_step * line),
                axis(energy_step * line),
                if has_soc {
                    (line * 20).to_string()
                } else {
                    String::new()
                },
            ));
        }
        for mark in 0..=6 {
            let at = first + TimeDelta::milliseconds(span * mark / 6);
            drawing.times.push((LEFT + (RIGHT - LEFT) * mark / 6, at));
        }
        for run in curve.runs() {
            let mut line = |class, top, of: &dyn Fn(&Point) -> Option<i64>| {
                let places = places(run, &x, top, of);
                if !places.is_empty() {
                    drawing.lines.push((class, places));
                }
            };
            line("offered-line", power_step * 5, &offered);
            line("power-line", power_step * 5, &power);
            line("energy-line", energy_step * 5, &|point| point.energy_wh);
            line("soc-line", 1000, &|point| point.soc_pm.map(i64::from));
            let area = places(run, &x, power_step * 5, &power);
            if let (Some(begin), Some(end)) = (
                run.iter().find(|point| point.power_w.is_some()),
                run.iter().rfind(|point| point.power_w.is_some()),
            ) {
                drawing.power_areas.push(format!(
                    "{},{BOTTOM} {area} {},{BOTTOM}",
                    tenths(x(begin.at)),
                    tenths(x(end.at))
                ));
            }
        }
        Some(drawing)
    }
}

/// Thousandths for an axis: no decimals but where they are needed.
pub(super) fn axis(thousandths: i64) -> String {
    if thousandths % 1000 == 0 {
        (thousandths / 1000).to_string()
    } else {
        tenths(thousandths / 100)
    }
}

/// The points of a run as SVG wants them.
fn places(
    run: &[Point],
    x: &dyn Fn(DateTime<Utc>) -> i64,
    top: i64,
    of: &dyn Fn(&Point) -> Option<i64>,
) -> String {
    let mut places = String::new();
    for point in run {
        if let Some(value) = of(point) {
            let space = if places.is_empty() { "" } else { " " };
            write!(
                places,
                "{space}{},{}",
                tenths(x(point.at)),
                tenths(height(value, top))
            )
            .expect("writing to a String cannot fail");
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: i64, power_w: Option<i32>, energy_wh: Option<i64>) -> Sample {
        Sample {
            at: DateTime::from_timestamp(1_795_000_000 + second, 0).unwrap(),
            energy_wh,
            power_w,
            current_ma: [None; 3],
            voltage_mv: [None; 3],
            soc_pm: None,
            offered_w: None,
            offered_ma: None,
        }
    }

    #[test]
    fn energy_counts_from_the_first_reading_and_unknown_stays_unknown() {
        let curve = Curve::of(&[
            sample(0, Some(7_000), None),
            sample(60, None, Some(125_000)),
            sample(120, Some(7_100), Some(125_118)),
        ]);
        let energy: Vec<_> = curve.points.iter().map(|point| point.energy_wh).collect();
        assert_eq!(energy, [None, Some(0), Some(118)]);
        assert_eq!(curve.points[1].power_w, None);
    }

    #[test]
    fn a_long_silence_is_a_gap_in_every_line() {
        let samples: Vec<Sample> = [0, 60, 120, 1800, 1860]
            .map(|second| sample(second, Some(7_000), Some(second)))
            .to_vec();
        let curve = Curve::of(&samples);
        assert_eq!(curve.gap, TimeDelta::minutes(3));
        assert_eq!(curve.runs().map(<[Point]>::len).collect::<Vec<_>>(), [3, 2]);
        let drawing = Drawing::of(&curve).unwrap();
        assert_eq!(drawing.power_areas.len(), 2);
        let lines = drawing.lines.iter().filter(|line| line.0 == "power-line");
        assert_eq!(lines.count(), 2);
    }

    #[test]
    fn many_samples_are_thinned_but_keep_the_peak_and_the_end() {
        let samples: Vec<Sample> = (0..10_000)
            .map(|n| {
                let peak = if n == 4_321 { 61_240 } else { 7_000 };
                sample(n * 10, Some(peak), Some(n * 20))
            })
            .collect();
        let curve = Curve::of(&samples);
        assert!(curve.thinned && curve.points.len() <= MOST);
        assert_eq!(
            curve.range(|point| point.power_w.map(i64::from)).unwrap().1,
            61_240
        );
        assert_eq!(curve.points.last().unwrap().energy_wh, Some(9_999 * 20));
        assert_eq!(curve.runs().count(), 1);
    }

    #[test]
    fn axes_begin_at_zero_and_end_above_the_highest_value() {
        assert_eq!(
            [0, 1, 3_700, 7_200, 11_000, 22_001, 61_240].map(step),
            [100, 100, 1_000, 2_000, 5_000, 5_000, 20_000]
        );
        assert_eq!(height(0, 100), BOTTOM * 10);
        assert_eq!(height(100, 100), TOP * 10);
        assert_eq!(axis(2_500), "2.5");
    }

    #[test]
    fn one_point_is_no_curve() {
        assert_eq!(
            Drawing::of(&Curve::of(&[sample(0, Some(1), Some(1))])),
            None
        );
        assert_eq!(Drawing::of(&Curve::of(&[])), None);
    }
}
