//! The API for programs, below `/api/v1`: JSON in, JSON or problem+json out.

use crate::Route;

/// The routes of the API.
pub fn routes() -> Vec<Route> {
    Vec::new()
}
