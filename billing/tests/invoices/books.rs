//! What is changed behind the books' back is found; and what accountants get.

use billing::{
    export,
    invoice::{
        issue,
        pay::{self, Paid},
    },
    jobs, requests,
    requests::Wish,
    verify::{self, Broken},
};
use chrono::TimeDelta;
use chrono_tz::Europe;
use rust_decimal::Decimal;
use store::{
    Pool, Room,
    audit::Actor,
    billing_requests, ids, invoices, ledger,
    payments::Method,
    shop::Shop,
    testing::{TestDb, database},
};
use uuid::Uuid;

use super::{at, day, now};

/// Three documents, a payment, a credit note, and an anchor.
async fn books() -> (TestDb, Shop, Pool) {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", Europe::Berlin, now()).await;
    let pool = test.pool(Room::Billing);
    let mut made = Vec::new();
    for n in 0..3 {
        let session = shop
            .sale("=cmd|calc", at("2026-10-10T12:00:00Z"), 10_000 + n, "0.50")
            .await;
        let mut tx = pool.begin().await.unwrap();
        made.push(
            issue::receipt(&mut tx, session, None, Actor::Cli, now())
                .await
                .unwrap(),
        );
        tx.commit().await.unwrap();
    }
    let paid = Paid {
        id: ids::new_id(now()),
        invoice: made[0],
        method: Method::Cash,
        provider: String::new(),
        reference: "till 1".to_owned(),
        amount: Decimal::new(595, 2),
        received_on: day("2026-11-02"),
        note: String::new(),
    };
    let mut tx = pool.begin().await.unwrap();
    pay::record(&mut tx, &paid, Actor::Cli, now())
        .await
        .unwrap();
    issue::credit(&mut tx, made[1], None, "Goodwill", Actor::Cli, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let mut db = pool.acquire().await.unwrap();
    ledger::anchor(&mut db, shop.entity, day("2026-11-02"), now())
        .await
        .unwrap();
    drop(db);
    for id in made {
        billing::invoice::send::finish(&pool, id, now())
            .await
            .unwrap();
    }
    (test, shop, pool)
}

async fn wrong(pool: &Pool) -> String {
    match verify::verify(pool, now()).await {
        Err(Broken::Wrong { entity, what }) => {
            assert_eq!(entity, "HC Charging GmbH");
            what
        }
        Err(Broken::Store(error)) => panic!("{error}"),
        Ok(reports) => format!("nothing: {reports:?}"),
    }
}

#[tokio::test]
async fn books_that_nobody_touched_are_whole() {
    let (_test, _shop, pool) = books().await;
    let reports = verify::verify(&pool, now()).await.unwrap();
    let report = &reports[0];
    assert_eq!((report.entries, report.documents), (5, 4));
    assert!(report.head.starts_with("5 "), "{report:?}");
    let anchor = report.anchor.as_deref().unwrap();
    assert_eq!(anchor, format!("2026-11-02 {}", report.head));
}

#[tokio::test]
async fn whatever_is_changed_is_found() {
    // Table, what is changed, where, and what is said of it.
    let blows = [
        (
            "ledger_entries",
            "content = set_byte(content, 3, 255 - get_byte(content, 3))",
            "seq = 2",
            "entry 2 (invoice HC-000002) was changed",
        ),
        (
            "ledger_entries",
            "hash = set_byte(hash, 31, 255 - get_byte(hash, 31))",
            "seq = 3",
            "entry 3 (invoice HC-000003) was changed",
        ),
        (
            "ledger_entries",
            "prev_hash = set_byte(prev_hash, 0, 255 - get_byte(prev_hash, 0))",
            "seq = 3",
            "entry 3 does not follow",
        ),
        (
            "ledger_entries",
            "at = at + interval '1 second'",
            "seq = 1",
            "entry 1",
        ),
        (
            "ledger_postings",
            "amount = amount + 0.01",
            "seq = 1 and line = 1",
            "entry 1",
        ),
        // In balance, but not what was booked.
        (
            "ledger_postings",
            "amount = amount * 2",
            "seq = 1",
            "entry 1",
        ),
        (
            "ledger_postings",
            "account = 'cash'",
            "seq = 1 and line = 1",
            "entry 1",
        ),
        (
            "ledger_heads",
            "seq = 6",
            "true",
            "the chain ends at entry 5, but its head says 6",
        ),
        (
            "ledger_anchors",
            "hash = set_byte(hash, 0, 255 - get_byte(hash, 0))",
            "true",
            "is not the one that was anchored on 2026-11-02",
        ),
        (
            "invoices",
            "total = total + 1, net = net + 1",
            "seq = 1 and series = 'invoice'",
            "HC-000001: its lines do not add up",
        ),
        (
            "invoices",
            "buyer = '{\"name\":\"Nobody\"}'",
            "seq = 1 and series = 'invoice'",
            "HC-000001 was changed",
        ),
        (
            "invoices",
            "issued_on = issued_on + 1",
            "series = 'credit_note'",
            "HC-C000001 was changed",
        ),
        (
            "invoice_lines",
            "quantity = quantity + 0.001",
            "quantity = 10.002",
            "HC-000003 was changed",
        ),
        (
            "invoice_sessions",
            "register_stop_wh = register_stop_wh - 1",
            "register_stop_wh = 1294039",
            "HC-000003 was changed",
        ),
        (
            "invoice_documents",
            "pdf = set_byte(pdf, 9, 255 - get_byte(pdf, 9))",
            "true",
            "was changed",
        ),
        (
            "payments",
            "amount = amount - 1",
            "true",
            "was changed: it is not what entry 4 booked",
        ),
        (
            "number_series",
            "next = 5",
            "series = 'invoice'",
            "invoice no. 4 is missing",
        ),
    ];
    let (test, _shop, pool) = books().await;
    for (table, set, which, said) in blows {
        let column = set.split(' ').next().unwrap();
        let back = test.keep(table).await;
        assert!(test.tamper(table, set, which).await > 0, "{table} {set}");
        let what = wrong(&pool).await;
        assert!(what.contains(said), "{table}.{column}: {what}");
        back.restore().await;
        verify::verify(&pool, now()).await.unwrap();
    }
}

#[tokio::test]
async fn whatever_is_taken_away_is_found() {
    for (table, which, said) in [
        (
            "ledger_entries",
            "seq = 5",
            "the chain ends at entry 4, but its head says 5",
        ),
        ("ledger_entries", "seq = 2", "entry 2 is missing"),
        ("ledger_postings", "seq = 2 and line = 3", "entry 2"),
        (
            "invoice_lines",
            "quantity = 10.002",
            "HC-000003: its lines do not add up",
        ),
        ("payments", "true", "of entry 4 is missing"),
    ] {
        let (test, _shop, pool) = books().await;
        assert!(test.snatch(table, which).await > 0, "{table} {which}");
        let what = wrong(&pool).await;
        assert!(what.contains(said), "{table} {which}: {what}");
    }
}

#[tokio::test]
async fn accountants_get_every_posting() {
    let (_test, shop, pool) = books().await;
    let customer = "=HYPERLINK(\"http://x\",\"y\"), \"the\" customer";
    shop.customer(customer, "", "04C3").await;
    let session = shop
        .sale("04C3", at("2026-10-10T12:00:00Z"), 1_000, "0.50")
        .await;
    let mut tx = pool.begin().await.unwrap();
    issue::receipt(
        &mut tx,
        session,
        None,
        Actor::Cli,
        at("2026-11-30T23:30:00Z"),
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let mut db = pool.acquire().await.unwrap();
    let mut csv = Vec::new();
    let span = (at("2026-10-31T23:00:00Z"), at("2026-12-31T23:00:00Z"));
    let of = (shop.entity, Europe::Berlin);
    let count = export::postings(&mut db, of, span, &mut csv).await.unwrap();
    let text = String::from_utf8(csv).unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert_eq!(lines[0], export::HEADER.join(","));
    assert_eq!(count, 17);
    assert_eq!(lines.len(), 17 + 2, "each line ends with CR LF");
    assert_eq!(
        lines[1],
        "2026-11-02,2026-11-02T09:00:00Z,1,1,invoice,HC-000001,receivable,1200,,,EUR,5.95,"
    );
    assert_eq!(
        lines[2],
        "2026-11-02,2026-11-02T09:00:00Z,1,2,invoice,HC-000001,revenue,4000,,19,EUR,,5.00"
    );
    let guarded = "\"'=HYPERLINK(\"\"http://x\"\",\"\"y\"\"), \"\"the\"\" customer\"";
    assert!(lines[15].contains(guarded), "{}", lines[15]);
    assert!(
        lines[15].starts_with("2026-12-01,2026-11-30T23:30:00Z"),
        "{}",
        lines[15]
    );
    let (mut debit, mut credit) = (Decimal::ZERO, Decimal::ZERO);
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    for record in reader.records() {
        let record = record.unwrap();
        debit += record[11].parse::<Decimal>().unwrap_or_default();
        credit += record[12].parse::<Decimal>().unwrap_or_default();
    }
    assert_eq!(debit, credit);
}

async fn ask(pool: &Pool, subject: Uuid, wish: Wish) -> Uuid {
    let mut db = pool.acquire().await.unwrap();
    requests::ask(&mut db, subject, &wish, Actor::Cli, now())
        .await
        .unwrap()
}

#[tokio::test]
async fn what_people_ask_for_is_done_once_or_refused_in_words() {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", Europe::Berlin, now()).await;
    let pool = test.pool(Room::Billing);
    shop.customer("Ada", "ada@example.org", "04A1").await;
    shop.sale("04A1", at("2026-10-10T12:00:00Z"), 10_000, "0.50")
        .await;
    let month = Wish::Statements {
        month: day("2026-10-01"),
        customer: None,
        draft: false,
    };
    let first = ask(&pool, shop.entity, month.clone()).await;
    // Two workers at once: each request is one's.
    let (one, other) = tokio::join!(
        requests::work_off(&pool, now()),
        requests::work_off(&pool, now())
    );
    assert_eq!(one.unwrap() + other.unwrap(), 1);
    let mut db = pool.acquire().await.unwrap();
    let outcome = billing_requests::outcome(&mut db, first)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((outcome.done_at, outcome.refused), (Some(now()), None));
    let invoice = invoices::find(&mut db, "hc-000001", now())
        .await
        .unwrap()
        .unwrap();
    assert!(
        invoices::document(&mut db, invoice.id)
            .await
            .unwrap()
            .is_some()
    );

    let pay = Wish::Pay {
        method: "bank".to_owned(),
        provider: String::new(),
        reference: String::new(),
        amount: Decimal::new(595, 2),
        received_on: day("2026-11-02"),
        note: String::new(),
        once: None,
    };
    ask(&pool, invoice.id, pay).await;
    let credit = ask(
        &pool,
        invoice.id,
        Wish::Credit {
            sessions: None,
            reason: "Goodwill".to_owned(),
        },
    )
    .await;
    // Of one millisecond nobody knows which came first: this one is asked when the others are done.
    assert_eq!(requests::work_off(&pool, now()).await.unwrap(), 2);
    let again = ask(
        &pool,
        invoice.id,
        Wish::Credit {
            sessions: None,
            reason: "Goodwill".to_owned(),
        },
    )
    .await;
    let unknown = ask(&pool, Uuid::nil(), Wish::Regenerate).await;
    let receipt = ask(&pool, Uuid::nil(), Wish::Receipt { buyer: None }).await;
    assert_eq!(requests::work_off(&pool, now()).await.unwrap(), 3);
    let mut refused = async |id| {
        billing_requests::outcome(&mut db, id)
            .await
            .unwrap()
            .unwrap()
            .refused
    };
    assert_eq!(refused(credit).await, None);
    assert_eq!(
        refused(again).await.as_deref(),
        Some("nothing of HC-000001 is left to be credited")
    );
    assert_eq!(
        refused(unknown).await.as_deref(),
        Some("there is no such invoice")
    );
    assert_eq!(
        refused(receipt).await.as_deref(),
        Some("nobody sells at the site of this session")
    );
    let reports = verify::verify(&pool, now()).await.unwrap();
    assert_eq!((reports[0].entries, reports[0].documents), (3, 2));
}

#[tokio::test]
async fn the_job_issues_last_month_a_day_after_its_end_and_anchors_the_books() {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", Europe::Berlin, now()).await;
    let pool = test.pool(Room::Billing);
    shop.customer("Ada", "ada@example.org", "04A1").await;
    shop.sale("04A1", at("2026-10-10T12:00:00Z"), 10_000, "0.50")
        .await;
    let run = async |when, last| jobs::invoices::run(&pool, last, at(when)).await.unwrap();
    let too_early = run("2026-11-01T22:59:00Z", None).await;
    assert!(too_early.starts_with("0 issued"), "{too_early}");
    let due = run("2026-11-01T23:00:00Z", Some(at("2026-11-01T22:59:00Z"))).await;
    assert!(
        due.starts_with("1 issued, 0 corrected, 1 made, 0 overdue"),
        "{due}"
    );
    let later = at("2026-11-16T00:00:00Z");
    let overdue = run("2026-11-16T23:00:00Z", Some(later)).await;
    assert!(overdue.contains("1 overdue"), "{overdue}");
    let again = run("2026-11-16T23:00:00Z", Some(later + TimeDelta::days(1))).await;
    assert_eq!(
        again,
        "0 issued, 0 corrected, 0 made, 0 overdue, 0 in trouble"
    );
    let mut db = pool.acquire().await.unwrap();
    let anchors = ledger::anchors(&mut db, shop.entity).await.unwrap();
    let days: Vec<String> = anchors
        .iter()
        .map(|anchor| anchor.day.to_string())
        .collect();
    assert_eq!(days, ["2026-10-31", "2026-11-01", "2026-11-16"]);
}
