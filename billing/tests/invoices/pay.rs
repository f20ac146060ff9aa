//! Payments: in part, too much, back, told twice; and what was overdue.

use billing::invoice::{
    Refused, issue, overdue,
    pay::{self, Paid},
};
use chrono_tz::Europe;
use rust_decimal::Decimal;
use store::{
    Pool, Room,
    audit::Actor,
    ids,
    invoices::{self, Invoice, State},
    ledger::{self, EntryKind},
    payments::{self, Method},
    shop::Shop,
    testing::{TestDb, database},
};
use uuid::Uuid;

use super::{at, day, now};

/// An invoice over 5.95.
async fn invoice() -> (TestDb, Shop, Pool, Uuid) {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", Europe::Berlin, now()).await;
    shop.customer("Ada", "", "04A1").await;
    let session = shop
        .sale("04A1", at("2026-10-10T12:00:00Z"), 10_000, "0.50")
        .await;
    let pool = test.pool(Room::Billing);
    let mut tx = pool.begin().await.unwrap();
    let id = issue::receipt(&mut tx, session, None, Actor::Cli, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (test, shop, pool, id)
}

fn paid(invoice: Uuid, cents: i64) -> Paid {
    Paid {
        id: ids::new_id(now()),
        invoice,
        method: Method::Bank,
        provider: String::new(),
        reference: "statement 44".to_owned(),
        amount: Decimal::new(cents, 2),
        received_on: day("2026-11-05"),
        note: String::new(),
    }
}

async fn record(pool: &Pool, paid: &Paid) -> Result<bool, String> {
    let mut tx = pool.begin().await.unwrap();
    let result = pay::record(&mut tx, paid, Actor::Cli, at("2026-11-05T12:00:00Z")).await;
    match result {
        Ok(new) => {
            tx.commit().await.unwrap();
            Ok(new)
        }
        Err(Refused::Because(words)) => Err(words),
        Err(Refused::Store(error)) => panic!("{error}"),
    }
}

async fn get(pool: &Pool, id: Uuid, when: &str) -> Invoice {
    let mut db = pool.acquire().await.unwrap();
    invoices::get(&mut db, id, at(when)).await.unwrap().unwrap()
}

#[tokio::test]
async fn it_is_paid_when_nothing_is_open() {
    let (_test, _shop, pool, id) = invoice().await;
    let when = "2026-11-05T12:00:00Z";
    assert_eq!(record(&pool, &paid(id, 300)).await, Ok(true));
    let part = get(&pool, id, when).await;
    assert_eq!(
        (part.state, part.open),
        (State::Issued, Decimal::new(295, 2))
    );
    assert_eq!(record(&pool, &paid(id, 295)).await, Ok(true));
    assert_eq!(get(&pool, id, when).await.state, State::Paid);
    // Too much is kept, and can be given back.
    assert_eq!(record(&pool, &paid(id, 100)).await, Ok(true));
    let over = get(&pool, id, when).await;
    assert_eq!(
        (over.state, over.open),
        (State::Paid, Decimal::new(-100, 2))
    );
    assert_eq!(record(&pool, &paid(id, -100)).await, Ok(true));
    assert_eq!(get(&pool, id, when).await.open, Decimal::ZERO);
    let refused = record(&pool, &paid(id, -1000)).await.unwrap_err();
    assert!(refused.contains("only 5.95 EUR was paid"), "{refused}");
    for (cents, scale) in [(0, 2), (1, 3)] {
        let wrong = Paid {
            amount: Decimal::new(cents, scale),
            ..paid(id, 1)
        };
        let refused = record(&pool, &wrong).await.unwrap_err();
        assert!(refused.contains("at most 2 decimals"), "{refused}");
    }
    let mut db = pool.acquire().await.unwrap();
    let happened: Vec<String> = invoices::happenings(&mut db, id)
        .await
        .unwrap()
        .into_iter()
        .map(|happening| happening.kind)
        .collect();
    assert_eq!(
        happened,
        ["issued", "payment", "payment", "paid", "payment", "payment"]
    );
    let reports = billing::verify::verify(&pool, now()).await.unwrap();
    assert_eq!(reports[0].entries, 5);
}

#[tokio::test]
async fn a_payment_that_is_told_twice_is_recorded_once() {
    let (_test, shop, pool, id) = invoice().await;
    let by_hand = paid(id, 100);
    assert_eq!(record(&pool, &by_hand).await, Ok(true));
    assert_eq!(record(&pool, &by_hand).await, Ok(false));
    let told = |cents| Paid {
        method: Method::Provider,
        provider: "stripe".to_owned(),
        reference: "pi_123".to_owned(),
        ..paid(id, cents)
    };
    let tellers: Vec<_> = (0..5)
        .map(|_| {
            let (pool, told) = (pool.clone(), told(200));
            tokio::spawn(async move { record(&pool, &told).await })
        })
        .collect();
    let mut new = 0;
    for teller in tellers {
        new += i32::from(teller.await.unwrap().unwrap());
    }
    assert_eq!(new, 1);
    let mut db = pool.acquire().await.unwrap();
    let kept = payments::of_invoice(&mut db, id).await.unwrap();
    assert_eq!(kept.len(), 2);
    for payment in kept {
        assert!(
            ledger::is_booked(&mut db, EntryKind::Payment, payment.id)
                .await
                .unwrap()
        );
    }
    assert_eq!(ledger::head(&mut db, shop.entity).await.unwrap().seq, 3);
}

#[tokio::test]
async fn what_is_not_paid_in_time_is_overdue_and_that_is_said_once() {
    let (_test, _shop, pool, id) = invoice().await;
    // Due on the 16th, in Hamburg.
    let (before, after) = ("2026-11-16T22:59:59Z", "2026-11-16T23:00:00Z");
    assert_eq!(get(&pool, id, before).await.state, State::Issued);
    assert_eq!(get(&pool, id, after).await.state, State::Overdue);
    let mut db = pool.acquire().await.unwrap();
    assert_eq!(overdue::notice(&mut db, at(before)).await.unwrap(), 0);
    assert_eq!(overdue::notice(&mut db, at(after)).await.unwrap(), 1);
    assert_eq!(overdue::notice(&mut db, at(after)).await.unwrap(), 0);
    drop(db);
    assert_eq!(record(&pool, &paid(id, 595)).await, Ok(true));
    assert_eq!(get(&pool, id, after).await.state, State::Paid);
}

#[tokio::test]
async fn what_was_paid_for_a_replaced_invoice_counts_for_the_new_one() {
    let (_test, shop, pool, id) = invoice().await;
    record(&pool, &paid(id, 595)).await.unwrap();
    let session = {
        let mut db = pool.acquire().await.unwrap();
        invoices::sessions(&mut db, id).await.unwrap()[0].session_id
    };
    let line = store::shop::energy(9_000, "0.50", "19", None, at("2026-10-10T12:00:00Z"));
    shop.price(session, &[line], false).await;
    let made = issue::correct_stale(&pool, shop.entity, None, now())
        .await
        .unwrap();
    let when = "2026-11-05T12:00:00Z";
    let (old, new) = (get(&pool, id, when).await, get(&pool, made[0], when).await);
    assert_eq!(
        (new.total, new.open, new.state),
        (Decimal::new(536, 2), Decimal::ZERO, State::Paid)
    );
    assert_eq!(
        (old.state, old.open),
        (State::Void, Decimal::new(-59, 2)),
        "to be given back"
    );
    billing::verify::verify(&pool, now()).await.unwrap();
}
