//! `/tags`: who may charge, and who was told no.

use axum::http::{Method, StatusCode};
use store::{
    audit,
    authorize_attempts::Attempt,
    id_tokens::{self, IdToken},
    ingest::Effect,
    people::Role,
};

use crate::{
    harness::Portal,
    support::{Fleet, town},
};

/// A station told a token no, so often.
async fn refused(
    fleet: &Fleet<'_>,
    station: &str,
    token: &str,
    verdict: &'static str,
    times: usize,
) {
    let mut db = store::Scope::All.begin(fleet.pool).await.unwrap();
    let station = store::stations_read::get(&mut db, station)
        .await
        .unwrap()
        .unwrap();
    drop(db);
    for _ in 0..times {
        let attempt = Attempt {
            station_id: station.id,
            token: token.to_owned(),
            verdict,
            at: fleet.now,
        };
        fleet
            .commit(Effect {
                refused_tokens: vec![attempt],
                ..Effect::default()
            })
            .await;
    }
}

#[tokio::test]
async fn an_unknown_tag_is_listed_with_where_it_was_tried_and_added_by_a_button() {
    let portal = Portal::start().await;
    let mut fleet = Fleet::new(&portal.db.pool, portal.clock.now()).await;
    town(&mut fleet).await;
    refused(&fleet, "HQ-DC-01", "DEADBEEF01", "invalid", 3).await;
    refused(&fleet, "WG-AC-01", "deadbeef01", "invalid", 1).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let page = admin.get("/tags").await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.body);
    let row = page.body.split("unknown").last().unwrap();
    assert_eq!(
        row.to_lowercase().matches(">deadbeef01<").count(),
        1,
        "{row}"
    );
    assert!(
        row.contains("HQ-DC-01") && row.contains("WG-AC-01"),
        "{row}"
    );
    assert!(row.contains("class=\"number\">4</td>"), "{row}");

    let added = admin.post("/tags/DEADBEEF01/add", "").await;
    assert_eq!(added.status, StatusCode::SEE_OTHER);
    assert_eq!(added.header("location"), "/tags/DEADBEEF01");
    let tag = admin.get("/tags/deadbeef01").await;
    assert!(tag.body.contains("Accepted"), "{}", tag.body);
    assert!(tag.body.contains("WG-AC-01"), "where it was told no");
    assert!(
        !admin
            .get("/tags")
            .await
            .body
            .contains("/tags/DEADBEEF01/add")
    );
    let twice = admin.post("/tags/DEADBEEF01/add", "").await;
    assert_eq!(twice.status, StatusCode::NOT_FOUND);
    let untried = admin.post("/tags/NOBODY/add", "").await;
    assert_eq!(untried.status, StatusCode::NOT_FOUND);

    assert_eq!(
        admin.post("/tags/DEADBEEF01/forget", "").await.status,
        StatusCode::SEE_OTHER
    );
    let tag = admin.get("/tags/DEADBEEF01").await;
    assert!(tag.body.contains("No station refused it"), "{}", tag.body);
}

