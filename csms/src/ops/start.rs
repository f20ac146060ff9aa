//! A transaction starts. The same start always has the same transactionId, however often and in whatever message it comes.

use chrono::{DateTime, Utc};
use serde_json::json;
use store::ingest::{Effect, Figures, Start, Stop};
use store::lookup::{ReservationQuery, Reserved, StartKey, Transaction};
use store::reservations::{By, Use};
use store::stations::Station;

use super::authorize::{Authorization, Verdict};
use super::reserved::{self, Claim};
use super::{Refusal, Seated, authorize, event, told};
use crate::Csms;

/// What a station says of a start.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) connector: i32,
    pub(crate) id_token: String,
    /// As stated, absurd or not: it identifies a start that comes twice. `None` if it cannot be read.
    pub(crate) stated_at: Option<DateTime<Utc>>,
    /// As stated, if it can be true.
    pub(crate) credible_at: Option<DateTime<Utc>>,
    pub(crate) meter_start_wh: i64,
    /// 0 and less name none.
    pub(crate) reservation_id: Option<i64>,
    /// What the block found odd.
    pub(crate) flags: Vec<String>,
}

impl Said {
    fn key(&self, station: &Station, now: DateTime<Utc>) -> StartKey {
        StartKey {
            station_id: station.id,
            connector: self.connector,
            id_token: self.id_token.clone(),
            started_at: self.stated_at.unwrap_or(now),
            meter_start_wh: self.meter_start_wh,
        }
    }

    /// What people see as its time.
    fn shown_at(&self, now: DateTime<Utc>) -> DateTime<Utc> {
        self.credible_at.unwrap_or(now)
    }
}

/// What is known of the station where it starts.
#[derive(Clone, Copy, Default)]
struct Known<'k> {
    /// Those that are open, and those of the same start.
    transactions: &'k [Transaction],
    /// What was kept for somebody at that time.
    reserved: &'k [Reserved],
}

/// A decided start.
pub(crate) struct Decided {
    pub(crate) effect: Effect,
    /// The transaction as it will be.
    pub(crate) transaction: Transaction,
    pub(crate) authorization: Authorization,
}

/// Looks up and decides. A station that is not accepted is heard, but its token is not (spec ocpp-rules, "Decided").
pub(crate) async fn start(
    csms: &Csms,
    seated: &Seated,
    said: Said,
    now: DateTime<Utc>,
) -> Result<Decided, Refusal> {
    let key = said.key(&seated.station, now);
    let query = ReservationQuery {
        station_id: seated.station.id,
        at: said.shown_at(now),
    };
    let (authorization, open, same, reserved) = tokio::join!(
        authorize::authorize(csms, &said.id_token, now),
        seated.transactions(csms, None),
        csms.lookups.starts(key.clone()),
        csms.lookups.reservations(query),
    );
    let reserved = reserved?;
    let (mut authorization, mut found) = (authorization?, open?);
    found.extend(same?);
    if !seated.is_accepted() {
        authorization.verdict = Verdict::Invalid;
    }
    Ok(
        match repeated(&key, seated.first_accepted_at(), &said, &found) {
            Some(known) => {
                // The first of the two is the one that counts against the token's limit.
                if authorization.verdict == Verdict::ConcurrentTx {
                    authorization.verdict = Verdict::Accepted;
                }
                Decided {
                    effect: Effect::default(),
                    transaction: known.clone(),
                    authorization,
                }
            }
            None => {
                let number = csms.numbers.next().await.map_err(|error| {
                    tracing::warn!(%error, "no transaction number can be had");
                    Refusal::Broken
                })?;
                let attempt = authorization.attempt(seated.station.id, &said.id_token, now);
                let known = Known {
                    transactions: &found,
                    reserved: &reserved,
                };
                let mut decided = decide(&seated.station, said, number, authorization, known, now);
                decided.effect.refused_tokens = attempt
                    .filter(|_| seated.is_accepted())
                    .into_iter()
                    .collect();
                decided
            }
        },
    )
}

