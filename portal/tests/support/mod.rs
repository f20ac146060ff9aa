//! A small fleet with plausible data, written as chargers would have written it. Its charging follows a car: full power
//! until 70 %, then less and less.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use store::{
    Pool, ids,
    ingest::{self, Boot, Effect, EventRow, MeterRow, Start, Status, Stop},
    partitions,
    presence::{self, Connected, Seen},
    refusals::{self, Refusal},
    sites,
    stations::{self, NewStation, Registration},
};
use uuid::Uuid;

pub mod kept;

/// A car at a connector: what it can take and how full it comes and goes.
#[derive(Debug, Clone, Copy)]
pub struct Car {
    pub battery_wh: i64,
    pub power_w: i64,
    /// Per mille; none for a charger that cannot ask.
    pub soc_pm: Option<i64>,
    pub minutes: i64,
}

/// A session as it was written.
#[derive(Debug, Clone, Copy)]
pub struct Written {
    pub id: Uuid,
    pub energy_wh: i64,
    pub register_wh: i64,
}

/// A database and the time that it is in it.
pub struct Fleet<'a> {
    pub pool: &'a Pool,
    pub now: DateTime<Utc>,
    pub number: i64,
}

impl<'a> Fleet<'a> {
    pub async fn new(pool: &'a Pool, now: DateTime<Utc>) -> Self {
        let mut db = pool.acquire().await.unwrap();
        partitions::ensure(&mut db, 62, now).await.unwrap();
        Fleet {
            pool,
            now,
            number: 71_000,
        }
    }

    pub async fn site(&self, name: &str, zone: &str) -> Uuid {
        let mut db = self.pool.acquire().await.unwrap();
        sites::add(&mut db, name, zone.parse().unwrap(), self.now)
            .await
            .unwrap()
    }

    /// A station that has booted and is connected.
    pub async fn station(&self, identity: &str, site: Uuid, model: (&str, &str, &str)) -> Uuid {
        let mut db = self.pool.acquire().await.unwrap();
        let new = NewStation {
            identity,
            site_id: Some(site),
            registration: Registration::Accepted,
            security_profile: 0,
            password_hash: None,
        };
        let id = stations::add(&mut db, &new, self.now - TimeDelta::days(60))
            .await
            .unwrap();
        let socket = Connected {
            station_id: id,
            generation: 1,
            protocol: "ocpp1.6".to_owned(),
            address: "192.0.2.17".to_owned(),
            at: self.now - TimeDelta::hours(30),
        };
        presence::connected(&mut db, "node", &[socket])
            .await
            .unwrap();
        let seen = Seen {
            station_id: id,
            at: self.now - TimeDelta::seconds(20),
            heartbeats: 240,
        };
        presence::seen(&mut db, &[seen]).await.unwrap();
        let boot = Boot {
            station_id: id,
            vendor: Some(model.0.to_owned()),
            model: Some(model.1.to_owned()),
            serial: Some(format!("SN-{identity}")),
            firmware: Some(model.2.to_owned()),
            accepted: true,
            received_at: self.now - TimeDelta::hours(30),
        };
        let effect = Effect {
            boots: vec![boot],
            ..Effect::default()
        };
        ingest::commit(&mut db, &[&effect]).await.unwrap();
        id
    }

    /// Its socket was lost.
    pub async fn lose(&self, station: Uuid, ago: TimeDelta) {
        let mut db = self.pool.acquire().await.unwrap();
        let socket = Connected {
            station_id: station,
            generation: 2,
            protocol: "ocpp1.6".to_owned(),
            address: "192.0.2.17".to_owned(),
            at: self.now - ago,
        };
        presence::connected(&mut db, "node", &[socket])
            .await
            .unwrap();
        presence::disconnected(&mut db, &[(station, 2)], self.now - ago)
            .await
            .unwrap();
    }

    pub async fn refuse(&self, identity: &str, reason: &str, detail: &str, attempts: i64) {
        let mut db = self.pool.acquire().await.unwrap();
        let refusal = Refusal {
            identity: identity.to_owned(),
            reason: reason.to_owned(),
            detail: detail.to_owned(),
            address: "198.51.100.23".to_owned(),
            attempts,
        };
        refusals::record(&mut db, &[refusal], self.now - TimeDelta::minutes(14))
            .await
            .unwrap();
    }

    /// A connector said something.
    pub async fn status(
        &self,
        at: DateTime<Utc>,
        of: (Uuid, i32),
        word: &str,
        error: &str,
        info: Option<&str>,
    ) {
        let status = Status {
            station_id: of.0,
            evse: of.1,
            connector: 1,
            status: word.to_owned(),
            error_code: error.to_owned(),
            vendor_error_code: None,
            info: info.map(str::to_owned),
            at,
            received_at: at,
        };
        self.commit(Effect {
            statuses: vec![status],
            ..Effect::default()
        })
        .await;
    }

    pub async fn commit(&self, effect: Effect) {
        let mut db = self.pool.acquire().await.unwrap();
        ingest::commit(&mut db, &[&effect]).await.unwrap();
    }

