//! `/settings`: what holds for the installation, one tab for each kind of thing.

pub mod holidays;
pub mod legal_entities;
pub mod sites;

use axum::response::Redirect;

/// A tab: where it leads, and what it is called.
pub const TABS: [(&str, &str); 3] = [
    ("/settings/legal-entities", "Legal entities"),
    ("/settings/sites", "Sites"),
    ("/settings/holidays", "Holidays"),
];

/// `GET /settings`: its first tab.
pub async fn first() -> Redirect {
    Redirect::to(TABS[0].0)
}
