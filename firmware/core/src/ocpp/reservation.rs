//! The messages of the profile Reservation.

use alloc::borrow::Cow;

use serde::Deserialize;

/// ReserveNow.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ReserveNow<'a> {
    /// Connector, or 0 for any one of them.
    pub connector_id: u32,
    /// Until when.
    #[serde(borrow)]
    pub expiry_date: Cow<'a, str>,
    /// For which tag.
    #[serde(borrow)]
    pub id_tag: Cow<'a, str>,
    /// Or for which group.
    #[serde(borrow, default)]
    pub parent_id_tag: Option<Cow<'a, str>>,
    /// The server's number of it.
    pub reservation_id: i64,
}

/// CancelReservation.req
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CancelReservation {
    /// Which one.
    pub reservation_id: i64,
}
