//! A transaction stops. The first stop counts; one that contradicts it, or that fits nothing, is kept beside it.

use chrono::{DateTime, Utc};
use serde_json::json;
use store::ingest::{Effect, OddStop, Stop};
use store::lookup::Transaction;
use store::stations::Station;

use super::{event, told};

/// What a station says of a stop.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// The transactionId; absent, 0 and -1 happen (quirk 23).
    pub(crate) number: Option<i64>,
    pub(crate) meter_stop_wh: i64,
    /// The charger's time if it can be true, else ours.
    pub(crate) stopped_at: DateTime<Utc>,
    pub(crate) reason: Option<String>,
    pub(crate) id_token: Option<String>,
    /// What the block found odd.
    pub(crate) flags: Vec<String>,
}

/// The rows, and the transaction that the stop belongs to, as it will be. `known` are the station's open transactions and
/// the one of this number: another station's are never among them (CVE-2026-28230).
pub(crate) fn decide(
    station: &Station,
    said: Said,
    known: &[Transaction],
    now: DateTime<Utc>,
) -> (Effect, Option<Transaction>) {
    let Some(transaction) = transaction_of(&said, known) else {
        return (orphan(station, said, now), None);
    };
    if transaction.stopped_at.is_none() || transaction.superseded {
        return end(station, said, transaction, now);
    }
    let repeated = transaction.stopped_at == Some(said.stopped_at)
        && transaction.meter_stop_wh == Some(said.meter_stop_wh);
    let effect = if repeated {
        Effect::default()
    } else {
        let detail = json!({ "connector": transaction.connector, "number": transaction.number });
        Effect {
            odd_stops: vec![odd(station, said, Some(transaction), now)],
            ..told(event(
                station,
                now,
                "transaction.contradicted",
                Some(transaction.id),
                detail,
            ))
        }
    };
    (effect, Some(transaction.clone()))
}

/// By number; else the only open one, if the stop could be its own.
fn transaction_of<'t>(said: &Said, known: &'t [Transaction]) -> Option<&'t Transaction> {
    let named = said
        .number
        .and_then(|number| known.iter().find(|known| known.number == number));
    if named.is_some() {
        return named;
    }
    let mut open = known.iter().filter(|known| known.stopped_at.is_none());
    let only = open.next().filter(|_| open.next().is_none())?;
    (said.meter_stop_wh >= only.meter_start_wh).then_some(only)
}

fn end(
    station: &Station,
    said: Said,
    transaction: &Transaction,
    now: DateTime<Utc>,
) -> (Effect, Option<Transaction>) {
    let mut flags = said.flags;
    if said.meter_stop_wh < transaction.meter_start_wh {
        flags.push("meter-ran-backwards".to_owned());
    }
    if said.stopped_at < transaction.started_at {
        flags.push("stopped-before-start".to_owned());
    }
    if said.number != Some(transaction.number) {
        flags.push("transaction-guessed".to_owned());
    }
    let stop = Stop {
        transaction_id: transaction.id,
        stopped_at: said.stopped_at,
        received_at: now,
        meter_stop_wh: said.meter_stop_wh,
        reason: said.reason,
        id_token: said.id_token,
        replaces: transaction.superseded,
        figures: transaction
            .figures
            .filter(|figures| figures.are_within(said.stopped_at) && !transaction.superseded),
        flags,
    };
    let ended = Transaction {
        stopped_at: Some(stop.stopped_at),
        meter_stop_wh: Some(stop.meter_stop_wh),
        superseded: false,
        ..transaction.clone()
    };
    let detail = json!({ "connector": ended.connector, "number": ended.number });
    // Of one that a later start ended everybody has heard; its figures are what is new.
    let kind = if transaction.superseded {
        "transaction.corrected"
    } else {
        "transaction.stopped"
    };
    let effect = Effect {
        stops: vec![stop],
        ..told(event(station, now, kind, Some(ended.id), detail))
    };
    (effect, Some(ended))
}

fn orphan(station: &Station, said: Said, now: DateTime<Utc>) -> Effect {
    let odd = odd(station, said, None, now);
    let detail = json!({ "number": odd.number });
    Effect {
        events: vec![event(
            station,
            now,
            "transaction.orphaned",
            Some(odd.id),
            detail,
        )],
        odd_stops: vec![odd],
        ..Effect::default()
    }
}

