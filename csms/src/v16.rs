//! OCPP 1.6: from a CALL's payload to an op, and from its outcome to the answer. Nothing is decided here.
//!
//! One file per feature profile. Every CALL ends here in one gathered write: its rows, its events, and its line in the
//! message log, with the answer that leaves afterwards.

mod certificate;
mod core;
mod data_transfer;
mod firmware;
mod security;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use ocpp::v16::{HeartbeatResponse, MESSAGES};
use ocpp::{CallError, ErrorCode, MessageId};
use serde::Serialize;
use store::ingest::{Direction, Effect, Figures, MessageRow};
use store::lookup::Transaction;
use uuid::Uuid;

use crate::Csms;
use crate::commands::{automatic, effects};
use crate::ops::{Refusal, Seated};

/// Findings written to the message log, at most.
const FINDINGS: usize = 5;

/// A CALL of a station, on its way through a block.
pub(crate) struct Call {
    csms: Arc<Csms>,
    seated: Arc<Seated>,
    message_id: MessageId,
    action: String,
    payload: String,
    now: DateTime<Utc>,
}

/// What a block makes of a CALL.
struct Decided {
    /// The payload of the CALLRESULT.
    answer: String,
    effect: Effect,
    /// A transaction that began, ended or was found: the connection remembers it once it is durable.
    transaction: Option<Transaction>,
    /// How to say it if the database already knew the start under another number.
    renumber: Option<Box<dyn FnOnce(i64) -> String + Send>>,
    /// What the samples of this transaction come to when they are durable.
    figures: Option<(Uuid, Option<Figures>)>,
    /// What is odd about the message beyond its form, for the message log.
    note: Option<String>,
}

impl Decided {
    fn new(answer: &impl Serialize, effect: Effect) -> Self {
        Decided {
            answer: json(answer),
            effect,
            transaction: None,
            renumber: None,
            figures: None,
            note: None,
        }
    }
}

fn json(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).expect("an answer has text keys and finite numbers")
}

/// The answer to a Heartbeat, which needs nothing but the time.
pub(crate) fn heartbeat(seated: &Seated, now: DateTime<Utc>) -> Result<String, CallError> {
    if !seated.is_accepted() {
        return Err(not_accepted());
    }
    Ok(json(&HeartbeatResponse {
        current_time: now.into(),
    }))
}

/// Decides a CALL, makes it durable, and only then answers.
pub(crate) async fn answer(
    csms: Arc<Csms>,
    seated: Arc<Seated>,
    message_id: MessageId,
    action: String,
    payload: String,
) -> Result<String, Refusal> {
    let now = csms.clock.now();
    let call = Call {
        csms,
        seated,
        message_id,
        action,
        payload,
        now,
    };
    let findings = call.findings();
    let decided = match findings
        .as_ref()
        .filter(|_| call.seated.station.options.strict)
    {
        Some(findings) => Err(Refusal::Say(CallError::new(
            findings.code.clone(),
            findings.text.clone(),
        ))),
        None => decide(&call).await,
    };
    let text = findings.map(|findings| findings.text);
    match decided {
        Ok(decided) => call.commit(decided, text).await,
        Err(Refusal::Say(error)) => {
            call.log(&error, text).await?;
            Err(Refusal::Say(error))
        }
        Err(Refusal::Broken) => Err(Refusal::Broken),
        Err(Refusal::OtherStation) => {
            let error = CallError::new(
                ErrorCode::SecurityError,
                "the serial number is not the certificate's; the socket is closed",
            );
            call.log(&error, text).await?;
            Err(Refusal::OtherStation)
        }
    }
}

/// The table of contents: which block hears which message.
async fn decide(call: &Call) -> Result<Decided, Refusal> {
    let heard_before_acceptance = matches!(
        call.action.as_str(),
        "BootNotification"
            | "StatusNotification"
            | "MeterValues"
            | "StartTransaction"
            | "StopTransaction"
    );
    if !call.seated.is_accepted() && !heard_before_acceptance {
        return Err(not_accepted().into());
    }
    match call.action.as_str() {
        "BootNotification" => core::boot_notification(call),
        "Heartbeat" => Ok(core::heartbeat(call)),
        "Authorize" => core::authorize(call).await,
        "StartTransaction" => core::start_transaction(call).await,
        "MeterValues" => core::meter_values(call).await,
        "StatusNotification" => core::status_notification(call).await,
        "StopTransaction" => core::stop_transaction(call).await,
        "DataTransfer" => data_transfer::data_transfer(call),
        "FirmwareStatusNotification" => firmware::firmware_status(call),
        "DiagnosticsStatusNotification" => firmware::diagnostics_status(call),
        "SignedFirmwareStatusNotification" => security::signed_firmware_status(call),
        "LogStatusNotification" => security::log_status(call),
        "SecurityEventNotification" => security::security_event(call),
        "SignCertificate" => Box::pin(certificate::sign_certificate(call)).await,
        action => Err(unserved(action).into()),
    }
}

