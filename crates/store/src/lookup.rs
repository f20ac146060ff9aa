//! What the csms must know before it decides, asked for many stations in one statement.
//!
//! Hundreds of chargers ask at once; a statement each would cost more than everything else they do.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;
use crate::ingest::Figures;
use crate::stations::{Access, Station, StationRow};

/// The stations of these identities (any case), in the order asked; `None` where there is none.
pub async fn stations(
    db: &mut PgConnection,
    identities: &[String],
) -> Result<Vec<Option<Station>>> {
    let rows = sqlx::query!(
        r#"select ask.n as "n!", s.id, s.identity, s.site_id, s.registration, s.security_profile,
                  s.password_hash, s.options, s.first_accepted_at, s.certificate_name, v.address as "address?",
                  array(select c.password_hash from pending_credentials c
                        where c.station_id = s.id and c.password_hash is not null
                        order by c.created_at desc, c.command_id desc limit 3) as "passwords!: Vec<String>",
                  array(select distinct c.security_profile from pending_credentials c
                        where c.station_id = s.id and c.security_profile is not null
                        order by c.security_profile desc) as "profiles!: Vec<i16>"
           from unnest($1::text[]) with ordinality as ask (identity, n)
           join stations s on lower(s.identity) = lower(ask.identity)
           left join station_presence v on v.station_id = s.id"#,
        identities
    )
    .fetch_all(db)
    .await?;
    let mut found = vec![None; identities.len()];
    for row in rows {
        let station = StationRow {
            id: row.id,
            identity: row.identity,
            site_id: row.site_id,
            registration: row.registration,
            security_profile: row.security_profile,
            password_hash: row.password_hash,
            options: row.options,
            first_accepted_at: row.first_accepted_at,
            access: Access {
                passwords: row.passwords,
                profiles: row.profiles,
                certificate_name: row.certificate_name,
                address: row.address,
            },
        };
        found[place(row.n)] = Some(station.try_into()?);
    }
    Ok(found)
}

/// What is known of a token at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// accepted, blocked, expired or invalid.
    pub status: String,
    /// Its group.
    pub parent: Option<String>,
    /// The group's own status: a blocked group blocks its members.
    pub parent_status: Option<String>,
    /// When it expires.
    pub expires_at: Option<DateTime<Utc>>,
    /// How many open transactions it may have.
    pub max_active: Option<i32>,
    /// How many it has.
    pub open: i64,
}

/// The tokens of these spellings (any case), in the order asked.
pub async fn tokens(db: &mut PgConnection, tokens: &[String]) -> Result<Vec<Option<Token>>> {
    let rows = sqlx::query!(
        r#"select ask.n as "n!", t.status, t.parent, p.status as "parent_status?", t.expires_at, t.max_active,
                  case when t.max_active is null then 0 else (
                    select count(*) from transactions x
                    where lower(x.id_token) = lower(ask.token) and x.stopped_at is null
                  ) end as "open!"
           from unnest($1::text[]) with ordinality as ask (token, n)
           join id_tokens t on lower(t.token) = lower(ask.token)
           left join id_tokens p on lower(p.token) = lower(t.parent)"#,
        tokens
    )
    .fetch_all(db)
    .await?;
    let mut found = vec![None; tokens.len()];
    for row in rows {
        found[place(row.n)] = Some(Token {
            status: row.status,
            parent: row.parent,
            parent_status: row.parent_status,
            expires_at: row.expires_at,
            max_active: row.max_active,
            open: row.open,
        });
    }
    Ok(found)
}

/// The natural key of a StartTransaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartKey {
    /// The station; another station's transactions are never found.
    pub station_id: Uuid,
    /// 1.6 connectorId.
    pub connector: i32,
    /// The token as sent; compared without regard to case.
    pub id_token: String,
    /// The charger's time.
    pub started_at: DateTime<Utc>,
    /// The register at the start, Wh.
    pub meter_start_wh: i64,
}