/// A charge that no start told of (quirk 22): nobody asked for a token, so none is judged.
pub(crate) async fn unannounced(
    csms: &Csms,
    seated: &Seated,
    said: Said,
    found: &[Transaction],
    now: DateTime<Utc>,
) -> Result<Decided, Refusal> {
    let nobody = Authorization {
        verdict: Verdict::Accepted,
        parent: None,
        expires_at: None,
    };
    let number = csms.numbers.next().await.map_err(|error| {
        tracing::warn!(%error, "no transaction number can be had");
        Refusal::Broken
    })?;
    let known = Known {
        transactions: found,
        reserved: &[],
    };
    Ok(decide(&seated.station, said, number, nobody, known, now))
}

/// The transaction that this start already made.
///
/// One that has stopped is the same still, unless the charger's clock was never set: then every start of a day long
/// ago looks like the one before.
fn repeated<'t>(
    key: &StartKey,
    first_accepted: Option<DateTime<Utc>>,
    said: &Said,
    found: &'t [Transaction],
) -> Option<&'t Transaction> {
    let same = |known: &&Transaction| {
        known.connector == key.connector
            && known.id_token.eq_ignore_ascii_case(&key.id_token)
            && known.meter_start_wh == key.meter_start_wh
            // Without a time that can be read, an open transaction with all else equal is the same one.
            && (known.started_at == key.started_at || (said.stated_at.is_none() && known.stopped_at.is_none()))
    };
    let clock_set = first_accepted.is_none_or(|first| key.started_at >= first);
    found
        .iter()
        .find(|known| same(known) && known.stopped_at.is_none())
        .or_else(|| found.iter().find(|known| same(known) && clock_set))
}

/// The rows of a start that was not known.
fn decide(
    station: &Station,
    said: Said,
    number: i64,
    authorization: Authorization,
    known: Known<'_>,
    now: DateTime<Utc>,
) -> Decided {
    let (key, shown_at) = (said.key(station, now), said.shown_at(now));
    let id = store::ids::new_id(now);
    let reservation_id = said.reservation_id.filter(|number| *number > 0);
    let claim = Claim {
        named: reservation_id,
        connector: said.connector,
        id_token: &said.id_token,
        parent: authorization.parent.as_deref(),
        at: shown_at,
    };
    let ended = reserved::ended_by(&claim, known.reserved);
    let mut flags = said.flags;
    if ended.is_some_and(|(_, by)| by == By::Another) {
        flags.push(reserved::OF_ANOTHER.to_owned());
    }
    if authorization.verdict != Verdict::Accepted {
        flags.push(format!("token-{:?}", authorization.verdict).to_lowercase());
    }
    let start = Start {
        id,
        station_id: station.id,
        number,
        evse: said.connector,
        connector: said.connector,
        id_token: said.id_token,
        started_at: key.started_at,
        shown_at,
        received_at: now,
        meter_start_wh: said.meter_start_wh,
        reservation_id,
        site_id: station.site_id,
        flags,
    };
    let transaction = Transaction {
        id,
        number,
        connector: start.connector,
        id_token: start.id_token.clone(),
        started_at: start.started_at,
        meter_start_wh: start.meter_start_wh,
        stopped_at: None,
        meter_stop_wh: None,
        superseded: false,
        site_id: station.site_id,
        figures: Some(Figures::new(start.started_at, start.meter_start_wh)),
    };
    let detail = json!({ "connector": start.connector, "number": number });
    let mut effect = told(event(station, now, "transaction.started", Some(id), detail));
    let old = known.transactions.iter();
    for old in old.filter(|old| is_superseded(old, &start)) {
        effect.stops.push(supersede(old, &start, now));
        let detail =
            json!({ "connector": old.connector, "number": old.number, "superseded": true });
        effect.events.push(event(
            station,
            now,
            "transaction.stopped",
            Some(old.id),
            detail,
        ));
    }
    effect.uses.extend(ended.map(|(reservation, by)| Use {
        reservation: reservation.id,
        by,
        transaction_id: start.id,
        id_token: start.id_token.clone(),
        started_at: start.shown_at,
        received_at: now,
    }));
    effect.starts.push(start);
    Decided {
        effect,
        transaction,
        authorization,
    }
}

