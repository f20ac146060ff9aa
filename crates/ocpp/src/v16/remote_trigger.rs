//! Messages of the Remote Trigger profile.
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.

use serde::{Deserialize, Serialize};

use super::{MessageTrigger, TriggerMessageStatus};
use crate::salvage::scalar;

/// `TriggerMessage.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TriggerMessageRequest {
    /// `requestedMessage`, required: one of a list.
    pub requested_message: MessageTrigger,
    /// `connectorId`: a whole number.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub connector_id: Option<i64>,
}

/// `TriggerMessage.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct TriggerMessageResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<TriggerMessageStatus>,
}
