//! Payments: money that came for an invoice, or went back. Rows are only added; a mistake is put right by another of the
//! opposite sign.

use chrono::{DateTime, NaiveDate, Utc};
use rust_decimal::Decimal;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{Currency, Cursor, Error, Result, Scoped, audit::Actor, invoices::actor_columns};

/// How money came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// To the bank account.
    Bank,
    /// Into the till.
    Cash,
    /// By card, at a terminal of one's own.
    Card,
    /// By a payment provider.
    Provider,
    /// From another document of the customer; no money moved.
    Transfer,
}

impl Method {
    /// Every method that people may record.
    pub const BY_HAND: [Self; 4] = [Self::Bank, Self::Cash, Self::Card, Self::Provider];

    /// As stored.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bank => "bank",
            Self::Cash => "cash",
            Self::Card => "card",
            Self::Provider => "provider",
            Self::Transfer => "transfer",
        }
    }

    /// The reverse of [`Self::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::BY_HAND
            .into_iter()
            .chain([Self::Transfer])
            .find(|method| method.as_str() == text)
    }
}

/// A payment to be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPayment {
    /// Its id.
    pub id: Uuid,
    /// To whom.
    pub legal_entity_id: Uuid,
    /// For which invoice.
    pub invoice_id: Uuid,
    /// How it came.
    pub method: Method,
    /// Whose reference it is; empty if nobody's but ours.
    pub provider: String,
    /// What the bank or the provider calls it.
    pub reference: String,
    /// Below zero: it went back.
    pub amount: Decimal,
    /// The invoice's.
    pub currency: Currency,
    /// The day it came.
    pub received_on: NaiveDate,
    /// Free text.
    pub note: String,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Its id.
    pub id: Uuid,
    /// To whom.
    pub legal_entity_id: Uuid,
    /// For which invoice.
    pub invoice_id: Uuid,
    /// Its number.
    pub invoice: String,
    /// Who paid, as the invoice calls the customer.
    pub customer: String,
    /// How it came.
    pub method: Method,
    /// Whose reference it is.
    pub provider: String,
    /// What the bank or the provider calls it.
    pub reference: String,
    /// Below zero: it went back.
    pub amount: Decimal,
    /// ISO 4217.
    pub currency: String,
    /// The day it came.
    pub received_on: NaiveDate,
    /// When it was recorded.
    pub recorded_at: DateTime<Utc>,
    /// Free text.
    pub note: String,
}

impl From<&Payment> for Cursor {
    fn from(payment: &Payment) -> Self {
        Cursor {
            at: payment.recorded_at,
            id: payment.id,
        }
    }
}

/// Keeps a payment; false if it was kept before: the same id, or the same reference of the same provider.
pub async fn insert(
    db: &mut PgConnection,
    payment: &NewPayment,
    actor: Actor,
    now: DateTime<Utc>,
) -> Result<bool> {
    let (actor_kind, actor_id) = actor_columns(actor);
    let done = sqlx::query!(
        "insert into payments (id, legal_entity_id, invoice_id, method, provider, reference, amount, currency, received_on,
           recorded_at, actor_kind, actor_id, note)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) on conflict do nothing",
        payment.id,
        payment.legal_entity_id,
        payment.invoice_id,
        payment.method.as_str(),
        payment.provider,
        payment.reference,
        payment.amount,
        payment.currency.code(),
        payment.received_on,
        now,
        actor_kind,
        actor_id,
        payment.note
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

struct Row {
    id: Uuid,
    legal_entity_id: Uuid,
    invoice_id: Uuid,
    invoice: String,
    customer: String,
    method: String,
    provider: String,
    reference: String,
    amount: Decimal,
    currency: String,
    received_on: NaiveDate,
    recorded_at: DateTime<Utc>,
    note: String,
}

impl TryFrom<Row> for Payment {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Payment {
            method: Method::parse(&row.method).ok_or_else(|| Error::Corrupt {
                table: "payments",
                column: "method",
                row: row.id.to_string(),
                value: row.method.clone(),
            })?,
            id: row.id,
            legal_entity_id: row.legal_entity_id,
            invoice_id: row.invoice_id,
            invoice: row.invoice,
            customer: row.customer,
            provider: row.provider,
            reference: row.reference,
            amount: row.amount,
            currency: row.currency,
            received_on: row.received_on,
            recorded_at: row.recorded_at,
            note: row.note,
        })
    }
}

/// The payments after `after`, the last recorded first, at most `limit`.
pub async fn list(db: &mut Scoped<'_>, after: Option<Cursor>, limit: i64) -> Result<Vec<Payment>> {
    sqlx::query_as!(
        Row,
        r#"select p.id, p.legal_entity_id, p.invoice_id, i.number as invoice, coalesce(i.buyer::jsonb->>'name', '') as "customer!", p.method,
                  p.provider, p.reference, p.amount, p.currency, p.received_on, p.recorded_at, p.note
           from payments p join invoices i on i.id = p.invoice_id
           where (p.recorded_at, p.id) < (coalesce($1::timestamptz, 'infinity'), coalesce($2::uuid, 'ffffffff-ffff-ffff-ffff-ffffffffffff'))
           order by p.recorded_at desc, p.id desc limit $3"#,
        after.map(|cursor| cursor.at),
        after.map(|cursor| cursor.id),
        limit
    )
    .fetch_all(&mut **db)
    .await?
    .into_iter()
    .map(Payment::try_from)
    .collect()
}

/// The payments for an invoice, first to last.
pub async fn of_invoice(db: &mut PgConnection, invoice: Uuid) -> Result<Vec<Payment>> {
    sqlx::query_as!(
        Row,
        r#"select p.id, p.legal_entity_id, p.invoice_id, i.number as invoice, coalesce(i.buyer::jsonb->>'name', '') as "customer!", p.method,
                  p.provider, p.reference, p.amount, p.currency, p.received_on, p.recorded_at, p.note
           from payments p join invoices i on i.id = p.invoice_id
           where p.invoice_id = $1 order by p.recorded_at, p.id"#,
        invoice
    )
    .fetch_all(db)
    .await?
    .into_iter()
    .map(Payment::try_from)
    .collect()
}

/// The payment of this id.
pub async fn get(db: &mut PgConnection, id: Uuid) -> Result<Option<Payment>> {
    sqlx::query_as!(
        Row,
        r#"select p.id, p.legal_entity_id, p.invoice_id, i.number as invoice, coalesce(i.buyer::jsonb->>'name', '') as "customer!", p.method,
                  p.provider, p.reference, p.amount, p.currency, p.received_on, p.recorded_at, p.note
           from payments p join invoices i on i.id = p.invoice_id
           where p.id = $1"#,
        id
    )
    .fetch_optional(db)
    .await?
    .map(Payment::try_from)
    .transpose()
}

/// Payments that moved money and are not in the books, which must be none.
pub async fn unbooked(db: &mut PgConnection, entity: Uuid, limit: i64) -> Result<Vec<Uuid>> {
    Ok(sqlx::query_scalar!(
        "select id from payments p where legal_entity_id = $1 and method <> 'transfer'
           and not exists (select from ledger_entries e where e.kind = 'payment' and e.subject = p.id)
           and not exists (select from voucher_purges g where g.legal_entity_id = $1 and g.what = 'books'
                           and extract(year from p.recorded_at) <= g.year)
         order by recorded_at limit $2",
        entity,
        limit
    )
    .fetch_all(db)
    .await?)
}
