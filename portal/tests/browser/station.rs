//! A station's tabs, its messages as they come, and an unknown tag that is added: with a keyboard and a mouse.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use store::{
    authorize_attempts::Attempt,
    ids,
    ingest::{Direction, Effect, MessageRow},
};
use thirtyfour::By;
use uuid::Uuid;

use crate::{
    chromium::{Browser, Screen},
    running::Running,
    support::{Fleet, town},
};

/// A message of the station.
fn message(
    station_id: Uuid,
    at: DateTime<Utc>,
    action: &str,
    payload: &serde_json::Value,
) -> Effect {
    let row = MessageRow {
        id: ids::new_id(at),
        received_at: at,
        station_id,
        direction: Direction::In,
        message_id: format!("{:x}", at.timestamp_micros()),
        action: action.to_owned(),
        payload: payload.to_string(),
        answer: Some("{}".to_owned()),
        error_code: None,
        answered_at: Some(at + TimeDelta::milliseconds(7)),
        findings: None,
    };
    Effect {
        messages: vec![row],
        ..Effect::default()
    }
}

async fn id_of(fleet: &Fleet<'_>, identity: &str) -> Uuid {
    let mut db = store::Scope::All.begin(fleet.pool).await.unwrap();
    let station = store::stations_read::get(&mut db, identity).await;
    station.unwrap().unwrap().id
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tabs_lead_to_each_other_and_messages_appear_as_they_come() {
    let running = Running::start().await;
    let login = running.admin().await;
    let mut fleet = Fleet::new(&running.db.pool, running.clock.now()).await;
    town(&mut fleet).await;
    let station = id_of(&fleet, "HQ-DC-01").await;
    let browser = Browser::open(Screen::Desk).await;
    browser.carry(&running, &login).await;
    let driver = &browser.driver;
    driver
        .goto(format!("{}/stations/HQ-DC-01", running.url))
        .await
        .unwrap();
    let live = "document.getElementById('live').dataset.state === 'live'";
    browser.until(live).await;
    browser
        .until("document.querySelectorAll('.connector').length === 2")
        .await;
    for title in ["Sessions", "History", "Messages"] {
        let link = By::XPath(format!("//nav[contains(@class,'tabs')]/a[.='{title}']"));
        browser.click_on(link).await;
        let here = format!(
            "document.querySelector('nav.tabs [aria-current=page]')?.textContent === '{title}'"
        );
        browser.until(&here).await;
    }
    browser.until(live).await;
    browser
        .until("!document.querySelector('table.messages')")
        .await;
    fleet
        .commit(message(
            station,
            running.clock.now(),
            "DataTransfer",
            &json!({"vendorId": "com.example"}),
        ))
        .await;
    browser
        .until("document.querySelector('table.messages tbody th')?.textContent.trim() === 'DataTransfer'")
        .await;
    // Paused it stays as it is.
    browser.click_on(By::LinkText("Pause")).await;
    browser
        .until("[...document.querySelectorAll('a')].some((a) => a.textContent === 'Resume')")
        .await;
    browser.click_on(By::LinkText("DataTransfer")).await;
    browser.until("document.querySelector('pre.json')?.textContent.includes('\"vendorId\": \"com.example\"')").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_tag_is_added_by_its_button_and_that_can_be_undone() {
    let running = Running::start().await;
    let login = running.admin().await;
    let mut fleet = Fleet::new(&running.db.pool, running.clock.now()).await;
    town(&mut fleet).await;
    let attempt = Attempt {
        station_id: id_of(&fleet, "HQ-DC-01").await,
        token: "04NEWCARD77".to_owned(),
        verdict: "invalid",
        at: fleet.now,
    };
    fleet
        .commit(Effect {
            refused_tokens: vec![attempt],
            ..Effect::default()
        })
        .await;
    let browser = Browser::open(Screen::Desk).await;
    browser.carry(&running, &login).await;
    let driver = &browser.driver;
    driver.goto(format!("{}/tags", running.url)).await.unwrap();
    let add = By::Css("[aria-label='Add 04NEWCARD77']");
    browser.click_on(add).await;
    browser
        .until("location.pathname === '/tags/04NEWCARD77'")
        .await;
    browser
        .until("document.querySelector('.toast')?.textContent.includes('may charge')")
        .await;
    browser.click_on(By::Css(".toast button")).await;
    browser.until("location.pathname === '/tags'").await;
    browser
        .until("document.querySelector(\"[aria-label='Add 04NEWCARD77']\")")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

/// Thirty connectors, a long identity, nothing at all: a picture of each, and nothing wider than the screen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pages_of_a_station_and_of_tags_look_well_and_the_console_is_silent() {
    let running = Running::start().await;
    let login = running.admin().await;
    let mut fleet = Fleet::new(&running.db.pool, running.clock.now()).await;
    let town = town(&mut fleet).await;
    let long = "DEPOT-NORTH-EAST-CHARGING-HUB-ROW-17-CABINET-0000000000000000000000001";
    let model = ("Kempower", "C-Station 30 S-Series", "2026.11.4-rc2");
    let many = fleet.station(long, town.harbour, model).await;
    for connector in 1..=30 {
        let words = [
            "Available",
            "Charging",
            "Faulted",
            "SuspendedEV",
            "Unavailable",
        ];
        let word = words[usize::try_from(connector % 5).unwrap()];
        let error = if word == "Faulted" {
            "GroundFailure"
        } else {
            "NoError"
        };
        fleet
            .status(
                fleet.now - TimeDelta::minutes(i64::from(connector) * 7),
                (many, connector),
                word,
                error,
                None,
            )
            .await;
    }
    fleet.station("HQ-NEW-01", town.harbour, model).await;
    let fast = id_of(&fleet, "HQ-DC-01").await;
    for (action, payload) in [
        (
            "BootNotification",
            json!({"chargePointVendor": "Alpitronic", "chargePointModel": "HYC150"}),
        ),
        (
            "StatusNotification",
            json!({"connectorId": 1, "errorCode": "NoError", "status": "Available"}),
        ),
        (
            "MeterValues",
            json!({"connectorId": 2, "meterValue": [{"timestamp": "2026-11-20T12:00:00Z", "sampledValue": [{"value": "117400", "measurand": "Power.Active.Import", "unit": "W"}]}]}),
        ),
    ] {
        fleet
            .commit(message(fast, running.clock.now(), action, &payload))
            .await;
    }
    for (token, verdict) in [
        ("04NEWCARD77", "invalid"),
        ("VID:E4A9D0C21F55AA", "invalid"),
    ] {
        let attempt = Attempt {
            station_id: fast,
            token: token.to_owned(),
            verdict,
            at: fleet.now - TimeDelta::minutes(9),
        };
        fleet
            .commit(Effect {
                refused_tokens: vec![attempt],
                ..Effect::default()
            })
            .await;
    }
    {
        let mut db = running.db.pool.acquire().await.unwrap();
        for (token, owner, status) in [
            ("04A1B2C3D47F2A", "Mara Lind", "accepted"),
            ("04E9117AB25C80", "Quay Logistics, van 3", "blocked"),
        ] {
            let token = store::id_tokens::IdToken {
                token: token.to_owned(),
                kind: "RFID".to_owned(),
                status: status.to_owned(),
                parent: Some("QUAY-FLEET".to_owned()),
                expires_at: Some(fleet.now + TimeDelta::days(90)),
                max_active: Some(1),
                owner: owner.to_owned(),
            };
            store::id_tokens::put(&mut db, &token, fleet.now)
                .await
                .unwrap();
        }
    }
    let pages = [
        ("station", "/stations/HQ-DC-01".to_owned()),
        ("station-faulted", "/stations/HQ-DC-02".to_owned()),
        ("station-30", format!("/stations/{long}")),
        ("station-empty", "/stations/HQ-NEW-01".to_owned()),
        ("station-lost", "/stations/WG-AC-03".to_owned()),
        ("station-sessions", "/stations/HQ-DC-01/sessions".to_owned()),
        ("station-messages", "/stations/HQ-DC-01/messages".to_owned()),
        ("station-history", "/stations/HQ-DC-02/history".to_owned()),
        ("station-commands", "/stations/HQ-DC-01/commands".to_owned()),
        ("station-firmware", "/stations/HQ-DC-01/firmware".to_owned()),
        ("station-security", "/stations/HQ-DC-01/security".to_owned()),
        ("station-settings", "/stations/HQ-DC-01/settings".to_owned()),
        (
            "station-start",
            "/stations/HQ-DC-01/start?connector=1".to_owned(),
        ),
        ("messages", "/messages".to_owned()),
        ("messages-none", "/messages?q=nothing".to_owned()),
        ("tags", "/tags".to_owned()),
        ("tag", "/tags/04A1B2C3D47F2A".to_owned()),
        ("tag-new", "/tags/new".to_owned()),
        ("waiting", "/waiting".to_owned()),
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
                browser
                    .until("document.documentElement.scrollWidth <= innerWidth")
                    .await;
                let device = if screen == Screen::Phone {
                    "phone"
                } else {
                    "desk"
                };
                browser.picture(&format!("{name}-{theme}-{device}")).await;
                let complaints = browser.complaints().await;
                assert!(complaints.is_empty(), "{name} {theme}: {complaints:?}");
            }
        }
    }
}
