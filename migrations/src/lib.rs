//! The one schema: numbered SQL files, embedded, applied forward only. Queries live in `store`, not here.

use sha2::{Digest, Sha256};
use sqlx::{
    Connection, PgConnection, Postgres,
    migrate::{MigrateDatabase, Migrator},
};

/// Everything in `sql/`, in order. Roles are not among them: they belong to the cluster.
pub static MIGRATOR: Migrator = sqlx::migrate!("./sql/numbered");

const ROLES: &str = include_str!("../sql/roles.sql");

/// Any number will do, as long as every process takes the same one.
const ROLES_LOCK: i64 = 0x466f_7265_636f_7572;

/// Applies what is missing and renews roles, grants and row policies. Safe to run from several processes at once.
///
/// The connection's user must own the database; the rooms themselves never need to.
pub async fn run(connection: &mut PgConnection) -> Result<(), sqlx::migrate::MigrateError> {
    MIGRATOR.run(&mut *connection).await?;
    let mut roles = connection.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(ROLES_LOCK)
        .execute(&mut *roles)
        .await?;
    sqlx::raw_sql(ROLES).execute(&mut *roles).await?;
    roles.commit().await?;
    Ok(())
}

/// Creates the database at `url` if it is missing, and brings it up to date as [`run`] does.
pub async fn prepare(url: &str) -> Result<(), sqlx::migrate::MigrateError> {
    let mut connection = match PgConnection::connect(url).await {
        Err(error) if is_missing_database(&error) => {
            // Somebody else may create it at the same moment: what counts is that it is there.
            let created = Postgres::create_database(url).await;
            match PgConnection::connect(url).await {
                Ok(connection) => connection,
                Err(_) if created.is_err() => return created.map_err(Into::into),
                Err(error) => return Err(error.into()),
            }
        }
        other => other?,
    };
    run(&mut connection).await
}

fn is_missing_database(error: &sqlx::Error) -> bool {
    const INVALID_CATALOG_NAME: &str = "3D000";
    error
        .as_database_error()
        .and_then(|error| error.code())
        .as_deref()
        == Some(INVALID_CATALOG_NAME)
}

/// A short name for exactly this schema: it changes with every migration and with the roles.
pub fn fingerprint() -> String {
    let mut digest = Sha256::new();
    for migration in MIGRATOR.iter() {
        digest.update(&migration.checksum);
    }
    digest.update(ROLES);
    hex::encode(&digest.finalize()[..8])
}

/// The numbered migrations that this binary brings and the database at `url` lacks; a server refuses to start on any.
pub async fn pending(url: &str) -> Result<Vec<String>, sqlx::Error> {
    let mut connection = PgConnection::connect(url).await?;
    let known: bool = sqlx::query_scalar("select to_regclass('_sqlx_migrations') is not null")
        .fetch_one(&mut connection)
        .await?;
    let applied: Vec<i64> = if known {
        sqlx::query_scalar("select version from _sqlx_migrations where success")
            .fetch_all(&mut connection)
            .await?
    } else {
        Vec::new()
    };
    let missing = MIGRATOR
        .iter()
        .filter(|migration| !applied.contains(&migration.version));
    Ok(missing
        .map(|migration| format!("{:04} {}", migration.version, migration.description))
        .collect())
}
