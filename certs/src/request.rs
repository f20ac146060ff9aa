//! A certificate signing request of a station, and what is asked of one before anybody signs it.

use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::extensions::ParsedExtension;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use crate::facts::only;

/// The longest request in characters (SignCertificate.req).
const LONGEST: usize = 5500;
/// The smallest RSA key, in bits.
const RSA: usize = 2048;
/// The smallest elliptic key, in bits.
const EC: usize = 224;

/// A request that its sender could have signed, for a key that is long enough, and that asks for no more than a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// CN: the station's serial number.
    pub common_name: String,
    /// O: who operates the station.
    pub organisation: String,
    /// The public key with its kind, DER.
    pub public_key: Vec<u8>,
}

/// Why a request is not signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// No request at all.
    #[error("it is no certificate signing request in PEM: {0}")]
    Unreadable(String),
    /// The sender has not the key that it wants certified.
    #[error("it is not signed by the key that it names: the sender may not have that key")]
    Unsigned,
    /// A key that is soon guessed.
    #[error(
        "its key is too weak or of an unknown kind: expected RSA of 2048 bits or more, or P-256 or P-384, not {0}"
    )]
    WeakKey(String),
    /// It wants to sign others.
    #[error("it asks for a certificate that may sign others (CA:TRUE)")]
    WantsAuthority,
    /// It wants names beside its serial number.
    #[error("it asks for other names (subjectAltName)")]
    OtherNames,
    /// The wrong operator.
    #[error("its O is {found:?}, and not {expected:?}, the name of the operator")]
    Organisation {
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
    /// Somebody else's serial number.
    #[error(
        "its CN is {found:?}, and not {expected:?}, the serial number of the station that asks"
    )]
    CommonName {
        /// What it says.
        found: String,
        /// What it should say.
        expected: String,
    },
}

impl Request {
    /// Reads a request and checks what can be checked of it alone.
    ///
    /// # Errors
    /// What makes it unfit.
    pub fn read(pem: &str) -> Result<Self, Unfit> {
        let unreadable = |why: &str| Unfit::Unreadable(why.to_owned());
        if pem.len() > LONGEST {
            return Err(unreadable("it is longer than 5500 characters"));
        }
        let mut parts = Pem::iter_from_buffer(pem.as_bytes());
        let first = parts.next().and_then(Result::ok);
        let part = first
            .filter(|part| part.label.ends_with("CERTIFICATE REQUEST"))
            .ok_or_else(|| unreadable("no -----BEGIN CERTIFICATE REQUEST----- in it"))?;
        let (rest, request) = X509CertificationRequest::from_der(&part.contents)
            .map_err(|error| Unfit::Unreadable(error.to_string()))?;
        if !rest.is_empty() {
            return Err(unreadable("there is something behind it"));
        }
        let info = &request.certification_request_info;
        check_key(&info.subject_pki)?;
        request.verify_signature().map_err(|_| Unfit::Unsigned)?;
        for extension in request.requested_extensions().into_iter().flatten() {
            match extension {
                ParsedExtension::BasicConstraints(constraints) if constraints.ca => {
                    return Err(Unfit::WantsAuthority);
                }
                ParsedExtension::SubjectAlternativeName(_) => return Err(Unfit::OtherNames),
                _ => {}
            }
        }
        Ok(Request {
            common_name: only(info.subject.iter_common_name()),
            organisation: only(info.subject.iter_organization()),
            public_key: info.subject_pki.raw.to_vec(),
        })
    }

    /// Whether it is of this operator and of the station with this serial number, to the letter.
    ///
    /// # Errors
    /// What makes it unfit.
    pub fn check(&self, organisation: &str, serial: &str) -> Result<(), Unfit> {
        if self.organisation != organisation {
            return Err(Unfit::Organisation {
                found: self.organisation.clone(),
                expected: organisation.to_owned(),
            });
        }
        if self.common_name != serial {
            return Err(Unfit::CommonName {
                found: self.common_name.clone(),
                expected: serial.to_owned(),
            });
        }
        Ok(())
    }
}

fn check_key(key: &x509_parser::x509::SubjectPublicKeyInfo<'_>) -> Result<(), Unfit> {
    let weak = |what: String| Err(Unfit::WeakKey(what));
    match key.parsed() {
        Ok(PublicKey::RSA(rsa)) if rsa.key_size() >= RSA => Ok(()),
        Ok(PublicKey::RSA(rsa)) => weak(format!("RSA of {} bits", rsa.key_size())),
        Ok(PublicKey::EC(point)) if point.key_size() >= EC => Ok(()),
        Ok(PublicKey::EC(point)) => weak(format!("an elliptic key of {} bits", point.key_size())),
        _ => weak(format!("a key of kind {}", key.algorithm.algorithm)),
    }
}
