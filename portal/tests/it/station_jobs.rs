//! Firmware and log jobs by API and page, images, security events and installed certificates.

use axum::http::{Method, StatusCode};
use serde_json::{Value, json};
use store::{
    Scope, files,
    installed_certificates::{self, HashData},
    people::Role,
    security_events::{self, NewEvent, Source},
};
use uuid::Uuid;

use crate::{
    data,
    harness::{BOTH, Browser, Portal, complains, config},
    support::kept::CERTIFICATE,
};

const FIRMWARE: &str = "/api/v1/stations/CP-1/firmware-jobs";
const LOGS: &str = "/api/v1/stations/CP-1/log-jobs";

async fn station(portal: &Portal) -> Uuid {
    data::charged(portal, None, "CP-1", 1).await;
    let mut db = Scope::All.begin(&portal.db.pool).await.unwrap();
    let station = store::stations_read::get(&mut db, "CP-1").await.unwrap();
    station.unwrap().id
}

/// What the command of a job says on the wire.
async fn wire(portal: &Portal, job: &Value) -> Value {
    let id: Uuid = job["command"].as_str().unwrap().parse().unwrap();
    let now = portal.clock.now();
    let mut db = Scope::All.begin(&portal.db.pool).await.unwrap();
    let station = store::stations_read::get(&mut db, "CP-1").await.unwrap();
    let station = station.unwrap().id;
    let claimed = store::commands::claim(&mut db, station, "m", "node", now)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(claimed.id, id);
    let outcome = store::commands::Outcome::Answered("{}".to_owned());
    let ended = store::commands::Ended {
        id,
        station_id: station,
        message_id: "m",
        action: &claimed.action,
        payload: &claimed.payload,
        sent_at: now,
        outcome: &outcome,
    };
    store::commands::end(&mut db, &ended, now).await.unwrap();
    db.commit().await.unwrap();
    serde_json::from_str(&claimed.payload).unwrap()
}

async fn upload(key: &Browser<'_>, bytes: &[u8]) -> Value {
    let path = "/api/v1/firmware-images?name=wallbox.bin&version=2.0";
    let media = Some("application/octet-stream");
    let answer = key
        .send(Method::POST, path, media, bytes.to_vec().into())
        .await;
    assert_eq!(answer.status, StatusCode::CREATED, "{}", answer.body);
    answer.json()
}

#[tokio::test]
async fn a_firmware_update_is_asked_for_with_an_image_of_ours() {
    let portal = Portal::start().await;
    station(&portal).await;
    let key = portal.key(BOTH, &[]).await;
    let bytes = vec![9; files::CHUNK + 5];
    let image = upload(&key, &bytes).await;
    assert_eq!(image["size"], bytes.len());
    assert_eq!(image["sha256"].as_str().unwrap().len(), 64);

    let asked = json!({"image": image["id"], "retries": 3, "retry_interval": 60});
    let answer = key.json(Method::POST, FIRMWARE, &asked).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let job = answer.json();
    assert_eq!(
        (&job["action"], &job["state"]),
        (&json!("UpdateFirmware"), &json!("queued"))
    );
    let sent = wire(&portal, &job).await;
    let location = sent["location"].as_str().unwrap();
    let token = location
        .strip_prefix("http://portal.test:9000/files/")
        .unwrap();
    assert!(files::is_token(token) && sent["retries"] == 3 && sent["retryInterval"] == 60);
    let mut db = portal.db.pool.acquire().await.unwrap();
    let now = portal.clock.now();
    let file = files::to_fetch(&mut db, token, now).await.unwrap().unwrap();
    assert_eq!(file.size, i64::try_from(bytes.len()).unwrap());
    // Once it was delivered nobody can read the token any more.
    assert!(portal.db.tables_with(token).await.is_empty());

    // What a station may still come for stays.
    let path = format!("/api/v1/firmware-images/{}", image["id"].as_str().unwrap());
    let refused = key.json(Method::DELETE, &path, &json!({})).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
    let listed = key.get(FIRMWARE).await.json();
    assert_eq!(listed["items"][0]["id"], job["id"]);
}

