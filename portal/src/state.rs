//! What every handler can reach.

use std::sync::Arc;

use service::clock::Clock;
use store::{Pool, Pooled};
use tokio::sync::Semaphore;

use crate::{Config, Result, answers::Answers, lago::Lago, limits::Limits, live::Hub};

/// Exports at a time.
const EXPORTS: usize = 3;

/// The portal as a value; tests build the same.
#[derive(Debug)]
pub struct App {
    /// Its settings.
    pub config: Config,
    /// Connections as `forecourt_portal`: without a scope they see no row of a site.
    pub pool: Pool,
    /// What time it is.
    pub clock: Clock,
    /// Who waits for stations to answer.
    pub answers: Answers,
    /// What the live pages hear of.
    pub live: Hub,
    /// Turns for those who download long tables: each holds a connection for as long as it takes.
    pub exports: Arc<Semaphore>,
    /// How often one may ask.
    pub limits: Limits,
    /// What is asked of Lago, and how its webhooks are known.
    pub lago: Lago,
}

/// What handlers take as `State<AppState>`.
pub type AppState = Arc<App>;

impl App {
    /// A portal on `pool`, which must be one of [`store::Room::Portal`].
    pub fn new(config: Config, pool: Pool, clock: Clock) -> AppState {
        Arc::new(App {
            limits: Limits::new(config.rates),
            lago: Lago::new(&config.lago),
            config,
            pool,
            clock,
            answers: Answers::default(),
            live: Hub::default(),
            exports: Arc::new(Semaphore::new(EXPORTS)),
        })
    }

    /// A connection for rows that belong to no site: people, keys, tokens. Rows of sites are read through
    /// [`store::Scope::begin`] alone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn connection(&self) -> Result<Pooled> {
        Ok(self.pool.acquire().await.map_err(store::Error::from)?)
    }
}
