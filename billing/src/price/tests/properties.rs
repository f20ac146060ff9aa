//! What holds for every tariff and every charge. `PROPTEST_CASES=10000` tries more of them.

use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::tariff::{Component, Element, Limit, Price, Restrictions, TimeOfDay, Weekday};

const ZONES: [Tz; 4] = [
    Tz::Europe__Berlin,
    Tz::America__Anchorage,
    Tz::Australia__Lord_Howe,
    Tz::UTC,
];

fn component(kind: Kind) -> impl Strategy<Value = Component> {
    let steps = select(vec![0, 0, 1, 60, 500, 900]);
    let grace = if kind == Kind::Idle { 0..30_u32 } else { 0..1 };
    let rate = proptest::option::of(select(vec!["0", "7", "19", "5.2"]));
    (
        0..2_000_000_i64,
        0..7_u32,
        rate,
        steps,
        grace,
        any::<bool>(),
    )
        .prop_map(
            move |(digits, decimals, rate, step_size, grace_minutes, charging)| Component {
                price: Price::Fixed(Decimal::new(digits, decimals)),
                tax_rate: rate.map(dec),
                step_size,
                grace_minutes,
                while_charging: charging && kind == Kind::Time,
                ..Component::fixed(kind, Decimal::ZERO)
            },
        )
}

fn range(most: u64) -> impl Strategy<Value = (u64, u64)> {
    (0..most, 1..most).prop_map(|(from, length)| (from, from + length))
}

fn restrictions(with_power: bool) -> impl Strategy<Value = Restrictions> {
    let window = (
        0..96_u16,
        1..96_u16,
        vec(select(Weekday::ALL.to_vec()), 0..3),
    )
        .prop_map(|(from, length, mut weekdays)| {
            weekdays.sort();
            weekdays.dedup();
            Restrictions {
                weekdays,
                time_from: TimeOfDay::from_minutes(from * 15),
                time_to: TimeOfDay::from_minutes((from + length) % 96 * 15),
                ..Restrictions::default()
            }
        });
    let energy = range(40_000).prop_map(|(from, to)| Restrictions {
        energy_from_wh: Some(from),
        energy_to_wh: Some(to),
        ..Restrictions::default()
    });
    let power = range(20_000).prop_map(move |(from, to)| Restrictions {
        power_from_w: with_power.then_some(from),
        power_to_w: with_power.then_some(to),
        ..Restrictions::default()
    });
    let duration = range(30_000).prop_map(|(from, to)| Restrictions {
        duration_from_s: Some(from),
        duration_to_s: Some(to),
        ..Restrictions::default()
    });
    let source = select(vec![Source::Solar, Source::Grid]).prop_map(|source| Restrictions {
        source: Some(source),
        ..Restrictions::default()
    });
    prop_oneof![window, energy, power, duration, source]
}

fn tariffs(with_power: bool) -> impl Strategy<Value = Tariff> {
    let priced = (
        component(Kind::Energy),
        component(Kind::Time),
        component(Kind::Idle),
        0..8_u8,
    );
    let some = move |(energy, time, idle, which): (Component, Component, Component, u8)| {
        let all = [energy, time, idle].into_iter().enumerate();
        let chosen = all
            .filter(|(index, _)| which & (1 << index) != 0)
            .map(|(_, component)| component);
        chosen.collect::<Vec<_>>()
    };
    let restricted =
        (priced.prop_map(some), restrictions(with_power)).prop_map(|(components, restrictions)| {
            Element {
                components,
                restrictions,
            }
        });
    let last = (
        component(Kind::Start),
        component(Kind::Energy),
        component(Kind::Time),
        component(Kind::Idle),
    );
    let limit = proptest::option::of((0..3000_i64).prop_map(|minor| minor));
    let currency = select(vec!["EUR", "JPY", "KWD"]);
    (
        currency,
        any::<bool>(),
        vec(restricted, 0..4),
        last,
        limit,
        any::<bool>(),
    )
        .prop_map(
            |(currency, prices_include_tax, mut elements, last, limit, is_least)| {
                elements.retain(|element| !element.components.is_empty());
                elements.push(Element {
                    components: vec![last.0, last.1, last.2, last.3],
                    restrictions: Restrictions::default(),
                });
                let currency: Currency = currency.parse().unwrap();
                let limit = limit.map(|minor| Limit {
                    net: None,
                    total: Some(Decimal::new(minor, currency.exponent())),
                });
                let tariff = Tariff {
                    currency,
                    prices_include_tax,
                    tax_rate: dec("19"),
                    elements,
                    min_price: limit.filter(|_| is_least),
                    max_price: limit.filter(|_| !is_least),
                    extra: serde_json::Map::new(),
                };
                assert_eq!(tariff.check(), []);
                tariff
            },
        )
}

