//! From what stations said to what it costs, with a real database: freezing, prices, revisions, crashes, feeds.

mod crashes;
mod days;
mod feeds;
mod freezing;
mod revisions;
mod running;
mod support;
