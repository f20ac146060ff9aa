//! Which certificates of others a station has: its own lists, and what it agreed to install or delete.

use ocpp::v16::{
    CertificateHashData, DeleteCertificateRequest, GetInstalledCertificateIdsRequest,
    GetInstalledCertificateIdsResponse, InstallCertificateRequest,
};
use ocpp::{decode, salvage::storable};
use sha2::{Digest, Sha256};
use store::commands::Outcome;
use store::installed_certificates::{self as installed, HashData};
use x509_parser::pem::Pem;

use super::Answer;

/// The station's list of one use; it answers `NotFound` where that is empty.
pub(super) async fn listed(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    let Outcome::Answered(text) = answer.ended.outcome else {
        return Ok(());
    };
    if !matches!(answer.verdict, Some("Accepted" | "NotFound")) {
        return Ok(());
    }
    let (Ok(asked), Ok(said)) = (
        decode::<GetInstalledCertificateIdsRequest>(answer.ended.payload),
        decode::<GetInstalledCertificateIdsResponse>(text),
    ) else {
        return Ok(());
    };
    let hashes: Vec<HashData> = said.certificate_hash_data.iter().map(hash_data).collect();
    let certificate_use = asked.certificate_type.as_str();
    installed::replace(
        db,
        answer.ended.station_id,
        certificate_use,
        &hashes,
        answer.now,
    )
    .await
}

/// One more. By its name on the wire it is known once the station lists it; until then by what we can reckon.
pub(super) async fn added(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    if !answer.is_agreed() {
        return Ok(());
    }
    let Ok(asked) = decode::<InstallCertificateRequest>(answer.ended.payload) else {
        return Ok(());
    };
    let Some(hash) = reckon(&asked.certificate) else {
        return Ok(());
    };
    installed::add(
        db,
        answer.ended.station_id,
        asked.certificate_type.as_str(),
        &hash,
        Some(&storable(&asked.certificate)),
        answer.now,
    )
    .await
}

/// One less; a station that never had it says `NotFound`.
pub(super) async fn removed(db: &mut store::Connection, answer: &Answer<'_>) -> store::Result<()> {
    if !matches!(answer.verdict, Some("Accepted" | "NotFound")) {
        return Ok(());
    }
    let Ok(asked) = decode::<DeleteCertificateRequest>(answer.ended.payload) else {
        return Ok(());
    };
    let hash = hash_data(&asked.certificate_hash_data);
    installed::remove(db, answer.ended.station_id, &hash).await
}

fn hash_data(said: &CertificateHashData) -> HashData {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    HashData {
        algorithm: said
            .hash_algorithm
            .as_ref()
            .map_or_else(|| "SHA256".to_owned(), |name| name.as_str().to_owned()),
        issuer_name_hash: text(&said.issuer_name_hash),
        issuer_key_hash: text(&said.issuer_key_hash),
        serial_number: text(&said.serial_number),
    }
}

/// The name on the wire of a root (RFC 6960, 4.1.1): it is its own issuer. Of any other certificate the issuer's key is
/// unknown here, and left out.
fn reckon(pem: &str) -> Option<HashData> {
    let pem = Pem::iter_from_buffer(pem.as_bytes()).find_map(Result::ok)?;
    let certificate = pem.parse_x509().ok()?;
    let is_root = certificate.issuer() == certificate.subject();
    let key = &certificate.public_key().subject_public_key.data;
    let sha256 = |bytes: &[u8]| hex::encode(Sha256::digest(bytes));
    let serial = hex::encode(certificate.raw_serial());
    let serial = serial.trim_start_matches('0');
    Some(HashData {
        algorithm: "SHA256".to_owned(),
        issuer_name_hash: sha256(certificate.issuer().as_raw()),
        issuer_key_hash: if is_root { sha256(key) } else { String::new() },
        serial_number: if serial.is_empty() { "0" } else { serial }.to_owned(),
    })
}
