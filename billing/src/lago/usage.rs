//! What is billed of a session, decided from what its meter says and what is billed already. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use rust_decimal::Decimal;
use serde_json::{Map, Value};
use service::config::MeterFlush;
use store::{
    lago::state::{Change, METER_ROLLBACK, NewEvent, OVER_BILLED, Open},
    tag_mappings::Account,
};

/// The metric that usage is counted in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Its code.
    pub code: String,
    /// The property that it sums.
    pub property: String,
}

/// What becomes of a session in this run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decision {
    /// Usage to tell Lago of.
    pub event: Option<NewEvent>,
    /// How its state moves.
    pub change: Option<Change>,
    /// What somebody should know.
    pub warning: Option<String>,
}

/// Bills what came on the meter since the last event, and all that is left of a session that has ended. `account` names a
/// customer of Lago.
pub fn decide(session: &Open, account: &Account, metric: &Metric) -> Decision {
    let from = session.billed_wh.unwrap_or(session.meter_start_wh);
    match (session.stopped_at, session.meter_stop_wh) {
        (Some(at), Some(stop)) => finish(session, account, metric, from, stop, at),
        _ => go_on(session, account, metric, from),
    }
}

fn finish(
    session: &Open,
    account: &Account,
    metric: &Metric,
    from: i64,
    stop: i64,
    at: DateTime<Utc>,
) -> Decision {
    let change = Change {
        session_id: session.session_id,
        billed_wh: session.billed_wh,
        billed_at: session.billed_at,
        finalised: true,
        flag: None,
    };
    if stop > from {
        return Decision {
            event: Some(event(session, account, metric, (from, stop), at, true)),
            change: Some(Change {
                billed_wh: Some(stop),
                billed_at: Some(at),
                ..change
            }),
            warning: None,
        };
    }
    if stop == from {
        return Decision {
            change: Some(change),
            ..Decision::default()
        };
    }
    let (flag, what) = match session.billed_wh {
        Some(_) => (OVER_BILLED, "more is billed than the stop says"),
        None => (
            METER_ROLLBACK,
            "the stop says less than the start; nothing is billed",
        ),
    };
    Decision {
        event: None,
        change: Some(Change {
            flag: Some(flag),
            ..change
        }),
        warning: Some(format!(
            "session {}: {what} ({from} Wh, then {stop} Wh)",
            session.session_id
        )),
    }
}

fn go_on(session: &Open, account: &Account, metric: &Metric, from: i64) -> Decision {
    let (Some(register), Some(at)) = (session.sample_wh, session.sample_at) else {
        return Decision::default();
    };
    let change = Change {
        session_id: session.session_id,
        billed_wh: session.billed_wh,
        billed_at: session.billed_at,
        finalised: false,
        flag: None,
    };
    if register > from {
        return Decision {
            event: Some(event(session, account, metric, (from, register), at, false)),
            change: Some(Change {
                billed_wh: Some(register),
                billed_at: Some(at),
                ..change
            }),
            warning: None,
        };
    }
    // Said once: the flag stays until a person has looked.
    if register < from && !session.flags.iter().any(|flag| flag == METER_ROLLBACK) {
        return Decision {
            event: None,
            change: Some(Change {
                flag: Some(METER_ROLLBACK),
                ..change
            }),
            warning: Some(format!(
                "session {}: the meter ran back from {from} Wh to {register} Wh; nothing is billed until somebody has \
                 looked",
                session.session_id
            )),
        };
    }
    Decision::default()
}

/// Whether a session that charges has enough for an event between two runs. One that waits for a person has time until
/// the next run.
pub fn is_worth_an_event(session: &Open, flush: MeterFlush, now: DateTime<Utc>) -> bool {
    if !session.held.is_empty() {
        return false;
    }
    let (Some(register), None) = (session.sample_wh, session.stopped_at) else {
        return session.stopped_at.is_some();
    };
    let delta = register - session.billed_wh.unwrap_or(session.meter_start_wh);
    let since = session.billed_at.unwrap_or(session.started_at);
    delta >= i64::from(flush.wh)
        || (delta > 0 && now - since >= TimeDelta::seconds(i64::from(flush.seconds)))
}

fn event(
    session: &Open,
    account: &Account,
    metric: &Metric,
    (from_wh, to_wh): (i64, i64),
    at: DateTime<Utc>,
    is_final: bool,
) -> NewEvent {
    let kwh = Decimal::new(to_wh - from_wh, 3);
    NewEvent {
        event_id: format!("fc_{}_{from_wh}_{to_wh}", session.session_id),
        session_id: session.session_id,
        site_id: session.site_id,
        id_token: session.id_token.clone(),
        mapping_id: account.mapping_id,
        customer_id: account.customer_id,
        lago_customer: account.lago_customer.clone().unwrap_or_default(),
        lago_subscription: account.lago_subscription.clone(),
        code: metric.code.clone(),
        at,
        from_wh,
        to_wh,
        kwh,
        is_final,
        properties: properties(session, metric, kwh, at, is_final),
    }
}

