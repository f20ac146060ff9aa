//! What is issued, to whom, under which number; and how it is taken back.

use std::sync::Arc;

use billing::{
    invoice::{
        Party, Refused,
        issue::{self, Order, Run},
    },
    verify,
};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Europe;
use rust_decimal::Decimal;
use store::{
    Pool, Room, Scope,
    audit::Actor,
    customers,
    id_tokens::{self, IdToken},
    invoices::{self, Filter, Invoice, Kind, State},
    legal_entities, past_accounts,
    shop::{self, Shop},
    tag_mappings::{self, NewMapping},
    testing::{TestDb, database},
};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::{at, day, now};

async fn shop() -> (TestDb, Shop, Pool) {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", Europe::Berlin, now()).await;
    let pool = test.pool(Room::Billing);
    (test, shop, pool)
}

async fn issue(pool: &Pool, shop: &Shop, month: &str, now: DateTime<Utc>) -> Run {
    let order = Order {
        entity: shop.entity,
        month: day(&format!("{month}-01")),
        customer: None,
        draft: false,
    };
    issue::statements(pool, order, Actor::Cli, now)
        .await
        .unwrap()
}

async fn get(pool: &Pool, id: Uuid) -> Invoice {
    let mut db = pool.acquire().await.unwrap();
    invoices::get(&mut db, id, now()).await.unwrap().unwrap()
}

async fn all(pool: &Pool) -> Vec<Invoice> {
    let mut db = Scope::All.begin(pool).await.unwrap();
    let mut found = invoices::list(&mut db, &Filter::default(), None, 1000, now())
        .await
        .unwrap();
    found.sort_by(|one, other| one.number.cmp(&other.number));
    found
}

