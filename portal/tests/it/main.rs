//! The portal as a whole: its router over a database of the test's own.

mod harness;
mod sign_in;
mod wall;
