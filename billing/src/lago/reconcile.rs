//! Nightly: what Lago took, by our own books, against what Lago has. A difference is an alarm; nothing is repaired by
//! itself.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Days, NaiveDate, NaiveTime, Utc};
use rust_decimal::Decimal;
use store::lago::{
    events::{self, Taken},
    reconciliations::{self, Reconciliation},
};

use super::{
    Sync,
    client::Error,
    wire::{Kept, Usage},
};

/// The kind in `job_runs`.
pub const JOB: &str = "lago-reconcile";
/// Days that are compared each night: late usage comes days after.
const LOOK_BACK: u64 = 3;
/// Ids of a difference that are kept.
const EXAMPLES: usize = 20;

/// Compares one subscription's day.
pub fn compare(
    day: NaiveDate,
    subscription: &str,
    ours: &[Taken],
    theirs: &[Kept],
    property: &str,
    now: DateTime<Utc>,
) -> Reconciliation {
    let our_ids: BTreeSet<&str> = ours.iter().map(|event| event.event_id.as_str()).collect();
    let their_ids: BTreeSet<&str> = theirs
        .iter()
        .map(|event| event.transaction_id.as_str())
        .collect();
    let some = |ids: std::collections::btree_set::Difference<'_, &str>| -> Vec<String> {
        ids.take(EXAMPLES).map(|id| (*id).to_owned()).collect()
    };
    let our_kwh: Decimal = ours.iter().map(|event| event.kwh).sum();
    let lago_kwh: Decimal = theirs.iter().map(|event| kwh(event, property)).sum();
    let (missing, extra) = (
        some(our_ids.difference(&their_ids)),
        some(their_ids.difference(&our_ids)),
    );
    Reconciliation {
        day,
        lago_subscription: subscription.to_owned(),
        at: now,
        our_events: i64::try_from(ours.len()).unwrap_or(i64::MAX),
        our_kwh,
        lago_events: i64::try_from(theirs.len()).unwrap_or(i64::MAX),
        lago_kwh,
        ok: missing.is_empty()
            && extra.is_empty()
            && our_kwh == lago_kwh
            && ours.len() == theirs.len(),
        missing,
        extra,
    }
}

/// Compares what a subscription used in its running period: counts and sums, since Lago names no event.
pub fn compare_usage(
    day: NaiveDate,
    subscription: &str,
    (our_events, our_kwh): (i64, Decimal),
    usage: &Usage,
    code: &str,
    now: DateTime<Utc>,
) -> Reconciliation {
    let of_metric = usage
        .charges_usage
        .iter()
        .filter(|charge| charge.billable_metric.code == code);
    let (lago_events, lago_kwh) = of_metric.fold((0, Decimal::ZERO), |(count, sum), charge| {
        let units: Decimal = charge.units.parse().unwrap_or_default();
        (count + charge.events_count, sum + units)
    });
    Reconciliation {
        day,
        lago_subscription: subscription.to_owned(),
        at: now,
        our_events,
        our_kwh,
        lago_events,
        lago_kwh,
        ok: our_events == lago_events && our_kwh == lago_kwh,
        missing: Vec::new(),
        extra: Vec::new(),
    }
}

async fn taken_in(
    sync: &Sync,
    subscription: &str,
    usage: &Usage,
) -> Result<(i64, Decimal), String> {
    let words = |error: store::Error| error.to_string();
    let mut db = sync
        .pool
        .acquire()
        .await
        .map_err(|error| error.to_string())?;
    // The end is the period's last second.
    let to = usage.to_datetime + chrono::TimeDelta::seconds(1);
    let (from, subscription) = (usage.from_datetime, subscription);
    events::taken_of(&mut db, subscription, from, to)
        .await
        .map_err(words)
}

/// The number that Lago sums; it may come back as text or as a number.
fn kwh(event: &Kept, property: &str) -> Decimal {
    let value = &event.properties[property];
    let text = value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned);
    text.parse().unwrap_or_default()
}

