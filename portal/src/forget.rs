//! A station that nobody accepted is forgotten, by a page or by a program. What has charged stays: sessions and invoices
//! name it.

use chrono::{DateTime, Utc};
use serde_json::json;
use store::{
    Scoped, audit,
    stations::{self, Bound},
    stations_read,
};

use crate::{Error, Result, auth::Viewer};

/// Takes a pending station away, with its line in the audit log.
///
/// # Errors
/// [`Error::NotFound`] if there is none, [`Error::Forbidden`] if it is not the viewer's, [`Error::Conflict`] with what keeps
/// it.
pub(crate) async fn station(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    identity: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    let station = stations_read::get(db, identity)
        .await?
        .ok_or_else(|| Error::NotFound(format!("there is no station {identity:?}")))?;
    viewer.must_control(station.site_id)?;
    if let Some(bound) = stations::forget(db, station.id).await? {
        return Err(Error::Conflict(format!("{identity} {}", why(bound))));
    }
    let detail = json!({ "identity": station.identity });
    let entity = format!("station/{}", station.id);
    let done = viewer.did(now, "station.forget", entity, detail);
    Ok(audit::record(db, &done).await?)
}

fn why(bound: Bound) -> &'static str {
    match bound {
        Bound::Admitted => {
            "is accepted, was accepted once or is blocked: only a station that waits to be accepted can be forgotten; \
             this one can be blocked"
        }
        Bound::Transactions => {
            "has transactions, and they are kept: it cannot be forgotten, but it can be blocked"
        }
        Bound::Tariff => "has a tariff: take it off the station, then forget it",
    }
}
