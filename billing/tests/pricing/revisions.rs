//! One price per session, a new revision when there is reason for it, and people for what is doubtful.

use serde_json::json;
use store::{Room, Scope, audit, audit::Actor, holds, prices, sessions};
use uuid::Uuid;

use crate::support::{NOW, Town, at, per_kwh};

#[tokio::test]
async fn the_same_again_makes_no_revision() {
    let town = Town::with(&per_kwh("0.50")).await;
    let session = town.charged("2026-11-20T10:00:00Z").await;
    assert_eq!(town.price().await, 1);
    // The event twice, the reader from the beginning, and by hand.
    town.stop(session, "2026-11-20T11:00:00Z", 11_000).await;
    town.late(session, &[]).await;
    let mut db = town.db.pool.acquire().await.unwrap();
    store::readers::sweep_again(&mut db, billing::pricing::READER)
        .await
        .unwrap();
    assert_eq!(town.price().await, 0);
    let mut tx = town.pool.begin().await.unwrap();
    let written = billing::pricing::price_now(&mut tx, &[session, session], at(NOW)).await;
    assert_eq!(written.unwrap(), []);
    tx.commit().await.unwrap();
    assert_eq!(town.prices(session).await.len(), 1);
    assert_eq!(town.events(session).await, 1);
}

#[tokio::test]
async fn late_samples_make_a_revision_and_leave_the_old_one() {
    let night = json!({
        "currency": "EUR",
        "elements": [
            {"components": [{"kind": "energy", "price": "0.20"}], "restrictions": {"time_to": "10:30"}},
            {"components": [{"kind": "energy", "price": "0.80"}]},
        ],
    });
    let town = Town::with(&night).await;
    let session = town.charged("2026-11-20T10:00:00Z").await;
    town.price().await;
    // Without samples half of it was in each half hour: 5 × 0.20 + 5 × 0.80.
    assert_eq!(town.told(session).await, ["5.00 EUR priced"]);
    // It took 9 kWh in the first half hour: 9 × 0.20 + 1 × 0.80.
    town.late(session, &[("2026-11-20T10:30:00Z", 10_000)])
        .await;
    assert_eq!(town.price().await, 1);
    assert_eq!(
        town.told(session).await,
        ["5.00 EUR priced", "2.60 EUR priced"]
    );
    assert_eq!(town.events(session).await, 2);
    let revisions: Vec<i32> = town
        .prices(session)
        .await
        .iter()
        .map(|price| price.revision)
        .collect();
    assert_eq!(revisions, [1, 2]);
    let mut db = Scope::All.begin(&town.db.pool).await.unwrap();
    let revenue = prices::revenue(&mut db, &Default::default()).await.unwrap();
    assert_eq!(
        revenue[0].total.to_string(),
        "2.60",
        "only the newest counts"
    );
}

#[tokio::test]
async fn an_end_that_was_concluded_is_held_until_the_stations_own_comes() {
    let town = Town::with(&per_kwh("0.50")).await;
    let session = town.start("2026-11-20T10:00:00Z", 1000).await;
    town.stop_flagged(session, "2026-11-20T10:30:00Z", 3000, &["superseded"])
        .await;
    town.price().await;
    town.stop_after_all(session, "2026-11-20T11:00:00Z", 11_000)
        .await;
    town.price().await;
    assert_eq!(
        town.told(session).await,
        ["1.00 EUR held superseded", "5.00 EUR priced"]
    );
}

