//! Which database this process works with: the server of DATABASE_URL, or the private one of the data folder.

use anyhow::{Context, bail};
use service::{
    clock::Clock,
    config::Config,
    postgres::{self, Cluster, ClusterOptions},
};
use store::{Pool, Room, Transaction, partitions};

/// The database's name in a private cluster.
const NAME: &str = "forecourt";

/// A database, and the cluster behind it where that is ours to stop.
#[derive(Debug)]
pub struct Database {
    /// For [`store::pool::connect`].
    pub url: String,
    cluster: Option<Cluster>,
}

impl Database {
    /// The server of DATABASE_URL, or the private cluster of the data folder, started now; with the schema brought up
    /// to date.
    pub async fn start(config: &Config) -> anyhow::Result<Self> {
        let database = match &config.database.url {
            Some(url) => Self {
                url: url.clone(),
                cluster: None,
            },
            None => {
                println!(
                    "==> Starting a private Postgres for {}",
                    config.database.data.display()
                );
                let cluster = Cluster::start(&ClusterOptions::new(&config.database.data)).await?;
                if !cluster
                    .base()
                    .starts_with(config.database.data.canonicalize()?)
                {
                    println!(
                        "    running as root, it lives in {}, where the `postgres` user can reach it",
                        cluster.base().display()
                    );
                }
                Self {
                    url: cluster.url(NAME, None),
                    cluster: Some(cluster),
                }
            }
        };
        let ready = match database.migrate().await {
            Ok(()) => database.make_partitions(config).await,
            failed => failed,
        };
        match ready {
            Ok(()) => Ok(database),
            Err(error) => {
                database.stop().await;
                Err(error)
            }
        }
    }

    /// The server of DATABASE_URL, or the private cluster that another process of this installation runs. Makes nothing.
    pub fn attach(config: &Config) -> anyhow::Result<Self> {
        let url = match &config.database.url {
            Some(url) => url.clone(),
            None => postgres::attach(&config.database.data)?.url(NAME, None),
        };
        Ok(Self { url, cluster: None })
    }

    /// Applies what is missing of the schema, and renews the roles.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        migrations::prepare(&self.url)
            .await
            .with_context(|| self.unusable("migrate"))
    }

    /// Says which migrations are missing, if any: a room refuses to start on them.
    pub async fn expect_migrated(&self) -> anyhow::Result<()> {
        let missing = migrations::pending(&self.url)
            .await
            .with_context(|| self.unusable("reach"))?;
        if !missing.is_empty() {
            bail!(
                "the database lacks these migrations: {}. Run `forecourt migrate` first",
                missing.join(", ")
            );
        }
        Ok(())
    }

    /// Makes the partitions that rows of now need; billing goes on with it daily.
    pub async fn make_partitions(&self, config: &Config) -> anyhow::Result<()> {
        let mut db = self.begin().await?;
        partitions::ensure(
            &mut db,
            config.retention.meter_values,
            Clock::system().now(),
        )
        .await?;
        Ok(db.commit().await?)
    }

    /// A pool for `room`.
    pub fn pool(&self, room: Room, size: u32) -> anyhow::Result<Pool> {
        store::pool::connect(&self.url, room, size).with_context(|| self.unusable("use"))
    }

    /// A transaction as the database's owner.
    pub async fn begin(&self) -> anyhow::Result<Transaction> {
        self.pool(Room::Owner, 1)?
            .begin()
            .await
            .with_context(|| self.unusable("reach"))
    }

    /// A migrated test database.
    #[cfg(test)]
    pub fn at(url: &str) -> Self {
        Self {
            url: url.to_owned(),
            cluster: None,
        }
    }

    /// Stops the cluster, if it is ours.
    pub async fn stop(self) {
        if let Some(cluster) = self.cluster {
            cluster.stop().await;
        }
    }

    /// URLs hold passwords: the message does not.
    fn unusable(&self, verb: &str) -> String {
        match &self.cluster {
            Some(cluster) => format!(
                "cannot {verb} the private database; see {}",
                cluster.base().join("postgres.log").display()
            ),
            None => format!(
                "cannot {verb} the database: is its server running, and does DATABASE_URL name it rightly?"
            ),
        }
    }
}
