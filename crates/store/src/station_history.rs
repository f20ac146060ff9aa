//! What happened to one station, newest first: what its connectors said, when it came, went and booted, and what people
//! changed.

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use crate::{Result, Scoped};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When, by our clock.
    pub at: DateTime<Utc>,
    /// What it was.
    pub what: What,
}

/// The kinds of [`Entry`].
#[derive(Debug, Clone, PartialEq)]
pub enum What {
    /// A connector said something new of itself.
    Status(Status),
    /// It connected.
    Connected {
        /// The subprotocol.
        protocol: String,
        /// From where.
        address: String,
        /// Since when it was gone; unknown if nobody saw it go.
        gone_since: Option<DateTime<Utc>>,
    },
    /// Its socket was closed.
    Disconnected,
    /// It booted.
    Booted {
        /// Vendor, model and firmware, as far as it said them.
        what: String,
        /// Whether we accepted it.
        accepted: bool,
    },
    /// Somebody changed the station.
    Edit(Edit),
}

/// What a connector said of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// 1.6: the connectorId; 0 is the station itself.
    pub connector: i32,
    /// Verbatim.
    pub status: String,
    /// Verbatim.
    pub error_code: String,
    /// The vendor's own code.
    pub vendor_error_code: Option<String>,
    /// The charger's remark.
    pub info: Option<String>,
    /// The charger's own time of it.
    pub said_at: DateTime<Utc>,
}

/// What somebody changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    /// user, api_key, cli or system.
    pub actor_kind: String,
    /// The person's address, or the key's name.
    pub actor: Option<String>,
    /// As in the audit log.
    pub action: String,
    /// What it was and is.
    pub detail: Value,
}

/// What connectors said before `before`, newest first, at most `limit`; with `faults`, errors and Faulted alone.
pub async fn statuses(
    db: &mut Scoped<'_>,
    station_id: Uuid,
    faults: bool,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let rows = sqlx::query!(
        "select evse, at, received_at, status, error_code, vendor_error_code, info from connector_history
         where station_id = $1 and received_at < coalesce($2::timestamptz, 'infinity')
           and (not $3 or error_code <> 'NoError' or status = 'Faulted')
         order by received_at desc limit $4",
        station_id,
        before,
        faults,
        limit
    )
    .fetch_all(&mut **db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Entry {
            at: row.received_at,
            what: What::Status(Status {
                connector: row.evse,
                status: row.status,
                error_code: row.error_code,
                vendor_error_code: row.vendor_error_code,
                info: row.info,
                said_at: row.at,
            }),
        })
        .collect())
}

/// When it came, went and booted before `before`, newest first, at most `limit`.
pub async fn comings(
    db: &mut Scoped<'_>,
    station_id: Uuid,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let rows = sqlx::query!(
        r#"select l.at, l.kind, l.detail, gone.at as "gone_since?"
           from station_log l
           left join lateral (
             select p.at, p.kind from station_log p
             where l.kind = 'connected' and p.station_id = l.station_id and p.at < l.at and p.kind <> 'booted'
             order by p.at desc limit 1) gone on gone.kind = 'disconnected'
           where l.station_id = $1 and l.at < coalesce($2::timestamptz, 'infinity')
           order by l.at desc limit $3"#,
        station_id,
        before,
        limit
    )
    .fetch_all(&mut **db)
    .await?;
    let word = |detail: &Value, name: &str| detail[name].as_str().unwrap_or_default().to_owned();
    Ok(rows
        .into_iter()
        .map(|row| Entry {
            at: row.at,
            what: match row.kind.as_str() {
                "connected" => What::Connected {
                    protocol: word(&row.detail, "protocol"),
                    address: word(&row.detail, "address"),
                    gone_since: row.gone_since,
                },
                "booted" => What::Booted {
                    what: ["vendor", "model", "firmware"]
                        .map(|name| word(&row.detail, name))
                        .into_iter()
                        .filter(|word| !word.is_empty())
                        .collect::<Vec<_>>()
                        .join(" "),
                    accepted: row.detail["accepted"] == true,
                },
                _ => What::Disconnected,
            },
        })
        .collect())
}

/// What people changed before `before`, newest first, at most `limit`.
pub async fn edits(
    db: &mut Scoped<'_>,
    station_id: Uuid,
    before: Option<DateTime<Utc>>,
    limit: i64,
) -> Result<Vec<Entry>> {
    let rows = sqlx::query!(
        r#"select l.at, l.actor_kind, coalesce(nullif(u.name, ''), u.email, k.name) as actor, l.action, l.detail
           from audit_log l
           left join users u on l.actor_kind = 'user' and u.id = l.actor_id
           left join api_keys k on l.actor_kind = 'api_key' and k.id = l.actor_id
           where l.entity = 'station/' || $1::uuid::text and l.at < coalesce($2::timestamptz, 'infinity')
           order by l.at desc, l.id desc limit $3"#,
        station_id,
        before,
        limit
    )
    .fetch_all(&mut **db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Entry {
            at: row.at,
            what: What::Edit(Edit {
                actor_kind: row.actor_kind,
                actor: row.actor,
                action: row.action,
                detail: row.detail,
            }),
        })
        .collect())
}