fn words(refused: Refused) -> String {
    match refused {
        Refused::Because(words) => words,
        Refused::Store(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn a_customer_has_one_statement_of_a_month() {
    let (_test, shop, pool) = shop().await;
    let ada = shop.customer("Ada", "ada@example.org", "04A1").await;
    shop.customer("Bob", "", "04B2").await;
    let first = shop
        .sale("04A1", at("2026-10-01T00:30:00Z"), 10_000, "0.50")
        .await;
    // In UTC this is October, in Hamburg November.
    shop.sale("04A1", at("2026-10-31T23:30:00Z"), 10_000, "0.50")
        .await;
    let second = shop
        .sale("04a1", at("2026-10-31T22:30:00Z"), 4_000, "0.50")
        .await;
    shop.sale("04B2", at("2026-10-10T12:00:00Z"), 2_000, "0.50")
        .await;
    shop.sale("UNKNOWN", at("2026-10-10T12:00:00Z"), 2_000, "0.50")
        .await;
    let held = shop
        .session("04A1", at("2026-10-11T12:00:00Z"), 1_000)
        .await;
    let line = shop::energy(1_000, "0.50", "19", None, at("2026-10-11T12:00:00Z"));
    shop.price(held, &[line], true).await;

    let run = issue(&pool, &shop, "2026-10", now()).await;
    assert_eq!(
        (run.issued.len(), run.others, run.troubles.len()),
        (2, 0, 0)
    );
    let found = all(&pool).await;
    let numbers: Vec<&str> = found
        .iter()
        .map(|invoice| invoice.number.as_str())
        .collect();
    assert_eq!(numbers, ["HC-000001", "HC-000002"]);
    let statement = found.iter().find(|i| i.customer_id == Some(ada)).unwrap();
    assert_eq!(
        (statement.kind, statement.month, statement.state),
        (Kind::Statement, Some(day("2026-10-01")), State::Issued)
    );
    assert_eq!(
        (statement.net, statement.tax, statement.total),
        (
            Decimal::new(700, 2),
            Decimal::new(133, 2),
            Decimal::new(833, 2)
        )
    );
    assert_eq!(
        (statement.issued_on, statement.due_on),
        (day("2026-11-02"), day("2026-11-16"))
    );
    assert_eq!(Party::from_json(&statement.buyer).name, "Ada");
    let mut db = pool.acquire().await.unwrap();
    let sessions = invoices::sessions(&mut db, statement.id).await.unwrap();
    let ids: Vec<Uuid> = sessions.iter().map(|session| session.session_id).collect();
    assert_eq!(ids, [first, second], "the held one is not on it");
    assert_eq!(
        (sessions[0].register_start_wh, sessions[0].register_stop_wh),
        (Some(1_284_037), Some(1_294_037))
    );
    drop(db);

    let again = issue(&pool, &shop, "2026-10", now()).await;
    assert_eq!(again, Run::default());
    // Late data: it is on the next statement, and the month has one still.
    let late = shop
        .sale("04A1", at("2026-10-20T12:00:00Z"), 1_000, "0.50")
        .await;
    let again = issue(&pool, &shop, "2026-10", now()).await;
    assert_eq!((again.issued.len(), again.others), (0, 1));
    let next = issue(&pool, &shop, "2026-11", at("2026-12-02T09:00:00Z")).await;
    assert_eq!(next.issued.len(), 1);
    let mut db = pool.acquire().await.unwrap();
    let sessions = invoices::sessions(&mut db, next.issued[0]).await.unwrap();
    assert_eq!(sessions.len(), 2);
    assert_eq!(sessions[0].session_id, late);
}

#[tokio::test]
async fn a_month_that_is_not_over_is_refused_and_a_draft_numbers_nothing() {
    let (_test, shop, pool) = shop().await;
    let ada = shop.customer("Ada", "", "04A1").await;
    shop.sale("04A1", at("2026-10-10T12:00:00Z"), 10_000, "0.50")
        .await;
    let order = Order {
        entity: shop.entity,
        month: day("2026-11-15"),
        customer: None,
        draft: false,
    };
    let error = issue::statements(&pool, order, Actor::Cli, now())
        .await
        .unwrap_err();
    assert!(words(error).starts_with("2026-11 is not over"));
    // An hour before midnight in Hamburg, which is 23:00 UTC.
    let order = Order {
        month: day("2026-10-01"),
        ..order
    };
    let early = issue::statements(&pool, order, Actor::Cli, at("2026-10-31T22:59:59Z")).await;
    assert!(words(early.unwrap_err()).contains("is not over"));

    let draft = Order {
        draft: true,
        ..order
    };
    for _ in 0..2 {
        issue::statements(&pool, draft, Actor::Cli, now())
            .await
            .unwrap();
    }
    let mut db = pool.acquire().await.unwrap();
    let drafts = invoices::drafts(&mut db).await.unwrap();
    assert_eq!(
        (
            drafts.len(),
            drafts[0].customer_id,
            drafts[0].sessions,
            drafts[0].total
        ),
        (1, ada, 1, Decimal::new(595, 2))
    );
    assert!(all(&pool).await.is_empty());
    issue::statements(&pool, order, Actor::Cli, now())
        .await
        .unwrap();
    assert!(invoices::drafts(&mut db).await.unwrap().is_empty());
    assert_eq!(all(&pool).await[0].seq, 1);
}

#[tokio::test]
async fn customers_of_lago_are_invoiced_there_unless_asked_for_by_name() {
    let (_test, shop, pool) = shop().await;
    let ada = shop.customer("Ada", "", "04A1").await;
    shop.sale("04A1", at("2026-10-10T12:00:00Z"), 10_000, "0.50")
        .await;
    let mut db = shop.pool.acquire().await.unwrap();
    let fields = customers::Fields {
        lago_external_id: Some("ada".to_owned()),
        ..customers::get(&mut db, ada).await.unwrap().unwrap().fields
    };
    customers::update(&mut db, ada, &fields).await.unwrap();
    assert_eq!(issue(&pool, &shop, "2026-10", now()).await, Run::default());
    let order = Order {
        entity: shop.entity,
        month: day("2026-10-01"),
        customer: Some(ada),
        draft: false,
    };
    let run = issue::statements(&pool, order, Actor::Cli, now())
        .await
        .unwrap();
    assert_eq!(run.issued.len(), 1);
}

#[tokio::test]
async fn who_had_the_token_when_it_charged_pays_for_it() {
    let (_test, shop, pool) = shop().await;
    let ada = shop.customer("Ada", "", "FLEET").await;
    let bob = shop.customer("Bob", "", "04B2").await;
    let mut db = shop.pool.acquire().await.unwrap();
    let van = IdToken {
        token: "VAN".to_owned(),
        kind: "RFID".to_owned(),
        status: "accepted".to_owned(),
        parent: Some("Fleet".to_owned()),
        expires_at: None,
        max_active: None,
        owner: String::new(),
    };
    id_tokens::put(&mut db, &van, now()).await.unwrap();
    for day in ["2026-10-10T12:00:00Z", "2026-10-20T12:00:00Z"] {
        shop.sale("van", at(day), 10_000, "0.50").await;
    }
    // The fleet is Bob's from the fifteenth on, and nobody's since yesterday.
    let all = tag_mappings::list(&mut db).await.unwrap();
    let fleet = all
        .iter()
        .find(|mapping| mapping.id_token == "FLEET")
        .unwrap();
    let of_bob = NewMapping {
        id_token: "FLEET".to_owned(),
        customer_id: bob,
        subscription: None,
        display_name: String::new(),
        notes: String::new(),
        active: true,
    };
    tag_mappings::update(&mut db, fleet.id, &of_bob, at("2026-10-15T00:00:00Z"))
        .await
        .unwrap();
    tag_mappings::delete(&mut db, fleet.id, at("2026-11-01T00:00:00Z"))
        .await
        .unwrap();

    let run = issue(&pool, &shop, "2026-10", now()).await;
    let mut paid = Vec::new();
    for id in run.issued {
        let statement = get(&pool, id).await;
        paid.push((statement.customer_id, statement.total));
    }
    paid.sort_unstable();
    let mut each = [
        (Some(ada), Decimal::new(595, 2)),
        (Some(bob), Decimal::new(595, 2)),
    ];
    each.sort_unstable();
    assert_eq!(paid, each);

    // Unless somebody says that it was all his: then whoever has the token pays.
    shop.sale("van", at("2026-10-12T12:00:00Z"), 4_000, "0.50")
        .await;
    tag_mappings::create(&mut db, &of_bob, now()).await.unwrap();
    past_accounts::forget(&mut db, "fleet").await.unwrap();
    let run = issue(&pool, &shop, "2026-11", at("2026-12-02T09:00:00Z")).await;
    let late = get(&pool, run.issued[0]).await;
    assert_eq!(
        (late.customer_id, late.total),
        (Some(bob), Decimal::new(238, 2))
    );
}

#[tokio::test]
async fn twenty_who_issue_at_once_leave_no_gap_even_when_some_fail() {
    let (test, shop, pool) = shop().await;
    let mut sessions = Vec::new();
    for n in 0..20 {
        let token = format!("04{n:02}");
        sessions.push(
            shop.sale(&token, at("2026-10-10T12:00:00Z"), 1_000 + n, "0.50")
                .await,
        );
    }
    // One of them fails after it had its number.
    test.strike_once(
        "invoice_lines",
        store::disturb::Moment::Statement,
        store::disturb::Blow::Error("XX000"),
    )
    .await;
    let issuers: Vec<_> = sessions
        .iter()
        .map(|session| {
            let (pool, session) = (pool.clone(), *session);
            tokio::spawn(async move {
                let mut tx = pool.begin().await.unwrap();
                let issued = issue::receipt(&mut tx, session, None, Actor::Cli, now()).await;
                match issued {
                    Ok(_) => tx.commit().await.is_ok(),
                    Err(_) => {
                        tx.rollback().await.unwrap();
                        false
                    }
                }
            })
        })
        .collect();
    let mut issued = 0;
    for issuer in issuers {
        issued += i64::from(issuer.await.unwrap());
    }
    assert!(test.struck("invoice_lines").await);
    assert_eq!(issued, 19);
    let found = all(&pool).await;
    let numbers: Vec<i64> = found.iter().map(|invoice| invoice.seq).collect();
    assert_eq!(numbers, (1..=19).collect::<Vec<_>>());
    let reports = billing::verify::verify(&pool, now()).await.unwrap();
    assert_eq!((reports[0].documents, reports[0].entries), (19, 19));
}

#[tokio::test]
async fn the_same_session_is_on_one_document_whoever_asks() {
    let (_test, shop, pool) = shop().await;
    let session = shop
        .sale("04A1", at("2026-10-10T12:00:00Z"), 1_000, "0.50")
        .await;
    let askers: Vec<_> = (0..6)
        .map(|_| {
            let pool = pool.clone();
            tokio::spawn(async move {
                let mut tx = pool.begin().await.unwrap();
                let issued = issue::receipt(&mut tx, session, None, Actor::Cli, now()).await;
                tx.commit().await.unwrap();
                issued.is_ok()
            })
        })
        .collect();
    let mut issued = 0;
    for asker in askers {
        issued += i32::from(asker.await.unwrap());
    }
    assert_eq!((issued, all(&pool).await.len()), (1, 1));
}

#[tokio::test]
async fn a_void_invoice_is_taken_back_whole_and_issued_anew_only_on_request() {
    let (_test, shop, pool) = shop().await;
    let ada = shop.customer("Ada", "", "04A1").await;
    shop.sale("04A1", at("2026-10-10T12:00:00Z"), 10_000, "0.50")
        .await;
    shop.sale("04A1", at("2026-10-12T12:00:00Z"), 4_000, "0.50")
        .await;
    let invoice = issue(&pool, &shop, "2026-10", now()).await.issued[0];

    let mut tx = pool.begin().await.unwrap();
    let note = issue::credit(&mut tx, invoice, None, "Wrong customer", Actor::Cli, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let (old, note) = (get(&pool, invoice).await, get(&pool, note).await);
    assert_eq!((old.state, old.open), (State::Void, Decimal::ZERO));
    assert_eq!(
        (note.number.as_str(), note.state, note.total, note.corrects),
        (
            "HC-C000001",
            State::CreditNote,
            Decimal::new(-833, 2),
            Some(invoice)
        )
    );
    let mut tx = pool.begin().await.unwrap();
    let again = issue::credit(&mut tx, invoice, None, "", Actor::Cli, now()).await;
    assert!(words(again.unwrap_err()).contains("nothing of HC-000001 is left"));
    let of_note = issue::credit(&mut tx, note.id, None, "", Actor::Cli, now()).await;
    assert!(words(of_note.unwrap_err()).contains("is a credit note"));
    tx.rollback().await.unwrap();
    // What was written off is on no statement by itself.
    let next = issue(&pool, &shop, "2026-11", at("2026-12-02T09:00:00Z")).await;
    assert_eq!(next.issued.len(), 0);

    let mut db = shop.pool.acquire().await.unwrap();
    let fields = customers::Fields {
        name: "Ada Lovelace".to_owned(),
        ..customers::get(&mut db, ada).await.unwrap().unwrap().fields
    };
    customers::update(&mut db, ada, &fields).await.unwrap();
    let mut tx = pool.begin().await.unwrap();
    let anew = issue::regenerate(&mut tx, invoice, Actor::Cli, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let anew = get(&pool, anew).await;
    assert_eq!(
        (anew.number.as_str(), anew.kind, anew.replaces, anew.total),
        (
            "HC-000002",
            Kind::Statement,
            Some(invoice),
            Decimal::new(833, 2)
        )
    );
    assert_eq!(Party::from_json(&anew.buyer).name, "Ada Lovelace");
    let mut tx = pool.begin().await.unwrap();
    let twice = issue::regenerate(&mut tx, invoice, Actor::Cli, now()).await;
    assert!(words(twice.unwrap_err()).contains("was issued anew as HC-000002"));
    tx.rollback().await.unwrap();
    billing::verify::verify(&pool, now()).await.unwrap();
}

#[tokio::test]
async fn one_session_may_be_credited_alone() {
    let (_test, shop, pool) = shop().await;
    shop.customer("Ada", "", "04A1").await;
    let first = shop
        .sale("04A1", at("2026-10-10T12:00:00Z"), 10_000, "0.50")
        .await;
    shop.sale("04A1", at("2026-10-12T12:00:00Z"), 4_000, "0.50")
        .await;
    let invoice = issue(&pool, &shop, "2026-10", now()).await.issued[0];
    let mut tx = pool.begin().await.unwrap();
    let note = issue::credit(
        &mut tx,
        invoice,
        Some(&[first]),
        "Goodwill",
        Actor::Cli,
        now(),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let (old, note) = (get(&pool, invoice).await, get(&pool, note).await);
    assert_eq!(note.total, Decimal::new(-595, 2));
    assert_eq!((old.state, old.open), (State::Issued, Decimal::new(238, 2)));
    // Issued anew is what is left: goodwill is not taken back.
    let mut tx = pool.begin().await.unwrap();
    let anew = issue::regenerate(&mut tx, invoice, Actor::Cli, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let anew = get(&pool, anew).await;
    assert_eq!(
        (anew.total, anew.replaces),
        (Decimal::new(238, 2), Some(invoice))
    );
    assert_eq!(get(&pool, invoice).await.state, State::Void);
    // The rest, too: then it is void.
    let mut tx = pool.begin().await.unwrap();
    issue::credit(&mut tx, anew.id, None, "", Actor::Cli, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(get(&pool, anew.id).await.state, State::Void);
    billing::verify::verify(&pool, now()).await.unwrap();
}

#[tokio::test]
async fn a_price_that_changed_is_corrected_by_credit_and_a_new_invoice() {
    let (_test, shop, pool) = shop().await;
    shop.customer("Ada", "", "04A1").await;
    let ended = at("2026-10-10T12:00:00Z");
    let first = shop.sale("04A1", ended, 10_000, "0.50").await;
    shop.sale("04A1", at("2026-10-12T12:00:00Z"), 4_000, "0.50")
        .await;
    let invoice = issue(&pool, &shop, "2026-10", now()).await.issued[0];
    // The same again, and a price that is held, change nothing.
    let line = |wh| shop::energy(wh, "0.50", "19", None, ended);
    shop.price(first, &[line(10_000)], false).await;
    assert!(
        issue::correct_stale(&pool, shop.entity, None, now())
            .await
            .unwrap()
            .is_empty()
    );
    shop.price(first, &[line(9_000)], true).await;
    assert!(
        issue::correct_stale(&pool, shop.entity, None, now())
            .await
            .unwrap()
            .is_empty()
    );
    shop.price(first, &[line(9_000)], false).await;
    let made = issue::correct_stale(&pool, shop.entity, None, now())
        .await
        .unwrap();
    assert_eq!(made.len(), 1);
    let correction = get(&pool, made[0]).await;
    assert_eq!(
        (correction.kind, correction.replaces, correction.total),
        (Kind::Correction, Some(invoice), Decimal::new(536, 2))
    );
    let found = all(&pool).await;
    let note = found.iter().find(|i| i.kind == Kind::CreditNote).unwrap();
    assert_eq!(
        (note.corrects, note.total),
        (Some(invoice), Decimal::new(-595, 2))
    );
    assert!(
        issue::correct_stale(&pool, shop.entity, None, now())
            .await
            .unwrap()
            .is_empty()
    );
    billing::verify::verify(&pool, now()).await.unwrap();
}

#[tokio::test]
async fn a_receipt_is_for_whoever_asks() {
    let (_test, shop, pool) = shop().await;
    let session = shop
        .sale("WALK-IN", at("2026-11-01T12:00:00Z"), 7_777, "0.60")
        .await;
    let buyer = Party {
        name: "Γιώργος Παπαδόπουλος".to_owned(),
        ..Party::default()
    };
    let mut tx = pool.begin().await.unwrap();
    let receipt = issue::receipt(&mut tx, session, Some(buyer.clone()), Actor::Cli, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let receipt = get(&pool, receipt).await;
    assert_eq!(
        (receipt.kind, receipt.customer_id, receipt.month),
        (Kind::Receipt, None, None)
    );
    assert_eq!(Party::from_json(&receipt.buyer), buyer);
    let active = shop.session("WALK-IN", at("2026-11-01T13:00:00Z"), 1).await;
    let mut tx = pool.begin().await.unwrap();
    let error = issue::receipt(&mut tx, active, None, Actor::Cli, now())
        .await
        .unwrap_err();
    assert!(words(error).contains("its price is held or missing"));
}

#[tokio::test]
async fn two_currencies_are_two_documents() {
    let (_test, shop, pool) = shop().await;
    shop.customer("Ada", "", "04A1").await;
    shop.sale("04A1", at("2026-10-10T12:00:00Z"), 10_000, "0.50")
        .await;
    let dollars = Shop {
        currency: "USD".to_owned(),
        ..shop.clone()
    };
    dollars
        .sale("04A1", at("2026-10-11T12:00:00Z"), 10_000, "0.70")
        .await;
    let run = issue(&pool, &shop, "2026-10", now()).await;
    assert_eq!(run.issued.len(), 2);
    let currencies: Vec<String> = all(&pool).await.into_iter().map(|i| i.currency).collect();
    assert_eq!(currencies, ["EUR", "USD"]);
    let mut db = Scope::All.begin(&pool).await.unwrap();
    let sums = invoices::sums(&mut db, &Filter::default(), now())
        .await
        .unwrap();
    assert_eq!(
        (sums.len(), sums[0].total, sums[1].total),
        (2, Decimal::new(595, 2), Decimal::new(833, 2))
    );
}

#[tokio::test]
async fn a_reader_of_some_sites_sees_what_is_about_those_alone() {
    let (test, shop, pool) = shop().await;
    let session = shop
        .sale("04A1", at("2026-10-10T12:00:00Z"), 10_000, "0.50")
        .await;
    let mut tx = pool.begin().await.unwrap();
    let receipt = issue::receipt(&mut tx, session, None, Actor::Cli, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let portal = test.pool(Room::Portal);
    let other = Uuid::from_u128(77);
    for (scope, sees) in [
        (Scope::Nothing, false),
        (Scope::Sites(vec![other]), false),
        (Scope::Sites(vec![other, shop.site]), true),
        (Scope::All, true),
    ] {
        let mut db = scope.begin(&portal).await.unwrap();
        let found = invoices::get(&mut db, receipt, now())
            .await
            .unwrap()
            .is_some();
        let lines = invoices::lines(&mut db, receipt).await.unwrap().len();
        let sessions = invoices::sessions(&mut db, receipt).await.unwrap().len();
        let happenings = invoices::happenings(&mut db, receipt).await.unwrap().len();
        let expected = usize::from(sees);
        assert_eq!(
            (found, lines, sessions, happenings),
            (sees, expected, expected, expected),
            "{scope:?}"
        );
    }
    let mut db = shop.pool.acquire().await.unwrap();
    assert_eq!(
        legal_entities::of_session(&mut db, session).await.unwrap(),
        Some(shop.entity)
    );
}

/// Two hundred at once, and every third of them fails after it has its number: what is kept counts without a gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_that_issue_at_once_leave_no_gap() {
    const AT_ONCE: usize = 200;
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", Europe::Berlin, now()).await;
    let pool = test.pool(Room::Billing);
    let mut sessions = Vec::new();
    for n in 0..AT_ONCE {
        let began = now() - TimeDelta::hours(1 + i64::try_from(n).unwrap());
        sessions.push(shop.sale("04A1", began, 1_000, "0.50").await);
    }
    // They stand in line for a connection as long as it takes, not as long as the pool has patience.
    let line = Arc::new(Semaphore::new(8));
    let mut tasks = tokio::task::JoinSet::new();
    for (n, session) in sessions.into_iter().enumerate() {
        let (pool, line) = (pool.clone(), line.clone());
        tasks.spawn(async move {
            let _turn = line.acquire().await.unwrap();
            let mut tx = pool.begin().await.unwrap();
            issue::receipt(&mut tx, session, None, Actor::Cli, now())
                .await
                .unwrap();
            let kept = n % 3 != 0;
            if kept {
                tx.commit().await.unwrap();
            }
            kept
        });
    }
    let kept = tasks.join_all().await.into_iter().filter(|kept| *kept);
    let kept = kept.count();
    let mut db = Scope::All.begin(&test.pool).await.unwrap();
    let found = invoices::list(&mut db, &Filter::default(), None, 500, now())
        .await
        .unwrap();
    let mut numbers: Vec<i64> = found.iter().map(|invoice| invoice.seq).collect();
    numbers.sort_unstable();
    let expected: Vec<i64> = (1..=i64::try_from(kept).unwrap()).collect();
    assert_eq!(numbers, expected);
    let books = verify::verify(&pool, now()).await.unwrap();
    assert_eq!(books[0].documents, u64::try_from(kept).unwrap());
}
