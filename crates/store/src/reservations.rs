//! Reservations: asked for at the portal, kept when the station accepts, and then used, cancelled or expired. The window
//! that billing prices is `accepted_at` to `ended_at`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::cursor::Cursor;
use crate::{Result, Scoped, ids};

/// A reservation as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its id.
    pub id: Uuid,
    /// The station's identity.
    pub station: String,
    /// The station's site when it was asked for.
    pub site_id: Option<Uuid>,
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
    /// requested, accepted, refused, unknown, used, cancelled, expired or replaced.
    pub status: String,
    /// The station's word.
    pub answer: Option<String>,
    /// The ReserveNow.
    pub command_id: Option<Uuid>,
    /// When it was asked for.
    pub created_at: DateTime<Utc>,
    /// When the station accepted.
    pub accepted_at: Option<DateTime<Utc>>,
    /// When the connector was free again, or its transaction began.
    pub ended_at: Option<DateTime<Utc>>,
    /// The session that used it; of a cancelled one, that which another token was given it for.
    pub transaction_id: Option<Uuid>,
    /// That session's token.
    pub used_by: Option<String>,
}

impl From<&Reservation> for Cursor {
    fn from(reservation: &Reservation) -> Self {
        Cursor {
            at: reservation.created_at,
            id: reservation.id,
        }
    }
}

/// A ReserveNow as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
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
}

/// Who asks, where.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The station.
    pub station_id: Uuid,
    /// Its site.
    pub site_id: Option<Uuid>,
    /// The ReserveNow that was queued.
    pub command_id: Uuid,
    /// user, api_key, cli or system.
    pub actor_kind: &'a str,
    /// Who.
    pub actor_id: Option<Uuid>,
}

/// A StartTransaction that ended a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Use {
    /// The reservation's id.
    pub reservation: Uuid,
    /// Whose transaction it is.
    pub by: By,
    /// The transaction.
    pub transaction_id: Uuid,
    /// Its token.
    pub id_token: String,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// Our time.
    pub received_at: DateTime<Utc>,
}

/// Whose transaction ended a reservation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// The token that it was kept for, or another of its group: the reservation is used.
    Holder,
    /// Any other token, by the station's word: OCPP 1.6 has a reservationId name the reservation "that terminates as a
    /// result of this transaction", so nothing is kept any more, and whom it was kept for had nothing of it. It counts as
    /// cancelled, which costs nobody anything.
    Another,
}

/// A number that no reservation of the station has: people may send numbers of their own, too.
pub async fn next_number(db: &mut PgConnection, station_id: Uuid) -> Result<i32> {
    loop {
        let row = sqlx::query!(
            r#"select number as "number!", exists (select from reservations where station_id = $1 and number = n.number)
                 as "taken!"
               from (select nextval('reservation_numbers')::integer as number) n"#,
            station_id
        )
        .fetch_one(&mut *db)
        .await?;
        if !row.taken {
            return Ok(row.number);
        }
    }
}

/// Notes that a reservation is being asked for.
pub async fn ask(
    db: &mut PgConnection,
    asked: &Asked<'_>,
    said: &Said,
    now: DateTime<Utc>,
) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into reservations (id, number, station_id, site_id, connector, id_token, parent, expires_at, status,
           command_id, created_at, actor_kind, actor_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, 'requested', $9, $10, $11, $12)",
        id,
        said.number,
        asked.station_id,
        asked.site_id,
        said.connector,
        said.id_token,
        said.parent,
        said.expires_at,
        asked.command_id,
        now,
        asked.actor_kind,
        asked.actor_id
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// The station answered a ReserveNow: with Accepted it is kept, whoever sent the command; with anything else a row that
/// was asked for is shown as refused, and nothing is kept.
pub async fn answered(
    db: &mut PgConnection,
    station_id: Uuid,
    command_id: Uuid,
    said: &Said,
    answer: &str,
    now: DateTime<Utc>,
) -> Result<()> {
    if answer != "Accepted" {
        sqlx::query!(
            "with refused as (
               update reservations set status = 'refused', answer = $2 where command_id = $1 and status in ('requested', 'unknown')
               returning *)
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $3, 'reservation.refused', site_id, station_id, id,
               jsonb_build_object('connector', connector, 'number', number, 'answer', $2::text) from refused",
            command_id,
            answer,
            now
        )
        .execute(db)
        .await?;
        return Ok(());
    }
    // A station keeps one reservation of a number: the new one takes the old one's place.
    sqlx::query!(
        "update reservations set status = 'replaced', ended_at = case when accepted_at is not null then $4::timestamptz end
         where station_id = $1 and number = $2 and command_id is distinct from $3
           and status in ('requested', 'accepted', 'unknown')",
        station_id,
        said.number,
        command_id,
        now
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "with kept as (
           update reservations set status = 'accepted', answer = 'Accepted', accepted_at = $3
           where command_id = $2 and status in ('requested', 'unknown') returning id, site_id, station_id, connector, number),
         made as (
           insert into reservations (id, number, station_id, site_id, connector, id_token, parent, expires_at, status,
             answer, command_id, created_at, accepted_at, actor_kind, actor_id)
           select $4, $5, $1, c.site_id, $6, $7, $8, $9, 'accepted', 'Accepted', $2, $3, $3, c.actor_kind, c.actor_id
           from commands c where c.id = $2 and not exists (select from reservations where command_id = $2)
           returning id, site_id, station_id, connector, number)
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $3, 'reservation.accepted', site_id, station_id, id,
           jsonb_build_object('connector', connector, 'number', number)
         from (select * from kept union all select * from made) as kept",
        station_id,
        command_id,
        now,
        ids::new_id(now),
        said.number,
        said.connector,
        said.id_token,
        said.parent,
        said.expires_at
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The station took a reservation back.
pub async fn cancelled(
    db: &mut PgConnection,
    station_id: Uuid,
    number: i32,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "with cancelled as (
           update reservations set status = 'cancelled', ended_at = case when accepted_at is not null then $3::timestamptz end
           where station_id = $1 and number = $2 and status in ('accepted', 'unknown') returning *)
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $3, 'reservation.cancelled', site_id, station_id, id,
           jsonb_build_object('connector', connector, 'number', number) from cancelled",
        station_id,
        number,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Transactions began on reservations ([`crate::lookup::reservations`]). One that expired meanwhile was used all the same:
