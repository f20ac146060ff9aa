//! Taking back: credit notes, and what stands in for what was credited.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::json;
use store::{
    Connection, Pool,
    audit::Actor,
    customers,
    invoices::{self, Invoice, Kind, LineOf, SessionOf, Which},
};
use uuid::Uuid;

use super::{Outline, Seller, currency, party_of, refuse, write};
use crate::invoice::{Party, Refused, paper, pay::transfer, reckon};

/// Takes back what of an invoice was not taken back yet, or these sessions of it. They are written off: only
/// [`regenerate`] invoices them again.
///
/// # Errors
/// If there is nothing to take back.
pub async fn credit(
    db: &mut Connection,
    invoice: Uuid,
    sessions: Option<&[Uuid]>,
    reason: &str,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<Uuid, Refused> {
    let (seller, rows) = to_credit(db, invoice, now).await?;
    let credited = take_back(db, &seller, &rows, sessions, reason, (actor, now)).await?;
    invoices::write_off(db, invoice, &credited.sessions, credited.note).await?;
    Ok(credited.note)
}

/// Takes back what is left of an invoice, and issues it anew: with the customer's data and the prices of now. Sessions that
/// were written off stay so, unless nothing else is left of it: then they are what is issued anew.
///
/// # Errors
/// If it is a credit note, was issued anew before, or no session of it can be invoiced.
pub async fn regenerate(
    db: &mut Connection,
    invoice: Uuid,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<Uuid, Refused> {
    let (seller, rows) = to_credit(db, invoice, now).await?;
    let old = &rows.invoice;
    let kin = invoices::kin(db, invoice, now).await?;
    if let Some(later) = kin
        .iter()
        .find(|other| other.replaces == Some(invoice) && other.kind != Kind::Correction)
    {
        return Err(Refused::because(format!(
            "{} was issued anew as {}",
            old.number, later.number
        )));
    }
    let by = (actor, now);
    let sessions = if invoices::live_sessions(db, invoice).await?.is_empty() {
        written_off(db, invoice, &kin).await?
    } else {
        let reason = format!("Replaced: {}", old.number);
        let credited = take_back(db, &seller, &rows, None, &reason, by).await?;
        invoices::free_sessions(db, invoice, &credited.sessions).await?;
        credited.sessions
    };
    let reason = format!("Replaces {}", old.number);
    again(db, &seller, old, old.kind, sessions, reason, by).await
}

/// What was written off of an invoice, taken off the credit notes for it to be invoiced again.
async fn written_off(
    db: &mut Connection,
    invoice: Uuid,
    kin: &[Invoice],
) -> Result<Vec<Uuid>, Refused> {
    let mut sessions = Vec::new();
    for note in kin.iter().filter(|other| other.corrects == Some(invoice)) {
        let live = invoices::live_sessions(db, note.id).await?;
        invoices::free_sessions(db, note.id, &live).await?;
        sessions.extend(live);
    }
    Ok(sessions)
}

/// Takes back sessions of an invoice whose price changed, and invoices them at the new one.
///
/// # Errors
/// If the new prices cannot be invoiced.
pub async fn correct(
    db: &mut Connection,
    invoice: Uuid,
    sessions: &[Uuid],
    now: DateTime<Utc>,
) -> Result<Uuid, Refused> {
    let (seller, rows) = to_credit(db, invoice, now).await?;
    let reason = "Later meter data changed the price".to_owned();
    let by = (Actor::System, now);
    let credited = take_back(db, &seller, &rows, Some(sessions), &reason, by).await?;
    invoices::free_sessions(db, invoice, &credited.sessions).await?;
    again(
        db,
        &seller,
        &rows.invoice,
        Kind::Correction,
        credited.sessions,
        reason,
        by,
    )
    .await
}

async fn to_credit(
    db: &mut Connection,
    invoice: Uuid,
    now: DateTime<Utc>,
) -> Result<(Seller, paper::Rows), Refused> {
    let nothing = || Refused::because("there is no such invoice");
    let found = invoices::get(db, invoice, now).await?.ok_or_else(nothing)?;
    if found.kind == Kind::CreditNote {
        return Err(Refused::because(format!(
            "{} is a credit note: it cannot be taken back",
            found.number
        )));
    }
    invoices::lock(db, found.legal_entity_id).await?;
    let seller = Seller::load(db, found.legal_entity_id).await?;
    let rows = paper::rows(db, invoice, now).await?.ok_or_else(nothing)?;
    Ok((seller, rows))
}

struct Credited {
    note: Uuid,
    sessions: Vec<Uuid>,
}

/// Writes the credit note of those sessions that are live on the invoice.
async fn take_back(
    db: &mut Connection,
    seller: &Seller,
    rows: &paper::Rows,
    only: Option<&[Uuid]>,
    reason: &str,
    (actor, now): (Actor, DateTime<Utc>),
) -> Result<Credited, Refused> {
    let invoice = &rows.invoice;
    let live = invoices::live_sessions(db, invoice.id).await?;
    let taken: Vec<SessionOf> = rows
        .sessions
        .iter()
        .filter(|session| live.contains(&session.session_id))
        .filter(|session| only.is_none_or(|only| only.contains(&session.session_id)))
        .cloned()
        .collect();
    if taken.is_empty() {
        return Err(Refused::because(format!(
            "nothing of {} is left to be credited",
            invoice.number
        )));
    }
    let lines: Vec<LineOf> = rows
        .lines
        .iter()
        .filter(|line| {
            taken
                .iter()
                .any(|session| session.position == line.position)
        })
        .cloned()
        .collect();
    let outline = Outline {
        customer: invoice.customer_id,
        buyer: Party::from_json(&invoice.buyer),
        kind: Kind::CreditNote,
        corrects: Some(invoice.id),
        reason: reason.to_owned(),
        ..Outline::default()
    };
    let bill = reckon::reverse(&taken, &lines);
    let new = outline.document(seller, bill, currency(&invoice.currency)?, now);
    let note = write(db, &new, actor, now).await?;
    invoices::note(
        db,
        invoice.id,
        "credited",
        actor,
        &json!({ "by": note, "reason": reason }),
        now,
    )
    .await?;
    Ok(Credited {
        note,
        sessions: taken.iter().map(|session| session.session_id).collect(),
    })
}

/// Issues what stands in for an invoice, and gives it what was paid too much for that one.
async fn again(
    db: &mut Connection,
    seller: &Seller,
    old: &Invoice,
    kind: Kind,
    sessions: Vec<Uuid>,
    reason: String,
    (actor, now): (Actor, DateTime<Utc>),
) -> Result<Uuid, Refused> {
    let sessions = invoices::billable(db, seller.entity.id, &Which::These(sessions)).await?;
    if sessions.is_empty() {
        return Err(Refused::because(format!(
            "no session of {} can be invoiced anew: their prices are held or missing",
            old.number
        )));
    }
    let customer = match old.customer_id {
        Some(id) => customers::get(db, id).await?,
        None => None,
    };
    let currency = currency(&old.currency)?;
    let bill = reckon::reckon(&sessions, seller.rules(currency)).map_err(refuse)?;
    let outline = Outline {
        customer: old.customer_id,
        buyer: customer
            .as_ref()
            .map_or_else(|| Party::from_json(&old.buyer), party_of),
        kind,
        month: old.month.filter(|_| kind == Kind::Statement),
        corrects: None,
        replaces: Some(old.id),
        reason,
    };
    let new = outline.document(seller, bill, currency, now);
    let id = write(db, &new, actor, now).await?;
    transfer(db, old.id, id, now).await?;
    Ok(id)
}

/// Corrects every invoice of a seller with a session whose newest price is another than the invoiced one; answers the new
/// documents. A price that differs in nothing that is printed is left alone.
///
/// # Errors
/// Those of the database; what cannot be corrected is logged, and does not keep the others from being.
pub async fn correct_stale(
    pool: &Pool,
    entity: Uuid,
    since: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> store::Result<Vec<Uuid>> {
    let mut db = pool.acquire().await?;
    let mut by_invoice: BTreeMap<Uuid, Vec<Uuid>> = BTreeMap::new();
    for stale in invoices::stale(&mut db, entity, since).await? {
        if stale.invoiced != stale.newest {
            by_invoice
                .entry(stale.invoice_id)
                .or_default()
                .push(stale.session_id);
        }
    }
    let mut made = Vec::new();
    for (invoice, sessions) in by_invoice {
        let mut tx = pool.begin().await?;
        // A session that was written off is on a credit note, and stays there.
        match correct(&mut tx, invoice, &sessions, now).await {
            Ok(id) => {
                tx.commit().await?;
                made.push(id);
            }
            Err(Refused::Store(error)) => return Err(error),
            Err(Refused::Because(why)) => {
                tracing::warn!(invoice.id = %invoice, why, "an invoice was not corrected");
            }
        }
    }
    Ok(made)
}
