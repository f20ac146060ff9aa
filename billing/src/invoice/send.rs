//! Makes the file of an issued document, keeps it, and mails it to the customer, in one transaction: a document is made
//! and mailed once, and again only when somebody asks.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use store::{
    Connection, Error, Pool,
    audit::Actor,
    invoices::{self, Invoice, Kind},
    money::Money,
    outbox::{self, NewMail},
};
use uuid::Uuid;

use super::{Party, Refused, paper};
use crate::pdf;

/// An invoice is worth trying for so long.
pub const PATIENCE: TimeDelta = TimeDelta::hours(48);

/// Makes and mails what was issued and has no file yet; answers how many.
///
/// # Errors
/// Those of the database.
pub async fn catch_up(pool: &Pool, now: DateTime<Utc>) -> store::Result<u64> {
    let mut db = pool.acquire().await?;
    let mut made = 0;
    loop {
        let waiting = invoices::without_document(&mut db, 50).await?;
        let mut progress = false;
        for id in waiting {
            if finish(pool, id, now).await? {
                made += 1;
                progress = true;
            }
        }
        if !progress {
            return Ok(made);
        }
    }
}

/// Makes the file of a document and queues its mail, unless that was done before; answers whether it did.
///
/// # Errors
/// Those of the database.
pub async fn finish(pool: &Pool, id: Uuid, now: DateTime<Utc>) -> store::Result<bool> {
    let mut tx = pool.begin().await?;
    let Some(paper) = paper::load(&mut tx, id, now).await? else {
        return Ok(false);
    };
    // A page of text takes milliseconds, a statement of a thousand sessions a good part of a second.
    let file = tokio::task::spawn_blocking(move || pdf::render(&paper)).await;
    let file = match file {
        Ok(Ok(file)) => file,
        Ok(Err(error)) => {
            tracing::error!(invoice.id = %id, %error, "a document cannot be laid out");
            return Ok(false);
        }
        Err(error) => {
            tracing::error!(invoice.id = %id, %error, "laying out a document broke");
            return Ok(false);
        }
    };
    if !invoices::keep_document(&mut tx, id, &file, now).await? {
        return Ok(false);
    }
    if let Some(invoice) = invoices::get(&mut tx, id, now).await? {
        let to = Party::from_json(&invoice.buyer).email;
        if service::mail::is_address(&to) {
            queue(&mut tx, &invoice, &to, Actor::System, now).await?;
        }
    }
    tx.commit().await?;
    Ok(true)
}

/// Mails a document again, to `to` or to where the customer's mails go now.
///
/// # Errors
/// If there is no address, or the file is not made yet.
pub async fn again(
    db: &mut Connection,
    id: Uuid,
    to: Option<&str>,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<(), Refused> {
    let invoice = invoices::get(db, id, now)
        .await?
        .ok_or_else(|| Refused::because("there is no such invoice"))?;
    let printed = Party::from_json(&invoice.buyer).email;
    let to = [to.unwrap_or_default(), &invoice.customer_email, &printed]
        .into_iter()
        .find(|address| !address.is_empty())
        .ok_or_else(|| Refused::because("the customer has no e-mail address"))?
        .to_owned();
    if !service::mail::is_address(&to) {
        return Err(Refused::because(format!(
            "{to:?} is no e-mail address; name@example.org is expected"
        )));
    }
    if invoices::document(db, id).await?.is_none() {
        return Err(Refused::because(
            "the document is being made; try again in a minute",
        ));
    }
    queue(db, &invoice, &to, actor, now).await?;
    Ok(())
}

async fn queue(
    db: &mut Connection,
    invoice: &Invoice,
    to: &str,
    actor: Actor,
    now: DateTime<Utc>,
) -> store::Result<()> {
    let (subject, text) = words(invoice)?;
    let mail = NewMail {
        recipient: to,
        subject: &subject,
        text: &text,
        html: None,
        give_up_at: now + PATIENCE,
        invoice_id: Some(invoice.id),
    };
    outbox::queue(db, &mail, now).await?;
    invoices::note(
        db,
        invoice.id,
        "mail_queued",
        actor,
        &json!({ "to": to }),
        now,
    )
    .await
}

/// Subject and text of the mail that carries a document.
fn words(invoice: &Invoice) -> store::Result<(String, String)> {
    let seller = Party::from_json(&invoice.seller).name;
    let number = &invoice.number;
    let currency = invoice.currency.parse().map_err(|_| Error::Corrupt {
        table: "invoices",
        column: "currency",
        row: number.clone(),
        value: invoice.currency.clone(),
    })?;
    let total = Money {
        amount: invoice.total.abs(),
        currency,
    };
    let (what, end) = match invoice.kind {
        Kind::CreditNote => (
            "Credit note",
            "The amount is set off against what is open, or paid back.".to_owned(),
        ),
        _ if invoice.open.is_zero() => ("Invoice", "Nothing is left to be paid.".to_owned()),
        _ => ("Invoice", format!("Please pay by {}.", invoice.due_on)),
    };
    let subject = format!("{what} {number} from {seller}");
    let text = format!(
        "Hello,\n\nattached is {} {number} of {} over {total}. {end}\n\n{seller}\n",
        what.to_lowercase(),
        invoice.issued_on
    );
    // A line break in a name would end the header.
    Ok((subject.replace(['\r', '\n'], " "), text))
}
