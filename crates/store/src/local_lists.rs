//! Local authorization lists: which tokens a station should hold, what it holds as far as it accepted what was sent, and
//! how a push stands. What to push is decided in the csms; nothing here talks to a station.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, Scoped};

/// OCPP 1.6 takes tokens of this many characters; longer ones stay out of its lists.
pub const LONGEST_TOKEN: i32 = 20;

/// A token as a list holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The idTag.
    pub token: String,
    /// Accepted, Blocked, Expired, Invalid.
    pub status: String,
    /// The parentIdTag.
    pub parent: Option<String>,
    /// The expiryDate.
    pub expires_at: Option<DateTime<Utc>>,
}

/// How a station's list stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct List {
    /// Changes are pushed by themselves.
    pub subscribed: bool,
    /// all, site or chosen.
    pub rule: String,
    /// The version that the station last accepted from us.
    pub version: i32,
    /// What it said itself; -1: it keeps none.
    pub station_version: Option<i32>,
    /// When.
    pub asked_at: Option<DateTime<Utc>>,
    /// Whether it keeps lists at all, as far as that is known.
    pub supported: Option<bool>,
    /// Accepted, Failed, NotSupported, VersionMismatch, or why there is no answer.
    pub last_result: Option<String>,
    /// When.
    pub last_result_at: Option<DateTime<Utc>>,
    /// The next push must be a full one.
    pub want_full: bool,
    /// It was not compared since something changed.
    pub look: bool,
    /// The SendLocalList that is under way.
    pub pending_command: Option<Uuid>,
    /// Pushes in a row that failed.
    pub failures: i32,
    /// When it is tried again.
    pub next_try_at: Option<DateTime<Utc>>,
}

impl Default for List {
    fn default() -> Self {
        List {
            subscribed: false,
            rule: "site".to_owned(),
            version: 0,
            station_version: None,
            asked_at: None,
            supported: None,
            last_result: None,
            last_result_at: None,
            want_full: true,
            look: true,
            pending_command: None,
            failures: 0,
            next_try_at: None,
        }
    }
}

/// A list of tokens as it was sent: entries without a status take a token away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The listVersion.
    pub version: i32,
    /// It takes the place of what was there.
    pub full: bool,
    /// What is to be held.
    pub held: Vec<Entry>,
    /// What is to be held no longer.
    pub removed: Vec<String>,
}

/// How a station's list stands; as it is at first if nobody ever asked for one.
pub async fn of(db: &mut PgConnection, station_id: Uuid) -> Result<List> {
    Ok(sqlx::query_as!(
        List,
        "select subscribed, rule, version, station_version, asked_at, supported, last_result, last_result_at, want_full,
                look, pending_command, failures, next_try_at
         from local_lists where station_id = $1",
        station_id
    )
    .fetch_optional(db)
    .await?
    .unwrap_or_default())
}

/// What a station of the scope holds, by token.
pub async fn held(db: &mut PgConnection, station_id: Uuid) -> Result<Vec<Entry>> {
    Ok(sqlx::query_as!(
        Entry,
        "select token, status, parent, expires_at from local_list_entries where station_id = $1 order by lower(token)",
        station_id
    )
    .fetch_all(db)
    .await?)
}

/// What a station should hold by its rule, by token.
pub async fn wanted(db: &mut PgConnection, station_id: Uuid) -> Result<Vec<Entry>> {
    Ok(sqlx::query_as!(
        Entry,
        r#"select t.token, initcap(t.status) as "status!",
                  case when length(t.parent) <= $2 then t.parent end as parent, t.expires_at
           from stations s left join local_lists l on l.station_id = s.id
           join id_tokens t on coalesce(l.rule, 'site') = 'all' or exists (
             select from local_list_members m where m.id_token_id = t.id
               and (coalesce(l.rule, 'site') = 'site' and m.site_id = s.site_id
                    or l.rule = 'chosen' and m.station_id = s.id))
           where s.id = $1 and length(t.token) <= $2
           order by lower(t.token)"#,
        station_id,
        LONGEST_TOKEN
    )
    .fetch_all(db)
    .await?)
}

