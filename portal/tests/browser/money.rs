//! The pages about money and what they lean on, in light and dark, on a desk and on a phone: a picture of each, nothing
//! for the console to say, and nothing wider than the window.

use billing::tariff::Tariff;
use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use store::{
    Rounding, Scope,
    customers::{self, Fields as Customer},
    driver_groups,
    holidays::{self, Holiday},
    legal_entities::{self, Fields as Entity, TaxPer},
    prices::{self, NewPrice, State},
    sessions, tariff_assignments as assignments, tariffs,
};
use thirtyfour::By;
use uuid::Uuid;

use crate::{
    chromium::{Browser, Screen},
    running::Running,
    support::{Fleet, Town, town},
};

const PUBLIC: &str = r#"{"currency": "EUR", "prices_include_tax": true, "tax_rate": "21", "min_price": {"total": "1.50"},
    "elements": [
    {"components": [{"kind": "energy", "price": "0.19"}], "restrictions": {"source": "solar", "season_from": "04-01",
     "season_to": "09-30"}},
    {"components": [{"kind": "energy", "price": "0.29"}], "restrictions": {"time_from": "22:00", "time_to": "06:00"}},
    {"components": [{"kind": "energy", "price": "0.59"}, {"kind": "time", "price": "2.40"}],
     "restrictions": {"weekdays": ["monday", "tuesday", "wednesday", "thursday", "friday"], "time_from": "16:30",
     "time_to": "20:00"}},
    {"components": [{"kind": "energy", "price": "0.39"}], "restrictions": {"weekdays": ["saturday", "sunday"]}},
    {"components": [{"kind": "start", "price": "0.50"}, {"kind": "energy", "price": "0.45"},
     {"kind": "idle", "price": "6.00", "grace_minutes": 15}]}]}"#;
const STAFF: &str = r#"{"currency": "EUR", "tax_rate": "21", "elements": [{"components": [{"kind": "energy", "price": "0.21"}]}]}"#;

/// What the pages show.
struct Money {
    tariff: Uuid,
    customer: Uuid,
    entity: Uuid,
    group: Uuid,
}

async fn money(running: &Running, town: &Town) -> Money {
    let now = running.clock.now();
    let mut db = running.db.pool.begin().await.unwrap();
    let entity = Entity {
        name: "Lowland Charging BV".to_owned(),
        address: "Kade 7\n3011 Rotterdam".to_owned(),
        country: "NL".to_owned(),
        tax_id: "NL859123456B01".to_owned(),
        email: "billing@lowland.example".to_owned(),
        currency: "EUR".parse().unwrap(),
        rounding: Rounding::HalfUp,
        tax_per: TaxPer::Line,
        payment_days: 14,
        payment_details: "IBAN NL91 ABNA 0417 1643 00".to_owned(),
    };
    let entity = legal_entities::create(&mut db, &entity, now).await.unwrap();
    legal_entities::sell_at(&mut db, town.harbour, Some(entity))
        .await
        .unwrap();
    let days = [
        ("2026-12-25", "Eerste kerstdag"),
        ("2026-12-26", "Tweede kerstdag"),
        ("2027-01-01", "Nieuwjaarsdag"),
        ("2027-03-29", "Tweede paasdag"),
        ("2027-04-27", "Koningsdag"),
    ];
    let days = days.map(|(day, name)| Holiday {
        day: day.parse().unwrap(),
        name: name.to_owned(),
    });
    holidays::import(&mut db, "NL", &days).await.unwrap();
    holidays::keep_at(&mut db, town.harbour, Some("NL"))
        .await
        .unwrap();
    let mut last = Uuid::nil();
    for (name, email, country) in [
        (
            "Hafen Logistik GmbH",
            "rechnung@hafen-logistik.example",
            "DE",
        ),
        ("Jonker & Zonen", "administratie@jonker.example", "NL"),
        ("Quay Residents' Association", "", "NL"),
    ] {
        let fields = Customer {
            name: name.to_owned(),
            email: email.to_owned(),
            address: "Havenstraat 12\n3024 Rotterdam".to_owned(),
            country: country.to_owned(),
            tax_id: if country == "DE" { "DE811234567" } else { "" }.to_owned(),
            lago_external_id: (!email.is_empty()).then(|| format!("cust-{}", name.len())),
            active: !email.is_empty(),
        };
        last = customers::create(&mut db, &fields, now).await.unwrap();
    }
    let group = driver_groups::create(&mut db, "Harbour staff", now)
        .await
        .unwrap();
    let before = now - TimeDelta::days(40);
    let mut versions = Vec::new();
    for (name, content) in [("Harbour public", PUBLIC), ("Staff", STAFF)] {
        Tariff::parse(content).unwrap();
        let content = serde_json::from_str(content).unwrap();
        let id = tariffs::create(&mut db, name, "EUR", before).await.unwrap();
        let version = tariffs::add_version(&mut db, id, before, &content, before)
            .await
            .unwrap();
        versions.push((id, version.unwrap()));
    }
    let (public, staff) = (versions[0], versions[1]);
    let next = serde_json::from_str(&PUBLIC.replace("0.45", "0.49")).unwrap();
    let later = now + TimeDelta::days(36);
    tariffs::add_version(&mut db, public.0, later, &next, now)
        .await
        .unwrap();
    for (tariff, place, from) in [
        (public.0, assignments::Place::Site(town.harbour), before),
        (public.0, assignments::Place::Site(town.mall), later),
        (
            staff.0,
            assignments::Place::GroupAtSite {
                group_id: group,
                site_id: town.harbour,
            },
            before,
        ),
    ] {
        assignments::assign(&mut db, tariff, place, from, None, now)
            .await
            .unwrap();
    }
    let pool = running.db.pool(store::Room::Portal);
    let prices = some_prices(&pool, town, public.1).await;
    prices::take_turn(&mut db).await.unwrap();
    prices::write(&mut db, &prices, now).await.unwrap();
    db.commit().await.unwrap();
    Money {
        tariff: public.0,
        customer: last,
        entity,
        group,
    }
}

