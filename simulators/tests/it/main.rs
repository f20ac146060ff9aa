//! Stations and swarms over real sockets against the floor server, which records what it is sent.

mod command_line;
mod floor;
mod server;
mod station;
mod swarm;
mod tools;
