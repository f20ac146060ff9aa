//! What people ask for on pages: rows that billing works off, each in one transaction with its effect, so that nothing is
//! done twice or half. The words of a request are an enum here, and JSON in the row.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use service::{clock::Clock, shutdown::Shutdown};
use store::{
    Connection, Pool,
    audit::Actor,
    bell::Doorbell,
    billing_requests::{self, Request},
    ids,
    payments::{self, Method},
};
use uuid::Uuid;

use crate::invoice::{
    Party, Refused,
    issue::{self, Order},
    pay::{self, Paid},
    send,
};

/// It looks this often even if nobody rings.
const LOOK: Duration = Duration::from_secs(5);

/// What may be asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Wish {
    /// Issue, or draft, a legal entity's statements of a month.
    Statements {
        /// Any day of the month.
        month: NaiveDate,
        /// Only this customer's.
        customer: Option<Uuid>,
        /// Only write down what would be issued.
        draft: bool,
    },
    /// A receipt for a session, to its customer or to somebody who walked in.
    Receipt {
        /// Who walked in.
        buyer: Option<Party>,
    },
    /// Take back an invoice, or some sessions of it.
    Credit {
        /// Only these.
        sessions: Option<Vec<Uuid>>,
        /// Why.
        reason: String,
    },
    /// Take back an invoice and issue it anew.
    Regenerate,
    /// Record a payment for an invoice.
    Pay {
        /// bank, cash, card or provider.
        method: String,
        /// Whose reference it is.
        provider: String,
        /// What the bank or the provider calls it.
        reference: String,
        /// Below zero: it went back.
        amount: Decimal,
        /// The day it came.
        received_on: NaiveDate,
        /// Free text.
        note: String,
        /// Makes it the only one of its like, however often the form is sent.
        #[serde(default)]
        once: Option<Uuid>,
    },
    /// Mail a document again.
    Mail {
        /// To this address; else to the customer's.
        to: Option<String>,
    },
}

/// Asks for something about an invoice, session or legal entity; the answer is the request's id.
///
/// # Errors
/// Those of the database.
pub async fn ask(
    db: &mut Connection,
    subject: Uuid,
    wish: &Wish,
    actor: Actor,
    now: DateTime<Utc>,
) -> store::Result<Uuid> {
    let detail = serde_json::to_value(wish).expect("plain values are always JSON");
    let request = Request {
        id: ids::new_id(now),
        kind: detail["do"].as_str().unwrap_or_default().to_owned(),
        subject,
        detail,
        actor,
        created_at: now,
    };
    billing_requests::queue(db, &request).await?;
    Ok(request.id)
}

/// Works off what is asked for, until the shutdown.
pub async fn work_until_shutdown(pool: &Pool, clock: &Clock, shutdown: &Shutdown) {
    let mut bell = Doorbell::new(pool, &[billing_requests::CHANNEL]);
    loop {
        if let Err(error) = work_off(pool, clock.now()).await {
            tracing::warn!(%error, "requests to billing wait for the database");
        }
        tokio::select! {
            () = shutdown.soft().cancelled() => return,
            _ = bell.wait(LOOK) => {}
        }
    }
}

/// Does everything that is asked for; answers how many requests were done or refused.
///
/// # Errors
/// Those of the database; the request then waits for the next time.
pub async fn work_off(pool: &Pool, now: DateTime<Utc>) -> store::Result<u64> {
    let mut done = 0;
    loop {
        let mut tx = pool.begin().await?;
        let Some(request) = billing_requests::claim(&mut tx).await? else {
            return Ok(done);
        };
        match perform(&mut tx, pool, &request, now).await {
            Ok(made) => {
                billing_requests::finish(&mut tx, request.id, Ok(made), now).await?;
                tx.commit().await?;
                if let Some(document) = made {
                    send::finish(pool, document, now).await?;
                }
            }
            Err(Refused::Store(error)) if error.is_retryable() => return Err(error),
            Err(error) => {
                tx.rollback().await?;
                let words = match &error {
                    Refused::Because(words) => words.clone(),
                    Refused::Store(error) => {
                        tracing::error!(%error, request.kind, "a request to billing failed");
                        "something of ours failed; the log of billing says what".to_owned()
                    }
                };
                let mut db = pool.acquire().await?;
                billing_requests::finish(&mut db, request.id, Err(&words), now).await?;
            }
        }
        done += 1;
    }
}

/// Does one thing; answers the document that came of it.
async fn perform(
    db: &mut Connection,
    pool: &Pool,
    request: &Request,
    now: DateTime<Utc>,
) -> Result<Option<Uuid>, Refused> {
    let (subject, actor) = (request.subject, request.actor);
    let wish: Wish = serde_json::from_value(request.detail.clone())
        .map_err(|error| Refused::because(format!("the request cannot be read: {error}")))?;
    match wish {
        Wish::Statements {
            month,
            customer,
            draft,
        } => {
            let order = Order {
                entity: subject,
                month,
                customer,
                draft,
            };
            statements(pool, order, actor, now).await.map(|()| None)
        }
        Wish::Receipt { buyer } => issue::receipt(db, subject, buyer, actor, now)
            .await
            .map(Some),
        Wish::Credit { sessions, reason } => {
            issue::credit(db, subject, sessions.as_deref(), &reason, actor, now)
                .await
                .map(Some)
        }
        Wish::Regenerate => issue::regenerate(db, subject, actor, now).await.map(Some),
        Wish::Pay {
            method,
            provider,
            reference,
            amount,
            received_on,
            note,
            once,
        } => {
            let method = Method::parse(&method)
                .filter(|method| Method::BY_HAND.contains(method))
                .ok_or_else(|| Refused::because(format!("nobody pays by {method:?}")))?;
            let paid = Paid {
                id: once.unwrap_or(request.id),
                invoice: subject,
                method,
                provider,
                reference,
                amount,
                received_on,
                note,
            };
            if pay::record(db, &paid, actor, now).await? || is_the_same(db, &paid).await? {
                Ok(None)
            } else {
                Err(Refused::because(
                    "another payment was recorded by this form; open the invoice again",
                ))
            }
        }
        Wish::Mail { to } => {
            send::again(db, subject, to.as_deref(), actor, now).await?;
            Ok(None)
        }
    }
}

/// Whether the payment that is there under this id says what this one does: then the form was sent twice.
async fn is_the_same(db: &mut Connection, paid: &Paid) -> Result<bool, Refused> {
    let kept = payments::get(db, paid.id).await?;
    Ok(kept.is_some_and(|kept| {
        kept.invoice_id == paid.invoice
            && kept.amount == paid.amount
            && kept.received_on == paid.received_on
            && kept.method == paid.method
    }))
}

/// A month is many transactions of its own; asked for again, it goes on where it stopped.
async fn statements(
    pool: &Pool,
    order: Order,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<(), Refused> {
    let run = issue::statements(pool, order, actor, now).await?;
    if run.issued.is_empty() && run.troubles.is_empty() {
        let month = order.month.format("%Y-%m");
        return match run.others {
            0 => Err(Refused::because(format!(
                "nobody has a session up to {month} that is on no document yet"
            ))),
            _ if order.draft => Ok(()),
            _ => Err(Refused::because(format!(
                "everybody has their statement of {month} already; what came to light later is on the next one"
            ))),
        };
    }
    for id in &run.issued {
        send::finish(pool, *id, now).await?;
    }
    if run.troubles.is_empty() {
        return Ok(());
    }
    Err(Refused::because(format!(
        "{} issued; not issued: {}",
        run.issued.len(),
        run.troubles.join("; ")
    )))
}
