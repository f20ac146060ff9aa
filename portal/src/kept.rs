//! What is kept of a station, as the API and the pages both ask for it: sent to the station as commands, and noted in the
//! audit log, in one transaction.

use chrono::{DateTime, TimeDelta, Utc};
use ocpp::Timestamp;
use serde_json::{Value, json};
use store::{
    Scoped, audit,
    commands::{self, NewCommand},
    configuration::{self, drift},
    configuration_templates, id_tokens,
    reservations::{self, Asked, Reservation, Said},
    stations_read::{self, Station},
};
use uuid::Uuid;

use crate::{Error, Result, auth::Viewer};

pub(crate) mod charging;

/// What is meant for now must not happen tonight.
const EXPIRES: TimeDelta = TimeDelta::minutes(10);
/// A setting may wait for a station that is away.
const SETTING_EXPIRES: TimeDelta = TimeDelta::days(1);
/// The longest reservation.
pub(crate) const LONGEST_RESERVATION: TimeDelta = TimeDelta::days(30);
/// As long as OCPP 1.6 takes a token.
pub(crate) const LONGEST_TOKEN: usize = 20;

/// The station of this identity, if the scope shows it.
///
/// # Errors
/// 404 otherwise.
pub(crate) async fn station(db: &mut Scoped<'_>, identity: &str) -> Result<Station> {
    stations_read::get(db, identity)
        .await?
        .ok_or_else(|| Error::NotFound(format!("there is no station {identity:?}")))
}

/// Queues a command, with its line in the audit log.
async fn send(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: (Uuid, Option<Uuid>),
    (action, payload): (&str, &Value),
    (now, expires_at): (DateTime<Utc>, DateTime<Utc>),
) -> Result<Uuid> {
    let payload = payload.to_string();
    let command = NewCommand {
        station_id: station.0,
        site_id: station.1,
        action,
        payload: &payload,
        raw: false,
        actor_kind: viewer.actor.kind(),
        actor_id: viewer.actor.id(),
        expires_at,
        rerun_of: None,
        task_id: None,
    };
    let id = commands::queue(db, &command, now).await?;
    let entity = format!("station/{}", station.0);
    let detail = json!({"command": id, "action": action});
    audit::record(db, &viewer.did(now, "command.queue", entity, detail)).await?;
    Ok(id)
}

/// Asks a station for its configuration: all of it, or these keys.
pub(crate) async fn read_configuration(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    keys: &[String],
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let payload = match keys {
        [] => json!({}),
        keys => json!({ "key": keys }),
    };
    let what = ("GetConfiguration", &payload);
    send(
        db,
        viewer,
        (station.id, station.site_id),
        what,
        (now, now + EXPIRES),
    )
    .await
}

/// Sets one key of a station.
pub(crate) async fn set_key(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    (key, value): (&str, &str),
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let payload = json!({ "key": key, "value": value });
    let what = ("ChangeConfiguration", &payload);
    send(
        db,
        viewer,
        (station.id, station.site_id),
        what,
        (now, now + SETTING_EXPIRES),
    )
    .await
}

/// The configuration of a station beside what it should be.
pub(crate) async fn configuration(
    db: &mut Scoped<'_>,
    station_id: Uuid,
) -> Result<Vec<drift::Row>> {
    let expected = configuration_templates::expected(db, station_id).await?;
    Ok(drift::compare(
        configuration::of(db, station_id).await?,
        &expected,
    ))
}

/// Sets every key that differs from what it should be and can be set; the commands.
pub(crate) async fn apply_templates(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    now: DateTime<Utc>,
) -> Result<Vec<Uuid>> {
    let mut queued = Vec::new();
    for row in configuration(db, station.id).await? {
        if let Some(expected) = row.expected.filter(|_| row.standing.can_be_set()) {
            let pair = (row.key.key.as_str(), expected.value.as_str());
            queued.push(set_key(db, viewer, station, pair, now).await?);
        }
    }
    Ok(queued)
}

