//! `forecourt demo`: an installation that looks lived in. It hands the past that `simulators` makes up to `store`, and
//! lets six simulated chargers charge now.

mod invoices;
mod money;

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use anyhow::bail;
use chrono::{DateTime, Days, TimeDelta, Utc};
use service::{clock::Clock, config::Config, shutdown::Shutdown};
use simulators::{
    Driver, History, Options, PastFault, PastSession, Sample, Session, Station, StationEvent,
    StationFacts, Supply, Until, history,
};
use store::{
    Connection, Room, Transaction,
    audit::{self, Actor, Entry},
    id_tokens::{self, IdToken},
    ids,
    ingest::{self, Boot, Effect, MeterRow, Start, Status, Stop},
    lookup, partitions,
    people::{self, Role, SiteRole},
    secrets, sites,
    stations::{self, NewStation, Registration},
};
use tokio::time::{Instant, sleep_until};
use uuid::Uuid;

use crate::{
    database::Database,
    up::{self, Doors, Rooms},
};

/// The past is the same at every first start, but for its end.
const SEED: u64 = 2026;
const DAYS: u32 = 60;
/// Sessions in one statement; fewer than a block of transaction numbers has.
const CHUNK: usize = 200;
/// The audit log's name for the installation that the demo made.
const MARK: &str = "demo";
/// Who may sign in.
const ADMIN: &str = "admin@forecourt.example";
const OPERATOR: &str = "operator@forecourt.example";
/// How often a live station samples.
const SAMPLES: Duration = Duration::from_secs(15);
/// How long the second connector of a station stays free at first, and any connector between two visits.
const PAUSE: Duration = Duration::from_secs(150);
/// So far apart are the drivers that one station's visits take from the list: no driver is at two stations.
const STATIONS_APART: usize = 6;
/// 150 kW: a register never runs backwards from one run of the demo to the next.
const MOST_WH_A_MINUTE: u64 = 2_500;

/// Loads the past if the database is empty, and runs everything with simulated chargers.
pub async fn run(mut config: Config, yes: bool) -> anyhow::Result<()> {
    let doors = Doors::open(&mut config, Rooms::ALL).await?;
    let database = Database::start(&config).await?;
    let result = load_and_serve(&config, doors, &database, yes).await;
    database.stop().await;
    result
}

async fn load_and_serve(
    config: &Config,
    doors: Doors,
    database: &Database,
    yes: bool,
) -> anyhow::Result<()> {
    let now = Clock::system().now();
    let (past, end) = load(database, yes, now).await?;
    let shutdown = Shutdown::new();
    for index in 0..past.stations.len() {
        let station = spawn(config, &past, index, now - end)?;
        shutdown.spawn(keep_busy(
            station,
            past.drivers.clone(),
            index,
            shutdown.clone(),
        ));
    }
    up::serve(config, doors, database, shutdown, &how_to_sign_in(config)).await
}

fn how_to_sign_in(config: &Config) -> String {
    let url = &config.portal.public_url;
    let code = if config.demo {
        format!("The code is printed here, and is at {url}/dev/mailbox.")
    } else {
        "The code comes by mail; with FORECOURT_DEMO=1 it is printed here instead.".to_owned()
    };
    format!("\nSign in at {url} as {ADMIN} (all sites) or {OPERATOR} (one site).\n{code}\n")
}

/// Makes the past and stores it, unless that was done before. A database with stations that are not the demo's is left
/// alone without `yes`. It is stored as a whole or not at all.
async fn load(
    database: &Database,
    yes: bool,
    now: DateTime<Utc>,
) -> anyhow::Result<(History, DateTime<Utc>)> {
    let mut db = database.begin().await?;
    let loaded = audit::of(&mut db, MARK, 1).await?;
    let end = loaded.first().map_or(now, |entry| entry.at);
    let past = history(SEED, DAYS, end);
    if !loaded.is_empty() {
        return Ok((past, end));
    }
    if stations::count(&mut db).await? > 0 && !yes {
        bail!(
            "this database has stations that the demo did not make. Set FORECOURT_DATA to an empty folder, or say \
             `forecourt demo --yes` to add the demo's sites, stations and sessions to what is there"
        );
    }
    println!(
        "==> Making up {DAYS} days with {} charging sessions",
        past.sessions.len()
    );
    store_past(&mut db, &past, end).await?;
    let entry = Entry {
        at: end,
        actor: Actor::Cli,
        action: "demo.load".to_owned(),
        entity: MARK.to_owned(),
        detail: Default::default(),
    };
    audit::record(&mut db, &entry).await?;
    db.commit().await?;
    println!("==> Pricing them, and issuing last month's statements");
    let pool = database.pool(Room::Billing, 2)?;
    invoices::bill(&pool, end - Days::new(u64::from(DAYS)), end).await?;
    Ok((past, end))
}

