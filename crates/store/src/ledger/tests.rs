//! The chain: whole whoever writes at once, and changed by nobody.

use super::*;
use crate::Error;
use crate::{Room, invoices, shop::Shop, testing::database};
use sqlx::AssertSqlSafe;

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn entry(subject: u128, amounts: [i64; 2]) -> NewEntry {
    let posting = |account, amount| Posting {
        account,
        customer_id: None,
        tax_rate: None,
        currency: "EUR".parse().unwrap(),
        amount: Decimal::new(amount, 2),
    };
    NewEntry {
        at: now(),
        kind: EntryKind::Payment,
        subject: Uuid::from_u128(subject),
        version: 1,
        document: "HC-000001".to_owned(),
        content: [7; 32],
        postings: vec![
            posting(Account::Bank, amounts[0]),
            posting(Account::Receivable, amounts[1]),
        ],
    }
}

#[tokio::test]
async fn concurrent_writers_make_one_chain() {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", chrono_tz::UTC, now()).await;
    let pool = test.pool(Room::Billing);
    let writers: Vec<_> = (0..20)
        .map(|n| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut tx = pool.begin().await.unwrap();
                // Every third is told twice.
                append(&mut tx, shop.entity, &entry(n / 3, [100, -100]))
                    .await
                    .unwrap();
                tx.commit().await.unwrap();
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    let mut db = pool.acquire().await.unwrap();
    let chain = entries(&mut db, shop.entity, 0, 100).await.unwrap();
    assert_eq!(chain.len(), 7);
    let mut before = genesis(shop.entity).to_vec();
    for (seq, entry) in (1..).zip(&chain) {
        assert_eq!((entry.seq, &entry.prev_hash), (seq, &before));
        let expected = hash(shop.entity, seq, &entry.booked, &before).to_vec();
        assert_eq!(entry.hash, expected);
        before = expected;
    }
    let end = head(&mut db, shop.entity).await.unwrap();
    assert_eq!((end.seq, end.hash), (7, before));
}

#[tokio::test]
async fn what_does_not_balance_is_not_committed() {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", chrono_tz::UTC, now()).await;
    let pool = test.pool(Room::Billing);
    for wrong in [entry(1, [100, -99]), {
        let mut two_currencies = entry(1, [100, -100]);
        two_currencies.postings[1].currency = "USD".parse().unwrap();
        two_currencies
    }] {
        let mut tx = pool.begin().await.unwrap();
        append(&mut tx, shop.entity, &wrong).await.unwrap();
        let error = Error::from(tx.commit().await.unwrap_err());
        assert!(error.is_conflict("ledger_must_balance"), "{error}");
    }
    let mut nothing = entry(1, [0, 0]);
    nothing.postings.clear();
    let mut tx = pool.begin().await.unwrap();
    append(&mut tx, shop.entity, &nothing).await.unwrap();
    let error = Error::from(tx.commit().await.unwrap_err());
    assert!(error.is_conflict("ledger_must_balance"), "{error}");
    let mut db = pool.acquire().await.unwrap();
    assert_eq!(head(&mut db, shop.entity).await.unwrap().seq, 0);
}

#[tokio::test]
async fn no_room_changes_what_is_booked_and_neither_does_the_owner() {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", chrono_tz::UTC, now()).await;
    let mut tx = test.pool.begin().await.unwrap();
    append(&mut tx, shop.entity, &entry(1, [100, -100]))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let tables = [
        "invoices",
        "invoice_sessions",
        "invoice_lines",
        "invoice_documents",
        "invoice_events",
        "payments",
        "ledger_entries",
        "ledger_postings",
        "ledger_anchors",
        "voucher_purges",
    ];
    for room in [Room::Csms, Room::Portal, Room::Billing, Room::Owner] {
        let pool = test.pool(room);
        for table in tables {
            for statement in [
                format!("delete from {table}"),
                format!("truncate {table} cascade"),
                // Any column will do: the statement alone is refused.
                format!(
                    "update {table} set {}",
                    match table {
                        "invoices" => "number = number",
                        "invoice_documents" | "invoice_events" | "invoice_sessions"
                        | "invoice_lines" => {
                            "invoice_id = invoice_id"
                        }
                        "payments" => "id = id",
                        _ => "legal_entity_id = legal_entity_id",
                    }
                ),
            ] {
                let refused = sqlx::query(AssertSqlSafe(statement.clone()))
                    .execute(&pool)
                    .await;
                assert!(refused.is_err(), "{room:?} may {statement}");
            }
        }
    }
    for room in [Room::Csms, Room::Portal] {
        let pool = test.pool(room);
        for table in [
            "payments",
            "ledger_entries",
            "ledger_heads",
            "number_series",
            "invoices",
        ] {
            let insert = format!("insert into {table} default values");
            let error = sqlx::query(AssertSqlSafe(insert))
                .execute(&pool)
                .await
                .unwrap_err();
            assert!(
                error.to_string().contains("permission denied"),
                "{room:?} {table}: {error}"
            );
        }
    }
}

#[tokio::test]
async fn an_anchor_is_set_once_a_day() {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", chrono_tz::UTC, now()).await;
    let mut db = test.pool.acquire().await.unwrap();
    let day = now().date_naive();
    assert!(anchor(&mut db, shop.entity, day, now()).await.unwrap());
    assert!(!anchor(&mut db, shop.entity, day, now()).await.unwrap());
    let found = anchors(&mut db, shop.entity).await.unwrap();
    assert_eq!((found.len(), found[0].seq), (1, 0));
}

#[tokio::test]
async fn a_number_that_was_not_used_is_given_again() {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", chrono_tz::UTC, now()).await;
    let pool = test.pool(Room::Billing);
    let mut tx = pool.begin().await.unwrap();
    let kind = invoices::Kind::Statement;
    let first = invoices::next_number(&mut tx, shop.entity, kind)
        .await
        .unwrap();
    assert_eq!((first.seq, first.number.as_str()), (1, "HC-000001"));
    tx.rollback().await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    let again = invoices::next_number(&mut tx, shop.entity, kind)
        .await
        .unwrap();
    let credit = invoices::next_number(&mut tx, shop.entity, invoices::Kind::CreditNote)
        .await
        .unwrap();
    assert_eq!((again, credit.number.as_str()), (first, "HC-C000001"));
}
