//! How far each session is billed. A session has a row from the first look at it on; it is open until its last usage is in
//! the outbox. Events and the state that counts them are written in one transaction ([`record`]).

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;
use sqlx::{Connection, PgConnection};
use uuid::Uuid;

use crate::{Result, Scoped};

/// The register went back while the session charged: nothing is billed until a person has looked.
pub const METER_ROLLBACK: &str = "meter-rollback";
/// What the engine calls the same: who has looked at the one has looked at the others.
const RAN_BACK: [&str; 2] = ["meter-ran-backwards", "stop-below-sample"];
/// The stop says less than what is billed already.
pub const OVER_BILLED: &str = "over-billed";
/// An event of this very usage exists already.
pub const EVENT_REPEATS: &str = "event-repeats";

/// An open session and what its meter says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// The session.
    pub session_id: Uuid,
    /// Where.
    pub site_id: Option<Uuid>,
    /// In lower case.
    pub id_token: String,
    /// The station's identity.
    pub station: String,
    /// 1.6: the connectorId.
    pub connector: i32,
    /// The charger's time.
    pub started_at: DateTime<Utc>,
    /// The register at the start.
    pub meter_start_wh: i64,
    /// The charger's time; `None` while it charges.
    pub stopped_at: Option<DateTime<Utc>>,
    /// The register at the stop.
    pub meter_stop_wh: Option<i64>,
    /// The newest register reading, of sessions that charge.
    pub sample_wh: Option<i64>,
    /// When the charger took it.
    pub sample_at: Option<DateTime<Utc>>,
    /// Up to where there are events.
    pub billed_wh: Option<i64>,
    /// When the meter said so.
    pub billed_at: Option<DateTime<Utc>>,
    /// What a person should look at.
    pub flags: Vec<String>,
    /// Why its usage waits, as the last run found.
    pub held: Vec<String>,
    /// For what a person has said that it need not wait.
    pub let_go: Vec<String>,
}

/// What becomes of a session's state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The session.
    pub session_id: Uuid,
    /// Up to where there are events now.
    pub billed_wh: Option<i64>,
    /// When the meter said so.
    pub billed_at: Option<DateTime<Utc>>,
    /// Whether nothing more is to come.
    pub finalised: bool,
    /// A flag to add.
    pub flag: Option<&'static str>,
}

/// An event to be put into the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// `fc_{session}_{from}_{to}`.
    pub event_id: String,
    /// The session.
    pub session_id: Uuid,
    /// Where.
    pub site_id: Option<Uuid>,
    /// Who charged.
    pub id_token: String,
    /// The mapping that says who pays.
    pub mapping_id: Uuid,
    /// Who pays.
    pub customer_id: Uuid,
    /// The same in Lago.
    pub lago_customer: String,
    /// The subscription, if the mapping names one.
    pub lago_subscription: Option<String>,
    /// The billable metric.
    pub code: String,
    /// When the meter said so.
    pub at: DateTime<Utc>,
    /// The register before.
    pub from_wh: i64,
    /// The register after.
    pub to_wh: i64,
    /// Three decimals.
    pub kwh: Decimal,
    /// Whether it is the session's last.
    pub is_final: bool,
    /// JSON to the letter.
    pub properties: String,
}

/// Gives every session its row that has none. With `since`, only those that we first heard of from then on: their ids
/// sort by that time. Sessions that began before `first` are left out. Answers how many were new.
pub async fn discover(
    db: &mut PgConnection,
    since: Option<DateTime<Utc>>,
    first: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<u64> {
    let made = sqlx::query!(
        "insert into lago_sync_state (session_id, site_id, id_token, updated_at)
         select x.id, x.site_id, lower(x.id_token), $3 from transactions x
         where x.id > $1 and x.started_at >= coalesce($2::timestamptz, '-infinity')
           and not exists (select from lago_sync_state s where s.session_id = x.id)
         on conflict do nothing",
        since.map_or(Uuid::nil(), first_id_of),
        first,
        now
    )
    .execute(db)
    .await?;
    Ok(made.rows_affected())
}

/// The least id that a row made at `at` can have (UUIDv7 begins with the milliseconds).
fn first_id_of(at: DateTime<Utc>) -> Uuid {
    let millis = u128::from(at.timestamp_millis().max(0).unsigned_abs());
    Uuid::from_u128(millis << 80)
}

/// Opens finished sessions again whose stop, received since, or a person's correction, made since, says more than what is
/// billed; flags those where it says less. Answers how many were opened.
pub async fn reopen(
    db: &mut PgConnection,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Result<u64> {
    sqlx::query!(
        "update lago_sync_state s set flags = array_append(s.flags, $3), updated_at = $2
         from metered_transactions x
         where x.id = s.session_id and s.finalised
           and greatest(x.stop_received_at, x.corrected_at) >= coalesce($1::timestamptz, '-infinity')
           and x.meter_stop_wh < s.billed_wh and $3 <> all (s.flags)",
        since,
        now,
        OVER_BILLED
    )
    .execute(&mut *db)
    .await?;
    let opened = sqlx::query!(
        "update lago_sync_state s set finalised = false, updated_at = $2
         from metered_transactions x
         where x.id = s.session_id and s.finalised
           and greatest(x.stop_received_at, x.corrected_at) >= coalesce($1::timestamptz, '-infinity')
           and x.meter_stop_wh > coalesce(s.billed_wh, x.meter_start_wh)",
        since,
        now
    )
    .execute(db)
    .await?;
    Ok(opened.rows_affected())
}

/// The tokens of open sessions, and how many such sessions each has. What is on a document here is paid for here, and not
/// among them, whoever the customer is today.
pub async fn open_tokens(db: &mut PgConnection) -> Result<Vec<(String, i64)>> {
    let rows = sqlx::query!(
        r#"select id_token, count(*) as "sessions!" from lago_sync_state s
           where not finalised and not exists (select from invoiced_sessions i where i.session_id = s.session_id)
           group by id_token"#
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.id_token, row.sessions))
        .collect())
}

