//! The week of a tariff as it is painted: what a kWh (or an hour) costs at which time of which day. Every price has a
//! letter, a number and a shade, so that none of them carries the meaning alone.

use std::collections::BTreeSet;

use billing::tariff::{Component, Kind, Price, Restrictions, Tariff, TimeOfDay, Weekday};
use rust_decimal::Decimal;

/// Minutes of a day.
const DAY: u16 = 24 * 60;
/// The finest step that is drawn; the exact times are told beside it.
const FINEST: u16 = 5;
/// Shades that there are; more prices share them.
const SHADES: usize = 6;

/// A tariff's week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Week {
    /// From Monday to Sunday.
    pub days: Vec<Day>,
    /// The prices in it, the lowest first.
    pub bands: Vec<Band>,
    /// Columns of an hour of the table.
    pub per_hour: u16,
    /// Whether some elements hold under other conditions than day and time: those are not painted.
    pub has_more: bool,
}

/// A day of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Day {
    /// `Mon`.
    pub short: &'static str,
    /// `Monday`.
    pub name: &'static str,
    /// Its spans, from 00:00 to 24:00.
    pub spans: Vec<Span>,
}

/// A span of a day with one price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// How many columns it has.
    pub columns: u16,
    /// Minutes since midnight.
    pub from: u16,
    /// Minutes since midnight.
    pub to: u16,
    /// Which of [`Week::bands`]; none where nothing is to be paid for this.
    pub band: Option<usize>,
}

/// A price that is in the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Band {
    /// A, B, …
    pub letter: char,
    /// `0.45`.
    pub price: String,
    /// The class that shades it.
    pub class: &'static str,
    /// How long it holds, in hours of the week: `42`.
    pub hours: String,
}

impl Span {
    /// `22:00–24:00`.
    pub fn times(&self) -> String {
        format!("{}–{}", clock(self.from), clock(self.to))
    }

    /// How much fits into it.
    pub fn size(&self) -> &'static str {
        match self.to - self.from {
            0..120 => "tiny",
            120..300 => "small",
            _ => "",
        }
    }
}

/// `22:30`.
pub fn clock(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// A price in words, without its currency.
pub fn price(price: &Price) -> String {
    match price {
        Price::Fixed(amount) => decimals(*amount),
        Price::Dynamic(dynamic) => {
            let mut words = dynamic.feed.clone();
            if dynamic.factor != Decimal::ONE {
                words += &format!(" × {}", dynamic.factor.normalize());
            }
            if !dynamic.surcharge.is_zero() {
                words += &format!(" + {}", decimals(dynamic.surcharge));
            }
            words
        }
    }
}

/// At least two decimals, and as many as it takes.
pub fn decimals(amount: Decimal) -> String {
    let mut amount = amount.normalize();
    amount.rescale(amount.scale().max(2));
    amount.to_string()
}

impl Week {
    /// The week of a tariff's prices of one kind; none if it has no such price that only day and time decide.
    pub fn of(tariff: &Tariff, kind: Kind) -> Option<Self> {
        let priced: Vec<(&Restrictions, &Component)> = tariff
            .elements
            .iter()
            .filter_map(|element| Some((&element.restrictions, element.component(kind)?)))
            .collect();
        let painted: Vec<(&Restrictions, &Component)> = priced
            .iter()
            .filter(|(when, _)| is_of_the_clock(when))
            .copied()
            .collect();
        if painted.is_empty() {
            return None;
        }
        let per_hour = 60 / grid(&painted);
        let mut bands = shaded(&painted);
        let mut minutes = vec![0_u32; bands.len()];
        let days = Weekday::ALL
            .into_iter()
            .map(|day| {
                let spans = spans(&painted, day, 60 / per_hour, &bands);
                for span in &spans {
                    if let Some(band) = span.band {
                        minutes[band] += u32::from(span.to - span.from);
                    }
                }
                Day {
                    short: &day.name()[..3],
                    name: day.name(),
                    spans,
                }
            })
            .collect();
        for (band, minutes) in bands.iter_mut().zip(minutes) {
            let hours = Decimal::from(minutes) / Decimal::from(60);
            band.hours = hours.round_dp(1).normalize().to_string();
        }
        Some(Week {
            days,
            bands,
            per_hour,
            has_more: priced.len() > painted.len(),
        })
    }

    /// The band of a span.
    pub fn band(&self, span: &Span) -> Option<&Band> {
        self.bands.get(span.band?)
    }
}

/// Whether nothing but the day of the week and the time of day is asked.
pub fn is_of_the_clock(when: &Restrictions) -> bool {
    let clock = Restrictions {
        weekdays: when.weekdays.clone(),
        time_from: when.time_from,
        time_to: when.time_to,
        ..Restrictions::default()
    };
    clock == *when
}

/// The width of a column, in minutes, that meets every edge (or nearly, if that were too fine).
fn grid(painted: &[(&Restrictions, &Component)]) -> u16 {
    let edges = painted
        .iter()
        .flat_map(|(when, _)| [when.time_from, when.time_to])
        .flatten()
        .map(TimeOfDay::minutes);
    let exact = edges.fold(60, greatest_common);
    if exact < FINEST { FINEST } else { exact }
}

fn greatest_common(one: u16, other: u16) -> u16 {
    if other == 0 {
        one
    } else {
        greatest_common(other, one % other)
    }
}

/// The prices, the lowest first; those of a feed last.
fn shaded(painted: &[(&Restrictions, &Component)]) -> Vec<Band> {
    let mut prices: Vec<(Option<Decimal>, String)> = painted
        .iter()
        .map(|(_, component)| {
            let fixed = match &component.price {
                Price::Fixed(amount) => Some(*amount),
                Price::Dynamic(_) => None,
            };
            (fixed, price(&component.price))
        })
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect();
    prices.sort_by_key(|(fixed, _)| (fixed.is_none(), *fixed));
    prices.dedup_by(|one, other| one.1 == other.1);
    let most = prices.len().saturating_sub(1).max(1);
    prices
        .iter()
        .enumerate()
        .map(|(rank, (_, price))| Band {
            letter: letter(rank),
            price: price.clone(),
            class: CLASSES[rank * (SHADES - 1) / most],
            hours: String::new(),
        })
        .collect()
}

const CLASSES: [&str; SHADES] = ["band-1", "band-2", "band-3", "band-4", "band-5", "band-6"];

fn letter(rank: usize) -> char {
    u8::try_from(rank)
        .ok()
        .filter(|rank| *rank < 26)
        .map_or('·', |rank| char::from(b'A' + rank))
}

fn spans(
    painted: &[(&Restrictions, &Component)],
    day: Weekday,
    step: u16,
    bands: &[Band],
) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::new();
    for from in (0..DAY).step_by(usize::from(step)) {
        let holds = painted.iter().find(|(when, _)| holds(when, day, from));
        let band = holds.and_then(|(_, component)| {
            let price = price(&component.price);
            bands.iter().position(|band| band.price == price)
        });
        match spans.last_mut() {
            Some(last) if last.band == band => {
                last.to = from + step;
                last.columns += 1;
            }
            _ => spans.push(Span {
                columns: 1,
                from,
                to: from + step,
                band,
            }),
        }
    }
    spans
}