/// A connector that somebody wants kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    /// 0: the charge point as a whole.
    pub connector: i32,
    /// For whom.
    pub id_token: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// What is wrong with the time until which a connector is to be kept.
pub(crate) fn wrong_expiry(expires_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<String> {
    let until = now + LONGEST_RESERVATION;
    (expires_at <= now || expires_at > until).then(|| {
        format!(
            "{}: expected a time after now and before {}",
            Timestamp::from(expires_at),
            Timestamp::from(until)
        )
    })
}

/// Asks a station to keep a connector; the row, and the command that asks.
pub(crate) async fn reserve(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    wish: &Wish,
    now: DateTime<Utc>,
) -> Result<(Uuid, Uuid)> {
    // The other tokens of its group may use the reservation, too.
    let parent = id_tokens::find(db, &wish.id_token)
        .await?
        .and_then(|token| token.parent)
        .filter(|parent| parent.chars().count() <= LONGEST_TOKEN);
    let said = Said {
        number: reservations::next_number(db, station.id).await?,
        connector: wish.connector,
        id_token: wish.id_token.clone(),
        parent,
        expires_at: wish.expires_at,
    };
    let mut payload = json!({
        "connectorId": said.connector, "expiryDate": Timestamp::from(said.expires_at).to_string(),
        "idTag": said.id_token, "reservationId": said.number,
    });
    if let Some(parent) = &said.parent {
        payload["parentIdTag"] = json!(parent);
    }
    let expires_at = said.expires_at.min(now + EXPIRES);
    let place = (station.id, station.site_id);
    let what = ("ReserveNow", &payload);
    let command = send(db, viewer, place, what, (now, expires_at)).await?;
    let asked = Asked {
        station_id: station.id,
        site_id: station.site_id,
        command_id: command,
        actor_kind: viewer.actor.kind(),
        actor_id: viewer.actor.id(),
    };
    let id = reservations::ask(db, &asked, &said, now).await?;
    let detail = json!({"number": said.number, "connector": said.connector});
    let entry = viewer.did(now, "reservation.ask", format!("reservation/{id}"), detail);
    audit::record(db, &entry).await?;
    Ok((id, command))
}

/// Asks a station to give a reservation up.
pub(crate) async fn cancel_reservation(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    reservation: &Reservation,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    if !matches!(
        reservation.status.as_str(),
        "requested" | "accepted" | "unknown"
    ) {
        return Err(Error::Conflict(format!(
            "the reservation {} is {}: there is nothing to cancel",
            reservation.number, reservation.status
        )));
    }
    let station = station(db, &reservation.station).await?;
    let entity = format!("reservation/{}", reservation.id);
    let detail = json!({"number": reservation.number});
    audit::record(db, &viewer.did(now, "reservation.cancel", entity, detail)).await?;
    let payload = json!({ "reservationId": reservation.number });
    let what = ("CancelReservation", &payload);
    send(
        db,
        viewer,
        (station.id, station.site_id),
        what,
        (now, now + EXPIRES),
    )
    .await
}

/// Asks a station which version its list has.
pub(crate) async fn ask_list_version(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let what = ("GetLocalListVersion", &json!({}));
    send(
        db,
        viewer,
        (station.id, station.site_id),
        what,
        (now, now + EXPIRES),
    )
    .await
}

/// Asks a station what its profiles come to.
pub(crate) async fn ask_composite(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    (connector, seconds, unit): (i32, i64, &str),
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let payload = json!({"connectorId": connector, "duration": seconds, "chargingRateUnit": unit});
    let what = ("GetCompositeSchedule", &payload);
    send(
        db,
        viewer,
        (station.id, station.site_id),
        what,
        (now, now + EXPIRES),
    )
    .await
}

/// Sends a command that a form put together.
pub(crate) async fn send_now(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    what: (&str, &Value),
    now: DateTime<Utc>,
) -> Result<Uuid> {
    send(
        db,
        viewer,
        (station.id, station.site_id),
        what,
        (now, now + EXPIRES),
    )
    .await
}
