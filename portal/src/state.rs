//! What every handler can reach.

use std::sync::Arc;

use service::clock::Clock;
use store::Pool;

use crate::Config;

/// The portal as a value; tests build the same.
#[derive(Debug)]
pub struct App {
    /// Its settings.
    pub config: Config,
    /// Connections as `forecourt_portal`: without a scope they see no row of a site.
    pub pool: Pool,
    /// What time it is.
    pub clock: Clock,
}

/// What handlers take as `State<AppState>`.
pub type AppState = Arc<App>;

impl App {
    /// A portal on `pool`, which must be one of [`store::Room::Portal`].
    pub fn new(config: Config, pool: Pool, clock: Clock) -> AppState {
        Arc::new(App {
            config,
            pool,
            clock,
        })
    }
}
