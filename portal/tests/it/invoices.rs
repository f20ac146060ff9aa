//! `/invoices` and `/payments`: what is shown, what is asked of billing, and who sees and may do it.

use axum::http::StatusCode;
use billing::{invoice::issue, requests};
use chrono::TimeDelta;
use service::shutdown::Shutdown;
use store::{Room, audit, audit::Actor, invoices, people::Role, shop::Shop};
use tokio::task::JoinHandle;

use crate::harness::{Browser, Portal};

/// Billing, at work beside the portal until it is aborted.
fn billing(portal: &Portal) -> JoinHandle<()> {
    let (pool, clock) = (portal.db.pool(Room::Billing), portal.clock.clone());
    tokio::spawn(async move {
        requests::work_until_shutdown(&pool, &clock, &Shutdown::new()).await;
    })
}

/// A shop with two sessions of one customer in October.
async fn shop(portal: &Portal) -> Shop {
    let now = portal.clock.now();
    let shop = Shop::open(&portal.db, "HC", "EUR", chrono_tz::Europe::Berlin, now).await;
    shop.customer("Müller <Logistik> & Söhne", "ap@mueller.example", "04A1")
        .await;
    for days in [30, 32] {
        shop.sale("04A1", now - TimeDelta::days(days), 10_000, "0.50")
            .await;
    }
    shop
}

async fn issued(portal: &Portal, admin: &Browser<'_>, shop: &Shop) {
    let form = format!("seller={}&month=2026-10&do=issue", shop.entity);
    let answer = admin.post("/invoices/issue", &form).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    assert_eq!(answer.header("location"), "/invoices");
    let mut db = portal.db.pool.acquire().await.unwrap();
    let log = audit::of(&mut db, &format!("legal_entity/{}", shop.entity), 1)
        .await
        .unwrap();
    assert_eq!(log[0].action, "invoice.statements");
}

#[tokio::test]
async fn a_month_is_drafted_issued_and_shown() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let empty = admin.get("/invoices").await;
    assert!(empty.body.contains("No invoice yet"), "{}", empty.body);
    let nobody = admin.get("/invoices/issue").await;
    assert!(nobody.body.contains("Nobody sells yet"), "{}", nobody.body);
    let shop = shop(&portal).await;
    let worker = billing(&portal);
    let form = admin.get("/invoices/issue").await;
    assert!(form.body.contains("value=\"2026-10\""), "{}", form.body);
    let draft = format!("seller={}&month=2026-10&do=draft", shop.entity);
    let answer = admin.post("/invoices/issue", &draft).await;
    assert_eq!(
        answer.header("location"),
        "/invoices/issue",
        "{}",
        answer.body
    );
    let drafts = admin.get("/invoices/issue").await;
    assert!(
        drafts.body.contains("October 2026") && drafts.body.contains("11.90 EUR"),
        "{}",
        drafts.body
    );
    for (form, says) in [
        (
            format!("seller={}&month=2026-11&do=issue", shop.entity),
            "2026-11 is not over",
        ),
        (
            format!("seller={}&month=October&do=issue", shop.entity),
            "“October” is not a month such as 2026-10",
        ),
        (
            "month=2026-10&do=issue".to_owned(),
            "expected one of the legal entities",
        ),
        (
            format!(
                "seller={}&month=2026-10&customer=Nobody&do=issue",
                shop.entity
            ),
            "“Nobody” is not the name or id of one customer",
        ),
    ] {
        let again = admin.post("/invoices/issue", &form).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(again.body.contains(says), "{form}: {}", again.body);
    }
    issued(&portal, &admin, &shop).await;
    let again = format!("seller={}&month=2026-10&do=issue", shop.entity);
    let again = admin.post("/invoices/issue", &again).await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        again.body.contains("that is on no document yet"),
        "{}",
        again.body
    );
    let list = admin.get("/invoices").await;
    for text in [
        "HC-000001",
        "Müller &#60;Logistik&#62; &#38; Söhne",
        "Statement Oct 2026",
        "11.90 EUR",
        "/invoices/HC-000001.pdf",
    ] {
        assert!(list.body.contains(text), "{text} in {}", list.body);
    }
    for (query, found) in [
        ("?state=issued", true),
        ("?state=paid", false),
        ("?q=m%C3%BCller", true),
        ("?q=hc-000001", true),
        ("?q=nobody", false),
        ("?from=2026-11-20", true),
        ("?to=2026-11-19", false),
    ] {
        let page = admin.get(&format!("/invoices{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        assert_eq!(
            page.body.contains(">HC-000001<"),
            found,
            "{query}: {}",
            page.body
        );
    }
    let wrong = admin.get("/invoices?state=lost").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let page = admin.get("/invoices/hc-000001").await;
    for text in [
        "HC Quay",
        "HC-AC-01 / 1",
        "register 1,284.0",
        "Tax 19 % on 10.00",
        "Issued",
        "Mail queued",
        "ap@mueller.example",
    ] {
        assert!(page.body.contains(text), "{text} in {}", page.body);
    }
    assert_eq!(
        admin.get("/invoices/HC-000009").await.status,
        StatusCode::NOT_FOUND
    );
    let file = admin.get("/invoices/HC-000001.pdf").await;
    assert_eq!(file.headers["content-type"], "application/pdf");
    assert_eq!(
        file.headers["content-disposition"],
        "inline; filename=\"HC-000001.pdf\""
    );
    assert!(file.bytes.starts_with(b"%PDF-"));
    worker.abort();
}