/// Open sessions of `tokens` after `after`, by id, at most `limit`, without those on a document here,
/// and those that ended on the account of somebody who pays here.
pub async fn open(
    db: &mut PgConnection,
    tokens: &[String],
    after: Uuid,
    limit: i64,
) -> Result<Vec<Open>> {
    Ok(sqlx::query_as!(
        Open,
        r#"select s.session_id, s.site_id, s.id_token, coalesce(st.identity, '') as "station!",
                  x.connector as "connector!",
                  x.started_at as "started_at!", x.meter_start_wh as "meter_start_wh!", x.stopped_at, x.meter_stop_wh,
                  m.energy_wh as "sample_wh?", m.at as "sample_at?", s.billed_wh, s.billed_at, s.flags,
                  s.held, s.let_go
           from lago_sync_state s
           join metered_transactions x on x.id = s.session_id
           left join stations st on st.id = x.station_id
           left join lateral (
             select m.energy_wh, m.at from meter_values m
             where x.stopped_at is null and m.station_id = x.station_id and m.transaction_id = x.id
               and m.at >= x.started_at - interval '1 day' and m.energy_wh is not null
             order by m.at desc limit 1) m on true
           where not s.finalised and s.id_token = any ($1) and s.session_id > $2
             and not exists (select from invoiced_sessions i where i.session_id = s.session_id)
             and not exists (
               select from past_accounts p join customers c on c.id = p.customer_id
               where s.billed_wh is null and x.stopped_at is not null
                 and p.id_token = s.id_token and p.until > x.started_at and c.lago_external_id is null)
           order by s.session_id limit $3"#,
        tokens,
        after,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// Says why sessions' usage waits, or with no reason that it does not; what is as before is not written.
pub async fn hold(
    db: &mut PgConnection,
    holds: &[(Uuid, Vec<String>)],
    now: DateTime<Utc>,
) -> Result<()> {
    let ids: Vec<Uuid> = holds.iter().map(|(id, _)| *id).collect();
    // Reasons are words without commas.
    let reasons: Vec<String> = holds.iter().map(|(_, why)| why.join(",")).collect();
    sqlx::query!(
        "update lago_sync_state s set held = string_to_array(h.reasons, ','), updated_at = $3
         from unnest($1::uuid[], $2::text[]) as h (session_id, reasons)
         where s.session_id = h.session_id and s.held <> string_to_array(h.reasons, ',')",
        &ids,
        &reasons,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Puts events into the outbox and moves the states that count them, in one transaction. An event that exists already
/// moves nothing: its session is flagged instead. Answers how many events are new.
pub async fn record(
    db: &mut PgConnection,
    run: i64,
    events: &[NewEvent],
    changes: &[Change],
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut transaction = db.begin().await?;
    let made = insert(&mut transaction, run, events, now).await?;
    let repeats: Vec<Uuid> = events
        .iter()
        .filter(|event| !made.contains(&event.event_id))
        .map(|event| event.session_id)
        .collect();
    let kept: Vec<&Change> = changes
        .iter()
        .filter(|change| !repeats.contains(&change.session_id))
        .collect();
    let ids: Vec<Uuid> = kept.iter().map(|change| change.session_id).collect();
    let billed: Vec<Option<i64>> = kept.iter().map(|change| change.billed_wh).collect();
    let billed_at: Vec<Option<DateTime<Utc>>> =
        kept.iter().map(|change| change.billed_at).collect();
    let finalised: Vec<bool> = kept.iter().map(|change| change.finalised).collect();
    let flags: Vec<Option<String>> = kept
        .iter()
        .map(|change| change.flag.map(str::to_owned))
        .collect();
    sqlx::query!(
        "update lago_sync_state s set
           total_wh = s.total_wh + coalesce(e.wh, 0), billed_wh = c.billed_wh, billed_at = c.billed_at,
           finalised = c.finalised, last_run_id = $6, updated_at = $7,
           flags = case when c.flag is null or c.flag = any (s.flags) then s.flags else array_append(s.flags, c.flag) end
         from unnest($1::uuid[], $2::bigint[], $3::timestamptz[], $4::boolean[], $5::text[])
           as c (session_id, billed_wh, billed_at, finalised, flag)
         left join (
           select session_id, sum(to_wh - from_wh)::bigint as wh from lago_events
           where run_id = $6 and event_id = any ($8) group by session_id) e on e.session_id = c.session_id
         where s.session_id = c.session_id",
        &ids,
        &billed as &[Option<i64>],
        &billed_at as &[Option<DateTime<Utc>>],
        &finalised,
        &flags as &[Option<String>],
        run,
        now,
        &made
    )
    .execute(&mut *transaction)
    .await?;
    sqlx::query!(
        "update lago_sync_state set flags = array_append(flags, $2), updated_at = $3
         where session_id = any ($1) and $2 <> all (flags)",
        &repeats,
        EVENT_REPEATS,
        now
    )
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(u64::try_from(made.len()).unwrap_or(u64::MAX))
}

/// The ids of the events that were new.
async fn insert(
    db: &mut PgConnection,
    run: i64,
    events: &[NewEvent],
    now: DateTime<Utc>,
) -> Result<Vec<String>> {
    macro_rules! column {
        ($field:ident) => {
            events
                .iter()
                .map(|event| event.$field.clone())
                .collect::<Vec<_>>()
        };
    }
    Ok(sqlx::query_scalar!(
        r#"insert into lago_events (event_id, session_id, site_id, id_token, mapping_id, customer_id, lago_customer,
             lago_subscription, code, at, from_wh, to_wh, kwh, final, properties, run_id, created_at)
           select e.*, $16, $17 from unnest($1::text[], $2::uuid[], $3::uuid[], $4::text[], $5::uuid[], $6::uuid[],
             $7::text[], $8::text[], $9::text[], $10::timestamptz[], $11::bigint[], $12::bigint[], $13::numeric[],
             $14::boolean[], $15::text[]) as e
           on conflict (event_id) do nothing returning event_id"#,
        &column!(event_id),
        &column!(session_id),
        &column!(site_id) as &[Option<Uuid>],
        &column!(id_token),
        &column!(mapping_id),
        &column!(customer_id),
        &column!(lago_customer),
        &column!(lago_subscription) as &[Option<String>],
        &column!(code),
        &column!(at),
        &column!(from_wh),
        &column!(to_wh),
        &column!(kwh),
        &column!(is_final),
        &column!(properties),
        run,
        now
    )
    .fetch_all(db)
    .await?)
}

/// A session's state, as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The session.
    pub session_id: Uuid,
    /// Who charges, in lower case.
    pub id_token: String,
    /// Up to where there are events.
    pub billed_wh: Option<i64>,
    /// What its events sum up to.
    pub total_wh: i64,
    /// Whether nothing more is to come.
    pub finalised: bool,
    /// What a person should look at.
    pub flags: Vec<String>,
    /// The run that last moved it.
    pub last_run_id: Option<i64>,
    /// When that was.
    pub updated_at: DateTime<Utc>,
}

/// The states of the scope, the last moved first; with `flagged` only those that a person should look at.
pub async fn list(db: &mut Scoped<'_>, flagged: bool, limit: i64) -> Result<Vec<State>> {
    Ok(sqlx::query_as!(
        State,
        "select session_id, id_token, billed_wh, total_wh, finalised, flags, last_run_id, updated_at
         from lago_sync_state where not $1 or flags <> '{}' order by updated_at desc, session_id limit $2",
        flagged,
        limit
    )
    .fetch_all(&mut **db)
    .await?)
}

/// A person has looked: the flags go, and of a session that charges what its meter shows now is where billing goes on.
/// False if there is no such session in the scope.
pub async fn resolve(db: &mut Scoped<'_>, session: Uuid, now: DateTime<Utc>) -> Result<bool> {
    let resolved = sqlx::query!(
        "update lago_sync_state s set flags = '{}', updated_at = $2,
           let_go = case when $3 = any (s.flags)
             then array(select distinct r from unnest(s.let_go || s.held || $4) r) else s.let_go end,
           billed_wh = case when s.finalised then s.billed_wh else coalesce(
             (select m.energy_wh from meter_values m join transactions x on x.id = s.session_id
              where m.station_id = x.station_id and m.transaction_id = x.id and m.energy_wh is not null
                and m.at >= x.started_at - interval '1 day'
              order by m.at desc limit 1), s.billed_wh) end
         where s.session_id = $1",
        session,
        now,
        METER_ROLLBACK,
        &RAN_BACK.map(str::to_owned) as &[String]
    )
    .execute(&mut **db)
    .await?;
    Ok(resolved.rows_affected() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids;

    #[test]
    fn ids_sort_by_the_time_they_were_made() {
        let at: DateTime<Utc> = "2026-11-20T12:00:00.123Z".parse().unwrap();
        let before = at - chrono::TimeDelta::milliseconds(1);
        assert!(first_id_of(at) <= ids::new_id(at));
        assert!(ids::new_id(before) < first_id_of(at));
    }
}
