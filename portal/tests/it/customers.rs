//! `/customers`: the way of every form (what is typed stays, what is wrong is named, what is done is said and written).

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use store::{audit, customers, people::Role};
use uuid::Uuid;

use crate::harness::{Answer, Portal};

/// The id that a redirect leads to.
pub fn led_to(answer: &Answer) -> Uuid {
    assert_eq!(answer.status, StatusCode::SEE_OTHER, "{}", answer.body);
    let id = answer.header("location").rsplit('/').next().unwrap();
    id.parse().unwrap_or_else(|_| panic!("{id} is no id"))
}

/// The value of the hidden field that says what a form looked like.
pub fn seen(page: &Answer) -> String {
    let (_, after) = page.body.split_once("name=\"_seen\" value=\"").unwrap();
    after.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn a_customer_is_made_changed_and_found_again() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let empty = admin.get("/customers").await;
    assert!(empty.body.contains("No customer yet"), "{}", empty.body);

    let made = admin
        .post(
            "/customers",
            "name=+Quay+Logistics+BV&email=ap%40quay.example&address=Kade+7%0D%0A3011+Rotterdam&country=nl\
             &tax_id=NL001&lago_id=quay&active=yes",
        )
        .await;
    let id = led_to(&made);
    let cookie = made.header("set-cookie").to_owned();
    assert!(cookie.starts_with("forecourt-flash=") && cookie.contains("HttpOnly"));

    // What was done is said once, on the next page.
    let mut headers = admin.headers().to_vec();
    let carried = format!("{}; {}", headers[0].1, cookie.split(';').next().unwrap());
    headers[0].1 = carried;
    let page = portal
        .as_who(headers)
        .get(&format!("/customers/{id}"))
        .await;
    assert!(
        page.body
            .contains("Customer “Quay Logistics BV” was added."),
        "{}",
        page.body
    );
    assert!(page.header("set-cookie").contains("Max-Age=0"));
    let page = admin.get(&format!("/customers/{id}")).await;
    assert!(!page.body.contains("was added") && page.header("set-cookie").is_empty());

    let path = format!("/customers/{id}");
    let changed = admin
        .post(
            &path,
            &format!("_seen={}&name=Quay+Logistics+NV&country=NL", seen(&page)),
        )
        .await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER, "{}", changed.body);
    let mut db = portal.db.pool.acquire().await.unwrap();
    let customer = customers::get(&mut db, id).await.unwrap().unwrap();
    assert_eq!(customer.fields.name, "Quay Logistics NV");
    assert_eq!(customer.fields.lago_external_id, None);
    assert!(!customer.fields.active);

    let entries = audit::of(&mut db, &format!("customer/{id}"), 10)
        .await
        .unwrap();
    let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(actions, ["customer.change", "customer.create"]);
    assert_eq!(
        entries[0].detail["name"],
        serde_json::json!({"before": "Quay Logistics BV", "after": "Quay Logistics NV"})
    );
    let found = admin.get("/customers?q=quay+logistics").await;
    assert!(found.body.contains(&path), "{}", found.body);
    let none = admin.get("/customers?q=nobody").await;
    assert!(none.body.contains("No customer matches"));
}

