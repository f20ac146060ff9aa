//! What is wrong with a tariff: everything at once, each with the field, its value and what was expected.

use std::fmt;

use rust_decimal::Decimal;
use serde_path_to_error::Segment;

use super::{Component, Element, Kind, Limit, Price, Restrictions, Tariff, TimeOfDay};

/// More elements are no tariff that a person could understand, and each is asked again and again.
const MOST_ELEMENTS: usize = 500;
/// Of a unit price.
const MOST_DECIMALS: u32 = 6;
/// No price and no limit is higher.
pub(crate) const HIGHEST_PRICE: Decimal = Decimal::from_parts(1_000_000_000, 0, 0, false, 0);
const HIGHEST_STEP: u32 = 1_000_000;
const LONGEST_GRACE_MINUTES: u32 = 7 * 24 * 60;
const MOST_WH: u64 = 1_000_000_000_000;
const MOST_W: u64 = 1_000_000_000;
const LONGEST_S: u64 = 400 * 24 * 3600;

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Which field: a JSON pointer (RFC 6901), `/elements/0/components/1/price`.
    pub pointer: String,
    /// What stands there.
    pub value: String,
    /// What should.
    pub expected: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            pointer,
            value,
            expected,
        } = self;
        match (pointer.as_str(), value.as_str()) {
            ("", "") => f.write_str(expected),
            (_, "") => write!(f, "{pointer}: {expected}"),
            _ => write!(f, "{pointer}: {value} stands there; expected is {expected}"),
        }
    }
}

impl std::error::Error for Problem {}

impl Problem {
    pub(crate) fn new(
        pointer: impl Into<String>,
        value: impl fmt::Display,
        expected: impl Into<String>,
    ) -> Self {
        Self {
            pointer: pointer.into(),
            value: value.to_string(),
            expected: expected.into(),
        }
    }

    pub(crate) fn unreadable(error: &serde_path_to_error::Error<serde_json::Error>) -> Self {
        let mut pointer = String::new();
        for segment in error.path().iter() {
            match segment {
                Segment::Seq { index } => pointer += &format!("/{index}"),
                Segment::Map { key } | Segment::Enum { variant: key } => {
                    pointer += &format!("/{}", key.replace('~', "~0").replace('/', "~1"));
                }
                Segment::Unknown => pointer += "/?",
            }
        }
        Self::new(pointer, "", error.inner().to_string())
    }

    pub(crate) fn trailing(error: &serde_json::Error) -> Self {
        Self::new("", "", error.to_string())
    }
}

impl Tariff {
    /// Everything that is wrong with it; nothing, if it can be used.
    pub fn check(&self) -> Vec<Problem> {
        let mut found = Found(Vec::new());
        found.rate("/tax_rate", self.tax_rate);
        let count = self.elements.len();
        found.unless((1..=MOST_ELEMENTS).contains(&count), || {
            let expected = format!("1 to {MOST_ELEMENTS} elements");
            Problem::new("/elements", format!("{count} elements"), expected)
        });
        for (index, element) in self.elements.iter().enumerate() {
            found.element(&format!("/elements/{index}"), element);
        }
        found.limits(self);
        found.0
    }
}

/// The problems found so far.
struct Found(Vec<Problem>);

impl Found {
    fn unless(&mut self, right: bool, problem: impl FnOnce() -> Problem) {
        if !right {
            self.0.push(problem());
        }
    }

    fn number(&mut self, at: &str, value: Decimal, least: Decimal, most: Decimal, decimals: u32) {
        let right = value >= least && value <= most && value.normalize().scale() <= decimals;
        self.unless(right, || {
            let expected =
                format!("a number from {least} to {most} with at most {decimals} decimals");
            Problem::new(at, value, expected)
        });
    }

    fn rate(&mut self, at: &str, rate: Decimal) {
        self.number(at, rate, Decimal::ZERO, Decimal::ONE_HUNDRED, 4);
    }

    fn at_most<T: PartialOrd + fmt::Display>(&mut self, at: &str, value: Option<T>, most: T) {
        if let Some(value) = value {
            self.unless(value <= most, || {
                Problem::new(at, value, format!("at most {most}"))
            });
        }
    }