fn not_accepted() -> CallError {
    CallError::new(
        ErrorCode::SecurityError,
        "the station is not accepted yet; only BootNotification is answered",
    )
}

fn unserved(action: &str) -> CallError {
    if MESSAGES.iter().any(|message| message.action == action) {
        CallError::new(
            ErrorCode::NotSupported,
            format!("{action} is not supported"),
        )
    } else {
        CallError::new(
            ErrorCode::NotImplemented,
            format!("{action} is no message of OCPP 1.6"),
        )
    }
}

/// What was wrong with a payload.
struct Findings {
    code: ErrorCode,
    text: String,
}

impl Call {
    /// What the standard would have otherwise; `None` for most messages.
    fn findings(&self) -> Option<Findings> {
        let message = MESSAGES
            .iter()
            .find(|message| message.action == self.action)?;
        let found = ocpp::schema::check(message.request, &self.payload);
        let first = found.first()?;
        let texts: Vec<String> = found
            .iter()
            .take(FINDINGS)
            .map(ToString::to_string)
            .collect();
        Some(Findings {
            code: first.code(),
            text: clean(texts.join("; ")),
        })
    }

    /// Writes everything, then answers.
    async fn commit(
        mut self,
        mut decided: Decided,
        findings: Option<String>,
    ) -> Result<String, Refusal> {
        let shown = self.shown();
        let starts = self.seated.station.options.starts_when_plugged();
        let status = decided.effect.statuses.first().filter(|_| starts).cloned();
        let findings: Vec<String> = findings.into_iter().chain(decided.note.take()).collect();
        let findings = (!findings.is_empty()).then(|| findings.join("; "));
        let row = self.row(decided.answer.clone(), None, findings);
        decided.effect.messages.push(row);
        let station = self.seated.station.id;
        let written = self.csms.ingest.write(station, decided.effect).await?;
        let mut answer = decided.answer;
        if let Some(mut transaction) = decided.transaction {
            transaction.figures = transaction.figures.filter(|_| written.as_news);
            if let (Some(started), Some(renumber)) = (written.started, decided.renumber)
                && started.number != transaction.number
            {
                (transaction.id, transaction.number) = (started.id, started.number);
                answer = renumber(started.number);
            }
            self.seated.remember(transaction);
        }
        if let Some((id, figures)) = decided.figures {
            self.seated.sum_up(id, figures.filter(|_| written.as_news));
        }
        if self.action == "BootNotification" && self.seated.is_accepted() {
            self.seated.accepted(self.now);
            automatic::after_boot(&self.csms, &self.seated);
        }
        if let Some(status) = status {
            automatic::after_status(&self.csms, &self.seated, &status);
        }
        if let Some(seen) = shown {
            effects::note(&self.csms, seen);
        }
        Ok(answer)
    }

    /// The commands that this message shows the effect of.
    fn shown(&self) -> Option<effects::Seen> {
        let station = self.seated.station.id;
        self.csms
            .effects
            .shown_by(station, &self.action, &self.payload, self.now)
    }

    /// Writes the line of a CALL that changed nothing.
    async fn log(mut self, error: &CallError, findings: Option<String>) -> Result<(), Refusal> {
        let code = error.code.to_wire(ocpp::Version::V16).to_owned();
        let row = self.row(error.description.clone(), Some(code), findings);
        let effect = Effect {
            messages: vec![row],
            ..Effect::default()
        };
        self.csms
            .ingest
            .write(self.seated.station.id, effect)
            .await?;
        Ok(())
    }

    /// The CALL's line in the message log. The payload goes into it: nobody needs it after this.
    fn row(
        &mut self,
        answer: String,
        error_code: Option<String>,
        findings: Option<String>,
    ) -> MessageRow {
        MessageRow {
            id: store::ids::new_id(self.now),
            received_at: self.now,
            station_id: self.seated.station.id,
            direction: Direction::In,
            message_id: clean(self.message_id.text().to_owned()),
            action: clean(self.action.clone()),
            payload: clean(std::mem::take(&mut self.payload)),
            answer: Some(answer),
            error_code,
            answered_at: Some(self.csms.clock.now()),
            findings,
        }
    }
}

/// A state as said; one that was left out or is no text is `Unknown`.
fn said(state: Option<String>) -> String {
    state.unwrap_or_else(|| "Unknown".to_owned())
}

/// Postgres's text holds no NUL.
fn clean(text: String) -> String {
    if text.contains('\0') {
        ocpp::salvage::storable(&text).into_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The room of what a function returns.
    fn room<A, B, C, D, E, F>(_: impl Fn(A, B, C, D, E) -> F) -> (usize, usize) {
        (size_of::<F>(), align_of::<F>())
    }

    #[test]
    fn a_message_in_the_works_is_small() {
        let (size, align) = room(answer);
        // A timer within would bring an alignment of its own, for which the allocator looks long.
        assert!(size <= 4096 && align <= 16, "{size} bytes, of {align}");
    }
}