/// Prices of the harbour's sessions, one of them held.
async fn some_prices(pool: &store::Pool, town: &Town, version: Uuid) -> Vec<NewPrice> {
    let mut scoped = Scope::Sites(vec![town.harbour]).begin(pool).await.unwrap();
    let ended = sessions::Filter {
        state: Some(sessions::State::Ended),
        ..Default::default()
    };
    let found = sessions::list(&mut scoped, &ended, None, 1000)
        .await
        .unwrap();
    (0..)
        .zip(&found)
        .map(|(place, session)| {
            let total = Decimal::new(session.energy_wh.unwrap_or(0), 3) * Decimal::new(45, 2);
            let total = total.round_dp(2);
            let net = (total / Decimal::new(121, 2)).round_dp(2);
            NewPrice {
                session_id: session.id,
                site_id: session.site_id,
                station_id: session.station_id,
                tariff_version_id: version,
                state: if place == 3 {
                    State::Held
                } else {
                    State::Priced
                },
                reasons: if place == 3 {
                    vec!["meter-ran-backwards".to_owned()]
                } else {
                    Vec::new()
                },
                currency: "EUR".to_owned(),
                net,
                tax: total - net,
                total,
                lines: "[]".to_owned(),
                made_from: [0; 32],
            }
        })
        .collect()
}

fn day(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d").to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pages_about_money_look_well_and_the_console_is_silent() {
    let running = Running::start().await;
    let login = running.admin().await;
    let mut fleet = Fleet::new(&running.db.pool, running.clock.now()).await;
    let town = town(&mut fleet).await;
    let money = money(&running, &town).await;
    let now = running.clock.now();
    let pages = [
        ("tariffs", "/tariffs".to_owned()),
        ("tariff", format!("/tariffs/{}", money.tariff)),
        (
            "tariff-edit",
            format!("/tariffs/{}/versions/new", money.tariff),
        ),
        (
            "tariff-json",
            format!("/tariffs/{}/versions/new?as=json", money.tariff),
        ),
        ("reports-day", "/reports".to_owned()),
        (
            "reports-site",
            format!("/reports?by=site&from={}", day(now - TimeDelta::days(60))),
        ),
        ("customers", "/customers".to_owned()),
        ("customer", format!("/customers/{}", money.customer)),
        ("legal-entities", "/settings/legal-entities".to_owned()),
        (
            "legal-entity",
            format!("/settings/legal-entities/{}", money.entity),
        ),
        ("sites", "/settings/sites".to_owned()),
        ("site", format!("/settings/sites/{}", town.harbour)),
        ("holidays", "/settings/holidays".to_owned()),
        ("calendar", "/settings/holidays/NL".to_owned()),
        ("driver-groups", "/driver-groups".to_owned()),
        ("driver-group", format!("/driver-groups/{}", money.group)),
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
            for (name, path) in &pages {
                browser
                    .driver
                    .goto(format!("{}{path}", running.url))
                    .await
                    .unwrap();
                browser
                    .until("document.documentElement.scrollWidth <= innerWidth")
                    .await;
                browser.picture(&format!("{name}-{theme}-{device}")).await;
                let complaints = browser.complaints().await;
                assert!(complaints.is_empty(), "{name} {theme}: {complaints:?}");
            }
        }
        // A form that was not accepted.
        browser
            .driver
            .goto(format!("{}/customers/new", running.url))
            .await
            .unwrap();
        for (field, text) in [("f-email", "nobody@"), ("f-country", "Nederland")] {
            let field = browser.driver.find(By::Id(field)).await.unwrap();
            field.send_keys(text).await.unwrap();
        }
        // The browser's own opinion of an address is not asked.
        let send = "document.querySelector('.form').noValidate = true; document.querySelector('.form .primary').click()";
        browser.driver.execute(send, vec![]).await.unwrap();
        browser.until("document.getElementById('problems')").await;
        browser.picture(&format!("form-refused-{device}")).await;
        if screen == Screen::Phone {
            let more = browser.driver.find(By::Css("button.more")).await.unwrap();
            more.click().await.unwrap();
            browser
                .until("document.querySelector('#more:popover-open')")
                .await;
            browser.picture("menu-phone").await;
        }
    }
}
