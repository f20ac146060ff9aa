//! A server that speaks TLS with certificates of its own authority, and clients that come by it. No tests here.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use certs::files::{self, Readers};
use certs::{Authority, Facts, Issued, Name};
use chrono::{DateTime, Utc};
use csms::Options;
use csms::signing::LocalAuthority;
use csms::tls::Tls;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use service::clock::Clock;
use service::config;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::http::Request;

use crate::support::{Server, Station};

pub const OPERATOR: &str = "Example CPO";

pub fn now() -> DateTime<Utc> {
    Clock::system().now()
}

/// An authority, and the server's files.
pub struct Pki {
    folder: TempDir,
    pub authority: Authority,
    root: Issued,
}

impl Pki {
    pub fn new() -> Self {
        Self::named("Test CA")
    }

    pub fn named(common: &str) -> Self {
        let name = Name {
            common,
            organisation: OPERATOR,
        };
        let root = Authority::create(name, 100, now()).unwrap();
        let pki = Pki {
            folder: tempfile::tempdir().unwrap(),
            authority: Authority::load(&root.certificate, &root.key).unwrap(),
            root,
        };
        pki.write("ca.pem", &pki.root.certificate);
        pki.renew(90);
        pki.revoke(&[]);
        pki
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        files::write(&self.path(name), text, Readers::All, true).unwrap();
    }

    /// A new certificate of the server; answers its fingerprint.
    pub fn renew(&self, days: u32) -> String {
        let issued = self
            .authority
            .server(&["localhost".to_owned()], days, now())
            .unwrap();
        self.write("server.key", &issued.key);
        self.write("server.pem", &issued.certificate);
        Facts::of_pem(&issued.certificate).unwrap().fingerprint
    }

    pub fn revoke(&self, certificates: &[&Issued]) {
        let serials: Vec<String> = certificates
            .iter()
            .map(|issued| Facts::of_pem(&issued.certificate).unwrap().serial)
            .collect();
        let list = self.authority.revoke(&serials, 10, now()).unwrap();
        self.write("ca.crl", &list);
    }

    /// The authorities whose stations are believed, and their lists of revoked ones.
    pub fn write_authorities(&self, of: &[&Pki]) {
        let all =
            |text: &dyn Fn(&Pki) -> String| of.iter().map(|pki| text(pki)).collect::<String>();
        // The lists first: an authority without one lets nobody in.
        let lists = all(&|pki| pki.authority.revoke(&[], 10, now()).unwrap());
        self.write("ca.crl", &lists);
        self.write("ca.pem", &all(&|pki| pki.root.certificate.clone()));
    }

    pub fn settings(&self) -> config::Tls {
        config::Tls {
            certificate: self.path("server.pem"),
            key: self.path("server.key"),
            client_authorities: Some(self.path("ca.pem")),
            revoked: Some(self.path("ca.crl")),
            soft: false,
        }
    }

    pub fn options(&self) -> Options {
        let signer = Authority::load(&self.root.certificate, &self.root.key).unwrap();
        Options {
            tls: Some(Arc::new(Tls::load(&self.settings()).unwrap())),
            operator: Some(OPERATOR.to_owned()),
            signer: Some(Arc::new(LocalAuthority(signer))),
            renew_interval: Duration::from_millis(50),
            ping_interval: Duration::from_secs(5),
            ..Options::default()
        }
    }

    pub fn station(&self, serial: &str) -> Issued {
        self.station_of(serial, OPERATOR, 10, now())
    }

    pub fn station_of(
        &self,
        serial: &str,
        organisation: &str,
        days: u32,
        at: DateTime<Utc>,
    ) -> Issued {
        let name = Name {
            common: serial,
            organisation,
        };
        self.authority.station(name, days, at).unwrap()
    }

    /// A client that believes the authority and has this certificate.
    pub fn client(&self, certificate: Option<&Issued>) -> Client {
        Client {
            root: self.root.certificate.clone(),
            certificate: certificate.cloned(),
            versions: vec![&TLS13, &TLS12],
        }
    }
}

/// A charger's side of TLS.
pub struct Client {
    pub root: String,
    pub certificate: Option<Issued>,
    pub versions: Vec<&'static SupportedProtocolVersion>,
}

impl Client {
    fn config(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.root.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&self.versions)
            .unwrap()
            .with_root_certificates(roots);
        match &self.certificate {
            None => config.with_no_client_auth(),
            Some(issued) => {
                let chain = CertificateDer::pem_slice_iter(issued.certificate.as_bytes());
                let chain = chain.collect::<Result<_, _>>().unwrap();
                let key = PrivateKeyDer::from_pem_slice(issued.key.as_bytes()).unwrap();
                config.with_client_auth_cert(chain, key).unwrap()
            }
        }
    }

    /// TLS with the server.
    pub async fn tls(&self, server: &Server) -> std::io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(server.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        let connector = TlsConnector::from(Arc::new(self.config()));
        connector.connect(name, stream).await
    }

    /// A WebSocket over TLS; the status of a refusal otherwise.
    pub async fn connect(&self, server: &Server, request: Request<()>) -> Result<Station, u16> {
        let stream = self.tls(server).await.expect("a TLS handshake");
        Station::over(Box::new(stream), request).await
    }
}

/// The fingerprint of the certificate that the server shows.
pub fn shown(stream: &TlsStream<TcpStream>) -> String {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap();
    Facts::of_der(&chain[0]).unwrap().fingerprint
}
