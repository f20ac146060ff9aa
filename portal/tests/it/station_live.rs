//! Every tab of a station changes by itself when what it shows does: what is on the page before is read, then something
//! happens, and the stream brings it.

use axum::http::Method;
use chrono::TimeDelta;
use futures_util::future::join_all;
use serde_json::json;
use store::{
    installed_certificates::{self, HashData},
    local_lists::{self, Chosen},
    people::Role,
    reservations::{self, Asked, Said},
    security_events::{self, NewEvent, Source},
};
use uuid::Uuid;

use crate::{
    data,
    events::Stream,
    harness::{BOTH, Portal},
    support::Fleet,
};

/// A tab, a part of it, and what that says only once [`happen`] happened.
const TABS: [(&str, &str, &str); 13] = [
    ("", "cards", "GroundFailure"),
    ("commands", "commands", "GetDiagnostics"),
    ("configuration", "standing", "Last read"),
    ("configuration", "keys", "HeartbeatInterval"),
    ("charging-profiles", "composite", "now 16 A"),
    ("charging-profiles", "profiles", "TxDefault"),
    ("local-list", "standing", "it keeps no list"),
    ("local-list", "tokens", "TAG9"),
    ("reservations", "reservations", "TAG9"),
    ("firmware", "station-jobs", "GetDiagnostics"),
    ("security", "trust", "0badcafe"),
    ("security", "doings", "MemoryExhaustion"),
    ("history", "history", "GroundFailure"),
];

#[tokio::test]
async fn every_tab_shows_a_change_without_being_asked_again() {
    let portal = Portal::start().await;
    let site = portal.site("North").await;
    let station = data::charged(&portal, Some(site), "CP1", 7)
        .await
        .station_id;
    let who = portal
        .signed_in("n@example.org", Role::Operator, &[site])
        .await;
    let mut streams = Vec::new();
    for (tab, part, said) in TABS {
        let query = format!("topics=station&identity=CP1&tab={tab}");
        let mut stream = Stream::open(&portal, &who, &query, None).await;
        let (_, before) = stream.next(part).await;
        assert!(!before.contains(said), "{tab} {part}: {before}");
        streams.push((stream, part, said));
    }
    happen(&portal, site, station).await;
    let all = streams
        .iter_mut()
        .map(|(stream, part, said)| stream.until(part, said));
    join_all(all).await;
}

/// Something of everything that is kept of a station.
async fn happen(portal: &Portal, site: Uuid, station: Uuid) {
    let now = portal.clock.now();
    let fleet = Fleet::new(&portal.db.pool, now).await;
    fleet
        .status(now, (station, 1), "Faulted", "GroundFailure", None)
        .await;
    let key = portal.key(BOTH, &[]).await;
    let log = json!({"log": "Diagnostics"});
    key.json(Method::POST, "/api/v1/stations/CP1/log-jobs", &log)
        .await;
    key.json(Method::PUT, "/api/v1/id-tokens/TAG9", &json!({}))
        .await;

    let mut db = portal.db.pool.acquire().await.unwrap();
    data::heartbeat_is_known(&mut db, station, now).await;
    let schedule = json!({"startSchedule": "2026-11-20T11:00:00Z",
                          "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}]});
    data::profile_is_set(&mut db, station, (3, schedule), now).await;
    local_lists::version_said(&mut db, station, -1, now)
        .await
        .unwrap();
    local_lists::choose(&mut db, Chosen::Site(site), &["TAG9".to_owned()])
        .await
        .unwrap();
    let said = Said {
        number: 1,
        connector: 1,
        id_token: "TAG9".to_owned(),
        parent: None,
        expires_at: now + TimeDelta::hours(1),
    };
    let asked = Asked {
        station_id: station,
        site_id: Some(site),
        command_id: Uuid::from_u128(1),
        actor_kind: "system",
        actor_id: None,
    };
    reservations::ask(&mut db, &asked, &said, now)
        .await
        .unwrap();
    let hash = HashData {
        algorithm: "SHA256".to_owned(),
        issuer_name_hash: "aa".to_owned(),
        issuer_key_hash: "bb".to_owned(),
        serial_number: "0badcafe".to_owned(),
    };
    let root = "ManufacturerRootCertificate";
    installed_certificates::add(&mut db, station, root, &hash, None, now)
        .await
        .unwrap();
    let event = NewEvent {
        station_id: station,
        kind: "MemoryExhaustion".to_owned(),
        tech_info: None,
        at: None,
        received_at: now,
        critical: true,
        source: Source::Server,
    };
    security_events::note(&mut db, &[&event]).await.unwrap();
}
