//! Payments: recorded by hand or told by a provider, in part, too much, or back.

use chrono::{DateTime, Days, NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::json;
use store::{
    Connection,
    audit::Actor,
    ids,
    invoices::{self, Invoice, Kind, State},
    ledger, legal_entities,
    payments::{self, Method, NewPayment},
};
use uuid::Uuid;

use super::Refused;
use crate::books;

/// No payment is greater: one that is was mistyped, and nobody may change the books. 10^12, in words of 32 bits.
const MOST: Decimal = Decimal::from_parts(3_567_587_328, 232, 0, false, 0);
/// Nobody pays longer before the invoice.
const EARLIEST: Days = Days::new(366);

/// What somebody says was paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// Makes it the only one of its like.
    pub id: Uuid,
    /// For which invoice.
    pub invoice: Uuid,
    /// How.
    pub method: Method,
    /// Whose reference it is; empty if nobody's but ours.
    pub provider: String,
    /// What the bank or the provider calls it.
    pub reference: String,
    /// Below zero: it went back.
    pub amount: Decimal,
    /// The day it came.
    pub received_on: NaiveDate,
    /// Free text.
    pub note: String,
}

/// Records a payment and books it. Told again, with the same id or the same reference of a provider, it is recorded
/// once; the answer says whether it was new.
///
/// # Errors
/// If there is no such invoice, or the amount cannot be.
pub async fn record(
    db: &mut Connection,
    paid: &Paid,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<bool, Refused> {
    let missing = || Refused::because("there is no such invoice");
    let found = invoices::get(db, paid.invoice, now)
        .await?
        .ok_or_else(missing)?;
    // Whoever pays, credits or issues for a seller does so one after the other: the state is decided on what is there.
    invoices::lock(db, found.legal_entity_id).await?;
    let invoice = invoices::get(db, paid.invoice, now)
        .await?
        .ok_or_else(missing)?;
    check(&invoice, paid)?;
    let issuing = legal_entities::issuing(db, invoice.legal_entity_id)
        .await?
        .ok_or_else(missing)?;
    let today = now.with_timezone(&issuing.time_zone).date_naive();
    check_day(&invoice, paid.received_on, today)?;
    let new = NewPayment {
        id: paid.id,
        legal_entity_id: invoice.legal_entity_id,
        invoice_id: invoice.id,
        method: paid.method,
        provider: paid.provider.clone(),
        reference: paid.reference.clone(),
        amount: paid.amount,
        currency: currency_of(&invoice)?,
        received_on: paid.received_on,
        note: paid.note.clone(),
    };
    if !payments::insert(db, &new, actor, now).await? {
        return Ok(false);
    }
    let kept = payments::get(db, paid.id).await?.ok_or_else(missing)?;
    if let Some(entry) = books::of_payment(&kept, invoice.customer_id, new.currency) {
        ledger::append(db, invoice.legal_entity_id, &entry).await?;
    }
    let detail = json!({ "amount": paid.amount, "currency": invoice.currency, "method": paid.method.as_str() });
    invoices::note(db, invoice.id, "payment", actor, &detail, now).await?;
    settled(db, &invoice, actor, now).await?;
    Ok(true)
}

fn currency_of(invoice: &Invoice) -> Result<store::Currency, Refused> {
    invoice
        .currency
        .parse()
        .map_err(|error: store::money::NoCurrency| Refused::because(error.to_string()))
}

/// Whether this can have been paid for the invoice.
fn check(invoice: &Invoice, paid: &Paid) -> Result<(), Refused> {
    let currency = currency_of(invoice)?;
    if invoice.kind == Kind::CreditNote {
        return Err(Refused::because(format!(
            "{} is a credit note: what is paid back is recorded with the invoice that it credits",
            invoice.number
        )));
    }
    if paid.amount.is_zero() || paid.amount.normalize().scale() > currency.exponent() {
        return Err(Refused::because(format!(
            "amount {}: expected an amount other than zero with at most {} decimals",
            paid.amount,
            currency.exponent()
        )));
    }
    if paid.amount.abs() > MOST {
        return Err(Refused::because(format!(
            "amount {}: expected no more than {MOST}",
            paid.amount
        )));
    }
    if paid.amount.is_sign_negative() && -paid.amount > invoice.paid {
        return Err(Refused::because(format!(
            "amount {}: only {} {currency} was paid for {}",
            paid.amount, invoice.paid, invoice.number
        )));
    }
    Ok(())
}

/// Whether it can have come on this day.
fn check_day(invoice: &Invoice, day: NaiveDate, today: NaiveDate) -> Result<(), Refused> {
    let first = invoice.issued_on - EARLIEST;
    if day < first || day > today {
        return Err(Refused::because(format!(
            "received on {day}: expected a day from {first} to {today}"
        )));
    }
    Ok(())
}

/// Notes that nothing is open any more, if that is new.
async fn settled(
    db: &mut Connection,
    before: &Invoice,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<(), Refused> {
    let after = invoices::get(db, before.id, now).await?;
    if after.is_some_and(|after| after.state == State::Paid) && before.state != State::Paid {
        invoices::note_paid(db, before.id, actor, now).await?;
    }
    Ok(())
}

/// Gives what was paid too much for one document to another that stands in for it. No money moves.
///
/// # Errors
/// Those of the database.
pub(super) async fn transfer(
    db: &mut Connection,
    from: Uuid,
    to: Uuid,
    now: DateTime<Utc>,
) -> Result<(), Refused> {
    let (Some(old), Some(new)) = (
        invoices::get(db, from, now).await?,
        invoices::get(db, to, now).await?,
    ) else {
        return Ok(());
    };
    let amount = (-old.open).min(new.open);
    if amount <= Decimal::ZERO {
        return Ok(());
    }
    for (invoice, other, amount) in [(&old, &new, -amount), (&new, &old, amount)] {
        let payment = NewPayment {
            id: ids::new_id(now),
            legal_entity_id: invoice.legal_entity_id,
            invoice_id: invoice.id,
            method: Method::Transfer,
            provider: String::new(),
            reference: other.number.clone(),
            amount,
            currency: currency_of(invoice)?,
            received_on: new.issued_on,
            note: String::new(),
        };
        payments::insert(db, &payment, Actor::System, now).await?;
    }
    settled(db, &new, Actor::System, now).await
}
