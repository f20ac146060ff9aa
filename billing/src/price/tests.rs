//! Prices by hand, by example and by law.

mod clocks;
mod properties;
mod rules;
mod suspicious;
mod vectors;

use super::*;

/// An instant as RFC 3339.
fn utc(text: &str) -> DateTime<Utc> {
    text.parse()
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn dec(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A tariff from its JSON without the outer frame: elements, and whatever else there is to say.
fn tariff(rest: &str) -> Tariff {
    let json = if rest.contains("\"currency\"") {
        format!("{{{rest}}}")
    } else {
        format!(r#"{{"currency": "EUR", {rest}}}"#)
    };
    Tariff::parse(&json).unwrap_or_else(|problems| panic!("{json}: {problems:?}"))
}

fn berlin() -> Context {
    Context {
        zone: Tz::Europe__Berlin,
        holidays: BTreeSet::new(),
        rounding: Rounding::HalfUp,
        feeds: BTreeMap::new(),
        sample_interval: TimeDelta::seconds(60),
    }
}

/// A charge between two instants with what its registers said at its ends.
fn charge(from: &str, to: &str, start_wh: i64, stop_wh: i64) -> Charge {
    Charge {
        started_at: utc(from),
        ended_at: Some(utc(to)),
        now: None,
        register_start_wh: Some(start_wh),
        register_stop_wh: Some(stop_wh),
        samples: Vec::new(),
        idle_from: None,
        reservation: None,
        max_power_w: None,
        flags: Vec::new(),
    }
}

fn register(at: &str, wh: i64) -> Sample {
    Sample {
        at: utc(at),
        energy_wh: Some(wh),
        power_w: None,
        source: None,
    }
}

fn power(at: &str, w: i64, source: Option<Source>) -> Sample {
    Sample {
        at: utc(at),
        energy_wh: None,
        power_w: Some(w),
        source,
    }
}

/// `kind quantity × unit price = total`, for reading.
fn said(priced: &Priced) -> Vec<String> {
    let lines = priced.lines.iter().map(|line| {
        let kind = format!("{:?}", line.kind).to_lowercase();
        let Line {
            quantity,
            unit_price,
            net,
            ..
        } = line;
        format!("{kind} {quantity} x {unit_price} = {net}")
    });
    lines.collect()
}

fn priced(tariff: &Tariff, charge: &Charge) -> Priced {
    let priced = price(tariff, charge, &berlin());
    assert_eq!(priced.reasons, Vec::<String>::new(), "{priced:?}");
    priced
}
