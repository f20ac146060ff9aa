//! Ops: one thing that happens at a station, free of protocol version. Each asks what it must know in one statement,
//! decides in a pure function, and hands back rows. None holds a transaction or reads a clock.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use ocpp::CallError;
use serde_json::Value;
use store::ingest::{Effect, EventRow, Figures, MeterRow};
use store::lookup::{Transaction, TransactionQuery};
use store::stations::{Registration, Station};
use uuid::Uuid;

use crate::Csms;
use crate::gather::Unavailable;
use crate::handshake::certificate_name;
use crate::ingest::NotWritten;
use crate::registry::Close;

pub(crate) mod authorize;
pub(crate) mod boot;
pub(crate) mod certificate;
pub(crate) mod meter;
pub(crate) mod plausible;
pub(crate) mod reserved;
pub(crate) mod security_event;
pub(crate) mod skew;
pub(crate) mod start;
pub(crate) mod station_job;
pub(crate) mod status;
pub(crate) mod stop;

/// Transactions of a station that its connection remembers.
const REMEMBERED: usize = 8;

/// Why a station gets no ordinary answer.
#[derive(Debug, Clone)]
pub(crate) enum Refusal {
    /// Tell it why.
    Say(CallError),
    /// We cannot store what it says. Say nothing and close: it will say it again.
    Broken,
    /// It is not the one that its certificate names. Say nothing and close.
    OtherStation,
}

impl From<CallError> for Refusal {
    fn from(error: CallError) -> Self {
        Refusal::Say(error)
    }
}

impl From<Unavailable> for Refusal {
    fn from(_: Unavailable) -> Self {
        Refusal::Broken
    }
}

impl From<NotWritten> for Refusal {
    fn from(error: NotWritten) -> Self {
        match error {
            NotWritten::Unavailable => Refusal::Broken,
            NotWritten::Refused(_) => Refusal::Say(CallError::new(
                ocpp::ErrorCode::InternalError,
                "the message could not be stored",
            )),
        }
    }
}

/// A station with a connection, and what the connection remembers of it.
pub(crate) struct Seated {
    pub(crate) station: Station,
    /// The CN of the certificate that let it in (security profile 3).
    pub(crate) certified: Option<String>,
    /// One for all seats of a connection: a message in the works may still hold an older seat.
    memory: Arc<Mutex<Memory>>,
}

#[derive(Default)]
struct Memory {
    /// Newest last.
    transactions: Vec<Transaction>,
    /// Whether every open transaction is among them: all starts and stops pass by here.
    complete: bool,
    /// The latest sample on this connection, by the charger's clock; microseconds, as they are stored.
    latest_sample: Option<i64>,
    /// A boot was accepted on this connection; the row as we read it did not know of it yet.
    accepted_at: Option<DateTime<Utc>>,
    /// Connectors that say that they charge.
    charging: Vec<Charging>,
    /// How far the station's clock is off.
    skew: skew::Skew,
}

/// A connector that says that it charges (quirk 22: some never send a StartTransaction).
#[derive(Clone, Copy)]
struct Charging {
    connector: i32,
    since: DateTime<Utc>,
    /// The transaction that we made of it, and its latest register in Wh.
    pieced: Option<(i64, i64)>,
}

/// A StartTransaction may be so late behind the status: before that nothing is pieced together.
const LATE_START: TimeDelta = TimeDelta::seconds(60);

impl Seated {
    pub(crate) fn new(station: Station, certified: Option<String>) -> Self {
        Seated {
            station,
            certified,
            memory: Arc::default(),
        }
    }

    /// The same seat after the station's row has changed.
    pub(crate) fn with(&self, station: Station) -> Self {
        Seated {
            station,
            certified: self.certified.clone(),
            memory: self.memory.clone(),
        }
    }

