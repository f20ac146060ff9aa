//! `GET /events`: what happened is sent as HTML, through the viewer's own scope, and again after a pause.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::{Request, StatusCode},
};
use futures_util::StreamExt;
use store::{Scope, events, people::Role};
use tower::ServiceExt;

use crate::{
    harness::{Browser, Portal},
    support::{Car, Fleet, town},
};

/// A stream of server-sent events, read one at a time.
pub struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    pub async fn open(
        portal: &Portal,
        browser: &Browser<'_>,
        query: &str,
        last_id: Option<&str>,
    ) -> Self {
        let mut request = Request::builder().uri(format!("/events?{query}"));
        for (name, value) in browser.headers() {
            request = request.header(*name, value);
        }
        if let Some(id) = last_id {
            request = request.header("last-event-id", id);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = portal.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// Waits until an event of this name says so.
    pub async fn until(&mut self, name: &str, said: &str) {
        while !self.next(name).await.1.contains(said) {}
    }

    /// The next event that has this name: its id and its HTML.
    pub async fn next(&mut self, name: &str) -> (String, String) {
        let wanted = format!("event: {name}");
        let event = async {
            loop {
                if let Some((event, rest)) = self.text.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.text = rest;
                    if event.lines().any(|line| line == wanted) {
                        return event;
                    }
                    continue;
                }
                let bytes = self.body.next().await.expect("the stream ended").unwrap();
                self.text.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        };
        let event = tokio::time::timeout(Duration::from_secs(30), event).await;
        let event = event.unwrap_or_else(|_| panic!("no event {name} came"));
        let of = |field: &str| -> Vec<&str> {
            event
                .lines()
                .filter_map(|line| line.strip_prefix(field))
                .collect()
        };
        (of("id: ").concat(), of("data: ").join("\n"))
    }
}

const CAR: Car = Car {
    battery_wh: 77_000,
    power_w: 50_000,
    soc_pm: Some(300),
    minutes: 60,
};

#[tokio::test]
async fn a_charge_appears_in_the_scope_that_it_belongs_to_and_nowhere_else() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let (ours, theirs) = (
        fleet.site("Ours", "UTC").await,
        fleet.site("Theirs", "UTC").await,
    );
    let station = fleet.station("OURS-1", ours, ("ABB", "Terra", "1")).await;
    let us = portal
        .signed_in("us@example.org", Role::Operator, &[ours])
        .await;
    let them = portal
        .signed_in("them@example.org", Role::Operator, &[theirs])
        .await;
    let since = position(&portal).await;
    let mut seen = Stream::open(
        &portal,
        &us,
        &format!("topics=overview&since={since}"),
        None,
    )
    .await;
    let mut not_seen = Stream::open(
        &portal,
        &them,
        &format!("topics=overview&since={since}"),
        None,
    )
    .await;

    let charge = fleet
        .charge(
            (station, 1),
            ours,
            "04A1B2C3",
            portal.clock.now() - chrono::TimeDelta::minutes(9),
            CAR,
        )
        .await;
    let (id, html) = seen.next("active").await;
    assert!(
        html.contains("OURS-1") && html.contains(&charge.id.to_string()),
        "{html}"
    );
    assert!(id.parse::<events::Position>().is_ok(), "{id}");
    let (_, html) = not_seen.next("active").await;
    assert!(!html.contains("OURS-1"), "{html}");

    // Whoever comes back with that id has missed nothing; after the stop there is something to tell at once.
    fleet.stop(charge, (station, 1), ours).await;
    let mut again = Stream::open(&portal, &us, "topics=overview", Some(&id)).await;
    let (_, html) = again.next("active").await;
    assert!(html.contains("Nothing charges right now"), "{html}");
    let strange = format!("topics=session&id={}", charge.id);
    let refused = them.get(&format!("/events?{strange}")).await;
    assert_eq!(refused.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn every_topic_sends_every_part_of_its_page() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let session = format!("topics=session&id={}", town.active.id);
    for (query, parts) in [
        (
            "topics=overview",
            vec![
                ("figures", "Stations online"),
                ("active", "HQ-DC-01"),
                ("attention", "GroundFailure"),
            ],
        ),
        (
            "topics=stations&state=faulted",
            vec![("stations", "HQ-DC-02"), ("refusals", "CP-UNKNOWN-7")],
        ),
        (
            "topics=sessions&station=hq-dc-01",
            vec![("sessions", "HQ-DC-01")],
        ),
        (
            session.as_str(),
            vec![
                ("summary", "Active"),
                ("curve", "samples"),
                ("happenings", "Transaction started"),
            ],
        ),
    ] {
        let mut stream = Stream::open(&portal, &admin, query, None).await;
        for (name, said) in parts {
            let (_, html) = stream.next(name).await;
            assert!(
                html.contains(said),
                "{query}: {name} without {said}: {html}"
            );
        }
    }
}

#[tokio::test]
async fn a_stream_of_nonsense_is_refused_by_name() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    for (query, named) in [
        ("", "topics"),
        ("topics=weather", "topics"),
        ("topics=session", "id"),
        ("topics=session&id=7", "id"),
        ("topics=overview&since=x", "since"),
        ("topics=sessions&from=x", "from"),
    ] {
        let answer = admin.get(&format!("/events?{query}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(
            answer.body.contains(&format!("<p>{named}:")),
            "{query}: {}",
            answer.body
        );
    }
    let nobody = portal.nobody().get("/events?topics=overview").await;
    assert_eq!(nobody.status, StatusCode::SEE_OTHER);
}

async fn position(portal: &Portal) -> events::Position {
    let mut db = Scope::All.begin(&portal.db.pool).await.unwrap();
    events::now(&mut db).await.unwrap()
}
