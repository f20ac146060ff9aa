//! The worker: runs by the schedule, when asked for, when meters have enough to say, and when Lago is worth another try.
//! Any number of processes may have one; one works at a time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use service::{config::Cadence, shutdown::Shutdown};
use store::{
    bell::Doorbell,
    job_runs,
    lago::{
        link,
        runs::{self, Cause},
    },
};

use super::{
    Sync,
    cadence::{self, Tier},
    reconcile,
    run::Wanted,
};

/// How often it looks whether something is due that nobody rings for.
const LOOK: Duration = Duration::from_secs(10);
/// After the database was away.
const PAUSE: Duration = Duration::from_secs(5);

/// Works until the shutdown; a run that is under way ends between two batches.
pub async fn work_until_shutdown(sync: &Sync, shutdown: &Shutdown) {
    let mut next = sync.settings.schedule.after(sync.clock.now());
    let mut first = true;
    let mut bell = Doorbell::new(&sync.pool, &[runs::CHANNEL]);
    while !shutdown.soft().is_cancelled() {
        let now = sync.clock.now();
        let is_tick = next.is_some_and(|next| next <= now);
        if is_tick {
            next = sync.settings.schedule.after(now);
        }
        let looked = look(sync, first, is_tick, now).await;
        if let Err(error) = &looked {
            tracing::warn!(%error, "the sync waits for the database");
        }
        first = first && looked.is_err();
        let pause = if looked.is_ok() { LOOK } else { PAUSE };
        let pause = next.map_or(pause, |next| {
            pause.min((next - now).to_std().unwrap_or_default())
        });
        tokio::select! {
            () = shutdown.soft().cancelled() => {}
            _ = bell.wait(pause) => {}
        }
    }
}

/// Does what is due now.
///
/// # Errors
/// Those of the database.
pub async fn look(
    sync: &Sync,
    first: bool,
    is_tick: bool,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let run = cause(sync, first, is_tick, now).await?;
    // Also without a cause of our own: others may have asked.
    let asked = first || run.is_some() || is_asked(sync).await?;
    if asked {
        let wanted = Wanted {
            run,
            replay: None,
            whole: first,
        };
        sync.turn(wanted).await?;
    }
    reconcile_if_due(sync, now).await
}

async fn cause(
    sync: &Sync,
    first: bool,
    is_tick: bool,
    now: DateTime<Utc>,
) -> store::Result<Option<Cause>> {
    if first && sync.settings.on_startup {
        return Ok(Some(Cause::Start));
    }
    if is_tick && is_worth_a_run(sync, now).await? {
        return Ok(Some(Cause::Schedule));
    }
    let mut db = sync.pool.acquire().await?;
    let link = link::load(&mut db).await?;
    if link.circuit != "closed" && link.next_try_at.is_some_and(|at| at <= now) {
        return Ok(Some(Cause::Schedule));
    }
    Ok(sync.settings.meter.map(|_| Cause::Meter))
}

/// Whether a tick of the schedule is a run.
async fn is_worth_a_run(sync: &Sync, now: DateTime<Utc>) -> store::Result<bool> {
    if sync.settings.cadence == Cadence::Cron {
        return Ok(true);
    }
    let last = sync.last_run().await?;
    let mut db = sync.pool.acquire().await?;
    let link = link::load(&mut db).await?;
    let busy = link::is_busy(&mut db, last.unwrap_or(DateTime::UNIX_EPOCH)).await?;
    let before = Tier::parse(&link.cadence);
    let due = busy || before.is_due(last, now);
    if due {
        let (tier, quiet) = cadence::look(before, link.quiet_looks, busy);
        link::save_cadence(&mut db, tier.as_str(), quiet).await?;
    }
    Ok(due)
}

async fn is_asked(sync: &Sync) -> store::Result<bool> {
    let mut db = sync.pool.acquire().await?;
    Ok(!runs::requests(&mut db).await?.is_empty())
}

/// The night's comparison; what fails is tried again the next hour.
async fn reconcile_if_due(sync: &Sync, now: DateTime<Utc>) -> store::Result<()> {
    if sync.client.is_none() {
        return Ok(());
    }
    let mut db = sync.pool.acquire().await?;
    let run = job_runs::last(&mut db, reconcile::JOB).await?;
    let waits = run
        .as_ref()
        .and_then(|run| run.next_run_at)
        .is_some_and(|next| next > now);
    let last = run.and_then(|run| run.last_run_at);
    if waits || !reconcile::is_due(last, now) || !runs::take_turn(&mut db).await? {
        return Ok(());
    }
    let hour = chrono::TimeDelta::hours(1);
    let noted = match reconcile::run(sync, now).await {
        Ok(detail) => job_runs::succeeded(&mut db, reconcile::JOB, now, now + hour, &detail).await,
        Err(error) => {
            tracing::error!(error, "Lago could not be compared with");
            job_runs::failed(&mut db, reconcile::JOB, now + hour, &error).await
        }
    };
    runs::end_turn(&mut db).await?;
    noted
}
