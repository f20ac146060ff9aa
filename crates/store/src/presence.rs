//! Who is connected, since when, and when they were last heard: one statement for all stations.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// A socket that was opened.
#[derive(Debug, Clone)]
pub struct Connected {
    /// Whose.
    pub station_id: Uuid,
    /// Grows with every socket.
    pub generation: i64,
    /// The subprotocol spoken.
    pub protocol: String,
    /// From where.
    pub address: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// Writes the sockets that were opened; a station stands in the list once.
pub async fn connected(db: &mut PgConnection, node: &str, sockets: &[Connected]) -> Result<()> {
    let stations: Vec<Uuid> = sockets.iter().map(|socket| socket.station_id).collect();
    let generations: Vec<i64> = sockets.iter().map(|socket| socket.generation).collect();
    let protocols: Vec<String> = sockets
        .iter()
        .map(|socket| socket.protocol.clone())
        .collect();
    let addresses: Vec<String> = sockets
        .iter()
        .map(|socket| socket.address.clone())
        .collect();
    let times: Vec<DateTime<Utc>> = sockets.iter().map(|socket| socket.at).collect();
    sqlx::query!(
        "with opened as (
           insert into station_presence as p
           (station_id, generation, protocol, address, connected_at, last_seen_at, connected, node)
         select ask.*, ask.at, true, $6
         from unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::timestamptz[])
           as ask (station_id, generation, protocol, address, at)
         join stations s on s.id = ask.station_id
         on conflict (station_id) do update set
           generation = excluded.generation, protocol = excluded.protocol, address = excluded.address,
           connected_at = excluded.connected_at, last_seen_at = excluded.last_seen_at,
           connected = true, node = excluded.node
         where p.generation < excluded.generation
         returning station_id, connected_at, protocol, address)
         insert into station_log (station_id, at, kind, detail)
         select station_id, connected_at, 'connected', jsonb_build_object('protocol', protocol, 'address', address)
         from opened",
        &stations,
        &generations,
        &protocols,
        &addresses,
        &times,
        node
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Writes the sockets that were closed. One that a newer socket of its station has replaced changes nothing.
pub async fn disconnected(
    db: &mut PgConnection,
    sockets: &[(Uuid, i64)],
    at: DateTime<Utc>,
) -> Result<()> {
    let stations: Vec<Uuid> = sockets.iter().map(|socket| socket.0).collect();
    let generations: Vec<i64> = sockets.iter().map(|socket| socket.1).collect();
    sqlx::query!(
        "with closed as (
           update station_presence p set connected = false, disconnected_at = $3
           from unnest($1::uuid[], $2::bigint[]) as ask (station_id, generation)
           where p.station_id = ask.station_id and p.generation = ask.generation and p.connected
           returning p.station_id)
         insert into station_log (station_id, at, kind) select station_id, $3, 'disconnected' from closed",
        &stations,
        &generations,
        at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// What a station was last heard to say.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Which station.
    pub station_id: Uuid,
    /// When its last frame came.
    pub at: DateTime<Utc>,
    /// Heartbeats since the last such write; they are counted, not logged.
    pub heartbeats: i64,
}

/// Writes when stations were last heard; a station stands in the list once.
pub async fn seen(db: &mut PgConnection, seen: &[Seen]) -> Result<()> {
    let stations: Vec<Uuid> = seen.iter().map(|seen| seen.station_id).collect();
    let times: Vec<DateTime<Utc>> = seen.iter().map(|seen| seen.at).collect();
    let heartbeats: Vec<i64> = seen.iter().map(|seen| seen.heartbeats).collect();
    sqlx::query!(
        "update station_presence p set
           last_seen_at = greatest(p.last_seen_at, ask.at), heartbeats = p.heartbeats + ask.heartbeats
         from unnest($1::uuid[], $2::timestamptz[], $3::bigint[]) as ask (station_id, at, heartbeats)
         where p.station_id = ask.station_id",
        &stations,
        &times,
        &heartbeats
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The highest generation that a socket ever had: those to come must be higher, whatever the clock says by then.
pub async fn highest_generation(db: &mut PgConnection) -> Result<i64> {
    let highest = sqlx::query_scalar!("select max(generation) from station_presence");
    Ok(highest.fetch_one(db).await?.unwrap_or(0))
}

/// A node starts: no socket that it held before lives.
pub async fn node_started(db: &mut PgConnection, node: &str, at: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "with closed as (
           update station_presence set connected = false, disconnected_at = $2 where node = $1 and connected
           returning station_id)
         insert into station_log (station_id, at, kind) select station_id, $2, 'disconnected' from closed",
        node,
        at
    )
    .execute(db)
    .await?;
    Ok(())
}