/// A connector charges one car: a start ends the transaction that was open there (quirk 21), unless it is the older of
/// the two and only came late. Of a clock that was far off nothing is concluded: then the order of arrival counts. The
/// station's own stop, should it still come, takes the place of this one.
fn is_superseded(old: &Transaction, start: &Start) -> bool {
    let is_older = old.started_at <= start.shown_at || old.started_at > start.received_at;
    old.stopped_at.is_none() && old.connector == start.connector && start.connector != 0 && is_older
}

fn supersede(old: &Transaction, start: &Start, now: DateTime<Utc>) -> Stop {
    Stop {
        transaction_id: old.id,
        stopped_at: start.shown_at,
        received_at: now,
        meter_stop_wh: start.meter_start_wh.max(old.meter_start_wh),
        reason: Some("Other".to_owned()),
        id_token: None,
        replaces: false,
        figures: None,
        flags: vec!["superseded".to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::stations::{Options, Registration};
    use uuid::Uuid;

    fn time(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn station() -> Station {
        Station {
            id: Uuid::from_u128(1),
            identity: "CP1".to_owned(),
            site_id: None,
            registration: Registration::Accepted,
            security_profile: 0,
            password_hash: None,
            options: Options::default(),
            first_accepted_at: Some(time("2026-01-01T00:00:00Z")),
            access: Default::default(),
        }
    }

    fn said(at: &str) -> Said {
        Said {
            connector: 1,
            id_token: "TAG".to_owned(),
            stated_at: Some(time(at)),
            credible_at: Some(time(at)),
            meter_start_wh: 100,
            reservation_id: Some(0),
            flags: vec![],
        }
    }

    fn known(started: &str, stopped: Option<&str>) -> Transaction {
        Transaction {
            id: Uuid::from_u128(9),
            number: 77,
            connector: 1,
            id_token: "tag".to_owned(),
            started_at: time(started),
            meter_start_wh: 100,
            stopped_at: stopped.map(time),
            meter_stop_wh: stopped.map(|_| 200),
            superseded: false,
            site_id: None,
            figures: None,
        }
    }

    fn open_there(transactions: &[Transaction]) -> Known<'_> {
        Known {
            transactions,
            reserved: &[],
        }
    }

    const NOW: &str = "2026-11-20T12:00:00Z";

    fn same(said: &Said, found: &[Transaction]) -> bool {
        repeated(
            &said.key(&station(), time(NOW)),
            station().first_accepted_at,
            said,
            found,
        )
        .is_some()
    }

    #[test]
    fn the_same_start_is_known_again_open_or_stopped() {
        let at = "2026-11-20T10:00:00Z";
        assert!(same(&said(at), &[known(at, None)]));
        assert!(same(&said(at), &[known(at, Some(NOW))]));
        assert!(!same(&said("2026-11-20T10:00:01Z"), &[known(at, None)]));
        assert!(!same(
            &Said {
                meter_start_wh: 101,
                ..said(at)
            },
            &[known(at, None)]
        ));
        assert!(!same(
            &Said {
                connector: 2,
                ..said(at)
            },
            &[known(at, None)]
        ));
    }

    #[test]
    fn with_a_clock_that_was_never_set_a_stopped_one_is_another() {
        let at = "1970-01-01T00:00:09Z";
        assert!(same(&said(at), &[known(at, None)]));
        assert!(!same(&said(at), &[known(at, Some("1970-01-01T01:00:00Z"))]));
    }

    #[test]
    fn without_a_time_the_open_one_is_the_same() {
        let blind = Said {
            stated_at: None,
            ..said(NOW)
        };
        assert!(same(&blind, &[known("2026-11-20T10:00:00Z", None)]));
        assert!(!same(&blind, &[known("2026-11-20T10:00:00Z", Some(NOW))]));
    }

    #[test]
    fn a_new_start_ends_what_was_open_on_the_connector() {
        let accepted = Authorization {
            verdict: Verdict::Accepted,
            parent: None,
            expires_at: None,
        };
        let open = known("2026-11-20T09:00:00Z", None);
        let decided = decide(
            &station(),
            said("2026-11-20T10:00:00Z"),
            5,
            accepted.clone(),
            open_there(std::slice::from_ref(&open)),
            time(NOW),
        );
        assert_eq!(decided.effect.stops[0].flags, ["superseded"]);
        assert_eq!(decided.effect.stops[0].transaction_id, open.id);
        assert_eq!(decided.effect.starts[0].id, decided.transaction.id);
        let after = |said: Said, open: &Transaction| {
            let known = open_there(std::slice::from_ref(open));
            decide(&station(), said, 5, accepted.clone(), known, time(NOW))
                .effect
                .stops
                .len()
        };
        assert_eq!(
            after(said("2026-11-20T08:00:00Z"), &open),
            0,
            "the older one only came late"
        );
        let never_set = Said {
            credible_at: None,
            ..said("1970-01-01T00:00:09Z")
        };
        assert_eq!(after(never_set, &open), 1);
        let far_ahead = known("2099-01-01T00:00:00Z", None);
        assert_eq!(after(said("2026-11-20T11:00:00Z"), &far_ahead), 1);
    }

    #[test]
    fn an_invalid_token_is_stored_and_flagged() {
        let invalid = Authorization {
            verdict: Verdict::Invalid,
            parent: None,
            expires_at: None,
        };
        let decided = decide(
            &station(),
            said(NOW),
            5,
            invalid,
            Known::default(),
            time(NOW),
        );
        assert_eq!(decided.effect.starts[0].flags, ["token-invalid"]);
        assert_eq!(decided.effect.starts[0].reservation_id, None);
    }

    #[test]
    fn a_start_on_the_reservation_of_another_is_flagged_and_zero_names_none() {
        let accepted = Authorization {
            verdict: Verdict::Accepted,
            parent: None,
            expires_at: None,
        };
        let reserved = [Reserved {
            id: Uuid::from_u128(3),
            number: 12,
            connector: 2,
            id_token: "OTHER".to_owned(),
            parent: None,
            expires_at: time(NOW),
            accepted_at: Some(time(NOW)),
        }];
        let begun = |reservation_id, id_token: &str| {
            let said = Said {
                reservation_id,
                id_token: id_token.to_owned(),
                ..said(NOW)
            };
            let known = Known {
                transactions: &[],
                reserved: &reserved,
            };
            let effect = decide(&station(), said, 5, accepted.clone(), known, time(NOW)).effect;
            let uses = effect.uses.iter().map(|used| (used.reservation, used.by));
            assert!(
                effect
                    .uses
                    .iter()
                    .all(|used| used.transaction_id == effect.starts[0].id)
            );
            (
                uses.collect::<Vec<_>>(),
                effect.starts[0].flags.clone(),
                effect.starts[0].reservation_id,
            )
        };
        let id = Uuid::from_u128(3);
        assert_eq!(
            begun(Some(12), "other"),
            (vec![(id, By::Holder)], vec![], Some(12))
        );
        let flag = "reservation-of-another".to_owned();
        assert_eq!(
            begun(Some(12), "TAG"),
            (vec![(id, By::Another)], vec![flag], Some(12))
        );
        for none in [Some(0), Some(-1), None] {
            assert_eq!(begun(none, "TAG"), (vec![], vec![], None));
        }
    }
}
