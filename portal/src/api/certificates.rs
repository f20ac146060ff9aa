//! `/stations/{identity}/installed-certificates`: which certificates of others a station trusts, as far as it said so.

use axum::{Json, extract::State};
use serde::Serialize;
use store::{
    installed_certificates::{self, Installed},
    stations_read,
};

use super::{
    input::{Params, Segment},
    shape::{self, List, Stamp},
    stations::no_station,
};
use crate::{AppState, Result, auth::Viewer};

/// A certificate by its name on the wire, as DeleteCertificate wants it.
#[derive(Debug, Serialize)]
pub(crate) struct Certificate {
    r#use: String,
    hash_algorithm: String,
    issuer_name_hash: String,
    issuer_key_hash: String,
    serial_number: String,
    /// Known of those that were installed from here.
    pem: Option<String>,
    seen_at: Stamp,
}

impl From<Installed> for Certificate {
    fn from(installed: Installed) -> Self {
        Certificate {
            r#use: installed.certificate_use,
            hash_algorithm: installed.hash.algorithm,
            issuer_name_hash: installed.hash.issuer_name_hash,
            issuer_key_hash: installed.hash.issuer_key_hash,
            serial_number: installed.hash.serial_number,
            pem: installed.pem,
            seen_at: Stamp(installed.seen_at),
        }
    }
}

/// All of a station.
pub(crate) async fn list(
    State(app): State<AppState>,
    viewer: Viewer,
    Segment(identity): Segment,
    params: Params,
) -> Result<Json<List<Certificate>>> {
    params.finish()?;
    let mut db = viewer.scope.begin(&app.pool).await?;
    let station = stations_read::get(&mut db, &identity)
        .await?
        .ok_or_else(|| no_station(&identity))?;
    let rows = installed_certificates::list(&mut db, station.id).await?;
    let all = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    Ok(shape::list(rows, all, |_| String::new(), Certificate::from))
}
