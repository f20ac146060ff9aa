//! Which database this process works with: the server of DATABASE_URL, or the private one of the data folder.

use anyhow::{Context, bail};
use service::{
    config::Config,
    postgres::{self, Cluster, ClusterOptions},
};
use store::{Pool, Room, Transaction};

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
        if let Err(error) = database.migrate().await {
            database.stop().await;
            return Err(error);
        }
        Ok(database)
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
