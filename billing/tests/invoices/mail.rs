//! R19: a thousand mails while the mail server refuses, puts off, denies, hangs or speaks broken TLS. Over real sockets;
//! the hours pass by `now` alone.

use std::{cell::Cell, time::Duration};

use billing::{
    invoice::{issue, send},
    jobs::outbox::send_due,
};
use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Europe;
use service::{config, mail::Mailer};
use simulators::smtp::{Fault, MailServer};
use store::{
    Pool, Room,
    audit::Actor,
    invoices,
    outbox::{self, NewMail},
    shop::Shop,
    testing::{TestDb, database},
};

use super::{at, kept, now};

/// Mails that wait in R19.
const MANY: usize = 1_000;

/// A mailer to the server that gives up soon: what it waits for in a test never comes.
fn mailer(url: String) -> Mailer {
    let settings = config::Mail {
        smtp_url: Some(url),
        from: "Forecourt <charge@example.org>".to_owned(),
    };
    Mailer::with_patience(&settings, false, Duration::from_millis(1500)).unwrap()
}

/// Answers that show that nobody is starved.
const ENOUGH: usize = 10_000;

/// 900 sign-in codes, worth ten minutes, and 100 mails worth 48 hours.
async fn outbox() -> (TestDb, Pool) {
    let test = database().await;
    let pool = test.pool(Room::Billing);
    let mut tx = pool.begin().await.unwrap();
    for n in 0..MANY {
        let lasts = if n % 10 == 0 {
            send::PATIENCE
        } else {
            TimeDelta::minutes(10)
        };
        let recipient = format!("person{n}@example.org");
        let mail = NewMail {
            recipient: &recipient,
            subject: "Code",
            text: "123456",
            html: None,
            give_up_at: now() + lasts,
            invoice_id: None,
        };
        outbox::queue(&mut tx, &mail, now()).await.unwrap();
    }
    tx.commit().await.unwrap();
    (test, pool)
}

/// What a worker does that looks each second, but without the seconds in which nothing is due.
async fn work(pool: &Pool, mailer: &Mailer, from: DateTime<Utc>, until: DateTime<Utc>) {
    let mut now = from;
    while now <= until {
        while send_due(pool, mailer, now).await.unwrap() > 0 {}
        let mut db = pool.acquire().await.unwrap();
        match outbox::next_due(&mut db).await.unwrap() {
            Some(next) => now = next.max(now + TimeDelta::seconds(1)),
            None => return,
        }
    }
}

async fn counts(pool: &Pool) -> outbox::Counts {
    let mut db = pool.acquire().await.unwrap();
    outbox::counts(&mut db).await.unwrap()
}

