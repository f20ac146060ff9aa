//! TLS on the chargers' listener: certificates from files, and new ones while the server runs. Sockets that are open keep
//! what they were opened with.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use certs::Facts;
use chrono::{DateTime, Utc};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ProducesTickets, WebPkiClientVerifier};
use rustls::{
    DigitallySignedStruct, DistinguishedName, RootCertStore, ServerConfig, SignatureScheme,
};
use service::config::Tls as Settings;

/// Why certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("{setting}={}: {why}", path.display())]
pub struct Unusable {
    setting: &'static str,
    path: PathBuf,
    why: String,
}

/// The listener's TLS: what it serves with now, and where new certificates come from.
#[derive(Debug)]
pub struct Tls {
    settings: Settings,
    provider: Arc<CryptoProvider>,
    /// Kept when certificates are renewed: chargers come back without the cost of a whole handshake.
    tickets: Arc<dyn ProducesTickets>,
    current: RwLock<Arc<Loaded>>,
}

/// Certificates in use.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) config: Arc<ServerConfig>,
    /// The server's own certificate.
    pub(crate) server: Facts,
    /// Who believes the certificates of stations; `None` if none are asked for.
    clients: Option<Arc<dyn ClientCertVerifier>>,
    files: Files,
}

/// The files as they were read.
#[derive(Debug, PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    authorities: Option<Vec<u8>>,
    revoked: Option<Vec<u8>>,
}

/// What a look at the files found.
#[derive(Debug)]
pub(crate) enum Found {
    Same,
    /// New ones; from now on they are served.
    New,
    /// They cannot be used; the ones before go on.
    Unusable(Unusable),
}

/// What a client's certificate is worth.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// It sent none.
    Nothing,
    /// Its path is valid by RFC 5280, it is in time and not revoked, and the client holds its key.
    Believed(Facts),
    /// It is not to be believed, and why.
    Doubted(String),
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// The first setting that cannot be used, and why.
    pub fn load(settings: &Settings) -> Result<Self, Unusable> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tickets =
            rustls::crypto::ring::Ticketer::new().map_err(|error| settings.cert_error(error))?;
        let files = settings.read()?;
        let loaded = Loaded::new(settings, files, &provider, &tickets)?;
        Ok(Tls {
            settings: settings.clone(),
            provider,
            tickets,
            current: RwLock::new(Arc::new(loaded)),
        })
    }

    /// Whether stations are asked for certificates of their own.
    pub(crate) fn asks_for_certificates(&self) -> bool {
        self.current().clients.is_some()
    }

    /// What to serve a new socket with.
    pub(crate) fn current(&self) -> Arc<Loaded> {
        let current = self.current.read();
        current.unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the files once more. They are small, and local.
    pub(crate) fn look(&self) -> Found {
        let files = match self.settings.read() {
            Ok(files) if files == self.current().files => return Found::Same,
            Ok(files) => files,
            Err(error) => return Found::Unusable(error),
        };
        match Loaded::new(&self.settings, files, &self.provider, &self.tickets) {
            Ok(loaded) => {
                let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
                *current = Arc::new(loaded);
                Found::New
            }
            Err(error) => Found::Unusable(error),
        }
    }
}

impl Loaded {
    fn new(
        settings: &Settings,
        files: Files,
        provider: &Arc<CryptoProvider>,
        tickets: &Arc<dyn ProducesTickets>,
    ) -> Result<Self, Unusable> {
        let chain: Vec<CertificateDer<'static>> = all(&files.certificate)
            .filter(|chain: &Vec<_>| !chain.is_empty())
            .ok_or_else(|| settings.cert_error("it holds no certificates in PEM"))?;
        let server = Facts::of_der(&chain[0]).map_err(|error| settings.cert_error(error))?;
        let key = PrivateKeyDer::from_pem_slice(&files.key)
            .map_err(|_| settings.key_error("it holds no private key in PEM"))?;
        let clients = settings.clients(&files, provider)?;
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| settings.cert_error(error))?;
        let config = match &clients {
            Some(verifier) => config.with_client_cert_verifier(Arc::new(Asked(verifier.clone()))),
            None => config.with_no_client_auth(),
        };
        let mut config = config
            .with_single_cert(chain, key)
            .map_err(|error| settings.key_error(error))?;
        config.ticketer = tickets.clone();
        config.send_tls13_tickets = 1;
        Ok(Loaded {
            config: Arc::new(config),
            server,
            clients,
            files,
        })
    }

    /// What the certificates that a client sent are worth now. That it holds the key was shown by the handshake.
    pub(crate) fn judge(
        &self,
        sent: Option<&[CertificateDer<'_>]>,
        now: DateTime<Utc>,
    ) -> Certificate {
        let (Some([leaf, others @ ..]), Some(clients)) = (sent, &self.clients) else {
            return Certificate::Nothing;
        };
        let seconds = u64::try_from(now.timestamp()).unwrap_or_default();
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        if let Err(error) = clients.verify_client_cert(leaf, others, now) {
            return Certificate::Doubted(error.to_string());
        }
        match Facts::of_der(leaf) {
            Ok(facts) => Certificate::Believed(facts),
            Err(error) => Certificate::Doubted(error.to_string()),
        }
    }
}

