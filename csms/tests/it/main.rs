//! The whole chargers' room: real sockets, a real Postgres, stations that say exactly what a test wants them to say.

mod attacks;
mod automatic;
mod certificates;
mod charge;
mod clocks;
mod commands;
mod credentials;
mod door;
mod effects;
mod faults;
mod files;
mod haproxy;
mod kept;
mod names;
mod pki;
mod presence;
mod profiles;
mod proxy;
mod quirk_pack;
mod quirks;
mod renewal;
mod simulated;
mod simulated_tls;
mod station_jobs;
mod support;
mod unruly;
