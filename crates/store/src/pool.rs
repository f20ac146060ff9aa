//! Connections to Postgres: each room has a pool and a role of its own.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

use crate::Result;

/// A room's connections.
pub type Pool = sqlx::PgPool;

/// One connection.
pub type Connection = sqlx::PgConnection;

/// One of a pool, given back when dropped.
pub type Pooled = sqlx::pool::PoolConnection<sqlx::Postgres>;

/// Writes that become durable together; dropping it undoes them.
pub type Transaction = sqlx::PgTransaction<'static>;

/// Who is asking; decides the role that Postgres sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Room {
    /// Chargers in.
    Csms,
    /// People in; row policies apply.
    Portal,
    /// Money, retention, mail.
    Billing,
    /// Migrations and the command line: the database's owner.
    Owner,
}

impl Room {
    /// The Postgres role, if the room has one of its own.
    pub fn role(self) -> Option<&'static str> {
        match self {
            Room::Csms => Some("forecourt_csms"),
            Room::Portal => Some("forecourt_portal"),
            Room::Billing => Some("forecourt_billing"),
            Room::Owner => None,
        }
    }
}

/// How to reach the database at `url` as `room`.
pub fn options(url: &str, room: Room) -> Result<PgConnectOptions> {
    let options = PgConnectOptions::from_str(url)?
        .application_name(room.role().unwrap_or("forecourt"))
        .statement_cache_capacity(256);
    let options = match room.role() {
        Some(role) => options.options([("role", role)]),
        None => options,
    };
    Ok(match room {
        Room::Csms => options.options(KEYS_ONLY),
        // No page is worth a longer wait. (A setting of the role would not do: it holds for log-ins as that role only.)
        Room::Portal => options.options([("statement_timeout", "30s")]),
        Room::Billing | Room::Owner => options,
    })
}

/// The csms looks up by keys and never scans. A plan made while the tables were empty says otherwise, and a prepared
/// statement would keep it until the first ANALYZE; so the choice is taken away.
const KEYS_ONLY: [(&str, &str); 5] = [
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("plan_cache_mode", "force_generic_plan"),
    ("jit", "off"),
];

/// A pool of at most `size` connections. It connects when first used, so that a server can start before its database.
pub fn connect(url: &str, room: Room, size: u32) -> Result<Pool> {
    Ok(PgPoolOptions::new()
        .max_connections(size)
        .acquire_timeout(Duration::from_secs(5))
        .idle_timeout(Duration::from_secs(600))
        .connect_lazy_with(options(url, room)?))
}

/// Whether the database answers at all.
pub async fn is_there(db: &mut sqlx::PgConnection) -> Result<()> {
    sqlx::query!("select 1 as one").fetch_one(db).await?;
    Ok(())
}
