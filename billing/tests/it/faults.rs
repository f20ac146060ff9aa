//! R16: 5,000 sessions while Lago fails in every way there is. Each is there once in the end, and none is late.

use std::time::Duration;

use billing::lago::worker;
use chrono::Timelike;
use simulators::lago::Kind;
use store::{Room, Scope, lago::events};

use crate::rig::Rig;

const PHASE: i64 = 500;

/// A minute passes.
async fn minute(rig: &Rig) {
    rig.clock.advance(Duration::from_secs(60));
    let now = rig.now();
    let is_tick = now.minute().is_multiple_of(15);
    worker::look(&rig.sync, false, is_tick, now).await.unwrap();
}

async fn minutes(rig: &Rig, count: u32) {
    for _ in 0..count {
        minute(rig).await;
    }
}

/// How long until nothing waits any more.
async fn until_empty(rig: &Rig, made: i64) -> u32 {
    for passed in 0..=30 {
        let total = i64::try_from(rig.lago.world().events().len()).unwrap();
        if rig.waiting().await == 0 && total >= made {
            return passed;
        }
        minute(rig).await;
    }
    panic!(
        "{} events still wait: {:?}",
        rig.waiting().await,
        rig.link().await
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn r16_every_session_is_in_lago_once_whatever_fails() {
    let rig = Rig::new().await;
    let mut made = 0;
    let more = async |made: &mut i64| {
        rig.sessions(*made + 1, PHASE).await;
        *made += PHASE;
    };
    more(&mut made).await;
    until_empty(&rig, made).await;

    // Down for two hours: the circuit opens, and Lago is hardly bothered.
    rig.lago.fail(Kind::Down, None);
    more(&mut made).await;
    minutes(&rig, 120).await;
    let link = rig.link().await;
    assert_eq!(link.circuit, "open");
    assert!(link.failures >= 10 && link.last_error.is_some(), "{link:?}");
    rig.lago.heal();
    let late = until_empty(&rig, made).await;
    assert!(late <= 15, "{late} minutes late after two hours of nothing");
    assert_eq!(rig.link().await.circuit, "closed");

    for (kind, times) in [
        (Kind::TooMany(90), Some(4)),
        (Kind::Broken, Some(7)),
        (Kind::Unavailable(20), Some(3)),
        (Kind::LostReply, Some(3)),
        (Kind::Duplicate, Some(5)),
        (Kind::Slow(30), Some(5)),
        (Kind::ClockSkew(-7_200), None),
    ] {
        rig.lago.fail(kind, times);
        more(&mut made).await;
        let late = until_empty(&rig, made).await;
        // From the first failure on: the faults themselves last some tries.
        assert!(late <= 30, "{late} minutes for {kind:?}");
        rig.lago.heal();
    }
    // Ten minutes without an answer.
    rig.lago.fail(Kind::Hang, None);
    more(&mut made).await;
    minutes(&rig, 20).await;
    assert!(rig.waiting().await > 0 && rig.link().await.circuit == "open");
    rig.lago.heal();
    let late = until_empty(&rig, made).await;
    assert!(late <= 15, "{late} minutes late after a hang");
    assert_eq!(made, 5_000);
    half_of_a_batch_refused(&rig).await;
    rig.assert_same(5_000).await;
}

/// What Lago refuses for its own sake waits for a person, and is sent when one has seen to it.
async fn half_of_a_batch_refused(rig: &Rig) {
    let lost: Vec<String> = rig
        .outbox()
        .await
        .into_iter()
        .take(100)
        .map(|event| event.event_id)
        .collect();
    for id in &lost {
        rig.lago.world().lose(id);
    }
    let mut db = rig.db.pool.acquire().await.unwrap();
    let first = store::lago::runs::recent(&mut db, 10_000).await.unwrap();
    let first = first.last().unwrap().id;
    store::lago::runs::request(&mut db, "test", Some(first), rig.now())
        .await
        .unwrap();
    drop(db);
    rig.lago.fail(Kind::HalfBad, Some(1));
    minute(rig).await;
    let rejected = rig
        .outbox()
        .await
        .into_iter()
        .filter(|event| event.status == "rejected")
        .count();
    assert_eq!(rejected, 50);
    let pool = rig.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    assert_eq!(events::retry(&mut db, None).await.unwrap(), 50);
    db.commit().await.unwrap();
    minutes(rig, 15).await;
    assert_eq!(rig.waiting().await, 0);
}