/// A charge of pieces (seconds, Wh a second, source), so that whole seconds have whole Wh; and where it is idle from.
fn charges() -> impl Strategy<Value = Charge> {
    let source = proptest::option::of(select(vec![Source::Solar, Source::Grid]));
    let pieces = vec((1..7_200_i64, 0..6_i64, source), 1..8);
    // Around the days on which clocks are put forward and back.
    let start = select(vec![
        "2026-03-08T06:00:00Z",
        "2026-03-28T22:00:00Z",
        "2026-04-04T10:00:00Z",
        "2026-10-24T21:00:00Z",
        "2026-07-01T09:13:27.123456Z",
    ]);
    (
        start,
        0..20_000_i64,
        pieces,
        proptest::option::of(0..20_000_i64),
    )
        .prop_map(|(start, later, pieces, idle)| {
            let started_at = utc(start) + TimeDelta::seconds(later);
            let (mut at, mut wh) = (started_at, 1_000);
            let mut samples = Vec::new();
            for (seconds, rate, source) in pieces {
                samples.push(Sample {
                    at,
                    energy_wh: Some(wh),
                    power_w: None,
                    source,
                });
                (at, wh) = (at + TimeDelta::seconds(seconds), wh + seconds * rate);
            }
            Charge {
                started_at,
                ended_at: Some(at),
                register_start_wh: Some(1_000),
                register_stop_wh: Some(wh),
                samples,
                idle_from: idle.map(|after| started_at + TimeDelta::seconds(after)),
                ..charge(start, start, 0, 0)
            }
        })
}

/// A charge of which only the power is known: (seconds, W more each second) between its samples.
fn powers() -> impl Strategy<Value = Charge> {
    vec((1..2_000_i64, -3..4_i64), 1..8).prop_map(|pieces| {
        let started_at = utc("2026-03-29T00:10:00Z");
        let (mut at, mut w) = (started_at, 30_000);
        let mut samples = vec![Sample {
            at,
            energy_wh: None,
            power_w: Some(w),
            source: None,
        }];
        for (seconds, rise) in pieces {
            (at, w) = (at + TimeDelta::seconds(seconds), w + seconds * rise);
            samples.push(Sample {
                at,
                energy_wh: None,
                power_w: Some(w.max(0)),
                source: None,
            });
            w = w.max(0);
        }
        Charge {
            started_at,
            ended_at: Some(at),
            register_start_wh: None,
            register_stop_wh: None,
            samples,
            ..charge("2026-03-29T00:10:00Z", "2026-03-29T00:10:00Z", 0, 0)
        }
    })
}

/// Samples that lie on the line between two, at these seconds after the start.
fn interpolated(charge: &Charge, seconds: &[i64]) -> Vec<Sample> {
    let end = charge
        .ended_at
        .zip(charge.register_stop_wh)
        .map(|(at, wh)| Sample {
            at,
            energy_wh: Some(wh),
            power_w: None,
            source: None,
        });
    let known: Vec<Sample> = charge.samples.iter().copied().chain(end).collect();
    let between = |after: i64| {
        let at = charge.started_at + TimeDelta::seconds(after);
        let pair = known
            .windows(2)
            .find(|pair| pair[0].at < at && at < pair[1].at)?;
        let (part, whole) = (
            (at - pair[0].at).num_seconds(),
            (pair[1].at - pair[0].at).num_seconds(),
        );
        let line = |from: Option<i64>, to: Option<i64>| {
            let (from, to) = from.zip(to)?;
            Some(Some(from + (to - from) * part / whole))
                .filter(|_| (to - from) * part % whole == 0)
        };
        let is_power = pair[0].power_w.is_some();
        Some(Sample {
            at,
            energy_wh: if is_power {
                None
            } else {
                line(pair[0].energy_wh, pair[1].energy_wh)?
            },
            power_w: if is_power {
                line(pair[0].power_w, pair[1].power_w)?
            } else {
                None
            },
            source: None,
        })
    };
    seconds.iter().filter_map(|&after| between(after)).collect()
}

fn context(zone: Tz, rounding: Rounding) -> Context {
    Context {
        zone,
        rounding,
        // No pause is a gap here.
        sample_interval: TimeDelta::hours(2),
        ..berlin()
    }
}

