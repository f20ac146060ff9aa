//! Messages of the Reservation profile.
//! Written by `ocpp-gen` from the names and limits of the OCA's JSON Schemas; change the generator, not this file.

use serde::{Deserialize, Serialize};

use super::{CancelReservationStatus, ReservationStatus};
use crate::Timestamp;
use crate::salvage::{required, scalar};

/// `CancelReservation.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelReservationRequest {
    /// `reservationId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub reservation_id: i64,
}

/// `CancelReservation.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct CancelReservationResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<CancelReservationStatus>,
}

/// `ReserveNow.req`: we ask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReserveNowRequest {
    /// `connectorId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub connector_id: i64,
    /// `expiryDate`, required: a date and time.
    pub expiry_date: Timestamp,
    /// `idTag`, required: a text of at most 20 characters.
    pub id_tag: String,
    /// `parentIdTag`: a text of at most 20 characters.
    #[serde(
        default,
        deserialize_with = "scalar",
        skip_serializing_if = "Option::is_none"
    )]
    pub parent_id_tag: Option<String>,
    /// `reservationId`, required: a whole number.
    #[serde(deserialize_with = "required")]
    pub reservation_id: i64,
}

/// `ReserveNow.conf`: a station answers.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ReserveNowResponse {
    /// `status`, required: one of a list.
    #[serde(deserialize_with = "scalar", skip_serializing_if = "Option::is_none")]
    pub status: Option<ReservationStatus>,
}