/// Compares the last days and keeps what was found; answers how many comparisons differ.
///
/// # Errors
/// Those of the database, or Lago's in words.
pub async fn run(sync: &Sync, now: DateTime<Utc>) -> Result<String, String> {
    let Some(client) = &sync.client else {
        return Ok("LAGO_API_URL is not set".to_owned());
    };
    let words = |error: store::Error| error.to_string();
    let (mut compared, mut wrong) = (0, 0);
    let mut by_usage: BTreeSet<String> = BTreeSet::new();
    for back in 1..=LOOK_BACK {
        let day = (now - Days::new(back)).date_naive();
        let from = day.and_time(NaiveTime::MIN).and_utc();
        let to = from + Days::new(1);
        let mut db = sync
            .pool
            .acquire()
            .await
            .map_err(|error| error.to_string())?;
        let mut by_subscription: BTreeMap<String, Vec<Taken>> = BTreeMap::new();
        for event in events::taken(&mut db, from, to).await.map_err(words)? {
            by_subscription
                .entry(event.lago_subscription.clone())
                .or_default()
                .push(event);
        }
        drop(db);
        for (subscription, ours) in by_subscription {
            let theirs = client
                .events(&subscription, &sync.settings.metric_code, from, to)
                .await;
            let property = &sync.settings.metric_property;
            let found = match theirs {
                Ok(theirs) => compare(day, &subscription, &ours, &theirs, property, now),
                // Not every Lago lists events; every one tells what was used in the running period.
                Err(Error::NotFound(_)) => {
                    if !by_usage.insert(subscription.clone()) {
                        continue;
                    }
                    let customer = ours.first().map_or("", |event| &event.lago_customer);
                    let usage = client.current_usage(customer, &subscription).await;
                    let usage = usage.map_err(|error| error.to_string())?;
                    let ours = taken_in(sync, &subscription, &usage).await?;
                    let code = &sync.settings.metric_code;
                    compare_usage(day, &subscription, ours, &usage, code, now)
                }
                Err(error) => return Err(error.to_string()),
            };
            compared += 1;
            if !found.ok {
                wrong += 1;
                tracing::error!(
                    %day, subscription, our_events = found.our_events, lago_events = found.lago_events,
                    our_kwh = %found.our_kwh, lago_kwh = %found.lago_kwh, "Lago has not what it took"
                );
            }
            let mut db = sync
                .pool
                .acquire()
                .await
                .map_err(|error| error.to_string())?;
            reconciliations::save(&mut db, &found)
                .await
                .map_err(words)?;
        }
    }
    metrics::gauge!("forecourt_lago_reconciliations_wrong").set(wrong);
    Ok(format!("{compared} compared, {wrong} differ"))
}

/// Whether the night's comparison is due: once a day, after two o'clock (UTC).
pub fn is_due(last: Option<DateTime<Utc>>, now: DateTime<Utc>) -> bool {
    use chrono::Timelike;
    now.hour() >= 2 && last.is_none_or(|last| last.date_naive() < now.date_naive())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ours(id: &str, kwh: &str) -> Taken {
        Taken {
            lago_subscription: "sub".to_owned(),
            lago_customer: "acme".to_owned(),
            event_id: id.to_owned(),
            kwh: kwh.parse().unwrap(),
        }
    }

    fn theirs(id: &str, kwh: serde_json::Value) -> Kept {
        Kept {
            transaction_id: id.to_owned(),
            properties: json!({ "kwh": kwh }),
        }
    }

    #[test]
    fn count_sum_and_ids_must_agree() {
        let now = "2026-11-20T03:00:00Z".parse().unwrap();
        let day = "2026-11-19".parse().unwrap();
        let check = |ours: &[Taken], theirs: &[Kept]| compare(day, "sub", ours, theirs, "kwh", now);
        let a = [ours("a", "1.500"), ours("b", "2.000")];
        assert!(check(&a, &[theirs("b", json!("2.000")), theirs("a", json!(1.5))]).ok);
        let lost = check(&a, &[theirs("a", json!("1.500"))]);
        assert_eq!(
            (lost.ok, lost.missing, lost.extra),
            (false, vec!["b".to_owned()], vec![])
        );
        let other = check(
            &a,
            &[theirs("a", json!("1.500")), theirs("c", json!("2.000"))],
        );
        assert_eq!(
            (other.ok, other.missing, other.extra),
            (false, vec!["b".to_owned()], vec!["c".to_owned()])
        );
        let changed = check(
            &a,
            &[theirs("a", json!("1.400")), theirs("b", json!("2.000"))],
        );
        assert!(!changed.ok && changed.missing.is_empty());
    }

    #[test]
    fn once_a_night() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert!(is_due(None, at("2026-11-20T02:00:00Z")));
        assert!(!is_due(None, at("2026-11-20T01:59:59Z")));
        let last = Some(at("2026-11-20T02:00:10Z"));
        assert!(!is_due(last, at("2026-11-20T23:00:00Z")));
        assert!(is_due(last, at("2026-11-21T02:00:00Z")));
    }
}
