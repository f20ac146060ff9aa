//! The forms of `/tariffs`: rows without a script, JSON, and what is wrong named where it stands.

use axum::http::StatusCode;
use store::{people::Role, tariffs};

use crate::{
    customers::led_to,
    harness::Portal,
    tariffs::{encoded, refused},
};

#[tokio::test]
async fn without_a_script_rows_are_added_removed_and_drawn_by_the_server() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let form =
        "name=A&currency=EUR&energy=0.45&w0-row=yes&w0-from=22:00&w0-energy=0.25&w0-days=sunday";
    let more = admin
        .post("/tariffs", &format!("{form}&do=add-window"))
        .await;
    assert_eq!(more.status, StatusCode::OK, "{}", more.body);
    assert!(more.body.contains("name=\"w1-row\"") && more.body.contains("value=\"22:00\""));
    assert!(
        more.body.contains("Sunday 22:00–24:00: 0.25 per kWh"),
        "{}",
        more.body
    );
    let less = admin
        .post("/tariffs", &format!("{form}&do=remove-w0"))
        .await;
    assert!(!less.body.contains("name=\"w0-row\"") && !less.body.contains("0.25 per kWh"));
    let special = admin
        .post("/tariffs", &format!("{form}&do=add-special"))
        .await;
    assert!(
        special.body.contains("name=\"s0-holidays\""),
        "{}",
        special.body
    );
    let unread = admin
        .post("/tariffs", "name=A&currency=EUR&energy=cheap&do=redraw")
        .await;
    assert_eq!(unread.status, StatusCode::OK);
    assert!(unread.body.contains("The week is drawn as soon as"));
    let mut db = portal.db.pool.acquire().await.unwrap();
    assert_eq!(tariffs::list(&mut db, true).await.unwrap(), []);
}

#[tokio::test]
async fn json_is_edited_with_what_is_wrong_named_by_its_place() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let ask = admin.get("/tariffs/new?as=json").await;
    assert!(
        ask.body.contains("&#34;grace_minutes&#34;: 10"),
        "{}",
        ask.body
    );
    for (content, says) in [
        ("", "EOF"),
        (
            "{\"currency\": \"EUR\", \"elements\": []}",
            "/elements: 0 elements",
        ),
        (
            "{\"currency\": \"EUR\", \"elements\": [{\"components\": [{\"kind\": \"energy\", \"price\": \"-1\"}]}]}",
            "/elements/0/components/0/price: -1 stands there",
        ),
        (
            "{\"currency\": \"EUR\", \"elements\": [{\"components\": [{\"kind\": \"energy\", \"price\": 0.45}]}]}",
            "/elements/0/components/0/price",
        ),
        ("{\"currency\": \"GOLD\", \"elements\": []}", "/currency"),
    ] {
        let form = format!("as=json&name=A&content={}", encoded(content));
        refused(&admin.post("/tariffs", &form).await, says);
    }
    // More than the form can say.
    let steps = r#"{"currency": "USD", "elements": [{"components": [{"kind": "energy", "price": "0.1", "step_size": 1000}]}]}"#;
    let made = admin
        .post(
            "/tariffs",
            &format!("as=json&name=Steps&content={}", encoded(steps)),
        )
        .await;
    let id = led_to(&made);
    let edit = admin.get(&format!("/tariffs/{id}/versions/new")).await;
    assert!(edit.body.contains("more than the form can show") && edit.body.contains("step_size"));
    let euro = steps.replace("USD", "EUR");
    let path = format!("/tariffs/{id}/versions");
    let other = admin
        .post(&path, &format!("as=json&content={}", encoded(&euro)))
        .await;
    refused(&other, "expected is USD");
}

#[tokio::test]
async fn wrong_fields_are_named_and_nothing_is_made() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    for (form, field, says) in [
        ("currency=EUR&energy=1", "name", "is missing"),
        (
            "name=A&currency=euro&energy=1",
            "currency",
            "“euro” is not a currency",
        ),
        (
            "name=A&currency=EUR",
            "energy",
            "at least one price of anything",
        ),
        (
            "name=A&currency=EUR&energy=1e3",
            "energy",
            "“1e3” is not a price",
        ),
        (
            "name=A&currency=EUR&energy=1&valid_from=tomorrow",
            "valid_from",
            "“tomorrow” is not a minute",
        ),
        (
            "name=A&currency=EUR&energy=1&w0-row=yes&w0-from=99&w0-energy=1",
            "w0-from",
            "is not a time of day",
        ),
        (
            "name=A&currency=JPY&energy=1&max_total=2.5",
            "max_total",
            "at most 0 decimals",
        ),
    ] {
        let again = admin.post("/tariffs", form).await;
        refused(&again, says);
        assert!(
            again.body.contains(&format!("id=\"e-{field}\"")),
            "{form}: {}",
            again.body
        );
    }
    let mut db = portal.db.pool.acquire().await.unwrap();
    assert_eq!(tariffs::list(&mut db, true).await.unwrap(), []);
}
