//! A fresh migrated database for each test. One private cluster serves all test processes of a run: the first one
//! starts it, and it ends by itself some seconds after the last one. DATABASE_URL and `.env` are never read.

use std::{
    fs::File,
    io,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use nix::sys::statvfs::statvfs;
use service::{
    clock::Clock,
    postgres::{self, Address, Cluster, ClusterOptions},
};
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::{Pool, Room, partitions, pool};

/// Meter values as old as this find their partition in a test.
const RETENTION_DAYS: u32 = 62;
/// Bytes that the databases of a run may take at once.
const ROOM: u64 = 4 << 30;
/// Connections of a test's pool: a test is one person, not a fleet.
const POOL: u32 = 8;

/// Ends the cluster when no test process has been there for a while: `$1` is the file that each of them holds
/// locked, `$2` the cluster's folder.
const GUARDIAN: &str = r#"
while sleep 20; do
    flock --nonblock --exclusive "$1" sh -c '
        server=$(head -n 1 "$1/pgdata/postmaster.pid")
        if [ "$(readlink "/proc/$server/cwd")" = "$1/pgdata" ]; then
            kill -INT "$server"
            for _ in $(seq 100); do [ -e "$1/pgdata/postmaster.pid" ] || break; sleep 0.1; done
        fi
        rm -rf "$1"' guardian "$2" && exit
done
"#;

/// A database of one test's own. It is dropped with this value.
#[derive(Debug)]
pub struct TestDb {
    /// For programs that connect by themselves.
    pub url: String,
    /// Connections as the database's owner. As a room: [`TestDb::pool`].
    pub pool: Pool,
    name: String,
    address: Address,
}

/// A fresh database with every migration applied and nothing in it.
///
/// # Panics
/// When there is none to be had; the message says what to install.
pub async fn database() -> TestDb {
    static CLUSTER: OnceCell<Shared> = OnceCell::const_new();
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let shared = CLUSTER.get_or_init(Shared::join).await;
    let name = format!(
        "test_{}_{}",
        std::process::id(),
        COUNT.fetch_add(1, Ordering::Relaxed)
    );
    let mut admin = admin(&shared.address).await;
    execute(
        &mut admin,
        format!("create database {name} template {}", shared.template),
    )
    .await;
    let url = shared.address.url(&name, None);
    TestDb {
        pool: pool::connect(&url, Room::Owner, POOL).expect("the launcher's URLs are valid"),
        url,
        name,
        address: shared.address.clone(),
    }
}

/// A private migrated cluster in `options`' folder, for tests that break the server itself.
///
/// # Panics
/// When it cannot be started or migrated.
pub async fn cluster(options: &ClusterOptions) -> Cluster {
    let cluster = Cluster::start(options)
        .await
        .expect("start a private Postgres");
    migrate(&cluster.url("postgres", None)).await;
    cluster
}

/// An accepted station without a password.
pub async fn station(
    db: &mut PgConnection,
    identity: &str,
    site_id: Option<uuid::Uuid>,
    now: chrono::DateTime<chrono::Utc>,
) -> uuid::Uuid {
    let station = crate::stations::NewStation {
        identity,
        site_id,
        registration: crate::stations::Registration::Accepted,
        security_profile: 0,
        password_hash: None,
    };
    crate::stations::add(db, &station, now)
        .await
        .expect("the identity is free")
}

impl TestDb {
    /// How many rows each table has.
    ///
    /// # Panics
    /// Never for a database made here.
    pub async fn rows(&self) -> std::collections::BTreeMap<String, i64> {
        let mut db = self.pool.acquire().await.expect("a connection");
        let tables: Vec<String> = sqlx::query_scalar(
            "select tablename::text from pg_tables where schemaname = 'public' order by tablename",
        )
        .fetch_all(&mut *db)
        .await
        .expect("the tables");
        let mut rows = std::collections::BTreeMap::new();
        for table in tables {
            let count = format!("select count(*) from {table}");
            let count = sqlx::query_scalar(AssertSqlSafe(count));
            let count: i64 = count.fetch_one(&mut *db).await.expect("a count");
            rows.insert(table, count);
        }
        rows
    }

    /// The tables with a row that holds this text anywhere.
    pub async fn tables_with(&self, text: &str) -> Vec<String> {
        let mut db = self.pool.acquire().await.expect("a connection");
        let tables: Vec<String> = sqlx::query_scalar(
            "select tablename::text from pg_tables where schemaname = 'public' order by tablename",
        )
        .fetch_all(&mut *db)
        .await
        .expect("the tables");
        let mut found = Vec::new();
        for table in tables {
            let holds =
                format!("select exists (select from {table} t where position($1 in t::text) > 0)");
            let holds: bool = sqlx::query_scalar(AssertSqlSafe(holds))
                .bind(text)
                .fetch_one(&mut *db)
                .await
                .expect("a look into the table");
            if holds {
                found.push(table);
            }
        }
        found
    }

    /// Whether a table has no row.
    pub async fn is_empty(&self, table: &'static str) -> bool {
        let none = format!("select not exists (select from {table})");
        sqlx::query_scalar(AssertSqlSafe(none))
            .fetch_one(&self.pool)
            .await
            .expect("a look into the table")
    }

    /// Connections as `room`, with the rights and row policies of its role.
    ///
    /// # Panics
    /// Never for a database made here.
    pub fn pool(&self, room: Room) -> Pool {
        pool::connect(&self.url, room, POOL).expect("the launcher's URLs are valid")
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (address, name) = (self.address.clone(), self.name.clone());
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.expect("start a runtime").block_on(async {
                let mut admin = admin(&address).await;
                execute(
                    &mut admin,
                    format!("drop database if exists {name} with (force)"),
                )
                .await;
            });
        })
        .join();
        // A second panic would hide why the test failed.
        assert!(
            dropped.is_ok() || std::thread::panicking(),
            "could not drop {}",
            self.name
        );
    }
}

