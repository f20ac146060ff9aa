//! Security events: what stations say of their own security, and what we see of it. One that is heard twice is one.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::{Result, Scoped, ids};

/// An event to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// The station.
    pub station_id: Uuid,
    /// Verbatim; of no list.
    pub kind: String,
    /// More about it.
    pub tech_info: Option<String>,
    /// The station's own time, if it can be believed.
    pub at: Option<DateTime<Utc>>,
    /// Our time.
    pub received_at: DateTime<Utc>,
    /// Whether somebody should look at once.
    pub critical: bool,
    /// Who saw it.
    pub source: Source,
}

/// Who saw an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The station.
    Station,
    /// We.
    Server,
}

impl Source {
    fn as_str(self) -> &'static str {
        match self {
            Source::Station => "station",
            Source::Server => "server",
        }
    }
}

/// Adds events; critical ones that were not known are told to everybody.
pub async fn note(db: &mut PgConnection, events: &[&NewEvent]) -> Result<()> {
    for event in events {
        sqlx::query!(
            "with new as (
               insert into security_events (id, station_id, type, tech_info, at, received_at, critical, source)
               values ($1, $2, $3, $4, $5, $6, $7, $8)
               on conflict do nothing
               returning id, station_id, type, received_at, critical, source)
             insert into events (at, kind, site_id, station_id, subject, detail)
             select received_at, 'security.event', s.site_id, new.station_id, new.id,
                    jsonb_build_object('type', new.type, 'source', new.source)
             from new join stations s on s.id = new.station_id where new.critical",
            ids::new_id(event.received_at),
            event.station_id,
            event.kind,
            event.tech_info,
            event.at,
            event.received_at,
            event.critical,
            event.source.as_str()
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// An event as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityEvent {
    /// Its id.
    pub id: Uuid,
    /// The station's identity.
    pub station: String,
    /// Verbatim.
    pub kind: String,
    /// More about it.
    pub tech_info: Option<String>,
    /// The station's own time, if it can be believed.
    pub at: Option<DateTime<Utc>>,
    /// Our time.
    pub received_at: DateTime<Utc>,
    /// Whether somebody should look at once.
    pub critical: bool,
    /// station or server.
    pub source: String,
}

impl From<&SecurityEvent> for Cursor {
    fn from(event: &SecurityEvent) -> Self {
        Cursor {
            at: event.received_at,
            id: event.id,
        }
    }
}

/// Which events; the empty filter is every one of the scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of the station of this identity, whatever the case.
    pub station: Option<String>,
    /// Of this type, whatever the case.
    pub kind: Option<String>,
    /// Critical ones, or the others.
    pub critical: Option<bool>,
    /// Received at this instant or later.
    pub from: Option<DateTime<Utc>>,
    /// Received before this instant.
    pub to: Option<DateTime<Utc>>,
}

/// The events of the filter after `after`, newest first, at most `limit`.
pub async fn list(
    db: &mut Scoped<'_>,
    filter: &Filter,
    after: Option<Cursor>,
    limit: i64,
) -> Result<Vec<SecurityEvent>> {
    Ok(sqlx::query_as!(
        SecurityEvent,
        r#"select e.id, s.identity as station, e.type as kind, e.tech_info, e.at, e.received_at, e.critical, e.source
           from security_events e join stations s on s.id = e.station_id
           where ($1::text is null or e.station_id = (select id from stations where lower(identity) = lower($1)))
             and ($2::text is null or lower(e.type) = lower($2))
             and ($3::boolean is null or e.critical = $3)
             and e.received_at >= coalesce($4::timestamptz, '-infinity')
             and e.received_at < coalesce($5::timestamptz, 'infinity')
             and (e.received_at, e.id)
                 < (coalesce($6::timestamptz, 'infinity'), coalesce($7::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by e.received_at desc, e.id desc limit $8"#,
        filter.station,
        filter.kind,
        filter.critical,
        filter.from,
        filter.to,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}
