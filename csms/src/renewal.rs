//! The server's certificate while it runs: new files are taken by themselves, and somebody is told in time before it
//! expires.

use std::sync::Arc;

use certs::Facts;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::Csms;
use crate::tls::{Found, Tls};

/// Days before the end at which somebody is told; 0 when it is over.
const WARNINGS: [i64; 4] = [0, 1, 7, 30];

/// How near the end of the certificate is, as the number of days of the warning; `None` if it is far.
fn warning(not_after: DateTime<Utc>, now: DateTime<Utc>) -> Option<i64> {
    let left = not_after - now;
    WARNINGS
        .into_iter()
        .find(|days| left <= TimeDelta::days(*days))
}

/// What was told already, so that it is told once.
#[derive(Default)]
struct Told {
    /// Of which certificate the last warning was, and which.
    warning: Option<(String, i64)>,
    /// Why the files could not be used.
    unusable: Option<String>,
}

/// Looks at the files again and again. SIGHUP is not needed, and no file is watched: they may be links, mounts, secrets.
pub(crate) async fn watch_forever(csms: Arc<Csms>) {
    let Some(tls) = csms.options.tls.clone() else {
        return;
    };
    let mut told = Told::default();
    let mut ticks = tokio::time::interval(csms.options.renew_interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        look(&csms, &tls, &mut told).await;
    }
}

async fn look(csms: &Csms, tls: &Arc<Tls>, told: &mut Told) {
    let looking = tls.clone();
    let found = tokio::task::spawn_blocking(move || looking.look()).await;
    let server = tls.current().server.clone();
    match found {
        Ok(Found::New) => {
            told.unusable = None;
            tracing::info!(until = %server.not_after, cn = server.common_name, "new certificates are in use");
            tell(csms, "tls.renewed", described(&server)).await;
            write_down(csms, server.not_after).await;
        }
        Ok(Found::Unusable(error)) => {
            let why = error.to_string();
            if told.unusable.as_ref() != Some(&why) {
                tracing::error!("new certificates cannot be used, the old ones stay: {why}");
                tell(csms, "tls.unusable", json!({ "reason": why })).await;
                told.unusable = Some(why);
            }
        }
        Ok(Found::Same) => told.unusable = None,
        Err(error) => tracing::error!(%error, "certificates could not be looked at"),
    }
    let left = (server.not_after - csms.clock.now()).num_seconds();
    metrics::gauge!("forecourt_tls_certificate_seconds_left").set(left as f64);
    metrics::gauge!("forecourt_tls_certificate_expires_at_seconds")
        .set(server.not_after.timestamp() as f64);
    let due =
        warning(server.not_after, csms.clock.now()).map(|days| (server.fingerprint.clone(), days));
    if due.is_some() && due != told.warning {
        tracing::warn!(until = %server.not_after, "the server's certificate expires; chargers will not connect after that");
        tell(csms, "tls.expires", described(&server)).await;
    }
    told.warning = due;
}

fn described(server: &Facts) -> Value {
    json!({ "common_name": server.common_name, "not_after": server.not_after, "fingerprint": server.fingerprint })
}

/// Writes down when the certificate ends that is shown from now on.
async fn write_down(csms: &Csms, until: DateTime<Utc>) {
    let written = async {
        let mut connection = csms.pool.acquire().await?;
        store::csms_nodes::renewed(&mut connection, &csms.node, until).await
    };
    if let Err(error) = written.await {
        tracing::warn!(%error, "the end of the server's certificate could not be written down");
    }
}

/// Writes an event about the server itself.
async fn tell(csms: &Csms, kind: &str, detail: Value) {
    let written = async {
        let mut connection = csms.pool.acquire().await?;
        store::events::tell(&mut connection, kind, &detail, csms.clock.now()).await
    };
    match written.await {
        Ok(()) => csms.ingest.news(),
        Err(error) => tracing::warn!(%error, kind, "an event could not be stored"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_is_told_at_30_7_and_1_days() {
        let end = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        for (days_left, expected) in [
            (40, None),
            (31, None),
            (30, Some(30)),
            (8, Some(30)),
            (7, Some(7)),
            (2, Some(7)),
            (1, Some(1)),
            (0, Some(0)),
            (-5, Some(0)),
        ] {
            let now = end - TimeDelta::days(days_left);
            assert_eq!(warning(end, now), expected, "{days_left} days left");
        }
    }
}
