//! `/sessions` and `/sessions/{id}`: filters in the URL, pages that fit together, totals over the filter, the curve.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use store::people::Role;

use crate::{
    harness::{Browser, Portal},
    look::gzipped,
    support::{Fleet, town},
};

/// The ids of the sessions on a page, and the way to the next one.
fn read(page: &str) -> (Vec<String>, Option<String>) {
    let ids = page
        .match_indices("id=\"session-")
        .map(|(at, found)| page[at + found.len()..][..36].to_owned())
        .collect();
    let next = page.split_once("\" rel=\"next\"").map(|(before, _)| {
        let at = before.rfind("href=\"").unwrap() + 6;
        before[at..].replace("&#38;", "&").replace("&amp;", "&")
    });
    (ids, next)
}

async fn all(browser: &Browser<'_>, path: &str) -> Vec<String> {
    let (mut path, mut found) = (Some(path.to_owned()), Vec::new());
    while let Some(at) = path.take() {
        let page = browser.get(&at).await;
        assert_eq!(page.status, StatusCode::OK, "{at}: {}", page.body);
        let (ids, next) = read(&page.body);
        found.extend(ids);
        path = next;
    }
    found
}

#[tokio::test]
async fn pages_of_a_filter_fit_together_and_its_totals_are_of_all_of_them() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let every = all(&admin, "/sessions?from=all").await;
    assert_eq!(every.len(), 59);
    assert_eq!(every.iter().collect::<BTreeSet<_>>().len(), 59);
    let page = admin.get("/sessions?from=all").await;
    assert!(page.body.contains("59 sessions"), "{}", page.body);
    assert!(gzipped(page.body.as_bytes()) < 60 * 1024);

    let active = all(&admin, "/sessions?state=active").await;
    assert_eq!(active.len(), 3);
    let here = all(
        &admin,
        "/sessions?from=all&station=hq-dc-01&station=WG-AC-02",
    )
    .await;
    assert_eq!(here.len(), 16);
    let day = all(&admin, "/sessions?from=2026-11-19&to=2026-11-19").await;
    let rest = all(&admin, "/sessions?from=2026-11-20").await.len()
        + all(&admin, "/sessions?from=all&to=2026-11-18").await.len();
    assert_eq!(day.len() + rest, 59);

    let mall = portal
        .signed_in("m@example.org", Role::Operator, &[town.mall])
        .await;
    assert_eq!(all(&mall, "/sessions?from=all").await.len(), 15);
    let other = mall.get(&format!("/sessions/{}", town.active.id)).await;
    assert_eq!(other.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_partner_sees_no_whole_token() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let partner = portal
        .signed_in("p@example.org", Role::Partner, &[town.harbour])
        .await;
    for path in [
        "/".to_owned(),
        "/sessions".to_owned(),
        format!("/sessions/{}", town.active.id),
    ] {
        let page = partner.get(&path).await;
        assert!(page.body.contains("••••5C80"), "{path}");
        assert!(!page.body.contains("04E9117AB25C80"), "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_by_name_and_what_is_not_there_is_said() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    for (query, named) in [
        ("from=yesterday", "from: “yesterday”"),
        ("to=2026-02-30", "to: “2026-02-30”"),
        ("state=running", "state: “running”"),
        ("site=Mall", "site: “Mall”"),
        ("after=7", "after: “7”"),
        ("station=a%00b", "station: “a\u{2400}b”"),
    ] {
        let page = admin.get(&format!("/sessions?{query}")).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST);
        assert!(page.body.contains(named), "{}", page.body);
    }
    let none = admin
        .get("/sessions?station=%22%3E%3Cimg%20src=x%3E&from=2026-01-01")
        .await;
    assert!(
        none.body.contains("No session matches") && !none.body.contains("<img"),
        "{}",
        none.body
    );
    let empty = admin.get("/sessions").await;
    assert!(
        empty.body.contains("No session in the last seven days"),
        "{}",
        empty.body
    );
    for id in ["0", "00000000-0000-7000-8000-000000000000"] {
        assert_eq!(
            admin.get(&format!("/sessions/{id}")).await.status,
            StatusCode::NOT_FOUND
        );
    }
}

#[tokio::test]
async fn a_session_has_its_figures_its_curve_and_its_events() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let page = admin.get(&format!("/sessions/{}", town.ended.id)).await;
    assert_eq!(page.status, StatusCode::OK);
    let energy = portal::view::number::kilo(town.ended.energy_wh);
    for said in [
        energy.as_str(),
        "31 min 0 s",
        "EVDisconnected",
        "Times in Europe/Amsterdam",
        "Transaction started",
        "Transaction stopped",
        "<polyline class=\"power-line\"",
        "<polyline class=\"soc-line\"",
        "Meter values as a table (32 rows)",
        "no tariff applies",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    // The last row of the table and the tile tell the same energy.
    assert!(
        page.body
            .contains(&format!("<td class=\"number\">{energy}</td>"))
    );
    assert!(
        !page.body.contains("sse-connect"),
        "an ended session does not change by itself"
    );
    assert!(gzipped(page.body.as_bytes()) < 60 * 1024);
}
