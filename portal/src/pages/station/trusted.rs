//! The certificates of others that a station trusts, in its tab Security: as far as it said so, with the ways to ask it,
//! to give it one and to take one away.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::{extract::State, response::Response};
use chrono::{DateTime, Utc};
use serde_json::json;
use store::{
    Scoped,
    installed_certificates::{self as installed, HashData, Installed},
};
use uuid::Uuid;
use x509_parser::pem::Pem;

use super::{
    Head,
    security::{EXPIRES, SLUG, ends},
};
use crate::{
    AppState, Error, Result,
    api::input::Segment,
    auth::Viewer,
    orders::{self, Order},
    pages::{flash::Flash, form::Form, frame::Frame},
    station_jobs::check_certificate,
    view::Moment,
};

/// What a certificate is trusted for, on the wire and in words.
const USES: [(&str, &str); 2] = [
    ("CentralSystemRootCertificate", "Central system"),
    ("ManufacturerRootCertificate", "Manufacturer's firmware"),
];

/// A certificate as the page shows it.
pub(super) struct Row {
    /// Unique on the page, and the same while the certificate is.
    pub id: String,
    /// What it is trusted for.
    pub what: String,
    /// Of those that were installed from here.
    pub subject: Option<String>,
    /// When it ends, where that is known, and what is to be said of it.
    pub until: Option<(Moment, Option<&'static str>)>,
    pub hash: HashData,
    pub seen: Moment,
    /// Why it cannot be deleted.
    pub stays: Option<&'static str>,
}

/// What can be chosen in the form.
pub(super) fn uses() -> Vec<(String, String)> {
    USES.map(|(wire, words)| (wire.to_owned(), words.to_owned()))
        .to_vec()
}

/// What the station has, as far as it is known.
pub(super) async fn rows(
    db: &mut Scoped<'_>,
    station: Uuid,
    zone: Option<&str>,
    now: DateTime<Utc>,
) -> Result<Vec<Row>> {
    let found = installed::list(db, station).await?;
    let stays: Vec<_> = found.iter().map(|one| stays(one, &found)).collect();
    Ok(found
        .into_iter()
        .zip(stays)
        .map(|(certificate, stays)| row(certificate, stays, zone, now))
        .collect())
}

fn row(
    certificate: Installed,
    stays: Option<&'static str>,
    zone: Option<&str>,
    now: DateTime<Utc>,
) -> Row {
    let mut hasher = DefaultHasher::new();
    (&certificate.certificate_use, &certificate.hash).hash(&mut hasher);
    let read = certificate.pem.as_deref().and_then(subject_and_end);
    let words = USES
        .iter()
        .find(|(wire, _)| *wire == certificate.certificate_use);
    Row {
        id: format!("{:016x}", hasher.finish()),
        what: words.map_or(certificate.certificate_use, |found| found.1.to_owned()),
        until: read
            .as_ref()
            .map(|read| (Moment::new(read.1, zone), ends(read.1, now))),
        subject: read.map(|read| read.0),
        hash: certificate.hash,
        seen: Moment::new(certificate.seen_at, zone),
        stays,
    }
}

/// Whose it is, and until when it holds.
fn subject_and_end(pem: &str) -> Option<(String, DateTime<Utc>)> {
    let pem = Pem::iter_from_buffer(pem.as_bytes()).find_map(std::result::Result::ok)?;
    let certificate = pem.parse_x509().ok()?;
    let until = DateTime::from_timestamp(certificate.validity().not_after.timestamp(), 0)?;
    Some((certificate.subject().to_string(), until))
}

/// Why a certificate cannot be deleted from here; `None` if it can.
fn stays(certificate: &Installed, all: &[Installed]) -> Option<&'static str> {
    let hash = &certificate.hash;
    if hash.issuer_key_hash.is_empty() {
        Some("Ask the station first: only it knows by what name it deletes this one.")
    } else if installed::is_last_of(all, &hash.serial_number) {
        Some("The last by which it knows a central system.")
    } else {
        None
    }
}

/// The certificate of the form as an order; `None` if something is wrong with it.
pub(super) fn read(form: &mut Form, now: DateTime<Utc>) -> Option<Order> {
    let certificate_use = form.choice("use", &USES.map(|(wire, _)| (wire, wire)));
    let certificate = form.value("certificate").to_owned();
    if let Err(told) = check_certificate(&certificate, now) {
        form.complain("certificate", told);
    }
    let certificate_use = certificate_use.filter(|_| form.is_clean())?;
    let payload = json!({"certificateType": certificate_use, "certificate": certificate});
    Some(Order {
        expires_in: EXPIRES,
        ..Order::new("InstallCertificate", payload.to_string())
    })
}

/// `POST …/trusted/ask`: a question for each use.
pub(super) async fn ask(
    State(app): State<AppState>,
    viewer: Viewer,
    mut frame: Frame,
    Segment(identity): Segment,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    for (wire, _) in USES {
        let payload = json!({"certificateType": wire}).to_string();
        let order = Order::new("GetInstalledCertificateIds", payload);
        orders::queue(&mut db, &viewer, &head.station, &order, app.clock.now()).await?;
    }
    db.commit().await?;
    let said = format!("{} is asked which certificates it trusts.", head.identity());
    Ok(Flash::new(said).to(&app, &head.below(SLUG)))
}

/// `POST …/trusted/delete`: of the certificates that the page shows, the one of this id.
pub(super) async fn delete(
    State(app): State<AppState>,
    viewer: Viewer,
    mut frame: Frame,
    Segment(identity): Segment,
    form: Form,
) -> Result<Response> {
    let (mut db, head) = Head::open(&app, &mut frame, &identity, SLUG).await?;
    viewer.must_control(head.station.site_id)?;
    let now = app.clock.now();
    let rows = rows(&mut db, head.station.id, head.zone(), now).await?;
    let Some(row) = rows.into_iter().find(|row| row.id == form.value("id")) else {
        let said = "The station is not known to have this certificate any more.";
        return Ok(Flash::new(said).to(&app, &head.below(SLUG)));
    };
    if let Some(why) = row.stays {
        return Err(Error::Conflict(format!("it is not deleted: {why}")));
    }
    let payload = json!({"certificateHashData": {
        "hashAlgorithm": row.hash.algorithm,
        "issuerNameHash": row.hash.issuer_name_hash,
        "issuerKeyHash": row.hash.issuer_key_hash,
        "serialNumber": row.hash.serial_number,
    }});
    let order = Order {
        expires_in: EXPIRES,
        ..Order::new("DeleteCertificate", payload.to_string())
    };
    orders::queue(&mut db, &viewer, &head.station, &order, now).await?;
    db.commit().await?;
    let said = format!("{} is asked to delete the certificate.", head.identity());
    Ok(Flash::new(said).to(&app, &head.below(SLUG)))
}
