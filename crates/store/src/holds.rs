//! Sessions that no machine may bill by itself: which they are and why, and what a person decides of one — to let it go
//! as it stands, or to say what it charged.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use serde_json::json;
use uuid::Uuid;

use crate::{
    Cursor, Error, Result, Scoped,
    audit::{self, Actor, Entry},
    prices,
    sessions::{Session, State},
};

/// The most that a person may say a session charged, Wh: a thousand times what the largest truck takes.
pub const MOST_WH: i64 = 1_000_000_000;

/// A session that waits for a person.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// Which.
    pub session_id: Uuid,
    /// Where.
    pub site_id: Option<Uuid>,
    /// That site's name.
    pub site: Option<String>,
    /// IANA name of the zone in which its times are shown.
    pub time_zone: Option<String>,
    /// The station's identity.
    pub station: Option<String>,
    /// 1.6: the connectorId.
    pub connector: i32,
    /// Verbatim.
    pub id_token: String,
    /// The charger's time.
    pub started_at: DateTime<Utc>,
    /// The charger's time.
    pub ended_at: Option<DateTime<Utc>>,
    /// Wh, as its meter has it.
    pub energy_wh: Option<i64>,
    /// What is odd about it.
    pub reasons: Vec<String>,
    /// ISO 4217; none if no tariff held, and only usage waits.
    pub currency: Option<String>,
    /// What it would cost as it stands.
    pub total: Option<Decimal>,
    /// Whether its usage waits to be told to Lago.
    pub usage: bool,
    /// Since when.
    pub since: DateTime<Utc>,
}

impl From<&Held> for Cursor {
    fn from(held: &Held) -> Self {
        Cursor {
            at: held.since,
            id: held.session_id,
        }
    }
}

/// The sessions that wait, the newest first, after `after`.
pub async fn list(
    db: &mut Scoped<'_>,
    site_id: Option<Uuid>,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<Held>> {
    Ok(sqlx::query_as!(
        Held,
        r#"select h.session_id as "session_id!", h.site_id, p.name as "site?", p.time_zone as "time_zone?",
                  st.identity as "station?", coalesce(c.connector, x.connector) as "connector!",
                  coalesce(c.id_token, x.id_token) as "id_token!",
                  coalesce(c.started_at, x.started_at) as "started_at!", coalesce(c.ended_at, x.stopped_at) as ended_at,
                  coalesce(c.energy_wh, x.meter_stop_wh - x.meter_start_wh) as energy_wh, h.reasons as "reasons!",
                  h.currency, h.total, coalesce(s.held <> '{}', false) as "usage!", h.since as "since!"
           from held_sessions h
           left join charging_sessions c on c.id = h.session_id
           left join transactions x on x.id = h.session_id
           left join lago_sync_state s on s.session_id = h.session_id
           left join sites p on p.id = h.site_id
           left join stations st on st.id = coalesce(c.station_id, x.station_id)
           where ($1::uuid is null or h.site_id = $1) and (c.id is not null or x.id is not null)
             and (h.since, h.session_id) < (coalesce($2::timestamptz, 'infinity'),
                  coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by h.since desc, h.session_id desc limit $4"#,
        site_id,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}

/// How many wait.
pub async fn count(db: &mut Scoped<'_>) -> Result<i64> {
    Ok(
        sqlx::query_scalar!(r#"select count(*) as "count!" from held_sessions"#)
            .fetch_one(&mut **db)
            .await?,
    )
}

/// Why a session waits; empty if it does not.
pub async fn reasons(db: &mut Scoped<'_>, session: Uuid) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        r#"select reasons as "reasons!" from held_sessions where session_id = $1"#,
        session
    )
    .fetch_optional(&mut **db)
    .await?
    .unwrap_or_default())
}

/// Why the usage of a session is not told to Lago; empty if it is, or was.
pub async fn usage(db: &mut Scoped<'_>, session: Uuid) -> Result<Vec<String>> {
    Ok(sqlx::query_scalar!(
        "select held from lago_sync_state where session_id = $1",
        session
    )
    .fetch_optional(&mut **db)
    .await?
    .unwrap_or_default())
}

/// Lets a session that waits go on as it stands: its price counts, and its usage is told. With the reason that the
/// person gives, and an entry in the audit log. False if it does not wait, or the scope does not see it.
pub async fn release(
    db: &mut Scoped<'_>,
    session: Uuid,
    actor: Actor,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<bool> {
    let priced = prices::release(db, session, actor, reason, now).await?;
    // What is held of usage for its price is let go with that.
    let let_go = sqlx::query!(
        "update lago_sync_state s set held = '{}', updated_at = $2,
           let_go = array(select distinct r from unnest(s.let_go || s.held) r order by r)
         where s.session_id = $1 and s.held <> '{}'
           and not exists (select from held_sessions h where h.session_id = s.session_id and h.total is not null)",
        session,
        now
    )
    .execute(&mut **db)
    .await?
    .rows_affected();
    if priced.is_none() && let_go > 0 {
        let entry = Entry {
            at: now,
            actor,
            action: "usage.release".to_owned(),
            entity: format!("session/{session}"),
            detail: json!({ "reason": reason }),
        };
        audit::record(db, &entry).await?;
    }
    Ok(priced.is_some() || let_go > 0)
}

/// What a person said that a session charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// 1, 2, …
    pub revision: i32,
    /// Wh.
    pub energy_wh: i64,
    /// Why.
    pub reason: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// The correction that counts, if there is one.
pub async fn correction(db: &mut Scoped<'_>, session: Uuid) -> Result<Option<Correction>> {
    Ok(sqlx::query_as!(
        Correction,
        "select revision, energy_wh, reason, corrected_at as at from session_corrections
         where session_id = $1 order by revision desc limit 1",
        session
    )
    .fetch_optional(&mut **db)
    .await?)
}

/// Says what a session charged, whatever its meter says; billing prices it again by that. Answers the correction's
/// number.
///
/// # Errors
/// [`Error::Conflict`] `session_is_active` of a session that goes on; `session_corrections_energy_check` of what nothing
/// charges.
pub async fn correct(
    db: &mut Scoped<'_>,
    session: &Session,
    energy_wh: i64,
    actor: Actor,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<i32> {
    if session.state == State::Active {
        return Err(Error::Conflict("session_is_active".to_owned()));
    }
    let revision = sqlx::query_scalar!(
        r#"with said as (
             insert into session_corrections (session_id, revision, site_id, energy_wh, reason, actor_kind, actor_id,
               corrected_at)
             select $1, coalesce(max(k.revision), 0) + 1, $2, $4, $5, $6, $7, $8
             from session_corrections k where k.session_id = $1
             returning revision),
           told as (
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $8, 'session.corrected', $2, $3, $1, jsonb_build_object('revision', said.revision) from said)
           select revision as "revision!" from said"#,
        session.id,
        session.site_id,
        session.station_id,
        energy_wh,
        reason,
        actor.kind(),
        actor.id(),
        now
    )
    .fetch_one(&mut **db)
    .await?;
    let entry = Entry {
        at: now,
        actor,
        action: "session.correct".to_owned(),
        entity: format!("session/{}", session.id),
        detail: json!({ "before": session.energy_wh, "energy_wh": energy_wh, "reason": reason }),
    };
    audit::record(db, &entry).await?;
    Ok(revision)
}
