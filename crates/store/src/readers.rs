//! Readers of the outbox that must miss nothing: where each stands is a row. It is locked while a batch is worked on, and
//! moves in the transaction that did the work, so that work is neither lost nor done twice whenever a worker dies.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::events::Position;
use crate::{Cursor, Result};

/// Where a reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reader {
    /// It has read everything up to here.
    pub position: Position,
    /// It also looks through what is stored, for what no event tells of any more, and goes on after this place; `None`
    /// when that is done. A sweep begins at [`BEGINNING`].
    pub sweep: Option<Cursor>,
    /// When it last moved.
    pub moved_at: DateTime<Utc>,
}

/// The place before everything.
pub const BEGINNING: Cursor = Cursor {
    at: DateTime::UNIX_EPOCH,
    id: Uuid::nil(),
};

/// Takes the reader for this transaction; `None` if another has it. A reader that nobody knows starts where the outbox
/// ends now, and with a sweep: what happened before is found in the rows themselves.
pub async fn take(db: &mut PgConnection, name: &str, now: DateTime<Utc>) -> Result<Option<Reader>> {
    sqlx::query!(
        "insert into reader_positions (reader, tx, id, sweep_at, sweep_id, moved_at)
         select $1, pg_snapshot_xmin(pg_current_snapshot())::text::bigint - 1, 9223372036854775807, $2, $3, $4
         where not exists (select from reader_positions where reader = $1)
         on conflict do nothing",
        name,
        BEGINNING.at,
        BEGINNING.id,
        now
    )
    .execute(&mut *db)
    .await?;
    let row = sqlx::query!(
        "select tx, id, sweep_at, sweep_id, moved_at from reader_positions where reader = $1 for update skip locked",
        name
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Reader {
        position: Position {
            tx: row.tx,
            id: row.id,
        },
        sweep: row
            .sweep_at
            .zip(row.sweep_id)
            .map(|(at, id)| Cursor { at, id }),
        moved_at: row.moved_at,
    }))
}

/// Where a reader stands, for people; `None` before its first turn.
pub async fn look(db: &mut PgConnection, name: &str) -> Result<Option<Reader>> {
    let row = sqlx::query!(
        "select tx, id, sweep_at, sweep_id, moved_at from reader_positions where reader = $1",
        name
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Reader {
        position: Position {
            tx: row.tx,
            id: row.id,
        },
        sweep: row
            .sweep_at
            .zip(row.sweep_id)
            .map(|(at, id)| Cursor { at, id }),
        moved_at: row.moved_at,
    }))
}

/// Moves the reader, in the transaction that took it.
pub async fn advance(
    db: &mut PgConnection,
    name: &str,
    position: Position,
    sweep: Option<Cursor>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update reader_positions set tx = $2, id = $3, sweep_at = $4, sweep_id = $5, moved_at = $6 where reader = $1",
        name,
        position.tx,
        position.id,
        sweep.map(|cursor| cursor.at),
        sweep.map(|cursor| cursor.id),
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Makes the reader look through everything that is stored again; it stays where it is in the outbox.
pub async fn sweep_again(db: &mut PgConnection, name: &str) -> Result<()> {
    sqlx::query!(
        "update reader_positions set sweep_at = $2, sweep_id = $3 where reader = $1",
        name,
        BEGINNING.at,
        BEGINNING.id
    )
    .execute(db)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::database;
    use sqlx::Connection;

    #[tokio::test]
    async fn one_has_it_at_a_time_and_what_is_not_committed_was_not_read() {
        let db = database().await;
        let now = "2026-11-20T12:00:00Z".parse().unwrap();
        let (mut one, mut other) = (
            db.pool.acquire().await.unwrap(),
            db.pool.acquire().await.unwrap(),
        );
        assert_eq!(look(&mut one, "pricing").await.unwrap(), None);
        let mut tx = one.begin().await.unwrap();
        let first = take(&mut tx, "pricing", now).await.unwrap().unwrap();
        assert_eq!(first.sweep, Some(BEGINNING));
        tx.commit().await.unwrap();

        let mut tx = one.begin().await.unwrap();
        assert_eq!(take(&mut tx, "pricing", now).await.unwrap(), Some(first));
        let mut theirs = other.begin().await.unwrap();
        assert_eq!(take(&mut theirs, "pricing", now).await.unwrap(), None);
        theirs.rollback().await.unwrap();
        let further = Position { tx: 7, id: 9 };
        advance(&mut tx, "pricing", further, None, now)
            .await
            .unwrap();
        tx.rollback().await.unwrap();
        assert_eq!(look(&mut other, "pricing").await.unwrap(), Some(first));

        let mut tx = one.begin().await.unwrap();
        take(&mut tx, "pricing", now).await.unwrap().unwrap();
        advance(&mut tx, "pricing", further, None, now)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        sweep_again(&mut other, "pricing").await.unwrap();
        let found = look(&mut other, "pricing").await.unwrap().unwrap();
        assert_eq!((found.position, found.sweep), (further, Some(BEGINNING)));
    }
}
