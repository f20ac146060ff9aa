//! The whole product before somebody's eyes: sign in by mail, watch a simulated station charge and end, open its curve.

use std::time::Duration;

use reqwest::Method;
use simulators::{
    clock::Speed,
    physics::VEHICLES,
    station::{Options, Station},
};
use store::{
    people::{self, Role},
    sign_in,
};
use thirtyfour::By;

#[path = "../portal/tests/browser/chromium.rs"]
mod chromium;
mod support;

use chromium::{Browser, Screen};
use support::Product;

const EMAIL: &str = "mara@forecourt.example";

/// The code of the only mail.
async fn mailed_code(product: &Product) -> String {
    let mut db = product.db.pool.acquire().await.unwrap();
    let mail = sign_in::mailbox(&mut db, 1).await.unwrap().remove(0);
    let words = mail.body_text.split_whitespace();
    let mut codes =
        words.filter(|word| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit()));
    codes.next().expect("the mail has a code").to_owned()
}

async fn type_into(browser: &Browser, id: &str, text: &str) {
    let field = browser.driver.find(By::Id(id)).await.unwrap();
    field.send_keys(text).await.unwrap();
    browser.click_on(By::Css("form button.primary")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_charge_is_watched_from_the_sign_in_to_its_curve() {
    let product = Product::start(csms::Options::default()).await;
    let key = product.api_key(&["read", "control"]).await;
    for (path, body) in [
        ("/api/v1/stations/EYES-1", "{}"),
        (
            "/api/v1/id-tokens/04A1B2C3",
            r#"{"type":"RFID","status":"accepted"}"#,
        ),
    ] {
        product
            .send(Method::PUT, &key, path, body, &[200, 201])
            .await;
    }
    {
        let mut db = product.db.pool.acquire().await.unwrap();
        let now = service::clock::Clock::system().now();
        people::add(&mut db, EMAIL, "Mara", Role::Admin, now)
            .await
            .unwrap();
    }

    let browser = Browser::open(Screen::Desk).await;
    let home = format!("http://{}/", product.portal);
    browser.driver.goto(&home).await.unwrap();
    type_into(&browser, "email", EMAIL).await;
    browser.until("document.getElementById('code')").await;
    type_into(&browser, "code", &mailed_code(&product).await).await;
    browser
        .until("document.querySelector('h1')?.innerText === 'Overview'")
        .await;
    browser
        .until("document.getElementById('live').dataset.state === 'live'")
        .await;

    let mut options = Options::new(&product.ocpp_url(), "EYES-1");
    options.speed = Speed::Times(30.0);
    options.sample_interval = Some(Duration::from_secs(30));
    let mut station = Station::spawn(options).unwrap();
    station.booted().await.unwrap();
    station.controls().plug(1, &VEHICLES[0], 40.0);
    station.controls().swipe(1, "04A1B2C3");
    station.transaction_started().await.unwrap();
    let active = "document.querySelector('tr[id^=active-] a')";
    browser.until(active).await;
    browser
        .until(&format!("{active}.innerText.includes('EYES-1')"))
        .await;
    browser.picture("product-charging").await;
    browser.click_on(By::Css("tr[id^=active-] a")).await;
    browser
        .until("document.querySelector('h1').innerText.includes('EYES-1')")
        .await;
    browser
        .until("document.querySelector('#chart canvas')")
        .await;

    station.controls().stop_button(1);
    station.transaction_stopped().await.unwrap();
    browser
        .until("document.body.innerText.includes('Transaction stopped')")
        .await;
    browser
        .until("document.body.innerText.includes('Ended')")
        .await;
    browser.picture("product-ended").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    // Programs are told the same, and the page fits a phone.
    let sessions = product.get(&key, "/api/v1/sessions?station=EYES-1").await;
    assert_eq!(sessions["items"][0]["state"], "ended");
    let login = browser.driver.get_named_cookie("forecourt").await.unwrap();
    let phone = Browser::open(Screen::Phone).await;
    phone.driver.goto(format!("{home}login")).await.unwrap();
    phone.cookie("forecourt", &login.value).await;
    let id = sessions["items"][0]["id"].as_str().unwrap();
    phone
        .driver
        .goto(format!("{home}sessions/{id}"))
        .await
        .unwrap();
    phone.until("document.querySelector('#chart canvas')").await;
    phone
        .until("document.documentElement.scrollWidth <= innerWidth")
        .await;
    phone.picture("product-ended-phone").await;
    station.shutdown().await;
}
