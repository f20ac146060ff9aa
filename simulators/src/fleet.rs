//! The stations of a history, switched on: they charge now, one vehicle after the other, at real time.
//! For a demo; a test wants the [`crate::Station`] itself.

use evse_core::{Event, ocpp::msg16::Registration};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::task::JoinSet;

use crate::{
    history::{Driver, History},
    station::{Options, Session, Station, StationEvent, Until},
};

/// A running fleet. Dropping it switches it off.
#[derive(Debug)]
pub struct Fleet {
    stations: JoinSet<()>,
}

impl Fleet {
    /// Switches on every station of `past` against `url`. `password` gives a station's password, if it has one.
    /// Fails on a URL that is none.
    pub fn spawn(
        url: &str,
        past: &History,
        password: impl Fn(&str) -> Option<Vec<u8>>,
        seed: u64,
    ) -> anyhow::Result<Self> {
        let mut stations = JoinSet::new();
        let total: u32 = past.stations.iter().map(|s| s.connectors).sum();
        let mut place = 0;
        for (index, facts) in past.stations.iter().enumerate() {
            let registers_wh = (1..=facts.connectors)
                .map(|connector| last_register(past, index, connector))
                .collect::<Option<_>>()
                .unwrap_or_default();
            let options = Options {
                password: password(facts.identity),
                connectors: facts.connectors,
                supply: facts.supply,
                vendor: facts.vendor.to_owned(),
                model: facts.model.to_owned(),
                serial: Some(facts.serial.to_owned()),
                registers_wh,
                seed: seed + index as u64,
                ..Options::new(url, facts.identity)
            };
            let station = Station::spawn(options)?;
            // Each connector has drivers of its own, so that nobody is in two places at once.
            let people = (0..facts.connectors)
                .map(|n| {
                    past.drivers
                        .iter()
                        .skip((place + n) as usize)
                        .step_by(total as usize)
                        .cloned()
                        .collect()
                })
                .collect();
            place += facts.connectors;
            stations.spawn(keep_charging(
                station,
                people,
                StdRng::seed_from_u64(seed + index as u64),
            ));
        }
        Ok(Self { stations })
    }

    /// Switches all stations off and waits for them.
    pub async fn shutdown(mut self) {
        self.stations.shutdown().await;
    }
}

/// Where a connector's register stood at the end of the past, Wh.
fn last_register(past: &History, station: usize, connector: u32) -> Option<u64> {
    past.sessions
        .iter()
        .rev()
        .find(|s| s.station == station && s.connector == connector)
        .map(|s| s.meter_stop_wh)
}

async fn keep_charging(mut station: Station, people: Vec<Vec<Driver>>, mut rng: StdRng) {
    let mut visits = vec![0; people.len()];
    let mut begun = false;
    while let Some(event) = station.next_event().await {
        let free = match event {
            StationEvent::Core(Event::Boot {
                status: Registration::Accepted,
                ..
            }) if !begun => {
                begun = true;
                1..=people.len() as u32
            }
            StationEvent::SessionOver { connector, .. } => connector..=connector,
            _ => continue,
        };
        for connector in free {
            let index = connector as usize - 1;
            if let Some(session) = next_visit(connector, &people[index], visits[index], &mut rng) {
                station.session(session);
                visits[index] += 1;
            }
        }
    }
}

fn next_visit(
    connector: u32,
    people: &[Driver],
    visit: usize,
    rng: &mut StdRng,
) -> Option<Session> {
    let driver = people.get(visit % people.len().max(1))?;
    Some(Session {
        connector,
        vehicle: driver.vehicle.clone(),
        soc: rng.random_range(12.0..48.0),
        id_tag: driver.tag.clone(),
        until: Until::Soc(rng.random_range(78.0..97.0)),
        linger_minutes: rng.random_range(2.0..20.0),
    })
}
