//! An authority of the test's own, the server's certificate by it, and what a station needs to believe that.

use std::path::{Path, PathBuf};

use certs::files::{self, Readers};
use certs::{Authority, Name};
use service::clock::Clock;
use simulators::wire::Tls;

/// Certificates for a server in this folder.
pub struct Pki {
    folder: PathBuf,
    authority: String,
}

impl Pki {
    pub fn new(folder: &Path) -> Self {
        let now = Clock::system().now();
        let name = Name {
            common: "Test CA",
            organisation: "Example CPO",
        };
        let root = Authority::create(name, 10, now).expect("an authority");
        let authority = Authority::load(&root.certificate, &root.key).expect("its own files");
        let server = authority
            .server(&["localhost".to_owned(), "127.0.0.1".to_owned()], 5, now)
            .expect("a certificate");
        let pki = Pki {
            folder: folder.to_owned(),
            authority: root.certificate,
        };
        for (name, text, readers) in [
            ("server.pem", &server.certificate, Readers::All),
            ("server.key", &server.key, Readers::Owner),
        ] {
            files::write(&pki.folder.join(name), text, readers, true).expect("a file");
        }
        pki
    }

    /// The settings of a server that speaks TLS.
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        [
            ("OCPP_TLS_CERT", "server.pem"),
            ("OCPP_TLS_KEY", "server.key"),
        ]
        .map(|(setting, name)| (setting, self.folder.join(name).display().to_string()))
        .to_vec()
    }

    /// What stations believe.
    pub fn tls(&self) -> Tls {
        Tls::of_pem(self.authority.as_bytes(), None).expect("an authority")
    }
}
