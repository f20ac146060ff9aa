//! The pages of usage to Lago in light and dark, on a desk and on a phone.

use store::{
    customers::{self, Fields},
    id_tokens::{self, IdToken},
    lago::{
        events::{self, Outcome, Status},
        link,
        runs::{self, Cause, Line, Tally},
        state::{self, NewEvent},
    },
    tag_mappings::{self, NewMapping},
};
use uuid::Uuid;

use crate::{
    chromium::{Browser, Screen},
    running::Running,
};

/// Two mappings with a child, three runs, some events, and a circuit that is open.
async fn fill(running: &Running) -> i64 {
    let mut db = running.db.pool.acquire().await.unwrap();
    let now = running.clock.now();
    for (token, parent) in [
        ("04A2B3C4D5E680", None),
        ("04FF19A0771B", Some("04A2B3C4D5E680")),
        ("VISITOR-1", None),
    ] {
        let token = IdToken {
            token: token.to_owned(),
            kind: "RFID".to_owned(),
            status: "accepted".to_owned(),
            parent: parent.map(str::to_owned),
            expires_at: None,
            max_active: None,
            owner: String::new(),
        };
        id_tokens::put(&mut db, &token, now).await.unwrap();
    }
    let fields = Fields {
        name: "Quay Logistics BV".to_owned(),
        email: "ap@quay.example".to_owned(),
        address: String::new(),
        country: "NL".to_owned(),
        tax_id: String::new(),
        lago_external_id: Some("quay".to_owned()),
        active: true,
    };
    let customer_id = customers::create(&mut db, &fields, now).await.unwrap();
    let mapping = NewMapping {
        id_token: "04A2B3C4D5E680".to_owned(),
        customer_id,
        subscription: Some("quay-charging".to_owned()),
        display_name: "Vans of the quay".to_owned(),
        notes: "Contract of 2026".to_owned(),
        active: true,
    };
    tag_mappings::create(&mut db, &mapping, now).await.unwrap();
    let mut last = 0;
    for n in 0..3_i64 {
        last = runs::begin(&mut db, Cause::Schedule, None, now)
            .await
            .unwrap();
        let session_id = Uuid::from_u128(u128::try_from(n).unwrap() + 7);
        let event = NewEvent {
            event_id: format!("fc_{session_id}_1200000_1203450"),
            session_id,
            site_id: None,
            id_token: "04a2b3c4d5e680".to_owned(),
            mapping_id: Uuid::from_u128(1),
            customer_id,
            lago_customer: "quay".to_owned(),
            lago_subscription: Some("quay-charging".to_owned()),
            code: "ev_charging_kwh".to_owned(),
            at: now,
            from_wh: 1_200_000,
            to_wh: 1_203_450,
            kwh: "3.450".parse().unwrap(),
            is_final: n == 1,
            properties: "{}".to_owned(),
        };
        state::record(&mut db, last, std::slice::from_ref(&event), &[], now)
            .await
            .unwrap();
        let outcome = Outcome {
            event_id: event.event_id,
            status: [Status::Sent, Status::Rejected, Status::Pending][usize::try_from(n).unwrap()],
            reason: (n == 1).then(|| "code: value_is_invalid".to_owned()),
        };
        events::settle(&mut db, last, &[outcome], now)
            .await
            .unwrap();
        let line = Line {
            at: now,
            level: "error".to_owned(),
            line: "no answer in time; nothing more is sent before 2026-11-20T12:00:30+00:00"
                .to_owned(),
        };
        runs::log(&mut db, last, &[line]).await.unwrap();
        let tally = Tally {
            sessions: 12,
            unmapped: 2,
            created: 1,
            errors: if n == 2 {
                vec!["no answer in time".to_owned()]
            } else {
                vec![]
            },
            ..Tally::default()
        };
        runs::finish(&mut db, last, &tally, now).await.unwrap();
    }
    let mut link = link::load(&mut db).await.unwrap();
    link.circuit = "open".to_owned();
    link.failures = 3;
    link.next_try_at = Some(now + chrono::TimeDelta::minutes(2));
    link.last_error = Some("no answer in time".to_owned());
    link::save_circuit(&mut db, &link).await.unwrap();
    link::save_metric(&mut db, Some(true), "the metric sums kwh", now)
        .await
        .unwrap();
    last
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn usage_to_lago_looks_well_and_a_delete_is_asked_about() {
    let running = Running::start().await;
    let login = running.admin().await;
    let run = fill(&running).await;
    let pages = [
        ("mappings", "/mappings".to_owned()),
        ("mapping-new", "/mappings/new".to_owned()),
        ("billing-events", "/billing-events".to_owned()),
        ("sync", "/sync".to_owned()),
        ("sync-run", format!("/sync/runs/{run}")),
        ("overview-usage", "/".to_owned()),
    ];
    for (screen, device) in [(Screen::Desk, "desk"), (Screen::Phone, "phone")] {
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
                browser.picture(&format!("{name}-{theme}-{device}")).await;
                let complaints = browser.complaints().await;
                assert!(complaints.is_empty(), "{name} {theme}: {complaints:?}");
            }
        }
    }
    let browser = Browser::open(Screen::Desk).await;
    browser.carry(&running, &login).await;
    browser
        .driver
        .goto(format!("{}/mappings", running.url))
        .await
        .unwrap();
    let dialog = "document.querySelector('.dialog:popover-open')";
    browser
        .driver
        .execute(
            "document.querySelector('button.danger[popovertarget]').click()",
            vec![],
        )
        .await
        .unwrap();
    browser
        .until(&format!(
            "{dialog}?.textContent.includes('The mappings of 1 child are deleted with it.')"
        ))
        .await;
    browser.picture("mapping-delete").await;
}
