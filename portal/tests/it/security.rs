//! A station's security: a new password by API and by page, shown once, and what the tab tells.

use axum::http::{Method, StatusCode};
use serde_json::json;
use store::{
    installed_certificates::{self, HashData},
    people::Role,
    refusals, stations,
};

use crate::{
    harness::{BOTH, Portal, complains},
    support::kept::CERTIFICATE,
};

const ROTATE: &str = "/api/v1/stations/CP-1/credentials/rotate";

async fn station(portal: &Portal) {
    let key = portal.key(BOTH, &[]).await;
    let body = json!({ "password": "0123456789abcdef" });
    let made = key.json(Method::PUT, "/api/v1/stations/CP-1", &body).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
}

/// How many passwords open the door to the station beside its own.
async fn pending(portal: &Portal) -> usize {
    let mut db = portal.db.pool.acquire().await.unwrap();
    let found = store::lookup::stations(&mut db, &["CP-1".to_owned()]).await;
    found.unwrap()[0].as_ref().unwrap().access.passwords.len()
}

#[tokio::test]
async fn a_new_password_is_shown_once_and_waits_for_the_station() {
    let portal = Portal::start().await;
    station(&portal).await;
    let key = portal.key(BOTH, &[]).await;
    let made = key.json(Method::POST, ROTATE, &json!({})).await;
    assert_eq!(made.status, StatusCode::ACCEPTED, "{}", made.body);
    let made = made.json();
    let password = made["password"].as_str().unwrap();
    assert_eq!(password.len(), 40, "20 bytes in hexadecimal");
    assert_eq!(pending(&portal).await, 1);
    // Until it is delivered the command holds it, and nobody is shown it.
    assert_eq!(portal.db.tables_with(password).await, ["commands"]);
    let command = format!("/api/v1/commands/{}", made["command"].as_str().unwrap());
    let shown = key.get(&command).await;
    assert!(!shown.body.contains(password) && shown.body.contains("AuthorizationKey"));

    let given = json!({ "password": "fedcba9876543210" });
    let given = key.json(Method::POST, ROTATE, &given).await;
    assert_eq!(given.status, StatusCode::ACCEPTED, "{}", given.body);
    assert_eq!(given.json()["password"], json!(null));
    assert_eq!(pending(&portal).await, 2);
    let short = key
        .json(Method::POST, ROTATE, &json!({ "password": "short" }))
        .await;
    complains(&short, "/password", "16 to 20");
    assert!(!short.body.contains("short\""), "{}", short.body);
    // Three may be on their way. With a fourth the first would be worth nothing, and the station may be following it.
    let third = key.json(Method::POST, ROTATE, &json!({})).await;
    assert_eq!(third.status, StatusCode::ACCEPTED, "{}", third.body);
    let order = json!({ "action": "ChangeConfiguration",
                        "payload": { "key": "AuthorizationKey", "value": "0123456789abcdef" } });
    for (path, body) in [
        (ROTATE, json!({})),
        ("/api/v1/stations/CP-1/commands", order.clone()),
        ("/api/v1/stations/CP-1/commands?raw=1", order),
    ] {
        let fourth = key.json(Method::POST, path, &body).await;
        assert_eq!(
            fourth.status,
            StatusCode::CONFLICT,
            "{path}: {}",
            fourth.body
        );
    }
    assert_eq!(pending(&portal).await, 3);
    // One that was not sent can be taken back, which makes room.
    let third = third.json()["command"].as_str().unwrap().to_owned();
    key.json(
        Method::POST,
        &format!("/api/v1/commands/{third}/cancel"),
        &json!({}),
    )
    .await;
    let again = key.json(Method::POST, ROTATE, &json!({})).await;
    assert_eq!(again.status, StatusCode::ACCEPTED, "{}", again.body);
    // An operator who sets a password decides: what was ordered before does not count any more.
    let body = json!({ "password": "0123456789abcdef" });
    key.json(Method::PATCH, "/api/v1/stations/CP-1", &body)
        .await;
    assert_eq!(pending(&portal).await, 0);
}

