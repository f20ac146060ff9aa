//! `/settings`: what holds for the installation, one tab for each kind of thing.

pub mod holidays;
pub mod legal_entities;
pub mod legal_holds;
pub mod sites;

use axum::response::Redirect;

/// A tab: where it leads, and what it is called.
pub const TABS: [(&str, &str); 4] = [
    ("/settings/legal-entities", "Legal entities"),
    ("/settings/sites", "Sites"),
    ("/settings/holidays", "Holidays"),
    ("/settings/legal-holds", "Legal holds"),
];

/// `GET /settings`: its first tab.
pub async fn first() -> Redirect {
    Redirect::to(TABS[0].0)
}
