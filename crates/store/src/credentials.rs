//! What a station was told to use and was not yet seen with: passwords and security profiles. The row is there before the
//! station is told, and the old way in stays open until the station first comes the new way.

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::commands::redact;
use crate::{Result, Scoped, secrets};

/// What a command orders a station to use from now on.
#[derive(Clone, PartialEq, Eq)]
pub enum Order {
    /// A password, as bytes.
    Password(Vec<u8>),
    /// A security profile.
    Profile(i16),
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Order::Password(_) => f.write_str("Password(…)"),
            Order::Profile(profile) => write!(f, "Profile({profile})"),
        }
    }
}

impl Order {
    /// What a command orders, if it is one of those that do. An AuthorizationKey is hexadecimal on the wire; one that is
    /// not is taken as it is, since that is what a station would do with it.
    pub fn of(action: &str, payload: &str) -> Option<Self> {
        if action != "ChangeConfiguration" {
            return None;
        }
        let payload: Value = serde_json::from_str(payload).ok()?;
        let value = payload.get("value")?.as_str()?;
        let key = payload.get("key")?.as_str()?;
        if value == redact::REDACTED {
            return None;
        }
        if key.eq_ignore_ascii_case("AuthorizationKey") && !value.is_empty() {
            let key = hex::decode(value).unwrap_or_else(|_| value.as_bytes().to_vec());
            return Some(Order::Password(key));
        }
        if key.eq_ignore_ascii_case("SecurityProfile") {
            let profile = value.trim().parse().ok();
            return profile
                .filter(|profile| (1..=3).contains(profile))
                .map(Order::Profile);
        }
        None
    }
}

/// Notes what `command` will order, in the transaction that queues it. An order below what the station has already is no
/// upgrade, and opens nothing.
pub(crate) async fn ordered(
    db: &mut PgConnection,
    command: Uuid,
    station_id: Uuid,
    order: Order,
    now: DateTime<Utc>,
) -> Result<()> {
    let (hash, profile) = match order {
        Order::Profile(profile) => (None, Some(profile)),
        Order::Password(password) => {
            let hash = tokio::task::spawn_blocking(move || secrets::hash_password(&password));
            (Some(hash.await.expect("hashing does not panic")), None)
        }
    };
    sqlx::query!(
        "insert into pending_credentials (command_id, station_id, password_hash, security_profile, created_at)
         select $1, id, $3, $4, $5 from stations
         where id = $2 and ($4::smallint is null or $4 > security_profile)",
        command,
        station_id,
        hash,
        profile,
        now
    )
    .execute(&mut *db)
    .await?;
    told(db, station_id).await
}

/// New passwords that a station may be told before it is seen with one; by so many it is let in.
pub const MOST_PASSWORDS: usize = 3;

/// How many new passwords the station was told and was not yet seen with. Until the transaction ends nobody else counts them.
pub async fn open_passwords(db: &mut Scoped<'_>, station_id: Uuid) -> Result<usize> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('pending_credentials ' || $1::text, 0))",
        station_id.to_string()
    )
    .fetch_one(&mut **db)
    .await?;
    let open = sqlx::query_scalar!(
        r#"select count(*) as "count!" from pending_credentials where station_id = $1 and password_hash is not null"#,
        station_id
    )
    .fetch_one(&mut **db)
    .await?;
    Ok(usize::try_from(open).unwrap_or(usize::MAX))
}

/// The station has refused the order: it goes on as before.
pub async fn refused(db: &mut PgConnection, command: Uuid, station_id: Uuid) -> Result<()> {
    sqlx::query!(
        "delete from pending_credentials where command_id = $1",
        command
    )
    .execute(&mut *db)
    .await?;
    told(db, station_id).await
}

/// Tells the csms that the station's row reads differently now.
async fn told(db: &mut PgConnection, station_id: Uuid) -> Result<()> {
    sqlx::query!(
        "select pg_notify('forecourt_stations', $1::uuid::text)",
        station_id
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// The station came in with security profile `profile`, and with the password of `hash` if that is one it was told to
/// use: from now on the way before is closed.
pub async fn proved(
    db: &mut PgConnection,
    station_id: Uuid,
    profile: i16,
    hash: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "with seen as (
           select created_at from pending_credentials where station_id = $1 and password_hash = $3),
         before as (select security_profile from stations where id = $1),
         changed as (
           update stations set
             security_profile = greatest(security_profile, $2::smallint),
             password_hash = case when exists (select from seen) then $3 else password_hash end
           where id = $1 returning id, site_id),
         closed as (
           delete from pending_credentials where station_id = $1
             and (security_profile <= $2 or (password_hash is not null and created_at <= (select max(created_at) from seen)))),
         told as (
           insert into events (at, kind, site_id, station_id, detail)
           select $4, 'station.secured', c.site_id, c.id, jsonb_build_object(
             'security_profile', $2::smallint, 'before', b.security_profile, 'new_password', exists (select from seen))
           from changed c, before b)
         select pg_notify('forecourt_stations', $1::uuid::text)",
        station_id,
        profile,
        hash,
        now
    )
    .fetch_one(db)
    .await?;
    Ok(())
}

/// A way in that was ordered and was not yet seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// The command that orders it.
    pub command_id: Uuid,
    /// The command's status; `None` if it was forgotten.
    pub status: Option<String>,
    /// The profile; `None` for a password.
    pub security_profile: Option<i16>,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// What the station was told to use and was not yet seen with, newest first.
pub async fn pending(db: &mut Scoped<'_>, station_id: Uuid) -> Result<Vec<Pending>> {
    Ok(sqlx::query_as!(
        Pending,
        r#"select p.command_id, c.status as "status?", p.security_profile, p.created_at
           from pending_credentials p left join commands c on c.id = p.command_id
           where p.station_id = $1 order by p.created_at desc, p.command_id desc"#,
        station_id
    )
    .fetch_all(&mut **db)
    .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_are_known_by_their_keys() {
        let of = |key: &str, value: &str| {
            let payload = serde_json::json!({ "key": key, "value": value }).to_string();
            Order::of("ChangeConfiguration", &payload)
        };
        assert_eq!(
            of("AuthorizationKey", "00FF"),
            Some(Order::Password(vec![0, 255]))
        );
        assert_eq!(
            of("authorizationkey", "not hex"),
            Some(Order::Password(b"not hex".to_vec()))
        );
        assert_eq!(of("SecurityProfile", "3"), Some(Order::Profile(3)));
        for (key, value) in [
            ("SecurityProfile", "0"),
            ("SecurityProfile", "4"),
            ("SecurityProfile", "high"),
            ("AuthorizationKey", ""),
            ("HeartbeatInterval", "3"),
        ] {
            assert_eq!(of(key, value), None, "{key}={value}");
        }
        assert_eq!(Order::of("GetConfiguration", "{}"), None);
        assert_eq!(Order::of("ChangeConfiguration", "no JSON"), None);
        assert!(!format!("{:?}", of("AuthorizationKey", "00FF")).contains("255"));
    }
}
