//! Postgres stands still, as on a machine that swaps or a disk that hangs: for less than an outage may last, and longer.

use std::time::Duration;

use service::clock::Clock;
use service::shutdown::Shutdown;
use simulators::socket::ConnectError;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::plan::Plan;
use crate::rig::{CANARY, Load, Rig, eventually};
use crate::talk::Talker;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_postgres_costs_patience_and_no_message() {
    let plan = Plan::read(30, 0);
    let rig = Rig::start("paused", plan.stations, &[]).await;
    let room = Room::open(&rig, Duration::from_secs(600)).await;
    let load = Load::begin(&rig, plan.stations);
    load.grows(200).await;
    let mut canary = Talker::connect(&rig.target(), CANARY).await;
    let paused = rig.pause_postgres();
    canary.stay(plan.paused).await;
    drop(paused);
    load.grows(200).await;
    canary.call("Heartbeat", &serde_json::json!({})).await;
    room.close().await;

    // An outage is over after one second here; in the field after ten.
    let room = Room::open(&rig, Duration::from_secs(1)).await;
    load.grows(200).await;
    let mut canary = Talker::connect(&rig.target(), CANARY).await;
    let paused = rig.pause_postgres();
    assert_eq!(canary.close_code().await, Some(1013));
    eventually("a refusal", async || {
        let refused = rig.target().connect(CANARY, None).await.err();
        refused.filter(|error| matches!(error, ConnectError::Refused { status: 503, .. }))
    })
    .await;
    sleep(plan.paused).await;
    drop(paused);
    load.grows(200).await;
    let done = load.end().await;
    rig.compare(&done).await.expect_whole();
    super::report(
        "a paused Postgres",
        &plan,
        &done,
        serde_json::json!({ "paused_s": plan.paused.as_secs() }),
    );
    room.close().await;
    rig.end().await;
}

/// The chargers' room within this process, so that it can be given other time-outs.
struct Room {
    shutdown: Shutdown,
    task: JoinHandle<store::Result<()>>,
}

impl Room {
    async fn open(rig: &Rig, outage: Duration) -> Self {
        let listener = TcpListener::bind(rig.ocpp)
            .await
            .expect("the port of this rig");
        let options = csms::Options {
            outage,
            ..csms::Options::default()
        };
        let pool = store::pool::connect(&rig.url(), store::Room::Csms, 16).expect("a URL");
        let shutdown = Shutdown::new();
        let task = tokio::spawn(csms::run(
            options,
            pool,
            listener,
            Clock::system(),
            shutdown.clone(),
        ));
        Room { shutdown, task }
    }

    async fn close(self) {
        self.shutdown.begin();
        self.task.await.expect("no panic").expect("an end in order");
    }
}
