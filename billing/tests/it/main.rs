//! The sync with a real database and the stand-in for Lago.

mod faults;
mod flow;
mod rig;
