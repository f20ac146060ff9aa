//! A station's keys and certificates: roots it trusts, requests it makes, and signatures it checks.

use base64::Engine as _;
use certs::Facts;
use evse_core::{
    Utc,
    ocpp::security::{CertificateHash, CertificateUse},
};
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair, PublicKeyData as _};
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_parser::{pem::Pem, prelude::X509Certificate};

/// CertificateStoreMaxLength.
const MOST: usize = 16;

#[derive(Debug)]
pub(super) struct KeyStore {
    serial: String,
    roots: Vec<(CertificateUse, Pem)>,
    /// The key that the last request is for.
    requested: Option<KeyPair>,
    /// The chain that the server signed, and its key.
    identity: Option<(String, String)>,
}

impl KeyStore {
    pub(super) fn new(serial: &str) -> Self {
        Self {
            serial: serial.to_owned(),
            roots: Vec::new(),
            requested: None,
            identity: None,
        }
    }

    /// Keeps a root; false where there is no room.
    pub(super) fn install(
        &mut self,
        kind: CertificateUse,
        certificate: &str,
        now: Utc,
    ) -> Result<bool, String> {
        let pem = one(certificate)?;
        in_force(certificate, now)?;
        if self
            .roots
            .iter()
            .any(|known| known.0 == kind && known.1.contents == pem.contents)
        {
            return Ok(true);
        }
        if self.roots.len() >= MOST {
            return Ok(false);
        }
        self.roots.push((kind, pem));
        Ok(true)
    }

    pub(super) fn list(&self, kind: CertificateUse) -> Vec<CertificateHash> {
        let of = self.roots.iter().filter(|(of, _)| *of == kind);
        of.filter_map(|(_, pem)| name(pem, "SHA256")).collect()
    }

    /// Drops a root; false where there is none of that name.
    pub(super) fn delete(&mut self, hash: &CertificateHash) -> bool {
        let same = |pem: &Pem| {
            name(pem, &hash.hash_algorithm).is_some_and(|name| {
                name.issuer_name_hash
                    .eq_ignore_ascii_case(&hash.issuer_name_hash)
                    && name
                        .issuer_key_hash
                        .eq_ignore_ascii_case(&hash.issuer_key_hash)
                    && name.serial_number.eq_ignore_ascii_case(&hash.serial_number)
            })
        };
        let before = self.roots.len();
        self.roots.retain(|(_, pem)| !same(pem));
        self.roots.len() < before
    }

    /// Makes a key, and a request to have it certified.
    pub(super) fn request(&mut self, organisation: &str) -> Result<String, String> {
        let words = |problem: rcgen::Error| problem.to_string();
        let key = KeyPair::generate().map_err(words)?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::CommonName, &self.serial);
        if !organisation.is_empty() {
            params
                .distinguished_name
                .push(DnType::OrganizationName, organisation);
        }
        let pem = params
            .serialize_request(&key)
            .and_then(|request| request.pem());
        self.requested = Some(key);
        pem.map_err(words)
    }

    /// Uses a chain, if it certifies the key that was made last.
    pub(super) fn store_chain(&mut self, chain: &str) -> Result<(), String> {
        let facts = Facts::of_pem(chain).map_err(|problem| problem.to_string())?;
        let Some(key) = &self.requested else {
            return Err("no certificate was asked for".to_owned());
        };
        if facts.public_key != key.subject_public_key_info() {
            return Err("the certificate is for another key".to_owned());
        }
        if facts.common_name != self.serial {
            return Err("the certificate is for another station".to_owned());
        }
        self.identity = Some((chain.to_owned(), key.serialize_pem()));
        self.requested = None;
        Ok(())
    }

    /// The chain and key since this was last asked.
    pub(super) fn new_identity(&mut self) -> Option<(String, String)> {
        self.identity.take()
    }

    /// Whether a certificate may sign firmware: in force, and signed by a manufacturer's root if there is any.
    pub(super) fn check_signer(&self, certificate: &str, now: Utc) -> Result<(), String> {
        let pem = one(certificate)?;
        in_force(certificate, now)?;
        let mut roots = self
            .roots
            .iter()
            .filter(|(kind, _)| *kind == CertificateUse::ManufacturerRoot)
            .peekable();
        if roots.peek().is_none() {
            return Ok(());
        }
        let signer = parsed(&pem)?;
        let signed_by = |root: &Pem| {
            root.contents == pem.contents
                || parsed(root)
                    .is_ok_and(|root| signer.verify_signature(Some(root.public_key())).is_ok())
        };
        if roots.any(|(_, root)| signed_by(root)) {
            Ok(())
        } else {
            Err("no manufacturer that is trusted signed it".to_owned())
        }
    }
}

