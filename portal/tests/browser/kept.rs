//! The tabs of what is kept of a station, as people see them: nothing hangs over, the console is silent, forms work.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use store::{
    charging_profiles::{self, Place, Sent},
    commands::{self, Ended, Outcome},
    configuration::{self, Change, Reading},
    configuration_templates,
    installed_certificates::{self, HashData},
    local_lists,
    reservations::{self, Asked, Said},
    station_jobs::{self, Closing},
    stations_read,
};
use uuid::Uuid;

use crate::{
    chromium::{Browser, Screen},
    running::Running,
    support::{Fleet, kept::CERTIFICATE, town},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tabs_of_what_is_kept_look_well() {
    let running = Running::start().await;
    let login = running.admin().await;
    let mut fleet = Fleet::new(&running.db.pool, running.clock.now()).await;
    town(&mut fleet).await;
    fill(&running, fleet.now).await;
    let task = ask(&running, &login).await;
    let pages = [
        ("templates", "/configuration-templates"),
        ("station-configuration", "/stations/HQ-DC-01/configuration"),
        ("station-local-list", "/stations/HQ-DC-01/local-list"),
        ("station-reservations", "/stations/HQ-DC-01/reservations"),
        (
            "station-charging",
            "/stations/HQ-DC-01/charging-profiles?connector=1&hours=6&unit=A",
        ),
        ("station-trusted", "/stations/HQ-DC-01/security"),
        ("station-jobs", "/stations/HQ-DC-01/firmware"),
        ("station-orders", "/stations/HQ-DC-01/commands"),
        (
            "station-command-form",
            "/stations/HQ-DC-01/commands?_action=SetChargingProfile",
        ),
        ("station-told", "/stations/HQ-DC-01/history"),
        ("stations-picked", "/stations?tick=all"),
        (
            "task-begun",
            "/tasks/new?_station=HQ-DC-01&_station=HQ-DC-02&_station=WG-AC-01",
        ),
        (
            "task-form",
            "/tasks/new?_action=ChangeAvailability&_station=HQ-DC-01&_station=HQ-DC-02",
        ),
        ("tasks", "/tasks"),
        ("task", task.as_str()),
    ];
    for screen in [Screen::Desk, Screen::Phone] {
        let browser = Browser::open(screen).await;
        browser.carry(&running, &login).await;
        let device = if screen == Screen::Phone {
            "phone"
        } else {
            "desk"
        };
        for theme in ["light", "dark"] {
            browser.cookie("forecourt-theme", theme).await;
            for (name, path) in pages {
                browser
                    .driver
                    .goto(format!("{}{path}", running.url))
                    .await
                    .unwrap();
                browser.picture(&format!("{name}-{theme}-{device}")).await;
                browser
                    .until("document.documentElement.scrollWidth <= innerWidth")
                    .await;
                let complaints = browser.complaints().await;
                assert!(complaints.is_empty(), "{name} {theme}: {complaints:?}");
            }
        }
    }
}

async fn fill(running: &Running, now: DateTime<Utc>) {
    let mut db = running.db.pool.acquire().await.unwrap();
    let pool = running.db.pool(store::Room::Portal);
    let station = {
        let mut scoped = store::Scope::All.begin(&pool).await.unwrap();
        stations_read::get(&mut scoped, "HQ-DC-01")
            .await
            .unwrap()
            .unwrap()
    };
    let readings = [
        ("HeartbeatInterval", "300", false),
        ("MeterValueSampleInterval", "30", false),
        (
            "MeterValuesSampledData",
            "Energy.Active.Import.Register,Power.Active.Import,SoC,Current.Offered,Voltage",
            false,
        ),
        ("NumberOfConnectors", "2", true),
        ("ChargingScheduleAllowedChargingRateUnit", "Current", true),
        (
            "SupportedFeatureProfiles",
            "Core,FirmwareManagement,LocalAuthListManagement,Reservation,SmartCharging,RemoteTrigger",
            true,
        ),
        ("LocalPreAuthorize", "True", false),
    ];
    let answer = configuration::Answer {
        readings: readings
            .iter()
            .map(|(key, value, readonly)| Reading {
                key: (*key).to_owned(),
                value: Some((*value).to_owned()),
                readonly: Some(*readonly),
            })
            .collect(),
        unknown: vec!["BlinkRepeat".to_owned()],
        whole: false,
    };
    let change = Change {
        key: "MeterValueSampleInterval".to_owned(),
        value: "5".to_owned(),
        answer: "Accepted".to_owned(),
    };
    configuration::note_set(&mut db, station.id, &change, now - TimeDelta::hours(1))
        .await
        .unwrap();
    configuration::note_read(&mut db, station.id, &answer, now)
        .await
        .unwrap();
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let template = configuration_templates::Fields {
        name: "DC chargers",
        keys: &[
            pair("HeartbeatInterval", "60"),
            pair("LocalPreAuthorize", "true"),
            pair("NumberOfConnectors", "4"),
            pair("WebSocketPingInterval", "54"),
        ],
        stations: &[station.id],
        sites: &[],
        models: &["HYC150".to_owned()],
    };
    configuration_templates::put(&mut db, None, &template, now)
        .await
        .unwrap();
    lists(&mut db, station.id, now).await;
    for (number, token, answer) in [
        (11, "04E9117AB25C80", "Occupied"),
        (12, "04E9117AB25C80", "Accepted"),
        (13, "04A1B2C3D4E5F6", ""),
    ] {
        let said = Said {
            number,
            connector: number % 3,
            id_token: token.to_owned(),
            parent: (number == 12).then(|| "FAMILY-LIND".to_owned()),
            expires_at: now + TimeDelta::minutes(45),
        };
        let asked = Asked {
            station_id: station.id,
            site_id: station.site_id,
            command_id: Uuid::from_u128(u128::from(number.unsigned_abs())),
            actor_kind: "system",
            actor_id: None,
        };
        reservations::ask(&mut db, &asked, &said, now)
            .await
            .unwrap();
        if !answer.is_empty() {
            reservations::answered(&mut db, station.id, asked.command_id, &said, answer, now)
                .await
                .unwrap();
        }
    }
    profiles(&mut db, station.id, now).await;
}

/// What was asked of the station and of others, by the forms: some of it is answered. The task's path.
async fn ask(running: &Running, login: &str) -> String {
    let browser = Browser::open(Screen::Desk).await;
    browser.carry(running, login).await;
    let driver = &browser.driver;
    let posts = [
        ("/stations/HQ-DC-01/firmware/log", "log=GetDiagnostics&to="),
        (
            "/stations/HQ-DC-01/firmware/log",
            "log=Diagnostics&to=&log_retries=3",
        ),
        (
            "/stations/HQ-DC-01/firmware/update",
            "location=https://files.example.org/hyc150/4.3.0/firmware-hyc150-4.3.0.bin&retries=2",
        ),
        (
            "/stations/HQ-DC-01/configuration",
            "key=HeartbeatInterval&value=60",
        ),
        ("/stations/HQ-DC-01/security/rotate", ""),
        ("/stations/HQ-DC-01/charging-profiles/clear", "number=3"),
        (
            "/tasks",
            "_action=Reset&type=Soft&_station=HQ-DC-01&_station=HQ-DC-02&_station=WG-AC-01",
        ),
    ];
    driver
        .goto(format!("{}/tasks/new", running.url))
        .await
        .unwrap();
    for (path, form) in posts {
        let post = format!(
            "window.done = 0; fetch('{path}', {{method: 'POST', body: new URLSearchParams('{form}')}})\
             .then((answer) => {{ window.done = answer.url || 1 }})"
        );
        driver.execute(&post, vec![]).await.unwrap();
        browser.until("window.done").await;
    }
    let task = driver
        .execute("return new URL(window.done).pathname", vec![])
        .await
        .unwrap();
    let mut db = running.db.pool.acquire().await.unwrap();
    let station = {
        let mut scoped = store::Scope::All.begin(&running.db.pool).await.unwrap();
        let found = stations_read::get(&mut scoped, "HQ-DC-01").await.unwrap();
        found.unwrap().id
    };
    let now = running.clock.now();
    let outcomes = [
        Outcome::Answered("{}".to_owned()),
        Outcome::Timeout,
        Outcome::Answered(r#"{"status":"Rejected"}"#.to_owned()),
    ];
    for outcome in &outcomes {
        let Some(claimed) = commands::claim(&mut db, station, "m", "node", now)
            .await
            .unwrap()
        else {
            break;
        };
        let ended = Ended {
            id: claimed.id,
            station_id: station,
            message_id: "m",
            action: &claimed.action,
            payload: &claimed.payload,
            sent_at: now,
            outcome,
        };
        commands::end(&mut db, &ended, now).await.unwrap();
    }
    for job in station_jobs::unanswered(&mut db, 10).await.unwrap() {
        let closing = Closing {
            reason: "the station gave no answer",
            may_act: true,
        };
        station_jobs::close(&mut db, &job, closing, now)
            .await
            .unwrap();
    }
    for (serial, pem) in [
        ("5a1684ac46b368811", Some(CERTIFICATE)),
        ("0badcafe0badcafe0badcafe0badcafe", None),
        ("02", None),
    ] {
        let hash = HashData {
            algorithm: "SHA256".to_owned(),
            issuer_name_hash: "3f".repeat(32),
            issuer_key_hash: "a7".repeat(32),
            serial_number: serial.to_owned(),
        };
        let certificate_use = if serial == "02" {
            "CentralSystemRootCertificate"
        } else {
            "ManufacturerRootCertificate"
        };
        installed_certificates::add(&mut db, station, certificate_use, &hash, pem, now)
            .await
            .unwrap();
    }
    task.json().as_str().unwrap().to_owned()
}

async fn lists(db: &mut store::Connection, station: Uuid, now: DateTime<Utc>) {
    for (token, status) in [
        ("04E9117AB25C80", "accepted"),
        ("04A1B2C3D4E5F6", "blocked"),
        ("FLEET-07", "accepted"),
    ] {
        let token = store::id_tokens::IdToken {
            token: token.to_owned(),
            kind: "RFID".to_owned(),
            status: status.to_owned(),
            parent: Some("FAMILY-LIND".to_owned()),
            expires_at: Some(now + TimeDelta::days(90)),
            max_active: None,
            owner: String::new(),
        };
        store::id_tokens::put(db, &token, now).await.unwrap();
    }
    local_lists::subscribe(db, station, true, "all")
        .await
        .unwrap();
    let held = local_lists::wanted(db, station).await.unwrap();
    let sent = local_lists::Sent {
        version: 4,
        full: true,
        held: held[..1].to_vec(),
        removed: vec![],
    };
    local_lists::accepted(db, station, &sent, now)
        .await
        .unwrap();
}

async fn profiles(db: &mut store::Connection, station: Uuid, now: DateTime<Utc>) {
    for (connector, number, stack, purpose, limits) in [
        (0, 1, 0, "ChargePointMaxProfile", [63, 40]),
        (1, 2, 0, "TxDefaultProfile", [32, 16]),
        (1, 3, 2, "TxDefaultProfile", [20, 48]),
    ] {
        let profile = json!({
            "chargingProfileId": number, "stackLevel": stack, "chargingProfilePurpose": purpose,
            "chargingProfileKind": "Absolute", "validTo": now + TimeDelta::hours(3 + i64::from(number)),
            "chargingSchedule": {"chargingRateUnit": "A", "startSchedule": now - TimeDelta::minutes(20),
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limits[0]}, {"startPeriod": 7200, "limit": limits[1]}]},
        });
        let sent = Sent {
            place: Place {
                connector: Some(connector),
                number,
                stack_level: stack,
                purpose: purpose.to_owned(),
                transaction_number: None,
            },
            kind: "Absolute".to_owned(),
            awaits: None,
            profile: profile.to_string(),
            unit: "A".to_owned(),
        };
        charging_profiles::note_answer(db, station, &sent, "Accepted", now)
            .await
            .unwrap();
        charging_profiles::set(db, station, Uuid::nil(), &sent, now)
            .await
            .unwrap();
    }
}