async fn store_past(
    db: &mut Transaction,
    past: &History,
    end: DateTime<Utc>,
) -> anyhow::Result<()> {
    let begin = end - Days::new(u64::from(DAYS));
    partitions::ensure(db, DAYS + 1, end).await?;
    let places = add_installation(db, past, begin).await?;
    for chunk in past.sessions.chunks(CHUNK) {
        let last = lookup::next_transaction_block(db).await?;
        let effects: Vec<_> = chunk
            .iter()
            .zip(0..)
            .map(|(session, n)| {
                session_effect(session, csms::transaction_number(last - n), &places, past)
            })
            .collect();
        ingest::commit(db, &effects.iter().collect::<Vec<_>>()).await?;
    }
    for fault in &past.faults {
        for effect in fault_effects(fault, &places) {
            ingest::commit(db, &[&effect]).await?;
        }
    }
    Ok(())
}

/// A station as the database knows it.
struct Place {
    station_id: Uuid,
    site_id: Uuid,
}

/// Sites, stations, tags and people; answers the stations in their order.
async fn add_installation(
    db: &mut Connection,
    past: &History,
    begin: DateTime<Utc>,
) -> anyhow::Result<Vec<Place>> {
    let mut site_ids = Vec::new();
    for site in &past.sites {
        site_ids.push(sites::add(db, site.name, site.time_zone, begin).await?);
    }
    money::add(db, &site_ids, begin).await?;
    let mut places = Vec::new();
    for facts in &past.stations {
        let site_id = site_ids[facts.site];
        let new = NewStation {
            identity: facts.identity,
            site_id: Some(site_id),
            registration: Registration::Accepted,
            security_profile: 1,
            password_hash: Some(&secrets::hash_password(password(facts.identity).as_bytes())),
        };
        let station_id = stations::add(db, &new, begin).await?;
        ingest::commit(db, &[&boot_effect(station_id, facts, begin)]).await?;
        places.push(Place {
            station_id,
            site_id,
        });
    }
    for driver in &past.drivers {
        let token = IdToken {
            token: driver.tag.clone(),
            kind: "RFID".to_owned(),
            status: "accepted".to_owned(),
            parent: None,
            expires_at: None,
            max_active: None,
            owner: driver.name.to_owned(),
        };
        id_tokens::put(db, &token, begin).await?;
    }
    invoices::add_customers(db, &past.drivers, begin).await?;
    people::add(db, ADMIN, "Demo admin", Role::Admin, begin).await?;
    let operator = people::add(db, OPERATOR, "Demo operator", Role::Operator, begin).await?;
    people::join(db, operator, site_ids[0], SiteRole::Operator, begin).await?;
    Ok(places)
}

fn password(identity: &str) -> String {
    format!("demo {identity}")
}

fn boot_effect(station_id: Uuid, facts: &StationFacts, at: DateTime<Utc>) -> Effect {
    let boot = Boot {
        station_id,
        vendor: Some(facts.vendor.to_owned()),
        model: Some(facts.model.to_owned()),
        serial: Some(facts.serial.to_owned()),
        firmware: Some(facts.firmware.to_owned()),
        accepted: true,
        received_at: at,
    };
    Effect {
        boots: vec![boot],
        ..Effect::default()
    }
}

/// What the csms would have stored of the session, message by message.
fn session_effect(session: &PastSession, number: i64, places: &[Place], past: &History) -> Effect {
    let Place {
        station_id,
        site_id,
    } = places[session.station];
    let (evse, driver) = (evse(session.connector), &past.drivers[session.driver]);
    let id = ids::new_id(session.started_at);
    let phases = match past.stations[session.station].supply {
        Supply::Ac { .. } => usize::try_from(driver.vehicle.phases).unwrap_or(1),
        Supply::Dc { .. } => 1,
    };
    let last = session.samples.len().saturating_sub(1);
    let context = |index: usize| match index {
        0 => "Transaction.Begin",
        _ if index == last => "Transaction.End",
        _ => "Sample.Periodic",
    };
    let meter = session
        .samples
        .iter()
        .enumerate()
        .map(|(index, sample)| MeterRow {
            station_id,
            evse,
            context: context(index),
            transaction_id: Some(id),
            ..meter_row(sample, phases)
        });
    let start = Start {
        id,
        station_id,
        number,
        evse,
        connector: evse,
        id_token: driver.tag.clone(),
        started_at: session.started_at,
        shown_at: session.started_at,
        received_at: session.started_at,
        meter_start_wh: wh(session.meter_start_wh),
        reservation_id: None,
        site_id: Some(site_id),
        flags: Vec::new(),
    };
    let stop = Stop {
        transaction_id: id,
        stopped_at: session.ended_at,
        received_at: session.ended_at,
        meter_stop_wh: wh(session.meter_stop_wh),
        reason: Some(session.reason.as_str().to_owned()),
        id_token: Some(driver.tag.clone()),
        replaces: false,
        figures: None,
        flags: Vec::new(),
    };
    Effect {
        meter: meter.collect(),
        starts: vec![start],
        stops: vec![stop],
        ..Effect::default()
    }
}

