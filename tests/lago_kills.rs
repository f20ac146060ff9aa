//! R17: the worker is killed five hundred times around its POST to Lago. Every session is there once in the end, and
//! nothing else is.

use std::{
    collections::BTreeSet,
    process::{Child, Command, Stdio},
    time::Duration,
};

use service::clock::Clock;
use simulators::lago::{Handle, Moment};
use store::{
    Connection, Room, Scope,
    customers::{self, Fields},
    lago::{
        events::{self, Filter},
        link, runs, workload,
    },
    tag_mappings::{self, NewMapping},
    testing::{TestDb, database},
};
use tokio::{net::TcpListener, sync::broadcast::Receiver};

const KILLS: usize = 500;
const SESSIONS: i64 = 6_000;

fn worker(db: &TestDb, lago: &str) -> Child {
    Command::new(env!("CARGO_BIN_EXE_forecourt"))
        .args(["billing", "sync"])
        .current_dir(std::env::temp_dir())
        .env_clear()
        .env("DATABASE_URL", &db.url)
        .env("LAGO_API_URL", lago)
        .env("LAGO_API_KEY", "a key")
        .env("LOG", "error")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

async fn map(db: &mut Connection) {
    let now = Clock::system().now();
    let fields = Fields {
        name: "Acme".to_owned(),
        email: String::new(),
        address: String::new(),
        country: String::new(),
        tax_id: String::new(),
        lago_external_id: Some("acme".to_owned()),
        active: true,
    };
    let new = NewMapping {
        id_token: "TAG0".to_owned(),
        customer_id: customers::create(db, &fields, now).await.unwrap(),
        subscription: Some("sub-acme".to_owned()),
        display_name: String::new(),
        notes: String::new(),
        active: true,
    };
    tag_mappings::create(db, &new, now).await.unwrap();
}

/// Waits for a moment, or for the worker to end by itself.
async fn comes(moments: &mut Receiver<Moment>, wanted: Moment, child: &mut Child) -> bool {
    let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        match tokio::time::timeout(Duration::from_millis(20), moments.recv()).await {
            Ok(Ok(moment)) if moment == wanted => return true,
            Ok(_) => {}
            Err(_) => {
                if child.try_wait().unwrap().is_some() {
                    return false;
                }
                assert!(
                    tokio::time::Instant::now() < deadline,
                    "no POST within 30 s"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r17_a_worker_killed_around_its_post_loses_and_doubles_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (lago, _) = simulators::lago::start(listener, "a key");
    lago.world().add_customer("acme", "sub-acme");
    lago.world()
        .put_metric("ev_charging_kwh", "sum_agg", Some("kwh"));
    let db = database().await;
    let mut connection = db.pool.acquire().await.unwrap();
    map(&mut connection).await;

    let mut by_moment = [0; 4];
    let mut made = 0;
    for kill in 0..KILLS {
        // Some new sessions for each worker, so that each has something to send.
        let count = SESSIONS / i64::try_from(KILLS).unwrap();
        let now = Clock::system().now();
        workload::ended(&mut connection, made + 1, count, "TAG", 1, now)
            .await
            .unwrap();
        made += count;
        // An unfinished worker must not be what the next one waits for: a killed one leaves no lock behind.
        let mut moments = lago.moments();
        let mut child = worker(&db, &url);
        let wanted = [Moment::Arrived, Moment::Kept, Moment::Answered][kill % 3];
        if comes(&mut moments, wanted, &mut child).await {
            if wanted == Moment::Answered {
                // Up to 7 ms later: between the answer and its note, or in the note.
                let late = u64::try_from(kill % 8).unwrap();
                tokio::time::sleep(Duration::from_millis(late)).await;
            }
            by_moment[kill % 3] += 1;
        } else {
            by_moment[3] += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
    }
    assert!(
        by_moment[3] < KILLS / 20,
        "killed at arrival, when kept, when answered, not at all: {by_moment:?}"
    );
    finish(&db, &url, &lago, made).await;
}

/// One last run in peace, and both books compared.
async fn finish(db: &TestDb, url: &str, lago: &Handle, made: i64) {
    let mut last = worker(db, url);
    assert!(last.wait().unwrap().success());
    let mut connection = db.pool.acquire().await.unwrap();
    assert_eq!(events::count_pending(&mut connection).await.unwrap(), 0);
    assert_eq!(link::load(&mut connection).await.unwrap().circuit, "closed");
    let abandoned = runs::recent(&mut connection, 1_000).await.unwrap();
    let abandoned = abandoned
        .iter()
        .filter(|run| run.errors == ["worker restarted"])
        .count();
    // Those whose answer never came, less the few that were quicker than the kill.
    assert!(abandoned > KILLS / 3, "{abandoned} runs were cut short");

    let pool = db.pool(Room::Portal);
    let mut scoped = Scope::All.begin(&pool).await.unwrap();
    let ours: BTreeSet<String> = events::list(&mut scoped, &Filter::default(), made + 1_000)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.event_id)
        .collect();
    let world = lago.world();
    let theirs: BTreeSet<String> = world
        .events()
        .iter()
        .map(|event| event.transaction_id.clone())
        .collect();
    let made = usize::try_from(made).unwrap();
    assert_eq!(
        (ours.len(), theirs.len(), world.events().len()),
        (made, made, made)
    );
    assert!(ours == theirs);
}
