//! Stations that were offline for days come back and empty their queues at once, and others are served meanwhile.

use std::time::{Duration, Instant};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use service::clock::Clock;
use simulators::socket::Target;
use simulators::swarm::{self, Workload};
use store::proof::Fact;
use tokio::sync::watch;

use crate::plan::Plan;
use crate::rig::{CANARY, Rig, Server};
use crate::talk::Talker;

/// Messages of one charge: a start, samples, a stop.
const CHARGE: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn queues_of_days_are_taken_in_and_others_are_served_meanwhile() {
    let plan = Plan::read(30, 0);
    let rig = Rig::start("offline", plan.offline, &[]).await;
    let server = Server::start(&rig).await;
    let names = swarm::Options::new("", 0, Workload::Session);
    let (over, is_over) = watch::channel(false);
    let canary = tokio::spawn(serve_canary(rig.target(), is_over));
    let begun = Instant::now();
    let flushes: Vec<_> = (0..plan.offline)
        .map(|number| {
            let (id, tag) = (names.ids.name(number), names.tags.name(number));
            tokio::spawn(flush(rig.target(), id, tag, plan.queued))
        })
        .collect();
    let mut facts = Vec::new();
    for flush in flushes {
        facts.extend(flush.await.expect("a queue that was taken in"));
    }
    let drained = begun.elapsed();
    over.send_replace(true);
    let mut latencies = canary.await.expect("a canary that was served");
    latencies.sort_unstable();
    rig.compare_facts(&facts, "").await.expect_whole();
    println!(
        "{}",
        json!({ "chaos": "offline queues", "stations": plan.offline, "acknowledged": facts.len(), "lost": 0,
                "drained_s": drained.as_secs_f64(), "canary_calls": latencies.len(),
                "canary_p99_ms": latencies[latencies.len() * 99 / 100].as_millis() })
    );
    server.end().await;
    rig.end().await;
}

/// Talks on until `over`, a durable message and another in turn; yields how long each answer took.
async fn serve_canary(target: Target, over: watch::Receiver<bool>) -> Vec<Duration> {
    let mut canary = Talker::connect(&target, CANARY).await;
    let status = json!({ "connectorId": 1, "status": "Available", "errorCode": "NoError" });
    let mut latencies = Vec::new();
    while latencies.is_empty() || !*over.borrow() {
        for (action, payload) in [("Heartbeat", &json!({})), ("StatusNotification", &status)] {
            let begun = Instant::now();
            canary.call(action, payload).await;
            latencies.push(begun.elapsed());
        }
    }
    latencies
}

/// Says everything that a station has kept for three days; yields what was acknowledged.
async fn flush(target: Target, station: String, tag: String, queued: usize) -> Vec<Fact> {
    let mut talker = Talker::connect(&target, &station).await;
    let days_ago = Clock::system().now() - TimeDelta::days(3);
    let days_ago = DateTime::from_timestamp_millis(days_ago.timestamp_millis()).expect("a time");
    let mut facts = Vec::new();
    for charge in 0..queued.div_ceil(CHARGE) {
        let charge = i64::try_from(charge).expect("few charges");
        let (at, wh) = (days_ago + TimeDelta::minutes(30 * charge), 5000 * charge);
        let start =
            json!({ "connectorId": 1, "idTag": tag, "meterStart": wh, "timestamp": text(at) });
        let answer = talker.call("StartTransaction", &start).await;
        let number = answer["transactionId"].as_i64().expect("a transactionId");
        facts.push(Fact::Start {
            station: station.clone(),
            connector: 1,
            id_token: tag.clone(),
            at,
            meter_wh: wh,
            number,
        });
        for minute in 1..=(CHARGE as i64 - 2) {
            let (at, wh) = (at + TimeDelta::minutes(minute), wh + 100 * minute);
            talker.call("MeterValues", &meter(number, at, wh)).await;
            facts.push(Fact::Meter {
                station: station.clone(),
                connector: 1,
                number,
                at,
                energy_wh: wh,
            });
        }
        let (at, wh) = (at + TimeDelta::minutes(20), wh + 2000);
        let stop = json!({ "transactionId": number, "meterStop": wh, "timestamp": text(at) });
        talker.call("StopTransaction", &stop).await;
        facts.push(Fact::Stop {
            station: station.clone(),
            number,
            at,
            meter_wh: wh,
        });
    }
    facts
}

fn meter(number: i64, at: DateTime<Utc>, wh: i64) -> Value {
    let sampled = json!([
        { "value": wh.to_string(), "measurand": "Energy.Active.Import.Register", "unit": "Wh" },
        { "value": "7360", "measurand": "Power.Active.Import", "unit": "W" },
    ]);
    let values = json!([{ "timestamp": text(at), "sampledValue": sampled }]);
    json!({ "connectorId": 1, "transactionId": number, "meterValue": values })
}

fn text(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