/// A sample in the units of the columns; whose it is, the caller says.
fn meter_row(sample: &Sample, phases: usize) -> MeterRow {
    let reading = &sample.reading;
    let of_each_phase = |tenths: u32| {
        std::array::from_fn(|phase| (phase < phases).then(|| whole(tenths.saturating_mul(100))))
    };
    MeterRow {
        station_id: Uuid::nil(),
        at: sample.at,
        evse: 0,
        connector: 1,
        context: "Other",
        received_at: sample.at,
        odd: false,
        transaction_id: None,
        energy_wh: Some(wh(reading.energy_wh)),
        power_w: Some(whole(reading.power_w)),
        current_ma: of_each_phase(reading.current_da),
        voltage_mv: of_each_phase(reading.voltage_dv),
        soc_pm: reading.soc_percent.map(|percent| i16::from(percent) * 10),
        temperature_dc: None,
        offered_w: Some(whole(reading.offered_w)),
        offered_ma: None,
        rest: None,
        flags: None,
    }
}

/// The connector breaks, and is well again. Two effects: a commit holds one state of a connector.
fn fault_effects(fault: &PastFault, places: &[Place]) -> [Effect; 2] {
    let status = |word: &str, code: &str, at| Effect {
        statuses: vec![Status {
            station_id: places[fault.station].station_id,
            evse: evse(fault.connector),
            connector: 1,
            status: word.to_owned(),
            error_code: code.to_owned(),
            vendor_error_code: None,
            info: None,
            at,
            received_at: at,
        }],
        ..Effect::default()
    };
    [
        status("Faulted", fault.code.as_str(), fault.from),
        status("Available", "NoError", fault.until),
    ]
}

fn evse(connector: u32) -> i32 {
    i32::try_from(connector).unwrap_or(i32::MAX)
}

fn wh(register: u64) -> i64 {
    i64::try_from(register).unwrap_or(i64::MAX)
}

