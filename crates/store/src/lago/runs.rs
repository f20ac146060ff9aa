//! Runs of the sync, their logs, and the requests for one more. One connection has the turn at a time.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::Result;

/// The doorbell of a request; the row is what counts.
pub const CHANNEL: &str = "sync_trigger";

/// Why a run runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It was time.
    Schedule,
    /// The worker started.
    Start,
    /// A person or a program asked.
    Request,
    /// Enough was charged since the last event of a session.
    Meter,
    /// Another run is sent again.
    Replay,
}

impl Cause {
    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Cause::Schedule => "schedule",
            Cause::Start => "start",
            Cause::Request => "request",
            Cause::Meter => "meter",
            Cause::Replay => "replay",
        }
    }
}

/// What a run did, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sessions looked at.
    pub sessions: i32,
    /// Open sessions on nobody's account.
    pub unmapped: i32,
    /// Sessions whose usage waits for a person.
    pub held: i32,
    /// Events made.
    pub created: i32,
    /// Events that Lago took now.
    pub sent: i32,
    /// Events that Lago had already.
    pub duplicates: i32,
    /// Events that Lago refused.
    pub rejected: i32,
    /// What went wrong; none: the run completed.
    pub errors: Vec<String>,
}

/// A run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// Its number.
    pub id: i64,
    /// schedule, start, request, meter or replay.
    pub cause: String,
    /// Of which run it is the replay.
    pub replay_of: Option<i64>,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub completed_at: Option<DateTime<Utc>>,
    /// running, completed or failed.
    pub status: String,
    /// Sessions looked at.
    pub sessions: i32,
    /// Open sessions on nobody's account.
    pub unmapped: i32,
    /// Sessions whose usage waits for a person.
    pub held: i32,
    /// Events made.
    pub events_created: i32,
    /// Events that Lago took.
    pub events_sent: i32,
    /// Events that Lago had already.
    pub duplicates: i32,
    /// Events that Lago refused.
    pub rejected: i32,
    /// What went wrong.
    pub errors: Vec<String>,
}

/// A line of a run's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// When.
    pub at: DateTime<Utc>,
    /// info, warn or error.
    pub level: String,
    /// What.
    pub line: String,
}

/// Somebody wants a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub id: i64,
    /// Who, in a word: `portal`, `api`, `command`.
    pub source: String,
    /// Which run to send again.
    pub replay_of: Option<i64>,
}

/// Begins a run.
pub async fn begin(
    db: &mut PgConnection,
    cause: Cause,
    replay_of: Option<i64>,
    now: DateTime<Utc>,
) -> Result<i64> {
    Ok(sqlx::query_scalar!(
        "insert into sync_runs (cause, replay_of, started_at) values ($1, $2, $3) returning id",
        cause.as_str(),
        replay_of,
        now
    )
    .fetch_one(db)
    .await?)
}

