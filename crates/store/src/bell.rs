//! Doorbells: LISTEN on a connection of its own. A bell only says that there is more; the rows are the truth, and whoever
//! listens also looks from time to time.

use sqlx::postgres::PgListener;

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
