//! Reservations: of one connector, or of any (connector 0), for a tag or its group, until used, cancelled or expired.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    config::Key,
    connector::Connector,
    ocpp::{
        msg16::ErrorCode,
        reservation::{CancelReservation, ReserveNow},
    },
    point::ChargePoint,
    reply::{Answer, Refusal, date, read, status},
    time::{Millis, Utc},
};

/// One reservation.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Reservation {
    id: i64,
    /// 0: any connector.
    connector: u32,
    tag: String,
    parent: Option<String>,
    until: Utc,
}

impl Reservation {
    fn is_for(&self, tag: &str, parent: Option<&str>) -> bool {
        self.tag == tag || (self.parent.is_some() && self.parent.as_deref() == parent)
    }
}

impl ChargePoint {
    /// Answers the requests of this profile.
    pub(crate) fn reservation_call(&mut self, action: &str, payload: &str, now: Millis) -> Answer {
        self.must_have("Reservation")?;
        match action {
            "ReserveNow" => self.reserve(&read(payload)?, now),
            "CancelReservation" => {
                let request: CancelReservation = read(payload)?;
                let before = self.reservations.len();
                self.reservations.retain(|r| r.id != request.reservation_id);
                let found = self.reservations.len() < before;
                self.dirty |= found;
                Ok(status(if found { "Accepted" } else { "Rejected" }))
            }
            _ => Err(Refusal::not_implemented(action)),
        }
    }

    fn reserve(&mut self, request: &ReserveNow<'_>, now: Millis) -> Answer {
        let until = date("expiryDate", &request.expiry_date)?;
        let any = request.connector_id == 0;
        let known = any || self.at(request.connector_id).is_some();
        let allowed = !any || self.config.flag(Key::ReserveConnectorZeroSupported);
        if !known || !allowed || until <= self.clock.utc(now) {
            return Ok(status("Rejected"));
        }
        if let Some(word) = self.why_not(request.connector_id, request.reservation_id) {
            return Ok(status(word));
        }
        self.reservations.retain(|r| r.id != request.reservation_id);
        self.reservations.push(Reservation {
            id: request.reservation_id,
            connector: request.connector_id,
            tag: String::from(&*request.id_tag),
            parent: request.parent_id_tag.as_deref().map(String::from),
            until,
        });
        self.dirty = true;
        Ok(status("Accepted"))
    }

    /// The word for why a connector (0: every one) cannot be reserved; a reservation of the same number gives way.
    fn why_not(&self, connector: u32, replacing: i64) -> Option<&'static str> {
        let words: Vec<Option<&'static str>> = self
            .connectors
            .iter()
            .filter(|c| connector == 0 || c.id == connector)
            .map(|c| self.occupied_by(c, replacing))
            .collect();
        let free = words.iter().filter(|word| word.is_none()).count();
        let others = self
            .reservations
            .iter()
            .filter(|r| r.connector == 0 && r.id != replacing)
            .count();
        // The reservations of any connector must not take the last free one twice.
        if free > 0 && self.free_connectors(replacing) > others {
            return None;
        }
        let all = |wanted| words.iter().all(|word| *word == Some(wanted));
        Some(match () {
            () if all("Faulted") => "Faulted",
            () if all("Unavailable") => "Unavailable",
            () => "Occupied",
        })
    }

    fn occupied_by(&self, c: &Connector, replacing: i64) -> Option<&'static str> {
        let reserved = |r: &Reservation| r.connector == c.id && r.id != replacing;
        if c.fault != ErrorCode::NoError {
            Some("Faulted")
        } else if !c.operative {
            Some("Unavailable")
        } else if c.in_use() || c.plugged || self.reservations.iter().any(reserved) {
            Some("Occupied")
        } else {
            None
        }
    }

    fn free_connectors(&self, replacing: i64) -> usize {
        let free = |c: &&Connector| self.occupied_by(c, replacing).is_none();
        self.connectors.iter().filter(free).count()
    }

    /// Whether a connector is kept for somebody else than this tag.
    pub(crate) fn kept_for_another(&self, index: usize, tag: &str, parent: Option<&str>) -> bool {
        let id = self.connectors[index].id;
        if let Some(own) = self.reservations.iter().find(|r| r.connector == id) {
            return !own.is_for(tag, parent);
        }
        let mut any = self.reservations.iter().filter(|r| r.connector == 0);
        if any.clone().any(|r| r.is_for(tag, parent)) {
            return false;
        }
        // A connector that someone plugged into counts as free until a right is given for it.
        let usable = |c: &&Connector| {
            c.fault == ErrorCode::NoError
                && c.operative
                && !c.in_use()
                && !self.reservations.iter().any(|r| r.connector == c.id)
        };
        let free = self.connectors.iter().filter(usable).count();
        any.next().is_some()
            && self
                .reservations
                .iter()
                .filter(|r| r.connector == 0)
                .count()
                >= free
    }

    /// A transaction starts: the reservation that it uses, if it uses one, is over.
    pub(crate) fn use_reservation(
        &mut self,
        connector: u32,
        tag: &str,
        parent: Option<&str>,
    ) -> Option<i64> {
        let fits = |of: u32| {
            let fits = move |r: &Reservation| r.connector == of && r.is_for(tag, parent);
            self.reservations.iter().position(fits)
        };
        let at = fits(connector).or_else(|| fits(0))?;
        self.dirty = true;
        Some(self.reservations.remove(at).id)
    }

    /// Ends reservations that expired, and those of connectors that broke or were switched off.
    pub(crate) fn end_reservations(&mut self, now: Millis) {
        if self.reservations.is_empty() {
            return;
        }
        let utc = self.clock.utc(now);
        let before = self.reservations.len();
        let Self {
            reservations,
            connectors,
            ..
        } = self;
        reservations.retain(|r| {
            let gone = connectors
                .iter()
                .any(|c| c.id == r.connector && (c.fault != ErrorCode::NoError || !c.operative));
            r.until > utc && !gone
        });
        self.dirty |= self.reservations.len() < before;
    }

    /// Whether a connector is reserved, for its status.
    pub(crate) fn is_reserved(&self, connector: u32) -> bool {
        self.reservations.iter().any(|r| r.connector == connector)
    }

    /// When the next reservation expires.
    pub(crate) fn next_expiry(&self, now: Millis) -> Option<Millis> {
        let next = self.reservations.iter().map(|r| r.until).min()?;
        Some(self.when(next, now))
    }
}