#[tokio::test]
async fn an_invoice_is_paid_mailed_issued_anew_and_void() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let shop = shop(&portal).await;
    let worker = billing(&portal);
    issued(&portal, &admin, &shop).await;
    let path = "/invoices/HC-000001";
    for (form, says) in [
        (
            "amount=&method=bank&received_on=2026-11-19",
            "is missing; expected an amount",
        ),
        (
            "amount=5.555&method=bank&received_on=2026-11-19",
            "at most 2 decimals",
        ),
        (
            "amount=5&method=shells&received_on=2026-11-19",
            "“shells” is not one of",
        ),
        (
            "amount=5&method=bank&received_on=today",
            "“today” is not a day",
        ),
        (
            "amount=-5&method=bank&received_on=2026-11-19",
            "only 0 EUR was paid",
        ),
        (
            "amount=1000000000001&method=bank&received_on=2026-11-19",
            "expected no more than 1000000000000",
        ),
        (
            "amount=5&method=bank&received_on=2026-11-21",
            "expected a day from 2025-11-19 to 2026-11-20",
        ),
        (
            "amount=5&method=bank&received_on=2026-11-19&once=me",
            "“me” is not the number of a form",
        ),
    ] {
        let again = admin.post(&format!("{path}/payments"), form).await;
        assert_eq!(
            again.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{form}: {}",
            again.body
        );
        assert!(again.body.contains(says), "{form}: {}", again.body);
    }
    let paid = "amount=5%2C00&method=bank&received_on=2026-11-19&reference=Statement+44";
    let answer = admin.post(&format!("{path}/payments"), paid).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let page = admin.get(path).await;
    assert!(
        page.body.contains("6.90 EUR") && page.body.contains("Statement 44"),
        "{}",
        page.body
    );
    let payments = admin.get("/payments").await;
    assert!(
        payments.body.contains("5.00 EUR") && payments.body.contains(path),
        "{}",
        payments.body
    );

    let mailed = admin
        .post(&format!("{path}/mail"), "to=cfo%40mueller.example")
        .await;
    assert_eq!(mailed.status, StatusCode::SEE_OTHER);
    assert!(admin.get(path).await.body.contains("cfo@mueller.example"));

    // What is credited is what is ticked: nothing, or something unreadable, is not everything.
    for form in ["reason=Goodwill", "session=first&reason=Goodwill"] {
        let untold = admin.post(&format!("{path}/credit"), form).await;
        assert_eq!(untold.header("location"), path, "{form}");
    }
    let notes = admin.get("/invoices?state=credit_note").await;
    assert!(!notes.body.contains("HC-C000001"), "{}", notes.body);

    let anew = admin.post(&format!("{path}/regenerate"), "").await;
    assert_eq!(
        anew.header("location"),
        "/invoices/HC-000002",
        "{}",
        anew.body
    );
    let page = admin.get("/invoices/HC-000002").await;
    assert!(
        page.body.contains("6.90 EUR"),
        "what was paid counts: {}",
        page.body
    );
    assert!(page.body.contains(path), "{}", page.body);
    let void = admin.post("/invoices/HC-000002/void", "").await;
    assert_eq!(
        void.header("location"),
        "/invoices/HC-C000002",
        "{}",
        void.body
    );
    let page = admin.get("/invoices/HC-C000002").await;
    assert!(
        page.body.contains("Credit note") && page.body.contains("\u{2212}11.90 EUR"),
        "{}",
        page.body
    );
    let notes = admin.get("/credit-notes").await;
    assert_eq!(notes.header("location"), "/invoices?state=credit_note");
    let notes = admin.get("/invoices?state=credit_note").await;
    assert!(
        notes.body.contains("HC-C000001") && notes.body.contains("HC-C000002"),
        "{}",
        notes.body
    );
    // Again, it is refused in words.
    let again = admin.post("/invoices/HC-000002/void", "").await;
    assert_eq!(again.header("location"), "/invoices/HC-000002");
    worker.abort();
}

