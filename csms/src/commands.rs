//! Commands on their way to a station: claimed, sent, ended. One is under way per station; the rows are the truth.

pub(crate) mod automatic;
pub(crate) mod effects;
mod fit;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use ocpp::{Failure, MessageId};
use store::bell::{Doorbell, Ring};
use store::commands::{Claimed, Ended, Lost, Outcome, is_agreed, only_reads, verdict};
use uuid::Uuid;

pub(crate) use effects::Effects;

use crate::kept::{self, Answer};
use crate::ops::Seated;
use crate::registry::Control;
use crate::{Csms, message_id};

/// How often rows are looked for that no doorbell announced.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often old rows are expired.
const EXPIRE_EVERY: Duration = Duration::from_secs(5);
/// Between two tries while the database is away.
const PAUSE: Duration = Duration::from_millis(250);

/// A CALL that is about to leave.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) message_id: String,
    pub(crate) action: String,
    pub(crate) payload: String,
    command: Uuid,
    sent_at: DateTime<Utc>,
}

/// A piece of work on a command came to its end.
pub(crate) enum Step {
    /// This one is ours to send; or nothing waits.
    Claimed(Option<Call>),
    /// The end of one is written.
    Written,
}

/// The one command that may be under way on a connection.
#[derive(Default)]
pub(crate) struct CommandSlot {
    state: State,
    /// Somebody rang while we were busy.
    look_again: bool,
}

#[derive(Default)]
enum State {
    #[default]
    Idle,
    /// A row is being claimed or ended.
    Working(BoxFuture<'static, Step>),
    /// The frame has left.
    Sent(Call),
}

impl CommandSlot {
    /// Looks for a queued command, unless one is under way.
    pub(crate) fn look(&mut self, csms: &Arc<Csms>, seated: &Arc<Seated>) {
        if !matches!(self.state, State::Idle) {
            self.look_again = true;
            return;
        }
        self.look_again = false;
        let (csms, station) = (csms.clone(), seated.station.id);
        self.state = State::Working(Box::pin(async move {
            Step::Claimed(claim(&csms, station).await)
        }));
    }

    /// Waits until there is something to advance.
    pub(crate) async fn next(&mut self) -> Step {
        match &mut self.state {
            State::Working(work) => work.await,
            _ => std::future::pending().await,
        }
    }

    /// Goes on after `step`; answers the CALL that must now be sent.
    pub(crate) fn advance(
        &mut self,
        csms: &Arc<Csms>,
        seated: &Arc<Seated>,
        step: Step,
    ) -> Option<Call> {
        self.state = State::Idle;
        match step {
            Step::Claimed(Some(call)) => {
                self.state = State::Sent(call.clone());
                Some(call)
            }
            Step::Claimed(None) => {
                if self.look_again {
                    self.look(csms, seated);
                }
                None
            }
            Step::Written => {
                self.look(csms, seated);
                None
            }
        }
    }

    /// The CALL with this id came to its end.
    pub(crate) fn ended(
        &mut self,
        csms: &Arc<Csms>,
        seated: &Arc<Seated>,
        id: &MessageId,
        outcome: Result<String, Failure>,
    ) {
        let State::Sent(call) = &self.state else {
            return;
        };
        if call.message_id != id.text() {
            return;
        }
        let outcome = match outcome {
            Ok(answer) => Outcome::Answered(answer),
            Err(Failure::Refused(error)) => Outcome::Error {
                code: error.code.to_wire(ocpp::Version::V16).to_owned(),
                description: error.description,
            },
            Err(Failure::TimedOut) => Outcome::Timeout,
            // The socket is going; `socket_lost` will say that nobody knows.
            Err(_) => return,
        };
        let may_act = match &outcome {
            Outcome::Answered(_) => is_agreed(verdict(&call.action, &outcome).as_deref()),
            Outcome::Error { .. } => false,
            Outcome::Timeout => true,
        };
        if may_act {
            call.expect_effect(csms, seated);
        }
        let (csms, station, call) = (csms.clone(), seated.station.id, call.clone());
        self.state = State::Working(Box::pin(async move {
            write_end(&csms, station, &call, &outcome).await;
            Step::Written
        }));
    }

