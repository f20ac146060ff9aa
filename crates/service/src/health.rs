//! What a process says of itself, on a port of its own: `/healthz` (it runs), `/readyz` (it can work now, by checks
//! that the rooms register) and `/metrics` (Prometheus).

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, response::IntoResponse, routing::get};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;

use crate::{serve::serve, shutdown::Shutdown};

/// From a tenth of a millisecond to ten seconds: every histogram here measures seconds.
const BUCKETS: [f64; 16] = [
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0,
];
const UPKEEP: Duration = Duration::from_secs(5);
const CHECK_TIME: Duration = Duration::from_secs(3);

type Answer = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

struct Check {
    name: &'static str,
    ask: Box<dyn Fn() -> Answer + Send + Sync>,
}

/// The process's checks and metrics. Clones share them.
#[derive(Clone)]
pub struct Health {
    checks: Arc<Mutex<Vec<Arc<Check>>>>,
    metrics: PrometheusHandle,
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let names: Vec<_> = checks.iter().map(|check| check.name).collect();
        f.debug_struct("Health")
            .field("checks", &names)
            .finish_non_exhaustive()
    }
}

impl Health {
    /// Makes this process's metrics recorder and installs it for the `metrics` macros. Once a process.
    ///
    /// # Errors
    /// When another recorder is installed already.
    pub fn install() -> Result<Self, BuildError> {
        Ok(Self::with(
            PrometheusBuilder::new()
                .set_buckets(&BUCKETS)?
                .install_recorder()?,
        ))
    }

    fn with(metrics: PrometheusHandle) -> Self {
        Self {
            checks: Arc::default(),
            metrics,
        }
    }

    /// Adds a check: `ask` says why the process cannot work now. It has three seconds to answer.
    pub fn register<F, A>(&self, name: &'static str, ask: F)
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<(), String>> + Send + 'static,
    {
        let check = Check {
            name,
            ask: Box::new(move || Box::pin(ask())),
        };
        self.checks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(Arc::new(check));
    }

    /// Serves the three addresses until the process ends in earnest: a load balancer must see `/readyz` turn to 503
    /// while begun work is finished.
    pub async fn serve(self, listener: TcpListener, shutdown: Shutdown) {
        let metrics = self.metrics.clone();
        let upkeep = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(UPKEEP);
            loop {
                ticks.tick().await;
                metrics.run_upkeep();
            }
        });
        let router = self.router(shutdown.clone());
        tokio::select! {
            () = serve(listener, router, std::future::pending()) => {}
            () = shutdown.hard().cancelled() => {}
        }
        upkeep.abort();
    }

    fn router(self, shutdown: Shutdown) -> Router {
        Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/readyz", get(readyz))
            .route(
                "/metrics",
                get(async |State((health, _)): State<(Self, Shutdown)>| health.metrics.render()),
            )
            .with_state((self, shutdown))
    }
}

async fn readyz(State((health, shutdown)): State<(Health, Shutdown)>) -> impl IntoResponse {
    let checks = health
        .checks
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .clone();
    let mut ready = !shutdown.soft().is_cancelled();
    let mut text = if ready {
        String::new()
    } else {
        "shutdown: ending\n".to_owned()
    };
    for check in checks {
        let answer = tokio::time::timeout(CHECK_TIME, (check.ask)()).await;
        let said = match answer {
            Ok(Ok(())) => "ok".to_owned(),
            Ok(Err(reason)) => {
                ready = false;
                reason
            }
            Err(_) => {
                ready = false;
                format!("no answer within {} s", CHECK_TIME.as_secs())
            }
        };
        text.push_str(&format!("{}: {said}\n", check.name));
    }
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};

    fn health() -> Health {
        Health::with(PrometheusBuilder::new().build_recorder().handle())
    }

    async fn ask(health: &Health, shutdown: &Shutdown) -> (StatusCode, String) {
        let response = readyz(State((health.clone(), shutdown.clone())))
            .await
            .into_response();
        let status = response.status();
        let body = axum::body::to_bytes(response.into_body(), 4096)
            .await
            .unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn ready_means_every_check_agrees_and_nobody_asked_to_end() {
        let (health, shutdown) = (health(), Shutdown::new());
        let up = Arc::new(AtomicBool::new(true));
        let database = up.clone();
        health.register("database", move || {
            let up = database.load(Ordering::SeqCst);
            async move { if up { Ok(()) } else { Err("gone".to_owned()) } }
        });
        assert_eq!(
            ask(&health, &shutdown).await,
            (StatusCode::OK, "database: ok\n".to_owned())
        );

        up.store(false, Ordering::SeqCst);
        let (status, text) = ask(&health, &shutdown).await;
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "database: gone\n")
        );

        up.store(true, Ordering::SeqCst);
        shutdown.begin();
        assert_eq!(
            ask(&health, &shutdown).await.0,
            StatusCode::SERVICE_UNAVAILABLE
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_check_that_hangs_is_not_ready() {
        let health = health();
        health.register("database", std::future::pending);
        let (status, text) = ask(&health, &Shutdown::new()).await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("no answer"), "{text}");
    }
}
