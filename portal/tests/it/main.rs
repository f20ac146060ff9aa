//! The portal as a whole: its router over a database of the test's own.

mod api;
mod data;
mod harness;
mod scopes;
mod sign_in;
mod wall;