#[tokio::test]
async fn a_tag_is_made_changed_and_taken_away_and_the_log_says_so() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let made = admin
        .post(
            "/tags",
            "token=04A1&kind=RFID&status=accepted&owner=Mara&max_active=1&expires=2027-01-31T12:00",
        )
        .await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let again = admin
        .post("/tags", "token=04a1&kind=RFID&status=accepted")
        .await;
    assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        again.body.contains("is registered already"),
        "{}",
        again.body
    );
    let wrong = admin
        .post(
            "/tags",
            "token=&kind=RFID&status=maybe&max_active=0&expires=soon",
        )
        .await;
    for said in ["e-token", "e-status", "e-max_active", "e-expires"] {
        assert!(
            wrong.body.contains(&format!("id=\"{said}\"")),
            "{said}: {}",
            wrong.body
        );
    }

    let page = admin.get("/tags/04A1").await;
    let seen = page.body.split("name=\"_seen\" value=\"").nth(1).unwrap();
    let seen = &seen[..16];
    let loops = admin
        .post(
            "/tags/04A1",
            &format!("kind=RFID&status=blocked&parent=04a1&_seen={seen}"),
        )
        .await;
    assert!(
        loops.body.contains("this tag, or has it above"),
        "{}",
        loops.body
    );
    let changed = admin
        .post(
            "/tags/04A1",
            &format!("kind=RFID&status=blocked&owner=Mara&_seen={seen}"),
        )
        .await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER, "{}", changed.body);
    let stale = admin
        .post(
            "/tags/04A1",
            &format!("kind=RFID&status=accepted&_seen={seen}"),
        )
        .await;
    assert_eq!(stale.status, StatusCode::CONFLICT, "{}", stale.body);

    let mut db = portal.db.pool.acquire().await.unwrap();
    let known = id_tokens::get(&mut db, "04A1").await.unwrap().unwrap();
    let gone = admin.post("/tags/04A1/delete", "").await;
    assert_eq!(gone.status, StatusCode::SEE_OTHER);
    assert_eq!(admin.get("/tags/04A1").await.status, StatusCode::NOT_FOUND);
    assert_eq!(id_tokens::find(&mut db, "04A1").await.unwrap(), None);
    let log = audit::of(&mut db, &format!("id_token/{}", known.id), 10)
        .await
        .unwrap();
    let done: Vec<&str> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(done, ["id_token.delete", "id_token.change", "id_token.add"]);
}

#[tokio::test]
async fn a_file_of_tags_comes_out_as_it_went_in_and_a_wrong_one_changes_nothing() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let import = async |text: &str| {
        let body = format!(
            "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"t.csv\"\r\n\r\n{text}\r\n--x--\r\n"
        );
        let media = Some("multipart/form-data; boundary=x");
        admin
            .send(Method::POST, "/tags/import", media, body.into())
            .await
    };
    let file = "token,status,owner,parent,kind,expires_at,max_active\r\n\
                04A1,accepted,\"Lind, Mara\",FLEET,RFID,2027-01-31T12:00,1\r\n\
                FLEET,blocked,,,app,,\r\n";
    let taken = import(file).await;
    assert_eq!(taken.status, StatusCode::SEE_OTHER, "{}", taken.body);
    let out = admin.get("/tags.csv").await;
    assert_eq!(out.body.trim_start_matches('\u{feff}'), file);
    let wrong = import("token,status\n04B2,accepted\n04C3,maybe\n").await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("line 3: status"), "{}", wrong.body);
    assert_eq!(admin.get("/tags/04B2").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn tags_are_found_by_what_the_url_says() {
    let portal = Portal::start().await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    for (token, status, owner, parent) in [
        ("04AA", "accepted", "Mara Lind", Some("FLEET")),
        ("04BB", "blocked", "Jonas", None),
        ("FLEET", "accepted", "Quay Logistics", None),
    ] {
        let token = IdToken {
            token: token.to_owned(),
            kind: "RFID".to_owned(),
            status: status.to_owned(),
            parent: parent.map(str::to_owned),
            expires_at: None,
            max_active: None,
            owner: owner.to_owned(),
        };
        id_tokens::put(&mut db, &token, portal.clock.now())
            .await
            .unwrap();
    }
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    for (query, shown) in [
        ("", vec!["04AA", "04BB", "FLEET"]),
        ("?q=mara", vec!["04AA"]),
        ("?status=blocked", vec!["04BB"]),
        ("?parent=fleet", vec!["04AA"]),
        ("?after=04BB", vec!["FLEET"]),
    ] {
        let page = admin.get(&format!("/tags{query}")).await;
        let found: Vec<&str> = ["04AA", "04BB", "FLEET"]
            .into_iter()
            .filter(|token| page.body.contains(&format!("href=\"/tags/{token}\"")))
            .collect();
        assert_eq!(found, shown, "{query}");
    }
    let wrong = admin.get("/tags?status=x").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    let site = portal.site("Mall").await;
    let operator = portal
        .signed_in("o@example.org", Role::Operator, &[site])
        .await;
    assert_eq!(operator.get("/tags").await.status, StatusCode::FORBIDDEN);
}
