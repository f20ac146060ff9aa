//! How many sessions a core prices in a second: 100,000 made-up sessions of 200 samples each under a tariff with night
//! and day, a start fee, idle time and steps. Prints one line of JSON. Making the sessions is not counted.
//!
//! `cargo run --release -p billing --example price_bench [sessions]`

use std::{collections::BTreeMap, hint::black_box, time::Duration, time::Instant};

use billing::{
    price::{Charge, Context, Sample, price},
    tariff::Tariff,
};
use chrono::{DateTime, TimeDelta, Utc};
use store::money::Rounding;

const SAMPLES: i64 = 200;
const BATCH: i64 = 1_000;

const TARIFF: &str = r#"{
    "currency": "EUR", "tax_rate": "19",
    "elements": [
        {"components": [{"kind": "energy", "price": "0.29", "step_size": 1}],
         "restrictions": {"weekdays": ["monday", "tuesday", "wednesday", "thursday", "friday"], "time_from": "22:00", "time_to": "06:00"}},
        {"components": [{"kind": "start", "price": "0.50"}, {"kind": "energy", "price": "0.45", "step_size": 1},
                        {"kind": "idle", "price": "6.00", "grace_minutes": 15}]}
    ],
    "max_price": {"net": "60"}
}"#;

fn main() -> anyhow::Result<()> {
    let sessions: i64 = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 100_000,
    };
    let tariff = Tariff::parse(TARIFF).map_err(|problems| anyhow::anyhow!("{problems:?}"))?;
    let context = Context {
        zone: chrono_tz::Tz::Europe__Berlin,
        holidays: Default::default(),
        rounding: Rounding::HalfUp,
        feeds: BTreeMap::new(),
        sample_interval: TimeDelta::seconds(60),
    };
    let mut spent = Duration::ZERO;
    let mut held = 0;
    let mut from = 0;
    while from < sessions {
        let to = sessions.min(from + BATCH);
        let charges: Vec<Charge> = (from..to).map(charge).collect();
        let begun = Instant::now();
        for charge in &charges {
            held += u64::from(black_box(price(&tariff, black_box(charge), &context)).is_held());
        }
        spent += begun.elapsed();
        from = to;
    }
    anyhow::ensure!(held == 0, "{held} sessions were held");
    let micros = spent.as_micros().max(1);
    let rate = i128::from(sessions) * 1_000_000 / i128::try_from(micros)?;
    println!(
        r#"{{"bench":"price","sessions":{sessions},"samples":{SAMPLES},"milliseconds":{},"sessions_per_second_per_core":{rate}}}"#,
        micros / 1000
    );
    Ok(())
}

/// The `index`th: it begins at any time of the year, takes two hundred minutes, and stands idle for the last twenty.
fn charge(index: i64) -> Charge {
    let started_at: DateTime<Utc> =
        DateTime::UNIX_EPOCH + TimeDelta::days(20_454) + TimeDelta::seconds(index * 311);
    let minute = |minute: i64| started_at + TimeDelta::seconds(60 * minute);
    let start = 1_000_000 + index * 37;
    let wh = |minute: i64| start + minute.min(SAMPLES - 20) * (100 + index % 83);
    let samples = (1..=SAMPLES).map(|at| Sample {
        at: minute(at),
        energy_wh: Some(wh(at)),
        power_w: Some(if at < SAMPLES - 20 {
            (100 + index % 83) * 60
        } else {
            0
        }),
        source: None,
    });
    Charge {
        started_at,
        ended_at: Some(minute(SAMPLES + 1)),
        now: None,
        register_start_wh: Some(start),
        register_stop_wh: Some(wh(SAMPLES)),
        samples: samples.collect(),
        idle_from: Some(minute(SAMPLES - 20)),
        reservation: None,
        max_power_w: Some(22_000),
        flags: Vec::new(),
    }
}
