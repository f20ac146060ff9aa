//! Doorbells: LISTEN on a connection of its own. A bell only says that there is more; the rows are the truth, and whoever
//! listens also looks from time to time.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::{sleep, timeout};

use crate::{Pool, Result};

/// Hears some channels.
pub struct Bell {
    listener: PgListener,
}

/// One ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Which channel.
    pub channel: String,
    /// What was said with it.
    pub text: String,
}

impl Bell {
    /// Listens to `channels`.
    pub async fn hang(pool: &Pool, channels: &[&str]) -> Result<Self> {
        let mut listener = PgListener::connect_with(pool).await?;
        listener.listen_all(channels.iter().copied()).await?;
        Ok(Bell { listener })
    }

    /// Waits for a ring. After a broken connection it listens anew by itself; what rang meanwhile is not heard.
    pub async fn next(&mut self) -> Result<Ring> {
        let heard = self.listener.recv().await?;
        Ok(Ring {
            channel: heard.channel().to_owned(),
            text: heard.payload().to_owned(),
        })
    }
}

/// A bell for somebody who looks from time to time anyhow: hung when first waited for, and hung anew after it broke.
pub struct Doorbell {
    pool: Pool,
    channels: &'static [&'static str],
    bell: Option<Bell>,
}

impl Doorbell {
    /// For these channels. It takes one of the pool's connections for good.
    pub fn new(pool: &Pool, channels: &'static [&'static str]) -> Self {
        Doorbell {
            pool: pool.clone(),
            channels,
            bell: None,
        }
    }

    /// The next ring, if one comes before so long.
    pub async fn wait(&mut self, longest: Duration) -> Option<Ring> {
        if self.bell.is_none() {
            self.bell = Bell::hang(&self.pool, self.channels).await.ok();
        }
        let Some(bell) = &mut self.bell else {
            sleep(longest).await;
            return None;
        };
        let heard = timeout(longest, bell.next()).await.ok()?;
        if heard.is_err() {
            self.bell = None;
        }
        heard.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{events, testing::database};

    #[tokio::test]
    async fn whoever_waits_hears_the_ring() {
        let db = database().await;
        let mut doorbell = Doorbell::new(&db.pool, &[events::CHANNEL]);
        // Hangs it; nobody rings.
        assert_eq!(doorbell.wait(Duration::ZERO).await, None);
        assert!(doorbell.bell.is_some());
        events::ring(&mut db.pool.acquire().await.unwrap())
            .await
            .unwrap();
        let day = Duration::from_secs(86_400);
        let ring = timeout(Duration::from_secs(60), doorbell.wait(day)).await;
        assert!(ring.expect("in time").is_some());
    }
}
