//! The portal as a whole: its router over a database of the test's own.

mod api_commands;
mod api_keys;
mod api_reads;
mod api_writes;
mod data;
mod harness;
mod scopes;
mod sign_in;
mod wall;
