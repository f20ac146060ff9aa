//! Two months of a small operator's past, as plain values for a demo: sites, stations, drivers, sessions, faults.
//! Reproducible from a seed and an end; no clock is read. Curves come from the same physics as live stations.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};
use chrono_tz::Tz;
use evse_core::{
    Reading,
    ocpp::msg16::{ErrorCode, Reason},
};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use crate::physics::{Meter, Supply, Vehicle, vehicle};

/// What a demo needs to look lived in.
#[derive(Clone, Debug)]
pub struct History {
    /// Places.
    pub sites: Vec<Site>,
    /// Stations, each at a site.
    pub stations: Vec<StationFacts>,
    /// People with a tag and a vehicle.
    pub drivers: Vec<Driver>,
    /// What was charged, by start.
    pub sessions: Vec<PastSession>,
    /// What broke, by start.
    pub faults: Vec<PastFault>,
}

/// A place with stations.
#[derive(Clone, Debug)]
pub struct Site {
    /// Its name.
    pub name: &'static str,
    /// Its IANA time zone.
    pub time_zone: Tz,
}

/// A station.
#[derive(Clone, Debug)]
pub struct StationFacts {
    /// Index into the sites.
    pub site: usize,
    /// OCPP identity.
    pub identity: &'static str,
    /// Vendor, as in BootNotification.
    pub vendor: &'static str,
    /// Model.
    pub model: &'static str,
    /// Serial number.
    pub serial: &'static str,
    /// Firmware version.
    pub firmware: &'static str,
    /// Connectors, from 1.
    pub connectors: u32,
    /// What each gives.
    pub supply: Supply,
}

/// Someone who charges.
#[derive(Clone, Debug)]
pub struct Driver {
    /// Name.
    pub name: &'static str,
    /// The tag's UID in hexadecimal.
    pub tag: String,
    /// The vehicle.
    pub vehicle: &'static Vehicle,
}

/// One sample of a session.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// When.
    pub at: DateTime<Utc>,
    /// What the meter showed.
    pub reading: Reading,
}

/// A session of the past.
#[derive(Clone, Debug)]
pub struct PastSession {
    /// Index into the stations.
    pub station: usize,
    /// Connector, from 1.
    pub connector: u32,
    /// Index into the drivers.
    pub driver: usize,
    /// Start of the transaction.
    pub started_at: DateTime<Utc>,
    /// End of the transaction.
    pub ended_at: DateTime<Utc>,
    /// When the plug was taken out: from the end until then the connector was blocked.
    pub unplugged_at: DateTime<Utc>,
    /// Register at the start, Wh.
    pub meter_start_wh: u64,
    /// Register at the end, Wh.
    pub meter_stop_wh: u64,
    /// Why it ended.
    pub reason: Reason,
    /// Every five minutes from the start, and at the end.
    pub samples: Vec<Sample>,
}

impl PastSession {
    /// Energy charged, Wh.
    #[must_use]
    pub fn energy_wh(&self) -> u64 {
        self.meter_stop_wh - self.meter_start_wh
    }

    /// Highest power of a sample, W.
    #[must_use]
    pub fn max_power_w(&self) -> u32 {
        self.samples
            .iter()
            .map(|s| s.reading.power_w)
            .max()
            .unwrap_or(0)
    }
}

/// A connector out of order.
#[derive(Clone, Copy, Debug)]
pub struct PastFault {
    /// Index into the stations.
    pub station: usize,
    /// Connector, from 1.
    pub connector: u32,
    /// What it reported.
    pub code: ErrorCode,
    /// From when.
    pub from: DateTime<Utc>,
    /// Until when.
    pub until: DateTime<Utc>,
}

/// When people come.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Custom {
    /// A park-and-ride: commuters by day, few at the weekend.
    Commuters,
    /// A motorway: all week, most on Fridays and Sundays.
    Travellers,
}

const AC_22: Supply = Supply::Ac { max_kw: 22.0 };
const AC_11: Supply = Supply::Ac { max_kw: 11.0 };
const DC_150: Supply = Supply::Dc { max_kw: 150.0 };
const DC_50: Supply = Supply::Dc { max_kw: 50.0 };

fn sites() -> Vec<Site> {
    vec![
        Site {
            name: "Zuidplein Park & Ride",
            time_zone: Tz::Europe__Amsterdam,
        },
        Site {
            name: "Rasthof Weserblick",
            time_zone: Tz::Europe__Berlin,
        },
    ]
}