    /// A session from its start to its end, or to now if it has not ended.
    pub async fn charge(
        &mut self,
        of: (Uuid, i32),
        site: Uuid,
        token: &str,
        started_at: DateTime<Utc>,
        car: Car,
    ) -> Written {
        self.number += 1;
        let id = ids::new_id(started_at);
        let register = 1_284_000 + self.number * 37;
        self.status(
            started_at - TimeDelta::seconds(25),
            of,
            "Preparing",
            "NoError",
            None,
        )
        .await;
        let start = Start {
            id,
            station_id: of.0,
            number: self.number,
            evse: of.1,
            connector: of.1,
            id_token: token.to_owned(),
            started_at,
            received_at: started_at,
            shown_at: started_at,
            meter_start_wh: register,
            reservation_id: None,
            site_id: Some(site),
            flags: Vec::new(),
        };
        self.commit(Effect {
            starts: vec![start],
            events: vec![event("transaction.started", site, of.0, id, started_at)],
            ..Effect::default()
        })
        .await;
        self.status(started_at, of, "Charging", "NoError", None)
            .await;

        let ends_at = started_at + TimeDelta::minutes(car.minutes);
        let until = ends_at.min(self.now);
        let mut energy_wh = 0;
        let mut meter = Vec::new();
        let mut at = started_at;
        while at <= until {
            let power_w = power_at(car, energy_wh, (at - started_at).num_seconds());
            meter.push(reading(
                (of, id),
                at,
                register + energy_wh,
                power_w,
                soc_of(car, energy_wh),
            ));
            at += TimeDelta::minutes(1);
            if at <= until {
                energy_wh += power_w / 60;
            }
        }
        let stops = if ends_at <= self.now {
            vec![Stop {
                transaction_id: id,
                stopped_at: ends_at,
                received_at: ends_at,
                meter_stop_wh: register + energy_wh,
                reason: Some("EVDisconnected".to_owned()),
                id_token: None,
                replaces: false,
                figures: None,
                flags: Vec::new(),
            }]
        } else {
            Vec::new()
        };
        let ended = !stops.is_empty();
        self.commit(Effect {
            meter,
            stops,
            ..Effect::default()
        })
        .await;
        if ended {
            self.status(ends_at, of, "Finishing", "NoError", None).await;
            self.status(
                ends_at + TimeDelta::minutes(3),
                of,
                "Available",
                "NoError",
                None,
            )
            .await;
        }
        Written {
            id,
            energy_wh,
            register_wh: register,
        }
    }

    /// The end of a session that is active.
    pub async fn stop(&self, session: Written, of: (Uuid, i32), site: Uuid) {
        let stop = Stop {
            transaction_id: session.id,
            stopped_at: self.now,
            received_at: self.now,
            meter_stop_wh: session.register_wh + session.energy_wh,
            reason: Some("Local".to_owned()),
            id_token: None,
            replaces: false,
            figures: None,
            flags: Vec::new(),
        };
        self.commit(Effect {
            stops: vec![stop],
            events: vec![event("transaction.ended", site, of.0, session.id, self.now)],
            ..Effect::default()
        })
        .await;
    }
}

fn event(
    kind: &'static str,
    site: Uuid,
    station: Uuid,
    session: Uuid,
    at: DateTime<Utc>,
) -> EventRow {
    EventRow {
        at,
        kind,
        site_id: Some(site),
        station_id: station,
        subject: Some(session),
        detail: json!({}),
    }
}

fn soc_of(car: Car, energy_wh: i64) -> Option<i64> {
    car.soc_pm
        .map(|soc| (soc + energy_wh * 1000 / car.battery_wh).min(1000))
}

fn power_at(car: Car, energy_wh: i64, second: i64) -> i64 {
    let full = soc_of(car, energy_wh).unwrap_or(500);
    let share = if full > 700 {
        (1040 - full).max(40) * 1000 / 340
    } else {
        1000
    };
    // Ramps up in the first minute, and no meter is quiet.
    let ramp = (second + 12).min(60) * 1000 / 60;
    let noise = 1000 + (second / 60 * 7919 % 23 - 11);
    car.power_w * share / 1000 * ramp / 1000 * noise / 1000
}

fn reading(
    (of, session): ((Uuid, i32), Uuid),
    at: DateTime<Utc>,
    register: i64,
    power: i64,
    soc: Option<i64>,
) -> MeterRow {
    let dc = power > 25_000 || soc.is_some();
    let milliamps = i32::try_from(if dc {
        power * 1_000_000 / 398_000
    } else {
        power * 1_000_000 / 690_000
    })
    .unwrap();
    MeterRow {
        station_id: of.0,
        at,
        evse: of.1,
        connector: 1,
        context: "Sample.Periodic",
        received_at: at,
        odd: false,
        transaction_id: Some(session),
        energy_wh: Some(register),
        power_w: Some(i32::try_from(power).unwrap()),
        current_ma: if dc {
            [Some(milliamps), None, None]
        } else {
            [Some(milliamps); 3]
        },
        voltage_mv: if dc {
            [None; 3]
        } else {
            [Some(230_400), Some(229_800), Some(231_100)]
        },
        soc_pm: soc.map(|soc| i16::try_from(soc).unwrap()),
        temperature_dc: None,
        offered_w: None,
        offered_ma: None,
        rest: None,
        flags: None,
    }
}