/// Whether a station's list is kept by us, and by which rule; with a change it is looked at again.
pub async fn subscribe(
    db: &mut PgConnection,
    station_id: Uuid,
    subscribed: bool,
    rule: &str,
) -> Result<()> {
    sqlx::query!(
        "insert into local_lists as l (station_id, subscribed, rule) values ($1, $2, $3)
         on conflict (station_id) do update set
           subscribed = excluded.subscribed, rule = excluded.rule, look = true, failures = 0, next_try_at = null,
           supported = case when excluded.subscribed and not l.subscribed then null else l.supported end",
        station_id,
        subscribed,
        rule
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Asks for a look now, and with `full` for everything to be sent anew; whether the station's list is kept by us at all.
pub async fn push_again(db: &mut PgConnection, station_id: Uuid, full: bool) -> Result<bool> {
    let asked = sqlx::query!(
        "update local_lists set look = true, want_full = want_full or $2, failures = 0, next_try_at = null, supported = null
         where station_id = $1 and subscribed",
        station_id,
        full
    )
    .execute(db)
    .await?;
    Ok(asked.rows_affected() > 0)
}

/// For whom tokens are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chosen {
    /// One station.
    Station(Uuid),
    /// Every station of a site.
    Site(Uuid),
}

impl Chosen {
    fn columns(self) -> (Option<Uuid>, Option<Uuid>) {
        match self {
            Chosen::Station(id) => (Some(id), None),
            Chosen::Site(id) => (None, Some(id)),
        }
    }
}

/// The chosen tokens, by text.
pub async fn members(db: &mut PgConnection, chosen: Chosen) -> Result<Vec<String>> {
    let (station, site) = chosen.columns();
    Ok(sqlx::query_scalar!(
        "select t.token from local_list_members m join id_tokens t on t.id = m.id_token_id
         where m.station_id = $1 or m.site_id = $2 order by lower(t.token)",
        station,
        site
    )
    .fetch_all(db)
    .await?)
}

/// Chooses tokens instead of those that were chosen; answers the ones that nobody knows, and then nothing is changed.
pub async fn choose(
    db: &mut PgConnection,
    chosen: Chosen,
    tokens: &[String],
) -> Result<Vec<String>> {
    let (station, site) = chosen.columns();
    let unknown = sqlx::query_scalar!(
        r#"select said as "said!" from unnest($1::text[]) as said
           where not exists (select from id_tokens where lower(token) = lower(said))"#,
        tokens
    )
    .fetch_all(&mut *db)
    .await?;
    if !unknown.is_empty() {
        return Ok(unknown);
    }
    sqlx::query!(
        "delete from local_list_members m where (m.station_id = $1 or m.site_id = $2)
           and not exists (select from id_tokens t join unnest($3::text[]) as said on lower(t.token) = lower(said)
                           where t.id = m.id_token_id)",
        station,
        site,
        tokens
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into local_list_members (id_token_id, station_id, site_id)
         select distinct t.id, $1::uuid, $2::uuid from id_tokens t join unnest($3::text[]) as said on lower(t.token) = lower(said)
         on conflict do nothing",
        station,
        site,
        tokens
    )
    .execute(db)
    .await?;
    Ok(Vec::new())
}

/// A station whose list is to be compared, taken for this transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// The station.
    pub station_id: Uuid,
    /// Its site.
    pub site_id: Option<Uuid>,
    /// How its list stands.
    pub list: List,
}

/// The next subscribed station whose list is to be looked at.
pub async fn next_due(db: &mut PgConnection, now: DateTime<Utc>) -> Result<Option<Due>> {
    let due = sqlx::query!(
        "select l.station_id, s.site_id from local_lists l join stations s on s.id = l.station_id
         where l.subscribed and l.look and l.pending_command is null and l.supported is distinct from false
           and (l.next_try_at is null or l.next_try_at <= $1) and s.registration = 'accepted'
         order by l.station_id limit 1 for update of l skip locked",
        now
    )
    .fetch_optional(&mut *db)
    .await?;
    let Some(due) = due else { return Ok(None) };
    Ok(Some(Due {
        station_id: due.station_id,
        site_id: due.site_id,
        list: of(db, due.station_id).await?,
    }))
}

