//! Whose rows a reader may see. No read of site-bound rows compiles without a [`Scoped`] transaction.

use std::ops::{Deref, DerefMut};

use sqlx::{PgConnection, PgTransaction};
use uuid::Uuid;

use crate::{Error, Pool, Result};

/// The sites that a reader may see. The default is nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Scope {
    /// Every site, and what belongs to none: admins, the command line.
    All,
    /// These sites only.
    Sites(Vec<Uuid>),
    /// Nothing.
    #[default]
    Nothing,
}

impl Scope {
    /// Opens a read of this scope. Postgres itself is told, so that a query that forgets the scope finds no rows.
    ///
    /// # Errors
    /// [`Error::Unbound`] for anything less than [`Scope::All`] on a pool whose role the row policies do not bind: it
    /// would be shown everything.
    pub async fn begin<'p>(&self, pool: &'p Pool) -> Result<Scoped<'p>> {
        let mut transaction = pool.begin().await?;
        let bound = sqlx::query_scalar!(
            r#"select row_security_active('stations') as "bound!" from set_config('forecourt.sites', $1, true)"#,
            self.setting()
        )
        .fetch_one(&mut *transaction)
        .await?;
        if !bound && *self != Scope::All {
            return Err(Error::Unbound);
        }
        Ok(Scoped { transaction })
    }

    /// Whether a row of `site` may be seen; a row of no site is for [`Scope::All`] alone.
    pub fn allows(&self, site: Option<Uuid>) -> bool {
        match (self, site) {
            (Scope::All, _) => true,
            (Scope::Sites(sites), Some(site)) => sites.contains(&site),
            _ => false,
        }
    }

    /// The value of `forecourt.sites`, as the row policies read it.
    fn setting(&self) -> String {
        match self {
            Scope::All => "*".to_owned(),
            Scope::Sites(sites) => sites
                .iter()
                .map(Uuid::to_string)
                .collect::<Vec<_>>()
                .join(","),
            Scope::Nothing => String::new(),
        }
    }
}

/// A transaction in which Postgres shows the rows of one [`Scope`] only. Dropping it undoes what was not committed.
pub struct Scoped<'p> {
    transaction: PgTransaction<'p>,
}

impl Scoped<'_> {
    /// Keeps what was written.
    pub async fn commit(self) -> Result<()> {
        Ok(self.transaction.commit().await?)
    }
}

impl Deref for Scoped<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.transaction
    }
}

impl DerefMut for Scoped<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.transaction
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_sees_nothing() {
        let site = Uuid::from_u128(1);
        assert!(!Scope::default().allows(Some(site)));
        assert!(!Scope::Sites(vec![site]).allows(None));
        assert!(!Scope::Sites(vec![site]).allows(Some(Uuid::from_u128(2))));
        assert!(Scope::Sites(vec![site]).allows(Some(site)));
        assert!(Scope::All.allows(None));
    }

    /// What the portal reads before it knows who asks, or to anybody who is signed in: no rows of a site, a customer or a
    /// driver. What is not named here has row policies.
    const OPEN: &[&str] = &[
        "_sqlx_migrations",
        "api_keys",
        "audit_log",
        "csms_nodes",
        "driver_groups",
        "holidays",
        "id_tokens",
        "job_runs",
        "jobs",
        "legal_entities",
        "logins",
        "mail_outbox",
        "model_habits",
        "price_feed_hours",
        "price_feeds",
        "reader_positions",
        "refusals",
        "retention_policies",
        "session_tariffs",
        "sign_in_codes",
        "site_memberships",
        "tariff_assignments",
        "tariff_versions",
        "tariffs",
        "users",
        "voucher_retention",
    ];

    #[tokio::test]
    async fn what_the_portal_reads_without_a_scope_is_named() {
        let db = crate::testing::database().await;
        let mut db = db.pool.acquire().await.unwrap();
        let open: Vec<String> = sqlx::query_scalar(
            "select c.relname::text from pg_class c
             where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition
               and not c.relrowsecurity and has_table_privilege('forecourt_portal', c.oid, 'select')
             order by 1",
        )
        .fetch_all(&mut *db)
        .await
        .unwrap();
        assert_eq!(open, OPEN);
    }

    /// Whatever a query says: with a station would go all that hangs on it.
    #[tokio::test]
    async fn a_station_that_was_accepted_cannot_be_deleted_by_the_portal() {
        let test = crate::testing::database().await;
        let mut db = test.pool.acquire().await.unwrap();
        let rows = "
            insert into stations (id, identity, registration, created_at, first_accepted_at) values
                (gen_random_uuid(), 'WAITS', 'pending', now(), null),
                (gen_random_uuid(), 'WAITS-AGAIN', 'pending', now(), now()),
                (gen_random_uuid(), 'BLOCKED', 'rejected', now(), null),
                (gen_random_uuid(), 'IN', 'accepted', now(), now());";
        sqlx::raw_sql(rows).execute(&mut *db).await.unwrap();
        let pool = test.pool(crate::Room::Portal);
        let mut portal = Scope::All.begin(&pool).await.unwrap();
        let gone: Vec<String> = sqlx::query_scalar("delete from stations returning identity")
            .fetch_all(&mut *portal)
            .await
            .unwrap();
        assert_eq!(gone, ["WAITS"]);
    }

    #[tokio::test]
    async fn customers_and_what_lago_knows_are_for_readers_of_everything() {
        let test = crate::testing::database().await;
        let mut db = test.pool.acquire().await.unwrap();
        let rows = "
            insert into customers (id, name, created_at) values (gen_random_uuid(), 'Ada', now());
            insert into tag_mappings (id, id_token, customer_id, created_at, updated_at)
                select gen_random_uuid(), '04A1', id, now(), now() from customers;
            insert into sync_runs (cause, started_at) values ('start', now());
            insert into sync_run_log (run_id, at, level, line) select id, now(), 'info', 'x' from sync_runs;
            insert into sync_requests (requested_at, source) values (now(), 'x');
            insert into lago_webhooks (unique_key, received_at, webhook_type, algorithm, body)
                values ('k', now(), 'x', 'hmac', '{}');";
        sqlx::raw_sql(rows).execute(&mut *db).await.unwrap();
        let pool = test.pool(crate::Room::Portal);
        let site = Scope::Sites(vec![Uuid::from_u128(1)]);
        for (scope, expected) in [(Scope::Nothing, 0), (site, 0), (Scope::All, 8)] {
            let mut db = scope.begin(&pool).await.unwrap();
            let seen: i64 = sqlx::query_scalar(
                "select (select count(*) from customers) + (select count(*) from tag_mappings)
                   + (select count(*) from sync_runs) + (select count(*) from sync_run_log)
                   + (select count(*) from sync_requests) + (select count(*) from lago_webhooks)
                   + (select count(*) from lago_link) + (select count(*) from lago_gate)",
            )
            .fetch_one(&mut *db)
            .await
            .unwrap();
            assert_eq!(seen, expected, "{scope:?}");
        }
    }
}