#[tokio::test]
async fn what_is_doubtful_is_held_and_never_negative() {
    let town = Town::with(&json!({
        "currency": "EUR",
        "elements": [{"components": [{"kind": "start", "price": "1"}, {"kind": "energy", "price": "0.50"}]}],
    }))
    .await;
    let backwards = town.start("2026-11-20T10:00:00Z", 9000).await;
    town.stop_flagged(
        backwards,
        "2026-11-20T11:00:00Z",
        1000,
        &["meter-ran-backwards"],
    )
    .await;
    let missing = town.start("2026-11-20T12:00:00Z", 0).await;
    town.stop_flagged(
        missing,
        "2026-11-20T13:00:00Z",
        4000,
        &["meter-stop-missing", "time-absurd"],
    )
    .await;
    let orphan = town.odd_stop(None, "2026-11-20T14:00:00Z", 7000).await;
    let contradicted = town.charged("2026-11-20T15:00:00Z").await;
    town.price().await;
    town.odd_stop(Some(contradicted), "2026-11-20T17:00:00Z", 99_000)
        .await;
    town.price().await;
    for (session, reason) in [
        (backwards, "meter-ran-backwards"),
        (missing, "meter-stop-missing"),
        (missing, "time-absurd"),
        (orphan, "orphan"),
        (contradicted, "second-stop"),
    ] {
        let price = town.prices(session).await.pop().unwrap();
        assert_eq!(price.state, prices::State::Held, "{price:?}");
        assert!(price.reasons.iter().any(|told| told == reason), "{price:?}");
        assert!(!price.total.is_sign_negative(), "{price:?}");
    }
    assert_eq!(town.told(orphan).await, ["0 EUR held orphan"]);
    assert_eq!(
        town.told(contradicted).await,
        ["6.00 EUR priced", "6.00 EUR held second-stop"]
    );
    let mut db = Scope::All.begin(&town.db.pool).await.unwrap();
    let held = holds::list(&mut db, None, None, 10).await.unwrap();
    assert_eq!(held.len(), 4);
    assert_eq!(
        prices::revenue(&mut db, &Default::default()).await.unwrap(),
        []
    );
}

#[tokio::test]
async fn a_person_who_may_see_it_releases_a_held_price_once_and_that_is_audited() {
    let town = Town::with(&per_kwh("0.50")).await;
    let session = town.start("2026-11-20T10:00:00Z", 1000).await;
    town.stop_flagged(
        session,
        "2026-11-20T11:00:00Z",
        11_000,
        &["transaction-guessed"],
    )
    .await;
    town.price().await;
    let portal = town.db.pool(Room::Portal);
    let who = Actor::User(Uuid::from_u128(7));
    let release = async |scope: Scope| {
        let mut db = scope.begin(&portal).await.unwrap();
        let released = prices::release(&mut db, session, who, "seen, on the phone", at(NOW)).await;
        db.commit().await.unwrap();
        released.unwrap()
    };
    assert_eq!(release(Scope::Sites(vec![Uuid::from_u128(1)])).await, None);
    assert_eq!(release(Scope::Nothing).await, None);
    assert_eq!(release(Scope::Sites(vec![town.site])).await, Some(2));
    assert_eq!(release(Scope::All).await, None, "it is not held any more");
    assert_eq!(
        town.told(session).await,
        [
            "5.00 EUR held transaction-guessed",
            "5.00 EUR priced transaction-guessed+released: seen, on the phone"
        ]
    );
    let mut db = town.db.pool.acquire().await.unwrap();
    let told = audit::of(&mut db, &format!("session/{session}"), 9)
        .await
        .unwrap();
    assert_eq!((told.len(), told[0].actor), (1, who));
    assert_eq!(told[0].detail["reason"], "seen, on the phone");
    // Pricing it again finds nothing new; it is not held again.
    town.stop_flagged(
        session,
        "2026-11-20T11:00:00Z",
        11_000,
        &["transaction-guessed"],
    )
    .await;
    town.late(session, &[]).await;
    assert_eq!(town.price().await, 0);
    assert_eq!(town.events(session).await, 2);
}

