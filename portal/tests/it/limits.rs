//! OB-3: requests a minute, by address, with Retry-After.

use axum::http::StatusCode;
use portal::limits::Rates;
use store::people::Role;

use crate::harness::{Portal, config};

#[tokio::test]
async fn a_hundred_requests_a_minute_and_ten_at_the_door() {
    let mut config = config();
    config.rates = Rates::default();
    let portal = Portal::with(config).await;
    let nobody = portal.nobody();
    let mut refused = None;
    for n in 1..=120 {
        let answer = nobody.get("/api/v1/stations").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            refused = Some((n, answer));
            break;
        }
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    }
    let (n, answer) = refused.expect("the counter counts");
    assert!((101..=110).contains(&n), "refused at {n}");
    assert_eq!(answer.header("retry-after"), "60");

    let mut tries = 0;
    loop {
        tries += 1;
        let answer = nobody.post("/login", "email=x%40example.org").await;
        if answer.status == StatusCode::TOO_MANY_REQUESTS && answer.header("retry-after") == "60" {
            break;
        }
        assert!(tries <= 12, "{}", answer.status);
    }
    assert!(tries >= 11, "refused at {tries}");

    // Who is known has a counter of their own, and files are not counted.
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    assert_eq!(admin.get("/").await.status, StatusCode::OK);
    assert_eq!(nobody.get("/assets/app.css").await.status, StatusCode::OK);
}
