//! What must outlive a reboot or a power cut.

use alloc::{string::String, vec::Vec};

use serde::{Deserialize, Serialize};

use crate::{
    auth::AuthCache,
    firmware::Job,
    local_list::LocalList,
    ocpp::smart::Purpose,
    outbox::Entry,
    point::ChargePoint,
    reservation::Reservation,
    smart::Installed,
    time::{Millis, Utc},
};

/// What must outlive a reboot or a power cut; the host stores it as it likes (it serialises).
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Journal {
    pub(crate) boots: u32,
    pub(crate) next_local: u32,
    pub(crate) queue: Vec<Entry>,
    pub(crate) open: Vec<OpenTransaction>,
    /// Our number and the server's of transactions with queued messages.
    pub(crate) known: Vec<(u32, i64)>,
    pub(crate) config: Vec<(String, String)>,
    /// Connectors that are switched off; 0 for the charge point.
    pub(crate) inoperative: Vec<u32>,
    pub(crate) cache: AuthCache,
    pub(crate) local_list: LocalList,
    pub(crate) reservations: Vec<Reservation>,
    pub(crate) profiles: Vec<Installed>,
    pub(crate) firmware: Option<Job>,
    /// The version of the firmware that runs, once another was installed.
    pub(crate) version: Option<String>,
}

/// A transaction that was running when the journal was written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OpenTransaction {
    pub(crate) local: u32,
    pub(crate) connector: u32,
    pub(crate) meter_wh: u64,
    pub(crate) at: Utc,
}

impl ChargePoint {
    /// What to keep for the next boot.
    #[must_use]
    pub fn journal(&self, now: Millis) -> Journal {
        let open = self.connectors.iter().filter_map(|c| {
            let transaction = c.transaction.as_ref()?;
            Some(OpenTransaction {
                local: transaction.local,
                connector: c.id,
                meter_wh: c.reading.energy_wh,
                at: self.clock.utc(now),
            })
        });
        Journal {
            boots: self.boots,
            next_local: self.next_local,
            queue: self.outbox.kept().cloned().collect(),
            open: open.collect(),
            known: self.known.clone(),
            config: self.config.changed(),
            inoperative: self.inoperative(),
            cache: self.cache.clone(),
            local_list: self.local_list.clone(),
            reservations: self.reservations.clone(),
            profiles: self.lasting_profiles(),
            firmware: self.firmware.clone(),
            version: self.version.clone(),
        }
    }

    fn inoperative(&self) -> Vec<u32> {
        let off = self
            .connectors
            .iter()
            .filter(|c| !c.operative)
            .map(|c| c.id);
        off.chain((!self.operative).then_some(0)).collect()
    }

    /// A reboot ends transactions, and their profiles with them.
    fn lasting_profiles(&self) -> Vec<Installed> {
        let lasting = |p: &&Installed| p.profile.charging_profile_purpose != Purpose::Tx;
        self.profiles.iter().filter(lasting).cloned().collect()
    }
}
