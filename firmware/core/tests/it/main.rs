//! The charge point against a scripted server, with a simulated clock and no socket: each test reads as a story.

mod bench;
mod calls;
mod chaos;
mod charge;
mod differential;
mod files;
mod link;
mod local_list;
mod nonsense;
mod reservation;
mod security;
mod smart;
