//! Everything that stations say, written for many of them in one commit. Nothing here decides; `csms` does.
//!
//! A commit holds at most one message of a station, so that no row of it depends on another.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::authorize_attempts::{self, Attempt};
use crate::copy::partition_of;
use crate::security_events::{self, NewEvent};
use crate::skew::{self, Measured};
use crate::{Error, Result, partitions, reservations};

mod figures;
pub(crate) mod messages;
mod meter;
mod station_jobs;
#[cfg(test)]
mod tests;
mod transactions;

pub use figures::Figures;
pub use messages::{Direction, MessageRow};
pub use meter::MeterRow;
pub use station_jobs::{Bearing, JobWord};
pub use transactions::{OddStop, Oddity, Start, Started, Stop};

/// The state of a connector, as just said.
#[derive(Debug, Clone)]
pub struct Status {
    /// The station.
    pub station_id: Uuid,
    /// 1.6: the connectorId; 0 is the station itself.
    pub evse: i32,
    /// 1.6: always 1, but for connectorId 0.
    pub connector: i32,
    /// Verbatim.
    pub status: String,
    /// Verbatim; `NoError` when nothing is wrong.
    pub error_code: String,
    /// The vendor's own code.
    pub vendor_error_code: Option<String>,
    /// The charger's remark.
    pub info: Option<String>,
    /// The charger's time, or ours if it gave none that can be believed.
    pub at: DateTime<Utc>,
    /// Our time.
    pub received_at: DateTime<Utc>,
}

/// What a station says of itself when it boots.
#[derive(Debug, Clone)]
pub struct Boot {
    /// The station.
    pub station_id: Uuid,
    /// chargePointVendor.
    pub vendor: Option<String>,
    /// chargePointModel.
    pub model: Option<String>,
    /// The charge point's serial, or the box's.
    pub serial: Option<String>,
    /// firmwareVersion.
    pub firmware: Option<String>,
    /// Whether we accepted it.
    pub accepted: bool,
    /// Our time.
    pub received_at: DateTime<Utc>,
}

/// A signed reading, as the charger wrote it.
#[derive(Debug, Clone)]
pub struct SignedReading {
    /// The station.
    pub station_id: Uuid,
    /// 1.6: the connectorId.
    pub evse: i32,
    /// 1.6: always 1.
    pub connector: i32,
    /// The charger's time.
    pub at: DateTime<Utc>,
    /// One of the type `reading_context`.
    pub context: &'static str,
    /// What it measures, verbatim.
    pub measurand: String,
    /// To the letter.
    pub value: String,
    /// The transaction, if it is known.
    pub transaction_id: Option<Uuid>,
    /// Our time.
    pub received_at: DateTime<Utc>,
}

/// Something that others want to hear of.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Our time.
    pub at: DateTime<Utc>,
    /// `transaction.started`, `connector.status`, …
    pub kind: &'static str,
    /// Whose rows it is about.
    pub site_id: Option<Uuid>,
    /// At which station.
    pub station_id: Uuid,
    /// The session it is about.
    pub subject: Option<Uuid>,
    /// A few words more.
    pub detail: Value,
}

/// What one message of a station changes. It becomes durable as a whole or not at all.
#[derive(Debug, Clone, Default)]
pub struct Effect {
    /// The message log.
    pub messages: Vec<MessageRow>,
    /// Wide meter values. Rows of equal key must have been merged.
    pub meter: Vec<MeterRow>,
    /// The station has most likely said none of `meter` before. Only a guess, that saves looking for them.
    pub meter_is_new: bool,
    /// Signed readings.
    pub signed: Vec<SignedReading>,
    /// Transactions that began.
    pub starts: Vec<Start>,
    /// Reservations that starts were made on.
    pub uses: Vec<reservations::Use>,
    /// Transactions that ended.
    pub stops: Vec<Stop>,
    /// Stops that fit no transaction, or contradict one.
    pub odd_stops: Vec<OddStop>,
    /// What is odd about transactions beyond what their starts and stops say.
    pub oddities: Vec<Oddity>,
    /// Ended transactions whose late meter values change the session's figures.
    pub late: Vec<Uuid>,
    /// Connector states.
    pub statuses: Vec<Status>,
    /// Boots.
    pub boots: Vec<Boot>,
    /// Tokens that were told no.
    pub refused_tokens: Vec<Attempt>,
    /// States of firmware updates and log uploads.
    pub job_words: Vec<JobWord>,
    /// Security events.
    pub security_events: Vec<NewEvent>,
    /// What stations' clocks were found to be.
    pub clocks: Vec<Measured>,
    /// The outbox.
    pub events: Vec<EventRow>,
}

