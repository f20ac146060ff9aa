//! Sends the mail that waits in the outbox. Mail that the server refuses for good is given up; all other failures are
//! tried again, ever more slowly, until the mail is no longer worth sending. While there is no talking to the server, a few
//! mails knock and the others wait: a thousand that wait cost no more than one.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use service::{
    clock::Clock,
    mail::{File, Mail, Mailer, SendError},
    shutdown::Shutdown,
};
use store::{
    Connection, Pool,
    audit::Actor,
    invoices,
    outbox::{self, Waiting},
};
use tokio::task::JoinSet;

const LOOK: Duration = Duration::from_secs(1);
/// Mails in flight at once.
const BATCH: i64 = 10;
/// Longer than the mailer's own patience: a mail is never in two hands.
const LEASE: TimeDelta = TimeDelta::minutes(2);
const FIRST_PAUSE: TimeDelta = TimeDelta::seconds(5);
const LONGEST_PAUSE: TimeDelta = TimeDelta::minutes(15);

/// Sends what is due, again and again. Mail that was claimed before the shutdown is still sent.
pub(crate) async fn send_until_shutdown(
    pool: &Pool,
    mailer: &Mailer,
    clock: &Clock,
    shutdown: &Shutdown,
) {
    loop {
        let more = match send_due(pool, mailer, clock.now()).await {
            Ok(claimed) => claimed == BATCH.unsigned_abs(),
            Err(error) => {
                tracing::warn!(%error, "the mail outbox waits for the database");
                false
            }
        };
        if shutdown.soft().is_cancelled() {
            return;
        }
        if !more {
            tokio::select! {
                () = shutdown.soft().cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }
}

/// Claims and sends one batch of the mail due at `now`; answers how many were claimed.
///
/// # Errors
/// Those of the database. A mail that was sent but could not be noted as sent goes out again: late is worse than twice.
pub async fn send_due(pool: &Pool, mailer: &Mailer, now: DateTime<Utc>) -> store::Result<u64> {
    let mut db = pool.acquire().await?;
    let waiting = outbox::claim(&mut db, BATCH, LEASE, now).await?;
    let claimed = waiting.len();
    let mut seen = Seen::default();
    let mut sending = JoinSet::new();
    let (late, waiting): (Vec<_>, Vec<_>) =
        waiting.into_iter().partition(|mail| now > mail.give_up_at);
    for mail in waiting {
        let mailer = mailer.clone();
        sending.spawn(async move { (send(&mailer, &mail).await, mail) });
    }
    for mail in late {
        outbox::not_sent(&mut db, mail.id, None, "not sent in time").await?;
        note(&mut db, &mail, "mail_failed", None, now).await?;
    }
    while let Some(sent) = sending.join_next().await {
        let Ok((result, mail)) = sent else {
            tracing::error!("sending a mail broke; it is claimed again later");
            continue;
        };
        match result {
            Ok(()) => {
                metrics::counter!("forecourt_mails_sent_total").increment(1);
                outbox::sent(&mut db, mail.id, now).await?;
                note(&mut db, &mail, "mailed", None, now).await?;
                seen.answered = true;
            }
            Err(error) => {
                let again = next_try(&mail, &error, now);
                seen.note(&error, again);
                metrics::counter!("forecourt_mails_failed_total").increment(1);
                tracing::warn!(mail.id = %mail.id, %error, given_up = again.is_none(), "mail not sent");
                outbox::not_sent(&mut db, mail.id, again, &error.to_string()).await?;
                if again.is_none() {
                    note(&mut db, &mail, "mail_failed", Some(&error), now).await?;
                }
            }
        }
    }
    if let Some((until, why)) = seen.away() {
        outbox::put_off(&mut db, until.unwrap_or(now + FIRST_PAUSE), &why, now).await?;
    }
    Ok(u64::try_from(claimed).unwrap_or(u64::MAX))
}

/// What a batch learned of the mail server.
#[derive(Debug, Default)]
struct Seen {
    /// It said something to one of them.
    answered: bool,
    /// Why it said nothing to one of them, and when that one tries again.
    away: Option<(Option<DateTime<Utc>>, String)>,
}

impl Seen {
    fn note(&mut self, error: &SendError, again: Option<DateTime<Utc>>) {
        match error {
            SendError::Later(_) | SendError::Refused(_) => self.answered = true,
            SendError::Away(_) | SendError::NotConfigured => {
                let earlier = self.away.take().and_then(|(at, _)| at);
                let first = again.into_iter().chain(earlier).min();
                self.away = Some((first, error.to_string()));
            }
        }
    }

    /// If it said nothing to anybody: until when it is left alone, and why.
    fn away(self) -> Option<(Option<DateTime<Utc>>, String)> {
        self.away.filter(|_| !self.answered)
    }
}

/// Tells the log of the document that a mail carries.
async fn note(
    db: &mut Connection,
    mail: &Waiting,
    what: &str,
    error: Option<&SendError>,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let Some(document) = &mail.document else {
        return Ok(());
    };
    let detail = match error {
        None => json!({ "to": mail.recipient }),
        Some(error) => json!({ "to": mail.recipient, "why": error.to_string() }),
    };
    invoices::note(db, document.invoice_id, what, Actor::System, &detail, now).await
}

async fn send(mailer: &Mailer, mail: &Waiting) -> Result<(), SendError> {
    mailer
        .send(Mail {
            to: mail.recipient.clone(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
            files: mail
                .document
                .iter()
                .map(|document| File {
                    name: format!("{}.pdf", document.number),
                    media_type: "application/pdf".to_owned(),
                    content: document.pdf.clone(),
                })
                .collect(),
        })
        .await
}

/// When to try again; `None` to give up.
fn next_try(mail: &Waiting, error: &SendError, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if matches!(error, SendError::Refused(_)) {
        return None;
    }
    let doublings = u32::try_from(mail.tries.clamp(1, 12) - 1).unwrap_or(0);
    // What is not worth much longer is tried more often: a sign-in code each minute.
    let longest = ((mail.give_up_at - mail.created_at) / 10).min(LONGEST_PAUSE);
    let pause = (FIRST_PAUSE * 2_i32.pow(doublings)).min(longest.max(FIRST_PAUSE));
    Some(now + pause).filter(|again| *again <= mail.give_up_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use service::config;
    use store::{outbox::NewMail, testing::database};

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn waiting(tries: i32) -> Waiting {
        Waiting {
            id: Default::default(),
            recipient: "ada@example.org".to_owned(),
            subject: String::new(),
            text: String::new(),
            html: None,
            tries,
            created_at: at("2026-01-01T00:00:00Z"),
            give_up_at: at("2026-01-01T01:00:00Z"),
            document: None,
        }
    }

    #[test]
    fn pauses_grow_and_end_with_the_mails_worth() {
        let now = at("2026-01-01T00:00:00Z");
        let later = SendError::Later("busy".to_owned());
        let pause =
            |tries| next_try(&waiting(tries), &later, now).map(|again| (again - now).num_seconds());
        assert_eq!(
            [pause(1), pause(2), pause(3), pause(40)],
            [Some(5), Some(10), Some(20), Some(360)]
        );
        let almost_over = at("2026-01-01T00:59:58Z");
        assert_eq!(next_try(&waiting(1), &later, almost_over), None);
        let refused = SendError::Refused("no such person".to_owned());
        assert_eq!(next_try(&waiting(1), &refused, now), None);
    }

    async fn with_mail(settings: config::Mail, demo: bool) -> (store::testing::TestDb, Mailer) {
        let db = database().await;
        let mail = NewMail {
            recipient: "ada@example.org",
            subject: "Code",
            text: "123456",
            html: None,
            give_up_at: at("2026-01-01T00:10:00Z"),
            invoice_id: None,
        };
        let mut connection = db.pool.acquire().await.unwrap();
        outbox::queue(&mut connection, &mail, at("2026-01-01T00:00:00Z"))
            .await
            .unwrap();
        drop(connection);
        (db, Mailer::new(&settings, demo).unwrap())
    }

    fn nowhere() -> config::Mail {
        config::Mail {
            smtp_url: None,
            from: "Forecourt <forecourt@localhost>".to_owned(),
        }
    }

    #[tokio::test]
    async fn a_mail_is_sent_once() {
        let (db, mailer) = with_mail(nowhere(), true).await;
        let pool = db.pool(store::Room::Billing);
        assert_eq!(
            send_due(&pool, &mailer, at("2026-01-01T00:00:00Z"))
                .await
                .unwrap(),
            1
        );
        assert_eq!(
            send_due(&pool, &mailer, at("2026-01-01T00:09:00Z"))
                .await
                .unwrap(),
            0
        );
        let mailbox = mailer.mailbox().unwrap();
        assert_eq!((mailbox.len(), mailbox[0].text.as_str()), (1, "123456"));
    }

    #[tokio::test]
    async fn a_mail_that_cannot_be_sent_waits_and_then_is_given_up() {
        let (db, mailer) = with_mail(nowhere(), false).await;
        let send = async |now| send_due(&db.pool, &mailer, at(now)).await.unwrap();
        assert_eq!(send("2026-01-01T00:00:00Z").await, 1);
        assert_eq!(send("2026-01-01T00:00:04Z").await, 0);
        assert_eq!(send("2026-01-01T00:00:05Z").await, 1);
        assert_eq!(
            send("2026-01-01T00:11:00Z").await,
            1,
            "claimed once more, to be given up"
        );
        assert_eq!(send("2026-01-02T00:00:00Z").await, 0);
    }
}
