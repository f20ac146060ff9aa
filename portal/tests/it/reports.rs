//! `/reports` and its files: one query for the page, CSV and XLSX; amounts of one currency each; days of the site.

use std::io::Read;

use axum::http::StatusCode;
use rust_decimal::Decimal;
use serde_json::json;
use store::{
    people::Role,
    prices::{self, NewPrice, State},
    tariffs,
};
use uuid::Uuid;

use crate::{
    harness::{Browser, Portal},
    support::{Fleet, Town, town},
};

/// Prices for most sessions: those of the harbour in EUR, those of the mall in CHF, one held, some without.
async fn priced(portal: &Portal, town: &Town) {
    let now = portal.clock.now();
    let mut db = portal.db.pool.begin().await.unwrap();
    let mut versions = Vec::new();
    for code in ["EUR", "CHF"] {
        let tariff = tariffs::create(&mut db, code, code, now).await.unwrap();
        let content = json!({"currency": code});
        let version = tariffs::add_version(&mut db, tariff, now, &content, now)
            .await
            .unwrap();
        versions.push((code, version.unwrap()));
    }
    let pool = portal.db.pool(store::Room::Portal);
    let mut scoped = store::Scope::All.begin(&pool).await.unwrap();
    let ended = store::sessions::Filter {
        state: Some(store::sessions::State::Ended),
        ..Default::default()
    };
    let sessions = store::sessions::list(&mut scoped, &ended, None, 1000)
        .await
        .unwrap();
    let prices: Vec<NewPrice> = (0..)
        .zip(&sessions)
        .filter(|(place, _)| place % 9 != 8)
        .map(|(place, session)| {
            let (code, version) = versions[usize::from(session.site_id == Some(town.mall))];
            NewPrice {
                session_id: session.id,
                site_id: session.site_id,
                station_id: session.station_id,
                tariff_version_id: version,
                state: if place == 0 {
                    State::Held
                } else {
                    State::Priced
                },
                reasons: if place == 0 {
                    vec!["gap".to_owned()]
                } else {
                    Vec::new()
                },
                currency: code.to_owned(),
                net: Decimal::new(1000, 2),
                tax: Decimal::new(190, 2),
                total: Decimal::new(1190, 2),
                lines: "[]".to_owned(),
                made_from: [0; 32],
            }
        })
        .collect();
    prices::take_turn(&mut db).await.unwrap();
    prices::write(&mut db, &prices, now).await.unwrap();
    db.commit().await.unwrap();
}

/// The rows of a page's table, over all its pages.
async fn rows(who: &Browser<'_>, query: &str) -> usize {
    let page = who.get(&format!("/reports{query}")).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let Some((_, table)) = page.body.split_once("<tbody>") else {
        return 0;
    };
    let (body, _) = table.split_once("</tbody>").unwrap();
    let rows = body.matches("<tr>").count();
    let of = format!("{rows} row");
    assert!(page.body.contains(&of), "{of}: {}", page.body);
    rows
}

async fn csv(who: &Browser<'_>, query: &str) -> Vec<Vec<String>> {
    let file = who.get(&format!("/reports.csv{query}")).await;
    assert_eq!(file.status, StatusCode::OK, "{}", file.body);
    assert!(
        file.header("content-disposition")
            .starts_with("attachment; filename=\"report_by_")
    );
    csv::Reader::from_reader(file.body.as_bytes())
        .records()
        .map(|record| record.unwrap().iter().map(str::to_owned).collect())
        .collect()
}