/// Values are strings, as Lago's documentation has them; a sum reads them as numbers.
fn properties(
    session: &Open,
    metric: &Metric,
    kwh: Decimal,
    at: DateTime<Utc>,
    is_final: bool,
) -> String {
    let mut properties = Map::new();
    let mut put = |name: &str, value: String| {
        properties
            .entry(name.to_owned())
            .or_insert(Value::String(value));
    };
    put(&metric.property, kwh.to_string());
    put("value", kwh.to_string());
    put("kwh", kwh.to_string());
    put("charger_id", session.station.clone());
    put("connector_id", session.connector.to_string());
    put(
        "session_duration_minutes",
        (at - session.started_at).num_minutes().to_string(),
    );
    put("start_timestamp", session.started_at.to_rfc3339());
    if is_final {
        put("stop_timestamp", at.to_rfc3339());
    }
    Value::Object(properties).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn session() -> Open {
        Open {
            session_id: Uuid::from_u128(7),
            site_id: None,
            id_token: "tag".to_owned(),
            station: "CP001".to_owned(),
            connector: 1,
            started_at: at("2026-11-20T12:00:00Z"),
            meter_start_wh: 1_200_000,
            stopped_at: None,
            meter_stop_wh: None,
            sample_wh: None,
            sample_at: None,
            billed_wh: None,
            billed_at: None,
            flags: vec![],
            held: vec![],
            let_go: vec![],
        }
    }

    fn account() -> Account {
        Account {
            mapping_id: Uuid::from_u128(1),
            mapped_token: "TAG".to_owned(),
            customer_id: Uuid::from_u128(2),
            lago_customer: Some("acme".to_owned()),
            lago_subscription: None,
            active: true,
        }
    }

    fn judge(session: &Open) -> Decision {
        let metric = Metric {
            code: "ev_charging_kwh".to_owned(),
            property: "kwh".to_owned(),
        };
        decide(session, &account(), &metric)
    }

    fn sampled(wh: i64) -> Open {
        Open {
            sample_wh: Some(wh),
            sample_at: Some(at("2026-11-20T12:30:00Z")),
            ..session()
        }
    }

    fn stopped(wh: i64) -> Open {
        Open {
            stopped_at: Some(at("2026-11-20T14:00:00Z")),
            meter_stop_wh: Some(wh),
            ..session()
        }
    }

    #[test]
    fn v6_two_events_sum_to_the_register() {
        let first = judge(&sampled(1_203_450));
        let event = first.event.unwrap();
        assert_eq!(
            (event.kwh.to_string(), event.event_id.as_str()),
            (
                "3.450".to_owned(),
                "fc_00000000-0000-0000-0000-000000000007_1200000_1203450"
            )
        );
        assert_eq!(
            (event.at, event.is_final),
            (at("2026-11-20T12:30:00Z"), false)
        );
        assert!(event.properties.contains(r#""kwh":"3.450""#));

        let second = judge(&Open {
            billed_wh: first.change.unwrap().billed_wh,
            ..stopped(1_218_250)
        });
        let last = second.event.unwrap();
        assert_eq!(
            (last.kwh.to_string(), last.is_final, last.at),
            ("14.800".to_owned(), true, at("2026-11-20T14:00:00Z"))
        );
        assert!(second.change.unwrap().finalised);
        assert_eq!((event.kwh + last.kwh).to_string(), "18.250");
    }

    #[test]
    fn the_same_meter_twice_is_no_event() {
        let same = Open {
            billed_wh: Some(1_203_450),
            ..sampled(1_203_450)
        };
        assert_eq!(judge(&same), Decision::default());
        let ended = Open {
            billed_wh: Some(1_203_450),
            ..stopped(1_203_450)
        };
        let decision = judge(&ended);
        assert!(decision.event.is_none() && decision.change.unwrap().finalised);
        assert_eq!(judge(&session()), Decision::default());
    }

    #[test]
    fn a_meter_that_runs_back_bills_nothing_and_is_told_once() {
        let back = Open {
            billed_wh: Some(1_210_000),
            ..sampled(1_203_450)
        };
        let decision = judge(&back);
        assert!(decision.event.is_none() && decision.warning.is_some());
        let change = decision.change.unwrap();
        assert_eq!(
            (change.flag, change.billed_wh, change.finalised),
            (Some(METER_ROLLBACK), Some(1_210_000), false)
        );
        let known = Open {
            flags: vec![METER_ROLLBACK.to_owned()],
            ..back
        };
        assert_eq!(judge(&known), Decision::default());
    }

    #[test]
    fn a_stop_below_what_is_billed_ends_it_and_is_flagged() {
        let decision = judge(&Open {
            billed_wh: Some(1_210_000),
            ..stopped(1_205_000)
        });
        let change = decision.change.unwrap();
        assert_eq!(
            (decision.event, change.flag, change.finalised),
            (None, Some(OVER_BILLED), true)
        );
        let never = judge(&stopped(1_100_000)).change.unwrap();
        assert_eq!((never.flag, never.finalised), (Some(METER_ROLLBACK), true));
    }

    #[test]
    fn between_runs_enough_energy_or_time_is_an_event() {
        let flush = MeterFlush {
            seconds: 60,
            wh: 1_000,
        };
        let now = at("2026-11-20T12:00:59Z");
        let worth = |session: &Open, now| is_worth_an_event(session, flush, now);
        assert!(worth(&sampled(1_201_000), now));
        assert!(!worth(&sampled(1_200_999), now));
        assert!(worth(&sampled(1_200_001), now + TimeDelta::seconds(1)));
        assert!(!worth(&sampled(1_200_000), now + TimeDelta::hours(1)));
        assert!(!worth(&session(), now + TimeDelta::hours(1)));
        assert!(worth(&stopped(1_200_001), now), "the final true-up");
        let held = Open {
            held: vec!["over-registered".to_owned()],
            ..sampled(1_201_000)
        };
        assert!(!worth(&held, now), "a person has to look first");
    }

    #[test]
    fn another_property_carries_the_number_too() {
        let metric = Metric {
            code: "energy".to_owned(),
            property: "charged".to_owned(),
        };
        let event = decide(&sampled(1_200_500), &account(), &metric)
            .event
            .unwrap();
        let read: Value = serde_json::from_str(&event.properties).unwrap();
        assert_eq!(read["charged"], "0.500");
        assert_eq!(
            (&read["charger_id"], &read["connector_id"]),
            (&"CP001".into(), &"1".into())
        );
    }
}
