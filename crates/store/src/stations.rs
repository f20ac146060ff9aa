//! Stations: what is registered, and what an operator may change. What changes by the minute is in `presence`.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Error, Result, ids};

/// Rung with a station's id when its row was changed.
pub const CHANNEL: &str = "forecourt_stations";

/// Whether a station is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Registration {
    /// Served.
    Accepted,
    /// Held until an operator decides.
    Pending,
    /// Told to go away.
    Rejected,
}

impl Registration {
    /// As stored and as the API says it.
    pub fn as_str(self) -> &'static str {
        match self {
            Registration::Accepted => "accepted",
            Registration::Pending => "pending",
            Registration::Rejected => "rejected",
        }
    }

    /// The reverse of [`Registration::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [
            Registration::Accepted,
            Registration::Pending,
            Registration::Rejected,
        ]
        .into_iter()
        .find(|registration| registration.as_str() == text)
    }
}

/// What the csms must know of a station before it says a word.
#[derive(Debug, Clone)]
pub struct Station {
    /// Its id.
    pub id: Uuid,
    /// As registered; the wire may spell it in another case.
    pub identity: String,
    /// Where it stands, if anybody said.
    pub site_id: Option<Uuid>,
    /// Whether it is served.
    pub registration: Registration,
    /// OCPP security profile, 0 to 3.
    pub security_profile: i16,
    /// argon2, PHC form.
    pub password_hash: Option<String>,
    /// Per-station switches.
    pub options: Options,
    /// When it was first accepted; before that its clock is not believed.
    pub first_accepted_at: Option<DateTime<Utc>>,
    /// What else opens the door to it.
    pub access: Access,
}

/// How a station may come in beside what its row says, and from where it last did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    /// Passwords that it was told to use and was not yet seen with, newest first; argon2, PHC form.
    pub passwords: Vec<String>,
    /// Security profiles that it was told to use and was not yet seen with, highest first.
    pub profiles: Vec<i16>,
    /// What the CN of its certificate must be; its identity if nothing was said.
    pub certificate_name: Option<String>,
    /// The address of its last connection.
    pub address: Option<String>,
}

/// Per-station switches, stored as one JSON object; absent means off.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Options {
    /// Serve it as OCPP 1.6 when it offers no subprotocol.
    pub assume_16: bool,
    /// Write its Heartbeats to the message log as well.
    pub log_heartbeats: bool,
    /// Answer findings of `check()` with CALLERROR instead of a note.
    pub strict: bool,
    /// Send it no pings: it cannot bear them. It may then be silent for two heartbeats.
    pub no_pings: bool,
    /// Take its tokens without what it puts behind them (`_` and more) and between their bytes.
    pub tidy_tokens: bool,
    /// Ask for the configuration after each accepted boot, and remind it of what it does not say after a reconnect.
    pub boot_calls: bool,
    /// It takes a remote start only once a vehicle is plugged in: a refused one is sent again then.
    pub remote_start_waits: bool,
    /// The tag with which a charge is started wherever a vehicle is plugged in.
    pub auto_start_tag: Option<String>,
}

impl Options {
    /// Whether a start is ordered when a vehicle is plugged in.
    pub fn starts_when_plugged(&self) -> bool {
        self.remote_start_waits || self.auto_start_tag.is_some()
    }
}

/// One station as the database has it; [`Station`] after the words are understood.
pub(crate) struct StationRow {
    pub id: Uuid,
    pub identity: String,
    pub site_id: Option<Uuid>,
    pub registration: String,
    pub security_profile: i16,
    pub password_hash: Option<String>,
    pub options: Value,
    pub first_accepted_at: Option<DateTime<Utc>>,
    pub access: Access,
}

impl TryFrom<StationRow> for Station {
    type Error = Error;

    fn try_from(row: StationRow) -> Result<Self> {
        let corrupt = |column, value| Error::Corrupt {
            table: "stations",
            column,
            row: row.identity.clone(),
            value,
        };
        let registration = Registration::parse(&row.registration)
            .ok_or_else(|| corrupt("registration", row.registration.clone()))?;
        let options = serde_json::from_value(row.options.clone())
            .map_err(|_| corrupt("options", row.options.to_string()))?;
        Ok(Station {
            id: row.id,
            identity: row.identity,
            site_id: row.site_id,
            registration,
            security_profile: row.security_profile,
            password_hash: row.password_hash,
            options,
            first_accepted_at: row.first_accepted_at,
            access: row.access,
        })
    }
}

/// What [`is_identity`] accepts, in words.
pub const IDENTITY: &str = "1 to 255 bytes such as CP001, without / \\ : or control characters, spaces around it or dots alone";

/// Whether a station could have this identity: no separators, no control characters, no dots alone. Nothing that a
/// path, a log or a page could mistake.
pub fn is_identity(text: &str) -> bool {
    /// 2.0.1 allows 48; 1.6 names no limit, so this is only against abuse.
    const MAX_BYTES: usize = 255;
    !text.is_empty()
        && text.len() <= MAX_BYTES
        && !text.contains(['/', '\\', ':'])
        && !text.chars().any(char::is_control)
        && text.trim() == text
        && !text.chars().all(|c| c == '.')
        && !text.contains("../")
}

