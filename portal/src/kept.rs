//! What is kept of a station, as the API and the pages both ask for it: sent to the station as commands, and noted in the
//! audit log, in one transaction.

use chrono::{DateTime, TimeDelta, Utc};
use ocpp::Timestamp;
use serde_json::json;
use store::{
    Scoped, audit,
    commands::{self, Command},
    configuration::{self, drift},
    configuration_templates, id_tokens,
    reservations::{self, Asked, Reservation, Said},
    stations_read::{self, Station},
};
use uuid::Uuid;

use crate::{
    Error, Result,
    auth::Viewer,
    orders::{self, Order},
};

pub(crate) mod charging;

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
    let order = Order::new("GetConfiguration", payload.to_string());
    orders::queue(db, viewer, station, &order, now).await
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
    let order = Order {
        expires_in: SETTING_EXPIRES,
        ..Order::new("ChangeConfiguration", payload.to_string())
    };
    orders::queue(db, viewer, station, &order, now).await
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
    let order = Order {
        expires_in: orders::EXPIRES.min(said.expires_at - now),
        ..Order::new("ReserveNow", payload.to_string())
    };
    let command = orders::queue(db, viewer, station, &order, now).await?;
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

/// Asks a station to give a reservation up; what it was not told of yet is taken back instead. Yields the command that was
/// queued, or the one that was taken back.
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
    if let Some(unsent) = unsent(db, reservation).await? {
        orders::cancel(db, viewer, &unsent, now).await?;
        return Ok(unsent.id);
    }
    let payload = json!({ "reservationId": reservation.number });
    let order = Order::new("CancelReservation", payload.to_string());
    orders::queue(db, viewer, &station, &order, now).await
}

/// The ReserveNow, while its station has not heard of it.
async fn unsent(db: &mut Scoped<'_>, reservation: &Reservation) -> Result<Option<Command>> {
    let (Some(id), "requested") = (reservation.command_id, reservation.status.as_str()) else {
        return Ok(None);
    };
    let command = commands::get(db, id).await?;
    Ok(command.filter(|command| command.status == "queued"))
}

/// Asks a station which version its list has.
pub(crate) async fn ask_list_version(
    db: &mut Scoped<'_>,
    viewer: &Viewer,
    station: &Station,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let order = Order::new("GetLocalListVersion", "{}");
    orders::queue(db, viewer, station, &order, now).await
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
    let order = Order::new("GetCompositeSchedule", payload.to_string());
    orders::queue(db, viewer, station, &order, now).await
}
