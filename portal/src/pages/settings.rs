//! `/settings`: what holds for the installation, one tab for each kind of thing.

pub mod legal_entities;

use axum::response::Redirect;

/// A tab: where it leads, and what it is called.
pub const TABS: [(&str, &str); 1] = [("/settings/legal-entities", "Legal entities")];

/// `GET /settings`: its first tab.
pub async fn first() -> Redirect {
    Redirect::to(TABS[0].0)
}