fn stations() -> Vec<StationFacts> {
    let facts = |site, identity, vendor, model, serial, firmware, supply| StationFacts {
        site,
        identity,
        vendor,
        model,
        serial,
        firmware,
        connectors: 2,
        supply,
    };
    vec![
        facts(
            0,
            "NL-RTM-ZP-01",
            "Alfen BV",
            "Eve Double Pro-line",
            "ACE0213487",
            "6.4.0-4210",
            AC_22,
        ),
        facts(
            0,
            "NL-RTM-ZP-02",
            "Alfen BV",
            "Eve Double Pro-line",
            "ACE0213491",
            "6.4.0-4210",
            AC_22,
        ),
        facts(
            0,
            "NL-RTM-ZP-03",
            "EVBox",
            "G4 BusinessLine",
            "EVB-P1942207",
            "0230b004",
            AC_11,
        ),
        facts(
            1,
            "DE-WBL-HPC-1",
            "ABB",
            "Terra 184 CC",
            "TACW1840821G0317",
            "1.8.32",
            DC_150,
        ),
        facts(
            1,
            "DE-WBL-HPC-2",
            "Alpitronic",
            "HYC150",
            "HYC-150-01873",
            "v2.5.1",
            DC_150,
        ),
        facts(
            1,
            "DE-WBL-DC-3",
            "ABB",
            "Terra 54 CJ",
            "T54IT220318-112",
            "4.2.0.6",
            DC_50,
        ),
    ]
}

const PEOPLE: &[(&str, &str)] = &[
    ("Anouk de Vries", "zoe"),
    ("Bram Jansen", "id3"),
    ("Carla Meijer", "leaf"),
    ("Daan Visser", "model3"),
    ("Eva Smit", "kona"),
    ("Femke Bakker", "ioniq5"),
    ("Gijs van Dijk", "id3"),
    ("Hanna Peters", "fiat500e"),
    ("Ilse Mulder", "zoe"),
    ("Joost de Groot", "etron"),
    ("Kim Bos", "model3"),
    ("Lars Vos", "leaf"),
    ("Jana Hoffmann", "ioniq5"),
    ("Karl-Heinz Brandt", "etron"),
    ("Lena Schäfer", "model3"),
    ("Matthias Krüger", "id3"),
    ("Nina Wolf", "kona"),
    ("Oskar Lindner", "ioniq5"),
    ("Petra Vogel", "model3"),
    ("Rainer Busch", "etron"),
    ("Sabine Keller", "id3"),
    ("Thomas Engel", "kona"),
    ("Ulrike Frank", "fiat500e"),
    ("Viktor Roth", "ioniq5"),
];
/// The first so many people are commuters, the others travel.
const COMMUTERS: usize = 12;

fn drivers(rng: &mut StdRng) -> Vec<Driver> {
    PEOPLE
        .iter()
        .map(|(name, car)| Driver {
            name,
            tag: format!(
                "04{:06X}{:06X}",
                rng.random_range(0..1 << 24),
                rng.random_range(0..1 << 24)
            ),
            vehicle: vehicle(car).expect("PEOPLE name vehicles that exist; a test says so"),
        })
        .collect()
}

/// The past of `days` days before `end`. Every session and fault is over by then.
#[must_use]
pub fn history(seed: u64, days: u32, end: DateTime<Utc>) -> History {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut past = History {
        sites: sites(),
        stations: stations(),
        drivers: drivers(&mut rng),
        sessions: Vec::new(),
        faults: Vec::new(),
    };
    let begin = end - TimeDelta::days(i64::from(days));
    let mut connectors = Vec::new();
    for (station, facts) in past.stations.iter().enumerate() {
        for connector in 1..=facts.connectors {
            let register = f64::from(rng.random_range(2_000_000..30_000_000));
            let meter = Meter::new(
                facts.supply,
                register,
                seed + station as u64 * 2 + u64::from(connector),
            );
            connectors.push(Connector {
                station,
                connector,
                free_at: begin,
                meter,
            });
        }
    }
    // A driver is in one place at a time, so all connectors walk through time together.
    let mut free_drivers = vec![begin; past.drivers.len()];
    let mut now = begin;
    while now < end {
        for connector in &mut connectors {
            connector.quarter_hour(now, end, &mut rng, &mut past, &mut free_drivers);
        }
        now += QUARTER;
    }
    past.sessions.sort_by_key(|s| s.started_at);
    past.faults.sort_by_key(|f| f.from);
    past
}

const QUARTER: TimeDelta = TimeDelta::minutes(15);
const SAMPLE: TimeDelta = TimeDelta::minutes(5);
const STEP: TimeDelta = TimeDelta::seconds(10);

struct Connector {
    station: usize,
    connector: u32,
    free_at: DateTime<Utc>,
    meter: Meter,
}

