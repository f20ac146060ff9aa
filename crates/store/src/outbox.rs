//! Mail that waits to be sent. It is queued in the transaction that has something to say; whoever claims it has it to
//! itself for a while, so that several workers never send the same mail at once.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Result, ids};

/// A mail to be queued.
#[derive(Debug, Clone)]
pub struct NewMail<'a> {
    /// One mailbox.
    pub recipient: &'a str,
    /// One line.
    pub subject: &'a str,
    /// Plain text.
    pub text: &'a str,
    /// The same as HTML.
    pub html: Option<&'a str>,
    /// After this it is not worth sending.
    pub give_up_at: DateTime<Utc>,
}

/// A mail that was claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its id.
    pub id: Uuid,
    /// One mailbox.
    pub recipient: String,
    /// One line.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The same as HTML.
    pub html: Option<String>,
    /// How often it was claimed, this time included.
    pub tries: i32,
    /// After this it is not worth sending.
    pub give_up_at: DateTime<Utc>,
}

/// Queues a mail, to be sent at once.
pub async fn queue(db: &mut PgConnection, mail: &NewMail<'_>, now: DateTime<Utc>) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into mail_outbox (id, recipient, subject, body_text, body_html, created_at, next_try_at, give_up_at)
         values ($1, $2, $3, $4, $5, $6, $6, $7)",
        id,
        mail.recipient,
        mail.subject,
        mail.text,
        mail.html,
        now,
        mail.give_up_at
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Claims at most `limit` mails that are due, the oldest first. Nobody else gets them before `lease` is over; a worker
/// that dies leaves them to be claimed again.
pub async fn claim(
    db: &mut PgConnection,
    limit: i64,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Waiting>> {
    Ok(sqlx::query_as!(
        Waiting,
        "update mail_outbox set next_try_at = $3, tries = tries + 1
         where id in (
           select id from mail_outbox
           where sent_at is null and not gave_up and next_try_at <= $2
           order by next_try_at limit $1 for update skip locked)
         returning id, recipient, subject, body_text as text, body_html as html, tries, give_up_at",
        limit,
        now,
        now + lease
    )
    .fetch_all(db)
    .await?)
}

/// The mail server has taken it.
pub async fn sent(db: &mut PgConnection, id: Uuid, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!(
        "update mail_outbox set sent_at = $2, last_error = null where id = $1",
        id,
        now
    )
    .execute(db)
    .await?;
    Ok(())
}

/// It was not taken: try again at `again`, or never.
pub async fn not_sent(
    db: &mut PgConnection,
    id: Uuid,
    again: Option<DateTime<Utc>>,
    why: &str,
) -> Result<()> {
    sqlx::query!(
        "update mail_outbox set next_try_at = coalesce($2, next_try_at), gave_up = $2::timestamptz is null, last_error = $3
         where id = $1",
        id,
        again,
        why
    )
    .execute(db)
    .await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::database;

    #[tokio::test]
    async fn a_claimed_mail_is_nobody_elses_until_its_lease_is_over() {
        let db = database().await;
        let mut db = db.pool.acquire().await.unwrap();
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let lease = TimeDelta::minutes(2);
        let mail = NewMail {
            recipient: "ada@example.org",
            subject: "Hello",
            text: "…",
            html: None,
            give_up_at: now + TimeDelta::minutes(10),
        };
        let id = queue(&mut db, &mail, now).await.unwrap();
        let claimed = claim(&mut db, 10, lease, now).await.unwrap();
        assert_eq!((claimed[0].id, claimed[0].tries), (id, 1));
        assert_eq!(claim(&mut db, 10, lease, now).await.unwrap(), []);

        let later = now + lease;
        assert_eq!(claim(&mut db, 10, lease, later).await.unwrap()[0].tries, 2);
        sent(&mut db, id, later).await.unwrap();
        let much_later = later + TimeDelta::days(1);
        assert_eq!(claim(&mut db, 10, lease, much_later).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_mail_that_was_given_up_is_left_alone() {
        let db = database().await;
        let mut db = db.pool.acquire().await.unwrap();
        let now: DateTime<Utc> = "2026-03-01T12:00:00Z".parse().unwrap();
        let mail = NewMail {
            recipient: "nobody",
            subject: "Hello",
            text: "…",
            html: Some("<p>…</p>"),
            give_up_at: now,
        };
        let id = queue(&mut db, &mail, now).await.unwrap();
        let again = now + TimeDelta::seconds(5);
        not_sent(&mut db, id, Some(again), "451 later")
            .await
            .unwrap();
        assert_eq!(claim(&mut db, 1, TimeDelta::zero(), now).await.unwrap(), []);
        assert_eq!(
            claim(&mut db, 1, TimeDelta::zero(), again)
                .await
                .unwrap()
                .len(),
            1
        );
        not_sent(&mut db, id, None, "550 never").await.unwrap();
        let later = now + TimeDelta::days(1);
        assert_eq!(
            claim(&mut db, 1, TimeDelta::zero(), later).await.unwrap(),
            []
        );
    }
}
