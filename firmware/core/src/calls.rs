//! The server's requests and our answers to them.

use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};

use crate::{
    config::Key,
    connector::Right,
    io::{Event, Outputs, RebootKind},
    ocpp::{
        frame,
        msg16::{
            Availability, ChangeAvailability, ChangeConfiguration, Context, DataTransfer,
            ErrorCode, GetConfiguration, Reason, RemoteStartTransaction, RemoteStopTransaction,
            Reset, ResetType, Status, TriggerMessage, UnlockConnector,
        },
        security::SecurityEvent,
        smart,
    },
    outbox::{Purpose, Request},
    point::ChargePoint,
    reply::{Answer, Refusal, read, status},
    time::Millis,
    wire::json,
};

impl ChargePoint {
    /// Acts on a request of the server and returns the answer's frame.
    pub(crate) fn answer_call(
        &mut self,
        id: &str,
        action: &str,
        payload: &str,
        now: Millis,
        out: &mut Outputs,
    ) -> Option<String> {
        let answer = self.act(id, action, payload, now, out);
        let (text, shown) = match answer {
            Ok(None) => return None,
            Ok(Some(payload)) => (frame::result(id, &payload), payload),
            Err(Refusal(code, description)) => (
                frame::error(id, code, &description),
                format!("{code}: {description}"),
            ),
        };
        out.event(Event::Asked {
            action: action.to_string(),
            answer: shown,
        });
        Some(text)
    }

    /// The answer, or `None` if it comes later.
    fn act(
        &mut self,
        id: &str,
        action: &str,
        payload: &str,
        now: Millis,
        out: &mut Outputs,
    ) -> Result<Option<String>, Refusal> {
        match action {
            "SignedUpdateFirmware" => self.signed_update_firmware(id, payload, out),
            "InstallCertificate"
            | "GetInstalledCertificateIds"
            | "DeleteCertificate"
            | "CertificateSigned" => self.certificate_call(id, action, payload, out),
            _ => self.act_at_once(action, payload, now, out).map(Some),
        }
    }

    fn act_at_once(
        &mut self,
        action: &str,
        payload: &str,
        now: Millis,
        out: &mut Outputs,
    ) -> Answer {
        match action {
            "RemoteStartTransaction" => self.remote_start(&read(payload)?, now, out),
            "RemoteStopTransaction" => self.remote_stop(&read(payload)?, now, out),
            "Reset" => self.reset(&read(payload)?, now, out),
            "UnlockConnector" => self.unlock(&read(payload)?, now, out),
            "TriggerMessage" => self.trigger(&read(payload)?, now),
            "ChangeConfiguration" => {
                let request: ChangeConfiguration<'_> = read(payload)?;
                let changed = self
                    .change_security(&request.key, &request.value, now, out)
                    .unwrap_or_else(|| self.config.change(&request.key, &request.value));
                self.dirty = true;
                Ok(status(changed.as_str()))
            }
            "GetConfiguration" => {
                let request: GetConfiguration = read(payload)?;
                Ok(json(&self.config.report(&request.key.unwrap_or_default())))
            }
            "ChangeAvailability" => self.change_availability(&read(payload)?),
            "ClearCache" => {
                let enabled = self.config.flag(Key::AuthorizationCacheEnabled);
                self.cache.clear();
                self.dirty = true;
                Ok(status(if enabled { "Accepted" } else { "Rejected" }))
            }
            "DataTransfer" => Ok(status(self.data_transfer(&read(payload)?))),
            "SendLocalList" | "GetLocalListVersion" => self.local_list_call(action, payload),
            "ReserveNow" | "CancelReservation" => self.reservation_call(action, payload, now),
            "SetChargingProfile" | "ClearChargingProfile" | "GetCompositeSchedule" => {
                self.smart_call(action, payload, now)
            }
            "UpdateFirmware" => {
                self.must_have("FirmwareManagement")?;
                self.update_firmware(payload, out)
            }
            "GetDiagnostics" => {
                self.must_have("FirmwareManagement")?;
                self.get_diagnostics(payload, now, out)
            }
            "GetLog" => self.get_log(payload, now, out),
            "ExtendedTriggerMessage" => self.extended_trigger(payload, now, out),
            _ => Err(Refusal::not_implemented(action)),
        }
    }

    fn remote_start(
        &mut self,
        request: &RemoteStartTransaction<'_>,
        now: Millis,
        out: &mut Outputs,
    ) -> Answer {
        let parent = self
            .known_tag(&request.id_tag, now)
            .and_then(|info| info.parent_id_tag);
        let usable = |index: &usize| {
            let c = &self.connectors[*index];
            !c.in_use()
                && c.operative
                && c.fault == ErrorCode::NoError
                && !self.kept_for_another(*index, &request.id_tag, parent.as_deref())
        };
        let bearable = request.charging_profile.as_ref().is_none_or(|profile| {
            profile.charging_profile_purpose == smart::Purpose::Tx && self.bearable(profile)
        });
        let wanted: Vec<usize> = match request.connector_id {
            Some(connector) => self.at(connector).into_iter().collect(),
            None => (0..self.connectors.len()).collect(),
        };
        let plugged = wanted
            .iter()
            .copied()
            .filter(usable)
            .find(|i| self.connectors[*i].plugged);
        let chosen = plugged.or_else(|| wanted.iter().copied().find(usable));
        let able = self.accepted() && bearable && !self.updating;
        let (Some(index), true, None) = (chosen, able, self.reset) else {
            return Ok(status("Rejected"));
        };
        if self.config.flag(Key::AuthorizeRemoteTxRequests) {
            let connector = self.connectors[index].id;
            self.authorize(connector, &request.id_tag, Purpose::Start, now, out);
        } else {
            let until = now.after(self.config.number(Key::ConnectionTimeOut).max(1) * 1000);
            self.connectors[index].right = Some(Right {
                tag: request.id_tag.to_string(),
                parent,
                until,
                profile: request.charging_profile.clone(),
            });
        }
        Ok(status("Accepted"))
    }

