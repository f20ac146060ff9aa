//! The keyboard: every page can be worked without a pointer, and no letter does anything while somebody types.

use thirtyfour::{By, Key, TypingData};

use crate::{
    chromium::{Browser, Screen},
    running::Running,
    support::{Fleet, town},
};

impl Browser {
    /// Types where the focus is.
    async fn press(&self, keys: impl Into<TypingData>) {
        let focused = self.driver.active_element().await.unwrap();
        focused.send_keys(keys).await.unwrap();
    }

    /// Waits until the element with the focus fits.
    async fn focus_is(&self, selector: &str) {
        self.until(&format!("document.activeElement.matches('{selector}')"))
            .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_worked_by_the_keyboard() {
    let running = Running::start().await;
    let login = running.admin().await;
    let mut fleet = Fleet::new(&running.db.pool, running.clock.now()).await;
    town(&mut fleet).await;
    let browser = Browser::open(Screen::Desk).await;
    browser.carry(&running, &login).await;
    let stations = format!("{}/stations", running.url);
    browser.driver.goto(&stations).await.unwrap();

    // The first Tab offers to skip the navigation.
    browser.press(Key::Tab).await;
    browser.focus_is("a.skip").await;
    browser.press(Key::Enter).await;
    browser.focus_is("main").await;

    browser.press("/").await;
    browser.focus_is("#q").await;
    browser.press("jk?/").await;
    browser.focus_is("#q").await;
    browser
        .until("document.getElementById('q').value === 'jk?/'")
        .await;
    browser.press(Key::Escape).await;
    browser.focus_is("body").await;

    let row = |number: usize| format!("#content tbody tr:nth-child({number}) th a");
    for (key, number) in [("j", 1), ("j", 2), ("j", 3), ("k", 2)] {
        browser.press(key).await;
        browser.focus_is(&row(number)).await;
    }
    browser.press("?").await;
    browser.until("document.getElementById('keys').open").await;
    browser.picture("keyboard").await;
    browser.press("j").await;
    browser.press(Key::Escape).await;
    browser.until("!document.getElementById('keys').open").await;
    browser.focus_is(&row(2)).await;

    let second = browser.driver.find(By::Css(row(2))).await.unwrap();
    let target = second.prop("href").await.unwrap().unwrap();
    browser.press(Key::Enter).await;
    browser
        .until(&format!("location.href === '{target}'"))
        .await;
    browser
        .until("document.getElementById('live').dataset.state === 'live'")
        .await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
