//! What `make bench` measures of pricing with a database: sessions of so many samples are stored, untimed, and then priced
//! by the worker's own function. Prints one JSON line.
//!
//! pricing_job DATABASE_URL SESSIONS SAMPLES

use std::time::Instant;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use service::clock::Clock;
use store::{
    Connection, Room, ids,
    ingest::{self, Effect, MeterRow, Start, Stop},
    lookup, partitions, readers, sites,
    stations::{self, NewStation, Registration},
    tariff_assignments::{self, Place},
    tariffs,
};
use uuid::Uuid;

/// Sessions in one commit.
const CHUNK: i64 = 50;
/// Each has one session after the other.
const STATIONS: i64 = 100;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, sessions, samples] = &arguments[..] else {
        return Err("usage: pricing_job DATABASE_URL SESSIONS SAMPLES".into());
    };
    let (sessions, samples): (i64, i64) = (sessions.parse()?, samples.parse()?);
    let now = Clock::system().now();
    let owner = store::pool::connect(url, Room::Owner, 1)?;
    let mut db = owner.acquire().await?;
    // Of a run before, nothing is to do any more.
    let billing = store::pool::connect(url, Room::Billing, 4)?;
    let begin = now - TimeDelta::days(30);
    partitions::ensure(&mut db, 40, now).await?;
    billing::pricing::price_pending(&billing, now).await?;
    let places = places(&mut db, begin).await?;
    for first in (0..sessions).step_by(usize::try_from(CHUNK)?) {
        let last = lookup::next_transaction_block(&mut db).await?;
        let effects: Vec<Effect> = (first..sessions.min(first + CHUNK))
            .map(|n| charged(&places, n, last - (n - first), samples, begin))
            .collect();
        ingest::commit(&mut db, &effects.iter().collect::<Vec<_>>()).await?;
    }
    readers::sweep_again(&mut db, billing::pricing::READER).await?;
    let started = Instant::now();
    let priced = billing::pricing::price_pending(&billing, now).await?;
    let seconds = started.elapsed().as_millis().max(1);
    let per_second = u128::try_from(priced)? * 1000 / seconds;
    println!(
        "{}",
        json!({"server": "job", "workload": "pricing", "sessions": priced, "samples": samples,
               "milliseconds": seconds, "sessions_per_s": per_second})
    );
    if i64::try_from(priced)? != sessions {
        return Err(format!("{priced} of {sessions} sessions were priced").into());
    }
    Ok(())
}

/// A site with a tariff by day and night, and its stations.
async fn places(
    db: &mut Connection,
    begin: DateTime<Utc>,
) -> Result<(Uuid, Vec<Uuid>), Box<dyn std::error::Error>> {
    let name = ids::new_id(begin).to_string();
    let site = sites::add(db, &name, chrono_tz::Europe::Berlin, begin).await?;
    let content = json!({
        "currency": "EUR",
        "tax_rate": "19",
        "elements": [
            {"components": [{"kind": "energy", "price": "0.49"}],
             "restrictions": {"time_from": "06:00", "time_to": "22:00"}},
            {"components": [{"kind": "energy", "price": "0.39"}, {"kind": "start", "price": "1"},
                            {"kind": "idle", "price": "6", "grace_minutes": 30}]},
        ],
    });
    let tariff = tariffs::create(db, &name, "EUR", begin).await?;
    tariffs::add_version(db, tariff, begin, &content, begin).await?;
    tariff_assignments::assign(db, tariff, Place::Site(site), begin, None, begin).await?;
    let mut all = Vec::new();
    for n in 0..STATIONS {
        let station = NewStation {
            identity: &format!("{}-{n}", &name[24..]),
            site_id: Some(site),
            registration: Registration::Accepted,
            security_profile: 0,
            password_hash: None,
        };
        all.push(stations::add(db, &station, begin).await?);
    }
    Ok((site, all))
}

/// The n-th session: a sample each 30 seconds, 11 kW, the last tenth of it standing there.
fn charged(
    (site, stations): &(Uuid, Vec<Uuid>),
    n: i64,
    number: i64,
    samples: i64,
    begin: DateTime<Utc>,
) -> Effect {
    let station_id = stations[usize::try_from(n % STATIONS).unwrap_or(0)];
    let length = TimeDelta::seconds(30 * (samples + 1));
    let start = begin + (length + TimeDelta::minutes(5)) * i32::try_from(n / STATIONS).unwrap_or(0);
    let id = ids::new_id(start);
    let register = |sample: i64| sample.min(samples * 9 / 10) * 92;
    let reading = |sample: i64| MeterRow {
        station_id,
        at: start + TimeDelta::seconds(30 * sample),
        evse: 1,
        connector: 1,
        context: "Sample.Periodic",
        received_at: start,
        odd: false,
        transaction_id: Some(id),
        energy_wh: Some(register(sample)),
        power_w: Some(if sample <= samples * 9 / 10 {
            11_040
        } else {
            0
        }),
        current_ma: [Some(16_000); 3],
        voltage_mv: [Some(230_000); 3],
        soc_pm: None,
        temperature_dc: None,
        offered_w: None,
        offered_ma: None,
        rest: None,
        flags: None,
    };
    Effect {
        meter: (1..=samples).map(reading).collect(),
        starts: vec![Start {
            id,
            station_id,
            number,
            evse: 1,
            connector: 1,
            id_token: format!("TAG{:05}", n % 1000),
            started_at: start,
            shown_at: start,
            received_at: start,
            meter_start_wh: 0,
            reservation_id: None,
            site_id: Some(*site),
            flags: Vec::new(),
        }],
        stops: vec![Stop {
            transaction_id: id,
            stopped_at: start + length,
            received_at: start + length,
            meter_stop_wh: register(samples),
            reason: None,
            id_token: None,
            replaces: false,
            flags: Vec::new(),
            figures: None,
        }],
        ..Effect::default()
    }
}
