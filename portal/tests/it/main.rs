//! The portal as a whole: its router over a database of the test's own.

mod admission;
mod api_commands;
mod api_kept;
mod api_keys;
mod api_reads;
mod api_writes;
mod customers;
mod data;
mod events;
mod harness;
mod invoices;
mod legal_entities;
mod legal_holds;
mod limits;
mod look;
mod mappings;
mod overview;
mod prices;
mod reports;
mod scopes;
mod sessions;
mod settings;
mod sign_in;
mod station;
mod stations;
#[path = "../support/mod.rs"]
mod support;
mod tariffs;
mod theme;
mod wall;
mod webhooks;