fn whole(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

/// Switches a station on, its register where the past (and what it may have charged since) left it.
fn spawn(
    config: &Config,
    past: &History,
    index: usize,
    since: TimeDelta,
) -> anyhow::Result<Station> {
    let facts = &past.stations[index];
    let sessions = past
        .sessions
        .iter()
        .filter(|session| session.station == index);
    let last = sessions
        .map(|session| session.meter_stop_wh)
        .max()
        .unwrap_or_default();
    let minutes = u64::try_from(since.num_minutes()).unwrap_or_default();
    Station::spawn(Options {
        password: Some(password(facts.identity).into_bytes()),
        connectors: facts.connectors,
        supply: facts.supply,
        vendor: facts.vendor.to_owned(),
        model: facts.model.to_owned(),
        serial: Some(facts.serial.to_owned()),
        register_wh: last + minutes * MOST_WH_A_MINUTE,
        seed: SEED + u64::try_from(index).unwrap_or_default(),
        sample_interval: Some(SAMPLES),
        ..Options::new(
            &format!("ws://{}/ocpp", reachable(config.csms.listen)),
            facts.identity,
        )
    })
}

/// An address to connect to a listener on `listen`: one that listens everywhere is here too.
fn reachable(listen: SocketAddr) -> SocketAddr {
    match listen.ip() {
        ip if !ip.is_unspecified() => listen,
        IpAddr::V4(_) => (Ipv4Addr::LOCALHOST, listen.port()).into(),
        IpAddr::V6(_) => (Ipv6Addr::LOCALHOST, listen.port()).into(),
    }
}

/// Sends one driver after the other to a station's connectors, until the shutdown.
async fn keep_busy(mut station: Station, drivers: Vec<Driver>, index: usize, shutdown: Shutdown) {
    let mut due = [Some(Instant::now()), Some(Instant::now() + PAUSE)];
    for visit in (index..).step_by(STATIONS_APART) {
        let connector = loop {
            let next = due.iter().flatten().min().copied();
            tokio::select! {
                () = shutdown.soft().cancelled() => return station.shutdown().await,
                () = wait_until(next) => break if due[0] == next { 0 } else { 1 },
                event = station.next_event() => match event {
                    Some(StationEvent::SessionOver { connector: 1, .. }) => due[0] = Some(Instant::now() + PAUSE),
                    Some(StationEvent::SessionOver { .. }) => due[1] = Some(Instant::now() + PAUSE),
                    Some(_) => {}
                    None => return,
                },
            }
        };
        due[usize::from(connector == 1)] = None;
        let driver = &drivers[visit % drivers.len()];
        station.session(Session {
            connector: connector + 1,
            vehicle: driver.vehicle.clone(),
            soc: f64::from(u8::try_from(15 + visit * 7 % 45).unwrap_or(15)),
            id_tag: driver.tag.clone(),
            until: Until::Soc(85.0),
            linger_minutes: 2.0,
        });
    }
}

async fn wait_until(moment: Option<Instant>) {
    match moment {
        Some(moment) => sleep_until(moment).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{
        Scope,
        sessions::{Filter, totals},
        testing::database,
    };

    const NOW: &str = "2026-11-20T12:00:00.123456Z";

    #[tokio::test]
    async fn the_past_is_stored_once_and_adds_up() {
        let db = database().await;
        let installation = Database::at(&db.url);
        let (past, _) = load(&installation, false, NOW.parse().unwrap())
            .await
            .unwrap();
        let later = "2026-11-21T12:00:00Z".parse().unwrap();
        let (again, end) = load(&installation, false, later).await.unwrap();
        assert_eq!(end, NOW.parse::<DateTime<Utc>>().unwrap());
        assert_eq!(again.drivers[0].tag, past.drivers[0].tag);
        assert_eq!(again.sessions.len(), past.sessions.len());

        let mut scoped = Scope::All.begin(&db.pool).await.unwrap();
        let stored = totals(&mut scoped, &Filter::default()).await.unwrap();
        assert_eq!(usize::try_from(stored.count).unwrap(), past.sessions.len());
        let energy: u64 = past.sessions.iter().map(PastSession::energy_wh).sum();
        assert_eq!(u64::try_from(stored.energy_wh).unwrap(), energy);

        let billing = db.pool(store::Room::Billing);
        let priced = billing::pricing::price_pending(&billing, end)
            .await
            .unwrap();
        assert_eq!(priced, 0, "it is priced already");
        let revenue = store::prices::revenue(&mut scoped, &Filter::default())
            .await
            .unwrap();
        assert_eq!((revenue.len(), revenue[0].currency.as_str()), (1, "EUR"));
        assert_eq!(revenue[0].sessions, stored.count, "none is held");

        let sums = store::invoices::sums(&mut scoped, &Default::default(), end).await;
        let states: Vec<_> = sums.unwrap().into_iter().map(|sum| sum.state).collect();
        use store::invoices::State::{CreditNote, Overdue, Paid};
        for state in [CreditNote, Overdue, Paid] {
            assert!(states.contains(&state), "no {state:?} among {states:?}");
        }
        let mut db = billing.acquire().await.unwrap();
        let unmade = store::invoices::without_document(&mut db, 9).await.unwrap();
        assert!(unmade.is_empty(), "every document has its file");
        let books = billing::verify::verify(&billing, end).await.unwrap();
        assert!(books[0].documents > 4, "{books:?}");
    }

    #[tokio::test]
    async fn a_database_with_other_stations_is_left_alone_unless_told() {
        let db = database().await;
        let station = NewStation {
            identity: "REAL-1",
            site_id: None,
            registration: Registration::Accepted,
            security_profile: 0,
            password_hash: None,
        };
        let now = NOW.parse().unwrap();
        let mut connection = db.pool.acquire().await.unwrap();
        stations::add(&mut connection, &station, now).await.unwrap();
        let installation = Database::at(&db.url);
        let refused = load(&installation, false, now)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("FORECOURT_DATA") && refused.contains("--yes"),
            "{refused}"
        );
        assert_eq!(stations::count(&mut connection).await.unwrap(), 1);
        load(&installation, true, now).await.unwrap();
        assert_eq!(stations::count(&mut connection).await.unwrap(), 7);
    }

    #[test]
    fn stations_find_a_server_that_listens_everywhere() {
        let of = |listen: &str| reachable(listen.parse().unwrap()).to_string();
        assert_eq!(of("0.0.0.0:9000"), "127.0.0.1:9000");
        assert_eq!(of("[::]:9000"), "[::1]:9000");
        assert_eq!(of("10.0.0.1:9000"), "10.0.0.1:9000");
    }
}
