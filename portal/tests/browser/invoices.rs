//! The pages of invoices, credit notes and payments, in light and dark, on a desk and on a phone: a picture of each,
//! nothing for the console to say, and nothing wider than the window.

use billing::invoice::issue::{self, Order};
use chrono::{Datelike, NaiveDate, TimeDelta};
use store::{audit::Actor, shop::Shop};

use crate::{
    chromium::{Browser, Screen},
    running::Running,
};

/// Three customers' last month, one statement of it taken back.
async fn invoices(running: &Running) {
    let now = running.clock.now();
    let shop = Shop::open(&running.db, "HC", "EUR", chrono_tz::Europe::Berlin, now).await;
    let month = now.date_naive().with_day(1).unwrap() - TimeDelta::days(1);
    let noon = |day: u32| {
        let day = NaiveDate::from_ymd_opt(month.year(), month.month(), day).unwrap();
        day.and_hms_opt(12, 0, 0).unwrap().and_utc()
    };
    for (name, email, token, sessions) in [
        ("Hafen Logistik GmbH", "rechnung@hafen.example", "04A1", 24),
        ("Jonker & Zonen", "administratie@jonker.example", "04A2", 3),
        ("Ελένη Παπαδοπούλου", "eleni@example.gr", "04A3", 1),
    ] {
        shop.customer(name, email, token).await;
        for day in 1..=sessions {
            let wh = 7_000 + 613 * i64::from(day);
            shop.sale(token, noon(day), wh, "0.49").await;
        }
    }
    let order = Order {
        entity: shop.entity,
        month,
        customer: None,
        draft: false,
    };
    issue::statements(&shop.pool, order, Actor::Cli, now)
        .await
        .unwrap();
    let mut db = shop.pool.begin().await.unwrap();
    let jonker = store::invoices::find(&mut db, "HC-000002", now)
        .await
        .unwrap()
        .unwrap();
    issue::credit(&mut db, jonker.id, None, "Goodwill", Actor::Cli, now)
        .await
        .unwrap();
    db.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn invoices_look_well_and_the_console_is_silent() {
    let running = Running::start().await;
    let login = running.admin().await;
    invoices(&running).await;
    let pages = [
        ("invoices", "/invoices"),
        ("invoice", "/invoices/HC-000001"),
        ("invoice-void", "/invoices/HC-000002"),
        ("invoices-issue", "/invoices/issue"),
        ("credit-notes", "/credit-notes"),
        ("payments", "/payments"),
    ];
    for (screen, themes) in [
        (Screen::Desk, &["light", "dark"][..]),
        (Screen::Phone, &["light"]),
    ] {
        let browser = Browser::open(screen).await;
        browser.carry(&running, &login).await;
        let device = format!("{screen:?}").to_lowercase();
        for theme in themes {
            browser.cookie("forecourt-theme", theme).await;
            for (name, path) in pages {
                let url = format!("{}{path}", running.url);
                browser.driver.goto(url).await.unwrap();
                browser
                    .until("document.documentElement.scrollWidth <= innerWidth")
                    .await;
                browser.picture(&format!("{name}-{theme}-{device}")).await;
                let complaints = browser.complaints().await;
                assert!(complaints.is_empty(), "{name} {theme}: {complaints:?}");
            }
        }
    }
}
