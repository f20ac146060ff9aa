//! Live pages where the stream is not there: it rests while nobody looks, and a page whose stream is blocked is polled.

use chrono::TimeDelta;
use serde_json::json;
use store::installed_certificates::{self, HashData};
use thirtyfour::By;
use uuid::Uuid;

use crate::{
    chromium::{Browser, Screen},
    running::Running,
    support::{Car, Fleet},
};

/// A portal, a browser that is signed in to it, and the means to charge.
struct Scene {
    running: Running,
    browser: Browser,
    site: Uuid,
    station: (Uuid, i32),
}

impl Scene {
    async fn set() -> Self {
        let running = Running::start().await;
        let login = running.admin().await;
        let fleet = Fleet::new(&running.db.pool, running.clock.now()).await;
        let site = fleet.site("Harbour Quay", "Europe/Amsterdam").await;
        let model = ("Alpitronic", "HYC150", "4.2.1");
        let station = fleet.station("HQ-DC-01", site, model).await;
        let browser = Browser::open(Screen::Desk).await;
        browser.carry(&running, &login).await;
        Scene {
            running,
            browser,
            site,
            station: (station, 1),
        }
    }

    async fn until_pill(&self, state: &str) {
        let pill = format!("document.getElementById('live').dataset.state === '{state}'");
        self.browser.until(&pill).await;
    }

    /// A charge begins; answers where the overview shows it.
    async fn charge(&self) -> String {
        let car = Car {
            battery_wh: 77_000,
            power_w: 50_000,
            soc_pm: Some(300),
            minutes: 60,
        };
        let now = self.running.clock.now();
        let mut fleet = Fleet::new(&self.running.db.pool, now).await;
        let since = now - TimeDelta::minutes(12);
        let charge = fleet
            .charge(self.station, self.site, "04A1B2C3D47F2A", since, car)
            .await;
        format!("document.getElementById('active-{}')", charge.id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_nobody_looks_at_rests_and_catches_up() {
    let scene = Scene::set().await;
    let driver = scene.browser.driver.clone();
    driver.goto(&scene.running.url).await.unwrap();
    scene.until_pill("live").await;

    driver.minimize_window().await.unwrap();
    scene.until_pill("paused").await;
    let stream = "document.getElementById('content')['htmx-internal-data'].sseEventSource";
    let closed = format!("{stream}.readyState === EventSource.CLOSED");
    scene.browser.until(&closed).await;
    let row = scene.charge().await;

    driver.maximize_window().await.unwrap();
    scene.browser.until(&row).await;
    scene.until_pill("live").await;
    assert_eq!(scene.browser.complaints().await, Vec::<String>::new());
}

/// A page is renewed around what a person does on it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_somebody_opened_or_typed_stays_when_the_page_changes() {
    let scene = Scene::set().await;
    let (driver, browser) = (scene.browser.driver.clone(), &scene.browser);
    let trust = async |serial: &str| {
        let hash = HashData {
            algorithm: "SHA256".to_owned(),
            issuer_name_hash: "aa".to_owned(),
            issuer_key_hash: "bb".to_owned(),
            serial_number: serial.to_owned(),
        };
        let mut db = scene.running.db.pool.acquire().await.unwrap();
        let (root, now) = ("ManufacturerRootCertificate", scene.running.clock.now());
        installed_certificates::add(&mut db, scene.station.0, root, &hash, None, now)
            .await
            .unwrap();
    };
    trust("02").await;
    let url = format!("{}/stations/HQ-DC-01/security", scene.running.url);
    driver.goto(url).await.unwrap();
    scene.until_pill("live").await;
    let details = "document.querySelector('[id^=trusted-] details')";
    browser
        .click_on(By::Css("[id^=trusted-] details summary"))
        .await;
    browser.until(&format!("{details}.open")).await;
    let field = driver.find(By::Id("f-certificate")).await.unwrap();
    field.send_keys("-----BEGIN").await.unwrap();
    browser
        .click_on(By::Css("[aria-label='Delete certificate 02']"))
        .await;
    let asks = "document.querySelector('.dialog:popover-open h2').textContent.includes('Delete')";
    browser.until(asks).await;

    // It stands above the other one.
    trust("01").await;
    let two = "document.querySelectorAll('[id^=trusted-]').length === 2";
    browser.until(two).await;
    let row = "document.querySelectorAll('tr[id^=trusted-]')[1]";
    browser
        .until(&format!("{row}.querySelector('details').open"))
        .await;
    browser
        .until(&format!(
            "{row}.querySelector('.dialog').matches(':popover-open')"
        ))
        .await;
    browser
        .until("document.getElementById('f-certificate').value === '-----BEGIN'")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

/// Rows are picked with the keyboard and by a link, stay picked while the list changes, and lead to a task.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stations_that_are_picked_stay_picked_and_lead_to_a_task() {
    let scene = Scene::set().await;
    let (driver, browser) = (scene.browser.driver.clone(), &scene.browser);
    let fleet = Fleet::new(&scene.running.db.pool, scene.running.clock.now()).await;
    let model = ("Alpitronic", "HYC150", "4.2.1");
    fleet.station("HQ-DC-02", scene.site, model).await;
    driver
        .goto(format!("{}/stations", scene.running.url))
        .await
        .unwrap();
    scene.until_pill("live").await;
    let ticked = "document.querySelectorAll('input[form=pick]:checked').length";
    let first = driver
        .find(By::Css("[aria-label='Select HQ-DC-01']"))
        .await
        .unwrap();
    first.send_keys(" ").await.unwrap();
    browser.until(&format!("{ticked} === 1")).await;

    fleet.station("HQ-DC-00", scene.site, model).await;
    browser
        .until("document.querySelectorAll('input[form=pick]').length === 3")
        .await;
    browser
        .until("document.querySelector('input[form=pick]:checked').value === 'HQ-DC-01'")
        .await;
    browser.click_on(By::LinkText("none")).await;
    browser.until(&format!("{ticked} === 0")).await;
    browser.click_on(By::LinkText("all of this page")).await;
    browser.until(&format!("{ticked} === 3")).await;
    browser
        .click_on(By::XPath("//button[.='New task for the selected']"))
        .await;
    browser.until("location.pathname === '/tasks/new'").await;
    browser
        .until("document.querySelector('.note-line').textContent.includes('HQ-DC-00, HQ-DC-01, HQ-DC-02')")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_whose_stream_is_blocked_is_polled() {
    let scene = Scene::set().await;
    let driver = scene.browser.driver.clone();
    let tools = driver.cdp();
    let block = async |urls: &[&str]| {
        let told = tools.send_raw("Network.setBlockedURLs", json!({ "urls": urls }));
        told.await.unwrap();
    };
    tools.send_raw("Network.enable", json!({})).await.unwrap();
    block(&["*/events?*"]).await;
    driver.goto(&scene.running.url).await.unwrap();
    scene.until_pill("reconnecting").await;

    let row = scene.charge().await;
    scene.browser.until(&row).await;
    scene.until_pill("reconnecting").await;

    block(&[]).await;
    scene.until_pill("live").await;
}
