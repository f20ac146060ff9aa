//! `/settings/sites`, `/settings/holidays` and `/driver-groups`: what tariffs and invoices lean on.

use axum::http::StatusCode;
use store::{
    Room, Scope, driver_groups,
    id_tokens::{self, IdToken},
    legal_entities::{self, Fields, TaxPer},
    people::Role,
    sites,
};
use uuid::Uuid;

use crate::{
    customers::{led_to, seen},
    harness::Portal,
};

#[tokio::test]
async fn a_site_gets_its_seller_and_its_holidays() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    let fields = Fields {
        name: "Harbour Charging GmbH".to_owned(),
        address: String::new(),
        country: "DE".to_owned(),
        tax_id: String::new(),
        email: String::new(),
        currency: "EUR".parse().unwrap(),
        rounding: store::Rounding::HalfUp,
        tax_per: TaxPer::Line,
        payment_days: 14,
        payment_details: String::new(),
    };
    let entity = legal_entities::create(&mut db, &fields, portal.clock.now())
        .await
        .unwrap();
    let days = "calendar=DE-HH&days=2026-12-25+Christmas%0A2026-12-26";
    let imported = admin.post("/settings/holidays", days).await;
    assert_eq!(
        imported.header("location"),
        "/settings/holidays/DE-HH",
        "{}",
        imported.body
    );

    let form = format!("name=Harbour&time_zone=Europe/Berlin&seller={entity}&calendar=DE-HH");
    let made = admin.post("/settings/sites", &form).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let list = admin.get("/settings/sites").await;
    assert!(list.body.contains("Harbour Charging GmbH") && list.body.contains("DE-HH"));
    let pool = portal.db.pool(Room::Portal);
    let mut scoped = Scope::All.begin(&pool).await.unwrap();
    let site = sites::terms(&mut scoped, None).await.unwrap().remove(0);
    assert_eq!(
        site.seller,
        Some((entity, "Harbour Charging GmbH".to_owned()))
    );

    let path = format!("/settings/sites/{}", site.site.id);
    let page = admin.get(&path).await;
    let form = format!(
        "_seen={}&name=Harbour+Quay&time_zone=Europe/Berlin",
        seen(&page)
    );
    let changed = admin.post(&path, &form).await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER, "{}", changed.body);
    let stale = admin.post(&path, &form).await;
    assert_eq!(stale.status, StatusCode::CONFLICT);
    drop(scoped);
    let mut scoped = Scope::All.begin(&pool).await.unwrap();
    let site = sites::terms(&mut scoped, None).await.unwrap().remove(0);
    assert_eq!((site.seller, site.calendar), (None, None));

    for (form, field, says) in [
        ("name=&time_zone=UTC", "name", "is missing"),
        (
            "name=harbour+quay&time_zone=UTC",
            "name",
            "is the name of another site",
        ),
        (
            "name=B&time_zone=Berlin",
            "time_zone",
            "“Berlin” is not a time zone",
        ),
        (
            "name=B&time_zone=UTC&seller=x",
            "seller",
            "“x” is not one of the legal entities",
        ),
        (
            "name=B&time_zone=UTC&seller=00000000-0000-0000-0000-000000000001",
            "seller",
            "is not one of the legal entities",
        ),
        (
            "name=B&time_zone=UTC&calendar=FR",
            "calendar",
            "“FR” is not one of the calendars",
        ),
    ] {
        let again = admin.post("/settings/sites", form).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(again.body.contains(says), "no {says}: {}", again.body);
        assert!(
            again.body.contains(&format!("id=\"e-{field}\"")),
            "{form}: {}",
            again.body
        );
    }
    drop(scoped);
    let mut scoped = Scope::All.begin(&pool).await.unwrap();
    assert_eq!(
        sites::list(&mut scoped).await.unwrap().len(),
        1,
        "a refused site is no site"
    );
}

