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
    /// The document that it carries.
    pub invoice_id: Option<Uuid>,
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
    /// How often it was claimed or put off, this time included.
    pub tries: i32,
    /// When it was queued.
    pub created_at: DateTime<Utc>,
    /// After this it is not worth sending.
    pub give_up_at: DateTime<Utc>,
    /// The document that it carries: its id, number and PDF.
    pub document: Option<Document>,
}

/// What a mail carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// The invoice or credit note.
    pub invoice_id: Uuid,
    /// As printed.
    pub number: String,
    /// The file.
    pub pdf: Vec<u8>,
}

/// Queues a mail, to be sent at once.
pub async fn queue(db: &mut PgConnection, mail: &NewMail<'_>, now: DateTime<Utc>) -> Result<Uuid> {
    let id = ids::new_id(now);
    sqlx::query!(
        "insert into mail_outbox
           (id, recipient, subject, body_text, body_html, created_at, next_try_at, give_up_at, invoice_id)
         values ($1, $2, $3, $4, $5, $6, $6, $7, $8)",
        id,
        mail.recipient,
        mail.subject,
        mail.text,
        mail.html,
        now,
        mail.give_up_at,
        mail.invoice_id
    )
    .execute(db)
    .await?;
    Ok(id)
}

/// Claims at most `limit` mails that are due. What is worth sending for a short time only goes before what can wait, and
/// what was tried less before what was tried more. Nobody else gets them before `lease` is over; a worker that dies leaves
/// them to be claimed again.
pub async fn claim(
    db: &mut PgConnection,
    limit: i64,
    lease: TimeDelta,
    now: DateTime<Utc>,
) -> Result<Vec<Waiting>> {
    let rows = sqlx::query!(
        r#"with claimed as (
             update mail_outbox set next_try_at = $3, tries = tries + 1
             where id in (
               select id from mail_outbox
               where sent_at is null and not gave_up and next_try_at <= $2
               order by give_up_at - created_at > interval '1 hour', tries, next_try_at, id
               limit $1 for update skip locked)
             returning id, recipient, subject, body_text, body_html, tries, created_at, give_up_at, invoice_id)
           select c.id, c.recipient, c.subject, c.body_text as text, c.body_html as html, c.tries, c.created_at,
                  c.give_up_at, i.id as "invoice_id?", i.number as "number?", d.pdf as "pdf?"
           from claimed c
           left join invoices i on i.id = c.invoice_id
           left join invoice_documents d on d.invoice_id = c.invoice_id
           order by c.id"#,
        limit,
        now,
        now + lease
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Waiting {
            id: row.id,
            recipient: row.recipient,
            subject: row.subject,
            text: row.text,
            html: row.html,
            tries: row.tries,
            created_at: row.created_at,
            give_up_at: row.give_up_at,
            document: row.invoice_id.zip(row.number).zip(row.pdf).map(
                |((invoice_id, number), pdf)| Document {
                    invoice_id,
                    number,
                    pdf,
                },
            ),
        })
        .collect())
}

/// Nothing is worth trying before `until`: the mail server is away. Puts off all that is due at `now`, as if it had been
/// tried (whoever knocks next then waits longer); answers how many.
/// What would be worth nothing by then is tried once more, to be given up.
pub async fn put_off(
    db: &mut PgConnection,
    until: DateTime<Utc>,
    why: &str,
    now: DateTime<Utc>,
) -> Result<u64> {
    let done = sqlx::query!(
        "update mail_outbox set next_try_at = $2, last_error = $3, tries = tries + 1
         where sent_at is null and not gave_up and next_try_at <= $1",
        now,
        until,
        why
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// When the next mail is due, of those that wait.
pub async fn next_due(db: &mut PgConnection) -> Result<Option<DateTime<Utc>>> {
    Ok(sqlx::query_scalar!(
        "select min(next_try_at) from mail_outbox where sent_at is null and not gave_up"
    )
    .fetch_one(db)
    .await?)
}

/// How many mails stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    /// To be sent.
    pub waiting: i64,
    /// Taken by the mail server.
    pub sent: i64,
    /// Not worth sending any more, or refused for good.
    pub gave_up: i64,
}

/// How many mails stand where.
pub async fn counts(db: &mut PgConnection) -> Result<Counts> {
    Ok(sqlx::query_as!(
        Counts,
        r#"select count(*) filter (where sent_at is null and not gave_up) as "waiting!",
                  count(*) filter (where sent_at is not null) as "sent!",
                  count(*) filter (where gave_up) as "gave_up!"
           from mail_outbox"#
    )
    .fetch_one(db)
    .await?)
}

/// Whether the mail server could not be talked to when it was last tried, with mail that still waits: what people are told
/// who wait for a code. It says nothing of any one mail, so that nobody learns whose address is known.
pub async fn server_is_away(db: &mut PgConnection) -> Result<bool> {
    Ok(sqlx::query_scalar!(
        r#"select exists (select from mail_outbox where sent_at is null and not gave_up
                          and (last_error like 'the mail server is away%' or last_error like 'no mail server is set%'))
           as "away!""#
    )
    .fetch_one(db)
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
            invoice_id: None,
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
            invoice_id: None,
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
