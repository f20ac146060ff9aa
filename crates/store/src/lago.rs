//! Usage to Lago (spec billing-sync): how far each session is billed, the outbox of events, the runs that fill and empty
//! it, and how it stands between us and Lago. What an event says is decided in `billing::lago`.

pub mod events;
pub mod link;
pub mod reconciliations;
pub mod runs;
pub mod state;
pub mod webhooks;
#[cfg(any(test, feature = "testing"))]
pub mod workload;
