//! Firmware updates, plain and signed: fetch, verify, wait for the last transaction, install, reboot, tell.

use alloc::{boxed::Box, string::String};

use serde::{Deserialize, Serialize};

use crate::{
    io::{Outputs, RebootKind},
    ocpp::{
        firmware::{FirmwareStatus, SignedUpdateFirmware, UpdateFirmware},
        security::SecurityEvent,
    },
    outbox::Request,
    point::ChargePoint,
    reply::{Refusal, date, read, status},
    time::{Millis, Utc},
    work::{Awaited, Done, Question, Work},
};

/// Seconds between attempts where the server gives none.
const RETRY_S: u32 = 60;

/// An update on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Job {
    location: String,
    retries: u32,
    interval_s: u32,
    install_at: Option<Utc>,
    signed: Option<Signed>,
    stage: Stage,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Signed {
    request: i64,
    signature: String,
    certificate: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Stage {
    /// Fetch it at this time; whether it is the first attempt.
    Waiting(Utc, bool),
    Downloading,
    Verifying,
    /// Install it once nobody charges.
    Ready,
    Installing,
    /// After the reboot the outcome is told: the new version, or that there is none.
    Rebooting(Option<String>),
}

impl ChargePoint {
    /// Takes an UpdateFirmware; its answer is empty.
    pub(crate) fn update_firmware(
        &mut self,
        payload: &str,
        out: &mut Outputs,
    ) -> Result<String, Refusal> {
        let request: UpdateFirmware<'_> = read(payload)?;
        let job = Job {
            location: String::from(&*request.location),
            retries: request.retries.unwrap_or(0),
            interval_s: request.retry_interval.unwrap_or(RETRY_S),
            install_at: None,
            signed: None,
            stage: Stage::Waiting(date("retrieveDate", &request.retrieve_date)?, true),
        };
        if !self.installing() {
            self.begin_update(job, out);
        }
        Ok(String::from("{}"))
    }

    /// Takes a SignedUpdateFirmware; it is answered once its certificate has been looked at.
    pub(crate) fn signed_update_firmware(
        &mut self,
        id: &str,
        payload: &str,
        out: &mut Outputs,
    ) -> Result<Option<String>, Refusal> {
        let request: SignedUpdateFirmware<'_> = read(payload)?;
        let firmware = request.firmware;
        let install_at = firmware.install_date_time.as_deref();
        let job = Job {
            location: String::from(&*firmware.location),
            retries: request.retries.unwrap_or(0),
            interval_s: request.retry_interval.unwrap_or(RETRY_S),
            install_at: install_at
                .map(|text| date("installDateTime", text))
                .transpose()?,
            stage: Stage::Waiting(
                date("retrieveDateTime", &firmware.retrieve_date_time)?,
                true,
            ),
            signed: Some(Signed {
                request: request.request_id,
                signature: String::from(&*firmware.signature),
                certificate: String::from(&*firmware.signing_certificate),
            }),
        };
        if self.installing() {
            return Ok(Some(status("Rejected")));
        }
        let signer = String::from(&*firmware.signing_certificate);
        let question = Question::Signer(Box::new(job));
        let awaited = Awaited::Answer(String::from(id), question);
        self.give_out(Work::CheckSigner(signer), awaited, out);
        Ok(None)
    }

    /// The signing certificate has been looked at.
    pub(crate) fn signer_checked(
        &mut self,
        job: Job,
        good: bool,
        now: Millis,
        out: &mut Outputs,
    ) -> String {
        if !good {
            self.security_event(
                SecurityEvent::InvalidFirmwareSigningCertificate,
                None,
                now,
                out,
            );
            return status("InvalidCertificate");
        }
        let replaces = self.firmware.is_some();
        let late = matches!(job.stage, Stage::Waiting(at, _) if at > self.clock.utc(now));
        self.begin_update(job, out);
        if late {
            self.tell_firmware(FirmwareStatus::DownloadScheduled);
        }
        status(if replaces {
            "AcceptedCanceled"
        } else {
            "Accepted"
        })
    }

    fn begin_update(&mut self, job: Job, out: &mut Outputs) {
        let ours = |awaited: &Awaited| matches!(awaited, Awaited::Download | Awaited::Verify);
        self.call_off(ours, out);
        self.firmware = Some(job);
        self.dirty = true;
    }

    fn installing(&self) -> bool {
        let busy = |job: &Job| matches!(job.stage, Stage::Installing | Stage::Rebooting(_));
        self.firmware.as_ref().is_some_and(busy)
    }

    /// Moves the update on, as far as it can go now.
    pub(crate) fn move_update(&mut self, now: Millis, out: &mut Outputs) {
        let utc = self.clock.utc(now);
        let Some(job) = &mut self.firmware else {
            return;
        };
        match job.stage.clone() {
            Stage::Waiting(at, first) if at <= utc => {
                job.stage = Stage::Downloading;
                let location = job.location.clone();
                if first {
                    self.tell_firmware(FirmwareStatus::Downloading);
                }
                self.give_out(Work::Download { location }, Awaited::Download, out);
            }
            Stage::Ready if job.install_at.is_none_or(|at| at <= utc) => {
                // Nobody may begin to charge any more; who charges may end.
                self.updating = true;
                if self.connectors.iter().any(|c| c.transaction.is_some()) {
                    return;
                }
                if let Some(job) = &mut self.firmware {
                    job.stage = Stage::Installing;
                }
                self.settle_all(now, out);
                self.tell_firmware(FirmwareStatus::Installing);
                self.give_out(Work::InstallFirmware, Awaited::Install, out);
                self.dirty = true;
            }
            Stage::Rebooting(version) if !self.updating && self.online() => {
                self.firmware_runs(version, now, out);
            }
            _ => {}
        }
    }

    /// A result of the update's work.
    pub(crate) fn update_done(
        &mut self,
        step: &Awaited,
        done: &Done<'_>,
        now: Millis,
        out: &mut Outputs,
    ) {
        match step {
            Awaited::Download if done.is_good() => self.downloaded(now, out),
            Awaited::Download => self.download_failed(now),
            Awaited::Verify if done.is_good() => {
                self.tell_firmware(FirmwareStatus::SignatureVerified);
                self.ready(now);
            }
            Awaited::Verify => {
                self.tell_firmware(FirmwareStatus::InvalidSignature);
                self.security_event(SecurityEvent::InvalidFirmwareSignature, None, now, out);
                self.firmware = None;
            }
            _ => {
                let version = match done {
                    Done::Text(version) => Some(String::from(*version)),
                    _ => None,
                };
                self.written(version, now);
            }
        }
        self.dirty = true;
    }

    fn downloaded(&mut self, now: Millis, out: &mut Outputs) {
        self.tell_firmware(FirmwareStatus::Downloaded);
        let Some(job) = &mut self.firmware else {
            return;
        };
        match job.signed.clone() {
            Some(signed) => {
                job.stage = Stage::Verifying;
                let work = Work::VerifyFirmware {
                    signature: signed.signature,
                    certificate: signed.certificate,
                };
                self.give_out(work, Awaited::Verify, out);
            }
            None => self.ready(now),
        }
    }

    fn download_failed(&mut self, now: Millis) {
        let utc = self.clock.utc(now);
        match &mut self.firmware {
            Some(job) if job.retries > 0 => {
                job.retries -= 1;
                let again = Utc(utc.0 + i64::from(job.interval_s) * 1000);
                job.stage = Stage::Waiting(again, false);
            }
            _ => {
                self.tell_firmware(FirmwareStatus::DownloadFailed);
                self.firmware = None;
            }
        }
    }

    fn ready(&mut self, now: Millis) {
        let utc = self.clock.utc(now);
        let Some(job) = &mut self.firmware else {
            return;
        };
        job.stage = Stage::Ready;
        if job.signed.is_some() && job.install_at.is_some_and(|at| at > utc) {
            self.tell_firmware(FirmwareStatus::InstallScheduled);
        }
    }

    /// It was written, or not: either way the charge point reboots into what it can run.
    fn written(&mut self, version: Option<String>, now: Millis) {
        let Some(job) = &mut self.firmware else {
            return;
        };
        job.stage = Stage::Rebooting(version.clone());
        if job.signed.is_some() && version.is_some() {
            self.tell_firmware(FirmwareStatus::InstallRebooting);
        }
        self.reset = Some((RebootKind::Soft, now));
    }

    /// After the reboot: what runs now.
    fn firmware_runs(&mut self, version: Option<String>, now: Millis, out: &mut Outputs) {
        if version.is_some() {
            let signed = self
                .firmware
                .as_ref()
                .is_some_and(|job| job.signed.is_some());
            if signed {
                self.security_event(SecurityEvent::FirmwareUpdated, version, now, out);
            }
            self.tell_firmware(FirmwareStatus::Installed);
        } else {
            self.tell_firmware(FirmwareStatus::InstallationFailed);
        }
        self.firmware = None;
        self.dirty = true;
    }

    /// Queues a status of the update under way.
    fn tell_firmware(&mut self, status: FirmwareStatus) {
        let of = self.firmware.as_ref().and_then(|job| job.signed.as_ref());
        let (signed, request) = (of.is_some(), of.map(|of| of.request));
        self.firmware_told = (status, request);
        let told = Request::Firmware {
            status,
            request,
            signed,
        };
        self.outbox.push(told, false);
        self.dirty = true;
    }

    /// The status that a trigger asks for: what was told last while something is under way, else Idle.
    pub(crate) fn firmware_now(&self, signed: bool) -> Request {
        let (status, request) = match self.firmware {
            Some(_) => self.firmware_told,
            None => (FirmwareStatus::Idle, None),
        };
        Request::Firmware {
            status,
            request: request.filter(|_| signed),
            signed,
        }
    }

    /// When the update may go on by itself.
    pub(crate) fn next_update(&self, now: Millis) -> Option<Millis> {
        let job = self.firmware.as_ref()?;
        let at = match job.stage {
            Stage::Waiting(at, _) => at,
            Stage::Ready => job.install_at?,
            _ => return None,
        };
        (at > self.clock.utc(now)).then(|| self.when(at, now))
    }
}

/// The update as a reboot finds it, and the version that runs now if it is another.
pub(crate) fn rebooted(job: Option<Job>) -> (Option<Job>, Option<String>) {
    let Some(mut job) = job else {
        return (None, None);
    };
    let mut version = None;
    job.stage = match job.stage {
        // The host goes on where it was.
        Stage::Downloading | Stage::Verifying => Stage::Waiting(Utc(0), false),
        // The power went while it was written: the old one runs.
        Stage::Installing => Stage::Rebooting(None),
        Stage::Rebooting(new) => {
            version.clone_from(&new);
            Stage::Rebooting(new)
        }
        stage => stage,
    };
    (Some(job), version)
}
