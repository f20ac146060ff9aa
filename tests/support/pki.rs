//! An authority of a test's own: the server's certificate is of it, and it signs what stations ask for.

use std::path::PathBuf;
use std::sync::Arc;

use certs::files::Readers;
use certs::{Authority, Issued, Name};
use csms::signing::LocalAuthority;
use csms::tls::Tls;
use service::clock::Clock;
use tempfile::TempDir;

/// Who operates the stations: O of their certificates.
pub const OPERATOR: &str = "Forecourt Test";

/// The authority and the server's files.
pub struct Pki {
    /// Its certificate, and the key.
    pub root: Issued,
    /// The server's.
    pub server: Issued,
    files: TempDir,
}

impl Pki {
    pub fn new() -> Self {
        let now = Clock::system().now();
        let name = Name {
            common: "Forecourt Test CA",
            organisation: OPERATOR,
        };
        let root = Authority::create(name, 100, now).unwrap();
        let authority = Authority::load(&root.certificate, &root.key).unwrap();
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        Pki {
            server: authority.server(&names, 90, now).unwrap(),
            root,
            files: tempfile::tempdir().unwrap(),
        }
    }

    pub fn authority(&self) -> Authority {
        Authority::load(&self.root.certificate, &self.root.key).unwrap()
    }

    /// A file with this text.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.files.path().join(name);
        certs::files::write(&path, text, Readers::All, true).unwrap();
        path
    }

    /// Settings of TLS on the chargers' port.
    pub fn settings(&self) -> service::config::Tls {
        service::config::Tls {
            certificate: self.file("server.pem", &self.server.certificate),
            key: self.file("server.key", &self.server.key),
            client_authorities: Some(self.file("ca.pem", &self.root.certificate)),
            revoked: None,
            soft: false,
        }
    }
}

/// A chargers' room that speaks ws and wss, and signs.
impl From<&Pki> for csms::Options {
    fn from(pki: &Pki) -> Self {
        csms::Options {
            tls: Some(Arc::new(Tls::load(&pki.settings()).unwrap())),
            operator: Some(OPERATOR.to_owned()),
            signer: Some(Arc::new(LocalAuthority(pki.authority()))),
            ..csms::Options::default()
        }
    }
}
