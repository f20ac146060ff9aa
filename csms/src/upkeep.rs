//! What time does to the state that is kept: reservations expire, profiles follow their transactions, lists are pushed, jobs
//! end that nobody will answer.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::{Csms, kept, lists};

/// How often.
const EVERY: Duration = Duration::from_secs(1);

/// Looks after it until the room ends.
pub(crate) async fn run_forever(csms: Arc<Csms>) {
    let mut ticks = tokio::time::interval(EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if let Err(error) = once(&csms, csms.clock.now()).await {
            tracing::debug!(%error, "what is kept of stations could not be looked after");
        }
    }
}

async fn once(csms: &Csms, now: DateTime<Utc>) -> store::Result<()> {
    let mut db = csms.pool.acquire().await?;
    store::reservations::expire(&mut db, now).await?;
    store::charging_profiles::follow_transactions(&mut db, now).await?;
    kept::station_jobs::close_unanswered(&mut db, now).await?;
    drop(db);
    lists::push(&csms.pool, now).await
}