#[tokio::test]
async fn a_signed_update_wants_a_signature_and_a_certificate() {
    let portal = Portal::start().await;
    station(&portal).await;
    let key = portal.key(BOTH, &[]).await;
    let location = "ftp://me:secret@files.example/fw.bin";
    for (body, pointer) in [
        (json!({}), "/image"),
        (json!({"location": "gopher://x/"}), "/location"),
        (
            json!({"location": location, "signature": "c2ln"}),
            "/signing_certificate",
        ),
        (
            json!({"location": location, "signature": "c2ln", "signing_certificate": "no PEM"}),
            "/signing_certificate",
        ),
        (
            json!({"location": location, "signature": "!"}),
            "/signature",
        ),
        (json!({"location": location, "retries": -1}), "/retries"),
        (json!({"location": location, "speed": 9}), "/speed"),
        (json!({"image": Uuid::from_u128(7)}), "/image"),
    ] {
        let answer = key.json(Method::POST, FIRMWARE, &body).await;
        complains(&answer, pointer, "");
        assert!(!answer.body.contains("secret"), "{}", answer.body);
    }
    assert_eq!(key.get(FIRMWARE).await.json()["items"], json!([]));

    let certificate = CERTIFICATE;
    let body = json!({"location": location, "signature": "c2ln", "signing_certificate": certificate,
                      "install_at": "2026-11-21T02:00:00Z"});
    let answer = key.json(Method::POST, FIRMWARE, &body).await;
    assert_eq!(answer.status, StatusCode::ACCEPTED, "{}", answer.body);
    let job = answer.json();
    assert_eq!(job["location"], "ftp://me:***@files.example/fw.bin");
    let sent = wire(&portal, &job).await;
    assert_eq!(sent["requestId"], job["request_id"]);
    assert_eq!(sent["firmware"]["location"], location);
    assert_eq!(
        sent["firmware"]["installDateTime"],
        "2026-11-21T02:00:00.000Z"
    );
    assert_eq!(sent["firmware"]["signingCertificate"], certificate);
}

