//! One station through the library's handles.

use std::time::Duration;

use evse_core::{Event, ocpp::msg16::Status};
use simulators::{Options, Session, Speed, Station, StationEvent, Until, vehicle};

use crate::server::Server;

fn options(server: &Server, id: &str) -> Options {
    Options {
        speed: Speed::Max,
        ..Options::new(&server.url(), id)
    }
}

fn leaf_session(connector: u32) -> Session {
    Session {
        connector,
        vehicle: vehicle("leaf").expect("known").clone(),
        soc: 30.0,
        id_tag: "A1".to_owned(),
        until: Until::Soc(80.0),
        linger_minutes: 3.0,
    }
}

async fn session_over(station: &mut Station) -> u64 {
    station
        .wait_for("the session's end", |event| match event {
            StationEvent::SessionOver { energy_wh, .. } => Some(energy_wh.expect("not refused")),
            _ => None,
        })
        .await
        .expect("a session")
}

#[tokio::test]
async fn a_session_charges_what_the_battery_takes() {
    let server = Server::start();
    let mut station = Station::spawn(options(&server, "CP001")).expect("spawned");
    station.booted().await.expect("booted");
    station.session(leaf_session(1));
    let energy_wh = session_over(&mut station).await;
    station.shutdown().await;
    // Half of 39 kWh at 91 % efficiency.
    assert!((21_300..21_600).contains(&energy_wh), "{energy_wh}");
    let start = &server.record.of("StartTransaction")[0].payload;
    let stop = &server.record.of("StopTransaction")[0].payload;
    let metered =
        stop["meterStop"].as_u64().expect("Wh") - start["meterStart"].as_u64().expect("Wh");
    assert_eq!(metered, energy_wh);
    let samples = server.record.of("MeterValues");
    // 6.6 kW take 3 h 15 min; a sample a minute.
    assert!((190..200).contains(&samples.len()), "{}", samples.len());
    let seen: Vec<_> = server.record.all().into_iter().map(|s| s.station).collect();
    assert!(seen.iter().all(|id| id == "CP001"));
}

#[tokio::test]
async fn by_hand_step_by_step() {
    let server = Server::start();
    let mut station = Station::spawn(Options::new(&server.url(), "CP002")).expect("spawned");
    station.booted().await.expect("booted");
    station.plug(2, vehicle("zoe").expect("known"), 40.0);
    station
        .status(2, Status::Preparing)
        .await
        .expect("preparing");
    station.swipe(2, "A1");
    let id = station.transaction_started().await.expect("started");
    station.swipe(2, "A1");
    assert_eq!(station.transaction_stopped().await.expect("stopped"), id);
    station.unplug(2);
    station.status(2, Status::Available).await.expect("free");
}

#[tokio::test]
async fn an_offline_charge_arrives_later_with_its_own_times() {
    let server = Server::start();
    let mut station = Station::spawn(Options {
        start: evse_core::Utc::parse("2026-05-04T08:00:00Z"),
        ..options(&server, "CP003")
    })
    .expect("spawned");
    station.booted().await.expect("booted");
    station.session(leaf_session(1));
    session_over(&mut station).await;
    station.offline();
    station.session(leaf_session(1));
    session_over(&mut station).await;
    assert_eq!(
        server.record.of("StartTransaction").len(),
        1,
        "nothing arrives while offline"
    );
    station.online();
    station
        .wait_within(Duration::from_secs(20), "the stop's answer", |event| {
            matches!(event, StationEvent::Core(Event::StopAcknowledged { .. })).then_some(())
        })
        .await
        .expect("replayed");
    let starts = server.record.of("StartTransaction");
    let stops = server.record.of("StopTransaction");
    assert_eq!((starts.len(), stops.len()), (2, 2));
    let at = |payload: &serde_json::Value| payload["timestamp"].as_str().expect("text").to_owned();
    assert!(at(&starts[1].payload) > at(&stops[0].payload));
    assert!(at(&stops[1].payload) > at(&starts[1].payload));
    assert_eq!(stops[1].payload["transactionId"], starts[1].transaction_id);
}

#[tokio::test]
async fn a_power_cut_ends_the_transaction_after_the_boot() {
    let server = Server::start();
    let mut station = Station::spawn(Options::new(&server.url(), "CP004")).expect("spawned");
    station.booted().await.expect("booted");
    station.plug(1, vehicle("zoe").expect("known"), 40.0);
    station.swipe(1, "A1");
    let id = station.transaction_started().await.expect("started");
    station.power_cut();
    station.booted().await.expect("booted again");
    assert_eq!(station.transaction_stopped().await.expect("stopped"), id);
    assert_eq!(
        server.record.of("StopTransaction")[0].payload["reason"],
        "PowerLoss"
    );
}

#[tokio::test]
async fn with_lossy_frames_every_message_still_arrives() {
    let server = Server::start();
    let mut station = Station::spawn(Options {
        faults: vec![
            "duplicate=0.3,delay=5ms,reorder=0.1"
                .parse()
                .expect("a rule"),
        ],
        seed: 11,
        sample_interval: Some(Duration::from_secs(1_800)),
        ..options(&server, "CP005")
    })
    .expect("spawned");
    station.booted().await.expect("booted");
    station.session(leaf_session(1));
    station
        .wait_within(Duration::from_secs(60), "the stop's answer", |event| {
            matches!(event, StationEvent::Core(Event::StopAcknowledged { .. })).then_some(())
        })
        .await
        .expect("acknowledged");
    let mut starts: Vec<_> = server
        .record
        .of("StartTransaction")
        .iter()
        .map(|s| s.payload.to_string())
        .collect();
    starts.dedup();
    assert_eq!(starts.len(), 1, "repetitions are alike");
}

#[tokio::test]
async fn a_server_that_restarts_is_found_again() {
    let mut server = Server::start();
    let mut station = Station::spawn(Options::new(&server.url(), "CP006")).expect("spawned");
    station.booted().await.expect("booted");
    server.restart();
    station
        .wait_within(Duration::from_secs(20), "a second connection", |event| {
            matches!(event, StationEvent::Connected).then_some(())
        })
        .await
        .expect("reconnected");
    assert_eq!(
        server.record.of("BootNotification").len(),
        1,
        "a reconnect is no boot"
    );
}
