//! Every page in light and dark, on a desk and on a phone: a picture of each, and nothing for the console to say.

use chrono::TimeDelta;
use serde_json::json;
use store::{
    Room,
    tariff_assignments::{self, Place},
    tariffs,
    testing::TestDb,
};

use crate::{
    chromium::{Browser, Screen},
    running::Running,
    support::{Fleet, Town, town},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_looks_well_and_the_console_is_silent() {
    let running = Running::start().await;
    let login = running.admin().await;
    let mut fleet = Fleet::new(&running.db.pool, running.clock.now()).await;
    let town = town(&mut fleet).await;
    priced(&running.db, &fleet, &town).await;
    let pages = [
        ("overview", "/".to_owned()),
        ("stations", "/stations".to_owned()),
        ("sessions", "/sessions".to_owned()),
        ("session", format!("/sessions/{}", town.ended.id)),
        ("session-active", format!("/sessions/{}", town.active.id)),
        (
            "stations-of-a-site",
            format!("/stations?site={}&state=Offline", town.mall),
        ),
        (
            "sessions-of-a-site",
            format!("/sessions?site={}&from=all", town.harbour),
        ),
        (
            "nothing-matches",
            "/sessions?station=NOBODY&from=2026-01-01".to_owned(),
        ),
        ("bad-parameter", "/sessions?from=yesterday".to_owned()),
        ("not-found", "/sessions/0".to_owned()),
    ];
    for screen in [Screen::Desk, Screen::Phone] {
        let browser = Browser::open(screen).await;
        browser.carry(&running, &login).await;
        for theme in ["light", "dark"] {
            browser.cookie("forecourt-theme", theme).await;
            for (name, path) in &pages {
                browser
                    .driver
                    .goto(format!("{}{path}", running.url))
                    .await
                    .unwrap();
                let expects_live =
                    ["overview", "stations", "sessions", "session-active"].contains(name);
                if expects_live {
                    browser
                        .until("document.getElementById('live').dataset.state === 'live'")
                        .await;
                }
                if ["session", "session-active"].contains(name) {
                    browser
                        .until("document.querySelector('#chart canvas')")
                        .await;
                }
                let overflow = "document.documentElement.scrollWidth <= innerWidth";
                browser.until(overflow).await;
                let device = if screen == Screen::Phone {
                    "phone"
                } else {
                    "desk"
                };
                browser.picture(&format!("{name}-{theme}-{device}")).await;
                let complaints = browser.complaints().await;
                // The browser itself notes an answer of 4xx; it is what was asked for.
                let ours: Vec<_> = complaints
                    .iter()
                    .filter(|line| !line.contains("Failed to load resource"))
                    .collect();
                assert!(ours.is_empty(), "{name} {theme}: {ours:?}");
            }
        }
        // Without a login: the first page that anybody sees.
        browser.driver.delete_cookie("forecourt").await.unwrap();
        browser
            .driver
            .goto(format!("{}/sessions", running.url))
            .await
            .unwrap();
        browser.until("document.getElementById('email')").await;
        browser
            .picture(&format!("sign-in-{screen:?}").to_lowercase())
            .await;
    }
}

/// A tariff by day and by night at one site, and what was charged there priced.
async fn priced(db: &TestDb, fleet: &Fleet<'_>, town: &Town) {
    let mut owner = db.pool.acquire().await.unwrap();
    let long_ago = fleet.now - TimeDelta::days(60);
    let content = json!({
        "currency": "EUR",
        "prices_include_tax": true,
        "tax_rate": "21",
        "elements": [
            {"components": [{"kind": "energy", "price": "0.59"}],
             "restrictions": {"time_from": "07:00", "time_to": "12:45"}},
            {"components": [{"kind": "energy", "price": "0.47"}, {"kind": "start", "price": "1"}]},
        ],
    });
    let tariff = tariffs::create(&mut owner, "Harbour by day and night", "EUR", long_ago)
        .await
        .unwrap();
    tariffs::add_version(&mut owner, tariff, long_ago, &content, long_ago)
        .await
        .unwrap();
    let here = Place::Site(town.harbour);
    tariff_assignments::assign(&mut owner, tariff, here, long_ago, None, long_ago)
        .await
        .unwrap();
    billing::pricing::price_pending(&db.pool(Room::Billing), fleet.now)
        .await
        .unwrap();
}
