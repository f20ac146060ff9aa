//! Simulated charge points on the firmware's own core, for tests, demos and load: one [`station`] with a
//! physical meter, a [`swarm`] of thousands, the [`floor`] servers they are measured against, demo [`history()`], and a stand-in for
//! [`lago`].
//! Not here: a database. What a charger knows, it knows from its meter and from the server's answers.

pub mod clock;
pub mod fault;
pub mod floor;
mod history;
pub mod lago;
pub mod ledger;
pub mod physics;
pub mod quirks;
pub mod run;
pub mod scenario;
pub mod smtp;
pub mod socket;
pub mod station;
pub mod swarm;
pub mod tools;
pub mod trace;
pub mod wire;

pub use clock::Speed;
/// What happens inside a charge point.
pub use evse_core::{Event, Key, Utc};
pub use history::{Driver, History, PastFault, PastSession, Sample, Site, StationFacts, history};
pub use physics::{Supply, Vehicle, vehicle};
pub use station::{Controls, Options, Session, Station, StationEvent, Until};
