//! What is booked when: an invoice makes a debt, revenue and tax; a credit note takes them back; a payment settles the
//! debt. Pure; [`store::ledger`] keeps the chain.

use rust_decimal::Decimal;
use sha2::{Digest, Sha256};
use store::{
    Currency,
    ledger::{Account, EntryKind, NewEntry, Posting},
    payments::{Method, Payment},
};

use crate::invoice::{
    paper::{self, Rows},
    reckon,
};

/// The entry of an invoice or credit note.
pub fn of_document(rows: &Rows, currency: Currency) -> NewEntry {
    let invoice = &rows.invoice;
    let posting = |account, tax_rate, amount: Decimal| Posting {
        account,
        customer_id: invoice
            .customer_id
            .filter(|_| account == Account::Receivable),
        tax_rate,
        currency,
        amount,
    };
    let mut postings = vec![posting(Account::Receivable, None, invoice.total)];
    for (rate, net, tax) in reckon::taxes(&rows.lines) {
        postings.push(posting(Account::Revenue, Some(rate), -net));
        if !tax.is_zero() {
            postings.push(posting(Account::Tax, Some(rate), -tax));
        }
    }
    NewEntry {
        at: invoice.issued_at,
        kind: match invoice.kind {
            store::invoices::Kind::CreditNote => EntryKind::CreditNote,
            _ => EntryKind::Invoice,
        },
        subject: invoice.id,
        version: 1,
        document: invoice.number.clone(),
        content: paper::fingerprint(rows),
        postings,
    }
}

/// The entry of a payment; none of one that moved no money.
pub fn of_payment(
    payment: &Payment,
    customer: Option<uuid::Uuid>,
    currency: Currency,
) -> Option<NewEntry> {
    let to = match payment.method {
        Method::Transfer => return None,
        Method::Cash => Account::Cash,
        Method::Bank | Method::Card | Method::Provider => Account::Bank,
    };
    let posting = |account, customer_id, amount| Posting {
        account,
        customer_id,
        tax_rate: None,
        currency,
        amount,
    };
    Some(NewEntry {
        at: payment.recorded_at,
        kind: EntryKind::Payment,
        subject: payment.id,
        version: 1,
        document: payment.invoice.clone(),
        content: fingerprint(payment),
        postings: vec![
            posting(to, None, payment.amount),
            posting(Account::Receivable, customer, -payment.amount),
        ],
    })
}

/// sha256 of everything that a payment says.
pub fn fingerprint(payment: &Payment) -> [u8; 32] {
    let text = format!(
        "forecourt payment, form 1\n{}|{}|{}|{}|{}|{:?}|{:?}|{}|{}|{}|{:?}",
        payment.id,
        payment.legal_entity_id,
        payment.invoice_id,
        payment.method.as_str(),
        payment.received_on,
        payment.provider,
        payment.reference,
        payment.amount.normalize(),
        payment.currency,
        payment.recorded_at.timestamp_micros(),
        payment.note
    );
    Sha256::digest(text).into()
}