impl Effect {
    /// Whether others may want to hear of it.
    pub fn tells(&self) -> bool {
        !self.events.is_empty() || !self.job_words.is_empty() || !self.security_events.is_empty()
    }
}

/// What was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// What became of each start, in no order.
    pub started: Vec<Started>,
    /// No start was known, no transaction had ended, and no row of a `meter_is_new` was there. `false` says nothing.
    pub as_news: bool,
}

/// Writes the effects of many stations' messages and commits them together. `effects` holds at most one message of a station.
///
/// After an error nothing was written, but for [`crate::Error::Unknown`]: then nobody knows, and the caller must not
/// acknowledge (every row that matters has a natural key, so hearing it again does no harm).
///
/// A caller that gives up before this returns must close the connection.
pub async fn commit(db: &mut PgConnection, effects: &[&Effect]) -> Result<Committed> {
    match commit_news(db, effects).await {
        Ok(Some(started)) => {
            return Ok(Committed {
                started,
                as_news: true,
            });
        }
        Ok(None) | Err(Error::Conflict(_)) => {}
        Err(error) if error.is_retryable() || matches!(error, Error::Unknown(_)) => {
            return Err(error);
        }
        // A row that is not as it should be, or a partition that is not there: the other way finds out.
        Err(error) => tracing::warn!(%error, "a batch is written the careful way"),
    }
    let started = match commit_carefully(db, effects, None).await {
        Err(error) if error.is_no_partition() => {
            tracing::warn!(%error, "partitions are looked at again");
            let partitions = make_room(db, effects).await?;
            commit_carefully(db, effects, Some(&partitions)).await?
        }
        started => started?,
    };
    Ok(Committed {
        started,
        as_news: false,
    })
}

/// A row is of a time that has no partition. The message log goes by our own clock: if that went past what was made ahead,
/// more is made. Meter values go by the chargers' clocks, which order nothing: answers the partitions that there are.
async fn make_room(db: &mut PgConnection, effects: &[&Effect]) -> Result<HashSet<String>> {
    let mut known = partitions::of(db, "ocpp_messages").await?;
    for message in all(effects, |effect| &effect.messages) {
        if !known.contains(&partition_of("ocpp_messages", message.received_at)) {
            partitions::ensure(db, 1, message.received_at).await?;
            known = partitions::of(db, "ocpp_messages").await?;
        }
    }
    partitions::of(db, "meter_values").await
}

/// The quick way, on the guess that nothing is known already: COPY, and no ON CONFLICT. If the guess was wrong, nothing is
/// written, and the answer is `None` or [`Error::Conflict`].
async fn commit_news(db: &mut PgConnection, effects: &[&Effect]) -> Result<Option<Vec<Started>>> {
    let mut tx = db.begin().await?;
    messages::copy(&mut tx, &all(effects, |effect| &effect.messages)).await?;
    let (new, known): (Vec<&Effect>, Vec<&Effect>) =
        effects.iter().partition(|effect| effect.meter_is_new);
    let mut known = all(&known, |effect| &effect.meter);
    known.extend(meter::copy(&mut tx, &all(&new, |effect| &effect.meter)).await?);
    meter::upsert(&mut tx, &known, None).await?;
    let starts = all(effects, |effect| &effect.starts);
    transactions::start_new(&mut tx, &starts).await?;
    let stops = all(effects, |effect| &effect.stops);
    if !transactions::stop_open(&mut tx, &stops).await? {
        tx.rollback().await?;
        return Ok(None);
    }
    let unknown = stops.iter().filter(|stop| stop.figures.is_none());
    let late = all(effects, |effect| &effect.late);
    let to_sum: Vec<Uuid> = unknown
        .map(|stop| stop.transaction_id)
        .chain(late.into_iter().copied())
        .collect();
    transactions::close_sessions(&mut tx, &to_sum).await?;
    write_others(&mut tx, effects).await?;
    insert_events(&mut tx, &all(effects, |effect| &effect.events)).await?;
    tx.commit().await.map_err(Error::of_commit)?;
    let started = |start: &&Start| Started {
        station_id: start.station_id,
        id: start.id,
        number: start.number,
    };
    Ok(Some(starts.iter().map(started).collect()))
}