/// Whether an element holds at a minute of a day, as far as day and time decide.
fn holds(when: &Restrictions, day: Weekday, minute: u16) -> bool {
    let from = when.time_from.map_or(0, TimeOfDay::minutes);
    let to = when.time_to.map_or(DAY, TimeOfDay::minutes);
    let in_time = if from <= to {
        (from..to).contains(&minute)
    } else {
        minute >= from || minute < to
    };
    in_time && (when.weekdays.is_empty() || when.weekdays.contains(&day))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tariff(elements: &str) -> Tariff {
        let json = format!(r#"{{"currency": "EUR", "elements": {elements}}}"#);
        Tariff::parse(&json).unwrap()
    }

    #[test]
    fn nights_across_midnight_are_painted_on_both_sides_of_it() {
        let night = r#"[
            {"components": [{"kind": "energy", "price": "0.25"}],
             "restrictions": {"time_from": "22:00", "time_to": "06:00"}},
            {"components": [{"kind": "energy", "price": "0.4500"}, {"kind": "start", "price": "1"}]}]"#;
        let week = Week::of(&tariff(night), Kind::Energy).unwrap();
        let bands: Vec<(char, &str, &str)> = week
            .bands
            .iter()
            .map(|band| (band.letter, band.price.as_str(), band.hours.as_str()))
            .collect();
        assert_eq!(bands, [('A', "0.25", "56"), ('B', "0.45", "112")]);
        for day in &week.days {
            let spans: Vec<(String, Option<usize>)> = day
                .spans
                .iter()
                .map(|span| (span.times(), span.band))
                .collect();
            assert_eq!(
                spans,
                [
                    ("00:00–06:00".to_owned(), Some(0)),
                    ("06:00–22:00".to_owned(), Some(1)),
                    ("22:00–24:00".to_owned(), Some(0)),
                ]
            );
            let columns: u16 = day.spans.iter().map(|span| span.columns).sum();
            assert_eq!(columns, 24 * week.per_hour);
        }
        assert!(!week.has_more);
        assert_eq!(Week::of(&tariff(night), Kind::Idle), None);
    }

    #[test]
    fn quarter_hours_gaps_and_other_conditions() {
        let odd = r#"[
            {"components": [{"kind": "energy", "price": "0.10"}],
             "restrictions": {"source": "solar"}},
            {"components": [{"kind": "energy", "price": "0.30"}],
             "restrictions": {"weekdays": ["saturday"], "time_from": "12:15", "time_to": "13:00"}}]"#;
        let week = Week::of(&tariff(odd), Kind::Energy).unwrap();
        assert!(week.has_more);
        assert_eq!(week.per_hour, 4);
        let saturday = &week.days[5];
        let bands: Vec<Option<usize>> = saturday.spans.iter().map(|span| span.band).collect();
        assert_eq!((saturday.short, bands), ("Sat", vec![None, Some(0), None]));
        assert_eq!(saturday.spans[1].times(), "12:15–13:00");
        assert_eq!(week.days[0].spans.len(), 1);
    }

    #[test]
    fn a_price_of_a_feed_is_told_in_words() {
        let feed = r#"[{"components": [{"kind": "energy",
            "price": {"feed": "day-ahead", "factor": "1.10", "surcharge": "0.12"}}]}]"#;
        let week = Week::of(&tariff(feed), Kind::Energy).unwrap();
        assert_eq!(week.bands[0].price, "day-ahead × 1.1 + 0.12");
        assert_eq!(week.bands[0].class, "band-1");
    }
}
