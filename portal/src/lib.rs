//! The people's room: pages for operators, the API for integrators, sign-in, live updates. It reads behind a
//! [`store::Scope`] and writes what people own; it never speaks to a charger and holds no SQL.

pub mod answers;
pub mod api;
pub mod assets;
pub mod auth;
pub mod config;
mod credentials;
pub mod error;
pub mod export;
pub mod files;
pub mod forget;
mod guards;
mod kept;
pub mod lago;
pub mod limits;
pub mod live;
pub mod orders;
pub mod pages;
pub mod router;
pub mod state;
pub mod station_jobs;
pub mod tasks;
pub mod view;
pub mod webhooks;

use tokio::net::TcpListener;

pub use config::Config;
pub use error::{Error, Result};
pub use router::{Access, Route, router};
pub use state::{App, AppState};

/// Serves pages and API on `listener` until `shutdown` turns soft; answers that are under way are finished.
pub async fn run(app: AppState, listener: TcpListener, shutdown: &service::shutdown::Shutdown) {
    if !app.config.secure_cookies() {
        tracing::warn!(
            public_url = app.config.public_url,
            "PUBLIC_URL is not https: cookies travel in clear; use https on any network that others share"
        );
    }
    let soft = shutdown.soft().clone();
    let routes = router(&app);
    service::serve::serve(listener, routes, async move {
        soft.cancelled().await;
        app.live.close();
    })
    .await;
}
