//! How long vouchers are kept: not a day less than the law says, and no longer than it must be.

use billing::{
    invoice::{
        issue,
        pay::{self, Paid},
        send,
    },
    jobs::{invoices::forget, outbox::send_due},
    verify,
};
use chrono_tz::Europe;
use rust_decimal::Decimal;
use store::{
    Pool, Room,
    audit::{self, Actor},
    ids, invoices,
    payments::Method,
    shop::Shop,
    testing::{TestDb, database},
    vouchers::{self, NewHold, What},
};
use uuid::Uuid;

use super::{at, day, kept, now};

async fn invoice(pool: &Pool, shop: &Shop, when: &str) -> Uuid {
    let now = at(when);
    let session = shop
        .sale("04A1", now - chrono::TimeDelta::days(20), 10_000, "0.50")
        .await;
    let mut tx = pool.begin().await.unwrap();
    let id = issue::receipt(&mut tx, session, None, Actor::Cli, now)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    send::finish(pool, id, now).await.unwrap();
    send_due(pool, &kept(), now).await.unwrap();
    id
}

/// Invoices of 2025 and 2026; the second of 2025 was paid in 2026.
async fn years() -> (TestDb, Shop, Pool, [Uuid; 3]) {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", Europe::Berlin, now()).await;
    let pool = test.pool(Room::Billing);
    shop.customer("Ada", "ada@example.org", "04A1").await;
    let first = invoice(&pool, &shop, "2025-03-01T09:00:00Z").await;
    // Half an hour before the year ends in Hamburg.
    let second = invoice(&pool, &shop, "2025-12-31T22:30:00Z").await;
    let third = invoice(&pool, &shop, "2025-12-31T23:30:00Z").await;
    let paid = Paid {
        id: ids::new_id(now()),
        invoice: second,
        method: Method::Bank,
        provider: String::new(),
        reference: String::new(),
        amount: Decimal::new(595, 2),
        received_on: day("2026-01-10"),
        note: String::new(),
    };
    let mut tx = pool.begin().await.unwrap();
    pay::record(&mut tx, &paid, Actor::Cli, at("2026-01-10T09:00:00Z"))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (test, shop, pool, [first, second, third])
}

async fn there(pool: &Pool, ids: [Uuid; 3]) -> [bool; 3] {
    let mut db = pool.acquire().await.unwrap();
    let mut found = [false; 3];
    for (n, id) in ids.into_iter().enumerate() {
        found[n] = invoices::get(&mut db, id, now()).await.unwrap().is_some();
    }
    found
}

#[tokio::test]
async fn nothing_goes_before_its_date_and_then_it_goes_once() {
    let (_test, shop, pool, ids) = years().await;
    let mut db = pool.acquire().await.unwrap();
    for (what, date) in [
        (What::Letters, "2031-12-31T23:00:00Z"),
        (What::Invoices, "2033-12-31T23:00:00Z"),
        (What::Books, "2035-12-31T23:00:00Z"),
    ] {
        let free = vouchers::free_at(&mut db, shop.entity, what, 2025)
            .await
            .unwrap();
        assert_eq!(free, Some(at(date)), "{what:?}");
        let early = vouchers::purge(
            &mut db,
            shop.entity,
            what,
            2025,
            at(date) - chrono::TimeDelta::seconds(1),
        );
        let error = early.await.unwrap_err();
        assert!(error.is_conflict("vouchers_are_kept"), "{what:?}: {error}");
    }
    assert_eq!(
        forget(&pool, at("2031-12-31T22:59:59Z")).await.unwrap(),
        "nothing to forget"
    );
    assert_eq!(
        forget(&pool, at("2031-12-31T23:00:00Z")).await.unwrap(),
        "letters of 2025: 2"
    );
    assert_eq!(
        forget(&pool, at("2031-12-31T23:00:00Z")).await.unwrap(),
        "nothing to forget"
    );

    assert_eq!(
        forget(&pool, at("2033-12-31T22:59:59Z")).await.unwrap(),
        "letters of 2026: 1"
    );
    assert_eq!(there(&pool, ids).await, [true, true, true]);
    let gone = forget(&pool, at("2033-12-31T23:00:00Z")).await.unwrap();
    // The one that was paid in 2026 belongs to 2026 too.
    assert_eq!(gone, "invoices of 2025: 1");
    assert_eq!(there(&pool, ids).await, [false, true, true]);
    verify::verify(&pool, now()).await.unwrap();

    let gone = forget(&pool, at("2034-12-31T23:00:00Z")).await.unwrap();
    assert_eq!(gone, "invoices of 2026: 2");
    let reports = verify::verify(&pool, now()).await.unwrap();
    assert_eq!(
        (reports[0].documents, reports[0].entries),
        (0, 4),
        "the books are kept longer"
    );
    assert_eq!(
        forget(&pool, at("2035-12-31T23:00:00Z")).await.unwrap(),
        "books of 2025: 2"
    );
    let reports = verify::verify(&pool, now()).await.unwrap();
    assert_eq!(reports[0].entries, 2);
    let log = audit::of(&mut db, &format!("legal_entity/{}", shop.entity), 10)
        .await
        .unwrap();
    let purges = log
        .iter()
        .filter(|entry| entry.action == "vouchers.purge")
        .count();
    assert_eq!(purges, 5);
    // New documents go on where the numbers were.
    let next = invoice(&pool, &shop, "2036-02-01T09:00:00Z").await;
    let next = invoices::get(&mut db, next, now()).await.unwrap().unwrap();
    assert_eq!(next.number, "HC-000004");
    verify::verify(&pool, now()).await.unwrap();
}

