//! Light and dark without a script: a form, a cookie, an attribute.

use axum::http::StatusCode;
use store::people::Role;

use crate::harness::Portal;

#[tokio::test]
async fn the_switch_sets_a_cookie_and_leads_back() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    assert!(admin.get("/").await.body.contains("data-theme=\"auto\""));
    let chosen = admin
        .post("/theme", "theme=dark&back=%2Fsessions%3Fstate%3Dactive")
        .await;
    assert_eq!(chosen.status, StatusCode::SEE_OTHER);
    assert_eq!(chosen.header("location"), "/sessions?state=active");
    assert!(
        chosen
            .header("set-cookie")
            .starts_with("forecourt-theme=dark;")
    );
    let dark = portal.as_who(vec![("cookie", "forecourt-theme=dark".to_owned())]);
    let page = dark.get("/nothing").await;
    assert!(page.body.contains("data-theme=\"dark\""), "{}", page.body);

    let away = admin
        .post("/theme", "theme=light&back=https%3A%2F%2Fevil.example")
        .await;
    assert_eq!(away.header("location"), "/");
    let strange = admin.post("/theme", "theme=pink").await;
    assert_eq!(strange.status, StatusCode::BAD_REQUEST);
    assert!(strange.body.contains("none of auto, light, dark"));
}