/// The same, expecting that every row may be there already. `partitions`: those of meter values, if one may be missing.
async fn commit_carefully(
    db: &mut PgConnection,
    effects: &[&Effect],
    partitions: Option<&HashSet<String>>,
) -> Result<Vec<Started>> {
    let mut tx = db.begin().await?;
    messages::insert(&mut tx, &all(effects, |effect| &effect.messages)).await?;
    meter::upsert(&mut tx, &all(effects, |effect| &effect.meter), partitions).await?;
    let starts = all(effects, |effect| &effect.starts);
    let started = transactions::start(&mut tx, &starts).await?;
    let stops = all(effects, |effect| &effect.stops);
    let stopped = transactions::stop(&mut tx, &stops).await?;
    let late = all(effects, |effect| &effect.late);
    let to_sum: Vec<Uuid> = stops
        .iter()
        .map(|stop| stop.transaction_id)
        .chain(late.into_iter().copied())
        .collect();
    transactions::close_sessions(&mut tx, &to_sum).await?;
    write_others(&mut tx, effects).await?;
    let mut events = all(effects, |effect| &effect.events);
    let changed: HashSet<Uuid> = started.iter().map(|new| new.id).chain(stopped).collect();
    let meant = starts.iter().map(|start| start.id);
    let meant = meant.chain(stops.iter().map(|stop| stop.transaction_id));
    // What was known already, from a message that was decided while the first was being committed, is no news.
    let no_news: HashSet<Uuid> = meant.filter(|id| !changed.contains(id)).collect();
    events.retain(|event| {
        event
            .subject
            .is_none_or(|subject| !no_news.contains(&subject))
    });
    insert_events(&mut tx, &events).await?;
    tx.commit().await.map_err(Error::of_commit)?;
    Ok(started)
}

/// What has one way only.
async fn write_others(db: &mut PgConnection, effects: &[&Effect]) -> Result<()> {
    insert_signed(db, &all(effects, |effect| &effect.signed)).await?;
    reservations::used(db, &all(effects, |effect| &effect.uses)).await?;
    transactions::keep_odd(db, &all(effects, |effect| &effect.odd_stops)).await?;
    transactions::flag(db, &all(effects, |effect| &effect.oddities)).await?;
    write_statuses(db, &all(effects, |effect| &effect.statuses)).await?;
    let boots = all(effects, |effect| &effect.boots);
    write_boots(db, &boots).await?;
    station_jobs::note_boots(db, &boots).await?;
    authorize_attempts::note(db, &all(effects, |effect| &effect.refused_tokens)).await?;
    station_jobs::hear(db, &all(effects, |effect| &effect.job_words)).await?;
    skew::write(db, &all(effects, |effect| &effect.clocks)).await?;
    security_events::note(db, &all(effects, |effect| &effect.security_events)).await
}

/// One kind of row of all effects.
fn all<'a, T>(effects: &[&'a Effect], of: fn(&Effect) -> &Vec<T>) -> Vec<&'a T> {
    effects.iter().flat_map(|effect| of(effect)).collect()
}