impl Connector {
    fn quarter_hour(
        &mut self,
        now: DateTime<Utc>,
        end: DateTime<Utc>,
        rng: &mut StdRng,
        past: &mut History,
        free_drivers: &mut [DateTime<Utc>],
    ) {
        let facts = &past.stations[self.station];
        let local = now.with_timezone(&past.sites[facts.site].time_zone);
        let custom = if facts.site == 0 {
            Custom::Commuters
        } else {
            Custom::Travellers
        };
        if self.free_at > now
            || !rng.random_bool(arrivals(custom, local.weekday(), local.hour()) / 4.0)
        {
            return;
        }
        if rng.random_bool(0.008) {
            let fault = self.fault(now, rng);
            if fault.until < end {
                self.free_at = fault.until;
                past.faults.push(fault);
            }
            return;
        }
        let people = match custom {
            Custom::Commuters => 0..COMMUTERS,
            Custom::Travellers => COMMUTERS..past.drivers.len(),
        };
        let free: Vec<usize> = people.filter(|d| free_drivers[*d] <= now).collect();
        if free.is_empty() {
            return;
        }
        let driver = free[rng.random_range(0..free.len())];
        let started_at = now + TimeDelta::seconds(rng.random_range(0..840));
        let before = self.meter.clone();
        let session = self.charge(
            driver,
            past.drivers[driver].vehicle,
            custom,
            started_at,
            rng,
        );
        if session.unplugged_at >= end {
            self.meter = before;
            self.free_at = end;
            return;
        }
        self.free_at = session.unplugged_at + TimeDelta::minutes(3);
        free_drivers[driver] = session.unplugged_at + TimeDelta::hours(rng.random_range(7..30));
        past.sessions.push(session);
    }

    fn fault(&self, now: DateTime<Utc>, rng: &mut StdRng) -> PastFault {
        const CODES: [ErrorCode; 4] = [
            ErrorCode::EvCommunicationError,
            ErrorCode::ConnectorLockFailure,
            ErrorCode::HighTemperature,
            ErrorCode::GroundFailure,
        ];
        PastFault {
            station: self.station,
            connector: self.connector,
            code: CODES[rng.random_range(0..CODES.len())],
            from: now,
            until: now + TimeDelta::minutes(rng.random_range(12..420)),
        }
    }

    fn charge(
        &mut self,
        driver: usize,
        vehicle: &Vehicle,
        custom: Custom,
        started_at: DateTime<Utc>,
        rng: &mut StdRng,
    ) -> PastSession {
        let (target, stay) = match custom {
            Custom::Commuters => (rng.random_range(85.0..100.0), rng.random_range(90..560)),
            Custom::Travellers => (rng.random_range(72.0..88.0), rng.random_range(14..75)),
        };
        let reason = match rng.random_range(0..100) {
            0..2 => Reason::PowerLoss,
            2..10 => Reason::EvDisconnected,
            10..18 => Reason::Remote,
            _ => Reason::Local,
        };
        let leaves_at = started_at + TimeDelta::minutes(stay);
        self.meter
            .plug(vehicle.clone(), rng.random_range(9.0..58.0));
        let mut now = started_at;
        let mut samples = vec![self.sample(now)];
        let meter_start_wh = samples[0].reading.energy_wh;
        while now < leaves_at && self.meter.soc().is_some_and(|soc| soc < target) {
            self.meter.advance(10.0, true);
            now += STEP;
            if (now - started_at).num_seconds() % SAMPLE.num_seconds() == 0 {
                samples.push(self.sample(now));
            }
        }
        // The last sample shows the register at the end; the contactor is about to open.
        if samples.last().is_some_and(|last| last.at < now) {
            samples.push(self.sample(now));
        }
        let meter_stop_wh = self.meter.reading().energy_wh;
        let lingers = match (custom, reason) {
            (_, Reason::EvDisconnected) => TimeDelta::zero(),
            (Custom::Commuters, _) => (leaves_at - now).max(TimeDelta::minutes(2)),
            (Custom::Travellers, _) => TimeDelta::seconds(rng.random_range(40..1_500)),
        };
        self.meter.unplug();
        PastSession {
            station: self.station,
            connector: self.connector,
            driver,
            started_at,
            ended_at: now,
            unplugged_at: now + lingers,
            meter_start_wh,
            meter_stop_wh,
            reason,
            samples,
        }
    }

    fn sample(&self, at: DateTime<Utc>) -> Sample {
        Sample {
            at,
            reading: self.meter.reading(),
        }
    }
}