fn odd(
    station: &Station,
    said: Said,
    contradicts: Option<&Transaction>,
    now: DateTime<Utc>,
) -> OddStop {
    OddStop {
        id: store::ids::new_id(now),
        station_id: station.id,
        number: said.number.unwrap_or(0),
        transaction_id: contradicts.map(|transaction| transaction.id),
        stopped_at: said.stopped_at,
        received_at: now,
        meter_stop_wh: said.meter_stop_wh,
        reason: said.reason,
        id_token: said.id_token,
        site_id: station.site_id,
        why: if contradicts.is_some() {
            "second-stop"
        } else {
            "unknown-transaction"
        },
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

    fn known(number: i64, stopped: bool) -> Transaction {
        Transaction {
            id: Uuid::from_u128(number.unsigned_abs().into()),
            number,
            connector: 1,
            id_token: "TAG".to_owned(),
            started_at: time("2026-11-20T10:00:00Z"),
            meter_start_wh: 100,
            stopped_at: stopped.then(|| time("2026-11-20T11:00:00Z")),
            meter_stop_wh: stopped.then_some(200),
            superseded: false,
            site_id: None,
            figures: None,
        }
    }

    fn said(number: i64) -> Said {
        Said {
            number: Some(number),
            meter_stop_wh: 200,
            stopped_at: time("2026-11-20T11:00:00Z"),
            reason: None,
            id_token: None,
            flags: vec![],
        }
    }

    fn decided(said: Said, known: &[Transaction]) -> (Effect, Option<Transaction>) {
        let station = station();
        decide(&station, said, known, time("2026-11-20T12:00:00Z"))
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
            first_accepted_at: None,
            access: Default::default(),
        }
    }

    #[track_caller]
    fn check(said: Said, known: &[Transaction], expected: &str) {
        let (effect, transaction) = decided(said, known);
        let stops = effect
            .stops
            .iter()
            .map(|stop| format!("stop {}", stop.flags.join(" ")));
        let odd = effect.odd_stops.iter().map(|odd| odd.why.to_owned());
        let rows: Vec<String> = stops.chain(odd).collect();
        let belongs = transaction.map_or("none".to_owned(), |known| known.number.to_string());
        assert_eq!(format!("{belongs}: {}", rows.join(", ")).trim(), expected);
    }

    #[test]
    fn the_table() {
        check(said(5), &[known(5, false)], "5: stop");
        check(said(5), &[known(5, false), known(6, false)], "5: stop");
        check(said(5), &[known(5, true)], "5:");
        check(
            Said {
                meter_stop_wh: 300,
                ..said(5)
            },
            &[known(5, true)],
            "5: second-stop",
        );
        check(
            Said {
                meter_stop_wh: 50,
                ..said(5)
            },
            &[known(5, false)],
            "5: stop meter-ran-backwards",
        );
        check(said(-1), &[known(5, false)], "5: stop transaction-guessed");
        check(
            Said {
                number: None,
                ..said(0)
            },
            &[known(5, false)],
            "5: stop transaction-guessed",
        );
        check(
            Said {
                meter_stop_wh: 50,
                ..said(0)
            },
            &[known(5, false)],
            "none: unknown-transaction",
        );
        check(
            said(-1),
            &[known(5, false), known(6, false)],
            "none: unknown-transaction",
        );
        check(said(77), &[], "none: unknown-transaction");
    }

    #[test]
    fn a_stop_is_told_once_and_then_corrected() {
        let kinds = |known| -> Vec<&str> {
            let (effect, _) = decided(said(5), &[known]);
            effect.events.iter().map(|event| event.kind).collect()
        };
        assert_eq!(kinds(known(5, false)), ["transaction.stopped"]);
        let ours = Transaction {
            superseded: true,
            ..known(5, true)
        };
        assert_eq!(kinds(ours), ["transaction.corrected"]);
        assert_eq!(kinds(known(5, true)), [""; 0]);
    }

    #[test]
    fn the_stations_own_stop_takes_the_place_of_ours() {
        let ours = Transaction {
            superseded: true,
            ..known(5, true)
        };
        check(
            Said {
                meter_stop_wh: 300,
                ..said(5)
            },
            &[ours],
            "5: stop",
        );
    }

    #[test]
    fn what_changes_a_session_that_has_ended_is_told() {
        let told = |effect: &Effect| {
            let events = effect
                .events
                .iter()
                .map(|event| (event.kind, event.subject));
            events.collect::<Vec<_>>()
        };
        let (ended, now) = (known(5, true), time("2026-11-20T12:00:00Z"));
        let other = Said {
            meter_stop_wh: 300,
            ..said(5)
        };
        let (second, _) = decide(&station(), other, std::slice::from_ref(&ended), now);
        assert_eq!(
            told(&second),
            [("transaction.contradicted", Some(ended.id))]
        );
        let (repeated, _) = decide(&station(), said(5), std::slice::from_ref(&ended), now);
        assert_eq!(told(&repeated), []);
        let mut late = Effect {
            late: vec![ended.id],
            ..Effect::default()
        };
        crate::ops::meter::tell_late(&mut late, &station(), now);
        assert_eq!(told(&late), [("session.late", Some(ended.id))]);
    }
}