#[tokio::test]
async fn what_was_never_sent_is_forgotten() {
    let portal = Portal::start().await;
    station(&portal).await;
    let key = portal.key(BOTH, &[]).await;
    key.json(Method::POST, ROTATE, &json!({})).await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    let later = portal.clock.now() + chrono::TimeDelta::hours(2);
    store::commands::expire(&mut db, later).await.unwrap();
    assert_eq!(pending(&portal).await, 0);
}

#[tokio::test]
async fn the_tab_tells_how_a_station_proves_who_it_is() {
    let portal = Portal::start().await;
    station(&portal).await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    let now = portal.clock.now();
    let refusal = refusals::Refusal {
        identity: "CP-1".to_owned(),
        reason: "wrong_password".to_owned(),
        detail: "It does not fit.".to_owned(),
        address: "192.0.2.7".to_owned(),
        attempts: 3,
    };
    refusals::record(&mut db, &[refusal], now).await.unwrap();
    let found = store::lookup::stations(&mut db, &["CP-1".to_owned()]).await;
    let id = found.unwrap()[0].as_ref().unwrap().id;
    let asked = store::certificate_requests::NewRequest {
        station_id: id,
        site_id: None,
        request: "PEM",
        refused: Some("its CN is another"),
    };
    store::certificate_requests::put(&mut db, &asked, now)
        .await
        .unwrap();
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let page = admin.get("/stations/CP-1/security").await;
    for said in [
        "wrong_password",
        "192.0.2.7",
        "its CN is another",
        "New password",
    ] {
        assert!(page.body.contains(said), "no {said}: {}", page.body);
    }
    let rotated = admin.post("/stations/CP-1/security/rotate", "").await;
    assert_eq!(rotated.status, StatusCode::OK, "{}", rotated.body);
    let (_, rest) = rotated.body.split_once("<code>").expect("the password");
    let (password, _) = rest.split_once("</code>").unwrap();
    assert_eq!(password.len(), 40);
    let again = admin.get("/stations/CP-1/security").await;
    assert!(!again.body.contains(password), "it is shown once");
    assert!(again.body.contains("A new password"), "{}", again.body);
    let asked = admin.post("/stations/CP-1/security/certificate", "").await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER);
    let viewer = portal.signed_in("v@example.org", Role::Partner, &[]).await;
    let refused = viewer.post("/stations/CP-1/security/rotate", "").await;
    assert_ne!(refused.status, StatusCode::OK);
}

#[tokio::test]
async fn a_certificate_name_is_one_stations_alone() {
    let portal = Portal::start().await;
    station(&portal).await;
    let key = portal.key(BOTH, &[]).await;
    key.json(Method::PUT, "/api/v1/stations/CP-2", &json!({}))
        .await;
    let named = |name: serde_json::Value| json!({ "certificate_name": name });
    let set = async |identity: &str, name| {
        let path = format!("/api/v1/stations/{identity}");
        key.json(Method::PATCH, &path, &named(name)).await
    };
    assert_eq!(
        set("CP-2", json!("SN-2")).await.json()["certificate_name"],
        "SN-2"
    );
    assert_eq!(
        set("CP-1", json!("SN-2")).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        set("CP-2", json!("CP-1")).await.status,
        StatusCode::CONFLICT
    );
    assert_eq!(
        set("CP-2", json!(null)).await.json()["certificate_name"],
        json!(null)
    );
    complains(&set("CP-2", json!(7)).await, "/certificate_name", "CN");
    assert!(stations::is_identity("CP-2"));
}

