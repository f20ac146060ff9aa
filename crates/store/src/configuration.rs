//! The configuration of stations as they said it, and what was last asked to be set. What it should be is in
//! `configuration_templates`; the two are compared in `configuration::drift`.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::commands::{self, NewCommand};
use crate::{Result, Scoped};

pub mod drift;

/// One key of a GetConfiguration's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// As the station spells it.
    pub key: String,
    /// Verbatim, as text.
    pub value: Option<String>,
    /// Whether it cannot be set.
    pub readonly: Option<bool>,
}

/// What a GetConfiguration's answer says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// The keys with their values.
    pub readings: Vec<Reading>,
    /// The keys that the station does not know.
    pub unknown: Vec<String>,
    /// It was asked for everything: what is not here is not there.
    pub whole: bool,
}

/// What a station said to a ChangeConfiguration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// As it was sent.
    pub key: String,
    /// As it was sent.
    pub value: String,
    /// Accepted, RebootRequired, Rejected, NotSupported.
    pub answer: String,
}

/// A key of a station, as it is known now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// As the station spells it.
    pub key: String,
    /// Verbatim; `None` where it gave none, and for secrets.
    pub value: Option<String>,
    /// Whether it cannot be set.
    pub readonly: Option<bool>,
    /// `false`: the station said that it does not know the key.
    pub known: bool,
    /// When it was read last.
    pub read_at: Option<DateTime<Utc>>,
    /// What was asked for last.
    pub set_value: Option<String>,
    /// What the station said to that.
    pub set_answer: Option<String>,
    /// When.
    pub set_at: Option<DateTime<Utc>>,
}

/// Whether a key's value is a secret: it is neither stored nor shown, and set by the ways of the credentials alone.
pub fn is_secret(key: &str) -> bool {
    let key = key.trim().to_ascii_lowercase();
    [
        "authorizationkey",
        "password",
        "passwd",
        "secret",
        "privatekey",
    ]
    .iter()
    .any(|word| key.contains(word))
}

