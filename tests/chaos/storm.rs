//! R12: a whole fleet comes back by TLS and password, right after the server was killed and has forgotten what it knew.

use std::io::ErrorKind;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::{RngExt, SeedableRng, rngs::StdRng};
use simulators::socket::{ConnectError, Socket, Target};
use simulators::swarm::{self, Workload};
use simulators::wire::Tls;
use tokio::time::sleep;

use crate::pki::Pki;
use crate::plan::Plan;
use crate::rig::{Rig, Server};

const PASSWORD: &str = "sixteen-or-more-chars";
/// In how many seconds they all knock for the first time.
const SPREAD: f64 = 10.0;
/// Until the last must be in.
const ALL_IN: Duration = Duration::from_secs(60);
/// Between two knocks of one that finds nobody.
const KNOCK_AGAIN: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r12_a_fleet_comes_back_by_tls_and_password_and_none_is_refused() {
    let plan = Plan::read(30, 0);
    let rig = Rig::start("storm", plan.storm, &[]).await;
    let names = swarm::Options::new("", 0, Workload::Idle).ids;
    let names: Vec<String> = (0..plan.storm).map(|number| names.name(number)).collect();
    rig.protect(&names, PASSWORD, 2).await;
    let pki = Pki::new();
    let believes = Tls::of_pem(pki.root.certificate.as_bytes(), None).expect("an authority");
    let target = rig.target().at_profile(2).trusting(Some(believes));
    let settings = Server::over_tls(&pki);
    let server = Server::with(&rig, &settings).await;
    // Some of them are there when it is killed; all of them are new to the one after it.
    let before = storm(&target, &names[..names.len() / 10], &plan).await;
    server.kill().await;
    drop(before);

    let mut server = Server::with(&rig, &settings).await;
    let begun = Instant::now();
    let fleet = storm(&target, &names, &plan).await;
    let took = begun.elapsed();
    println!("{} stations in {took:?}", fleet.len());
    assert!(took < ALL_IN, "{took:?}");
    assert!(server.runs());
    drop(fleet);
    server.end().await;
    rig.end().await;
}

/// Everybody knocks until let in.
async fn storm(target: &Target, names: &[String], plan: &Plan) -> Vec<Socket> {
    let mut chance = StdRng::seed_from_u64(plan.seed);
    let stations = names.iter().map(|name| {
        let wait = Duration::from_secs_f64(chance.random_range(0.0..SPREAD));
        let (target, name) = (target.clone(), name.clone());
        tokio::spawn(async move {
            sleep(wait).await;
            knock(&target, &name).await
        })
    });
    let stations: Vec<_> = stations.collect();
    let let_in = join_all(stations).await;
    let_in
        .into_iter()
        .map(|station| station.expect("let in"))
        .collect()
}

async fn knock(target: &Target, name: &str) -> Socket {
    loop {
        match target.connect(name, Some(PASSWORD.as_bytes())).await {
            Ok(socket) => return socket,
            Err(ConnectError::Unreachable { source, .. })
                if source.kind() == ErrorKind::ConnectionRefused =>
            {
                sleep(KNOCK_AGAIN).await;
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
}
