//! A station tells how a firmware update or a log upload goes.

use chrono::{DateTime, Utc};
use store::ingest::{Bearing, Effect, JobWord};
use store::stations::Station;

/// The message that a state came in, and so what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// FirmwareStatusNotification: the newest UpdateFirmware.
    Firmware,
    /// SignedFirmwareStatusNotification: the SignedUpdateFirmware of its requestId.
    SignedFirmware,
    /// DiagnosticsStatusNotification: the newest GetDiagnostics.
    Diagnostics,
    /// LogStatusNotification: the GetLog of its requestId.
    Log,
}

impl About {
    fn kind(self) -> &'static str {
        match self {
            About::Firmware | About::SignedFirmware => "firmware",
            About::Diagnostics | About::Log => "log",
        }
    }

    fn action(self) -> &'static str {
        match self {
            About::Firmware => "UpdateFirmware",
            About::SignedFirmware => "SignedUpdateFirmware",
            About::Diagnostics => "GetDiagnostics",
            About::Log => "GetLog",
        }
    }

    fn source(self) -> &'static str {
        match self {
            About::Firmware => "FirmwareStatusNotification",
            About::SignedFirmware => "SignedFirmwareStatusNotification",
            About::Diagnostics => "DiagnosticsStatusNotification",
            About::Log => "LogStatusNotification",
        }
    }

    fn names_job(self) -> bool {
        matches!(self, About::SignedFirmware | About::Log)
    }
}

/// The rows. A state that is on no list is kept as it was said, and the job goes on.
pub(crate) fn decide(
    station: &Station,
    about: About,
    state: String,
    request_id: Option<i64>,
    now: DateTime<Utc>,
) -> Effect {
    let word = JobWord {
        station_id: station.id,
        kind: about.kind(),
        action: about.action(),
        source: about.source(),
        request_id,
        names_job: about.names_job(),
        bearing: bearing(&state),
        state,
        received_at: now,
    };
    Effect {
        job_words: vec![word],
        ..Effect::default()
    }
}

/// What a state means, of whichever of the four messages.
fn bearing(state: &str) -> Bearing {
    match state {
        "Idle" => Bearing::Idle,
        "Installed" | "Uploaded" => Bearing::Done,
        "DownloadFailed"
        | "InstallationFailed"
        | "InstallVerificationFailed"
        | "InvalidSignature"
        | "UploadFailed"
        | "UploadFailure"
        | "BadMessage"
        | "NotSupportedOperation"
        | "PermissionDenied" => Bearing::Failed,
        _ => Bearing::Progress,
    }
}

#[cfg(test)]
mod tests {
    use ocpp::v16::{DiagnosticsStatus, FirmwareStatus, SignedFirmwareStatus, UploadLogStatus};

    use super::*;

    #[test]
    fn every_state_of_the_standard_says_how_the_job_stands() {
        let goes_on = [
            FirmwareStatus::Downloading.as_str(),
            FirmwareStatus::Downloaded.as_str(),
            FirmwareStatus::Installing.as_str(),
            SignedFirmwareStatus::DownloadScheduled.as_str(),
            SignedFirmwareStatus::DownloadPaused.as_str(),
            SignedFirmwareStatus::SignatureVerified.as_str(),
            SignedFirmwareStatus::InstallScheduled.as_str(),
            SignedFirmwareStatus::InstallRebooting.as_str(),
            DiagnosticsStatus::Uploading.as_str(),
            "DownloadVerifying",
        ];
        let done = [
            FirmwareStatus::Installed.as_str(),
            UploadLogStatus::Uploaded.as_str(),
        ];
        let failed = [
            FirmwareStatus::DownloadFailed.as_str(),
            FirmwareStatus::InstallationFailed.as_str(),
            SignedFirmwareStatus::InstallVerificationFailed.as_str(),
            SignedFirmwareStatus::InvalidSignature.as_str(),
            DiagnosticsStatus::UploadFailed.as_str(),
            UploadLogStatus::UploadFailure.as_str(),
            UploadLogStatus::BadMessage.as_str(),
            UploadLogStatus::NotSupportedOperation.as_str(),
            UploadLogStatus::PermissionDenied.as_str(),
        ];
        let all = |states: &[&str], meant| states.iter().all(|state| bearing(state) == meant);
        assert!(all(&goes_on, Bearing::Progress));
        assert!(all(&done, Bearing::Done));
        assert!(all(&failed, Bearing::Failed));
        assert!(all(&[FirmwareStatus::Idle.as_str()], Bearing::Idle));
    }
}