/// Writes what a station said of its configuration.
pub async fn note_read(
    db: &mut PgConnection,
    station_id: Uuid,
    answer: &Answer,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut said: Vec<(&str, Option<&str>, Option<bool>, bool)> = Vec::new();
    let readings = answer.readings.iter().map(|reading| {
        let value = reading.value.as_deref();
        let shown = value.filter(|_| !is_secret(&reading.key));
        (reading.key.as_str(), shown, reading.readonly, true)
    });
    let unknown = answer.unknown.iter();
    let unknown = unknown.map(|key| (key.as_str(), None, None, false));
    for new in readings.chain(unknown) {
        // One statement writes a row once: of a key that is there twice, the first counts.
        if !said.iter().any(|known| known.0.eq_ignore_ascii_case(new.0)) {
            said.push(new);
        }
    }
    let keys: Vec<String> = said.iter().map(|row| row.0.to_owned()).collect();
    let values: Vec<Option<String>> = said.iter().map(|row| row.1.map(str::to_owned)).collect();
    let readonly: Vec<Option<bool>> = said.iter().map(|row| row.2).collect();
    let known: Vec<bool> = said.iter().map(|row| row.3).collect();
    sqlx::query!(
        "with said as (
           select * from unnest($2::text[], $3::text[], $4::boolean[], $5::boolean[]) as said (key, value, readonly, known)),
         gone as (
           delete from station_configuration
           where station_id = $1 and $7::boolean and set_at is null
             and lower(key) not in (select lower(key) from said))
         insert into station_configuration as c (station_id, key, value, readonly, known, read_at)
         select $1, key, value, readonly, known, $6 from said
         on conflict (station_id, lower(key)) do update set
           key = excluded.key, value = excluded.value, readonly = coalesce(excluded.readonly, c.readonly),
           known = excluded.known, read_at = excluded.read_at",
        station_id,
        &keys,
        &values as &[Option<String>],
        &readonly as &[Option<bool>],
        &known,
        now,
        answer.whole && !answer.readings.is_empty()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes what a station said to a ChangeConfiguration; of a secret, only that it was set.
pub async fn note_set(
    db: &mut PgConnection,
    station_id: Uuid,
    change: &Change,
    now: DateTime<Utc>,
) -> Result<()> {
    let value = Some(change.value.as_str()).filter(|_| !is_secret(&change.key));
    sqlx::query!(
        "insert into station_configuration as c (station_id, key, known, set_value, set_answer, set_at)
         values ($1, $2, $5, $3, $4, $6)
         on conflict (station_id, lower(key)) do update set
           known = excluded.known, set_value = excluded.set_value, set_answer = excluded.set_answer,
           set_at = excluded.set_at",
        station_id,
        change.key,
        value,
        change.answer,
        change.answer != "NotSupported",
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Queues GetConfigurations because of a command that ended: a station is asked again for what it did not answer, or for
/// what it was just set to. Each payload is sent `apart` after the one before it.
pub async fn ask(
    db: &mut PgConnection,
    because: Uuid,
    payloads: &[String],
    apart: TimeDelta,
    now: DateTime<Utc>,
) -> Result<()> {
    let asked = sqlx::query!(
        "select station_id, site_id from commands where id = $1",
        because
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(asked) = asked else { return Ok(()) };
    let of = (asked.station_id, asked.site_id);
    ask_in_parts(db, of, payloads, (now + apart, apart), now).await
}

/// Queues GetConfigurations to a station of a site, the first for a time and each `apart` after the one before it.
pub async fn ask_in_parts(
    db: &mut PgConnection,
    (station_id, site_id): (Uuid, Option<Uuid>),
    payloads: &[String],
    (first, apart): (DateTime<Utc>, TimeDelta),
    now: DateTime<Utc>,
) -> Result<()> {
    let mut due = first;
    for payload in payloads {
        let command = NewCommand {
            station_id,
            site_id,
            action: "GetConfiguration",
            payload,
            raw: false,
            actor_kind: "system",
            actor_id: None,
            expires_at: due + TimeDelta::minutes(10),
            rerun_of: None,
            task_id: None,
        };
        commands::queue_for(db, &command, Some(due).filter(|due| *due > now), now).await?;
        due += apart;
    }
    Ok(())
}

/// Every key of a station, by name.
pub async fn of(db: &mut Scoped<'_>, station_id: Uuid) -> Result<Vec<Key>> {
    Ok(sqlx::query_as!(
        Key,
        "select key, value, readonly, known, read_at, set_value, set_answer, set_at
         from station_configuration where station_id = $1 order by lower(key)",
        station_id
    )
    .fetch_all(&mut **db)
    .await?)
}

/// The values of some keys of a station, as far as they are known; the csms goes by them.
pub async fn values(
    db: &mut PgConnection,
    station_id: Uuid,
    keys: &[&str],
) -> Result<Vec<(String, String)>> {
    let keys: Vec<String> = keys.iter().map(|key| key.to_ascii_lowercase()).collect();
    Ok(sqlx::query!(
        r#"select lower(key) as "key!", value as "value!" from station_configuration
           where station_id = $1 and lower(key) = any ($2) and value is not null"#,
        station_id,
        &keys
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(|row| (row.key, row.value))
    .collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scope;
    use crate::testing::{database, station};

    fn reading(key: &str, value: Option<&str>) -> Reading {
        Reading {
            key: key.to_owned(),
            value: value.map(str::to_owned),
            readonly: Some(false),
        }
    }

    #[tokio::test]
    async fn keys_are_kept_as_read_secrets_are_not_and_a_whole_answer_takes_away_what_is_gone() {
        let db = database().await;
        let now: DateTime<Utc> = "2026-11-20T12:00:00Z".parse().unwrap();
        let mut writer = db.pool.acquire().await.unwrap();
        let id = station(&mut writer, "CP1", None, now).await;
        let first = Answer {
            readings: vec![
                reading("HeartbeatInterval", Some(" 300 ")),
                reading("heartbeatinterval", Some("9")),
                reading("AuthorizationKey", Some("0102")),
                reading("Old", Some("x")),
            ],
            unknown: vec!["Nothing".to_owned()],
            whole: false,
        };
        note_read(&mut writer, id, &first, now).await.unwrap();
        let change = Change {
            key: "MeterValueSampleInterval".to_owned(),
            value: "5".to_owned(),
            answer: "Accepted".to_owned(),
        };
        note_set(&mut writer, id, &change, now).await.unwrap();
        let whole = Answer {
            readings: vec![reading("HEARTBEATINTERVAL", Some("60"))],
            unknown: vec![],
            whole: true,
        };
        let pool = db.pool(crate::Room::Portal);
        let mut scoped = Scope::All.begin(&pool).await.unwrap();
        let shown: Vec<(String, Option<String>, bool)> = of(&mut scoped, id)
            .await
            .unwrap()
            .into_iter()
            .map(|key| (key.key, key.value, key.known))
            .collect();
        let row = |key: &str, value: Option<&str>, known| {
            (key.to_owned(), value.map(str::to_owned), known)
        };
        assert_eq!(
            shown,
            [
                row("AuthorizationKey", None, true),
                row("HeartbeatInterval", Some(" 300 "), true),
                row("MeterValueSampleInterval", None, true),
                row("Nothing", None, false),
                row("Old", Some("x"), true),
            ]
        );
        note_read(&mut writer, id, &whole, now).await.unwrap();
        let left: Vec<String> = of(&mut scoped, id)
            .await
            .unwrap()
            .into_iter()
            .map(|key| key.key)
            .collect();
        assert_eq!(left, ["HEARTBEATINTERVAL", "MeterValueSampleInterval"]);
    }
}
