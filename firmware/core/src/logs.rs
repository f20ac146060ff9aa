//! Diagnostics and logs: asked for, sent by the host, told of.

use alloc::{format, string::String};

use crate::{
    io::Outputs,
    ocpp::firmware::{
        GetDiagnostics, GetDiagnosticsConf, GetLog, GetLogConf, LogKind, UploadStatus,
    },
    outbox::Request,
    point::ChargePoint,
    reply::{Refusal, date, read},
    time::{Millis, Utc},
    wire::json,
    work::{Awaited, Work},
};

/// Seconds between attempts where the server gives none.
const RETRY_S: u32 = 60;

/// A log on its way.
#[derive(Clone, Debug)]
pub(crate) struct Upload {
    location: String,
    file_name: String,
    log: LogKind,
    from: Option<Utc>,
    to: Option<Utc>,
    retries: u32,
    interval_s: u32,
    /// Try (again) at this time.
    due: Option<Millis>,
    /// The number of a GetLog; GetDiagnostics has none.
    request: Option<i64>,
    first: bool,
}

fn dates(
    names: [&str; 2],
    texts: [Option<&str>; 2],
) -> Result<(Option<Utc>, Option<Utc>), Refusal> {
    let one = |at: usize| texts[at].map(|text| date(names[at], text)).transpose();
    Ok((one(0)?, one(1)?))
}

impl ChargePoint {
    pub(crate) fn get_diagnostics(
        &mut self,
        payload: &str,
        now: Millis,
        out: &mut Outputs,
    ) -> Result<String, Refusal> {
        let request: GetDiagnostics<'_> = read(payload)?;
        let (from, to) = dates(
            ["startTime", "stopTime"],
            [request.start_time.as_deref(), request.stop_time.as_deref()],
        )?;
        let file_name = self.file_name("diagnostics", now);
        self.begin_upload(
            Upload {
                location: String::from(&*request.location),
                file_name: file_name.clone(),
                log: LogKind::Diagnostics,
                from,
                to,
                retries: request.retries.unwrap_or(0),
                interval_s: request.retry_interval.unwrap_or(RETRY_S),
                due: Some(now),
                request: None,
                first: true,
            },
            out,
        );
        Ok(json(&GetDiagnosticsConf {
            file_name: Some(&file_name),
        }))
    }

    pub(crate) fn get_log(
        &mut self,
        payload: &str,
        now: Millis,
        out: &mut Outputs,
    ) -> Result<String, Refusal> {
        let request: GetLog<'_> = read(payload)?;
        let log = &request.log;
        let (from, to) = dates(
            ["oldestTimestamp", "latestTimestamp"],
            [
                log.oldest_timestamp.as_deref(),
                log.latest_timestamp.as_deref(),
            ],
        )?;
        let stem = match request.log_type {
            LogKind::Diagnostics => "diagnostics",
            LogKind::Security => "security",
        };
        let file_name = self.file_name(stem, now);
        let replaces = self.upload.is_some();
        self.begin_upload(
            Upload {
                location: String::from(&*log.remote_location),
                file_name: file_name.clone(),
                log: request.log_type,
                from,
                to,
                retries: request.retries.unwrap_or(0),
                interval_s: request.retry_interval.unwrap_or(RETRY_S),
                due: Some(now),
                request: Some(request.request_id),
                first: true,
            },
            out,
        );
        Ok(json(&GetLogConf {
            status: if replaces {
                "AcceptedCanceled"
            } else {
                "Accepted"
            },
            filename: Some(&file_name),
        }))
    }

    fn file_name(&self, stem: &str, now: Millis) -> String {
        let serial = self.settings.serial.as_deref().unwrap_or("evse");
        let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
        let serial: String = serial.chars().map(safe).collect();
        format!("{serial}-{stem}-{}.log", self.clock.utc(now).0 / 1000)
    }

    fn begin_upload(&mut self, upload: Upload, out: &mut Outputs) {
        self.call_off(|awaited| *awaited == Awaited::Upload, out);
        self.upload = Some(upload);
    }

    /// Moves the upload on.
    pub(crate) fn move_upload(&mut self, now: Millis, out: &mut Outputs) {
        let Some(upload) = &mut self.upload else {
            return;
        };
        if upload.due.is_none_or(|at| at > now) {
            return;
        }
        upload.due = None;
        let first = core::mem::take(&mut upload.first);
        let work = Work::Upload {
            location: upload.location.clone(),
            file_name: upload.file_name.clone(),
            log: upload.log,
            from: upload.from,
            to: upload.to,
        };
        if first {
            self.tell_upload(UploadStatus::Uploading);
        }
        self.give_out(work, Awaited::Upload, out);
    }

    /// It was sent, or not.
    pub(crate) fn uploaded(&mut self, good: bool, now: Millis) {
        let Some(upload) = &mut self.upload else {
            return;
        };
        if !good && upload.retries > 0 {
            upload.retries -= 1;
            upload.due = Some(now.after(u64::from(upload.interval_s) * 1000));
            return;
        }
        self.tell_upload(if good {
            UploadStatus::Uploaded
        } else {
            UploadStatus::Failed
        });
        self.upload = None;
    }

    fn tell_upload(&mut self, status: UploadStatus) {
        let request = self.upload.as_ref().and_then(|upload| upload.request);
        self.upload_told = (status, request);
        let told = match request {
            Some(_) => Request::Log { status, request },
            None => Request::Diagnostics { status },
        };
        self.outbox.push(told, false);
        self.dirty = true;
    }

    /// The status that a trigger asks for, of GetLog or of GetDiagnostics.
    pub(crate) fn upload_now(&self, of_log: bool) -> Request {
        let (status, request) = match &self.upload {
            Some(upload) if upload.request.is_some() == of_log => self.upload_told,
            _ => (UploadStatus::Idle, None),
        };
        if of_log {
            Request::Log { status, request }
        } else {
            Request::Diagnostics { status }
        }
    }

    /// When the next attempt is.
    pub(crate) fn next_upload(&self) -> Option<Millis> {
        self.upload.as_ref().and_then(|upload| upload.due)
    }
}