/// This process's part in the run's cluster.
struct Shared {
    address: Address,
    template: String,
    /// Locked as long as the process lives: the guardian's sign that the cluster is needed.
    _user: File,
}

impl Shared {
    async fn join() -> Self {
        let folder = folder();
        std::fs::create_dir_all(&folder).expect("make the folder of the test cluster");
        let user = open(&folder.join("users"));
        user.lock_shared().expect("lock the test cluster");
        let one_at_a_time = open(&folder.join("starting"));
        one_at_a_time
            .lock()
            .expect("lock the start of the test cluster");

        let data = folder.join("data");
        let address = match postgres::attach(&data) {
            Ok(address) => address,
            Err(_) => start(&folder, &data).await,
        };
        let template = format!("template_{}", migrations::fingerprint());
        make_template(&address, &template).await;
        Self {
            address,
            template,
            _user: user,
        }
    }
}

/// In memory where there is room for it, a folder for each build, so that two checkouts do not meet. On a disk the kernel
/// is busiest: each database is two thousand files that are made and soon deleted.
fn folder() -> PathBuf {
    let beside_the_build = beside_the_build();
    let memory = Path::new("/dev/shm");
    let room = statvfs(memory).map_or(0, |found| found.blocks_available() * found.fragment_size());
    if room < ROOM {
        return beside_the_build;
    }
    let build = Sha256::digest(beside_the_build.as_os_str().as_encoded_bytes());
    memory.join(format!("test-postgres-{}", hex::encode(&build[..6])))
}

/// `<target>/tmp/test-postgres`.
fn beside_the_build() -> PathBuf {
    let program = std::env::current_exe().expect("a process knows its program");
    program
        .ancestors()
        .find(|folder| folder.ends_with("deps"))
        .and_then(|deps| deps.ancestors().nth(2))
        .map_or_else(std::env::temp_dir, |target| target.join("tmp"))
        .join("test-postgres")
}