#[tokio::test]
async fn the_portal_can_make_no_price_and_nobody_can_change_one() {
    let town = Town::with(&per_kwh("0.50")).await;
    let session = town.charged("2026-11-20T10:00:00Z").await;
    town.price().await;
    let portal = town.db.pool(Room::Portal);
    let mut db = Scope::All.begin(&portal).await.unwrap();
    let forged = town.db.forge_price(&mut db, session).await;
    assert!(forged.contains("permission denied"), "{forged}");
    let mut db = Scope::All.begin(&town.db.pool).await.unwrap();
    let changed = town.db.change_prices(&mut db).await;
    assert!(changed.contains("keeps what was written"), "{changed}");
}

#[tokio::test]
async fn standing_there_is_paid_for_from_the_end_of_charging() {
    let idle = json!({
        "currency": "EUR",
        "elements": [{"components": [
            {"kind": "energy", "price": "0.50"},
            {"kind": "idle", "price": "6", "grace_minutes": 10},
        ]}],
    });
    let town = Town::with(&idle).await;
    // By the meter: the register rose for the last time at 10:20, 10 minutes are free: half an hour is paid for.
    let measured = town.start("2026-11-20T10:00:00Z", 0).await;
    town.samples(
        measured,
        &[
            ("2026-11-20T10:10:00Z", 5000),
            ("2026-11-20T10:20:00Z", 10_000),
            ("2026-11-20T10:40:00Z", 10_000),
        ],
    )
    .await;
    town.stop(measured, "2026-11-20T11:00:00Z", 10_000).await;
    // By the station's word, which comes first: full at 12:05.
    let told = town.start("2026-11-20T12:00:00Z", 0).await;
    town.status("2026-11-20T12:00:10Z", "Charging").await;
    town.status("2026-11-20T12:05:00Z", "SuspendedEV").await;
    town.stop(told, "2026-11-20T13:00:00Z", 10_000).await;
    // The station itself held it back.
    let held_back = town.start("2026-11-20T14:00:00Z", 0).await;
    town.status("2026-11-20T14:00:10Z", "Charging").await;
    town.status("2026-11-20T14:05:00Z", "SuspendedEVSE").await;
    town.stop(held_back, "2026-11-20T15:00:00Z", 10_000).await;
    town.price().await;
    assert_eq!(town.told(measured).await, ["8.00 EUR priced"]);
    assert_eq!(town.told(told).await, ["9.50 EUR priced"]);
    assert_eq!(town.told(held_back).await, ["5.00 EUR priced"]);
}

#[tokio::test]
async fn a_tariff_that_cannot_be_read_holds_its_sessions_and_no_others() {
    let town = Town::new("UTC").await;
    let tariff = town
        .tariff("Broken", &json!({"currency": "EUR", "elements": 7}))
        .await;
    let broken = town.charged("2026-11-20T10:00:00Z").await;
    town.says(tariff, "2026-11-20T12:00:00Z", &per_kwh("0.50"))
        .await;
    let whole = town.charged("2026-11-20T12:00:00Z").await;
    assert_eq!(town.price().await, 2);
    assert_eq!(town.told(broken).await, ["0 EUR held tariff-unreadable"]);
    assert_eq!(town.told(whole).await, ["5.00 EUR priced"]);
}

