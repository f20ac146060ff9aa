//! Tools around one station: driven by lines ([`repl`]) or by HTTP ([`serve`]), its traces read ([`analyze`]) and
//! said again to another server ([`replay`]).

pub mod analyze;
pub mod repl;
pub mod replay;
pub mod serve;
mod shown;
mod trace_lines;
mod verbs;

use std::path::PathBuf;

use crate::{Options, Supply, quirks};

pub use shown::Shown;
pub use verbs::{FORMS, Form, Verb};

/// A station that is driven by hand.
#[derive(clap::Args, Clone, Debug)]
pub struct StationArgs {
    /// The server's OCPP address; the station's identity is appended to it.
    #[arg(long, default_value = "ws://127.0.0.1:9000/ocpp")]
    pub url: String,
    /// The station's identity.
    #[arg(long)]
    pub id: String,
    /// How many connectors, 1 to 16.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=16))]
    pub connectors: u32,
    /// Password for HTTP Basic authentication.
    #[arg(long)]
    pub password: Option<String>,
    /// Power of a connector in kW.
    #[arg(long, default_value_t = 22.0)]
    pub ac_kw: f64,
    /// Habits of real chargers, by name: see `evsim quirks`.
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub quirks: Vec<quirks::Name>,
    /// Write every frame to this file as JSON lines.
    #[arg(long)]
    pub trace: Option<PathBuf>,
    /// All chance comes from it.
    #[arg(long, default_value_t = 7)]
    pub seed: u64,
}

impl StationArgs {
    /// The station that they describe.
    #[must_use]
    pub fn options(self) -> Options {
        Options {
            password: self.password.map(String::into_bytes),
            connectors: self.connectors,
            supply: Supply::Ac { max_kw: self.ac_kw },
            quirks: self.quirks,
            trace: self.trace,
            seed: self.seed,
            ..Options::new(&self.url, &self.id)
        }
    }
}