/// However the server is away, codes are dropped after ten minutes, what lasts two days is sent when the server is back,
/// and few connections are spent on it.
/// Answers how many connections were.
async fn away(fault: Fault, options: &str) -> usize {
    let server = MailServer::start().await.unwrap();
    server.fail(fault);
    let (_test, pool) = outbox().await;
    let broken = mailer(format!("{}{options}", server.url()));
    work(&pool, &broken, now(), now() + TimeDelta::minutes(3)).await;
    let found = counts(&pool).await;
    assert_eq!(
        (found.waiting, found.sent, found.gave_up),
        (1_000, 0, 0),
        "{fault:?}"
    );
    let connections = server.connections();
    assert!(connections <= 120, "{fault:?}: {connections}");
    // Nobody is told the code any more.
    let later = now() + TimeDelta::minutes(12);
    work(&pool, &broken, later, later + TimeDelta::minutes(2)).await;
    let found = counts(&pool).await;
    assert_eq!(
        (found.waiting, found.sent, found.gave_up),
        (100, 0, 900),
        "{fault:?}"
    );
    // Half a day later it is back.
    server.fail(Fault::None);
    let healthy = mailer(server.url());
    work(
        &pool,
        &healthy,
        now() + TimeDelta::hours(13),
        now() + TimeDelta::hours(14),
    )
    .await;
    let found = counts(&pool).await;
    assert_eq!(
        (found.waiting, found.sent, found.gave_up),
        (0, 100, 900),
        "{fault:?}"
    );
    assert_eq!(server.taken().len(), 100, "each once");
    connections
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_down() {
    away(Fault::Refuse, "").await;
}

/// All on one thread: while a mail hangs, the process answers whatever else it is asked.
#[tokio::test]
async fn a_server_that_hangs_starves_nobody() {
    let done = Cell::new(false);
    let mails = async {
        let mails = away(Fault::Hang, "").await;
        done.set(true);
        mails
    };
    let others = async {
        let test = database().await;
        let mut answers = 0;
        while !done.get() && answers < ENOUGH {
            let mut db = test.pool.acquire().await.unwrap();
            store::pool::is_there(&mut db).await.unwrap();
            answers += 1;
        }
        answers
    };
    let (mails, answers) = tokio::join!(mails, others);
    assert!(
        answers > 10 * mails,
        "{answers} answers beside {mails} mails that hung"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_whose_tls_is_broken() {
    away(Fault::BrokenTls, "?tls=required").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_puts_everybody_off_at_first() {
    let server = MailServer::start().await.unwrap();
    server.fail(Fault::Greylist);
    let (_test, pool) = outbox().await;
    work(
        &pool,
        &mailer(server.url()),
        now(),
        now() + TimeDelta::minutes(5),
    )
    .await;
    let found = counts(&pool).await;
    assert_eq!((found.waiting, found.sent, found.gave_up), (0, 1_000, 0));
    let mut recipients: Vec<String> = server
        .taken()
        .into_iter()
        .flat_map(|mail| mail.recipients)
        .collect();
    recipients.sort_unstable();
    recipients.dedup();
    assert_eq!(recipients.len(), MANY, "each got one");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_knows_nobody() {
    let server = MailServer::start().await.unwrap();
    server.fail(Fault::Unknown);
    let (_test, pool) = outbox().await;
    work(
        &pool,
        &mailer(server.url()),
        now(),
        now() + TimeDelta::minutes(1),
    )
    .await;
    let found = counts(&pool).await;
    assert_eq!(
        (found.waiting, found.sent, found.gave_up),
        (0, 0, 1_000),
        "at once"
    );
}

/// An invoice that is put off for two days is given up then, not before, and its log says so.
#[tokio::test]
async fn an_invoice_is_tried_for_two_days() {
    let server = MailServer::start().await.unwrap();
    server.fail(Fault::Later);
    let (test, invoice) = invoice().await;
    let pool = test.pool(Room::Billing);
    assert!(send::finish(&pool, invoice, now()).await.unwrap());
    let mailer = mailer(server.url());
    work(&pool, &mailer, now(), now() + TimeDelta::hours(47)).await;
    let found = counts(&pool).await;
    assert_eq!((found.waiting, found.gave_up), (1, 0));
    work(
        &pool,
        &mailer,
        now() + TimeDelta::hours(47),
        now() + TimeDelta::hours(49),
    )
    .await;
    assert_eq!(counts(&pool).await.gave_up, 1);
    let mut db = pool.acquire().await.unwrap();
    let happened: Vec<String> = invoices::happenings(&mut db, invoice)
        .await
        .unwrap()
        .into_iter()
        .map(|happening| happening.kind)
        .collect();
    assert_eq!(happened, ["issued", "mail_queued", "mail_failed"]);
}

async fn invoice() -> (TestDb, uuid::Uuid) {
    let test = database().await;
    let shop = Shop::open(&test, "HC", "EUR", Europe::Berlin, now()).await;
    shop.customer("Ada", "ada@example.org", "04A1").await;
    let session = shop
        .sale("04A1", at("2026-10-10T12:00:00Z"), 10_000, "0.50")
        .await;
    let pool = test.pool(Room::Billing);
    let mut tx = pool.begin().await.unwrap();
    let id = issue::receipt(&mut tx, session, None, Actor::Cli, now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    (test, id)
}

#[tokio::test]
async fn an_invoice_is_mailed_with_its_file_once_and_again_on_request() {
    let (test, invoice) = invoice().await;
    let pool = test.pool(Room::Billing);
    assert!(send::finish(&pool, invoice, now()).await.unwrap());
    assert!(!send::finish(&pool, invoice, now()).await.unwrap());
    assert_eq!(send::catch_up(&pool, now()).await.unwrap(), 0);
    let mailer = kept();
    send_due(&pool, &mailer, now()).await.unwrap();
    let mailbox = mailer.mailbox().unwrap();
    assert_eq!(mailbox.len(), 1);
    let mail = &mailbox[0];
    assert_eq!(
        (mail.to.as_str(), mail.subject.as_str()),
        ("ada@example.org", "Invoice HC-000001 from HC Charging GmbH")
    );
    assert!(
        mail.text
            .contains("over 5.95 EUR. Please pay by 2026-11-16."),
        "{}",
        mail.text
    );
    assert_eq!(mail.files[0].name, "HC-000001.pdf");
    assert!(mail.files[0].content.starts_with(b"%PDF-"));
    let mut tx = pool.begin().await.unwrap();
    send::again(&mut tx, invoice, Some("cfo@example.org"), Actor::Cli, now())
        .await
        .unwrap();
    let wrong = send::again(&mut tx, invoice, Some("nobody"), Actor::Cli, now())
        .await
        .unwrap_err();
    assert!(
        wrong.to_string().contains("is no e-mail address"),
        "{wrong}"
    );
    tx.commit().await.unwrap();
    send_due(&pool, &mailer, now()).await.unwrap();
    let mailbox = mailer.mailbox().unwrap();
    assert_eq!(
        (mailbox.len(), mailbox[0].to.as_str()),
        (2, "cfo@example.org")
    );
    assert_eq!(mailbox[0].files, mailbox[1].files);
}
