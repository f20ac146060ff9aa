//! `/settings/legal-entities`: who sells, with a logo that is a PNG or none.

use axum::{
    body::Body,
    http::{Method, StatusCode},
};
use store::{legal_entities, people::Role};

use crate::{
    customers::seen,
    harness::{Answer, Browser, Portal},
};

const PATH: &str = "/settings/legal-entities";
const FIELDS: &[(&str, &str)] = &[
    ("name", "Harbour Charging GmbH"),
    ("address", "Kai 7\r\n20457 Hamburg"),
    ("country", "de"),
    ("tax_id", "DE123456789"),
    ("email", "billing@harbour.example"),
    ("currency", "eur"),
    ("rounding", "half-even"),
    ("tax_per", "rate"),
    ("payment_days", "30"),
    ("payment_details", "IBAN DE02 1203 0000 0000 2020 51"),
];

/// Sends the form as a browser does that may have a file with it.
async fn send(who: &Browser<'_>, path: &str, fields: &[(&str, &str)], logo: &[u8]) -> Answer {
    let mut body = Vec::new();
    for (name, value) in fields {
        let part = format!(
            "--frontier\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
        body.extend_from_slice(part.as_bytes());
    }
    body.extend_from_slice(
        b"--frontier\r\nContent-Disposition: form-data; name=\"logo\"; filename=\"logo.png\"\r\n\
          Content-Type: image/png\r\n\r\n",
    );
    body.extend_from_slice(logo);
    body.extend_from_slice(b"\r\n--frontier--\r\n");
    let media = Some("multipart/form-data; boundary=frontier");
    who.send(Method::POST, path, media, Body::from(body)).await
}

fn with<'a>(name: &str, value: &'a str) -> Vec<(&'a str, &'a str)> {
    let mut fields: Vec<(&'a str, &'a str)> = FIELDS.to_vec();
    for field in &mut fields {
        if field.0 == name {
            field.1 = value;
        }
    }
    fields
}

#[tokio::test]
async fn an_entity_with_its_logo_is_made_and_changed() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let settings = admin.get("/settings").await;
    assert_eq!(settings.header("location"), PATH);
    assert!(admin.get(PATH).await.body.contains("No legal entity yet"));

    let png = b"\x89PNG\r\n\x1a\nrest";
    let made = send(&admin, PATH, FIELDS, png).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.body);
    let mut db = portal.db.pool.acquire().await.unwrap();
    let entity = legal_entities::list(&mut db).await.unwrap().remove(0);
    assert_eq!(entity.fields.country, "DE");
    assert_eq!(entity.fields.address, "Kai 7\n20457 Hamburg");
    assert_eq!(entity.fields.payment_days, 30);
    let logo = legal_entities::logo(&mut db, entity.id).await.unwrap();
    assert_eq!(logo.as_deref(), Some(&png[..]));

    let path = format!("{PATH}/{}", entity.id);
    let page = admin.get(&path).await;
    assert!(page.body.contains(&format!("{path}/logo")), "{}", page.body);
    let seen = seen(&page);
    let mut fields = with("payment_days", "14");
    fields.extend([("_seen", seen.as_str()), ("no_logo", "yes")]);
    let changed = send(&admin, &path, &fields, b"").await;
    assert_eq!(changed.status, StatusCode::SEE_OTHER, "{}", changed.body);
    assert_eq!(
        legal_entities::logo(&mut db, entity.id).await.unwrap(),
        None
    );
    let entries = store::audit::of(&mut db, &format!("legal_entity/{}", entity.id), 9).await;
    let changed = &entries.unwrap()[0];
    assert_eq!(
        changed.detail,
        serde_json::json!({"payment_days": {"before": "30", "after": "14"}, "logo": "removed"})
    );
}

#[tokio::test]
async fn every_field_says_what_it_expects() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    for (field, value, says) in [
        (
            "name",
            "",
            "is missing; expected a line of 1 to 200 characters",
        ),
        ("country", "", "is missing; expected two letters"),
        ("country", "Germany", "“Germany” is not two letters"),
        ("currency", "EURO", "“EURO” is not a currency of ISO 4217"),
        ("currency", "XAU", "“XAU” is not a currency"),
        ("rounding", "up", "“up” is not one of half-up, half-even"),
        ("tax_per", "invoice", "“invoice” is not one of line, rate"),
        (
            "payment_days",
            "366",
            "“366” is not a whole number from 0 to 365",
        ),
        ("payment_days", "-1", "“-1” is not a whole number"),
    ] {
        let again = send(&admin, PATH, &with(field, value), b"").await;
        assert_eq!(
            again.status,
            StatusCode::UNPROCESSABLE_ENTITY,
            "{field} {value}"
        );
        assert!(again.body.contains(says), "{says}: {}", again.body);
        assert!(again.body.contains(&format!("id=\"e-{field}\"")));
    }
    for logo in [
        b"GIF89a".to_vec(),
        [b"\x89PNG\r\n\x1a\n".to_vec(), vec![0; 210_000]].concat(),
    ] {
        let again = send(&admin, PATH, FIELDS, &logo).await;
        assert_eq!(again.status, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(
            again.body.contains("is not a PNG of at most 200 KiB"),
            "{}",
            again.body
        );
    }
    assert_eq!(
        send(&admin, PATH, FIELDS, b"").await.status,
        StatusCode::SEE_OTHER
    );
    let taken = send(&admin, PATH, &with("name", "HARBOUR charging GmbH"), b"").await;
    assert!(
        taken.body.contains("is the name of another legal entity"),
        "{}",
        taken.body
    );
}
