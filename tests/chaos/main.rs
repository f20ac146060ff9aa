//! Nothing that a station was told is lost, and nobody is locked out: the server and its database are killed under load,
//! again and again, and what stations wrote into their ledgers is compared with the rows. `scripts/chaos` runs the same for longer.

mod canary;
mod flood;
mod ledger;
mod offline;
mod patron;
mod paused;
#[path = "../support/pki.rs"]
mod pki;
mod plan;
mod raw;
mod rig;
mod rotation;
mod storm;
mod talk;

use std::ops::RangeInclusive;
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use tokio::time::sleep;

use plan::Plan;
use rig::{Load, Rig, Server};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_is_killed_under_load_and_nothing_acknowledged_is_lost() {
    let plan = Plan::read(30, 5);
    let rig = Rig::start("server", plan.stations, &[]).await;
    let mut server = Server::start(&rig).await;
    let load = Load::begin(&rig, plan.stations);
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let mut ready = vec![server.ready_after];
    for _ in 0..plan.kills {
        load.grows(chance.random_range(20..400)).await;
        sleep(plan.pause(&mut chance)).await;
        server.kill().await;
        server = Server::start(&rig).await;
        ready.push(server.ready_after);
    }
    load.grows(100).await;
    let done = load.end().await;
    assert_eq!(done.refused(), 0, "{}", done.line());
    rig.compare(&done).await.expect_whole();
    ready.sort_unstable();
    report(
        "kill -9 of the server",
        &plan,
        &done,
        json!({ "ready_ms_median": ready[ready.len() / 2].as_millis(), "ready_ms_max": ready[ready.len() - 1].as_millis() }),
    );
    server.end().await;
    rig.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_killed_under_load_and_the_server_goes_on_by_itself() {
    let plan = Plan::read(30, 4);
    let rig = Rig::start("postgres", plan.stations, &[]).await;
    let mut server = Server::start(&rig).await;
    let load = Load::begin(&rig, plan.stations);
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let mut recovered = Vec::new();
    for kill in 0..plan.kills {
        load.grows(chance.random_range(20..400)).await;
        sleep(plan.pause(&mut chance)).await;
        // Every third time as `pg_ctl restart -m immediate` does it, else everything at once.
        if kill % 3 == 2 {
            rig.stop_postgres_immediately().await;
        } else {
            rig.kill_postgres().await;
        }
        rig.postgres_answers().await;
        let answers = Instant::now();
        load.grows(1).await;
        recovered.push(answers.elapsed());
    }
    load.grows(100).await;
    assert!(
        server.runs(),
        "the server ended; see {}",
        rig.log().display()
    );
    let done = load.end().await;
    rig.compare(&done).await.expect_whole();
    recovered.sort_unstable();
    report(
        "kill -9 of Postgres",
        &plan,
        &done,
        json!({ "first_acknowledgement_ms_max": recovered[recovered.len() - 1].as_millis() }),
    );
    server.end().await;
    rig.end().await;
}

/// The harness must be able to see a loss: a database that acknowledges before it has written does lose. (Not much, for
/// it writes every full page of its log all the same, but what stands in the last one is gone each time.)
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_lies_about_its_commits_is_found_out() {
    let plan = Plan::read(30, 3);
    let lazy = [("synchronous_commit", "off"), ("wal_writer_delay", "10s")];
    let rig = Rig::start("lazy", plan.stations, &lazy).await;
    let server = Server::start(&rig).await;
    let load = Load::begin(&rig, plan.stations);
    // A few will do, however long the others run.
    let kills = plan.kills.min(10);
    for _ in 0..kills {
        load.grows(300).await;
        rig.kill_postgres().await;
        rig.postgres_answers().await;
    }
    load.grows(1).await;
    let done = load.end().await;
    let compared = rig.compare(&done).await;
    assert!(
        !compared.flaws.is_empty(),
        "{} acknowledgements outlived a database that does not write them: the comparison proves nothing",
        done.facts.len()
    );
    println!(
        "{}",
        json!({ "chaos": "kill -9 of a lying Postgres", "kills": kills, "acknowledged": done.facts.len(),
                "lost": compared.flaws.len() })
    );
    server.end().await;
    rig.end().await;
}

/// How many durable messages a second a closed loop of stations gets acknowledged, and that a new version of the server
/// may be put in its place meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_asked_to_end_under_load_does_and_loses_nothing() {
    let plan = Plan::read(30, 1);
    let rig = Rig::start("deploy", plan.stations, &[]).await;
    let server = Server::start(&rig).await;
    let load = Load::begin(&rig, plan.stations);
    load.grows(plan.entries).await;
    let done = load.end().await;
    assert_eq!(done.report.error_count(), 0, "{}", done.line());
    rig.compare(&done).await.expect_whole();
    let latency = json!({ "p50_us": done.report.p50_us, "p99_us": done.report.p99_us });
    report("nothing", &plan, &done, latency);

    let load = Load::begin(&rig, plan.stations);
    load.grows(100).await;
    let begun = Instant::now();
    server.end().await;
    let ended_after = begun.elapsed();
    let server = Server::start(&rig).await;
    load.grows(100).await;
    let done = load.end().await;
    rig.compare(&done).await.expect_whole();
    report(
        "SIGTERM",
        &plan,
        &done,
        json!({ "ended_after_ms": ended_after.as_millis(), "ready_ms": server.ready_after.as_millis() }),
    );
    server.end().await;
    rig.end().await;
}

/// One JSON line for people and for docs/chaos.md.
fn report(what: &str, plan: &Plan, done: &rig::Done, more: serde_json::Value) {
    println!(
        "{}",
        json!({
            "chaos": what, "stations": plan.stations, "kills": plan.kills, "acknowledged": done.facts.len(), "lost": 0,
            "calls_per_s": done.report.calls_per_s, "sessions": done.report.sessions,
            "replayed": done.report.replayed, "reconnects": done.report.reconnects, "seconds": done.report.elapsed_s,
            "more": more,
        })
    );
}

/// A moment of `range`.
fn moment(chance: &mut StdRng, range: RangeInclusive<Duration>) -> Duration {
    let (from, to) = range.into_inner();
    from + (to - from).mul_f64(chance.random::<f64>())
}
