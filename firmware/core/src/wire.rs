//! From a queued request to its payload, at the moment it is sent: only then the server's transaction id is known.

use alloc::{string::String, vec::Vec};

use serde::Serialize;

use crate::{
    config::Key,
    connector::Sample,
    ocpp::{
        firmware::{FirmwareStatusNotification, UploadStatus},
        msg16::{self, Context, MeterValue, StatusConf},
        security::{SecurityEventNotification, SignCertificate},
    },
    outbox::Request,
    point::ChargePoint,
};

impl ChargePoint {
    /// The server's id of a transaction of ours; -1 if its start was given up (errata 3.18).
    pub(crate) fn server_id(&self, local: u32) -> i64 {
        self.known.iter().find(|k| k.0 == local).map_or(-1, |k| k.1)
    }

    pub(crate) fn payload(&self, request: &Request) -> String {
        match request {
            Request::Boot => json(&msg16::BootNotification {
                charge_point_vendor: &self.settings.vendor,
                charge_point_model: &self.settings.model,
                charge_point_serial_number: self.settings.serial.as_deref(),
                firmware_version: self
                    .version
                    .as_deref()
                    .or(self.settings.firmware.as_deref()),
            }),
            Request::Authorize { tag, .. } => json(&msg16::Authorize { id_tag: tag }),
            Request::Status {
                connector,
                status,
                error,
                at,
            } => json(&msg16::StatusNotification {
                connector_id: *connector,
                error_code: *error,
                status: *status,
                timestamp: at.utc,
            }),
            Request::Start {
                connector,
                tag,
                at,
                meter_start,
                reservation,
                ..
            } => json(&msg16::StartTransaction {
                connector_id: *connector,
                id_tag: tag,
                meter_start: *meter_start,
                reservation_id: *reservation,
                timestamp: at.utc,
            }),
            Request::Meter {
                local,
                connector,
                at,
                context,
                reading,
            } => {
                let key = match context {
                    Context::Clock => Key::MeterValuesAlignedData,
                    _ => Key::MeterValuesSampledData,
                };
                let sampled_value = reading.samples(*context, self.config.measurands(key));
                json(&msg16::MeterValues {
                    connector_id: *connector,
                    transaction_id: local.map(|local| self.server_id(local)),
                    meter_value: &[MeterValue {
                        timestamp: at.utc,
                        sampled_value,
                    }],
                })
            }
            Request::Stop {
                local,
                tag,
                at,
                meter_stop,
                reason,
                samples,
            } => json(&msg16::StopTransaction {
                id_tag: tag.as_deref(),
                meter_stop: *meter_stop,
                timestamp: at.utc,
                transaction_id: self.server_id(*local),
                reason: *reason,
                transaction_data: &self.transaction_data(samples),
            }),
            Request::DataTransfer {
                vendor,
                message,
                data,
            } => json(&msg16::DataTransfer {
                vendor_id: vendor.as_str().into(),
                message_id: message.as_deref().map(Into::into),
                data: data.as_deref().map(Into::into),
            }),
            request => told(request),
        }
    }

    fn transaction_data(&self, samples: &[Sample]) -> Vec<MeterValue> {
        let values = |sample: &Sample| {
            let key = match sample.context {
                Context::Clock => Key::StopTxnAlignedData,
                _ => Key::StopTxnSampledData,
            };
            let wanted = self.config.measurands(key);
            MeterValue {
                timestamp: sample.at.utc,
                sampled_value: sample.reading.samples(sample.context, wanted),
            }
        };
        let filled = |value: &MeterValue| !value.sampled_value.is_empty();
        samples.iter().map(values).filter(filled).collect()
    }
}

/// The payload of what is told of files and security.
fn told(request: &Request) -> String {
    match request {
        Request::Firmware {
            status, request, ..
        } => json(&FirmwareStatusNotification {
            status: status.as_str(),
            request_id: *request,
        }),
        Request::Diagnostics { status } => json(&StatusConf {
            status: status.as_str(),
        }),
        Request::Log { status, request } => json(&FirmwareStatusNotification {
            status: match status {
                UploadStatus::Failed => "UploadFailure",
                status => status.as_str(),
            },
            request_id: *request,
        }),
        Request::Security { kind, at, info } => json(&SecurityEventNotification {
            kind: kind.as_str(),
            timestamp: at.utc,
            tech_info: info.as_deref(),
        }),
        Request::SignCertificate { csr } => json(&SignCertificate { csr }),
        _ => String::from("{}"),
    }
}

pub(crate) fn json(payload: &impl Serialize) -> String {
    serde_json::to_string(payload).expect("structs of strings and numbers always serialise")
}
