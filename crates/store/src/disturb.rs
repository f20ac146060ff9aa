//! Means to disturb a test's database as life does (held tables, errors of every SQLSTATE, connections cut off), and to see
//! what it does then.

use sqlx::{AssertSqlSafe, Executor, PgConnection};

use crate::testing::TestDb;

/// When an error strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// While a statement writes a row of the table.
    Statement,
    /// At the commit of a transaction that inserted into the table.
    Commit,
}

/// What strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow<'a> {
    /// An error of this SQLSTATE.
    Error(&'a str),
    /// The connection's own server process is told to end.
    Terminate,
}

/// A table that nobody else can use until this is dropped or let go.
#[derive(Debug)]
pub struct Held(crate::Transaction);

impl Held {
    /// Lets go.
    ///
    /// # Panics
    /// When the database is gone.
    pub async fn release(self) {
        self.0.rollback().await.expect("let go of the table");
    }
}

/// What every connection does and waits for, a line each.
///
/// # Errors
/// When the database cannot be asked.
pub async fn activity(db: &mut PgConnection) -> crate::Result<Vec<String>> {
    Ok(sqlx::query_scalar(
        "select concat_ws(' ', application_name, state, wait_event_type, wait_event, now() - state_change, left(query, 200))
         from pg_stat_activity where backend_type = 'client backend' and pid <> pg_backend_pid()",
    )
    .fetch_all(db)
    .await?)
}

/// The rows of a table as they were.
#[derive(Debug)]
pub struct Kept {
    pool: crate::Pool,
    table: String,
}

impl Kept {
    /// Puts them back, whatever was done to them.
    ///
    /// # Panics
    /// When the database is gone.
    pub async fn restore(self) {
        let table = self.table;
        let mut db = self.pool.acquire().await.expect("a connection");
        execute(
            &mut db,
            format!(
                "alter table {table} disable trigger all;
                 delete from {table}; insert into {table} select * from kept_{table};
                 alter table {table} enable trigger all"
            ),
        )
        .await;
    }
}

impl TestDb {
    /// Takes the table; whoever asks for it waits.
    ///
    /// # Panics
    /// When there is no such table.
    pub async fn hold(&self, table: &str) -> Held {
        let mut transaction = self.pool.begin().await.expect("begin");
        execute(
            &mut transaction,
            format!("lock table {table} in access exclusive mode"),
        )
        .await;
        Held(transaction)
    }

    /// How many connections wait for something that another holds.
    ///
    /// # Panics
    /// When the database is gone.
    pub async fn waiting(&self) -> i64 {
        sqlx::query_scalar(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'",
        )
        .fetch_one(&self.pool)
        .await
        .expect("a look at the connections")
    }

    /// Ends the server processes of a room's connections; answers how many there were.
    ///
    /// # Panics
    /// When the database is gone.
    pub async fn cut_off(&self, room: crate::Room) -> i64 {
        sqlx::query_scalar(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity
             where datname = current_database() and application_name = $1",
        )
        .bind(room.role())
        .fetch_one(&self.pool)
        .await
        .expect("end the connections")
    }

    /// Lets the next transaction that comes to this table at this moment fail, once. Ask [`Self::struck`] whether it did.
    ///
    /// # Panics
    /// When there is no such table, or it is disturbed already.
    pub async fn strike_once(&self, table: &str, moment: Moment, blow: Blow<'_>) {
        let act = match blow {
            Blow::Error(code) => format!("raise exception 'struck' using errcode = '{code}'"),
            Blow::Terminate => "perform pg_terminate_backend(pg_backend_pid())".to_owned(),
        };
        let trigger = match moment {
            Moment::Statement => {
                format!("create trigger strike before insert or update on {table} for each row")
            }
            Moment::Commit => format!(
                "create constraint trigger strike after insert on {table} deferrable initially deferred for each row"
            ),
        };
        let mut db = self.pool.acquire().await.expect("a connection");
        // A sequence counts what a rollback does not undo.
        execute(
            &mut db,
            format!(
                "create sequence strikes_{table};
                 create function strike_{table}() returns trigger language plpgsql security definer as $$
                 begin
                   if nextval('strikes_{table}') = 1 then {act}; end if;
                   return new;
                 end $$;
                 {trigger} execute function strike_{table}()"
            ),
        )
        .await;
    }

    /// From now on no CALL that says `word` can be stored in the message log.
    ///
    /// # Panics
    /// When it is called twice.
    pub async fn refuse_messages_with(&self, word: &str) {
        let mut db = self.pool.acquire().await.expect("a connection");
        execute(
            &mut db,
            format!(
                "create function refuse_message() returns trigger language plpgsql as $$
                 begin
                   if position('{word}' in new.payload) > 0 then raise exception 'refused' using errcode = '22000'; end if;
                   return new;
                 end $$;
                 create trigger refuse before insert on ocpp_messages for each row execute function refuse_message()"
            ),
        )
        .await;
    }