#[tokio::test]
async fn a_legal_hold_keeps_everything() {
    let (test, shop, pool, ids) = years().await;
    let mut owner = test.pool.acquire().await.unwrap();
    let audit = NewHold {
        seller: Some(shop.entity),
        customer: None,
        reason: "Tax audit",
        until: None,
    };
    let hold = vouchers::hold(&mut owner, &audit, Actor::Cli, now())
        .await
        .unwrap();
    let long_after = at("2050-01-01T12:00:00Z");
    assert_eq!(
        forget(&pool, long_after).await.unwrap(),
        "nothing to forget"
    );
    let mut db = pool.acquire().await.unwrap();
    let error = vouchers::purge(&mut db, shop.entity, What::Books, 2025, long_after)
        .await
        .unwrap_err();
    assert!(error.is_conflict("vouchers_are_held"), "{error}");
    assert_eq!(there(&pool, ids).await, [true, true, true]);
    assert!(
        vouchers::lift(&mut owner, hold, "It is over", Actor::Cli, long_after)
            .await
            .unwrap()
    );
    assert!(
        !vouchers::lift(&mut owner, hold, "It is over", Actor::Cli, long_after)
            .await
            .unwrap()
    );
    forget(&pool, long_after).await.unwrap();
    assert_eq!(there(&pool, ids).await, [false, false, false]);
}

#[tokio::test]
async fn an_invoice_stays_as_long_as_what_refers_to_it() {
    let (_test, _shop, pool, ids) = years().await;
    // Credited a year later.
    let mut tx = pool.begin().await.unwrap();
    issue::credit(
        &mut tx,
        ids[0],
        None,
        "Goodwill",
        Actor::Cli,
        at("2026-06-01T09:00:00Z"),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    assert!(
        !forget(&pool, at("2033-12-31T23:00:00Z"))
            .await
            .unwrap()
            .contains("invoices")
    );
    assert_eq!(there(&pool, ids).await, [true, true, true]);
    let gone = forget(&pool, at("2034-12-31T23:00:00Z")).await.unwrap();
    assert_eq!(gone, "invoices of 2026: 4");
}

#[tokio::test]
async fn a_hold_of_one_customer_ends_by_itself_on_its_day() {
    let (test, shop, pool, ids) = years().await;
    let mut owner = test.pool.acquire().await.unwrap();
    let ada = store::customers::find(&mut owner, "Ada").await.unwrap();
    let dispute = NewHold {
        seller: Some(shop.entity),
        customer: Some(ada.unwrap().id),
        reason: "Dispute",
        until: Some(at("2040-01-01T00:00:00Z")),
    };
    let hold = vouchers::hold(&mut owner, &dispute, Actor::Cli, now())
        .await
        .unwrap();
    let keeping = vouchers::holds(&mut owner, Some(ids[0])).await.unwrap();
    assert_eq!(keeping.len(), 1);
    assert_eq!(keeping[0].customer.as_ref().unwrap().1, "Ada");
    assert!(keeping[0].is_open(at("2039-12-31T23:59:59Z")));
    assert!(!keeping[0].is_open(at("2040-01-01T00:00:00Z")));
    let forgotten = async |when: &str| forget(&pool, at(when)).await.unwrap();
    assert_eq!(forgotten("2039-12-31T23:59:59Z").await, "nothing to forget");
    assert_ne!(forgotten("2040-01-01T00:00:00Z").await, "nothing to forget");
    let log = audit::of(&mut owner, &format!("legal_hold/{hold}"), 9)
        .await
        .unwrap();
    assert_eq!((log.len(), log[0].action.as_str()), (1, "legal_hold.set"));
}
