//! How values look: numbers, times, states and curves as text and SVG. Pure functions; no query, no clock, no HTTP.

pub mod country;
pub mod curve;
pub mod icon;
pub mod json;
pub mod number;
pub mod state;
pub mod steps;
pub mod tariff;
pub mod time;
pub mod week;

pub use state::Chip;
pub use time::Moment;