    fn element(&mut self, at: &str, element: &Element) {
        self.unless(!element.components.is_empty(), || {
            let expected = "at least one component".to_owned();
            Problem::new(format!("{at}/components"), "nothing", expected)
        });
        for (index, component) in element.components.iter().enumerate() {
            let at = format!("{at}/components/{index}");
            let first = element.component(component.kind);
            self.unless(
                first.is_some_and(|first| std::ptr::eq(first, component)),
                || {
                    let expected = "at most one component of each kind in an element";
                    Problem::new(format!("{at}/kind"), component.kind.as_str(), expected)
                },
            );
            self.component(&at, component);
        }
        self.restrictions(&format!("{at}/restrictions"), element);
    }

    fn component(&mut self, at: &str, component: &Component) {
        self.price(&format!("{at}/price"), component);
        if let Some(rate) = component.tax_rate {
            self.rate(&format!("{at}/tax_rate"), rate);
        }
        let step = format!("{at}/step_size");
        self.at_most(&step, Some(component.step_size), HIGHEST_STEP);
        let grace = format!("{at}/grace_minutes");
        self.at_most(&grace, Some(component.grace_minutes), LONGEST_GRACE_MINUTES);
        self.unless(
            component.grace_minutes == 0 || component.kind == Kind::Idle,
            || {
                Problem::new(
                    grace,
                    component.grace_minutes,
                    "0: only idle time has a grace",
                )
            },
        );
        self.unless(
            !component.while_charging || component.kind == Kind::Time,
            || {
                let expected = "false: only time can end with charging";
                Problem::new(format!("{at}/while_charging"), true, expected)
            },
        );
    }

    fn price(&mut self, at: &str, component: &Component) {
        match &component.price {
            Price::Fixed(price) => {
                self.number(at, *price, Decimal::ZERO, HIGHEST_PRICE, MOST_DECIMALS);
            }
            Price::Dynamic(dynamic) => {
                self.unless(component.kind == Kind::Energy, || {
                    let expected =
                        format!("a fixed price: {} has no feed", component.kind.as_str());
                    Problem::new(at, format!("feed {:?}", dynamic.feed), expected)
                });
                let named = !dynamic.feed.trim().is_empty()
                    && dynamic.feed.len() <= 100
                    && !dynamic.feed.chars().any(char::is_control);
                self.unless(named, || {
                    let expected = "the name of a feed, at most 100 characters";
                    Problem::new(
                        format!("{at}/feed"),
                        format!("{:?}", dynamic.feed),
                        expected,
                    )
                });
                let (least, most) = (-HIGHEST_PRICE, HIGHEST_PRICE);
                let factor = format!("{at}/factor");
                self.number(&factor, dynamic.factor, Decimal::ZERO, most, MOST_DECIMALS);
                let surcharge = format!("{at}/surcharge");
                self.number(&surcharge, dynamic.surcharge, least, most, MOST_DECIMALS);
            }
        }
    }

    fn limits(&mut self, tariff: &Tariff) {
        let decimals = tariff.currency.exponent();
        let given = [
            ("/min_price", tariff.min_price),
            ("/max_price", tariff.max_price),
        ];
        for (at, limit) in given {
            let Some(Limit { net, total }) = limit else {
                continue;
            };
            self.unless(net.is_some() || total.is_some(), || {
                Problem::new(
                    at,
                    "nothing",
                    "an amount before tax (net), with tax (total), or both",
                )
            });
            for (name, amount) in [("net", net), ("total", total)] {
                if let Some(amount) = amount {
                    let at = format!("{at}/{name}");
                    self.number(&at, amount, Decimal::ZERO, HIGHEST_PRICE, decimals);
                }
            }
            self.unless(
                net.zip(total).is_none_or(|(net, total)| net <= total),
                || {
                    let expected = "no more than with tax (total)";
                    Problem::new(format!("{at}/net"), net.unwrap_or_default(), expected)
                },
            );
        }
        if let (Some(min), Some(max)) = (tariff.min_price, tariff.max_price) {
            let pairs = [("net", min.net, max.net), ("total", min.total, max.total)];
            for (name, min, max) in pairs {
                self.unless(min.zip(max).is_none_or(|(min, max)| min <= max), || {
                    let most = max.unwrap_or_default();
                    let expected = format!("no more than the most that a session costs, {most}");
                    let at = format!("/min_price/{name}");
                    Problem::new(at, min.unwrap_or_default(), expected)
                });
            }
        }
    }