/// Arrivals per hour at a free connector, by local weekday and hour.
fn arrivals(custom: Custom, day: Weekday, hour: u32) -> f64 {
    let weekend = matches!(day, Weekday::Sat | Weekday::Sun);
    match custom {
        Custom::Commuters => {
            let by_hour = match hour {
                7..=9 => 0.55,
                10..=12 => 0.22,
                13..=16 => 0.16,
                17..=19 => 0.26,
                20..=22 => 0.07,
                _ => 0.01,
            };
            if weekend { by_hour * 0.35 } else { by_hour }
        }
        Custom::Travellers => {
            let by_hour = match hour {
                6..=8 => 0.14,
                9..=11 => 0.30,
                12..=14 => 0.38,
                15..=18 => 0.42,
                19..=21 => 0.20,
                _ => 0.03,
            };
            match day {
                Weekday::Fri | Weekday::Sun => by_hour * 1.5,
                _ => by_hour,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn end() -> DateTime<Utc> {
        DateTime::from_timestamp(1_780_000_000, 0).expect("a valid time")
    }

    #[test]
    fn it_is_the_same_every_time_and_the_seed_changes_it() {
        let tags = |seed| {
            history(seed, 3, end())
                .drivers
                .into_iter()
                .map(|d| d.tag)
                .collect::<Vec<_>>()
        };
        assert_eq!(tags(7), tags(7));
        assert_ne!(tags(7), tags(8));
        let starts = |seed| {
            history(seed, 3, end())
                .sessions
                .into_iter()
                .map(|s| s.started_at)
                .collect::<Vec<_>>()
        };
        assert_eq!(starts(7), starts(7));
    }

    #[test]
    fn nothing_overlaps_and_everything_is_over() {
        let past = history(7, 60, end());
        let mut free_connectors = BTreeMap::new();
        let mut free_drivers = BTreeMap::new();
        for session in &past.sessions {
            assert!(session.started_at >= end() - TimeDelta::days(60));
            assert!(
                session.started_at < session.ended_at && session.ended_at <= session.unplugged_at
            );
            assert!(session.unplugged_at < end());
            let place = (session.station, session.connector);
            for (free, who) in [
                (
                    free_connectors.insert(place, session.unplugged_at),
                    "connector",
                ),
                (
                    free_drivers.insert(session.driver, session.unplugged_at),
                    "driver",
                ),
            ] {
                assert!(
                    free.is_none_or(|at| at <= session.started_at),
                    "a {who} in two places: {session:?}"
                );
            }
        }
    }

    #[test]
    fn curves_are_physical() {
        let past = history(7, 60, end());
        assert!(
            past.sessions.len() > 800,
            "{} sessions",
            past.sessions.len()
        );
        assert!(!past.faults.is_empty());
        let mut registers = BTreeMap::new();
        for session in &past.sessions {
            let facts = &past.stations[session.station];
            assert!(f64::from(session.max_power_w()) <= facts.supply.max_kw() * 1000.0);
            let capacity = past.drivers[session.driver].vehicle.battery_kwh * 1000.0 / 0.9;
            assert!(
                session.energy_wh() > 0 && (session.energy_wh() as f64) < capacity,
                "{session:?}"
            );
            assert!(session.samples.windows(2).all(|pair| {
                let (a, b) = (pair[0].reading, pair[1].reading);
                a.energy_wh <= b.energy_wh
                    && a.soc_percent <= b.soc_percent
                    && pair[0].at < pair[1].at
            }));
            let before =
                registers.insert((session.station, session.connector), session.meter_stop_wh);
            assert!(
                before.is_none_or(|wh| wh <= session.meter_start_wh),
                "a register fell"
            );
        }
        let tapers = past.sessions.iter().any(|s| {
            let last = s.samples.last().map_or(0, |l| l.reading.power_w);
            s.max_power_w() > 100_000 && last < s.max_power_w() / 2
        });
        assert!(tapers, "no fast charge tapers");
    }

    #[test]
    fn people_come_when_people_come() {
        let past = history(7, 56, end());
        let at = |site: usize, wanted: fn(&DateTime<Tz>) -> bool| {
            let zone = past.sites[site].time_zone;
            past.sessions
                .iter()
                .filter(|s| {
                    past.stations[s.station].site == site
                        && wanted(&s.started_at.with_timezone(&zone))
                })
                .count()
        };
        assert!(at(0, |t| t.hour() == 8) > 5 * at(0, |t| t.hour() == 3) + 10);
        let weekend = |t: &DateTime<Tz>| matches!(t.weekday(), Weekday::Sat | Weekday::Sun);
        assert!(at(0, |t| t.weekday() == Weekday::Tue) > at(0, |t| t.weekday() == Weekday::Sun));
        assert!(at(1, weekend) > 50);
    }
}
