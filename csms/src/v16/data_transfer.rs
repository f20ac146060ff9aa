//! DataTransfer from a station: vendors' own messages, and who here understands which.
//!
//! The default is no: an answer of `Accepted` to what nobody reads would be a lie.

use ocpp::decode;
use ocpp::v16::{DataTransferRequest, DataTransferResponse, DataTransferStatus};
use store::ingest::Effect;

use super::{Call, Decided};
use crate::ops::Refusal;

/// One message of a vendor that is understood.
pub(super) struct Entry {
    vendor: &'static str,
    message: &'static str,
    /// Makes the answer and the rows of the message's data.
    handle: fn(data: Option<&str>) -> (DataTransferResponse, Effect),
}

/// What is understood. Nothing yet: no charger that is served here needs more than the standard.
const REGISTRY: &[Entry] = &[];

pub(super) fn data_transfer(call: &Call) -> Result<Decided, Refusal> {
    let request: DataTransferRequest = decode(&call.payload)?;
    let (answer, effect) = look_up(REGISTRY, &request);
    Ok(Decided::new(&answer, effect))
}

/// The vendor's handler of this message, or the standard's own answer where there is none.
fn look_up(registry: &[Entry], request: &DataTransferRequest) -> (DataTransferResponse, Effect) {
    let vendor = request.vendor_id.as_deref().unwrap_or_default();
    let message = request.message_id.as_deref().unwrap_or_default();
    let of_vendor = |entry: &&Entry| entry.vendor.eq_ignore_ascii_case(vendor);
    let status = match registry
        .iter()
        .filter(of_vendor)
        .find(|entry| entry.message == message)
    {
        Some(entry) => return (entry.handle)(request.data.as_deref()),
        None if registry.iter().any(|entry| of_vendor(&entry)) => {
            DataTransferStatus::UnknownMessageId
        }
        None => DataTransferStatus::UnknownVendorId,
    };
    let answer = DataTransferResponse {
        status: Some(status),
        data: None,
    };
    (answer, Effect::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ECHO: &[Entry] = &[Entry {
        vendor: "com.example",
        message: "echo",
        handle: |data| {
            let answer = DataTransferResponse {
                status: Some(DataTransferStatus::Accepted),
                data: data.map(str::to_owned),
            };
            (answer, Effect::default())
        },
    }];

    fn answer(vendor: Option<&str>, message: Option<&str>) -> DataTransferResponse {
        let request = DataTransferRequest {
            vendor_id: vendor.map(str::to_owned),
            message_id: message.map(str::to_owned),
            data: Some("text".to_owned()),
        };
        look_up(ECHO, &request).0
    }

    #[test]
    fn only_what_somebody_handles_is_accepted() {
        let heard = answer(Some("COM.example"), Some("echo"));
        assert_eq!(heard.status, Some(DataTransferStatus::Accepted));
        assert_eq!(heard.data.as_deref(), Some("text"));
        for (vendor, message, status) in [
            (
                Some("com.example"),
                Some("other"),
                DataTransferStatus::UnknownMessageId,
            ),
            (
                Some("com.example"),
                None,
                DataTransferStatus::UnknownMessageId,
            ),
            (
                Some("org.example"),
                Some("echo"),
                DataTransferStatus::UnknownVendorId,
            ),
            (None, Some("echo"), DataTransferStatus::UnknownVendorId),
        ] {
            let answer = answer(vendor, message);
            assert_eq!(
                (answer.status, answer.data),
                (Some(status), None),
                "{vendor:?} {message:?}"
            );
        }
    }
}
