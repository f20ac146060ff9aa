//! Money, and the upkeep that goes with it: retention, rollups and the mail outbox. It meets the other rooms in the
//! database only. Tariffs, prices, and what an invoice says are pure, and the portal may use them as a library; `pricing`
//! and `invoice` apply them to what is stored.

pub mod books;
pub mod country;
pub mod export;
pub mod feeds;
pub mod invoice;
pub mod jobs;
pub mod lago;
pub mod ocpi;
pub mod pdf;
pub mod price;
pub mod pricing;
pub mod requests;
pub mod serial;
pub mod tariff;
pub mod verify;

use service::{
    clock::Clock,
    config::{self, Retention},
    mail::Mailer,
    shutdown::Shutdown,
};
use store::Pool;

/// What this room needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long messages and meter values are kept.
    pub retention: Retention,
    /// Where prices of others are read from.
    pub feeds: feeds::Reach,
    /// Usage to Lago.
    pub lago: config::Lago,
}

/// Works until the shutdown; what is begun is finished. Any number of processes may run it: mail is claimed, and
/// upkeep and pricing are done by one of them at a time.
pub async fn run(options: Options, pool: Pool, mailer: Mailer, clock: Clock, shutdown: Shutdown) {
    tokio::join!(
        jobs::outbox::send_until_shutdown(&pool, &mailer, &clock, &shutdown),
        jobs::upkeep_until_shutdown(&options, &pool, &clock, &shutdown),
        pricing::until_shutdown(&pool, &clock, &shutdown),
        requests::work_until_shutdown(&pool, &clock, &shutdown),
        sync_until_shutdown(&options, &pool, &clock, &shutdown),
    );
}

async fn sync_until_shutdown(options: &Options, pool: &Pool, clock: &Clock, shutdown: &Shutdown) {
    let cancel = shutdown.soft().clone();
    match lago::Sync::new(&options.lago, pool.clone(), clock.clone(), cancel) {
        Ok(sync) => lago::worker::work_until_shutdown(&sync, shutdown).await,
        Err(error) => tracing::error!(%error, "usage is not sent to Lago"),
    }
}