    fn restrictions(&mut self, at: &str, element: &Element) {
        let when = &element.restrictions;
        for (index, day) in when.weekdays.iter().enumerate() {
            self.unless(!when.weekdays[..index].contains(day), || {
                Problem::new(
                    format!("{at}/weekdays/{index}"),
                    day.name(),
                    "each day once",
                )
            });
        }
        self.times(at, when);
        self.unless(
            when.season_from.is_some() == when.season_to.is_some(),
            || {
                let (name, there) = match (when.season_from, when.season_to) {
                    (Some(day), _) | (None, Some(day)) if when.season_to.is_none() => {
                        ("season_to", day.to_string())
                    }
                    (_, day) => (
                        "season_from",
                        day.map(|day| day.to_string()).unwrap_or_default(),
                    ),
                };
                let expected = format!("a day too: the other end of the season is {there}");
                Problem::new(format!("{at}/{name}"), "nothing", expected)
            },
        );
        let (from, to) = (when.date_from, when.date_to);
        self.unless(from.zip(to).is_none_or(|(from, to)| from <= to), || {
            let expected = format!("{} or later", from.unwrap_or_default());
            Problem::new(format!("{at}/date_to"), to.unwrap_or_default(), expected)
        });
        let ranges = [
            (
                "energy_from_wh",
                when.energy_from_wh,
                "energy_to_wh",
                when.energy_to_wh,
                MOST_WH,
            ),
            (
                "power_from_w",
                when.power_from_w,
                "power_to_w",
                when.power_to_w,
                MOST_W,
            ),
            (
                "duration_from_s",
                when.duration_from_s,
                "duration_to_s",
                when.duration_to_s,
                LONGEST_S,
            ),
        ];
        for (from_name, from, to_name, to, most) in ranges {
            self.at_most(&format!("{at}/{from_name}"), from, most);
            self.at_most(&format!("{at}/{to_name}"), to, most);
            self.unless(to.is_none_or(|to| to > from.unwrap_or(0)), || {
                let expected = format!("more than {from_name} ({})", from.unwrap_or(0));
                Problem::new(format!("{at}/{to_name}"), to.unwrap_or(0), expected)
            });
        }
        self.sense(at, element);
    }

    fn times(&mut self, at: &str, when: &Restrictions) {
        let from = when.time_from.unwrap_or(TimeOfDay::MIDNIGHT);
        let to = when.time_to.unwrap_or(TimeOfDay::END);
        self.unless(from < TimeOfDay::END, || {
            Problem::new(format!("{at}/time_from"), from, "a time before 24:00")
        });
        self.unless(
            from != to && !(from == TimeOfDay::MIDNIGHT && when.time_to == Some(from)),
            || {
                let expected = "another time than time_from; leave both out for the whole day";
                Problem::new(format!("{at}/time_to"), to, expected)
            },
        );
    }

    /// Restrictions under which a component could never be due.
    fn sense(&mut self, at: &str, element: &Element) {
        let when = &element.restrictions;
        let is_of = |kind| element.component(kind).is_some();
        let reserves = is_of(Kind::Reservation) || is_of(Kind::ReservationFee);
        let charging = [
            (
                "energy_from_wh",
                when.energy_from_wh.is_some(),
                when.energy_from_wh.is_some_and(|from| from > 0),
            ),
            ("energy_to_wh", when.energy_to_wh.is_some(), false),
            ("power_from_w", when.power_from_w.is_some(), false),
            ("power_to_w", when.power_to_w.is_some(), false),
            (
                "duration_from_s",
                when.duration_from_s.is_some(),
                when.duration_from_s.is_some_and(|from| from > 0),
            ),
            ("duration_to_s", when.duration_to_s.is_some(), false),
            ("source", when.source.is_some(), false),
        ];
        for (name, given, never_at_start) in charging {
            self.unless(!(given && reserves), || {
                let expected = "nothing: a reservation knows clock and calendar only";
                Problem::new(format!("{at}/{name}"), "a restriction", expected)
            });
            self.unless(!(never_at_start && is_of(Kind::Start)), || {
                let expected = "0 or nothing: a start fee is decided when the session starts";
                Problem::new(format!("{at}/{name}"), "a later moment", expected)
            });
        }
        let only_reserves = element
            .components
            .iter()
            .all(|component| matches!(component.kind, Kind::Reservation | Kind::ReservationFee));
        self.unless(!when.reservation_expired || only_reserves, || {
            let expected = "false: an element for expired reservations prices reservations only";
            Problem::new(format!("{at}/reservation_expired"), true, expected)
        });
    }
}
