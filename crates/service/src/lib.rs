//! What every process of the house needs, whichever room it is: settings, logs, metrics, health, shutdown, a clock,
//! mail, asking other servers, and the embedded Postgres. It knows nothing of charging, and no SQL.

pub mod clock;
pub mod config;
pub mod health;
pub mod http;
pub mod logging;
pub mod mail;
pub mod outbound;
pub mod postgres;
pub mod schedule;
pub mod serve;
pub mod shutdown;
