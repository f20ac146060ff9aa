//! What stations ask to have signed, and what became of it. One is in the making per station.

use chrono::{DateTime, Utc};
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::commands::{self, NewCommand};
use crate::{Result, Scoped, ids};

/// Requests kept of each station: it may ask for as long as it lives.
const KEPT: i64 = 20;

/// What a station asked for lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lately {
    /// The request that is being signed.
    pub signing: Option<String>,
    /// How many it made.
    pub asked: i64,
}

/// What the station asked for since `since`.
pub async fn lately(
    db: &mut PgConnection,
    station_id: Uuid,
    since: DateTime<Utc>,
) -> Result<Lately> {
    Ok(sqlx::query_as!(
        Lately,
        r#"select (select request from certificate_requests where station_id = $1 and status = 'signing') as signing,
                  (select count(*) from certificate_requests where station_id = $1 and asked_at > $2) as "asked!""#,
        station_id,
        since
    )
    .fetch_one(db)
    .await?)
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct NewRequest<'a> {
    /// Who asks.
    pub station_id: Uuid,
    /// Where it stands.
    pub site_id: Option<Uuid>,
    /// PEM.
    pub request: &'a str,
    /// Why it is refused; `None` if it shall be signed.
    pub refused: Option<&'a str>,
}

/// Writes down a request; one that is refused is told as an event. The oldest of the station are forgotten.
pub async fn put(
    db: &mut PgConnection,
    request: &NewRequest<'_>,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "with forgotten as (
           delete from certificate_requests where id in (
             select id from certificate_requests where station_id = $2 and status <> 'signing'
             order by asked_at desc, id desc offset $7)),
         told as (
           insert into events (at, kind, site_id, station_id, subject, detail)
           select $6, 'certificate.refused', $3, $2, $1, jsonb_build_object('reason', $5::text) where $5 is not null)
         insert into certificate_requests (id, station_id, request, status, detail, asked_at, ended_at)
         values ($1, $2, $4, case when $5::text is null then 'signing' else 'refused' end, coalesce($5, ''), $6,
                 case when $5 is null then null else $6 end)",
        id,
        request.station_id,
        request.site_id,
        request.request,
        request.refused,
        now,
        KEPT - 1
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// A request that is to be signed.
#[derive(Debug, Clone)]
pub struct ToSign {
    /// Its id.
    pub id: Uuid,
    /// Who asked.
    pub station_id: Uuid,
    /// Where it stands.
    pub site_id: Option<Uuid>,
    /// The station's identity.
    pub identity: String,
    /// PEM.
    pub request: String,
}

/// The requests that are to be signed, oldest first.
pub async fn to_sign(db: &mut PgConnection) -> Result<Vec<ToSign>> {
    Ok(sqlx::query_as!(
        ToSign,
        "select r.id, r.station_id, s.site_id, s.identity, r.request
         from certificate_requests r join stations s on s.id = r.station_id
         where r.status = 'signing' order by r.asked_at, r.id limit 100"
    )
    .fetch_all(db)
    .await?)
}

/// A certificate that was issued.
#[derive(Debug, Clone)]
pub struct Issued<'a> {
    /// The station's certificate, then those of its issuers; PEM.
    pub chain: &'a str,
    /// Until when it is valid.
    pub not_after: DateTime<Utc>,
    /// The CertificateSigned that brings it.
    pub payload: &'a str,
    /// If it was not brought by then, it never is.
    pub expires_at: DateTime<Utc>,
}

/// The request was signed: queues the command that brings the certificate.
pub async fn signed(
    db: &mut PgConnection,
    asked: &ToSign,
    issued: &Issued<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut tx = db.begin().await?;
    let command = NewCommand {
        station_id: asked.station_id,
        site_id: asked.site_id,
        action: "CertificateSigned",
        payload: issued.payload,
        raw: false,
        actor_kind: "system",
        actor_id: None,
        expires_at: issued.expires_at,
        rerun_of: None,
        task_id: None,
    };
    let command = commands::queue(&mut tx, &command, now).await?;
    sqlx::query!(
        "update certificate_requests set status = 'queued', chain = $2, not_after = $3, command_id = $4
         where id = $1 and status = 'signing'",
        asked.id,
        issued.chain,
        issued.not_after,
        command
    )
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(())
}

/// The request cannot be signed: its operator is told, the station is not.
pub async fn failed(
    db: &mut PgConnection,
    asked: &ToSign,
    why: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "with failed as (
           update certificate_requests set status = 'failed', detail = $2, ended_at = $3
           where id = $1 and status = 'signing' returning id, station_id)
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $3, 'certificate.failed', $4, station_id, id, jsonb_build_object('reason', $2::text) from failed",
        asked.id,
        why,
        now,
        asked.site_id
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The station answered the command that brought its certificate.
pub async fn answered(
    db: &mut PgConnection,
    command: Uuid,
    accepted: bool,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "with ended as (
           update certificate_requests set status = case when $2 then 'accepted' else 'rejected' end, ended_at = $3
           where command_id = $1 and status = 'queued' returning id, station_id, status, not_after)
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $3, 'certificate.' || e.status, s.site_id, s.id, e.id, jsonb_build_object('not_after', e.not_after)
         from ended e join stations s on s.id = e.station_id",
        command,
        accepted,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A request as its operator sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: Uuid,
    /// refused, signing, failed, queued, accepted or rejected.
    pub status: String,
    /// Why it was refused, or what failed.
    pub detail: String,
    /// Until when the certificate is valid that came of it.
    pub not_after: Option<DateTime<Utc>>,
    /// The command that brings it.
    pub command_id: Option<Uuid>,
    /// When the station asked.
    pub asked_at: DateTime<Utc>,
    /// When it was over.
    pub ended_at: Option<DateTime<Utc>>,
}

/// The requests of a station, newest first.
pub async fn of(db: &mut Scoped<'_>, station_id: Uuid) -> Result<Vec<Listed>> {
    Ok(sqlx::query_as!(
        Listed,
        "select id, status, detail, not_after, command_id, asked_at, ended_at
         from certificate_requests where station_id = $1 order by asked_at desc, id desc limit 20",
        station_id
    )
    .fetch_all(&mut **db)
    .await?)
}
