//! Commands that nobody ordered: what a station is asked after it booted, what it is reminded of after a reconnect, and the
//! remote starts that some stations need. Each is a switch of the station, and off unless it was turned on: some stations
//! reboot when they are asked for too much.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use store::commands::NewCommand;
use store::ingest::Status;

use crate::Csms;
use crate::kept::configuration;
use crate::ops::Seated;

/// How long an automatic command may wait: the station is there now.
const EXPIRES: TimeDelta = TimeDelta::minutes(10);
/// How long a remote start that was refused is kept for a vehicle that is plugged in late.
const INTENT: TimeDelta = TimeDelta::minutes(5);
/// Two automatic starts at a connector are at least so far apart: stations repeat their states.
const APART: TimeDelta = TimeDelta::minutes(2);
/// What a station did not say since it is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence {
    /// No BootNotification.
    pub(crate) boot: bool,
    /// No StatusNotification.
    pub(crate) status: bool,
}

/// Asks a station for its configuration after an accepted boot.
pub(crate) fn after_boot(csms: &Arc<Csms>, seated: &Arc<Seated>) {
    if seated.station.options.boot_calls {
        let (csms, seated) = (csms.clone(), seated.clone());
        beside(async move { ask(&csms, &seated).await });
    }
}

/// Reminds a station of what it should have said after it connected again (quirk 9).
pub(crate) fn after_silence(csms: &Arc<Csms>, seated: &Arc<Seated>, silence: Silence) {
    if seated.station.options.boot_calls && (silence.boot || silence.status) {
        let (csms, seated) = (csms.clone(), seated.clone());
        beside(async move { remind(&csms, &seated, silence).await });
    }
}

/// Starts at a connector where a vehicle was plugged in, if this station takes no start before.
pub(crate) fn after_status(csms: &Arc<Csms>, seated: &Arc<Seated>, status: &Status) {
    let starts = seated.station.options.starts_when_plugged();
    if starts && status.status == "Preparing" && status.evse > 0 {
        let (csms, seated, connector) = (csms.clone(), seated.clone(), status.evse);
        beside(async move { start(&csms, &seated, connector).await });
    }
}

/// Does it beside the connection, which waits for nothing but its station.
fn beside(work: impl Future<Output = store::Result<()>> + Send + 'static) {
    tokio::spawn(async move {
        if let Err(error) = work.await {
            tracing::warn!(%error, "an automatic command could not be queued");
        }
    });
}

/// A question of ours that the station's last socket did not outlive was too much for it (quirk 40).
async fn ask(csms: &Csms, seated: &Seated) -> store::Result<()> {
    let (station, now) = (&seated.station, csms.clock.now());
    let mut tx = csms.pool.begin().await?;
    let pending = store::commands::withdraw_unborne(&mut tx, station.id, now).await?;
    let limits = store::limits::of(&mut tx, station.id).await?;
    let noted = limits.iter().any(|what| what == "GetConfiguration");
    if noted {
        // What is learned of it takes the place of that note.
        store::limits::forget(&mut tx, station.id, "GetConfiguration").await?;
    }
    let of = (station.id, station.site_id);
    configuration::ask_all(&mut tx, of, pending || noted, now).await?;
    Ok(tx.commit().await?)
}

async fn remind(csms: &Csms, seated: &Seated, silence: Silence) -> store::Result<()> {
    let mut db = csms.pool.acquire().await?;
    let limits = store::limits::of(&mut db, seated.station.id).await?;
    let can = |what: &str| !limits.iter().any(|limit| limit == what);
    for (message, missing) in [
        ("BootNotification", silence.boot),
        ("StatusNotification", silence.status),
    ] {
        if missing && can("TriggerMessage") && can(&format!("TriggerMessage/{message}")) {
            let payload = json!({ "requestedMessage": message }).to_string();
            queue(
                &mut db,
                seated,
                "TriggerMessage",
                &payload,
                csms.clock.now(),
            )
            .await?;
        }
    }
    Ok(())
}

/// What was refused before the vehicle was there (quirk 44), else what always starts here (quirk 43).
async fn start(csms: &Csms, seated: &Seated, connector: i32) -> store::Result<()> {
    let (options, station, now) = (&seated.station.options, seated.station.id, csms.clock.now());
    let mut db = csms.pool.acquire().await?;
    if options.remote_start_waits {
        let since = now - INTENT;
        let refused = store::commands::refused_start(&mut db, station, connector, since).await?;
        if let Some((id, payload)) = refused {
            let again = NewCommand {
                rerun_of: Some(id),
                ..system(seated, "RemoteStartTransaction", &payload, now)
            };
            store::commands::queue(&mut db, &again, now).await?;
            return Ok(());
        }
    }
    let Some(tag) = &options.auto_start_tag else {
        return Ok(());
    };
    if store::commands::may_start(&mut db, station, connector, now - APART).await? {
        let payload = json!({ "connectorId": connector, "idTag": tag }).to_string();
        queue(&mut db, seated, "RemoteStartTransaction", &payload, now).await?;
    }
    Ok(())
}

async fn queue(
    db: &mut store::Connection,
    seated: &Seated,
    action: &str,
    payload: &str,
    now: DateTime<Utc>,
) -> store::Result<()> {
    store::commands::queue(db, &system(seated, action, payload, now), now).await?;
    Ok(())
}

fn system<'a>(
    seated: &Seated,
    action: &'a str,
    payload: &'a str,
    now: DateTime<Utc>,
) -> NewCommand<'a> {
    NewCommand {
        station_id: seated.station.id,
        site_id: seated.station.site_id,
        action,
        payload,
        raw: false,
        actor_kind: "system",
        actor_id: None,
        expires_at: now + EXPIRES,
        rerun_of: None,
        task_id: None,
    }
}