proptest! {
    #[test]
    fn lines_sum_to_the_total_and_nothing_is_below_zero(
        tariff in tariffs(true), charge in charges(), zone in select(ZONES.to_vec()), even in any::<bool>(),
    ) {
        let rounding = if even { Rounding::HalfEven } else { Rounding::HalfUp };
        let priced = price(&tariff, &charge, &context(zone, rounding));
        prop_assert!(!priced.is_held(), "{:?}", priced.reasons);
        prop_assert!(priced.net >= Decimal::ZERO && priced.tax >= Decimal::ZERO);
        prop_assert_eq!(priced.total, priced.net + priced.tax);
        prop_assert_eq!(priced.net, priced.lines.iter().map(|line| line.net).sum::<Decimal>());
        prop_assert_eq!(priced.tax, priced.lines.iter().map(|line| line.tax).sum::<Decimal>());
        prop_assert_eq!(priced.total, priced.lines.iter().map(|line| line.total).sum::<Decimal>());
        for line in &priced.lines {
            prop_assert_eq!(line.total, line.net + line.tax);
            prop_assert!(line.total.scale() <= tariff.currency.exponent());
            prop_assert!(line.kind == LineKind::Maximum || line.net >= Decimal::ZERO);
            prop_assert!(line.from <= line.to);
        }
        if let Some(limit) = tariff.max_price {
            prop_assert!(Some(priced.total) <= limit.total);
        }
        if let Some(limit) = tariff.min_price {
            prop_assert!(Some(priced.total) >= limit.total);
        }
        // What the lines say was charged was charged, but for steps.
        let energy = priced.lines.iter().filter(|line| line.kind == LineKind::Energy);
        let energy: Decimal = energy.map(|line| line.quantity - line.rounded_up).sum();
        prop_assert!((energy - priced.energy_kwh).abs() < dec("0.0001"), "{energy} {}", priced.energy_kwh);
    }

    #[test]
    fn the_order_of_arrival_is_of_no_matter_and_neither_is_the_time_of_day_it_is_counted(
        tariff in tariffs(true), charge in charges(), seed in vec(any::<u64>(), 8), zone in select(ZONES.to_vec()),
    ) {
        let context = context(zone, Rounding::HalfUp);
        let first = price(&tariff, &charge, &context);
        let mut shuffled = charge.clone();
        let mut keys: Vec<_> = shuffled.samples.drain(..).zip(seed).map(|(sample, key)| (key, sample)).collect();
        keys.sort_by_key(|(key, _)| *key);
        shuffled.samples.extend(keys.into_iter().map(|(_, sample)| sample));
        prop_assert_eq!(&price(&tariff, &shuffled, &context), &first);
        prop_assert_eq!(price(&tariff, &charge, &context), first);
    }

    #[test]
    fn samples_that_say_nothing_new_change_nothing(
        tariff in tariffs(true), charge in charges(), at in vec(0..40_000_i64, 1..20), zone in select(ZONES.to_vec()),
    ) {
        let context = context(zone, Rounding::HalfUp);
        let mut more = charge.clone();
        more.samples.extend(interpolated(&charge, &at));
        let (first, second) = (price(&tariff, &charge, &context), price(&tariff, &more, &context));
        prop_assert_eq!(first.lines, second.lines);
        prop_assert_eq!(first.reasons, second.reasons);
    }

    #[test]
    fn the_same_where_there_is_power_alone(
        tariff in tariffs(false), charge in powers(), at in vec(0..14_000_i64, 1..20), zone in select(ZONES.to_vec()),
    ) {
        let context = context(zone, Rounding::HalfEven);
        let mut more = charge.clone();
        more.samples.extend(interpolated(&charge, &at));
        let (first, second) = (price(&tariff, &charge, &context), price(&tariff, &more, &context));
        prop_assert_eq!(first.lines, second.lines);
        prop_assert_eq!(first.energy_kwh, second.energy_kwh);
    }

    #[test]
    fn more_cuts_make_no_other_price(
        tariff in tariffs(true), charge in charges(), times in vec((0..1440_u16, 1..40_000_u64, 1..40_000_u64, 1..30_000_u64), 1..5),
        zone in select(ZONES.to_vec()),
    ) {
        let context = context(zone, Rounding::HalfUp);
        let mut cut = tariff.clone();
        // Elements that never hold, and yet are asked: the session is cut at their times, energies, powers and durations.
        cut.elements.extend(times.into_iter().map(|(minute, wh, w, seconds)| Element {
            components: vec![Component::fixed(Kind::Energy, dec("9"))],
            restrictions: Restrictions {
                date_to: Some(NaiveDate::MIN),
                time_from: TimeOfDay::from_minutes(minute),
                energy_from_wh: Some(wh),
                power_from_w: Some(w),
                duration_from_s: Some(seconds),
                ..Restrictions::default()
            },
        }));
        prop_assert_eq!(price(&cut, &charge, &context).lines, price(&tariff, &charge, &context).lines);
    }
}