#[tokio::test]
async fn what_a_person_says_was_charged_counts_instead_of_the_meter() {
    let town = Town::with(&per_kwh("0.50")).await;
    let session = town.start("2026-11-20T10:00:00Z", 1000).await;
    // Ten gigawatt-hours in an hour.
    town.stop(session, "2026-11-20T11:00:00Z", 10_000_000_000)
        .await;
    let running = town.start("2026-11-20T10:30:00Z", 0).await;
    town.price().await;
    let portal = town.db.pool(Room::Portal);
    let who = Actor::User(Uuid::from_u128(7));
    let here = Scope::Sites(vec![town.site]);
    let correct = async |id: Uuid, energy_wh: i64| {
        let mut db = here.begin(&portal).await.unwrap();
        let found = sessions::get(&mut db, id).await.unwrap().unwrap();
        let done = holds::correct(&mut db, &found, energy_wh, who, "read on site", at(NOW)).await;
        db.commit().await.unwrap();
        done
    };
    let active = correct(running, 1).await.unwrap_err();
    assert!(active.is_conflict("session_is_active"), "{active}");
    let absurd = correct(session, -1).await.unwrap_err();
    assert!(
        absurd.is_conflict("session_corrections_energy_check"),
        "{absurd}"
    );
    assert_eq!(correct(session, 8_000).await.unwrap(), 1);
    assert_eq!(town.price().await, 1);
    assert_eq!(correct(session, 0).await.unwrap(), 2);
    assert_eq!(town.price().await, 1);
    let told = town.told(session).await;
    assert_eq!(told[1..], ["4.00 EUR priced", "0 EUR priced"]);
    assert!(told[0].ends_with("EUR held over-registered"), "{told:?}");
    let mut db = here.begin(&portal).await.unwrap();
    let newest = holds::correction(&mut db, session).await.unwrap().unwrap();
    assert_eq!((newest.revision, newest.energy_wh), (2, 0));
    assert_eq!(holds::reasons(&mut db, session).await.unwrap(), [""; 0]);
    let log = audit::of(&mut db, &format!("session/{session}"), 9)
        .await
        .unwrap();
    assert_eq!(log.len(), 2);
    assert_eq!(log[1].action, "session.correct");
    assert_eq!(log[1].detail["energy_wh"], 8_000);
    // Another site's person neither sees nor writes one.
    let mut other = Scope::Sites(vec![Uuid::from_u128(1)])
        .begin(&portal)
        .await
        .unwrap();
    assert_eq!(holds::correction(&mut other, session).await.unwrap(), None);
    assert_eq!(holds::count(&mut other).await.unwrap(), 0);
}

#[tokio::test]
async fn a_reservation_is_priced_with_its_session_or_by_itself() {
    let tariff = json!({
        "currency": "EUR",
        "elements": [
            {"restrictions": {"reservation_expired": true},
             "components": [{"kind": "reservation_fee", "price": "5.00"}, {"kind": "reservation", "price": "2.00"}]},
            {"components": [{"kind": "energy", "price": "0.50"}]},
            {"components": [{"kind": "reservation", "price": "4.00"}]},
        ],
    });
    let town = Town::with(&tariff).await;
    assert_eq!(town.price().await, 0, "it follows from now on");
    let session = town.start("2026-11-20T10:00:00Z", 1000).await;
    let used = town
        .reserved(
            "2026-11-20T09:30:00Z",
            "2026-11-20T10:00:05Z",
            Some(session),
        )
        .await;
    town.stop(session, "2026-11-20T11:00:00Z", 11_000).await;
    let missed = town
        .reserved("2026-11-20T08:00:00Z", "2026-11-20T08:15:00Z", None)
        .await;
    let written = town.price().await;
    // Half an hour at 4.00, and 10 kWh at 0.50.
    assert_eq!(town.told(session).await, ["7.00 EUR priced"]);
    // Once 5.00, and a quarter of an hour at 2.00.
    assert_eq!(town.told(missed).await, ["5.50 EUR priced"]);
    assert_eq!(town.told(used).await, [""; 0]);
    assert_eq!(written, 2);
    assert_eq!(town.price().await, 0, "a reservation has one session");

    // What expired before anybody looked is found by the first look at everything.
    let late = Town::with(&tariff).await;
    let missed = late
        .reserved("2026-11-20T08:00:00Z", "2026-11-20T08:15:00Z", None)
        .await;
    assert_eq!(late.price().await, 1);
    assert_eq!(late.told(missed).await, ["5.50 EUR priced"]);

    // A tariff that says nothing of reservations makes no session of one.
    let other = Town::with(&per_kwh("0.50")).await;
    assert_eq!(other.price().await, 0);
    let missed = other
        .reserved("2026-11-20T08:00:00Z", "2026-11-20T08:15:00Z", None)
        .await;
    assert_eq!(other.price().await, 0);
    assert_eq!(other.told(missed).await, [""; 0]);
}