/// Two sites, six stations, a week of sessions; some charge now, some need attention.
pub struct Town {
    pub harbour: Uuid,
    pub mall: Uuid,
    pub active: Written,
    pub ended: Written,
}

/// Fills the database.
pub async fn town(fleet: &mut Fleet<'_>) -> Town {
    let now = fleet.now;
    let harbour = fleet.site("Harbour Quay", "Europe/Amsterdam").await;
    let mall = fleet.site("Westgate Mall", "Europe/Lisbon").await;
    let alpi = ("Alpitronic", "HYC150", "4.2.1");
    let abb = ("ABB", "Terra AC W22", "1.8.32");
    let fast = fleet.station("HQ-DC-01", harbour, alpi).await;
    let second = fleet.station("HQ-DC-02", harbour, alpi).await;
    let street = fleet.station("HQ-AC-11", harbour, abb).await;
    let mall_one = fleet.station("WG-AC-01", mall, abb).await;
    let mall_two = fleet.station("WG-AC-02", mall, abb).await;
    let lost = fleet.station("WG-AC-03", mall, abb).await;
    let quick = Car {
        battery_wh: 77_000,
        power_w: 118_000,
        soc_pm: Some(180),
        minutes: 31,
    };
    let slow = Car {
        battery_wh: 60_000,
        power_w: 10_900,
        soc_pm: None,
        minutes: 205,
    };
    for (station, connector) in [
        (fast, 1),
        (fast, 2),
        (second, 1),
        (second, 2),
        (street, 1),
        (street, 2),
        (mall_one, 1),
        (mall_two, 1),
        (lost, 1),
    ] {
        fleet
            .status(
                now - TimeDelta::hours(30),
                (station, connector),
                "Available",
                "NoError",
                None,
            )
            .await;
    }
    let tokens = [
        "04A1B2C3D47F2A",
        "04E9117AB25C80",
        "0477D2F01B6690",
        "VID:E4A9D0C21F55",
    ];
    let mut ended = None;
    for n in 0..56_i64 {
        let at = now - TimeDelta::minutes(95 + n * 237 + n * n % 53);
        let token = tokens[usize::try_from(n % 4).unwrap()];
        let written = match n % 4 {
            0 => {
                fleet
                    .charge(
                        (fast, 1),
                        harbour,
                        token,
                        at,
                        Car {
                            soc_pm: Some(90 + n * 11),
                            ..quick
                        },
                    )
                    .await
            }
            1 => {
                fleet
                    .charge(
                        (second, 2),
                        harbour,
                        token,
                        at,
                        Car {
                            power_w: 74_000,
                            soc_pm: Some(310),
                            minutes: 38 + n % 9,
                            ..quick
                        },
                    )
                    .await
            }
            2 => {
                fleet
                    .charge(
                        (street, 1),
                        harbour,
                        token,
                        at,
                        Car {
                            minutes: 60 + n,
                            ..slow
                        },
                    )
                    .await
            }
            _ => {
                fleet
                    .charge(
                        (mall_one, 1),
                        mall,
                        token,
                        at,
                        Car {
                            power_w: 7_200,
                            minutes: 80 + n,
                            ..slow
                        },
                    )
                    .await
            }
        };
        if n == 0 {
            ended = Some(written);
        }
    }
    let active = fleet
        .charge(
            (fast, 2),
            harbour,
            tokens[1],
            now - TimeDelta::minutes(14),
            Car {
                minutes: 60,
                ..quick
            },
        )
        .await;
    fleet
        .charge(
            (street, 2),
            harbour,
            tokens[2],
            now - TimeDelta::minutes(73),
            Car {
                minutes: 240,
                ..slow
            },
        )
        .await;
    fleet
        .charge(
            (mall_two, 1),
            mall,
            tokens[0],
            now - TimeDelta::minutes(128),
            Car {
                power_w: 7_360,
                minutes: 300,
                ..slow
            },
        )
        .await;
    fleet
        .status(
            now - TimeDelta::minutes(42),
            (second, 1),
            "Faulted",
            "GroundFailure",
            Some("RCD tripped"),
        )
        .await;
    fleet
        .status(
            now - TimeDelta::minutes(27),
            (mall_one, 1),
            "Preparing",
            "NoError",
            None,
        )
        .await;
    fleet.lose(lost, TimeDelta::minutes(190)).await;
    fleet
        .refuse(
            "CP-UNKNOWN-7",
            "unknown_station",
            "No station has this identity: register it, or correct the charger's URL",
            212,
        )
        .await;
    fleet
        .refuse(
            "HQ-DC-02",
            "wrong_password",
            "The password does not match: set it anew on the charger or here",
            3,
        )
        .await;
    Town {
        harbour,
        mall,
        active,
        ended: ended.unwrap(),
    }
}