fn url_encoded(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A button's id, which says what it is about.
fn id_after(page: &str, mark: &str) -> String {
    let from = page.find(mark).unwrap_or_else(|| panic!("{mark}: {page}"));
    page[from + mark.len()..].chars().take(16).collect()
}

#[tokio::test]
async fn what_a_station_trusts_is_shown_asked_for_installed_and_deleted() {
    let portal = Portal::start().await;
    station(&portal).await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let mut db = portal.db.pool.acquire().await.unwrap();
    let mut reader = store::Scope::All.begin(&portal.db.pool).await.unwrap();
    let found = store::stations_read::get(&mut reader, "CP-1")
        .await
        .unwrap();
    let id = found.unwrap().id;
    let hash = |serial: &str, key: &str| HashData {
        algorithm: "SHA256".to_owned(),
        issuer_name_hash: "aa11".to_owned(),
        issuer_key_hash: key.to_owned(),
        serial_number: serial.to_owned(),
    };
    let now = portal.clock.now();
    for (serial, certificate_use, key, pem) in [
        ("01", "CentralSystemRootCertificate", "bb22", None),
        (
            "02",
            "ManufacturerRootCertificate",
            "bb22",
            Some(CERTIFICATE),
        ),
        ("03", "ManufacturerRootCertificate", "", None),
    ] {
        let hash = hash(serial, key);
        installed_certificates::add(&mut db, id, certificate_use, &hash, pem, now)
            .await
            .unwrap();
    }
    let path = "/stations/CP-1/security";
    let page = admin.get(path).await.body;
    for said in [
        "Firmware signing",
        "not installed from here",
        "aa11",
        "bb22",
        "The last by which it knows a central system.",
        "Ask the station first",
        "8 Mar 2076",
    ] {
        assert!(page.contains(said), "{said}: {page}");
    }
    assert_eq!(page.matches(">Delete it<").count(), 1, "{page}");

    let commands = async || {
        let key = portal.key(BOTH, &[]).await;
        let list = key.get("/api/v1/commands").await.json();
        let items = list["items"].as_array().unwrap().clone();
        items
            .into_iter()
            .map(|command| (command["action"].clone(), command["payload"].clone()))
            .collect::<Vec<_>>()
    };
    let asked = admin.post(&format!("{path}/trusted/ask"), "").await;
    assert_eq!(asked.status, StatusCode::SEE_OTHER, "{}", asked.body);
    let queued = commands().await;
    for (wire, _) in [
        ("CentralSystemRootCertificate", 1),
        ("ManufacturerRootCertificate", 2),
    ] {
        let pair = (
            json!("GetInstalledCertificateIds"),
            json!({"certificateType": wire}),
        );
        assert!(queued.contains(&pair), "{queued:?}");
    }
    let wrong = admin
        .post(
            &format!("{path}/trusted"),
            "use=Everything&certificate=none",
        )
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    for said in ["“Everything” is not one of", "expected a certificate"] {
        assert!(wrong.body.contains(said), "{said}: {}", wrong.body);
    }
    let certificate = url_encoded(CERTIFICATE);
    let form = format!("use=ManufacturerRootCertificate&certificate={certificate}");
    let sent = admin.post(&format!("{path}/trusted"), &form).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let certificate = json!({"certificateType": "ManufacturerRootCertificate",
                             "certificate": CERTIFICATE.trim()});
    let install = (json!("InstallCertificate"), certificate);
    assert!(commands().await.contains(&install));

    let id = id_after(&page, "popovertarget=\"delete-");
    let delete = format!("{path}/trusted/delete");
    let sent = admin.post(&delete, &format!("id={id}")).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let named = json!({"certificateHashData": {"hashAlgorithm": "SHA256", "issuerNameHash": "aa11",
                       "issuerKeyHash": "bb22", "serialNumber": "02"}});
    let commands = commands().await;
    assert!(commands.contains(&(json!("DeleteCertificate"), named)));
    let last = id_after(&page, "<tr id=\"trusted-");
    let refused = admin.post(&delete, &format!("id={last}")).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
}
