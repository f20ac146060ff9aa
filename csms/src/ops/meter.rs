//! A meter speaks: samples become wide rows, each with the transaction it belongs to.

use chrono::{DateTime, Days, TimeDelta, Utc};
use ocpp::meter::{Readings, Sample};
use ocpp::v16::ReadingContext;
use serde_json::json;
use store::ingest::{Effect, Figures, MeterRow, SignedReading};
use store::lookup::Transaction;
use store::stations::Station;
use uuid::Uuid;

use super::event;

/// How far ahead of ours a charger's clock may be before its samples go to the odd table.
const AHEAD: Days = Days::new(2);
/// Samples that come this long after a stop still belong to the session (quirk 25).
const GRACE: TimeDelta = TimeDelta::hours(24);

/// Which transaction samples belong to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'t> {
    pub(crate) station_id: Uuid,
    pub(crate) connector: i32,
    pub(crate) transaction: Option<&'t Transaction>,
    /// Meter values older than this many days have no partition.
    pub(crate) retention_days: u32,
}

/// The transaction that samples of a connector belong to: the one they name, else the open one of that connector
/// (quirk 24). Samples of connector 0 are the station's own unless they name a transaction.
pub(crate) fn transaction_of(
    known: &[Transaction],
    number: Option<i64>,
    connector: i32,
) -> Option<&Transaction> {
    let named = number.and_then(|number| known.iter().find(|known| known.number == number));
    named.or_else(|| {
        known.iter().rev().find(|known| {
            known.connector == connector && connector != 0 && known.stopped_at.is_none()
        })
    })
}

/// The rows.
pub(crate) fn decide(readings: Readings, place: Place<'_>, now: DateTime<Utc>) -> Effect {
    let mut effect = Effect::default();
    for sample in readings.samples {
        let row = row(sample, place, now);
        match effect.meter.iter_mut().find(|known| same_key(known, &row)) {
            Some(known) => merge(known, row),
            None => effect.meter.push(row),
        }
    }
    effect.signed = readings
        .signed
        .into_iter()
        .map(|signed| SignedReading {
            station_id: place.station_id,
            at: signed.at.and_then(|at| at.stated()).unwrap_or(now),
            evse: place.connector,
            connector: connector_of(place.connector),
            context: context_name(&signed.context),
            measurand: signed.measurand,
            value: signed.value,
            transaction_id: place.transaction.map(|transaction| transaction.id),
            received_at: now,
        })
        .collect();
    if let Some(transaction) = place.transaction
        && transaction.stopped_at.is_some()
        && !effect.meter.is_empty()
    {
        effect.late.push(transaction.id);
    }
    effect
}

/// The figures of a transaction with its new samples; `None` if they are not in the order of time.
pub(crate) fn sum_up(figures: Figures, samples: &[MeterRow]) -> Option<Figures> {
    if !samples.is_sorted_by(|a, b| a.at < b.at) {
        return None;
    }
    // The odd table is no part of a session.
    let counted = samples.iter().filter(|sample| !sample.odd);
    Some(counted.fold(figures, Figures::and))
}

/// Samples of sessions that have ended are told: whoever summed those up has to do so again. (Samples of others are too
/// many to tell of.)
pub(crate) fn tell_late(effect: &mut Effect, station: &Station, now: DateTime<Utc>) {
    let late = effect.late.iter();
    let events = late.map(|id| event(station, now, "session.late", Some(*id), json!({})));
    effect.events.extend(events);
}

fn connector_of(connector: i32) -> i32 {
    i32::from(connector != 0)
}

fn row(sample: Sample, place: Place<'_>, now: DateTime<Utc>) -> MeterRow {
    let at = sample.at.and_then(|at| at.stated()).unwrap_or(now);
    let transaction = place.transaction.filter(|transaction| {
        transaction
            .stopped_at
            .is_none_or(|stopped| at <= stopped + GRACE)
    });
    let flags: Vec<String> = sample
        .flags
        .iter()
        .map(|flag| flag.as_str().to_owned())
        .collect();
    MeterRow {
        station_id: place.station_id,
        at,
        evse: place.connector,
        connector: connector_of(place.connector),
        context: context_name(&sample.context),
        received_at: now,
        odd: is_odd(at, place.retention_days, now),
        transaction_id: transaction.map(|transaction| transaction.id),
        energy_wh: sample.energy_wh,
        power_w: sample.power_w,
        current_ma: sample.current_ma,
        voltage_mv: sample.voltage_mv,
        soc_pm: sample.soc_pm,
        temperature_dc: sample.temperature_dc,
        offered_w: sample.offered_w,
        offered_ma: sample.offered_ma,
        rest: sample.rest,
        flags: (!flags.is_empty()).then_some(flags),
    }
}

/// Whether no partition can be relied on to exist for the charger's time.
fn is_odd(at: DateTime<Utc>, retention_days: u32, now: DateTime<Utc>) -> bool {
    at < now - Days::new(u64::from(retention_days)) || at > now + AHEAD
}

fn same_key(a: &MeterRow, b: &MeterRow) -> bool {
    a.at == b.at && a.context == b.context
}

/// Two samples of one instant in one message: the first value of each column stands, what is left over goes to `rest`.
fn merge(known: &mut MeterRow, more: MeterRow) {
    let mut contradictions = Vec::new();
    macro_rules! fill {
        ($($column:ident $([$phase:literal])?),*) => {$(
            match (known.$column $([$phase])?, more.$column $([$phase])?) {
                (None, value) => known.$column $([$phase])? = value,
                (Some(first), Some(second)) if first != second => {
                    contradictions.push(format!("{}={second}", stringify!($column)));
                }
                _ => {}
            }
        )*};
    }
    fill!(
        energy_wh,
        power_w,
        soc_pm,
        temperature_dc,
        offered_w,
        offered_ma,
        current_ma[0],
        current_ma[1],
        current_ma[2],
        voltage_mv[0],
        voltage_mv[1],
        voltage_mv[2]
    );
    let mut flags = known.flags.take().unwrap_or_default();
    flags.extend(more.flags.unwrap_or_default());
    if !contradictions.is_empty() {
        flags.push("contradicted".to_owned());
    }
    flags.sort();
    flags.dedup();
    known.flags = (!flags.is_empty()).then_some(flags);
    let rest: Vec<String> = known
        .rest
        .take()
        .into_iter()
        .chain(more.rest)
        .chain((!contradictions.is_empty()).then(|| contradictions.join(" ")))
        .collect();
    known.rest = (!rest.is_empty()).then(|| rest.join("\n"));
}

/// The value of the database's type `reading_context`.
fn context_name(context: &ReadingContext) -> &'static str {
    match context {
        ReadingContext::SamplePeriodic => "Sample.Periodic",
        ReadingContext::SampleClock => "Sample.Clock",
        ReadingContext::TransactionBegin => "Transaction.Begin",
        ReadingContext::TransactionEnd => "Transaction.End",
        ReadingContext::Trigger => "Trigger",
        ReadingContext::InterruptionBegin => "Interruption.Begin",
        ReadingContext::InterruptionEnd => "Interruption.End",
        ReadingContext::Other | ReadingContext::Unlisted(_) => "Other",
    }
}