/// the station says so, and may say it late.
pub(crate) async fn used(db: &mut PgConnection, uses: &[&Use]) -> Result<()> {
    for said in uses {
        sqlx::query!(
            "with used as (
               update reservations set status = $6, transaction_id = $2, used_by = $3,
                 ended_at = greatest(coalesce(accepted_at, created_at), least($4::timestamptz, expires_at))
               where id = $1 and status in ('requested', 'accepted', 'unknown', 'expired')
               returning *)
             insert into events (at, kind, site_id, station_id, subject, detail)
             select $5, 'reservation.' || status, site_id, station_id, id,
               jsonb_build_object('connector', connector, 'number', number, 'session', transaction_id) from used",
            said.reservation,
            said.transaction_id,
            said.id_token,
            said.started_at,
            said.received_at,
            match said.by {
                By::Holder => "used",
                By::Another => "cancelled",
            }
        )
        .execute(&mut *db)
        .await?;
    }
    Ok(())
}

/// Ends what time has ended: reservations that nobody used, and those whose ReserveNow never got an answer.
pub async fn expire(db: &mut PgConnection, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "with expired as (
           update reservations set status = 'expired', ended_at = expires_at
           where status in ('accepted', 'unknown') and expires_at <= $1
           returning *),
         lost as (
           update reservations r set
             status = case when c.status in ('timeout', 'unknown') then 'unknown'
                           when c.status = 'cancelled' then 'cancelled' else 'refused' end,
             answer = coalesce(c.error_code, c.status)
           from commands c
           where r.status = 'requested' and c.id = r.command_id
             and c.status in ('error', 'timeout', 'expired', 'cancelled', 'unknown'))
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $1, 'reservation.expired', site_id, station_id, id,
           jsonb_build_object('connector', connector, 'number', number) from expired where accepted_at is not null",
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The reservations of the scope after `after`, newest first, at most `limit`; with `station_id`, those of that station.
pub async fn list(
    db: &mut Scoped<'_>,
    station_id: Option<Uuid>,
    after: Option<Cursor>,
    now: DateTime<Utc>,
    limit: i64,
) -> Result<Vec<Reservation>> {
    Ok(sqlx::query_as!(
        Reservation,
        r#"select r.id, s.identity as station, r.site_id, r.number, r.connector, r.id_token, r.parent, r.expires_at,
                  case when r.status in ('accepted', 'unknown') and r.expires_at <= $4 then 'expired'
                       when r.status = 'requested' and exists (
                         select from commands c where c.id = r.command_id and c.status = 'cancelled') then 'cancelled'
                       else r.status end as "status!",
                  r.answer, r.command_id, r.created_at, r.accepted_at,
                  case when r.status = 'accepted' and r.expires_at <= $4 then r.expires_at else r.ended_at end as ended_at,
                  r.transaction_id, r.used_by
           from reservations r join stations s on s.id = r.station_id
           where ($1::uuid is null or r.station_id = $1)
             and (r.created_at, r.id)
                 < (coalesce($2::timestamptz, 'infinity'), coalesce($3::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by r.created_at desc, r.id desc limit $5"#,
        station_id,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        now,
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}

/// A reservation of the scope.
pub async fn get(db: &mut Scoped<'_>, id: Uuid, now: DateTime<Utc>) -> Result<Option<Reservation>> {
    Ok(sqlx::query_as!(
        Reservation,
        r#"select r.id, s.identity as station, r.site_id, r.number, r.connector, r.id_token, r.parent, r.expires_at,
                  case when r.status in ('accepted', 'unknown') and r.expires_at <= $2 then 'expired'
                       when r.status = 'requested' and exists (
                         select from commands c where c.id = r.command_id and c.status = 'cancelled') then 'cancelled'
                       else r.status end as "status!",
                  r.answer, r.command_id, r.created_at, r.accepted_at,
                  case when r.status = 'accepted' and r.expires_at <= $2 then r.expires_at else r.ended_at end as ended_at,
                  r.transaction_id, r.used_by
           from reservations r join stations s on s.id = r.station_id where r.id = $1"#,
        id,
        now
    )
    .fetch_optional(&mut **db)
    .await?)
}