/// Adds lines to a run's log.
pub async fn log(db: &mut PgConnection, run: i64, lines: &[Line]) -> Result<()> {
    let at: Vec<DateTime<Utc>> = lines.iter().map(|line| line.at).collect();
    let levels: Vec<String> = lines.iter().map(|line| line.level.clone()).collect();
    let texts: Vec<String> = lines.iter().map(|line| line.line.clone()).collect();
    sqlx::query!(
        "insert into sync_run_log (run_id, at, level, line)
         select $1, at, level, line from unnest($2::timestamptz[], $3::text[], $4::text[]) as l (at, level, line)",
        run,
        &at,
        &levels,
        &texts
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends a run: failed if anything went wrong.
pub async fn finish(
    db: &mut PgConnection,
    run: i64,
    tally: &Tally,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update sync_runs set completed_at = $2, status = case when cardinality($9::text[]) = 0 then 'completed' else 'failed' end,
           sessions = $3, unmapped = $4, events_created = $5, events_sent = $6, duplicates = $7, rejected = $8, errors = $9,
           held = $10
         where id = $1",
        run,
        now,
        tally.sessions,
        tally.unmapped,
        tally.created,
        tally.sent,
        tally.duplicates,
        tally.rejected,
        &tally.errors,
        tally.held
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends the runs that a worker left running when it died. Only who has the turn may ask; answers how many there were.
pub async fn abandon(db: &mut PgConnection, now: DateTime<Utc>) -> Result<u64> {
    let abandoned = sqlx::query!(
        "update sync_runs set status = 'failed', completed_at = $1, errors = errors || 'worker restarted'::text
         where status = 'running'",
        now
    )
    .execute(db)
    .await?;
    Ok(abandoned.rows_affected())
}

/// The last runs, newest first.
pub async fn recent(db: &mut PgConnection, limit: i64) -> Result<Vec<Run>> {
    Ok(sqlx::query_as!(
        Run,
        "select id, cause, replay_of, started_at, completed_at, status, sessions, unmapped, held, events_created, events_sent,
                duplicates, rejected, errors
         from sync_runs order by started_at desc, id desc limit $1",
        limit
    )
    .fetch_all(db)
    .await?)
}

/// One run.
pub async fn get(db: &mut PgConnection, id: i64) -> Result<Option<Run>> {
    Ok(sqlx::query_as!(
        Run,
        "select id, cause, replay_of, started_at, completed_at, status, sessions, unmapped, held, events_created, events_sent,
                duplicates, rejected, errors
         from sync_runs where id = $1",
        id
    )
    .fetch_optional(db)
    .await?)
}

/// A run's log, from its beginning.
pub async fn log_of(db: &mut PgConnection, run: i64, limit: i64) -> Result<Vec<Line>> {
    Ok(sqlx::query_as!(
        Line,
        "select at, level, line from sync_run_log where run_id = $1 order by n limit $2",
        run,
        limit
    )
    .fetch_all(db)
    .await?)
}

/// Asks for a run, and rings.
pub async fn request(
    db: &mut PgConnection,
    source: &str,
    replay_of: Option<i64>,
    now: DateTime<Utc>,
) -> Result<i64> {
    let id = sqlx::query_scalar!(
        "insert into sync_requests (requested_at, source, replay_of) values ($1, $2, $3) returning id",
        now,
        source,
        replay_of
    )
    .fetch_one(&mut *db)
    .await?;
    let said = serde_json::json!({ "source": source, "timestamp": now.to_rfc3339() }).to_string();
    sqlx::query!("select pg_notify($1, $2)", CHANNEL, said)
        .fetch_one(db)
        .await?;
    Ok(id)
}

/// Every request that waits.
pub async fn requests(db: &mut PgConnection) -> Result<Vec<Request>> {
    Ok(sqlx::query_as!(
        Request,
        "select id, source, replay_of from sync_requests where taken_at is null order by id"
    )
    .fetch_all(db)
    .await?)
}

/// Notes that requests were obeyed.
pub async fn obeyed(db: &mut PgConnection, requests: &[i64], now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update sync_requests set taken_at = $2 where id = any ($1)",
        requests,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Any number will do, as long as every process takes the same one.
const TURN: i64 = 0x4c61_676f;

/// Takes the turn to sync; false if another connection has it. It ends with [`end_turn`] or the connection.
pub async fn take_turn(db: &mut PgConnection) -> Result<bool> {
    Ok(
        sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "taken!""#, TURN)
            .fetch_one(db)
            .await?,
    )
}

/// Lets others have their turn.
pub async fn end_turn(db: &mut PgConnection) -> Result<()> {
    sqlx::query!("select pg_advisory_unlock($1)", TURN)
        .fetch_one(db)
        .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::database;

    #[tokio::test]
    async fn a_run_that_its_worker_left_is_ended_and_a_request_is_taken_once() {
        let db = database().await;
        let mut db = db.pool.acquire().await.unwrap();
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let id = begin(&mut db, Cause::Schedule, None, now).await.unwrap();
        assert_eq!(abandon(&mut db, now).await.unwrap(), 1);
        let run = get(&mut db, id).await.unwrap().unwrap();
        assert_eq!(
            (run.status.as_str(), run.errors.as_slice()),
            ("failed", ["worker restarted".to_owned()].as_slice())
        );
        assert_eq!(abandon(&mut db, now).await.unwrap(), 0);

        request(&mut db, "api", Some(id), now).await.unwrap();
        let waiting = requests(&mut db).await.unwrap();
        assert_eq!(
            (waiting[0].source.as_str(), waiting[0].replay_of),
            ("api", Some(id))
        );
        obeyed(&mut db, &[waiting[0].id], now).await.unwrap();
        assert_eq!(requests(&mut db).await.unwrap(), []);
    }
}