#[tokio::test]
async fn page_and_files_have_the_same_rows_for_every_filter() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    let town = town(&mut fleet).await;
    priced(&portal, &town).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let mall = portal
        .signed_in("m@example.org", Role::Partner, &[town.mall])
        .await;
    let mut all = Vec::new();
    for by in ["day", "month", "site", "station"] {
        for filter in [
            String::new(),
            "&from=2026-11-15&to=2026-11-18".to_owned(),
            format!("&site={}", town.harbour),
            "&station=hq-dc-01".to_owned(),
            "&currency=CHF".to_owned(),
            "&from=2020-01-01&to=2020-01-31".to_owned(),
        ] {
            let query = format!("?by={by}{filter}");
            for who in [&admin, &mall] {
                let table = csv(who, &query).await;
                assert_eq!(rows(who, &query).await, table.len(), "{query}");
                let sheet = workbook(who, &query).await;
                assert_eq!(sheet.matches("<row ").count(), table.len() + 1, "{query}");
                all.push(table.len());
            }
        }
    }
    assert!(all.iter().sum::<usize>() > 100, "{all:?}");

    // By site: what each currency comes to, what is held, and what no tariff priced.
    let table = csv(&admin, "?by=site").await;
    let count = |of: &dyn Fn(&Vec<String>) -> bool, column: usize| -> Decimal {
        let found = table.iter().filter(|row| of(row));
        found
            .map(|row| row[column].parse::<Decimal>().unwrap_or_default())
            .sum()
    };
    assert_eq!(
        count(&|_| true, 2),
        Decimal::from(56),
        "every ended session is in one row: {table:?}"
    );
    assert_eq!(
        count(&|row| row[1].is_empty(), 2),
        Decimal::from(6),
        "{table:?}"
    );
    assert_eq!(count(&|_| true, 7), Decimal::ONE, "{table:?}");
    let euro = count(&|row| row[1] == "EUR", 6);
    let sessions = count(&|row| row[1] == "EUR", 2) - count(&|row| row[1] == "EUR", 7);
    assert_eq!(euro, sessions * Decimal::new(1190, 2));
    assert!(
        table
            .iter()
            .any(|row| row[0] == "Harbour Quay" && row[1] == "EUR")
    );
    assert!(
        !csv(&mall, "?by=site")
            .await
            .iter()
            .any(|row| row[0] == "Harbour Quay")
    );
    let page = admin.get("/reports?by=site").await;
    for said in [
        "All in CHF",
        "All in EUR",
        "Everything",
        "1 held",
        "no tariff held",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    let days = admin.get("/reports?by=day").await;
    assert!(
        days.body.contains("Revenue with tax, EUR") && days.body.contains("Revenue with tax, CHF")
    );
}

/// The first sheet of a workbook.
async fn workbook(who: &Browser<'_>, query: &str) -> String {
    let bytes = who.bytes(&format!("/reports.xlsx{query}")).await;
    let mut archive = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
    let mut sheet = |name: &str| {
        let mut text = String::new();
        archive
            .by_name(name)
            .unwrap()
            .read_to_string(&mut text)
            .unwrap();
        text
    };
    let book = sheet("xl/workbook.xml");
    assert!(
        book.contains("name=\"Report\"") && book.contains("name=\"Filters\""),
        "{book}"
    );
    let report = sheet("xl/worksheets/sheet1.xml");
    assert!(
        report.contains("<pane ySplit=\"1\"") && report.contains("state=\"frozen\""),
        "{report}"
    );
    report
}

#[tokio::test]
async fn a_file_runs_no_formula() {
    let portal = Portal::start().await;
    let site = portal.site("=cmd|'/c calc'!A1").await;
    crate::data::charged(&portal, Some(site), "CP-1", 1).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let table = csv(&admin, "?by=site").await;
    assert_eq!(table[0][0], "'=cmd|'/c calc'!A1");
    assert_eq!(table[0][2..4], ["1", "7.400"]);
}

#[tokio::test]
async fn wrong_questions_are_refused_by_name() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    for (query, named) in [
        (
            "?by=driver",
            "by: “driver” is not one of day, month, site, station",
        ),
        ("?from=yesterday", "from: “yesterday” is not a day"),
        ("?site=Mall", "site: “Mall”"),
        ("?currency=gold", "currency: “gold”"),
        ("?page=0", "page: “0”"),
        (
            "?from=2000-01-01",
            "to: “2026-11-20” is not within ten years of from",
        ),
    ] {
        for file in ["/reports", "/reports.csv", "/reports.xlsx"] {
            let answer = admin.get(&format!("{file}{query}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{file}{query}");
            assert!(answer.body.contains(named), "{}", answer.body);
        }
    }
    let empty = admin.get("/reports").await;
    assert!(
        empty.body.contains("No session in this time"),
        "{}",
        empty.body
    );
    let nobody = portal.signed_in("n@example.org", Role::Partner, &[]).await;
    let page = nobody.get(&format!("/reports?site={}", Uuid::nil())).await;
    assert!(page.body.contains("No site assigned"), "{}", page.body);
}
