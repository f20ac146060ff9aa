//! A tariff, made by hand: cheap nights are painted, it is assigned to a site, and a session is priced by it.

use thirtyfour::By;

use crate::{
    chromium::{Browser, Screen},
    running::Running,
    support::{Fleet, town},
};

impl Browser {
    /// Types into a field of a form.
    async fn fill(&self, id: &str, text: &str) {
        let field = self.driver.find(By::Id(id)).await.unwrap();
        field.clear().await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Presses the button with these words.
    async fn click(&self, words: &str) {
        let path = format!("//button[normalize-space()='{words}']");
        self.click_on(By::XPath(path)).await;
    }

    /// Chooses what is called so.
    async fn choose(&self, id: &str, words: &str) {
        let path = format!("//select[@id='{id}']/option[normalize-space()='{words}']");
        self.click_on(By::XPath(path)).await;
    }

    /// Drags over the week, from an hour of a day to an hour of another.
    async fn paint(&self, from: (usize, i64), to: (usize, i64)) {
        let week = self.driver.find(By::Id("week")).await.unwrap();
        week.scroll_into_view().await.unwrap();
        let script = "const row = document.querySelectorAll('#week tbody tr')[arguments[0]];
            const left = row.cells[1].getBoundingClientRect().left, box = row.getBoundingClientRect();
            return [Math.round(left + (box.right - left) * (arguments[1] + 0.5) / 24), Math.round(box.top + box.height / 2)]";
        let mut places = Vec::new();
        for (day, hour) in [from, to] {
            let place = self
                .driver
                .execute(script, vec![day.into(), hour.into()])
                .await
                .unwrap();
            let place: Vec<i64> = serde_json::from_value(place.json().clone()).unwrap();
            places.push((place[0], place[1]));
        }
        let hand = self.driver.action_chain();
        hand.move_to(places[0].0, places[0].1)
            .click_and_hold()
            .move_to(places[1].0, places[1].1)
            .release()
            .perform()
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cheap_nights_are_painted_assigned_and_tried_on_a_session() {
    let running = Running::start().await;
    let login = running.admin().await;
    let mut fleet = Fleet::new(&running.db.pool, running.clock.now()).await;
    town(&mut fleet).await;
    let browser = Browser::open(Screen::Desk).await;
    browser.carry(&running, &login).await;
    let page = |path: &str| format!("{}{path}", running.url);

    browser.driver.goto(page("/tariffs/new")).await.unwrap();
    browser.fill("f-name", "Harbour public").await;
    browser.fill("f-tax_rate", "21").await;
    browser.fill("f-energy", "0.45").await;
    browser
        .until("document.querySelectorAll('#week .band-1').length === 7")
        .await;
    browser.fill("brush-energy", "0.25").await;
    browser.paint((0, 0), (6, 5)).await;
    browser.paint((0, 22), (6, 23)).await;
    browser
        .until("document.querySelectorAll('#windows tbody tr').length === 1")
        .await;
    browser.fill("brush-energy", "0.60").await;
    browser.paint((4, 17), (4, 19)).await;
    browser
        .until("document.querySelectorAll('#windows tbody tr').length === 2")
        .await;
    let typed = "[...document.querySelectorAll('#windows input:not([type=hidden]):not([type=checkbox])')].map(i => i.value).join()";
    browser
        .until(&format!(
            "{typed} === '22:00,06:00,0.25,,17:00,20:00,0.60,'"
        ))
        .await;
    browser.picture("tariff-painted").await;
    browser.click("Make this tariff").await;
    browser
        .until("document.querySelector('h1').innerText === 'Harbour public'")
        .await;
    browser
        .until("document.querySelector('.toast').innerText.includes('was made')")
        .await;
    browser
        .until("document.querySelectorAll('#week tbody tr')[4].innerText.includes('0.60')")
        .await;

    browser.choose("f-site", "Harbour Quay").await;
    browser.click("Assign").await;
    browser
        .until("document.querySelector('.toast').innerText.includes('assigned to Harbour Quay')")
        .await;
    browser.click("End").await;
    browser
        .until("document.querySelector('[popover]:popover-open h2').innerText === 'End it at Harbour Quay?'")
        .await;
    browser.picture("tariff-confirm").await;
    browser.click("Cancel").await;
    browser
        .until("!document.querySelector('[popover]:popover-open')")
        .await;

    browser.click_on(By::LinkText("Simulate")).await;
    browser.click("Price this session").await;
    browser
        .until("document.querySelector('tfoot').innerText.includes('kWh')")
        .await;
    browser.click("Preview").await;
    browser
        .until("document.body.innerText.includes('They would cost')")
        .await;
    browser.picture("tariff-simulated").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
}
