//! The security whitepaper: events, certificates, keys and profiles. Cryptography and key stores are the host's.

use alloc::{string::String, vec::Vec};

use crate::{
    config::{Change, Key},
    io::{Event, Output, Outputs},
    ocpp::{
        msg16::TriggerMessage,
        security::{
            CertificateSigned, DeleteCertificate, GetInstalledCertificateIds,
            GetInstalledCertificateIdsConf, InstallCertificate, SecurityEvent,
        },
    },
    outbox::Request,
    point::ChargePoint,
    reply::{Refusal, read, status},
    time::Millis,
    wire::json,
    work::{Awaited, Done, Question, Work},
};

/// A security profile that lets nobody in is left again after so many failed connections.
const PROFILE_ATTEMPTS: u32 = 3;

impl ChargePoint {
    /// Answers the requests about certificates: later, when the host has done its work.
    pub(crate) fn certificate_call(
        &mut self,
        id: &str,
        action: &str,
        payload: &str,
        out: &mut Outputs,
    ) -> Result<Option<String>, Refusal> {
        let (work, question) = match action {
            "InstallCertificate" => {
                let request: InstallCertificate<'_> = read(payload)?;
                let work = Work::InstallCertificate {
                    kind: request.certificate_type,
                    certificate: String::from(&*request.certificate),
                };
                (work, Question::Install)
            }
            "GetInstalledCertificateIds" => {
                let request: GetInstalledCertificateIds = read(payload)?;
                (
                    Work::ListCertificates(request.certificate_type),
                    Question::List,
                )
            }
            "DeleteCertificate" => {
                let request: DeleteCertificate = read(payload)?;
                let work = Work::DeleteCertificate(request.certificate_hash_data);
                (work, Question::Delete)
            }
            "CertificateSigned" => {
                let request: CertificateSigned<'_> = read(payload)?;
                let chain = String::from(&*request.certificate_chain);
                if chain.len() as u64 > self.config.number(Key::CertificateSignedMaxChainSize) {
                    return Ok(Some(status("Rejected")));
                }
                (Work::StoreChain(chain), Question::Chain)
            }
            _ => return Err(Refusal::not_implemented(action)),
        };
        self.give_out(work, Awaited::Answer(String::from(id), question), out);
        Ok(None)
    }

    /// The host has done what an answer waited for: the answer's payload.
    pub(crate) fn answer_later(
        &mut self,
        question: Question,
        done: &Done<'_>,
        now: Millis,
        out: &mut Outputs,
    ) -> String {
        match (question, done) {
            (Question::Signer(job), done) => self.signer_checked(*job, done.is_good(), now, out),
            (Question::List, Done::Certificates(list)) if !list.is_empty() => {
                json(&GetInstalledCertificateIdsConf {
                    status: "Accepted",
                    certificate_hash_data: list,
                })
            }
            (Question::List, _) | (Question::Delete, Done::No) => status("NotFound"),
            (Question::Install, Done::No) => {
                let event = SecurityEvent::InvalidCentralSystemCertificate;
                self.security_event(event, None, now, out);
                status("Rejected")
            }
            (Question::Chain, Done::No | Done::Failed) => {
                let event = SecurityEvent::InvalidChargePointCertificate;
                self.security_event(event, None, now, out);
                status("Rejected")
            }
            (_, Done::Failed) => status("Failed"),
            (Question::Chain, _) => {
                // A certificate shows itself only in a handshake.
                self.reconnect = self.config.number(Key::SecurityProfile) == 3;
                self.changed_security("certificate", now, out);
                status("Accepted")
            }
            (_, _) => status("Accepted"),
        }
    }

