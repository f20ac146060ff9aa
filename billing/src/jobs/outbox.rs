//! Sends the mail that waits in the outbox. Mail that the server refuses for good is given up; all other failures are
//! tried again, ever more slowly, until the mail is no longer worth sending.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use service::{
    clock::Clock,
    mail::{Mail, Mailer, SendError},
    shutdown::Shutdown,
};
use store::{
    Pool,
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
    let mut sending = JoinSet::new();
    for mail in waiting {
        let mailer = mailer.clone();
        sending.spawn(async move { (send(&mailer, &mail, now).await, mail) });
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
            }
            Err(error) => {
                let again = next_try(&mail, &error, now);
                metrics::counter!("forecourt_mails_failed_total").increment(1);
                tracing::warn!(mail.id = %mail.id, %error, given_up = again.is_none(), "mail not sent");
                outbox::not_sent(&mut db, mail.id, again, &error.to_string()).await?;
            }
        }
    }
    Ok(u64::try_from(claimed).unwrap_or(u64::MAX))
}

async fn send(mailer: &Mailer, mail: &Waiting, now: DateTime<Utc>) -> Result<(), SendError> {
    if now > mail.give_up_at {
        return Err(SendError::Later("too late".to_owned()));
    }
    mailer
        .send(Mail {
            to: mail.recipient.clone(),
            subject: mail.subject.clone(),
            text: mail.text.clone(),
            html: mail.html.clone(),
        })
        .await
}

/// When to try again; `None` to give up.
fn next_try(mail: &Waiting, error: &SendError, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    if matches!(error, SendError::Refused(_)) {
        return None;
    }
    let doublings = u32::try_from(mail.tries.clamp(1, 12) - 1).unwrap_or(0);
    let pause = (FIRST_PAUSE * 2_i32.pow(doublings)).min(LONGEST_PAUSE);
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
            give_up_at: at("2026-01-01T01:00:00Z"),
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
            [Some(5), Some(10), Some(20), Some(900)]
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
