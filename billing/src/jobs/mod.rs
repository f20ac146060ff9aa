//! Regular work, each kind in its own file: a function of the database and the time. This file knows when each is due
//! and sees to it that only one process does it.

pub mod invoices;
pub mod outbox;
pub mod prices;
pub mod retention;
pub mod rollups;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use service::{clock::Clock, shutdown::Shutdown};
use store::{Connection, Pool, job_runs};

use crate::Options;

/// How often this process looks whether something is due.
const LOOK: Duration = Duration::from_secs(10);
/// What failed is tried again after this.
const AGAIN: TimeDelta = TimeDelta::minutes(1);

/// Work that comes round. A new kind is a variant, a file, and an arm in each `match` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Sums for charts.
    Rollups,
    /// Forgetting what is old, and making room for what comes.
    Retention,
    /// Prices that others make.
    Prices,
    /// Statements, corrections, files and mails, what is overdue, anchors of the books.
    Invoices,
    /// Forgetting vouchers whose time is over.
    Vouchers,
}

impl Job {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Rollups,
        Self::Retention,
        Self::Prices,
        Self::Invoices,
        Self::Vouchers,
    ];

    /// As in `job_runs`.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Rollups => "rollups",
            Self::Retention => "retention",
            Self::Prices => "prices",
            Self::Invoices => "invoices",
            Self::Vouchers => "vouchers",
        }
    }

    fn every(self) -> TimeDelta {
        match self {
            Self::Rollups => TimeDelta::minutes(5),
            // Each feed says itself when it is due.
            Self::Prices => TimeDelta::minutes(5),
            Self::Retention | Self::Vouchers => TimeDelta::days(1),
            Self::Invoices => TimeDelta::minutes(15),
        }
    }

    async fn run(
        self,
        pool: &Pool,
        db: &mut Connection,
        options: &Options,
        last: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> store::Result<String> {
        match self {
            Self::Rollups => rollups::run(db, last, now).await,
            Self::Retention => retention::run(db, options.retention, now).await,
            Self::Prices => prices::run(db, &options.feeds, now).await,
            // These take transactions of their own.
            Self::Invoices => invoices::run(pool, last, now).await,
            Self::Vouchers => invoices::forget(pool, now).await,
        }
    }
}

/// Does what is due, until the shutdown.
pub(crate) async fn upkeep_until_shutdown(
    options: &Options,
    pool: &Pool,
    clock: &Clock,
    shutdown: &Shutdown,
) {
    loop {
        if let Err(error) = run_due(options, pool, clock.now()).await {
            tracing::warn!(%error, "upkeep waits for the database");
        }
        tokio::select! {
            () = shutdown.soft().cancelled() => return,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

/// Does what is due at `now`, unless another process is at it. What fails is noted and tried again later; it does not
/// keep the others from running.
///
/// # Errors
/// When the database cannot be asked what is due.
pub async fn run_due(options: &Options, pool: &Pool, now: DateTime<Utc>) -> store::Result<()> {
    let mut db = pool.acquire().await?;
    if !job_runs::take_turn(&mut db).await? {
        return Ok(());
    }
    let result = run_each(options, pool, &mut db, now).await;
    job_runs::end_turn(&mut db).await?;
    result
}

async fn run_each(
    options: &Options,
    pool: &Pool,
    db: &mut Connection,
    now: DateTime<Utc>,
) -> store::Result<()> {
    for job in Job::ALL {
        let run = job_runs::last(db, job.kind()).await?;
        let due = run.as_ref().and_then(|run| run.next_run_at);
        if due.is_some_and(|due| due > now) {
            continue;
        }
        let last = run.and_then(|run| run.last_run_at);
        match job.run(pool, db, options, last, now).await {
            Ok(detail) => {
                tracing::debug!(job.kind = job.kind(), detail, "done");
                job_runs::succeeded(db, job.kind(), now, now + job.every(), &detail).await?;
            }
            Err(error) => {
                tracing::error!(job.kind = job.kind(), %error, "failed");
                job_runs::failed(db, job.kind(), now + AGAIN, &error.to_string()).await?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use service::config::Retention;
    use store::{retention::policies, testing::database};

    fn options() -> Options {
        Options {
            retention: Retention {
                messages: 7,
                meter_values: 400,
            },
            feeds: crate::feeds::Reach {
                folder: std::env::temp_dir(),
                outbound: service::outbound::Outbound::new(false).unwrap(),
            },
            lago: service::config::Lago::default(),
        }
    }

    #[tokio::test]
    async fn every_job_runs_when_due_and_says_so() {
        let db = database().await;
        let now: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let run = async |at| {
            run_due(&options(), &db.pool(store::Room::Billing), at)
                .await
                .unwrap();
            let mut connection = db.pool.acquire().await.unwrap();
            let mut runs = Vec::new();
            for job in Job::ALL {
                runs.push(
                    job_runs::last(&mut connection, job.kind())
                        .await
                        .unwrap()
                        .unwrap(),
                );
            }
            runs
        };
        let first = run(now).await;
        for run in &first {
            assert_eq!(
                (run.ok, run.last_run_at),
                (Some(true), Some(now)),
                "{run:?}"
            );
        }
        let soon = run(now + TimeDelta::minutes(4)).await;
        assert_eq!(soon, first);
        let later = run(now + TimeDelta::minutes(5)).await;
        assert_eq!(later[0].last_run_at, Some(now + TimeDelta::minutes(5)));
        assert_eq!(later[1], first[1]);

        let mut connection = db.pool.acquire().await.unwrap();
        let policies = policies(&mut connection).await.unwrap();
        let days = |entity: &str| {
            policies
                .iter()
                .find(|policy| policy.entity == entity)
                .unwrap()
                .days
        };
        assert_eq!((days("ocpp_messages"), days("meter_values")), (7, 400));
    }

    #[tokio::test]
    async fn only_one_process_does_it() {
        let db = database().await;
        let mut other = db.pool.acquire().await.unwrap();
        assert!(job_runs::take_turn(&mut other).await.unwrap());
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        run_due(&options(), &db.pool, now).await.unwrap();
        assert_eq!(job_runs::last(&mut other, "rollups").await.unwrap(), None);
        job_runs::end_turn(&mut other).await.unwrap();
        run_due(&options(), &db.pool, now).await.unwrap();
        assert!(
            job_runs::last(&mut other, "rollups")
                .await
                .unwrap()
                .is_some()
        );
    }
}
