//! The one schema in Rust: rows, queries, units, ids and [`Scope`]. All SQL of the product is in this crate.
//!
//! One file per table or per question that people ask. A query is a function that takes a connection; a query whose
//! rows belong to a site takes a [`Scoped`] transaction, which nothing but a [`Scope`] can open.

pub mod api_keys;
pub mod audit;
pub mod authorize_attempts;
pub mod bell;
pub mod billing_requests;
pub mod certificate_requests;
pub mod charges;
pub mod charging_profiles;
pub mod client_certificates;
pub mod commands;
pub mod configuration;
pub mod configuration_templates;
pub mod connectors;
mod copy;
pub mod credentials;
pub mod csms_nodes;
pub mod cursor;
pub mod customers;
#[cfg(any(test, feature = "testing"))]
pub mod disturb;
pub mod driver_groups;
pub mod error;
pub mod events;
pub mod files;
#[cfg(any(test, feature = "testing"))]
pub mod floor;
pub mod holds;
pub mod holidays;
pub mod id_tokens;
pub mod ids;
pub mod ingest;
pub mod installed_certificates;
pub mod invoices;
pub mod job_runs;
pub mod lago;
pub mod ledger;
pub mod legal_entities;
pub mod limits;
pub mod local_lists;
pub mod lookup;
pub mod messages;
pub mod model_habits;
pub mod money;
pub mod outbox;
pub mod overview;
pub mod partitions;
pub mod past_accounts;
pub mod payments;
pub mod people;
pub mod pool;
pub mod presence;
pub mod price_feeds;
pub mod prices;
#[cfg(any(test, feature = "testing"))]
pub mod proof;
pub mod readers;
pub mod refusals;
pub mod reports;
pub mod reservations;
pub mod retention;
pub mod rollups;
pub mod scope;
pub mod secrets;
pub mod security_events;
pub mod sessions;
#[cfg(any(test, feature = "testing"))]
pub mod shop;
pub mod sign_in;
pub mod sites;
pub mod skew;
pub mod station_history;
pub mod station_jobs;
pub mod stations;
pub mod stations_read;
pub mod tag_mappings;
pub mod tariff_assignments;
pub mod tariffs;
pub mod tasks;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod transactions;
pub mod vouchers;

pub use cursor::Cursor;
pub use error::{Error, Result};
pub use money::{Currency, Money, Rounding};
pub use pool::{Connection, Pool, Pooled, Room, Transaction};
pub use scope::{Scope, Scoped};