    /// Takes back [`Self::strike_once`]; answers whether it struck.
    ///
    /// # Panics
    /// When the table is not disturbed.
    pub async fn struck(&self, table: &str) -> bool {
        let mut db = self.pool.acquire().await.expect("a connection");
        let called: bool = sqlx::query_scalar(AssertSqlSafe(format!(
            "select is_called from strikes_{table}"
        )))
        .fetch_one(&mut *db)
        .await
        .expect("the strikes");
        execute(
            &mut db,
            format!("drop trigger strike on {table}; drop function strike_{table}(); drop sequence strikes_{table}"),
        )
        .await;
        called
    }

    /// Waits until every event can be read: those that transactions of other tests in this cluster may still come before
    /// are held back.
    ///
    /// # Panics
    /// When that takes half a minute.
    pub async fn settle(&self) {
        let patience = std::time::Duration::from_secs(30);
        let settled = tokio::time::timeout(patience, async {
            loop {
                let held_back: bool = sqlx::query_scalar(
                    "select exists (select from events where tx >= pg_snapshot_xmin(pg_current_snapshot()))",
                )
                .fetch_one(&self.pool)
                .await
                .expect("a look at the events");
                if !held_back {
                    return;
                }
                tokio::time::sleep(std::time::Duration::from_millis(5)).await;
            }
        });
        settled.await.expect("events can be read");
    }

    /// How many events of this kind there are of a subject, readable yet or not.
    ///
    /// # Panics
    /// When the database is gone.
    pub async fn count_events(&self, kind: &str, subject: uuid::Uuid) -> i64 {
        sqlx::query_scalar("select count(*) from events where kind = $1 and subject = $2")
            .bind(kind)
            .bind(subject)
            .fetch_one(&self.pool)
            .await
            .expect("count the events")
    }

    /// Empties the outbox, as retention would after two weeks.
    ///
    /// # Panics
    /// When the database is gone.
    pub async fn forget_events(&self) {
        let mut db = self.pool.acquire().await.expect("a connection");
        execute(&mut db, "delete from events".to_owned()).await;
    }

    /// Tries to write a price past the rules; answers what the database said.
    ///
    /// # Panics
    /// When it let that happen.
    pub async fn forge_price(&self, db: &mut PgConnection, session: uuid::Uuid) -> String {
        sqlx::query(
            "insert into session_prices select (p).* from session_prices p where session_id = $1",
        )
        .bind(session)
        .execute(db)
        .await
        .expect_err("a forged price")
        .to_string()
    }

    /// Tries to change prices that were written; answers what the database said.
    ///
    /// # Panics
    /// When it let that happen.
    pub async fn change_prices(&self, db: &mut PgConnection) -> String {
        sqlx::query("update session_prices set total = 0")
            .execute(db)
            .await
            .expect_err("a changed price")
            .to_string()
    }

    /// Changes rows of a table that refuses it, as only the database's owner can, with the triggers away: `set` where
    /// `which`. Answers how many.
    ///
    /// # Panics
    /// When there is no such table or column.
    pub async fn tamper(&self, table: &str, set: &str, which: &str) -> u64 {
        let mut db = self.pool.acquire().await.expect("a connection");
        execute(&mut db, format!("alter table {table} disable trigger all")).await;
        let done = sqlx::query(AssertSqlSafe(format!(
            "update {table} set {set} where {which}"
        )))
        .execute(&mut *db)
        .await
        .expect("change the rows");
        execute(&mut db, format!("alter table {table} enable trigger all")).await;
        done.rows_affected()
    }

    /// Takes rows away as [`Self::tamper`] changes them.
    ///
    /// # Panics
    /// When there is no such table or column.
    pub async fn snatch(&self, table: &str, which: &str) -> u64 {
        let mut db = self.pool.acquire().await.expect("a connection");
        execute(&mut db, format!("alter table {table} disable trigger all")).await;
        let done = sqlx::query(AssertSqlSafe(format!("delete from {table} where {which}")))
            .execute(&mut *db)
            .await
            .expect("take the rows away");
        execute(&mut db, format!("alter table {table} enable trigger all")).await;
        done.rows_affected()
    }

    /// Remembers the rows of a table, to put them back.
    ///
    /// # Panics
    /// When there is no such table.
    pub async fn keep(&self, table: &str) -> Kept {
        let mut db = self.pool.acquire().await.expect("a connection");
        execute(
            &mut db,
            format!(
                "drop table if exists kept_{table}; create table kept_{table} as table {table}"
            ),
        )
        .await;
        Kept {
            pool: self.pool.clone(),
            table: table.to_owned(),
        }
    }

    /// Whether the station has a socket, as the rows say.
    ///
    /// # Panics
    /// When the database is gone.
    pub async fn is_connected(&self, identity: &str) -> bool {
        sqlx::query_scalar(
            "select exists (select from station_presence p join stations s on s.id = p.station_id
                            where lower(s.identity) = lower($1) and p.connected)",
        )
        .bind(identity)
        .fetch_one(&self.pool)
        .await
        .expect("the presence")
    }
}

/// Table names and SQLSTATEs are the tests' own words.
async fn execute(db: &mut PgConnection, statements: String) {
    db.execute(sqlx::raw_sql(AssertSqlSafe(statements.clone())))
        .await
        .unwrap_or_else(|error| panic!("{statements}: {error}"));
}
