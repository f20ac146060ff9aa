//! A charge, watched: it appears on the overview without a reload, its power follows, it ends in the list, its curve opens.

use chrono::TimeDelta;
use thirtyfour::By;

use crate::{
    chromium::{Browser, Screen},
    running::Running,
    support::{Car, Fleet},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_appears_ends_and_opens_its_curve() {
    let running = Running::start().await;
    let login = running.admin().await;
    let mut fleet = Fleet::new(&running.db.pool, running.clock.now()).await;
    let site = fleet.site("Harbour Quay", "Europe/Amsterdam").await;
    let station = fleet
        .station("HQ-DC-01", site, ("Alpitronic", "HYC150", "4.2.1"))
        .await;

    let browser = Browser::open(Screen::Desk).await;
    browser.carry(&running, &login).await;
    browser.driver.goto(&running.url).await.unwrap();
    browser
        .until("document.getElementById('live').dataset.state === 'live'")
        .await;
    browser
        .until("document.body.innerText.includes('Nothing charges right now')")
        .await;

    let car = Car {
        battery_wh: 77_000,
        power_w: 50_000,
        soc_pm: Some(300),
        minutes: 60,
    };
    let charge = fleet
        .charge(
            (station, 1),
            site,
            "04A1B2C3D47F2A",
            fleet.now - TimeDelta::minutes(12),
            car,
        )
        .await;
    let row = format!("document.getElementById('active-{}')", charge.id);
    browser
        .until(&format!("{row} && {row}.innerText.includes('HQ-DC-01')"))
        .await;

    browser.click_on(By::Css("#content table a")).await;
    browser
        .until("document.querySelector('h1').innerText.includes('HQ-DC-01')")
        .await;
    browser
        .until("document.getElementById('live').dataset.state === 'live'")
        .await;
    browser
        .until("document.querySelector('#chart canvas')")
        .await;

    fleet.now = running.clock.now();
    fleet.stop(charge, (station, 1), site).await;
    browser
        .until("document.body.innerText.includes('Transaction stopped')")
        .await;

    browser
        .driver
        .goto(format!("{}/sessions?station=hq-dc-01", running.url))
        .await
        .unwrap();
    let ended = format!(
        "document.getElementById('session-{}').innerText.includes('Ended')",
        charge.id
    );
    browser.until(&ended).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
