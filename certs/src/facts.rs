//! What a certificate says, in words that people and tables understand. Whether it is to be believed is not asked here.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};
use x509_parser::pem::Pem;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate, X509Name};

use crate::{Error, utc};

/// What a certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// CN; empty where there is none, or more than one.
    pub common_name: String,
    /// O; empty where there is none, or more than one.
    pub organisation: String,
    /// The CN of who signed it, or the whole name where there is none.
    pub issuer: String,
    /// Hexadecimal, as a revocation list has it.
    pub serial: String,
    /// SHA-256 of the whole, hexadecimal.
    pub fingerprint: String,
    /// Since when it is valid.
    pub not_before: DateTime<Utc>,
    /// Until when it is valid.
    pub not_after: DateTime<Utc>,
    /// Whether it may sign others.
    pub is_authority: bool,
    /// The public key with its kind, DER.
    pub public_key: Vec<u8>,
}

impl Facts {
    /// Reads a certificate in DER.
    ///
    /// # Errors
    /// When it is none.
    pub fn of_der(der: &[u8]) -> Result<Self, Error> {
        let (_, certificate) =
            X509Certificate::from_der(der).map_err(|error| unreadable(error.to_string()))?;
        let (subject, issuer) = (certificate.subject(), certificate.issuer());
        let signer = only(issuer.iter_common_name());
        Ok(Facts {
            common_name: only(subject.iter_common_name()),
            organisation: only(subject.iter_organization()),
            issuer: if signer.is_empty() {
                shown(issuer)
            } else {
                signer
            },
            serial: hex::encode(unsigned(certificate.raw_serial())),
            fingerprint: hex::encode(Sha256::digest(der)),
            not_before: utc(certificate.validity().not_before.to_datetime()),
            not_after: utc(certificate.validity().not_after.to_datetime()),
            is_authority: certificate.is_ca(),
            public_key: certificate.public_key().raw.to_vec(),
        })
    }

    /// Reads the first certificate of a PEM text.
    ///
    /// # Errors
    /// When there is none.
    pub fn of_pem(text: &str) -> Result<Self, Error> {
        let first = Pem::iter_from_buffer(text.as_bytes())
            .filter_map(Result::ok)
            .find(|pem| pem.label == "CERTIFICATE")
            .ok_or_else(|| unreadable("no -----BEGIN CERTIFICATE----- in it".to_owned()))?;
        Self::of_der(&first.contents)
    }
}

fn unreadable(why: String) -> Error {
    Error::Unreadable {
        what: "a certificate",
        why,
    }
}

/// The one value that there is: of two, nobody could say which is meant.
pub(crate) fn only<'a>(
    mut values: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
) -> String {
    match (values.next(), values.next()) {
        (Some(value), None) => value.as_str().unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

/// A number's bytes without the zero that says that it is not negative.
fn unsigned(number: &[u8]) -> &[u8] {
    match number {
        [0, rest @ ..] if !rest.is_empty() => rest,
        number => number,
    }
}

fn shown(name: &X509Name<'_>) -> String {
    name.to_string()
}

/// The serial numbers, in hexadecimal, of the certificates that a list (PEM or DER) says are revoked.
///
/// # Errors
/// When it is no revocation list.
pub fn revoked(list: &[u8]) -> Result<Vec<String>, Error> {
    let pem = Pem::iter_from_buffer(list).find_map(Result::ok);
    let der = pem.as_ref().map_or(list, |pem| &pem.contents);
    let (_, list) =
        CertificateRevocationList::from_der(der).map_err(|error| Error::Unreadable {
            what: "a revocation list",
            why: error.to_string(),
        })?;
    Ok(list
        .iter_revoked_certificates()
        .map(|revoked| hex::encode(unsigned(revoked.raw_serial())))
        .collect())
}
