//! A station is told another password, and the server is killed around its answer, again and again: whichever password the
//! station is left with, it opens the door.

use std::time::Duration;

use chrono::TimeDelta;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;
use service::clock::Clock;
use store::commands::NewCommand;
use store::{Room, Scope};
use tokio::time::sleep;
use uuid::Uuid;

use crate::plan::Plan;
use crate::rig::{Rig, Server};
use crate::talk::Talker;

const STATION: &str = "ROTATED";
/// The answer is written and committed about so long after it was sent.
const AROUND: Duration = Duration::from_millis(25);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_around_the_answer_to_a_new_password_locks_nobody_out() {
    let plan = Plan::read(0, 8);
    let rig = Rig::start("rotation", 0, &[]).await;
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let mut held = b"the first password".to_vec();
    rig.add_with_password(STATION, &held).await;
    let mut server = Server::start(&rig).await;
    let mut station = comes(&rig, &held).await.expect("let in");
    let (mut answered, mut lost, mut renewed) = (0, 0, 0);
    for round in 0..plan.kills {
        let new: [u8; 20] = chance.random();
        let command = order(&rig, &new).await;
        let call = station.called("ChangeConfiguration").await;
        assert_eq!(call["value"], in_hexadecimal(&new));
        // One that does not get its answer out in time may have taken the new password or not.
        let in_time = chance.random_bool(0.6);
        let took = in_time || chance.random_bool(0.5);
        if in_time {
            station.answer(&json!({ "status": "Accepted" })).await;
            sleep(AROUND.mul_f64(chance.random::<f64>())).await;
        }
        server.kill().await;
        let before = held.clone();
        if took {
            held = new.to_vec();
            renewed += 1;
        }

        server = Server::start(&rig).await;
        match status(&rig, command).await.as_str() {
            "answered" => answered += 1,
            _ => lost += 1,
        }
        station = comes(&rig, &held).await.unwrap_or_else(|why| {
            panic!("locked out after kill {round} (answered: {in_time}, took: {took}): {why}")
        });
        if took {
            let old = comes(&rig, &before).await;
            assert!(old.is_err(), "the old password opens after kill {round}");
        }
    }
    println!(
        "{}",
        json!({ "chaos": "kill -9 around the answer to a new password", "kills": plan.kills, "renewed": renewed,
                "answer_committed": answered, "answer_lost": lost, "locked_out": 0 })
    );
    server.end().await;
    rig.end().await;
}

async fn comes(rig: &Rig, password: &[u8]) -> Result<Talker, String> {
    let came = Talker::come(&rig.target(), STATION, Some(password)).await;
    came.map_err(|why| why.to_string())
}

/// Queues the command that brings a new password, as people's room does.
async fn order(rig: &Rig, password: &[u8]) -> Uuid {
    let now = Clock::system().now();
    let mut db = rig.connection().await;
    let found = store::lookup::stations(&mut db, &[STATION.to_owned()]).await;
    let found = found.expect("a look at the stations");
    let station = found[0].as_ref().expect("the station");
    let payload = json!({ "key": "AuthorizationKey", "value": in_hexadecimal(password) });
    let payload = payload.to_string();
    let command = NewCommand {
        station_id: station.id,
        site_id: station.site_id,
        action: "ChangeConfiguration",
        payload: &payload,
        raw: false,
        actor_kind: "cli",
        actor_id: None,
        expires_at: now + TimeDelta::hours(1),
        rerun_of: None,
        task_id: None,
    };
    let queued = store::commands::queue(&mut db, &command, now).await;
    queued.expect("a queued command")
}

fn in_hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect()
}

async fn status(rig: &Rig, command: Uuid) -> String {
    let pool = store::pool::connect(&rig.url(), Room::Owner, 1).expect("a URL");
    let mut db = Scope::All.begin(&pool).await.expect("a transaction");
    let row = store::commands::get(&mut db, command).await;
    row.expect("a look at the command").expect("it").status
}
