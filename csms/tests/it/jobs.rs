//! Firmware and log jobs of `CP1` as the portal makes them: command, row and token in one transaction.

use chrono::TimeDelta;
use serde_json::{Value, json};
use store::files::{self, Purpose};
use store::station_jobs::{self, Kind, NewJob};
use uuid::Uuid;

use crate::commands;
use crate::support::{Server, noon};

/// What is wanted of the station.
pub struct Wanted<'a> {
    pub kind: Kind,
    pub action: &'a str,
    /// As it is sent, but for the requestId of those that have one.
    pub payload: Value,
    /// The image.
    pub file_id: Option<Uuid>,
    /// What opens its file, and for how long.
    pub token: Option<(&'a str, TimeDelta)>,
}

/// Makes it; its id, and its requestId.
pub async fn make(server: &Server, wanted: Wanted<'_>) -> (Uuid, i32) {
    let Wanted { kind, action, .. } = wanted;
    let mut db = server.db.pool.begin().await.unwrap();
    let station = commands::station(&mut db, "CP1").await;
    let request_id = station_jobs::next_request_id(&mut db).await.unwrap();
    let mut payload = wanted.payload;
    if action == "GetLog" || action == "SignedUpdateFirmware" {
        payload["requestId"] = json!(request_id);
    }
    let command_id = commands::queue_with(&mut db, &station, (action, &payload), false).await;
    let new = NewJob {
        station_id: station.id,
        site_id: station.site_id,
        kind,
        action,
        request_id,
        command_id,
        location: None,
        log_type: None,
        file_id: wanted.file_id,
        actor_kind: "cli",
        actor_id: None,
    };
    let job = station_jobs::add(&mut db, &new, noon()).await.unwrap();
    if let Some((token, lasts)) = wanted.token {
        let purpose = match kind {
            Kind::Log => Purpose::Upload,
            Kind::Firmware => Purpose::Download,
        };
        files::add_token(&mut db, token, purpose, job, noon() + lasts)
            .await
            .unwrap();
    }
    db.commit().await.unwrap();
    (job, request_id)
}
