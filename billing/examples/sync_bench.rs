//! Measures the sync: `sync_bench DATABASE_URL LAGO_URL LAGO_KEY COUNT`. The database is migrated and empty, Lago is
//! `evsim lago` with the customer `acme`. Prints one JSON line: how long it took to put COUNT sessions into the outbox and
//! to send them, by the clock and in seconds of this process's CPU.

use std::time::Instant;

use billing::lago::{Sync, Turn, run::Wanted};
use nix::sys::{resource, time::TimeValLike};
use service::{
    clock::Clock,
    config::{Lago, LagoApi, Secret},
};
use store::{
    Room,
    customers::{self, Fields},
    lago::{runs::Cause, workload},
    pool,
    tag_mappings::{self, NewMapping},
};
use tokio_util::sync::CancellationToken;

const USAGE: &str = "sync_bench DATABASE_URL LAGO_URL LAGO_KEY COUNT";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, lago, key, count] = arguments.as_slice() else {
        panic!("{USAGE}");
    };
    let count: i64 = count.parse().expect(USAGE);
    // One thread: what it does in a second is what a core does.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("start a runtime");
    runtime.block_on(measure(database, lago, key, count));
}

async fn measure(database: &str, lago: &str, key: &str, count: i64) {
    let clock = Clock::system();
    let owner = pool::connect(database, Room::Owner, 2).expect(USAGE);
    let mut db = owner.acquire().await.expect("reach the database");
    let now = clock.now();
    let fields = Fields {
        name: "Acme".to_owned(),
        email: String::new(),
        address: String::new(),
        country: String::new(),
        tax_id: String::new(),
        lago_external_id: Some("acme".to_owned()),
        active: true,
    };
    let customer_id = customers::create(&mut db, &fields, now)
        .await
        .expect("add a customer");
    for token in 0..10 {
        let new = NewMapping {
            id_token: format!("TAG{token}"),
            customer_id,
            subscription: None,
            display_name: String::new(),
            notes: String::new(),
            active: true,
        };
        tag_mappings::create(&mut db, &new, now)
            .await
            .expect("map a token");
    }
    workload::ended(&mut db, 1, count, "TAG", 10, now)
        .await
        .expect("write the sessions");
    drop(db);

    let settings = Lago {
        api: Some(LagoApi {
            url: lago.to_owned(),
            key: Secret(key.to_owned()),
        }),
        ..Lago::default()
    };
    let billing = pool::connect(database, Room::Billing, 2).expect(USAGE);
    let sync =
        Sync::new(&settings, billing, clock, CancellationToken::new()).expect("make a client");
    let (begun, cpu) = (Instant::now(), cpu_ms());
    let wanted = Wanted {
        run: Some(Cause::Request),
        ..Wanted::default()
    };
    let Turn::Ran(runs) = sync.turn(wanted).await.expect("sync") else {
        panic!("nobody else has the turn");
    };
    let (seconds, cpu) = (begun.elapsed(), cpu_ms() - cpu);
    let tally = &runs[0].1;
    assert_eq!(
        (i64::from(tally.sent), tally.errors.len()),
        (count, 0),
        "{:?}",
        tally.errors
    );
    let per = |ms: i64| count * 1_000 / ms.max(1);
    let wall = i64::try_from(seconds.as_millis()).expect("it ends");
    println!(
        r#"{{"workload":"lago","events":{count},"wall_ms":{wall},"cpu_ms":{cpu},"events_per_s":{},"events_per_s_per_core":{}}}"#,
        per(wall),
        per(cpu)
    );
}

/// What this process has used, in user and kernel mode.
fn cpu_ms() -> i64 {
    let usage = resource::getrusage(resource::UsageWho::RUSAGE_SELF).expect("ask for usage");
    usage.user_time().num_milliseconds() + usage.system_time().num_milliseconds()
}