/// Every part of a PEM text of the kind asked for; `None` if one is malformed.
fn all<T: PemObject>(text: &[u8]) -> Option<Vec<T>> {
    T::pem_slice_iter(text).collect::<Result<_, _>>().ok()
}

/// Reading the settings' files, with errors that name the setting.
trait Read {
    fn read(&self) -> Result<Files, Unusable>;
    fn clients(
        &self,
        files: &Files,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, Unusable>;
    fn cert_error(&self, why: impl ToString) -> Unusable;
    fn key_error(&self, why: impl ToString) -> Unusable;
}

impl Read for Settings {
    fn read(&self) -> Result<Files, Unusable> {
        let read = |setting, path: &Path| {
            std::fs::read(path).map_err(|error| unusable(setting, path, error))
        };
        Ok(Files {
            certificate: read("OCPP_TLS_CERT", &self.certificate)?,
            key: read("OCPP_TLS_KEY", &self.key)?,
            authorities: self
                .client_authorities
                .as_deref()
                .map(|path| read("OCPP_TLS_CLIENT_CA", path))
                .transpose()?,
            revoked: self
                .revoked
                .as_deref()
                .map(|path| read("OCPP_TLS_CRL", path))
                .transpose()?,
        })
    }

    fn clients(
        &self,
        files: &Files,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Option<Arc<dyn ClientCertVerifier>>, Unusable> {
        let (Some(text), Some(path)) = (&files.authorities, &self.client_authorities) else {
            return Ok(None);
        };
        let broken = |why: &dyn ToString| unusable("OCPP_TLS_CLIENT_CA", path, why.to_string());
        let mut roots = RootCertStore::empty();
        for authority in all::<CertificateDer<'static>>(text).unwrap_or_default() {
            roots.add(authority).map_err(|error| broken(&error))?;
        }
        if roots.is_empty() {
            return Err(broken(&"it holds no certificates in PEM"));
        }
        let mut builder =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        if let (Some(text), Some(path)) = (&files.revoked, &self.revoked) {
            let lists: Vec<CertificateRevocationListDer<'static>> = all(text)
                .filter(|lists: &Vec<_>| !lists.is_empty())
                .ok_or_else(|| {
                    unusable("OCPP_TLS_CRL", path, "it holds no revocation lists in PEM")
                })?;
            builder = builder.with_crls(lists);
            builder = if self.soft {
                builder.allow_unknown_revocation_status()
            } else {
                builder.enforce_revocation_expiration()
            };
        }
        builder.build().map(Some).map_err(|error| broken(&error))
    }

    fn cert_error(&self, why: impl ToString) -> Unusable {
        unusable("OCPP_TLS_CERT", &self.certificate, why)
    }

    fn key_error(&self, why: impl ToString) -> Unusable {
        unusable("OCPP_TLS_KEY", &self.key, why)
    }
}

fn unusable(setting: &'static str, path: &Path, why: impl ToString) -> Unusable {
    Unusable {
        setting,
        path: path.to_owned(),
        why: why.to_string(),
    }
}

/// Asks clients for a certificate and takes any whose key they hold: what it is worth is judged by [`Loaded::judge`] once
/// the station has said who it is. So the refusal can be told to its operator, and a station that needs no certificate is
/// not refused for a bad one.
#[derive(Debug)]
struct Asked(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for Asked {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
