//! Doorbells: LISTEN on a connection of its own. A bell only says that there is more; the rows are the truth, and whoever
//! listens also looks from time to time.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::{sleep, timeout};

use crate::{Pool, Result};

/// One ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ring {
    /// Which channel.
    pub channel: String,
    /// What was said with it.
    pub text: String,
}

/// A bell for somebody who looks from time to time anyhow: hung when first waited for, and hung anew after it broke.
pub struct Doorbell {
    pool: Pool,
    channels: &'static [&'static str],
    listener: Option<PgListener>,
}

impl Doorbell {
    /// For these channels. It takes one of the pool's connections for good.
    pub fn new(pool: &Pool, channels: &'static [&'static str]) -> Self {
        Doorbell {
            pool: pool.clone(),
            channels,
            listener: None,
        }
    }

    /// The next ring. `None`: look yourself, for nobody rang for so long, or the bell was hung or broke just now, and what
    /// rang before was not heard.
    pub async fn wait(&mut self, longest: Duration) -> Option<Ring> {
        let Some(listener) = &mut self.listener else {
            match hang(&self.pool, self.channels).await {
                Ok(listener) => self.listener = Some(listener),
                Err(_) => sleep(longest).await,
            }
            return None;
        };
        match timeout(longest, listener.try_recv()).await {
            Ok(Ok(Some(heard))) => Some(Ring {
                channel: heard.channel().to_owned(),
                text: heard.payload().to_owned(),
            }),
            Ok(Ok(None) | Err(_)) => {
                self.listener = None;
                None
            }
            Err(_) => None,
        }
    }
}

async fn hang(pool: &Pool, channels: &[&str]) -> Result<PgListener> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen_all(channels.iter().copied()).await?;
    // It would be hung anew without a word, and what rang meanwhile would go unheard.
    listener.eager_reconnect(false);
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{events, testing::database};

    #[tokio::test]
    async fn whoever_waits_hears_the_ring() {
        let db = database().await;
        let mut doorbell = Doorbell::new(&db.pool, &[events::CHANNEL]);
        let day = Duration::from_secs(86_400);
        // Hung just now: whoever looked before must look again, at once.
        let hung = timeout(Duration::from_secs(60), doorbell.wait(day)).await;
        assert_eq!(hung.expect("in time"), None);
        events::ring(&mut db.pool.acquire().await.unwrap())
            .await
            .unwrap();
        let ring = timeout(Duration::from_secs(60), doorbell.wait(day)).await;
        assert!(ring.expect("in time").is_some());
    }
}
