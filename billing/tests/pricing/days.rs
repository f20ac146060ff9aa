//! Days of 23, 24 and 25 hours, and one of 23 and a half: windows are those of the site's clock, sums are exact.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use rust_decimal::Decimal;
use serde_json::json;
use store::ingest::Effect;

use crate::support::{Town, at};

/// By day from 6 to 22 o'clock, by night otherwise, and a price on time.
fn day_and_night() -> serde_json::Value {
    json!({
        "currency": "EUR",
        "elements": [
            {"components": [{"kind": "energy", "price": "0.50"}],
             "restrictions": {"time_from": "06:00", "time_to": "22:00"}},
            {"components": [{"kind": "energy", "price": "0.30"}, {"kind": "time", "price": "1"}]},
            {"components": [{"kind": "time", "price": "1"}]},
        ],
    })
}

/// The day's beginning and end by the clock of the zone.
fn bounds(zone: Tz, day: &str) -> (DateTime<Utc>, DateTime<Utc>) {
    let day: chrono::NaiveDate = day.parse().unwrap();
    let midnight = |day: chrono::NaiveDate| {
        let midnight = day.and_hms_opt(0, 0, 0).unwrap();
        zone.from_local_datetime(&midnight).unwrap().to_utc()
    };
    (midnight(day), midnight(day.succ_opt().unwrap()))
}

#[tokio::test]
async fn a_whole_day_of_each_length_in_three_zones() {
    // 6 kW all day: hours of the day, and what it costs: 16 h × 6 × 0.50 by day, the rest × 6 × 0.30, and each hour 1.
    for (zone, days) in [
        (
            "Europe/Berlin",
            [
                ("2026-03-29", 1380, "83.60"),
                ("2026-10-25", 1500, "89.20"),
                ("2026-11-20", 1440, "86.40"),
            ],
        ),
        (
            "America/Anchorage",
            [
                ("2026-03-08", 1380, "83.60"),
                ("2026-11-01", 1500, "89.20"),
                ("2026-11-20", 1440, "86.40"),
            ],
        ),
        (
            // Half an hour is put forward and back.
            "Australia/Lord_Howe",
            [
                ("2026-10-04", 1410, "85.00"),
                ("2026-04-05", 1470, "87.80"),
                ("2026-11-20", 1440, "86.40"),
            ],
        ),
    ] {
        let town = Town::new(zone).await;
        town.tariff("Day and night", &day_and_night()).await;
        for (day, minutes, total) in days {
            let (start, end) = bounds(zone.parse().unwrap(), day);
            assert_eq!((end - start).num_minutes(), minutes, "{zone} {day}");
            let session = town.start(&start.to_rfc3339(), 0).await;
            // A sample each quarter of an hour: 1.5 kWh.
            let meter = (1..minutes / 15)
                .map(|n| town.reading(session, start + TimeDelta::minutes(15 * n), 1500 * n))
                .collect();
            town.commit(Effect {
                meter,
                ..Effect::default()
            })
            .await;
            town.stop(session, &end.to_rfc3339(), 100 * minutes).await;
            town.price().await;
            assert_eq!(
                town.told(session).await,
                [format!("{total} EUR priced")],
                "{zone} {day}"
            );
            let price = town.prices(session).await.pop().unwrap();
            let lines = price.lines.as_array().unwrap();
            let sum: Decimal = lines
                .iter()
                .map(|line| line["total"].as_str().unwrap().parse::<Decimal>().unwrap())
                .sum();
            assert_eq!(sum, price.total, "{lines:#?}");
        }
    }
}

#[tokio::test]
async fn each_of_two_hours_of_one_name_has_its_own_price() {
    // In Berlin the hour from 2 to 3 comes twice; a session of those two hours and the ones around them.
    let town = Town::new("Europe/Berlin").await;
    town.tariff("Day and night", &day_and_night()).await;
    let (start, end) = (at("2026-10-24T23:30:00Z"), at("2026-10-25T05:30:00Z"));
    let session = town.start(&start.to_rfc3339(), 0).await;
    town.stop(session, &end.to_rfc3339(), 6000).await;
    town.price().await;
    // 01:30 summer time to 06:30 winter time are six hours: 5.5 kWh at 0.30, 0.5 kWh at 0.50, 6 hours at 1.
    assert_eq!(town.told(session).await, ["7.90 EUR priced"]);
}