    fn data_transfer(&self, request: &DataTransfer<'_>) -> &'static str {
        let known = &self.settings.vendor_messages;
        let message = request.message_id.as_deref().unwrap_or("");
        let vendor = |of: &&(String, String)| of.0 == *request.vendor_id;
        if !known.iter().any(|of| vendor(&of)) {
            "UnknownVendorId"
        } else if !known.iter().filter(vendor).any(|of| of.1 == message) {
            "UnknownMessageId"
        } else {
            "Accepted"
        }
    }

    fn remote_stop(
        &mut self,
        request: &RemoteStopTransaction,
        now: Millis,
        out: &mut Outputs,
    ) -> Answer {
        let running = (0..self.connectors.len()).find(|index| {
            self.connectors[*index]
                .transaction
                .as_ref()
                .is_some_and(|t| self.known.contains(&(t.local, request.transaction_id)))
        });
        let Some(index) = running else {
            return Ok(status("Rejected"));
        };
        self.stop(index, Reason::Remote, None, now, out);
        Ok(status("Accepted"))
    }

    fn reset(&mut self, request: &Reset, now: Millis, out: &mut Outputs) -> Answer {
        let (kind, reason) = match request.kind {
            ResetType::Soft => (RebootKind::Soft, Reason::SoftReset),
            ResetType::Hard => (RebootKind::Hard, Reason::HardReset),
        };
        for index in 0..self.connectors.len() {
            self.stop(index, reason, None, now, out);
        }
        self.reset = Some((kind, now));
        if self.settings.security_events {
            self.security_event(SecurityEvent::Reset, None, now, out);
        }
        Ok(status("Accepted"))
    }

    fn unlock(&mut self, request: &UnlockConnector, now: Millis, out: &mut Outputs) -> Answer {
        let Some(index) = self.at(request.connector_id) else {
            return Ok(status("NotSupported"));
        };
        self.stop(index, Reason::UnlockCommand, None, now, out);
        Ok(status("Unlocked"))
    }

    pub(crate) fn trigger(&mut self, request: &TriggerMessage<'_>, now: Millis) -> Answer {
        let connectors: Vec<usize> = match request.connector_id {
            None | Some(0) => (0..self.connectors.len()).collect(),
            Some(connector) => match self.at(connector) {
                Some(index) => [index].into(),
                None => return Ok(status("Rejected")),
            },
        };
        match &*request.requested_message {
            "BootNotification" => self.outbox.push(Request::Boot, true),
            "Heartbeat" => self.outbox.push(Request::Heartbeat, true),
            "DiagnosticsStatusNotification" => {
                let told = self.upload_now(false);
                self.outbox.push(told, true);
            }
            "FirmwareStatusNotification" => {
                let told = self.firmware_now(false);
                self.outbox.push(told, true);
            }
            "MeterValues" => {
                for index in connectors {
                    self.meter(index, Context::Trigger, now, true);
                }
            }
            "StatusNotification" => {
                if request.connector_id.unwrap_or(0) == 0 {
                    self.push_station_status(now);
                }
                for index in connectors {
                    self.push_status(index, now);
                }
            }
            _ => return Ok(status("NotImplemented")),
        }
        Ok(status("Accepted"))
    }

    fn push_station_status(&mut self, now: Millis) {
        let status = self.station_status();
        let at = self.clock.stamp(now);
        let request = Request::Status {
            connector: 0,
            status,
            error: ErrorCode::NoError,
            at,
        };
        self.outbox.push(request, true);
    }

    fn push_status(&mut self, index: usize, now: Millis) {
        let connector = &self.connectors[index];
        let (id, status, error): (u32, Status, ErrorCode) =
            (connector.id, connector.status(), connector.fault);
        let at = self.clock.stamp(now);
        self.outbox.push(
            Request::Status {
                connector: id,
                status,
                error,
                at,
            },
            true,
        );
    }

    fn change_availability(&mut self, request: &ChangeAvailability) -> Answer {
        let operative = request.kind == Availability::Operative;
        let chosen: Vec<usize> = match request.connector_id {
            0 => (0..self.connectors.len()).collect(),
            connector => self.at(connector).into_iter().collect(),
        };
        if chosen.is_empty() {
            return Ok(status("Rejected"));
        }
        if request.connector_id == 0 {
            self.operative = operative;
        }
        let mut scheduled = false;
        for index in chosen {
            let connector = &mut self.connectors[index];
            if connector.transaction.is_some() && !operative {
                connector.scheduled = Some(operative);
                scheduled = true;
            } else {
                connector.operative = operative;
                connector.scheduled = None;
            }
        }
        self.dirty = true;
        Ok(status(if scheduled { "Scheduled" } else { "Accepted" }))
    }
}