fn open(path: &Path) -> File {
    File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Starts the cluster anew: what an unclean end left in the folder was written without fsync and is not worth a look.
#[expect(
    clippy::zombie_processes,
    reason = "the guardian outlives this process on purpose"
)]
async fn start(folder: &Path, data: &Path) -> Address {
    for leftover in [
        data.to_owned(),
        postgres::base(data).unwrap_or_else(|| data.to_owned()),
    ] {
        match std::fs::remove_dir_all(&leftover) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                panic!("{}: {error}", leftover.display())
            }
            _ => {}
        }
    }
    let cluster = Cluster::start(&ClusterOptions::throwaway(data)).await;
    let cluster = cluster.unwrap_or_else(|error| panic!("no database for tests: {error}"));
    let base = cluster.base().to_owned();
    let address = cluster.leave_running().await;
    Command::new("sh")
        .args(["-c", GUARDIAN, "guardian"])
        .args([folder.join("users"), base])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("run sh");
    address
}

/// The database that every test's is cloned from. Made under another name first: half a template is none.
async fn make_template(address: &Address, template: &str) {
    let mut admin = admin(address).await;
    let found: Option<bool> = sqlx::query_scalar("select true from pg_database where datname = $1")
        .bind(template)
        .fetch_optional(&mut admin)
        .await
        .expect("list the databases");
    if found.is_some() {
        return;
    }
    execute(
        &mut admin,
        "drop database if exists unfinished with (force)".to_owned(),
    )
    .await;
    execute(&mut admin, "create database unfinished".to_owned()).await;
    migrate(&address.url("unfinished", None)).await;
    execute(
        &mut admin,
        format!("alter database unfinished rename to {template}"),
    )
    .await;
}

async fn migrate(url: &str) {
    let mut connection = PgConnection::connect(url)
        .await
        .expect("connect to the test database");
    migrations::run(&mut connection)
        .await
        .expect("migrate the test database");
    partitions::ensure(&mut connection, RETENTION_DAYS, Clock::system().now())
        .await
        .expect("make the partitions");
    connection.close().await.expect("leave the test database");
}

async fn admin(address: &Address) -> PgConnection {
    PgConnection::connect(&address.url("postgres", None))
        .await
        .expect("connect to the test cluster")
}

/// Statements on databases take no parameters; their names are made here, of letters, digits and `_`.
async fn execute(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement.clone()))
        .execute(connection)
        .await
        .unwrap_or_else(|error| panic!("{statement}: {error}"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_test_has_a_database_of_its_own() {
        let (one, other) = (database().await, database().await);
        let sites = "select count(*) from sites";
        sqlx::query(
            "insert into sites (id, name, time_zone) values (gen_random_uuid(), 'North', 'UTC')",
        )
        .execute(&one.pool)
        .await
        .unwrap();
        let count = async |db: &TestDb| -> i64 {
            sqlx::query_scalar(sites).fetch_one(&db.pool).await.unwrap()
        };
        assert_eq!((count(&one).await, count(&other).await), (1, 0));
        let portal: i64 = sqlx::query_scalar(sites)
            .fetch_one(&one.pool(Room::Portal))
            .await
            .unwrap();
        assert_eq!(portal, 0, "without a scope the portal sees nothing");
    }

    #[tokio::test]
    async fn a_database_goes_when_its_test_ends() {
        let db = database().await;
        let (name, mut admin) = (db.name.clone(), admin(&db.address).await);
        db.pool.acquire().await.unwrap();
        drop(db);
        let left: i64 = sqlx::query_scalar("select count(*) from pg_database where datname = $1")
            .bind(name)
            .fetch_one(&mut admin)
            .await
            .unwrap();
        assert_eq!(left, 0);
    }

    #[tokio::test]
    async fn a_database_in_use_may_be_migrated_again() {
        let db = database().await;
        for _ in 0..2 {
            migrations::prepare(&db.url).await.unwrap();
        }
        assert_eq!(
            migrations::pending(&db.url).await.unwrap(),
            Vec::<String>::new()
        );
    }
}
