//! A limit over time as SVG: steps, and a gap where nothing limits. Ours as an area, the station's own beside it as a line.

use ocpp::charging::Step;
use rust_decimal::prelude::ToPrimitive;

use super::curve::{BOTTOM, LEFT, RIGHT, axis, height, step, tenths};

/// The shapes of the drawing, ready for the template: only numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Steps {
    /// Areas beneath our reckoning.
    pub areas: Vec<String>,
    /// Lines by class: `power-line` is ours, `offered-line` the station's.
    pub lines: Vec<(&'static str, String)>,
    /// Height of a grid line, and the limit at it.
    pub grid: Vec<(String, String)>,
    /// Place of a time mark, and its second.
    pub marks: Vec<(i64, i64)>,
}

impl Steps {
    /// Draws both over `seconds`; where nothing limits at all there is nothing to draw.
    pub fn of(ours: &[Step], theirs: &[Step], seconds: i64) -> Option<Self> {
        let limits = ours.iter().chain(theirs).filter_map(thousandths);
        let distance = step(limits.max()?);
        let top = distance * 5;
        let mut drawing = Steps::default();
        for line in 0..=5 {
            drawing
                .grid
                .push((tenths(height(line, 5)), axis(distance * line)));
        }
        for mark in 0..=6 {
            drawing
                .marks
                .push((LEFT + (RIGHT - LEFT) * mark / 6, seconds * mark / 6));
        }
        for (class, steps) in [("power-line", ours), ("offered-line", theirs)] {
            for run in runs(steps, seconds) {
                let corners: Vec<String> = run
                    .iter()
                    .flat_map(|(from, to, limit)| [(from, limit), (to, limit)])
                    .map(|(second, limit)| {
                        format!("{},{}", x(*second, seconds), tenths(height(*limit, top)))
                    })
                    .collect();
                let corners = corners.join(" ");
                if let ("power-line", Some(first), Some(last)) = (class, run.first(), run.last()) {
                    let (left, right) = (x(first.0, seconds), x(last.1, seconds));
                    drawing
                        .areas
                        .push(format!("{left},{BOTTOM} {corners} {right},{BOTTOM}"));
                }
                drawing.lines.push((class, corners));
            }
        }
        Some(drawing)
    }
}

/// A limit in thousandths of its unit.
fn thousandths(step: &Step) -> Option<i64> {
    let limit = step.limit?.checked_mul(1000.into())?;
    limit.to_i64().filter(|limit| *limit >= 0)
}

fn x(second: i64, seconds: i64) -> String {
    let second = second.clamp(0, seconds);
    tenths(LEFT * 10 + second * (RIGHT - LEFT) * 10 / seconds.max(1))
}

/// From, to and limit of the steps that are within the time, in runs without a gap.
fn runs(steps: &[Step], seconds: i64) -> Vec<Vec<(i64, i64, i64)>> {
    let mut runs: Vec<Vec<(i64, i64, i64)>> = Vec::new();
    let mut joined = false;
    for (place, step) in steps.iter().enumerate() {
        let to = steps
            .get(place + 1)
            .map_or(seconds, |next| next.start)
            .min(seconds);
        let from = step.start.max(0);
        match thousandths(step) {
            Some(limit) if from < to => {
                match runs.last_mut().filter(|_| joined) {
                    Some(run) => run.push((from, to, limit)),
                    None => runs.push(vec![(from, to, limit)]),
                }
                joined = true;
            }
            _ => joined = false,
        }
    }
    runs
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(start: i64, limit: Option<i64>) -> Step {
        Step {
            start,
            limit: limit.map(Into::into),
        }
    }

    #[test]
    fn steps_have_corners_and_what_is_not_limited_is_a_gap() {
        let ours = [
            at(0, Some(16)),
            at(600, Some(8)),
            at(1800, None),
            at(2700, Some(32)),
        ];
        let drawing = Steps::of(&ours, &[], 3600).unwrap();
        assert_eq!(drawing.areas.len(), 2);
        assert_eq!(
            drawing.lines[0].1,
            "46.0,172.5 190.6,172.5 190.6,210.3 480.0,210.3"
        );
        assert_eq!(drawing.grid[5].1, "50");
        assert_eq!(drawing.marks.len(), 7);
    }

    #[test]
    fn the_stations_own_stands_beside_ours() {
        let drawing = Steps::of(
            &[at(0, Some(16))],
            &[at(-60, Some(10)), at(900, Some(6))],
            3600,
        )
        .unwrap();
        let classes: Vec<&str> = drawing.lines.iter().map(|line| line.0).collect();
        assert_eq!(classes, ["power-line", "offered-line"]);
        assert_eq!(Steps::of(&[at(0, None)], &[], 3600), None);
    }
}
