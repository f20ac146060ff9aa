//! Legal holds: set, shown on the invoice that they keep, lifted; each with its reason.

use axum::http::StatusCode;
use store::{
    audit::{self, Actor},
    people::Role,
    shop::Shop,
    vouchers,
};

use crate::harness::Portal;

#[tokio::test]
async fn a_hold_is_set_shown_and_lifted_with_reasons() {
    let portal = Portal::start().await;
    let now = portal.clock.now();
    let shop = Shop::open(&portal.db, "HC", "EUR", chrono_tz::UTC, now).await;
    shop.customer("Ada", "ada@example.org", "04A1").await;
    let session = shop
        .sale("04A1", now - chrono::TimeDelta::days(1), 1_000, "0.50")
        .await;
    let mut db = portal.db.pool.begin().await.unwrap();
    billing::invoice::issue::receipt(&mut db, session, None, Actor::Cli, now)
        .await
        .unwrap();
    db.commit().await.unwrap();
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let path = "/settings/legal-holds";
    assert!(admin.get(path).await.body.contains("No legal hold"));
    let wrong = admin
        .post(path, "seller=&customer=Nobody&reason=&until=2020-01-01")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for said in [
        "“Nobody” is not",
        "“2020-01-01” is not a day to come",
        "is missing",
    ] {
        assert!(wrong.body.contains(said), "no {said}: {}", wrong.body);
    }
    let form = format!(
        "seller={}&customer=Ada&reason=Case+7&until=2027-01-31",
        shop.entity
    );
    let set = admin.post(path, &form).await;
    assert_eq!(set.status, StatusCode::SEE_OTHER, "{}", set.body);
    let page = admin.get("/invoices/HC-000001").await.body;
    for said in ["Legal hold", "Case 7", "until 1 Feb 2027"] {
        assert!(page.contains(said), "no {said}: {page}");
    }
    let mut db = portal.db.pool.acquire().await.unwrap();
    let hold = vouchers::holds(&mut db, None).await.unwrap().remove(0);
    let lift = format!("{path}/{}/lift", hold.id);
    let without = admin.post(&lift, "lift_reason=").await;
    assert_eq!(without.status, StatusCode::UNPROCESSABLE_ENTITY);
    let lifted = admin.post(&lift, "lift_reason=settled").await;
    assert_eq!(lifted.status, StatusCode::SEE_OTHER, "{}", lifted.body);
    let twice = admin.post(&lift, "lift_reason=settled").await;
    assert_eq!(twice.status, StatusCode::NOT_FOUND);
    assert!(
        !admin
            .get("/invoices/HC-000001")
            .await
            .body
            .contains("Case 7")
    );
    assert!(admin.get(path).await.body.contains(">over<"));
    let log = audit::of(&mut db, &format!("legal_hold/{}", hold.id), 9)
        .await
        .unwrap();
    let told: Vec<_> = log.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(told, ["legal_hold.lift", "legal_hold.set"]);
}