async fn insert_signed(db: &mut PgConnection, signed: &[&SignedReading]) -> Result<()> {
    for reading in signed {
        sqlx::query!(
            "insert into signed_meter_values
               (station_id, at, evse, connector, context, sha256, value, measurand, transaction_id, received_at)
             values ($1, $2, $3, $4, $5::text::reading_context, $6, $7, $8, $9, $10)
             on conflict do nothing",
            reading.station_id,
            reading.at,
            reading.evse,
            reading.connector,
            reading.context,
            &crate::secrets::sha256(reading.value.as_bytes())[..],
            reading.value,
            reading.measurand,
            reading.transaction_id,
            reading.received_at
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Live state follows arrival; history keeps changes only, since chargers repeat themselves (quirk 41).
async fn write_statuses(db: &mut PgConnection, statuses: &[&Status]) -> Result<()> {
    if statuses.is_empty() {
        return Ok(());
    }
    let stations: Vec<Uuid> = statuses.iter().map(|status| status.station_id).collect();
    let evses: Vec<i32> = statuses.iter().map(|status| status.evse).collect();
    let connectors: Vec<i32> = statuses.iter().map(|status| status.connector).collect();
    let words: Vec<String> = statuses
        .iter()
        .map(|status| status.status.clone())
        .collect();
    let errors: Vec<String> = statuses
        .iter()
        .map(|status| status.error_code.clone())
        .collect();
    let vendor: Vec<Option<String>> = statuses
        .iter()
        .map(|status| status.vendor_error_code.clone())
        .collect();
    let infos: Vec<Option<String>> = statuses.iter().map(|status| status.info.clone()).collect();
    let times: Vec<DateTime<Utc>> = statuses.iter().map(|status| status.at).collect();
    let received: Vec<DateTime<Utc>> = statuses.iter().map(|status| status.received_at).collect();
    sqlx::query!(
        "with said as (
           select * from unnest($1::uuid[], $2::integer[], $3::integer[], $4::text[], $5::text[], $6::text[], $7::text[],
                                $8::timestamptz[], $9::timestamptz[])
             as said (station_id, evse, connector, status, error_code, vendor_error_code, info, at, received_at)),
         changed as (
           insert into connector_history
             (station_id, evse, connector, status, error_code, vendor_error_code, info, at, received_at)
           select said.* from said left join connectors c using (station_id, evse, connector)
           where (c.status, c.error_code, c.vendor_error_code, c.info)
             is distinct from (said.status, said.error_code, said.vendor_error_code, said.info))
         insert into connectors
           (station_id, evse, connector, status, error_code, vendor_error_code, info, at, received_at)
         select * from said
         on conflict (station_id, evse, connector) do update set
           status = excluded.status, error_code = excluded.error_code, info = excluded.info,
           vendor_error_code = excluded.vendor_error_code, at = excluded.at, received_at = excluded.received_at",
        &stations,
        &evses,
        &connectors,
        &words,
        &errors,
        &vendor as &[Option<String>],
        &infos as &[Option<String>],
        &times,
        &received
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn write_boots(db: &mut PgConnection, boots: &[&Boot]) -> Result<()> {
    if boots.is_empty() {
        return Ok(());
    }
    let column = |of: fn(&Boot) -> &Option<String>| {
        boots
            .iter()
            .map(|boot| of(boot))
            .cloned()
            .collect::<Vec<_>>()
    };
    let stations: Vec<Uuid> = boots.iter().map(|boot| boot.station_id).collect();
    let accepted: Vec<bool> = boots.iter().map(|boot| boot.accepted).collect();
    let received: Vec<DateTime<Utc>> = boots.iter().map(|boot| boot.received_at).collect();
    sqlx::query!(
        "with said as (
           select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::timestamptz[])
             as said (station_id, vendor, model, serial, firmware, accepted, received_at)),
         logged as (
           insert into station_log (station_id, at, kind, detail)
           select station_id, received_at, 'booted', jsonb_build_object(
             'vendor', vendor, 'model', model, 'serial', serial, 'firmware', firmware, 'accepted', accepted)
           from said)
         update stations s set
           vendor = said.vendor, model = said.model, serial = said.serial, firmware = said.firmware,
           last_boot_at = said.received_at,
           first_accepted_at = coalesce(s.first_accepted_at, case when said.accepted then said.received_at end)
         from said where s.id = said.station_id",
        &stations,
        &column(|boot| &boot.vendor) as &[Option<String>],
        &column(|boot| &boot.model) as &[Option<String>],
        &column(|boot| &boot.serial) as &[Option<String>],
        &column(|boot| &boot.firmware) as &[Option<String>],
        &accepted,
        &received
    )
    .execute(db)
    .await?;
    Ok(())
}

async fn insert_events(db: &mut PgConnection, events: &[&EventRow]) -> Result<()> {
    if events.is_empty() {
        return Ok(());
    }
    let times: Vec<DateTime<Utc>> = events.iter().map(|event| event.at).collect();
    let kinds: Vec<String> = events.iter().map(|event| event.kind.to_owned()).collect();
    let sites: Vec<Option<Uuid>> = events.iter().map(|event| event.site_id).collect();
    let stations: Vec<Uuid> = events.iter().map(|event| event.station_id).collect();
    let subjects: Vec<Option<Uuid>> = events.iter().map(|event| event.subject).collect();
    let details: Vec<Value> = events.iter().map(|event| event.detail.clone()).collect();
    sqlx::query!(
        "insert into events (at, kind, site_id, station_id, subject, detail)
         select * from unnest($1::timestamptz[], $2::text[], $3::uuid[], $4::uuid[], $5::uuid[], $6::jsonb[])",
        &times,
        &kinds,
        &sites as &[Option<Uuid>],
        &stations,
        &subjects as &[Option<Uuid>],
        &details
    )
    .execute(db)
    .await?;
    Ok(())
}