/// A transaction as the csms decides on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    /// Its id, and its session's.
    pub id: Uuid,
    /// Its transactionId.
    pub number: i64,
    /// 1.6 connectorId.
    pub connector: i32,
    /// Who started it.
    pub id_token: String,
    /// The charger's time of the start.
    pub started_at: DateTime<Utc>,
    /// The register at the start, Wh.
    pub meter_start_wh: i64,
    /// The charger's time of the stop; `None` while it runs.
    pub stopped_at: Option<DateTime<Utc>>,
    /// The register at the stop, Wh.
    pub meter_stop_wh: Option<i64>,
    /// It was ended by us, for a start that came on its connector: its own stop may still come.
    pub superseded: bool,
    /// The site at its start.
    pub site_id: Option<Uuid>,
    /// What its samples come to, if this process has seen every one of them; never of a transaction that was looked up.
    pub figures: Option<Figures>,
}

/// Which transactions of a station are asked for.
#[derive(Debug, Clone, Copy)]
pub struct TransactionQuery {
    /// The station; another station's transactions are never found.
    pub station_id: Uuid,
    /// A transactionId that the station named.
    pub number: Option<i64>,
}

/// For each query: every open transaction of the station and the one that is named, newest start first.
pub async fn transactions(
    db: &mut PgConnection,
    queries: &[TransactionQuery],
) -> Result<Vec<Vec<Transaction>>> {
    let stations: Vec<Uuid> = queries.iter().map(|query| query.station_id).collect();
    let numbers: Vec<Option<i64>> = queries.iter().map(|query| query.number).collect();
    let rows = sqlx::query_as!(
        Found,
        r#"with ask as (
             select * from unnest($1::uuid[], $2::bigint[]) with ordinality as ask (station_id, number, n)),
           hit as (
             select ask.n, x.id from ask join transactions x
               on x.station_id = ask.station_id and x.stopped_at is null
             union
             select ask.n, x.id from ask join transactions x
               on x.station_id = ask.station_id and x.number = ask.number)
           select hit.n as "n!", x.id, x.number, x.connector, x.id_token, x.started_at, x.meter_start_wh,
                  x.stopped_at, x.meter_stop_wh, x.site_id, 'superseded' = any (x.flags) as "superseded!"
           from hit join transactions x on x.id = hit.id
           order by hit.n, x.started_at desc"#,
        &stations,
        &numbers as &[Option<i64>],
    )
    .fetch_all(db)
    .await?;
    let mut found = vec![Vec::new(); queries.len()];
    for row in rows {
        found[place(row.n)].push(row.into());
    }
    Ok(found)
}

/// For each key: the transactions that have it, open or stopped; more than one only while a charger's clock is not set.
pub async fn starts(db: &mut PgConnection, keys: &[StartKey]) -> Result<Vec<Vec<Transaction>>> {
    let stations: Vec<Uuid> = keys.iter().map(|key| key.station_id).collect();
    let connectors: Vec<i32> = keys.iter().map(|key| key.connector).collect();
    let id_tokens: Vec<String> = keys.iter().map(|key| key.id_token.clone()).collect();
    let started: Vec<DateTime<Utc>> = keys.iter().map(|key| key.started_at).collect();
    let meters: Vec<i64> = keys.iter().map(|key| key.meter_start_wh).collect();
    let rows = sqlx::query_as!(
        Found,
        r#"select ask.n as "n!", x.id, x.number, x.connector, x.id_token, x.started_at, x.meter_start_wh,
                  x.stopped_at, x.meter_stop_wh, x.site_id, 'superseded' = any (x.flags) as "superseded!"
           from unnest($1::uuid[], $2::integer[], $3::text[], $4::timestamptz[], $5::bigint[])
             with ordinality as ask (station_id, connector, id_token, started_at, meter_start_wh, n)
           join transactions x
             on x.station_id = ask.station_id and x.started_at = ask.started_at
             and x.connector = ask.connector and lower(x.id_token) = lower(ask.id_token)
             and x.meter_start_wh = ask.meter_start_wh"#,
        &stations,
        &connectors,
        &id_tokens,
        &started,
        &meters
    )
    .fetch_all(db)
    .await?;
    let mut found = vec![Vec::new(); keys.len()];
    for row in rows {
        found[place(row.n)].push(row.into());
    }
    Ok(found)
}