fn one(text: &str) -> Result<Pem, String> {
    let pem = Pem::iter_from_buffer(text.as_bytes())
        .filter_map(Result::ok)
        .find(|pem| pem.label == "CERTIFICATE")
        .ok_or("no -----BEGIN CERTIFICATE----- in it")?;
    parsed(&pem)?;
    Ok(pem)
}

fn parsed(pem: &Pem) -> Result<X509Certificate<'_>, String> {
    pem.parse_x509().map_err(|problem| problem.to_string())
}

fn in_force(certificate: &str, now: Utc) -> Result<(), String> {
    let facts = Facts::of_pem(certificate).map_err(|problem| problem.to_string())?;
    let now = now.0;
    if facts.not_before.timestamp_millis() <= now && now <= facts.not_after.timestamp_millis() {
        Ok(())
    } else {
        Err(format!(
            "it is valid from {} to {}",
            facts.not_before, facts.not_after
        ))
    }
}

/// How a root is named, by a hash that the standard knows. A root signs itself: its issuer's key is its own.
fn name(pem: &Pem, algorithm: &str) -> Option<CertificateHash> {
    let hash: fn(&[u8]) -> String = match algorithm {
        "SHA256" => |bytes| hex::encode(Sha256::digest(bytes)),
        "SHA384" => |bytes| hex::encode(Sha384::digest(bytes)),
        "SHA512" => |bytes| hex::encode(Sha512::digest(bytes)),
        _ => return None,
    };
    let certificate = parsed(pem).ok()?;
    let key = &certificate.public_key().subject_public_key.data;
    Some(CertificateHash {
        hash_algorithm: algorithm.to_owned(),
        issuer_name_hash: hash(certificate.issuer().as_raw()),
        issuer_key_hash: hash(key),
        serial_number: Facts::of_der(&pem.contents).ok()?.serial,
    })
}

