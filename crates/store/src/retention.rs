//! How long things are kept. The table `retention_policies` says it in days and why; this file knows how each entity is
//! forgotten. An entity of the table that has no arm here is an error, never a silent skip.

use chrono::{DateTime, Days, Utc};
use sqlx::PgConnection;

use crate::{Error, Result, partitions};

/// Rows of one delete: small enough to hold no lock for long.
const BATCH: i64 = 10_000;

/// One row of `retention_policies`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// A table.
    pub entity: String,
    /// Kept for so long.
    pub days: i32,
    /// Why just so long.
    pub why: String,
}

/// Every policy, by entity.
pub async fn policies(db: &mut PgConnection) -> Result<Vec<Policy>> {
    Ok(sqlx::query_as!(
        Policy,
        "select entity, days, why from retention_policies order by entity"
    )
    .fetch_all(db)
    .await?)
}

/// Changes how long `entity` is kept.
pub async fn set_days(db: &mut PgConnection, entity: &str, days: u32) -> Result<()> {
    let days = i32::try_from(days).unwrap_or(i32::MAX);
    sqlx::query!(
        "update retention_policies set days = $2 where entity = $1 and days <> $2",
        entity,
        days
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets what the policy no longer covers; answers how many rows (or, of partitioned tables, partitions) went.
pub async fn apply(db: &mut PgConnection, policy: &Policy, now: DateTime<Utc>) -> Result<u64> {
    let days = u64::try_from(policy.days).unwrap_or(0);
    let horizon = now - Days::new(days);
    if policy.entity == "meter_values" {
        in_batches(db, "meter_values_odd", horizon).await?;
    }
    match policy.entity.as_str() {
        "meter_values" | "ocpp_messages" => {
            let gone = partitions::drop_before(db, &policy.entity, horizon).await?;
            Ok(u64::try_from(gone.len()).unwrap_or(u64::MAX))
        }
        entity => in_batches(db, entity, horizon).await,
    }
}

async fn in_batches(db: &mut PgConnection, entity: &str, horizon: DateTime<Utc>) -> Result<u64> {
    let mut gone = 0;
    loop {
        let batch = one_batch(db, entity, horizon).await?;
        gone += batch;
        if batch < BATCH.unsigned_abs() {
            return Ok(gone);
        }
    }
}

/// `delete from $table where ctid in (…)`: Postgres has no DELETE … LIMIT.
macro_rules! delete {
    ($db:expr, $horizon:expr, $statement:literal) => {
        sqlx::query!($statement, $horizon, BATCH)
            .execute($db)
            .await?
            .rows_affected()
    };
}

async fn one_batch(db: &mut PgConnection, entity: &str, horizon: DateTime<Utc>) -> Result<u64> {
    Ok(match entity {
        "meter_values_odd" => delete!(
            db,
            horizon,
            "delete from meter_values_odd where ctid in
             (select ctid from meter_values_odd where received_at < $1 limit $2)"
        ),
        "events" => delete!(
            db,
            horizon,
            "delete from events where ctid in (select ctid from events where at < $1 limit $2)"
        ),
        "connector_history" => delete!(
            db,
            horizon,
            "delete from connector_history where ctid in
             (select ctid from connector_history where received_at < $1 limit $2)"
        ),
        "refusals" => delete!(
            db,
            horizon,
            "delete from refusals where ctid in (select ctid from refusals where last_at < $1 limit $2)"
        ),
        "sign_in_codes" => delete!(
            db,
            horizon,
            "delete from sign_in_codes where ctid in (select ctid from sign_in_codes where expires_at < $1 limit $2)"
        ),
        "logins" => delete!(
            db,
            horizon,
            "delete from logins where ctid in (select ctid from logins where expires_at < $1 limit $2)"
        ),
        // What is still waiting is not old; it is late. What carries a document is a business letter: see `vouchers`.
        "mail_outbox" => delete!(
            db,
            horizon,
            "delete from mail_outbox where ctid in
             (select ctid from mail_outbox where created_at < $1 and (sent_at is not null or gave_up) and invoice_id is null limit $2)"
        ),
        "jobs" => delete!(
            db,
            horizon,
            "delete from jobs where ctid in
             (select ctid from jobs where coalesce(done_at, failed_at) < $1 limit $2)"
        ),
        "commands" => delete!(
            db,
            horizon,
            "delete from commands where ctid in (select ctid from commands where created_at < $1 limit $2)"
        ),
        "tasks" => delete!(
            db,
            horizon,
            "delete from tasks where ctid in (select ctid from tasks where created_at < $1 limit $2)"
        ),
        "sync_runs" => delete!(
            db,
            horizon,
            "delete from sync_runs where ctid in (select ctid from sync_runs where started_at < $1 limit $2)"
        ),
        "lago_webhooks" => delete!(
            db,
            horizon,
            "delete from lago_webhooks where ctid in (select ctid from lago_webhooks where received_at < $1 limit $2)"
        ),
        "station_jobs" => delete!(
            db,
            horizon,
            "delete from station_jobs where ctid in (select ctid from station_jobs where created_at < $1 limit $2)"
        ),
        "station_job_events" => delete!(
            db,
            horizon,
            "delete from station_job_events where ctid in
             (select ctid from station_job_events where last_at < $1 limit $2)"
        ),
        "security_events" => delete!(
            db,
            horizon,
            "delete from security_events where ctid in
             (select ctid from security_events where received_at < $1 limit $2)"
        ),
        // An image stays until somebody removes it; what was never sent whole does not.
        "files" => delete!(
            db,
            horizon,
            "delete from files where id in
             (select id from files where created_at < $1 and (kind = 'log' or completed_at is null) limit $2)"
        ),
        "file_tokens" => delete!(
            db,
            horizon,
            "delete from file_tokens where ctid in (select ctid from file_tokens where expires_at < $1 limit $2)"
        ),
        "reservations" => delete!(
            db,
            horizon,
            "delete from reservations where ctid in
             (select ctid from reservations where greatest(expires_at, created_at) < $1 limit $2)"
        ),
        "charging_profiles" => delete!(
            db,
            horizon,
            "delete from charging_profiles where ctid in
             (select ctid from charging_profiles where ended_at < $1 limit $2)"
        ),
        unknown => {
            return Err(Error::Corrupt {
                table: "retention_policies",
                column: "entity",
                row: unknown.to_owned(),
                value: "an entity that nobody knows how to forget".to_owned(),
            });
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::database;

    #[tokio::test]
    async fn every_policy_is_known_and_young_rows_stay() {
        let db = database().await;
        let mut db = db.pool.acquire().await.unwrap();
        let now: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        for (identity, days) in [("young", 80), ("old", 100)] {
            sqlx::query("insert into refusals (identity, reason, first_at, last_at) values ($1, 'unknown', $2, $2)")
                .bind(identity)
                .bind(now - Days::new(days))
                .execute(&mut *db)
                .await
                .unwrap();
        }
        let policies = policies(&mut db).await.unwrap();
        assert!(policies.len() >= 9, "{policies:?}");
        for policy in &policies {
            let gone = apply(&mut db, policy, now).await.unwrap();
            if policy.entity == "refusals" {
                assert_eq!(gone, 1);
            }
        }
        let left: Vec<String> = sqlx::query_scalar("select identity from refusals")
            .fetch_all(&mut *db)
            .await
            .unwrap();
        assert_eq!(left, ["young"]);
    }

    #[tokio::test]
    async fn whole_months_of_meter_values_go_and_no_day_too_early() {
        let db = database().await;
        let mut db = db.pool.acquire().await.unwrap();
        let start: DateTime<Utc> = "2025-01-15T00:00:00Z".parse().unwrap();
        partitions::ensure(&mut db, 14, start).await.unwrap();
        set_days(&mut db, "meter_values", 30).await.unwrap();
        let policy = policies(&mut db)
            .await
            .unwrap()
            .into_iter()
            .find(|p| p.entity == "meter_values")
            .unwrap();
        assert_eq!(policy.days, 30);
        let day = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(
            apply(&mut db, &policy, day("2025-03-02T23:59:59Z"))
                .await
                .unwrap(),
            0
        );
        assert_eq!(
            apply(&mut db, &policy, day("2025-03-03T00:00:00Z"))
                .await
                .unwrap(),
            1
        );
    }

    #[tokio::test]
    async fn an_entity_that_nobody_knows_is_an_error() {
        let db = database().await;
        let mut db = db.pool.acquire().await.unwrap();
        let policy = Policy {
            entity: "invoices".to_owned(),
            days: 1,
            why: String::new(),
        };
        let error = apply(&mut db, &policy, "2026-01-01T00:00:00Z".parse().unwrap())
            .await
            .unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
}
