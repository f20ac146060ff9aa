//! The bytes of a charge point's socket, plain or within TLS, and what a station trusts and shows there.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
    },
};
use tokio_util::either::Either;

/// A socket of a charge point: as it is on the left, within TLS on the right; boxed there, for a swarm has many without.
pub type Wire = Either<TcpStream, Box<TlsStream<TcpStream>>>;

/// Ends it as a power cut does: a reset, and no port is left waiting.
///
/// # Errors
/// When the system refuses.
pub fn set_zero_linger(wire: &Wire) -> io::Result<()> {
    match wire {
        Wire::Left(stream) => stream.set_zero_linger(),
        Wire::Right(stream) => stream.get_ref().0.set_zero_linger(),
    }
}

/// The files of a station that speaks TLS, PEM all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities whose servers it believes.
    pub ca: PathBuf,
    /// Its own certificate and key (security profile 3).
    pub own: Option<(PathBuf, PathBuf)>,
}

/// TLS as a station does it.
#[derive(Clone)]
pub struct Tls {
    connector: TlsConnector,
    config: Arc<ClientConfig>,
    roots: Arc<RootCertStore>,
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When one cannot be read, with the flag that names it.
    pub fn load(files: &TlsFiles) -> anyhow::Result<Self> {
        let roots = read("--ca", &files.ca)?;
        let own = match &files.own {
            Some((cert, key)) => Some((read("--cert", cert)?, read("--key", key)?)),
            None => None,
        };
        Self::of_pem(
            &roots,
            own.as_ref().map(|(cert, key)| (&cert[..], &key[..])),
        )
    }

    /// The same of texts: the authorities, and the station's own certificate and key.
    ///
    /// # Errors
    /// When one is not what it should be.
    pub fn of_pem(ca: &[u8], own: Option<(&[u8], &[u8])>) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        for root in certificates("--ca", ca)? {
            roots.add(root).context("--ca")?;
        }
        Self::of_roots(Arc::new(roots), own)
    }

    /// The same authorities, and this certificate and key of its own (PEM).
    ///
    /// # Errors
    /// When one is not what it should be.
    pub fn showing(&self, certificate: &[u8], key: &[u8]) -> anyhow::Result<Self> {
        Self::of_roots(self.roots.clone(), Some((certificate, key)))
    }

    fn of_roots(roots: Arc<RootCertStore>, own: Option<(&[u8], &[u8])>) -> anyhow::Result<Self> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots.clone());
        let config = match own {
            None => config.with_no_client_auth(),
            Some((cert, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key)
                    .context("--key: it holds no private key in PEM")?;
                config
                    .with_client_auth_cert(certificates("--cert", cert)?, key)
                    .context("--cert and --key")?
            }
        };
        let config = Arc::new(config);
        Ok(Tls {
            connector: TlsConnector::from(config.clone()),
            config,
            roots,
        })
    }

    /// Whom it believes and what it shows, for another client than its socket.
    #[must_use]
    pub fn config(&self) -> ClientConfig {
        (*self.config).clone()
    }

    /// TLS with the server of this name on an open socket.
    ///
    /// # Errors
    /// When the server is not believed, or does not believe the station.
    pub async fn over(&self, stream: TcpStream, host: &str) -> io::Result<Wire> {
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let stream = self.connector.connect(name, stream).await?;
        Ok(Wire::Right(Box::new(stream)))
    }
}

/// TLS as a server does it that asks its clients for no certificate; certificate and key are PEM.
///
/// # Errors
/// When one is not what it should be.
pub fn acceptor(certificate: &[u8], key: &[u8]) -> anyhow::Result<TlsAcceptor> {
    let key =
        PrivateKeyDer::from_pem_slice(key).context("--key: it holds no private key in PEM")?;
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(certificates("--cert", certificate)?, key)
        .context("--cert and --key")?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn read(flag: &'static str, path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{flag} {}", path.display()))
}

fn certificates(flag: &'static str, pem: &[u8]) -> anyhow::Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<_, _>>()
        .with_context(|| flag)?;
    if found.is_empty() {
        bail!("{flag}: it holds no certificates in PEM");
    }
    Ok(found)
}