#[tokio::test]
async fn a_log_is_asked_for_and_comes_as_an_attachment() {
    let portal = Portal::start().await;
    let site = portal.site("North").await;
    data::charged(&portal, Some(site), "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    let body = json!({"log": "SecurityLog", "from": "2026-11-01T00:00:00Z"});
    let job = key.json(Method::POST, LOGS, &body).await.json();
    assert_eq!(
        (&job["action"], &job["log_type"]),
        (&json!("GetLog"), &json!("SecurityLog"))
    );
    let sent = wire(&portal, &job).await;
    assert_eq!(sent["log"]["oldestTimestamp"], "2026-11-01T00:00:00.000Z");
    let location = sent["log"]["remoteLocation"].as_str().unwrap();
    let token = location.rsplit('/').next().unwrap();

    // The station sends it.
    let now = portal.clock.now();
    let mut db = portal.db.pool.acquire().await.unwrap();
    let upload = files::begin_upload(&mut db, token, now)
        .await
        .unwrap()
        .unwrap();
    let html = b"<script>alert(1)</script>";
    files::add_chunk(&mut db, upload.file, 0, html)
        .await
        .unwrap();
    let whole = files::Whole {
        size: html.len() as i64,
        sha256: [7; 32],
    };
    assert!(
        files::finish_upload(&mut db, token, upload, &whole, now)
            .await
            .unwrap()
    );

    let job = &key.get(LOGS).await.json()["items"][0];
    assert_eq!(job["states"][0]["state"], "Received");
    let log = job["file"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/stations/CP-1/logs/{log}");
    let answer = key.get(&path).await;
    assert_eq!(
        (answer.status, answer.body.as_bytes()),
        (StatusCode::OK, &html[..])
    );
    let header = |name| answer.header(name).to_owned();
    assert!(header("content-disposition").starts_with("attachment; filename=\"log-"));
    assert_eq!(header("content-type"), "application/octet-stream");
    assert_eq!(header("x-content-type-options"), "nosniff");

    let stranger = portal.site("South").await;
    let stranger = portal
        .signed_in("s@example.org", Role::Operator, &[stranger])
        .await;
    let operator = portal
        .signed_in("n@example.org", Role::Operator, &[site])
        .await;
    let page = format!("/stations/CP-1/logs/{log}");
    assert_eq!(stranger.get(&page).await.status, StatusCode::NOT_FOUND);
    assert_eq!(operator.get(&page).await.status, StatusCode::OK);
    let tab = operator.get("/stations/CP-1/firmware").await;
    assert!(
        tab.body.contains(&page) && tab.body.contains("Received"),
        "{}",
        tab.body
    );
    let form = "log=Diagnostics&to=";
    let sent = operator.post("/stations/CP-1/firmware/log", form).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let wrong = operator
        .post("/stations/CP-1/firmware/update", "location=gopher://x")
        .await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(wrong.body.contains("https://"), "{}", wrong.body);
}

/// The newest command's payload.
async fn newest(key: &Browser<'_>) -> Value {
    let list = key.get("/api/v1/commands?limit=1").await.json();
    list["items"][0]["payload"].clone()
}

#[tokio::test]
async fn times_of_the_forms_are_the_sites_and_tries_are_checked() {
    let portal = Portal::start().await;
    // Amsterdam, an hour before UTC in November.
    let site = portal.site("North").await;
    data::charged(&portal, Some(site), "CP-1", 1).await;
    let key = portal.key(BOTH, &[]).await;
    let who = portal
        .signed_in("n@example.org", Role::Operator, &[site])
        .await;
    let path = "/stations/CP-1/firmware";
    let page = who.get(path).await.body;
    assert!(page.contains("By the clocks of Europe/Amsterdam"), "{page}");
    for (form, field, said) in [
        (
            "update?location=https://x/f&retrieve_at=2026-11-19T03:00",
            "retrieve_at",
            "a time to come",
        ),
        (
            "update?location=https://x/f&retrieve_at=soon",
            "retrieve_at",
            "Europe/Amsterdam",
        ),
        (
            "update?location=https://x/f&retries=-1&retry_interval=1",
            "retries",
            "from 0 to 100",
        ),
        (
            "update?location=https://x/f&retry_interval=90000",
            "retry_interval",
            "from 0 to 86400",
        ),
        (
            "update?location=https://x/f&install_at=2026-11-22T03:00",
            "install_at",
            "signed updates",
        ),
        (
            "log?log=Diagnostics&oldest=2026-11-20T10:00&latest=2026-11-20T09:00",
            "latest",
            "a time after",
        ),
        (
            "log?log=Diagnostics&log_retries=many",
            "log_retries",
            "from 0 to 100",
        ),
    ] {
        let (verb, form) = form.split_once('?').unwrap();
        let wrong = who.post(&format!("{path}/{verb}"), form).await;
        assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{form}");
        let told = wrong.body.split(&format!("id=\"e-{field}\">")).nth(1);
        let told = told.unwrap_or_else(|| panic!("{form}: {}", wrong.body));
        let told = told.split("</p>").next().unwrap();
        assert!(told.contains(said), "{form}: {told}");
    }
    let form = "log=Diagnostics&oldest=2026-11-20T10:00&latest=2026-11-20T11:30&log_retries=3&log_retry_interval=60";
    let sent = who.post(&format!("{path}/log"), form).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let asked = newest(&key).await;
    assert_eq!(
        (&asked["startTime"], &asked["stopTime"]),
        (
            &json!("2026-11-20T09:00:00.000Z"),
            &json!("2026-11-20T10:30:00.000Z")
        )
    );
    assert_eq!(
        (&asked["retries"], &asked["retryInterval"]),
        (&json!(3), &json!(60))
    );
    portal.clock.advance(std::time::Duration::from_secs(1));
    let certificate: String = form_urlencoded::byte_serialize(CERTIFICATE.as_bytes()).collect();
    let form = format!(
        "location=https://x/f&retrieve_at=2026-11-21T03:00&install_at=2026-11-21T04:00&retries=2&signature=c2ln\
         &certificate={certificate}"
    );
    let sent = who.post(&format!("{path}/update"), &form).await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let asked = newest(&key).await;
    assert_eq!(
        asked["firmware"]["retrieveDateTime"],
        "2026-11-21T02:00:00.000Z"
    );
    assert_eq!(
        asked["firmware"]["installDateTime"],
        "2026-11-21T03:00:00.000Z"
    );
    assert_eq!(asked["retries"], 2);
    // Programs are held to the same.
    let body =
        json!({"log": "Diagnostics", "from": "2026-11-20T10:00:00Z", "to": "2026-11-20T09:00:00Z"});
    let answer = key.json(Method::POST, LOGS, &body).await;
    complains(&answer, "/to", "2026-11-20T09:00:00");
}

#[tokio::test]
async fn where_stations_find_this_server_must_be_known() {
    let portal = Portal::with(portal::Config {
        ocpp_public_url: "ws://0.0.0.0:9000/ocpp".to_owned(),
        ..config()
    })
    .await;
    station(&portal).await;
    let key = portal.key(BOTH, &[]).await;
    let here = key
        .json(Method::POST, LOGS, &json!({"log": "Diagnostics"}))
        .await;
    assert_eq!(here.status, StatusCode::CONFLICT);
    assert!(here.body.contains("OCPP_PUBLIC_URL"), "{}", here.body);
    let there = json!({"log": "Diagnostics", "location": "https://files.example/up"});
    assert_eq!(
        key.json(Method::POST, LOGS, &there).await.status,
        StatusCode::ACCEPTED
    );
}

#[tokio::test]
async fn images_come_in_by_the_page_too() {
    let portal = Portal::start().await;
    let admin = portal.signed_in("a@example.org", Role::Admin, &[]).await;
    let media = "multipart/form-data; boundary=x";
    let form = |file: &str| {
        format!(
            "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nWallbox\r\n--x\r\nContent-Disposition: form-data; \
             name=\"file\"; filename=\"{file}\"\r\nContent-Type: application/octet-stream\r\n\r\nbytes\r\n--x--\r\n"
        )
    };
    let none = admin
        .send(Method::POST, "/firmware", Some(media), form("").into())
        .await;
    assert_eq!(
        none.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        none.body
    );
    let sent = admin
        .send(Method::POST, "/firmware", Some(media), form("../x").into())
        .await;
    assert_eq!(sent.status, StatusCode::SEE_OTHER, "{}", sent.body);
    let page = admin.get("/firmware").await.body;
    assert!(page.contains("Wallbox") && !page.contains("../x"), "{page}");
    let mut db = Scope::All.begin(&portal.db.pool).await.unwrap();
    let image = &files::images(&mut db).await.unwrap()[0];
    let path = format!("/firmware/{}/remove", image.id);
    assert_eq!(admin.post(&path, "").await.status, StatusCode::SEE_OTHER);
    assert!(files::images(&mut db).await.unwrap().is_empty());
}

#[tokio::test]
async fn security_events_are_read_by_what_they_are() {
    let portal = Portal::start().await;
    let station = station(&portal).await;
    let event = |kind: &str, critical| NewEvent {
        station_id: station,
        kind: kind.to_owned(),
        tech_info: Some("<b>".to_owned()),
        at: None,
        received_at: portal.clock.now(),
        critical,
        source: Source::Server,
    };
    let mut db = portal.db.pool.acquire().await.unwrap();
    let (one, other) = (
        event("MemoryExhaustion", true),
        event("InvalidMessages", false),
    );
    security_events::note(&mut db, &[&one, &other])
        .await
        .unwrap();
    let key = portal.key(BOTH, &[]).await;
    let read = async |query: &str| {
        let path = format!("/api/v1/security-events{query}");
        key.get(&path).await.json()
    };
    assert_eq!(read("").await["items"].as_array().unwrap().len(), 2);
    let critical = read("?critical=true&station=cp-1").await;
    assert_eq!(critical["items"][0]["type"], "MemoryExhaustion");
    assert_eq!(critical["items"][0]["source"], "server");
    let first = read("?limit=1").await;
    let next = first["next"].as_str().unwrap();
    let second = read(&format!("?limit=1&after={next}")).await;
    assert_ne!(first["items"][0]["id"], second["items"][0]["id"]);
    assert_eq!(read("?type=x").await["items"], json!([]));
}

#[tokio::test]
async fn the_last_root_is_not_deleted_by_mistake() {
    let portal = Portal::start().await;
    let station = station(&portal).await;
    let key = portal.key(BOTH, &[]).await;
    let hash = |serial: &str| HashData {
        algorithm: "SHA256".to_owned(),
        issuer_name_hash: "aa".to_owned(),
        issuer_key_hash: "bb".to_owned(),
        serial_number: serial.to_owned(),
    };
    let now = portal.clock.now();
    let root = "CentralSystemRootCertificate";
    let mut db = portal.db.pool.acquire().await.unwrap();
    let both = [hash("01"), hash("02")];
    installed_certificates::replace(&mut db, station, root, &both, now)
        .await
        .unwrap();
    let list = "/api/v1/stations/CP-1/installed-certificates";
    assert_eq!(
        key.get(list).await.json()["items"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    let commands = "/api/v1/stations/CP-1/commands";
    let delete = json!({"action": "DeleteCertificate", "payload": {"certificateHashData": {
        "hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb", "serialNumber": "1"}}});
    let queued = key.json(Method::POST, commands, &delete).await;
    assert_eq!(queued.status, StatusCode::ACCEPTED, "{}", queued.body);
    installed_certificates::remove(&mut db, station, &hash("2"))
        .await
        .unwrap();
    let refused = key.json(Method::POST, commands, &delete).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
    let meant = key
        .json(Method::POST, &format!("{commands}?raw=1"), &delete)
        .await;
    assert_eq!(meant.status, StatusCode::ACCEPTED, "{}", meant.body);
}