/// A station to be registered.
#[derive(Debug, Clone)]
pub struct NewStation<'a> {
    /// The last segment of its URL.
    pub identity: &'a str,
    /// Where it stands.
    pub site_id: Option<Uuid>,
    /// Whether it is served at once.
    pub registration: Registration,
    /// OCPP security profile, 0 to 3.
    pub security_profile: i16,
    /// argon2, PHC form.
    pub password_hash: Option<&'a str>,
}

/// Registers a station; [`Error::Conflict`] `stations_identity_key` if the identity is taken in any case.
/// What was refused under that identity is forgotten: it is no longer unknown.
pub async fn add(
    db: &mut PgConnection,
    station: &NewStation<'_>,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "with known as (delete from refusals where lower(identity) = lower($2))
         insert into stations (id, identity, site_id, registration, security_profile, password_hash, created_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id,
        station.identity,
        station.site_id,
        station.registration.as_str(),
        station.security_profile,
        station.password_hash,
        now
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// What keeps a station from being forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// It does not wait to be accepted, or it was accepted once.
    Admitted,
    /// It has charged.
    Transactions,
    /// A tariff is assigned to it.
    Tariff,
}

/// Takes away a station that waits and was never accepted, with all that it said, and tells the csms; what keeps it
/// otherwise. One that is not there is gone already.
pub async fn forget(db: &mut PgConnection, id: Uuid) -> Result<Option<Bound>> {
    let found = sqlx::query!(
        r#"with held as (
             select s.id, s.registration <> 'pending' or s.first_accepted_at is not null as admitted,
                    exists (select from transactions t where t.station_id = s.id)
                      or exists (select from charging_sessions c where c.station_id = s.id)
                      or exists (select from odd_stops o where o.station_id = s.id) as charged,
                    exists (select from tariff_assignments a where a.station_id = s.id) as priced
             from stations s where s.id = $1 for update),
           gone as (
             delete from stations s using held h
             where s.id = h.id and not h.admitted and not h.charged and not h.priced returning s.id),
           told as (select pg_notify('forecourt_stations', id::text) from gone)
           select h.admitted as "admitted!", h.charged as "charged!", h.priced as "priced!",
                  (select count(*) from told) as "told!"
           from held h"#,
        id
    )
    .fetch_optional(db)
    .await?;
    Ok(found.and_then(
        |found| match (found.admitted, found.charged, found.priced) {
            (true, ..) => Some(Bound::Admitted),
            (_, true, _) => Some(Bound::Transactions),
            (.., true) => Some(Bound::Tariff),
            _ => None,
        },
    ))
}

/// How many stations are registered.
pub async fn count(db: &mut PgConnection) -> Result<i64> {
    Ok(
        sqlx::query_scalar!(r#"select count(*) as "count!" from stations"#)
            .fetch_one(db)
            .await?,
    )
}

/// What an operator changes; `None` leaves a field as it is.
#[derive(Debug, Clone, Default)]
pub struct StationChange<'a> {
    /// Move it to a site, or (`Some(None)`) off the one where it is. Its history stays where it happened.
    pub site_id: Option<Option<Uuid>>,
    /// Accept, hold or reject it.
    pub registration: Option<Registration>,
    /// OCPP security profile, 0 to 3.
    pub security_profile: Option<i16>,
    /// A new password, argon2, PHC form. What was ordered before and not yet seen is forgotten.
    pub password_hash: Option<&'a str>,
    /// What people call it.
    pub name: Option<&'a str>,
    /// All switches anew.
    pub options: Option<&'a Options>,
    /// What the CN of its certificate must be, or (`Some(None)`) its identity.
    pub certificate_name: Option<Option<&'a str>>,
}

/// Changes a station and tells the csms; `None` if there is none of that identity.
pub async fn change(
    db: &mut PgConnection,
    identity: &str,
    change: &StationChange<'_>,
) -> Result<Option<Uuid>> {
    let options = change
        .options
        .map(|options| serde_json::to_value(options).expect("a struct of booleans is always JSON"));
    Ok(sqlx::query_scalar!(
        r#"with changed as (
             update stations set
               site_id = case when $7 then $2 else site_id end,
               registration = coalesce($3, registration),
               security_profile = coalesce($4, security_profile),
               password_hash = coalesce($5, password_hash),
               options = coalesce($6, options),
               certificate_name = case when $8 then $9 else certificate_name end,
               name = coalesce($10, name)
             where lower(identity) = lower($1)
             returning id),
           forgotten as (
             delete from pending_credentials p using changed c where p.station_id = c.id
               and (($5::text is not null and p.password_hash is not null)
                 or ($4::smallint is not null and p.security_profile is not null)))
           select id as "id!" from changed, pg_notify('forecourt_stations', id::text)"#,
        identity,
        change.site_id.flatten(),
        change.registration.map(Registration::as_str),
        change.security_profile,
        change.password_hash,
        options,
        change.site_id.is_some(),
        change.certificate_name.is_some(),
        change.certificate_name.flatten(),
        change.name
    )
    .fetch_optional(db)
    .await?)
}