#[tokio::test]
async fn holidays_are_pasted_named_anew_and_taken_out() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    assert!(
        admin
            .get("/settings/holidays")
            .await
            .body
            .contains("No holiday calendar yet")
    );
    for (form, field, says) in [
        ("calendar=&days=2026-12-25", "calendar", "is missing"),
        (
            "calendar=a/b&days=2026-12-25",
            "calendar",
            "is not a name without a slash",
        ),
        ("calendar=A&days=", "days", "0 days; expected 1 to 1000"),
        (
            "calendar=A&days=2026-12-25%0A25.12.2026+Christmas",
            "days",
            "line 2: “25.12.2026 Christmas”",
        ),
    ] {
        let again = admin.post("/settings/holidays", form).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        assert!(again.body.contains(says), "no {says}: {}", again.body);
        assert!(
            again.body.contains(&format!("id=\"e-{field}\"")),
            "{form}: {}",
            again.body
        );
    }
    let path = "/settings/holidays/Nord%20%26%20S%C3%BCd";
    let form = "calendar=Nord+%26+S%C3%BCd&days=2026-12-25+Christmas%0A2027-01-01";
    let made = admin.post("/settings/holidays", form).await;
    assert_eq!(made.header("location"), path);
    let page = admin.get(path).await;
    assert!(
        page.body.contains("Fri 25 Dec") && page.body.contains("Holds at no site yet"),
        "{}",
        page.body
    );
    let wrong = "here=yes&calendar=Nord+%26+S%C3%BCd&days=x";
    let again = admin.post("/settings/holidays", wrong).await;
    assert!(
        again.body.contains("<h1>Nord &#38; Süd</h1>"),
        "{}",
        again.body
    );
    let remove = format!("{path}/remove");
    let gone = admin.post(&remove, "day=2026-12-25").await;
    assert_eq!(gone.header("location"), path);
    assert_eq!(
        admin.post(&remove, "day=2026-12-25").await.status,
        StatusCode::NOT_FOUND
    );
    let last = admin.post(&remove, "day=2027-01-01").await;
    assert_eq!(last.header("location"), "/settings/holidays");
    assert_eq!(admin.get(path).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn tokens_are_put_into_groups_all_or_none() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    for token in ["04A1", "04B2"] {
        let token = IdToken {
            token: token.to_owned(),
            kind: "RFID".to_owned(),
            status: "accepted".to_owned(),
            parent: None,
            expires_at: None,
            max_active: None,
            owner: String::new(),
        };
        id_tokens::put(&mut db, &token, portal.clock.now())
            .await
            .unwrap();
    }
    assert!(
        admin
            .get("/driver-groups")
            .await
            .body
            .contains("No driver group yet")
    );
    let id = led_to(&admin.post("/driver-groups", "name=Staff").await);
    let path = format!("/driver-groups/{id}");
    let taken = admin.post("/driver-groups", "name=STAFF").await;
    assert!(
        taken.body.contains("is the name of another group"),
        "{}",
        taken.body
    );

    let some = admin
        .post(&format!("{path}/tokens"), "tokens=04a1%0A04FF")
        .await;
    assert_eq!(some.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(
        some.body.contains("“04FF”: not registered"),
        "{}",
        some.body
    );
    assert_eq!(
        driver_groups::tokens(&mut db, id).await.unwrap(),
        Vec::<String>::new()
    );
    let none = admin.post(&format!("{path}/tokens"), "tokens=").await;
    assert!(
        none.body.contains("0 id tokens; expected 1 to 1000"),
        "{}",
        none.body
    );
    let both = admin
        .post(&format!("{path}/tokens"), "tokens=04a1,+04B2")
        .await;
    assert_eq!(both.status, StatusCode::SEE_OTHER, "{}", both.body);
    assert_eq!(
        driver_groups::tokens(&mut db, id).await.unwrap(),
        ["04A1", "04B2"]
    );
    let page = admin.get(&path).await;
    assert!(page.body.contains("2 in the group"), "{}", page.body);

    let out = admin.post(&format!("{path}/remove"), "token=04a1").await;
    assert_eq!(out.status, StatusCode::SEE_OTHER);
    let again = admin.post(&format!("{path}/remove"), "token=04a1").await;
    assert_eq!(again.status, StatusCode::NOT_FOUND);
    assert_eq!(driver_groups::tokens(&mut db, id).await.unwrap(), ["04B2"]);
    let renamed = admin.post(&path, "name=Team").await;
    assert_eq!(renamed.status, StatusCode::SEE_OTHER);
    assert!(admin.get("/driver-groups").await.body.contains("Team"));
    let nobody = admin.get(&format!("/driver-groups/{}", Uuid::nil())).await;
    assert_eq!(nobody.status, StatusCode::NOT_FOUND);
}