/// Checks a file's signature (base64) by a certificate's key.
pub(super) fn verify(file: &[u8], signature: &str, certificate: &str) -> Result<(), String> {
    const KNOWN: [&dyn VerificationAlgorithm; 4] = [
        &signature::ECDSA_P256_SHA256_ASN1,
        &signature::ECDSA_P384_SHA384_ASN1,
        &signature::RSA_PKCS1_2048_8192_SHA256,
        &signature::RSA_PSS_2048_8192_SHA256,
    ];
    let text: String = signature.split_whitespace().collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(text)
        .map_err(|problem| format!("the signature is no base64: {problem}"))?;
    let pem = one(certificate)?;
    let certificate = parsed(&pem)?;
    let key = &certificate.public_key().subject_public_key.data;
    let good = |algorithm: &'static dyn VerificationAlgorithm| {
        UnparsedPublicKey::new(algorithm, key)
            .verify(file, &bytes)
            .is_ok()
    };
    if KNOWN.into_iter().any(good) {
        Ok(())
    } else {
        Err("the signature does not fit the file and the certificate".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use certs::{Authority, Issued, Name, Request};
    use chrono::DateTime;
    use ring::{rand::SystemRandom, signature::EcdsaKeyPair};

    const NOW: i64 = 1_763_646_500_000;

    fn root() -> Issued {
        let name = Name {
            common: "Root",
            organisation: "Acme",
        };
        let now = DateTime::from_timestamp_millis(NOW).expect("a time");
        Authority::create(name, 30, now).expect("an authority")
    }

    #[test]
    fn roots_are_kept_named_and_dropped() {
        let mut store = KeyStore::new("S1");
        let kind = CertificateUse::ManufacturerRoot;
        assert_eq!(store.install(kind, &root().certificate, Utc(NOW)), Ok(true));
        assert!(store.install(kind, "nonsense", Utc(NOW)).is_err());
        assert!(
            store.install(kind, &root().certificate, Utc(0)).is_err(),
            "not yet valid"
        );
        let [named] = &store.list(kind)[..] else {
            panic!("one root");
        };
        assert_eq!(named.issuer_name_hash.len(), 64);
        assert!(store.list(CertificateUse::CentralSystemRoot).is_empty());
        let long = CertificateHash {
            hash_algorithm: "SHA512".to_owned(),
            ..name(&store.roots[0].1, "SHA512").expect("a name")
        };
        assert!(store.delete(&long));
        assert!(!store.delete(&long));
        for _ in 0..MOST {
            assert_eq!(store.install(kind, &root().certificate, Utc(NOW)), Ok(true));
        }
        assert_eq!(
            store.install(kind, &root().certificate, Utc(NOW)),
            Ok(false),
            "full"
        );
    }

    #[test]
    fn a_chain_is_used_for_the_key_that_was_asked_for() {
        let mut store = KeyStore::new("S1");
        let root = root();
        let authority = Authority::load(&root.certificate, &root.key).expect("an authority");
        let now = DateTime::from_timestamp_millis(NOW).expect("a time");
        let sign = |pem: &str| {
            let request = Request::read(pem).expect("a request");
            assert_eq!(request.check("Acme", "S1"), Ok(()));
            authority.sign(&request, 30, now).expect("signed")
        };
        let old = sign(&store.request("Acme").expect("a request"));
        let new = sign(&store.request("Acme").expect("a request"));
        assert!(store.store_chain(&old).is_err(), "that key is gone");
        assert!(store.store_chain("nonsense").is_err());
        store.store_chain(&new).expect("ours");
        assert_eq!(store.new_identity().expect("an identity").0, new);
    }

    #[test]
    fn firmware_is_believed_by_its_signature_and_its_signer() {
        let signer = root();
        let key = rcgen::KeyPair::from_pem(&signer.key).expect("a key");
        let random = SystemRandom::new();
        let algorithm = &signature::ECDSA_P256_SHA256_ASN1_SIGNING;
        let key =
            EcdsaKeyPair::from_pkcs8(algorithm, key.serialized_der(), &random).expect("a key");
        let signed = key.sign(&random, b"firmware").expect("a signature");
        let text = base64::engine::general_purpose::STANDARD.encode(signed);
        assert_eq!(verify(b"firmware", &text, &signer.certificate), Ok(()));
        assert!(verify(b"firmwarf", &text, &signer.certificate).is_err());
        assert!(verify(b"firmware", &text, &root().certificate).is_err());
        assert!(verify(b"firmware", "?", &signer.certificate).is_err());

        let mut store = KeyStore::new("S1");
        assert_eq!(store.check_signer(&signer.certificate, Utc(NOW)), Ok(()));
        store
            .install(
                CertificateUse::ManufacturerRoot,
                &root().certificate,
                Utc(NOW),
            )
            .expect("kept");
        assert!(
            store.check_signer(&signer.certificate, Utc(NOW)).is_err(),
            "another maker"
        );
        store
            .install(
                CertificateUse::ManufacturerRoot,
                &signer.certificate,
                Utc(NOW),
            )
            .expect("kept");
        assert_eq!(store.check_signer(&signer.certificate, Utc(NOW)), Ok(()));
    }
}