    /// Why the connection ends when the station's row becomes `new`: what let it in does so no more, or it is not to be let
    /// in at all. A password or profile that it was told to use and comes with was its own before that was written, so that
    /// no rotation ends it; and a row that asks for less than before ends nothing.
    pub(crate) fn is_ended_by(&self, new: &Station) -> Option<Close> {
        let old = &self.station;
        let is_blocked = |station: &Station| station.registration == Registration::Rejected;
        if is_blocked(new) && !is_blocked(old) {
            return Some(Close::Blocked);
        }
        let outdated = match new.security_profile {
            profile if profile > old.security_profile => true,
            1 | 2 => {
                matches!(old.security_profile, 1 | 2) && new.password_hash != old.password_hash
            }
            3 => {
                let certified = self.certified.as_deref();
                certified.is_some_and(|name| name != certificate_name(new))
            }
            _ => false,
        };
        outdated.then_some(Close::Outdated)
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether messages other than BootNotification are served in full.
    pub(crate) fn is_accepted(&self) -> bool {
        self.station.registration == Registration::Accepted
    }

    /// When the station was first accepted; before that its clock is not believed.
    pub(crate) fn first_accepted_at(&self) -> Option<DateTime<Utc>> {
        self.station.first_accepted_at.or(self.memory().accepted_at)
    }

    /// Measures the station's clock by the time that a message states.
    pub(crate) fn measure(
        &self,
        stated: Option<DateTime<Utc>>,
        now: DateTime<Utc>,
    ) -> Option<store::skew::Measured> {
        let found = self.memory().skew.note(stated?, now)?;
        Some(skew::measured(self.station.id, found, now))
    }

    /// A boot was accepted and is durable.
    pub(crate) fn accepted(&self, now: DateTime<Utc>) {
        self.memory().accepted_at.get_or_insert(now);
    }

    /// A connector says what it does. Yields the transaction that was pieced together there and is over now, with its
    /// latest register.
    pub(crate) fn says(
        &self,
        connector: i32,
        state: &str,
        at: DateTime<Utc>,
    ) -> Option<(i64, i64)> {
        let mut memory = self.memory();
        let known = memory
            .charging
            .iter()
            .position(|charging| charging.connector == connector);
        match (state, known) {
            ("Charging", None) if (1..=status::HIGHEST_CONNECTOR).contains(&connector) => {
                memory.charging.push(Charging {
                    connector,
                    since: at,
                    pieced: None,
                });
            }
            ("Charging" | "SuspendedEV" | "SuspendedEVSE", _) | (_, None) => {}
            (_, Some(at)) => return memory.charging.remove(at).pieced,
        }
        None
    }

    /// Since when a connector has said that it charges, long enough ago for a start to have come.
    pub(crate) fn charges_unannounced(
        &self,
        connector: i32,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        let memory = self.memory();
        let charging = memory
            .charging
            .iter()
            .find(|charging| charging.connector == connector)?;
        (charging.pieced.is_none() && charging.since + LATE_START <= now).then_some(charging.since)
    }

    /// A transaction began or ended at a connector in the ordinary way: what it said before tells nothing any more.
    pub(crate) fn is_announced(&self, connector: i32) {
        let mut memory = self.memory();
        memory
            .charging
            .retain(|charging| charging.connector != connector);
    }

    /// Notes the transaction that was pieced together for a connector, or its latest register.
    pub(crate) fn pieced(&self, connector: i32, number: i64, register_wh: i64) {
        let mut memory = self.memory();
        let charging = memory
            .charging
            .iter_mut()
            .find(|charging| charging.connector == connector);
        if let Some(charging) = charging {
            charging.pieced = Some((number, register_wh));
        }
    }

    /// Whether this transaction was pieced together on this connection.
    pub(crate) fn is_pieced(&self, number: i64) -> bool {
        let memory = self.memory();
        let is = |charging: &Charging| charging.pieced.is_some_and(|(of, _)| of == number);
        memory.charging.iter().any(is)
    }

    /// Notes a transaction as it now is.
    pub(crate) fn remember(&self, transaction: Transaction) {
        let mut memory = self.memory();
        memory
            .transactions
            .retain(|known| known.id != transaction.id);
        if memory.transactions.len() >= REMEMBERED
            && let Some(stopped) = memory
                .transactions
                .iter()
                .position(|known| known.stopped_at.is_some())
        {
            memory.transactions.remove(stopped);
        }
        memory.transactions.push(transaction);
    }

    /// Whether samples are all later than those before them on this connection, or than `begin` if they are the first.
    pub(crate) fn are_latest(&self, samples: &[MeterRow], begin: Option<DateTime<Utc>>) -> bool {
        let micros = || samples.iter().map(|sample| sample.at.timestamp_micros());
        let (Some(first), Some(last)) = (micros().min(), micros().max()) else {
            return false;
        };
        let mut memory = self.memory();
        let before = memory
            .latest_sample
            .or(begin.map(|begin| begin.timestamp_micros()));
        memory.latest_sample = memory.latest_sample.max(Some(last));
        before.is_some_and(|before| first > before)
    }

    /// Notes what the samples of a transaction come to now; `None` if that is not certain.
    pub(crate) fn sum_up(&self, id: Uuid, figures: Option<Figures>) {
        let mut memory = self.memory();
        if let Some(known) = memory.transactions.iter_mut().find(|known| known.id == id) {
            known.figures = figures;
        }
    }

    /// The transaction of this number and every open one of the station.
    pub(crate) async fn transactions(
        &self,
        csms: &Csms,
        number: Option<i64>,
    ) -> Result<Vec<Transaction>, Unavailable> {
        {
            let memory = self.memory();
            let named = number.is_none_or(|number| {
                memory
                    .transactions
                    .iter()
                    .any(|known| known.number == number)
            });
            if memory.complete && named {
                let wanted = |known: &&Transaction| {
                    known.stopped_at.is_none() || Some(known.number) == number
                };
                let found = memory.transactions.iter().filter(wanted);
                return Ok(found.cloned().collect());
            }
        }
        // What the station's last connection left in the works comes first: until it is durable no question finds it, and
        // a start would not end it, nor a stop see that it contradicts it.
        let written = csms.ingest.write(self.station.id, Effect::default());
        written.await.map_err(|_| Unavailable)?;
        let query = TransactionQuery {
            station_id: self.station.id,
            number,
        };
        let found = csms.lookups.transactions(query).await?;
        for transaction in found.iter().rev() {
            self.remember(transaction.clone());
        }
        self.memory().complete = true;
        Ok(found)
    }
}

/// An event of this station.
pub(crate) fn event(
    station: &Station,
    now: DateTime<Utc>,
    kind: &'static str,
    subject: Option<Uuid>,
    detail: Value,
) -> EventRow {
    EventRow {
        at: now,
        kind,
        site_id: station.site_id,
        station_id: station.id,
        subject,
        detail,
    }
}

/// An effect of one event.
fn told(event: EventRow) -> Effect {
    Effect {
        events: vec![event],
        ..Effect::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn station(security_profile: i16, password_hash: Option<&str>) -> Station {
        Station {
            id: Uuid::from_u128(1),
            identity: "CP1".to_owned(),
            site_id: None,
            registration: Registration::Accepted,
            security_profile,
            password_hash: password_hash.map(str::to_owned),
            options: store::stations::Options::default(),
            first_accepted_at: None,
            access: store::stations::Access::default(),
        }
    }

    #[test]
    fn a_row_ends_the_connection_that_it_would_not_let_in_any_more() {
        let check = |old: Station, new: Station, expected| {
            let certified = (old.security_profile == 3).then(|| "CP1".to_owned());
            let found = Seated::new(old.clone(), certified).is_ended_by(&new);
            assert_eq!(found, expected, "{old:?} {new:?}");
        };
        let outdated = Some(Close::Outdated);
        for profile in 0..=3 {
            check(
                station(profile, Some("a")),
                station(profile, Some("a")),
                None,
            );
            let by_password = outdated.filter(|_| matches!(profile, 1 | 2));
            check(
                station(profile, Some("a")),
                station(profile, Some("b")),
                by_password,
            );
            for (registration, expected) in [
                (Registration::Rejected, Some(Close::Blocked)),
                (Registration::Pending, None),
            ] {
                let new = Station {
                    registration,
                    ..station(profile, Some("a"))
                };
                check(station(profile, Some("a")), new.clone(), expected);
                check(new.clone(), new, None);
            }
        }
        check(station(0, None), station(1, Some("a")), outdated);
        check(station(1, Some("a")), station(2, Some("a")), outdated);
        check(station(2, Some("a")), station(3, Some("a")), outdated);
        check(station(2, Some("a")), station(1, Some("b")), outdated);
        check(station(2, Some("a")), station(0, Some("b")), None);
        check(station(3, Some("a")), station(2, Some("b")), None);
        let mut renamed = station(3, None);
        renamed.access.certificate_name = Some("SN-1".to_owned());
        check(station(3, None), renamed, outdated);
    }

    #[test]
    fn a_station_that_names_connectors_without_end_fills_no_memory() {
        let (seated, then) = (Seated::new(station(0, None), None), DateTime::UNIX_EPOCH);
        for connector in 1..100_000 {
            seated.says(connector, "Charging", then);
        }
        let most = usize::try_from(status::HIGHEST_CONNECTOR).unwrap();
        assert_eq!(seated.memory().charging.len(), most);
        // Whoever is remembered still is, and gives its place up.
        let later = then + LATE_START;
        assert_eq!(seated.charges_unannounced(1, later), Some(then));
        seated.says(1, "Available", later);
        assert_eq!(seated.charges_unannounced(1, later), None);
    }
}
