//! The whole chargers' room: real sockets, a real Postgres, stations that say exactly what a test wants them to say.

mod charge;
mod commands;
mod door;
mod effects;
mod faults;
mod kept;
mod proxy;
mod quirk_pack;
mod quirks;
mod simulated;
mod station_jobs;
mod support;
mod unruly;
