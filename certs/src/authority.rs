//! An authority: makes certificates, signs what stations ask for, and says which are revoked.

use chrono::{DateTime, Days, TimeDelta, Utc};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    PublicKeyData, RevocationReason, RevokedCertParams, SerialNumber, SubjectPublicKeyInfo,
};

use crate::{Error, Facts, Request, instant};

/// Clocks of chargers are late: what is made now is valid since yesterday.
const EARLIER: TimeDelta = TimeDelta::days(1);

/// A certificate with its key, both PEM.
#[derive(Clone)]
pub struct Issued {
    /// The certificate, and those it needs to be believed.
    pub certificate: String,
    /// Its private key, PKCS #8.
    pub key: String,
}

impl std::fmt::Debug for Issued {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Issued").finish_non_exhaustive()
    }
}

/// Whom a certificate is for.
#[derive(Debug, Clone, Copy)]
pub struct Name<'a> {
    /// CN: a server's host name, a station's serial number.
    pub common: &'a str,
    /// O: who operates the stations.
    pub organisation: &'a str,
}

/// An authority with its key.
#[derive(Debug)]
pub struct Authority {
    certificate: String,
    facts: Facts,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    /// Makes a self-signed authority.
    ///
    /// # Errors
    /// When a name does not fit.
    pub fn create(name: Name<'_>, days: u32, now: DateTime<Utc>) -> Result<Issued, Error> {
        let key = KeyPair::generate()?;
        let mut params = params(name, days, now)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Ok(Issued {
            certificate: params.self_signed(&key)?.pem(),
            key: key.serialize_pem(),
        })
    }

    /// An authority from its two files' text.
    ///
    /// # Errors
    /// When one cannot be read, is no authority's, or they do not belong together.
    pub fn load(certificate: &str, key: &str) -> Result<Self, Error> {
        let unreadable = |what, why: String| Error::Unreadable { what, why };
        let facts = Facts::of_pem(certificate)?;
        if !facts.is_authority {
            return Err(unreadable(
                "the authority's certificate",
                "it may not sign others (no CA:TRUE)".to_owned(),
            ));
        }
        let key = KeyPair::from_pem(key)
            .map_err(|error| unreadable("the authority's key", error.to_string()))?;
        if facts.public_key != key.subject_public_key_info() {
            return Err(Error::OtherKey);
        }
        let issuer = Issuer::from_ca_cert_pem(certificate, key)
            .map_err(|error| unreadable("the authority's certificate", error.to_string()))?;
        Ok(Authority {
            certificate: certificate.trim_end().to_owned() + "\n",
            facts,
            issuer,
        })
    }

    /// Its certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.certificate
    }

    /// What its certificate says.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }

    /// A certificate for the server that answers to these names; the first is its CN. (Every name is a subjectAltName as
    /// well, which the whitepaper advises against: clients of this century believe nothing else.)
    ///
    /// # Errors
    /// When a name does not fit.
    pub fn server(&self, names: &[String], days: u32, now: DateTime<Utc>) -> Result<Issued, Error> {
        let name = Name {
            common: names.first().map_or("", String::as_str),
            organisation: &self.facts.organisation,
        };
        let mut params = params(name, days, now)?;
        params.subject_alt_names = CertificateParams::new(names)?.subject_alt_names;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        self.issue(params)
    }

    /// A certificate for a station.
    ///
    /// # Errors
    /// When a name does not fit.
    pub fn station(&self, name: Name<'_>, days: u32, now: DateTime<Utc>) -> Result<Issued, Error> {
        self.issue(of_station(name, days, now)?)
    }

    fn issue(&self, params: CertificateParams) -> Result<Issued, Error> {
        let key = KeyPair::generate()?;
        let leaf = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued {
            certificate: leaf + &self.certificate,
            key: key.serialize_pem(),
        })
    }

    /// Signs what a station asks for: its key and its names, and nothing else that the request holds. Answers the chain:
    /// the station's certificate, then the authority's.
    ///
    /// # Errors
    /// When the key is of a kind that cannot be certified.
    pub fn sign(&self, request: &Request, days: u32, now: DateTime<Utc>) -> Result<String, Error> {
        let name = Name {
            common: &request.common_name,
            organisation: &request.organisation,
        };
        let key = SubjectPublicKeyInfo::from_der(&request.public_key)?;
        let leaf = of_station(name, days, now)?.signed_by(&key, &self.issuer)?;
        Ok(leaf.pem() + &self.certificate)
    }

    /// The list of the revoked ones, by their serial numbers in hexadecimal; PEM.
    ///
    /// # Errors
    /// When a serial number is none, or the authority may sign no lists.
    pub fn revoke(
        &self,
        serials: &[String],
        days: u32,
        now: DateTime<Utc>,
    ) -> Result<String, Error> {
        let revoked = |serial: &String| {
            Ok(RevokedCertParams {
                serial_number: SerialNumber::from_slice(&hex::decode(serial).map_err(|_| {
                    Error::Unreadable {
                        what: "a serial number",
                        why: format!("{serial:?} is not hexadecimal"),
                    }
                })?),
                revocation_time: instant(now),
                reason_code: Some(RevocationReason::Unspecified),
                invalidity_date: None,
            })
        };
        let list = CertificateRevocationListParams {
            this_update: instant(now - EARLIER),
            next_update: instant(now + Days::new(days.into())),
            crl_number: SerialNumber::from(now.timestamp().unsigned_abs()),
            issuing_distribution_point: None,
            revoked_certs: serials.iter().map(revoked).collect::<Result<_, Error>>()?,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        Ok(list.signed_by(&self.issuer)?.pem()?)
    }
}

fn of_station(name: Name<'_>, days: u32, now: DateTime<Utc>) -> Result<CertificateParams, Error> {
    let mut params = params(name, days, now)?;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    Ok(params)
}

fn params(name: Name<'_>, days: u32, now: DateTime<Utc>) -> Result<CertificateParams, Error> {
    let mut subject = DistinguishedName::new();
    for (kind, text) in [
        (DnType::OrganizationName, name.organisation),
        (DnType::CommonName, name.common),
    ] {
        if !(1..=64).contains(&text.chars().count()) || text.chars().any(char::is_control) {
            return Err(Error::Name(text.to_owned()));
        }
        subject.push(kind, text);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.not_before = instant(now - EARLIER);
    params.not_after = instant(now + Days::new(days.into()));
    params.use_authority_key_identifier_extension = true;
    Ok(params)
}