/// A start, for the reservations that it may be made on.
#[derive(Debug, Clone, Copy)]
pub struct ReservationQuery {
    /// The station; another station's reservations are never found.
    pub station_id: Uuid,
    /// When it began: what expired before is over.
    pub at: DateTime<Utc>,
}

/// A reservation as the csms decides on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reserved {
    /// Its id.
    pub id: Uuid,
    /// The reservationId.
    pub number: i32,
    /// 0: the charge point as a whole.
    pub connector: i32,
    /// For whom.
    pub id_token: String,
    /// The token's group.
    pub parent: Option<String>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
    /// Since when; `None` while nobody can tell whether the station keeps it.
    pub accepted_at: Option<DateTime<Utc>>,
}

/// For each query: the station's reservations that were not over when the start was made, newest first.
pub async fn reservations(
    db: &mut PgConnection,
    queries: &[ReservationQuery],
) -> Result<Vec<Vec<Reserved>>> {
    let stations: Vec<Uuid> = queries.iter().map(|query| query.station_id).collect();
    let times: Vec<DateTime<Utc>> = queries.iter().map(|query| query.at).collect();
    let rows = sqlx::query!(
        r#"select ask.n as "n!", r.id, r.number, r.connector, r.id_token, r.parent, r.expires_at, r.accepted_at
           from unnest($1::uuid[], $2::timestamptz[]) with ordinality as ask (station_id, at, n)
           join reservations r on r.station_id = ask.station_id
             and (r.status in ('requested', 'accepted', 'unknown') or r.status = 'expired' and r.expires_at >= ask.at)
           order by ask.n, r.created_at desc"#,
        &stations,
        &times
    )
    .fetch_all(db)
    .await?;
    let mut found = vec![Vec::new(); queries.len()];
    for row in rows {
        found[place(row.n)].push(Reserved {
            id: row.id,
            number: row.number,
            connector: row.connector,
            id_token: row.id_token,
            parent: row.parent,
            expires_at: row.expires_at,
            accepted_at: row.accepted_at,
        });
    }
    Ok(found)
}

/// A [`Transaction`] and the place of the question that it answers.
struct Found {
    n: i64,
    id: Uuid,
    number: i64,
    connector: i32,
    id_token: String,
    started_at: DateTime<Utc>,
    meter_start_wh: i64,
    stopped_at: Option<DateTime<Utc>>,
    meter_stop_wh: Option<i64>,
    superseded: bool,
    site_id: Option<Uuid>,
}

impl From<Found> for Transaction {
    fn from(row: Found) -> Self {
        Transaction {
            id: row.id,
            number: row.number,
            connector: row.connector,
            id_token: row.id_token,
            started_at: row.started_at,
            meter_start_wh: row.meter_start_wh,
            stopped_at: row.stopped_at,
            meter_stop_wh: row.meter_stop_wh,
            superseded: row.superseded,
            site_id: row.site_id,
            figures: None,
        }
    }
}

/// The last of the thousand transaction numbers that are now the caller's.
pub async fn next_transaction_block(db: &mut PgConnection) -> Result<i64> {
    Ok(
        sqlx::query_scalar!(r#"select nextval('transaction_blocks') as "block!""#)
            .fetch_one(db)
            .await?,
    )
}

/// SQL counts from one.
fn place(ordinality: i64) -> usize {
    usize::try_from(ordinality - 1).expect("ordinality starts at one")
}