    /// The socket is gone. An end that is being written is written; one that was only sent is unknown.
    pub(crate) async fn socket_lost(&mut self, csms: &Arc<Csms>, seated: &Seated) {
        match std::mem::take(&mut self.state) {
            State::Idle => {}
            State::Working(work) => match work.await {
                Step::Claimed(Some(call)) => mark_lost(csms, &call).await,
                Step::Claimed(None) | Step::Written => {}
            },
            State::Sent(call) => {
                // Many a station reboots before it answers.
                if !only_reads(&call.action) {
                    call.expect_effect(csms, seated);
                }
                mark_lost(csms, &call).await;
            }
        }
    }
}

impl Call {
    fn expect_effect(&self, csms: &Csms, seated: &Seated) {
        let station = seated.station.id;
        csms.effects
            .expect(station, self.command, &self.action, &self.payload);
    }
}

/// Takes the next command. Nothing is under way on this connection: what the rows say is, an earlier one lost while the
/// database was away.
async fn claim(csms: &Csms, station: Uuid) -> Option<Call> {
    let (message_id, now) = (message_id(), csms.clock.now());
    let claimed = async {
        let mut connection = csms.pool.acquire().await?;
        store::commands::lost(&mut connection, &csms.node, Lost::Station(station), now).await?;
        let claimed =
            store::commands::claim(&mut connection, station, &message_id, &csms.node, now).await?;
        match claimed {
            Some(claimed) => Ok(Some(fitted(&mut connection, station, claimed, now).await)),
            None => Ok::<_, store::Error>(None),
        }
    };
    match claimed.await {
        Ok(claimed) => claimed.map(|claimed| Call {
            message_id,
            action: claimed.action,
            payload: claimed.payload,
            command: claimed.id,
            sent_at: now,
        }),
        Err(error) => {
            tracing::warn!(%error, "a command could not be claimed");
            None
        }
    }
}

/// Makes a charging profile fit its station. It is claimed already: what cannot be looked up now is sent as it was ordered.
async fn fitted(
    db: &mut store::Connection,
    station: Uuid,
    mut claimed: Claimed,
    now: DateTime<Utc>,
) -> Claimed {
    if claimed.raw || claimed.action != "SetChargingProfile" {
        return claimed;
    }
    let fitted = async {
        let found = fit::set_charging_profile(db, station, &claimed.payload, now).await?;
        if let Some(found) = &found {
            store::commands::adapt(db, claimed.id, &found.payload, &found.what).await?;
        }
        Ok::<_, store::Error>(found)
    };
    match fitted.await {
        Ok(Some(found)) => claimed.payload = found.payload,
        Ok(None) => {}
        Err(error) => tracing::warn!(%error, "a charging profile is sent as it was ordered"),
    }
    claimed
}

/// Writes the end of a command and what follows from it, trying again while the database is away: the station has acted, and
/// it must be known.
async fn write_end(csms: &Csms, station_id: Uuid, call: &Call, outcome: &Outcome) {
    let ended = Ended {
        id: call.command,
        station_id,
        message_id: &call.message_id,
        action: &call.action,
        payload: &call.payload,
        sent_at: call.sent_at,
        outcome,
    };
    let mut keeps = true;
    for _ in 0..csms.options.outage.as_millis() / PAUSE.as_millis() + 1 {
        match write_once(csms, &ended, keeps).await {
            Ok(()) => return csms.ingest.news(),
            // What cannot be kept must not hide how the command ended.
            Err(error) if keeps && !error.is_retryable() => {
                tracing::error!(%error, action = call.action, "what follows from an answer is not kept");
                keeps = false;
                continue;
            }
            Err(error) => tracing::warn!(%error, "the end of a command could not be written yet"),
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn write_once(csms: &Csms, ended: &Ended<'_>, keeps: bool) -> store::Result<()> {
    let now = csms.clock.now();
    let mut tx = csms.pool.begin().await?;
    if store::commands::end(&mut tx, ended, now).await? && keeps {
        let verdict = verdict(ended.action, ended.outcome);
        let answer = Answer {
            ended,
            verdict: verdict.as_deref(),
            now,
        };
        kept::keep(&mut tx, &answer).await?;
    }
    Ok(tx.commit().await?)
}

async fn mark_lost(csms: &Csms, call: &Call) {
    let marked = async {
        let mut connection = csms.pool.acquire().await?;
        let lost = Lost::Command(call.command);
        store::commands::lost(&mut connection, &csms.node, lost, csms.clock.now()).await
    };
    if let Err(error) = marked.await {
        // It stays `sent` until the next one is claimed.
        tracing::warn!(%error, "a lost command could not be marked");
    }
}

/// Tells connections of waiting commands and changed stations: by doorbell, and by looking for what no bell announced.
pub(crate) async fn deliver_forever(csms: Arc<Csms>) {
    let mut bell = Doorbell::new(
        &csms.pool,
        &[store::commands::QUEUED_CHANNEL, store::stations::CHANNEL],
    );
    loop {
        match bell.wait(LOOK_EVERY).await {
            Some(ring) => pass_on(&csms, &ring),
            None => look(&csms).await,
        }
    }
}

/// A ring names its station; if that is connected elsewhere or not at all, nobody here is told.
fn pass_on(csms: &Csms, ring: &Ring) {
    let station = ring.text.parse().ok();
    let Some(handle) = station.and_then(|station| csms.registry.get(station)) else {
        return;
    };
    handle.tell(if ring.channel == store::stations::CHANNEL {
        Control::StationChanged
    } else {
        Control::CommandWaits
    });
}

async fn look(csms: &Csms) {
    let waiting = async {
        let mut connection = csms.pool.acquire().await?;
        store::commands::waiting(&mut connection, csms.clock.now()).await
    };
    match waiting.await {
        Ok(stations) => {
            for handle in stations
                .into_iter()
                .filter_map(|station| csms.registry.get(station))
            {
                handle.tell(Control::CommandWaits);
            }
        }
        Err(error) => tracing::debug!(%error, "waiting commands could not be looked for"),
    }
}

pub(crate) async fn expire_forever(csms: Arc<Csms>) {
    let mut ticks = tokio::time::interval(EXPIRE_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let expired = async {
            let mut connection = csms.pool.acquire().await?;
            store::commands::expire(&mut connection, csms.clock.now()).await
        };
        if let Err(error) = expired.await {
            tracing::debug!(%error, "old commands could not be expired");
        }
    }
}