#[tokio::test]
async fn what_is_wrong_is_named_beside_its_field_and_nothing_is_lost() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let long = "x".repeat(201);
    for (form, field, says) in [
        (
            "name=&country=NL",
            "name",
            "is missing; expected a line of 1 to 200 characters",
        ),
        (
            &format!("name={long}") as &str,
            "name",
            "is not a line of 1 to 200 characters",
        ),
        ("name=A%00B%07", "name", "is not a line"),
        (
            "name=A&country=Nederland",
            "country",
            "“Nederland” is not two letters",
        ),
        ("name=A&email=quay", "email", "“quay” is not an address"),
        (
            "name=A&tax_id=%3Cscript%3E%0Ax",
            "tax_id",
            "is not a line of at most 40",
        ),
    ] {
        let again = admin.post("/customers", form).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        for markup in [
            format!("aria-describedby=\"e-{field}"),
            format!("id=\"e-{field}\""),
            format!("href=\"#f-{field}\""),
            says.to_owned(),
        ] {
            assert!(
                again.body.contains(&markup),
                "{form}: no {markup} in {}",
                again.body
            );
        }
        assert!(!again.body.contains("<script>"), "{}", again.body);
    }
    let again = admin
        .post("/customers", "name=&tax_id=NL77&address=Kade+7")
        .await;
    assert!(again.body.contains("value=\"NL77\"") && again.body.contains("Kade 7</textarea>"));

    led_to(&admin.post("/customers", "name=A&lago_id=one").await);
    let taken = admin.post("/customers", "name=B&lago_id=one").await;
    assert_eq!(taken.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(taken.body.contains("is the id of another customer"));
    let mut db = portal.db.pool.acquire().await.unwrap();
    assert_eq!(
        customers::list(&mut db, None, None, 9).await.unwrap().len(),
        1
    );
}

#[tokio::test]
async fn whoever_was_overtaken_sees_both_and_decides() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let id = led_to(&admin.post("/customers", "name=A&active=yes").await);
    let path = format!("/customers/{id}");
    let first = seen(&admin.get(&path).await);
    let changed = admin
        .post(&path, &format!("_seen={first}&name=B&active=yes"))
        .await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER);

    let late = admin
        .post(&path, &format!("_seen={first}&name=C&active=yes"))
        .await;
    assert_eq!(late.status, StatusCode::CONFLICT);
    assert!(late.body.contains("somebody else changed this meanwhile"));
    assert!(
        late.body.contains("meanwhile it was set to “B”"),
        "{}",
        late.body
    );
    assert!(late.body.contains("value=\"C\""));
    let decided = admin
        .post(&path, &format!("_seen={}&name=C&active=yes", seen(&late)))
        .await;
    assert_eq!(decided.status, StatusCode::SEE_OTHER, "{}", decided.body);
}

#[tokio::test]
async fn only_who_runs_everything_changes_it_and_only_from_here() {
    let portal = Portal::start().await;
    let site = portal.site("North").await;
    for role in [Role::Operator, Role::Partner, Role::Driver] {
        let email = format!("{}@example.org", role.as_str());
        let who = portal.signed_in(&email, role, &[site]).await;
        for answer in [
            who.get("/customers").await,
            who.get("/customers/new").await,
            who.post("/customers", "name=A").await,
        ] {
            assert_eq!(answer.status, StatusCode::FORBIDDEN, "{}", role.as_str());
        }
        assert!(!who.get("/").await.body.contains("href=\"/customers\""));
    }
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    assert!(admin.get("/").await.body.contains("href=\"/customers\""));
    let mut headers = admin.headers().to_vec();
    headers.push(("origin", "https://evil.example".to_owned()));
    headers.push(("sec-fetch-site", "cross-site".to_owned()));
    let forged = portal.as_who(headers).post("/customers", "name=A").await;
    assert_eq!(forged.status, StatusCode::FORBIDDEN);
    assert!(forged.body.contains("came from another site"));
    for path in [
        "/customers/1",
        "/customers/00000000-0000-0000-0000-000000000000",
    ] {
        assert_eq!(
            admin.get(path).await.status,
            StatusCode::NOT_FOUND,
            "{path}"
        );
        assert_eq!(
            admin.post(path, "name=A").await.status,
            StatusCode::NOT_FOUND
        );
    }
    // Not a form at all.
    let strange = admin
        .send(
            Method::POST,
            "/customers",
            Some("text/plain"),
            Body::from("name=A"),
        )
        .await;
    assert_eq!(
        strange.status,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "{}",
        strange.body
    );
    let mut db = portal.db.pool.acquire().await.unwrap();
    assert_eq!(customers::list(&mut db, None, None, 9).await.unwrap(), []);
}