#[tokio::test]
async fn without_billing_a_page_says_that_it_is_asked_for() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let shop = shop(&portal).await;
    let session = shop
        .sale(
            "WALK-IN",
            portal.clock.now() - TimeDelta::days(1),
            1_000,
            "0.50",
        )
        .await;
    let mut tx = portal.db.pool.begin().await.unwrap();
    issue::receipt(&mut tx, session, None, Actor::Cli, portal.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let answer = admin.post("/invoices/HC-000001/void", "").await;
    assert_eq!(answer.header("location"), "/invoices/HC-000001");
    let page = admin.get("/invoices/HC-000001").await;
    assert!(
        page.body.contains("Asked for, and in work: credit."),
        "{}",
        page.body
    );
    // Its file is there all the same.
    let file = admin.get("/invoices/HC-000001.pdf").await;
    assert!(file.bytes.starts_with(b"%PDF-"));
}

#[tokio::test]
async fn who_sees_all_sites_of_an_invoice_sees_it_and_changes_nothing() {
    let portal = Portal::start().await;
    let shop = shop(&portal).await;
    let session = shop
        .sale(
            "WALK-IN",
            portal.clock.now() - TimeDelta::days(1),
            1_000,
            "0.50",
        )
        .await;
    let mut tx = portal.db.pool.begin().await.unwrap();
    issue::receipt(&mut tx, session, None, Actor::Cli, portal.clock.now())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let other = portal.site("Elsewhere").await;
    let mine = portal
        .signed_in("mine@example.org", Role::Operator, &[shop.site])
        .await;
    let theirs = portal
        .signed_in("theirs@example.org", Role::Operator, &[other])
        .await;
    assert_eq!(mine.get("/invoices/HC-000001").await.status, StatusCode::OK);
    assert!(mine.get("/invoices").await.body.contains("HC-000001"));
    for path in [
        "/invoices/HC-000001",
        "/invoices/HC-000001.pdf",
        "/api/v1/invoices/HC-000001",
    ] {
        assert_eq!(
            theirs.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
    }
    assert!(!theirs.get("/invoices").await.body.contains("HC-000001"));
    for who in [&mine, &theirs] {
        for path in [
            "/invoices/HC-000001/void",
            "/invoices/HC-000001/payments",
            "/invoices/issue",
        ] {
            assert_eq!(
                who.post(path, "").await.status,
                StatusCode::FORBIDDEN,
                "{path}"
            );
        }
    }
    let mut db = portal.db.pool.acquire().await.unwrap();
    let invoice = invoices::find(&mut db, "HC-000001", portal.clock.now())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        invoices::happenings(&mut db, invoice.id)
            .await
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn programs_get_invoices_as_json() {
    let portal = Portal::start().await;
    let shop = shop(&portal).await;
    let now = portal.clock.now();
    for days in 1..=3 {
        let session = shop
            .sale("WALK-IN", now - TimeDelta::days(days), 1_000, "0.50")
            .await;
        let mut tx = portal.db.pool.begin().await.unwrap();
        issue::receipt(&mut tx, session, None, Actor::Cli, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let key = portal.key(crate::harness::BOTH, &[shop.site]).await;
    let first = key.get("/api/v1/invoices?limit=2").await.json();
    assert_eq!(first["items"].as_array().unwrap().len(), 2);
    let next = format!(
        "/api/v1/invoices?limit=2&after={}",
        first["next"].as_str().unwrap()
    );
    let rest = key.get(&next).await.json();
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    let detail = key.get("/api/v1/invoices/HC-000002").await.json();
    assert_eq!(
        (
            &detail["total"],
            &detail["state"],
            &detail["sessions"][0]["lines"][0]["quantity"]
        ),
        (&"0.60".into(), &"issued".into(), &"1.000".into()),
        "{detail}"
    );
    let file = key.get("/api/v1/invoices/HC-000002.pdf").await;
    assert!(file.bytes.starts_with(b"%PDF-"));
    assert_eq!(
        key.get("/api/v1/invoices/HC-000009").await.status,
        StatusCode::NOT_FOUND
    );
    let wrong = key.get("/api/v1/invoices?state=lost&seller=Nobody").await;
    assert_eq!(
        wrong.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        wrong.body
    );
    let none = portal
        .key(crate::harness::BOTH, &[uuid::Uuid::from_u128(5)])
        .await;
    assert_eq!(
        none.get("/api/v1/invoices").await.json()["items"],
        serde_json::json!([])
    );
}

#[tokio::test]
async fn a_report_tells_what_was_invoiced_paid_and_is_open_by_month() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let empty = admin.get("/reports/invoices").await;
    assert!(
        empty.body.contains("Nothing was invoiced"),
        "{}",
        empty.body
    );
    let shop = shop(&portal).await;
    let worker = billing(&portal);
    issued(&portal, &admin, &shop).await;
    let paid = admin
        .post(
            "/invoices/HC-000001/payments",
            "amount=5&method=bank&received_on=2026-11-19&reference=&note=",
        )
        .await;
    assert_eq!(paid.status, StatusCode::SEE_OTHER, "{}", paid.body);
    // Two sessions of 10 kWh at 0.50, and 19 % on them.
    let page = admin.get("/reports/invoices").await.body;
    for said in ["November 2026", ">11.90<", ">5.00<", ">6.90<"] {
        assert!(page.contains(said), "no {said}: {page}");
    }
    let csv = admin.get("/reports/invoices.csv").await.body;
    assert!(
        csv.contains("2026-11,EUR,1,0,11.90,0.00,5.00,6.90,0.00"),
        "{csv}"
    );
    let other = admin
        .get("/reports/invoices?from=2025-01-01&to=2025-12-31")
        .await;
    assert!(
        other.body.contains("Nothing was invoiced"),
        "{}",
        other.body
    );
    let wrong = admin.get("/reports/invoices?from=soon").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST, "{}", wrong.body);
    assert!(
        admin
            .get("/reports")
            .await
            .body
            .contains("href=\"/reports/invoices\"")
    );
    worker.abort();
}

#[tokio::test]
async fn a_payment_whose_button_is_pressed_twice_is_recorded_once() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let shop = shop(&portal).await;
    let worker = billing(&portal);
    issued(&portal, &admin, &shop).await;
    let page = admin.get("/invoices/HC-000001").await.body;
    let (_, rest) = page.split_once("name=\"once\" value=\"").unwrap();
    let (once, _) = rest.split_once('"').unwrap();
    let path = "/invoices/HC-000001/payments";
    let form = |amount: &str| {
        format!("once={once}&amount={amount}&method=bank&received_on=2026-11-19&reference=&note=")
    };
    let five = form("5");
    let (first, second) = tokio::join!(admin.post(path, &five), admin.post(path, &five));
    assert_eq!(first.status, StatusCode::SEE_OTHER, "{}", first.body);
    assert_eq!(second.status, StatusCode::SEE_OTHER, "{}", second.body);
    let other = admin.post(path, &form("6")).await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        other.body.contains("another payment was recorded"),
        "{}",
        other.body
    );
    let page = admin.get("/invoices/HC-000001").await.body;
    assert_eq!(page.matches("Bank transfer</td>").count(), 1, "{page}");
    assert!(page.contains(">6.90 EUR<"), "{page}");
    worker.abort();
}
