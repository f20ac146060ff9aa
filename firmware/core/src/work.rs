//! Work that the host does for the charge point: files over the network, cryptography, storage. The charge point
//! gives it out under a number and waits; a result of a number that it does not wait for any more changes nothing.

use alloc::{boxed::Box, string::String};

use crate::{
    firmware::Job,
    io::{Output, Outputs},
    ocpp::{
        firmware::LogKind,
        security::{CertificateHash, CertificateHashes, CertificateUse},
    },
    point::ChargePoint,
    time::Utc,
};

/// A piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Fetch firmware, going on where an earlier attempt ended. [`Done::Yes`] or [`Done::No`].
    Download {
        /// From where.
        location: String,
    },
    /// Check the fetched firmware's signature. [`Done::Yes`] or [`Done::No`].
    VerifyFirmware {
        /// Base64.
        signature: String,
        /// Who signed it, PEM.
        certificate: String,
    },
    /// Write the fetched firmware. [`Done::Text`] with its version, or [`Done::No`].
    InstallFirmware,
    /// Send a log. [`Done::Yes`] or [`Done::No`].
    Upload {
        /// Where to.
        location: String,
        /// Under which name.
        file_name: String,
        /// Which.
        log: LogKind,
        /// From when on.
        from: Option<Utc>,
        /// Until when.
        to: Option<Utc>,
    },
    /// May this certificate (PEM) sign firmware? [`Done::Yes`] or [`Done::No`].
    CheckSigner(String),
    /// Keep a root certificate. [`Done::Yes`], [`Done::No`] (it is none), [`Done::Failed`] (no room).
    InstallCertificate {
        /// What for.
        kind: CertificateUse,
        /// PEM.
        certificate: String,
    },
    /// Name the certificates of a use. [`Done::Certificates`].
    ListCertificates(CertificateUse),
    /// Drop a certificate. [`Done::Yes`], [`Done::No`] (there is none), [`Done::Failed`] (it is needed).
    DeleteCertificate(CertificateHash),
    /// Make a key and a request to have it signed. [`Done::Text`] with the PEM, or [`Done::Failed`].
    MakeRequest {
        /// Who operates the charge point (CpoName), perhaps nobody.
        organisation: String,
    },
    /// Use this chain (PEM) with the key made last. [`Done::Yes`] or [`Done::No`].
    StoreChain(String),
}

/// What came of it.
#[derive(Debug)]
pub enum Done<'a> {
    /// It is done, or it is so.
    Yes,
    /// It could not be done, or it is not so.
    No,
    /// Something else went wrong.
    Failed,
    /// It is done, and this is it.
    Text(&'a str),
    /// These are they.
    Certificates(CertificateHashes),
}

impl Done<'_> {
    pub(crate) fn is_good(&self) -> bool {
        !matches!(self, Done::No | Done::Failed)
    }
}

/// What a result is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Awaited {
    Download,
    Verify,
    Install,
    Upload,
    Request,
    /// An answer to a CALL of this id.
    Answer(String, Question),
}

/// What the server asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Question {
    /// May this update be? The job that then begins.
    Signer(Box<Job>),
    Install,
    List,
    Delete,
    Chain,
}

impl Question {
    pub(crate) fn action(&self) -> &'static str {
        match self {
            Self::Signer(_) => "SignedUpdateFirmware",
            Self::Install => "InstallCertificate",
            Self::List => "GetInstalledCertificateIds",
            Self::Delete => "DeleteCertificate",
            Self::Chain => "CertificateSigned",
        }
    }
}

impl ChargePoint {
    /// Gives out work.
    pub(crate) fn give_out(&mut self, work: Work, awaited: Awaited, out: &mut Outputs) {
        self.next_work += 1;
        self.awaited.push((self.next_work, awaited));
        out.todo.push(Output::Work(self.next_work, work));
    }

    /// The awaited thing is not awaited any more.
    pub(crate) fn call_off(&mut self, what: fn(&Awaited) -> bool, out: &mut Outputs) {
        self.awaited.retain(|(number, awaited)| {
            let off = what(awaited);
            if off {
                out.todo.push(Output::CallOff(*number));
            }
            !off
        });
    }
}