/// The list was compared: it is as it should be, or `command` brings it nearer. After `failure` nothing can be done.
pub async fn looked(
    db: &mut PgConnection,
    station_id: Uuid,
    command: Option<Uuid>,
    failure: Option<&str>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update local_lists set look = false, pending_command = $2, last_result = coalesce($3, last_result),
           last_result_at = case when $3::text is null then last_result_at else $4 end
         where station_id = $1",
        station_id,
        command,
        failure,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The station accepted what was sent, whoever sent it. Should it differ still, it is looked at again.
pub async fn accepted(
    db: &mut PgConnection,
    station_id: Uuid,
    sent: &Sent,
    now: DateTime<Utc>,
) -> Result<()> {
    let gone: Vec<String> = sent
        .removed
        .iter()
        .chain(sent.held.iter().map(|entry| &entry.token))
        .map(|token| token.to_lowercase())
        .collect();
    sqlx::query!(
        "delete from local_list_entries where station_id = $1 and ($2 or lower(token) = any ($3))",
        station_id,
        sent.full,
        &gone
    )
    .execute(&mut *db)
    .await?;
    let tokens: Vec<String> = sent.held.iter().map(|entry| entry.token.clone()).collect();
    let statuses: Vec<String> = sent.held.iter().map(|entry| entry.status.clone()).collect();
    let parents: Vec<Option<String>> = sent.held.iter().map(|entry| entry.parent.clone()).collect();
    let expiries: Vec<Option<DateTime<Utc>>> =
        sent.held.iter().map(|entry| entry.expires_at).collect();
    sqlx::query!(
        "insert into local_list_entries (station_id, token, status, parent, expires_at)
         select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::timestamptz[])
         on conflict do nothing",
        station_id,
        &tokens,
        &statuses,
        &parents as &[Option<String>],
        &expiries as &[Option<DateTime<Utc>>]
    )
    .execute(&mut *db)
    .await?;
    sqlx::query!(
        "insert into local_lists as l (station_id, version, station_version, supported, last_result, last_result_at, want_full)
         values ($1, $2, $2, true, 'Accepted', $3, not $4)
         on conflict (station_id) do update set
           version = excluded.version, station_version = excluded.station_version, supported = true,
           last_result = excluded.last_result, last_result_at = excluded.last_result_at,
           want_full = case when $4 then false else l.want_full end,
           look = true, pending_command = null, failures = 0, next_try_at = null",
        station_id,
        sent.version,
        now,
        sent.full
    )
    .execute(db)
    .await?;
    Ok(())
}

/// How a push that was not accepted goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused<'a> {
    /// The station's word, or why there is none.
    pub answer: &'a str,
    /// It keeps no list: nothing is pushed until somebody asks again.
    pub unsupported: bool,
    /// When it is tried again, with a full list; `None`: at once.
    pub next_try_at: Option<DateTime<Utc>>,
}

/// The station did not accept what was sent.
pub async fn refused(
    db: &mut PgConnection,
    station_id: Uuid,
    refused: &Refused<'_>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "with refused as (
           insert into local_lists as l (station_id, supported, last_result, last_result_at, failures, next_try_at)
           values ($1, case when $3 then false end, $2, $5, 1, $4)
           on conflict (station_id) do update set
             supported = coalesce(excluded.supported, l.supported), last_result = excluded.last_result,
             last_result_at = excluded.last_result_at, failures = l.failures + 1, next_try_at = excluded.next_try_at,
             want_full = true, look = true, pending_command = null
           returning station_id)
         insert into events (at, kind, site_id, station_id, subject, detail)
         select $5, 'local_list.refused', s.site_id, s.id, null, jsonb_build_object('answer', $2::text)
         from refused join stations s on s.id = refused.station_id",
        station_id,
        refused.answer,
        refused.unsupported,
        refused.next_try_at,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The station said the version of its list. If that is not ours, the next push is a full one.
pub async fn version_said(
    db: &mut PgConnection,
    station_id: Uuid,
    version: i32,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "insert into local_lists as l (station_id, station_version, asked_at, supported) values ($1, $2, $3, $2 >= 0)
         on conflict (station_id) do update set
           station_version = excluded.station_version, asked_at = excluded.asked_at, supported = excluded.supported,
           want_full = l.want_full or l.version <> excluded.station_version,
           look = l.look or l.version <> excluded.station_version",
        station_id,
        version,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A push that ended without an answer: nobody knows what the station holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// The station.
    pub station_id: Uuid,
    /// error, timeout, expired, cancelled or unknown.
    pub status: String,
    /// Failures in a row before it.
    pub failures: i32,
}

/// The pushes under way whose command came to an end other than by an answer.
pub async fn unanswered(db: &mut PgConnection) -> Result<Vec<Unanswered>> {
    Ok(sqlx::query_as!(
        Unanswered,
        "select l.station_id, c.status, l.failures
         from local_lists l join commands c on c.id = l.pending_command
         where l.pending_command is not null and c.status in ('error', 'timeout', 'expired', 'cancelled', 'unknown')
         for update of l skip locked"
    )
    .fetch_all(db)
    .await?)
}

/// How many tokens are too long for a list of OCPP 1.6.
pub async fn too_long(db: &mut Scoped<'_>) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        r#"select count(*) as "count!" from id_tokens where length(token) > $1"#,
        LONGEST_TOKEN
    )
    .fetch_one(&mut **db)
    .await?)
}