    /// Takes an ExtendedTriggerMessage.
    pub(crate) fn extended_trigger(
        &mut self,
        payload: &str,
        now: Millis,
        out: &mut Outputs,
    ) -> Result<String, Refusal> {
        let request: TriggerMessage<'_> = read(payload)?;
        match &*request.requested_message {
            "SignChargePointCertificate" => {
                let organisation = String::from(self.config.text(Key::CpoName));
                self.give_out(Work::MakeRequest { organisation }, Awaited::Request, out);
            }
            "LogStatusNotification" => {
                let told = self.upload_now(true);
                self.outbox.push(told, true);
            }
            "FirmwareStatusNotification" => {
                let told = self.firmware_now(true);
                self.outbox.push(told, true);
            }
            "BootNotification" | "Heartbeat" | "MeterValues" | "StatusNotification" => {
                return self.trigger(&request, now);
            }
            _ => return Ok(status("NotImplemented")),
        }
        Ok(status("Accepted"))
    }

    /// Notes and tells an event.
    pub(crate) fn security_event(
        &mut self,
        kind: SecurityEvent,
        info: Option<String>,
        now: Millis,
        out: &mut Outputs,
    ) {
        out.event(Event::Security(kind));
        let at = self.clock.stamp(now);
        self.outbox
            .push(Request::Security { kind, at, info }, false);
        self.dirty = true;
    }

    fn changed_security(&mut self, what: &str, now: Millis, out: &mut Outputs) {
        if self.settings.security_events {
            let what = Some(String::from(what));
            self.security_event(SecurityEvent::Reconfiguration, what, now, out);
        }
    }

    /// A ChangeConfiguration of a key that only the security whitepaper knows; `None`: an ordinary key.
    pub(crate) fn change_security(
        &mut self,
        key: &str,
        value: &str,
        now: Millis,
        out: &mut Outputs,
    ) -> Option<Change> {
        match key {
            "AuthorizationKey" => Some(self.change_password(value, now, out)),
            "SecurityProfile" => Some(self.change_profile(value, now, out)),
            _ => None,
        }
    }

    fn change_password(&mut self, value: &str, now: Millis, out: &mut Outputs) -> Change {
        let Some(password) = password(value) else {
            return Change::Rejected;
        };
        out.todo.push(Output::Password(password));
        self.reconnect = true;
        self.changed_security("AuthorizationKey", now, out);
        Change::Accepted
    }

    /// A security profile only ever rises.
    fn change_profile(&mut self, value: &str, now: Millis, out: &mut Outputs) -> Change {
        let before = self.config.number(Key::SecurityProfile);
        let Ok(wanted) = value.trim().parse::<u8>() else {
            return Change::Rejected;
        };
        if u64::from(wanted) <= before || wanted > self.settings.highest_security_profile {
            return Change::Rejected;
        }
        self.profile_before = u8::try_from(before).ok().map(|before| (before, 0));
        self.set_profile_key(wanted, out);
        self.reconnect = true;
        self.changed_security("SecurityProfile", now, out);
        Change::Accepted
    }

    fn set_profile_key(&mut self, profile: u8, out: &mut Outputs) {
        self.config
            .put(Key::SecurityProfile, alloc::format!("{profile}"));
        self.dirty = true;
        out.todo.push(Output::SecurityProfile(profile));
    }

    /// A connection of a new security profile failed: after a few the old one is used again.
    pub(crate) fn profile_failed(&mut self, out: &mut Outputs) {
        let Some((before, failed)) = &mut self.profile_before else {
            return;
        };
        *failed += 1;
        if *failed >= PROFILE_ATTEMPTS {
            let before = *before;
            self.profile_before = None;
            self.set_profile_key(before, out);
        }
    }
}

/// An AuthorizationKey: 16 to 20 bytes as hex, or a text of 16 to 40 characters that is none.
fn password(value: &str) -> Option<Vec<u8>> {
    let length = value.len();
    let hex = value.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (hex, length) {
        (true, 32..=40) if length.is_multiple_of(2) => (0..length)
            .step_by(2)
            .map(|at| u8::from_str_radix(&value[at..at + 2], 16).ok())
            .collect(),
        (_, 16..=40) if value.is_ascii() => Some(value.as_bytes().to_vec()),
        _ => None,
    }
}
